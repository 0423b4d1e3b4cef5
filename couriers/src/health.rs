//! How the node at the other end of a link does, as its last bundle told; and this node's own clock.

use saddlebag_formats::{Health, TimeMs, utc};
use saddlebag_stores::StoreError;
use saddlebag_stores::ledger::Link;
use serde::Serialize;

/// 2025-01-01T00:00:00Z: there was no saddlebag before.
const CLOCK_FIRST: TimeMs = TimeMs(1_735_689_600_000);

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

/// Why this node's own clock is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockDoubt {
    /// It says a time before 2025.
    #[serde(rename = "before-2025")]
    Before2025,
    /// It says a time before the last contact with a neighbour.
    BehindLastContact,
}

/// What is doubtful about the time `now`; none if nothing is.
pub(crate) fn clock_doubt(now: TimeMs, links: &[Link]) -> Option<ClockDoubt> {
    let last = links.iter().filter_map(|link| link.last_contact).max();
    if now < CLOCK_FIRST {
        Some(ClockDoubt::Before2025)
    } else if last.is_some_and(|last| now < last) {
        Some(ClockDoubt::BehindLastContact)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::NodeId;
    use saddlebag_stores::ledger::PeerRole;

    use super::*;

    #[test]
    fn a_clock_before_its_time_or_behind_itself_is_doubted() {
        let contact = |at: i64| Link {
            last_contact: Some(TimeMs(CLOCK_FIRST.0 + at)),
            ..Link::new(NodeId([1; 16]), "clinic", PeerRole::Satellite, &[], 0)
        };
        let links = [contact(10), contact(20)];
        let doubt = |after: i64, links: &[Link]| clock_doubt(TimeMs(CLOCK_FIRST.0 + after), links);
        assert_eq!(doubt(-1, &[]), Some(ClockDoubt::Before2025));
        assert_eq!(doubt(0, &[]), None);
        assert_eq!(doubt(19, &links), Some(ClockDoubt::BehindLastContact));
        assert_eq!(doubt(20, &links), None);
    }

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
