//! What is kept beside the records, as it lies in the database.

use rusqlite::{Connection, Row, params, params_from_iter};
use saddlebag_formats::row_state_bytes::{decode_value, encode_value};
use saddlebag_formats::{Uid, Value};

use super::engine;
use super::sql::{key_equals, quote};
use super::values::{Parameter, from_sql};
use crate::beside::{why, why_name};
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};
use crate::record::Key;
use crate::tracking::TrackedTable;

const COLUMNS: &str = "uid, column_id, value, shown, why";

fn failed(error: rusqlite::Error) -> StoreError {
    engine("reading what is kept beside the records", &error)
}

fn write_failed(error: rusqlite::Error) -> StoreError {
    engine("writing what is kept beside the records", &error)
}

fn one(bytes: &[u8]) -> rusqlite::Result<Value> {
    decode_value(bytes).map_err(|_| rusqlite::Error::InvalidQuery)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Beside> {
    let value: Vec<u8> = row.get(2)?;
    let shown: Option<Vec<u8>> = row.get(3)?;
    Ok(Beside {
        uid: Uid(row.get(0)?),
        column: row.get(1)?,
        value: one(&value)?,
        shown: shown.as_deref().map(one).transpose()?,
        why: why(&row.get::<_, String>(4)?),
    })
}

/// All of a table, by record and column.
pub(super) fn all(connection: &Connection, table: &TrackedTable) -> Result<Vec<Beside>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saddlebag_beside WHERE table_number = ?1 ORDER BY uid, column_id");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([table.number], read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// All of one record.
pub(super) fn of(connection: &Connection, table: u32, uid: Uid) -> Result<Vec<Beside>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saddlebag_beside WHERE table_number = ?1 AND uid = ?2");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params![table, uid.0], read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// SQL that says whether something stands beside the record of a row state, alias `s`.
pub(super) fn exists(table: u32) -> String {
    format!("EXISTS (SELECT 1 FROM saddlebag_beside b WHERE b.table_number = {table} AND b.uid = s.uid)")
}

/// What a column of a row holds; none if the row is not there.
pub(super) fn local_value(
    connection: &Connection,
    table: &TrackedTable,
    column: &str,
    key: &Key,
) -> Result<Option<Value>, StoreError> {
    let sql = format!("SELECT {} FROM {} WHERE {}", quote(column), quote(&table.name), key_equals(table, "", 1));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    let row = rows.next().map_err(failed)?;
    row.map(|row| row.get_ref(0).map(from_sql)).transpose().map_err(failed)
}

/// Keeps values beside a record, over those that are there.
pub(super) fn put(connection: &Connection, table: u32, all: &[Beside]) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO saddlebag_beside (table_number, uid, column_id, value, shown, why, target) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for Beside { uid, column, value, shown, why } in all {
        let bytes = encode_value(value);
        let shown = shown.as_ref().map(encode_value);
        let target = value.target().filter(|_| *why == BesideWhy::NoTarget).map(|uid| uid.0);
        let parameters = params![table, uid.0, column, bytes, shown, why_name(*why), target];
        let mut statement = connection.prepare_cached(sql).map_err(write_failed)?;
        statement.execute(parameters).map_err(write_failed)?;
    }
    Ok(())
}

/// Lets go of what stood beside some columns of a record, by id.
pub(super) fn forget(connection: &Connection, table: u32, uid: Uid, columns: &[u16]) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag_beside WHERE table_number = ?1 AND uid = ?2 AND column_id = ?3";
    for column in columns {
        let mut statement = connection.prepare_cached(sql).map_err(write_failed)?;
        statement.execute(params![table, uid.0, column]).map_err(write_failed)?;
    }
    Ok(())
}

/// Lets go of all that stood beside a record.
pub(super) fn forget_all(connection: &Connection, table: u32, uid: Uid) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag_beside WHERE table_number = ?1 AND uid = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(write_failed)?;
    statement.execute(params![table, uid.0]).map_err(write_failed)?;
    Ok(())
}

/// Gives what stands beside a record, and what waits for it, its other uid.
pub(super) fn rename(connection: &Connection, table: u32, from: Uid, into: Uid) -> Result<(), StoreError> {
    let sql = "UPDATE OR REPLACE saddlebag_beside SET uid = ?2 WHERE table_number = ?3 AND uid = ?1";
    connection.execute(sql, params![from.0, into.0, table]).map_err(write_failed)?;
    let sql = "UPDATE saddlebag_beside SET target = ?2 WHERE target = ?1";
    connection.execute(sql, params![from.0, into.0]).map_err(write_failed)?;
    Ok(())
}
