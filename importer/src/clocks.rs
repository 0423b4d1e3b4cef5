//! Whether this node's own clock is to be believed, and what a believed clock makes of the times in a bundle.
//!
//! "Position and causality decide; a clock only breaks ties between truly concurrent edits." Invariant: nothing here
//! decides whether anything is accepted.

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::{Health, NodeId, TimeMs, Version};
use saddlebag_stores::ledger::{Link, PeerRole};
use serde::Serialize;

/// 2025-01-01T00:00:00Z: there was no saddlebag before.
pub const CLOCK_FIRST: TimeMs = TimeMs(1_735_689_600_000);

/// A clock that goes back by less, in milliseconds, is set right by the network every day.
const STEP_MS: i64 = 60_000;
/// Two clocks that differ by less, in milliseconds, agree: no time zone is further off.
const APART_MS: i64 = 24 * 60 * 60 * 1000;
/// No bundle is on the road for longer, in milliseconds: a year.
const ROAD_MS: i64 = 365 * APART_MS;

/// Why this node's own clock is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockDoubt {
    /// It says a time before 2025.
    #[serde(rename = "before-2025")]
    Before2025,
    /// It says a time before the last contact with a neighbour.
    BehindLastContact,
    /// It is more than a day behind what the central said when it made its last bundle.
    BehindCentral,
    /// It is more than a day behind what most of at least two satellites said when they made their last bundles.
    BehindSatellites,
    /// When the central's last bundle came, it was more than a year ahead of what the central had said.
    AheadOfCentral,
    /// When the last bundles of most of at least two satellites came, it was more than a year ahead of what they had said.
    AheadOfSatellites,
}

/// What was heard of a neighbour's clock.
#[derive(Debug, Clone, Copy)]
struct Heard {
    role: PeerRole,
    /// When its last bundle came, by this node's clock.
    at: Option<TimeMs>,
    /// Its own clock when it made that bundle, unless it cannot be right.
    told: Option<TimeMs>,
}

impl Heard {
    fn of(link: &Link) -> Self {
        let health = link.health.as_deref().and_then(|bytes| Health::decode(bytes).ok());
        let told = health.map(|health| health.clock).filter(|told| *told >= CLOCK_FIRST);
        Self { role: link.role, at: link.last_contact, told }
    }

    /// Whether this node's clock was far ahead of the other when its bundle came.
    fn was_far_ahead(&self) -> bool {
        matches!((self.at, self.told), (Some(at), Some(told)) if at.0.saturating_sub(told.0) > ROAD_MS)
    }

    /// Whether the last contact was later than `now`, and nothing speaks against the clock of then.
    fn is_before_contact(&self, now: TimeMs) -> bool {
        self.at.is_some_and(|at| at.0.saturating_sub(now.0) > STEP_MS) && !self.was_far_ahead()
    }

    fn is_behind(&self, now: TimeMs) -> bool {
        self.told.is_some_and(|told| told.0.saturating_sub(now.0) > APART_MS)
    }

    fn is_far_ahead(&self, now: TimeMs) -> bool {
        // A contact that lies ahead says how wrong the clock was, not how wrong it is.
        self.was_far_ahead() && self.at.is_some_and(|at| at.0.saturating_sub(now.0) <= STEP_MS)
    }
}

/// Why `now` is not to be believed, by what was heard over the links; none if nothing speaks against it.
///
/// A satellite is measured by its central; a central by its satellites, where most of them agree: of two that differ,
/// nobody can say which is wrong.
#[must_use]
pub fn doubt(now: TimeMs, links: &[Link]) -> Option<ClockDoubt> {
    if now < CLOCK_FIRST {
        return Some(ClockDoubt::Before2025);
    }
    let heard: Vec<Heard> = links.iter().map(Heard::of).collect();
    if heard.iter().any(|heard| heard.is_before_contact(now)) {
        return Some(ClockDoubt::BehindLastContact);
    }
    let (above, below): (Vec<_>, Vec<_>) = heard.iter().partition(|heard| heard.role == PeerRole::Central);
    let central = |speaks: fn(&Heard, TimeMs) -> bool| above.iter().any(|heard| speaks(heard, now));
    let told = below.iter().filter(|heard| heard.told.is_some()).count();
    let most = |speaks: fn(&Heard, TimeMs) -> bool| {
        let count = below.iter().filter(|heard| speaks(heard, now)).count();
        count >= 2 && 2 * count > told
    };
    if central(Heard::is_behind) {
        Some(ClockDoubt::BehindCentral)
    } else if most(Heard::is_behind) {
        Some(ClockDoubt::BehindSatellites)
    } else if central(Heard::is_far_ahead) {
        Some(ClockDoubt::AheadOfCentral)
    } else if most(Heard::is_far_ahead) {
        Some(ClockDoubt::AheadOfSatellites)
    } else {
        None
    }
}

/// What is wrong with the time that stands in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeDoubt {
    /// It lies before 2025.
    #[serde(rename = "before-2025")]
    Before2025,
    /// It lies ahead of the clock of the node that looked at it.
    Ahead,
}

/// Why the time of a version is not to be believed by a node whose clock says `now`.
#[must_use]
pub fn doubt_version(version: Version, now: TimeMs) -> Option<TimeDoubt> {
    if version.is_found() {
        None
    } else if version.time < CLOCK_FIRST {
        Some(TimeDoubt::Before2025)
    } else {
        (version.time.0.saturating_sub(now.0) > STEP_MS).then_some(TimeDoubt::Ahead)
    }
}

/// What a central whose clock is believed knows of the times in a satellite's bundle when it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    /// Who made the bundle.
    sender: NodeId,
    /// How far the sender's clock was ahead when it made it, in milliseconds; 0 or less if it was not.
    ahead_ms: i64,
    now: TimeMs,
}

impl Receipt {
    pub(crate) fn new(sender: NodeId, created: TimeMs, now: TimeMs) -> Self {
        Self { sender, ahead_ms: created.0.saturating_sub(now.0), now }
    }

    /// The effective time of a version: "shifted back by the difference, once, never below base + 1", and never later
    /// than it came.
    ///
    /// Only what the sender itself wrote is shifted: its clock says nothing of what others wrote, and the first central
    /// of those has looked at theirs.
    pub(crate) fn effective(
        &self,
        version: Version,
        base: Option<Version>,
        effective: Option<TimeMs>,
    ) -> Option<TimeMs> {
        if version.is_found() || is_on(Fault::EffectiveTimeIgnored) {
            return effective;
        }
        let claimed = effective.unwrap_or(version.time);
        let ahead_ms = if version.writer.node == self.sender { self.ahead_ms.max(0) } else { 0 };
        let least = TimeMs(base.map_or(0, |base| base.time.0.max(0)).saturating_add(1)).min(claimed);
        let shifted = TimeMs(claimed.0.saturating_sub(ahead_ms)).max(least);
        // What was overwritten had come before, whatever time it claimed.
        let bounded = shifted.min(self.now);
        (bounded < version.time).then_some(bounded)
    }
}

#[cfg(test)]
mod tests;
