//! How the node at the other end of a link does, as its last bundle told; and what may be wrong with this node's own clock.

use saddlebag_formats::{Health, TimeMs, utc};
use saddlebag_importer::clocks::{self, CLOCK_FIRST};
pub use saddlebag_importer::clocks::{ClockDoubt, TimeDoubt};
use saddlebag_stores::StoreError;
use saddlebag_stores::ledger::Link;
use serde::Serialize;

use crate::error::NodeError;
use crate::node::Node;

/// How a neighbour was when it made the last of its bundles that came here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkHealth {
    /// What it told.
    #[serde(flatten)]
    pub told: ToldHealth,
    /// How far its clock was ahead of this node's when the bundle was taken in, in milliseconds. Below 0 it is the time
    /// that the bundle took, or the clock was behind.
    pub clock_ahead_ms: i64,
}

/// What a bundle says of its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldHealth {
    /// Its saddlebag: `saddlebag 0.1.0`.
    pub software: String,
    /// Its clock when it made the bundle.
    pub clock: String,
    /// Whether the clock cannot be right: it was before 2025.
    pub clock_is_wrong: bool,
    /// Changes that waited there to be acknowledged; above 5,000 also those that came from here.
    pub waiting: u64,
    /// Changes of this node that wait there for a record.
    pub parked: u64,
    /// Changes of this node that the database there refused.
    pub quarantined: u64,
    /// Values and deletions in conflict there.
    pub conflicts: u64,
    /// Tables whose triggers were missing there, then or in the 30 days before.
    pub triggers_missing: Vec<String>,
    /// Free space on the disk of its folder.
    pub free_bytes: Option<u64>,
    /// The number of the last entry of its log; none if that is empty.
    pub log_last: Option<u64>,
}

impl From<&Health> for ToldHealth {
    fn from(health: &Health) -> Self {
        Self {
            software: health.software.clone(),
            clock: utc::format(health.clock),
            clock_is_wrong: health.clock < CLOCK_FIRST,
            waiting: health.waiting,
            parked: health.parked,
            quarantined: health.quarantined,
            conflicts: health.conflicts,
            triggers_missing: health.triggers_missing.clone(),
            free_bytes: health.free_bytes,
            log_last: health.log.map(|log| log.number),
        }
    }
}

impl LinkHealth {
    /// What came in a bundle that was taken in at `arrived`.
    fn of(health: &Health, arrived: TimeMs) -> Self {
        Self { told: health.into(), clock_ahead_ms: health.clock.0.saturating_sub(arrived.0) }
    }

    /// What the other end of a link last told; none if nothing has come yet.
    pub(crate) fn of_link(link: &Link) -> Result<Option<Self>, StoreError> {
        let (Some(bytes), Some(arrived)) = (&link.health, link.last_contact) else { return Ok(None) };
        let health = Health::decode(bytes).map_err(|error| StoreError::Damaged {
            what: format!("the health of {}", link.name),
            reason: error.to_string(),
        })?;
        Ok(Some(Self::of(&health, arrived)))
    }
}

/// What speaks against this node's own clock; none if nothing does.
pub(crate) fn clock_doubt(node: &mut Node) -> Result<Option<ClockDoubt>, NodeError> {
    Ok(clocks::doubt(node.clock.now(), &node.links()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_compared_with_ours_at_arrival() {
        let health = Health { clock: TimeMs(CLOCK_FIRST.0 + 5_000), ..Health::default() };
        let ahead = LinkHealth::of(&health, TimeMs(CLOCK_FIRST.0 + 2_000));
        assert_eq!((ahead.clock_ahead_ms, ahead.told.clock_is_wrong), (3_000, false));
        assert!(LinkHealth::of(&Health::default(), CLOCK_FIRST).told.clock_is_wrong);
        let wild = Health { clock: TimeMs(i64::MIN), ..Health::default() };
        assert_eq!(LinkHealth::of(&wild, TimeMs(1)).clock_ahead_ms, i64::MIN);
    }
}
