//! Row states and tombstones: reading and writing them, in their encoding.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, ToSql, params_from_iter};
use saddlebag_formats::row_state_bytes::{decode_row_state, decode_values, encode_row_state, encode_values};
use saddlebag_formats::{RowState, Seq, Uid};

use super::sql::{key_columns, marks, state_key_equals, states};
use super::values::{Parameter, key_at, uid_at};
use super::{SqliteStore, engine};
use crate::engine::{Stored, damaged};
use crate::error::StoreError;
use crate::record::{Key, Record, Tombstone};
use crate::soft;
use crate::tracking::{TrackedTable, Tracking};

pub(super) fn encode(store: &mut SqliteStore, state: &RowState) -> Result<Vec<u8>, StoreError> {
    let mut failure = None;
    let SqliteStore { writers, connection, .. } = store;
    let bytes = encode_row_state(state, &mut |writer| {
        writers.number(connection, writer).unwrap_or_else(|error| {
            failure = Some(error);
            0
        })
    });
    failure.map_or(Ok(bytes), Err)
}

pub(super) fn decode(store: &mut SqliteStore, bytes: &[u8]) -> Result<RowState, StoreError> {
    let SqliteStore { writers, connection, .. } = store;
    let known = writers.lookup(connection)?;
    decode_row_state(bytes, &|number| known.get(&number).copied()).map_err(|error| damaged("a row state", error))
}

/// The row state under a key.
pub(super) fn at_key(store: &mut SqliteStore, table: &TrackedTable, key: &Key) -> Result<Option<Stored>, StoreError> {
    let failed = |error| engine("reading a row state", &error);
    let sql = store.texts.of(table, "state", || {
        format!("SELECT uid, hash, home, state FROM {} WHERE {}", states(table.number), state_key_equals(table))
    });
    let found = {
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
        match rows.next().map_err(failed)? {
            None => None,
            Some(row) => Some(
                (|| {
                    let uid: [u8; 16] = row.get(0)?;
                    Ok((
                        Uid(uid),
                        row.get::<_, i64>(1)?.cast_unsigned(),
                        row.get::<_, bool>(2)?,
                        row.get::<_, Vec<u8>>(3)?,
                    ))
                })()
                .map_err(failed)?,
            ),
        }
    };
    let Some((uid, hash, home, bytes)) = found else { return Ok(None) };
    Ok(Some(Stored { uid, hash, home, state: decode(store, &bytes)? }))
}

/// The uid of a record under a key; none if there is none, or it stays at home.
pub(super) fn uid_at_key(store: &SqliteStore, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError> {
    let failed = |error| engine("reading a row state", &error);
    let sql = store.texts.of(table, "uid", || {
        format!("SELECT uid FROM {} WHERE {} AND home = 0", states(table.number), state_key_equals(table))
    });
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| row.get(0).map(Uid)).transpose().map_err(failed)
}

/// Writes a row state under a key, over the one that is there.
pub(super) fn save(
    store: &mut SqliteStore,
    table: &TrackedTable,
    key: &Key,
    stored: &Stored,
) -> Result<(), StoreError> {
    let parts = table.key.len();
    // Most often key and uid stay: then only what changes is written, and the index on the uid is left alone.
    let sql = store.texts.of(table, "change state", || {
        let at = |n: usize| parts + n;
        format!(
            "UPDATE {} SET seq = ?{}, first_seq = ?{}, hash = saddlebag_instead_of(hash, home, ?{}), home = ?{}, state = ?{} \
             WHERE {} AND uid = ?{}",
            states(table.number),
            at(2),
            at(3),
            at(4),
            at(5),
            at(6),
            state_key_equals(table),
            at(1)
        )
    });
    if write(store, &sql, key, stored)? == 0 {
        return save_new(store, table, key, stored);
    }
    let (hash, home) = store.state_before.get();
    store.changed_digests.went(table.number, hash, home);
    store.changed_digests.came(table.number, stored.hash, stored.home);
    Ok(())
}

/// Writes the row state of a record that is new here, over whatever is there under its key.
pub(super) fn save_new(
    store: &mut SqliteStore,
    table: &TrackedTable,
    key: &Key,
    stored: &Stored,
) -> Result<(), StoreError> {
    let sql = store.texts.of(table, "new state", || {
        format!(
            "INSERT INTO {} ({}, uid, seq, first_seq, hash, home, state) VALUES ({}) ON CONFLICT DO NOTHING",
            states(table.number),
            key_columns(table, "k"),
            marks(table.key.len() + 6)
        )
    });
    if write(store, &sql, key, stored)? == 0 {
        make_room(store, table, key, stored.uid)?;
        write(store, &sql, key, stored)?;
    }
    store.changed_digests.came(table.number, stored.hash, stored.home);
    Ok(())
}

/// Takes away whatever stands under a key, or is a record of this uid.
fn make_room(store: &mut SqliteStore, table: &TrackedTable, key: &Key, uid: Uid) -> Result<(), StoreError> {
    remove(store, table, key)?;
    let sql = store.texts.of(table, "forget record", || {
        format!("DELETE FROM {} WHERE uid = ?1 RETURNING hash, home", states(table.number))
    });
    remove_by(store, table, &sql, &[&uid.0])
}

