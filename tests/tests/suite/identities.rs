//! How rows get their uid, and what becomes of rows that meet, move, are replaced or exchange their names.

use saddlebag_formats::Uid;
use saddlebag_importer::Importer;
use saddlebag_stores::Access;
use saddlebag_stores::ledger::Held;
use saddlebag_tests::engines::{Engines, SQLITE};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::on_engines;

fn fleet(on: Engines, tables: &str, schema: &str) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables, seed: 11, engines: on };
    Fleet::new(&plan, |_, app| app.execute_batch(schema).unwrap())
}

fn run(fleet: &Fleet, node: usize, sql: &str) {
    fleet.nodes[node].run(sql);
}

fn ask(fleet: &Fleet, node: usize, sql: &str) -> String {
    fleet.nodes[node].ask(sql)
}

fn everywhere(fleet: &Fleet, sql: &str, expected: &str) {
    for node in 0..fleet.nodes.len() {
        assert_eq!(ask(fleet, node, sql), expected, "at {}", fleet.nodes[node].me.name);
    }
}

fn held(node: &mut FleetNode) -> Vec<Held> {
    node.store.begin(Access::Read).unwrap();
    let held = node.store.held(None).unwrap();
    node.store.rollback().unwrap();
    held
}

/// By the words of either engine.
fn is_about_unique(held: &Held) -> bool {
    held.reason.contains("UNIQUE constraint failed") || held.reason.contains("violates unique constraint")
}

fn same_versions(fleet: &mut Fleet) {
    let all: Vec<_> = fleet.nodes.iter_mut().map(FleetNode::versions).collect();
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

on_engines!(rows_that_a_query_names_are_one_record);
fn rows_that_a_query_names_are_one_record(on: Engines) {
    let schema = "CREATE TABLE model_data (id INTEGER PRIMARY KEY, model TEXT, db_id INTEGER, module TEXT, fs_id TEXT);
        CREATE TABLE occupation (id INTEGER PRIMARY KEY, name TEXT);";
    let tables = "[occupation]\nidentity = \"named(SELECT db_id, module || '.' || fs_id FROM model_data \
                  WHERE model = 'occupation')\"";
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables, seed: 3, engines: on };
    let mut fleet = Fleet::new(&plan, |index, app| {
        app.execute_batch(schema).unwrap();
        let sql = format!(
            "INSERT INTO occupation (id, name) VALUES ({0} + 1, 'nurse'), ({0} + 2, 'own {0}');
             INSERT INTO model_data (model, db_id, module, fs_id) VALUES ('occupation', {0} + 1, 'health', 'occ1')",
            index * 10
        );
        app.execute_batch(&sql).unwrap();
    });
    fleet.settle();
    everywhere(&fleet, "SELECT count(*) FROM occupation WHERE name = 'nurse'", "1");
    everywhere(&fleet, "SELECT count(*) FROM occupation", "4");
    run(&fleet, 2, "UPDATE occupation SET name = 'Nurse' WHERE id = 21");
    fleet.settle();
    everywhere(&fleet, "SELECT count(*) FROM occupation WHERE name = 'Nurse'", "1");
    same_versions(&mut fleet);
}

on_engines!(databases_that_began_as_copies_agree_on_what_they_have);
fn databases_that_began_as_copies_agree_on_what_they_have(on: Engines) {
    let schema = "CREATE TABLE visit (id INTEGER PRIMARY KEY, patient INTEGER, at TEXT);
        INSERT INTO visit (patient, at) VALUES (1, '2026-01-01'), (1, '2026-01-01'), (2, NULL);";
    let mut fleet = fleet(on, "[visit]\nidentity = 'copied'", schema);
    run(&fleet, 1, "INSERT INTO visit (patient, at) VALUES (3, 'a')");
    run(&fleet, 2, "INSERT INTO visit (patient, at) VALUES (3, 'a')");
    fleet.settle();
    everywhere(&fleet, "SELECT count(*) FROM visit", "5");
    run(&fleet, 1, "UPDATE visit SET at = 'x' WHERE id = 2");
    fleet.settle();
    everywhere(&fleet, "SELECT id FROM visit WHERE at = 'x'", "2");
    same_versions(&mut fleet);
}

const PERSON: &str = "CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE NOT NULL, name TEXT UNIQUE);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES person (id), text TEXT);";
const TABLES: &str = "[person]\nidentity = 'natural(ref)'\n[child]\nidentity = 'assigned'";

