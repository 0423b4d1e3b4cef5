//! Why people come, what is found, and what they are given. Invented for demonstrations: not for clinical use.

/// What one kind of visit leads to.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) reason: &'static str,
    pub(crate) code: &'static str,
    pub(crate) condition: &'static str,
    /// The ages at which people come with it.
    pub(crate) ages: std::ops::Range<i64>,
    pub(crate) test: Option<(&'static str, &'static str)>,
    pub(crate) drug: Option<Drug>,
}

/// What is given, and how.
#[derive(Debug)]
pub(crate) struct Drug {
    pub(crate) name: &'static str,
    pub(crate) dose: f64,
    pub(crate) unit: &'static str,
    pub(crate) times_a_day: u32,
    pub(crate) days: u32,
    pub(crate) instructions: &'static str,
}

/// Who has come, as far as it decides what is found.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) years: i64,
    pub(crate) is_female: bool,
}

/// A measurement: code, name, lowest and highest value in tenths, unit.
pub(crate) type Vital = (&'static str, &'static str, i64, i64, &'static str);

/// What is measured at every visit.
pub(crate) fn vitals(seen: &Seen) -> [Vital; 4] {
    let (lightest, heaviest) = match seen.years {
        0 => (32, 90),
        years @ 1..15 => (70 + 22 * years, 110 + 30 * years),
        _ => (430, 860),
    };
    [
        ("TEMP", "Temperature", 361, 395, "°C"),
        ("WEIGHT", "Weight", lightest, heaviest, "kg"),
        ("PULSE", "Pulse", 580, 1240, PER_MINUTE),
        ("BREATH", "Breathing rate", 120, 480, PER_MINUTE),
    ]
}

/// The highest age that anything here is for.
pub(crate) const OLDEST: i64 = 89;

/// The unit of what is counted in whole numbers.
pub(crate) const PER_MINUTE: &str = "/min";

/// A measured value, given in tenths, as it is written down.
pub(crate) fn written(tenths: f64, unit: &str) -> f64 {
    if unit == PER_MINUTE { (tenths / 10.0).round() } else { tenths.round() / 10.0 }
}

const fn drug(
    name: &'static str,
    dose: f64,
    unit: &'static str,
    (times_a_day, days): (u32, u32),
    instructions: &'static str,
) -> Option<Drug> {
    Some(Drug { name, dose, unit, times_a_day, days, instructions })
}

const fn complaint(
    reason: &'static str,
    code: &'static str,
    condition: &'static str,
    ages: std::ops::Range<i64>,
    test: Option<(&'static str, &'static str)>,
    drug: Option<Drug>,
) -> Complaint {
    Complaint { reason, code, condition, ages, test, drug }
}

/// What somebody may come with.
pub(crate) fn complaints(seen: &Seen) -> Vec<&'static Complaint> {
    let fits = |complaint: &&Complaint| {
        complaint.ages.contains(&seen.years) && (seen.is_female || complaint.condition != PREGNANCY)
    };
    COMPLAINTS.iter().filter(fits).collect()
}

const PREGNANCY: &str = "Pregnancy";

static COMPLAINTS: [Complaint; 8] = [
    complaint(
        "Fever for three days",
        "B54",
        "Malaria",
        0..OLDEST + 1,
        Some(("MAL-RDT", "Malaria rapid test")),
        drug("Artemether-lumefantrine", 80.0, "mg", (2, 3), "with food"),
    ),
    complaint(
        "Cough and fast breathing",
        "J18.9",
        "Pneumonia",
        0..OLDEST + 1,
        None,
        drug("Amoxicillin", 250.0, "mg", (2, 5), "finish all of it"),
    ),
    complaint(
        "Watery stools",
        "A09",
        "Diarrhoea",
        0..OLDEST + 1,
        None,
        drug("Zinc", 20.0, "mg", (1, 10), "with oral rehydration salts after each stool"),
    ),
    complaint(
        "Headache, visits often",
        "I10",
        "High blood pressure",
        35..OLDEST + 1,
        None,
        drug("Amlodipine", 5.0, "mg", (1, 30), ""),
    ),
    complaint(
        "Tired and pale",
        "D50.9",
        "Anaemia",
        0..OLDEST + 1,
        Some(("HB-COL", "Haemoglobin colour scale")),
        drug("Ferrous sulfate", 200.0, "mg", (2, 30), "not with tea"),
    ),
    complaint(
        "Cut on the foot",
        "T14.1",
        "Open wound",
        3..OLDEST + 1,
        None,
        drug("Paracetamol", 500.0, "mg", (3, 3), "for pain"),
    ),
    complaint(
        "Itching between fingers",
        "B86",
        "Scabies",
        0..OLDEST + 1,
        None,
        drug("Permethrin cream", 30.0, "g", (1, 1), "leave on overnight"),
    ),
    complaint("Pregnancy check", "Z34.9", PREGNANCY, 15..46, Some(("URINE-PROT", "Protein in urine")), None),
];

/// Results of a test that is read by eye.
pub(crate) const RESULTS: [&str; 3] = ["negative", "positive", "positive"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_can_come_with_something_that_fits() {
        for years in 0..=OLDEST {
            let reasons = |is_female| complaints(&Seen { years, is_female });
            let pregnant = |is_female| reasons(is_female).iter().any(|found| found.condition == PREGNANCY);
            assert!(reasons(true).len() >= 4 && reasons(false).len() >= 4, "{years}");
            assert!(!pregnant(false));
            assert_eq!(pregnant(true), (15..46).contains(&years));
        }
    }

    #[test]
    fn what_is_counted_is_written_in_whole_numbers() {
        assert_eq!(written(384.0, "°C"), 38.4);
        assert_eq!(written(767.0, PER_MINUTE), 77.0);
    }
}
