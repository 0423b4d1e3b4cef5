//! Row hashes that were made before all references were known.

use std::collections::HashSet;

use crate::beside::read_row;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::{TrackedColumn, TrackedTable};

/// Rows hashed at a time.
const PAGE: usize = 5_000;

/// Hashes the rows of those tables again that refer to a table taken in with them or after them.
pub(crate) fn references(store: &mut dyn Engine) -> Result<(), StoreError> {
    let tracking = store.tables();
    let mut taken_in = HashSet::new();
    for table in tracking.identity_order().unwrap_or_default() {
        let is_known = |number: u32| taken_in.contains(&number);
        let is_early =
            |column: &TrackedColumn| column.names_its_table || column.reference.is_some_and(|number| !is_known(number));
        if table.present().any(is_early) {
            hash_all(store, table)?;
        }
        taken_in.insert(table.number);
    }
    Ok(())
}

fn hash_all(store: &mut dyn Engine, table: &TrackedTable) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.page(table, after, PAGE)?;
        for record in &page {
            let hash = table.row_hash(record.uid, &record.values);
            if hash != record.hash {
                store.save_hash(table, &record.key, hash)?;
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.uid),
            _ => return Ok(()),
        }
    }
}

/// Hashes a row again, as it stands now.
pub(crate) fn hash_again(store: &mut dyn Engine, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
    let Some(mut stored) = store.state_at(table, key)? else { return Ok(()) };
    let Some(values) = read_row(store, table, key, Some(stored.uid))? else { return Ok(()) };
    stored.hash = table.row_hash(stored.uid, &values);
    store.save_state(table, key, &stored)
}
