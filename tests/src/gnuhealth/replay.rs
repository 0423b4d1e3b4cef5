//! Does recorded work once more, as the application would do it in a database whose keys have moved on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::catalogue::{Catalogue, Refers, table_of};
use super::cells::Cell;
use super::recording::{Doing, Operation, RecordedRow, Recording};
use crate::app::{App, AppError, Sql as Value};

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
    /// What the database refused, in its words: the application would have told its user.
    pub refused: Vec<String>,
    /// New rows that are still there, with their keys here.
    pub inserted: BTreeSet<(String, i64)>,
    /// Rows that were there before and were deleted.
    pub deleted: BTreeSet<(String, i64)>,
    /// Values that were written over, perhaps with what stood there before the stretch.
    pub written: BTreeSet<Cell>,
}

/// Why an operation is not done.
enum Stop {
    NotThere,
    Database(AppError),
}

impl From<AppError> for Stop {
    fn from(error: AppError) -> Self {
        Self::Database(error)
    }
}

impl Replay {
    /// A recording to be replayed in this database, from its beginning.
    ///
    /// # Errors
    /// When the database is none of GNU Health's.
    pub fn new(recording: Recording, app: &App) -> Result<Self, AppError> {
        let catalogue = Catalogue::read(app)?;
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
    /// When the database cannot do it.
    pub fn run(&mut self, app: &App, stretch: Range<usize>) -> Result<Done, AppError> {
        let mut done = Done::default();
        for at in stretch {
            let operation = self.recording.operations[at].clone();
            app.execute_batch("BEGIN IMMEDIATE")?;
            let ids = self.ids.clone();
            let mut so_far = done.clone();
            match self.operation(app, &operation, &mut so_far) {
                Ok(()) => {
                    app.execute_batch("COMMIT")?;
                    done = Done { operations: done.operations + 1, ..so_far };
                }
                Err(Stop::Database(error)) if !error.is_refusal => return Err(error),
                Err(stop) => {
                    app.execute_batch("ROLLBACK")?;
                    self.ids = ids;
                    match stop {
                        Stop::NotThere => done.skipped += 1,
                        Stop::Database(error) => done.refused.push(format!("{}: {error}", operation.what)),
                    }
                }
            }
        }
        Ok(done)
    }

    fn operation(&mut self, app: &App, operation: &Operation, done: &mut Done) -> Result<(), Stop> {
        for row in &operation.rows {
            self.row(app, row, done)?;
        }
        Ok(())
    }

    fn row(&mut self, app: &App, row: &RecordedRow, done: &mut Done) -> Result<(), Stop> {
        let values = self.values(app, row)?;
        let parameters: Vec<Value> = values.values().cloned().collect();
        let table = quote(&row.table);
        if row.doing == Doing::Insert {
            let columns: Vec<String> = values.keys().map(|column| quote(column)).collect();
            let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
            let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
            app.write(&sql, &parameters)?;
            let id = app.number("SELECT last_insert_rowid()", &[]).unwrap_or_default();
            self.ids.insert((row.table.clone(), row.id), id);
            done.inserted.insert((row.table.clone(), id));
            return Ok(());
        }
        let id = self.local(&row.table, row.id)?;
        let changed = if row.doing == Doing::Delete {
            let spot = (row.table.clone(), id);
            self.refuse_if_referred_to(app, &row.table, id)?;
            if !done.inserted.remove(&spot) {
                done.deleted.insert(spot);
            }
            app.write(&format!("DELETE FROM {table} WHERE id = {id}"), &[])?
        } else {
            let columns: Vec<String> =
                values.keys().zip(1..).map(|(column, at)| format!("{} = ?{at}", quote(column))).collect();
            let sql = format!("UPDATE {table} SET {} WHERE id = {id}", columns.join(", "));
            done.written.extend(values.keys().map(|column| (row.table.clone(), id, column.clone())));
            app.write(&sql, &parameters)?
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
    fn values(&self, app: &App, row: &RecordedRow) -> Result<BTreeMap<String, Value>, Stop> {
        let mut values = row.values.clone();
        for (column, refers) in self.catalogue.of(&row.table) {
            let named_by = match &refers {
                Refers::AsNamedBy(name) => row.values.get(name).cloned(),
                _ => None,
            };
            let Some(value) = values.get_mut(&column) else { continue };
            match (refers, &value) {
                (Refers::To(table), Value::Integer(id)) => *value = Value::Integer(self.there(app, &table, *id)?),
                (Refers::AsNamedBy(_), Value::Integer(id)) => {
                    let Some(Value::Text(name)) = named_by else { continue };
                    let table = table_of(name.split(',').next().unwrap_or_default());
                    *value = Value::Integer(self.there(app, &table, *id)?);
                }
                (Refers::ByModel, Value::Text(text)) => {
                    let Some((model, id)) = text.split_once(',') else { continue };
                    let Ok(id) = id.parse() else { continue };
                    *value = Value::Text(format!("{model},{}", self.there(app, &table_of(model), id)?));
                }
                _ => {}
            }
        }
        Ok(values)
    }

    /// The key here of a row that must be there.
    fn there(&self, app: &App, table: &str, id: i64) -> Result<i64, Stop> {
        let id = self.local(table, id)?;
        let sql = format!("SELECT count(*) FROM {} WHERE id = ?1", quote(table));
        if app.number(&sql, &[Value::Integer(id)]) == Some(1) { Ok(id) } else { Err(Stop::NotThere) }
    }

    /// The application deletes nothing that is still referred to.
    fn refuse_if_referred_to(&self, app: &App, table: &str, id: i64) -> Result<(), Stop> {
        for (table, column) in self.catalogue.referring_to(table, &self.written) {
            if NOT_CHECKED.contains(&table.as_str()) {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {} WHERE {} = ?1", quote(&table), quote(&column));
            if app.number(&sql, &[Value::Integer(id)]) != Some(0) {
                return Err(Stop::NotThere);
            }
        }
        Ok(())
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
