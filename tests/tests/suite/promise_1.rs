//! "Nothing is lost": each way in which something might be, and where it must stand instead.

use rusqlite::Connection;
use saddlebag_importer::ImportResult;
use saddlebag_stores::ledger::{BesideWhy, ConflictKind, HeldKind};
use saddlebag_tests::asking::held_values;
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};

mod crashes;
mod replaced;

const SCHEMA: &str = "
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, badge TEXT UNIQUE);
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT, weight TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id));
";

const TABLES: &str = "
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
";

/// A ministry and two clinics that all know the patients `a` and `b`; `own` is what the ministry's database has besides.
fn fleet(seed: u64, own: &str) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "riverside", "hilltop"], tables: TABLES, seed, engines: SQLITE };
    let mut fleet = Fleet::new(&plan, |index, connection| {
        connection.execute_batch(SCHEMA).unwrap();
        if index == 0 {
            connection.execute_batch(own).unwrap();
        }
    });
    fleet.nodes[0].run("INSERT INTO patient (uuid, name, phone) VALUES ('a', 'Abena', '1'), ('b', 'Binta', '2')");
    fleet.settle();
    fleet
}

fn equal(fleet: &mut Fleet) {
    let tables = [Table::named("patient", &["uuid"]), Table::new("visit")];
    let names = ["ministry", "riverside", "hilltop"].into_iter();
    let nodes: Vec<(&str, &Connection)> = names.zip(fleet.nodes.iter().map(|node| &*node.app)).collect();
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
    let versions: Vec<_> = fleet.nodes.iter_mut().map(|node| node.versions()).collect();
    assert!(versions.iter().all(|other| *other == versions[0]));
}

fn phone(value: &str) -> String {
    format!("UPDATE patient SET phone = '{value}' WHERE uuid = 'a'")
}

const PHONE: &str = "SELECT phone FROM patient WHERE uuid = 'a'";

/// Three places write one column without having seen each other: whatever the order of arrival and the clocks, one value
/// stands everywhere, and the other two stand in `conflicts`.
#[test]
fn a_value_that_was_overwritten_by_somebody_who_had_not_seen_it_stands_in_conflicts() {
    for (seed, order) in (1..).zip([[1, 2], [2, 1]]) {
        for clocks in [[0, 10, 20], [20, 10, 0], [10, 0, 20], [20, 0, 10], [0, 0, 0]] {
            let mut fleet = fleet(seed, "");
            for (index, (node, ahead)) in fleet.nodes.iter_mut().zip(clocks).enumerate() {
                node.clock.0.set(node.clock.0.get() + ahead);
                node.run(&phone(&format!("of {index}")));
            }
            for clinic in order {
                fleet.carry(clinic, 0);
            }
            fleet.settle();
            equal(&mut fleet);
            let stands = fleet.nodes[0].ask(PHONE);
            let disagreements = fleet.nodes[0].disagreements();
            assert_eq!(disagreements.len(), 2, "{disagreements:?}");
            let mut lost: Vec<String> = disagreements.iter().map(|(_, loser)| loser.clone()).collect();
            lost.push(stands.trim_matches('\'').to_owned());
            lost.sort();
            assert_eq!(lost, ["of 0", "of 1", "of 2"], "clocks {clocks:?}, order {order:?}");
        }
    }
}

#[test]
fn a_value_that_was_seen_is_overwritten_without_a_conflict_and_an_unseen_one_of_another_column_stays() {
    let mut fleet = fleet(3, "");
    fleet.nodes[1].run(&phone("of riverside"));
    fleet.settle();
    fleet.nodes[2].run(&phone("of hilltop, who saw it"));
    fleet.nodes[1].run("UPDATE patient SET name = 'Abena Mensah' WHERE uuid = 'a'");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(fleet.nodes[0].conflicts(), []);
    assert_eq!(
        fleet.nodes[1].ask("SELECT name || phone FROM patient WHERE uuid = 'a'"),
        "'Abena Mensahof hilltop, who saw it'"
    );
}

