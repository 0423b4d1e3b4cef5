//! The registration desk: patients, their telephone numbers and programs, and entries made by mistake.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use crate::day::Clinic;
use crate::names;

/// A patient as the desk's list shows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// The patient's UUID.
    pub uuid: String,
    /// Given and family name.
    pub name: String,
    /// Where the patient lives.
    pub village: Option<String>,
    /// The telephone number.
    pub phone: Option<String>,
}

/// An observation that was deleted because it should never have been entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedEntry {
    /// Whom it was entered for: given and family name.
    pub patient: String,
    /// What was observed.
    pub name: String,
    /// The value and its unit.
    pub value: String,
}

/// All patients, in the order of their UUIDs, which is the same in every place.
///
/// # Errors
/// When the database cannot be read.
pub fn patients(connection: &Connection) -> Result<Vec<Patient>> {
    let sql = "SELECT uuid, given_name || ' ' || family_name, village, phone FROM patient ORDER BY uuid";
    let mut statement = connection.prepare(sql)?;
    let patient = |row: &rusqlite::Row<'_>| {
        Ok(Patient { uuid: row.get(0)?, name: row.get(1)?, village: row.get(2)?, phone: row.get(3)? })
    };
    statement.query_map([], patient)?.collect()
}

/// Gives a patient another telephone number and returns the one before.
///
/// # Errors
/// `QueryReturnedNoRows` when there is no such patient.
pub fn change_phone(connection: &Connection, patient: &str, phone: &str) -> Result<Option<String>> {
    let transaction = connection.unchecked_transaction()?;
    let sql = "SELECT phone FROM patient WHERE uuid = ?1";
    let before = transaction.query_row(sql, [patient], |row| row.get(0))?;
    transaction.execute("UPDATE patient SET phone = ?2 WHERE uuid = ?1", [patient, phone])?;
    transaction.commit()?;
    Ok(before)
}

impl Clinic<'_> {
    /// Registers somebody new and returns the patient's UUID.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn register_patient(&mut self) -> Result<String> {
        let uuid = self.dice.uuid();
        let dice = &mut self.dice;
        let ((given, sex), family) = (names::given(dice), names::family(dice));
        let kin = format!("{} {family}", names::given(dice).0);
        let phone = dice.chance(70).then(|| names::phone(dice));
        let (days_old, estimated) = (dice.between(20, 29_000), dice.chance(25));
        self.connection.execute(
            "INSERT INTO patient (uuid, given_name, family_name, sex, birth_date, birth_date_estimated, village, phone,
                                  next_of_kin, registered_at_id, registered_on)
             VALUES (?1, ?2, ?3, ?4, date(?5, ?6), ?7, ?8, ?9, ?10, ?11, ?5)",
            params![
                uuid,
                given,
                family,
                sex,
                self.today,
                format!("-{days_old} days"),
                estimated,
                names::village(&mut self.dice),
                phone,
                kin,
                self.facility,
            ],
        )?;
        Ok(uuid)
    }

    /// The UUID of somebody who was registered here, if there is anybody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn somebody_known(&mut self) -> Result<Option<String>> {
        let sql = "SELECT uuid FROM patient WHERE registered_at_id = ?1 ORDER BY uuid";
        let mut statement = self.connection.prepare_cached(sql)?;
        let known: Vec<String> = statement.query_map([self.facility], |row| row.get(0))?.collect::<Result<_>>()?;
        Ok((!known.is_empty()).then(|| self.dice.pick(&known).clone()))
    }

    /// Enrols a patient in one of the programs; false if the patient is in that one already, or there is none.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn enrol(&mut self, patient: &str) -> Result<bool> {
        let (throw, staff) = (self.dice.between(0, 1 << 31), *self.dice.pick(&self.staff));
        let enrolled = self.connection.execute(
            "INSERT OR IGNORE INTO patient_program (patient_id, program_id, enrolled_on, enrolled_by_id)
             SELECT patient.id, program.id, ?2, ?3 FROM patient, program
             WHERE patient.uuid = ?1
               AND program.code = (SELECT code FROM program ORDER BY code
                                   LIMIT 1 OFFSET ?4 % max(1, (SELECT count(*) FROM program)))",
            params![patient, self.today, staff, throw],
        )?;
        Ok(enrolled > 0)
    }

    /// Deletes an observation of this site that nothing refers to, if there is one, and says what it was.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn delete_mistaken_entry(&mut self) -> Result<Option<DeletedEntry>> {
        let throw = self.dice.throw();
        let transaction = self.connection.transaction()?;
        let Some(id) = crate::visit::own_observation(&transaction, self.facility, throw, "1")? else {
            return Ok(None);
        };
        let sql = "DELETE FROM observation WHERE id = ?1
                   RETURNING name, trim(coalesce(value_number, value_text) || ' ' || coalesce(unit, '')),
                             (SELECT given_name || ' ' || family_name FROM patient WHERE id =
                                 (SELECT patient_id FROM encounter WHERE id = encounter_id))";
        let entry =
            |row: &rusqlite::Row<'_>| Ok(DeletedEntry { name: row.get(0)?, value: row.get(1)?, patient: row.get(2)? });
        let deleted = transaction.query_row(sql, [id], entry).optional()?;
        transaction.commit()?;
        Ok(deleted)
    }
}
