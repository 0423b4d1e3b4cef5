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

impl Version {
    /// The version of an edit made at `wall` by `writer` upon what had `before`.
    #[must_use]
    pub fn after(before: Option<Version>, wall: TimeMs, writer: Writer) -> Self {
        let least = before.map_or(TimeMs(1), |version| TimeMs(version.time.0.saturating_add(1)));
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
    fn an_edit_never_has_the_time_of_what_setup_found() {
        assert_eq!(Version::after(None, TimeMs(-3), WRITER).time, TimeMs(1));
    }
}