on_engines!(unique_values_that_are_exchanged_or_passed_on_arrive);
fn unique_values_that_are_exchanged_or_passed_on_arrive(on: Engines) {
    let mut fleet = fleet(on, TABLES, PERSON);
    run(&fleet, 1, "INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'b'), ('C', 'c'), ('D', 'd')");
    fleet.settle();
    run(
        &fleet,
        1,
        "UPDATE person SET ref = 'X' WHERE ref = 'A'; UPDATE person SET ref = 'A' WHERE ref = 'B';
        UPDATE person SET ref = 'B' WHERE ref = 'X';
        UPDATE person SET name = 'y' WHERE name = 'd'; UPDATE person SET name = 'd' WHERE name = 'c';
        UPDATE person SET name = 'c' WHERE name = 'b'",
    );
    fleet.settle();
    everywhere(&fleet, "SELECT string_agg(ref || name, ' ' ORDER BY name) FROM person", "'Ba Ac Cd Dy'");
    assert!(held(&mut fleet.nodes[0]).is_empty() && held(&mut fleet.nodes[2]).is_empty());
    same_versions(&mut fleet);
}

on_engines!(an_exchange_in_which_one_row_cannot_take_part_holds_only_that);
fn an_exchange_in_which_one_row_cannot_take_part_holds_only_that(on: Engines) {
    let mut fleet = fleet(on, TABLES, PERSON);
    run(&fleet, 1, "INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'b'), ('C', 'c')");
    fleet.settle();
    run(&fleet, 0, "INSERT INTO person (ref, name) VALUES ('Z', 'taken')");
    run(
        &fleet,
        1,
        "UPDATE person SET name = NULL; UPDATE person SET name = 'b' WHERE ref = 'A';
        UPDATE person SET name = 'a' WHERE ref = 'B'; UPDATE person SET name = 'taken' WHERE ref = 'C'",
    );
    fleet.carry(1, 0);
    assert_eq!(ask(&fleet, 0, "SELECT string_agg(ref || name, ' ' ORDER BY ref) FROM person"), "'Ab Ba Cc Ztaken'");
    let held = held(&mut fleet.nodes[0]);
    assert!(held.len() == 1 && is_about_unique(&held[0]), "{held:?}");
}

#[test]
fn what_replace_takes_away_because_of_another_unique_column_is_deleted() {
    let mut fleet = fleet(SQLITE, TABLES, PERSON);
    run(&fleet, 1, "INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'b'), ('C', 'c')");
    fleet.settle();
    run(&fleet, 1, "INSERT OR REPLACE INTO person (ref, name) VALUES ('N', 'a')");
    run(&fleet, 1, "UPDATE OR REPLACE person SET name = 'b' WHERE ref = 'C'");
    run(&fleet, 1, "INSERT OR IGNORE INTO person (ref, name) VALUES ('I', 'b')");
    assert_eq!(ask(&fleet, 1, "SELECT group_concat(ref || name, ' ') FROM person"), "'Cb Na'");
    fleet.settle();
    everywhere(&fleet, "SELECT group_concat(ref || name, ' ') FROM person ORDER BY ref", "'Cb Na'");
    same_versions(&mut fleet);
}

fn same_as(fleet: &mut Fleet, held: &Held, into: Uid) {
    let FleetNode { store, keys, me, clock, entropy, .. } = &mut fleet.nodes[0];
    let mut importer = Importer { store: &mut **store, keys, me, clock, entropy };
    let _tally = importer.resolve_same_as(held.link, &held.table, held.uid, into).unwrap();
}

fn uid_at_ministry(fleet: &mut Fleet, reference: &str) -> Uid {
    let node = &mut fleet.nodes[0];
    let table = node.store.tracking().by_name("person").unwrap().clone();
    node.store.begin(Access::Read).unwrap();
    let last = node.store.last_seq().unwrap();
    let records = node.store.feed(&table, saddlebag_formats::Seq(0), last).unwrap();
    node.store.rollback().unwrap();
    let is_it = |record: &&saddlebag_stores::record::Record| {
        record.values.contains(&saddlebag_formats::Value::Text(reference.to_owned()))
    };
    records.iter().find(is_it).unwrap().uid
}

