//! The kept digests of tables, and what they are sums of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, params};
use saddlebag_formats::{Seq, Uid};

use super::sql::states;
use super::{SqliteStore, engine};
use crate::digest::{Digest, Standing};
use crate::error::StoreError;
use crate::tracking::TrackedTable;

/// What stood in a row state before the last statement that wrote over one.
///
/// A statement that changes a row state hands this the hash that it finds there: so none has to be read beforehand.
#[derive(Debug, Default)]
pub(super) struct Before {
    hash: AtomicU64,
    home: AtomicBool,
}

impl Before {
    pub(super) fn get(&self) -> (u64, bool) {
        (self.hash.load(Ordering::Relaxed), self.home.load(Ordering::Relaxed))
    }
}

/// Gives the connection `saddlebag_instead_of(hash, home, new)`, which notes the first two and is the third.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<Arc<Before>> {
    let before = Arc::new(Before::default());
    let noted = Arc::clone(&before);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("saddlebag_instead_of", 3, flags, move |context| {
        let (hash, home): (i64, bool) = (context.get(0)?, context.get(1)?);
        noted.hash.store(hash.cast_unsigned(), Ordering::Relaxed);
        noted.home.store(home, Ordering::Relaxed);
        context.get::<i64>(2)
    })?;
    Ok(before)
}

/// The kept digests, by table number.
pub(super) fn all(connection: &Connection) -> Result<HashMap<u32, Digest>, StoreError> {
    let failed = |error| engine("reading digests", &error);
    let mut statement =
        connection.prepare_cached("SELECT table_number, sum, records FROM saddlebag_digest").map_err(failed)?;
    let rows = statement.query_map([], |row| {
        let (sum, records): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, Digest { sum: sum.cast_unsigned(), records: records.cast_unsigned() }))
    });
    rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Adds what has changed.
pub(super) fn add(connection: &Connection, changed: &BTreeMap<u32, Digest>) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let kept = all(connection)?;
    let sums =
        changed.iter().map(|(table, changed)| (*table, kept.get(table).copied().unwrap_or_default().plus(*changed)));
    save(connection, &sums.collect())
}

/// Writes digests over those that are kept.
pub(super) fn save(connection: &Connection, digests: &HashMap<u32, Digest>) -> Result<(), StoreError> {
    let failed = |error| engine("writing digests", &error);
    let sql = "INSERT OR REPLACE INTO saddlebag_digest (table_number, sum, records) VALUES (?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    for (table, digest) in digests {
        statement.execute(params![table, digest.sum.cast_signed(), digest.records.cast_signed()]).map_err(failed)?;
    }
    Ok(())
}

/// What is known of these records of a table; those never seen are left out.
pub(super) fn standing(
    store: &mut SqliteStore,
    table: &TrackedTable,
    uids: &[Uid],
) -> Result<HashMap<Uid, Standing>, StoreError> {
    let failed = |error| engine("reading row hashes", &error);
    let has_tombstones = super::states::has_tombstones(store, table.number)?;
    let sql = store
        .texts
        .of(table, "hash", || format!("SELECT hash, seq FROM {} WHERE uid = ?1 AND home = 0", states(table.number)));
    let mut live = store.connection.prepare_cached(&sql).map_err(failed)?;
    let sql = "SELECT seq FROM saddlebag_tombstone WHERE table_number = ?1 AND uid = ?2";
    let mut deleted = store.connection.prepare_cached(sql).map_err(failed)?;
    let seq = |seq: i64| Seq(seq.cast_unsigned());
    let mut found = HashMap::with_capacity(uids.len());
    for uid in uids {
        let mut rows = live.query([uid.0]).map_err(failed)?;
        if let Some(row) = rows.next().map_err(failed)? {
            let hash: i64 = row.get(0).map_err(failed)?;
            let seq = seq(row.get(1).map_err(failed)?);
            found.insert(*uid, Standing::Live { hash: hash.cast_unsigned(), seq });
        } else if has_tombstones {
            let mut rows = deleted.query(params![table.number, uid.0]).map_err(failed)?;
            if let Some(row) = rows.next().map_err(failed)? {
                found.insert(*uid, Standing::Deleted { seq: seq(row.get(0).map_err(failed)?) });
            }
        }
    }
    Ok(found)
}

/// Gives uid, hash and latest place of every live, shared record of a table, by uid.
pub(super) fn each(
    connection: &Connection,
    table: &TrackedTable,
    each: &mut dyn FnMut(Uid, u64, Seq),
) -> Result<(), StoreError> {
    let failed = |error| engine("reading row hashes", &error);
    let sql = format!("SELECT uid, hash, seq FROM {} WHERE home = 0 ORDER BY uid", states(table.number));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let hash: i64 = row.get(1).map_err(failed)?;
        let seq: i64 = row.get(2).map_err(failed)?;
        each(Uid(row.get(0).map_err(failed)?), hash.cast_unsigned(), Seq(seq.cast_unsigned()));
    }
    Ok(())
}
