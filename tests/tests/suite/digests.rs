//! Whether both ends of a link hold the same: told by their bundles, record by record where they do not, and mended by
//! ordinary bundles.
//!
//! The faults are of the kind that nothing else sees: a row and its state say the same, but not what they should.

use std::collections::BTreeSet;

use saddlebag_couriers::neighbours;
use saddlebag_formats::{Seq, Tell, Uid, Value};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{DifferentHow, Link};
use saddlebag_stores::record::{Record, RowWrite};
use saddlebag_stores::store::absorb;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::on_engines;

const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT);
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT,
    village_id INTEGER REFERENCES village (id));
";

const TABLES: &str = "
[village]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
";

const NAMES: [&str; 3] = ["ministry", "riverside", "hilltop"];
const MINISTRY: usize = 0;
const RIVERSIDE: usize = 1;

fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Three places with the same twelve patients in two villages.
fn three_places(on: Engines, seed: u64) -> Fleet {
    let plan = FleetPlan { names: &NAMES, tables: TABLES, seed, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| app.execute_batch(SCHEMA).unwrap());
    let app = &fleet.nodes[RIVERSIDE].app;
    app.execute_batch("INSERT INTO village (id, code, title) VALUES (1, 'A', 'Abena'), (2, 'B', 'Binta')").unwrap();
    for number in 1..=12 {
        let (uuid, village) = (uuid(number), number % 2 + 1);
        let sql = format!(
            "INSERT INTO patient (id, uuid, name, village_id) VALUES ({number}, '{uuid}', 'P{number}', {village})"
        );
        app.execute_batch(&sql).unwrap();
    }
    fleet.settle();
    assert!(fleet.check_digests() >= 2, "whoever got an answer has found the other end equal");
    fleet
}

fn link(node: &mut FleetNode, peer: &str) -> Link {
    node.store.begin(Access::Read).unwrap();
    let link = node.store.links().unwrap().into_iter().find(|link| link.name == peer).unwrap();
    node.store.rollback().unwrap();
    link
}

/// What a node knows to differ on a link: who, and how.
fn different(node: &mut FleetNode, peer: &str) -> Vec<(Uid, DifferentHow)> {
    let link = link(node, peer).id;
    node.store.begin(Access::Read).unwrap();
    let different = node.store.different(link).unwrap();
    node.store.rollback().unwrap();
    different.into_iter().map(|record| (record.uid, record.how)).collect()
}

/// The patient with this number at a node.
fn patient(node: &mut FleetNode, number: u64) -> Record {
    let table = node.store.tracking().by_name("patient").unwrap().clone();
    let wanted = uuid(number);
    node.store.begin(Access::Read).unwrap();
    let last = node.store.last_seq().unwrap();
    let records = node.store.feed(&table, Seq(0), last).unwrap();
    node.store.rollback().unwrap();
    let at = table.column_index("uuid").unwrap();
    let is_wanted = |record: &Record| match &record.values[at] {
        Value::Text(text) => *text == wanted,
        _ => false,
    };
    records.into_iter().find(is_wanted).unwrap()
}

/// Writes another name past everything: row, hash and digest agree, and the versions say that nothing has happened.
fn write_unseen(node: &mut FleetNode, number: u64, name: &str) -> Uid {
    let table = node.store.tracking().by_name("patient").unwrap().clone();
    let mut record = patient(node, number);
    let at = table.column_index("name").unwrap();
    record.values[at] = Value::Text(name.to_owned());
    let row = RowWrite {
        uid: record.uid,
        key: Some(record.key.clone()),
        values: vec![(at, Value::Text(name.to_owned()))],
        beside: Vec::new(),
        hash: table.row_hash(record.uid, &record.values),
        state: record.state,
    };
    node.store.begin(Access::Write).unwrap();
    node.store.write(&table, &[row]).unwrap().remove(0).unwrap();
    node.store.commit().unwrap();
    node.may_differ = true;
    record.uid
}

