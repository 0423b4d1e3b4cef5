//! What the randomised fleet of `anything.rs` found, each as small as it gets.

use saddlebag_formats::Seq;
use saddlebag_formats::members::decode_change;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_stores::Access;
use saddlebag_tests::app::App;
use saddlebag_tests::engines::{Engines, SQLITE};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::on_engines;

const NAMES: [&str; 2] = ["ministry", "clinic-a"];

/// The ministry and one clinic.
fn fleet(on: Engines, tables: &str, schema: impl Fn(usize, &mut App)) -> Fleet {
    Fleet::new(&FleetPlan { names: &NAMES, tables, seed: 1, engines: on }, schema)
}

fn run(fleet: &Fleet, node: usize, sql: &str) {
    fleet.nodes[node].run(sql);
}

/// What a query of one column gives, in order.
fn ask(fleet: &Fleet, node: usize, sql: &str) -> Vec<Option<String>> {
    fleet.nodes[node].app.texts(sql, &[])
}

fn texts(all: &[&str]) -> Vec<Option<String>> {
    all.iter().map(|text| Some((*text).to_owned())).collect()
}

const VILLAGES: &str = "CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT, note TEXT);
    CREATE TABLE street (id INTEGER PRIMARY KEY, name TEXT, village INTEGER REFERENCES village (id));";

const VILLAGE_TABLES: &str = "[village]\nidentity = 'natural(code)'\n[street]\nidentity = 'assigned'";

on_engines!(a_row_that_stayed_at_home_is_a_record_once_its_twin_is_gone);
/// A second row of one identity stays at home; when the first is gone, it is the only one, and nothing keeps it there.
fn a_row_that_stayed_at_home_is_a_record_once_its_twin_is_gone(on: Engines) {
    for how in ["DELETE FROM village WHERE id = 1", "UPDATE village SET code = 'W' WHERE id = 1"] {
        let mut fleet = fleet(on, VILLAGE_TABLES, |_, app| app.execute_batch(VILLAGES).unwrap());
        run(&fleet, 1, "INSERT INTO village VALUES (1, 'V', 'first'), (2, 'V', 'second')");
        fleet.settle();
        run(&fleet, 1, how);
        fleet.settle();
        let here = ask(&fleet, 1, "SELECT note FROM village ORDER BY note");
        assert_eq!(ask(&fleet, 0, "SELECT note FROM village ORDER BY note"), here, "after {how}");
    }
}

on_engines!(a_record_that_comes_back_with_a_twin_is_the_one_that_was_deleted);
/// Two rows of one identity are made together where a record of that identity was deleted: one of them is that record.
fn a_record_that_comes_back_with_a_twin_is_the_one_that_was_deleted(on: Engines) {
    let mut fleet = fleet(on, VILLAGE_TABLES, |_, app| app.execute_batch(VILLAGES).unwrap());
    run(&fleet, 1, "INSERT INTO village VALUES (1, 'V', 'first')");
    fleet.settle();
    run(&fleet, 1, "DELETE FROM village");
    fleet.settle();
    run(&fleet, 1, "INSERT INTO village VALUES (2, 'V', 'second'), (3, 'V', 'third')");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT note FROM village"), texts(&["second"]));
    let deleted = |node: &mut FleetNode| {
        node.store.begin(Access::Read).unwrap();
        let table = node.store.tracking().by_name("village").unwrap().clone();
        let deleted = node.store.deleted(&table, Seq(0), Seq(u64::MAX >> 1)).unwrap();
        node.store.rollback().unwrap();
        deleted
    };
    for node in &mut fleet.nodes {
        assert!(deleted(node).is_empty(), "it stands, and is deleted, at {}", node.me.name);
    }
}

on_engines!(references_to_a_row_that_leaves_home_are_told);
/// A row that stayed at home is corrected and becomes a record: what refers to it means it everywhere.
fn references_to_a_row_that_leaves_home_are_told(on: Engines) {
    let mut fleet = fleet(on, VILLAGE_TABLES, |_, app| app.execute_batch(VILLAGES).unwrap());
    run(&fleet, 1, "INSERT INTO village VALUES (1, 'V', 'first'), (2, 'V', 'second')");
    run(&fleet, 1, "INSERT INTO street VALUES (1, 'Long', 2)");
    fleet.settle();
    run(&fleet, 1, "UPDATE village SET code = 'W' WHERE id = 2");
    fleet.settle();
    let sql = "SELECT v.note FROM street s LEFT JOIN village v ON v.id = s.village";
    assert_eq!(ask(&fleet, 1, sql), texts(&["second"]));
    assert_eq!(ask(&fleet, 0, sql), texts(&["second"]));
}

