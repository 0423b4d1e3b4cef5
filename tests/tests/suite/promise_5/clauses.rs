//! What a database does when it refuses a row: its own triggers and its `ON CONFLICT` clauses may abort, fail, leave the
//! row out without a word, put another row out of the way, or roll back the whole transaction.

use saddlebag_stores::ledger::HeldKind;
use saddlebag_tests::engines::{Engines, MIXED, POSTGRES, SQLITE, run};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};

const SCHEMA: &str = "
CREATE TABLE item (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, code TEXT, text TEXT);
CREATE TABLE part (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, item_id INTEGER NOT NULL REFERENCES item (id));
";

const TABLES: &str = "
[item]
identity = 'natural(tag)'
[part]
identity = 'assigned'
";

/// Triggers of the application that have nothing to do with the matter: where there are some, saddlebag's own stay on.
const SOME_TRIGGER: &str = "CREATE TABLE log (text TEXT);
CREATE TRIGGER log_item AFTER INSERT ON item BEGIN INSERT INTO log VALUES (NEW.tag); END;";

fn fleet(on: Engines, seed: u64, own: &str) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed, engines: on };
    Fleet::new(&plan, |index, app| {
        app.execute_batch(SCHEMA).unwrap();
        if index == 0 {
            app.execute_batch(own).unwrap();
        }
    })
}

/// The clinic adds good items around a bad one, each with a part; the bad one alone, and its part, must be held. Then it
/// is corrected.
fn one_bad_item(on: Engines, own: &str) {
    let mut fleet = fleet(on, 1, own);
    let all = "SELECT string_agg(tag, ',' ORDER BY tag) FROM item";
    fleet.nodes[0].run("INSERT INTO item (tag, code, text) VALUES ('0 of the ministry', 'taken', 'stays')");
    fleet.settle();
    fleet.nodes[1].run(
        "INSERT INTO item (tag, code, text) VALUES ('1 good', 'a', 'x'), ('2 bad', 'taken', 'bad'), ('3 good', 'c', 'y');
         INSERT INTO part (tag, item_id) SELECT tag, id FROM item WHERE tag > '1'",
    );
    let bundle = fleet.export(1, 0).remove(0);
    let imported = fleet.nodes[0].import(&bundle);
    assert!(imported.is_ok(), "{own}: the whole bundle was refused: {}", imported.unwrap_err());
    assert_eq!(fleet.nodes[0].ask(all), "'0 of the ministry,1 good,3 good'", "{own}");
    assert_eq!(fleet.nodes[0].ask("SELECT text FROM item WHERE tag LIKE '0%'"), "'stays'", "{own}");
    assert_eq!(fleet.nodes[0].ask("SELECT string_agg(tag, ',' ORDER BY tag) FROM part"), "'1 good,3 good'", "{own}");
    let held = fleet.nodes[0].held();
    let kinds: Vec<_> = held.iter().map(|held| (held.table.as_str(), held.kind)).collect();
    assert_eq!(kinds, [("item", HeldKind::Quarantined), ("part", HeldKind::Parked)], "{own}: {held:?}");
    // What stands is edited at the clinic into something that cannot stand: the edit alone is held.
    fleet.nodes[1].run("UPDATE item SET text = 'bad', code = 'taken' WHERE tag = '3 good'; UPDATE item SET text = 'new' WHERE tag = '1 good'");
    let bundle = fleet.export(1, 0).remove(0);
    let imported = fleet.nodes[0].import(&bundle);
    assert!(imported.is_ok(), "{own}: the whole bundle was refused: {}", imported.unwrap_err());
    let texts = "SELECT string_agg(text, ',' ORDER BY tag) FROM item";
    assert_eq!(fleet.nodes[0].ask(texts), "'stays,new,y'", "{own}");
    assert_eq!(fleet.nodes[0].held().len(), 3, "{own}");
    // Everything is corrected, and comes.
    fleet.nodes[1].run("UPDATE item SET text = 'good now', code = tag WHERE text = 'bad'");
    fleet.settle();
    assert_eq!(fleet.nodes[0].held(), [], "{own}");
    let nodes = [("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &[Table::named("item", &["tag"]), Table::new("part")]).unwrap();
    assert!(differences.is_empty(), "{own}: {differences:#?}");
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions(), "{own}");
    assert_eq!(fleet.nodes[1].count("item"), 4, "{own}: nothing of it came back as another record");
}

/// Triggers that refuse what is bad, before and after the row is written.
fn refusing(raise: &str) -> Vec<String> {
    let trigger = |time: &str, verb: &str| {
        format!(
            "CREATE TRIGGER refuse_{time}_{verb} {time} {verb} ON item WHEN NEW.text = 'bad'
             BEGIN SELECT RAISE ({raise}); END;"
        )
    };
    ["BEFORE", "AFTER"].map(|time| trigger(time, "INSERT") + &trigger(time, "UPDATE")).into()
}

/// A unique column with a clause of its own, with and without a trigger somewhere in the database.
fn unique(clause: &str) -> Vec<String> {
    let table = format!(
        "DROP TABLE item; CREATE TABLE item (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE,
         code TEXT UNIQUE ON CONFLICT {clause}, text TEXT);"
    );
    vec![table.clone(), table + SOME_TRIGGER]
}

