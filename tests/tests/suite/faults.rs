//! Faults on purpose: the simulator notices each of them by a check, at the seed that `docs/reliability.md` names.
//!
//! Without faults the suite `simulation` runs the same seeds.

use saddlebag_formats::faults::Fault;
use saddlebag_tests::sim::fault_search::{line, listed, noticed};
use saddlebag_tests::sim::table;
use saddlebag_tests::sim::template::Templates;
use saddlebag_tests::tell;

/// Faults that no seed has noticed yet.
const UNNOTICED: [Fault; 2] = [Fault::EffectiveTimeIgnored, Fault::SavepointKept];

#[test]
fn faults_are_noticed() {
    let page = std::fs::read_to_string(table::page()).unwrap();
    let templates = Templates::new();
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL.into_iter().filter(|fault| !UNNOTICED.contains(fault)) {
        let seed = listed(fault, &page);
        let failed = seed.and_then(|seed| noticed(fault, seed..seed + 1, &templates));
        tell(&line(fault, failed.as_ref()));
        let wrong = failed.and_then(|run| run.wrong).unwrap_or_default();
        if wrong.is_empty() || wrong.starts_with("it panicked") {
            unnoticed.push((fault, seed, wrong));
        }
    }
    assert!(unnoticed.is_empty(), "no check notices {unnoticed:?}; `simulate --seeds 0..300 --faults` looks for seeds");
}
