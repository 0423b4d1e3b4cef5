//! Row states and tombstones: read and written in sets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use postgres::Row;
use saddlebag_formats::row_state_bytes::{decode_row_state, decode_values, encode_row_state, encode_values};
use saddlebag_formats::{RowState, Seq, Uid};
use uuid::Uuid;

use super::cache::{Before, Buried};
use super::digest::{SUM, read_sum};
use super::fields::{field, uid};
use super::sql::{key_columns, states};
use super::values::Kind;
use super::{PostgresStore, keys};
use crate::engine::{Stored, damaged};
use crate::error::StoreError;
use crate::record::{Key, Tombstone};
use crate::tracking::TrackedTable;

const READING: &str = "reading row states";
const WRITING: &str = "writing row states";
const DELETED: &str = "reading deleted records";

/// Uids as a parameter.
pub(super) fn uuids<'u>(uids: impl IntoIterator<Item = &'u Uid>) -> Vec<Uuid> {
    uids.into_iter().map(|uid| Uuid::from_bytes(uid.0)).collect()
}

/// What of this is not known yet, each once: many rows may refer to one record.
fn missing<T: Eq + Hash>(wanted: &[T], is_known: impl Fn(&T) -> bool) -> Vec<&T> {
    let mut asked = HashSet::new();
    wanted.iter().filter(|one| !is_known(one) && asked.insert(*one)).collect()
}

pub(super) fn encode(store: &mut PostgresStore, state: &RowState) -> Result<Vec<u8>, StoreError> {
    let mut failure = None;
    let PostgresStore { writers, client, .. } = store;
    let bytes = encode_row_state(state, &mut |writer| {
        writers.number(client, writer).unwrap_or_else(|error| {
            failure = Some(error);
            0
        })
    });
    failure.map_or(Ok(bytes), Err)
}

pub(super) fn decode(store: &mut PostgresStore, bytes: &[u8]) -> Result<RowState, StoreError> {
    let PostgresStore { writers, client, .. } = store;
    let known = writers.lookup(client)?;
    decode_row_state(bytes, &|number| known.get(&number).copied()).map_err(|error| damaged("a row state", error))
}

/// Reads the states under these keys, so far as they are not known yet.
pub(super) fn load_by_key(store: &mut PostgresStore, table: &TrackedTable, wanted: &[Key]) -> Result<(), StoreError> {
    let missing = missing(wanted, |key| store.cache.states.contains_key(&(table.number, key.clone())));
    if missing.is_empty() {
        return Ok(());
    }
    let (arrays, names) = keys::unnest(table, 1);
    let sql = format!(
        "SELECT {key}, s.uid, s.hash, s.home, s.state FROM unnest({arrays}) AS u({names}) JOIN {states} s ON {on}",
        key = keys::select_state_key(table, "s."),
        states = states(table.number),
        on = keys::states_given(table, "s.", "u."),
    );
    let parts = keys::parts(table, &missing);
    let parameters: Vec<_> = parts.iter().map(keys::Parts::parameter).collect();
    let rows = store.client.query(READING, &sql, &parameters)?;
    let (kinds, mut found) = (keys::kinds(table), HashMap::with_capacity(rows.len()));
    for row in &rows {
        let (key, stored) = stored(store, &kinds, row)?;
        found.insert(key, stored);
    }
    for key in missing {
        let stored = found.remove(key);
        if let Some(stored) = stored.as_ref().filter(|stored| !stored.home) {
            store.cache.keys.insert((table.number, stored.uid), Some(key.clone()));
        }
        store.cache.states.insert((table.number, key.clone()), stored);
    }
    Ok(())
}

fn stored(store: &mut PostgresStore, kinds: &[Kind], row: &Row) -> Result<(Key, Stored), StoreError> {
    let at = kinds.len();
    let state: Vec<u8> = field(READING, row, at + 3)?;
    let hash: i64 = field(READING, row, at + 1)?;
    let stored = Stored {
        uid: uid(READING, row, at)?,
        hash: hash.cast_unsigned(),
        home: field(READING, row, at + 2)?,
        state: decode(store, &state)?,
    };
    Ok((keys::read_as(kinds, row, 0)?, stored))
}

