//! Times and lengths of time as people read them.

use saddlebag_formats::{TimeMs, utc};

use crate::layout;

/// The day, in UTC: `2026-11-21`.
pub(super) fn day(time: TimeMs) -> String {
    utc::format(time).chars().take(10).collect()
}

/// `2026-11-21 10:15:00 UTC`
pub(super) fn second(time: TimeMs) -> String {
    words(&utc::format(time))
}

/// `2026-11-21 10:15:00.123 UTC`, where seconds would not tell two times apart.
pub(super) fn instant(time: TimeMs) -> String {
    second(time).replace(" UTC", &format!(".{:03} UTC", time.0.rem_euclid(1000)))
}

/// `2026-11-21 10:15:00 UTC`, from the form of `--json`.
pub(super) fn words(time: &str) -> String {
    time.replace('T', " ").replace('Z', " UTC")
}

/// A length of time in its largest unit: `40 seconds`, `3 hours`, `12 days`, `14 years`.
pub(super) fn length(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => layout::count(seconds, "second", "seconds"),
        60..3_600 => layout::count(seconds / 60, "minute", "minutes"),
        3_600..172_800 => layout::count(seconds / 3_600, "hour", "hours"),
        172_800..63_072_000 => layout::count(seconds / 86_400, "day", "days"),
        _ => layout::count(seconds / 31_556_952, "year", "years"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_is_enough() {
        let all: Vec<_> =
            [999, 1_000, 59_999, 60_000, 3_600_000, 172_800_000, 441_797_328_000].into_iter().map(length).collect();
        assert_eq!(all, ["0 seconds", "1 second", "59 seconds", "1 minute", "1 hour", "2 days", "14 years"]);
        assert_eq!(day(TimeMs(1_795_256_100_000)), "2026-11-21");
        assert_eq!(second(TimeMs(1_795_256_100_000)), "2026-11-21 10:15:00 UTC");
        assert_eq!(instant(TimeMs(1_795_256_100_007)), "2026-11-21 10:15:00.007 UTC");
    }
}