#[test]
fn promise_5_a_trigger_that_aborts_stops_only_its_record() {
    refusing("ABORT, 'no'").iter().for_each(|own| one_bad_item(SQLITE, own));
}

#[test]
fn promise_5_a_trigger_that_fails_before_the_row_is_written_stops_only_its_record() {
    one_bad_item(SQLITE, &refusing("FAIL, 'no'")[0]);
}

#[test]
fn promise_5_a_trigger_that_fails_after_the_row_is_written_stops_only_its_record() {
    one_bad_item(SQLITE, &refusing("FAIL, 'no'")[1]);
}

#[test]
fn promise_5_a_trigger_that_rolls_back_stops_only_its_record() {
    refusing("ROLLBACK, 'no'").iter().for_each(|own| one_bad_item(SQLITE, own));
}

#[test]
fn promise_5_a_unique_column_stops_only_its_record_whatever_its_clause_without_triggers() {
    for clause in ["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"] {
        one_bad_item(SQLITE, &unique(clause)[0]);
    }
}

#[test]
fn promise_5_a_unique_column_stops_only_its_record_where_triggers_run() {
    for clause in ["ABORT", "FAIL", "IGNORE"] {
        one_bad_item(SQLITE, &unique(clause)[1]);
    }
}

#[test]
fn promise_5_a_unique_column_that_replaces_stops_only_its_record_where_triggers_run() {
    one_bad_item(SQLITE, &unique("REPLACE")[1]);
}

#[test]
fn promise_5_a_unique_column_that_rolls_back_stops_only_its_record_where_triggers_run() {
    one_bad_item(SQLITE, &unique("ROLLBACK")[1]);
}

/// What PostgreSQL has to refuse a row with; the ministry's database is always one.
fn on_server(on: Engines) {
    let function =
        |body: &str| format!("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;");
    let raises = function("IF NEW.text = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW;");
    let drops = function("IF NEW.text = 'bad' THEN RETURN NULL; END IF; RETURN NEW;");
    let trigger = |which: &str| format!("CREATE {which} INSERT OR UPDATE ON item");
    let each = "FOR EACH ROW EXECUTE FUNCTION refuse();";
    for own in [
        format!("{raises} {} {each}", trigger("TRIGGER refuse BEFORE")),
        format!("{raises} {} {each}", trigger("TRIGGER refuse AFTER")),
        format!("{raises} {} DEFERRABLE INITIALLY DEFERRED {each}", trigger("CONSTRAINT TRIGGER refuse AFTER")),
        format!("{drops} {} {each}", trigger("TRIGGER refuse BEFORE")),
        "ALTER TABLE item ADD UNIQUE (code);".to_owned(),
        "ALTER TABLE item ADD UNIQUE (code) DEFERRABLE INITIALLY DEFERRED;".to_owned(),
        "CREATE UNIQUE INDEX partial ON item (code) WHERE code = 'taken';".to_owned(),
        "ALTER TABLE item ADD EXCLUDE (code WITH =);".to_owned(),
        "ALTER TABLE item ADD EXCLUDE (code WITH =) DEFERRABLE INITIALLY DEFERRED;".to_owned(),
        "ALTER TABLE item ADD CHECK (text <> 'bad');".to_owned(),
    ] {
        one_bad_item(on, &own);
    }
}

#[test]
fn promise_5_whatever_a_server_refuses_stops_only_its_record() {
    run("promise_5_whatever_a_server_refuses_stops_only_its_record", POSTGRES, on_server);
}

#[test]
fn promise_5_whatever_a_server_refuses_of_a_clinic_on_sqlite_stops_only_its_record() {
    let name = "promise_5_whatever_a_server_refuses_of_a_clinic_on_sqlite_stops_only_its_record";
    run(name, MIXED, on_server);
}

/// A rule that only whole transactions keep: every item has a part.
fn end_of_transaction(on: Engines) {
    let mut fleet = fleet(
        on,
        3,
        "CREATE FUNCTION has_part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NOT EXISTS (SELECT 1 FROM part WHERE item_id = NEW.id) THEN RAISE EXCEPTION 'no part'; END IF;
             RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER has_part AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION has_part();",
    );
    fleet.nodes[1].run(
        "INSERT INTO item (tag) VALUES ('one'), ('two');
         INSERT INTO part (tag, item_id) SELECT tag, id FROM item",
    );
    fleet.settle();
    assert_eq!(fleet.nodes[0].held(), []);
    assert_eq!(fleet.nodes[0].ask("SELECT string_agg(tag, ',' ORDER BY tag) FROM item"), "'one,two'");
}

#[test]
fn promise_5_what_holds_at_the_end_of_a_transaction_is_asked_at_the_end() {
    run("promise_5_what_holds_at_the_end_of_a_transaction_is_asked_at_the_end", POSTGRES, end_of_transaction);
}
