//! Changes of a record that is here.

use saddlebag_stores::config::ConflictPolicy;

use super::*;

/// What stands here was written by another satellite, and seen by nobody who sends.
fn unseen() -> ColumnState {
    state(version(10, 2), Some(OTHER), 5)
}

fn on(record: Record, setting: Setting, incoming: &Incoming) -> Planned {
    plan(&patients(), setting, incoming, Some(&Known::Live(record)))
}

fn one(column: (String, IncomingColumn)) -> Incoming {
    writes(false, [column])
}

/// The columns and the sides of the conflicts of a write: what stands and what lost.
fn conflicts(write: &Write) -> Vec<(&str, Version, Version)> {
    let sides = |conflict: &Conflict| (conflict.winner.version, conflict.loser.version);
    write.conflicts.iter().map(|c| (c.column.as_deref().unwrap_or_default(), sides(c).0, sides(c).1)).collect()
}

#[test]
fn what_is_known_already_says_nothing() {
    let (same, seen) = (version(10, 2), state(version(10, 2), Some(OTHER), 5));
    assert!(matches!(on(stands(seen), central(), &one(came("name", "Ann", same, None))), Planned::Nothing));
}

#[test]
fn what_was_written_upon_what_stands_is_taken_with_its_value() {
    let edit = one(came("name", "Anna", version(20, 1), Some(version(10, 2))));
    let write = written(on(stands(unseen()), central(), &edit));
    assert_eq!(write.values, BTreeMap::from([(NAME, text("Anna"))]));
    assert_eq!(write.hash, patients().row_hash(UID, &[text("K1"), text("Anna"), text("123")]));
    assert_eq!(*write.state.of(8), state(version(20, 1), Some(LINK), SEQ.0));
    assert_eq!(*write.state.of(9), unseen(), "no other column is touched");
    assert!(write.conflicts.is_empty());
}

#[test]
fn an_equal_value_is_not_written_again() {
    let edit = one(came("name", "Ann", version(20, 1), Some(version(10, 2))));
    let write = written(on(stands(unseen()), central(), &edit));
    assert!(write.values.is_empty());
    assert_eq!(write.state.of(8).version, version(20, 1));
}

#[test]
fn each_column_is_decided_about_by_itself() {
    let edits = [
        came("name", "Anna", version(20, 1), Some(version(1, 9))),
        came("phone", "456", version(20, 1), Some(version(10, 2))),
    ];
    let write = written(on(stands(unseen()), central(), &writes(false, edits)));
    assert_eq!(conflicts(&write), [("name", version(20, 1), version(10, 2))]);
    assert_eq!(write.values.into_values().collect::<Vec<_>>(), [text("Anna"), text("456")]);
}

#[test]
fn of_columns_together_those_that_differ_are_told() {
    let table = TrackedTable { together: vec![vec![8, 7]], ..patients() };
    let edits = [
        came("name", "Anna", version(20, 1), Some(version(1, 9))),
        came("phone", "123", version(20, 1), Some(version(10, 2))),
    ];
    let here = Known::Live(stands(unseen()));
    let write = written(plan(&table, central(), &writes(false, edits.clone()), Some(&here)));
    assert_eq!(conflicts(&write), [("name", version(20, 1), version(10, 2))]);
    // Each end is ahead in one of them: neither is taken without the other.
    let ahead = [edits[0].clone(), came("phone", "456", version(20, 1), Some(version(10, 2)))];
    let mut asks = table.clone();
    asks.columns.iter_mut().for_each(|column| column.conflicts = ConflictPolicy::Central);
    let write = written(plan(&asks, central(), &writes(false, ahead), Some(&here)));
    assert_eq!(conflicts(&write).len(), 2);
    assert!(write.values.is_empty(), "one of them was not seen, so both stay");
}

