//! The real input: two clinics that hold different halves of Synthea's patients, and a ministry that holds none.
//!
//! All three work, a courier loses bundles and brings others twice. At the end all must say the same, by SQL on
//! the application's tables alone; and of what two clinics wrote without having seen each other, both values
//! must stand in `conflicts`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_stores::Access;
use saddlebag_stores::ledger::ConflictKind;
use saddlebag_tests::courier::Courier;
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy};
use saddlebag_tests::skip::needs_data;
use saddlebag_tests::synthea::{self, Half, Work};
use saddlebag_tests::tell;

const NAMES: [&str; 3] = ["ministry", "hilltop", "riverside"];
const HALVES: [Half; 3] = [Half::Neither, Half::Even, Half::Odd];

const IDENTITIES: &str = "
[organizations]
identity = 'uuid(uuid)'
[providers]
identity = 'uuid(uuid)'
[patients]
identity = 'uuid(uuid)'
[encounters]
identity = 'uuid(uuid)'
[conditions]
identity = 'assigned'
[observations]
identity = 'assigned'
[medications]
identity = 'assigned'
";

const TABLES: [&str; 7] =
    ["organizations", "providers", "patients", "encounters", "conditions", "observations", "medications"];

/// Columns that two places may well write at the same time.
const CONTENDED: [(&str, &str); 4] =
    [("patients", "address"), ("patients", "marital"), ("patients", "healthcare_expenses"), ("organizations", "phone")];

