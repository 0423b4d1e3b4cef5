//! References that were kept beside their records go into their columns when their targets appear.

use saddlebag_formats::{Seq, Uid};

use super::sql::states as states_table;
use super::{SqliteStore, beside, columns, engine, ledger, states};
use crate::error::StoreError;
use crate::store::Store;

/// Up to where in the feed new records have been looked at.
const PLACED: &str = "placed_upto";

/// A reference whose target is here now.
struct Waiting {
    table: u32,
    uid: Uid,
    column: u16,
}

/// Puts references in place whose targets have changed or come since this was last done.
pub(super) fn targets(store: &mut SqliteStore) -> Result<u64, StoreError> {
    let (after, upto) = (placed(store)?, store.last_seq()?);
    if after == upto {
        return Ok(0);
    }
    let mut count = 0;
    for waiting in waiting(store, after)? {
        count += u64::from(put_in_place(store, &waiting)?);
    }
    ledger::set_setting(&store.connection, PLACED, &upto.0.to_le_bytes())?;
    Ok(count)
}

fn placed(store: &SqliteStore) -> Result<Seq, StoreError> {
    let bytes = ledger::setting(&store.connection, PLACED)?;
    Ok(Seq(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)))
}

fn waiting(store: &SqliteStore, after: Seq) -> Result<Vec<Waiting>, StoreError> {
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

fn put_in_place(store: &SqliteStore, waiting: &Waiting) -> Result<bool, StoreError> {
    let Some(table) = store.tracking.by_number(waiting.table) else { return Ok(false) };
    let Some(index) = table.index_of_id(waiting.column) else { return Ok(false) };
    let column = &table.columns[index];
    let kept = beside::of(&store.connection, table.number, waiting.uid)?;
    let Some(kept) = kept.into_iter().find(|kept| kept.column == waiting.column) else { return Ok(false) };
    let Some(key) = states::keys(store, table, &[waiting.uid])?.remove(&waiting.uid) else { return Ok(false) };
    let Some(local) = columns::local_form(store, &store.tracking, column, &kept.value)? else { return Ok(false) };
    // What the application wrote there since is its own business, and absorb's.
    if beside::local_value(&store.connection, table, &column.name, &key)? != kept.shown {
        return Ok(false);
    }
    let placed = columns::write(store, table, column, &key, &local)?;
    if placed {
        beside::forget(&store.connection, table.number, waiting.uid, &[waiting.column])?;
    }
    Ok(placed)
}