/// Reads the keys of those uids that are live and shared, so far as they are not known yet.
pub(super) fn load_keys(store: &mut PostgresStore, table: &TrackedTable, wanted: &[Uid]) -> Result<(), StoreError> {
    let missing = missing(wanted, |uid| store.cache.keys.contains_key(&(table.number, *uid)));
    if missing.is_empty() {
        return Ok(());
    }
    store.flush()?;
    let sql = format!(
        "SELECT {key}, s.uid FROM {states} s WHERE s.uid = ANY($1) AND NOT s.home",
        key = keys::select_state_key(table, "s."),
        states = states(table.number),
    );
    let rows = store.client.query(READING, &sql, &[&uuids(missing.iter().copied())])?;
    for uid in missing {
        store.cache.keys.insert((table.number, *uid), None);
    }
    let kinds = keys::kinds(table);
    for row in &rows {
        let (key, uid) = (keys::read_as(&kinds, row, 0)?, uid(READING, row, kinds.len())?);
        store.cache.keys.insert((table.number, uid), Some(key));
    }
    Ok(())
}

/// Whether some record of a table is deleted; asked once a transaction.
pub(super) fn has_tombstones(store: &mut PostgresStore, table: u32) -> Result<bool, StoreError> {
    if store.cache.with_tombstones.is_none() {
        let rows = store.client.query(DELETED, "SELECT DISTINCT table_number FROM saddlebag.tombstone", &[])?;
        let numbers: Result<_, StoreError> =
            rows.iter().map(|row| Ok(field::<i32>(DELETED, row, 0)?.cast_unsigned())).collect();
        store.cache.with_tombstones = Some(numbers?);
    }
    Ok(store.cache.with_tombstones.as_ref().is_some_and(|tables| tables.contains(&table)))
}

const TOMBSTONE: &str = "SELECT uid, deletion, state, old, same_as, key FROM saddlebag.tombstone";

fn buried(store: &mut PostgresStore, table: u32, row: &Row) -> Result<Buried, StoreError> {
    let (deletion, state, old): (Vec<u8>, Vec<u8>, Vec<u8>) =
        (field(DELETED, row, 1)?, field(DELETED, row, 2)?, field(DELETED, row, 3)?);
    let deletion = decode(store, &deletion)?.row;
    let same_as: Option<Uuid> = field(DELETED, row, 4)?;
    let tombstone = Tombstone {
        uid: uid(DELETED, row, 0)?,
        table,
        version: deletion.version,
        seq: deletion.seq,
        source: deletion.source,
        state: decode(store, &state)?,
        values: decode_values(&old).map_err(|error| damaged("a deleted record", error))?,
        same_as: same_as.map(|uid| Uid(uid.into_bytes())),
    };
    Ok((tombstone, field(DELETED, row, 5)?))
}

/// Reads the tombstones of these uids, so far as they are not known yet.
pub(super) fn load_tombstones(store: &mut PostgresStore, table: u32, wanted: &[Uid]) -> Result<(), StoreError> {
    let missing = missing(wanted, |uid| store.cache.tombstones.contains_key(&(table, *uid)));
    if missing.is_empty() {
        return Ok(());
    }
    let mut found = HashMap::new();
    if has_tombstones(store, table)? {
        let sql = format!("{TOMBSTONE} WHERE table_number = $1 AND uid = ANY($2)");
        let rows = store.client.query(DELETED, &sql, &[&table.cast_signed(), &uuids(missing.iter().copied())])?;
        for row in &rows {
            let buried = buried(store, table, row)?;
            found.insert(buried.0.uid, buried);
        }
    }
    for uid in missing {
        store.cache.tombstones.insert((table, *uid), found.remove(uid));
    }
    Ok(())
}

