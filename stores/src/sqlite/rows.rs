//! Reading the application's rows together with their row states.

use std::collections::HashMap;

use rusqlite::{Params, params_from_iter};
use saddlebag_formats::{Uid, Value};

use super::sql::{key_columns, key_equals, key_join, quote, row_columns, states};
use super::values::{Parameter, from_sql, key_at, uid_at, values_at};
use super::{SqliteStore, beside, engine, states as row_states};
use crate::beside::{lacking, overlay};
use crate::error::StoreError;
use crate::record::{Key, Known, Record};
use crate::soft;
use crate::tracking::TrackedTable;

/// `SELECT` of records, up to the condition.
fn select(table: &TrackedTable) -> String {
    let (columns, joins) = row_columns(table);
    format!(
        "SELECT {keys}, s.uid, s.hash, s.state, {beside}{columns} FROM {states} s CROSS JOIN {name} t ON {join}{joins}",
        keys = key_columns(table, "s.k"),
        beside = beside::exists(table.number),
        states = states(table.number),
        name = quote(&table.name),
        join = key_join(table, "s.", "t."),
    )
}

/// A record whose state is still encoded.
struct Found {
    key: Key,
    uid: Uid,
    hash: u64,
    state: Vec<u8>,
    /// Whether something stands beside it.
    has_beside: bool,
    values: Vec<Value>,
}

/// Reads the records that a condition selects.
pub(super) fn read(
    store: &mut SqliteStore,
    table: &TrackedTable,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<Record>, StoreError> {
    let failed = |error| engine("reading records", &error);
    let parts = table.key.len();
    let found: Vec<Found> = {
        let select = store.texts.of(table, "records", || select(table));
        let sql = format!("{select} WHERE s.home = 0 AND {condition}");
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let rows = statement.query_map(parameters, |row| {
            let uid = uid_at(row, parts)?.unwrap_or(Uid([0; 16]));
            let hash = row.get::<_, i64>(parts + 1)?.cast_unsigned();
            let (state, has_beside) = (row.get(parts + 2)?, row.get(parts + 3)?);
            let values = values_at(row, parts + 4, table)?;
            Ok(Found { key: key_at(row, 0, parts)?, uid, hash, state, has_beside, values })
        });
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)?
    };
    let mut records = Vec::with_capacity(found.len());
    for found in found {
        records.push(complete(store, table, found)?);
    }
    Ok(records)
}

/// Decodes a record's state and makes its values whole.
fn complete(store: &mut SqliteStore, table: &TrackedTable, found: Found) -> Result<Record, StoreError> {
    let Found { key, uid, hash, state, has_beside, mut values } = found;
    soft::complete(store, table, &mut values)?;
    let unknown = if has_beside { overlay(store, table, uid, &key, &mut values)? } else { lacking(table) };
    Ok(Record { uid, key, state: row_states::decode(store, &state)?, hash, values, unknown })
}

/// The shared values of a row as it stands now, without what stands beside it; none if it is not there.
pub(super) fn row(store: &SqliteStore, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
    let failed = |error| engine("reading a changed row", &error);
    let sql = store.texts.of(table, "row", || {
        let (columns, joins) = row_columns(table);
        format!("SELECT 1{columns} FROM {} t{joins} WHERE {}", quote(&table.name), key_equals(table, "t.", 1))
    });
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    values_at(row, 1, table).map(Some).map_err(failed)
}

/// The values of a row as this database has them, of the columns that it has; none if it is not there.
pub(super) fn local_values(
    store: &SqliteStore,
    table: &TrackedTable,
    key: &Key,
) -> Result<Option<Vec<Value>>, StoreError> {
    let failed = |error| engine("reading a row that was there", &error);
    let columns: String = table.present().map(|column| format!(", {}", quote(&column.name))).collect();
    let sql = format!("SELECT 1{columns} FROM {} WHERE {}", quote(&table.name), key_equals(table, "", 1));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    let value = |at: usize| row.get_ref(at + 1).map(from_sql);
    let values = (0..table.present().count()).map(value).collect::<rusqlite::Result<_>>();
    values.map(Some).map_err(failed)
}

/// What stands under each uid.
pub(super) fn records(
    store: &mut SqliteStore,
    table: &TrackedTable,
    uids: &[Uid],
) -> Result<HashMap<Uid, Known>, StoreError> {
    let mut found = HashMap::with_capacity(uids.len());
    for uid in uids {
        let known = match read(store, table, "s.uid = ?1", [uid.0])?.pop() {
            Some(record) => Some(Known::Live(record)),
            None => row_states::tombstone(store, table.number, *uid)?.map(Known::Deleted),
        };
        found.extend(known.map(|known| (*uid, known)));
    }
    Ok(found)
}
