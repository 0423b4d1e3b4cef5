//! What every bundle says of its sender's state.

use std::path::Path;

use saddlebag_formats::members::Health;
use saddlebag_formats::{Seq, TimeMs};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError, log, restored};

use crate::choose;

/// Changed records that are looked at one by one; of more it is only said how many there are.
const LOOKED_AT_MAX: u64 = 5_000;

/// This node's health, as it tells the other end of `link`.
///
/// # Errors
/// The database's.
pub fn health(
    store: &mut dyn Store,
    link: &Link,
    outbox: &Path,
    acknowledged: Seq,
    now: TimeMs,
) -> Result<Health, StoreError> {
    let counts = store.counts(link.id)?;
    Ok(Health {
        software: concat!("saddlebag ", env!("CARGO_PKG_VERSION")).to_owned(),
        clock: now,
        waiting: waiting(store, link, acknowledged)? + store.journal_rows()?,
        parked: counts.parked,
        quarantined: counts.quarantined,
        conflicts: counts.conflicts,
        triggers_missing: tables_without_triggers(store, now)?,
        free_bytes: free_bytes(outbox),
        log: log::told(store)?,
    })
}

/// Records that the other end has not acknowledged. Of many, those that came from it are not told apart: that would cost
/// as much as the export itself.
fn waiting(store: &mut dyn Store, link: &Link, acknowledged: Seq) -> Result<u64, StoreError> {
    let changed = store.feed_length(acknowledged)?;
    if changed > LOOKED_AT_MAX {
        return Ok(changed);
    }
    let upto = store.last_seq()?;
    choose::lacking(store, link, acknowledged, upto)
}

/// Tables whose triggers are missing, or had to be made again of late: absorb makes them again before anything is told.
fn tables_without_triggers(store: &mut dyn Store, now: TimeMs) -> Result<Vec<String>, StoreError> {
    let missing = store.missing_triggers()?;
    let mut tables = restored::tables_of(store, &missing);
    let since = TimeMs(now.0.saturating_sub(restored::TOLD_FOR_MS));
    let again = restored::since(store, since)?;
    tables.extend(again.into_iter().map(|restored| restored.table));
    tables.sort_unstable();
    tables.dedup();
    Ok(tables)
}

/// Free space where the outbox lies, in bytes; none if the system does not tell.
fn free_bytes(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