/// Reads which record was deleted last under each of these keys, so far as that is not known yet.
pub(super) fn load_deleted_at(store: &mut PostgresStore, table: u32, wanted: &[Key]) -> Result<(), StoreError> {
    let missing = missing(wanted, |key| store.cache.deleted_at.contains_key(&(table, key.clone())));
    if missing.is_empty() {
        return Ok(());
    }
    let mut found = HashMap::new();
    if has_tombstones(store, table)? {
        store.flush()?;
        let bytes: Vec<Vec<u8>> = missing.iter().map(|key| crate::soft::key_bytes(key)).collect();
        let sql = "SELECT DISTINCT ON (key) key, uid FROM saddlebag.tombstone \
                   WHERE table_number = $1 AND key = ANY($2) ORDER BY key, seq DESC";
        for row in store.client.query(DELETED, sql, &[&table.cast_signed(), &bytes])? {
            found.insert(field::<Vec<u8>>(DELETED, &row, 0)?, uid(DELETED, &row, 1)?);
        }
    }
    for key in missing {
        let uid = found.get(&crate::soft::key_bytes(key)).copied();
        store.cache.deleted_at.insert((table, key.clone()), uid);
    }
    Ok(())
}

/// Deleted records of a table in a stretch of the feed, the first so many.
pub(super) fn deleted(
    store: &mut PostgresStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    limit: i64,
) -> Result<Vec<Tombstone>, StoreError> {
    store.flush()?;
    let sql = format!("{TOMBSTONE} WHERE seq > $1 AND seq <= $2 AND table_number = $3 ORDER BY seq LIMIT $4");
    let (after, upto, number) = (after.0.cast_signed(), upto.0.cast_signed(), table.number.cast_signed());
    let rows = store.client.query(DELETED, &sql, &[&after, &upto, &number, &limit])?;
    rows.iter().map(|row| Ok(buried(store, table.number, row)?.0)).collect()
}

/// What every record turned out to be that is another one.
pub(super) fn merged(store: &mut PostgresStore) -> Result<HashMap<(u32, Uid), Uid>, StoreError> {
    store.flush()?;
    let sql = "SELECT table_number, uid, same_as FROM saddlebag.tombstone WHERE same_as IS NOT NULL";
    let rows = store.client.query(DELETED, sql, &[])?;
    let one = |row: &Row| {
        let table = field::<i32>(DELETED, row, 0)?.cast_unsigned();
        Ok(((table, uid(DELETED, row, 1)?), uid(DELETED, row, 2)?))
    };
    rows.iter().map(one).collect()
}

/// Writes what is still to be written of row states and tombstones.
pub(super) fn flush(store: &mut PostgresStore) -> Result<(), StoreError> {
    let states = std::mem::take(&mut store.cache.pending_states);
    if !states.is_empty() {
        store.cache.in_feed = None;
    }
    let mut by_table: BTreeMap<u32, Pending> = BTreeMap::new();
    for ((table, key), pending) in &states {
        let of = by_table.entry(*table).or_default();
        match (&pending.stored, pending.before) {
            (Some(stored), Before::Same) => of.changed.push((key, stored)),
            (stored, before) => {
                of.old.extend((before != Before::Nothing).then_some(key));
                of.new.extend(stored.as_ref().map(|stored| (key, stored)));
            }
        }
    }
    let tracking = std::rc::Rc::clone(&store.tracking);
    for (number, mut pending) in by_table {
        let Some(table) = tracking.by_number(number) else { continue };
        remove(store, table, &pending.old)?;
        // In the order in which they are read again.
        pending.changed.sort_unstable_by_key(|(_, stored)| stored.state.seq());
        pending.new.sort_unstable_by_key(|(_, stored)| stored.state.seq());
        if !put(store, table, &pending.changed, false)? {
            // Some lay elsewhere: whatever is there makes room.
            remove(store, table, &pending.changed.iter().map(|(key, _)| *key).collect::<Vec<_>>())?;
            put(store, table, &pending.changed, true)?;
        }
        put(store, table, &pending.new, true)?;
    }
    flush_tombstones(store)
}

/// What is to be written of one table's row states.
#[derive(Default)]
struct Pending<'a> {
    old: Vec<&'a Key>,
    changed: Vec<(&'a Key, &'a Stored)>,
    new: Vec<(&'a Key, &'a Stored)>,
}

