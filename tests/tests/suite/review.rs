//! What an adversary of the code would try: split feeds, lost triggers, an application's triggers, cascades.

use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, Held};
use saddlebag_tests::app::App;
use saddlebag_tests::engines::{Engine, Engines, SQLITE, engine_of};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

const SCHEMA: &str = "
CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT DEFAULT 'none',
    boss_id INTEGER REFERENCES person (id));
CREATE TABLE note (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES person (id) ON DELETE CASCADE, text TEXT,
    person_ref TEXT REFERENCES person (ref) ON DELETE CASCADE);
CREATE TABLE tag (word TEXT PRIMARY KEY, meaning TEXT);
CREATE TABLE tagged (person_id INTEGER NOT NULL REFERENCES person (id),
    word TEXT NOT NULL REFERENCES tag (word) ON UPDATE CASCADE, why TEXT, PRIMARY KEY (person_id, word)) WITHOUT ROWID;
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

/// A ministry and a clinic; `own` is what the ministry's database has beyond the clinic's.
fn fleet(on: Engines, seed: u64, own: &str) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed, engines: on };
    Fleet::new(&plan, |index, app| {
        app.execute_batch(SCHEMA).unwrap();
        if index == 0 {
            app.execute_batch(own).unwrap();
        }
    })
}

fn clinic(fleet: &Fleet, sql: &str) {
    fleet.nodes[1].run(sql);
}

fn ministry(fleet: &Fleet, sql: &str) {
    fleet.nodes[0].run(sql);
}

/// One value as text, null as `NULL`.
fn ask(node: &FleetNode, sql: &str) -> String {
    node.ask(sql)
}

fn conflicts(node: &mut FleetNode) -> Vec<Conflict> {
    node.store.begin(Access::Read).unwrap();
    let conflicts = node.store.conflicts().unwrap();
    node.store.rollback().unwrap();
    conflicts
}

fn held(node: &mut FleetNode) -> Vec<Held> {
    node.store.begin(Access::Read).unwrap();
    let held = node.store.held(None).unwrap();
    node.store.rollback().unwrap();
    held
}

