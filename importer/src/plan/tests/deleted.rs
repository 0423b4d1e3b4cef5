//! Changes of a record that is deleted here.

use super::*;

/// Deleted by node 2, whose link is [`OTHER`], when every column had this version.
fn tombstone() -> Tombstone {
    let seen = state(version(10, 9), Some(OTHER), 4);
    Tombstone {
        uid: UID,
        table: 4,
        version: version(30, 2),
        seq: Seq(12),
        source: Some(OTHER),
        state: RowState::uniform(ColumnState { base: Some(version(8, 9)), ..seen }),
        values: vec![(9, text("K1")), (8, text("Ann")), (7, text("123"))],
        same_as: None,
    }
}

/// The table where edits bring a record back, and the one where it stays deleted.
fn keeps() -> TrackedTable {
    patients()
}

fn deletes() -> TrackedTable {
    TrackedTable { delete: DeletePolicy::Delete, ..patients() }
}

fn over(table: &TrackedTable, setting: Setting, tombstone: Tombstone, incoming: &Incoming) -> Planned {
    plan(table, setting, incoming, Some(&Known::Deleted(tombstone)))
}

/// An edit that had seen nothing of the deletion.
fn edit(version: Version, base: Version) -> Incoming {
    writes(false, [came("name", "Anna", version, Some(base))])
}

fn unseen_edit() -> Incoming {
    edit(version(20, 1), version(10, 9))
}

#[test]
fn what_the_deletion_had_seen_says_nothing() {
    for known in [version(10, 9), version(8, 9)] {
        assert!(matches!(over(&keeps(), central(), tombstone(), &edit(known, version(5, 9))), Planned::Nothing));
    }
    written(over(&keeps(), central(), tombstone(), &edit(version(9, 9), version(5, 9))));
}

#[test]
fn what_a_satellite_brought_back_stands_again_without_a_conflict() {
    for table in [keeps(), deletes()] {
        let known = version(10, 9);
        let again = written(over(&table, central(), tombstone(), &edit(known, known)));
        assert_eq!(again.values.len(), 3, "whole");
        assert_eq!((again.state.of(8).seq, again.state.of(8).first), (SEQ, None), "at a new place");
        assert!(again.conflicts.is_empty(), "it was decided below");
    }
}

#[test]
fn an_edit_that_the_deletion_had_not_seen_brings_the_record_back_whole() {
    let write = written(over(&keeps(), central(), tombstone(), &unseen_edit()));
    let values = [text("K1"), text("Anna"), text("123")];
    assert_eq!(write.hash, keeps().row_hash(UID, &values));
    assert_eq!(write.values.into_values().collect::<Vec<_>>(), values);
    assert_eq!(*write.state.of(8), state(version(20, 1), Some(LINK), SEQ.0));
    let alike = Some(tombstone().version);
    let again = ColumnState { seq: SEQ, alike, ..tombstone().state.row.asserted(None) };
    assert_eq!(*write.state.of(7), again, "everybody is told of what stood");
    let told: Vec<_> = write.conflicts.iter().map(|c| (c.kind, c.winner.version, c.loser.version)).collect();
    assert_eq!(told, [(ConflictKind::Deletion, version(30, 2), version(30, 2))]);
    let later = written(over(&keeps(), central(), tombstone(), &edit(version(40, 1), version(10, 9))));
    assert_eq!(later.conflicts[0].winner.version, version(40, 1));
}

#[test]
fn a_record_that_went_unseen_comes_back_if_every_column_comes() {
    let unseen = || Tombstone { values: Vec::new(), ..tombstone() };
    let partly = over(&keeps(), central(), unseen(), &unseen_edit());
    assert!(quarantined(partly).contains("its values are not known"));
    let all = new_patient().map(|(name, mut column)| {
        column.new.base = Some(version(10, 9));
        (name, column)
    });
    assert_eq!(written(over(&keeps(), central(), unseen(), &writes(true, all))).values.len(), 3);
}

