//! Rows without a row state, row states without a row, and the time that triggers note.

use rusqlite::Connection;
use saddlebag_formats::{TimeMs, Uid};

use super::engine;
use super::install::NOW;
use super::sql::{key_columns, key_join, quote, states};
use super::values::{key_at, uid_at};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::TrackedTable;

fn failed(error: rusqlite::Error) -> StoreError {
    engine("comparing the rows with what is known of them", &error)
}

/// Rows without a row state. One whose key is null has no name that others could know it by: SQLite lets a primary key
/// be null unless it is declared otherwise.
pub(super) fn unseen_rows(
    connection: &Connection,
    table: &TrackedTable,
    found: &mut dyn FnMut(Key),
) -> Result<(), StoreError> {
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let named: Vec<_> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    let sql = format!(
        "SELECT {keys} FROM {name} t WHERE {named} AND NOT EXISTS (SELECT 1 FROM {states} s WHERE {join})",
        keys = keys.join(", "),
        named = named.join(" AND "),
        name = quote(&table.name),
        states = states(table.number),
        join = key_join(table, "s.", "t."),
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let key = key_at(row, 0, table.key.len()).map_err(failed)?;
        found(key);
    }
    Ok(())
}

/// Row states without a row.
pub(super) fn lost_rows(
    connection: &Connection,
    table: &TrackedTable,
    found: &mut dyn FnMut(Key, Uid),
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {keys}, s.uid FROM {states} s WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE {join})",
        keys = key_columns(table, "s.k"),
        states = states(table.number),
        name = quote(&table.name),
        join = key_join(table, "s.", "t."),
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (key, uid) = key_and_uid(row, table).map_err(failed)?;
        found(key, uid);
    }
    Ok(())
}

/// How many rows a table has.
pub(super) fn count_rows(connection: &Connection, table: &TrackedTable) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", quote(&table.name));
    let rows: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)?;
    Ok(rows.cast_unsigned())
}

fn key_and_uid(row: &rusqlite::Row<'_>, table: &TrackedTable) -> rusqlite::Result<(Key, Uid)> {
    let parts = table.key.len();
    Ok((key_at(row, 0, parts)?, uid_at(row, parts)?.unwrap_or(Uid([0; 16]))))
}

/// The time that a trigger would note now.
pub(super) fn now(connection: &Connection) -> Result<TimeMs, StoreError> {
    connection
        .query_row(&format!("SELECT {NOW}"), [], |row| row.get(0).map(TimeMs))
        .map_err(|error| engine("reading the time", &error))
}
