//! References that the row alone does not tell: text that names its table, and keys of records that are deleted.

use rusqlite::params;
use saddlebag_formats::row_state_bytes::encode_values;
use saddlebag_formats::{Uid, Value};

use super::values::uid_at;
use super::{SqliteStore, engine, states};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

/// A key as the tombstones keep it.
pub(super) fn key_bytes(key: &Key) -> Vec<u8> {
    encode_values(&(0..).zip(key.0.iter().cloned()).collect::<Vec<_>>())
}

/// What text like `party.party,17` names: the name as written, the table, and its key; none if it names no table that
/// is tracked, or no key.
pub(super) fn parse<'a, 't>(tracking: &'t Tracking, text: &'a str) -> Option<(&'a str, &'t TrackedTable, Key)> {
    let (name, key) = text.rsplit_once(',')?;
    let number: i64 = key.parse().ok()?;
    let table = tracking.named(name)?;
    (table.key.len() == 1).then(|| (name, table, Key(vec![Value::Integer(number)])))
}

/// Whether text has the form of a reference that names its table.
fn names_a_record(text: &str) -> bool {
    text.rsplit_once(',').is_some_and(|(name, key)| !name.is_empty() && key.parse::<u64>().is_ok())
}

/// Makes references of a row's values whole, as they were read.
pub(super) fn complete(store: &SqliteStore, table: &TrackedTable, values: &mut [Value]) -> Result<(), StoreError> {
    for (column, value) in table.columns.iter().zip(values) {
        if column.names_its_table {
            *value = named(store, value)?;
        } else if let (Some(target), Value::Dangling(key)) = (column.reference, &*value)
            && let Some(uid) = deleted_target(store, target, key)?
        {
            *value = Value::Reference(uid);
        }
    }
    Ok(())
}

/// A local value of a column as it travels; for values that were not read together with their row.
pub(super) fn global(store: &mut SqliteStore, column: &TrackedColumn, local: &Value) -> Result<Value, StoreError> {
    if column.names_its_table {
        return named(store, local);
    }
    let target = column.reference.and_then(|number| store.tracking.by_number(number).cloned());
    let Some(target) = target.filter(|_| !local.is_null()) else { return Ok(local.clone()) };
    let key = Key(vec![local.clone()]);
    if let Some(stored) = states::at_key(store, &target, &key)?.filter(|stored| !stored.home) {
        return Ok(Value::Reference(stored.uid));
    }
    Ok(match tombstone_at(store, target.number, &key)? {
        Some(uid) => Value::Reference(uid),
        None => super::values::dangling(local),
    })
}

fn named(store: &SqliteStore, value: &Value) -> Result<Value, StoreError> {
    let Value::Text(text) = value else { return Ok(value.clone()) };
    let Some((name, table, key)) = parse(&store.tracking, text) else {
        // Text that names no record is text; one of a table that is not kept in step means nothing elsewhere.
        return Ok(if names_a_record(text) { Value::Dangling(text.clone()) } else { value.clone() });
    };
    let target = match states::uid_at_key(store, table, &key)? {
        Some(uid) => Some(uid),
        None => tombstone_at(store, table.number, &key)?,
    };
    Ok(match target {
        Some(uid) => Value::NamedReference(name.to_owned(), uid),
        None if names_a_record(text) => Value::Dangling(text.clone()),
        None => value.clone(),
    })
}

/// The record that a reference meant whose target is deleted by now: as every place has deleted it, it means the same
/// everywhere.
fn deleted_target(store: &SqliteStore, target: u32, key: &str) -> Result<Option<Uid>, StoreError> {
    let number = key.parse::<i64>().map(Value::Integer);
    let parts = number.into_iter().chain([Value::Text(key.to_owned())]);
    for part in parts {
        if let Some(uid) = tombstone_at(store, target, &Key(vec![part]))? {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

/// The record that was deleted last under a key.
fn tombstone_at(store: &SqliteStore, table: u32, key: &Key) -> Result<Option<Uid>, StoreError> {
    let failed = |error| engine("looking up a deleted record", &error);
    let sql = "SELECT uid FROM saddlebag_tombstone WHERE table_number = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![table, key_bytes(key)]).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| uid_at(row, 0)).transpose().map(Option::flatten).map_err(failed)
}