/// An older schema at the ministry between two newer ones, and a column that stores another form of what it is given.
#[test]
fn a_value_that_cannot_stand_in_its_column_stands_beside_the_record_and_travels_on() {
    let plan = FleetPlan { names: &["ministry", "riverside", "hilltop"], tables: TABLES, seed: 4, engines: SQLITE };
    let mut fleet = Fleet::new(&plan, |index, connection| {
        let sql = if index == 0 {
            SCHEMA.replace("phone TEXT", "phone INTEGER")
        } else {
            SCHEMA.replace("phone TEXT", "phone TEXT, blood TEXT")
        };
        connection.execute_batch(&sql).unwrap();
    });
    fleet.nodes[1].run("INSERT INTO patient (uuid, name, phone, blood) VALUES ('a', 'Abena', '0070', 'A+')");
    fleet.settle();
    assert_eq!(fleet.nodes[0].ask(PHONE), "70", "what its column makes of it");
    let mut why: Vec<String> =
        fleet.nodes[0].beside("patient").iter().map(|beside| format!("{:?}", beside.why)).collect();
    why.sort();
    assert_eq!(why, [format!("{:?}", BesideWhy::NoColumn), format!("{:?}", BesideWhy::OtherForm)]);
    let both = "SELECT phone || ' ' || blood FROM patient WHERE uuid = 'a'";
    assert_eq!(fleet.nodes[2].ask(both), "'0070 A+'", "the true values travelled on");
    // An edit of another column at the ministry leaves both as they are.
    fleet.nodes[0].run("UPDATE patient SET name = 'Abena Mensah'");
    fleet.settle();
    assert_eq!(fleet.nodes[2].ask(both), "'0070 A+'");
    assert_eq!(fleet.nodes[1].ask("SELECT name FROM patient"), "'Abena Mensah'");
    assert_eq!(fleet.nodes[0].beside("patient").len(), 2);
    // An edit of the column itself takes its place.
    fleet.nodes[0].run("UPDATE patient SET phone = 71");
    fleet.nodes[2].run("UPDATE patient SET blood = 'B-'");
    fleet.settle();
    let values = "SELECT CAST(phone AS TEXT) || ' ' || blood FROM patient WHERE uuid = 'a'";
    assert_eq!([1, 2].map(|node: usize| fleet.nodes[node].ask(values)), ["'71 B-'", "'71 B-'"]);
    assert_eq!(fleet.nodes[0].beside("patient").len(), 1, "only the column that is not there");
    assert_eq!(fleet.nodes[0].conflicts(), []);
    // The application is upgraded: the column appears, and its value with it.
    fleet.nodes[0].run("ALTER TABLE patient ADD COLUMN blood TEXT");
    fleet.nodes[0].set_up_again(TABLES);
    fleet.settle();
    assert_eq!(fleet.nodes[0].ask("SELECT blood FROM patient"), "'B-'");
    assert_eq!([1, 2].map(|node: usize| fleet.nodes[node].ask(values)), ["'71 B-'", "'71 B-'"]);
}

const CHECK: &str = "
DROP TABLE visit;
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT, weight TEXT CHECK (weight NOT LIKE 'heavy%'),
    patient_id INTEGER NOT NULL REFERENCES patient (id));
";

#[test]
fn a_refused_record_is_held_whole_with_all_later_changes_and_stands_when_it_is_corrected() {
    let mut fleet = fleet(5, CHECK);
    let clinic = "INSERT INTO visit (tag, note, weight, patient_id) SELECT 'v', 'first', 'heavy', id FROM patient WHERE uuid = 'a'";
    fleet.nodes[1].run(clinic);
    fleet.settle();
    for (edit, note, weight) in [
        ("UPDATE visit SET note = 'second'", "second", "heavy"),
        ("UPDATE visit SET weight = 'heavy still'", "second", "heavy still"),
        ("UPDATE visit SET patient_id = (SELECT id FROM patient WHERE uuid = 'b')", "second", "heavy still"),
        ("UPDATE visit SET note = 'third'", "third", "heavy still"),
    ] {
        fleet.nodes[1].run(edit);
        fleet.settle();
        let held = fleet.nodes[0].held();
        assert_eq!((held.len(), held[0].kind), (1, HeldKind::Quarantined));
        assert!(held[0].reason.contains("CHECK"), "{}", held[0].reason);
        let values = held_values(&held[0]);
        let value = |name: &str| values.iter().find(|(column, _)| column == name).unwrap().1.as_str();
        assert_eq!([value("tag"), value("note"), value("weight")], ["v", note, weight]);
    }
    assert_eq!(fleet.nodes[0].count("visit"), 0);
    // The other clinic is told nothing of it, and has everything else.
    assert_eq!(fleet.nodes[2].count("visit"), 0);
    fleet.nodes[1].run("UPDATE visit SET weight = 'light'");
    fleet.settle();
    assert_eq!(fleet.nodes[0].held(), []);
    let sql = "SELECT tag || note || weight || uuid FROM visit JOIN patient ON patient.id = patient_id";
    assert_eq!(fleet.nodes[2].ask(sql), "'vthirdlightb'");
    equal(&mut fleet);
}