#[test]
fn a_satellite_takes_what_it_may_take_of_columns_together() {
    let table = TrackedTable { together: vec![vec![8, 7]], ..patients() };
    let mut record = stands(state(version(10, 9), Some(LINK), 5));
    record.state.set(8, state(version(12, 1), None, 6));
    let edits = [came("name", "Anna", version(20, 9), None), came("phone", "456", version(20, 9), None)];
    let write = written(plan(&table, satellite(5), &writes(false, edits), Some(&Known::Live(record))));
    assert_eq!(write.values, BTreeMap::from([(PHONE, text("456"))]), "its own name stands until it is acknowledged");
}

#[test]
fn a_column_of_which_nothing_is_known_is_taken() {
    let record = || Record { unknown: vec![7], ..stands(unseen()) };
    let edit = one(came("phone", "456", version(5, 1), Some(version(1, 9))));
    let write = written(on(record(), central(), &edit));
    assert_eq!(write.values, BTreeMap::from([(PHONE, text("456"))]));
    assert_eq!(*write.state.of(7), state(version(5, 1), Some(LINK), SEQ.0));
    let merged = Incoming { merged_from: Some(Uid([8; 16])), ..edit };
    let write = written(on(record(), central(), &merged));
    assert_eq!(write.state.of(7).source, None, "its sender may have it in the record that goes");
}

#[test]
fn the_record_that_goes_on_keeps_its_name() {
    let merged = |column| Incoming { merged_from: Some(Uid([8; 16])), ..one(column) };
    let upon = Some(version(10, 2));
    let other_name = written(on(stands(unseen()), central(), &merged(came("code", "K2", version(20, 1), upon))));
    assert!(other_name.values.is_empty());
    assert_eq!(conflicts(&other_name), [("code", version(10, 2), version(20, 1))]);
    assert_eq!(other_name.conflicts[0].rule, ConflictRule::SameAs);
    for (index, column) in
        [(CODE, came("code", "K1", version(20, 1), upon)), (NAME, came("name", "Jo", version(20, 1), upon))]
    {
        let write = written(on(stands(unseen()), central(), &merged(column)));
        assert!(write.conflicts.is_empty());
        let taken = write.state.of(patients().columns[index].id);
        assert_eq!((taken.version, taken.source), (version(20, 1), None), "its sender may have both records yet");
    }
}

#[test]
fn a_name_that_was_corrected_is_taken_like_any_other_value() {
    let corrected = one(came("code", "K2", version(20, 1), Some(version(10, 2))));
    let write = written(on(stands(unseen()), central(), &corrected));
    assert_eq!(write.values, BTreeMap::from([(CODE, text("K2"))]));
    assert!(write.conflicts.is_empty());
}

/// "A creation whose natural values differ from those of the live record with that uid is another record."
#[test]
fn a_creation_under_a_name_that_was_corrected_away_is_another_record() {
    let created = came("code", "K2", version(20, 1), None);
    let is_other = |record: Record, setting: Setting, incoming: &Incoming| {
        let planned = on(record, setting, incoming);
        matches!(planned, Planned::Hold(HeldKind::Quarantined, reason) if reason.contains("another record of `patient`"))
    };
    let creation = one(created.clone());
    assert!(is_other(stands(unseen()), central(), &creation));
    assert!(!is_other(stands(unseen()), satellite(9), &creation), "a satellite never decides");
    let merged = Incoming { merged_from: Some(Uid([8; 16])), ..creation.clone() };
    assert!(!is_other(stands(unseen()), central(), &merged), "a person said that it is the same");
    let edit = one(came("code", "K2", version(20, 1), Some(version(1, 9))));
    assert!(!is_other(stands(unseen()), central(), &edit), "an edit is no creation");
    assert!(!is_other(stands(unseen()), central(), &one(came("code", "K1", version(20, 1), None))), "the same name");
    assert!(!is_other(stands(unseen()), central(), &one(came("name", "Jo", version(20, 1), None))), "no name");
    let known = |state| stands(state);
    assert!(!is_other(known(state(version(10, 1), Some(LINK), 5)), central(), &creation), "its sender's own");
    assert!(!is_other(known(state(version(20, 1), Some(OTHER), 5)), central(), &creation), "this very version");
    let corrected_here = ColumnState { base: Some(version(20, 1)), ..unseen() };
    assert!(!is_other(known(corrected_here), central(), &creation), "it was corrected here");
}
