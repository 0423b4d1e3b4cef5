//! Values that cannot stand in their columns as they came: kept beside the record, exported, and put in place.

use saddlebag_formats::{Uid, Value};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Beside, BesideWhy, Held};
use saddlebag_tests::engines::{Engine, Engines, engine_of};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::on_engines;

/// A ministry and two clinics with a schema each.
fn fleet(on: Engines, tables: &str, schemas: [&str; 3]) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables, seed: 7, engines: on };
    Fleet::new(&plan, |index, app| app.execute_batch(schemas[index]).unwrap())
}

fn run(fleet: &Fleet, node: usize, sql: &str) {
    fleet.nodes[node].run(sql);
}

fn ask(fleet: &Fleet, node: usize, sql: &str) -> String {
    fleet.nodes[node].ask(sql)
}

fn beside(node: &mut FleetNode, table: &str) -> Vec<Beside> {
    let table = node.store.tracking().by_name(table).unwrap().clone();
    node.store.begin(Access::Read).unwrap();
    let beside = node.store.beside(&table).unwrap();
    node.store.rollback().unwrap();
    beside
}

fn held(node: &mut FleetNode) -> Vec<Held> {
    node.store.begin(Access::Read).unwrap();
    let held = node.store.held(None).unwrap();
    node.store.rollback().unwrap();
    held
}

fn same_versions(fleet: &mut Fleet, one: usize, other: usize) {
    assert_eq!(fleet.nodes[one].versions(), fleet.nodes[other].versions());
}

const NOTES: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT, mood TEXT);";

on_engines!(a_column_that_the_centre_lacks_travels_through_it);
fn a_column_that_the_centre_lacks_travels_through_it(on: Engines) {
    let old = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);";
    let mut fleet = fleet(on, "[note]\nidentity = 'assigned'", [old, NOTES, NOTES]);
    run(&fleet, 1, "INSERT INTO note (text, mood) VALUES ('a', 'glad'), ('b', NULL)");
    fleet.settle();
    assert_eq!(
        ask(&fleet, 2, "SELECT string_agg(text || '=' || coalesce(mood, '?'), ',' ORDER BY text) FROM note"),
        "'a=glad,b=?'"
    );
    let kept = beside(&mut fleet.nodes[0], "note");
    assert!(kept.len() == 2 && kept.iter().all(|kept| kept.why == BesideWhy::NoColumn && kept.shown.is_none()));
    // An edit of another column at the centre leaves it alone, and one at a clinic goes through.
    run(&fleet, 0, "UPDATE note SET text = 'A' WHERE text = 'a'");
    run(&fleet, 2, "UPDATE note SET mood = 'sad' WHERE text = 'a'");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT text || mood FROM note WHERE id = 1"), "'Asad'");
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
    // The ministry's application is upgraded, and setup is run again.
    run(&fleet, 0, "ALTER TABLE note ADD COLUMN mood TEXT");
    fleet.nodes[0].set_up_again("[note]\nidentity = 'assigned'");
    assert_eq!(
        ask(&fleet, 0, "SELECT string_agg(text || '=' || coalesce(mood, '?'), ',' ORDER BY text) FROM note"),
        "'A=sad,b=?'"
    );
    assert!(beside(&mut fleet.nodes[0], "note").is_empty());
    fleet.settle();
    run(&fleet, 0, "UPDATE note SET mood = 'calm' WHERE text = 'b'");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT mood FROM note WHERE id = 2"), "'calm'");
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}

on_engines!(a_column_that_every_place_gets_at_its_upgrade_holds_what_stood_there);
fn a_column_that_every_place_gets_at_its_upgrade_holds_what_stood_there(on: Engines) {
    let old = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);";
    let tables = "[note]\nidentity = 'assigned'";
    let mut fleet = fleet(on, tables, [old, old, old]);
    run(&fleet, 1, "INSERT INTO note (text) VALUES ('a'), ('b')");
    fleet.settle();
    for node in 0..3 {
        run(&fleet, node, "ALTER TABLE note ADD COLUMN mood TEXT DEFAULT 'new'");
    }
    run(&fleet, 2, "UPDATE note SET mood = 'sad' WHERE text = 'b'");
    for node in 0..3 {
        fleet.nodes[node].set_up_again(tables);
    }
    fleet.settle();
    for node in 0..3 {
        assert_eq!(ask(&fleet, node, "SELECT string_agg(text || mood, ',' ORDER BY text) FROM note"), "'anew,bsad'");
    }
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}