fn equal(fleet: &mut Fleet) {
    let tables = [Table::named("person", &["ref"]), Table::new("note"), Table::new("tag"), Table::new("tagged")];
    let nodes: Vec<(&str, &App)> = vec![("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions());
}

on_engines!(what_was_deleted_while_the_triggers_were_gone_never_comes_back_empty);
fn what_was_deleted_while_the_triggers_were_gone_never_comes_back_empty(on: Engines) {
    let mut fleet = fleet(on, 1, "");
    clinic(&fleet, "INSERT INTO person (ref, name, phone) VALUES ('A', 'Abena', '1')");
    fleet.settle();
    let app = &fleet.nodes[0].app;
    ministry(&fleet, app.either("DROP TRIGGER saddlebag_2_delete", "DROP TRIGGER saddlebag_2_delete ON person"));
    ministry(&fleet, "DELETE FROM person");
    clinic(&fleet, "UPDATE person SET phone = '2'");
    fleet.settle();
    assert_ne!(ask(&fleet.nodes[1], "SELECT count(*) FROM person WHERE name IS NULL"), "1");
    assert!(!held(&mut fleet.nodes[0]).is_empty(), "the edit stands where a person can see it");
}

on_engines!(receipts_in_the_last_part_of_a_split_feed_outlive_the_acknowledgement_of_the_first);
fn receipts_in_the_last_part_of_a_split_feed_outlive_the_acknowledgement_of_the_first(on: Engines) {
    let mut fleet = fleet(on, 2, "CREATE UNIQUE INDEX one_name ON person (name)");
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'x'), ('B', 'x')");
    fleet.carry(1, 0);
    ministry(&fleet, "INSERT INTO tag VALUES ('a', 'a'), ('b', 'b'), ('c', 'c')");
    fleet.nodes[0].records_per_bundle = 1;
    let parts = fleet.export(0, 1);
    assert!(parts.len() > 1);
    let _applied = fleet.nodes[1].import(&parts[0]).unwrap();
    fleet.carry(1, 0);
    // The rest is lost; a new bundle takes its place.
    ministry(&fleet, "INSERT INTO tag VALUES ('d', 'd')");
    fleet.settle();
    let node = &mut fleet.nodes[1];
    node.store.begin(Access::Read).unwrap();
    assert_eq!(node.store.received_receipts().unwrap().len(), 1, "the clinic was told what became of its record");
}

on_engines!(a_split_feed_carries_a_deletion_after_what_it_waits_for);
fn a_split_feed_carries_a_deletion_after_what_it_waits_for(on: Engines) {
    let mut fleet = fleet(on, 3, "");
    clinic(
        &fleet,
        "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'), (2, 'B', 'b');
         INSERT INTO note (person_id, text) VALUES (1, 'x'), (1, 'y');
         INSERT INTO person (id, ref, name, boss_id) VALUES (3, 'C', 'c', 2)",
    );
    fleet.settle();
    fleet.nodes[1].records_per_bundle = 1;
    clinic(
        &fleet,
        "DELETE FROM person WHERE id = 1; UPDATE person SET boss_id = NULL WHERE id = 3; DELETE FROM person WHERE id = 2",
    );
    fleet.settle();
    assert_eq!(conflicts(&mut fleet.nodes[0]), []);
    assert_eq!(ask(&fleet.nodes[0], "SELECT count(*) FROM person"), "1");
    equal(&mut fleet);
}

/// A trigger of the ministry's application that has nothing to do with the matter.
fn trigger(on: Engines) -> &'static str {
    match engine_of(on, 0) {
        Engine::Sqlite => {
            "CREATE TABLE log (text TEXT);
             CREATE TRIGGER log_tag AFTER UPDATE ON tag BEGIN INSERT INTO log VALUES ('changed'); END;"
        }
        Engine::Postgres => {
            "CREATE TABLE log (text TEXT);
             CREATE FUNCTION log_tag() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO log VALUES ('changed'); RETURN NULL; END $$;
             CREATE TRIGGER log_tag AFTER UPDATE ON tag FOR EACH ROW EXECUTE FUNCTION log_tag();"
        }
    }
}

on_engines!(where_triggers_stay_on_a_changed_primary_key_is_no_deletion);
fn where_triggers_stay_on_a_changed_primary_key_is_no_deletion(on: Engines) {
    let mut fleet = fleet(on, 4, trigger(on));
    clinic(&fleet, "INSERT INTO tag VALUES ('tb', 'tuberculosis')");
    fleet.settle();
    let uid = fleet.nodes[1].versions().keys().next().unwrap().1;
    clinic(&fleet, "UPDATE tag SET word = 'TB'");
    fleet.settle();
    equal(&mut fleet);
    assert!(fleet.nodes[0].versions().keys().all(|(_, known, _)| *known == uid), "it is the record that it was");
}

on_engines!(where_triggers_stay_on_a_key_that_saddlebag_itself_uses_again_is_no_deletion);
fn where_triggers_stay_on_a_key_that_saddlebag_itself_uses_again_is_no_deletion(on: Engines) {
    let mut fleet = fleet(on, 5, &format!("{} CREATE UNIQUE INDEX one_text ON note (text)", trigger(on)));
    clinic(&fleet, "INSERT INTO note (text) VALUES ('x')");
    fleet.settle();
    clinic(&fleet, "DELETE FROM note; INSERT INTO note (id, text) VALUES (7, 'x')");
    fleet.carry(1, 0);
    let uid = |fleet: &mut Fleet, node: usize| fleet.nodes[node].versions().keys().next().unwrap().1;
    let before = uid(&mut fleet, 1);
    clinic(&fleet, "INSERT INTO tag VALUES ('a', 'a')");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(fleet.nodes[1].versions().keys().find(|(table, ..)| table == "note").unwrap().1, before);
}

