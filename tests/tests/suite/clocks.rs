//! Clocks from 1970 to 2107, jumping, repeated hours: nothing is refused, no honest edit loses to a future-dated one
//! but by the rules of `docs/clocks.md`, and what is known of the clocks stands with each conflict.
//!
//! The table of that page, row by row: who wins what, and why.

mod central;
mod districts;
mod later;

use saddlebag_formats::{ColumnState, Seq, TimeMs, Value};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictKind};
use saddlebag_tests::app::App;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

const SCHEMA: &str = "
CREATE TABLE visit (id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, note TEXT, pressure TEXT, seen_at TEXT);
CREATE TABLE dose (id INTEGER PRIMARY KEY, visit_id INTEGER NOT NULL REFERENCES visit (id), amount INTEGER);
";
const TABLES: &str = "
[visit]
identity = 'natural(ref)'
[dose]
identity = 'assigned'
";

const MINISTRY: usize = 0;
/// The clinic whose clock is wrong.
const WRONG: usize = 1;
const HONEST: usize = 2;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-11-21T10:15:00Z.
const START: i64 = 1_795_256_100_000;

/// 1970-01-01T05:00Z, 1980-01-01, 2000-01-01: what a machine says whose battery is empty.
const PAST: [i64; 3] = [5 * HOUR, 315_532_800_000, 946_684_800_000];
/// The second before 32 bits are full, 2040-06-01, the last day that FAT knows.
const FUTURE: [i64; 3] = [2_147_483_647_000, 2_222_035_200_000, 4_354_732_800_000];

/// A deployment with real time, and clocks that say what they say.
struct World {
    fleet: Fleet,
    now: i64,
    /// How far each node's clock is off, in milliseconds.
    off: Vec<i64>,
}

impl World {
    /// A ministry and two clinics that all have the visits A to F, noted `start`.
    fn new(on: Engines, seed: u64) -> Self {
        let names = ["ministry", "wrong", "honest"];
        let plan = FleetPlan { names: &names, tables: TABLES, seed, engines: on };
        Self::of(Fleet::new(&plan, |_, app| app.execute_batch(SCHEMA).unwrap()))
    }

    fn of(fleet: Fleet) -> Self {
        let off = vec![0; fleet.nodes.len()];
        let mut world = Self { fleet, now: START, off };
        world.pass(0);
        for record in ["A", "B", "C", "D", "E", "F"] {
            let sql = format!("INSERT INTO visit (ref, note, pressure) VALUES ('{record}', 'start', '{record}')");
            world.fleet.nodes[MINISTRY].run(&sql);
        }
        world.fleet.settle();
        world.pass(DAY);
        world
    }

    /// Time goes by, on all clocks.
    fn pass(&mut self, milliseconds: i64) {
        self.now += milliseconds;
        for (node, off) in self.fleet.nodes.iter().zip(&self.off) {
            node.set_clock(self.now + off);
        }
    }

    /// Sets the clock of a node to `says`, from where it goes on.
    fn set(&mut self, node: usize, says: i64) {
        self.off[node] = says - self.now;
        self.pass(0);
    }

    fn set_right(&mut self, node: usize) {
        self.off[node] = 0;
        self.pass(0);
    }

    /// A minute goes by, then the application of a node does something.
    fn run(&mut self, node: usize, sql: &str) {
        self.pass(MINUTE);
        self.fleet.nodes[node].run(sql);
    }

    fn note(&mut self, node: usize, record: &str, value: &str) {
        self.run(node, &format!("UPDATE visit SET note = '{value}' WHERE ref = '{record}'"));
    }

    /// A minute goes by, then the bundles of a node are brought to another.
    fn carry(&mut self, from: usize, to: usize) {
        self.pass(MINUTE);
        self.fleet.carry(from, to);
    }

    fn settle(&mut self) {
        self.pass(MINUTE);
        self.fleet.settle();
    }

    fn ask(&self, node: usize, sql: &str) -> String {
        self.fleet.nodes[node].ask(sql)
    }

