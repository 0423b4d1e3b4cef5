//! Forgetting what is known of a table's rows, so that they can be taken in anew.

use rusqlite::Connection;

use super::engine;
use super::sql::{journal, states};
use crate::error::StoreError;

/// Drops row states, journal, tombstones and values beside the records of a table, whose rows and number stay.
/// [`super::install::install`] makes empty ones, as its key is now.
pub(super) fn forget_states(connection: &Connection, number: u32) -> Result<(), StoreError> {
    let sql = format!(
        "DROP TABLE IF EXISTS {}; DROP TABLE IF EXISTS {};
         DELETE FROM saddlebag_tombstone WHERE table_number = {number};
         DELETE FROM saddlebag_beside WHERE table_number = {number};
         DELETE FROM saddlebag_digest WHERE table_number = {number};",
        states(number),
        journal(number)
    );
    connection.execute_batch(&sql).map_err(|error| engine("forgetting what is known of a table's rows", &error))
}
