//! Natural keys that meet, are corrected at two places at once, or are corrected away and used again.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, ORDERS, WARD, arrive, everywhere, fleet, later, told};

const TABLES: &str = "
[person]
identity = 'natural(ref)'
[visit]
identity = 'natural(person_id, day)'
";

const SCHEMA: &str = "
CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT);
CREATE TABLE visit (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), day TEXT, text TEXT);
";

fn begun(on: Engines) -> Fleet {
    fleet(on, TABLES, SCHEMA)
}

on_engines!(two_places_that_create_the_same_record_hold_one);
fn two_places_that_create_the_same_record_hold_one(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        fleet.nodes[CLINIC]
            .run("INSERT INTO person (ref, name, phone) VALUES ('A', 'Abena', '1'), ('B', 'Bola', NULL)");
        later();
        fleet.nodes[WARD].run("INSERT INTO person (ref, name, phone) VALUES ('A', 'Abena', '2'), ('B', 'Bola', '3')");
        for node in [CLINIC, WARD] {
            let name = fleet.nodes[node].me.name.to_string();
            fleet.nodes[node].run(&format!(
                "INSERT INTO visit (person_id, day, text) SELECT id, 'monday', '{name}' FROM person WHERE ref = 'A'"
            ));
        }
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT count(*) FROM person", "2");
        everywhere(&fleet, "SELECT phone FROM person WHERE ref = 'A'", "'2'");
        everywhere(&fleet, "SELECT phone FROM person WHERE ref = 'B'", "'3'");
        everywhere(&fleet, "SELECT text FROM visit JOIN person ON person.id = person_id", "'ward'");
        let mut told = told(&mut fleet);
        told.sort();
        let entry = |table: &str, column: &str, stands: &str, lost: &str| {
            (table.to_owned(), column.to_owned(), stands.to_owned(), lost.to_owned())
        };
        assert_eq!(told, [entry("person", "phone", "2", "1"), entry("visit", "text", "ward", "clinic")]);
    }
}

on_engines!(a_key_that_is_corrected_at_two_places_at_once);
fn a_key_that_is_corrected_at_two_places_at_once(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('A', 'a'), ('S', 's'), ('M', 'm')");
        fleet.nodes[WARD].run("INSERT INTO visit (person_id, day) SELECT id, ref FROM person");
        fleet.settle();
        fleet.nodes[CLINIC].run("UPDATE person SET ref = 'A1' WHERE ref = 'A'");
        fleet.nodes[CLINIC].run("UPDATE person SET ref = 'S1' WHERE ref = 'S'");
        fleet.nodes[MINISTRY].run("UPDATE person SET ref = 'M0' WHERE ref = 'M'");
        later();
        fleet.nodes[WARD].run("UPDATE person SET ref = 'A2' WHERE ref = 'A'");
        fleet.nodes[WARD].run("UPDATE person SET ref = 'S1' WHERE ref = 'S'");
        fleet.nodes[WARD].run("UPDATE person SET ref = 'M2' WHERE ref = 'M'");
        arrive(&mut fleet, order);
        for (name, reference) in [("a", "A2"), ("s", "S1"), ("m", "M2")] {
            everywhere(&fleet, &format!("SELECT ref FROM person WHERE name = '{name}'"), &format!("'{reference}'"));
        }
        everywhere(
            &fleet,
            "SELECT count(*) FROM visit JOIN person ON person.id = person_id AND day = upper(name)",
            "3",
        );
        let mut told = told(&mut fleet);
        told.sort();
        let entry = |stands: &str, lost: &str| ("person".into(), "ref".into(), stands.into(), lost.into());
        assert_eq!(told, [entry("A2", "A1"), entry("M2", "M0")], "corrected alike is no conflict");
        // Whoever writes under the new name means the same record.
        fleet.nodes[CLINIC].run("UPDATE person SET phone = '9' WHERE ref = 'A2'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT phone FROM person WHERE name = 'a'", "'9'");
    }
}

on_engines!(a_key_that_is_corrected_away_and_used_again_is_another_record);
fn a_key_that_is_corrected_away_and_used_again_is_another_record(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('A', 'first')");
        fleet.settle();
        fleet.nodes[CLINIC].run("UPDATE person SET ref = 'B' WHERE ref = 'A'");
        fleet.nodes[CLINIC].run("INSERT INTO person (ref, name) VALUES ('A', 'second')");
        // The ward still knows the first one by that name.
        fleet.nodes[WARD].run("UPDATE person SET phone = 'of the first' WHERE ref = 'A'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT name || phone FROM person WHERE ref = 'B'", "'firstof the first'");
        everywhere(&fleet, "SELECT name FROM person WHERE ref = 'A' AND phone IS NULL", "'second'");
        assert_eq!(told(&mut fleet), []);
    }
}

on_engines!(two_records_that_had_one_name_are_corrected_apart);
fn two_records_that_had_one_name_are_corrected_apart(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("INSERT INTO person (ref, name) VALUES ('A', 'of the clinic')");
    fleet.carry(CLINIC, MINISTRY);
    // The clinic sees that it was the wrong name; the ward, which knows nothing of it, gives the name to somebody else.
    fleet.nodes[CLINIC].run("UPDATE person SET ref = 'C' WHERE ref = 'A'");
    fleet.carry(CLINIC, MINISTRY);
    fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('A', 'of the ward'), ('W', 'another')");
    fleet.carry(WARD, MINISTRY);
    let held = fleet.nodes[MINISTRY].held();
    assert_eq!(held.len(), 1, "only that one is held");
    assert!(held[0].reason.contains("under the key that this one had before"), "{}", held[0].reason);
    assert_eq!(fleet.nodes[MINISTRY].ask("SELECT count(*) FROM person"), "2");
    assert_eq!(told(&mut fleet), [], "nothing was merged by guess");
    // The ward enters its own under another name.
    fleet.nodes[WARD].run("DELETE FROM person WHERE ref = 'A'");
    fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('A2', 'of the ward')");
    arrive(&mut fleet, ORDERS[1]);
    everywhere(&fleet, "SELECT name FROM person WHERE ref = 'C'", "'of the clinic'");
    everywhere(&fleet, "SELECT name FROM person WHERE ref = 'A2'", "'of the ward'");
    everywhere(&fleet, "SELECT count(*) FROM person", "3");
}
