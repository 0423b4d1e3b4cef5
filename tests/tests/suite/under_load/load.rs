//! Twenty connections write at the clinic, which exports all the time and takes in what the ministry has edited meanwhile.
//!
//! `SADDLEBAG_LOAD_SECONDS` says for how long; a few seconds, if not said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use saddlebag_importer::ImportError;
use saddlebag_stores::StoreError;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, TestEntropy};
use saddlebag_tests::{on_engines, tell};

use super::writers::{self, Log, Pace, Work, Writer};
use super::{CLINIC, MINISTRY, contents, fleet, run, same, texts};

const WRITERS: [(&str, Work); 20] = [
    ("ann", writers::single_rows),
    ("ben", writers::single_rows),
    ("cleo", writers::single_rows),
    ("dora", writers::serializable_rows),
    ("eli", writers::serializable_rows),
    ("finn", writers::kept_rows),
    ("gus", writers::kept_rows),
    ("hana", writers::phones),
    ("ida", writers::phones_in_snapshots),
    ("jon", writers::phones_one_after_the_other),
    ("kim", writers::stock),
    ("lea", writers::stock),
    ("mo", writers::savepoints),
    ("nia", writers::copies),
    ("olu", writers::long_transactions),
    ("pia", writers::long_snapshots),
    ("quy", writers::partitions),
    ("ria", writers::truncates),
    ("sam", writers::cascades),
    ("tea", writers::without_triggers),
];

/// How often the clinic exports before something comes back.
const EXPORTS_A_ROUND: usize = 4;

/// What saddlebag did meanwhile.
#[derive(Debug, Default)]
struct Rounds {
    rounds: u32,
    imports: u32,
    /// Imports that gave up because the rows were in use, five times over.
    in_use: u32,
    records: u64,
    longest: Duration,
    /// What the ministry wrote over phone numbers, and what stood there before.
    phones: Vec<(String, String)>,
}

impl Rounds {
    fn hand_over(&mut self, fleet: &mut Fleet, pace: &Pace, from: usize, to: usize) {
        for bundle in self.timed(pace, || fleet.export(from, to)) {
            match self.timed(pace, || fleet.nodes[to].import(&bundle)) {
                Ok(applied) => {
                    self.imports += 1;
                    self.records += applied.tally.records;
                }
                // It comes again with the next one.
                Err(ImportError::Store(StoreError::Concurrent { .. })) => self.in_use += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn timed<T>(&mut self, pace: &Pace, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.longest = self.longest.max(begun.elapsed());
        pace.ended.fetch_add(1, Ordering::SeqCst);
        done
    }

    /// The ministry edits what the clinic's writers edit too.
    fn edit_at_the_ministry(&mut self, fleet: &Fleet) {
        let mut ministry = fleet.nodes[MINISTRY].connect();
        for patient in 1..=3 {
            let value = format!("ministry {}-{patient}", self.rounds);
            let seen = texts(&mut ministry, &format!("SELECT phone FROM patient WHERE id = {patient}")).remove(0);
            run(&fleet.nodes[MINISTRY], &format!("UPDATE patient SET phone = '{value}' WHERE id = {patient}"));
            self.phones.push((value, seen));
        }
        run(&fleet.nodes[MINISTRY], &format!("UPDATE visit SET weight = {} WHERE tag LIKE 'kept-%'", self.rounds));
    }
}

/// Rounds at least, however long they take.
const ROUNDS_MIN: u32 = 3;

/// What saddlebag does again and again meanwhile.
type Round = fn(&mut Rounds, &mut Fleet, &Pace);

/// The clinic exports some times; the ministry takes it in, edits, and sends something back.
fn both_ways(rounds: &mut Rounds, fleet: &mut Fleet, pace: &Pace) {
    for _ in 0..EXPORTS_A_ROUND {
        rounds.hand_over(fleet, pace, CLINIC, MINISTRY);
    }
    rounds.edit_at_the_ministry(fleet);
    rounds.hand_over(fleet, pace, MINISTRY, CLINIC);
}

/// The clinic exports once a second, and the ministry takes it in.
fn every_second(rounds: &mut Rounds, fleet: &mut Fleet, pace: &Pace) {
    let begun = Instant::now();
    rounds.hand_over(fleet, pace, CLINIC, MINISTRY);
    std::thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
}

/// Such rounds for as long as the application writes.
fn rounds_under_load(fleet: &mut Fleet, seed: u64, seconds: u64, round: Round) -> (Vec<Log>, Rounds) {
    let (pace, mut rounds) = (Pace::default(), Rounds::default());
    let clients: Vec<_> = WRITERS.iter().map(|_| fleet.nodes[CLINIC].connect()).collect();
    let until = Instant::now() + Duration::from_secs(seconds);
    /// Ends the application even if the test fails in between.
    struct Over<'a>(&'a Pace);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.over.store(true, Ordering::SeqCst);
        }
    }
    let logs = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (at, ((name, work), client)) in WRITERS.into_iter().zip(clients).enumerate() {
            let (random, pace, name) = (TestEntropy(seed * 100 + at as u64), &pace, name.to_owned());
            let writer = Writer { name, client, pace, random, log: Log::default() };
            threads.push(scope.spawn(move || writer.run(work)));
        }
        let over = Over(&pace);
        // A busy machine takes longer over the same rounds.
        while (Instant::now() < until || rounds.rounds < ROUNDS_MIN)
            && !threads.iter().any(|thread| thread.is_finished())
        {
            rounds.rounds += 1;
            round(&mut rounds, fleet, &pace);
        }
        drop(over);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    (logs, rounds)
}