const PEOPLE: &str = "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, name TEXT);
    CREATE TABLE note (id INTEGER PRIMARY KEY, about INTEGER, resource TEXT);";

on_engines!(a_record_that_comes_back_has_the_references_that_it_had);
/// A record that was deleted here and edited there comes back: bare ids that name it mean it again.
fn a_record_that_comes_back_has_the_references_that_it_had(on: Engines) {
    let tables = "[person]\nidentity = 'uuid(uuid)'\n[note]\nidentity = 'assigned'\n\
        references = { about = 'person', resource = 'model,id' }";
    let mut fleet = fleet(on, tables, |_, app| app.execute_batch(PEOPLE).unwrap());
    run(&fleet, 0, "INSERT INTO person VALUES (7, 'p', 'Ada'); INSERT INTO note VALUES (1, 7, 'person,7')");
    fleet.settle();
    run(&fleet, 1, "UPDATE person SET name = 'Ada B'");
    run(&fleet, 0, "DELETE FROM person");
    fleet.settle();
    for (node, at) in NAMES.iter().enumerate() {
        assert_eq!(ask(&fleet, node, "SELECT name FROM person"), texts(&["Ada B"]), "at {at}");
        let bare = "SELECT p.name FROM note n LEFT JOIN person p ON p.id = n.about";
        assert_eq!(ask(&fleet, node, bare), texts(&["Ada B"]), "by a bare id at {at}");
        let named = "SELECT p.name FROM note n LEFT JOIN person p ON n.resource = 'person,' || p.id";
        assert_eq!(ask(&fleet, node, named), texts(&["Ada B"]), "by text at {at}");
    }
}

on_engines!(what_stood_beside_a_record_that_is_entered_again_is_the_same_at_both_ends);
/// A record is deleted and entered again where the schema lacks a column: both ends know the same of that column.
fn what_stood_beside_a_record_that_is_entered_again_is_the_same_at_both_ends(on: Engines) {
    let mut fleet = fleet(on, "[person]\nidentity = 'uuid(uuid)'", |node, app| {
        let extra = if node == 0 { ", extra TEXT" } else { "" };
        app.execute_batch(&format!("CREATE TABLE person (id INTEGER PRIMARY KEY, uuid TEXT{extra})")).unwrap();
    });
    run(&fleet, 0, "INSERT INTO person VALUES (1, 'p', 'only here')");
    fleet.settle();
    run(&fleet, 1, "DELETE FROM person; INSERT INTO person (uuid) VALUES ('p')");
    fleet.settle();
    let (ministry, clinic) = (fleet.nodes[0].versions(), fleet.nodes[1].versions());
    assert_eq!(ministry.len(), clinic.len());
    for (spot, known) in &ministry {
        assert_eq!(clinic.get(spot), Some(known), "{spot:?}");
    }
}

on_engines!(a_matched_row_that_was_deleted_does_not_come_back_by_a_reference);
/// "`match`: only resolve references, never move data."
fn a_matched_row_that_was_deleted_does_not_come_back_by_a_reference(on: Engines) {
    let tables = "[kind]\nidentity = 'natural(code)'\ndirection = 'match'\n[claim]\nidentity = 'assigned'";
    let mut fleet = fleet(on, tables, |_, app| {
        let sql = "CREATE TABLE kind (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
            CREATE TABLE claim (id INTEGER PRIMARY KEY, kind INTEGER REFERENCES kind (id));
            INSERT INTO kind VALUES (1, 'K')";
        app.execute_batch(sql).unwrap();
    });
    run(&fleet, 0, "DELETE FROM kind");
    run(&fleet, 1, "INSERT INTO claim VALUES (1, 1)");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT code FROM kind"), texts(&[]));
    let sql = "SELECT CAST(kind AS TEXT) FROM claim";
    assert_eq!(ask(&fleet, 0, sql), [None]);
    assert_eq!(ask(&fleet, 1, sql), texts(&["1"]));
}

