//! "One bad record stops only itself (and what depends on it)": one bundle with good records and bad ones of every kind.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_stores::Access;
use saddlebag_stores::ledger::Held;
use saddlebag_stores::ledger::HeldKind::{self, Parked, Quarantined};
use saddlebag_tests::asking::held_values;
use saddlebag_tests::engines::{Engine, Engines, engine_of};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

mod clauses;
mod limits;

/// What the clinic's database takes, if it is SQLite.
const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE patient (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, age INTEGER,
    village_id INTEGER REFERENCES village (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id));
CREATE TABLE dose (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, visit_id INTEGER NOT NULL REFERENCES visit (id));
CREATE TABLE chick (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, egg_id INTEGER NOT NULL REFERENCES egg (id));
CREATE TABLE egg (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, chick_id INTEGER NOT NULL REFERENCES chick (id));
CREATE TABLE result (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, value);
CREATE TABLE gadget (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, use TEXT);
CREATE TABLE stock (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, \"left\" INTEGER);
";

/// What an engine's database takes: PostgreSQL has no column for values of all types, and refers to no table that is
/// still to be made.
fn schema(engine: Engine) -> String {
    match engine {
        Engine::Sqlite => SCHEMA.to_owned(),
        Engine::Postgres => {
            SCHEMA
                .replace("tag TEXT NOT NULL, value)", "tag TEXT NOT NULL, value TEXT)")
                .replace(" REFERENCES egg (id)", "")
                + "ALTER TABLE chick ADD FOREIGN KEY (egg_id) REFERENCES egg (id);"
        }
    }
}

/// The ministry's refuses some of it.
fn ministry(engine: Engine) -> String {
    schema(engine)
        .replace(
            "tag TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, age INTEGER",
            "tag TEXT NOT NULL UNIQUE, name TEXT CHECK (name <> 'nobody'), phone TEXT, age INTEGER NOT NULL",
        )
        .replace("tag TEXT NOT NULL, value)", "tag TEXT NOT NULL, value INTEGER) STRICT")
        .replace("tag TEXT NOT NULL, value TEXT)", "tag TEXT NOT NULL, value INTEGER)")
        + "CREATE UNIQUE INDEX one_phone ON patient (phone);"
}

const TABLES: &str = "
[village]
identity = 'natural(tag)'
[patient]
identity = 'natural(tag)'
[visit]
identity = 'assigned'
[dose]
identity = 'assigned'
[chick]
identity = 'assigned'
[egg]
identity = 'assigned'
[result]
identity = 'assigned'
[stock]
identity = 'natural(tag)'
[gadget]
identity = 'assigned'
";

/// What the ministry's configuration says instead.
fn ministry_tables() -> String {
    let (without_gadget, _) = TABLES.split_once("[gadget]").unwrap();
    without_gadget.replace("[stock]\nidentity = 'natural(tag)'", "[stock]\nidentity = 'assigned'")
}

/// Good records and bad ones, mixed; every tag that begins with `bad` or `child` is of one that cannot stand.
const WORK: &str = "
PRAGMA foreign_keys = OFF;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
INSERT INTO patient (tag, name, phone, age) SELECT 'good ' || i, 'name', 'phone ' || i, i FROM n;
INSERT INTO patient (tag, name, phone, age) VALUES
    ('bad check', 'nobody', 'x1', 1), ('bad null', 'name', 'x2', NULL), ('bad unique', 'name', 'phone 50', 3);
INSERT INTO visit (tag, note, patient_id) SELECT 'good', 'note', id FROM patient WHERE tag LIKE 'good%';
INSERT INTO visit (tag, note, patient_id) SELECT 'child of ' || tag, 'note', id FROM patient WHERE tag LIKE 'bad%';
INSERT INTO visit (tag, note, patient_id) VALUES ('bad dangling', 'note', 100000);
INSERT INTO dose (tag, visit_id) SELECT 'good', id FROM visit WHERE tag = 'good' AND patient_id < 20;
INSERT INTO dose (tag, visit_id) SELECT 'child of ' || tag, id FROM visit WHERE tag <> 'good';
INSERT INTO chick VALUES (1, 'bad circle', 1); INSERT INTO egg VALUES (1, 'bad circle', 1);
INSERT INTO result (tag, value) VALUES ('good', 1), ('bad type', 'positive'), ('good', 2), ('bad number', 2.5);
INSERT INTO gadget (tag, use) VALUES ('bad table', 'none');
INSERT INTO stock (tag, \"left\") VALUES ('bad identity', 5);
INSERT INTO village (tag, name) VALUES ('good', 'Kola');
UPDATE patient SET village_id = 1 WHERE tag LIKE 'good 1%';
PRAGMA foreign_keys = ON;
";

fn fleet(on: Engines, seed: u64) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed, engines: on };
    let mut fleet = Fleet::new(&plan, |index, app| {
        let engine = app.engine();
        app.execute_batch(&if index == 0 { ministry(engine) } else { schema(engine) }).unwrap();
    });
    fleet.nodes[0].set_up_again(&ministry_tables());
    fleet
}

