//! The application on SQLite, without saddlebag.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::rows::Rows;

const SCHEMA: &str = "
CREATE TABLE patient (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, family TEXT NOT NULL, given TEXT NOT NULL, sex TEXT NOT NULL,
    born TEXT NOT NULL, village TEXT, registered TEXT NOT NULL);
CREATE TABLE observation (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, patient_id INTEGER NOT NULL REFERENCES patient (id),
    concept INTEGER NOT NULL, taken TEXT NOT NULL, number REAL, code INTEGER, text TEXT, unit TEXT,
    status TEXT NOT NULL, observer INTEGER NOT NULL, entered TEXT NOT NULL);
CREATE INDEX observation_patient ON observation (patient_id);
";

/// An empty database of the application, as it makes it.
pub(crate) fn create(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(SCHEMA).unwrap();
}

/// A connection with the settings of saddlebag's own.
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection
}

/// Puts all rows into an empty database as fast as SQLite takes them: one transaction, prepared statements.
pub(crate) fn insert(connection: &mut Connection, rows: &Rows) {
    let transaction = connection.transaction().unwrap();
    {
        let sql = "INSERT INTO patient VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut statement = transaction.prepare(sql).unwrap();
        for p in &rows.patients {
            let row = params![p.id, p.uuid, p.family, p.given, p.sex, p.born, p.village, p.registered];
            statement.execute(row).unwrap();
        }
        let sql = "INSERT INTO observation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let mut statement = transaction.prepare(sql).unwrap();
        for o in &rows.observations {
            let row = params![
                o.id, o.uuid, o.patient, o.concept, o.taken, o.number, o.code, o.text, o.unit, o.status, o.observer,
                o.entered
            ];
            statement.execute(row).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Changes one value of every row, by its key.
pub(crate) fn update(connection: &mut Connection, rows: &Rows) {
    let transaction = connection.transaction().unwrap();
    {
        let mut statement = transaction.prepare("UPDATE patient SET village = ?2 WHERE id = ?1").unwrap();
        for p in &rows.patients {
            statement.execute(params![p.id, p.new_village()]).unwrap();
        }
        let mut statement = transaction.prepare("UPDATE observation SET number = ?2 WHERE id = ?1").unwrap();
        for o in &rows.observations {
            statement.execute(params![o.id, o.new_number()]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Reads every column of every row; gives the number of rows, and of bytes of text so that nothing is left out.
pub(crate) fn scan(connection: &Connection) -> (u64, u64) {
    let (mut count, mut bytes) = (0, 0);
    for table in ["patient", "observation"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            count += 1;
            for column in 0..columns {
                bytes += match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => text.len() as u64,
                    rusqlite::types::ValueRef::Null => 0,
                    _ => 8,
                };
            }
        }
    }
    (count, bytes)
}