on_engines!(a_row_that_a_trigger_silently_drops_is_held);
fn a_row_that_a_trigger_silently_drops_is_held(on: Engines) {
    let own = match engine_of(on, 0) {
        Engine::Sqlite => {
            "CREATE TRIGGER no_ghosts BEFORE INSERT ON person WHEN NEW.name = 'ghost'
             BEGIN SELECT RAISE (IGNORE); END;
             CREATE TRIGGER no_renaming BEFORE UPDATE ON person WHEN NEW.name = 'ghost'
             BEGIN SELECT RAISE (IGNORE); END;"
        }
        Engine::Postgres => {
            "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER no_ghosts BEFORE INSERT OR UPDATE ON person FOR EACH ROW
             WHEN (NEW.name = 'ghost') EXECUTE FUNCTION leave_out();"
        }
    };
    let mut fleet = fleet(on, 6, own);
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'ghost')");
    clinic(&fleet, "INSERT INTO note (person_id, text) SELECT id, ref FROM person");
    fleet.carry(1, 0);
    assert_eq!(held(&mut fleet.nodes[0]).len(), 2, "the ghost, and its note");
    clinic(&fleet, "UPDATE person SET name = 'ghost' WHERE ref = 'A'");
    fleet.settle();
    assert_eq!(held(&mut fleet.nodes[0]).len(), 3);
    clinic(&fleet, "UPDATE person SET name = 'b'");
    fleet.settle();
    assert_eq!(held(&mut fleet.nodes[0]), []);
    equal(&mut fleet);
}

on_engines!(a_deletion_never_takes_rows_with_it_that_refer_by_another_column);
fn a_deletion_never_takes_rows_with_it_that_refer_by_another_column(on: Engines) {
    let mut fleet = fleet(on, 7, "");
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'a')");
    fleet.settle();
    ministry(&fleet, "INSERT INTO note (text, person_ref) VALUES ('x', 'A')");
    clinic(&fleet, "DELETE FROM person");
    fleet.settle();
    assert_eq!(ask(&fleet.nodes[0], "SELECT count(*) FROM note"), "1");
    assert_eq!(ask(&fleet.nodes[0], "SELECT count(*) FROM person"), "1");
    equal(&mut fleet);
}

on_engines!(what_a_cascade_does_at_the_receiver_is_known);
fn what_a_cascade_does_at_the_receiver_is_known(on: Engines) {
    let mut fleet = fleet(on, 8, "");
    clinic(
        &fleet,
        "INSERT INTO person (ref, name) VALUES ('A', 'a'); INSERT INTO tag VALUES ('tb', 'x');
         INSERT INTO tagged SELECT id, 'tb', 'cough' FROM person",
    );
    fleet.settle();
    clinic(&fleet, "UPDATE tag SET word = 'TB'");
    fleet.settle();
    clinic(&fleet, "UPDATE tagged SET why = 'fever'");
    fleet.settle();
    assert_eq!(held(&mut fleet.nodes[0]), []);
    equal(&mut fleet);
}

#[test]
fn a_unique_column_that_replaces_replaces_nothing_for_saddlebag() {
    let plan =
        FleetPlan { names: &["ministry", "clinic"], tables: "[item]\nidentity = 'assigned'", seed: 9, engines: SQLITE };
    let mut fleet = Fleet::new(&plan, |_, app| {
        let sql = "CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT REPLACE, text TEXT)";
        app.execute_batch(sql).unwrap();
    });
    ministry(&fleet, "INSERT INTO item (code, text) VALUES ('c', 'of the ministry')");
    clinic(&fleet, "INSERT INTO item (code, text) VALUES ('c', 'of the clinic')");
    fleet.carry(1, 0);
    assert_eq!(ask(&fleet.nodes[0], "SELECT text FROM item"), "'of the ministry'");
    assert_eq!(held(&mut fleet.nodes[0]).len(), 1);
}

