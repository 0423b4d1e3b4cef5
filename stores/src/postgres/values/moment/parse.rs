//! ISO forms of dates and times, taken apart. Whether there is such a day or hour is not asked here.

use super::{Clock, Day, Moment, Zone};

/// Digits of a second that are taken at most: the database rounds.
const GIVEN_DIGITS: usize = 18;

/// `YYYY-MM-DD`, `HH:MM[:SS[.f]]`, both with a blank or `T` between; then `Z`, `+HH`, `+HH:MM`, `+HH:MM:SS` or `+HHMM`
/// for the zone; then ` BC`.
pub(super) fn parse(text: &str) -> Option<Moment> {
    let (text, is_bc) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let is_day = text.split('-').next().is_some_and(|year| (4..=7).contains(&year.len()) && all_digits(year));
    let (day, rest) = if is_day {
        let (day, rest) = match text.find([' ', 'T']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        (Some(parse_day(day, is_bc)?), rest)
    } else {
        (None, Some(text))
    };
    if is_bc && day.is_none() {
        return None;
    }
    let Some(rest) = rest else { return Some(Moment { day, clock: None, zone: None }) };
    let (clock, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], Some(parse_zone(&rest[at..])?)),
        None => (rest, None),
    };
    Some(Moment { day, clock: Some(parse_clock(clock)?), zone })
}

fn parse_day(text: &str, is_bc: bool) -> Option<Day> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !all_digits(year) {
        return None;
    }
    Some(Day { year: year.parse().ok()?, month: two_digits(month)?, day: two_digits(day)?, is_bc })
}

fn parse_clock(text: &str) -> Option<Clock> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    if !all_digits(fraction) || fraction.len() > GIVEN_DIGITS {
        return None;
    }
    let parts: Vec<u8> = whole.split(':').map(two_digits).collect::<Option<_>>()?;
    let parts = match parts.as_slice() {
        [hours, minutes, seconds] => [*hours, *minutes, *seconds],
        [hours, minutes] if fraction.is_empty() => [*hours, *minutes, 0],
        _ => return None,
    };
    Some(Clock { parts, fraction: fraction.trim_end_matches('0').to_owned() })
}

fn parse_zone(text: &str) -> Option<Zone> {
    if text == "Z" {
        return Some(Zone::UTC);
    }
    let is_west = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-'])?;
    let mut parts = [0; 3];
    if digits.len() == 4 && all_digits(digits) {
        (parts[0], parts[1]) = (two_digits(&digits[..2])?, two_digits(&digits[2..])?);
    } else {
        for (at, part) in digits.split(':').enumerate() {
            *parts.get_mut(at)? = two_digits(part)?;
        }
    }
    Some(Zone { is_west: is_west && parts != [0; 3], parts })
}

fn two_digits(text: &str) -> Option<u8> {
    if text.len() == 2 && all_digits(text) { text.parse().ok() } else { None }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