on_engines!(two_records_that_a_person_says_are_one_are_one_everywhere);
fn two_records_that_a_person_says_are_one_are_one_everywhere(on: Engines) {
    let mut fleet = fleet(on, TABLES, PERSON);
    run(&fleet, 0, "INSERT INTO person (ref, name) VALUES ('ABENA', 'Abena')");
    run(
        &fleet,
        1,
        "INSERT INTO person (ref, name) VALUES ('ABNA', 'Abena');
        INSERT INTO child (parent, text) VALUES (1, 'of ABNA')",
    );
    fleet.carry(1, 0);
    fleet.carry(0, 2);
    let held_here = held(&mut fleet.nodes[0]);
    let person = held_here.iter().find(|held| held.table == "person").unwrap().clone();
    assert!(held_here.len() == 2 && is_about_unique(&person), "{held_here:?}");
    let into = uid_at_ministry(&mut fleet, "ABENA");
    same_as(&mut fleet, &person, into);
    // Meanwhile the clinic goes on with what it has.
    run(&fleet, 1, "INSERT INTO child (parent, text) VALUES (1, 'later')");
    fleet.settle();
    for node in &mut fleet.nodes {
        assert!(held(node).is_empty(), "{:?}", held(node));
    }
    everywhere(&fleet, "SELECT count(*) FROM person", "1");
    everywhere(
        &fleet,
        "SELECT string_agg(text, ',' ORDER BY text DESC) FROM child JOIN person p ON p.id = parent",
        "'of ABNA,later'",
    );
    same_versions(&mut fleet);
    // A place that still has the other name makes no new record of it.
    let name = ask(&fleet, 0, "SELECT ref FROM person");
    run(&fleet, 2, "UPDATE person SET name = 'Abena A.'");
    fleet.settle();
    everywhere(&fleet, "SELECT name FROM person", "'Abena A.'");
    everywhere(&fleet, "SELECT ref FROM person", &name);
}

on_engines!(one_of_two_records_that_both_stand_at_a_clinic_goes_and_what_refers_to_it_stays);
fn one_of_two_records_that_both_stand_at_a_clinic_goes_and_what_refers_to_it_stays(on: Engines) {
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables: TABLES, seed: 11, engines: on };
    let mut fleet = Fleet::new(&plan, |index, app| {
        let check = if index == 0 { "CHECK (name <> 'bad')" } else { "" };
        let schema = format!(
            "CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT, name TEXT {check});
             CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES person (id), text TEXT);"
        );
        app.execute_batch(&schema).unwrap();
    });
    run(&fleet, 1, "INSERT INTO person (ref, name) VALUES ('A', 'Abena')");
    fleet.settle();
    run(
        &fleet,
        1,
        "INSERT INTO person (ref, name) VALUES ('A2', 'bad');
        INSERT INTO child (parent, text) VALUES (2, 'x')",
    );
    fleet.carry(1, 0);
    let person = held(&mut fleet.nodes[0]).into_iter().find(|held| held.table == "person").unwrap();
    let into = uid_at_ministry(&mut fleet, "A");
    run(&fleet, 1, "UPDATE person SET name = 'good' WHERE ref = 'A2'");
    same_as(&mut fleet, &person, into);
    fleet.settle();
    everywhere(&fleet, "SELECT count(*) FROM person", "1");
    everywhere(&fleet, "SELECT count(*) FROM child JOIN person p ON p.id = parent", "1");
    same_versions(&mut fleet);
}

on_engines!(references_of_several_columns_and_through_keys_arrive);
fn references_of_several_columns_and_through_keys_arrive(on: Engines) {
    let schema = "CREATE TABLE \"Order\" (id INTEGER PRIMARY KEY, \"group\" TEXT);
        CREATE TABLE line (order_id INTEGER NOT NULL REFERENCES \"Order\" (id), no INTEGER NOT NULL, what TEXT,
            PRIMARY KEY (order_id, no)) WITHOUT ROWID;
        CREATE TABLE allotment (id INTEGER PRIMARY KEY, order_id INTEGER, line_no INTEGER, amount INTEGER,
            FOREIGN KEY (order_id, line_no) REFERENCES line (order_id, no));
        CREATE TABLE note (line_order INTEGER, line_no INTEGER, text TEXT, PRIMARY KEY (line_order, line_no),
            FOREIGN KEY (line_order, line_no) REFERENCES line (order_id, no) ON DELETE CASCADE) WITHOUT ROWID;";
    let tables = "[Order]\nidentity = 'assigned'\n[line]\nidentity = 'natural(order_id, no)'\n\
                  [allotment]\nidentity = 'assigned'\n[note]\nidentity = 'natural(line_order, line_no)'";
    let mut fleet = fleet(on, tables, schema);
    for (node, who) in [(1, "a"), (2, "b")] {
        run(
            &fleet,
            node,
            &format!(
                "INSERT INTO \"Order\" (\"group\") VALUES ('{who}1'), ('{who}2');
                 INSERT INTO line VALUES (1, 1, '{who}11'), (2, 1, '{who}21'), (2, 2, '{who}22');
                 INSERT INTO allotment (order_id, line_no, amount) VALUES (2, 2, 5);
                 INSERT INTO note VALUES (2, 1, '{who}')"
            ),
        );
    }
    fleet.settle();
    let lines = "SELECT string_agg(o.\"group\" || ':' || l.what || ':' || a.amount, ' ') FROM allotment a \
                 JOIN line l ON (l.order_id, l.no) = (a.order_id, a.line_no) JOIN \"Order\" o ON o.id = l.order_id";
    everywhere(&fleet, &format!("SELECT length(({lines}))"), "17");
    everywhere(
        &fleet,
        "SELECT count(*) FROM note n JOIN line l ON l.order_id = n.line_order AND l.no = n.line_no",
        "2",
    );
    run(&fleet, 1, "DELETE FROM allotment; DELETE FROM line WHERE what = 'a21'");
    fleet.settle();
    everywhere(&fleet, "SELECT string_agg(text, ',') FROM note", "'b'");
    everywhere(&fleet, "SELECT count(*) FROM line", "5");
    same_versions(&mut fleet);
}

