//! A clinic at work: who comes, and what a whole day leaves in the database.
//!
//! The same site, seed and database give the same day. A day's work edits and deletes only what this site
//! entered itself, so two sites never disagree unless [`change_phone`](crate::change_phone) makes them.

use std::fmt;

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, params};

use crate::dice::Dice;
use crate::names;

const ROLES: [&str; 4] = ["clinical officer", "nurse", "midwife", "community worker"];

/// A clinic on one day, with its database.
#[derive(Debug)]
pub struct Clinic<'c> {
    pub(crate) connection: &'c mut Connection,
    pub(crate) dice: Dice,
    pub(crate) facility: i64,
    pub(crate) staff: Vec<i64>,
    pub(crate) today: String,
    minute: i64,
}

/// How much was done on a day, counted as it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaySummary {
    /// Patients registered.
    pub patients: usize,
    /// Consultations held.
    pub encounters: usize,
    /// Observations entered, corrections included.
    pub observations: usize,
    /// Conditions found.
    pub conditions: usize,
    /// Medications prescribed.
    pub medications: usize,
    /// Patients enrolled in a program.
    pub enrolments: usize,
    /// Observations that another one replaced.
    pub corrections: usize,
    /// Telephone numbers that changed.
    pub phone_changes: usize,
    /// Observations deleted because they were entered by mistake.
    pub deletions: usize,
}

impl fmt::Display for DaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.patients, "patient registered", "patients registered"),
            (self.encounters, "consultation", "consultations"),
            (self.observations, "observation", "observations"),
            (self.conditions, "condition", "conditions"),
            (self.medications, "medication", "medications"),
            (self.enrolments, "enrolment", "enrolments"),
            (self.corrections, "correction", "corrections"),
            (self.phone_changes, "new telephone number", "new telephone numbers"),
            (self.deletions, "mistaken entry deleted", "mistaken entries deleted"),
        ];
        let said = parts.iter().filter(|(count, ..)| *count > 0);
        let said: Vec<String> =
            said.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
        if said.is_empty() { f.write_str("nothing") } else { f.write_str(&said.join(", ")) }
    }
}

/// Works a whole day: registers `patients` people, sees them and some who came before, and mends what was
/// entered wrongly. A site works a seed once: the same seed would give the same UUIDs again.
///
/// # Errors
/// When the database refuses, for instance because this seed was worked here before.
pub fn work_day(connection: &mut Connection, site: &str, seed: u64, patients: usize) -> Result<DaySummary> {
    let mut clinic = Clinic::open(connection, site, seed)?;
    let mut day = DaySummary::default();
    for _ in 0..patients {
        let patient = clinic.register_patient()?;
        day.patients += 1;
        clinic.see(&patient, &mut day)?;
    }
    for _ in 0..patients.div_ceil(3) {
        if let Some(patient) = clinic.somebody_known()? {
            clinic.see(&patient, &mut day)?;
        }
    }
    clinic.mend(patients, &mut day)?;
    Ok(day)
}

impl<'c> Clinic<'c> {
    /// Opens the clinic of `site` for the day that `seed` stands for; on the first day, hires its staff.
    ///
    /// # Errors
    /// When the database is not a clinic's or cannot be written.
    pub fn open(connection: &'c mut Connection, site: &str, seed: u64) -> Result<Self> {
        let dice = Dice::for_site(site, seed);
        // SQLite leaves foreign keys unchecked unless a connection asks.
        connection.pragma_update(None, "foreign_keys", true)?;
        let days = format!("{} days", seed % 300);
        let today = connection.query_row("SELECT date('2026-03-02', ?1)", [days], |row| row.get(0))?;
        let transaction = connection.transaction()?;
        let facility = home(&transaction, site)?;
        let mut staff = staff_of(&transaction, facility)?;
        if staff.is_empty() {
            // Dice of their own: the day's fall alike whether or not it is the first day.
            let mut hiring = Dice::for_site(&format!("{site}, staff"), seed);
            hire(&transaction, facility, &mut hiring)?;
            staff = staff_of(&transaction, facility)?;
        }
        transaction.commit()?;
        Ok(Self { connection, dice, facility, staff, today, minute: 0 })
    }

    /// The time of day, some minutes later at each call; the clinic is open from eight to six.
    pub(crate) fn later(&mut self) -> String {
        self.minute = (self.minute + self.dice.between(2, 9)) % 600;
        self.clock(self.minute)
    }

    /// When what began last will be over, as far as anybody knows.
    pub(crate) fn soon(&mut self) -> String {
        let minute = self.minute + self.dice.between(5, 25);
        self.clock(minute)
    }

    fn clock(&self, minute: i64) -> String {
        format!("{}T{:02}:{:02}:00", self.today, 8 + minute / 60, minute % 60)
    }

    fn see(&mut self, patient: &str, day: &mut DaySummary) -> Result<()> {
        let visit = self.consult(patient)?;
        day.encounters += 1;
        day.observations += visit.observations;
        day.conditions += visit.conditions;
        day.medications += visit.medications;
        if self.dice.chance(35) {
            day.enrolments += usize::from(self.enrol(patient)?);
        }
        Ok(())
    }

