//! Which seed notices a fault that was put in on purpose.

use std::ops::Range;

use saddlebag_formats::faults::{Fault, switch};

use super::run::{Run, run};
use super::template::Templates;

/// The first of these seeds that fails while a rule is broken.
#[must_use]
pub fn noticed(fault: Fault, mut seeds: Range<u64>, templates: &Templates) -> Option<Run> {
    switch(Some(fault));
    let failed = seeds.find_map(|seed| Some(run(seed, templates)).filter(|run| run.wrong.is_some()));
    switch(None);
    failed
}

/// The seed by which a page's table says that a fault is noticed.
#[must_use]
pub fn listed(fault: Fault, page: &str) -> Option<u64> {
    let begin = format!("| `{fault:?}` | ");
    let line = page.lines().find_map(|line| line.strip_prefix(&begin))?;
    line.split(' ').next()?.parse().ok()
}

/// A line of the table in `docs/reliability.md`.
#[must_use]
pub fn line(fault: Fault, noticed: Option<&Run>) -> String {
    let Some(noticed) = noticed else { return format!("| `{fault:?}` | none | nothing |") };
    let wrong: String = noticed.wrong.as_deref().unwrap_or_default().chars().take(120).collect();
    format!("| `{fault:?}` | {} | {} |", noticed.seed, wrong.replace(['|', '\n'], " "))
}
