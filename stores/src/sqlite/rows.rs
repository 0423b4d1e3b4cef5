//! Reading the application's rows together with their row states.

use std::collections::HashMap;

use rusqlite::{Connection, Params};
use saddlebag_formats::{Seq, Uid, Value};

use super::sql::{key_columns, key_join, quote, row_columns, states};
use super::values::{key_at, uid_at, values_at};
use super::{SqliteStore, engine, states as row_states};
use crate::error::StoreError;
use crate::record::{Key, Known, Record};
use crate::tracking::{TrackedTable, Tracking};

/// `SELECT` of records, up to the condition.
fn select(table: &TrackedTable) -> String {
    let (columns, joins) = row_columns(table);
    format!(
        "SELECT {keys}, s.uid, s.hash, s.state{columns} FROM {states} s CROSS JOIN {name} t ON {join}{joins}",
        keys = key_columns(table, "s.k"),
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
    values: Vec<Value>,
}

/// Reads the records that a condition selects.
fn read(
    store: &mut SqliteStore,
    table: &TrackedTable,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<Record>, StoreError> {
    let failed = |error| engine("reading records", &error);
    let parts = table.key.len();
    let found: Vec<Found> = {
        let sql = format!("{} WHERE s.home = 0 AND {condition}", select(table));
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let rows = statement.query_map(parameters, |row| {
            let uid = uid_at(row, parts)?.unwrap_or(Uid([0; 16]));
            let hash = row.get::<_, i64>(parts + 1)?.cast_unsigned();
            let (state, values) = (row.get(parts + 2)?, values_at(row, parts + 3, table)?);
            Ok(Found { key: key_at(row, 0, parts)?, uid, hash, state, values })
        });
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)?
    };
    let mut records = Vec::with_capacity(found.len());
    for Found { key, uid, hash, state, values } in found {
        records.push(Record { uid, key, state: row_states::decode(store, &state)?, hash, values });
    }
    Ok(records)
}

/// Live records that have a column in a stretch of the feed, and some that have columns before and after it.
pub(super) fn feed(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
) -> Result<Vec<Record>, StoreError> {
    let stretch = (after.0.cast_signed(), upto.0.cast_signed());
    read(store, table, "s.seq > ?1 AND s.first_seq <= ?2 ORDER BY s.seq", stretch)
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

/// Places in the feed after `?1`, of all tables.
fn places(tracking: &Tracking) -> String {
    let mut parts: Vec<_> = tracking
        .tables
        .iter()
        .map(|table| format!("SELECT seq FROM {} WHERE seq > ?1 AND home = 0", states(table.number)))
        .collect();
    parts.push("SELECT seq FROM saddlebag_tombstone WHERE seq > ?1".to_owned());
    parts.join(" UNION ALL ")
}

/// The place of the `limit`-th record, if there are more.
pub(super) fn feed_cut(
    connection: &Connection,
    tracking: &Tracking,
    after: Seq,
    limit: u64,
) -> Result<Option<Seq>, StoreError> {
    let failed = |error| engine("measuring the feed", &error);
    if feed_length(connection, tracking, after)? <= limit {
        return Ok(None);
    }
    let sql = format!("{} ORDER BY 1 LIMIT 1 OFFSET ?2", places(tracking));
    let offset = i64::try_from(limit.saturating_sub(1)).unwrap_or(i64::MAX);
    let seq: i64 = connection.query_row(&sql, (after.0.cast_signed(), offset), |row| row.get(0)).map_err(failed)?;
    Ok(Some(Seq(seq.cast_unsigned())))
}

/// How many records changed after a place.
pub(super) fn feed_length(connection: &Connection, tracking: &Tracking, after: Seq) -> Result<u64, StoreError> {
    let failed = |error| engine("measuring the feed", &error);
    let sql = format!("SELECT count(*) FROM ({})", places(tracking));
    let count: i64 = connection.query_row(&sql, [after.0.cast_signed()], |row| row.get(0)).map_err(failed)?;
    Ok(count.cast_unsigned())
}