    /// What is known of a column of a visit.
    fn state(&mut self, node: usize, record: &str, column: &str) -> ColumnState {
        let store = &mut self.fleet.nodes[node].store;
        let table = store.tracking().by_name("visit").unwrap().clone();
        let (name, index) = (table.column_index("ref").unwrap(), table.column_index(column).unwrap());
        store.begin(Access::Read).unwrap();
        let last = store.last_seq().unwrap();
        let all = store.feed(&table, Seq(0), last).unwrap();
        store.rollback().unwrap();
        let found = all.iter().find(|found| found.values[name] == Value::Text(record.to_owned())).unwrap();
        *found.state.of(table.columns[index].id)
    }

    fn conflicts(&mut self) -> Vec<Conflict> {
        self.fleet.nodes[MINISTRY].conflicts()
    }

    /// The one conflict about values, with its two values.
    fn only_conflict(&mut self) -> (Conflict, [String; 2]) {
        let all = self.conflicts();
        let [conflict] = all.as_slice() else { panic!("one conflict, not {all:#?}") };
        assert_eq!(conflict.kind, ConflictKind::Values);
        let text =
            |bytes: &Option<Vec<u8>>| match saddlebag_formats::row_state_bytes::decode_value(bytes.as_ref().unwrap())
                .unwrap()
            {
                Value::Text(text) => text,
                other => panic!("{other:?} is no text"),
            };
        let values = [text(&conflict.winner.value), text(&conflict.loser.value)];
        (conflict.clone(), values)
    }

    /// All nodes are equal, nothing is held, and every visit stands.
    #[track_caller]
    fn all_equal(&mut self) {
        self.settle();
        let tables = [Table::named("visit", &["ref"]), Table::new("dose")];
        let names = ["ministry", "first", "second", "third"];
        let nodes: Vec<(&str, &App)> = names.into_iter().zip(self.fleet.nodes.iter().map(|node| &node.app)).collect();
        let differences = meaning::differences(&nodes, &tables).unwrap();
        assert!(differences.is_empty(), "{differences:#?}");
        let versions: Vec<_> = self.fleet.nodes.iter_mut().map(FleetNode::versions).collect();
        assert!(versions.iter().all(|other| *other == versions[0]), "all have the same versions");
        for node in &mut self.fleet.nodes {
            assert_eq!(node.held(), [], "nothing was refused");
        }
    }

    /// The note of a visit stands so at every node.
    #[track_caller]
    fn stands(&mut self, record: &str, value: &str) {
        self.all_equal();
        for node in 0..self.fleet.nodes.len() {
            assert_eq!(self.ask(node, &format!("SELECT note FROM visit WHERE ref = '{record}'")), format!("'{value}'"));
        }
    }
}

on_engines!(a_clock_in_the_past_loses_ties_and_nothing_else: sqlite SQLITE, postgres POSTGRES, mixed MIXED);
fn a_clock_in_the_past_loses_ties_and_nothing_else(on: Engines) {
    for (seed, past) in (1..).zip(PAST) {
        let mut world = World::new(on, seed);
        world.set(WRONG, past);
        // "loc = base: taken": nobody else wrote.
        world.note(WRONG, "A", "alone");
        world.run(WRONG, "INSERT INTO visit (ref, note, seen_at) VALUES ('new', 'new', '1970-01-01')");
        world.run(WRONG, "INSERT INTO dose (visit_id, amount) SELECT id, 7 FROM visit WHERE ref = 'new'");
        world.run(WRONG, "DELETE FROM visit WHERE ref = 'D'");
        world.stands("A", "alone");
        assert_eq!(world.conflicts(), []);
        assert_eq!(world.ask(HONEST, "SELECT count(*) FROM visit WHERE ref = 'D'"), "0");
        assert_eq!(world.ask(HONEST, "SELECT amount FROM dose"), "7");
        // An edit is later than what it was made upon, whatever the clock says.
        let (before, state) = (world.state(MINISTRY, "B", "note"), world.state(MINISTRY, "A", "note"));
        assert_eq!(state.version.time, TimeMs(before.version.time.0 + 1));
        assert_eq!(state.effective, None, "nothing is shifted forward");
        // A tie: the honest edit is later or earlier, and wins.
        world.note(HONEST, "B", "honest");
        world.note(WRONG, "B", "wrong");
        world.carry(HONEST, MINISTRY);
        world.carry(WRONG, MINISTRY);
        world.stands("B", "honest");
        let (conflict, values) = world.only_conflict();
        assert_eq!(values, ["honest", "wrong"], "both values are kept");
        assert!(conflict.loser.version.time < conflict.winner.version.time && !conflict.clock_doubted);
        // What was deleted there and edited here is kept.
        world.run(WRONG, "DELETE FROM visit WHERE ref = 'C'");
        world.note(HONEST, "C", "edited");
        world.stands("C", "edited");
        assert_eq!(world.conflicts().last().unwrap().kind, ConflictKind::Deletion);
        // A record that both create: the values of the clock that is right.
        world.run(HONEST, "INSERT INTO visit (ref, note) VALUES ('both', 'honest')");
        world.run(WRONG, "INSERT INTO visit (ref, note) VALUES ('both', 'wrong')");
        world.stands("both", "honest");
        assert!(
            world.state(MINISTRY, "new", "note").version.time < TimeMs(past + 2 * DAY),
            "a new record has its clock"
        );
    }
}

