//! Row hashes that were made before all references were known.

use std::collections::HashSet;

use rusqlite::params;

use super::sql::{state_key_equals, states};
use super::values::Parameter;
use super::{SqliteStore, engine, rows};
use crate::error::StoreError;
use crate::record::Record;
use crate::tracking::TrackedTable;

/// Rows hashed at a time.
const PAGE: usize = 5_000;

/// Hashes the rows of those tables again that refer to a table taken in with them or after them.
pub(super) fn references(store: &mut SqliteStore) -> Result<(), StoreError> {
    let tracking = store.tracking.clone();
    let mut taken_in = HashSet::new();
    for table in tracking.identity_order().unwrap_or_default() {
        let is_known = |number: u32| taken_in.contains(&number);
        let is_early = |column: &crate::tracking::TrackedColumn| {
            column.names_its_table || column.reference.is_some_and(|number| !is_known(number))
        };
        if table.present().any(is_early) {
            hash_all(store, table)?;
        }
        taken_in.insert(table.number);
    }
    Ok(())
}

fn hash_all(store: &mut SqliteStore, table: &TrackedTable) -> Result<(), StoreError> {
    let mut after = Vec::new();
    loop {
        let page = rows::read(store, table, &format!("s.uid > ?1 ORDER BY s.uid LIMIT {PAGE}"), params![after])?;
        for record in &page {
            let hash = table.row_hash(record.uid, &record.values);
            if hash != record.hash {
                save(store, table, record, hash)?;
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.uid.0.to_vec(),
            _ => return Ok(()),
        }
    }
}

fn save(store: &SqliteStore, table: &TrackedTable, record: &Record, hash: u64) -> Result<(), StoreError> {
    let failed = |error| engine("writing a row state", &error);
    let condition = state_key_equals(table);
    let sql = format!("UPDATE {} SET hash = ?{} WHERE {condition}", states(table.number), table.key.len() + 1);
    let hash = hash.cast_signed();
    let keys: Vec<_> = record.key.0.iter().map(Parameter).collect();
    let mut parameters: Vec<&dyn rusqlite::ToSql> = keys.iter().map(|part| part as &dyn rusqlite::ToSql).collect();
    parameters.push(&hash);
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    statement.execute(parameters.as_slice()).map_err(failed)?;
    Ok(())
}
