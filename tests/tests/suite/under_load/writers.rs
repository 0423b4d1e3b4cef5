//! The application: connections that write as fast as they can, each with a log of what it has committed.
//!
//! A transaction that the database itself undid, because it met another one, is done again, as such applications do;
//! any other error ends the test.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::{Client, IsolationLevel, Transaction};
use saddlebag_tests::fleet::TestEntropy;

/// Longer than this no lock of saddlebag's may hold up a statement: it fails otherwise, and the test with it.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '5s'";

/// What a writer lets pass between two transactions: a server that is busy to the last core shows nothing of who waits
/// for whom.
const THINKING: Duration = Duration::from_millis(20);

/// Rows that a writer has at most.
const ROWS: usize = 60;

/// How far saddlebag and the application are.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Saddlebag's operations that have ended.
    pub(super) ended: AtomicUsize,
    /// Whether the application should come to an end.
    pub(super) over: AtomicBool,
}

impl Pace {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits for so many more of saddlebag's operations to end.
    fn wait_for(&self, operations: usize) {
        let until = self.ended.load(Ordering::SeqCst) + operations;
        while self.ended.load(Ordering::SeqCst) < until && !self.is_over() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a connection has committed, and what it went through.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Rows of its own as they must stand: table and tag, and what they say.
    pub(super) rows: BTreeMap<(&'static str, String), String>,
    /// What it wrote over a patient's phone number, and what stood there before.
    pub(super) phones: Vec<(String, String)>,
    /// What it added to the stock.
    pub(super) added: BTreeMap<String, i64>,
    pub(super) commits: u64,
    pub(super) undone: u64,
    /// Transactions that the database undid because of another.
    pub(super) again: u64,
    /// Those of them that were the victims of a deadlock.
    pub(super) deadlocks: u64,
    /// The longest that one statement took, and what it was.
    pub(super) longest: (Duration, String),
}

/// One connection.
pub(super) struct Writer<'a> {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) pace: &'a Pace,
    pub(super) random: TestEntropy,
    pub(super) log: Log,
}

/// What a connection does, time after time.
pub(super) type Work = fn(&mut Writer<'_>, usize);

/// One transaction's statements, timed.
struct Timed<'a, 'b> {
    transaction: &'a mut Transaction<'b>,
    longest: &'a mut (Duration, String),
}

impl Timed<'_, '_> {
    fn execute(&mut self, sql: &str) -> Result<u64, postgres::Error> {
        timed(self.longest, sql, || self.transaction.execute(sql, &[]))
    }

    fn text(&mut self, sql: &str) -> Result<String, postgres::Error> {
        Ok(timed(self.longest, sql, || self.transaction.query_one(sql, &[]))?.get(0))
    }
}

fn timed<T>(longest: &mut (Duration, String), what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    if begun.elapsed() > longest.0 {
        *longest = (begun.elapsed(), what.to_owned());
    }
    done
}

fn was_undone(error: &postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

impl Writer<'_> {
    pub(super) fn run(mut self, work: Work) -> Log {
        self.client.batch_execute(LOCK_TIMEOUT).unwrap();
        let mut time = 0;
        while !self.pace.is_over() {
            work(&mut self, time);
            std::thread::sleep(THINKING);
            time += 1;
        }
        self.log
    }

    /// One transaction, done again until it stands.
    fn transaction<T>(
        &mut self,
        isolation: IsolationLevel,
        mut work: impl FnMut(&mut Timed<'_, '_>) -> Result<T, postgres::Error>,
    ) -> T {
        loop {
            let longest = &mut self.log.longest;
            let mut transaction = self.client.build_transaction().isolation_level(isolation).start().unwrap();
            let done = work(&mut Timed { transaction: &mut transaction, longest: &mut *longest });
            let done = match done {
                Ok(done) => timed(longest, "COMMIT", || transaction.commit()).map(|()| done),
                Err(error) => transaction.rollback().and(Err(error)),
            };
            match done {
                Ok(done) => {
                    self.log.commits += 1;
                    return done;
                }
                Err(error) => {
                    assert!(was_undone(&error), "{}: {error:?}", self.name);
                    self.log.again += 1;
                    std::thread::sleep(THINKING);
                    self.log.deadlocks += u64::from(error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED));
                }
            }
        }
    }

    fn tag(&self, number: impl std::fmt::Display) -> String {
        format!("{}-{number}", self.name)
    }

    fn one_row(&mut self, isolation: IsolationLevel, time: usize) {
        let (number, chance) = (self.random.below(ROWS), self.random.below(8));
        let (tag, note) = (self.tag(number), format!("note {time}"));
        let place = ("visit", tag.clone());
        let known = self.log.rows.contains_key(&place);
        let sql = match (known, chance) {
            (true, 0) => format!("DELETE FROM visit WHERE tag = '{tag}'"),
            (true, 1) => format!(
                "INSERT INTO visit (tag, note) VALUES ('{tag}', 'x') ON CONFLICT (tag) DO UPDATE SET note = '{note}'"
            ),
            (true, _) => format!("UPDATE visit SET note = '{note}', at = clock_timestamp() WHERE tag = '{tag}'"),
            (false, _) => {
                format!("INSERT INTO visit (tag, note, patient_id) VALUES ('{tag}', '{note}', 1 + {number} % 3)")
            }
        };
        assert_eq!(self.transaction(isolation, |rows| rows.execute(&sql)), 1, "{sql}");
        match sql.starts_with("DELETE") {
            true => drop(self.log.rows.remove(&place)),
            false => drop(self.log.rows.insert(place, note)),
        }
    }

    fn phone(&mut self, isolation: IsolationLevel, time: usize) {
        let (value, patient) = (format!("phone {}", self.tag(time)), 1 + self.random.below(3));
        let seen = self.transaction(isolation, |rows| {
            let seen = rows.text(&format!("SELECT phone FROM patient WHERE id = {patient} FOR UPDATE"))?;
            rows.execute(&format!("UPDATE patient SET phone = '{value}' WHERE id = {patient}"))?;
            Ok(seen)
        });
        self.log.phones.push((value, seen));
    }
}

/// Rows added, edited, upserted and deleted, one a transaction.
pub(super) fn single_rows(writer: &mut Writer<'_>, time: usize) {
    writer.one_row(IsolationLevel::ReadCommitted, time);
}

/// The same, and no two transactions see each other.
pub(super) fn serializable_rows(writer: &mut Writer<'_>, time: usize) {
    writer.one_row(IsolationLevel::Serializable, time);
}

/// Rows that stay, whose other columns the ministry edits.
pub(super) fn kept_rows(writer: &mut Writer<'_>, time: usize) {
    let number = writer.random.below(ROWS / 3);
    let (tag, note) = (format!("kept-{}", writer.tag(number)), format!("note {time}"));
    let sql = format!(
        "INSERT INTO visit (tag, note) VALUES ('{tag}', '{note}') ON CONFLICT (tag) DO UPDATE SET note = '{note}'"
    );
    writer.transaction(IsolationLevel::ReadCommitted, |rows| rows.execute(&sql));
    writer.log.rows.insert(("visit", tag), note);
}

/// Records that all places edit, each edit by somebody who has read what stands there.
pub(super) fn phones(writer: &mut Writer<'_>, time: usize) {
    writer.phone(IsolationLevel::ReadCommitted, time);
}

pub(super) fn phones_in_snapshots(writer: &mut Writer<'_>, time: usize) {
    writer.phone(IsolationLevel::RepeatableRead, time);
}

pub(super) fn phones_one_after_the_other(writer: &mut Writer<'_>, time: usize) {
    writer.phone(IsolationLevel::Serializable, time);
}

/// A few rows that everybody writes.
pub(super) fn stock(writer: &mut Writer<'_>, _: usize) {
    let item = format!("item {}", writer.random.below(20));
    let sql =
        format!("INSERT INTO stock VALUES ('{item}', 1) ON CONFLICT (item) DO UPDATE SET amount = stock.amount + 1");
    writer.transaction(IsolationLevel::ReadCommitted, |rows| rows.execute(&sql));
    *writer.log.added.entry(item).or_default() += 1;
}

/// Savepoints that are rolled back, and whole transactions that are.
pub(super) fn savepoints(writer: &mut Writer<'_>, time: usize) {
    let (tag, gone) = (writer.tag(time % ROWS), writer.tag(format!("never-{time}")));
    let note = format!("kept {time}");
    let keep = format!(
        "INSERT INTO visit (tag, note) VALUES ('{tag}', '{note}') ON CONFLICT (tag) DO UPDATE SET note = '{note}'"
    );
    let whole = writer.random.below(4) == 0;
    let mut transaction = writer.client.transaction().unwrap();
    let statements = [
        keep.as_str(),
        "SAVEPOINT a",
        &format!("INSERT INTO visit (tag, note) VALUES ('{gone}', 'never was')"),
        &format!("DELETE FROM visit WHERE tag = '{tag}'"),
        "SAVEPOINT b",
        &format!("UPDATE visit SET note = 'never said' WHERE tag LIKE '{}-%'", writer.name),
        "ROLLBACK TO a",
        &format!("UPDATE visit SET weight = {time} WHERE tag = '{tag}'"),
    ];
    for sql in statements {
        timed(&mut writer.log.longest, sql, || transaction.execute(sql, &[])).unwrap();
    }
    if whole {
        transaction.rollback().unwrap();
        writer.log.undone += 1;
    } else {
        transaction.commit().unwrap();
        writer.log.commits += 1;
        writer.log.rows.insert(("visit", tag), note);
    }
}

/// Forty rows by one COPY, and those of some time ago deleted.
pub(super) fn copies(writer: &mut Writer<'_>, time: usize) {
    let group = |time: usize| format!("{}.{time}", writer.name);
    let (new, old) = (group(time), time.checked_sub(3).map(group));
    let begun = Instant::now();
    let mut transaction = writer.client.transaction().unwrap();
    let mut copy = transaction.copy_in("COPY visit (tag, note, weight) FROM STDIN").unwrap();
    for row in 0..40 {
        writeln!(copy, "{new}-{row}\tcopied {row}\t{row}.250").unwrap();
    }
    assert_eq!(copy.finish().unwrap(), 40);
    if let Some(old) = &old {
        let delete = format!("DELETE FROM visit WHERE tag LIKE '{old}-%'");
        assert_eq!(transaction.execute(&delete, &[]).unwrap(), 40);
    }
    transaction.commit().unwrap();
    writer.log.longest = writer.log.longest.clone().max((begun.elapsed(), "COPY and its commit".to_owned()));
    writer.log.commits += 1;
    writer.log.rows.extend((0..40).map(|row| (("visit", format!("{new}-{row}")), format!("copied {row}"))));
    if let Some(old) = &old {
        writer.log.rows.retain(|(_, tag), _| !tag.starts_with(&format!("{old}-")));
    }
}

/// Transactions that stay open over several of saddlebag's operations.
fn long(writer: &mut Writer<'_>, isolation: IsolationLevel, time: usize) {
    let pace = writer.pace;
    let (tags, note) = ([0, 1, 2].map(|row| writer.tag(format!("{time}-{row}"))), format!("note {time}"));
    let gone = time.checked_sub(4).map(|old| writer.tag(format!("{old}-1")));
    writer.transaction(isolation, |rows| {
        for (at, tag) in tags.iter().enumerate() {
            rows.execute(&format!("INSERT INTO visit (tag, note) VALUES ('{tag}', 'not yet')"))?;
            if at == 1 {
                if let Some(gone) = &gone {
                    rows.execute(&format!("DELETE FROM visit WHERE tag = '{gone}'"))?;
                }
                pace.wait_for(3);
            }
            rows.execute(&format!("UPDATE visit SET note = '{note}' WHERE tag = '{tag}'"))?;
        }
        pace.wait_for(1);
        Ok(())
    });
    writer.log.rows.extend(tags.map(|tag| (("visit", tag), note.clone())));
    if let Some(gone) = gone {
        writer.log.rows.remove(&("visit", gone));
    }
}

pub(super) fn long_transactions(writer: &mut Writer<'_>, time: usize) {
    long(writer, IsolationLevel::ReadCommitted, time);
}

pub(super) fn long_snapshots(writer: &mut Writer<'_>, time: usize) {
    let isolation = if time.is_multiple_of(2) { IsolationLevel::RepeatableRead } else { IsolationLevel::Serializable };
    long(writer, isolation, time);
}

/// Rows that move from partition to partition.
pub(super) fn partitions(writer: &mut Writer<'_>, time: usize) {
    let number = writer.random.below(ROWS);
    let (id, tag) = (number + 900_000 + 1_000 * (number % 2) * 1_000, writer.tag(number));
    let place = ("measured", tag.clone());
    let value = format!("{time}.5");
    let sql = match (writer.log.rows.get(&place), writer.random.below(6)) {
        (Some(_), 0) => format!("DELETE FROM measured WHERE id = {id}"),
        (Some(_), _) => format!("UPDATE measured SET year = 4049 - year, value = {value} WHERE id = {id}"),
        (None, _) => format!("INSERT INTO measured VALUES ({id}, 2024, '{tag}', {value})"),
    };
    writer.transaction(IsolationLevel::ReadCommitted, |rows| rows.execute(&sql));
    match sql.starts_with("DELETE") {
        true => drop(writer.log.rows.remove(&place)),
        false => drop(writer.log.rows.insert(place, value)),
    }
}

/// Batches with their rows, which are truncated together now and then.
pub(super) fn truncates(writer: &mut Writer<'_>, time: usize) {
    let tag = writer.tag(time);
    if writer.random.below(12) == 0 {
        writer.transaction(IsolationLevel::ReadCommitted, |rows| rows.execute("TRUNCATE batch CASCADE"));
        writer.log.rows.clear();
    }
    writer.transaction(IsolationLevel::ReadCommitted, |rows| {
        rows.execute(&format!(
            "WITH b AS (INSERT INTO batch (tag) VALUES ('{tag}') RETURNING id)
             INSERT INTO batch_row (batch_id, tag) SELECT id, '{tag}' FROM b"
        ))
    });
    writer.log.rows.insert(("batch_row", tag), String::new());
}

/// Visits with lines, which go with them.
pub(super) fn cascades(writer: &mut Writer<'_>, time: usize) {
    let tag = writer.tag(time);
    writer.transaction(IsolationLevel::ReadCommitted, |rows| {
        rows.execute(&format!("INSERT INTO visit (tag, note) VALUES ('{tag}', 'with lines')"))?;
        rows.execute(&format!(
            "INSERT INTO line (tag, n, visit_id) SELECT '{tag}.' || n, n, (SELECT id FROM visit WHERE tag = '{tag}')
             FROM generate_series(1, 3) n"
        ))
    });
    writer.log.rows.insert(("visit", tag.clone()), "with lines".to_owned());
    writer.log.rows.extend((1..=3).map(|n| (("line", format!("{tag}.{n}")), n.to_string())));
    if let Some(old) = time.checked_sub(10).map(|old| writer.tag(old)) {
        writer.transaction(IsolationLevel::RepeatableRead, |rows| {
            rows.execute(&format!("DELETE FROM visit WHERE tag = '{old}'"))
        });
        writer.log.rows.retain(|(_, tag), _| *tag != old && !tag.starts_with(&format!("{old}.")));
    }
}

/// A session whose triggers are switched off.
pub(super) fn without_triggers(writer: &mut Writer<'_>, time: usize) {
    if time == 0 {
        writer.client.batch_execute("SET session_replication_role = replica").unwrap();
    }
    single_rows(writer, time);
}
