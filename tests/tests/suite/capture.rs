//! What the triggers note and absorb makes of it, seen through the bundles that come of it.

use std::path::Path;

use rusqlite::Connection;
use saddlebag_bundler::{health, unacknowledged};
use saddlebag_formats::ambient::Clock;
use saddlebag_stores::Access;
use saddlebag_stores::store::absorb;
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};

const SCHEMA: &str = "
CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, boss_id INTEGER REFERENCES person (id),
    friend_id INTEGER REFERENCES person (id));
CREATE TABLE note (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES person (id) ON DELETE CASCADE, text TEXT);
CREATE TABLE tag (word TEXT PRIMARY KEY, meaning TEXT);
CREATE TABLE tagged (person_id INTEGER NOT NULL REFERENCES person (id), word TEXT NOT NULL, why,
    PRIMARY KEY (person_id, word)) WITHOUT ROWID;
";

const TABLES: &str = "
[person]
identity = 'natural(ref)'
[note]
identity = 'assigned'
[tag]
identity = 'natural(word)'
[tagged]
identity = 'natural(person_id, word)'
";

fn fleet(seed: u64) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed, engines: SQLITE };
    Fleet::new(&plan, |_, connection| connection.execute_batch(SCHEMA).unwrap())
}

fn equal(fleet: &Fleet) {
    let tables = [Table::named("person", &["name"]), Table::new("note"), Table::new("tag"), Table::new("tagged")];
    let nodes: Vec<(&str, &Connection)> = vec![("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn clinic(fleet: &Fleet, sql: &str) {
    fleet.nodes[1].app.execute_batch(sql).unwrap();
}

fn ministry_has(fleet: &Fleet, sql: &str) -> i64 {
    fleet.nodes[0].app.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How many records the clinic's next bundle carries.
fn carried(fleet: &mut Fleet) -> u64 {
    let peer = fleet.nodes[0].me.id;
    let exported = fleet.nodes[1].export_to(peer);
    let records = exported.bundles.iter().map(|bundle| bundle.records).sum();
    fleet.carry(1, 0);
    fleet.carry(0, 1);
    records
}

#[test]
fn forty_edits_travel_once_and_an_idle_update_never() {
    let mut fleet = fleet(1);
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'Abena'), ('B', 'Binta')");
    assert_eq!(carried(&mut fleet), 2);
    for edit in 0..40 {
        clinic(&fleet, &format!("UPDATE person SET name = 'Abena {edit}' WHERE ref = 'A'"));
    }
    assert_eq!(carried(&mut fleet), 1);
    clinic(&fleet, "UPDATE person SET name = name, ref = ref");
    let journal: i64 =
        fleet.nodes[1].app.query_row("SELECT count(*) FROM saddlebag_journal_2", [], |r| r.get(0)).unwrap();
    assert_eq!(journal, 0, "an update that changes nothing writes nothing");
    equal(&fleet);
}

/// What the ministry has not acknowledged of the clinic's records: in bundles, in none yet, and all as its health tells.
fn waits(fleet: &mut Fleet) -> (u64, u64, u64) {
    let node = &mut fleet.nodes[1];
    node.store.begin(Access::Write).unwrap();
    absorb(&mut *node.store, node.me.writer(), &mut node.entropy).unwrap();
    let link = node.store.links().unwrap().remove(0);
    let (acknowledged, last) = (link.acknowledged_upto(node.me.epoch), node.store.last_seq().unwrap());
    let covered = link.sent.map_or(acknowledged, |sent| sent.upto);
    let counts = unacknowledged(&mut *node.store, &link, (acknowledged, covered, last)).unwrap();
    let health = health(&mut *node.store, &link, Path::new("."), acknowledged, node.clock.now()).unwrap();
    node.store.commit().unwrap();
    (counts.sent, counts.unsent, health.waiting)
}

#[test]
fn what_waits_for_the_central_is_counted() {
    let mut fleet = fleet(9);
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'b'), ('C', 'c'), ('D', 'd')");
    fleet.settle();
    assert_eq!(waits(&mut fleet), (0, 0, 0));
    clinic(&fleet, "UPDATE person SET name = 'x' WHERE ref IN ('A', 'B'); DELETE FROM person WHERE ref = 'C'");
    assert_eq!(waits(&mut fleet), (0, 3, 3));
    let _lost = fleet.export(1, 0);
    assert_eq!(waits(&mut fleet), (3, 0, 3));
    clinic(&fleet, "UPDATE person SET name = 'y' WHERE ref = 'D'");
    assert_eq!(waits(&mut fleet), (3, 1, 4));
    clinic(&fleet, "UPDATE person SET boss_id = 1 WHERE ref = 'A'");
    assert_eq!(waits(&mut fleet), (3, 2, 4), "one that changed before and after counts for both");
    fleet.settle();
    assert_eq!(waits(&mut fleet), (0, 0, 0));
}

#[test]
fn circles_and_self_references_arrive() {
    let mut fleet = fleet(2);
    clinic(
        &fleet,
        "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'), (2, 'B', 'b'), (3, 'C', 'c');
         UPDATE person SET boss_id = 2, friend_id = 3 WHERE id = 1;
         UPDATE person SET boss_id = 1, friend_id = 2 WHERE id = 2;
         UPDATE person SET boss_id = 3 WHERE id = 3;",
    );
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person WHERE boss_id IS NOT NULL"), 3);
    equal(&fleet);
    // The circle goes as it came.
    clinic(&fleet, "UPDATE person SET name = 'x' WHERE id = 3");
    clinic(&fleet, "PRAGMA foreign_keys = OFF; DELETE FROM person; PRAGMA foreign_keys = ON");
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person"), 0);
}

#[test]
fn composite_and_text_keys_and_link_tables_arrive() {
    let mut fleet = fleet(3);
    // The same person has another integer key at the ministry.
    fleet.nodes[0]
        .app
        .execute_batch("INSERT INTO person (id, ref, name) VALUES (77, 'Z', 'z'), (78, 'A', 'a')")
        .unwrap();
    clinic(
        &fleet,
        "INSERT INTO person (id, ref, name) VALUES (78, 'B', 'b'), (1, 'A', 'a');
         INSERT INTO tag VALUES ('tb', 'tuberculosis');
         INSERT INTO tagged VALUES (1, 'tb', 1), (78, 'tb', 1.0), (78, 'hiv', x'00ff');",
    );
    fleet.settle();
    equal(&fleet);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM tagged WHERE typeof(why) = 'real'"), 1, "1.0 is not 1");
    clinic(
        &fleet,
        "UPDATE tagged SET why = 1 WHERE typeof(why) = 'real'; UPDATE tag SET meaning = 'TB' WHERE word = 'tb'",
    );
    clinic(&fleet, "DELETE FROM tagged WHERE word = 'hiv'");
    fleet.settle();
    equal(&fleet);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM tagged WHERE typeof(why) = 'integer'"), 2);
}

#[test]
fn cascades_are_edits_like_any_other() {
    let mut fleet = fleet(4);
    clinic(
        &fleet,
        "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'); INSERT INTO note (person_id, text) VALUES (1, 'x'), (1, 'y')",
    );
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM note"), 2);
    clinic(&fleet, "DELETE FROM person");
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM note"), 0);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person"), 0);
}