on_engines!(a_true_value_in_its_column_does_not_stand_beside_the_record_too);
/// An application writes the true number over the one that is shown: nothing stands beside the record any more.
fn a_true_value_in_its_column_does_not_stand_beside_the_record_too(on: Engines) {
    let mut fleet = fleet(on, "[slip]\nidentity = 'assigned'\nlocal_unique = ['code']", |_, app| {
        app.execute_batch("CREATE TABLE slip (id INTEGER PRIMARY KEY, code TEXT)").unwrap();
    });
    run(&fleet, 0, "INSERT INTO slip VALUES (1, 'CODE 1')");
    run(&fleet, 1, "INSERT INTO slip VALUES (1, 'CODE 1')");
    fleet.settle();
    run(&fleet, 0, "DELETE FROM slip WHERE id = 1; UPDATE slip SET code = 'CODE 1'");
    fleet.settle();
    let store = &mut fleet.nodes[0].store;
    let table = store.tracking().by_name("slip").unwrap().clone();
    store.begin(Access::Read).unwrap();
    assert_eq!(store.beside(&table).unwrap(), []);
    store.rollback().unwrap();
}

on_engines!(what_was_found_at_both_places_and_deleted_at_one_is_the_same_at_both);
/// What setup finds at both places is one record: when the ministry deletes it before the clinic has said anything,
/// it is gone at both, or stands at both.
fn what_was_found_at_both_places_and_deleted_at_one_is_the_same_at_both(on: Engines) {
    let mut fleet = fleet(on, "[person]\nidentity = 'uuid(uuid)'", |_, app| {
        let sql = "CREATE TABLE person (id INTEGER PRIMARY KEY, uuid TEXT, name TEXT); \
            INSERT INTO person VALUES (1, 'p', 'Ada')";
        app.execute_batch(sql).unwrap();
    });
    run(&fleet, 0, "DELETE FROM person");
    fleet.carry(0, 1);
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT name FROM person"), ask(&fleet, 1, "SELECT name FROM person"));
}

/// `UPDATE OR REPLACE` puts a row in the place of another, whose last values are known all the same: an edit of it that
/// another place made brings it back, or stands in its way, but not because it went unseen.
#[test]
fn a_row_in_whose_place_another_is_put_does_not_go_unseen() {
    for edited in ["K1", "K2"] {
        for is_found in [true, false] {
            let rows = "INSERT INTO staff VALUES ('K1', 'one'), ('K2', 'two')";
            let mut fleet = fleet(SQLITE, "[staff]\nidentity = 'natural(login)'", |_, app| {
                let sql = "CREATE TABLE staff (login TEXT NOT NULL PRIMARY KEY, words TEXT)";
                app.execute_batch(&format!("{sql}; {}", if is_found { rows } else { "" })).unwrap();
            });
            if !is_found {
                run(&fleet, 0, rows);
                fleet.settle();
            }
            run(&fleet, 1, &format!("UPDATE staff SET words = 'edited' WHERE login = '{edited}'"));
            run(&fleet, 0, "UPDATE OR REPLACE staff SET login = 'K2' WHERE login = 'K1'");
            fleet.settle();
            let store = &mut fleet.nodes[0].store;
            store.begin(Access::Read).unwrap();
            for held in store.held(None).unwrap() {
                assert!(!held.reason.contains("went unseen"), "{edited}, found {is_found}: {}", held.reason);
            }
            store.rollback().unwrap();
        }
    }
}

on_engines!(a_value_that_was_overwritten_does_not_go_with_a_deletion);
/// Ministry and clinic write one column of a copy, and the ministry corrects its key; then the clinic deletes it. The
/// value that nobody had seen is final, held or in conflict, and not gone.
fn a_value_that_was_overwritten_does_not_go_with_a_deletion(on: Engines) {
    let mut fleet = fleet(on, "[account]\nidentity = 'uuid(uuid)'", |_, app| {
        let sql = "CREATE TABLE account (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, note TEXT); \
            INSERT INTO account VALUES (1, 'p', NULL)";
        app.execute_batch(sql).unwrap();
    });
    run(&fleet, 0, "UPDATE account SET uuid = 'q', note = 'of the ministry'");
    run(&fleet, 1, "UPDATE account SET note = 'of the clinic'");
    fleet.settle();
    run(&fleet, 1, "DELETE FROM account");
    fleet.settle();
    let known = known(&mut fleet);
    for value in ["of the clinic", "of the ministry"] {
        assert!(known.iter().any(|text| text.contains(value)), "only this is known: {known:#?}");
    }
}