on_engines!(what_happened_in_a_table_built_anew_is_seen_by_the_next_setup);
/// As migrations do it: a new table with one column more, the rows taken over, the old one dropped, and its triggers with
/// it. Work goes on before anybody runs `setup`.
fn what_happened_in_a_table_built_anew_is_seen_by_the_next_setup(on: Engines) {
    let old = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);";
    let tables = "[note]\nidentity = 'assigned'";
    let mut fleet = fleet(on, tables, [old, old, old]);
    run(&fleet, 1, "INSERT INTO note (id, text) VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    fleet.settle();
    run(
        &fleet,
        1,
        "CREATE TABLE newer (id INTEGER PRIMARY KEY, text TEXT, mood TEXT DEFAULT 'new');
         INSERT INTO newer (id, text) SELECT id, text FROM note; DROP TABLE note; ALTER TABLE newer RENAME TO note;
         DELETE FROM note WHERE text = 'c'; UPDATE note SET text = 'b2' WHERE text = 'b';
         INSERT INTO note (id, text) VALUES (100, 'd')",
    );
    // Nobody at the clinic has touched this one.
    run(&fleet, 0, "UPDATE note SET text = 'A' WHERE text = 'a'");
    fleet.nodes[1].set_up_again(tables);
    fleet.settle();
    for node in 0..3 {
        assert_eq!(ask(&fleet, node, "SELECT string_agg(text, ',' ORDER BY lower(text)) FROM note"), "'A,b2,d'");
    }
    assert_eq!(ask(&fleet, 1, "SELECT string_agg(mood, ',') FROM note"), "'new,new,new'");
    // A default is nothing that anybody said: it has no version of its own.
    let texts = |node: &mut FleetNode| {
        let of_texts = |((_, _, column), _): &((String, Uid, String), _)| column == "text";
        node.versions().into_iter().filter(of_texts).collect::<Vec<_>>()
    };
    let all: Vec<_> = fleet.nodes.iter_mut().map(texts).collect();
    assert!(all[0] == all[1] && all[0] == all[2], "{all:#?}");
    let node = &mut fleet.nodes[0];
    node.store.begin(Access::Read).unwrap();
    assert_eq!(node.store.conflicts().unwrap(), []);
    node.store.rollback().unwrap();
}

const VISITS: &str = "CREATE TABLE doctor (id INTEGER PRIMARY KEY, login TEXT UNIQUE);
    CREATE TABLE visit (id INTEGER PRIMARY KEY, doctor INTEGER, what TEXT, about TEXT);";

on_engines!(a_reference_without_a_partner_is_kept_and_put_in_place_when_the_partner_comes);
fn a_reference_without_a_partner_is_kept_and_put_in_place_when_the_partner_comes(on: Engines) {
    let tables = "[doctor]\nidentity = 'natural(login)'\ndirection = 'match'\n\
                  [visit]\nidentity = 'assigned'\nreferences = { doctor = 'doctor', about = 'model,id' }";
    let mut fleet = fleet(on, tables, [VISITS; 3]);
    run(&fleet, 0, "INSERT INTO doctor (id, login) VALUES (9, 'ama')");
    run(&fleet, 1, "INSERT INTO doctor (id, login) VALUES (1, 'kofi'), (2, 'ama')");
    run(
        &fleet,
        1,
        "INSERT INTO visit (doctor, what, about) VALUES (1, 'kofi''s', 'doctor,2'), (2, 'ama''s', 'ir.model,5'),
        (77, 'nobody''s', 'visit,1')",
    );
    fleet.settle();
    let list = "SELECT string_agg(what || ':' || coalesce(CAST(doctor AS TEXT), '-') || ':' || coalesce(about, '-'), ' ' \
                ORDER BY lower(what)) FROM visit";
    assert_eq!(ask(&fleet, 0, list), "'ama''s:9:- kofi''s:-:doctor,9 nobody''s:-:visit,1'");
    assert_eq!(ask(&fleet, 2, list), "'ama''s:-:- kofi''s:-:- nobody''s:-:visit,1'");
    assert!(held(&mut fleet.nodes[0]).is_empty() && held(&mut fleet.nodes[2]).is_empty());
    // Another edit of the row takes the true value along.
    run(&fleet, 0, "UPDATE visit SET what = 'Kofi''s' WHERE what = 'kofi''s'");
    run(&fleet, 2, "INSERT INTO doctor (id, login) VALUES (50, 'kofi'), (51, 'ama')");
    fleet.settle();
    run(&fleet, 0, "INSERT INTO doctor (id, login) VALUES (10, 'kofi')");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, list), "'ama''s:9:- Kofi''s:10:doctor,9 nobody''s:-:visit,1'");
    assert_eq!(ask(&fleet, 1, list), "'ama''s:2:ir.model,5 Kofi''s:1:doctor,2 nobody''s:77:visit,1'");
    assert_eq!(ask(&fleet, 2, list), "'ama''s:51:- Kofi''s:50:doctor,51 nobody''s:-:visit,1'");
    // What the application writes there counts, and the value beside the record does not any more.
    run(&fleet, 2, "UPDATE visit SET doctor = 51 WHERE what = 'nobody''s'");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT doctor FROM visit WHERE what = 'nobody''s'"), "2");
    for node in 0..3 {
        assert_eq!(ask(&fleet, node, "SELECT count(*) FROM doctor"), ["2", "2", "2"][node], "nothing of it moves");
    }
    same_versions_of(&mut fleet, "visit");
}

