//! The application at work while absorb, export and import run, in both kinds of SQLite's journal, on a real disk.
//!
//! Several threads of the application write and read at the clinic and at the ministry while rounds go on between the
//! two. Each thread keeps a log of what it has committed; at the end the databases must say what the logs say.

mod locks;
mod race;
mod writers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use saddlebag_formats::{Uid, Value, Version};
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy};
use saddlebag_tests::tell;

use self::writers::{Log, Pace, UntilTheEnd, Work, Worker};

const SCHEMA: &str = "
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT NOT NULL);
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, note TEXT NOT NULL, weight REAL,
    patient_id INTEGER NOT NULL REFERENCES patient (id));
CREATE INDEX visit_patient ON visit (patient_id);
";

const TABLES: &str = "
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
";

/// How often each thread does its work, and over how many operations of saddlebag it is spread at least.
const TIMES: usize = 60;
const OPERATIONS: usize = 40;

/// A ministry and a clinic on a real disk, in the given journal mode.
fn fleet(seed: u64, mode: &str, schema: &str, tables: &str) -> Fleet {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    Fleet::in_folder(
        folder,
        &FleetPlan { names: &["ministry", "clinic"], tables, seed, engines: SQLITE },
        |_, connection| {
            assert_eq!(connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], journal_mode).unwrap(), mode);
            connection.execute_batch(schema).unwrap();
        },
    )
}

fn journal_mode(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

/// A fleet in which three patients are known everywhere.
fn with_patients(seed: u64, mode: &str) -> Fleet {
    let mut fleet = fleet(seed, mode, SCHEMA, TABLES);
    fleet.nodes[0].run(
        "INSERT INTO patient (uuid, name, phone) VALUES ('shared-0', 'a', 'first 0'), ('shared-1', 'b', 'first 1'),
         ('shared-2', 'c', 'first 2')",
    );
    fleet.settle();
    fleet
}

/// Who works where: ministry 0, clinic 1.
const WORKERS: [(usize, &str, Work); 9] = [
    (1, "single", writers::single_rows),
    (1, "another", writers::single_rows),
    (1, "long", writers::long_transactions),
    (1, "careful", writers::savepoints),
    (1, "many", writers::many_rows),
    (1, "clinic", writers::shared_records),
    (1, "reader", writers::snapshots),
    (0, "ministry", writers::shared_records),
    (0, "looker", writers::snapshots),
];

/// The value that a version stands for, of every column of every visit that was ever seen at the ministry.
type Meant = HashMap<(Uid, String, Version), Value>;

/// Rounds between clinic and ministry as long as the application is at work. Gives the threads' logs.
fn rounds_beside_the_application(fleet: &mut Fleet, seed: u64) -> Vec<Log> {
    let pace = Pace::default();
    pace.at_work.store(WORKERS.len(), Ordering::SeqCst);
    let databases = [0, 1].map(|node: usize| fleet.nodes[node].database.clone());
    let mut meant = Meant::new();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (index, (node, name, work)) in WORKERS.into_iter().enumerate() {
            let (database, pace) = (&databases[node], &pace);
            let (name, random) = (name.to_owned(), TestEntropy(seed + index as u64));
            let worker = Worker { name, database, pace, times: TIMES, operations: OPERATIONS, random };
            threads.push(scope.spawn(move || worker.run(work)));
        }
        let _end = UntilTheEnd(&pace);
        while pace.at_work.load(Ordering::SeqCst) > 0 {
            for (from, to) in [(1, 0), (0, 1)] {
                for bundle in pace.operation(|| fleet.export(from, to)) {
                    let _applied = pace.operation(|| fleet.nodes[to].import(&bundle).unwrap());
                }
            }
            one_value_for_each_version(fleet, &mut meant);
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// "Every row read has the values that its versions stand for": what a version means never changes.
fn one_value_for_each_version(fleet: &mut Fleet, meant: &mut Meant) {
    for ((table, uid, column), (version, value)) in fleet.nodes[0].versions() {
        if table == "visit" && !matches!(value, Value::Reference(_)) {
            let known = meant.entry((uid, column.clone(), version)).or_insert_with(|| value.clone());
            assert_eq!(*known, value, "`{column}` of {uid} had another value under the same version");
        }
    }
}

fn visits(connection: &Connection) -> BTreeMap<String, String> {
    let mut statement = connection.prepare("SELECT tag, note FROM visit").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn phones(connection: &Connection) -> BTreeSet<String> {
    let mut statement = connection.prepare("SELECT phone FROM patient").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Every phone number that somebody committed stands, was overwritten by somebody who had seen it, or is in `conflicts`.
fn nothing_overwritten_unseen(fleet: &mut Fleet, logs: &[Log]) -> usize {
    let seen: BTreeSet<&String> = logs.iter().flat_map(|log| &log.phones).map(|(_, seen)| seen).collect();
    let standing = phones(&fleet.nodes[0].app);
    assert_eq!(standing, phones(&fleet.nodes[1].app));
    let disagreements = fleet.nodes[0].disagreements();
    let kept: BTreeSet<&String> = disagreements.iter().flat_map(|(winner, loser)| [winner, loser]).collect();
    for (value, _) in logs.iter().flat_map(|log| &log.phones) {
        let known = standing.contains(value) || seen.contains(value) || kept.contains(value);
        assert!(known, "`{value}` was committed, and nobody knows of it any more");
    }
    disagreements.len()
}

fn at_work(mode: &str) {
    let seed = std::env::var("SADDLEBAG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    tell(&format!("the application at work with journal mode {mode}: seed {seed}"));
    let mut fleet = with_patients(seed, mode);
    let logs = rounds_beside_the_application(&mut fleet, seed);
    fleet.settle();
    let committed: BTreeMap<String, String> = logs.iter().flat_map(|log| log.visits.clone()).collect();
    assert!(committed.len() > TIMES, "the application did something");
    assert_eq!(visits(&fleet.nodes[1].app), committed, "the clinic's own database");
    assert_eq!(visits(&fleet.nodes[0].app), committed, "what arrived at the ministry");
    let conflicts = nothing_overwritten_unseen(&mut fleet, &logs);
    tell(&format!("{} visits arrived, {conflicts} conflicts", committed.len()));
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions());
    for node in &mut fleet.nodes {
        assert_eq!(node.held(), []);
        // In a new connection: this is what the file itself says.
        let connection = Connection::open(&node.database).unwrap();
        assert_eq!(connection.query_row("PRAGMA journal_mode", [], journal_mode).unwrap(), mode);
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }
}

#[test]
fn beside_an_application_with_a_write_ahead_log() {
    at_work("wal");
}

#[test]
fn beside_an_application_with_a_rollback_journal() {
    at_work("delete");
}
