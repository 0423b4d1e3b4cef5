//! True values that cannot stand in their columns, kept beside the records.
//!
//! Invariant: a value counts for as long as the column holds what was put there in its place. An application that
//! writes something else there has changed the value.

use rusqlite::{Connection, Row, params, params_from_iter};
use saddlebag_formats::row_state_bytes::{decode_value, encode_value};
use saddlebag_formats::{Uid, Value};

use super::sql::{key_equals, quote};
use super::values::{Parameter, from_sql};
use super::{SqliteStore, engine};
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

fn why_name(why: BesideWhy) -> &'static str {
    match why {
        BesideWhy::NoColumn => "no column",
        BesideWhy::NoTarget => "no target",
        BesideWhy::Collides => "collides",
        BesideWhy::OtherForm => "other form",
    }
}

fn why(name: &str) -> BesideWhy {
    match name {
        "no column" => BesideWhy::NoColumn,
        "no target" => BesideWhy::NoTarget,
        "collides" => BesideWhy::Collides,
        _ => BesideWhy::OtherForm,
    }
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

/// Puts the true values of a record in the place of what its row shows; gives the columns that this schema lacks and of
/// which nothing is known here, by id.
pub(super) fn overlay(
    store: &SqliteStore,
    table: &TrackedTable,
    uid: Uid,
    key: &Key,
    values: &mut [Value],
) -> Result<Vec<u16>, StoreError> {
    let mut unknown = lacking(table);
    for beside in of(&store.connection, table.number, uid)? {
        let Some(index) = table.index_of_id(beside.column) else { continue };
        let column = &table.columns[index];
        let stands = match (&column.absent, &beside.shown) {
            (Some(_), _) => true,
            (None, Some(shown)) => {
                local_value(&store.connection, table, &column.name, key)?.is_some_and(|local| local == *shown)
            }
            (None, None) => false,
        };
        if stands {
            unknown.retain(|id| *id != beside.column);
            values[index] = beside.value;
        }
    }
    Ok(unknown)
}

/// The columns that this schema lacks, by id.
pub(super) fn lacking(table: &TrackedTable) -> Vec<u16> {
    table.columns.iter().filter(|column| column.absent.is_some()).map(|column| column.id).collect()
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

/// Lets go of values whose columns the application has changed since.
pub(super) fn forget_changed(store: &SqliteStore, table: &TrackedTable, uid: Uid, key: &Key) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    for beside in of(&store.connection, table.number, uid)? {
        let column = table.index_of_id(beside.column).map(|index| &table.columns[index]);
        let Some(column) = column.filter(|column| column.absent.is_none()) else { continue };
        if local_value(&store.connection, table, &column.name, key)? != beside.shown {
            changed.push(beside.column);
        }
    }
    forget(&store.connection, table.number, uid, &changed)
}