/// What is held at the ministry, by table and tag: which way, and why.
fn held(fleet: &mut Fleet) -> BTreeMap<(String, String), (HeldKind, String)> {
    let tag = |held: &Held| held_values(held).into_iter().find(|(column, _)| column == "tag").unwrap().1;
    let all = fleet.nodes[0].held().into_iter();
    all.map(|held| ((held.table.clone(), tag(&held)), (held.kind, held.reason.clone()))).collect()
}

/// What must be held: table, tag, which way, and what the reason names.
const HELD: [(&str, &str, HeldKind, &[&str]); 11] = [
    ("visit", "child of bad check", Parked, &["`patient_id`", "`patient`", "is held itself"]),
    ("visit", "child of bad null", Parked, &["`patient_id`", "`patient`", "is held itself"]),
    ("visit", "child of bad unique", Parked, &["`patient_id`", "`patient`", "is held itself"]),
    ("visit", "bad dangling", Quarantined, &["`patient_id`", "`visit`"]),
    ("dose", "child of child of bad check", Parked, &["`visit_id`", "`visit`", "is held itself"]),
    ("dose", "child of child of bad null", Parked, &["`visit_id`", "`visit`", "is held itself"]),
    ("dose", "child of child of bad unique", Parked, &["`visit_id`", "`visit`", "is held itself"]),
    ("dose", "child of bad dangling", Parked, &["`visit_id`", "`visit`", "is held itself"]),
    ("chick", "bad circle", Quarantined, &["circle of required references"]),
    ("egg", "bad circle", Quarantined, &["circle of required references"]),
    ("gadget", "bad table", Quarantined, &["`gadget`"]),
];

/// What must be held for a reason that the ministry's engine gives in its own words.
fn held_by(engine: Engine) -> Vec<(&'static str, &'static str, HeldKind, &'static [&'static str])> {
    let own: [&'static [&'static str]; 5] = match engine {
        Engine::Sqlite => [
            &["CHECK", "name <> 'nobody'"],
            &["NOT NULL", "patient.age"],
            &["UNIQUE", "patient.phone"],
            &["cannot store TEXT value", "result.value"],
            &["cannot store REAL value", "result.value"],
        ],
        Engine::Postgres => [
            &["check constraint", "patient_name_check"],
            &["not-null constraint", "age"],
            &["unique constraint", "one_phone"],
            &["integer", "positive"],
            &["integer", "2.5"],
        ],
    };
    let [check, null, unique, text, number] = own;
    let identity: &[&str] = &["identity", "`stock`", "natural(tag)", "assigned"];
    let mut all = HELD.to_vec();
    all.extend([
        ("patient", "bad check", Quarantined, check),
        ("patient", "bad null", Quarantined, null),
        ("patient", "bad unique", Quarantined, unique),
        ("result", "bad type", Quarantined, text),
        ("stock", "bad identity", Quarantined, identity),
        ("result", "bad number", Quarantined, number),
    ]);
    all
}

