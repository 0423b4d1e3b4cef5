//! One place with its database file: what its people do there, and what can be seen from outside.
//!
//! Each call opens the file and closes it again, as an application does that is started when it is needed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Result};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::clinic::{self, TABLES};
use crate::compare::show;
use crate::day::{Clinic, DaySummary};
use crate::desk::{DeletedEntry, Patient};

/// How long a call waits for another program that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What could not be done at a place.
#[derive(Debug, Error)]
#[error("cannot work with the database `{}`: {source}", path.display())]
pub struct SiteError {
    /// The database's file.
    pub path: PathBuf,
    /// What SQLite said.
    pub source: rusqlite::Error,
}

/// A place with a database of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What it is called; a facility with this code, in upper case, is its own.
    pub name: String,
    /// The database's file.
    pub database: PathBuf,
}

/// Integer keys of one table that two places have both given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKeys {
    /// The table's name.
    pub table: &'static str,
    /// How many keys occur at both.
    pub shared: usize,
    /// How many of them stand for different records, told by their UUIDs.
    pub different: usize,
}

impl Site {
    /// Makes the place's database, with the tables of the application and what the ministry handed out to all.
    ///
    /// # Errors
    /// When there is such a database already, or the file cannot be written.
    pub fn create(name: &str, database: &Path) -> Result<Self, SiteError> {
        let site = Self { name: name.to_owned(), database: database.to_owned() };
        let make = || {
            let connection = Connection::open(database)?;
            clinic::create(&connection)?;
            clinic::reference_data(&connection)
        };
        make().map_err(|source| site.failed(source))?;
        Ok(site)
    }