/// Runs a statement with key, uid, seq, first seq, hash, home and state as parameters.
fn write(store: &mut SqliteStore, sql: &str, key: &Key, stored: &Stored) -> Result<usize, StoreError> {
    let failed = |error| engine("writing a row state", &error);
    let bytes = encode(store, &stored.state)?;
    let (seq, first) = (stored.state.seq().0.cast_signed(), stored.state.first_seq().0.cast_signed());
    let hash = stored.hash.cast_signed();
    let keys: Vec<_> = key.0.iter().map(Parameter).collect();
    let mut parameters: Vec<&dyn ToSql> = keys.iter().map(|part| part as &dyn ToSql).collect();
    parameters.extend([&stored.uid.0 as &dyn ToSql, &seq, &first, &hash, &stored.home, &bytes]);
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    statement.execute(parameters.as_slice()).map_err(failed)
}

/// The record that was deleted last under a key.
pub(super) fn deleted_at(store: &SqliteStore, table: u32, key: &Key) -> Result<Option<Uid>, StoreError> {
    let failed = |error| engine("looking up a deleted record", &error);
    let sql = "SELECT uid FROM saddlebag_tombstone WHERE table_number = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query((table, soft::key_bytes(key))).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| uid_at(row, 0)).transpose().map(Option::flatten).map_err(failed)
}

/// Writes row states of records whose rows stay as they are.
pub(super) fn save_all(store: &mut SqliteStore, table: &TrackedTable, records: &[Record]) -> Result<(), StoreError> {
    for record in records {
        let stored = Stored { uid: record.uid, hash: record.hash, home: false, state: record.state.clone() };
        save(store, table, &record.key, &stored)?;
    }
    Ok(())
}

/// Takes away the row state under a key.
pub(super) fn remove(store: &mut SqliteStore, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
    let sql = store.texts.of(table, "forget state", || {
        format!("DELETE FROM {} WHERE {} RETURNING hash, home", states(table.number), state_key_equals(table))
    });
    let keys: Vec<_> = key.0.iter().map(Parameter).collect();
    remove_by(store, table, &sql, &keys.iter().map(|part| part as &dyn ToSql).collect::<Vec<_>>())
}

/// Runs a statement that takes row states away and returns their hashes.
fn remove_by(store: &mut SqliteStore, table: &TrackedTable, sql: &str, given: &[&dyn ToSql]) -> Result<(), StoreError> {
    let failed = |error| engine("deleting a row state", &error);
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(given).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (hash, home): (i64, bool) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        store.changed_digests.went(table.number, hash.cast_unsigned(), home);
    }
    Ok(())
}

