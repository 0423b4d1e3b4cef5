//! `saddlebag setup`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::setup::{self, SetupDone, SetupPlan, TableChange};

use super::takeover::{self, Tense};
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::progress::Progress;
use crate::table::{self, Lean};

/// Bring triggers and row states in line with saddlebag.toml.
///
/// To be run after `init --no-setup`, after `join` if that says so, after a change in saddlebag.toml, and after the
/// application was upgraded. Takes over what the central has chosen for the tables, and takes in the rows that are
/// there. May be run again at any time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag setup --dry-run
  saddlebag --node /srv/clinic setup")]
pub struct SetupArgs {
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &SetupArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open_for_setup(&global.node)?;
    if args.dry_run {
        let plan = setup::plan_setup(&mut node)?;
        if args.report.json {
            console.json(&plan)?
        } else {
            print_plan(&plan, console)?
        }
        return Ok(Exit::Done);
    }
    let mut progress = Progress::begin(console.shows_progress);
    let done = setup::setup(&mut node, &mut |table, rows| progress.show(&taking_in(table, rows)))?;
    drop(progress);
    if args.report.json {
        console.json(&done)?
    } else {
        print_done(&done, console)?
    }
    Ok(Exit::Done)
}

/// What is being done, for a line of progress.
pub(super) fn taking_in(table: &str, rows: u64) -> String {
    format!("taking in {table}: {}", layout::count(rows, "row", "rows"))
}

fn print_plan(plan: &SetupPlan, console: &mut Console<'_>) -> Result<(), CommandError> {
    if let Some(takeover) = &plan.takeover {
        takeover::print(takeover, Tense::Planned, console)?;
    }
    if plan.is_current {
        return console.say("Everything is as saddlebag.toml says: there is nothing to do.");
    }
    print_changes(&plan.changes, Tense::Planned, console)?;
    let headings =
        [("table", Lean::Left), ("identity", Lean::Left), ("columns", Lean::Right), ("rows to take in", Lean::Right)];
    let row = |table: &setup::PlannedTable| {
        vec![
            table.table.clone(),
            table.identity.clone(),
            table.columns.len().to_string(),
            layout::thousands(table.rows),
        ]
    };
    let rows: Vec<_> = plan.tables.iter().map(row).collect();
    for line in table::lines(&headings, &rows) {
        console.line(&line)?;
    }
    for table in &plan.forget {
        console.say(&format!("`{table}` would not be kept in step any more; its rows stay."))?;
    }
    console.say(&format!("{} would be made.", layout::count(plan.triggers.len() as u64, "trigger", "triggers")))?;
    console.say("Nothing was changed.")
}

/// What has changed of tables since the last setup.
fn print_changes(changes: &[TableChange], tense: Tense, console: &mut Console<'_>) -> Result<(), CommandError> {
    for change in changes {
        let table = &change.table;
        let listed = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if !change.new_columns.is_empty() {
            console.say(&format!("`{table}` has new columns: {}.", listed(&change.new_columns)))?;
        }
        if !change.gone_columns.is_empty() {
            let gone = listed(&change.gone_columns);
            console.say(&format!("`{table}` has no {gone} any more; what others send of it is kept."))?;
        }
        if !change.excluded_columns.is_empty() {
            console.say(&format!("`{table}` keeps at home from now on: {}.", listed(&change.excluded_columns)))?;
        }
        if let Some(why) = &change.taken_in_anew {
            let verb = tense.choose("would be", "are");
            console.say(&format!("The rows of `{table}` {verb} taken in anew: {why}."))?;
        }
    }
    Ok(())
}

fn print_done(done: &SetupDone, console: &mut Console<'_>) -> Result<(), CommandError> {
    if let Some(takeover) = &done.takeover {
        takeover::print(takeover, Tense::Done, console)?;
    }
    print_changes(&done.changes, Tense::Done, console)?;
    let tables = layout::count(done.tables.len() as u64, "table", "tables");
    let triggers = layout::count(done.triggers.len() as u64, "trigger was", "triggers were");
    console.say(&format!("{tables} in step; {triggers} made."))?;
    for taken in done.tables.iter().filter(|taken| taken.rows > 0) {
        let rows = layout::count(taken.rows, "row", "rows");
        console.say_indented("  ", &format!("{}: {rows} taken in", taken.table))?;
    }
    for table in &done.forgotten {
        console.say(&format!("`{table}` is not kept in step any more; its rows stay."))?;
    }
    if done.settled > 0 {
        let changes = layout::count(done.settled, "change that was held is", "changes that were held are");
        console.say(&format!("{changes} applied now."))?;
    }
    if done.duplicates > 0 {
        let rows = layout::count(done.duplicates, "row has", "rows have");
        console.note(&format!("{rows} the identity of another row here, and will not leave this place"))?;
    }
    Ok(())
}