on_engines!(a_clock_in_the_future_counts_as_what_it_was_ahead_of: sqlite SQLITE, postgres POSTGRES, mixed MIXED);
fn a_clock_in_the_future_counts_as_what_it_was_ahead_of(on: Engines) {
    for (seed, future) in (1..).zip(FUTURE) {
        let mut world = World::new(on, seed);
        world.set(WRONG, future);
        world.note(WRONG, "A", "alone");
        world.run(WRONG, "INSERT INTO visit (ref, note, seen_at) VALUES ('new', 'new', '2107-12-31T23:59:59')");
        world.run(WRONG, "INSERT INTO dose (visit_id, amount) SELECT id, 7 FROM visit WHERE ref = 'new'");
        world.run(WRONG, "DELETE FROM visit WHERE ref = 'D'");
        let written = world.now;
        world.stands("A", "alone");
        assert_eq!(world.conflicts(), []);
        assert_eq!(world.ask(HONEST, "SELECT count(*) FROM visit WHERE ref = 'D'"), "0");
        assert_eq!(world.ask(HONEST, "SELECT seen_at FROM visit WHERE ref = 'new'"), "'2107-12-31T23:59:59'");
        let state = world.state(MINISTRY, "A", "note");
        assert!(state.version.time >= TimeMs(future), "the version is what it is");
        let effective = state.effective.unwrap().0;
        assert!((written - 10 * MINUTE..=written).contains(&effective), "shifted to when it was written");
        assert_eq!(world.state(HONEST, "A", "note").effective, state.effective, "and told to the others");

        // Ties go to whoever wrote later in truth, in whichever order they come.
        for (record, first, second) in [("B", WRONG, HONEST), ("C", HONEST, WRONG), ("E", WRONG, HONEST)] {
            world.note(first, record, "earlier");
            world.pass(HOUR);
            world.note(second, record, "later");
            let order = if record == "E" { [second, first] } else { [first, second] };
            order.into_iter().for_each(|node| world.carry(node, MINISTRY));
            world.stands(record, "later");
            let all = world.conflicts();
            let conflict = all.last().unwrap();
            let wrong = if second == WRONG { &conflict.winner } else { &conflict.loser };
            let claimed = wrong.version.time.0 - wrong.effective.unwrap().0;
            assert!((claimed - world.off[WRONG]).abs() <= 2_000, "counted as what it was, to the second");
        }
        assert_eq!(world.conflicts().len(), 3, "both values of each are kept");

        // Whoever edits what claims the future has a greater version, and counts by its own clock.
        world.note(HONEST, "A", "upon it");
        world.stands("A", "upon it");
        let upon = world.state(HONEST, "A", "note");
        assert!(upon.version > state.version);
        assert_eq!(upon.effective, Some(TimeMs(world.now - MINUTE)));
        world.run(MINISTRY, "UPDATE visit SET note = 'of the ministry' WHERE ref = 'A'");
        world.note(HONEST, "A", "last");
        world.stands("A", "last");
        // A record deleted at one end and edited at the other is kept, as ever.
        world.run(HONEST, "DELETE FROM visit WHERE ref = 'F'");
        world.note(WRONG, "F", "edited");
        world.stands("F", "edited");
        assert_eq!(world.conflicts().last().unwrap().kind, ConflictKind::Deletion);
    }
}

