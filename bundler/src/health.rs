//! What every bundle says of its sender's state.

use std::path::Path;

use saddlebag_formats::members::Health;
use saddlebag_formats::{Seq, TimeMs};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError};

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
        waiting: store.feed_length(acknowledged)? + store.journal_rows()?,
        parked: counts.parked,
        quarantined: counts.quarantined,
        conflicts: counts.conflicts,
        triggers_missing: store.missing_triggers()?,
        free_bytes: free_bytes(outbox),
    })
}

/// Free space where the outbox lies, in bytes; none if the system does not tell.
fn free_bytes(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