/// Tables whose rows are only matched have row states of each place's own.
fn same_versions_of(fleet: &mut Fleet, table: &str) {
    let mut all: Vec<_> = fleet.nodes.iter_mut().map(FleetNode::versions).collect();
    all.iter_mut().for_each(|versions| versions.retain(|(name, ..), _| name == table));
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:#?}");
}

on_engines!(a_reference_that_may_not_be_empty_takes_the_configured_value_or_is_held);
fn a_reference_that_may_not_be_empty_takes_the_configured_value_or_is_held(on: Engines) {
    let schema = "CREATE TABLE doctor (id INTEGER PRIMARY KEY, login TEXT UNIQUE);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, doctor INTEGER NOT NULL REFERENCES doctor (id), what TEXT);
        INSERT INTO doctor VALUES (1, 'anybody');";
    let tables = "[doctor]\nidentity = 'natural(login)'\ndirection = 'match'\n[visit]\nidentity = 'assigned'\n";
    let with = format!("{tables}without_target = {{ doctor = 1 }}");
    let insert = "INSERT INTO doctor VALUES (5, 'kofi'); INSERT INTO visit (doctor, what) VALUES (5, 'x')";
    let mut fleet_with = fleet(on, &with, [schema; 3]);
    run(&fleet_with, 1, insert);
    fleet_with.settle();
    assert_eq!(ask(&fleet_with, 0, "SELECT doctor FROM visit"), "1");
    assert_eq!(ask(&fleet_with, 2, "SELECT doctor FROM visit"), "1");
    assert_eq!(ask(&fleet_with, 1, "SELECT doctor FROM visit"), "5");
    run(&fleet_with, 2, "INSERT INTO doctor VALUES (8, 'kofi')");
    fleet_with.settle();
    run(&fleet_with, 0, "UPDATE visit SET what = 'y'");
    fleet_with.settle();
    assert_eq!(ask(&fleet_with, 2, "SELECT doctor FROM visit"), "8");
    let mut fleet = fleet(on, tables, [schema; 3]);
    run(&fleet, 1, insert);
    fleet.settle();
    let held = held(&mut fleet.nodes[0]);
    assert!(held.len() == 1 && held[0].reason.contains("without_target"), "{held:?}");
    run(&fleet, 0, "INSERT INTO doctor VALUES (6, 'kofi')");
    run(&fleet, 1, "UPDATE visit SET what = 'z'");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT doctor || what FROM visit"), "'6z'");
}

const FORMS: &str = "CREATE TABLE form (id INTEGER PRIMARY KEY, code TEXT UNIQUE, text TEXT);";

