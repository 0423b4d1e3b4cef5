//! One transaction: all of what is done in it stands, or nothing.

use saddlebag_stores::{Access, Store};

use crate::error::NodeError;

/// Does `work` in a transaction, which is undone if it fails.
pub(crate) fn transaction<T>(
    store: &mut dyn Store,
    access: Access,
    work: impl FnOnce(&mut dyn Store) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    store.begin(access)?;
    let done = work(store).and_then(|value| {
        store.commit()?;
        Ok(value)
    });
    if done.is_err() {
        // The first error is the one to tell of; a store that is dropped rolls back too.
        let _ = store.rollback();
    }
    done
}