/// Loses a row with all that is known of it, as a damaged backup does.
fn lose_unseen(node: &mut FleetNode, number: u64) -> Uid {
    let record = patient(node, number);
    let table = node.store.tracking().by_name("patient").unwrap().clone();
    let tombstone = saddlebag_stores::record::Tombstone {
        uid: record.uid,
        table: table.number,
        version: record.state.latest(),
        seq: Seq(1),
        source: None,
        state: record.state,
        values: Vec::new(),
        same_as: None,
    };
    node.store.begin(Access::Write).unwrap();
    node.store.delete(&table, &[(record.key, tombstone)]).unwrap().remove(0).unwrap();
    node.store.commit().unwrap();
    let tombstones = node.app.either("saddlebag_tombstone", "saddlebag.tombstone");
    node.app.execute_batch(&format!("DELETE FROM {tombstones}")).unwrap();
    node.may_differ = true;
    record.uid
}

/// Rows against what saddlebag knows of them: blind to such faults.
fn local_check_is_blind(node: &mut FleetNode) {
    let tracking = node.store.tracking().clone();
    node.store.begin(Access::Write).unwrap();
    for table in &tracking.tables {
        node.store.check(table, &mut |difference| panic!("{difference:?}")).unwrap();
    }
    node.store.rollback().unwrap();
    node.check_digests();
}

/// Rounds between the ministry and one clinic.
fn rounds(fleet: &mut Fleet, count: usize) {
    for _ in 0..count {
        fleet.carry(RIVERSIDE, MINISTRY);
        fleet.carry(MINISTRY, RIVERSIDE);
    }
}

fn repair(node: &mut FleetNode) -> u64 {
    let (writer, now) = (node.me.writer(), node.clock.0.get());
    node.store.begin(Access::Write).unwrap();
    absorb(&mut *node.store, writer, &mut node.entropy).unwrap();
    let repaired = neighbours::repair(&mut *node.store, writer, saddlebag_formats::TimeMs(now)).unwrap();
    node.store.commit().unwrap();
    repaired
}

/// All three have the same names.
fn names(fleet: &Fleet) -> Vec<Option<String>> {
    let names = |node: usize| fleet.nodes[node].app.texts("SELECT name FROM patient ORDER BY uuid", &[]);
    for (node, name) in NAMES.iter().enumerate() {
        assert_eq!(names(0), names(node), "{name}");
    }
    names(0)
}

fn edit(fleet: &Fleet, node: usize, sql: &str) {
    fleet.nodes[node].app.execute_batch(sql).unwrap();
}

on_engines!(a_difference_is_seen_named_and_mended);
fn a_difference_is_seen_named_and_mended(on: Engines) {
    let mut fleet = three_places(on, 11);
    let changed = write_unseen(&mut fleet.nodes[RIVERSIDE], 3, "nobody wrote this");
    let lost_there = lose_unseen(&mut fleet.nodes[RIVERSIDE], 5);
    let lost_here = lose_unseen(&mut fleet.nodes[MINISTRY], 8);
    fleet.nodes.iter_mut().for_each(local_check_is_blind);
    fleet.nodes.iter_mut().for_each(|node| node.may_differ = true);
    edit(&fleet, RIVERSIDE, "UPDATE village SET title = 'Abena East' WHERE code = 'A'");
    rounds(&mut fleet, 4);
    assert!(link(&mut fleet.nodes[MINISTRY], "riverside").comparison.different.is_some());
    assert!(link(&mut fleet.nodes[RIVERSIDE], "ministry").comparison.different.is_some());
    let found: BTreeSet<_> =
        different(&mut fleet.nodes[MINISTRY], "riverside").into_iter().map(|(uid, _)| uid).collect();
    assert_eq!(found, BTreeSet::from([changed, lost_there, lost_here]));
    for (uid, how) in different(&mut fleet.nodes[MINISTRY], "riverside") {
        let expected = match uid {
            uid if uid == changed => DifferentHow::OtherValues,
            uid if uid == lost_there => DifferentHow::MissingThere,
            _ => DifferentHow::MissingHere,
        };
        assert_eq!(how, expected);
    }
    assert_eq!(different(&mut fleet.nodes[RIVERSIDE], "ministry").len(), 3, "the clinic knows them too");

    let untouched = |fleet: &mut Fleet, node: usize| -> Vec<_> {
        (1..=12)
            .filter(|number| ![3, 5, 8].contains(number))
            .map(|number| patient(&mut fleet.nodes[node], number))
            .collect()
    };
    let before: Vec<_> = (0..NAMES.len()).map(|node| untouched(&mut fleet, node)).collect();
    assert!(repair(&mut fleet.nodes[MINISTRY]) >= 3);
    // A lost bundle and one that comes twice do no harm.
    let _lost = fleet.export(MINISTRY, RIVERSIDE);
    for bundle in fleet.export(MINISTRY, RIVERSIDE) {
        fleet.nodes[RIVERSIDE].import(&bundle).unwrap();
        fleet.nodes[RIVERSIDE].import(&bundle).unwrap();
    }
    fleet.settle();
    let after: Vec<_> = (0..NAMES.len()).map(|node| untouched(&mut fleet, node)).collect();
    assert_eq!(before, after, "equal rows are left alone: values, versions and places in the feed");
    for (node, peer) in [(MINISTRY, "riverside"), (RIVERSIDE, "ministry")] {
        let comparison = link(&mut fleet.nodes[node], peer).comparison;
        assert_eq!((comparison.different, comparison.tell), (None, Tell::Nothing), "{peer}");
        assert_eq!(different(&mut fleet.nodes[node], peer), []);
    }
    let names = names(&fleet);
    assert_eq!(names.len(), 12, "nothing is lost");
    assert_eq!(names[2].as_deref(), Some("P3"));
    let ministry = &mut fleet.nodes[MINISTRY];
    ministry.store.begin(Access::Read).unwrap();
    let conflicts = ministry.store.conflicts().unwrap();
    ministry.store.rollback().unwrap();
    let is_of = |conflict: &&saddlebag_stores::ledger::Conflict| conflict.uid == changed;
    assert_eq!(conflicts.iter().filter(is_of).count(), 1, "the value that does not stand is kept: {conflicts:#?}");
    local_check_is_blind(&mut fleet.nodes[MINISTRY]);
}

