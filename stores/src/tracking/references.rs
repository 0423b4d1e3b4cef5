//! Which columns hold references, by the schema and by the configuration.

use std::collections::BTreeMap;

use super::TrackingError;
use crate::config::{Direction, Identity, ReferenceRule, TableConfig};
use crate::schema::{ForeignKey, Schema, Table};

/// Which columns are references, and to which table number.
pub(super) fn resolve_references(
    table: &Table,
    wanted: &TableConfig,
    schema: &Schema,
    numbers: &BTreeMap<String, u32>,
) -> Result<BTreeMap<String, u32>, TrackingError> {
    let mut references = BTreeMap::new();
    let mut refer = |column: &String, target: &str| {
        let number = numbers.get(target).ok_or_else(|| TrackingError::UntrackedTarget {
            table: table.name.clone(),
            column: column.clone(),
            target: target.to_owned(),
        })?;
        references.entry(column.clone()).or_insert(*number);
        Ok(())
    };
    for (column, rule) in &wanted.references {
        if let ReferenceRule::Table(target) = rule {
            refer(column, target)?;
        }
    }
    for (column, target) in declared_references(table, schema, &wanted.exclude) {
        // Of a row that never travels, only what it is known by has to mean the same elsewhere.
        let is_needed = wanted.direction != Direction::Match || names(&wanted.identity, &column);
        if is_needed || numbers.contains_key(&target) {
            refer(&column, &target)?;
        }
    }
    Ok(references)
}

/// Whether a column is part of what the configuration says that a row is known by.
fn names(identity: &Identity, column: &String) -> bool {
    match identity {
        Identity::Natural(columns) => columns.contains(column),
        Identity::Uuid(name) => name == column,
        Identity::Assigned | Identity::Copied | Identity::Named(_) => false,
    }
}

/// What the columns of a table refer to because of the foreign keys that it declares: column and table. A foreign key
/// of which a column is excluded says nothing.
#[must_use]
pub fn declared_references(table: &Table, schema: &Schema, exclude: &[String]) -> Vec<(String, String)> {
    let is_shared = |key: &&ForeignKey| !key.columns.iter().any(|column| exclude.contains(column));
    let of_key = |key: &ForeignKey| {
        let target = |column: &String| Some((column.clone(), target_of(table, column, key, schema, 0)?));
        key.columns.iter().filter_map(target).collect::<Vec<_>>()
    };
    table.foreign_keys.iter().filter(is_shared).flat_map(of_key).collect()
}

/// Deeper than any chain of keys that are foreign keys themselves.
const CHAIN_MAX: u32 = 16;

/// The table whose key stands in a column because of a foreign key. A column that refers to a part of a key, or to
/// another unique column, holds what that one holds: the key of a third table, or a value that travels as it is.
fn target_of(table: &Table, column: &str, key: &ForeignKey, schema: &Schema, depth: u32) -> Option<String> {
    let Some(target) = schema.table(&key.table) else { return Some(key.table.clone()) };
    if key.columns.len() == 1 && carries_local_key(key, schema) {
        return Some(target.name.clone());
    }
    let at = key.columns.iter().position(|name| name == column)?;
    let beyond = key.target_columns.get(at)?;
    if depth > CHAIN_MAX || (target.name == table.name && beyond == column) {
        return None;
    }
    let next = target.foreign_keys.iter().filter(|key| key.columns.contains(beyond));
    next.filter_map(|key| target_of(target, beyond, key, schema, depth + 1)).next()
}

/// Whether the referring value is a key that only this database knows; a reference to a column that travels as
/// it is needs no translation.
fn carries_local_key(foreign_key: &ForeignKey, schema: &Schema) -> bool {
    schema.table(&foreign_key.table).is_none_or(|target| target.primary_key == foreign_key.target_columns)
}
