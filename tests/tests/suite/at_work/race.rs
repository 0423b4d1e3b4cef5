//! The application writes at the very moments that a thread would hardly hit: saddlebag asks for the time and for
//! random bytes in the middle of its work, and each time the application tries an edit, and waits for no lock.

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, ErrorCode};
use saddlebag_bundler::Exporter;
use saddlebag_formats::TimeMs;
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_importer::{ImportResult, Importer};
use saddlebag_stores::{Access, Store};
use saddlebag_tests::fleet::{Fleet, TestClock, TestEntropy};

use super::writers::Log;
use super::{nothing_overwritten_unseen, with_patients};

/// The application, which edits one patient whenever saddlebag gives it the chance.
struct Intruder {
    app: Connection,
    clock: TestClock,
    /// Edits that were committed: the new value, and the one that was seen.
    log: RefCell<Vec<(String, String)>>,
    /// Edits that had to wait for saddlebag.
    refused: Cell<usize>,
    tried: Cell<usize>,
}

impl Intruder {
    fn new(fleet: &Fleet, node: usize) -> Self {
        let app = Connection::open(&fleet.nodes[node].database).unwrap();
        app.busy_timeout(std::time::Duration::ZERO).unwrap();
        app.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        let clock = fleet.nodes[node].clock.clone();
        Self { app, clock, log: RefCell::default(), refused: Cell::default(), tried: Cell::default() }
    }

    fn edit(&self) {
        let value = format!("intruder {}", self.tried.get());
        self.tried.set(self.tried.get() + 1);
        let edit = || -> rusqlite::Result<String> {
            self.app.execute_batch("BEGIN IMMEDIATE")?;
            let sql = "SELECT phone FROM patient WHERE uuid = 'shared-0'";
            let seen = self.app.query_row(sql, [], |row| row.get(0))?;
            self.app.execute("UPDATE patient SET phone = ?1 WHERE uuid = 'shared-0'", [&value])?;
            self.app.execute_batch("COMMIT")?;
            Ok(seen)
        };
        match edit() {
            Ok(seen) => self.log.borrow_mut().push((value, seen)),
            Err(error) => {
                assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{error}");
                self.refused.set(self.refused.get() + 1);
                if !self.app.is_autocommit() {
                    self.app.execute_batch("ROLLBACK").unwrap();
                }
            }
        }
    }
}

impl Clock for Intruder {
    fn now(&self) -> TimeMs {
        self.edit();
        self.clock.now()
    }
}

struct IntrudingEntropy<'a>(&'a Intruder, TestEntropy);

impl Entropy for IntrudingEntropy<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.edit();
        self.1.fill(bytes);
    }
}

/// The clinic's bundles, made while the application intrudes.
fn export(fleet: &mut Fleet, intruder: &Intruder, seed: u64) -> Vec<Vec<u8>> {
    let node = &mut fleet.nodes[1];
    let folder = node.database.with_file_name("intruded");
    let (outbox, high_water) = (folder.join("outbox"), folder.join("high-water"));
    saddlebag_keys::files::create_private_folders(&outbox).unwrap();
    node.store.begin(Access::Read).unwrap();
    let link = node.store.links().unwrap()[0].id;
    node.store.rollback().unwrap();
    let mut exporter = Exporter {
        store: &mut node.store,
        keys: &node.keys,
        me: &node.me,
        outbox: &outbox,
        high_water: &high_water,
        records_per_bundle: 100_000,
        clock: intruder,
        entropy: &mut IntrudingEntropy(intruder, TestEntropy(seed)),
    };
    let exported = exporter.export(link, false).unwrap();
    exported.bundles.iter().map(|bundle| std::fs::read(&bundle.path).unwrap()).collect()
}

fn import(fleet: &mut Fleet, intruder: &Intruder, bundle: &[u8], seed: u64) {
    let node = &mut fleet.nodes[1];
    let entropy = &mut IntrudingEntropy(intruder, TestEntropy(seed));
    let mut importer =
        Importer { store: &mut node.store, keys: &node.keys, me: &node.me, clock: intruder, entropy };
    assert_eq!(importer.import(bundle, false).unwrap().result, ImportResult::Applied);
}

fn intrude(mode: &str, in_between: usize) {
    let mut fleet = with_patients(3, mode);
    let intruder = Intruder::new(&fleet, 1);
    let mut ministry = Log::default();
    for round in 0..12 {
        let seen = fleet.nodes[0].app.query_row("SELECT phone FROM patient WHERE uuid = 'shared-0'", [], |row| row.get(0));
        let value = format!("ministry {round}");
        fleet.nodes[0].run(&format!("UPDATE patient SET phone = '{value}' WHERE uuid = 'shared-0'"));
        ministry.phones.push((value, seen.unwrap()));
        fleet.nodes[1].run(&format!(
            "INSERT INTO visit (tag, note, patient_id) SELECT 'v{round}', 'new here', min(id) FROM patient"
        ));
        let refused = intruder.refused.get();
        for bundle in fleet.export(0, 1) {
            import(&mut fleet, &intruder, &bundle, round);
        }
        intruder.edit();
        assert!(intruder.refused.get() > refused, "while a bundle is applied, nobody else writes");
        for bundle in export(&mut fleet, &intruder, 100 + round) {
            let _applied = fleet.nodes[0].import(&bundle).unwrap();
        }
        intruder.edit();
    }
    let clinic = Log { phones: intruder.log.take(), ..Log::default() };
    assert!(clinic.phones.len() >= 24 + in_between, "{} edits: the application came in between", clinic.phones.len());
    // From here on without the intruder, whose bundles lay in a folder of their own.
    fleet.settle();
    nothing_overwritten_unseen(&mut fleet, &[clinic, ministry]);
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions());
}

#[test]
fn an_edit_at_the_worst_moment_is_not_overwritten_unseen() {
    intrude("wal", 10);
}

#[test]
fn nor_with_a_rollback_journal() {
    intrude("delete", 0);
}
