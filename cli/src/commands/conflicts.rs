//! `saddlebag conflicts`

use clap::{Args, Subcommand};
use saddlebag_couriers::Node;
use saddlebag_couriers::conflicts::{self, ConflictList, ShownConflict, ShownConflictKind, ShownSide};
use saddlebag_formats::TimeMs;

use super::clocks;
use super::times::{day, instant, second};
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::side_by_side;
use crate::table::{self, Lean};

/// Show values that disagreed: both are kept.
///
/// Two places changed one value without having seen each other's change, or one place deleted what another edited.
/// One of the two stands, at all places alike. The list has the oldest first.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  saddlebag conflicts
  saddlebag --node /srv/ministry conflicts show 3"
)]
pub struct ConflictsArgs {
    /// What to do; lists all if nothing is named
    #[command(subcommand)]
    pub action: Option<ConflictsAction>,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// What can be done about conflicts.
#[derive(Debug, Subcommand)]
pub enum ConflictsAction {
    /// Show both values of one conflict side by side
    Show(ShowArgs),
}

/// `conflicts show`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saddlebag conflicts show 3")]
pub struct ShowArgs {
    /// The number of the conflict
    pub number: u64,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &ConflictsArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open(&global.node)?;
    match &args.action {
        None => {
            let list = conflicts::list(&mut node)?;
            if args.report.json { console.json(&list)? } else { print_list(global, &list, console)? }
        }
        Some(ConflictsAction::Show(args)) => {
            let conflict = conflicts::show(&mut node, args.number)?;
            if args.report.json { console.json(&conflict)? } else { print_one(&conflict, console)? }
        }
    }
    Ok(Exit::Done)
}

fn print_list(global: &Global, list: &ConflictList, console: &mut Console<'_>) -> Result<(), CommandError> {
    if list.conflicts.is_empty() {
        return console.say("Nothing is in conflict here.");
    }
    let headings = [
        ("no.", Lean::Right),
        ("found", Lean::Left),
        ("table", Lean::Left),
        ("record", Lean::Left),
        ("column", Lean::Left),
        ("stands", Lean::Left),
        ("other", Lean::Left),
    ];
    let row = |conflict: &ShownConflict| {
        vec![
            conflict.number.to_string(),
            day(conflict.found),
            conflict.record.table.clone(),
            conflict.record.words(),
            conflict.column.clone().unwrap_or_default(),
            value(conflict, &conflict.stands, true),
            value(conflict, &conflict.other, false),
        ]
    };
    for line in table::lines(&headings, &list.conflicts.iter().map(row).collect::<Vec<_>>()) {
        console.line(&line)?;
    }
    console.say("Both values whole, by whom and when:")?;
    console.line(&format!("  {}", global.command("conflicts show NO.")))
}

fn print_one(conflict: &ShownConflict, console: &mut Console<'_>) -> Result<(), CommandError> {
    let about = match &conflict.column {
        Some(column) => format!("`{column}` of {} {}", conflict.record.table, conflict.record.words()),
        None => format!("the deletion of {} {}", conflict.record.table, conflict.record.words()),
    };
    let (number, found, over) = (conflict.number, second(conflict.found), &conflict.over);
    console.say(&format!("Conflict {number}: {about}."))?;
    console.say(&format!("Found {found}, when a bundle of {over} was taken in."))?;
    console.say(&format!("The record's uid is {}.", conflict.record.uid))?;
    console.line("")?;
    let mut row = |label: &str, left: &str, right: &str| {
        side_by_side::lines(label, left, right).iter().try_for_each(|line| console.line(line))
    };
    row("", "stands", "other")?;
    row("value", &value(conflict, &conflict.stands, true), &value(conflict, &conflict.other, false))?;
    row("by", &conflict.stands.version.writer, &conflict.other.version.writer)?;
    row("written", &written(&conflict.stands), &written(&conflict.other))?;
    let (stands, other) = (&conflict.stands, &conflict.other);
    if stands.counted_at.is_some() || other.counted_at.is_some() {
        row("counted as", &counted(stands), &counted(other))?;
    }
    if stands.time_doubt.is_some() || other.time_doubt.is_some() {
        let doubt = |side: &ShownSide| side.time_doubt.map_or("", clocks::version);
        row("not believed", doubt(stands), doubt(other))?;
    }
    console.line("")?;
    console.say("Each time is by its writer's own clock.")?;
    if conflict.clock_doubted {
        console.say("The clock here was not believed either when this was decided.")?;
    }
    match (&conflict.now, conflict.changed_since) {
        (Some(now), true) => console.say(&format!("The column was changed since: now it holds {now}.")),
        (_, true) => console.say("The record or the column is not here any more."),
        _ => Ok(()),
    }
}

fn value(conflict: &ShownConflict, side: &ShownSide, stands: bool) -> String {
    match (&side.value, conflict.kind) {
        (Some(value), _) => value.to_string(),
        (None, ShownConflictKind::Deletion) if stands => "(the record)".to_owned(),
        (None, _) => "(its deletion)".to_owned(),
    }
}

/// The time by which a side counted against the other.
fn counted(side: &ShownSide) -> String {
    side.counted_at.map_or_else(|| written(side), instant)
}

fn written(side: &ShownSide) -> String {
    match side.version.time {
        Some(_) => instant(TimeMs(side.version.time_ms)),
        None => "found by setup".to_owned(),
    }
}
