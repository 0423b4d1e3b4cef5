//! What is kept beside the records, as it lies in the database.

use std::collections::HashSet;

use postgres::Row;
use saddlebag_formats::row_state_bytes::{decode_value, encode_value};
use saddlebag_formats::{Uid, Value};
use uuid::Uuid;

use super::PostgresStore;
use super::fields::{field, uid};
use super::states::uuids;
use crate::beside::{why, why_name};
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};

const READING: &str = "reading what is kept beside the records";
const WRITING: &str = "writing what is kept beside the records";
const SELECT: &str = "SELECT uid, column_id, value, shown, why FROM saddlebag.beside";

fn one(bytes: &[u8]) -> Result<Value, StoreError> {
    decode_value(bytes).map_err(|error| damaged("a value beside a record", error))
}

fn read(row: &Row) -> Result<Beside, StoreError> {
    let (value, shown): (Vec<u8>, Option<Vec<u8>>) = (field(READING, row, 2)?, field(READING, row, 3)?);
    Ok(Beside {
        uid: uid(READING, row, 0)?,
        column: u16::try_from(field::<i32>(READING, row, 1)?)
            .map_err(|error| damaged("a value beside a record", error))?,
        value: one(&value)?,
        shown: shown.as_deref().map(one).transpose()?,
        why: why(&field::<String>(READING, row, 4)?),
    })
}

/// Whether something stands beside some record of a table; asked once a transaction.
pub(super) fn any(store: &mut PostgresStore, table: u32) -> Result<bool, StoreError> {
    if store.cache.with_beside.is_none() {
        let rows = store.client.query(READING, "SELECT DISTINCT table_number FROM saddlebag.beside", &[])?;
        let numbers: Result<HashSet<u32>, StoreError> =
            rows.iter().map(|row| Ok(field::<i32>(READING, row, 0)?.cast_unsigned())).collect();
        store.cache.with_beside = Some(numbers?);
    }
    Ok(store.cache.with_beside.as_ref().is_some_and(|tables| tables.contains(&table)))
}

/// All of a table, by record and column.
pub(super) fn all(store: &mut PostgresStore, table: u32) -> Result<Vec<Beside>, StoreError> {
    let sql = format!("{SELECT} WHERE table_number = $1 ORDER BY uid, column_id");
    store.client.query(READING, &sql, &[&table.cast_signed()])?.iter().map(read).collect()
}

/// Reads what stands beside these records, so far as that is not known yet.
pub(super) fn load(store: &mut PostgresStore, table: u32, wanted: &[Uid]) -> Result<(), StoreError> {
    let is_missing = |uid: &&Uid| !store.cache.beside.contains_key(&(table, **uid));
    let missing: Vec<Uid> = wanted.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    for uid in &missing {
        store.cache.beside.insert((table, *uid), Vec::new());
    }
    if !any(store, table)? {
        return Ok(());
    }
    let sql = format!("{SELECT} WHERE table_number = $1 AND uid = ANY($2) ORDER BY uid, column_id");
    for row in store.client.query(READING, &sql, &[&table.cast_signed(), &uuids(&missing)])? {
        let beside = read(&row)?;
        store.cache.beside.entry((table, beside.uid)).or_default().push(beside);
    }
    Ok(())
}

/// All of one record.
pub(super) fn of(store: &mut PostgresStore, table: u32, uid: Uid) -> Result<Vec<Beside>, StoreError> {
    load(store, table, &[uid])?;
    Ok(store.cache.beside.get(&(table, uid)).cloned().unwrap_or_default())
}

