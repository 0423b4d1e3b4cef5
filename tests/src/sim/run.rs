//! One seed, from its plan to its account.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::plan::Plan;
use super::template::Templates;
use super::world::World;

/// Lines of the trace that are shown of a run that failed.
const LINES_SHOWN: usize = 150;

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// The SHA-256 of its trace.
    pub digest: String,
    /// What was wrong; nothing if all is well.
    pub wrong: Option<String>,
    /// The last lines of its trace.
    pub last_lines: Vec<String>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, templates: &Templates) -> Run {
    run_without(seed, templates, &BTreeSet::new())
}

/// Runs a seed without some of its events.
#[must_use]
pub fn run_without(seed: u64, templates: &Templates, left_out: &BTreeSet<usize>) -> Run {
    let mut world = World::new(Plan::of(seed), templates);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for number in (0..world.plan.events).filter(|number| !left_out.contains(number)) {
            world.trace.say(format!("event {number}"));
            world.event(number)?;
        }
        world.come_to_rest()
    }));
    let wrong = match outcome {
        Ok(checked) => checked.err(),
        Err(panic) => Some(format!("it panicked: {}", words_of(panic.as_ref()))),
    };
    let last_lines = world.trace.end(LINES_SHOWN);
    Run { seed, digest: world.trace.digest(), wrong, last_lines }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}

/// Leaves out events of a seed that fails, as long as it still fails in the same way, in larger and smaller pieces;
/// tries no more than so many runs.
#[must_use]
pub fn shrink(seed: u64, templates: &Templates, runs_max: usize) -> (Run, BTreeSet<usize>) {
    let mut best = run(seed, templates);
    let kind = best.kind().map(|words| words.join(" "));
    let (mut left_out, mut runs) = (BTreeSet::new(), 0);
    let events = Plan::of(seed).events;
    let mut piece = events / 2;
    while piece > 0 && best.wrong.is_some() {
        let mut at = 0;
        while at < events && runs < runs_max {
            let more: BTreeSet<usize> = left_out.iter().copied().chain(at..(at + piece).min(events)).collect();
            at += piece;
            if more.len() == left_out.len() {
                continue;
            }
            runs += 1;
            let fewer = run_without(seed, templates, &more);
            if fewer.kind().map(|words| words.join(" ")) == kind {
                (best, left_out) = (fewer, more);
            }
        }
        piece /= 2;
    }
    (best, left_out)
}

impl Run {
    /// What is wrong without names, values and numbers; none if nothing is.
    fn kind(&self) -> Option<Vec<&str>> {
        let is_plain = |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase());
        Some(self.wrong.as_ref()?.split(' ').filter(is_plain).take(6).collect())
    }

    /// What is wrong, with how to see it again.
    #[must_use]
    pub fn report(&self) -> String {
        let Self { seed, wrong, last_lines, .. } = self;
        let shown: Vec<String> = last_lines.iter().map(|line| line.chars().take(600).collect()).collect();
        let wrong = wrong.as_deref().unwrap_or("nothing is wrong");
        format!("{}\nseed {seed}: {wrong}\nrun it again with SADDLEBAG_SEED={seed}", shown.join("\n"))
    }
}
