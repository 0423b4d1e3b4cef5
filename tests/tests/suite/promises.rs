//! DESIGN.md's promises, one by one: what is promised and what would break it.

use saddlebag_importer::{ImportError, ImportResult};
use saddlebag_keys::trust::HeadRefusal;
use saddlebag_samples::{clinic, reference_data, work_day};
use saddlebag_stores::Access;
use saddlebag_tests::app::App;
use saddlebag_tests::engines::{Engines, SQLITE};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

const TABLES: &str = "
[facility]
identity = 'natural(code)'
[staff]
identity = 'uuid(uuid)'
[program]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
[encounter]
identity = 'uuid(uuid)'
[observation]
identity = 'assigned'
[condition]
identity = 'assigned'
[medication]
identity = 'assigned'
[patient_program]
identity = 'natural(patient_id, program_id)'
";

pub(crate) const NAMES: [&str; 3] = ["ministry", "riverside", "hilltop"];

pub(crate) fn clinics(on: Engines, seed: u64) -> Fleet {
    Fleet::new(&FleetPlan { names: &NAMES, tables: TABLES, seed, engines: on }, |_, app| {
        app.execute_batch(clinic::SCHEMA).unwrap();
        app.through_sqlite(clinic::SCHEMA, |connection| reference_data(connection).unwrap());
    })
}

fn tables() -> Vec<Table> {
    clinic::TABLES.iter().map(|table| Table::new(table)).collect()
}

fn said(node: &FleetNode) -> meaning::Meaning {
    meaning::meaning(&node.app, &tables()).unwrap()
}

/// These nodes say the same.
fn equal(fleet: &Fleet, nodes: &[usize]) {
    let nodes: Vec<(&str, &App)> = nodes.iter().map(|node| (NAMES[*node], &fleet.nodes[*node].app)).collect();
    let differences = meaning::differences(&nodes, &tables()).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn work(fleet: &mut Fleet, node: usize, seed: u64) {
    fleet.nodes[node].app.through_sqlite(clinic::SCHEMA, |connection| {
        let _done = work_day(connection, NAMES[node], seed, 4).unwrap();
    });
}

/// Three bundles of one clinic, none of them acknowledged: each covers what those before it do.
fn three_bundles(fleet: &mut Fleet) -> Vec<Vec<u8>> {
    let mut bundles = Vec::new();
    for day in 1..=3 {
        work(fleet, 1, day);
        bundles.extend(fleet.export(1, 0));
    }
    assert_eq!(bundles.len(), 3);
    bundles
}

on_engines!(promise_2_nothing_comes_twice_in_whatever_order);
fn promise_2_nothing_comes_twice_in_whatever_order(on: Engines) {
    let mut fleet = clinics(on, 2);
    fleet.settle();
    let bundles = three_bundles(&mut fleet);
    let orders: [&[usize]; 8] =
        [&[0, 1, 2], &[2], &[2, 1, 0], &[1, 0, 2], &[0, 0, 2, 2], &[1, 2, 1, 0], &[0, 2], &[2, 0, 2, 1, 2]];
    let mut ends = Vec::new();
    for (index, order) in orders.into_iter().enumerate() {
        let mut ministry = fleet.nodes[0].fork(&format!("ministry-{index}"));
        for bundle in order {
            let _applied = ministry.import(&bundles[*bundle]).unwrap();
        }
        ends.push((order, said(&ministry), ministry.versions()));
    }
    assert!(!ends[0].1["observation"].is_empty(), "something was carried");
    for (order, meaning, versions) in &ends[1..] {
        assert_eq!(*meaning, ends[0].1, "rows after {order:?}");
        assert_eq!(*versions, ends[0].2, "versions after {order:?}");
    }
}

on_engines!(promise_2_a_known_bundle_leaves_every_byte_as_it_was);
fn promise_2_a_known_bundle_leaves_every_byte_as_it_was(on: Engines) {
    let mut fleet = clinics(on, 3);
    let bundles = three_bundles(&mut fleet);
    let ministry = &mut fleet.nodes[0];
    assert_eq!(ministry.import(&bundles[2]).unwrap().result, ImportResult::Applied);
    let before = ministry.dump();
    for bundle in &bundles {
        assert_eq!(ministry.import(bundle).unwrap().result, ImportResult::Already);
        assert_eq!(ministry.dump(), before);
    }
}

on_engines!(promise_3_all_end_equal);
fn promise_3_all_end_equal(on: Engines) {
    let mut fleet = clinics(on, 4);
    for day in 1..=3 {
        work(&mut fleet, 1, day);
        work(&mut fleet, 2, day + 100);
        fleet.carry(1, 0);
        fleet.carry(0, 2);
    }
    fleet.settle();
    assert!(fleet.nodes[0].count("encounter") > 10, "something was carried");
    equal(&fleet, &[0, 1, 2]);
    let versions: Vec<_> = fleet.nodes.iter_mut().map(FleetNode::versions).collect();
    assert_eq!(versions[0], versions[1]);
    assert_eq!(versions[0], versions[2]);
}

#[test]
fn promise_4_a_bundle_that_fails_in_the_middle_changes_nothing() {
    let mut fleet = clinics(SQLITE, 5);
    let _done = work_day(&mut fleet.nodes[1].app, NAMES[1], 1, 60).unwrap();
    let bundle = fleet.export(1, 0).remove(0);
    let ministry = &mut fleet.nodes[0];
    // The disk is full: the database may not grow by more than a few pages.
    let pages: i64 = ministry.app.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let before = ministry.dump();
    let mut failures = 0;
    for room in 1..400 {
        ministry.limit_pages(pages + room);
        match ministry.import(&bundle) {
            Err(ImportError::Store(_)) => {
                failures += 1;
                assert_eq!(ministry.dump(), before, "with room for {room} pages");
            }
            Err(other) => panic!("{other}"),
            Ok(applied) => {
                assert_eq!(applied.result, ImportResult::Applied);
                assert!(failures > 0, "it never failed");
                assert_ne!(ministry.dump(), before);
                return;
            }
        }
    }
    panic!("it never succeeded");
}

on_engines!(promise_5_one_bad_record_stops_only_itself);
fn promise_5_one_bad_record_stops_only_itself(on: Engines) {
    let mut fleet = clinics(on, 6);
    work(&mut fleet, 1, 1);
    // The ministry's database refuses what the clinic's takes.
    let ministry = &fleet.nodes[0];
    ministry.run("CREATE UNIQUE INDEX one_phone ON patient (phone)");
    fleet.nodes[1].run("UPDATE patient SET phone = '555'");
    let patients = fleet.nodes[1].count("patient").cast_unsigned();
    assert!(patients > 1);
    let bundle = fleet.export(1, 0).remove(0);
    let applied = fleet.nodes[0].import(&bundle).unwrap();
    assert_eq!(applied.tally.quarantined, patients - 1, "one patient took the number");
    assert_eq!(fleet.nodes[0].count("patient"), 1);
    assert!(applied.tally.parked > 0, "what belongs to the others waits");
    // Whichever patient took the number.
    let taker = fleet.nodes[0].ask("SELECT uuid FROM patient");
    let of = format!("encounter WHERE patient_id = (SELECT id FROM patient WHERE uuid = {taker})");
    let expected = fleet.nodes[1].count(&of);
    assert_eq!(fleet.nodes[0].count("encounter"), expected, "what belongs to the first is there");
    // The reason goes, and everything comes.
    fleet.nodes[0].run("DROP INDEX one_phone");
    fleet.settle();
    work(&mut fleet, 1, 2);
    fleet.settle();
    equal(&fleet, &[0, 1]);
    fleet.nodes[0].store.begin(Access::Read).unwrap();
    assert!(fleet.nodes[0].store.held(None).unwrap().is_empty());
    fleet.nodes[0].store.rollback().unwrap();
}

/// Nothing in the database changed, and the bundle was refused for the reason that `expected` knows.
fn refused(node: &mut FleetNode, bundle: &[u8], expected: impl Fn(&ImportError) -> bool) {
    let before = node.dump();
    match node.import(bundle) {
        Ok(applied) => panic!("it was taken: {applied:?}"),
        Err(error) => assert!(expected(&error), "refused, but: {error}"),
    }
    assert_eq!(node.dump(), before);
}

on_engines!(promise_6_every_changed_byte_and_every_length_is_refused);
fn promise_6_every_changed_byte_and_every_length_is_refused(on: Engines) {
    let mut fleet = clinics(on, 7);
    fleet.settle();
    let sql = "INSERT INTO patient (uuid, name) VALUES ('0d2ac5a8-5b3e-4f43-9d60-6c9f5d0a1b2c', 'x')";
    if fleet.nodes[1].app.execute_batch(sql).is_err() {
        work(&mut fleet, 1, 1);
    }
    let bundle = fleet.export(1, 0).remove(0);
    let ministry = &mut fleet.nodes[0];
    let before = ministry.dump();
    for at in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(ministry.import(&changed).is_err(), "byte {at} was changed");
        assert!(ministry.import(&bundle[..at]).is_err(), "cut to {at} bytes");
    }
    let mut longer = bundle.clone();
    longer.push(0);
    assert!(ministry.import(&longer).is_err(), "a byte more");
    longer.extend_from_slice(&bundle);
    assert!(ministry.import(&longer).is_err(), "a second bundle");
    assert_eq!(ministry.dump(), before);
    assert_eq!(ministry.import(&bundle).unwrap().result, ImportResult::Applied);
}

