//! Row hashes that were made before all references were known.

use std::collections::HashSet;

use saddlebag_formats::Version;

use crate::beside::read_row;
use crate::engine::{Engine, Stored};
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
        let hashes = page.iter().map(|record| (record, table.row_hash(record.uid, &record.values)));
        let changed: Vec<(&Key, u64)> =
            hashes.filter(|(record, hash)| *hash != record.hash).map(|(record, hash)| (&record.key, hash)).collect();
        let keys: Vec<Key> = changed.iter().map(|(key, _)| (*key).clone()).collect();
        store.expect_rows(table, &keys)?;
        for (key, hash) in changed {
            if let Some(stored) = store.state_at(table, key)? {
                store.save_state(table, key, &found_anew(stored, hash))?;
            }
        }
        store.forget_expected();
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.uid),
            _ => return Ok(()),
        }
    }
}

/// Hashes a row again, as it stands now.
pub(crate) fn hash_again(store: &mut dyn Engine, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
    let Some((stored, hash)) = hashed(store, table, key)? else { return Ok(()) };
    store.save_state(table, key, &Stored { hash, ..stored })
}

/// Hashes a row again that this transaction has taken in, when the rows that it refers to are known.
pub(crate) fn hash_new(store: &mut dyn Engine, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
    let Some((stored, hash)) = hashed(store, table, key)?.filter(|(stored, hash)| stored.hash != *hash) else {
        return Ok(());
    };
    store.save_state(table, key, &found_anew(stored, hash))
}

fn hashed(store: &mut dyn Engine, table: &TrackedTable, key: &Key) -> Result<Option<(Stored, u64)>, StoreError> {
    let Some(stored) = store.state_at(table, key)? else { return Ok(None) };
    let Some(values) = read_row(store, table, key, Some(stored.uid))? else { return Ok(None) };
    let hash = table.row_hash(stored.uid, &values);
    Ok(Some((stored, hash)))
}

/// A state with the row's true hash. The version of what setup found goes with it: it must be the same wherever the same
/// was found, in whatever order its rows were taken in.
fn found_anew(mut stored: Stored, hash: u64) -> Stored {
    let (before, now) = (Version::found(stored.hash), Version::found(hash));
    for layer in stored.state.layers_mut().filter(|layer| layer.version == before) {
        layer.version = now;
    }
    Stored { hash, ..stored }
}
