//! What the database lets this user do.

use saddlebag_stores::Store;

use crate::error::NodeError;

/// Makes sure that nothing is missing to keep these tables in step, before anything is written.
///
/// # Errors
/// [`NodeError::RightsMissing`], and the database's.
pub fn require(store: &mut dyn Store, tables: &[String]) -> Result<(), NodeError> {
    let missing = store.missing_rights(tables)?;
    if missing.is_empty() { Ok(()) } else { Err(NodeError::RightsMissing { missing }) }
}
