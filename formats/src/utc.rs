//! Times as text, to the second, in UTC: `2026-11-21T10:15:00Z`.
//!
//! Invariant: whatever the clock says, the text has 20 characters: times are kept within the years 0000 to
//! 9999 of the proleptic Gregorian calendar.

use crate::ids::TimeMs;

/// 0000-01-01T00:00:00Z.
const SECOND_FIRST: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z.
const SECOND_LAST: i64 = 253_402_300_799;
const DAY_SECONDS: i64 = 86_400;

/// The whole second that `time` lies in, within the years 0000 to 9999.
pub(crate) fn whole_second(time: TimeMs) -> TimeMs {
    TimeMs(time.0.div_euclid(1000).clamp(SECOND_FIRST, SECOND_LAST) * 1000)
}

/// `2026-11-21T10:15:00Z`.
#[must_use]
pub fn format(time: TimeMs) -> String {
    let Civil { year, month, day, hour, minute, second } = civil(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `20261121t101500z`: the same without what FAT refuses.
pub(crate) fn format_short(time: TimeMs) -> String {
    format(time).chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The time that [`format`] writes so; none if there is no such time.
#[must_use]
pub fn parse(text: &str) -> Option<TimeMs> {
    if text.len() != 20 {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> { text.get(from..to)?.parse().ok() };
    let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = (number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let time = TimeMs((days * DAY_SECONDS + seconds) * 1000);
    // Separators, months of 31 days and signs are all checked by writing it again.
    (format(time) == text).then_some(time)
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

/// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(time: TimeMs) -> Civil {
    let seconds = whole_second(time).0 / 1000;
    let (days, of_day) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

/// `days_from_civil` of the same source.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_256_100, "2026-11-21T10:15:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (SECOND_FIRST, "0000-01-01T00:00:00Z"),
            (SECOND_LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(format(TimeMs(seconds * 1000 + 999)), text);
            assert_eq!(parse(text), Some(TimeMs(seconds * 1000)));
        }
        assert_eq!(format_short(TimeMs(0)), "19700101t000000z");
    }

    #[test]
    fn a_wild_clock_still_has_a_text() {
        assert_eq!(format(TimeMs(i64::MAX)), "9999-12-31T23:59:59Z");
        assert_eq!(format(TimeMs(i64::MIN)), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "2026-11-21T10:15:00z",
            "2026-11-21 10:15:00Z",
            "2026-11-31T10:15:00Z",
            "2026-13-21T10:15:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:15:60Z",
            "+026-11-21T10:15:00Z",
            "",
            "2026-11-21T10:15:0éZ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_second_comes_back(second in SECOND_FIRST..=SECOND_LAST) {
            let time = TimeMs(second * 1000);
            proptest::prop_assert_eq!(parse(&format(time)), Some(time));
        }
    }
}
