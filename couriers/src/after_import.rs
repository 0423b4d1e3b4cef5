//! Telling an application what an import has changed, so that it can drop its caches.
//!
//! Invariant: an import never waits for it nor fails because of it. What a hook was not told is kept and told with
//! the next import, summed.

mod address;
mod command;
mod hook;
mod pending;

use std::path::PathBuf;
use std::time::Duration;

use saddlebag_formats::ambient::Clock;
use saddlebag_formats::{TimeMs, utc};
use saddlebag_importer::{Tables, add_tables};
use saddlebag_keys::files::FileError;
use serde::{Serialize, Serializer};

use crate::node::Node;
use pending::{Pending, Untold};

pub use hook::{HOOKS_MAX, Hook, HookError, HooksConfig, SECONDS, SECONDS_MAX};

/// Lines of what a hook says that are shown.
const LINES_MAX: usize = 5;
/// Characters of each of them.
const LINE_CHARACTERS_MAX: usize = 200;

/// What a hook is told: one JSON object.
#[derive(Debug, Serialize)]
struct Message<'a> {
    node: &'a str,
    /// When the first of these imports was made.
    #[serde(serialize_with = "as_one_text")]
    since: TimeMs,
    /// Which attempt this is, from 1.
    attempt: u32,
    /// Whether more may have changed than is counted.
    incomplete: bool,
    tables: Vec<TableMessage<'a>>,
}

#[derive(Debug, Serialize)]
struct TableMessage<'a> {
    table: &'a str,
    written: u64,
    deleted: u64,
}

/// What became of telling a hook. The fields are those of `--json`: only ever added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookReport {
    /// The program with its arguments, or the address without its password.
    pub hook: String,
    /// What became of it.
    pub result: HookResult,
    /// Why it was not told.
    pub reason: Option<String>,
    /// What it said, shortened.
    pub output: String,
}

/// Whether a hook was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HookResult {
    /// It was.
    Told,
    /// It failed; it is tried again with the next import.
    Failed,
    /// It failed not long ago, and was not tried.
    Waiting,
}

/// How a hook does that has not been told everything. The fields are those of `--json`: only ever added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookStatus {
    /// The program with its arguments, or the address without its password.
    pub hook: String,
    /// When the first import was made that it does not know of.
    #[serde(serialize_with = "as_one_text")]
    pub since: TimeMs,
    /// When it first failed; none if it has not been tried.
    #[serde(serialize_with = "as_text")]
    pub failing_since: Option<TimeMs>,
    /// How often it has failed since.
    pub attempts: u32,
    /// What happened last.
    pub reason: Option<String>,
}

/// A hook that did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    reason: String,
    output: String,
}

/// The hooks of a node while it takes in bundles.
#[derive(Debug)]
pub(crate) struct AfterImport {
    hooks: Vec<Hook>,
    limit: Duration,
    node: String,
    folder: PathBuf,
    /// Once an import may have changed something: whether one before it was cut off.
    begun: Option<bool>,
    tables: Tables,
}

impl AfterImport {
    /// Those of a node.
    pub(crate) fn of(node: &Node) -> Self {
        let hooks = &node.config.hooks;
        Self {
            hooks: hooks.after_import.clone(),
            limit: Duration::from_secs(hooks.seconds()),
            node: node.config.node.name.to_string(),
            // A program that runs in it would count a relative path from there once more.
            folder: std::path::absolute(&node.folder).unwrap_or_else(|_| node.folder.clone()),
            begun: None,
            tables: Tables::new(),
        }
    }

    /// An import is about to change something. That this cannot be noted is no reason not to import: it is told when
    /// what has changed cannot be noted either.
    pub(crate) fn begin(&mut self) {
        if self.hooks.is_empty() || self.begun.is_some() {
            return;
        }
        let mut pending = Pending::read(&self.folder).unwrap_or_default();
        self.begun = Some(pending.is_importing);
        pending.is_importing = true;
        let _told_later = pending.write(&self.folder);
    }

    /// An import has changed this.
    pub(crate) fn changed(&mut self, tables: &Tables) {
        add_tables(&mut self.tables, tables);
    }

    /// Notes what is to be told, for this program or the next.
    pub(crate) fn note(&mut self, now: TimeMs) {
        if !self.hooks.is_empty() {
            let _told_later = self.noted(now);
        }
    }

