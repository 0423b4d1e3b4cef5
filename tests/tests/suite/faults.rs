//! Faults on purpose: the simulator notices each of them, but for a few, by a check.

use saddlebag_formats::faults::Fault;
use saddlebag_tests::sim::fault_search::{line, noticed};
use saddlebag_tests::sim::template::Templates;
use saddlebag_tests::tell;

/// Seeds after which a fault counts as unnoticed; without faults all of them pass.
const SEEDS_MAX: u64 = 26;

/// Faults that none of these seeds notices, or that nobody has looked for yet.
const RARE: [Fault; 5] = [
    Fault::BaseJustBefore,
    Fault::EffectiveTimeIgnored,
    Fault::SavepointKept,
    Fault::HighColumnsSkipped,
    Fault::SignatureBelieved,
];

#[test]
fn faults_are_noticed() {
    let templates = Templates::new();
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL.into_iter().filter(|fault| !RARE.contains(fault)) {
        let failed = noticed(fault, 0..SEEDS_MAX, &templates);
        tell(&line(fault, failed.as_ref()));
        let wrong = failed.and_then(|run| run.wrong).unwrap_or_default();
        if wrong.is_empty() || wrong.starts_with("it panicked") {
            unnoticed.push((fault, wrong));
        }
    }
    assert!(unnoticed.is_empty(), "no check notices {unnoticed:?}");
}
