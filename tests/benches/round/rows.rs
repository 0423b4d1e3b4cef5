//! Patients and what was observed of them: plausible values, always the same ones.

use saddlebag_tests::fleet::TestEntropy;

/// One patient for so many rows; the others are observations.
const ROWS_A_PATIENT: u64 = 25;

/// What is kept in step.
pub(crate) const TABLES: &str = "
[patient]
identity = \"uuid(uuid)\"
[observation]
identity = \"uuid(uuid)\"
";

pub(crate) struct Patient {
    pub(crate) id: i64,
    pub(crate) uuid: String,
    pub(crate) family: &'static str,
    pub(crate) given: &'static str,
    pub(crate) sex: &'static str,
    pub(crate) born: String,
    pub(crate) village: Option<&'static str>,
    pub(crate) registered: String,
}

pub(crate) struct Observation {
    pub(crate) id: i64,
    pub(crate) uuid: String,
    pub(crate) patient: i64,
    pub(crate) concept: i64,
    pub(crate) taken: String,
    pub(crate) number: Option<f64>,
    pub(crate) code: Option<i64>,
    pub(crate) text: Option<&'static str>,
    pub(crate) unit: Option<&'static str>,
    pub(crate) status: &'static str,
    pub(crate) observer: i64,
    pub(crate) entered: String,
}

const FAMILIES: [&str; 12] =
    ["Okello", "Auma", "Njoroge", "Banda", "Phiri", "Mwale", "Tembo", "Moyo", "Sesay", "Kamara", "Conteh", "Jalloh"];
const GIVEN: [&str; 12] =
    ["Grace", "Moses", "Esther", "Peter", "Ruth", "James", "Mary", "David", "Aminata", "Ibrahim", "Fatu", "Samuel"];
const VILLAGES: [&str; 8] = ["Kapiri", "Chikwawa", "Nsanje", "Bo", "Kenema", "Makeni", "Lamwo", "Kitgum"];
const NOTES: [&str; 6] =
    ["comes back in a week", "fever since two days", "referred", "refused", "took all tablets", "see the last visit"];

/// All rows that a run is about.
pub(crate) struct Rows {
    pub(crate) patients: Vec<Patient>,
    pub(crate) observations: Vec<Observation>,
}

fn uuid(random: &mut TestEntropy) -> String {
    let (high, low) = (random.next_u64(), random.next_u64());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | (low >> 48 & 0x3fff), low & 0xffff_ffff_ffff)
}

/// A moment, so many seconds after the beginning of 2026.
fn moment(seconds: u64) -> String {
    let (day, time) = (seconds / 86_400, seconds % 86_400);
    let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
    format!("2026-{month:02}-{day:02} {:02}:{:02}:{:02}", time / 3_600, time / 60 % 60, time % 60)
}

impl Rows {
    /// `rows` rows, both tables together.
    pub(crate) fn new(rows: u64) -> Self {
        let mut random = TestEntropy(20_261_121);
        let patients = (rows / ROWS_A_PATIENT).max(1);
        let mut all = Self { patients: Vec::new(), observations: Vec::new() };
        for id in 1..=patients {
            let (year, month, day) = (1930 + random.below(95), 1 + random.below(12), 1 + random.below(28));
            all.patients.push(Patient {
                id: id.cast_signed(),
                uuid: uuid(&mut random),
                family: FAMILIES[random.below(FAMILIES.len())],
                given: GIVEN[random.below(GIVEN.len())],
                sex: ["F", "M"][random.below(2)],
                born: format!("{year}-{month:02}-{day:02}"),
                village: (random.below(5) > 0).then(|| VILLAGES[random.below(VILLAGES.len())]),
                registered: moment(id * 900),
            });
        }
        let mut seconds = 28_800;
        for id in 1..=rows - patients {
            // Eight observations are made of one patient in one go.
            let visit = id / 8;
            seconds += if id % 8 == 0 { 300 + random.below(900) as u64 } else { random.below(40) as u64 };
            all.observations.push(observation(&mut random, id.cast_signed(), visit, patients, seconds));
        }
        all
    }
}

fn observation(random: &mut TestEntropy, id: i64, visit: u64, patients: u64, seconds: u64) -> Observation {
    let kind = random.below(6);
    let tenths = |random: &mut TestEntropy, from: usize, width: usize| Some((from + random.below(width)) as f64 / 10.0);
    let number = match kind {
        0 => tenths(random, 355, 50),
        1 => tenths(random, 300, 600),
        2 => Some((50 + random.below(90)) as f64),
        3 => Some((80 + random.below(100)) as f64),
        _ => None,
    };
    Observation {
        id,
        uuid: uuid(random),
        patient: (visit.wrapping_mul(7_919) % patients + 1).cast_signed(),
        concept: [5_088, 5_089, 5_087, 5_085, 1_284, 160_632][kind],
        taken: moment(seconds),
        number,
        code: (kind == 4).then(|| 116_000 + random.below(60) as i64),
        text: (kind == 5).then(|| NOTES[random.below(NOTES.len())]),
        unit: ["Cel", "kg", "/min", "mm[Hg]"].get(kind).copied(),
        status: if random.below(50) == 0 { "amended" } else { "final" },
        observer: (visit % 9 + 1).cast_signed(),
        entered: moment(seconds + random.below(120) as u64),
    }
}

impl Patient {
    /// Where the patient has moved to.
    pub(crate) fn new_village(&self) -> String {
        VILLAGES[self.uuid.len() % VILLAGES.len()].to_owned() + " II"
    }
}

impl Observation {
    /// The number, corrected.
    pub(crate) fn new_number(&self) -> f64 {
        self.number.unwrap_or(0.0) + 1.5
    }
}