    /// Tells every hook what it does not know yet.
    pub(crate) fn tell(&mut self, clock: &dyn Clock) -> Vec<HookReport> {
        if self.hooks.is_empty() {
            return Vec::new();
        }
        let (mut pending, mut problem) = self.noted(clock.now());
        let before = pending.clone();
        let reports: Vec<_> = self.hooks.iter().filter_map(|hook| self.tell_one(hook, &mut pending, clock)).collect();
        if pending != before {
            problem = pending.write(&self.folder).err();
        }
        reports.into_iter().map(|report| unless_kept(report, problem.as_ref())).collect()
    }

    /// What is to be told, as it stands in the file now, unless that could not be written.
    fn noted(&mut self, now: TimeMs) -> (Pending, Option<FileError>) {
        let (mut pending, unread) = match Pending::read(&self.folder) {
            Ok(pending) => (pending, None),
            Err(error) => (Pending { is_importing: true, hooks: Vec::new() }, Some(error)),
        };
        let before = pending.clone();
        pending.is_importing = self.begun.unwrap_or(pending.is_importing);
        let names: Vec<_> = self.hooks.iter().map(Hook::to_string).collect();
        pending.add(&names, &self.tables, now);
        let written = if pending == before { Ok(()) } else { pending.write(&self.folder) };
        if written.is_ok() {
            self.begun = None;
            self.tables.clear();
        }
        (pending, unread.or(written.err()))
    }

    /// Nothing where the hook knows everything.
    fn tell_one(&self, hook: &Hook, pending: &mut Pending, clock: &dyn Clock) -> Option<HookReport> {
        let name = hook.to_string();
        let at = pending.hooks.iter().position(|untold| untold.hook == name)?;
        let untold = &mut pending.hooks[at];
        if let Some(until) = untold.waits_until(clock.now()) {
            let last = untold.reason.as_deref().unwrap_or("it failed");
            let reason = format!("{last}; it is not tried again before {}", utc::format(until));
            return Some(HookReport {
                hook: name,
                result: HookResult::Waiting,
                reason: Some(reason),
                output: String::new(),
            });
        }
        match self.run(hook, untold) {
            Ok(output) => {
                pending.hooks.remove(at);
                Some(HookReport { hook: name, result: HookResult::Told, reason: None, output })
            }
            Err(Failure { reason, output }) => {
                untold.failed(&reason, clock.now());
                Some(HookReport { hook: name, result: HookResult::Failed, reason: Some(reason), output })
            }
        }
    }

    fn run(&self, hook: &Hook, untold: &Untold) -> Result<String, Failure> {
        let tables = untold.tables();
        let message = Message {
            node: &self.node,
            since: TimeMs(untold.since_ms),
            attempt: untold.attempts.saturating_add(1),
            incomplete: untold.is_incomplete,
            tables: tables
                .iter()
                .map(|(table, counts)| TableMessage { table, written: counts.written, deleted: counts.deleted })
                .collect(),
        };
        let mut message = serde_json::to_vec(&message)
            .map_err(|error| Failure { reason: error.to_string(), output: String::new() })?;
        message.push(b'\n');
        match hook {
            Hook::Command { program, arguments } => {
                command::run((program, arguments), &self.folder, &message, self.limit)
            }
            Hook::Address(address) => address::post(address, &message, self.limit),
        }
    }
}

/// The hooks of a node that have not been told everything.
pub(crate) fn untold(node: &Node) -> Result<Vec<HookStatus>, FileError> {
    let names: Vec<_> = node.config.hooks.after_import.iter().map(Hook::to_string).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let untold = Pending::read(&node.folder)?.hooks.into_iter().filter(|untold| names.contains(&untold.hook));
    let status = |untold: Untold| HookStatus {
        hook: untold.hook,
        since: TimeMs(untold.since_ms),
        failing_since: untold.failing_since_ms.map(TimeMs),
        attempts: untold.attempts,
        reason: untold.reason,
    };
    Ok(untold.map(status).collect())
}

fn unless_kept(report: HookReport, problem: Option<&FileError>) -> HookReport {
    match (report.result, problem) {
        (HookResult::Failed | HookResult::Waiting, Some(problem)) => {
            let reason = report.reason.unwrap_or_default();
            HookReport { reason: Some(format!("{reason}; and that cannot be kept for later: {problem}")), ..report }
        }
        _ => report,
    }
}

