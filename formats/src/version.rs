//! When and where a value was written.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, NodeId, TimeMs};
use crate::limits::TIME_MS_MAX;

/// Who wrote: a node in one epoch of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Writer {
    /// The node.
    pub node: NodeId,
    /// The epoch that its database was in.
    pub epoch: Epoch,
}

/// Says *which* value is meant, and orders truly concurrent ones: by time, then by writer.
///
/// The time is a hybrid logical clock kept per record (Kulkarni et al., "Logical Physical Clocks", 2014):
/// max(wall clock, version before + 1), so a later edit of a record always has the greater version.
/// A version is never rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Hybrid logical time.
    pub time: TimeMs,
    /// Who wrote.
    pub writer: Writer,
}

/// Bits of a row's hash that stand in the version of what setup found: chance makes two different rows of one record
/// equal in them once in 2^32 times.
const FOUND_BITS: u32 = 32;

/// Stands for whoever wrote what setup found.
pub const UNKNOWN_WRITER: Writer = Writer { node: NodeId([0; 16]), epoch: Epoch(0) };

impl Version {
    /// Stands for the base of a value that the receiver had itself, in a history that it has lost: its database was
    /// restored. It is older than what any setup finds.
    pub const YOURS: Self = Self { time: TimeMs(-(1 << 33)), writer: UNKNOWN_WRITER };

    /// The version of what stood in a row when setup found it, by the row's hash: older than anything written under
    /// saddlebag's eyes, and the same at every place that found the same.
    #[must_use]
    pub fn found(row_hash: u64) -> Self {
        let time = -1 - (row_hash >> (64 - FOUND_BITS)).cast_signed();
        Self { time: TimeMs(time), writer: UNKNOWN_WRITER }
    }

    /// Whether setup found the value: nobody knows who wrote it, or when.
    #[must_use]
    pub fn is_found(self) -> bool {
        self.time <= TimeMs(0)
    }

    /// The version of an edit made at `wall` by `writer` upon what had `before`.
    #[must_use]
    pub fn after(before: Option<Version>, wall: TimeMs, writer: Writer) -> Self {
        let least = before.map_or(TimeMs(1), |version| TimeMs(version.time.0.saturating_add(1).max(1)));
        Self { time: wall.min(TimeMs(TIME_MS_MAX)).max(least), writer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: Writer = Writer { node: NodeId([1; 16]), epoch: Epoch(1) };

    #[test]
    fn a_later_edit_has_the_greater_version_though_the_clock_went_back() {
        let first = Version::after(None, TimeMs(5_000), WRITER);
        let second = Version::after(Some(first), TimeMs(10), WRITER);
        assert!(second > first);
        assert_eq!(second.time, TimeMs(5_001));
    }

    #[test]
    fn a_clock_at_the_end_of_time_leaves_room_for_later_edits() {
        let first = Version::after(None, TimeMs(i64::MAX), WRITER);
        assert!(Version::after(Some(first), TimeMs(i64::MAX), WRITER) > first);
    }

    #[test]
    fn what_setup_found_is_older_than_every_edit_and_the_same_for_equal_rows() {
        let found = [0, 1 << 40, u64::MAX].map(Version::found);
        assert!(found.iter().all(|version| version.is_found() && *version < Version::after(None, TimeMs(-9), WRITER)));
        assert_eq!(found[0], Version::found(7));
        assert_ne!(found[0], found[1]);
    }

    #[test]
    fn an_edit_never_has_the_time_of_what_setup_found() {
        assert_eq!(Version::after(None, TimeMs(-3), WRITER).time, TimeMs(1));
        assert_eq!(Version::after(Some(Version::found(9)), TimeMs(-3), WRITER).time, TimeMs(1));
    }
}
