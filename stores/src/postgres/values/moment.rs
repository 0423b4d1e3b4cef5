//! Dates and times as text. Only ISO forms are taken, which nobody can misread; what is written is the database's own
//! form (DateStyle ISO).

mod parse;

use parse::parse;

/// Digits of a second that the database keeps at most.
pub(super) const SECOND_DIGITS: usize = 6;
/// The first day that timestamps and dates know: 4714-11-24 BC, in years as astronomers count them.
const FIRST_DAY: (i32, u8, u8) = (-4713, 11, 24);

/// A type of dates or times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum MomentType {
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

impl MomentType {
    pub(super) fn has_date(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }

    pub(super) fn has_zone(self) -> bool {
        matches!(self, Self::TimeTz | Self::TimestampTz)
    }

    /// The last year, in the manual's table of types.
    fn last_year(self) -> i32 {
        if self == Self::Date { 5_874_897 } else { 294_276 }
    }

    /// A column of this type, for a refusal.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Date => "a date column",
            Self::Time => "a time column",
            Self::TimeTz => "a time with time zone column",
            Self::Timestamp => "a timestamp column",
            Self::TimestampTz => "a timestamp with time zone column",
        }
    }

    /// A value that a column of this type takes.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Date => "2024-05-06",
            Self::Time => "10:00:00",
            Self::TimeTz => "10:00:00+02",
            Self::Timestamp => "2024-05-06 10:00:00",
            Self::TimestampTz => "2024-05-06 10:00:00+02",
        }
    }
}

/// Hours, minutes and seconds east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    is_west: bool,
    parts: [u8; 3],
}

impl Zone {
    pub(super) const UTC: Zone = Zone { is_west: false, parts: [0; 3] };

    fn text(self) -> String {
        let [hours, minutes, seconds] = self.parts;
        let sign = if self.is_west && self.parts != [0; 3] { '-' } else { '+' };
        match (minutes, seconds) {
            (0, 0) => format!("{sign}{hours:02}"),
            (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
            _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        }
    }
}

/// A time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    parts: [u8; 3],
    /// Digits after the point, without zeros at the end.
    pub(super) fraction: String,
}

impl Clock {
    pub(super) fn is_midnight(&self) -> bool {
        self.parts == [0; 3] && self.fraction.is_empty()
    }

    fn text(&self) -> String {
        let [hours, minutes, seconds] = self.parts;
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{hours:02}:{minutes:02}:{seconds:02}{point}{}", self.fraction)
    }
}

/// A date; the year as people count, `is_bc` for years before Christ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: i32,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) is_bc: bool,
}

impl Day {
    /// The year as astronomers count: 1 BC is 0.
    fn astronomical(self) -> i32 {
        if self.is_bc { 1 - self.year } else { self.year }
    }

    fn is_real(self) -> bool {
        let year = self.astronomical();
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match self.month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        self.year > 0 && self.day > 0 && self.day <= days
    }
}

/// What a text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) day: Option<Day>,
    pub(super) clock: Option<Clock>,
    pub(super) zone: Option<Zone>,
}

/// The text of a date or time, as the database writes it; else why a column of this type cannot hold it.
pub(super) fn to_text(of: MomentType, text: &str) -> Result<String, &'static str> {
    if of.has_date() && matches!(text, "infinity" | "-infinity") {
        return Ok(text.to_owned());
    }
    let mut moment = parse(text).ok_or("it is not in an ISO form, which alone cannot be misread")?;
    check(of, &moment)?;
    if of.has_zone() {
        // SQLite's own functions give UTC and do not say so.
        moment.zone.get_or_insert(Zone::UTC);
    }
    Ok(written(of, &moment))
}

/// Whether the database gives the text back just as it is.
pub(super) fn is_kept(of: MomentType, digits: usize, text: &str) -> bool {
    if of.has_date() && matches!(text, "infinity" | "-infinity") {
        return true;
    }
    let Some(moment) = parse(text) else { return false };
    let is_utc = of != MomentType::TimestampTz || moment.zone == Some(Zone::UTC);
    let is_whole = moment.clock.as_ref().is_none_or(|clock| clock.fraction.len() <= digits);
    is_utc && is_whole && to_text(of, text).is_ok_and(|written| written == text)
}

fn check(of: MomentType, moment: &Moment) -> Result<(), &'static str> {
    if moment.day.is_some() != of.has_date() {
        return Err(if of.has_date() { "it has no date" } else { "it has a date" });
    }
    if of == MomentType::Date && moment.clock.as_ref().is_some_and(|clock| !clock.is_midnight()) {
        return Err("it has a time of day, which would be lost");
    }
    if moment.zone.is_some() && !of.has_zone() {
        return Err("it has a time zone, which would be lost");
    }
    if let Some(day) = moment.day {
        if !day.is_real() {
            return Err("there is no such day");
        }
        if day.astronomical() > of.last_year() || (day.astronomical(), day.month, day.day) < FIRST_DAY {
            return Err("it is out of range");
        }
    }
    if let Some(clock) = &moment.clock {
        let [hours, minutes, seconds] = clock.parts;
        let ends_the_day = !of.has_date() && clock.parts == [24, 0, 0] && clock.fraction.is_empty();
        if !ends_the_day && (hours > 23 || minutes > 59 || seconds > 59) {
            return Err("there is no such time of day");
        }
    }
    // The most that PostgreSQL takes: MAX_TZDISP_HOUR.
    if moment.zone.is_some_and(|zone| zone.parts[0] > 15 || zone.parts[1] > 59 || zone.parts[2] > 59) {
        return Err("there is no such time zone");
    }
    Ok(())
}