#[test]
fn a_corrected_natural_key_and_a_key_used_again_keep_their_records_apart() {
    let mut fleet = fleet(5);
    clinic(&fleet, "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'), (2, NULL, 'nobody yet')");
    fleet.settle();
    let before = fleet.nodes[0].versions();
    clinic(&fleet, "UPDATE person SET ref = 'A2' WHERE id = 1; UPDATE person SET ref = 'N' WHERE id = 2");
    fleet.settle();
    let uids = |versions: &std::collections::BTreeMap<(String, saddlebag_formats::Uid, String), _>| {
        versions.keys().map(|(_, uid, _)| *uid).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(uids(&fleet.nodes[0].versions()), uids(&before), "no record was made or lost");
    clinic(&fleet, "DELETE FROM person WHERE id = 1; INSERT INTO person (id, ref, name) VALUES (1, 'Q', 'another')");
    fleet.settle();
    equal(&fleet);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person"), 2);
}

#[test]
fn what_happened_while_the_triggers_were_gone_is_found() {
    let mut fleet = fleet(6);
    clinic(&fleet, "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'), (2, 'B', 'b'), (3, 'C', 'c')");
    fleet.settle();
    // A migration rebuilds the table, as applications do on SQLite.
    clinic(
        &fleet,
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE new_person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT,
             boss_id INTEGER REFERENCES person (id), friend_id INTEGER REFERENCES person (id));
         INSERT INTO new_person SELECT * FROM person;
         DROP TABLE person;
         ALTER TABLE new_person RENAME TO person;
         PRAGMA foreign_keys = ON;
         UPDATE person SET name = 'changed unseen' WHERE id = 1;
         DELETE FROM person WHERE id = 2;
         INSERT INTO person (id, ref, name) VALUES (4, 'D', 'came unseen');",
    );
    assert_eq!(fleet.nodes[1].store.missing_triggers().unwrap().len(), 5);
    fleet.settle();
    assert!(fleet.nodes[1].store.missing_triggers().unwrap().is_empty());
    equal(&fleet);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person WHERE name LIKE '%unseen'"), 2);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person WHERE ref = 'B'"), 0);
}

