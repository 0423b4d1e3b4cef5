//! The decision, case by case.

use saddlebag_formats::{Epoch, NodeId};

use super::*;

const ME: Writer = Writer { node: NodeId([9; 16]), epoch: Epoch(1) };

fn version(time: i64, node: u8) -> Version {
    Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } }
}

fn state(version: Version, source: Option<u32>, seq: u64) -> ColumnState {
    ColumnState { source: source.map(LinkId), ..ColumnState::new(version, Seq(seq)) }
}

fn new(value: i64, version: Version, base: Option<Version>) -> New {
    New { value: Value::Integer(value), version, base, effective: None, known: None }
}

fn central() -> Setting {
    Setting {
        side: Side::Central,
        link: LinkId(1),
        uplink: None,
        acknowledged: Seq(0),
        me: ME,
        went_on_from: Seq(0),
        left: None,
        is_late: false,
    }
}

fn satellite(acknowledged: u64) -> Setting {
    let link = LinkId(1);
    Setting { side: Side::Satellite, link, uplink: Some(link), acknowledged: Seq(acknowledged), ..central() }
}

fn outcome(setting: &Setting, new: &New, value: i64, state: &ColumnState) -> Outcome {
    by(ConflictPolicy::Newest, setting, new, value, state)
}

fn by(policy: ConflictPolicy, setting: &Setting, new: &New, value: i64, state: &ColumnState) -> Outcome {
    let value = Value::Integer(value);
    let local = Local { value: &value, state, is_default: false, came_default: new.value.is_null() };
    merge(setting, Treatment { policy, is_quiet: false }, &[Pair { new, local }])
}

fn conflict(incoming_wins: bool, rule: ConflictRule) -> Outcome {
    Outcome::Conflict { incoming_wins, rule }
}

#[test]
fn what_was_written_upon_a_deletion_has_seen_what_only_stands_again_after_it() {
    let deletion = version(5, 3);
    let stands_again = ColumnState { alike: Some(deletion), ..state(version(4, 1), Some(2), 7) };
    let upon = |base| new(2, version(7, 2), Some(base));
    let concurrent = conflict(true, ConflictRule::Newest);
    assert_eq!(outcome(&central(), &upon(deletion), 1, &stands_again), Outcome::Taken);
    assert_eq!(outcome(&central(), &upon(version(5, 4)), 1, &stands_again), Outcome::Taken, "upon another deletion");
    assert_eq!(outcome(&central(), &upon(version(3, 4)), 1, &stands_again), concurrent, "upon what was there before");
    assert_eq!(outcome(&central(), &new(2, version(7, 2), None), 1, &stands_again), concurrent, "upon nothing");
    let edited_since = state(version(6, 1), Some(2), 7);
    assert_eq!(outcome(&central(), &upon(deletion), 1, &edited_since), concurrent);
    let found = Version::found(7);
    let of_found = ColumnState { alike: Some(deletion), ..state(Version::found(9 << 40), Some(2), 7) };
    assert_eq!(
        outcome(&central(), &upon(Version::found(7)), 1, &of_found),
        concurrent,
        "upon what was found elsewhere"
    );
    let upon_found = ColumnState { base: Some(found), ..state(version(4, 1), Some(2), 7) };
    assert_eq!(outcome(&central(), &upon(found), 1, &upon_found), concurrent, "both were written upon what was found");
}

#[test]
fn what_is_taken_keeps_what_others_must_know_of_it() {
    let effective = Some(TimeMs(3));
    let with = |base| New { effective, ..new(2, version(6, 2), base) };
    let of = |source, base| ColumnState { effective, source, base, ..ColumnState::new(version(6, 2), Seq(9)) };
    let (lost, link, seen) = (Some(Version::YOURS), Some(LinkId(1)), Some(version(4, 1)));
    assert_eq!(
        taken(&satellite(0), &with(lost), None, Seq(9)),
        of(None, lost),
        "it was held until its central lost it"
    );
    assert_eq!(taken(&satellite(0), &with(seen), None, Seq(9)), of(link, None));
    assert_eq!(taken(&central(), &with(seen), None, Seq(9)), of(link, None));
    let (found, other) = (Some(Version::found(7)), Some(Version::found(8)));
    let stood = ColumnState { base: other, ..state(version(4, 1), Some(2), 7) };
    assert_eq!(taken(&central(), &with(found), Some(&stood), Seq(9)), of(link, found));
    assert_eq!(taken(&central(), &with(seen), Some(&stood), Seq(9)), of(link, other), "others may still send it");
}

