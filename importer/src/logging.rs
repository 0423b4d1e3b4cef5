//! What an import enters in this node's log, in its own transaction.
//!
//! Invariant: what a database says of a row it refuses may quote its values, so its words never reach the log: it says in
//! words of its own which kind of refusal it was. The whole reason stands with what is held.

use std::collections::HashSet;

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::members::Entry;
use saddlebag_formats::version::UNKNOWN_WRITER;
use saddlebag_formats::{LinkId, LogEntry, LogKind, TimeMs, ToldLog, Uid, utc};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictSide, HeldKind, Link, StoredReceipt, Taken};
use saddlebag_stores::{Store, StoreError, contacts, told_log};

use crate::resolve::Judge;
use crate::tally::Tally;

/// Words in the refusals of both engines, and what they mean. The first that is found counts.
const REFUSALS: [(&str, &str); 12] = [
    ("FOREIGN KEY constraint", "a foreign key refused it"),
    ("foreign key constraint", "a foreign key refused it"),
    ("UNIQUE constraint", "another record has its value in a unique column"),
    ("unique constraint", "another record has its value in a unique column"),
    ("exclusion constraint", "an exclusion constraint refused it"),
    ("CHECK constraint", "a check constraint refused it"),
    ("check constraint", "a check constraint refused it"),
    ("NOT NULL constraint", "a column may not be empty"),
    ("not-null constraint", "a column may not be empty"),
    ("in use", "the application was just writing the row"),
    ("edited here by somebody who did not know", "it was edited here by somebody who did not know of the deletion"),
    ("invalid input", "a value does not fit its column"),
];

/// Why a change is held, without any value.
fn held_because(kind: HeldKind, reason: &str) -> &'static str {
    let known = REFUSALS.iter().find(|(word, _)| reason.contains(word)).map(|(_, meaning)| *meaning);
    match kind {
        HeldKind::Parked => "it refers to a record that has not come yet",
        HeldKind::Quarantined => known.unwrap_or("it does not fit here; `saddlebag held` says why"),
    }
}

/// The name of the neighbour at the other end of a link.
fn peer_name(store: &mut dyn Store, id: LinkId) -> Result<String, StoreError> {
    let link = store.links()?.into_iter().find(|link| link.id == id);
    Ok(link.map_or_else(|| id.to_string(), |link| link.name))
}

/// What is noted of a neighbour with every new bundle of it: that it was heard of, and how far its log goes.
pub(crate) fn arrival(
    store: &mut dyn Store,
    link: &Link,
    header: &BundleHeader,
    log: Option<ToldLog>,
    now: TimeMs,
) -> Result<(), StoreError> {
    contacts::note(store, link.id, now)?;
    let Some(shortened) = told_log::note(store, link.id, header.epoch, log, now)? else { return Ok(()) };
    let told = LogEntry::by_itself(LogKind::LOG, now).about_peer(&link.name);
    let told = told.with("before", shortened.before).with("told", shortened.then);
    store.log(&[told.because("its log does not go on from where it was: entries were taken away or changed there")])
}

/// A bundle that was applied.
pub(crate) fn applied(
    store: &mut dyn Store,
    from: &str,
    header: &BundleHeader,
    tally: &Tally,
    now: TimeMs,
) -> Result<(), StoreError> {
    let Tally { records, conflicts, parked, quarantined, settled, .. } = tally;
    let counts = [("conflicts", *conflicts), ("parked", *parked), ("quarantined", *quarantined), ("settled", *settled)];
    let entry = LogEntry::by_peer(LogKind::APPLIED, now, from)
        .with("number", header.number.0)
        .with("id", header.id.to_string())
        .with("records", *records);
    let with_count = |entry: LogEntry, (name, count): &(&str, u64)| entry.with(name, *count);
    store.log(&[counts.iter().filter(|(_, count)| *count > 0).fold(entry, with_count)])
}

/// A neighbour that has begun a new history.
pub(crate) fn anew(store: &mut dyn Store, from: &str, header: &BundleHeader, now: TimeMs) -> Result<(), StoreError> {
    let entry = LogEntry::by_peer(LogKind::REJOIN, now, from)
        .with("number", header.number.0)
        .with("epoch", header.epoch.to_string());
    store.log(&[entry.because("its database was restored, copied or replaced")])
}

/// What a person decided about a conflict.
pub(crate) fn resolved(
    store: &mut dyn Store,
    (number, conflict): (u64, &Conflict),
    taken: Taken,
    judge: &Judge,
    now: TimeMs,
) -> Result<(), StoreError> {
    let peer = peer_name(store, conflict.link)?;
    let stands = match taken {
        Taken::Stands => "what stood",
        Taken::Other => "the other side",
        Taken::Value => "another value",
    };
    let entry = LogEntry::by_user(LogKind::RESOLVED, now)
        .about_peer(&peer)
        .about(&conflict.table, conflict.uid)
        .about_column(conflict.column.as_deref())
        .with("conflict", number)
        .with("stands", stands);
    store.log(&[entry.because(judge.because.as_deref().unwrap_or_default())])
}

/// Entries that came from a district and were not known.
pub(crate) fn entries(store: &mut dyn Store, from: &str, entries: &[Entry], now: TimeMs) -> Result<(), StoreError> {
    let entry = |entry: &Entry| {
        LogEntry::by_peer(LogKind::ENTRY, now, from)
            .with("node", entry.name.as_str())
            .with("id", entry.node.to_string())
            .with("outcome", "came")
    };
    store.log(&entries.iter().map(entry).collect::<Vec<_>>())
}

