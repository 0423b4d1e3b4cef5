//! Foreign keys that the database checks only at the end of the transaction: found before, so that one record does not
//! take all others with it.

use std::collections::HashMap;

use saddlebag_formats::Uid;

use super::sql::{key_join, quote, states};
use super::values::uid_at;
use super::{SqliteStore, engine};
use crate::error::StoreError;
use crate::tracking::TrackedTable;

/// Records with a foreign key whose target is not here, with the table it refers to.
pub(super) fn references(store: &SqliteStore) -> Result<HashMap<(u32, Uid), String>, StoreError> {
    let failed = |error| engine("checking foreign keys", &error);
    let mut unmet = HashMap::new();
    for table in deferring(store)? {
        let sql = format!("PRAGMA main.foreign_key_check({})", quote(&table.name));
        let mut statement = store.connection.prepare(&sql).map_err(failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(1)?, row.get(2)?))).map_err(failed)?;
        for row in rows {
            // A table WITHOUT ROWID does not tell which row it is.
            let (rowid, target): (Option<i64>, String) = row.map_err(failed)?;
            if let Some(uid) = rowid.map(|rowid| uid_of(store, table, rowid)).transpose()?.flatten() {
                unmet.insert((table.number, uid), target);
            }
        }
    }
    Ok(unmet)
}

/// The tables with a foreign key that is checked late.
fn deferring(store: &SqliteStore) -> Result<Vec<&TrackedTable>, StoreError> {
    let failed = |error| engine("reading its schema", &error);
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%'";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(names.iter().filter_map(|name| store.tracking.by_name(name)).collect())
}

fn uid_of(store: &SqliteStore, table: &TrackedTable, rowid: i64) -> Result<Option<Uid>, StoreError> {
    let failed = |error| engine("checking foreign keys", &error);
    let sql = format!(
        "SELECT s.uid FROM {} t JOIN {} s ON {} WHERE t.rowid = ?1",
        quote(&table.name),
        states(table.number),
        key_join(table, "s.", "t.")
    );
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([rowid]).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| uid_at(row, 0)).transpose().map(Option::flatten).map_err(failed)
}
