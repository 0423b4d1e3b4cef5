//! The log: what happened at this node, who did it and why, in the same transaction as the act itself.
//!
//! Invariant: entries are only ever added, each chained by its hash to the one before; [`check`] says where that is not so.
//! The number and hash of the last entry stand apart from it too: an end that is taken away leaves a gap for ever.

use saddlebag_formats::{LogEntry, LogHash, LogKind, TimeMs, ToldLog, Uid};

use crate::error::StoreError;
use crate::store::Store;

/// The setting that holds number and hash of the last entry.
pub(crate) const END: &str = "log_end";

/// Who works with a store that was not told: [`Store::act_as`].
pub(crate) const SOMEBODY: &str = "somebody";

/// Entries that are read at a time.
const PIECE: u64 = 1_000;

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its number, from 1.
    pub number: u64,
    /// What it says.
    pub entry: LogEntry,
    /// Its hash, as it was written.
    pub hash: LogHash,
}

/// The last entry, as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: LogHash,
}

impl LogEnd {
    /// Before the first entry.
    pub const NONE: Self = Self { number: 0, hash: LogHash::NONE };

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.number.to_le_bytes().as_slice(), &self.hash.0].concat()
    }

    /// None if these bytes are no end.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, hash) = bytes.split_first_chunk::<8>()?;
        Some(Self { number: u64::from_le_bytes(*number), hash: LogHash(hash.try_into().ok()?) })
    }
}

/// Which entries are wanted: those to which everything applies that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this kind.
    pub kind: Option<LogKind>,
    /// About this neighbour, or by it.
    pub peer: Option<String>,
    /// Not before this time.
    pub since: Option<TimeMs>,
    /// About one of these records of a table.
    pub record: Option<(String, Uid)>,
    /// So many at most: the last.
    pub limit: u64,
}

/// Adds entries to the log, in their order. Needs a write transaction.
pub(crate) fn write<S: Store + ?Sized>(store: &mut S, entries: &[LogEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut end = store.log_end()?;
    let user = store.user().to_owned();
    let mut logged = Vec::with_capacity(entries.len());
    for entry in entries {
        let entry = entry.clone().bounded(&user);
        let number = end.number + 1;
        end = LogEnd { number, hash: entry.hash(number, end.hash) };
        logged.push(Logged { number, entry, hash: end.hash });
    }
    store.append_log(&logged)?;
    store.set_setting(END, &end.to_bytes())
}

/// The end to go on from: what was written last, or whatever stands behind it.
pub(crate) fn end<S: Store + ?Sized>(store: &mut S, stands: Option<LogEnd>) -> Result<LogEnd, StoreError> {
    let written = written_end(store)?;
    Ok(stands.filter(|stands| stands.number > written.number).unwrap_or(written))
}

fn written_end<S: Store + ?Sized>(store: &mut S) -> Result<LogEnd, StoreError> {
    let bytes = store.setting(END)?;
    Ok(bytes.as_deref().and_then(LogEnd::from_bytes).unwrap_or(LogEnd::NONE))
}

/// How far the log goes, as neighbours are told; none if it is empty.
///
/// # Errors
/// The engine's.
pub fn told(store: &mut dyn Store) -> Result<Option<ToldLog>, StoreError> {
    let end = store.log_end()?;
    Ok((end.number > 0).then(|| ToldLog { number: end.number, hash: end.hash.first_half() }))
}

/// Where the chain breaks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogBreak {
    /// Entries from this number on are not there.
    Missing(u64),
    /// The entry with this number is not the one that was written, or one before it is not.
    Changed(u64),
    /// The entry with this number was never written by saddlebag.
    Added(u64),
}

impl LogBreak {
    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        let (Self::Missing(number) | Self::Changed(number) | Self::Added(number)) = self;
        number
    }
}

/// What a check of the chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogChecked {
    /// Entries that were looked at.
    pub entries: u64,
    /// The last entry that was written.
    pub end: LogEnd,
    /// Where the chain breaks first; none if it is whole.
    pub broken: Option<LogBreak>,
}

/// Checks the chain: all of it, or the last so many entries, which is taken on trust up to there.
///
/// # Errors
/// The engine's.
pub fn check(store: &mut dyn Store, last: Option<u64>) -> Result<LogChecked, StoreError> {
    let end = written_end(store)?;
    let mut checked = LogChecked { entries: 0, end, broken: None };
    // The one before those that are checked gives the hash to begin with.
    let anchor = last.map_or(0, |last| end.number.saturating_sub(last));
    let mut before = LogEnd::NONE;
    if anchor > 0 {
        match store.log_entries(anchor - 1, 1)?.pop().filter(|anchor_entry| anchor_entry.number == anchor) {
            Some(entry) => before = LogEnd { number: entry.number, hash: entry.hash },
            None => return Ok(LogChecked { broken: Some(LogBreak::Missing(anchor)), ..checked }),
        }
    }
    loop {
        let piece = store.log_entries(before.number, PIECE)?;
        for Logged { number, entry, hash } in &piece {
            checked.entries += 1;
            if *number > end.number {
                checked.broken = Some(missing_before(before, end).unwrap_or(LogBreak::Added(end.number + 1)));
            } else if *number != before.number + 1 {
                checked.broken = Some(LogBreak::Missing(before.number + 1));
            } else if entry.hash(*number, before.hash) != *hash {
                checked.broken = Some(LogBreak::Changed(*number));
            }
            if checked.broken.is_some() {
                return Ok(checked);
            }
            before = LogEnd { number: *number, hash: *hash };
        }
        if (piece.len() as u64) < PIECE {
            break;
        }
    }
    checked.broken = missing_before(before, end).or((before != end).then_some(LogBreak::Changed(end.number)));
    Ok(checked)
}

/// What lacks up to the end.
fn missing_before(before: LogEnd, end: LogEnd) -> Option<LogBreak> {
    (before.number < end.number).then_some(LogBreak::Missing(before.number + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_back_from_its_bytes() {
        let end = LogEnd { number: 300, hash: LogHash([7; 32]) };
        assert_eq!(LogEnd::from_bytes(&end.to_bytes()), Some(end));
        for length in [0, 8, 39, 41] {
            assert_eq!(LogEnd::from_bytes(&vec![0; length]), None, "{length}");
        }
    }
}
