//! What `OR REPLACE` takes away without a word, and rows that have one identity.

use saddlebag_stores::ledger::ConflictKind;
use saddlebag_tests::asking::held_values;
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan};

use super::{equal, fleet};

#[test]
fn a_record_that_was_replaced_because_of_another_unique_column_is_known_to_be_gone() {
    for (seed, replace) in [
        (30, "INSERT OR REPLACE INTO patient (uuid, name, badge) VALUES ('c', 'Chipo', 'seven')"),
        (31, "REPLACE INTO patient (id, uuid, name, badge) VALUES (500, 'c', 'Chipo', 'seven')"),
        (32, "INSERT OR REPLACE INTO patient (uuid, name, badge) SELECT 'c', 'Chipo', 'seven'"),
    ] {
        let mut fleet = fleet(seed, "");
        fleet.nodes[1].run("UPDATE patient SET badge = 'seven' WHERE uuid = 'a'");
        fleet.settle();
        fleet.nodes[1].run(replace);
        fleet.settle();
        equal(&mut fleet);
        let sql = "SELECT group_concat(uuid || coalesce(badge, '')) FROM (SELECT * FROM patient ORDER BY uuid)";
        for node in &fleet.nodes {
            assert_eq!(node.ask(sql), "'b,cseven'", "{replace}");
        }
        assert!(fleet.nodes.iter_mut().all(|node| node.held().is_empty()));
    }
}

#[test]
fn an_update_that_replaces_another_record_is_known_too() {
    let mut fleet = fleet(33, "");
    fleet.nodes[1].run("UPDATE patient SET badge = 'seven' WHERE uuid = 'a'");
    fleet.settle();
    fleet.nodes[1].run("UPDATE OR REPLACE patient SET badge = 'seven' WHERE uuid = 'b'");
    fleet.settle();
    equal(&mut fleet);
    for node in &fleet.nodes {
        assert_eq!(node.ask("SELECT group_concat(uuid || badge) FROM patient"), "'bseven'");
    }
}

#[test]
fn one_statement_that_replaces_two_records_at_once() {
    let mut fleet = fleet(34, "");
    fleet.nodes[1].run("UPDATE patient SET badge = 'seven' WHERE uuid = 'a'");
    fleet.settle();
    // The uuid is that of `b`, the badge that of `a`.
    fleet.nodes[1].run("INSERT OR REPLACE INTO patient (uuid, name, badge) VALUES ('b', 'Binta Diallo', 'seven')");
    fleet.settle();
    equal(&mut fleet);
    for node in &fleet.nodes {
        assert_eq!(node.ask("SELECT group_concat(uuid || name || badge) FROM patient"), "'bBinta Dialloseven'");
    }
}

/// Whoever was replaced at home was edited elsewhere: both cannot stand, and neither is lost.
#[test]
fn a_record_that_was_replaced_here_and_edited_there_is_held_until_both_can_stand() {
    let mut fleet = fleet(35, "");
    fleet.nodes[1].run("UPDATE patient SET badge = 'seven' WHERE uuid = 'a'");
    fleet.settle();
    fleet.nodes[1].run("INSERT OR REPLACE INTO patient (uuid, name, badge) VALUES ('c', 'Chipo', 'seven')");
    fleet.nodes[2].run("UPDATE patient SET phone = 'edited' WHERE uuid = 'a'");
    fleet.settle();
    let held = fleet.nodes[0].held();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].reason.contains("patient.badge"), "{}", held[0].reason);
    assert!(held_values(&held[0]).contains(&("phone".to_owned(), "edited".to_owned())));
    fleet.nodes[1].run("UPDATE patient SET badge = 'eight' WHERE uuid = 'c'");
    fleet.settle();
    equal(&mut fleet);
    let sql = "SELECT group_concat(uuid || coalesce(phone, '') || coalesce(badge, '')) FROM (SELECT * FROM patient ORDER BY uuid)";
    assert_eq!(fleet.nodes[1].ask(sql), "'aeditedseven,b2,ceight'");
    let kinds: Vec<_> = fleet.nodes[0].conflicts().iter().map(|conflict| conflict.kind).collect();
    assert_eq!(kinds, [ConflictKind::Deletion]);
}

#[test]
fn a_second_row_of_one_identity_stays_at_home_where_it_can_be_seen() {
    let plan = FleetPlan {
        names: &["ministry", "clinic"],
        tables: "[code]\nidentity = 'uuid(uuid)'",
        seed: 36,
        engines: SQLITE,
    };
    let mut fleet = Fleet::new(&plan, |_, connection| {
        connection.execute_batch("CREATE TABLE code (id INTEGER PRIMARY KEY, uuid TEXT, text TEXT)").unwrap();
    });
    fleet.nodes[1].run("INSERT INTO code (uuid, text) VALUES ('x', 'first'), ('x', 'second')");
    fleet.settle();
    assert_eq!(fleet.nodes[0].ask("SELECT group_concat(text) FROM code"), "'first'");
    assert_eq!(fleet.nodes[1].at_home("code"), 1);
    // It is edited and stays; the first goes, and it takes its place.
    fleet.nodes[1].run("UPDATE code SET text = 'second, edited' WHERE text = 'second'");
    fleet.settle();
    assert_eq!(fleet.nodes[1].at_home("code"), 1);
    assert_eq!(fleet.nodes[1].count("code"), 2, "it is never taken away");
    fleet.nodes[1].run("UPDATE code SET uuid = 'y' WHERE text = 'second, edited'");
    fleet.settle();
    assert_eq!(fleet.nodes[1].at_home("code"), 0);
    assert_eq!(fleet.nodes[0].ask("SELECT group_concat(uuid || text) FROM code"), "'xfirst,ysecond, edited'");
}
