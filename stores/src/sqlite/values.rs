//! Values between SQLite and the formats. SQLite's typing is by value: what it stored is what travels.

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};
use saddlebag_formats::{Uid, Value};

use crate::record::Key;
use crate::soft::dangling;
use crate::tracking::TrackedTable;

/// A value as SQLite gives it.
pub(super) fn from_sql(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::RawText(bytes.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// A local value as a parameter. A reference has no form of its own in the database: the importer translates it
/// before it comes here.
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl rusqlite::ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::RawText(bytes) => ValueRef::Text(bytes),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Reference(uid) | Value::NamedReference(_, uid) => {
                unreachable!("the reference {uid} was not translated")
            }
            Value::Dangling(key) => unreachable!("the dangling reference {key} was not held"),
        }))
    }
}

/// Key columns, from position `start`.
pub(super) fn key_at(row: &Row<'_>, start: usize, parts: usize) -> rusqlite::Result<Key> {
    let part = |index| row.get_ref(start + index).map(from_sql);
    Ok(Key((0..parts).map(part).collect::<rusqlite::Result<_>>()?))
}

/// A uid, at a position.
pub(super) fn uid_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Uid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(index)?.map(Uid))
}

/// The shared values of a row as `sql::row_columns` selects them, from position `start`: a column that this schema
/// lacks is null, one that names its table still holds text.
pub(super) fn values_at(row: &Row<'_>, start: usize, table: &TrackedTable) -> rusqlite::Result<Vec<Value>> {
    let mut at = start;
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        if column.absent.is_some() {
            values.push(Value::Null);
            continue;
        }
        let local = from_sql(row.get_ref(at)?);
        at += 1;
        if column.reference.is_none() {
            values.push(local);
            continue;
        }
        values.push(match uid_at(row, at)? {
            Some(uid) => Value::Reference(uid),
            None => dangling(&local),
        });
        at += 1;
    }
    Ok(values)
}