/// An edit of a record that stands already, refused: the edit is held, the record stays as it was.
#[test]
fn a_refused_edit_is_held_and_the_record_stays() {
    let mut fleet = fleet(6, CHECK);
    let clinic = "INSERT INTO visit (tag, weight, patient_id) SELECT 'v', 'light', id FROM patient WHERE uuid = 'a'";
    fleet.nodes[1].run(clinic);
    fleet.settle();
    fleet.nodes[1].run("UPDATE visit SET weight = 'heavy', note = 'so it is'");
    fleet.settle();
    assert_eq!(fleet.nodes[0].ask("SELECT tag || weight FROM visit"), "'vlight'");
    let held = fleet.nodes[0].held();
    assert_eq!(held_values(&held[0]), [("note".into(), "so it is".into()), ("weight".into(), "heavy".into())]);
    // Meanwhile somebody else edits what is held: neither is lost.
    fleet.nodes[2].run("UPDATE visit SET note = 'of hilltop'");
    fleet.settle();
    fleet.nodes[1].run("UPDATE visit SET weight = 'light again'");
    fleet.settle();
    equal(&mut fleet);
    let stands = fleet.nodes[0].ask("SELECT note FROM visit");
    let disagreements = fleet.nodes[0].disagreements();
    let (winner, loser) = &disagreements[0];
    assert_eq!(disagreements.len(), 1);
    assert_eq!(stands, format!("'{winner}'"));
    let mut both = [winner.as_str(), loser.as_str()];
    both.sort_unstable();
    assert_eq!(both, ["of hilltop", "so it is"]);
}

/// Whoever deletes, whoever edits, whatever arrives first: the edit is kept, and the disagreement is shown.
#[test]
fn a_deletion_against_an_edit_keeps_the_record_and_says_so() {
    let delete = "DELETE FROM patient WHERE uuid = 'a'";
    let edit = "UPDATE patient SET phone = 'edited' WHERE uuid = 'a'";
    for (deleter, editor) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        for order in [[1, 2], [2, 1]] {
            let mut fleet = fleet(7, "");
            fleet.nodes[deleter].run(delete);
            fleet.nodes[editor].run(edit);
            for clinic in order {
                fleet.carry(clinic, 0);
            }
            fleet.settle();
            equal(&mut fleet);
            for node in &fleet.nodes {
                assert_eq!(node.ask("SELECT name || phone FROM patient WHERE uuid = 'a'"), "'Abenaedited'");
            }
            let kinds: Vec<_> = fleet.nodes[0].conflicts().iter().map(|conflict| conflict.kind).collect();
            assert_eq!(kinds, [ConflictKind::Deletion], "deleted at {deleter}, edited at {editor}");
        }
    }
}

#[test]
fn a_deletion_against_a_new_reference_keeps_the_record() {
    for (deleter, other) in [(0, 1), (1, 0), (1, 2)] {
        let mut fleet = fleet(8, "");
        fleet.nodes[deleter].run("DELETE FROM patient WHERE uuid = 'a'");
        fleet.nodes[other]
            .run("INSERT INTO visit (tag, note, patient_id) SELECT 'v', 'came', id FROM patient WHERE uuid = 'a'");
        fleet.settle();
        equal(&mut fleet);
        let sql = "SELECT name || note FROM visit JOIN patient ON patient.id = patient_id";
        assert_eq!(fleet.nodes[0].ask(sql), "'Abenacame'", "deleted at {deleter}, referred to at {other}");
    }
}

#[test]
fn of_many_bundles_one_that_arrives_is_enough() {
    for arrives in [0, 3, 7] {
        let mut fleet = fleet(9, "");
        let mut bundles = Vec::new();
        for day in 0..8 {
            fleet.nodes[1].run(&format!(
                "INSERT INTO visit (tag, note, patient_id) SELECT 'v{day}', 'day {day}', id FROM patient;
                 UPDATE patient SET phone = 'day {day}'; DELETE FROM visit WHERE tag = 'v{}'",
                day - 2
            ));
            bundles.extend(fleet.export(1, 0));
        }
        assert_eq!(bundles.len(), 8);
        assert_eq!(fleet.nodes[0].import(&bundles[arrives]).unwrap().result, ImportResult::Applied);
        assert_eq!(fleet.nodes[0].ask(PHONE), format!("'day {arrives}'"));
        // What was lost comes with the next one, the deletions too.
        fleet.settle();
        equal(&mut fleet);
        assert_eq!(fleet.nodes[2].count("visit"), 4);
        assert_eq!(fleet.nodes[2].ask(PHONE), "'day 7'");
    }
}
