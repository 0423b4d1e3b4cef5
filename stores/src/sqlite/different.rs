//! Records that a neighbour has otherwise.

use rusqlite::{Connection, params};
use saddlebag_formats::{LinkId, TimeMs, Uid};

use super::engine;
use crate::error::StoreError;
use crate::ledger::DifferentRecord;
use crate::stored_words::{how_name, how_named};

/// Those of a link, by table and uid.
pub(super) fn of(connection: &Connection, link: LinkId) -> Result<Vec<DifferentRecord>, StoreError> {
    let failed = |error| engine("reading what differs", &error);
    let sql = "SELECT table_name, uid, how, found, wanted FROM saddlebag_different WHERE link = ?1 \
               ORDER BY table_name, uid";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map([link.0], |row| {
        Ok(DifferentRecord {
            link,
            table: row.get(0)?,
            uid: Uid(row.get(1)?),
            how: how_named(&row.get::<_, String>(2)?),
            found: TimeMs(row.get(3)?),
            wanted: row.get(4)?,
        })
    });
    rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Notes them, over what is known of the same records.
pub(super) fn save(connection: &Connection, records: &[DifferentRecord]) -> Result<(), StoreError> {
    let failed = |error| engine("writing what differs", &error);
    let sql = "INSERT OR REPLACE INTO saddlebag_different (link, table_name, uid, how, found, wanted) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    for record in records {
        let DifferentRecord { link, table, uid, how, found, wanted } = record;
        statement.execute(params![link.0, table, uid.0, how_name(*how), found.0, wanted]).map_err(failed)?;
    }
    Ok(())
}

/// Forgets them.
pub(super) fn forget(connection: &Connection, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
    let failed = |error| engine("forgetting what differs", &error);
    let sql = "DELETE FROM saddlebag_different WHERE link = ?1 AND table_name = ?2 AND uid = ?3";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    for (table, uid) in records {
        statement.execute(params![link.0, table, uid.0]).map_err(failed)?;
    }
    Ok(())
}