on_engines!(a_copy_whose_key_was_corrected_elsewhere_is_no_other_record);
/// What setup found at both places is one record, though the ministry has given it another name since: the clinic's
/// edits of it arrive.
fn a_copy_whose_key_was_corrected_elsewhere_is_no_other_record(on: Engines) {
    let mut fleet = fleet(on, "[account]\nidentity = 'uuid(uuid)'", |_, app| {
        let sql = "CREATE TABLE account (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, note TEXT); \
            INSERT INTO account VALUES (1, 'p', 'as it was')";
        app.execute_batch(sql).unwrap();
    });
    run(&fleet, 0, "UPDATE account SET uuid = 'q'");
    run(&fleet, 1, "UPDATE account SET note = 'the first of the clinic'");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT uuid || note FROM account"), texts(&["qthe first of the clinic"]));
    run(&fleet, 1, "UPDATE account SET note = 'the second of the clinic'");
    fleet.settle();
    let known = known(&mut fleet);
    assert!(known.iter().any(|text| text.contains("the second of the clinic")), "only this is known: {known:#?}");
}

on_engines!(a_held_value_does_not_go_with_an_edit_that_had_not_seen_it);
/// A clinic's value is held because of another column; the clinic takes the ministry's value and edits the record once
/// more upon that one. Its first value was overwritten by nobody who had seen it.
fn a_held_value_does_not_go_with_an_edit_that_had_not_seen_it(on: Engines) {
    let mut fleet = fleet(on, "[account]\nidentity = 'uuid(uuid)'", |_, app| {
        let sql = "CREATE TABLE account (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, login TEXT UNIQUE, note TEXT); \
            INSERT INTO account VALUES (1, 'p', NULL, 'as it was')";
        app.execute_batch(sql).unwrap();
    });
    run(&fleet, 0, "INSERT INTO account VALUES (2, 'q', 'ada', NULL)");
    run(&fleet, 1, "UPDATE account SET login = 'ada', note = 'the first of the clinic'");
    fleet.carry(1, 0);
    fleet.carry(0, 1);
    // Only if the clinic shows the ministry's value again has its next edit not seen its own.
    assert_eq!(ask(&fleet, 1, "SELECT note FROM account WHERE uuid = 'p'"), texts(&["as it was"]));
    run(&fleet, 1, "UPDATE account SET note = 'the second of the clinic' WHERE uuid = 'p'");
    fleet.settle();
    let known = known(&mut fleet);
    assert!(known.iter().any(|text| text.contains("the second of the clinic")), "only this is known: {known:#?}");
    assert!(known.iter().any(|text| text.contains("the first of the clinic")), "only this is known: {known:#?}");
}

/// All that stands in `note` of `account`, in what is held, and in conflicts.
fn known(fleet: &mut Fleet) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for node in &mut fleet.nodes {
        known.extend(node.app.texts("SELECT note FROM account", &[]).into_iter().flatten());
        node.store.begin(Access::Read).unwrap();
        for held in node.store.held(None).unwrap() {
            known.push(format!("{:?}", decode_change(&held.change).unwrap()));
        }
        let sides = node.store.conflicts().unwrap().into_iter().flat_map(|conflict| [conflict.winner, conflict.loser]);
        known.extend(sides.filter_map(|side| Some(format!("{:?}", decode_values(&side.value?).unwrap()))));
        node.store.rollback().unwrap();
    }
    known
}

on_engines!(a_key_that_is_used_again_means_the_new_row_to_what_refers_to_it);
/// A new row refers to another new one under the key of a deleted one: what is known of it is what it says now.
fn a_key_that_is_used_again_means_the_new_row_to_what_refers_to_it(on: Engines) {
    const VISITS: &str =
        "CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT, previous INTEGER REFERENCES visit (id));";
    let mut fleet = fleet(on, "[visit]\nidentity = 'assigned'", |_, app| app.execute_batch(VISITS).unwrap());
    run(&fleet, 1, "INSERT INTO visit VALUES (5, 'gone', NULL)");
    fleet.settle();
    run(&fleet, 1, "DELETE FROM visit");
    fleet.settle();
    run(&fleet, 1, "INSERT INTO visit VALUES (4, 'later', NULL), (5, 'earlier', NULL)");
    run(&fleet, 1, "UPDATE visit SET previous = 5 WHERE id = 4");
    fleet.settle();
    let sql = "SELECT earlier.note FROM visit JOIN visit earlier ON earlier.id = visit.previous";
    assert_eq!(ask(&fleet, 0, sql), texts(&["earlier"]));
    for node in &mut fleet.nodes {
        let table = node.store.tracking().tables[0].clone();
        node.store.begin(Access::Read).unwrap();
        let mut found = Vec::new();
        let _checked = node.store.check(&table, &mut |difference| found.push(difference)).unwrap();
        node.store.rollback().unwrap();
        assert!(found.is_empty(), "{}: {found:?}", node.me.name);
    }
}
