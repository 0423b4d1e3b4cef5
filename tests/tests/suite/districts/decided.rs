//! "Every conflict is decided once, at the nearest common node."

use saddlebag_formats::Value;
use saddlebag_stores::ledger::ConflictKind;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

pub(super) const MINISTRY: usize = 0;
pub(super) const NORTH: usize = 1;
pub(super) const SOUTH: usize = 2;
pub(super) const NORTH_A: usize = 3;
pub(super) const NORTH_B: usize = 4;
pub(super) const SOUTH_A: usize = 5;

const NAMES: [&str; 7] = ["ministry", "north", "south", "north-a", "north-b", "south-a", "south-b"];
const CENTRALS: [usize; 7] = [0, 0, 0, 1, 1, 2, 2];

const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT);
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, badge TEXT UNIQUE);
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id));
";

const TABLES: &str = "
[village]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
";

/// Two districts with two clinics each, which all know the patients `a` and `b`. The application's table of patients has
/// what `own` says at a node besides.
pub(super) fn fleet(on: Engines, seed: u64, own: impl Fn(usize) -> &'static str) -> Fleet {
    let plan = FleetPlan { names: &NAMES, tables: TABLES, seed, engines: on };
    let mut fleet = Fleet::tree(&plan, &CENTRALS, |index, app| {
        app.execute_batch(&SCHEMA.replace("badge TEXT UNIQUE", &format!("badge TEXT UNIQUE{}", own(index)))).unwrap();
    });
    fleet.nodes[MINISTRY]
        .run("INSERT INTO patient (uuid, name, phone) VALUES ('a', 'Abena', '1'), ('b', 'Binta', '2')");
    fleet.settle();
    fleet
}

/// All nodes have the same records with the same versions.
pub(super) fn equal(fleet: &mut Fleet) {
    let tables =
        [Table::named("village", &["code"]), Table::named("patient", &["uuid"]), Table::named("visit", &["tag"])];
    let nodes: Vec<_> = NAMES.into_iter().zip(fleet.nodes.iter().map(|node| &node.app)).collect();
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
    let versions: Vec<_> = fleet.nodes.iter_mut().map(|node| node.versions()).collect();
    for (name, other) in NAMES.iter().zip(&versions) {
        assert_eq!(*other, versions[0], "{name}");
    }
}

/// Who lists which conflict: the node, the value that stands and the other.
fn listed(fleet: &mut Fleet) -> Vec<(usize, String, String)> {
    let nodes = fleet.nodes.iter_mut().enumerate();
    let listed = nodes.flat_map(|(index, node)| {
        let one = move |(winner, loser)| (index, winner, loser);
        node.disagreements().into_iter().map(one).collect::<Vec<_>>()
    });
    listed.collect()
}

/// A node writes the phone of patient `a` later than everybody wrote before.
fn phone(fleet: &mut Fleet, node: usize, value: &str) {
    // Versions have the database's own clock, in milliseconds.
    let before = std::time::Instant::now();
    while before.elapsed() < std::time::Duration::from_millis(3) {
        std::hint::spin_loop();
    }
    fleet.nodes[node].run(&format!("UPDATE patient SET phone = '{value}' WHERE uuid = 'a'"));
}

fn stands(fleet: &Fleet, value: &str) {
    for node in &fleet.nodes {
        assert_eq!(node.ask("SELECT phone FROM patient WHERE uuid = 'a'"), format!("'{value}'"), "{node:?}");
    }
}

fn said(node: usize, winner: &str, loser: &str) -> (usize, String, String) {
    (node, winner.to_owned(), loser.to_owned())
}

on_engines!(what_any_place_writes_reaches_every_place);
fn what_any_place_writes_reaches_every_place(on: Engines) {
    let mut fleet = fleet(on, 1, |_| "");
    for (index, node) in fleet.nodes.iter().enumerate() {
        node.run(&format!("INSERT INTO patient (uuid, name) VALUES ('of {index}', 'name {index}')"));
        node.run(&format!(
            "INSERT INTO visit (tag, note, patient_id) SELECT 'of {index}', 'note', id FROM patient WHERE uuid = 'a'"
        ));
    }
    fleet.settle();
    equal(&mut fleet);
    for node in &fleet.nodes {
        assert_eq!((node.count("patient"), node.count("visit")), (9, 7), "{node:?}");
    }
    for (index, node) in fleet.nodes.iter().enumerate() {
        let of = NAMES.len() - 1 - index;
        node.run(&format!("UPDATE patient SET phone = 'from {index}' WHERE uuid = 'of {of}'"));
    }
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(listed(&mut fleet), []);
}