on_engines!(a_counter_that_collides_is_shown_with_its_origin_where_it_does_or_will);
fn a_counter_that_collides_is_shown_with_its_origin_where_it_does_or_will(on: Engines) {
    let tables = "[form]\nidentity = 'assigned'\nlocal_unique = ['code']";
    let mut fleet = fleet(on, tables, [FORMS; 3]);
    run(
        &fleet,
        1,
        "INSERT INTO form (code, text) VALUES ('EVAL 2026/000259', 'of a'), ('EVAL 2026/000260', 'of a too')",
    );
    run(&fleet, 2, "INSERT INTO form (code, text) VALUES ('EVAL 2026/000259', 'of b')");
    fleet.settle();
    let codes = "SELECT string_agg(text || '=' || code, ', ' ORDER BY text) FROM form";
    let shown_b = "'of a=EVAL 2026/000259, of a too=EVAL 2026/000260, of b=EVAL 2026/000259 (clinic-b)'";
    assert_eq!(ask(&fleet, 0, codes), shown_b);
    assert_eq!(ask(&fleet, 1, codes), shown_b);
    assert_eq!(
        ask(&fleet, 2, codes),
        "'of a=EVAL 2026/000259 (clinic-a), of a too=EVAL 2026/000260 (clinic-a), of b=EVAL 2026/000259'",
        "the counter of clinic-b has not come to 260 yet"
    );
    run(&fleet, 2, "INSERT INTO form (code, text) VALUES ('EVAL 2026/000260', 'of b too')");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT code FROM form WHERE text = 'of b too'"), "'EVAL 2026/000260 (clinic-b)'");
    run(&fleet, 1, "INSERT INTO form (code, text) VALUES ('EVAL 2026/000300', 'passed')");
    run(&fleet, 2, "INSERT INTO form (code, text) VALUES ('EVAL 2026/000270', 'plain')");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT code FROM form WHERE text = 'plain'"), "'EVAL 2026/000270'", "a's is beyond");
    run(&fleet, 0, "DELETE FROM form WHERE text IN ('of b too', 'passed', 'plain')");
    fleet.settle();
    // The shown form is never read back, unless the application changes it.
    run(&fleet, 0, "UPDATE form SET text = 'of B' WHERE text = 'of b'");
    run(&fleet, 1, "UPDATE form SET text = 'of A' WHERE text = 'of a'");
    fleet.settle();
    assert_eq!(ask(&fleet, 2, "SELECT code FROM form WHERE text = 'of B'"), "'EVAL 2026/000259'");
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
    run(&fleet, 1, "UPDATE form SET code = 'EVAL b' WHERE text = 'of B'");
    fleet.settle();
    for node in 0..3 {
        assert_eq!(ask(&fleet, node, "SELECT code FROM form WHERE text = 'of B'"), "'EVAL b'");
    }
    same_versions(&mut fleet, 0, 2);
    assert_eq!(fleet.nodes[0].app.faults(), Vec::<String>::new());
}

on_engines!(a_counter_whose_record_comes_back_is_what_it_was);
fn a_counter_whose_record_comes_back_is_what_it_was(on: Engines) {
    let mut fleet = fleet(on, "[form]\nidentity = 'assigned'\nlocal_unique = ['code']", [FORMS; 3]);
    run(&fleet, 1, "INSERT INTO form (code, text) VALUES ('EVAL 1', 'of a')");
    run(&fleet, 2, "INSERT INTO form (code, text) VALUES ('EVAL 1', 'of b')");
    fleet.settle();
    run(&fleet, 0, "DELETE FROM form WHERE text = 'of b'");
    run(&fleet, 2, "UPDATE form SET text = 'of B' WHERE text = 'of b'");
    fleet.settle();
    let code = "SELECT code FROM form WHERE text = 'of B'";
    assert_eq!(
        [0, 1, 2].map(|node| ask(&fleet, node, code)),
        ["'EVAL 1 (clinic-b)'", "'EVAL 1 (clinic-b)'", "'EVAL 1'"]
    );
    let kept: Vec<_> = beside(&mut fleet.nodes[0], "form").into_iter().map(|kept| kept.value).collect();
    assert_eq!(kept, [Value::Text("EVAL 1".into())]);
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
    // What was changed just before it went is what it was last.
    run(&fleet, 0, "UPDATE form SET code = 'EVAL b' WHERE text = 'of B'; DELETE FROM form WHERE text = 'of B'");
    run(&fleet, 2, "UPDATE form SET text = 'b' WHERE text = 'of B'");
    fleet.settle();
    assert_eq!([0, 1, 2].map(|node| ask(&fleet, node, "SELECT code FROM form WHERE text = 'b'")), ["'EVAL b'"; 3]);
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}