on_engines!(a_clock_that_was_set_right_before_the_bundle_counts_as_when_it_came: sqlite SQLITE, postgres POSTGRES);
fn a_clock_that_was_set_right_before_the_bundle_counts_as_when_it_came(on: Engines) {
    for (seed, future) in (1..).zip(FUTURE) {
        let mut world = World::new(on, seed);
        world.set(WRONG, future);
        world.note(WRONG, "A", "wrong");
        world.note(WRONG, "B", "wrong");
        world.set_right(WRONG);
        // Nobody can know when it was written: not after it came.
        world.note(HONEST, "B", "before it came");
        world.carry(HONEST, MINISTRY);
        world.carry(WRONG, MINISTRY);
        let arrived = world.now;
        world.note(HONEST, "A", "after it came");
        world.carry(HONEST, MINISTRY);
        assert_eq!(world.state(MINISTRY, "B", "note").effective, Some(TimeMs(arrived)));
        world.stands("A", "after it came");
        world.stands("B", "wrong");
        assert_eq!(world.conflicts().len(), 2);
        // The clinic itself goes on from there.
        world.note(WRONG, "B", "again");
        world.stands("B", "again");
        assert_eq!(world.conflicts().len(), 2);
    }
}

on_engines!(a_clock_that_jumps_keeps_the_order_of_its_own_edits: sqlite SQLITE, postgres POSTGRES);
fn a_clock_that_jumps_keeps_the_order_of_its_own_edits(on: Engines) {
    let mut world = World::new(on, 1);
    let mut last = world.state(WRONG, "A", "note").version;
    let jumps = [FUTURE[2], PAST[0], START + 2 * DAY, FUTURE[1], PAST[2], PAST[1], FUTURE[0], START + 3 * DAY];
    for (number, says) in jumps.into_iter().enumerate() {
        world.set(WRONG, says);
        world.note(WRONG, "A", &format!("edit {number}"));
        if number % 3 > 0 {
            world.carry(WRONG, MINISTRY);
        }
        if number % 2 > 0 {
            world.carry(MINISTRY, WRONG);
        }
        let _bundles = world.fleet.export(WRONG, MINISTRY);
        let version = world.state(WRONG, "A", "note").version;
        assert!(version > last, "jump {number}");
        last = version;
    }
    world.stands("A", "edit 7");
    assert_eq!(world.conflicts(), [], "nobody else wrote");
}

on_engines!(an_hour_that_is_repeated_changes_nothing: sqlite SQLITE, postgres POSTGRES);
fn an_hour_that_is_repeated_changes_nothing(on: Engines) {
    let mut world = World::new(on, 1);
    world.pass(50 * MINUTE);
    world.note(WRONG, "A", "in the first hour");
    world.note(WRONG, "B", "in the first hour");
    world.carry(WRONG, MINISTRY);
    let first = world.state(WRONG, "A", "note").version;
    let says = world.now - 40 * MINUTE;
    world.set(WRONG, says);
    world.note(WRONG, "A", "in the second hour");
    // Twice within one absorb, with the clock going back in between.
    world.note(WRONG, "C", "in the first hour");
    world.off[WRONG] -= HOUR;
    world.note(WRONG, "C", "in the second hour");
    let _bundles = world.fleet.export(WRONG, MINISTRY);
    assert_eq!(world.state(WRONG, "A", "note").version.time, TimeMs(first.time.0 + 1));
    world.stands("A", "in the second hour");
    world.stands("C", "in the second hour");
    assert_eq!(world.conflicts(), []);
}
