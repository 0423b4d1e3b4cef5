//! The application: threads with connections of their own, a busy timeout as ordinary applications have, and a log of
//! what each has committed. No statement of theirs may fail.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use saddlebag_tests::fleet::TestEntropy;

/// Rows of one batch of the long transactions.
pub(super) const BATCH: i64 = 12;

/// How far saddlebag and the application are, so that they keep side by side without a clock.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Saddlebag's operations that have begun.
    pub(super) begun: AtomicUsize,
    /// Those that have ended.
    pub(super) ended: AtomicUsize,
    /// Threads of the application that have not finished.
    pub(super) at_work: AtomicUsize,
    /// Whether saddlebag has stopped, so that nobody waits for it any more.
    over: AtomicBool,
}

/// Tells the application when saddlebag stops, even if it does so by a failed assertion.
pub(super) struct UntilTheEnd<'a>(pub(super) &'a Pace);

impl Drop for UntilTheEnd<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// Tells saddlebag when a thread ends, even if it does so by a failed assertion.
struct UntilItEnds<'a>(&'a Pace);

impl Drop for UntilItEnds<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pace {
    /// One operation of saddlebag.
    pub(super) fn operation<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let done = operation();
        self.ended.fetch_add(1, Ordering::SeqCst);
        done
    }

    /// Holds the application back, so that its work is spread over at least so many of saddlebag's operations.
    fn not_before(&self, operations: usize) {
        self.wait_while(|| self.ended.load(Ordering::SeqCst) < operations);
    }

    /// Waits until saddlebag is in the middle of something.
    fn while_saddlebag_works(&self) {
        self.wait_while(|| self.begun.load(Ordering::SeqCst) == self.ended.load(Ordering::SeqCst));
    }

    fn wait_while(&self, condition: impl Fn() -> bool) {
        while condition() && !self.over.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }

    fn next_operation(&self) {
        self.not_before(self.ended.load(Ordering::SeqCst) + 1);
    }
}

/// What a thread has committed.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Its own visits as they must stand: note by tag.
    pub(super) visits: BTreeMap<String, String>,
    /// Every value that it wrote into a shared patient's phone, and the one that stood there before.
    pub(super) phones: Vec<(String, String)>,
}

/// One thread of the application.
pub(super) struct Worker<'a> {
    pub(super) name: String,
    pub(super) database: &'a Path,
    pub(super) pace: &'a Pace,
    /// How many times it does its work.
    pub(super) times: usize,
    /// Over how many operations of saddlebag it spreads them.
    pub(super) operations: usize,
    pub(super) random: TestEntropy,
}

/// What a thread does.
pub(super) type Work = fn(&mut Worker<'_>, &mut Connection, &mut Log, usize);

/// Opens the database as an application does.
pub(super) fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    connection
}

impl Worker<'_> {
    /// Does its work, and gives the log of what it committed.
    pub(super) fn run(mut self, work: Work) -> Log {
        let _end = UntilItEnds(self.pace);
        let (mut connection, mut log) = (open(self.database), Log::default());
        for time in 0..self.times {
            self.pace.not_before(time * self.operations / self.times);
            work(&mut self, &mut connection, &mut log, time);
        }
        log
    }

    fn tag(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }
}

const ADD: &str =
    "INSERT INTO visit (tag, note, patient_id, weight) VALUES (?1, ?2, (SELECT min(id) FROM patient), ?3)";
const EDIT: &str = "UPDATE visit SET note = ?2 WHERE tag = ?1";

/// Transactions of one row each: added, edited again and again, now and then deleted.
pub(super) fn single_rows(worker: &mut Worker<'_>, connection: &mut Connection, log: &mut Log, time: usize) {
    let number = worker.random.below(40);
    let (tag, note) = (worker.tag(number), format!("note {time}"));
    let known = log.visits.contains_key(&tag);
    if known && worker.random.below(8) == 0 {
        assert_eq!(connection.execute("DELETE FROM visit WHERE tag = ?1", [&tag]).unwrap(), 1);
        log.visits.remove(&tag);
        return;
    }
    let rows = match known {
        true => connection.execute(EDIT, [&tag, &note]).unwrap(),
        false => connection.execute(ADD, (&tag, &note, 1.5)).unwrap(),
    };
    assert_eq!(rows, 1);
    log.visits.insert(tag, note);
}

