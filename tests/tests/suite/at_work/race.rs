//! The application writes at the very moments that a thread would hardly hit: saddlebag asks for the time and for
//! random bytes in the middle of its work, and each time the application tries an edit, and waits for no lock.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, ErrorCode};
use saddlebag_formats::TimeMs;
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_importer::ImportResult;
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
    let ministry = fleet.nodes[0].me.id;
    let entropy = &mut IntrudingEntropy(intruder, TestEntropy(seed));
    let exported = fleet.nodes[1].export_by(ministry, intruder, entropy);
    exported.bundles.iter().map(|bundle| std::fs::read(&bundle.path).unwrap()).collect()
}

fn import(fleet: &mut Fleet, intruder: &Intruder, bundle: &[u8], seed: u64) {
    let entropy = &mut IntrudingEntropy(intruder, TestEntropy(seed));
    let applied = fleet.nodes[1].import_by(bundle, intruder, entropy).unwrap();
    assert_eq!(applied.result, ImportResult::Applied);
}

fn intrude(mode: &str, in_between: usize) {
    let mut fleet = with_patients(3, mode);
    let intruder = Intruder::new(&fleet, 1);
    let mut ministry = Log::default();
    for round in 0..12 {
        let seen =
            fleet.nodes[0].app.query_row("SELECT phone FROM patient WHERE uuid = 'shared-0'", [], |row| row.get(0));
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

/// Waits until saddlebag has the write lock and lets go of it, and edits at that very moment: so, if saddlebag's work
/// were done in two transactions, in between.
fn edit_as_the_lock_is_released(app: &Connection, over: &AtomicBool, edit: &str) {
    let takes_the_lock = || app.execute_batch("BEGIN IMMEDIATE").is_ok();
    while takes_the_lock() {
        app.execute_batch("ROLLBACK").unwrap();
        if over.load(Ordering::SeqCst) {
            break;
        }
    }
    while !takes_the_lock() {}
    app.execute_batch(edit).unwrap();
    // With a rollback journal saddlebag may be reading.
    while app.execute_batch("COMMIT").is_err() {}
}

/// Does something of saddlebag's while the application edits as soon as it can.
fn beside<T>(fleet: &mut Fleet, edit: &str, work: impl FnOnce(&mut Fleet) -> T) -> T {
    let database = fleet.nodes[1].database.clone();
    let (over, ready) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let application = scope.spawn(|| {
            let app = Connection::open(&database).unwrap();
            app.busy_timeout(std::time::Duration::ZERO).unwrap();
            ready.store(true, Ordering::SeqCst);
            edit_as_the_lock_is_released(&app, &over, edit);
        });
        while !ready.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let done = work(fleet);
        over.store(true, Ordering::SeqCst);
        application.join().unwrap();
        done
    })
}

fn set(patients: &str, phone: &str) -> String {
    format!("UPDATE patient SET phone = '{phone}' WHERE uuid IN ({patients})")
}

fn right_after_the_lock(mode: &str) {
    let mut fleet = with_patients(4, mode);
    let phone = |fleet: &Fleet, node: usize, patient: &str| {
        fleet.nodes[node].ask(&format!("SELECT phone FROM patient WHERE uuid = '{patient}'"))
    };
    for round in 0..80 {
        // While a bundle is applied: the edit was made upon what stood before or upon what came, and is not lost.
        fleet.nodes[0].run(&set("'shared-0'", &format!("ministry {round}")));
        let bundle = fleet.export(0, 1).remove(0);
        let edit = set("'shared-0'", &format!("clinic {round}"));
        let _applied = beside(&mut fleet, &edit, |fleet| fleet.nodes[1].import(&bundle).unwrap());
        assert_eq!(phone(&fleet, 1, "shared-0"), format!("'clinic {round}'"), "nobody has seen it yet");
        // While a bundle is made: of one transaction, all is in it or nothing.
        fleet.nodes[1].run(&set("'shared-1'", &format!("alone {round}")));
        let edit = set("'shared-1', 'shared-2'", &format!("both {round}"));
        for bundle in beside(&mut fleet, &edit, |fleet| fleet.export(1, 0)) {
            let _applied = fleet.nodes[0].import(&bundle).unwrap();
        }
        let both = format!("'both {round}'");
        let arrived = ["shared-1", "shared-2"].map(|patient| phone(&fleet, 0, patient) == both);
        assert_eq!(arrived[0], arrived[1], "half a transaction has arrived");
        fleet.settle();
    }
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions());
}

#[test]
fn an_edit_right_after_saddlebag_let_go_of_the_lock_is_not_overwritten_nor_sent_by_half() {
    right_after_the_lock("wal");
}

#[test]
fn nor_right_after_it_with_a_rollback_journal() {
    right_after_the_lock("delete");
}
