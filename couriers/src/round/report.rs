//! What a round reports, bundle by bundle. The fields are those of `--json`: only ever added to.

use std::path::Path;

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::{TimeMs, utc};
use saddlebag_importer::clocks::CLOCK_FIRST;
use serde::{Serialize, Serializer};

use crate::admission::ListedEntries;
use crate::after_import::HookReport;
use crate::health::ClockDoubt;

/// What became of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BundleResult {
    /// It was put at the place.
    Written,
    /// It lay at the place already, and still says all there is to say.
    Unchanged,
    /// It was applied.
    Applied,
    /// It had been applied before, and changed nothing.
    Already,
    /// It waits in the inbox for the one that it follows.
    Waiting,
    /// It was refused and changed nothing, or could not be put at the place.
    Refused,
}

/// One bundle of a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleReport {
    /// Its file; empty where none was made.
    pub file: String,
    /// Its sender: the name where it is known, else the id, else empty.
    pub from: String,
    /// Its receiver: the name where it is known, else the id, else empty.
    pub to: String,
    /// Its number in the sender's stream.
    pub number: Option<u64>,
    /// It covers the sender's feed after this position …
    pub after: Option<u64>,
    /// … up to and with this one.
    pub upto: Option<u64>,
    /// What became of it.
    pub result: BundleResult,
    /// Why, where it was refused or waits.
    pub reason: Option<String>,
    /// What to do next, where there is something to do.
    pub hint: Option<String>,
    /// Records that it carries, or that were written or deleted because of it; 0 where that is not known.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// Columns and deletions in conflict.
    pub conflicts: u64,
    /// Changes that wait for a record.
    pub parked: u64,
    /// Changes that the database refused.
    pub quarantined: u64,
    /// Changes that had been held and are applied now.
    pub settled: u64,
    /// What its sender's clock said when it was made, for one that came.
    #[serde(serialize_with = "as_text")]
    pub created: Option<TimeMs>,
    /// How far that clock was ahead of this node's when it came, in milliseconds. Below 0 it is the time that the bundle
    /// took, or the clock was behind.
    pub clock_ahead_ms: Option<i64>,
    /// Whether that clock cannot be right: it was before 2025.
    pub clock_is_wrong: bool,
}

/// A whole round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RoundReport {
    /// Whether it was only found out what would be done.
    pub dry_run: bool,
    /// What became of each bundle: first those that came, then those that go.
    pub bundles: Vec<BundleReport>,
    /// Files that were left alone: for other nodes, of other deployments, or none of saddlebag's.
    pub foreign: u64,
    /// Whether there were more files than one round looks at: run it again.
    pub is_truncated: bool,
    /// Neighbours that lack nothing.
    pub nothing_for: Vec<String>,
    /// Own bundles that were taken off the place, because they were acknowledged or a newer one took their place.
    pub removed: Vec<String>,
    /// Who was told of what has changed here, or could not be.
    pub hooks: Vec<HookReport>,
    /// This node's clock at the end of the round.
    #[serde(serialize_with = "as_text")]
    pub clock: Option<TimeMs>,
    /// Why that clock is not to be believed, if it is not.
    pub clock_doubt: Option<ClockDoubt>,
    /// Changes that had been held and are applied now, because of something that was entered here since.
    pub settled_later: u64,
    /// Nodes that districts have admitted, and what became of them here.
    pub entries: ListedEntries,
}

impl RoundReport {
    pub(crate) fn new(dry_run: bool) -> Self {
        Self { dry_run, ..Self::default() }
    }

    /// Whether any bundle was refused.
    #[must_use]
    pub fn any_refused(&self) -> bool {
        self.bundles.iter().any(|bundle| bundle.result == BundleResult::Refused)
    }

    /// Whether something that came is held, in conflict, or waits.
    #[must_use]
    pub fn any_left_over(&self) -> bool {
        let left = |bundle: &BundleReport| {
            bundle.result == BundleResult::Waiting || bundle.conflicts + bundle.parked + bundle.quarantined > 0
        };
        self.bundles.iter().any(left)
    }
}

impl BundleReport {
    /// A report of which only the file and what became of it is known.
    pub(crate) fn new(file: &Path, result: BundleResult) -> Self {
        Self {
            file: file.display().to_string(),
            from: String::new(),
            to: String::new(),
            number: None,
            after: None,
            upto: None,
            result,
            reason: None,
            hint: None,
            records: 0,
            bytes: 0,
            conflicts: 0,
            parked: 0,
            quarantined: 0,
            settled: 0,
            created: None,
            clock_ahead_ms: None,
            clock_is_wrong: false,
        }
    }

    pub(crate) fn with_header(self, header: &BundleHeader) -> Self {
        let (number, after, upto) = (header.number.0, header.after.0, header.upto.0);
        Self { number: Some(number), after: Some(after), upto: Some(upto), ..self }
    }

    /// What the sender's clock said when the bundle was made, and what ours says now that it came.
    pub(crate) fn with_clocks(self, created: TimeMs, now: TimeMs) -> Self {
        let ahead_ms = created.0.saturating_sub(now.0);
        let clock_is_wrong = created < CLOCK_FIRST;
        Self { created: Some(created), clock_ahead_ms: Some(ahead_ms), clock_is_wrong, ..self }
    }

    pub(crate) fn between(self, from: String, to: String) -> Self {
        Self { from, to, ..self }
    }

    pub(crate) fn because(self, reason: String, hint: Option<&str>) -> Self {
        Self { reason: Some(reason), hint: hint.map(str::to_owned), ..self }
    }
}

fn as_text<S: Serializer>(time: &Option<TimeMs>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(utc::format).serialize(serializer)
}
