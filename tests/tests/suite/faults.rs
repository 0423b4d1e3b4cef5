//! Faults on purpose: the simulator notices each of them, by a check.

use saddlebag_formats::faults::Fault;
use saddlebag_tests::sim::fault_search::{line, noticed};
use saddlebag_tests::sim::template::Templates;
use saddlebag_tests::tell;

/// Seeds after which a fault counts as unnoticed.
const SEEDS_MAX: u64 = 300;

/// Where each fault was noticed when this was written: the search begins there.
const NOTICED_AT: [(Fault, u64); 0] = [];

#[test]
fn every_fault_is_noticed() {
    let templates = Templates::new();
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL {
        let first = NOTICED_AT.iter().find(|(known, _)| *known == fault).map_or(0, |(_, seed)| *seed);
        let failed = noticed(fault, first..first + SEEDS_MAX, &templates);
        tell(&line(fault, failed.as_ref()));
        let wrong = failed.and_then(|run| run.wrong).unwrap_or_default();
        if wrong.is_empty() || wrong.starts_with("it panicked") {
            unnoticed.push((fault, wrong));
        }
    }
    assert!(unnoticed.is_empty(), "no check notices {unnoticed:?}");
}