fn written(of: MomentType, moment: &Moment) -> String {
    let mut text = String::new();
    if let Some(Day { year, month, day, .. }) = moment.day {
        text.push_str(&format!("{year:04}-{month:02}-{day:02}"));
    }
    if of != MomentType::Date {
        let midnight = Clock { parts: [0; 3], fraction: String::new() };
        let separator = if of.has_date() { " " } else { "" };
        text.push_str(separator);
        text.push_str(&moment.clock.as_ref().unwrap_or(&midnight).text());
        text.push_str(&moment.zone.map(Zone::text).unwrap_or_default());
    }
    if moment.day.is_some_and(|day| day.is_bc) {
        text.push_str(" BC");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_forms_become_the_databases_own() {
        use MomentType::{Date, Time, TimeTz, Timestamp, TimestampTz};
        for (of, given, expected) in [
            (Date, "2024-02-29", "2024-02-29"),
            (Date, "2024-05-06 00:00:00", "2024-05-06"),
            (Date, "0001-02-29 BC", "0001-02-29 BC"),
            (Date, "-infinity", "-infinity"),
            (Date, "5874897-12-31", "5874897-12-31"),
            (Time, "10:00", "10:00:00"),
            (Time, "24:00:00", "24:00:00"),
            (TimeTz, "10:00:00.120Z", "10:00:00.12+00"),
            (TimeTz, "10:00:00-00:30:15", "10:00:00-00:30:15"),
            (TimeTz, "10:00:00+0530", "10:00:00+05:30"),
            (Timestamp, "2024-05-06", "2024-05-06 00:00:00"),
            (Timestamp, "2024-05-06T10:00:00.100000", "2024-05-06 10:00:00.1"),
            (Timestamp, "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC"),
            (Timestamp, "294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999"),
            (TimestampTz, "2024-05-06 10:00:00", "2024-05-06 10:00:00+00"),
            (TimestampTz, "2024-05-06T10:00:00+05:30", "2024-05-06 10:00:00+05:30"),
            (TimestampTz, "2024-05-06 10:00:00-00 BC", "2024-05-06 10:00:00+00 BC"),
        ] {
            assert_eq!(to_text(of, given).as_deref(), Ok(expected), "{of:?} {given}");
        }
    }

    #[test]
    fn what_could_be_misread_or_would_lose_something_is_refused() {
        use MomentType::{Date, Time, TimeTz, Timestamp, TimestampTz};
        for (of, given) in [
            (Timestamp, "06/05/2024 10:00"),
            (Timestamp, "05-06-2024"),
            (Timestamp, "20240506T100000"),
            (Timestamp, "2024-5-6"),
            (Timestamp, "now"),
            (Timestamp, "epoch"),
            (Date, "today"),
            (Date, ""),
            (Date, "24-05-06"),
            (Date, "2024-02-30"),
            (Date, "1900-02-29"),
            (Date, "0002-02-29 BC"),
            (Date, "0000-01-01"),
            (Date, "2024-05-06 10:00:00"),
            (Date, "2024-05-06 "),
            (Date, "5874898-01-01"),
            (Date, "4714-11-23 BC"),
            (Date, "2024-05-06\u{661}"),
            (Timestamp, "2024-05-06 24:00:00"),
            (Timestamp, "2024-05-06 10:00:60"),
            (Timestamp, "2024-05-06 10:00:00Z"),
            (Timestamp, "294277-01-01 00:00:00"),
            (Timestamp, "2024-05-06 10"),
            (Timestamp, "2024-05-06 10:00 PM"),
            (Timestamp, "10:00:00"),
            (TimestampTz, "2024-05-06 10:00:00 Europe/Berlin"),
            (TimestampTz, "2024-05-06 10:00:00+16"),
            (Time, "10"),
            (Time, "infinity"),
            (Time, "allballs"),
            (Time, "10:00:00 BC"),
            (Time, "10:00:00+02"),
            (Time, "24:00:01"),
            (TimeTz, "2024-05-06 10:00:00+02"),
            (TimeTz, "10:00:00+"),
            (TimeTz, "10:00:00+01:02:03:04"),
        ] {
            assert!(to_text(of, given).is_err(), "{of:?} {given}");
        }
    }

    #[test]
    fn only_the_databases_own_form_is_kept() {
        assert!(is_kept(MomentType::Timestamp, 6, "2024-05-06 10:00:00.123456"));
        assert!(!is_kept(MomentType::Timestamp, 6, "2024-05-06T10:00:00"));
        assert!(!is_kept(MomentType::Timestamp, 0, "2024-05-06 10:00:00.5"));
        assert!(!is_kept(MomentType::Timestamp, 6, "02024-05-06 10:00:00"));
        assert!(is_kept(MomentType::TimestampTz, 6, "2024-05-06 10:00:00+00"));
        assert!(!is_kept(MomentType::TimestampTz, 6, "2024-05-06 10:00:00+02"));
        assert!(is_kept(MomentType::TimeTz, 6, "10:00:00-00:30:15"));
        assert!(is_kept(MomentType::Date, 6, "infinity"));
    }
}
