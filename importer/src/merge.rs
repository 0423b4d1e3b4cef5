//! The decision about one column: two short lists, by version. Pure: no database in it.
//!
//! Versions decide, never clocks: `new`, `base` and `loc` are versions; the effective time only breaks ties
//! between truly concurrent edits.

use saddlebag_formats::{ColumnState, LinkId, Seq, TimeMs, Value, Version};
use saddlebag_stores::raise::{base_for_next, is_unacknowledged};

/// Which end of the link this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The change comes from a satellite: this node decides.
    Central,
    /// The change comes from this node's central: a satellite never decides.
    Satellite,
}

/// Where a change comes from and where this node stands.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Which end of the link this node is.
    pub side: Side,
    /// The link that the change came over.
    pub link: LinkId,
    /// The link to this node's own central.
    pub uplink: Option<LinkId>,
    /// How far that central has acknowledged this node's feed.
    pub acknowledged: Seq,
}

/// A column's value as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// The value.
    pub value: Value,
    /// When and where it was written.
    pub version: Version,
    /// The version that it overwrote; none if the sender created the record.
    pub base: Option<Version>,
    /// The time that counts, where it is not the version's own.
    pub effective: Option<TimeMs>,
    /// For a value that was held: how much of this node's feed its sender had applied when it wrote it. None for one
    /// that came just now, whose bundle acknowledges just that.
    pub known: Option<Seq>,
}

/// A column's value as it stands here.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// The value.
    pub value: &'a Value,
    /// What is known of it.
    pub state: &'a ColumnState,
    /// Whether the value is what the column has when nobody says anything: its default.
    pub is_default: bool,
    /// Whether what came is that default.
    pub came_default: bool,
}

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This very version stands here.
    Same,
    /// The value and version that came stand from now on.
    Taken,
    /// This satellite's own unacknowledged value stands until its central decides.
    Kept,
    /// What stands here stands, and goes back to where the other came from.
    Returned,
    /// Two places wrote without having seen each other.
    Conflict {
        /// Whether what came stands from now on.
        incoming_wins: bool,
    },
}

/// Decides about one column.
#[must_use]
pub fn merge(setting: &Setting, new: &New, local: Local<'_>) -> Outcome {
    if new.version == local.state.version {
        return Outcome::Same;
    }
    // What was written here after a held value's sender last heard of this node has been, or will be, decided
    // elsewhere: an acknowledgement that came since says nothing of the held value.
    let acknowledged = setting.acknowledged.min(new.known.unwrap_or(setting.acknowledged));
    match setting.side {
        Side::Satellite if is_unacknowledged(local.state, setting.uplink, acknowledged) => Outcome::Kept,
        Side::Satellite => Outcome::Taken,
        Side::Central => decide(setting, new, local),
    }
}

/// The list of a central, first that fits.
fn decide(setting: &Setting, new: &New, local: Local<'_>) -> Outcome {
    let loc = local.state.version;
    // "loc = base, or loc came over the same link: taken"
    if new.base == Some(loc) || local.state.source == Some(setting.link) {
        return Outcome::Taken;
    }
    // What setup found there is what was overwritten here.
    if new.version.is_found() && local.state.base == Some(new.version) {
        return Outcome::Returned;
    }
    // One writer writes a record in order, each time upon what it wrote before.
    if new.version.writer == loc.writer && !new.version.is_found() {
        return if new.version > loc { Outcome::Taken } else { Outcome::Returned };
    }
    // "values equal: the later version, no conflict"
    if new.value == *local.value {
        return if new.version > loc { Outcome::Taken } else { Outcome::Returned };
    }
    // "where both ends created a record, null or the column's default gives way without a conflict"
    if new.base.is_none() && local.is_default {
        return Outcome::Taken;
    }
    if new.base.is_none() && local.came_default {
        return Outcome::Returned;
    }
    let time = new.effective.unwrap_or(new.version.time);
    let incoming_wins = (time, new.version) > (local.state.effective_time(), loc);
    Outcome::Conflict { incoming_wins }
}