#[test]
fn where_deletions_stand_an_edit_is_told_and_the_deletion_goes_back() {
    let planned = over(&deletes(), central(), tombstone(), &unseen_edit());
    let Planned::Rebury(reburial) = planned else { panic!("{planned:?}") };
    assert_eq!((reburial.tombstone.seq, reburial.tombstone.source), (SEQ, None));
    let lost: Vec<_> = reburial.lost.iter().map(|c| (c.column.as_deref(), c.loser.version)).collect();
    assert_eq!(lost, [(Some("name"), version(20, 1)), (None, version(20, 1))]);
    assert_eq!(reburial.instead.values[&NAME], text("Anna"), "it stands again if something refers to it");
    // Of several columns, only those that it had not seen.
    let partly = [came("name", "Anna", version(20, 1), None), came("phone", "123", version(10, 9), None)];
    let planned = over(&deletes(), central(), tombstone(), &writes(false, partly));
    let Planned::Rebury(reburial) = planned else { panic!("{planned:?}") };
    assert_eq!(reburial.lost.iter().filter_map(|c| c.column.as_deref()).collect::<Vec<_>>(), ["name"]);
}

/// "A creation is never deleted by an older tombstone", nor what was written in full sight of it.
#[test]
fn who_enters_a_record_anew_or_has_seen_its_deletion_has_it_stand() {
    let stands = |tombstone: Tombstone, incoming: &Incoming| {
        let planned = over(&deletes(), central(), tombstone, incoming);
        assert!(matches!(planned, Planned::Write(_) | Planned::Rebury(_)), "{planned:?}");
        matches!(planned, Planned::Write(_))
    };
    assert!(stands(tombstone(), &writes(true, new_patient())), "a creation");
    assert!(!stands(tombstone(), &writes(false, [came("name", "Anna", version(20, 1), None)])), "a part of one");
    let mut edited = new_patient();
    edited[1] = came("name", "Anna", version(20, 1), Some(version(10, 9)));
    assert!(!stands(tombstone(), &writes(true, edited)), "an edit that travels whole");
    assert!(stands(tombstone(), &edit(version(20, 1), version(30, 2))), "written upon the deletion");
    assert!(stands(Tombstone { source: Some(LINK), ..tombstone() }, &unseen_edit()), "its sender deleted it before");
    assert!(stands(tombstone(), &edit(version(40, 2), version(10, 9))), "who deleted it wrote again");
    assert!(!stands(tombstone(), &edit(version(20, 2), version(10, 9))), "but not what it wrote before");
    assert!(!stands(tombstone(), &edit(version(40, 1), version(10, 9))), "nor what another wrote later");
}

#[test]
fn nobody_is_told_of_a_deletion_that_was_seen() {
    let told = |setting: Setting, tombstone: Tombstone, incoming: &Incoming| {
        !written(over(&keeps(), setting, tombstone, incoming)).conflicts.is_empty()
    };
    assert!(told(central(), tombstone(), &unseen_edit()));
    assert!(!told(central(), tombstone(), &edit(version(20, 1), version(30, 2))), "the sender had seen it");
    assert!(!told(central(), Tombstone { source: Some(LINK), ..tombstone() }, &unseen_edit()), "it was the sender's");
    let restored = |upto| Setting { went_on_from: Seq(upto), ..central() };
    let yours = edit(version(20, 1), Version::YOURS);
    assert!(!told(restored(12), tombstone(), &yours), "it stood again in a history that was lost");
    assert!(told(restored(11), tombstone(), &yours), "it was deleted since");
    assert!(told(restored(12), tombstone(), &unseen_edit()), "another history");
}

#[test]
fn a_satellite_does_as_its_central_says_once_that_knows_of_the_deletion() {
    let own = || Tombstone { source: None, ..tombstone() };
    let whole = writes(true, new_patient());
    assert!(matches!(over(&keeps(), satellite(11), own(), &whole), Planned::Nothing));
    assert_eq!(written(over(&keeps(), satellite(12), own(), &whole)).values.len(), 3);
    let partly = over(&keeps(), satellite(12), own(), &unseen_edit());
    assert!(quarantined(partly).contains("deleted here"));
}
