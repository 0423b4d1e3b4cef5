//! `saddlebag log`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::log::{self, BreakKind, LogCheck, LogQuery, LogReport, LoggedRecord, ShownEntry};
use saddlebag_couriers::record_names::Here;
use saddlebag_couriers::shown::ShownVersion;
use saddlebag_formats::{LogKind, TimeMs, utc};

use super::times::words;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::sanitize::sanitize;

/// Show what happened at this node, who did it and why.
///
/// Every bundle that was made, applied or refused, every conflict, every change that was held, and whatever people did. The
/// newest entry comes last. Entries are chained by hash: --check says whether any was changed, added or taken away.
/// --record shows what happened to one record, and where what it holds came from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag log
  saddlebag log --since 7d --peer clinic-07
  saddlebag log --record patient ref=GNU777
  saddlebag log --check")]
pub struct LogArgs {
    /// Only what happened to one record: its table, and COLUMN=VALUE or its uid
    #[arg(long, num_args = 2, action = clap::ArgAction::Set, value_names = ["TABLE", "COLUMN=VALUE|UID"])]
    pub record: Option<Vec<String>>,
    /// Only what a neighbour did, or what is about it
    #[arg(long, value_name = "NAME")]
    pub peer: Option<String>,
    /// Only what happened since: 2026-11-21, 2026-11-21T10:15:00Z, or 7d, 12h, 30m ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
    /// Only events of a kind: applied, refused, conflict ...
    #[arg(long, value_parser = kind)]
    pub kind: Option<LogKind>,
    /// So many entries at most: the last
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Check the chain of hashes instead, from the first entry to the last
    #[arg(long, conflicts_with_all = ["record", "peer", "since", "kind", "limit"])]
    pub check: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// A time that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// That time.
    At(TimeMs),
    /// So many milliseconds ago.
    Ago(i64),
}

fn since(text: &str) -> Result<Since, String> {
    let unit = |letter| text.strip_suffix(letter).and_then(|number| number.parse::<u32>().ok());
    let hour_ms = 3_600_000;
    let ago = [('d', 24 * hour_ms), ('h', hour_ms), ('m', 60_000)];
    if let Some(ms) = ago.iter().find_map(|(letter, ms)| Some(i64::from(unit(*letter)?) * ms)) {
        return Ok(Since::Ago(ms));
    }
    let whole = [text.to_owned(), format!("{text}T00:00:00Z"), format!("{}Z", text.replacen(' ', "T", 1))];
    let time = whole.iter().find_map(|text| utc::parse(text));
    time.map(Since::At)
        .ok_or_else(|| "write a day or time in UTC as 2026-11-21 or 2026-11-21T10:15:00Z, or 7d, 12h, 30m".to_owned())
}

fn kind(text: &str) -> Result<LogKind, String> {
    let known = LogKind::ALL.iter().find(|kind| kind.as_str() == text);
    let all: Vec<_> = LogKind::ALL.iter().map(LogKind::as_str).collect();
    known.cloned().ok_or_else(|| format!("the kinds are {}", all.join(", ")))
}

/// Runs it.
pub fn run(global: &Global, args: &LogArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    if args.check {
        return check(global, args, console);
    }
    let record = match args.record.as_deref() {
        Some([table, typed]) => Some((table.clone(), typed.clone())),
        _ => None,
    };
    let mut node = match &record {
        // Records are looked up in the tables that are kept in step; the log alone can always be read.
        Some(_) => Node::open(&global.node)?,
        None => Node::open_for_setup(&global.node)?,
    };
    let now = node.clock.now();
    let since = args.since.map(|since| match since {
        Since::At(time) => time,
        Since::Ago(ms) => TimeMs(now.0.saturating_sub(ms)),
    });
    let query = LogQuery { record, peer: args.peer.clone(), since, kind: args.kind.clone(), limit: args.limit };
    let report = log::read(&mut node, &query)?;
    if args.report.json {
        console.json(&report)?;
    } else {
        print(global, args, &report, console)?;
    }
    Ok(Exit::Done)
}

fn print(global: &Global, args: &LogArgs, report: &LogReport, console: &mut Console<'_>) -> Result<(), CommandError> {
    if let Some(record) = &report.record {
        print_record(global, record, console)?;
    }
    if report.entries.is_empty() {
        return console.say("Nothing of the kind stands in the log.");
    }
    for entry in &report.entries {
        let begin = format!("{:>5}  {}  ", entry.number, time(&entry.at));
        let indent = " ".repeat(layout::columns(&begin));
        console.raw(layout::wrap(&sanitize(&sentence(entry)), &begin, &indent).as_bytes())?;
    }
    if report.entries.len() as u64 == args.limit {
        console.note(&format!(
            "only the last {} are shown; `--limit` shows more",
            layout::count(args.limit, "entry", "entries")
        ))?;
    }
    Ok(())
}

/// `2026-11-21 10:15:00`: what makes it UTC is in the help.
fn time(at: &str) -> String {
    at.replace('T', " ").replace('Z', "")
}

