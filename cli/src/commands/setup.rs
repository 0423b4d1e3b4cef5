//! `saddlebag setup`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::setup::{self, SetupDone, SetupPlan};

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::progress::Progress;
use crate::table::{self, Lean};

/// Bring triggers and row states in line with saddlebag.toml.
///
/// To be run after `init --no-setup`, after a change in saddlebag.toml, and after the application was upgraded.
/// Takes in the rows that are there. May be run again at any time.
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
    if plan.is_current {
        return console.say("Everything is as saddlebag.toml says: there is nothing to do.");
    }
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

fn print_done(done: &SetupDone, console: &mut Console<'_>) -> Result<(), CommandError> {
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
    if done.duplicates > 0 {
        let rows = layout::count(done.duplicates, "row has", "rows have");
        console.note(&format!("{rows} the identity of another row here, and will not leave this place"))?;
    }
    Ok(())
}