/// The first lines of what a hook says.
fn in_short(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let short = |line: &str| match line.char_indices().nth(LINE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    let mut shown: Vec<_> = lines.map(short).take(LINES_MAX + 1).collect();
    if shown.len() > LINES_MAX {
        shown[LINES_MAX] = "…".to_owned();
    }
    shown.join("\n")
}

fn as_one_text<S: Serializer>(time: &TimeMs, serializer: S) -> Result<S::Ok, S::Error> {
    utc::format(*time).serialize(serializer)
}

fn as_text<S: Serializer>(time: &Option<TimeMs>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(utc::format).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use saddlebag_importer::TableTally;

    use super::*;

    /// A clock that stands still.
    struct At(i64);

    impl Clock for At {
        fn now(&self) -> TimeMs {
            TimeMs(self.0)
        }
    }

    fn after(folder: &tempfile::TempDir, script: &str) -> AfterImport {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        AfterImport {
            hooks: vec![Hook::of_words(words).unwrap()],
            limit: Duration::from_secs(60),
            node: "clinic-07".to_owned(),
            folder: folder.path().to_owned(),
            begun: None,
            tables: Tables::new(),
        }
    }

    fn tables(table: &str, written: u64, deleted: u64) -> Tables {
        [(table.to_owned(), TableTally { written, deleted })].into()
    }

    const SCRIPT: &str = "if test -e broken; then echo broken; exit 1; fi; cat >> told";

    fn told(folder: &tempfile::TempDir) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(folder.path().join("told")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn break_it(folder: &tempfile::TempDir) {
        saddlebag_keys::files::replace(folder.path(), "broken", b"").unwrap();
    }

    #[test]
    fn an_import_that_changed_nothing_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut after = after(&folder, SCRIPT);
        after.begin();
        after.note(TimeMs(0));
        assert!(after.tell(&At(0)).is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_failed_is_told_with_the_next_import_in_one() {
        let folder = tempfile::tempdir().unwrap();
        break_it(&folder);
        let mut first = after(&folder, SCRIPT);
        first.begin();
        first.changed(&tables("patient", 2, 1));
        let reports = first.tell(&At(1_790_000_000_000));
        assert_eq!((reports[0].result, reports[0].output.as_str()), (HookResult::Failed, "broken"));
        assert_eq!(after(&folder, SCRIPT).tell(&At(1_790_000_000_001))[0].result, HookResult::Failed);
        let waiting = &after(&folder, SCRIPT).tell(&At(1_790_000_000_002))[0];
        assert_eq!(waiting.result, HookResult::Waiting);
        assert!(waiting.reason.as_ref().unwrap().contains("not tried again before 2026"), "{waiting:?}");
        assert_eq!(told(&folder).len(), 0);
        std::fs::remove_file(folder.path().join("broken")).unwrap();
        let mut second = after(&folder, SCRIPT);
        second.begin();
        second.changed(&tables("patient", 1, 0));
        second.note(TimeMs(1_790_000_100_000));
        assert_eq!(second.tell(&At(1_790_000_100_000))[0].result, HookResult::Told);
        let expected = serde_json::json!({
            "node": "clinic-07", "since": "2026-09-21T14:13:20Z", "attempt": 3, "incomplete": false,
            "tables": [{ "table": "patient", "written": 3, "deleted": 1 }],
        });
        assert_eq!(told(&folder), [expected]);
        assert!(second.tell(&At(1_790_000_100_000)).is_empty());
    }

    #[test]
    fn an_import_that_was_cut_off_is_told_as_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        after(&folder, SCRIPT).begin();
        // The power failed; the next import begins, and ends.
        let mut next = after(&folder, SCRIPT);
        next.begin();
        next.tell(&At(0));
        assert_eq!(told(&folder)[0]["incomplete"], true);
        assert!(after(&folder, SCRIPT).tell(&At(0)).is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_with_the_failure() {
        let folder = tempfile::tempdir().unwrap();
        let mut after = after(&folder, "exit 1");
        // A folder in its place, which can neither be read nor replaced.
        std::fs::create_dir_all(folder.path().join(crate::folder::AFTER_IMPORT_FILE).join("x")).unwrap();
        after.begin();
        after.changed(&tables("patient", 1, 0));
        let [report] = after.tell(&At(0)).try_into().unwrap();
        assert!(report.reason.unwrap().contains("cannot be kept for later"));
    }

    #[test]
    fn what_it_says_is_shortened() {
        assert_eq!(in_short(b"one\n\ntwo \n"), "one\ntwo");
        assert_eq!(in_short(&[b'x'; 300]).chars().count(), LINE_CHARACTERS_MAX + 1);
        assert_eq!(in_short(b"1\n2\n3\n4\n5\n6\n7").lines().last(), Some("…"));
    }
}