/// An entry in words: what, about whom, about which record, and why.
fn sentence(entry: &ShownEntry) -> String {
    let mut head = format!("{} by {}", entry.kind, entry.who);
    if let Some(peer) = entry.peer.as_ref().filter(|peer| **peer != entry.who) {
        head += &format!(" ({peer})");
    }
    let column = entry.column.as_ref().map(|column| format!("`{column}` of ")).unwrap_or_default();
    let record = match (&entry.table, &entry.uid) {
        (Some(table), Some(uid)) => Some(format!("{column}{table} {uid}")),
        (Some(table), None) => Some(format!("table {table}")),
        (None, _) => None,
    };
    let detail = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {value}", name.replace('_', " "))
    };
    // An id of a bundle tells people nothing; it is there with --json.
    let details = entry.what.iter().filter(|(name, _)| *name != "id").map(detail);
    let parts: Vec<String> = record.into_iter().chain(details).collect();
    let why = Some(&entry.why).filter(|why| !why.is_empty()).map(|why| format!("; {why}")).unwrap_or_default();
    match parts.is_empty() {
        true => format!("{head}{why}"),
        false => format!("{head}: {}{why}", parts.join(", ")),
    }
}

fn print_record(global: &Global, record: &LoggedRecord, console: &mut Console<'_>) -> Result<(), CommandError> {
    let name = &record.name;
    let here = match (name.here, &record.deleted) {
        (Here::Live, _) => "stands here".to_owned(),
        (Here::Deleted, Some(deleted)) => format!("was deleted {}", origin(deleted, None)),
        (Here::Deleted, None) => "was deleted".to_owned(),
        (Here::Absent, _) => "is not here".to_owned(),
    };
    console.say(&format!("{} {} (uid {}) {here}.", name.table, name.words(), name.uid))?;
    for column in &record.columns {
        let origin = origin(&column.version, column.over.as_deref());
        console.say_indented("  ", &format!("`{}`: {origin}", column.column))?;
    }
    for number in &record.conflicts {
        console.line(&format!("  {}", global.command(&format!("conflicts show {number}"))))?;
    }
    if record.is_held {
        console.say("A change of it is held:")?;
        console.line(&format!("  {}", global.command("held")))?;
    }
    Ok(())
}

/// `2026-11-21 10:15:00 UTC by clinic-07`.
fn origin(version: &ShownVersion, over: Option<&str>) -> String {
    let written = match &version.time {
        Some(time) => format!("{} by {}", words(time), version.writer),
        None => version.writer.clone(),
    };
    let over = over.filter(|over| *over != version.writer);
    over.map_or_else(|| written.clone(), |over| format!("{written}, over {over}"))
}

fn check(global: &Global, args: &LogArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open_for_setup(&global.node)?;
    let checked = log::check(&mut node)?;
    if args.report.json {
        console.json(&checked)?;
        return Ok(if checked.broken_at.is_none() { Exit::Done } else { Exit::Failed });
    }
    match broken(&checked) {
        Some(message) => Err(CommandError::failed(
            message,
            Some(
                "somebody has written to saddlebag's tables: compare with a backup of this database, and with what the neighbours were told",
            ),
        )),
        None => {
            let entries = layout::count(checked.entries, "entry", "entries");
            console.say(&format!("The log is whole: {entries}. The hash of the last holds all before it:"))?;
            console.line(&format!("  {} {}", checked.last, checked.hash))?;
            Ok(Exit::Done)
        }
    }
}

/// Where the chain breaks, in words.
fn broken(checked: &LogCheck) -> Option<String> {
    let (at, kind) = (checked.broken_at?, checked.broken?);
    Some(match kind {
        BreakKind::Missing => format!("the log breaks at entry {at}: it was taken away"),
        BreakKind::Changed => format!("the log breaks at entry {at}: it, or one before it, is not as it was written"),
        BreakKind::Added => format!("the log breaks at entry {at}: saddlebag never wrote it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_seconds_or_lengths() {
        assert_eq!(since("1970-01-02"), Ok(Since::At(TimeMs(86_400_000))));
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Since::At(TimeMs(1_000))));
        assert_eq!(since("1970-01-01 00:00:01"), Ok(Since::At(TimeMs(1_000))));
        assert_eq!(since("7d"), Ok(Since::Ago(604_800_000)));
        assert_eq!(since("30m"), Ok(Since::Ago(1_800_000)));
        for text in ["", "d", "-1d", "yesterday", "2026-13-01", "1.5h"] {
            assert!(since(text).unwrap_err().contains("2026-11-21"), "{text}");
        }
    }

    #[test]
    fn an_entry_is_a_sentence() {
        let what = serde_json::json!({"number": 17, "id": "x", "still_held": 2});
        let mut entry = ShownEntry {
            number: 5,
            at: "2026-11-21T10:15:00Z".into(),
            kind: "applied".into(),
            who: "clinic-07".into(),
            peer: Some("clinic-07".into()),
            table: None,
            uid: None,
            column: None,
            what: what.as_object().unwrap().clone(),
            why: String::new(),
        };
        assert_eq!(sentence(&entry), "applied by clinic-07: number 17, still held 2");
        entry = ShownEntry {
            kind: "conflict".into(),
            who: "saddlebag".into(),
            table: Some("patient".into()),
            uid: Some("u".into()),
            column: Some("name".into()),
            what: serde_json::Map::new(),
            why: "because".into(),
            ..entry
        };
        assert_eq!(sentence(&entry), "conflict by saddlebag (clinic-07): `name` of patient u; because");
        assert_eq!(time(&entry.at), "2026-11-21 10:15:00");
    }

    #[test]
    fn a_kind_that_there_is_not_is_answered_with_all_that_there_are() {
        assert_eq!(kind("refused"), Ok(LogKind::REFUSED));
        assert!(kind("x").unwrap_err().contains("init, setup, join"));
    }
}
