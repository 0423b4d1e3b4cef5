//! Which uid a row gets when it is first seen.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use saddlebag_formats::identity::{self, AssignedUids};
use saddlebag_formats::{TimeMs, Uid, Value};

use super::sql::{key_equals, quote};
use super::values::{Parameter, from_sql};
use super::{SqliteStore, engine, states};
use crate::config::Identity;
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::TrackedTable;

/// Longer than any chain of records that turned out to be others.
const MERGES_MAX: u32 = 32;

/// Gives uids within one absorb.
pub(super) struct Naming {
    assigned: AssignedUids,
    /// What queries say, by table and key.
    queried: HashMap<u32, HashMap<Value, String>>,
}

impl Naming {
    pub(super) fn new(assigned: AssignedUids) -> Self {
        Self { assigned, queried: HashMap::new() }
    }

    /// A uid that nobody else gives.
    pub(super) fn assign(&mut self) -> Uid {
        self.assigned.next_uid()
    }

    /// The uid that a row's own contents give it; none where it is to be assigned, or a part of its key is null.
    pub(super) fn derive(
        &mut self,
        store: &mut SqliteStore,
        table: &TrackedTable,
        key: &Key,
        values: &[Value],
        at: TimeMs,
    ) -> Result<Option<Uid>, StoreError> {
        let uid = match &table.identity {
            Identity::Assigned => None,
            // Only what setup finds can be a copy.
            Identity::Copied if at == TimeMs(0) => from_contents(store, table, key)?,
            Identity::Copied => None,
            Identity::Named(query) => self.queried_name(store, table, query, key)?,
            Identity::Uuid(_) | Identity::Natural(_) => from_values(table, values),
        };
        let Some(uid) = uid else { return Ok(None) };
        merged_into(store, table.number, uid).map(Some)
    }

    fn queried_name(
        &mut self,
        store: &SqliteStore,
        table: &TrackedTable,
        query: &str,
        key: &Key,
    ) -> Result<Option<Uid>, StoreError> {
        let [part] = key.0.as_slice() else { return Ok(None) };
        if let std::collections::hash_map::Entry::Vacant(entry) = self.queried.entry(table.number) {
            entry.insert(query_names(store, table, query)?);
        }
        Ok(self.queried[&table.number].get(part).map(|name| identity::from_name(&table.name, name)))
    }
}

/// The record that goes on under another uid, where two turned out to be one.
pub(super) fn merged_into(store: &mut SqliteStore, table: u32, uid: Uid) -> Result<Uid, StoreError> {
    let mut uid = uid;
    for _ in 0..MERGES_MAX {
        match states::tombstone(store, table, uid)?.and_then(|tombstone| tombstone.same_as) {
            Some(next) => uid = next,
            None => break,
        }
    }
    Ok(uid)
}

/// The uid of `uuid(column)` and `natural(columns)`.
pub(super) fn from_values(table: &TrackedTable, values: &[Value]) -> Option<Uid> {
    let parts: Vec<Value> = table.identity_columns().into_iter().map(|index| values[index].clone()).collect();
    match (&table.identity, parts.first()?) {
        (Identity::Uuid(_), Value::Text(text)) => Some(identity::from_uuid_column(&table.name, text)),
        _ => identity::natural(&table.name, &parts),
    }
}

/// The uid of a row by its key and all its shared columns, as this database has them.
fn from_contents(store: &SqliteStore, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError> {
    let failed = |error| engine("reading a row that was there", &error);
    let names: Vec<&str> = table.present().map(|column| column.name.as_str()).collect();
    let columns: String = names.iter().map(|name| format!(", {}", quote(name))).collect();
    let sql = format!("SELECT 1{columns} FROM {} WHERE {}", quote(&table.name), key_equals(table, "", 1));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    let value = |at: usize| row.get_ref(at + 1).map(from_sql);
    let values: Vec<Value> = (0..names.len()).map(value).collect::<rusqlite::Result<_>>().map_err(failed)?;
    let columns: Vec<(&str, &Value)> = names.into_iter().zip(&values).collect();
    Ok(Some(identity::from_contents(&table.name, &key.0, &columns)))
}

/// What a query of `named(…)` says: keys and names.
pub(super) fn query_names(
    store: &SqliteStore,
    table: &TrackedTable,
    query: &str,
) -> Result<HashMap<Value, String>, StoreError> {
    let refused = |reason: String| StoreError::NameQuery { table: table.name.clone(), reason };
    let failed = |error: rusqlite::Error| refused(error.to_string());
    let mut statement = store.connection.prepare(query).map_err(failed)?;
    // It may have come from the deployment's central: it may look at the database, and do nothing else.
    if !statement.readonly() {
        return Err(refused("it does more than read".to_owned()));
    }
    if statement.column_count() != 2 {
        return Err(refused("it must give two columns, the key of a row and its name".to_owned()));
    }
    let rows = statement.query_map([], |row| Ok((from_sql(row.get_ref(0)?), from_sql(row.get_ref(1)?))));
    let mut names = HashMap::new();
    for row in rows.map_err(failed)? {
        let (key, name) = row.map_err(failed)?;
        let name = match name {
            Value::Text(name) => name,
            Value::Integer(number) => number.to_string(),
            _ => continue,
        };
        // A row with two names has none that could be relied upon.
        if let Some(other) = names.insert(key.clone(), name.clone())
            && other != name
        {
            names.remove(&key);
        }
    }
    Ok(names)
}
