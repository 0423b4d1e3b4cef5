//! What the application does in the middle of an import, and what it has locked meanwhile.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};

use postgres::Client;
use saddlebag_formats::TimeMs;
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_importer::{ImportError, ImportResult};
use saddlebag_stores::StoreError;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, TestClock, TestEntropy};
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, arrived, fleet, run, same, texts};

/// A column of the patient whom both places edit.
fn column(name: &str) -> String {
    format!("SELECT {name} FROM patient WHERE id = 1")
}

/// An application that does something whenever saddlebag asks for the time or for random bytes, which it does in the
/// middle of its work.
struct Intruder {
    app: RefCell<Client>,
    clock: TestClock,
    /// At which of the chances it does something; at all if none is named.
    only_at: Option<usize>,
    /// What it edits.
    column: &'static str,
    /// Chances so far.
    chances: Cell<usize>,
    /// What it has committed, and what it saw before.
    log: RefCell<Vec<(String, String)>>,
}

impl Intruder {
    fn new(fleet: &Fleet, only_at: Option<usize>, column: &'static str) -> Self {
        let mut app = fleet.nodes[CLINIC].connect();
        app.batch_execute("SET lock_timeout = '2s'").unwrap();
        Self {
            app: RefCell::new(app),
            clock: fleet.nodes[CLINIC].clock.clone(),
            only_at,
            column,
            chances: Cell::default(),
            log: RefCell::default(),
        }
    }

    fn intrude(&self) {
        let chance = self.chances.replace(self.chances.get() + 1);
        if self.only_at.is_some_and(|only| only != chance) {
            return;
        }
        let mut app = self.app.borrow_mut();
        let value = format!("intruder {chance}");
        let mut edit = || -> Result<String, postgres::Error> {
            let mut transaction = app.transaction()?;
            let seen = transaction.query_one(&format!("{} FOR UPDATE", column(self.column)), &[])?.get(0);
            transaction.execute(&format!("UPDATE patient SET {} = $1 WHERE id = 1", self.column), &[&value])?;
            transaction.commit()?;
            Ok(seen)
        };
        // Saddlebag is in the middle of its work and has locked nothing that keeps the application waiting.
        let seen = edit().unwrap();
        self.log.borrow_mut().push((value, seen));
    }
}

impl Clock for Intruder {
    fn now(&self) -> TimeMs {
        self.intrude();
        self.clock.now()
    }
}

struct IntrudingEntropy<'a>(&'a Intruder, TestEntropy);

impl Entropy for IntrudingEntropy<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.intrude();
        self.1.fill(bytes);
    }
}

/// The ministry edits the patient whom the intruder edits, and the clinic takes it in. Gives what the ministry wrote and
/// what it had seen.
fn import_while(fleet: &mut Fleet, intruder: &Intruder, round: usize) -> (String, String) {
    let (value, seen) =
        (format!("ministry {round}"), texts(&mut fleet.nodes[MINISTRY].connect(), &column("phone")).remove(0));
    run(&fleet.nodes[MINISTRY], &format!("UPDATE patient SET phone = '{value}' WHERE id = 1"));
    for bundle in fleet.export(MINISTRY, CLINIC) {
        let entropy = &mut IntrudingEntropy(intruder, TestEntropy(round as u64));
        let applied = fleet.nodes[CLINIC].import_by(&bundle, intruder, entropy).unwrap();
        assert_eq!(applied.result, ImportResult::Applied);
    }
    (value, seen)
}

/// Every value that was committed stands, was seen by whoever wrote over it, or is in `conflicts`.
fn nothing_overwritten_unseen(fleet: &mut Fleet, log: &[(String, String)]) {
    fleet.settle();
    let mut known: Vec<String> = texts(&mut fleet.nodes[MINISTRY].connect(), &column("phone"));
    known.extend(fleet.nodes[MINISTRY].disagreements().into_iter().flat_map(|(winner, loser)| [winner, loser]));
    known.extend(log.iter().map(|(_, seen)| seen.clone()));
    for (value, _) in log {
        assert!(known.contains(value), "`{value}` was committed, and nobody knows of it: {known:?}");
    }
    same(fleet);
}