/// Keeps values beside records, over those that are there.
pub(super) fn put(store: &mut PostgresStore, table: u32, all: &[Beside]) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    // One statement cannot write the same place twice: the last counts.
    let mut last = std::collections::BTreeMap::new();
    for beside in all {
        last.insert((beside.uid, beside.column), beside);
    }
    let uids: Vec<Uuid> = last.values().map(|beside| Uuid::from_bytes(beside.uid.0)).collect();
    let columns: Vec<i32> = last.values().map(|beside| i32::from(beside.column)).collect();
    let values: Vec<Vec<u8>> = last.values().map(|beside| encode_value(&beside.value)).collect();
    let shown: Vec<Option<Vec<u8>>> = last.values().map(|beside| beside.shown.as_ref().map(encode_value)).collect();
    let whys: Vec<&str> = last.values().map(|beside| why_name(beside.why)).collect();
    let target = |beside: &&&Beside| beside.value.target().filter(|_| beside.why == BesideWhy::NoTarget);
    let targets: Vec<Option<Uuid>> =
        last.values().map(|beside| target(&beside).map(|uid| Uuid::from_bytes(uid.0))).collect();
    let sql = "INSERT INTO saddlebag.beside (table_number, uid, column_id, value, shown, why, target) \
               SELECT $1, * FROM unnest($2::uuid[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[], $7::uuid[]) \
               ON CONFLICT (table_number, uid, column_id) DO UPDATE \
               SET value = excluded.value, shown = excluded.shown, why = excluded.why, target = excluded.target";
    let number = table.cast_signed();
    store.client.execute(WRITING, sql, &[&number, &uids, &columns, &values, &shown, &whys, &targets])?;
    for beside in all {
        store.cache.beside.remove(&(table, beside.uid));
    }
    if let Some(tables) = &mut store.cache.with_beside {
        tables.insert(table);
    }
    Ok(())
}

/// Lets go of what stood beside some columns of records, by id.
pub(super) fn forget(store: &mut PostgresStore, table: u32, places: &[(Uid, u16)]) -> Result<(), StoreError> {
    if places.is_empty() || !any(store, table)? {
        return Ok(());
    }
    let uids: Vec<Uuid> = places.iter().map(|(uid, _)| Uuid::from_bytes(uid.0)).collect();
    let columns: Vec<i32> = places.iter().map(|(_, column)| i32::from(*column)).collect();
    let sql = "DELETE FROM saddlebag.beside b USING unnest($2::uuid[], $3::integer[]) AS u(uid, column_id) \
               WHERE b.table_number = $1 AND b.uid = u.uid AND b.column_id = u.column_id";
    store.client.execute(WRITING, sql, &[&table.cast_signed(), &uids, &columns])?;
    for (uid, _) in places {
        store.cache.beside.remove(&(table, *uid));
    }
    Ok(())
}

/// Lets go of all that stood beside records.
pub(super) fn forget_all(store: &mut PostgresStore, table: u32, uids: &[Uid]) -> Result<(), StoreError> {
    if uids.is_empty() || !any(store, table)? {
        return Ok(());
    }
    let sql = "DELETE FROM saddlebag.beside WHERE table_number = $1 AND uid = ANY($2)";
    store.client.execute(WRITING, sql, &[&table.cast_signed(), &uuids(uids)])?;
    for uid in uids {
        store.cache.beside.remove(&(table, *uid));
    }
    Ok(())
}

/// Gives what stands beside a record, and what waits for it, its other uid.
pub(super) fn rename(store: &mut PostgresStore, table: u32, from: Uid, into: Uid) -> Result<(), StoreError> {
    let (number, from, into) = (table.cast_signed(), Uuid::from_bytes(from.0), Uuid::from_bytes(into.0));
    let sql = "DELETE FROM saddlebag.beside b WHERE table_number = $1 AND uid = $3 AND EXISTS \
               (SELECT 1 FROM saddlebag.beside o WHERE o.table_number = $1 AND o.uid = $2 AND o.column_id = b.column_id)";
    store.client.execute(WRITING, sql, &[&number, &from, &into])?;
    let sql = "UPDATE saddlebag.beside SET uid = $3 WHERE table_number = $1 AND uid = $2";
    store.client.execute(WRITING, sql, &[&number, &from, &into])?;
    let sql = "UPDATE saddlebag.beside SET target = $2 WHERE target = $1";
    store.client.execute(WRITING, sql, &[&from, &into])?;
    store.cache.beside.clear();
    Ok(())
}
