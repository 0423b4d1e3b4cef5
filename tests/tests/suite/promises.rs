//! DESIGN.md's promises, one by one: what is promised and what would break it.

use rusqlite::Connection;
use saddlebag_importer::{ImportError, ImportResult};
use saddlebag_keys::trust::HeadRefusal;
use saddlebag_samples::{clinic, create, reference_data, work_day};
use saddlebag_stores::{Access, Store};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::meaning::{self, Table};

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

pub(crate) fn clinics(seed: u64) -> Fleet {
    Fleet::new(&FleetPlan { names: &NAMES, tables: TABLES, seed }, |_, connection| {
        create(connection).unwrap();
        reference_data(connection).unwrap();
    })
}

fn tables() -> Vec<Table> {
    clinic::TABLES.iter().map(|table| Table::new(table)).collect()
}

fn said(node: &FleetNode) -> meaning::Meaning {
    meaning::meaning(&node.app, &tables()).unwrap()
}

fn work(fleet: &mut Fleet, node: usize, seed: u64) {
    let _done = work_day(&mut fleet.nodes[node].app, NAMES[node], seed, 4).unwrap();
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

#[test]
fn promise_2_nothing_comes_twice_in_whatever_order() {
    let mut fleet = clinics(2);
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

#[test]
fn promise_2_a_known_bundle_leaves_every_byte_as_it_was() {
    let mut fleet = clinics(3);
    let bundles = three_bundles(&mut fleet);
    let ministry = &mut fleet.nodes[0];
    assert_eq!(ministry.import(&bundles[2]).unwrap().result, ImportResult::Applied);
    let before = ministry.dump();
    for bundle in &bundles {
        assert_eq!(ministry.import(bundle).unwrap().result, ImportResult::Already);
        assert_eq!(ministry.dump(), before);
    }
}

#[test]
fn promise_3_all_end_equal() {
    let mut fleet = clinics(4);
    for day in 1..=3 {
        work(&mut fleet, 1, day);
        work(&mut fleet, 2, day + 100);
        fleet.carry(1, 0);
        fleet.carry(0, 2);
    }
    fleet.settle();
    let ends: Vec<_> = fleet.nodes.iter().map(said).collect();
    assert!(ends[0]["encounter"].len() > 10, "something was carried");
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
    let versions: Vec<_> = fleet.nodes.iter_mut().map(FleetNode::versions).collect();
    assert_eq!(versions[0], versions[1]);
    assert_eq!(versions[0], versions[2]);
}

#[test]
fn promise_4_a_bundle_that_fails_in_the_middle_changes_nothing() {
    let mut fleet = clinics(5);
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

#[test]
fn promise_5_one_bad_record_stops_only_itself() {
    let mut fleet = clinics(6);
    work(&mut fleet, 1, 1);
    // The ministry's database refuses what the clinic's takes.
    let ministry = &fleet.nodes[0];
    ministry.app.execute_batch("CREATE UNIQUE INDEX one_phone ON patient (phone)").unwrap();
    let clinic = &fleet.nodes[1].app;
    clinic.execute("UPDATE patient SET phone = '555'", []).unwrap();
    let patients: u64 = count(clinic, "patient");
    assert!(patients > 1);
    let bundle = fleet.export(1, 0).remove(0);
    let applied = fleet.nodes[0].import(&bundle).unwrap();
    assert_eq!(applied.tally.quarantined, patients - 1, "one patient took the number");
    assert_eq!(count(&fleet.nodes[0].app, "patient"), 1);
    assert!(applied.tally.parked > 0, "what belongs to the others waits");
    let expected: u64 = fleet.nodes[1]
        .app
        .query_row("SELECT count(*) FROM encounter WHERE patient_id = (SELECT min(id) FROM patient)", [], |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })
        .unwrap();
    assert_eq!(count(&fleet.nodes[0].app, "encounter"), expected, "what belongs to the first is there");
    // The reason goes, and everything comes.
    fleet.nodes[0].app.execute_batch("DROP INDEX one_phone").unwrap();
    fleet.settle();
    work(&mut fleet, 1, 2);
    fleet.settle();
    assert_eq!(said(&fleet.nodes[0]), said(&fleet.nodes[1]));
    fleet.nodes[0].store.begin(Access::Read).unwrap();
    assert!(fleet.nodes[0].store.held(None).unwrap().is_empty());
    fleet.nodes[0].store.rollback().unwrap();
}

fn count(connection: &Connection, table: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM {table}");
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
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

#[test]
fn promise_6_every_changed_byte_and_every_length_is_refused() {
    let mut fleet = clinics(7);
    fleet.settle();
    let sql = "INSERT INTO patient (uuid, name) VALUES ('0d2ac5a8-5b3e-4f43-9d60-6c9f5d0a1b2c', 'x')";
    if fleet.nodes[1].app.execute(sql, []).is_err() {
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

#[test]
fn promise_6_strangers_others_and_other_deployments_are_not_read() {
    let mut fleet = clinics(8);
    let mut elsewhere = clinics(9);
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
    aloof.app.execute("DELETE FROM saddlebag_link WHERE name = 'hilltop'", []).unwrap();
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