#[test]
fn triggers_of_the_application_run_at_the_receiver_and_what_they_do_travels() {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed: 7, engines: SQLITE };
    let mut fleet = Fleet::new(&plan, |index, connection| {
        connection.execute_batch(SCHEMA).unwrap();
        if index == 0 {
            let sql = "CREATE TRIGGER greet AFTER INSERT ON person BEGIN
                INSERT INTO note (person_id, text) VALUES (NEW.id, 'welcome ' || NEW.name); END;";
            connection.execute_batch(sql).unwrap();
        }
    });
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'a')");
    fleet.settle();
    equal(&fleet);
    let sql = "SELECT text FROM note";
    let text: String = fleet.nodes[1].app.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(text, "welcome a", "what the ministry's trigger wrote came to the clinic");
}

#[test]
fn a_row_with_the_identity_of_another_stays_at_home() {
    let plan = FleetPlan {
        names: &["ministry", "clinic"],
        tables: "\n[code]\nidentity = 'uuid(uuid)'\n",
        seed: 8,
        engines: SQLITE,
    };
    let mut fleet = Fleet::new(&plan, |_, connection| {
        connection.execute_batch("CREATE TABLE code (id INTEGER PRIMARY KEY, uuid TEXT, text TEXT)").unwrap();
    });
    clinic(&fleet, "INSERT INTO code (uuid, text) VALUES ('x', 'first'), ('x', 'second'), (NULL, 'third')");
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM code"), 2);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM code WHERE text = 'second'"), 0);
}

#[test]
fn a_row_replaced_under_another_key_is_the_same_record() {
    let mut fleet = fleet(9);
    clinic(&fleet, "INSERT INTO person (id, ref, name) VALUES (2, 'A', 'a')");
    fleet.settle();
    let before = fleet.nodes[0].versions().len();
    clinic(&fleet, "INSERT OR REPLACE INTO person (id, ref, name) VALUES (9, 'A', 'anew')");
    fleet.settle();
    equal(&fleet);
    assert_eq!(fleet.nodes[0].versions().len(), before);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person WHERE name = 'anew'"), 1);
}

