//! Which uid a row gets when it is first seen.

use std::collections::HashMap;

use saddlebag_formats::identity::{self, AssignedUids};
use saddlebag_formats::{TimeMs, Uid, Value};

use crate::config::Identity;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::TrackedTable;

/// Longer than any chain of records that turned out to be others.
const MERGES_MAX: u32 = 32;

/// Gives uids within one absorb.
pub(crate) struct Naming {
    assigned: AssignedUids,
    /// What queries say, by table and key.
    queried: HashMap<u32, HashMap<Value, String>>,
}

impl Naming {
    pub(crate) fn new(assigned: AssignedUids) -> Self {
        Self { assigned, queried: HashMap::new() }
    }

    /// A uid that nobody else gives.
    pub(crate) fn assign(&mut self) -> Uid {
        self.assigned.next_uid()
    }

    /// The uid that a row's own contents give it, of the record that goes on under it; none where it is to be assigned, or
    /// a part of its key is null.
    pub(crate) fn derive(
        &mut self,
        store: &mut dyn Engine,
        table: &TrackedTable,
        key: &Key,
        values: &[Value],
        at: TimeMs,
    ) -> Result<Option<Uid>, StoreError> {
        let uid = self.own_name(store, table, key, values, at)?;
        uid.map(|uid| merged_into(store, table.number, uid)).transpose()
    }

    /// The uid that a row's own contents give it.
    pub(crate) fn own_name(
        &mut self,
        store: &mut dyn Engine,
        table: &TrackedTable,
        key: &Key,
        values: &[Value],
        at: TimeMs,
    ) -> Result<Option<Uid>, StoreError> {
        Ok(match &table.identity {
            Identity::Assigned => None,
            // Only what setup finds can be a copy.
            Identity::Copied if at == TimeMs(0) => from_contents(store, table, key)?,
            Identity::Copied => None,
            Identity::Named(query) => self.queried_name(store, table, query, key)?,
            Identity::Uuid(_) | Identity::Natural(_) => from_values(table, values),
        })
    }

    fn queried_name(
        &mut self,
        store: &mut dyn Engine,
        table: &TrackedTable,
        query: &str,
        key: &Key,
    ) -> Result<Option<Uid>, StoreError> {
        let [part] = key.0.as_slice() else { return Ok(None) };
        if let std::collections::hash_map::Entry::Vacant(entry) = self.queried.entry(table.number) {
            entry.insert(store.query_names(table, query)?);
        }
        Ok(self.queried[&table.number].get(part).map(|name| identity::from_name(&table.name, name)))
    }
}

/// The record that goes on under another uid, where two turned out to be one.
pub(crate) fn merged_into(store: &mut dyn Engine, table: u32, uid: Uid) -> Result<Uid, StoreError> {
    let mut uid = uid;
    for _ in 0..MERGES_MAX {
        match store.tombstone(table, uid)?.and_then(|tombstone| tombstone.same_as) {
            Some(next) => uid = next,
            None => break,
        }
    }
    Ok(uid)
}

/// The uid of `uuid(column)` and `natural(columns)`.
pub(crate) fn from_values(table: &TrackedTable, values: &[Value]) -> Option<Uid> {
    let parts: Vec<Value> = table.identity_columns().into_iter().map(|index| values[index].clone()).collect();
    match (&table.identity, parts.first()?) {
        (Identity::Uuid(_), Value::Text(text)) => Some(identity::from_uuid_column(&table.name, text)),
        _ => identity::natural(&table.name, &parts),
    }
}

/// The uid of a row by its key and all its shared columns, as this database has them.
fn from_contents(store: &mut dyn Engine, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError> {
    let Some(values) = store.local_values(table, key)? else { return Ok(None) };
    let columns: Vec<(&str, &Value)> = table.present().map(|column| column.name.as_str()).zip(&values).collect();
    Ok(Some(identity::from_contents(&table.name, &key.0, &columns)))
}

/// Names by key, from what a query gives; a row with two names has none that could be relied upon.
pub(crate) fn names(rows: impl IntoIterator<Item = (Value, Value)>) -> HashMap<Value, String> {
    let mut names = HashMap::new();
    for (key, name) in rows {
        let name = match name {
            Value::Text(name) => name,
            Value::Integer(number) => number.to_string(),
            _ => continue,
        };
        if let Some(other) = names.insert(key.clone(), name.clone())
            && other != name
        {
            names.remove(&key);
        }
    }
    names
}