#[test]
fn whoever_saw_one_of_two_equal_values_has_seen_both() {
    let (one, other) = (version(4, 2), version(5, 3));
    let (equal, earlier, differs) = (new(1, other, None), new(1, version(3, 3), None), new(2, other, None));
    let (value, stands) = (Value::Integer(1), state(one, Some(2), 7));
    let pair = |new, state| Pair { new, local: Local { value: &value, state, is_default: false, came_default: false } };
    for setting in [central(), Setting { uplink: Some(LinkId(8)), ..central() }] {
        assert_eq!(outcome(&setting, &equal, 1, &stands), Outcome::Taken);
        let (taken, _) = after(Outcome::Taken, &setting, &pair(&equal, &stands), Seq(9)).unwrap();
        assert_eq!((taken.version, taken.alike), (other, Some(one)));
        let over_another_link = Setting { link: LinkId(3), ..setting };
        let upon_one = new(2, version(6, 4), Some(one));
        assert_eq!(outcome(&over_another_link, &upon_one, 1, &taken), Outcome::Taken);
        let upon_another = new(2, version(6, 4), Some(version(3, 2)));
        assert_eq!(outcome(&over_another_link, &upon_another, 1, &taken), conflict(true, ConflictRule::Newest));

        let (stays, _) = after(Outcome::Returned, &setting, &pair(&earlier, &stands), Seq(9)).unwrap();
        assert_eq!((stays.version, stays.alike), (one, Some(version(3, 3))));
        let (taken, _) = after(Outcome::Taken, &setting, &pair(&differs, &stands), Seq(9)).unwrap();
        assert_eq!(taken.alike, None, "another value");
    }
}

#[test]
fn what_a_node_wrote_before_its_database_went_back_was_not_seen_by_what_it_wrote_after() {
    let before = new(2, version(5, 9), Some(Version::YOURS));
    let since = state(version(6, 9), None, 7);
    let anew = Setting { me: Writer { epoch: Epoch(2), ..ME }, ..central() };
    assert_eq!(outcome(&central(), &before, 1, &since), Outcome::Returned, "one history");
    assert_eq!(outcome(&anew, &before, 1, &since), conflict(false, ConflictRule::Newest));
}

#[test]
fn what_came_over_a_link_was_seen_by_whoever_sends_over_it_also_after_it_was_asserted_against_all() {
    let edited = new(2, version(5, 2), None);
    let concurrent = conflict(true, ConflictRule::Newest);
    let asserted = state(version(4, 1), Some(1), 7).asserted(None);
    assert_eq!((asserted.source, asserted.origin), (None, Some(LinkId(1))));
    assert_eq!(outcome(&central(), &edited, 1, &asserted), Outcome::Taken);
    assert_eq!(outcome(&central(), &edited, 1, &state(version(4, 1), Some(2), 7).asserted(None)), concurrent);
    let late = Setting { is_late: true, ..central() };
    assert_eq!(outcome(&late, &edited, 1, &asserted), concurrent, "an earlier history has not seen it");
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
    assert_eq!(other, conflict(true, ConflictRule::Newest));
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
    assert_eq!(outcome(&central(), &new, 1, &standing), conflict(true, ConflictRule::Newest));
    new.effective = Some(TimeMs(9));
    assert_eq!(outcome(&central(), &new, 1, &standing), conflict(false, ConflictRule::Newest));
}

#[test]
fn the_rule_of_the_column_decides_a_conflict() {
    use ConflictPolicy::{Ask, Central, Satellite};
    let old = new(2, version(5, 1), Some(version(1, 9)));
    let of_satellite = state(version(10, 2), Some(2), 1);
    let own = state(version(10, 9), None, 1);
    for standing in [&of_satellite, &own] {
        let late = New { version: version(50, 1), ..old.clone() };
        assert_eq!(by(Central, &central(), &late, 1, standing), conflict(false, ConflictRule::Central));
        assert_eq!(by(Ask, &central(), &late, 1, standing), conflict(false, ConflictRule::Ask));
    }
    assert_eq!(by(Satellite, &central(), &old, 1, &own), conflict(true, ConflictRule::Satellite));
    assert_eq!(by(Satellite, &central(), &old, 1, &of_satellite), conflict(false, ConflictRule::Newest));
    // A district: what came from above is no satellite's, and its own central decides about that.
    let district = Setting { uplink: Some(LinkId(7)), ..central() };
    let from_above = state(version(10, 5), Some(7), 1);
    assert_eq!(by(Satellite, &district, &old, 1, &from_above), conflict(true, ConflictRule::Satellite));
    assert_eq!(by(Satellite, &central(), &old, 1, &from_above), conflict(false, ConflictRule::Newest));
}

