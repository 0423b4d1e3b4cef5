//! Intervals as text: PostgreSQL's own form, and ISO 8601's.

use super::number::is_decimal;

/// What a number may stand before. Only seconds may have a fraction: of a month, nobody knows how long it is.
const UNITS: [&str; 16] = [
    "year", "years", "mon", "mons", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute",
    "minutes", "second", "seconds",
];

/// Whether a text is an interval that cannot be misread: `1 year 2 mons -3 days +04:05:06.789`, `P1Y2M3DT4H5M6.789S`,
/// `infinity`. A bare number, `10:20` and `1 day ago` are none.
pub(super) fn is_clear(text: &str) -> bool {
    matches!(text, "infinity" | "-infinity") || is_iso(text) || is_own(text)
}

fn is_own(text: &str) -> bool {
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        if word.contains(':') {
            return is_clock(word) && words.peek().is_none();
        }
        let Some(unit) = words.next().filter(|unit| UNITS.contains(unit)) else { return false };
        if !is_plain(word, unit.starts_with("second")) {
            return false;
        }
        if words.peek().is_none() {
            return true;
        }
    }
    false
}

/// `HH:MM:SS` with any number of hours, a sign, a fraction.
fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return false };
    let (whole, _) = seconds.split_once('.').unwrap_or((seconds, ""));
    let below_60 = |text: &str| text.len() == 2 && text.parse::<u8>().is_ok_and(|number| number < 60);
    is_plain(hours, false) && below_60(minutes) && below_60(whole) && is_plain(seconds, true)
}

/// Digits with a sign, and with a fraction where there may be one.
fn is_plain(text: &str, may_have_fraction: bool) -> bool {
    is_decimal(text) && !text.contains(['e', 'E']) && (may_have_fraction || !text.contains('.'))
}

fn is_iso(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, clock) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((days, clock)) => (days, clock),
        None => (rest, ""),
    };
    !rest.is_empty() && has_designators(days, "YMWD") && has_designators(clock, "HMS")
}

/// Whether a text is numbers, each with one of the letters, in their order.
fn has_designators(mut text: &str, mut letters: &str) -> bool {
    while !text.is_empty() {
        let Some(at) = text.find(|character: char| character.is_ascii_alphabetic()) else { return false };
        let letter = &text[at..=at];
        let Some(place) = letters.find(letter) else { return false };
        if !is_plain(&text[..at], letter == "S") {
            return false;
        }
        letters = &letters[place + 1..];
        text = &text[at + 1..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_intervals_are_taken() {
        for clear in [
            "00:00:00",
            "1 day",
            "-1 years +2 mons -3 days +04:05:06.789",
            "-178000000 years",
            "2562047788:00:54.775807",
            "-00:00:00.000001",
            "1.5 seconds",
            "P1Y2M3DT4H5M6.789S",
            "PT0S",
            "P-1Y",
            "infinity",
        ] {
            assert!(is_clear(clear), "{clear}");
        }
    }

    #[test]
    fn unclear_intervals_are_refused() {
        for unclear in [
            "",
            "5",
            "10:20",
            "1 day ago",
            "@ 1 day",
            "1.5 days",
            "1 fortnight",
            "day",
            "1 day 2",
            "1 day ",
            "P",
            "PT",
            "P1",
            "P1D1Y",
            "P1.5Y",
            "1e3 days",
            "10:00:00 1 day",
            "00:60:00",
            "1  day",
            "01:02:03:04",
        ] {
            assert!(!is_clear(unclear), "{unclear}");
        }
    }
}