on_engines!(a_record_that_changes_meanwhile_is_no_difference);
fn a_record_that_changes_meanwhile_is_no_difference(on: Engines) {
    let mut fleet = three_places(on, 12);
    for round in 0..6 {
        edit(&fleet, RIVERSIDE, &format!("UPDATE patient SET name = 'R{round}' WHERE id = {}", round + 1));
        let up = fleet.export(RIVERSIDE, MINISTRY);
        edit(&fleet, MINISTRY, &format!("UPDATE patient SET name = 'M{round}' WHERE uuid = '{}'", uuid(round + 1)));
        edit(&fleet, MINISTRY, &format!("DELETE FROM patient WHERE uuid = '{}'", uuid(round + 7)));
        let down = fleet.export(MINISTRY, RIVERSIDE);
        for bundle in down {
            fleet.nodes[RIVERSIDE].import(&bundle).unwrap();
        }
        for bundle in up {
            fleet.nodes[MINISTRY].import(&bundle).unwrap();
        }
    }
    fleet.settle();
    assert!(fleet.check_digests() >= 2);
    assert_eq!(names(&fleet).len(), 6);
}

on_engines!(a_refused_record_is_left_out);
fn a_refused_record_is_left_out(on: Engines) {
    let plan = FleetPlan { names: &NAMES[..2], tables: TABLES, seed: 13, engines: on };
    let mut fleet = Fleet::new(&plan, |index, app| {
        let strict = SCHEMA.replace("name TEXT,", "name TEXT CHECK (name <> 'bad'),");
        app.execute_batch(if index == MINISTRY { &strict } else { SCHEMA }).unwrap();
    });
    let insert = |name: &str, number| {
        format!("INSERT INTO patient (id, uuid, name) VALUES ({number}, '{}', '{name}')", uuid(number))
    };
    edit(&fleet, RIVERSIDE, &insert("good", 1));
    edit(&fleet, RIVERSIDE, &insert("bad", 2));
    fleet.settle();
    edit(&fleet, MINISTRY, &insert("other", 3));
    fleet.settle();
    let comparison = link(&mut fleet.nodes[MINISTRY], "riverside").comparison;
    assert!(comparison.undecided.is_some(), "{comparison:?}");
    assert_eq!(comparison.different, None);
    edit(&fleet, RIVERSIDE, "UPDATE patient SET name = 'better' WHERE id = 2");
    fleet.settle();
    edit(&fleet, MINISTRY, "UPDATE patient SET name = 'another' WHERE name = 'other'");
    fleet.settle();
    assert!(link(&mut fleet.nodes[MINISTRY], "riverside").comparison.equal.is_some());
    assert!(link(&mut fleet.nodes[RIVERSIDE], "ministry").comparison.equal.is_some());
}
