//! How many statements an import sends to a PostgreSQL server: it may be far away, and each is a trip. What is promised
//! is at most 100, and one more for each 500 rows.

use saddlebag_tests::app::App;
use saddlebag_tests::engines::{Engine, Engines, NodeStore};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::{leases, tell};

const ON: Engines = &[Engine::Postgres, Engine::Sqlite];

const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE person (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, born TEXT,
    village_id INTEGER REFERENCES village (id), mother_id INTEGER REFERENCES person (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), what TEXT, weight REAL,
    pulse INTEGER, doctor TEXT);
CREATE INDEX visit_person ON visit (person_id);
CREATE INDEX person_mother ON person (mother_id);
";

const TABLES: &str = "
[village]
identity = 'natural(code)'
[person]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
references = { doctor = 'person' }
";

/// Rows of persons; as many visits, and a hundredth as many villages.
const ROWS: u64 = 4_000;

/// Imports what the clinic has to say, and says how many statements that took for how many records.
fn import(fleet: &mut Fleet, what: &str) {
    let bundles = fleet.export(1, 0);
    assert_eq!(bundles.len(), 1);
    let before = sent(fleet);
    let tally = fleet.nodes[0].import(&bundles[0]).unwrap().tally;
    let statements = sent(fleet) - before;
    let rows = tally.records + tally.conflicts + tally.parked + tally.quarantined;
    tell(&format!("{what}: {statements} statements for {rows} rows: {tally:?}"));
    assert!(rows >= ROWS / 8, "{what}: {tally:?}");
    assert!(statements <= 110 + rows / 500, "{what}: {statements} statements for {rows} rows");
}

fn sent(fleet: &Fleet) -> u64 {
    match &fleet.nodes[0].store {
        NodeStore::Postgres(store) => store.statements_sent(),
        _ => unreachable!("the central is on PostgreSQL"),
    }
}

/// As many numbers, from 1.
fn numbers(upto: u64) -> String {
    format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {upto})")
}

#[test]
fn an_import_sends_few_statements() {
    if !leases::needs_postgres("an_import_sends_few_statements") {
        return;
    }
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed: 5, engines: ON };
    let mut fleet = Fleet::new(&plan, |_, app| app.execute_batch(SCHEMA).unwrap());
    fleet.settle();
    let run = |fleet: &Fleet, sql: &str| fleet.nodes[1].run(sql);

    run(
        &fleet,
        &format!(
            "INSERT INTO village (code, name) {villages} SELECT 'V' || i, 'village ' || i FROM n;
             INSERT INTO person (uuid, name, phone, born, village_id, mother_id) {persons}
             SELECT printf('00000000-0000-4000-8000-%012d', i), 'person ' || i, i, '1980-01-01', 1 + i % 40,
                 CASE WHEN i % 3 = 0 THEN i - 1 END FROM n;
             INSERT INTO visit (person_id, what, weight, pulse, doctor) {persons}
             SELECT i, 'visit ' || i, i * 0.1, i % 100, 1 + i % 7 FROM n",
            villages = numbers(ROWS / 100),
            persons = numbers(ROWS)
        ),
    );
    import(&mut fleet, "new rows");
    fleet.settle();

    run(
        &fleet,
        "UPDATE person SET phone = 'p' || id WHERE id % 2 = 0; UPDATE person SET name = 'n' || id WHERE id % 3 = 0;
         UPDATE person SET mother_id = NULL WHERE id % 6 = 0; UPDATE visit SET weight = 1.5, pulse = NULL WHERE id % 5 = 0;
         UPDATE visit SET person_id = 1 + id % 100 WHERE id % 7 = 0; UPDATE village SET name = 'x' WHERE id < 20",
    );
    import(&mut fleet, "edits");
    fleet.settle();

    // Circles, and references that come later in the feed than what refers.
    run(
        &fleet,
        "UPDATE person SET mother_id = 1 + id % 900 WHERE id <= 900; UPDATE person SET mother_id = id WHERE id = 1000",
    );
    import(&mut fleet, "circles");
    fleet.settle();

    // A unique value that changes places: each row that the server refuses at first costs a few statements more.
    run(
        &fleet,
        "UPDATE village SET code = 'old' WHERE id = 1; UPDATE village SET code = 'V1' WHERE id = 2;
         UPDATE village SET code = 'V2' WHERE id = 1; UPDATE visit SET what = 'again' WHERE id <= 1000",
    );
    import(&mut fleet, "a unique value that changes places");
    fleet.settle();

    // New rows in long chains, and such that refer to themselves.
    run(
        &fleet,
        &format!(
            "INSERT INTO person (id, uuid, name, mother_id) {}
             SELECT 10000 + i, printf('00000000-0000-4000-a000-%012d', i), 'chain ' || i,
                 CASE WHEN i % 50 = 0 THEN 10000 + i WHEN i > 1 THEN 9999 + i END FROM n",
            numbers(ROWS / 4)
        ),
    );
    import(&mut fleet, "chains");
    fleet.settle();

    // Both places edit the same rows, and the ministry edits what the clinic deletes.
    fleet.nodes[0].run(
        "UPDATE person SET name = 'of the ministry' WHERE id % 2 = 1; UPDATE visit SET what = 'kept' WHERE id % 10 = 1",
    );
    run(&fleet, "UPDATE person SET name = 'of the clinic' WHERE id % 2 = 1; DELETE FROM visit WHERE id % 10 < 4");
    import(&mut fleet, "conflicts, deletions and deletions refused");
    fleet.settle();

    run(
        &fleet,
        "UPDATE person SET mother_id = NULL WHERE mother_id > 2000; DELETE FROM visit WHERE person_id > 2000;
         DELETE FROM person WHERE id > 2000 AND id NOT IN (SELECT mother_id FROM person WHERE mother_id IS NOT NULL)",
    );
    import(&mut fleet, "deletions with children");
    fleet.settle();

    // What waits for a record that does not come is held, told, and tried again.
    fleet.nodes[0].run("ALTER TABLE person ADD CONSTRAINT no_dash CHECK (name NOT LIKE 'dash-%')");
    run(
        &fleet,
        &format!(
            "INSERT INTO person (uuid, name) VALUES ('00000000-0000-4000-9000-000000000000', 'dash-');
             INSERT INTO visit (person_id, what) {} SELECT max(p.id), 'held ' || n.i FROM n, person p GROUP BY n.i",
            numbers(ROWS / 4)
        ),
    );
    import(&mut fleet, "held rows");
    fleet.settle();
    run(&fleet, "UPDATE person SET name = 'none' WHERE name = 'dash-'");
    import(&mut fleet, "held rows that apply");
    fleet.settle();

    let tables = [Table::new("village"), Table::named("person", &["uuid"]), Table::new("visit").without(&["doctor"])];
    let nodes: [(&str, &App); 2] = [("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{:#?}", &differences[..differences.len().min(10)]);
}
