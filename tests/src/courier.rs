//! A courier between two clinics and their ministry: some bundles are lost, some come twice, in whatever order.

use std::collections::BTreeMap;

use saddlebag_importer::ImportResult;

use crate::fleet::{Fleet, TestEntropy};

/// Bundles on their way, and what became of those before.
#[derive(Debug)]
pub struct Courier {
    random: TestEntropy,
    on_the_way: Vec<(usize, Vec<u8>)>,
}

impl Courier {
    /// A courier whose luck follows from a seed.
    #[must_use]
    pub fn new(random: TestEntropy) -> Self {
        Self { random, on_the_way: Vec::new() }
    }

    /// A trip: every node leaves its bundles, and some of those on the way arrive. Counts what was made, lost, applied,
    /// known already, too early, and the records applied.
    pub fn trip(&mut self, fleet: &mut Fleet, counts: &mut BTreeMap<&'static str, u64>) {
        for (from, to) in [(1, 0), (2, 0), (0, 1), (0, 2)] {
            let bundles = fleet.export(from, to);
            *counts.entry("made").or_default() += bundles.len() as u64;
            self.on_the_way.extend(bundles.into_iter().map(|bundle| (to, bundle)));
        }
        for _ in 0..self.on_the_way.len() {
            let at = self.random.below(self.on_the_way.len());
            match self.random.below(4) {
                0 => {
                    self.on_the_way.remove(at);
                    *counts.entry("lost").or_default() += 1;
                }
                1 => self.bring(at, fleet, counts),
                _ => {
                    self.bring(at, fleet, counts);
                    self.on_the_way.remove(at);
                }
            }
        }
    }

    fn bring(&self, at: usize, fleet: &mut Fleet, counts: &mut BTreeMap<&'static str, u64>) {
        let (to, bundle) = &self.on_the_way[at];
        let applied = fleet.nodes[*to].import(bundle).unwrap();
        let result = match applied.result {
            ImportResult::Applied => "applied",
            ImportResult::Already => "known already",
            ImportResult::Waiting { .. } => "too early",
        };
        *counts.entry(result).or_default() += 1;
        *counts.entry("records applied").or_default() += applied.tally.records;
    }
}