/// What the databases must hold of the writers' own rows: table, tag and what it says.
fn expected(logs: &[Log]) -> BTreeSet<(String, String, String)> {
    let rows = logs.iter().flat_map(|log| &log.rows);
    rows.map(|((table, tag), says)| ((*table).to_owned(), tag.clone(), says.clone())).collect()
}

fn found(fleet: &Fleet, node: usize) -> BTreeSet<(String, String, String)> {
    let sql = "SELECT 'visit', tag, note FROM visit UNION ALL SELECT 'measured', tag, value::text FROM measured
               UNION ALL SELECT 'line', tag, n::text FROM line
               UNION ALL SELECT 'batch_row', r.tag, '' FROM batch_row r JOIN batch b ON b.id = r.batch_id AND b.tag = r.tag";
    let rows = fleet.nodes[node].connect().query(sql, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// Every phone number that somebody committed stands, was overwritten by somebody who had seen it, or is in `conflicts`.
fn nothing_overwritten_unseen(fleet: &mut Fleet, logs: &[Log], rounds: &Rounds) -> usize {
    let standing = texts(&mut fleet.nodes[MINISTRY].connect(), "SELECT phone FROM patient");
    let disagreements = fleet.nodes[MINISTRY].disagreements();
    let all: Vec<&(String, String)> = logs.iter().flat_map(|log| &log.phones).chain(&rounds.phones).collect();
    let mut known: BTreeSet<&String> = all.iter().map(|(_, seen)| seen).chain(&standing).collect();
    known.extend(disagreements.iter().flat_map(|(winner, loser)| [winner, loser]));
    for (value, _) in all {
        assert!(known.contains(value), "`{value}` was committed, and nobody knows of it any more");
    }
    disagreements.len()
}

fn twenty_writers(engines: Engines) {
    under_load(engines, both_ways);
}
on_engines!(twenty_writers: postgres POSTGRES);

fn twenty_writers_and_an_export_every_second(engines: Engines) {
    under_load(engines, every_second);
}
on_engines!(twenty_writers_and_an_export_every_second: postgres POSTGRES);

fn under_load(engines: Engines, round: Round) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, seconds) = (number("SADDLEBAG_SEED").unwrap_or(1), number("SADDLEBAG_LOAD_SECONDS").unwrap_or(6));
    tell(&format!("twenty writers for {seconds} s: seed {seed}"));
    let mut fleet = fleet(engines, seed);
    let (logs, rounds) = rounds_under_load(&mut fleet, seed, seconds, round);
    // What was in use to the end is tried again with whatever comes next.
    let before = contents(&fleet.nodes[CLINIC]).len();
    for node in [MINISTRY, CLINIC] {
        fleet.settle();
        run(&fleet.nodes[node], "UPDATE patient SET name = name || '.'");
    }
    fleet.settle();
    let (commits, undone) =
        (logs.iter().map(|log| log.commits).sum::<u64>(), logs.iter().map(|log| log.undone).sum::<u64>());
    let (again, deadlocks) =
        (logs.iter().map(|log| log.again).sum::<u64>(), logs.iter().map(|log| log.deadlocks).sum::<u64>());
    let mut longest: Vec<_> = logs.iter().map(|log| &log.longest).collect();
    longest.sort();
    tell(&format!(
        "{commits} transactions committed, {undone} undone, {again} begun again ({deadlocks} after a deadlock); {before} rows"
    ));
    // TRUNCATE waits for whoever reads its tables; the others wait for nobody but each other and an import.
    for (took, what) in longest.iter().rev().take(3) {
        tell(&format!("longest statement of a connection {took:?}: {what}"));
    }
    tell(&format!(
        "{} rounds, {} imports of {} records, {} found the rows in use; longest operation {:?}",
        rounds.rounds, rounds.imports, rounds.records, rounds.in_use, rounds.longest
    ));
    let expected = expected(&logs);
    for node in [CLINIC, MINISTRY] {
        let found = found(&fleet, node);
        let (missing, extra): (Vec<_>, Vec<_>) =
            (expected.difference(&found).collect(), found.difference(&expected).collect());
        assert!(
            missing.is_empty() && extra.is_empty(),
            "node {node}: committed and not there {missing:#?}, there {extra:#?}"
        );
    }
    let mut added: BTreeMap<String, i64> = BTreeMap::new();
    for (item, amount) in logs.iter().flat_map(|log| &log.added) {
        *added.entry(item.clone()).or_default() += amount;
    }
    let stock: Vec<String> = added.iter().map(|(item, amount)| format!("{item}: {amount}")).collect();
    assert_eq!(
        texts(
            &mut fleet.nodes[MINISTRY].connect(),
            "SELECT item || ': ' || amount FROM stock ORDER BY item COLLATE \"C\""
        ),
        stock
    );
    let conflicts = nothing_overwritten_unseen(&mut fleet, &logs, &rounds);
    tell(&format!("{} rows arrived, {conflicts} conflicts", same(&mut fleet).len()));
    assert!(commits > 100, "the application did something");
}