    /// Works a day, as [`work_day`](crate::work_day) does.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn work_day(&self, seed: u64, patients: usize) -> Result<DaySummary, SiteError> {
        self.with(|connection| crate::day::work_day(connection, &self.name, seed, patients))
    }

    /// All patients, in the same order at every place.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn patients(&self) -> Result<Vec<Patient>, SiteError> {
        self.with(|connection| crate::desk::patients(connection))
    }

    /// One patient, if known here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn patient(&self, uuid: &str) -> Result<Option<Patient>, SiteError> {
        Ok(self.patients()?.into_iter().find(|patient| patient.uuid == uuid))
    }

    /// The integer key that a patient has here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn patient_key(&self, uuid: &str) -> Result<Option<i64>, SiteError> {
        let sql = "SELECT id FROM patient WHERE uuid = ?1";
        self.with(|connection| connection.query_row(sql, [uuid], |row| row.get(0)).optional())
    }

    /// Gives a patient another telephone number and returns the one before.
    ///
    /// # Errors
    /// When there is no such patient.
    pub fn change_phone(&self, patient: &str, phone: &str) -> Result<Option<String>, SiteError> {
        self.with(|connection| crate::desk::change_phone(connection, patient, phone))
    }

    /// Deletes an observation of this site, if there is one that nothing refers to.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn delete_mistaken_entry(&self, seed: u64) -> Result<Option<DeletedEntry>, SiteError> {
        self.with(|connection| Clinic::open(connection, &self.name, seed)?.delete_mistaken_entry())
    }

    /// How many entries here say the same of the same patient as one that was deleted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn entries_like(&self, entry: &DeletedEntry) -> Result<usize, SiteError> {
        let sql = "SELECT count(*) FROM observation AS o
                   JOIN encounter ON encounter.id = o.encounter_id
                   JOIN patient ON patient.id = encounter.patient_id
                   WHERE patient.given_name || ' ' || patient.family_name = ?1 AND o.name = ?2
                     AND trim(coalesce(o.value_number, o.value_text) || ' ' || coalesce(o.unit, '')) = ?3";
        let of = [&entry.patient, &entry.name, &entry.value];
        self.with(|connection| connection.query_row(sql, of, |row| row.get::<_, u32>(0))).map(|count| count as usize)
    }

    /// SHA-256 of all rows of the application, integer keys included, in hexadecimal: the same as long as
    /// nothing was changed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn checksum(&self) -> Result<String, SiteError> {
        self.with(|connection| {
            let snapshot = connection.transaction()?;
            let mut hash = Sha256::new();
            for table in TABLES {
                add_rows(&snapshot, table, &mut hash)?;
            }
            Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T, SiteError> {
        let open = || -> Result<Connection> {
            let connection = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.busy_timeout(PATIENCE)?;
            Ok(connection)
        };
        open().and_then(|mut connection| work(&mut connection)).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> SiteError {
        SiteError { path: self.database.clone(), source }
    }
}

/// The integer keys that two places have both given, in the tables whose records have UUIDs.
///
/// # Errors
/// When a database cannot be read.
pub fn shared_keys(one: &Site, other: &Site) -> Result<Vec<SharedKeys>, SiteError> {
    let compare = |table: &'static str| {
        let (ours, theirs) = (keys(one, table)?, keys(other, table)?);
        let find = |key| theirs.iter().find(|(id, _)| id == key).map(|(_, uuid)| uuid);
        let shared: Vec<_> = ours.iter().filter_map(|(key, uuid)| Some((uuid, find(key)?))).collect();
        let different = shared.iter().filter(|(ours, theirs)| ours != theirs).count();
        Ok(SharedKeys { table, shared: shared.len(), different })
    };
    ["staff", "patient", "encounter"].into_iter().map(compare).collect()
}

fn keys(site: &Site, table: &str) -> Result<Vec<(i64, String)>, SiteError> {
    site.with(|connection| {
        let mut statement = connection.prepare(&format!("SELECT id, uuid FROM {table} ORDER BY id"))?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    })
}

fn add_rows(connection: &Connection, table: &str, hash: &mut Sha256) -> Result<()> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY id"))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    hash.update(format!("{table}\n"));
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            hash.update(show(row.get_ref(column)?));
            // No shown value holds a line end: text is shown with escapes.
            hash.update(if column + 1 == columns { "\n" } else { "\n " });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(folder: &Path) -> (Site, Site) {
        let site = |name: &str| Site::create(name, &folder.join(format!("{name}.db"))).unwrap();
        (site("riverside"), site("hilltop"))
    }

    #[test]
    fn keys_collide_between_places_and_not_within_one() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = sites(folder.path());
        one.work_day(1, 4).unwrap();
        other.work_day(1, 3).unwrap();
        let patients = |keys: Vec<SharedKeys>| keys.into_iter().find(|keys| keys.table == "patient").unwrap();
        let between = patients(shared_keys(&one, &other).unwrap());
        assert_eq!(between, SharedKeys { table: "patient", shared: 3, different: 3 });
        assert_eq!(patients(shared_keys(&one, &one).unwrap()).different, 0);
        let first = one.patients().unwrap().remove(0);
        assert!(one.patient_key(&first.uuid).unwrap().is_some());
        assert_eq!(other.patient_key(&first.uuid).unwrap(), None);
        assert_eq!(one.patient(&first.uuid).unwrap(), Some(first));
    }

    #[test]
    fn the_checksum_sees_every_change_and_no_look() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = sites(folder.path());
        assert_eq!(one.checksum().unwrap(), other.checksum().unwrap());
        one.work_day(1, 2).unwrap();
        let before = one.checksum().unwrap();
        let patient = one.patients().unwrap().remove(0);
        assert_eq!(one.checksum().unwrap(), before);
        one.change_phone(&patient.uuid, "0555 1").unwrap();
        assert_ne!(one.checksum().unwrap(), before);
        one.change_phone(&patient.uuid, patient.phone.as_deref().unwrap_or_default()).unwrap();
        assert_eq!(one.checksum().unwrap() == before, patient.phone.is_some());
    }

    #[test]
    fn what_was_deleted_is_not_counted_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = sites(folder.path());
        one.work_day(1, 3).unwrap();
        std::fs::copy(&one.database, folder.path().join("copy.db")).unwrap();
        let copy = Site { name: one.name.clone(), database: folder.path().join("copy.db") };
        let entry = one.delete_mistaken_entry(2).unwrap().expect("there is an observation");
        assert_eq!(copy.entries_like(&entry).unwrap(), one.entries_like(&entry).unwrap() + 1);
        assert_eq!(other.delete_mistaken_entry(2).unwrap(), None);
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = Site { name: "x".to_owned(), database: folder.path().join("x.db") };
        assert!(nowhere.patients().unwrap_err().to_string().contains("x.db"));
        assert!(!nowhere.database.exists(), "looking makes no database");
        let (one, _) = sites(folder.path());
        assert!(Site::create("riverside", &one.database).is_err());
    }
}