on_engines!(two_clinics_of_one_district_disagree_there_and_nowhere_else);
fn two_clinics_of_one_district_disagree_there_and_nowhere_else(on: Engines) {
    let mut fleet = fleet(on, 2, |_| "");
    phone(&mut fleet, NORTH_A, "of north-a");
    phone(&mut fleet, NORTH_B, "of north-b");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of north-b");
    assert_eq!(listed(&mut fleet), [said(NORTH, "of north-b", "of north-a")]);
}

on_engines!(clinics_of_two_districts_disagree_at_the_ministry);
fn clinics_of_two_districts_disagree_at_the_ministry(on: Engines) {
    let mut fleet = fleet(on, 3, |_| "");
    phone(&mut fleet, SOUTH_A, "of south-a");
    phone(&mut fleet, NORTH_A, "of north-a");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of north-a");
    assert_eq!(listed(&mut fleet), [said(MINISTRY, "of north-a", "of south-a")]);
}

on_engines!(a_district_decides_while_the_ministry_edits_too);
fn a_district_decides_while_the_ministry_edits_too(on: Engines) {
    let mut fleet = fleet(on, 4, |_| "");
    phone(&mut fleet, NORTH_A, "of north-a");
    phone(&mut fleet, MINISTRY, "of the ministry");
    phone(&mut fleet, NORTH_B, "of north-b");
    fleet.carry(NORTH_A, NORTH);
    fleet.carry(MINISTRY, NORTH);
    fleet.carry(NORTH_B, NORTH);
    // What has not been acknowledged stands until the ministry decides.
    assert_eq!(fleet.nodes[NORTH].ask("SELECT phone FROM patient WHERE uuid = 'a'"), "'of north-b'");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of north-b");
    let all = [said(MINISTRY, "of north-b", "of the ministry"), said(NORTH, "of north-b", "of north-a")];
    assert_eq!(listed(&mut fleet), all);
}

on_engines!(what_a_district_had_to_keep_gives_way_to_what_the_ministry_decided_for_its_clinics_too);
fn what_a_district_had_to_keep_gives_way_to_what_the_ministry_decided_for_its_clinics_too(on: Engines) {
    let mut fleet = fleet(on, 5, |_| "");
    phone(&mut fleet, NORTH_A, "of north-a");
    fleet.carry(NORTH_A, NORTH);
    phone(&mut fleet, SOUTH_A, "of south-a");
    fleet.carry(SOUTH_A, SOUTH);
    fleet.carry(SOUTH, MINISTRY);
    fleet.carry(MINISTRY, NORTH);
    fleet.carry(NORTH, NORTH_B);
    assert_eq!(fleet.nodes[NORTH_B].ask("SELECT phone FROM patient WHERE uuid = 'a'"), "'of north-a'");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of south-a");
    assert_eq!(listed(&mut fleet), [said(MINISTRY, "of south-a", "of north-a")]);
}

on_engines!(a_value_that_goes_back_to_a_clinic_is_no_news_to_the_ministry_that_has_it);
fn a_value_that_goes_back_to_a_clinic_is_no_news_to_the_ministry_that_has_it(on: Engines) {
    let mut fleet = fleet(on, 6, |_| "");
    phone(&mut fleet, NORTH_B, "of north-b");
    phone(&mut fleet, NORTH_A, "of north-a");
    fleet.carry(NORTH_A, NORTH);
    fleet.carry(NORTH, MINISTRY);
    fleet.carry(MINISTRY, NORTH);
    // The ministry writes upon what it has, and the district has to tell north-b that its value lost.
    phone(&mut fleet, MINISTRY, "of the ministry");
    fleet.carry(NORTH_B, NORTH);
    assert_eq!(listed(&mut fleet), [said(NORTH, "of north-a", "of north-b")]);
    fleet.carry(NORTH, MINISTRY);
    assert_eq!(fleet.nodes[MINISTRY].disagreements(), [], "it has overwritten just that");
    fleet.carry(MINISTRY, NORTH);
    assert_eq!(fleet.nodes[NORTH].ask("SELECT phone FROM patient WHERE uuid = 'a'"), "'of the ministry'");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of the ministry");
    assert_eq!(listed(&mut fleet), [said(NORTH, "of north-a", "of north-b")]);
}

