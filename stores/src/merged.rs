//! Two records that turned out to be one: the row goes on under the other uid, or what refers to it is pointed there.

use saddlebag_formats::Uid;

use crate::engine::{Engine, Rows};
use crate::error::StoreError;
use crate::record::Key;
use crate::rehash::hash_again;
use crate::tracking::TrackedTable;

/// Gives a live record another uid. What refers to it, by key, follows by itself.
pub(crate) fn rename(store: &mut dyn Engine, table: &TrackedTable, from: Uid, into: Uid) -> Result<(), StoreError> {
    let Some(key) = store.keys(table, &[from])?.remove(&from) else { return Ok(()) };
    let Some(mut stored) = store.state_at(table, &key)? else { return Ok(()) };
    store.rename_beside(table.number, from, into)?;
    store.remove_tombstone(table.number, into)?;
    stored.uid = into;
    store.save_state(table, &key, &stored)?;
    hash_again(store, table, &key)?;
    let referring = store.referring_rows(table, &key)?;
    rehash(store, &referring)
}

/// Points everything that refers to one record to another one, whatever table it stands in.
pub(crate) fn repoint(store: &mut dyn Engine, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
    let referring = store.referring_rows(table, from)?;
    store.point(table, from, into)?;
    rehash(store, &referring)
}

fn rehash(store: &mut dyn Engine, rows: &Rows) -> Result<(), StoreError> {
    let tracking = store.tables();
    for (number, keys) in rows {
        let Some(table) = tracking.by_number(*number) else { continue };
        for key in keys {
            hash_again(store, table, key)?;
        }
    }
    Ok(())
}