#[test]
fn of_a_quiet_column_the_newest_stands_and_nothing_is_said() {
    let quiet = Treatment { policy: ConflictPolicy::Ask, is_quiet: true };
    let (value, standing) = (Value::Integer(1), state(version(10, 2), Some(2), 1));
    let local = Local { value: &value, state: &standing, is_default: false, came_default: false };
    let outcome = |time| merge(&central(), quiet, &[Pair { new: &new(2, version(time, 1), None), local }]);
    assert_eq!((outcome(20), outcome(5)), (Outcome::Taken, Outcome::Returned));
}

/// Two columns as one value: what came of each, and what stands.
fn together(pairs: [(New, i64, ColumnState); 2]) -> Outcome {
    let values = pairs.each_ref().map(|(_, value, _)| Value::Integer(*value));
    let pair = |at: usize| {
        let (new, _, state) = &pairs[at];
        Pair { new, local: Local { value: &values[at], state, is_default: false, came_default: false } }
    };
    merge(&central(), Treatment::default(), &[pair(0), pair(1)])
}

#[test]
fn columns_together_have_one_outcome() {
    let (seen, other) = (state(version(1, 9), None, 1), state(version(10, 2), Some(2), 1));
    let came = |value| new(value, version(20, 1), Some(version(1, 9)));
    assert_eq!(together([(came(2), 1, seen), (came(3), 3, seen)]), Outcome::Taken);
    let mixed = together([(came(2), 1, seen), (came(3), 4, other)]);
    assert_eq!(mixed, conflict(true, ConflictRule::Newest), "one of them is a conflict, so both are");
    assert_eq!(together([(came(2), 2, other), (came(3), 3, other)]), Outcome::Taken, "both are equal");
    let half = together([(came(2), 2, other), (came(3), 4, other)]);
    assert_eq!(half, conflict(true, ConflictRule::Newest), "one of them is not equal");
    // Each end is ahead in one of them.
    let later = state(version(30, 1), Some(2), 1);
    assert!(matches!(together([(came(2), 1, seen), (came(3), 4, later)]), Outcome::Conflict { .. }));
    let same = state(version(20, 1), Some(1), 1);
    assert_eq!(together([(came(2), 2, same), (came(3), 3, same)]), Outcome::Same);
    assert_eq!(together([(came(2), 2, same), (came(3), 1, seen)]), Outcome::Taken);
}

#[test]
fn of_columns_together_neither_of_which_is_later_what_stands_stays() {
    let same = state(version(40, 1), None, 1);
    let (came, standing) = (|value, time| new(value, version(time, 1), None), state(version(30, 2), Some(2), 1));
    assert_eq!(together([(came(2, 40), 2, same), (came(3, 20), 3, standing)]), Outcome::Returned, "equal values");
    let differing = together([(came(2, 40), 2, same), (came(3, 20), 4, standing)]);
    assert_eq!(differing, conflict(false, ConflictRule::Newest));
}

#[test]
fn what_came_from_a_satellite_does_not_give_way_to_another_one() {
    let came = new(2, version(20, 1), None);
    let rule = |standing| by(ConflictPolicy::Satellite, &central(), &came, 1, &standing);
    let by_rule = conflict(true, ConflictRule::Satellite);
    assert_eq!(rule(state(version(10, 9), None, 1)), by_rule, "written here");
    assert_eq!(rule(state(Version::found(5), None, 1)), by_rule, "found here");
    let newest = conflict(true, ConflictRule::Newest);
    assert_eq!(rule(state(version(10, 2), Some(2), 1)), newest);
    assert_eq!(rule(state(Version::found(5), Some(2), 1)), newest);
    assert_eq!(rule(state(version(10, 2), None, 1)), newest, "though it was asserted here since");
}

