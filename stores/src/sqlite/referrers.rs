//! Who refers to a record: rows of tracked tables and of all others that declare it.

use std::collections::HashMap;

use rusqlite::params_from_iter;

use super::sql::{key_join, quote, states};
use super::values::{Parameter, uid_at};
use super::{SqliteStore, engine};
use crate::error::StoreError;
use crate::record::{Key, Referrer};
use crate::referring::ReferringColumn;
use crate::tracking::TrackedTable;

fn referring_columns(store: &mut SqliteStore) -> Result<HashMap<u32, Vec<ReferringColumn>>, StoreError> {
    let schema = super::schema::read(&store.connection).map_err(|error| engine("reading its schema", &error))?;
    Ok(crate::referring::referring_columns(&schema, &store.tracking))
}

/// A column whose values are keys of a table.
pub(super) struct SingleColumn {
    pub(super) table: String,
    pub(super) column: String,
}

/// The columns, of whatever table, that refer to the key of a tracked table.
pub(super) fn single_columns(store: &mut SqliteStore, table: &TrackedTable) -> Result<Vec<SingleColumn>, StoreError> {
    if store.referring.is_empty() {
        store.referring = referring_columns(store)?;
    }
    let key: Vec<_> = table.key.iter().map(|part| part.name.clone()).collect();
    let all = store.referring.get(&table.number).into_iter().flatten();
    let by_key = all.filter(|referring| referring.targets == key && referring.columns.len() == 1);
    Ok(by_key
        .map(|referring| SingleColumn { table: referring.table.clone(), column: referring.columns[0].clone() })
        .collect())
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
        let sql = select(store, table, referring);
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

fn select(store: &SqliteStore, target: &TrackedTable, referring: &ReferringColumn) -> String {
    let name = quote(&referring.table);
    let list = |alias: &str, names: &[String]| {
        names.iter().map(|name| format!("{alias}.{}", quote(name))).collect::<Vec<_>>().join(", ")
    };
    let key = target.key.iter().zip(1..).map(|(part, at)| format!("p.{} = ?{at}", quote(&part.name)));
    let refers = format!(
        "({}) = (SELECT {} FROM {} p WHERE {})",
        list("t", &referring.columns),
        list("p", &referring.targets),
        quote(&target.name),
        key.collect::<Vec<_>>().join(" AND ")
    );
    match referring.number.and_then(|number| store.tracking.by_number(number)) {
        Some(tracked) => format!(
            "SELECT s.uid FROM {name} t LEFT JOIN {} s ON {} WHERE {refers}",
            states(tracked.number),
            key_join(tracked, "s.", "t.")
        ),
        None => format!("SELECT NULL FROM {name} t WHERE {refers}"),
    }
}
