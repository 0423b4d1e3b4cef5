//! `saddlebag rejoin`

use clap::Args;
use saddlebag_couriers::rejoin::{RejoinPlan, Rejoined, Rejoining};

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Begin a new history, after this node's database was restored, copied or replaced.
///
/// Run it at the node whose database went back to an earlier state: restored from a backup, say. With the next
/// rounds, what is lacking here comes back from the neighbours, and what only this database has goes to them. Where
/// both ends changed one value since, both are kept in `conflicts`. Equal records are not sent again. The neighbours
/// need do nothing but `sync`.
///
/// A database that was replaced by a new one, without saddlebag's tables, gets everything back that the neighbours
/// have: run `setup` after this.
///
/// If the database was copied to a second machine and both go on, only one of them can keep this node's name: run it
/// there. The other one is told so at its next round.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag rejoin
  saddlebag rejoin --yes && saddlebag sync /media/stick")]
pub struct RejoinArgs {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Only say what was noticed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &RejoinArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Rejoining::open(&global.node)?;
    let plan = node.plan()?;
    if args.dry_run {
        if args.report.json {
            console.json(&plan)?;
        } else {
            explain(&plan, console)?;
        }
        return Ok(Exit::Done);
    }
    if !args.yes {
        ask(&plan, console)?;
    }
    let rejoined = node.rejoin()?;
    if args.report.json {
        console.json(&rejoined)?;
        return Ok(Exit::Done);
    }
    print(global, &rejoined, console)?;
    Ok(Exit::Done)
}

fn ask(plan: &RejoinPlan, console: &mut Console<'_>) -> Result<(), CommandError> {
    explain(plan, console)?;
    if !console.can_ask() {
        return Err(CommandError::usage(
            "`rejoin` asks whether this is the right database, and there is no terminal to ask on".to_owned(),
            "look at `saddlebag rejoin --dry-run`, then give `--yes`",
        ));
    }
    if console.ask("Is this the database that is to go on under this name?")? {
        return Ok(());
    }
    Err(CommandError::failed("nothing was changed", Some("name the right database in saddlebag.toml, and try again")))
}

fn explain(plan: &RejoinPlan, console: &mut Console<'_>) -> Result<(), CommandError> {
    if let (true, Some(behind)) = (plan.is_replaced, &plan.behind) {
        console.say(&format!("{} has another database: {behind}. Its neighbours are known.", plan.node))?;
    } else if let Some(behind) = &plan.behind {
        console.say(&format!(
            "The database of {} is behind what it has already sent ({behind}): it was restored from a backup.",
            plan.node
        ))?;
    }
    for stopped in &plan.stopped {
        console.say(&format!("The link with {} stands still: {}.", stopped.peer, stopped.why))?;
    }
    if !plan.has_reason() {
        console.say("Nothing was noticed that a new history would mend. It does no harm, and costs some bytes.")?;
    }
    Ok(())
}

fn print(global: &Global, rejoined: &Rejoined, console: &mut Console<'_>) -> Result<(), CommandError> {
    console.say(&format!(
        "{} has begun a new history, {}. Its neighbours learn of it with the next bundle: {}.",
        rejoined.node,
        rejoined.epoch,
        if rejoined.peers.is_empty() { "it has none".to_owned() } else { rejoined.peers.join(", ") }
    ))?;
    if rejoined.needs_setup {
        console.say("Next, to take in what the database holds:")?;
        console.line(&format!("  {}", global.command("setup")))?;
    }
    console.say("Next, and again when an answer has come:")?;
    console.line(&format!("  {}", global.command("sync PLACE")))
}
