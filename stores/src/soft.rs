//! References that the row alone does not tell: text that names its table, and keys of records that are deleted.

use saddlebag_formats::row_state_bytes::encode_values;
use saddlebag_formats::{Uid, Value};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

/// A key as the tombstones keep it.
pub(crate) fn key_bytes(key: &Key) -> Vec<u8> {
    encode_values(&(0..).zip(key.0.iter().cloned()).collect::<Vec<_>>())
}

/// What text like `party.party,17` names: the name as written, the table, and its key; none if it names no table that
/// is tracked, or no key.
pub(crate) fn parse<'a, 't>(tracking: &'t Tracking, text: &'a str) -> Option<(&'a str, &'t TrackedTable, Key)> {
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
pub(crate) fn complete(store: &mut dyn Engine, table: &TrackedTable, values: &mut [Value]) -> Result<(), StoreError> {
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
pub(crate) fn global(store: &mut dyn Engine, column: &TrackedColumn, local: &Value) -> Result<Value, StoreError> {
    if column.names_its_table {
        return named(store, local);
    }
    let target = column.reference.and_then(|number| store.tables().by_number(number).cloned());
    let Some(target) = target.filter(|_| !local.is_null()) else { return Ok(local.clone()) };
    let key = Key(vec![local.clone()]);
    if let Some(stored) = store.state_at(&target, &key)?.filter(|stored| !stored.home) {
        return Ok(Value::Reference(stored.uid));
    }
    Ok(match store.deleted_at(target.number, &key)? {
        Some(uid) => Value::Reference(uid),
        None => dangling(local),
    })
}

fn named(store: &mut dyn Engine, value: &Value) -> Result<Value, StoreError> {
    let Value::Text(text) = value else { return Ok(value.clone()) };
    let tracking = store.tables();
    let Some((name, table, key)) = parse(&tracking, text) else {
        // Text that names no record is text; one of a table that is not kept in step means nothing elsewhere.
        return Ok(if names_a_record(text) { Value::Dangling(text.clone()) } else { value.clone() });
    };
    let target = match store.uid_at(table, &key)? {
        Some(uid) => Some(uid),
        None => store.deleted_at(table.number, &key)?,
    };
    Ok(match target {
        Some(uid) => Value::NamedReference(name.to_owned(), uid),
        None if names_a_record(text) => Value::Dangling(text.clone()),
        None => value.clone(),
    })
}

/// The record that a reference meant whose target is deleted by now: as every place has deleted it, it means the same
/// everywhere.
fn deleted_target(store: &mut dyn Engine, target: u32, key: &str) -> Result<Option<Uid>, StoreError> {
    let number = key.parse::<i64>().map(Value::Integer);
    let parts = number.into_iter().chain([Value::Text(key.to_owned())]);
    for part in parts {
        if let Some(uid) = store.deleted_at(target, &Key(vec![part]))? {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

/// A reference whose target is not among the records.
pub(crate) fn dangling(local: &Value) -> Value {
    match local {
        Value::Null => Value::Null,
        Value::Integer(number) => Value::Dangling(number.to_string()),
        Value::Real(number) => Value::Dangling(number.to_string()),
        Value::Text(text) | Value::Dangling(text) => Value::Dangling(text.clone()),
        Value::Blob(bytes) | Value::RawText(bytes) => Value::Dangling(String::from_utf8_lossy(bytes).into_owned()),
        Value::Reference(uid) | Value::NamedReference(_, uid) => Value::Dangling(uid.to_string()),
    }
}