on_engines!(an_edit_upon_what_went_back_to_a_clinic_is_no_conflict_above);
fn an_edit_upon_what_went_back_to_a_clinic_is_no_conflict_above(on: Engines) {
    let mut fleet = fleet(on, 7, |_| "");
    phone(&mut fleet, NORTH_B, "of north-b");
    phone(&mut fleet, NORTH_A, "of north-a");
    fleet.carry(NORTH_A, NORTH);
    fleet.carry(NORTH, MINISTRY);
    fleet.carry(MINISTRY, NORTH);
    fleet.carry(NORTH_B, NORTH);
    phone(&mut fleet, NORTH, "of north");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "of north");
    assert_eq!(listed(&mut fleet), [said(NORTH, "of north-a", "of north-b")]);
}

/// Who lists that a deletion was refused.
fn deletions(fleet: &mut Fleet) -> Vec<usize> {
    let nodes = fleet.nodes.iter_mut().enumerate();
    let all = nodes.flat_map(|(index, node)| node.conflicts().into_iter().map(move |conflict| (index, conflict)));
    all.filter(|(_, conflict)| conflict.kind == ConflictKind::Deletion).map(|(index, _)| index).collect()
}

on_engines!(a_record_that_is_deleted_in_one_place_and_edited_in_another_is_kept_and_listed_once);
fn a_record_that_is_deleted_in_one_place_and_edited_in_another_is_kept_and_listed_once(on: Engines) {
    for (seed, deletes, edits, decides) in [
        (11, NORTH_A, NORTH_B, NORTH),
        (12, NORTH_A, SOUTH_A, MINISTRY),
        // What the ministry did has come to the district before what the clinic did.
        (13, MINISTRY, NORTH_A, NORTH),
        (14, NORTH_A, MINISTRY, NORTH),
        (15, NORTH, MINISTRY, MINISTRY),
        (16, NORTH, NORTH_A, NORTH),
        (17, NORTH_A, NORTH, NORTH),
    ] {
        let mut fleet = fleet(on, seed, |_| "");
        phone(&mut fleet, edits, "edited");
        fleet.nodes[deletes].run("DELETE FROM patient WHERE uuid = 'a'");
        fleet.settle();
        equal(&mut fleet);
        stands(&fleet, "edited");
        assert_eq!(deletions(&mut fleet), [decides], "{} deletes, {} edits", NAMES[deletes], NAMES[edits]);
    }
}

on_engines!(a_deletion_reaches_all_and_so_does_a_record_that_is_entered_again);
fn a_deletion_reaches_all_and_so_does_a_record_that_is_entered_again(on: Engines) {
    let mut fleet = fleet(on, 18, |_| "");
    fleet.nodes[NORTH_A].run("DELETE FROM patient WHERE uuid = 'a'");
    fleet.settle();
    assert!(fleet.nodes.iter().all(|node| node.count("patient") == 1));
    fleet.nodes[SOUTH_A].run("INSERT INTO patient (uuid, name, phone) VALUES ('a', 'Abena', 'again')");
    fleet.settle();
    equal(&mut fleet);
    stands(&fleet, "again");
    assert_eq!((listed(&mut fleet), deletions(&mut fleet)), (vec![], vec![]));
}

on_engines!(a_village_that_two_districts_found_is_one);
fn a_village_that_two_districts_found_is_one(on: Engines) {
    let mut fleet = fleet(on, 19, |_| "");
    fleet.nodes[NORTH_A].run("INSERT INTO village (code, title) VALUES ('V1', 'Kola')");
    fleet.nodes[NORTH_B].run("INSERT INTO village (code, title) VALUES ('V1', 'Kola')");
    fleet.nodes[SOUTH_A].run("INSERT INTO village (code, title) VALUES ('V1', 'Cola')");
    fleet.settle();
    equal(&mut fleet);
    assert!(fleet.nodes.iter().all(|node| node.count("village") == 1));
    let all = listed(&mut fleet);
    assert_eq!(all.iter().map(|(node, ..)| *node).collect::<Vec<_>>(), [MINISTRY], "{all:?}");
    let titles = fleet.nodes[MINISTRY].versions();
    assert!(
        titles.values().any(|(_, value)| *value == Value::Text("Kola".into()) || *value == Value::Text("Cola".into()))
    );
}
