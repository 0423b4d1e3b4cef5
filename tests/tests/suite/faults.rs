//! Faults on purpose: the simulator notices each of them, by a check.

use saddlebag_formats::faults::{Fault, switch};
use saddlebag_tests::sim::run::run;
use saddlebag_tests::sim::template::Templates;
use saddlebag_tests::tell;

/// Seeds after which a fault counts as unnoticed.
const SEEDS_MAX: u64 = 300;

/// Where each fault was noticed first: the search begins there. `docs/reliability.md` has the same table.
const NOTICED_AT: &[(Fault, u64)] = &[];

fn first_seed(fault: Fault) -> u64 {
    NOTICED_AT.iter().find(|(known, _)| *known == fault).map_or(0, |(_, seed)| *seed)
}

#[test]
fn every_fault_is_noticed() {
    let templates = Templates::new();
    let (mut unnoticed, mut noticed) = (Vec::new(), String::new());
    for fault in Fault::ALL {
        switch(Some(fault));
        let first = first_seed(fault);
        let failed = (first..first + SEEDS_MAX).map(|seed| run(seed, &templates)).find(|run| run.wrong.is_some());
        switch(None);
        let Some(failed) = failed else {
            unnoticed.push(fault);
            continue;
        };
        let wrong = failed.wrong.unwrap_or_default();
        assert!(!wrong.starts_with("it panicked"), "{fault:?}: seed {}: {wrong}", failed.seed);
        let short: String = wrong.chars().take(150).collect();
        noticed.push_str(&format!("| {fault:?} | {} | {short} |\n", failed.seed));
    }
    tell(&noticed);
    assert!(unnoticed.is_empty(), "nobody notices {unnoticed:?}");
}