on_engines!(what_a_database_stores_in_another_form_is_exported_as_it_came);
fn what_a_database_stores_in_another_form_is_exported_as_it_came(on: Engines) {
    let plain = "CREATE TABLE item (id INTEGER PRIMARY KEY, amount TEXT, name TEXT);";
    let upper = match engine_of(on, 0) {
        Engine::Sqlite => {
            "CREATE TRIGGER upper AFTER INSERT ON item BEGIN UPDATE item SET name = upper(name) WHERE id = NEW.id; END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION upper_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE item SET name = upper(name) WHERE id = NEW.id; RETURN NULL; END $$;
             CREATE TRIGGER upper AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION upper_name()"
        }
    };
    let other = format!("CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER, name TEXT); {upper}");
    let mut fleet = fleet(on, "[item]\nidentity = 'assigned'", [&other, plain, plain]);
    run(&fleet, 1, "INSERT INTO item (amount, name) VALUES ('007', 'a')");
    fleet.settle();
    assert_eq!(ask(&fleet, 0, "SELECT amount || name FROM item"), "'7A'");
    assert_eq!(ask(&fleet, 2, "SELECT amount || name FROM item"), "'007a'");
    let kept = beside(&mut fleet.nodes[0], "item");
    assert!(kept.iter().all(|kept| kept.why == BesideWhy::OtherForm), "{kept:?}");
    assert_eq!(
        kept.iter().map(|kept| &kept.value).collect::<Vec<_>>(),
        [&Value::Text("007".into()), &Value::Text("a".into())]
    );
    run(&fleet, 0, "UPDATE item SET amount = 8");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT amount || name FROM item"), "'8a'");
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}

on_engines!(a_reference_to_a_record_that_is_deleted_everywhere_means_the_same_everywhere);
fn a_reference_to_a_record_that_is_deleted_everywhere_means_the_same_everywhere(on: Engines) {
    let schema = "CREATE TABLE visit (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
        CREATE TABLE note (id INTEGER PRIMARY KEY, about TEXT, text TEXT);";
    let tables = "[visit]\nidentity = 'assigned'\n[note]\nidentity = 'assigned'\nreferences = { about = 'model,id' }";
    let mut fleet = fleet(on, tables, [schema; 3]);
    run(&fleet, 2, "INSERT INTO visit (what) VALUES ('own')");
    run(&fleet, 1, "INSERT INTO visit (what) VALUES ('x'); INSERT INTO note (about, text) VALUES ('visit,1', 't')");
    fleet.settle();
    run(&fleet, 1, "DELETE FROM visit WHERE id = 1");
    fleet.settle();
    assert_eq!(ask(&fleet, 2, "SELECT count(*) FROM visit"), "1");
    run(&fleet, 2, "UPDATE note SET text = 'T'");
    fleet.settle();
    assert_eq!(ask(&fleet, 1, "SELECT about || text FROM note"), "'visit,1T'");
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}

on_engines!(rows_that_name_one_record_mean_it_everywhere);
/// Several rows that name the same record by text are read together: when they are found, and when they are made.
fn rows_that_name_one_record_mean_it_everywhere(on: Engines) {
    let found = "CREATE TABLE visit (id INTEGER PRIMARY KEY, what TEXT);
        CREATE TABLE note (id INTEGER PRIMARY KEY, about TEXT, text TEXT);
        INSERT INTO visit VALUES (1, 'x'), (2, 'y');
        INSERT INTO note (about, text) VALUES ('visit,1', 'a'), ('visit,1', 'b'), ('visit,2', 'c'), ('visit,1', 'd');";
    let tables = "[visit]\nidentity = 'copied'\n[note]\nidentity = 'copied'\nreferences = { about = 'model,id' }";
    let mut fleet = fleet(on, tables, [found; 3]);
    fleet.settle();
    run(&fleet, 2, "INSERT INTO visit VALUES (3, 'own')");
    run(&fleet, 1, "INSERT INTO visit VALUES (3, 'z')");
    run(&fleet, 1, "INSERT INTO note (about, text) VALUES ('visit,3', 'e'), ('visit,3', 'f'), ('visit,3', 'g')");
    fleet.settle();
    let sql = "SELECT string_agg(coalesce(v.what, '?') || n.text, ',' ORDER BY n.text) \
               FROM note n LEFT JOIN visit v ON n.about = 'visit,' || v.id";
    for node in 0..3 {
        assert_eq!(ask(&fleet, node, sql), "'xa,xb,yc,xd,ze,zf,zg'", "at {node}");
        assert_eq!(beside(&mut fleet.nodes[node], "note"), [], "at {node}");
    }
    same_versions(&mut fleet, 0, 1);
    same_versions(&mut fleet, 0, 2);
}
