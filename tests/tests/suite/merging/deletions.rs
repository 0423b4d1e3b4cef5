//! What one place deletes and another edits, or refers to.

use saddlebag_formats::members::Outcome;
use saddlebag_stores::ledger::{ConflictKind, ConflictRule};
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, ORDERS, WARD, arrive, everywhere, fleet, later, receipts, told};

const TABLES: &str = "
[kept]
identity = 'natural(ref)'
delete = 'keep'
[gone]
identity = 'natural(ref)'
delete = 'delete'
quiet = ['written']
[note]
identity = 'assigned'
[line]
identity = 'assigned'
";

const SCHEMA: &str = "
CREATE TABLE kept (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT, written TEXT);
CREATE TABLE gone (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT, written TEXT);
CREATE TABLE note (id INTEGER PRIMARY KEY, kept_id INTEGER NOT NULL REFERENCES kept (id), text TEXT);
CREATE TABLE line (id INTEGER PRIMARY KEY, gone_id INTEGER NOT NULL REFERENCES gone (id), text TEXT);
";

/// Who deletes and who edits.
const PAIRS: [(usize, usize); 6] =
    [(CLINIC, WARD), (WARD, CLINIC), (MINISTRY, CLINIC), (MINISTRY, WARD), (CLINIC, MINISTRY), (WARD, MINISTRY)];

fn begun(on: Engines) -> Fleet {
    let mut fleet = fleet(on, TABLES, SCHEMA);
    for table in ["kept", "gone"] {
        for (deletes, edits) in PAIRS {
            let sql = format!(
                "INSERT INTO {table} (ref, name, phone) VALUES ('{deletes}{edits}', 'first', 'none'), \
                 ('seen {deletes}{edits}', 'first', 'none')"
            );
            fleet.nodes[WARD].run(&sql);
        }
    }
    fleet.settle();
    fleet
}

on_engines!(a_deletion_against_an_edit_both_ways_by_both_rules);
fn a_deletion_against_an_edit_both_ways_by_both_rules(on: Engines) {
    for order in ORDERS {
        for deletes_first in [true, false] {
            let mut fleet = begun(on);
            let work = |fleet: &Fleet, deletion: bool| {
                later();
                for (deletes, edits) in PAIRS {
                    for table in ["kept", "gone"] {
                        let of = format!("ref = '{deletes}{edits}'");
                        if deletion {
                            fleet.nodes[deletes].run(&format!("DELETE FROM {table} WHERE {of}"));
                            fleet.nodes[deletes]
                                .run(&format!("DELETE FROM {table} WHERE ref = 'seen {deletes}{edits}'"));
                        } else {
                            fleet.nodes[edits]
                                .run(&format!("UPDATE {table} SET phone = '{edits}', written = '1' WHERE {of}"));
                        }
                    }
                }
            };
            work(&fleet, deletes_first);
            work(&fleet, !deletes_first);
            arrive(&mut fleet, order);
            // What nobody edited is gone; of the rest the rule decides.
            everywhere(&fleet, "SELECT count(*) FROM kept", "6");
            everywhere(&fleet, "SELECT count(*) FROM gone", "0");
            for (deletes, edits) in PAIRS {
                let sql = format!("SELECT name || phone FROM kept WHERE ref = '{deletes}{edits}'");
                everywhere(&fleet, &sql, &format!("'first{edits}'"));
            }
            let mut lost: Vec<_> = told(&mut fleet).into_iter().filter(|told| !told.1.is_empty()).collect();
            lost.sort();
            let expected: Vec<_> = [0, 0, 1, 1, 2, 2]
                .iter()
                .map(|edits| ("gone".into(), "phone".into(), "deleted".into(), edits.to_string()))
                .collect();
            assert_eq!(lost, expected, "each value that the deletion took away unseen, and no quiet one");
            let conflicts = fleet.nodes[MINISTRY].conflicts();
            let count = |table: &str, rule: ConflictRule| {
                let of = conflicts.iter().filter(|conflict| {
                    (conflict.kind, conflict.rule, conflict.table.as_str()) == (ConflictKind::Deletion, rule, table)
                });
                of.count()
            };
            assert_eq!((count("kept", ConflictRule::Keep), count("gone", ConflictRule::Delete)), (6, 6));
            assert_eq!(conflicts.len(), 18);
            let clinic = receipts(&mut fleet, CLINIC);
            assert!(clinic.iter().any(|(table, _, outcome, _)| table == "kept" && *outcome == Outcome::DeletionKept));
            let by_rule = |told: &&(String, String, Outcome, String)| told.0 == "gone" && told.3.contains("`delete`");
            assert!(clinic.iter().any(|told| by_rule(&told)), "{clinic:?}");
        }
    }
}