on_engines!(a_column_that_holds_another_tables_key_by_way_of_a_third_arrives);
fn a_column_that_holds_another_tables_key_by_way_of_a_third_arrives(on: Engines) {
    let schema = "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE patient (person_id INTEGER PRIMARY KEY REFERENCES person (id), ward TEXT);
        CREATE TABLE bed (id INTEGER PRIMARY KEY, patient_id TEXT);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, patient_id INTEGER REFERENCES patient (person_id), what TEXT);";
    let tables = "[person]\nidentity = 'assigned'\n[patient]\nidentity = 'natural(person_id)'\n\
                  [visit]\nidentity = 'assigned'\n[bed]\nidentity = 'assigned'\nreferences = { patient_id = 'patient' }";
    let mut fleet = fleet(on, tables, schema);
    run(&fleet, 2, "INSERT INTO person (name) VALUES ('x'), ('y')");
    run(
        &fleet,
        1,
        "INSERT INTO person (name) VALUES ('p'); INSERT INTO patient VALUES (1, 'w');
        INSERT INTO visit (patient_id, what) VALUES (1, 'v'); INSERT INTO bed (patient_id) VALUES ('1')",
    );
    fleet.settle();
    let by_name = "SELECT string_agg(p.name || v.what, ',') FROM visit v \
                   JOIN person p ON p.id = v.patient_id JOIN bed b ON b.patient_id = CAST(p.id AS TEXT)";
    everywhere(&fleet, by_name, "'pv'");
    same_versions(&mut fleet);
}

on_engines!(copies_that_work_before_they_first_meet_agree_without_a_conflict);
fn copies_that_work_before_they_first_meet_agree_without_a_conflict(on: Engines) {
    let schema =
        "CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, boss INTEGER REFERENCES person (id));
        INSERT INTO person VALUES (1, 'A', 'a', 2), (2, 'B', 'b', NULL), (3, 'C', 'c', 1);";
    let mut fleet = fleet(on, "[person]\nidentity = 'natural(ref)'", schema);
    run(&fleet, 1, "UPDATE person SET name = 'aa' WHERE ref = 'A'; DELETE FROM person WHERE ref = 'C'");
    run(&fleet, 2, "UPDATE person SET name = 'bb' WHERE ref = 'B'");
    fleet.settle();
    everywhere(&fleet, "SELECT string_agg(ref || name, ',' ORDER BY ref) FROM person", "'Aaa,Bbb'");
    for node in &mut fleet.nodes {
        node.store.begin(Access::Read).unwrap();
        assert!(node.store.conflicts().unwrap().is_empty());
        node.store.rollback().unwrap();
    }
    same_versions(&mut fleet);
}

on_engines!(a_second_row_of_one_name_stays_at_home_and_costs_nothing);
fn a_second_row_of_one_name_stays_at_home_and_costs_nothing(on: Engines) {
    let schema =
        "CREATE TABLE name_of (db_id INTEGER, name TEXT); CREATE TABLE kind (id INTEGER PRIMARY KEY, note TEXT);";
    let tables = "[kind]\nidentity = 'named(SELECT db_id, name FROM name_of)'";
    let mut fleet = fleet(on, tables, schema);
    run(&fleet, 1, "INSERT INTO name_of VALUES (1, 'k'), (2, 'k'); INSERT INTO kind VALUES (1, 'one'), (2, 'two')");
    fleet.settle();
    everywhere_but(&fleet, 1, "SELECT string_agg(note, ',') FROM kind", "'one'");
    let before = fleet.nodes[1].dump();
    fleet.settle();
    assert_eq!(fleet.nodes[1].dump(), before, "it is looked at, and nothing of it changes");
    run(&fleet, 1, "DELETE FROM kind WHERE id = 1");
    fleet.settle();
    everywhere(&fleet, "SELECT string_agg(note, ',') FROM kind", "'two'");
}

fn everywhere_but(fleet: &Fleet, left_out: usize, sql: &str, expected: &str) {
    for node in (0..fleet.nodes.len()).filter(|node| *node != left_out) {
        assert_eq!(ask(fleet, node, sql), expected, "at {}", fleet.nodes[node].me.name);
    }
}