on_engines!(promise_5_exactly_the_bad_records_and_what_depends_on_them_are_held_each_with_its_reason);
fn promise_5_exactly_the_bad_records_and_what_depends_on_them_are_held_each_with_its_reason(on: Engines) {
    let mut fleet = fleet(on, 1);
    fleet.nodes[1].run(WORK);
    let bundles = fleet.export(1, 0);
    assert_eq!(bundles.len(), 1);
    let applied = fleet.nodes[0].import(&bundles[0]).unwrap();
    let found = held(&mut fleet);
    let expected = held_by(engine_of(on, 0));
    for &(table, tag, kind, words) in &expected {
        let (found_kind, reason) = found
            .get(&(table.to_owned(), tag.to_owned()))
            .unwrap_or_else(|| panic!("{table}: {tag} is not held: {found:#?}"));
        assert_eq!(*found_kind, kind, "{table}: {tag}: {reason}");
        assert!(words.iter().all(|word| reason.contains(word)), "{table}: {tag}: {reason}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert_eq!(applied.tally.parked + applied.tally.quarantined, expected.len() as u64);
    // All others stand.
    let good = [("patient", 100), ("visit", 100), ("dose", 19), ("result", 2), ("village", 1)];
    for (table, rows) in good {
        let sql = format!("SELECT count(*) FROM {table} WHERE tag LIKE 'good%'");
        assert_eq!(fleet.nodes[0].ask(&sql), rows.to_string(), "{table}");
        assert_eq!(fleet.nodes[0].count(table), rows, "{table}");
    }
    for table in ["chick", "egg", "gadget", "stock"] {
        assert_eq!(fleet.nodes[0].count(table), 0, "{table}");
    }
    assert_eq!(fleet.nodes[0].ask("SELECT count(*) FROM patient WHERE village_id IS NOT NULL"), "12");
    assert_eq!(applied.tally.records, good.iter().map(|(_, rows)| u64::try_from(*rows).unwrap()).sum::<u64>());
    // The clinic is told of each.
    fleet.settle();
    let node = &mut fleet.nodes[1];
    node.store.begin(Access::Read).unwrap();
    assert_eq!(node.store.received_receipts().unwrap().len(), expected.len());
    node.store.rollback().unwrap();
}

on_engines!(promise_5_when_a_cause_is_removed_what_it_kept_back_applies_at_the_next_import);
/// One cause after the other is removed, here or there, and just what it kept back applies at the next import.
fn promise_5_when_a_cause_is_removed_what_it_kept_back_applies_at_the_next_import(on: Engines) {
    let mut fleet = fleet(on, 2);
    fleet.nodes[1].run(WORK);
    fleet.settle();
    let removals: [(usize, &str, &[&str]); 7] = [
        (0, "DROP INDEX one_phone", &["bad unique", "child of bad unique", "child of child of bad unique"]),
        (
            1,
            "UPDATE patient SET name = 'somebody' WHERE tag = 'bad check'",
            &["bad check", "child of bad check", "child of child of bad check"],
        ),
        (
            1,
            "UPDATE patient SET age = 7 WHERE tag = 'bad null'",
            &["bad null", "child of bad null", "child of child of bad null"],
        ),
        (
            1,
            "UPDATE visit SET patient_id = (SELECT min(id) FROM patient) WHERE tag = 'bad dangling'",
            &["bad dangling", "child of bad dangling"],
        ),
        (1, "UPDATE result SET value = 3 WHERE tag LIKE 'bad%'", &["bad type", "bad number"]),
        // The ministry takes over the clinic's configuration.
        (2, "", &["bad table", "bad identity"]),
        (1, "DELETE FROM chick; DELETE FROM egg", &["bad circle"]),
    ];
    let mut left: BTreeSet<String> = held(&mut fleet).into_keys().map(|(_, tag)| tag).collect();
    for (round, (place, sql, freed)) in removals.into_iter().enumerate() {
        match place {
            2 => fleet.nodes[0].set_up_again(TABLES),
            place => fleet.nodes[place].run(&format!("PRAGMA foreign_keys = OFF; {sql}; PRAGMA foreign_keys = ON")),
        }
        // Whatever it is, something must come.
        fleet.nodes[1].run(&format!("INSERT INTO village (tag, name) VALUES ('good {round}', 'another')"));
        fleet.settle();
        freed.iter().for_each(|tag| assert!(left.remove(*tag), "{tag}"));
        let found: BTreeSet<String> = held(&mut fleet).into_keys().map(|(_, tag)| tag).collect();
        assert_eq!(found, left, "after {sql}");
    }
    assert!(left.is_empty());
    let tables = ["patient", "visit", "dose", "result", "village", "gadget", "stock"];
    for table in tables {
        assert_eq!(fleet.nodes[0].count(table), fleet.nodes[1].count(table), "{table}");
    }
    // What a column of text holds is no number where another database has one.
    let without: &[&str] = if engine_of(on, 1) == Engine::Postgres { &["value"] } else { &[] };
    let described: Vec<Table> = ["village", "patient"]
        .iter()
        .map(|table| Table::named(table, &["tag"]))
        .chain(["visit", "dose", "gadget", "stock"].map(Table::new))
        .chain([Table::new("result").without(without)])
        .collect();
    let nodes = [("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &described).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
}