on_engines!(a_record_that_comes_back_is_as_it_was_last);
fn a_record_that_comes_back_is_as_it_was_last(on: Engines) {
    for (order, is_edited) in [(ORDERS[0], true), (ORDERS[1], true), (ORDERS[0], false)] {
        let mut fleet = begun(on);
        let name = if is_edited { "last" } else { "first" };
        let edit = format!("UPDATE kept SET name = '{name}' WHERE ref = '01'");
        fleet.nodes[MINISTRY].run(&format!("{edit}; DELETE FROM kept WHERE ref = '01'"));
        fleet.nodes[CLINIC].run("UPDATE kept SET phone = '1' WHERE ref = '01'");
        fleet.nodes[WARD].run("UPDATE kept SET written = '2' WHERE ref = '01'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT name || phone || written FROM kept WHERE ref = '01'", &format!("'{name}12'"));
        assert!(told(&mut fleet).iter().all(|told| told.1.is_empty()), "no value overwrote another");
    }
}

on_engines!(what_was_deleted_by_rule_may_be_entered_again);
fn what_was_deleted_by_rule_may_be_entered_again(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        fleet.nodes[CLINIC].run("DELETE FROM gone");
        fleet.nodes[WARD].run("UPDATE gone SET phone = 'unseen' WHERE ref = '12'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT count(*) FROM gone", "0");
        // Whoever knew of the deletion enters it anew, at either place.
        fleet.nodes[CLINIC].run("INSERT INTO gone (ref, name) VALUES ('12', 'again')");
        fleet.nodes[WARD].run("INSERT INTO gone (ref, name) VALUES ('21', 'again')");
        let before = told(&mut fleet).len();
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT count(*) FROM gone WHERE name = 'again' AND phone IS NULL", "2");
        let values = told(&mut fleet).into_iter().skip(before).filter(|told| !told.1.is_empty());
        assert_eq!(values.count(), 0, "nothing was lost by it");
        // Deleted and entered again before anybody heard of it.
        fleet.nodes[WARD].run("DELETE FROM gone WHERE ref = '12'; INSERT INTO gone (ref, name) VALUES ('12', 'third')");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT name FROM gone WHERE ref = '12'", "'third'");
    }
}

on_engines!(a_parent_stays_where_another_place_has_a_child_of_it);
fn a_parent_stays_where_another_place_has_a_child_of_it(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        for (deletes, refers) in PAIRS {
            for (parent, child) in [("kept", "note"), ("gone", "line")] {
                let of = format!("ref = '{deletes}{refers}'");
                fleet.nodes[deletes].run(&format!("DELETE FROM {parent} WHERE {of}"));
                // It is edited too, by whoever refers to it.
                fleet.nodes[refers].run(&format!("UPDATE {parent} SET phone = '7' WHERE {of}"));
                fleet.nodes[refers].run(&format!(
                    "INSERT INTO {child} ({parent}_id, text) SELECT id, '{deletes}{refers}' FROM {parent} WHERE {of}"
                ));
            }
        }
        arrive(&mut fleet, order);
        for (parent, child) in [("kept", "note"), ("gone", "line")] {
            everywhere(&fleet, &format!("SELECT count(*) FROM {parent}"), "12");
            everywhere(&fleet, &format!("SELECT count(*) FROM {parent} WHERE phone = '7' AND name = 'first'"), "6");
            let joined = format!("{child} JOIN {parent} ON {parent}.id = {child}.{parent}_id WHERE text = ref");
            everywhere(&fleet, &format!("SELECT count(*) FROM {joined}"), "6");
        }
        let conflicts = fleet.nodes[MINISTRY].conflicts();
        assert!(conflicts.iter().all(|conflict| conflict.rule == ConflictRule::Keep), "{conflicts:#?}");
        assert_eq!(conflicts.len(), 12, "each kept parent is told, and nothing was lost");
    }
}

on_engines!(children_that_go_with_their_parent_go_by_rule);
fn children_that_go_with_their_parent_go_by_rule(on: Engines) {
    for order in ORDERS {
        let mut fleet = begun(on);
        fleet.nodes[WARD].run("INSERT INTO line (gone_id, text) SELECT id, 'of ' || ref FROM gone");
        fleet.settle();
        // The clinic deletes two parents with their children; of one, the ward has a further child.
        fleet.nodes[CLINIC].run(
            "DELETE FROM line WHERE text IN ('of 12', 'of 21');
             DELETE FROM gone WHERE ref IN ('12', '21')",
        );
        fleet.nodes[WARD].run("UPDATE gone SET phone = 'edited' WHERE ref IN ('12', '21')");
        fleet.nodes[WARD].run("INSERT INTO line (gone_id, text) SELECT id, 'more' FROM gone WHERE ref = '21'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT count(*) FROM gone WHERE ref = '12'", "0");
        everywhere(&fleet, "SELECT phone FROM gone WHERE ref = '21'", "'edited'");
        everywhere(&fleet, "SELECT count(*) FROM line JOIN gone ON gone.id = gone_id WHERE text = 'more'", "1");
        everywhere(&fleet, "SELECT count(*) FROM line WHERE text = 'of 12'", "0");
        let lost: Vec<_> = told(&mut fleet).into_iter().filter(|told| told.3 == "edited").collect();
        assert_eq!(lost, [("gone".into(), "phone".into(), "deleted".into(), "edited".into())]);
    }
}
