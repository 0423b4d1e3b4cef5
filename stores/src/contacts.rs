//! When a neighbour was heard of, to notice that it is silent beyond its own rhythm.
//!
//! All times are by this node's clock; the neighbour's plays no part. Where the clock jumped back, the interval is left
//! out; a contact that lies in the future does not count, so that a clock that was ahead hides no silence.

use saddlebag_formats::{LinkId, TimeMs};

use crate::engine::damaged;
use crate::error::StoreError;
use crate::store::Store;

/// Contacts that are kept.
const TIMES_MAX: usize = 9;
/// Intervals from which a rhythm can be told.
const INTERVALS_MIN: usize = 3;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// What comes within an hour is one contact: several bundles on one stick.
const APART_MS: i64 = HOUR_MS;
/// A neighbour is silent after so many times its usual interval …
const RHYTHMS: i64 = 3;
/// … but never within a day.
const SILENT_MS_MIN: i64 = DAY_MS;
/// How long one is waited for whose rhythm is not known yet, or who was never heard of.
pub const SILENT_WITHOUT_RHYTHM_MS: i64 = 14 * DAY_MS;

/// When a neighbour was admitted, and heard of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contacts {
    /// When the link was made; none where that is not known.
    pub admitted: Option<TimeMs>,
    /// The last contacts, in the order in which they were.
    pub times: Vec<TimeMs>,
}

impl Contacts {
    /// Its usual interval in milliseconds: the median, once three are known.
    #[must_use]
    pub fn rhythm_ms(&self) -> Option<i64> {
        let pairs = self.times.iter().zip(self.times.iter().skip(1));
        let mut intervals: Vec<i64> = pairs.map(|(a, b)| b.0.saturating_sub(a.0)).filter(|ms| *ms > 0).collect();
        intervals.sort_unstable();
        intervals.get(intervals.len() / 2).copied().filter(|_| intervals.len() >= INTERVALS_MIN)
    }

    /// Since when it is silent beyond its rhythm; none if it is not. `last` is when a bundle of it was last taken in.
    #[must_use]
    pub fn silent_since(&self, last: Option<TimeMs>, now: TimeMs) -> Option<TimeMs> {
        let heard = self.times.iter().copied().chain(last).filter(|time| *time <= now).max();
        let since = heard.or(self.admitted.filter(|time| *time <= now))?;
        let usual = self.rhythm_ms().map(|rhythm| rhythm.saturating_mul(RHYTHMS).max(SILENT_MS_MIN));
        (now.0.saturating_sub(since.0) > usual.unwrap_or(SILENT_WITHOUT_RHYTHM_MS)).then_some(since)
    }

    fn to_text(&self) -> String {
        let admitted = self.admitted.map_or_else(|| "-".to_owned(), |time| time.to_string());
        self.times.iter().fold(admitted, |text, time| format!("{text}\n{time}"))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let time = |line: &str| Some(TimeMs(line.parse().ok()?));
        let admitted = match lines.next()? {
            "-" => None,
            line => Some(time(line)?),
        };
        Some(Self { admitted, times: lines.map(time).collect::<Option<_>>()? })
    }
}

fn setting(link: LinkId) -> String {
    format!("contacts_{link}")
}

/// What is known of a neighbour's contacts.
///
/// # Errors
/// The engine's.
pub fn read(store: &mut dyn Store, link: LinkId) -> Result<Contacts, StoreError> {
    let Some(bytes) = store.setting(&setting(link))? else { return Ok(Contacts::default()) };
    let contacts = std::str::from_utf8(&bytes).ok().and_then(Contacts::from_text);
    contacts.ok_or_else(|| damaged("the contacts with a neighbour", "it is no list of times"))
}

/// Notes that a link is made now. Needs a write transaction.
///
/// # Errors
/// The engine's.
pub fn admitted(store: &mut dyn Store, link: LinkId, now: TimeMs) -> Result<(), StoreError> {
    let contacts = Contacts { admitted: Some(now), times: Vec::new() };
    store.set_setting(&setting(link), contacts.to_text().as_bytes())
}