/// What is known of a column whose incoming value was taken.
#[must_use]
pub fn taken(setting: &Setting, new: &New, local: Option<&ColumnState>, seq: Seq) -> ColumnState {
    // Only a node with a central of its own needs to know what its change was based on.
    let base = match (setting.side, setting.uplink) {
        (Side::Central, Some(_)) => local.and_then(|state| base_for_next(state, setting.uplink, setting.acknowledged)),
        // Other places may still send what was overwritten, if setup found it there.
        (Side::Central, None) => {
            let found = |base: Option<Version>| base.filter(|base| base.is_found());
            found(new.base).or_else(|| found(local.and_then(|state| state.base)))
        }
        _ => None,
    };
    // A satellite may have gone on since it sent what was held: it is told what stands.
    let source = Some(setting.link).filter(|_| setting.side == Side::Satellite || new.known.is_none());
    ColumnState { version: new.version, effective: new.effective, seq, source, base }
}

/// What is known of a column whose value stands and must reach the link that sent another one.
#[must_use]
pub fn returned(local: &ColumnState, setting: &Setting, seq: Seq) -> ColumnState {
    let source = local.source.filter(|source| *source != setting.link);
    ColumnState { seq, source, ..*local }
}

/// The effective time of a version in a bundle whose sender's clock was `ahead_ms` ahead of this node's: shifted
/// back by the difference, "never below base + 1".
#[must_use]
pub fn effective_time(version: Version, base: Option<Version>, ahead_ms: i64) -> Option<TimeMs> {
    if ahead_ms <= 0 {
        return None;
    }
    let least = base.map_or(TimeMs(0), |base| TimeMs(base.time.0.saturating_add(1)));
    let shifted = TimeMs(version.time.0.saturating_sub(ahead_ms)).max(least);
    (shifted < version.time).then_some(shifted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::{Epoch, NodeId, Writer};

    fn version(time: i64, node: u8) -> Version {
        Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } }
    }

    fn state(version: Version, source: Option<u32>, seq: u64) -> ColumnState {
        ColumnState { version, effective: None, seq: Seq(seq), source: source.map(LinkId), base: None }
    }

    fn new(value: i64, version: Version, base: Option<Version>) -> New {
        New { value: Value::Integer(value), version, base, effective: None, known: None }
    }

    fn central() -> Setting {
        Setting { side: Side::Central, link: LinkId(1), uplink: None, acknowledged: Seq(0) }
    }

    fn satellite(acknowledged: u64) -> Setting {
        let link = LinkId(1);
        Setting { side: Side::Satellite, link, uplink: Some(link), acknowledged: Seq(acknowledged) }
    }

    fn outcome(setting: &Setting, new: &New, value: i64, state: &ColumnState) -> Outcome {
        let value = Value::Integer(value);
        merge(setting, new, Local { value: &value, state, is_default: false, came_default: new.value.is_null() })
    }

    #[test]
    fn a_central_takes_what_was_based_on_what_it_has() {
        let seen = version(10, 9);
        let new = new(2, version(5, 1), Some(seen));
        assert_eq!(outcome(&central(), &new, 1, &state(seen, None, 1)), Outcome::Taken, "though its clock is behind");
    }

    #[test]
    fn a_central_takes_what_replaces_the_same_links_own() {
        let new = new(3, version(20, 1), Some(version(1, 9)));
        assert_eq!(outcome(&central(), &new, 2, &state(version(10, 1), Some(1), 1)), Outcome::Taken);
        let other = outcome(&central(), &new, 2, &state(version(10, 2), Some(2), 1));
        assert_eq!(other, Outcome::Conflict { incoming_wins: true });
    }

    #[test]
    fn a_writer_has_seen_what_it_wrote_itself() {
        let later = new(3, version(20, 1), Some(version(1, 9)));
        assert_eq!(outcome(&central(), &later, 2, &state(version(10, 1), None, 1)), Outcome::Taken);
        assert_eq!(outcome(&central(), &later, 2, &state(version(30, 1), Some(2), 1)), Outcome::Returned);
    }

    #[test]
    fn of_equal_values_the_later_version_stands_without_a_conflict() {
        let new = new(2, version(20, 1), Some(version(1, 9)));
        assert_eq!(outcome(&central(), &new, 2, &state(version(10, 2), Some(2), 1)), Outcome::Taken);
        assert_eq!(outcome(&central(), &new, 2, &state(version(30, 2), Some(2), 1)), Outcome::Returned);
    }

    #[test]
    fn a_conflict_goes_to_the_newest_by_effective_time() {
        let mut new = new(2, version(20, 1), Some(version(1, 9)));
        let standing = state(version(10, 2), Some(2), 1);
        assert_eq!(outcome(&central(), &new, 1, &standing), Outcome::Conflict { incoming_wins: true });
        new.effective = Some(TimeMs(9));
        assert_eq!(outcome(&central(), &new, 1, &standing), Outcome::Conflict { incoming_wins: false });
    }

    #[test]
    fn where_both_created_a_record_null_and_default_give_way() {
        let here = state(version(0, 9), None, 1);
        let came = new(2, version(0, 1), None);
        let null = Value::Null;
        let local = Local { value: &null, state: &here, is_default: true, came_default: false };
        assert_eq!(merge(&central(), &came, local), Outcome::Taken);
        let came_null = New { value: Value::Null, ..came };
        assert_eq!(outcome(&central(), &came_null, 5, &here), Outcome::Returned);
        // An edit to null is an edit.
        let edit = New { base: Some(version(3, 1)), ..came_null };
        assert!(matches!(outcome(&central(), &edit, 5, &here), Outcome::Conflict { .. }));
    }

    #[test]
    fn a_satellite_keeps_its_own_until_it_is_acknowledged_and_never_decides() {
        let mine = state(version(10, 1), None, 7);
        let new = new(2, version(5, 2), None);
        assert_eq!(outcome(&satellite(6), &new, 1, &mine), Outcome::Kept);
        assert_eq!(outcome(&satellite(7), &new, 1, &mine), Outcome::Taken);
        let from_central = state(version(10, 9), Some(1), 7);
        assert_eq!(outcome(&satellite(6), &new, 1, &from_central), Outcome::Taken);
    }

    #[test]
    fn a_held_value_does_not_overwrite_what_its_central_had_not_seen() {
        let mine = state(version(10, 1), None, 7);
        let held = New { known: Some(Seq(5)), ..new(2, version(5, 2), None) };
        assert_eq!(outcome(&satellite(7), &held, 1, &mine), Outcome::Kept);
        let later = New { known: Some(Seq(7)), ..held };
        assert_eq!(outcome(&satellite(9), &later, 1, &mine), Outcome::Taken);
    }

    #[test]
    fn what_a_central_takes_from_what_was_held_goes_to_all() {
        let held = New { known: Some(Seq(5)), ..new(2, version(5, 2), None) };
        assert_eq!(taken(&central(), &held, None, Seq(9)).source, None);
        assert_eq!(taken(&central(), &New { known: None, ..held }, None, Seq(9)).source, Some(LinkId(1)));
    }

    #[test]
    fn the_very_same_version_is_nothing_new() {
        let same = version(10, 2);
        assert_eq!(outcome(&central(), &new(1, same, None), 1, &state(same, Some(2), 1)), Outcome::Same);
        assert_eq!(outcome(&satellite(0), &new(1, same, None), 1, &state(same, None, 1)), Outcome::Same);
    }

    #[test]
    fn a_clock_in_2040_is_shifted_back_but_not_before_what_it_overwrote() {
        let ahead = 441_763_200_000;
        let late = version(2_209_000_000_000, 1);
        assert_eq!(effective_time(late, None, ahead), Some(TimeMs(1_767_236_800_000)));
        let base = version(1_999_000_000_000, 2);
        assert_eq!(effective_time(late, Some(base), ahead), Some(TimeMs(1_999_000_000_001)));
        assert_eq!(effective_time(late, None, 0), None);
        assert_eq!(effective_time(version(0, 1), None, ahead), None);
    }

    #[test]
    fn a_district_remembers_what_a_change_from_below_was_based_on() {
        let setting = Setting { uplink: Some(LinkId(5)), acknowledged: Seq(3), ..central() };
        let new = new(2, version(20, 1), None);
        let acknowledged = state(version(10, 9), None, 3);
        assert_eq!(taken(&setting, &new, Some(&acknowledged), Seq(8)).base, Some(version(10, 9)));
        let pending = ColumnState { seq: Seq(4), base: Some(version(2, 9)), ..acknowledged };
        assert_eq!(taken(&setting, &new, Some(&pending), Seq(8)).base, Some(version(2, 9)));
    }
}