/// A value of a record with a uuid, as text.
type Cells = BTreeMap<(String, &'static str), Option<String>>;

/// What was written in two places at once: the record, and both values.
type Contended = Vec<(String, BTreeSet<String>)>;

struct World {
    fleet: Fleet,
    courier: Courier,
    round: u64,
    done: Vec<Work>,
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(synthea: &Path) -> Self {
        let plan = FleetPlan { names: &NAMES, tables: IDENTITIES, seed: 2026, engines: SQLITE };
        let mut fleet =
            Fleet::new(&plan, |index, connection| synthea::load(connection, synthea, HALVES[index]).unwrap());
        // One clinic's records go in one bundle, the other's and the ministry's in several.
        fleet.nodes[0].records_per_bundle = 400;
        fleet.nodes[2].records_per_bundle = 150;
        let (courier, counts) = (Courier::new(TestEntropy(7)), BTreeMap::new());
        Self { fleet, courier, round: 0, done: Vec::new(), counts }
    }

    fn app(&self, node: usize) -> &Connection {
        &self.fleet.nodes[node].app
    }

    /// A round of work at these nodes, none of which sees the others'.
    fn work(&mut self, nodes: &[usize]) {
        self.round += 1;
        for &node in nodes {
            let node = &mut self.fleet.nodes[node];
            let seed = 100 + self.round;
            self.done.push(synthea::work(&mut node.app, node.me.name.as_str(), seed, self.round).unwrap());
            // Three minutes apart, so that time decides between them.
            node.clock.0.set(node.clock.0.get() + 180_000);
        }
    }

    /// Work at both clinics where all were equal before: says what they disagree about.
    fn contend(&mut self) -> Contended {
        let before = self.cells(1);
        self.work(&[1, 2]);
        let (ours, theirs) = (self.cells(1), self.cells(2));
        let both = before
            .iter()
            .filter(|(cell, value)| ours[*cell] != **value && theirs[*cell] != **value && ours[*cell] != theirs[*cell]);
        both.map(|(cell, _)| (cell.0.clone(), [&ours, &theirs].into_iter().filter_map(|c| c[cell].clone()).collect()))
            .collect()
    }

    fn cells(&self, node: usize) -> Cells {
        let mut cells = Cells::new();
        for (table, column) in CONTENDED {
            let sql = format!("SELECT uuid, CAST({column} AS TEXT) FROM {table}");
            let mut statement = self.app(node).prepare(&sql).unwrap();
            let rows = statement.query_map([], |row| Ok(((row.get(0)?, column), row.get(1)?))).unwrap();
            cells.extend(rows.map(Result::unwrap));
        }
        cells
    }

    /// A courier's trip.
    fn trip(&mut self) {
        self.courier.trip(&mut self.fleet, &mut self.counts);
    }

    fn count(&self, node: usize, table: &str) -> usize {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = self.app(node).query_row(&sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    /// All say the same, and nobody holds anything.
    fn assert_equal(&mut self) {
        let databases: Vec<(&str, &Path)> =
            NAMES.into_iter().zip(self.fleet.nodes.iter().map(|node| node.database.as_path())).collect();
        let differences = synthea::compare(&databases).unwrap();
        assert!(differences.is_empty(), "{} differences: {:#?}", differences.len(), differences.iter().take(10));
        for node in &mut self.fleet.nodes {
            node.store.begin(Access::Read).unwrap();
            let held = node.store.held(None).unwrap();
            node.store.rollback().unwrap();
            assert!(held.is_empty(), "{:?} holds {held:#?}", node.me.name);
        }
        let versions: Vec<_> = self.fleet.nodes.iter_mut().map(|node| node.versions()).collect();
        assert!(versions[0] == versions[1] && versions[0] == versions[2], "the ends of a link hold other versions");
    }

    /// Both values of every disagreement at the ministry, by record.
    fn conflicts(&mut self) -> BTreeMap<String, BTreeSet<String>> {
        let store = &mut self.fleet.nodes[0].store;
        store.begin(Access::Read).unwrap();
        let conflicts = store.conflicts().unwrap();
        store.rollback().unwrap();
        let mut kept: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for conflict in conflicts.into_iter().filter(|conflict| conflict.kind == ConflictKind::Values) {
            *self.counts.entry("conflicting values").or_default() += 1;
            let sides = [conflict.winner, conflict.loser].map(|side| decode_values(&side.value.unwrap()).unwrap());
            assert_ne!(sides[0], sides[1], "two sides with one value are no conflict");
            kept.entry(conflict.uid.to_string()).or_default().extend(sides.iter().flatten().map(|(_, v)| told(v)));
        }
        kept
    }
}

fn told(value: &saddlebag_formats::Value) -> String {
    use saddlebag_formats::Value;
    match value {
        Value::Text(text) => text.clone(),
        // As SQLite's CAST tells it: with a point always.
        Value::Real(number) => format!("{number:?}"),
        other => format!("{other:?}"),
    }
}

/// How many of the integer keys mean one record at one clinic and another at the other.
fn collisions(world: &World, table: &str) -> usize {
    let rows = |node| {
        let told = match table {
            "patients" | "encounters" => "uuid".to_owned(),
            _ => "(SELECT uuid FROM patients WHERE id = patient_id)".to_owned(),
        };
        let sql = format!("SELECT id, {told} FROM {table}");
        let mut statement = world.app(node).prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect::<BTreeMap<i64, String>>()
    };
    let (ours, theirs) = (rows(1), rows(2));
    ours.iter().filter(|(id, name)| theirs.get(id).is_some_and(|other| other != *name)).count()
}

#[test]
fn two_clinics_and_a_ministry_with_real_records_end_equal() {
    let Some(synthea) = needs_data("two_clinics_and_a_ministry_with_real_records_end_equal", "synthea") else {
        return;
    };
    let mut world = World::new(&synthea);
    let begun: BTreeMap<&str, usize> =
        TABLES[2..].iter().map(|table| (*table, world.count(1, table) + world.count(2, table))).collect();
    for table in &TABLES[2..] {
        assert_eq!(world.count(0, table), 0, "the ministry begins with none of {table}");
    }

    // Work before the first bundle: both clinics give out the same new integer keys.
    let before: Vec<usize> = TABLES[2..].iter().map(|table| collisions(&world, table)).collect();
    let mut contended = vec![];
    world.work(&[1, 2]);
    for (table, before) in TABLES[2..].iter().zip(before) {
        let collide = collisions(&world, table);
        assert!(before > 0 && collide > before, "{table}: {before} integer keys collided, then {collide}");
        *world.counts.entry("colliding keys").or_default() += collide as u64;
    }
    world.trip();
    world.work(&[1, 2]);
    world.trip();
    world.fleet.settle();
    world.assert_equal();

    // Rounds in which nobody sees the others' work, so that what they disagree about is known.
    for _ in 0..5 {
        let disagreed = world.contend();
        contended.extend(disagreed);
        world.trip();
        world.trip();
        world.fleet.settle();
        world.assert_equal();
    }
    // All three, with the courier in between.
    for nodes in [&[0, 1, 2][..], &[1], &[2, 0]] {
        world.work(nodes);
        world.trip();
    }
    world.fleet.settle();
    world.assert_equal();

    assert!(!contended.is_empty(), "no two clinics ever disagreed");
    let kept = world.conflicts();
    for (uuid, values) in &contended {
        assert!(kept.get(uuid).is_some_and(|kept| kept.is_superset(values)), "{uuid}: {values:?} must both be kept");
    }
    assert_counts(&world, &begun);
    tell(&format!("synthea: {} values in dispute, both kept; {:?}", contended.len(), world.counts));
    for what in ["made", "lost", "applied", "known already", "too early", "records applied", "conflicting values"] {
        assert!(world.counts.get(what).copied().unwrap_or(0) > 0, "`{what}` never occurred");
    }
}

/// As many rows as there were and were entered, no more and no fewer.
fn assert_counts(world: &World, begun: &BTreeMap<&str, usize>) {
    let sum = |of: fn(&Work) -> usize| world.done.iter().map(of).sum::<usize>();
    let entered = [
        ("patients", sum(|work| work.patients)),
        ("encounters", sum(|work| work.encounters)),
        ("conditions", sum(|work| work.conditions)),
        ("medications", sum(|work| work.medications)),
    ];
    for (node, name) in NAMES.into_iter().enumerate() {
        for (table, entered) in entered {
            assert!(entered > 0 && begun[table] > 0);
            assert_eq!(world.count(node, table), begun[table] + entered, "{table} at {name}");
        }
        // A deletion may be refused, where somebody edited the observation meanwhile.
        let most = begun["observations"] + sum(|work| work.observations);
        let least = most - sum(|work| work.deletions);
        let there = world.count(node, "observations");
        assert!((least..most).contains(&there), "{there} observations at {name}, {least} to {most}");
        assert!(world.count(node, "organizations") > 0 && world.count(node, "providers") > 0);
    }
}