#[test]
fn where_both_created_a_record_null_and_default_give_way() {
    let here = state(version(0, 9), None, 1);
    let came = new(2, version(0, 1), None);
    let null = Value::Null;
    let local = Local { value: &null, state: &here, is_default: true, came_default: false };
    let pairs = [Pair { new: &came, local }];
    assert_eq!(merge(&central(), Treatment::default(), &pairs), Outcome::Taken);
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
fn a_district_remembers_what_a_change_from_below_was_based_on() {
    let setting = Setting { uplink: Some(LinkId(5)), acknowledged: Seq(3), ..central() };
    let new = new(2, version(20, 1), None);
    let acknowledged = state(version(10, 9), None, 3);
    assert_eq!(taken(&setting, &new, Some(&acknowledged), Seq(8)).base, Some(version(10, 9)));
    let pending = ColumnState { seq: Seq(4), base: Some(version(2, 9)), ..acknowledged };
    assert_eq!(taken(&setting, &new, Some(&pending), Seq(8)).base, Some(version(2, 9)));
}

#[test]
fn what_a_restored_central_had_itself_comes_back_to_it() {
    let restored = Setting { went_on_from: Seq(10), ..central() };
    let back = new(2, version(20, 3), Some(Version::YOURS));
    let known = state(version(10, 2), Some(2), 10);
    assert_eq!(outcome(&restored, &back, 1, &known), Outcome::Taken);
    let edited_since = ColumnState { seq: Seq(11), ..known };
    assert_eq!(outcome(&restored, &back, 1, &edited_since), conflict(true, ConflictRule::Newest));
    let came_back = taken(&restored, &back, Some(&known), Seq(12));
    let from_another = Setting { link: LinkId(2), ..restored };
    let older = new(3, version(15, 4), Some(Version::YOURS));
    // One of them may have lost against the other, in a list that was lost with the database.
    assert_eq!(outcome(&from_another, &older, 2, &came_back), conflict(false, ConflictRule::Newest));
    let newer = new(3, version(25, 4), Some(Version::YOURS));
    assert_eq!(outcome(&from_another, &newer, 2, &came_back), conflict(true, ConflictRule::Newest));
}

#[test]
fn what_two_copies_of_a_database_wrote_under_one_name_is_a_conflict() {
    let writer = version(0, 1).writer;
    let copied = Setting { left: Some(writer), ..central() };
    let later = new(3, version(20, 1), Some(version(1, 9)));
    let standing = state(version(10, 1), None, 1);
    assert_eq!(outcome(&copied, &later, 2, &standing), conflict(true, ConflictRule::Newest));
    let since = Setting { left: Some(Writer { epoch: Epoch(0), ..writer }), ..central() };
    assert_eq!(outcome(&since, &later, 2, &standing), Outcome::Taken);
}

#[test]
fn what_comes_late_does_not_replace_what_came_after_it() {
    let late = Setting { is_late: true, ..central() };
    let standing = state(version(30, 5), Some(1), 9);
    let came = new(2, version(20, 1), Some(version(1, 9)));
    assert_eq!(outcome(&late, &came, 1, &standing), conflict(false, ConflictRule::Newest));
}

#[test]
fn what_is_returned_goes_back_to_the_link_that_sent_another_and_stays_withheld_from_its_own() {
    let of = |source| returned(&state(version(10, 9), source, 3), &central(), Seq(8));
    assert_eq!((of(Some(2)).source, of(Some(2)).seq), (Some(LinkId(2)), Seq(8)));
    assert_eq!((of(Some(2)).place(true), of(Some(2)).place(false)), (Seq(3), Seq(8)), "a central is told once");
    assert_eq!(returned(&of(None), &central(), Seq(9)).first_place(), Seq(3), "however often it goes back");
    assert_eq!((of(Some(1)).source, of(None).source), (None, None));
}

#[test]
fn what_only_stands_again_gives_way_to_whatever_stands() {
    let stood = version(10, 9);
    let again = new(2, stood, Some(stood));
    assert_eq!(outcome(&central(), &again, 1, &state(version(20, 3), Some(2), 4)), Outcome::Returned);
    assert_eq!(outcome(&central(), &again, 1, &state(version(5, 3), Some(2), 4)), Outcome::Returned);
    assert_eq!(outcome(&central(), &again, 2, &state(stood, Some(2), 4)), Outcome::Same);
}