/// A newer list of nodes that came.
pub(crate) fn nodes(store: &mut dyn Store, from: &str, number: u64, now: TimeMs) -> Result<(), StoreError> {
    store.log(&[LogEntry::by_peer(LogKind::NODES, now, from).with("number", number)])
}

/// Receipts that came, but those that say what was known already. To be called before they are saved.
pub(crate) fn receipts(
    store: &mut dyn Store,
    from: &str,
    receipts: &[StoredReceipt],
    now: TimeMs,
) -> Result<(), StoreError> {
    if receipts.is_empty() {
        return Ok(());
    }
    let known = store.received_receipts()?;
    let name = |stored: &StoredReceipt| {
        let StoredReceipt { link, receipt } = stored;
        (*link, receipt.table.clone(), receipt.uid, receipt.column.clone(), receipt.outcome.as_str())
    };
    let known: HashSet<_> = known.iter().map(name).collect();
    let entry = |stored: &StoredReceipt| {
        let receipt = &stored.receipt;
        LogEntry::by_peer(LogKind::RECEIPT, now, from)
            .about(&receipt.table, receipt.uid)
            .about_column(receipt.column.as_deref())
            .with("outcome", receipt.outcome.as_str())
    };
    let new = receipts.iter().filter(|stored| !known.contains(&name(stored)));
    store.log(&new.map(entry).collect::<Vec<_>>())
}

/// Conflicts that were decided, all of one link.
pub(crate) fn conflicts<'a>(
    store: &mut dyn Store,
    conflicts: impl Iterator<Item = &'a Conflict>,
) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    for conflict in conflicts {
        let side = |side: &ConflictSide| match side.version.writer {
            UNKNOWN_WRITER => "found by setup".to_owned(),
            writer => format!("{} by {}", utc::format(side.version.time), writer.node),
        };
        let why = match conflict.kind {
            ConflictKind::Values => "two places wrote it without having seen each other's value",
            ConflictKind::Deletion => "one place deleted what another edited or referred to: it is kept",
        };
        let entry = LogEntry::by_itself(LogKind::CONFLICT, conflict.found)
            .about(&conflict.table, conflict.uid)
            .about_column(conflict.column.as_deref())
            .with("stands", side(&conflict.winner))
            .with("other", side(&conflict.loser))
            .because(why);
        entries.push((conflict.link, entry));
    }
    let Some((link, _)) = entries.first() else { return Ok(()) };
    let peer = peer_name(store, *link)?;
    store.log(&entries.into_iter().map(|(_, entry)| entry.about_peer(&peer)).collect::<Vec<_>>())
}

/// What became of one held change.
#[derive(Debug)]
pub(crate) enum HeldEvent {
    /// It is held, for a reason that its sender was not told yet.
    Held(HeldKind, String),
    /// It is held no more.
    Settled,
}

/// What became of held changes of a link.
pub(crate) fn held(
    store: &mut dyn Store,
    link: LinkId,
    events: &[(String, Uid, HeldEvent)],
    now: TimeMs,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let peer = peer_name(store, link)?;
    let entry = |(table, uid, event): &(String, Uid, HeldEvent)| {
        let (kind, why) = match event {
            HeldEvent::Held(kind @ HeldKind::Parked, reason) => (LogKind::PARKED, held_because(*kind, reason)),
            HeldEvent::Held(kind, reason) => (LogKind::QUARANTINED, held_because(*kind, reason)),
            HeldEvent::Settled => (LogKind::SETTLED, ""),
        };
        LogEntry::by_itself(kind, now).about_peer(&peer).about(table, *uid).because(why)
    };
    store.log(&events.iter().map(entry).collect::<Vec<_>>())
}

/// What a person decided about a held change.
pub(crate) fn decided(
    store: &mut dyn Store,
    kind: LogKind,
    (link, table, uid): (LinkId, &str, Uid),
    now: TimeMs,
    say_more: impl FnOnce(LogEntry) -> LogEntry,
) -> Result<(), StoreError> {
    let peer = peer_name(store, link)?;
    store.log(&[say_more(LogEntry::by_user(kind, now).about_peer(&peer).about(table, uid))])
}

/// A person had everything tried again.
pub(crate) fn retried(store: &mut dyn Store, tally: &Tally, now: TimeMs) -> Result<(), StoreError> {
    let still = tally.parked + tally.quarantined;
    store.log(&[LogEntry::by_user(LogKind::RETRIED, now).with("settled", tally.settled).with("still_held", still)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_without_the_values_that_it_quotes() {
        let because = |reason| held_because(HeldKind::Quarantined, reason);
        let unique = "another record has its value in a unique column";
        assert_eq!(because("UNIQUE constraint failed: patient.code"), unique);
        let quoted = "duplicate key value violates unique constraint \"code\" (Key (code)=(GNU777) already exists.)";
        assert_eq!(because(quoted), unique);
        assert_eq!(because("FOREIGN KEY constraint failed"), "a foreign key refused it");
        assert_eq!(because("patient Ada Lovelace is blocked"), "it does not fit here; `saddlebag held` says why");
        assert!(!held_because(HeldKind::Parked, "it needs Ada").contains("Ada"));
    }
}
