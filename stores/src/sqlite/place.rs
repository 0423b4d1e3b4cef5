//! References, kept beside their records, whose targets may be here now.

use saddlebag_formats::{Seq, Uid};

use super::sql::states as states_table;
use super::{SqliteStore, engine};
use crate::engine::Waiting;
use crate::error::StoreError;

/// References kept beside their records whose targets have changed or come after a place in the feed.
pub(super) fn waiting(store: &SqliteStore, after: Seq) -> Result<Vec<Waiting>, StoreError> {
    let failed = |error| engine("looking for targets that have come", &error);
    let any = "SELECT EXISTS (SELECT 1 FROM saddlebag_beside WHERE target IS NOT NULL)";
    if !store.connection.prepare_cached(any).and_then(|mut any| any.query_row([], |row| row.get(0))).map_err(failed)? {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for table in &store.tracking.tables {
        let sql = format!(
            "SELECT b.table_number, b.uid, b.column_id FROM {} s CROSS JOIN saddlebag_beside b ON b.target = s.uid \
             WHERE s.seq > ?1 AND s.home = 0",
            states_table(table.number)
        );
        let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
        let rows = statement.query_map([after.0.cast_signed()], |row| {
            Ok(Waiting { table: row.get(0)?, uid: Uid(row.get(1)?), column: row.get(2)? })
        });
        for row in rows.map_err(failed)? {
            all.push(row.map_err(failed)?);
        }
    }
    Ok(all)
}