on_engines!(promise_6_strangers_others_and_other_deployments_are_not_read);
fn promise_6_strangers_others_and_other_deployments_are_not_read(on: Engines) {
    let mut fleet = clinics(on, 8);
    let mut elsewhere = clinics(on, 9);
    work(&mut fleet, 1, 1);
    work(&mut elsewhere, 1, 1);
    let for_ministry = fleet.export(1, 0).remove(0);
    refused(&mut fleet.nodes[2], &for_ministry, |error| {
        matches!(error, ImportError::Head(HeadRefusal::OtherReceiver { .. }))
    });
    let foreign = elsewhere.export(1, 0).remove(0);
    refused(&mut fleet.nodes[0], &foreign, |error| {
        matches!(error, ImportError::Head(HeadRefusal::OtherDeployment { .. })) && error.is_foreign()
    });
    // A node of this deployment that this one has not admitted.
    work(&mut fleet, 2, 2);
    let stranger = fleet.export(2, 0).remove(0);
    let mut aloof = fleet.nodes[0].fork("aloof");
    let link = aloof.app.either("saddlebag_link", "saddlebag.link");
    aloof.run(&format!("DELETE FROM {link} WHERE name = 'hilltop'"));
    refused(&mut aloof, &stranger, |error| matches!(error, ImportError::Head(HeadRefusal::UnknownSender { .. })));
    // An admitted node that says that it is another one.
    let (hilltop, ministry) = (fleet.nodes[2].me.id, fleet.nodes[0].me.id);
    let riverside = &mut fleet.nodes[1];
    let own = std::mem::replace(&mut riverside.me.id, hilltop);
    let disguised = riverside.export_anew(ministry);
    riverside.me.id = own;
    refused(&mut fleet.nodes[0], &disguised, |error| {
        matches!(error, ImportError::Head(HeadRefusal::OtherKey { .. } | HeadRefusal::BadSignature { .. }))
    });
}
