//! The consulting room: what a visit leaves behind, and how a wrong measurement is put right.

use rusqlite::{Result, Transaction, params};

use crate::complaints::{Complaint, OLDEST, RESULTS, Seen, complaints, vitals, written};
use crate::day::Clinic;
use crate::dice::Dice;

/// What one consultation entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consultation {
    /// The encounter's UUID.
    pub uuid: String,
    /// How many observations.
    pub observations: usize,
    /// How many conditions.
    pub conditions: usize,
    /// How many medications.
    pub medications: usize,
}

/// A measurement that was put right.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// What was measured.
    pub name: String,
    /// The value that was wrong.
    pub before: f64,
    /// The value that replaces it.
    pub after: f64,
}

/// A visit while it is being written.
struct Visit<'t> {
    transaction: Transaction<'t>,
    patient: i64,
    encounter: i64,
    staff: i64,
    at: String,
    today: &'t str,
}

impl Clinic<'_> {
    /// Sees a patient: an encounter with its observations, a condition and what is given for it, in one
    /// transaction.
    ///
    /// # Errors
    /// `QueryReturnedNoRows` when there is no such patient.
    pub fn consult(&mut self, patient: &str) -> Result<Consultation> {
        let (at, until) = (self.later(), self.soon());
        let (uuid, staff) = (self.dice.uuid(), *self.dice.pick(&self.staff));
        let transaction = self.connection.transaction()?;
        let (patient, seen) = look_at(&transaction, patient, &self.today)?;
        let complaint = *self.dice.pick(&complaints(&seen));
        transaction.execute(
            "INSERT INTO encounter (uuid, patient_id, facility_id, staff_id, reason, started_at, ended_at, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'closed')",
            params![uuid, patient, self.facility, staff, complaint.reason, at, until],
        )?;
        let encounter = transaction.last_insert_rowid();
        let visit = Visit { transaction, patient, encounter, staff, at, today: &self.today };
        let observations = visit.observe(complaint, &seen, &mut self.dice)?;
        let conditions = visit.find(complaint, &mut self.dice)?;
        let medications = visit.prescribe(complaint, &mut self.dice)?;
        visit.transaction.commit()?;
        Ok(Consultation { uuid, observations, conditions, medications })
    }

    /// Replaces a measurement of this site by another: the old one stays, marked, and the new one points to it.
    /// None if there is no measurement to correct.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn correct_observation(&mut self) -> Result<Option<Correction>> {
        let (throw, at) = (self.dice.throw(), self.later());
        let misread = *self.dice.pick(&[-1.0, -0.6, 0.6, 1.0]);
        let transaction = self.connection.transaction()?;
        let Some(old) = own_observation(&transaction, self.facility, throw, "o.value_number IS NOT NULL")? else {
            return Ok(None);
        };
        let sql = "UPDATE observation SET status = 'corrected' WHERE id = ?1 RETURNING name, value_number, coalesce(unit, '')";
        let (name, before, unit): (String, f64, String) =
            transaction.query_row(sql, [old], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let after = written((before + misread) * 10.0, &unit);
        transaction.execute(
            "INSERT INTO observation (encounter_id, previous_id, code, name, value_number, unit, taken_at, taken_by_id)
             SELECT encounter_id, id, code, name, ?2, unit, ?3, taken_by_id FROM observation WHERE id = ?1",
            params![old, after, at],
        )?;
        transaction.commit()?;
        Ok(Some(Correction { name, before, after }))
    }
}

/// The patient's key, and what decides what is found.
fn look_at(transaction: &Transaction<'_>, patient: &str, today: &str) -> Result<(i64, Seen)> {
    let sql = "SELECT id, CAST((julianday(?2) - julianday(birth_date)) / 365.25 AS INTEGER), sex = 'F'
               FROM patient WHERE uuid = ?1";
    transaction.query_row(sql, [patient, today], |row| {
        // An application may hold any text for a date of birth.
        let years = row.get::<_, Option<i64>>(1)?.unwrap_or(30).clamp(0, OLDEST);
        Ok((row.get(0)?, Seen { years, is_female: row.get(2)? }))
    })
}

/// The key of one of this site's observations that no other refers to and that `condition` allows.
pub(crate) fn own_observation(
    transaction: &Transaction<'_>,
    facility: i64,
    throw: u64,
    condition: &str,
) -> Result<Option<i64>> {
    let sql = format!(
        "SELECT o.id FROM observation AS o JOIN encounter ON encounter.id = o.encounter_id
         WHERE encounter.facility_id = ?1 AND {condition}
           AND NOT EXISTS (SELECT 1 FROM observation AS later WHERE later.previous_id = o.id)
         ORDER BY encounter.uuid, o.code, o.taken_at, o.id"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let own: Vec<i64> = statement.query_map([facility], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok((!own.is_empty()).then(|| *Dice::new(throw).pick(&own)))
}

impl Visit<'_> {
    fn observe(&self, complaint: &Complaint, seen: &Seen, dice: &mut Dice) -> Result<usize> {
        let mut entered = 0;
        for (code, name, low, high, unit) in vitals(seen) {
            let tenths = i32::try_from(dice.between(low, high)).unwrap_or_default();
            let number = written(f64::from(tenths), unit);
            entered += self.enter((code, name), Some(number), None, Some(unit))?;
        }
        if let Some(test) = complaint.test {
            entered += self.enter(test, None, Some(*dice.pick(&RESULTS)), None)?;
        }
        Ok(entered)
    }

    fn enter(
        &self,
        (code, name): (&str, &str),
        number: Option<f64>,
        text: Option<&str>,
        unit: Option<&str>,
    ) -> Result<usize> {
        self.transaction.execute(
            "INSERT INTO observation (encounter_id, code, name, value_number, value_text, unit, taken_at, taken_by_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![self.encounter, code, name, number, text, unit, self.at, self.staff],
        )
    }

    fn find(&self, complaint: &Complaint, dice: &mut Dice) -> Result<usize> {
        let severity = dice.pick(&["mild", "mild", "moderate", "severe"]);
        let certainty = if complaint.test.is_some() { "confirmed" } else { "presumed" };
        self.transaction.execute(
            "INSERT INTO condition (encounter_id, patient_id, code, name, severity, certainty, onset_on)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, date(?7, ?8))",
            params![
                self.encounter,
                self.patient,
                complaint.code,
                complaint.condition,
                severity,
                certainty,
                self.today,
                format!("-{} days", dice.below(9)),
            ],
        )
    }

    fn prescribe(&self, complaint: &Complaint, dice: &mut Dice) -> Result<usize> {
        let Some(drug) = &complaint.drug else {
            return Ok(0);
        };
        self.transaction.execute(
            "INSERT INTO medication (encounter_id, patient_id, drug, dose, unit, times_a_day, days, started_on,
                                     instructions, is_dispensed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, ''), ?10)",
            params![
                self.encounter,
                self.patient,
                drug.name,
                drug.dose,
                drug.unit,
                drug.times_a_day,
                drug.days,
                self.today,
                drug.instructions,
                dice.chance(80),
            ],
        )
    }
}