/// A transaction that adds a whole batch and stays open until saddlebag is in the middle of something.
pub(super) fn long_transactions(worker: &mut Worker<'_>, connection: &mut Connection, log: &mut Log, time: usize) {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut batch = BTreeMap::new();
    for row in 0..BATCH {
        let (tag, note) = (format!("batch{time:03}-{}-{row}", worker.name), format!("row {row} of batch {time}"));
        assert_eq!(transaction.execute(ADD, (&tag, "not yet", 2.5)).unwrap(), 1);
        if row == BATCH / 2 {
            worker.pace.while_saddlebag_works();
        }
        assert_eq!(transaction.execute(EDIT, [&tag, &note]).unwrap(), 1);
        batch.insert(tag, note);
    }
    transaction.commit().unwrap();
    log.visits.extend(batch);
}

/// Savepoints that are rolled back, and whole transactions that are.
pub(super) fn savepoints(worker: &mut Worker<'_>, connection: &mut Connection, log: &mut Log, time: usize) {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let (kept, gone) = (worker.tag(time), worker.tag(100_000 + time));
    transaction.execute(ADD, (&kept, "kept", 3.5)).unwrap();
    let savepoint = transaction.savepoint().unwrap();
    savepoint.execute(ADD, (&gone, "never was", 3.5)).unwrap();
    savepoint.execute(EDIT, [&kept, "never said"]).unwrap();
    if time > 0 {
        savepoint.execute("DELETE FROM visit WHERE tag = ?1", [&worker.tag(time - 1)]).unwrap();
    }
    // A savepoint that is dropped is rolled back.
    drop(savepoint);
    if worker.random.below(4) == 0 {
        transaction.rollback().unwrap();
        return;
    }
    transaction.commit().unwrap();
    log.visits.insert(kept, "kept".to_owned());
}

/// Several rows added in one statement and, two times later, deleted in one.
pub(super) fn many_rows(worker: &mut Worker<'_>, connection: &mut Connection, log: &mut Log, time: usize) {
    let sql = "WITH n (i) AS (VALUES (0), (1), (2), (3), (4), (5))
               INSERT INTO visit (tag, note, patient_id, weight)
               SELECT ?1 || '-' || i, 'one of six', (SELECT min(id) FROM patient), 4.5 FROM n";
    let group = |time: usize| format!("{}.{time:05}", worker.name);
    assert_eq!(connection.execute(sql, [group(time)]).unwrap(), 6);
    log.visits.extend((0..6).map(|row| (format!("{}-{row}", group(time)), "one of six".to_owned())));
    if let Some(old) = time.checked_sub(2) {
        let deleted = connection.execute("DELETE FROM visit WHERE tag LIKE ?1 || '-%'", [group(old)]).unwrap();
        assert_eq!(deleted, 6);
        log.visits.retain(|tag, _| !tag.starts_with(&group(old)));
    }
}

/// Edits of records that other places edit too, each by somebody who has read what stands there.
pub(super) fn shared_records(worker: &mut Worker<'_>, connection: &mut Connection, log: &mut Log, time: usize) {
    let patient = format!("shared-{}", worker.random.below(3));
    let value = format!("phone {}", worker.tag(time));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let sql = "SELECT phone FROM patient WHERE uuid = ?1";
    let seen: String = transaction.query_row(sql, [&patient], |row| row.get(0)).unwrap();
    let sql = "UPDATE patient SET phone = ?2 WHERE uuid = ?1";
    assert_eq!(transaction.execute(sql, [&patient, &value]).unwrap(), 1);
    transaction.commit().unwrap();
    log.phones.push((value, seen));
}

/// A reader whose snapshot stays as it is, and never holds half a batch, though saddlebag works meanwhile.
pub(super) fn snapshots(worker: &mut Worker<'_>, connection: &mut Connection, _: &mut Log, _: usize) {
    let is_wal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    let sum = "SELECT count(*), COALESCE(sum(length(note)), 0) FROM visit";
    let halves = format!(
        "SELECT count(*) FROM (SELECT substr(tag, 1, 8) FROM visit WHERE tag LIKE 'batch%'
         GROUP BY 1 HAVING count(*) <> {BATCH})"
    );
    let transaction = connection.transaction().unwrap();
    let read = || -> (i64, i64) { transaction.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap() };
    let before = read();
    // With a rollback journal a reader keeps every writer waiting, whoever it is.
    if is_wal == "wal" {
        worker.pace.next_operation();
    }
    assert_eq!(transaction.query_row(&halves, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "half a batch is seen");
    assert_eq!(read(), before);
    transaction.commit().unwrap();
}
