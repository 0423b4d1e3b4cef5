//! Keys between PostgreSQL and the store: sets of them go as arrays, one for each part.

use postgres::Row;
use postgres::types::ToSql;
use saddlebag_formats::Value;

use super::sql::quote;
use super::values::{Kind, cast_type};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::TrackedTable;

/// One part of many keys.
pub(super) enum Parts {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
}

impl Parts {
    pub(super) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integers(parts) => parts,
            Self::Texts(parts) => parts,
        }
    }
}

/// The kinds of a table's key columns.
pub(super) fn kinds(table: &TrackedTable) -> Vec<Kind> {
    table.key.iter().map(|part| Kind::of(&part.declared_type)).collect()
}

/// The type in which row states hold a key column.
pub(super) fn state_type(declared_type: &str) -> String {
    let kind = Kind::of(declared_type);
    if kind.is_integer() {
        "bigint".to_owned()
    } else if matches!(kind, Kind::Text { .. } | Kind::Padded { .. } | Kind::Name) {
        "text".to_owned()
    } else {
        cast_type(declared_type)
    }
}

/// The parts of keys, as parameters in the order of the key.
pub(super) fn parts(table: &TrackedTable, keys: &[&Key]) -> Vec<Parts> {
    let of = |(at, kind): (usize, Kind)| {
        let part = |key: &&Key| key.0.get(at).cloned().unwrap_or(Value::Null);
        if kind.is_integer() {
            let number = |value: Value| match value {
                Value::Integer(number) => Some(number),
                Value::Text(text) => text.parse().ok(),
                _ => None,
            };
            Parts::Integers(keys.iter().map(|key| number(part(key))).collect())
        } else {
            Parts::Texts(keys.iter().map(|key| kind.to_text(&part(key)).ok().flatten()).collect())
        }
    };
    kinds(table).into_iter().enumerate().map(of).collect()
}

/// `unnest($1::bigint[], …)`, and the names of its columns: `k1, …`.
pub(super) fn unnest(table: &TrackedTable, first: usize) -> (String, String) {
    let array = |(at, kind): (usize, Kind)| {
        let of = if kind.is_integer() { "bigint" } else { "text" };
        format!("${}::{of}[]", first + at)
    };
    let arrays: Vec<_> = kinds(table).into_iter().enumerate().map(array).collect();
    let names: Vec<_> = (1..=table.key.len()).map(|at| format!("k{at}")).collect();
    (arrays.join(", "), names.join(", "))
}

fn given(table: &TrackedTable, alias: &str, at: usize) -> String {
    let declared = &table.key[at].declared_type;
    if Kind::of(declared).is_integer() {
        format!("{alias}k{}", at + 1)
    } else {
        format!("{alias}k{}::{}", at + 1, state_type(declared))
    }
}

/// `s.k1 = u.k1 AND …`: row states that have the keys of an `unnest`.
pub(super) fn states_given(table: &TrackedTable, states: &str, alias: &str) -> String {
    let equal = |at: usize| format!("{states}k{} = {}", at + 1, given(table, alias, at));
    (0..table.key.len()).map(equal).collect::<Vec<_>>().join(" AND ")
}

/// `t."id" = u.k1 AND …`: rows that have the keys of an `unnest`.
pub(super) fn rows_given(table: &TrackedTable, rows: &str, alias: &str) -> String {
    let equal = |at: usize| {
        let (part, declared) = (&table.key[at], &table.key[at].declared_type);
        let given = if Kind::of(declared).is_integer() {
            format!("{alias}k{}", at + 1)
        } else {
            format!("{alias}k{}::{}", at + 1, cast_type(declared))
        };
        format!("{rows}{} = {given}", quote(&part.name))
    };
    (0..table.key.len()).map(equal).collect::<Vec<_>>().join(" AND ")
}

/// What selects the key of a row state.
pub(super) fn select_state_key(table: &TrackedTable, states: &str) -> String {
    let part = |(at, kind): (usize, Kind)| kind.select(&format!("{states}k{}", at + 1));
    kinds(table).into_iter().enumerate().map(part).collect::<Vec<_>>().join(", ")
}

/// What selects the key of a row.
pub(super) fn select_row_key(table: &TrackedTable, rows: &str) -> String {
    let part = |(part, kind): (&crate::tracking::KeyColumn, Kind)| kind.select(&format!("{rows}{}", quote(&part.name)));
    table.key.iter().zip(kinds(table)).map(part).collect::<Vec<_>>().join(", ")
}

/// The key at a position, as the above select it.
pub(super) fn read(table: &TrackedTable, row: &Row, start: usize) -> Result<Key, StoreError> {
    read_as(&kinds(table), row, start)
}

/// The same for many rows, with what [`kinds`] gives.
pub(super) fn read_as(kinds: &[Kind], row: &Row, start: usize) -> Result<Key, StoreError> {
    let part = |(at, kind): (usize, &Kind)| kind.read(row, start + at);
    Ok(Key(kinds.iter().enumerate().map(part).collect::<Result<_, _>>()?))
}
