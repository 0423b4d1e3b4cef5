//! Clocks that cannot be right, in words: this machine's, a neighbour's, and the times that stand in versions.

use saddlebag_couriers::health::{ClockDoubt, TimeDoubt};
use saddlebag_formats::TimeMs;

use super::times::{length, second};

/// A clock that is ahead by less is as good as any, in milliseconds.
pub(super) const CLOCK_AHEAD_MS: i64 = 60_000;
/// A bundle that took less is no news, in milliseconds: a week on the road.
pub(super) const BEHIND_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// No bundle takes longer, in milliseconds: a year.
const ROAD_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// What a neighbour's clock said when it made a bundle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// The neighbour.
    pub(super) peer: &'a str,
    /// Its clock, in words.
    pub(super) clock: &'a str,
    /// How far it was ahead when the bundle came, in milliseconds.
    pub(super) ahead_ms: i64,
    /// Whether it was before 2025.
    pub(super) is_wrong: bool,
}

/// What is to be said of a neighbour's clock; none if it may well be right.
pub(super) fn neighbour(told: Told<'_>) -> Option<String> {
    let Told { peer, clock, ahead_ms, is_wrong } = told;
    let length = length(ahead_ms.unsigned_abs());
    if is_wrong {
        Some(format!("the clock of {peer} is wrong: it said {clock}"))
    } else if ahead_ms > CLOCK_AHEAD_MS {
        Some(format!("the clock of {peer} is {length} ahead of ours: it said {clock}"))
    } else if ahead_ms < -ROAD_MS {
        Some(format!("the clock of {peer} is {length} behind ours, or its bundle took as long"))
    } else {
        None
    }
}

/// What is to be said of this machine's own clock.
pub(super) fn own(doubt: ClockDoubt, clock: TimeMs) -> String {
    let clock = second(clock);
    let said = format!("the clock of this machine says {clock}");
    match doubt {
        ClockDoubt::Before2025 => format!("{said}: set it"),
        ClockDoubt::BehindLastContact => {
            format!("{said}, which is before the last contact with a neighbour: it was ahead then, or is behind now")
        }
        ClockDoubt::BehindCentral => format!("{said}, which is before the central made its last bundle: set it"),
        ClockDoubt::BehindSatellites => {
            format!("{said}, which is before most satellites made their last bundles: set it")
        }
        ClockDoubt::AheadOfCentral => {
            format!("{said}, and was more than a year ahead of the central's when its last bundle came: set it")
        }
        ClockDoubt::AheadOfSatellites => {
            format!("{said}, and was more than a year ahead of most satellites' when their last bundles came: set it")
        }
    }
}

/// What is to be said of the time of one side of a conflict.
pub(super) fn version(doubt: TimeDoubt) -> &'static str {
    match doubt {
        TimeDoubt::Before2025 => "its clock was before 2025",
        TimeDoubt::Ahead => "ahead of the clock here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ahead_ms: i64, is_wrong: bool) -> Option<String> {
        neighbour(Told { peer: "clinic-07", clock: "2040-11-21 10:15:00 UTC", ahead_ms, is_wrong })
    }

    #[test]
    fn a_neighbours_clock_is_spoken_of_where_it_cannot_be_right() {
        assert_eq!(words(CLOCK_AHEAD_MS, false), None);
        assert_eq!(words(-ROAD_MS, false), None);
        let ahead = words(441_797_328_000, false).unwrap();
        assert!(ahead.starts_with("the clock of clinic-07 is 14 years ahead of ours"), "{ahead}");
        assert!(words(-3 * ROAD_MS, false).unwrap().contains("2 years behind ours"));
        assert!(words(-3 * ROAD_MS, true).unwrap().contains("is wrong: it said 2040"));
    }

    #[test]
    fn every_doubt_says_what_the_clock_says() {
        use ClockDoubt::{AheadOfCentral, AheadOfSatellites, Before2025};
        use ClockDoubt::{BehindCentral, BehindLastContact, BehindSatellites};
        for doubt in [Before2025, BehindLastContact, BehindCentral, BehindSatellites, AheadOfCentral, AheadOfSatellites]
        {
            assert!(own(doubt, TimeMs(1_795_256_100_000)).contains("says 2026-11-21 10:15:00 UTC"));
        }
    }
}