fn an_edit_in_the_middle_of_an_import_is_not_overwritten_unseen(engines: Engines) {
    let mut fleet = fleet(engines, 81);
    let (mut log, mut edited) = (Vec::new(), 0);
    for moment in 0.. {
        // A new row makes absorb draw random bytes.
        run(&fleet.nodes[CLINIC], &format!("INSERT INTO batch (tag) VALUES ('moment {moment}')"));
        let intruder = Intruder::new(&fleet, Some(moment), "phone");
        log.push(import_while(&mut fleet, &intruder, moment));
        if intruder.chances.get() <= moment {
            break;
        }
        edited += intruder.log.borrow().len();
        log.extend(intruder.log.take());
        nothing_overwritten_unseen(&mut fleet, &log);
    }
    assert!(edited > 2, "the application came in between {edited} times");
}
on_engines!(an_edit_in_the_middle_of_an_import_is_not_overwritten_unseen: postgres POSTGRES);

fn a_row_that_is_written_all_the_time_stops_only_itself(engines: Engines) {
    let mut fleet = fleet(engines, 82);
    // Another column than the ministry does: both edits are to stand, in one row.
    let intruder = Intruder::new(&fleet, None, "name");
    run(&fleet.nodes[MINISTRY], "INSERT INTO stock VALUES ('beside', 1)");
    let (phone, _) = import_while(&mut fleet, &intruder, 1);
    let (name, _) = intruder.log.take().pop().unwrap();
    let held = fleet.nodes[CLINIC].held();
    assert!(held.len() == 1 && held[0].reason.contains("has just written it"), "{held:?}");
    assert_eq!(texts(&mut fleet.nodes[CLINIC].connect(), "SELECT item FROM stock"), ["beside"]);
    // It is tried again with whatever comes next.
    run(&fleet.nodes[MINISTRY], "UPDATE stock SET amount = 2");
    fleet.settle();
    assert!(same(&mut fleet).iter().any(|line| line.ends_with(&format!("\"{name}\",\"{phone}\")"))));
}
on_engines!(a_row_that_is_written_all_the_time_stops_only_itself: postgres POSTGRES);

fn a_row_that_the_application_has_locked_stops_only_itself(engines: Engines) {
    let mut fleet = fleet(engines, 83);
    let mut holder = fleet.nodes[CLINIC].connect();
    for lock in ["UPDATE patient SET name = name WHERE id = 2", "SELECT FROM patient WHERE id = 2 FOR SHARE"] {
        holder.batch_execute(&format!("BEGIN; {lock}")).unwrap();
        run(&fleet.nodes[MINISTRY], &format!("UPDATE patient SET phone = id || ' {lock}'"));
        run(&fleet.nodes[MINISTRY], &format!("INSERT INTO stock VALUES ('{lock}', 1)"));
        let bundle = fleet.export(MINISTRY, CLINIC).remove(0);
        let applied = fleet.nodes[CLINIC].import(&bundle).unwrap();
        assert_eq!((applied.result, applied.tally.quarantined), (ImportResult::Applied, 1));
        let held = fleet.nodes[CLINIC].held();
        assert_eq!(held.len(), 1);
        assert!(held[0].reason.contains("in use: the application has locked the row"), "{}", held[0].reason);
        let count = format!("SELECT count(*)::text FROM patient WHERE phone LIKE '%{lock}'");
        assert_eq!(texts(&mut fleet.nodes[CLINIC].connect(), &count), ["2"]);
        holder.batch_execute("COMMIT").unwrap();
        // The receipt that says so is acknowledged, and that very bundle has it tried again.
        assert_eq!(arrived(&mut fleet, "stock").len(), texts(&mut holder, "SELECT item FROM stock").len());
        assert_eq!(texts(&mut holder, &count), ["3"]);
    }
}
on_engines!(a_row_that_the_application_has_locked_stops_only_itself: postgres POSTGRES);