/// Notes that a neighbour is heard of now. Needs a write transaction.
///
/// # Errors
/// The engine's.
pub fn note(store: &mut dyn Store, link: LinkId, now: TimeMs) -> Result<(), StoreError> {
    let mut contacts = read(store, link)?;
    if contacts.times.last().is_some_and(|last| now.0.abs_diff(last.0) < APART_MS.unsigned_abs()) {
        return Ok(());
    }
    contacts.times.push(now);
    let too_many = contacts.times.len().saturating_sub(TIMES_MAX);
    contacts.times.drain(..too_many);
    store.set_setting(&setting(link), contacts.to_text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_256_100_000;

    /// On these days.
    fn contacts(days: &[i64]) -> Contacts {
        Contacts { admitted: Some(day(0)), times: days.iter().map(|at| day(*at)).collect() }
    }

    fn day(day: i64) -> TimeMs {
        TimeMs(START + day * DAY_MS)
    }

    #[test]
    fn a_rhythm_is_the_usual_interval_once_three_are_known() {
        assert_eq!(contacts(&[1, 3, 5]).rhythm_ms(), None);
        assert_eq!(contacts(&[1, 3, 5, 7]).rhythm_ms(), Some(2 * DAY_MS));
        assert_eq!(contacts(&[1, 3, 5, 40, 42]).rhythm_ms(), Some(2 * DAY_MS), "one long silence is no rhythm");
        assert_eq!(contacts(&[1, 3, 5, -20_000, 7, 9]).rhythm_ms(), Some(2 * DAY_MS), "a clock that jumped");
        assert_eq!(contacts(&[]).rhythm_ms(), None);
    }

    #[test]
    fn silence_is_three_times_the_rhythm_and_more_than_a_day() {
        let every_two = contacts(&[1, 3, 5, 7]);
        assert_eq!(every_two.silent_since(Some(day(7)), day(13)), None);
        let later = TimeMs(day(13).0 + 1);
        assert_eq!(every_two.silent_since(Some(day(7)), later), Some(day(7)));
        assert_eq!(every_two.silent_since(Some(day(8)), later), None, "the last bundle counts too");
        let hourly = Contacts { admitted: None, times: (0..9).map(|hour| TimeMs(START + hour * HOUR_MS)).collect() };
        let last = *hourly.times.last().unwrap();
        assert_eq!(hourly.silent_since(None, TimeMs(last.0 + DAY_MS)), None);
        assert_eq!(hourly.silent_since(None, TimeMs(last.0 + DAY_MS + 1)), Some(last));
    }

    #[test]
    fn who_has_no_rhythm_yet_is_waited_for_two_weeks() {
        assert_eq!(contacts(&[]).silent_since(None, day(14)), None);
        assert_eq!(contacts(&[]).silent_since(None, day(15)), Some(day(0)));
        assert_eq!(contacts(&[1, 2]).silent_since(Some(day(2)), day(16)), None);
        assert_eq!(contacts(&[1, 2]).silent_since(Some(day(2)), day(17)), Some(day(2)));
        assert_eq!(Contacts::default().silent_since(None, day(1_000)), None, "nobody knows since when");
    }

    #[test]
    fn a_contact_in_the_future_hides_no_silence() {
        let ahead = contacts(&[1, 3, 5, 7, 5_000]);
        assert_eq!(ahead.silent_since(Some(day(5_000)), day(30)), Some(day(7)));
        assert_eq!(contacts(&[5_000]).silent_since(Some(day(5_000)), day(30)), Some(day(0)), "since it was admitted");
    }

    #[test]
    fn they_come_back_from_their_text() {
        for known in [contacts(&[1, 3]), contacts(&[]), Contacts { admitted: None, times: vec![TimeMs(-5)] }] {
            assert_eq!(Contacts::from_text(&known.to_text()), Some(known));
        }
        assert_eq!(Contacts::from_text(""), None);
        assert_eq!(Contacts::from_text("-\nx"), None);
    }
}
