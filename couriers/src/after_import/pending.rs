//! What hooks are still to be told, in the node's folder.
//!
//! Invariant: from before an import changes anything until every hook has been told of it, the file says so: after a
//! power cut a hook is told at least once, never not at all.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use saddlebag_formats::TimeMs;
use saddlebag_importer::{TableTally, Tables};
use saddlebag_keys::files::{self, FileError};
use serde::{Deserialize, Serialize};

use crate::folder::AFTER_IMPORT_FILE;

const BYTES_MAX: u64 = 16 << 20;
/// The first failure is tried again at once, the second after this, and twice as long each time …
const WAIT_MS: i64 = 60_000;
/// … up to this.
const WAIT_MS_MAX: i64 = 3_600_000;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    /// An import has begun and not said what it changed.
    #[serde(default)]
    pub(super) is_importing: bool,
    /// What is to be told, by hook.
    #[serde(default)]
    pub(super) hooks: Vec<Untold>,
}

/// What one hook is still to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Untold {
    /// As it is shown.
    pub(super) hook: String,
    /// When the first import was made that it does not know of.
    pub(super) since_ms: i64,
    /// Whether more may have changed than is counted: an import was cut off.
    pub(super) is_incomplete: bool,
    /// By table.
    pub(super) tables: Vec<(String, u64, u64)>,
    /// How often it has failed since it last succeeded.
    pub(super) attempts: u32,
    /// When that was last.
    pub(super) last_attempt_ms: Option<i64>,
    /// When that was first.
    pub(super) failing_since_ms: Option<i64>,
    /// What happened.
    pub(super) reason: Option<String>,
}

impl Pending {
    /// Reads the file. One that cannot be understood says that something may have changed.
    pub(super) fn read(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(AFTER_IMPORT_FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let bytes = files::read_bounded(&path, BYTES_MAX)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Self { is_importing: true, hooks: Vec::new() }))
    }

    /// Writes the file so that it survives a power cut; takes it away where there is nothing to say.
    pub(super) fn write(&self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(AFTER_IMPORT_FILE);
        let failed = |source| FileError::Io { action: "write", path: path.clone(), source };
        if *self != Self::default() {
            let bytes = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
            return files::replace(folder, AFTER_IMPORT_FILE, &bytes).map(|_| ());
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    /// Keeps only what concerns these hooks, and adds to it what an import has changed.
    pub(super) fn add(&mut self, hooks: &[String], tables: &Tables, now: TimeMs) {
        let is_incomplete = std::mem::take(&mut self.is_importing);
        self.hooks.retain(|untold| hooks.contains(&untold.hook));
        if tables.is_empty() && !is_incomplete {
            return;
        }
        for hook in hooks {
            match self.hooks.iter_mut().find(|untold| untold.hook == *hook) {
                Some(untold) => untold.add(tables, is_incomplete),
                None => {
                    let mut untold = Untold::new(hook, now);
                    untold.add(tables, is_incomplete);
                    self.hooks.push(untold);
                }
            }
        }
    }
}

impl Untold {
    fn new(hook: &str, now: TimeMs) -> Self {
        Self {
            hook: hook.to_owned(),
            since_ms: now.0,
            is_incomplete: false,
            tables: Vec::new(),
            attempts: 0,
            last_attempt_ms: None,
            failing_since_ms: None,
            reason: None,
        }
    }

    fn add(&mut self, tables: &Tables, is_incomplete: bool) {
        let mut sum = self.tables();
        saddlebag_importer::add_tables(&mut sum, tables);
        self.tables = sum.into_iter().map(|(table, counts)| (table, counts.written, counts.deleted)).collect();
        self.is_incomplete |= is_incomplete;
    }

    /// What has changed.
    pub(super) fn tables(&self) -> Tables {
        let tally = |(table, written, deleted): &(String, u64, u64)| {
            (table.clone(), TableTally { written: *written, deleted: *deleted })
        };
        self.tables.iter().map(tally).collect()
    }

    /// Before when it is not tried again; none if it is tried now, as it is when the clock was set back.
    pub(super) fn waits_until(&self, now: TimeMs) -> Option<TimeMs> {
        let last = self.last_attempt_ms?;
        let doublings = self.attempts.checked_sub(2)?.min(20);
        let until = last.saturating_add((WAIT_MS << doublings).min(WAIT_MS_MAX));
        (last..until).contains(&now.0).then_some(TimeMs(until))
    }

    pub(super) fn failed(&mut self, reason: &str, now: TimeMs) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_attempt_ms = Some(now.0);
        self.failing_since_ms.get_or_insert(now.0);
        self.reason = Some(reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(table: &str, written: u64, deleted: u64) -> Tables {
        [(table.to_owned(), TableTally { written, deleted })].into()
    }

    #[test]
    fn what_was_not_told_adds_up_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = ["a".to_owned(), "b".to_owned()];
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add(&hooks, &Tables::new(), TimeMs(1));
        assert_eq!(pending, Pending::default(), "an import that changed nothing is no news");
        pending.add(&hooks, &tables("patient", 2, 1), TimeMs(5));
        pending.hooks[1].failed("no", TimeMs(6));
        pending.write(folder.path()).unwrap();
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add(&hooks[1..], &tables("patient", 3, 0), TimeMs(9));
        let [untold] = pending.hooks.as_slice() else { panic!("{pending:?}") };
        assert_eq!((untold.since_ms, untold.failing_since_ms, untold.attempts), (5, Some(6), 1));
        assert_eq!(untold.tables(), tables("patient", 5, 1));
        Pending::default().write(folder.path()).unwrap();
        Pending::default().write(folder.path()).unwrap();
        assert!(!folder.path().join(AFTER_IMPORT_FILE).exists());
    }

    #[test]
    fn an_import_that_was_cut_off_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        Pending { is_importing: true, hooks: Vec::new() }.write(folder.path()).unwrap();
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add(&["a".to_owned()], &Tables::new(), TimeMs(1));
        assert!(pending.hooks[0].is_incomplete && !pending.is_importing);
        files::replace(folder.path(), AFTER_IMPORT_FILE, b"{").unwrap();
        assert!(Pending::read(folder.path()).unwrap().is_importing, "a damaged file");
    }

    #[test]
    fn each_failure_is_waited_for_longer_up_to_an_hour() {
        let mut untold = Untold::new("a", TimeMs(0));
        let minute = |minutes: i64| TimeMs(minutes * 60_000);
        untold.failed("no", minute(0));
        assert_eq!(untold.waits_until(minute(0)), None, "the first is tried again at once");
        untold.failed("no", minute(0));
        assert_eq!(untold.waits_until(minute(0)), Some(minute(1)));
        assert_eq!(untold.waits_until(minute(1)), None);
        untold.failed("no", minute(1));
        assert_eq!(untold.waits_until(minute(1)), Some(minute(3)));
        assert_eq!(untold.waits_until(minute(-500)), None, "the clock was set back");
        for _ in 0..100 {
            untold.failed("no", minute(1));
        }
        assert_eq!(untold.waits_until(minute(60)), Some(minute(61)));
    }
}