/// Waits, while `is_over` is false, until some session waits for a lock, or until none does.
fn until_somebody_waits(client: &mut Client, waits: bool, is_over: &AtomicBool) {
    let sql = "SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               UNION ALL SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
    while client.query(sql, &[]).unwrap().is_empty() == waits && !is_over.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

fn two_that_wait_for_each_other_both_go_on(engines: Engines) {
    let mut fleet = fleet(engines, 84);
    for (turn, (first, second)) in [(1, 2), (3, 2), (2, 1), (2, 3)].into_iter().enumerate() {
        run(&fleet.nodes[MINISTRY], &format!("UPDATE patient SET phone = 'turn {turn}'"));
        let bundle = fleet.export(MINISTRY, CLINIC).remove(0);
        let (mut app, mut watch) = (fleet.nodes[CLINIC].connect(), fleet.nodes[CLINIC].connect());
        let edit = |id: i32| format!("UPDATE patient SET name = 'turn {turn} of {id}' WHERE id = {id}");
        app.batch_execute(&format!("BEGIN; {}", edit(first))).unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Saddlebag waits for the first row, with others of them written; then for each other.
                until_somebody_waits(&mut watch, true, &is_over);
                app.batch_execute(&edit(second)).unwrap();
                app.batch_execute("COMMIT").unwrap();
            });
            let applied = fleet.nodes[CLINIC].import(&bundle);
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(applied.unwrap().tally.quarantined, 0);
        });
        fleet.settle();
        let names = format!("SELECT name FROM patient WHERE name LIKE 'turn {turn}%' AND phone = 'turn {turn}'");
        assert_eq!(texts(&mut fleet.nodes[MINISTRY].connect(), &names).len(), 2);
        same(&mut fleet);
    }
}
on_engines!(two_that_wait_for_each_other_both_go_on: postgres POSTGRES);

fn a_table_that_is_locked_is_waited_for_and_then_said_to_be_in_use(engines: Engines) {
    let mut fleet = fleet(engines, 85);
    run(&fleet.nodes[CLINIC], "INSERT INTO stock VALUES ('a', 1)");
    run(&fleet.nodes[MINISTRY], "UPDATE patient SET phone = 'new'");
    let bundle = fleet.export(MINISTRY, CLINIC).remove(0);
    let lock = "BEGIN; LOCK TABLE stock IN ACCESS EXCLUSIVE MODE";
    let mut holder = fleet.nodes[CLINIC].connect();
    holder.batch_execute(lock).unwrap();
    let before = texts(&mut fleet.nodes[CLINIC].connect(), "SELECT phone FROM patient");
    match fleet.nodes[CLINIC].import(&bundle) {
        Err(ImportError::Store(error @ StoreError::Concurrent { .. })) => {
            assert!(error.to_string().starts_with("the database is in use"), "{error}");
            assert!(error.hint().contains("try again"), "{}", error.hint());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(texts(&mut fleet.nodes[CLINIC].connect(), "SELECT phone FROM patient"), before);
    holder.batch_execute("COMMIT").unwrap();
    // While a migration runs, an export waits between its tries, and then goes on.
    let mut watch = fleet.nodes[CLINIC].connect();
    holder.batch_execute(&format!("{lock}; ALTER TABLE stock ALTER amount SET DEFAULT 0")).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for waits in [true, false, true, false] {
                until_somebody_waits(&mut watch, waits, &is_over);
            }
            holder.batch_execute("INSERT INTO stock VALUES ('b', 1); COMMIT").unwrap();
        });
        fleet.carry(CLINIC, MINISTRY);
        is_over.store(true, Ordering::SeqCst);
    });
    assert_eq!(arrived(&mut fleet, "stock"), ["(a,1)", "(b,1)"]);
}
on_engines!(a_table_that_is_locked_is_waited_for_and_then_said_to_be_in_use: postgres POSTGRES);

/// One person, entered here at the very moment at which she comes from the ministry.
fn a_record_that_both_enter_at_once_is_one(engines: Engines) {
    let mut fleet = fleet(engines, 86);
    run(&fleet.nodes[MINISTRY], "INSERT INTO stock VALUES ('bandage', 5), ('syringe', 7)");
    let bundle = fleet.export(MINISTRY, CLINIC).remove(0);
    struct Enters(RefCell<Client>, TestClock, Cell<bool>);
    impl Clock for Enters {
        fn now(&self) -> TimeMs {
            if !self.2.replace(true) {
                self.0.borrow_mut().batch_execute("INSERT INTO stock VALUES ('bandage', 5)").unwrap();
            }
            self.1.now()
        }
    }
    let enters =
        Enters(RefCell::new(fleet.nodes[CLINIC].connect()), fleet.nodes[CLINIC].clock.clone(), Cell::new(false));
    let applied = fleet.nodes[CLINIC].import_by(&bundle, &enters, &mut TestEntropy(1)).unwrap();
    assert_eq!(applied.result, ImportResult::Applied);
    run(&fleet.nodes[MINISTRY], "UPDATE patient SET phone = 'anything'");
    assert_eq!(arrived(&mut fleet, "stock"), ["(bandage,5)", "(syringe,7)"]);
}
on_engines!(a_record_that_both_enter_at_once_is_one: postgres POSTGRES);
