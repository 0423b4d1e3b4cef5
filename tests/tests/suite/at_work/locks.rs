//! The application's log, its journal mode and its lock: what saddlebag leaves alone, and how briefly it takes the rest.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use saddlebag_importer::ImportError;
use saddlebag_stores::StoreError;
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_tests::fleet::{Fleet, FleetNode, dump};
use saddlebag_tests::tell;

use super::writers::open;
use super::{SCHEMA, TABLES, fleet, journal_mode, with_patients};

/// The bytes of a database file, read through a handle that stays open: to close one would let go of the locks that
/// this process has on the file.
struct MainFile(File);

impl MainFile {
    fn open(database: &Path) -> Self {
        Self(File::open(database).unwrap())
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0)).unwrap();
        let _count = self.0.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

fn log_length(database: &Path) -> u64 {
    std::fs::metadata(database.with_extension("db-wal")).unwrap().len()
}

fn add_visits(node: &FleetNode, round: i64) {
    node.run(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
         INSERT INTO visit (tag, note, patient_id) SELECT 'r{round}-' || i, 'note', (SELECT min(id) FROM patient) FROM n"
    ));
}

#[test]
fn the_applications_log_is_never_checkpointed() {
    let mut fleet = with_patients(11, "wal");
    let database = fleet.nodes[1].database.clone();
    let mut file = MainFile::open(&database);
    // The application keeps its log as it likes.
    fleet.nodes[1].app.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    fleet.nodes[1].app.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let (main, mut log) = (file.bytes(), log_length(&database));
    for round in 0..8 {
        add_visits(&fleet.nodes[1], round);
        fleet.nodes[0].run(&format!("UPDATE patient SET phone = 'round {round}'"));
        fleet.carry(1, 0);
        fleet.carry(0, 1);
        // The program ends and is started again, while the application has the database open.
        fleet.nodes[1].start_again();
        let grown = log_length(&database);
        assert!(grown > log, "the log never shrinks: {grown} bytes after {log}");
        assert!(file.bytes() == main, "the database file itself is as it was");
        log = grown;
    }
    // More than a thousand pages, after which SQLite checkpoints unless told otherwise.
    assert!(log > 1_000 * 4_096, "{log} bytes");
    // The application goes, and saddlebag's connection is the last to be closed.
    let FleetNode { app, store, .. } = fleet.nodes.remove(1);
    app.close().unwrap();
    // SQLite's own connections checkpoint when the last one is closed: the application's was not the last.
    assert_eq!(log_length(&database), log);
    drop(store);
    assert_eq!(log_length(&database), log, "the log is still there");
    assert!(file.bytes() == main);
    // Saddlebag alone, on a log that the application left behind.
    drop(SqliteStore::open(&database).unwrap());
    assert_eq!(log_length(&database), log);
    assert!(file.bytes() == main);
    // And all of it is there for the application.
    let connection = open(&database);
    let visits: i64 = connection.query_row("SELECT count(*) FROM visit", [], |row| row.get(0)).unwrap();
    assert_eq!(visits, 8 * 3_000);
}

#[test]
fn the_journal_mode_stays_as_it_was() {
    for (seed, mode) in [(12, "wal"), (13, "delete"), (14, "truncate"), (15, "persist")] {
        let mut fleet = with_patients(seed, mode);
        add_visits(&fleet.nodes[1], 0);
        fleet.settle();
        for node in &mut fleet.nodes {
            node.start_again();
            let now = node.app.query_row("PRAGMA journal_mode", [], journal_mode).unwrap();
            assert_eq!(now, mode);
            let synchronous = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            assert_eq!(node.app.query_row("PRAGMA synchronous", [], synchronous).unwrap(), 2);
        }
        let databases: Vec<_> = fleet.nodes.iter().map(|node| node.database.clone()).collect();
        // Nobody has it open any more; then saddlebag alone.
        for (node, database) in fleet.nodes.drain(..).zip(&databases) {
            let FleetNode { app, store, .. } = node;
            app.close().unwrap();
            drop(store);
            drop(SqliteStore::open(database).unwrap());
            let said = Connection::open(database).unwrap().query_row("PRAGMA journal_mode", [], journal_mode).unwrap();
            // Only a write-ahead log is written down in the file; the others each connection chooses for itself.
            assert_eq!(said == "wal", mode == "wal", "{said}");
        }
    }
}

#[test]
fn a_reader_of_the_application_sees_nothing_of_a_round_in_its_snapshot() {
    let mut fleet = with_patients(16, "wal");
    let reader = open(&fleet.nodes[1].database);
    reader.execute_batch("BEGIN").unwrap();
    let phones = |connection: &Connection| -> String {
        connection.query_row("SELECT group_concat(phone) FROM patient", [], |row| row.get(0)).unwrap()
    };
    let before = phones(&reader);
    fleet.nodes[0].run("UPDATE patient SET phone = 'new'");
    fleet.settle();
    assert_eq!(phones(&reader), before);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(phones(&reader), "new,new,new");
}

/// Who keeps saddlebag waiting.
const HOLDERS: [(&str, &str, &str); 3] = [
    ("wal", "a writer", "BEGIN IMMEDIATE; UPDATE patient SET name = 'not yet'"),
    ("delete", "a writer", "BEGIN IMMEDIATE; UPDATE patient SET name = 'not yet'"),
    // With a rollback journal a reader lets nobody commit.
    ("delete", "a reader", "BEGIN; SELECT count(*) FROM patient"),
];