fn remove(store: &mut PostgresStore, table: &TrackedTable, old: &[&Key]) -> Result<(), StoreError> {
    if old.is_empty() {
        return Ok(());
    }
    let (arrays, names) = keys::unnest(table, 1);
    let sql = format!(
        "WITH f AS (DELETE FROM {} s USING unnest({arrays}) AS u({names}) WHERE {} RETURNING s.hash, s.home) \
         SELECT {SUM} FROM f",
        states(table.number),
        keys::states_given(table, "s.", "u.")
    );
    let parts = keys::parts(table, old);
    let parameters: Vec<_> = parts.iter().map(keys::Parts::parameter).collect();
    let (went, _) = read_sum(WRITING, &store.client.query_one(WRITING, &sql, &parameters)?)?;
    store.changed_digests.all_went(table.number, went);
    Ok(())
}

/// Writes row states: new ones, or over those of the same records. Says whether all were written.
fn put(
    store: &mut PostgresStore,
    table: &TrackedTable,
    new: &[(&Key, &Stored)],
    is_new: bool,
) -> Result<bool, StoreError> {
    if new.is_empty() {
        return Ok(true);
    }
    let parts = keys::parts(table, &new.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let uids: Vec<Uuid> = new.iter().map(|(_, stored)| Uuid::from_bytes(stored.uid.0)).collect();
    let seqs: Vec<i64> = new.iter().map(|(_, stored)| stored.state.seq().0.cast_signed()).collect();
    let firsts: Vec<i64> = new.iter().map(|(_, stored)| stored.state.first_seq().0.cast_signed()).collect();
    let hashes: Vec<i64> = new.iter().map(|(_, stored)| stored.hash.cast_signed()).collect();
    let homes: Vec<bool> = new.iter().map(|(_, stored)| stored.home).collect();
    let mut bytes = Vec::with_capacity(new.len());
    for (_, stored) in new {
        bytes.push(encode(store, &stored.state)?);
    }
    let (arrays, names) = keys::unnest(table, 7);
    let given = |(at, part): (usize, &crate::tracking::KeyColumn)| {
        format!("u.k{}::{}", at + 1, keys::state_type(&part.declared_type))
    };
    let given: Vec<String> = table.key.iter().enumerate().map(given).collect();
    let given_rows = format!(
        "unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bytea[], {arrays}) \
         AS u(uid, seq, first_seq, hash, home, state, {names})"
    );
    let sql = if is_new {
        format!(
            "WITH f AS (INSERT INTO {} ({}, uid, seq, first_seq, hash, home, state) \
             SELECT {}, u.uid, u.seq, u.first_seq, u.hash, u.home, u.state FROM {given_rows} RETURNING hash, home) \
             SELECT 0::bigint, 0::bigint, 0::bigint, count(*) FROM f",
            states(table.number),
            key_columns(table, "k"),
            given.join(", "),
        )
    } else {
        // Both parts see the same snapshot: the hashes are those from before.
        format!(
            "WITH given AS MATERIALIZED (SELECT * FROM {given_rows}), \
             f AS (SELECT s.hash, s.home FROM {states} s JOIN given u ON {same}), \
             written AS (UPDATE {states} s SET seq = u.seq, first_seq = u.first_seq, hash = u.hash, home = u.home, \
             state = u.state FROM given u WHERE {same}) SELECT {SUM} FROM f",
            states = states(table.number),
            same = format_args!("{} AND s.uid = u.uid", keys::states_given(table, "s.", "u.")),
        )
    };
    let mut parameters: super::client::Given<'_> = vec![&uids, &seqs, &firsts, &hashes, &homes, &bytes];
    parameters.extend(parts.iter().map(keys::Parts::parameter));
    let (went, written) = read_sum(WRITING, &store.client.query_one(WRITING, &sql, &parameters)?)?;
    let are_all = usize::try_from(written) == Ok(new.len());
    if are_all {
        store.changed_digests.all_went(table.number, went);
        for (_, stored) in new {
            store.changed_digests.came(table.number, stored.hash, stored.home);
        }
    }
    Ok(are_all)
}

fn flush_tombstones(store: &mut PostgresStore) -> Result<(), StoreError> {
    let pending = std::mem::take(&mut store.cache.pending_tombstones);
    if pending.is_empty() {
        return Ok(());
    }
    let (tables, uids): (Vec<i32>, Vec<Uuid>) =
        pending.keys().map(|(table, uid)| (table.cast_signed(), Uuid::from_bytes(uid.0))).unzip();
    let sql = "DELETE FROM saddlebag.tombstone t USING unnest($1::integer[], $2::uuid[]) AS u(table_number, uid) \
               WHERE t.table_number = u.table_number AND t.uid = u.uid";
    store.client.execute(WRITING, sql, &[&tables, &uids])?;
    let mut rows = Tombstones::default();
    for (tombstone, key) in pending.into_values().flatten() {
        let deletion = RowState::uniform(tombstone.as_column());
        rows.tables.push(tombstone.table.cast_signed());
        rows.uids.push(Uuid::from_bytes(tombstone.uid.0));
        rows.seqs.push(tombstone.seq.0.cast_signed());
        rows.deletions.push(encode(store, &deletion)?);
        rows.states.push(encode(store, &tombstone.state)?);
        rows.old.push(encode_values(&tombstone.values));
        rows.same_as.push(tombstone.same_as.map(|uid| Uuid::from_bytes(uid.0)));
        rows.keys.push(key);
    }
    if rows.uids.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO saddlebag.tombstone (table_number, uid, seq, deletion, state, old, same_as, key) \
               SELECT * FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], \
               $7::uuid[], $8::bytea[])";
    let Tombstones { tables, uids, seqs, deletions, states, old, same_as, keys } = &rows;
    store.client.execute(WRITING, sql, &[tables, uids, seqs, deletions, states, old, same_as, keys]).map(drop)
}

