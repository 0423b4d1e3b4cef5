//! Deletions of a record that is here.

use saddlebag_formats::Seen;

use super::*;

/// When the record was deleted, by node 1.
fn deleted() -> Version {
    version(30, 1)
}

/// A deletion that had seen this in every column.
fn having_seen(seen: Version, base: Option<Version>) -> Incoming {
    let seen = SeenByName { row: Seen { version: seen, base }, columns: BTreeMap::new() };
    incoming(IncomingAction::Delete { version: deleted(), seen, known: None, same_as: None })
}

fn on(table: &TrackedTable, setting: Setting, state: ColumnState, incoming: &Incoming) -> Planned {
    plan(table, setting, incoming, Some(&Known::Live(stands(state))))
}

/// Whether the record goes, where a deletion that has not seen it is refused.
fn goes(setting: Setting, state: ColumnState, incoming: &Incoming) -> bool {
    match on(&patients(), setting, state, incoming) {
        Planned::Delete(deletion) => {
            assert_eq!((deletion.version, deletion.lost), (deleted(), Vec::new()));
            true
        }
        Planned::Keep(_) | Planned::Nothing => false,
        other => panic!("{other:?}"),
    }
}

/// What stands here, by node 2.
fn standing() -> ColumnState {
    state(version(10, 2), Some(OTHER), 5)
}

#[test]
fn a_satellite_that_went_back_remembers_the_deletion_of_what_it_has_not() {
    let incoming = having_seen(version(10, 2), Some(version(9, 2)));
    let went_back = |setting: Setting| Setting { me: Writer { epoch: Epoch::new(2, 7), ..setting.me }, ..setting };
    let Planned::Remember(kept) = plan(&patients(), went_back(satellite(0)), &incoming, None) else {
        panic!("a satellite of its own may have it");
    };
    let seen = ColumnState { base: Some(version(9, 2)), ..state(version(10, 2), Some(LINK), SEQ.0) };
    let of_it = (kept.uid, kept.table, kept.version, kept.seq, kept.source);
    assert_eq!(of_it, (UID, patients().number, deleted(), SEQ, Some(LINK)));
    assert_eq!((&kept.state, kept.values.len()), (&RowState::uniform(seen), 0));
    let first = Setting { me: Writer { epoch: Epoch::new(1, 7), ..satellite(0).me }, ..satellite(0) };
    for setting in [first, went_back(central())] {
        assert!(matches!(plan(&patients(), setting, &incoming, None), Planned::Nothing));
    }
}

#[test]
fn a_central_deletes_what_the_deletion_had_seen() {
    assert!(goes(central(), standing(), &having_seen(version(10, 2), None)));
    assert!(goes(central(), standing(), &having_seen(version(12, 1), Some(version(10, 2)))), "and written upon");
    assert!(!goes(central(), standing(), &having_seen(version(9, 2), None)));
    let named = SeenByName {
        row: Seen { version: version(10, 2), base: None },
        columns: BTreeMap::from([("phone".to_owned(), Seen { version: version(9, 2), base: None })]),
    };
    let one_unseen = IncomingAction::Delete { version: deleted(), seen: named, known: None, same_as: None };
    assert!(!goes(central(), standing(), &incoming(one_unseen)), "one column is enough");
}

#[test]
fn a_central_deletes_what_came_over_the_same_link() {
    let same_link = state(version(10, 2), Some(LINK), 5);
    let blind = having_seen(version(1, 9), None);
    assert!(goes(central(), same_link, &blind));
    let late = Setting { is_late: true, ..central() };
    assert!(!goes(late, same_link, &blind), "but not what came in a later history");
    assert!(goes(late, same_link, &having_seen(version(10, 2), None)), "unless it had seen that");
}

#[test]
fn who_deletes_has_seen_what_it_wrote_itself_before() {
    let blind = having_seen(version(1, 9), None);
    let own = |time| state(version(time, 1), Some(OTHER), 5);
    assert!(goes(central(), own(20), &blind));
    assert!(!goes(central(), own(40), &blind), "not what it wrote later");
    let two_copies = Setting { left: Some(version(0, 1).writer), ..central() };
    assert!(!goes(two_copies, own(20), &blind), "nor what another copy of it wrote");
}

#[test]
fn what_was_deleted_in_a_history_that_was_lost_had_been_seen_there() {
    let yours = having_seen(version(25, 1), Some(Version::YOURS));
    let restored = |upto| Setting { went_on_from: Seq(upto), ..central() };
    assert!(goes(restored(5), standing(), &yours));
    assert!(!goes(restored(4), standing(), &yours), "it was edited since");
    assert!(!goes(restored(5), standing(), &having_seen(version(25, 1), None)), "another history");
}

#[test]
fn where_a_deletion_stands_it_tells_what_it_had_not_seen() {
    let mut table = TrackedTable { delete: DeletePolicy::Delete, ..patients() };
    table.columns[PHONE].is_quiet = true;
    let partly = |row: Version, unseen: &[&str]| {
        let not = Seen { version: version(1, 9), base: None };
        let columns = unseen.iter().map(|name| ((*name).to_owned(), not)).collect();
        let seen = SeenByName { row: Seen { version: row, base: None }, columns };
        incoming(IncomingAction::Delete { version: deleted(), seen, known: None, same_as: None })
    };
    let lost = |incoming: &Incoming| {
        let Planned::Delete(deletion) = on(&table, central(), standing(), incoming) else { panic!("it goes") };
        let told = |c: Conflict| {
            assert_eq!((c.rule, c.winner.version, c.winner.value), (ConflictRule::Delete, deleted(), None));
            (c.column, c.kind, c.loser.version)
        };
        deletion.lost.into_iter().map(told).collect::<Vec<_>>()
    };
    let seen = version(10, 2);
    let whole = (None, ConflictKind::Deletion, seen);
    assert_eq!(lost(&partly(seen, &["name"])), [(Some("name".to_owned()), ConflictKind::Values, seen), whole]);
    assert_eq!(lost(&partly(seen, &["phone"])), [], "nobody wants to know");
    assert_eq!(lost(&partly(seen, &[])), []);
}

#[test]
fn a_satellite_keeps_a_record_with_an_edit_that_its_central_has_not_seen() {
    let mine = state(version(10, 1), None, 7);
    let blind = having_seen(version(1, 9), None);
    assert!(!goes(satellite(6), mine, &blind));
    assert!(goes(satellite(7), mine, &blind), "acknowledged");
    assert!(goes(satellite(6), state(version(10, 9), Some(LINK), 7), &blind), "its central's own");
    assert!(goes(satellite(6), mine, &having_seen(version(10, 1), None)), "seen all the same");
    assert!(goes(satellite(6), mine, &having_seen(version(12, 9), Some(version(10, 1)))), "and written upon");
    let held = |known| {
        let IncomingAction::Delete { version, seen, same_as, .. } = blind.action.clone() else { unreachable!() };
        incoming(IncomingAction::Delete { version, seen, known: Some(Seq(known)), same_as })
    };
    assert!(!goes(satellite(7), mine, &held(6)), "acknowledged since the deletion was held");
    assert!(goes(satellite(9), mine, &held(7)));
}

#[test]
fn a_deletion_of_what_is_not_here_is_nothing() {
    assert!(matches!(plan(&patients(), central(), &having_seen(version(1, 9), None), None), Planned::Nothing));
}
