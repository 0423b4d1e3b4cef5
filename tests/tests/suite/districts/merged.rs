//! Two records that a person calls one: decided at the ministry or at a district, and known everywhere.

use saddlebag_formats::Uid;
use saddlebag_importer::Importer;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode};
use saddlebag_tests::on_engines;

use super::decided::{MINISTRY, NORTH, NORTH_A, NORTH_B, SOUTH, SOUTH_A, equal, fleet};

/// The patient with this uuid.
fn uid(fleet: &mut Fleet, uuid: &str) -> Uid {
    let versions = fleet.nodes[MINISTRY].versions();
    let is_it = |(column, value): (&String, &saddlebag_formats::Value)| {
        column == "uuid" && *value == saddlebag_formats::Value::Text(uuid.to_owned())
    };
    let found = versions.iter().find(|((_, _, column), (_, value))| is_it((column, value)));
    found.unwrap().0.1
}

/// A person says at a node that the patient which it holds is the same as another.
fn same_as(fleet: &mut Fleet, node: usize, into: &str) {
    let into = uid(fleet, into);
    let held = fleet.nodes[node].held();
    let patients: Vec<_> = held.iter().filter(|held| held.table == "patient").collect();
    assert_eq!(patients.len(), 1, "{held:?}");
    let FleetNode { store, keys, me, clock, entropy, .. } = &mut fleet.nodes[node];
    let mut importer = Importer { store: &mut **store, keys, me, clock, entropy };
    importer.resolve_same_as(patients[0].link, "patient", patients[0].uid, into).unwrap();
}

fn register(fleet: &Fleet, node: usize, uuid: &str) {
    fleet.nodes[node].run(&format!("INSERT INTO patient (uuid, name, badge) VALUES ('{uuid}', 'Chipo', '7')"));
    fleet.nodes[node].run(&format!(
        "INSERT INTO visit (tag, note, patient_id) SELECT 'of {uuid}', 'note', id FROM patient WHERE uuid = '{uuid}'"
    ));
}

/// One patient is left, with the visits of both, at every node.
fn one_is_left(fleet: &mut Fleet, patients: i64) {
    fleet.settle();
    equal(fleet);
    for node in &mut fleet.nodes {
        assert_eq!(node.held(), [], "{node:?}");
        assert_eq!(node.count("patient"), patients, "{node:?}");
        let visits = "SELECT count(*) FROM visit JOIN patient ON patient.id = patient_id WHERE badge = '7'";
        assert_eq!(node.ask(visits), "2", "{node:?}");
    }
}

on_engines!(a_patient_of_two_districts_is_one_by_the_ministrys_word);
fn a_patient_of_two_districts_is_one_by_the_ministrys_word(on: Engines) {
    let mut fleet = fleet(on, 51, |_| "");
    register(&fleet, NORTH_A, "c");
    register(&fleet, SOUTH_A, "d");
    for (from, to) in [(NORTH_A, NORTH), (NORTH, MINISTRY), (SOUTH_A, SOUTH), (SOUTH, MINISTRY)] {
        fleet.carry(from, to);
    }
    same_as(&mut fleet, MINISTRY, "c");
    one_is_left(&mut fleet, 3);
}

on_engines!(a_patient_of_two_clinics_is_one_by_their_districts_word);
fn a_patient_of_two_clinics_is_one_by_their_districts_word(on: Engines) {
    let mut fleet = fleet(on, 52, |_| "");
    register(&fleet, NORTH_A, "c");
    register(&fleet, NORTH_B, "d");
    for (from, to) in [(NORTH_A, NORTH), (NORTH, MINISTRY), (NORTH_B, NORTH)] {
        fleet.carry(from, to);
    }
    same_as(&mut fleet, NORTH, "c");
    one_is_left(&mut fleet, 3);
}

on_engines!(two_records_that_all_know_become_one_by_a_districts_word);
fn two_records_that_all_know_become_one_by_a_districts_word(on: Engines) {
    let mut fleet = fleet(on, 53, |_| "");
    for (node, uuid) in [(NORTH_A, "a"), (SOUTH_A, "b")] {
        fleet.nodes[node].run(&format!(
            "INSERT INTO visit (tag, note, patient_id) SELECT 'of {uuid}', 'note', id FROM patient WHERE uuid = '{uuid}'"
        ));
    }
    fleet.settle();
    fleet.nodes[NORTH_A].run("UPDATE patient SET badge = '7' WHERE uuid = 'a'");
    fleet.nodes[NORTH_B].run("UPDATE patient SET badge = '7' WHERE uuid = 'b'");
    for (from, to) in [(NORTH_B, NORTH), (NORTH_A, NORTH)] {
        fleet.carry(from, to);
    }
    same_as(&mut fleet, NORTH, "b");
    one_is_left(&mut fleet, 1);
}
