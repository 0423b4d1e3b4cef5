//! Does recorded work once more, as the application would do it in a database whose keys have moved on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Transaction, TransactionBehavior, params_from_iter};

use super::catalogue::{Catalogue, Refers, table_of};
use super::recording::{Doing, Operation, RecordedRow, Recording};

/// How long the application waits for the database: Tryton leaves it at SQLite's driver's default.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Tables whose rows only the application itself reads.
const NOT_CHECKED: [&str; 1] = ["ir_translation"];

/// A recording on its way through a database.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    catalogue: Catalogue,
    /// The tables that the recording writes.
    written: BTreeSet<String>,
    made: BTreeSet<(String, i64)>,
    /// The keys here of the rows that the recording made.
    ids: HashMap<(String, i64), i64>,
}

/// What a stretch of work did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Operations that were done.
    pub operations: usize,
    /// Operations that the application would not have done: what they need is gone.
    pub skipped: usize,
    /// New rows that are still there, with their keys here.
    pub inserted: BTreeSet<(String, i64)>,
    /// Rows that were there before and were deleted.
    pub deleted: BTreeSet<(String, i64)>,
}

/// Why an operation is not done.
enum Stop {
    NotThere,
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Replay {
    /// A recording to be replayed in this database, from its beginning.
    ///
    /// # Errors
    /// When the database is none of GNU Health's.
    pub fn new(recording: Recording, database: &Path) -> Result<Self> {
        let catalogue = Catalogue::read(&Connection::open(database)?)?;
        let rows = recording.operations.iter().flat_map(|operation| &operation.rows);
        let written = rows.map(|row| row.table.clone()).collect();
        let made = recording.made();
        Ok(Self { recording, catalogue, written, made, ids: HashMap::new() })
    }

    /// The recording.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Does a stretch of operations, each in a transaction of its own, on a connection of the application's.
    ///
    /// # Errors
    /// When the database refuses what the application may do.
    pub fn run(&mut self, database: &Path, stretch: Range<usize>) -> Result<Done> {
        let mut connection = Connection::open(database)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let mut done = Done::default();
        for at in stretch {
            let operation = self.recording.operations[at].clone();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let ids = self.ids.clone();
            let mut so_far = done.clone();
            match self.operation(&transaction, &operation, &mut so_far) {
                Ok(()) => {
                    transaction.commit()?;
                    done = Done { operations: done.operations + 1, ..so_far };
                }
                Err(Stop::NotThere) => {
                    transaction.rollback()?;
                    self.ids = ids;
                    done.skipped += 1;
                }
                Err(Stop::Database(error)) => return Err(error),
            }
        }
        Ok(done)
    }

    fn operation(&mut self, transaction: &Transaction<'_>, operation: &Operation, done: &mut Done) -> Result<(), Stop> {
        for row in &operation.rows {
            self.row(transaction, row, done)?;
        }
        for row in operation.rows.iter().filter(|row| row.doing == Doing::Delete) {
            let id = self.local(&row.table, row.id)?;
            self.refuse_if_referred_to(transaction, &row.table, id)?;
        }
        Ok(())
    }

    fn row(&mut self, transaction: &Transaction<'_>, row: &RecordedRow, done: &mut Done) -> Result<(), Stop> {
        let values = self.values(transaction, row)?;
        let table = quote(&row.table);
        if row.doing == Doing::Insert {
            let columns: Vec<String> = values.keys().map(|column| quote(column)).collect();
            let places = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
            transaction.execute(&sql, params_from_iter(values.values()))?;
            let id = transaction.last_insert_rowid();
            self.ids.insert((row.table.clone(), row.id), id);
            done.inserted.insert((row.table.clone(), id));
            return Ok(());
        }
        let id = self.local(&row.table, row.id)?;
        let changed = if row.doing == Doing::Delete {
            let spot = (row.table.clone(), id);
            if !done.inserted.remove(&spot) {
                done.deleted.insert(spot);
            }
            transaction.execute(&format!("DELETE FROM {table} WHERE id = {id}"), [])?
        } else {
            let columns: Vec<String> = values.keys().map(|column| format!("{} = ?", quote(column))).collect();
            let sql = format!("UPDATE {table} SET {} WHERE id = {id}", columns.join(", "));
            transaction.execute(&sql, params_from_iter(values.values()))?
        };
        if changed == 1 { Ok(()) } else { Err(Stop::NotThere) }
    }

    /// The key here of a row of the recording.
    fn local(&self, table: &str, id: i64) -> Result<i64, Stop> {
        let spot = (table.to_owned(), id);
        match self.ids.get(&spot) {
            Some(local) => Ok(*local),
            None if self.made.contains(&spot) => Err(Stop::NotThere),
            None => Ok(id),
        }
    }

    /// The values of a row, with the keys that are in use here.
    fn values(&self, transaction: &Transaction<'_>, row: &RecordedRow) -> Result<BTreeMap<String, Value>, Stop> {
        let mut values = row.values.clone();
        for (column, refers) in self.catalogue.of(&row.table) {
            let named_by = match &refers {
                Refers::AsNamedBy(name) => row.values.get(name).cloned(),
                _ => None,
            };
            let Some(value) = values.get_mut(&column) else { continue };
            match (refers, &value) {
                (Refers::To(table), Value::Integer(id)) => {
                    *value = Value::Integer(self.there(transaction, &table, *id)?)
                }
                (Refers::AsNamedBy(_), Value::Integer(id)) => {
                    let Some(Value::Text(name)) = named_by else { continue };
                    let table = table_of(name.split(',').next().unwrap_or_default());
                    *value = Value::Integer(self.there(transaction, &table, *id)?);
                }
                (Refers::ByModel, Value::Text(text)) => {
                    let Some((model, id)) = text.split_once(',') else { continue };
                    let Ok(id) = id.parse() else { continue };
                    *value = Value::Text(format!("{model},{}", self.there(transaction, &table_of(model), id)?));
                }
                _ => {}
            }
        }
        Ok(values)
    }

    /// The key here of a row that must be there.
    fn there(&self, transaction: &Transaction<'_>, table: &str, id: i64) -> Result<i64, Stop> {
        let id = self.local(table, id)?;
        let sql = format!("SELECT count(*) FROM {} WHERE id = ?1", quote(table));
        let count: i64 = transaction.prepare_cached(&sql)?.query_row([id], |row| row.get(0))?;
        if count == 1 { Ok(id) } else { Err(Stop::NotThere) }
    }

    /// The application deletes nothing that is still referred to.
    fn refuse_if_referred_to(&self, transaction: &Transaction<'_>, table: &str, id: i64) -> Result<(), Stop> {
        for (table, column) in self.catalogue.referring_to(table, &self.written) {
            if NOT_CHECKED.contains(&table.as_str()) {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {} WHERE {} = ?1", quote(&table), quote(&column));
            let count: i64 = transaction.prepare_cached(&sql)?.query_row([id], |row| row.get(0))?;
            if count > 0 {
                return Err(Stop::NotThere);
            }
        }
        Ok(())
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
