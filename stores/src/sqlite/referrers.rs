//! Who refers to a record: rows of tracked tables and of all others that declare it.

use std::collections::HashMap;

use rusqlite::params_from_iter;

use super::sql::{key_join, quote, states};
use super::values::{Parameter, uid_at};
use super::{SqliteStore, engine};
use crate::error::StoreError;
use crate::record::{Key, Referrer};
use crate::tracking::TrackedTable;

/// A column somewhere that refers to the key of a tracked table.
#[derive(Debug, Clone)]
pub(super) struct ReferringColumn {
    table: String,
    /// Its number, if its table is tracked.
    number: Option<u32>,
    column: String,
}

fn referring_columns(store: &mut SqliteStore) -> Result<HashMap<u32, Vec<ReferringColumn>>, StoreError> {
    let schema = super::schema::read(&store.connection).map_err(|error| engine("reading its schema", &error))?;
    let mut referring: HashMap<u32, Vec<ReferringColumn>> = HashMap::new();
    for table in &schema.tables {
        for key in &table.foreign_keys {
            let Some(target) = store.tracking.by_name(&key.table) else { continue };
            let ([column], [target_column]) = (key.columns.as_slice(), key.target_columns.as_slice()) else { continue };
            if target.key.len() != 1 || target.key[0].name != *target_column {
                continue;
            }
            let number = store.tracking.by_name(&table.name).map(|tracked| tracked.number);
            let entry = ReferringColumn { table: table.name.clone(), number, column: column.clone() };
            referring.entry(target.number).or_default().push(entry);
        }
    }
    // A table that nobody refers to has an entry too: it was looked at.
    for table in &store.tracking.tables {
        referring.entry(table.number).or_default();
    }
    Ok(referring)
}

/// For each key, the rows that refer to it.
pub(super) fn referrers(
    store: &mut SqliteStore,
    table: &TrackedTable,
    keys: &[Key],
) -> Result<Vec<Vec<Referrer>>, StoreError> {
    if store.referring.is_empty() {
        store.referring = referring_columns(store)?;
    }
    let mut all = vec![Vec::new(); keys.len()];
    for referring in store.referring.get(&table.number).into_iter().flatten() {
        let sql = select(store, referring);
        let failed = |error| engine("looking for referring rows", &error);
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        for (key, found) in keys.iter().zip(&mut all) {
            let rows = statement.query_map(params_from_iter(key.0.iter().map(Parameter)), |row| uid_at(row, 0));
            for uid in rows.map_err(failed)? {
                let uid = uid.map_err(failed)?;
                found.push(Referrer { table: referring.table.clone(), number: referring.number, uid });
            }
        }
    }
    Ok(all)
}

fn select(store: &SqliteStore, referring: &ReferringColumn) -> String {
    let (name, column) = (quote(&referring.table), quote(&referring.column));
    match referring.number.and_then(|number| store.tracking.by_number(number)) {
        Some(tracked) => format!(
            "SELECT s.uid FROM {name} t LEFT JOIN {} s ON {} WHERE t.{column} = ?1",
            states(tracked.number),
            key_join(tracked, "s.", "t.")
        ),
        None => format!("SELECT NULL FROM {name} t WHERE t.{column} = ?1"),
    }
}