    fn mend(&mut self, patients: usize, day: &mut DaySummary) -> Result<()> {
        for _ in 0..patients.div_ceil(5) {
            if self.correct_observation()?.is_some() {
                day.corrections += 1;
                day.observations += 1;
            }
            if let Some(patient) = self.somebody_known()? {
                let phone = names::phone(&mut self.dice);
                crate::desk::change_phone(self.connection, &patient, &phone)?;
                day.phone_changes += 1;
            }
        }
        if patients > 0 && self.delete_mistaken_entry()?.is_some() {
            day.deletions += 1;
        }
        Ok(())
    }
}

/// The facility that stands for the site, entered if nobody did so yet.
fn home(transaction: &Transaction<'_>, site: &str) -> Result<i64> {
    let code = site.to_uppercase();
    let sql = "SELECT id FROM facility WHERE code = ?1";
    if let Some(id) = transaction.query_row(sql, [&code], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute("INSERT INTO facility (code, name) VALUES (?1, ?2)", [&code, site])?;
    Ok(transaction.last_insert_rowid())
}

fn staff_of(transaction: &Transaction<'_>, facility: i64) -> Result<Vec<i64>> {
    let mut statement = transaction.prepare("SELECT id FROM staff WHERE facility_id = ?1 ORDER BY id")?;
    statement.query_map([facility], |row| row.get(0))?.collect()
}

/// One person for each role; the first leads the others.
fn hire(transaction: &Transaction<'_>, facility: i64, dice: &mut Dice) -> Result<()> {
    let mut lead: Option<i64> = None;
    for role in ROLES {
        let name = format!("{} {}", names::given(dice).0, names::family(dice));
        let hired_on = format!("20{}-0{}-01", dice.between(15, 25), dice.between(1, 9));
        transaction.execute(
            "INSERT INTO staff (uuid, name, role, phone, facility_id, supervisor_id, hired_on)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![dice.uuid(), name, role, names::phone(dice), facility, lead, hired_on],
        )?;
        lead = lead.or(Some(transaction.last_insert_rowid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic;

    fn worked(site: &str, seeds: &[u64]) -> (Connection, Vec<DaySummary>) {
        let mut connection = Connection::open_in_memory().unwrap();
        clinic::create(&connection).unwrap();
        clinic::reference_data(&connection).unwrap();
        let work = |seed: &u64| work_day(&mut connection, site, *seed, 6).unwrap();
        let days = seeds.iter().map(work).collect();
        (connection, days)
    }

    fn count(connection: &Connection, sql: &str) -> usize {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    fn column(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let values = statement.query_map([], |row| row.get(0)).unwrap();
        values.collect::<Result<_>>().unwrap()
    }

    #[test]
    fn the_summary_counts_what_is_in_the_tables() {
        let (connection, days) = worked("Riverside", &[1]);
        let day = days[0];
        let rows = |table: &str| count(&connection, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows("patient"), day.patients);
        assert_eq!(rows("encounter"), day.encounters);
        assert_eq!(rows("observation"), day.observations - day.deletions);
        assert_eq!(rows("condition"), day.conditions);
        assert_eq!(rows("medication"), day.medications);
        assert_eq!(rows("patient_program"), day.enrolments);
        let said = day.to_string();
        assert!(said.starts_with("6 patients registered, 8 consultations, "), "{said}");
        assert!(said.ends_with("1 mistaken entry deleted"), "{said}");
    }

    #[test]
    fn every_kind_of_work_happens_in_a_few_days() {
        let (connection, days) = worked("Riverside", &[1, 2, 3]);
        let all = |part: fn(&DaySummary) -> usize| days.iter().map(part).sum::<usize>();
        assert!(all(|day| day.enrolments) > 0 && all(|day| day.corrections) > 0);
        assert!(all(|day| day.phone_changes) > 0 && all(|day| day.deletions) > 0);
        assert!(count(&connection, "SELECT count(*) FROM observation WHERE previous_id IS NOT NULL") > 0);
        assert!(count(&connection, "SELECT count(*) FROM staff WHERE supervisor_id IS NOT NULL") > 0);
        assert_eq!(count(&connection, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    }

    #[test]
    fn a_seed_is_worked_once() {
        let (mut connection, _) = worked("Riverside", &[1]);
        let error = work_day(&mut connection, "Riverside", 1, 6).unwrap_err();
        assert_eq!(error.to_string(), "UNIQUE constraint failed: patient.uuid");
    }

    #[test]
    fn two_sites_share_integer_keys_and_no_uuid() {
        let ((one, _), (two, _)) = (worked("Riverside", &[1]), worked("Hilltop", &[1]));
        for table in ["staff", "patient", "encounter"] {
            let ids = format!("SELECT CAST(id AS TEXT) FROM {table} ORDER BY id");
            assert_eq!(column(&one, &ids), column(&two, &ids), "{table}");
            let uuids = format!("SELECT uuid FROM {table}");
            let (ours, theirs) = (column(&one, &uuids), column(&two, &uuids));
            assert!(!ours.is_empty() && ours.iter().all(|uuid| !theirs.contains(uuid)), "{table}");
        }
        for table in ["observation", "condition", "medication", "patient_program"] {
            let ids = format!("SELECT CAST(id AS TEXT) FROM {table} ORDER BY id");
            assert_eq!(column(&one, &ids)[0], column(&two, &ids)[0], "{table}");
        }
    }

    #[test]
    fn a_site_without_reference_data_enters_its_own_facility() {
        let mut connection = Connection::open_in_memory().unwrap();
        clinic::create(&connection).unwrap();
        work_day(&mut connection, "Far End", 1, 2).unwrap();
        assert_eq!(column(&connection, "SELECT code FROM facility"), ["FAR END"]);
    }
}