/// The keys of those uids that are live and shared.
pub(super) fn keys(store: &SqliteStore, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Key>, StoreError> {
    let failed = |error| engine("looking up records", &error);
    let sql = format!("SELECT {} FROM {} WHERE uid = ?1 AND home = 0", key_columns(table, "k"), states(table.number));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut found = HashMap::with_capacity(uids.len());
    for uid in uids {
        let mut rows = statement.query([uid.0]).map_err(failed)?;
        if let Some(row) = rows.next().map_err(failed)? {
            found.insert(*uid, key_at(row, 0, table.key.len()).map_err(failed)?);
        }
    }
    Ok(found)
}

/// Whether some row of some table stays at home.
pub(super) fn any_at_home(store: &SqliteStore, tracking: &Tracking) -> Result<bool, StoreError> {
    for table in &tracking.tables {
        if !at_home(store, table)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rows of a table that stay at home, by key, with the uid of their states.
pub(super) fn at_home(store: &SqliteStore, table: &TrackedTable) -> Result<Vec<(Key, Uid)>, StoreError> {
    let failed = |error| engine("looking for rows that stay at home", &error);
    let (keys, parts) = (key_columns(table, "k"), table.key.len());
    let sql = format!("SELECT {keys}, uid FROM {} WHERE home = 1 ORDER BY {keys}", states(table.number));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((key_at(row, 0, parts)?, Uid(row.get(parts)?)))).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// The key that a deleted record had here.
pub(super) fn key_of_deleted(store: &mut SqliteStore, table: u32, uid: Uid) -> Result<Option<Key>, StoreError> {
    if !has_tombstones(store, table)? {
        return Ok(None);
    }
    let failed = |error| engine("reading a deleted record", &error);
    let sql = "SELECT key FROM saddlebag_tombstone WHERE table_number = ?1 AND uid = ?2";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query((table, uid.0)).map_err(failed)?;
    let row = rows.next().map_err(failed)?;
    let bytes: Option<Vec<u8>> = row.map(|row| row.get(0)).transpose().map_err(failed)?.flatten();
    let parts = bytes.and_then(|bytes| decode_values(&bytes).ok());
    Ok(parts.map(|parts| Key(parts.into_iter().map(|(_, part)| part).collect())))
}

/// Whether some record of a table is deleted; asked once a transaction.
pub(super) fn has_tombstones(store: &mut SqliteStore, table: u32) -> Result<bool, StoreError> {
    if store.buried.is_none() {
        store.buried = Some(tables_with_tombstones(&store.connection)?);
    }
    Ok(store.buried.as_ref().is_some_and(|buried| buried.contains(&table)))
}

/// The tables in which some record is deleted, by number.
fn tables_with_tombstones(connection: &Connection) -> Result<HashSet<u32>, StoreError> {
    let failed = |error| engine("reading deleted records", &error);
    let sql = "SELECT DISTINCT table_number FROM saddlebag_tombstone";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let numbers = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    numbers.collect::<rusqlite::Result<_>>().map_err(failed)
}

const TOMBSTONE: &str = "uid, deletion, state, old, same_as FROM saddlebag_tombstone";

type TombstoneBytes = ([u8; 16], Vec<u8>, Vec<u8>, Vec<u8>, Option<[u8; 16]>);

fn tombstone_bytes(row: &rusqlite::Row<'_>) -> rusqlite::Result<TombstoneBytes> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn decode_tombstone(store: &mut SqliteStore, table: u32, bytes: &TombstoneBytes) -> Result<Tombstone, StoreError> {
    let (uid, deletion, state, old, same_as) = bytes;
    let deletion = decode(store, deletion)?.row;
    Ok(Tombstone {
        uid: Uid(*uid),
        table,
        version: deletion.version,
        seq: deletion.seq,
        source: deletion.source,
        state: decode(store, state)?,
        values: decode_values(old).map_err(|error| damaged("a deleted record", error))?,
        same_as: same_as.map(Uid),
    })
}

/// The tombstone of a record, if it is deleted.
pub(super) fn tombstone(store: &mut SqliteStore, table: u32, uid: Uid) -> Result<Option<Tombstone>, StoreError> {
    if !has_tombstones(store, table)? {
        return Ok(None);
    }
    let failed = |error| engine("reading a deleted record", &error);
    let found = {
        let sql = format!("SELECT {TOMBSTONE} WHERE table_number = ?1 AND uid = ?2");
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query((table, uid.0)).map_err(failed)?;
        rows.next().map_err(failed)?.map(tombstone_bytes).transpose().map_err(failed)?
    };
    found.map(|bytes| decode_tombstone(store, table, &bytes)).transpose()
}

/// Deleted records of a table in a stretch of the feed, the first so many.
pub(super) fn deleted(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    limit: i64,
) -> Result<Vec<Tombstone>, StoreError> {
    let failed = |error| engine("reading deleted records", &error);
    let found: Vec<TombstoneBytes> = {
        let sql =
            format!("SELECT {TOMBSTONE} WHERE seq > ?1 AND seq <= ?2 AND table_number = ?3 ORDER BY seq LIMIT ?4");
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let (after, upto) = (after.0.cast_signed(), upto.0.cast_signed());
        let rows = statement.query_map((after, upto, table.number, limit), tombstone_bytes).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)?
    };
    found.iter().map(|bytes| decode_tombstone(store, table.number, bytes)).collect()
}

/// Writes a tombstone, over the one that is there, with the key that its record had here; none leaves the one that is
/// known.
pub(super) fn save_tombstone(
    store: &mut SqliteStore,
    tombstone: &Tombstone,
    key: Option<&Key>,
) -> Result<(), StoreError> {
    let deletion = RowState::uniform(tombstone.as_column());
    let (deletion, state) = (encode(store, &deletion)?, encode(store, &tombstone.state)?);
    if let Some(buried) = &mut store.buried {
        buried.insert(tombstone.table);
    }
    let sql = "INSERT OR REPLACE INTO saddlebag_tombstone (table_number, uid, seq, deletion, state, old, same_as, key) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
               COALESCE(?8, (SELECT key FROM saddlebag_tombstone WHERE table_number = ?1 AND uid = ?2)))";
    let failed = |error| engine("writing a deleted record", &error);
    let old = encode_values(&tombstone.values);
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let seq = tombstone.seq.0.cast_signed();
    let same_as = tombstone.same_as.map(|uid| uid.0);
    let key = key.map(soft::key_bytes);
    let (table, uid) = (tombstone.table, tombstone.uid.0);
    statement.execute((table, uid, seq, deletion, state, old, same_as, key)).map_err(failed)?;
    Ok(())
}

/// Takes away the tombstone of a record that lives again.
pub(super) fn remove_tombstone(store: &mut SqliteStore, table: u32, uid: Uid) -> Result<(), StoreError> {
    if !has_tombstones(store, table)? {
        return Ok(());
    }
    let failed = |error| engine("reviving a deleted record", &error);
    let sql = "DELETE FROM saddlebag_tombstone WHERE table_number = ?1 AND uid = ?2";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    statement.execute((table, uid.0)).map_err(failed)?;
    Ok(())
}
