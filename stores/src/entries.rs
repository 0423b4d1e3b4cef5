//! The entries of a node, kept among its settings: nodes that were admitted without the deployment's key.

use saddlebag_formats::entry_book::EntryBook;

use crate::error::StoreError;
use crate::store::Store;

const ENTRIES: &str = "entries";

/// The node's entries.
///
/// # Errors
/// The database's; [`StoreError::Damaged`] if they cannot be read.
pub fn read(store: &mut dyn Store) -> Result<EntryBook, StoreError> {
    let Some(bytes) = store.setting(ENTRIES)? else { return Ok(EntryBook::default()) };
    EntryBook::decode(&bytes)
        .map_err(|error| StoreError::Damaged { what: "the entries of nodes".to_owned(), reason: error.to_string() })
}

/// Changes the node's entries, within the caller's transaction, and gives what `change` gave.
///
/// # Errors
/// As [`read`].
pub fn change<T>(store: &mut dyn Store, change: impl FnOnce(&mut EntryBook) -> T) -> Result<T, StoreError> {
    let before = read(store)?;
    let mut book = before.clone();
    let given = change(&mut book);
    if book != before {
        store.set_setting(ENTRIES, &book.encode())?;
    }
    Ok(given)
}