on_engines!(where_both_created_a_record_a_default_that_came_gives_way);
fn where_both_created_a_record_a_default_that_came_gives_way(on: Engines) {
    let mut fleet = fleet(on, 10, "");
    ministry(&fleet, "INSERT INTO person (ref, phone) VALUES ('A', '555')");
    fleet.nodes[1].clock.0.set(fleet.nodes[0].clock.0.get() + 1);
    clinic(&fleet, "INSERT INTO person (ref) VALUES ('A')");
    fleet.settle();
    assert_eq!(conflicts(&mut fleet.nodes[0]), []);
    assert_eq!(ask(&fleet.nodes[1], "SELECT phone FROM person"), "'555'");
    equal(&mut fleet);
}

on_engines!(a_circle_that_cannot_come_back_parks_what_refers_to_it);
fn a_circle_that_cannot_come_back_parks_what_refers_to_it(on: Engines) {
    let mut fleet = fleet(on, 11, "");
    clinic(
        &fleet,
        "INSERT INTO person (id, ref, name) VALUES (1, 'A', 'a'), (2, 'B', 'b');
         UPDATE person SET boss_id = 2 WHERE id = 1; UPDATE person SET boss_id = 1 WHERE id = 2;",
    );
    fleet.settle();
    ministry(&fleet, "UPDATE person SET boss_id = NULL WHERE id = 1; UPDATE person SET boss_id = 1 WHERE id = 1");
    ministry(
        &fleet,
        "PRAGMA foreign_keys = OFF; UPDATE person SET boss_id = 3 - id; DELETE FROM person; PRAGMA foreign_keys = ON;
        CREATE UNIQUE INDEX one_name ON person (name); INSERT INTO person (ref, name) VALUES ('D', 'b')",
    );
    clinic(&fleet, "INSERT INTO note (person_id, text) VALUES (1, 'x')");
    fleet.carry(1, 0);
    assert_eq!(held(&mut fleet.nodes[0]).len(), 1);
}

on_engines!(a_natural_key_that_was_corrected_away_may_be_used_again);
fn a_natural_key_that_was_corrected_away_may_be_used_again(on: Engines) {
    let mut fleet = fleet(on, 12, "");
    clinic(&fleet, "INSERT INTO person (ref, name) VALUES ('A', 'first')");
    fleet.settle();
    clinic(&fleet, "UPDATE person SET ref = 'A2'; INSERT INTO person (ref, name) VALUES ('A', 'second')");
    fleet.settle();
    assert_eq!(ask(&fleet.nodes[0], "SELECT count(*) FROM person"), "2");
    equal(&mut fleet);
}

on_engines!(a_row_that_stayed_at_home_travels_once_its_key_is_corrected);
fn a_row_that_stayed_at_home_travels_once_its_key_is_corrected(on: Engines) {
    let plan =
        FleetPlan { names: &["ministry", "clinic"], tables: "[code]\nidentity = 'uuid(uuid)'", seed: 13, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| {
        app.execute_batch("CREATE TABLE code (id INTEGER PRIMARY KEY, uuid TEXT, text TEXT)").unwrap();
    });
    clinic(&fleet, "INSERT INTO code (uuid, text) VALUES ('x', 'first'), ('x', 'second')");
    fleet.settle();
    clinic(&fleet, "UPDATE code SET text = 'still second' WHERE text = 'second'");
    fleet.settle();
    assert_eq!(ask(&fleet.nodes[0], "SELECT count(*) FROM code"), "1");
    clinic(&fleet, "UPDATE code SET uuid = 'y' WHERE text = 'still second'");
    fleet.settle();
    assert_eq!(ask(&fleet.nodes[0], "SELECT text FROM code WHERE uuid = 'y'"), "'still second'");
}
