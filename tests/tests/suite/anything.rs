//! Three nodes, a schema of any kind put together at random, and everything that SQL lets applications do.
//!
//! Bundles are lost, repeated and reordered; then quiet rounds. In the end all nodes must say the same, by SQL of the
//! test's own, but for what is held, beside a record, in conflict or at home: and each such explanation is checked to
//! be true. No committed value may be lost, no record come twice, no reference mean another record.

mod account;
mod evidence;
mod explain;
mod look;
mod parts;
mod schema;
mod seeds;
mod verdict;
mod work;
mod world;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use saddlebag_tests::engines::{Engines, SQLITE};
use saddlebag_tests::{on_engines, tell};

use evidence::Evidence;
use world::World;

/// What occurs in so many cases as there are by default.
const OCCURS: [&str; 6] = [
    "insert, insert or ignore, upsert, insert or replace by key, insert or replace by a unique value, update or replace, \
     edit, one row edited five times, update that changes nothing, excluded column edited, reference changed, \
     dangling reference, reference to an untracked table, delete, delete with children, refused to the application",
    "identity corrected, identities exchanged, identity used again, identity used again elsewhere, entered again, \
     entered again later, unique values exchanged, values passed around, shown number edited, \
     another column of a shown number edited, column that appears",
    "export, bundle applied, bundle known already, bundle too early, bundle that comes again, bundle lost, \
     records applied, conflict, true conflict, parked, quarantined, settled, explained difference",
    "beside: dangling, beside: no column, beside: no target, beside: other form, beside: shown with its origin, \
     row that stays at home",
    "held: another record of that identity, held: check, held: unique, held: parked, held: deletion, \
     held: required target that never comes, unique value corrected, refused value corrected",
    "table person, table patient, table staff, table duty, table stay, table item, table visit, table team, table post, \
     table note, table village, table street, table known, table claim, table thing, table slip, table account, \
     table circle, table pair, table audit, table report, table rule, table reply",
];

/// Cases by default.
const CASES: u64 = 1_000;
/// Cases by default where some node is on a server, which takes longer over each.
const CASES_ON_SERVERS: u64 = 40;

fn run(on: Engines, seed: u64) -> BTreeMap<String, u64> {
    let mut world = World::new(on, seed);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    if let Err(panic) = outcome {
        if std::env::var_os("SADDLEBAG_TRACE").is_some() {
            (0..schema::NAMES.len())
                .for_each(|node| tell(&format!("-- {}\n{}", schema::NAMES[node], world.spec.sql(node))));
            tell(&world.spec.config());
            tell(&world.log.join("\n"));
        }
        std::panic::resume_unwind(panic);
    }
    world.counts
}

fn work(world: &mut World) {
    let steps = 12 + world.random.below(15);
    for _ in 0..steps {
        if world.one_in(3) {
            world.courier();
        } else {
            world.work();
        }
    }
}

fn live(world: &mut World) {
    work(world);
    world.settle();
    if world.one_in(3) {
        // A second time, on what all places know.
        work(world);
        world.settle();
    }
    let mut evidence = Evidence::gather(world);
    explain::check(world, &evidence);
    verdict::judge(world, &evidence);
    account::account(world, &evidence);
    account::conflicts_are_true(world, &evidence);
    // What stands in the way is corrected, as people would: then it is held no more.
    for _ in 0..4 {
        if !explain::correct(world, &evidence) {
            return;
        }
        world.settle();
        evidence = Evidence::gather(world);
        explain::check(world, &evidence);
        verdict::judge(world, &evidence);
        account::account(world, &evidence);
    }
}

/// Some cases on one thread; the counts of all.
fn some(on: Engines, seeds: impl Iterator<Item = u64>) -> BTreeMap<String, u64> {
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for seed in seeds {
        match std::panic::catch_unwind(|| run(on, seed)) {
            Ok(counts) => counts.into_iter().for_each(|(what, count)| *totals.entry(what).or_default() += count),
            Err(panic) => {
                tell(&format!("{on:?}: seed {seed} failed; run it alone with SADDLEBAG_SEED={seed} SADDLEBAG_CASES=1"));
                if std::env::var_os("SADDLEBAG_GO_ON").is_none() {
                    std::panic::resume_unwind(panic);
                }
                *totals.entry("failed".to_owned()).or_default() += 1;
            }
        }
    }
    totals
}

on_engines!(anything_that_applications_do_ends_equal_everywhere);
fn anything_that_applications_do_ends_equal_everywhere(on: Engines) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SADDLEBAG_SEED").unwrap_or(1);
    let cases = number("SADDLEBAG_CASES").unwrap_or(if on == SQLITE { CASES } else { CASES_ON_SERVERS });
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let all: Vec<BTreeMap<String, u64>> = std::thread::scope(|scope| {
        let start = |at| scope.spawn(move || some(on, (first + at..first + cases).step_by(threads as usize)));
        let started: Vec<_> = (0..threads).map(start).collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for (what, count) in all.into_iter().flatten() {
        *totals.entry(what).or_default() += count;
    }
    tell(&format!("{on:?}: {cases} cases from seed {first}: {totals:?}"));
    assert_eq!(totals.get("failed"), None);
    if cases >= CASES && on == SQLITE {
        for what in OCCURS.iter().flat_map(|line| line.split(',')).map(str::trim) {
            assert!(totals.get(what).copied().unwrap_or(0) > 0, "`{what}` never occurred");
        }
    }
}
