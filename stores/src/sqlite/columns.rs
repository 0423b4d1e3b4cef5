//! Columns that come and go: what this schema lacks and bundles bring, and what an upgrade of the application adds.

use std::collections::BTreeMap;

use rusqlite::{Connection, params, params_from_iter};
use saddlebag_formats::Value;

use super::install::{BITS, words_of};
use super::sql::{journal, key_columns, key_equals, key_join, quote, states};
use super::values::Parameter;
use super::{SqliteStore, engine};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::{TrackedColumn, TrackedTable};

fn failed(error: rusqlite::Error) -> StoreError {
    engine("taking in new columns", &error)
}

/// Gives lasting ids to columns that this schema lacks.
pub(super) fn learn(
    store: &mut SqliteStore,
    number: u32,
    columns: &[(String, Option<String>)],
) -> Result<(), StoreError> {
    let mut tracking = store.tracking.as_ref().clone();
    let Some(table) = tracking.tables.iter_mut().find(|table| table.number == number) else { return Ok(()) };
    for (name, references) in columns {
        if table.column_index(name).is_some() {
            continue;
        }
        // The application may have had it once: then it keeps its id.
        let sql = "INSERT INTO saddlebag_column (table_number, id, name, absent, refers) VALUES (?1, \
                   (SELECT COALESCE(max(id) + 1, 0) FROM saddlebag_column WHERE table_number = ?1), ?2, 1, ?3) \
                   ON CONFLICT (table_number, name) DO UPDATE SET absent = 1, refers = ?3 RETURNING id";
        let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
        let id = statement.query_row(params![number, name, references], |row| row.get(0)).map_err(failed)?;
        table.columns.push(TrackedColumn::absent(id, name, references.clone()));
    }
    store.replace_tracking(tracking);
    Ok(())
}

/// Notes rows in which one of these columns says something, with time 0.
pub(super) fn note_first_sight(
    connection: &Connection,
    table: &TrackedTable,
    new: &[&TrackedColumn],
) -> Result<(), StoreError> {
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let mut masks: BTreeMap<u16, i64> = (0..words_of(table)).map(|word| (word, 0)).collect();
    for column in new {
        *masks.entry(column.id / BITS).or_default() |= 1 << (column.id % BITS);
    }
    let words: String = masks.keys().map(|word| format!(", m{word}")).collect();
    let set: String = masks.values().map(|mask| format!(", {mask}")).collect();
    // What stood beside the record has a version already: it was put in place above.
    let says: Vec<_> = new.iter().map(|column| format!("t.{} IS NOT NULL", quote(&column.name))).collect();
    let sql = format!(
        "INSERT INTO {log} (op, at, {k}, {p}{words}) SELECT 2, 0, {keys}, {keys}{set} FROM {states} s \
         CROSS JOIN {name} t ON {join} WHERE {says}",
        log = journal(table.number),
        k = key_columns(table, "k"),
        p = key_columns(table, "p"),
        keys = keys.join(", "),
        states = states(table.number),
        name = quote(&table.name),
        join = key_join(table, "s.", "t."),
        says = says.join(" OR "),
    );
    connection.execute(&sql, []).map_err(failed)?;
    Ok(())
}

/// Notes that a column which bundles brought is in the schema now.
pub(super) fn note_present(connection: &Connection, table: u32, column: u16) -> Result<(), StoreError> {
    let sql = "UPDATE saddlebag_column SET absent = 0, refers = NULL WHERE table_number = ?1 AND id = ?2";
    connection.execute(sql, params![table, column]).map_err(failed)?;
    Ok(())
}

/// Writes one column of one row; says whether the database took it.
pub(super) fn write(
    store: &SqliteStore,
    table: &TrackedTable,
    column: &TrackedColumn,
    key: &Key,
    value: &Value,
) -> Result<bool, StoreError> {
    let condition = key_equals(table, "", 2);
    let sql = format!("UPDATE OR ABORT {} SET {} = ?1 WHERE {condition}", quote(&table.name), quote(&column.name));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let parameters = std::iter::once(value).chain(&key.0).map(Parameter);
    match statement.execute(params_from_iter(parameters)) {
        Ok(rows) => Ok(rows > 0),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