/// Tombstones by column.
#[derive(Default)]
struct Tombstones {
    tables: Vec<i32>,
    uids: Vec<Uuid>,
    seqs: Vec<i64>,
    deletions: Vec<Vec<u8>>,
    states: Vec<Vec<u8>>,
    old: Vec<Vec<u8>>,
    same_as: Vec<Option<Uuid>>,
    keys: Vec<Option<Vec<u8>>>,
}

/// The rows of a table that stay at home, by key, with the uid of their states.
pub(super) fn at_home(store: &mut PostgresStore, table: &TrackedTable) -> Result<Vec<(Key, Uid)>, StoreError> {
    if !tables_with_home(store)?.contains(&table.number) {
        return Ok(Vec::new());
    }
    store.flush()?;
    let sql = format!(
        "SELECT {key}, s.uid FROM {states} s WHERE s.home ORDER BY {by}",
        key = keys::select_state_key(table, "s."),
        states = states(table.number),
        by = key_columns(table, "s.k"),
    );
    let rows = store.client.query(READING, &sql, &[])?;
    let parts = table.key.len();
    rows.iter().map(|row| Ok((keys::read(table, row, 0)?, uid(READING, row, parts)?))).collect()
}

/// The tables with rows that stay at home, by number: all of them, and perhaps some whose rows do so no more. All tables
/// are asked together, once a transaction.
pub(super) fn tables_with_home(store: &mut PostgresStore) -> Result<HashSet<u32>, StoreError> {
    if let Some(known) = store.cache.with_home.as_ref().filter(|_| store.access.is_some()) {
        return Ok(known.clone());
    }
    store.flush()?;
    let of = |table: &TrackedTable| {
        let (number, states) = (table.number, states(table.number));
        format!("SELECT {number} WHERE EXISTS (SELECT FROM {states} WHERE home)")
    };
    let some: Vec<_> = store.tracking.tables.iter().map(of).collect();
    if some.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = store.client.query(READING, &some.join(" UNION ALL "), &[])?;
    let numbers: Result<HashSet<u32>, StoreError> =
        rows.iter().map(|row| Ok(field::<i32>(READING, row, 0)?.cast_unsigned())).collect();
    Ok(store.cache.with_home.insert(numbers?).clone())
}