#[test]
fn a_column_that_a_replacing_row_leaves_as_it_was_is_not_edited() {
    let mut fleet = fleet(10);
    clinic(&fleet, "INSERT INTO person (id, ref, name) VALUES (1, 'B', 'b'), (2, 'A', 'a')");
    fleet.settle();
    fleet.nodes[0].app.execute_batch("UPDATE person SET boss_id = 1 WHERE ref = 'A'").unwrap();
    // The clinic says nothing of a boss, and there was none; what it changed before stays changed.
    clinic(&fleet, "UPDATE person SET friend_id = 1 WHERE ref = 'A'");
    clinic(&fleet, "INSERT OR REPLACE INTO person (id, ref, name, friend_id) VALUES (9, 'A', 'anew', 1)");
    fleet.settle();
    equal(&fleet);
    assert_eq!(fleet.nodes[0].disagreements(), []);
    let both = "SELECT count(*) FROM person WHERE name = 'anew' AND boss_id IS NOT NULL AND friend_id IS NOT NULL";
    assert_eq!(ministry_has(&fleet, both), 1);
}

#[test]
fn a_row_at_the_key_of_one_that_was_replaced_and_deleted_is_another_record() {
    let mut fleet = fleet(12);
    clinic(&fleet, "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a')");
    clinic(&fleet, "INSERT INTO note (person_id, text) VALUES (1, 'of A')");
    fleet.settle();
    fleet.nodes[0].app.execute_batch("INSERT INTO note (person_id, text) SELECT id, 'late' FROM person").unwrap();
    clinic(&fleet, "INSERT OR REPLACE INTO person (id, ref, name) VALUES (2, 'A', 'anew')");
    clinic(
        &fleet,
        "DELETE FROM note; DELETE FROM person WHERE id = 2; INSERT INTO person (id, ref, name) VALUES (1, 'B', 'b')",
    );
    fleet.settle();
    equal(&fleet);
    let of = |name: &str| {
        format!("SELECT count(*) FROM note JOIN person ON person.id = note.person_id WHERE person.name = '{name}'")
    };
    assert_eq!(ministry_has(&fleet, &of("b")), 0, "nothing of one person is another's");
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM person WHERE name = 'b'"), 1);
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM note WHERE text = 'late'"), 1);
}

#[test]
fn rows_of_one_identity_are_counted_apart() {
    let tables = "[ward]\nidentity = 'natural(code)'";
    let plan = FleetPlan { names: &["ministry"], tables, seed: 35, engines: SQLITE };
    let schema = "CREATE TABLE ward (id INTEGER PRIMARY KEY, code TEXT)";
    let mut fleet = Fleet::new(&plan, |_, connection| connection.execute_batch(schema).unwrap());
    let node = &mut fleet.nodes[0];
    node.app.execute_batch("INSERT INTO ward (code) VALUES ('X'), ('X'), ('Y')").unwrap();
    node.store.begin(Access::Write).unwrap();
    let absorbed = absorb(&mut *node.store, node.me.writer(), &mut node.entropy).unwrap();
    node.store.commit().unwrap();
    assert_eq!((absorbed.created, absorbed.duplicates, absorbed.changed, absorbed.deleted), (2, 1, 0, 0));
}

#[test]
fn a_row_that_stayed_at_home_takes_the_place_of_a_record_that_an_import_deletes() {
    let tables = "[ward]\nidentity = 'natural(code)'";
    let plan = FleetPlan { names: &["ministry", "clinic"], tables, seed: 36, engines: SQLITE };
    let schema = "CREATE TABLE ward (id INTEGER PRIMARY KEY, code TEXT, name TEXT)";
    let mut fleet = Fleet::new(&plan, |_, connection| connection.execute_batch(schema).unwrap());
    clinic(&fleet, "INSERT INTO ward (code, name) VALUES ('X', 'first'), ('X', 'second')");
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM ward WHERE name = 'first'"), 1);
    fleet.nodes[0].app.execute_batch("DELETE FROM ward").unwrap();
    // Nothing waits in the clinic's journal.
    fleet.settle();
    assert_eq!(ministry_has(&fleet, "SELECT count(*) FROM ward WHERE name = 'second'"), 1);
}