/// All at once, for each waits as long as saddlebag waits.
#[test]
#[ignore = "waits for a lock as long as saddlebag does, which is 20 s"]
fn a_lock_that_is_held_too_long_is_said_clearly_and_nothing_changes() {
    std::thread::scope(|scope| {
        for (seed, (mode, who, sql)) in (17..).zip(HOLDERS) {
            scope.spawn(move || {
                let mut fleet = with_patients(seed, mode);
                fleet.nodes[0].run("UPDATE patient SET phone = 'new'");
                let bundle = fleet.export(0, 1).remove(0);
                let node = &mut fleet.nodes[1];
                let before = dump(&node.database);
                let holder = open(&node.database);
                holder.execute_batch(sql).unwrap();
                match node.import(&bundle) {
                    Err(ImportError::Store(error @ StoreError::Busy { .. })) => {
                        assert!(error.to_string().contains("in use by another program"), "{error}");
                        assert!(error.hint().contains("nothing was changed"));
                    }
                    other => panic!("{who} holds the lock with journal mode {mode}, and: {other:?}"),
                }
                holder.execute_batch("ROLLBACK").unwrap();
                assert_eq!(dump(&node.database), before);
                // It holds nothing back itself, and goes on as soon as it can.
                node.run("UPDATE patient SET name = 'mine'");
                let _applied = node.import(&bundle).unwrap();
                fleet.settle();
                assert_eq!(fleet.nodes[1].ask("SELECT min(phone || name) FROM patient"), "'newmine'");
            });
        }
    });
}

/// The longest time that an application which wants to write was kept from it, while `work` ran.
fn kept_waiting(database: &Path, work: impl FnOnce()) -> Duration {
    let (ended, ready) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| {
            let app = open(database);
            app.busy_timeout(Duration::ZERO).unwrap();
            app.pragma_update(None, "synchronous", "OFF").unwrap();
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            while !ended.load(Ordering::SeqCst) {
                let begun = Instant::now();
                if app.execute_batch("INSERT OR REPLACE INTO probe VALUES (1, 1)").is_ok() {
                    longest = longest.max(last.elapsed());
                    // It must not keep saddlebag waiting in its turn, nor look away for long.
                    let pause = begun.elapsed() + Duration::from_millis(1);
                    while begun.elapsed() < pause && !ended.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                    last = Instant::now();
                }
                ready.store(true, Ordering::SeqCst);
                std::thread::yield_now();
            }
            longest.max(last.elapsed())
        });
        while !ready.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        work();
        ended.store(true, Ordering::SeqCst);
        probe.join().unwrap()
    })
}

fn large(seed: u64, mode: &str, rows: i64) -> Fleet {
    let fleet = fleet(seed, mode, SCHEMA, TABLES);
    let sql = format!(
        "BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO patient (uuid, name, phone) SELECT printf('00000000-0000-4000-8000-%012d', i), 'name ' || i, i FROM n;
         INSERT INTO visit (tag, note, weight, patient_id)
         SELECT 'visit ' || id, 'note ' || id, id / 7.0, id FROM patient; COMMIT"
    );
    fleet.nodes[1].run(&sql);
    fleet.nodes.iter().for_each(|node| node.run("CREATE TABLE probe (id INTEGER PRIMARY KEY, n)"));
    fleet
}

/// Carries what the clinic has to the ministry, and prints how long the applications wait meanwhile.
fn carried(fleet: &mut Fleet, what: &str, mode: &str) -> u64 {
    let databases = [0, 1].map(|node: usize| fleet.nodes[node].database.clone());
    let (mut bundles, mut records) = (Vec::new(), 0);
    let begun = Instant::now();
    let export = kept_waiting(&databases[1], || bundles = fleet.export(1, 0));
    let exported = begun.elapsed();
    let begun = Instant::now();
    let import = kept_waiting(&databases[0], || {
        records = bundles.iter().map(|bundle| fleet.nodes[0].import(bundle).unwrap().tally.records).sum();
    });
    let imported = begun.elapsed();
    tell(&format!(
        "{what}, journal mode {mode}: the application waits at most {export:.0?} of the {exported:.0?} of an export, \
         {import:.0?} of the {imported:.0?} of an import",
    ));
    records
}

/// Prints figures and judges none of them: machines differ. To be read from a release build.
#[test]
fn how_long_the_application_waits_for_an_ordinary_bundle() {
    for (seed, mode) in [(20, "wal"), (21, "delete")] {
        let mut fleet = large(seed, mode, 10_000);
        assert_eq!(carried(&mut fleet, "20,000 new records", mode), 20_000);
        fleet.settle();
        fleet.nodes[1].run(
            "UPDATE patient SET phone = 'changed ' || id WHERE id % 40 = 0;
             UPDATE visit SET note = 'changed ' || id WHERE id % 40 = 1",
        );
        assert_eq!(carried(&mut fleet, "500 changed records of 20,000", mode), 500);
        assert_eq!(fleet.nodes[0].ask("SELECT count(*) FROM patient WHERE phone LIKE 'changed%'"), "250");
    }
}
