//! `saddlebag held`

mod print;

use clap::{Args, Subcommand};
use saddlebag_couriers::Node;
use saddlebag_couriers::held::{self, DropDone, HeldChange, ResolveDone, RetryDone};

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;

/// Show what is not where it should be, and why; decide about it.
///
/// Parked changes wait for a record that they refer to; quarantined ones were refused by the database, or need a
/// person. Shown too: rows that stay at home, true values that cannot stand in their columns, and what others hold
/// of this node's changes. An ID may be cut to as many digits as tell it apart; a record's uid does as well.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  saddlebag held
  saddlebag held show 3fa8b2c1
  saddlebag held resolve 3fa8 --same-as 17"
)]
pub struct HeldArgs {
    /// What to do; lists everything if nothing is named
    #[command(subcommand)]
    pub action: Option<HeldAction>,
    /// List what people let go, too
    #[arg(long)]
    pub dropped: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// What can be done about what is held.
#[derive(Debug, Subcommand)]
pub enum HeldAction {
    /// Show one change whole, and what it waits for
    Show(ShowArgs),
    /// Try again to apply what is held
    Retry(RetryArgs),
    /// Say that a held record is one that stands here
    Resolve(ResolveArgs),
    /// Let a held change go: both places keep what they have
    Drop(DropArgs),
}

/// `held show`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saddlebag held show 3fa8b2c1")]
pub struct ShowArgs {
    /// Which
    pub id: String,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `held retry`
///
/// What is held may wait for each other, so all of it is tried.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag held retry
  saddlebag held retry 3fa8b2c1")]
pub struct RetryArgs {
    /// Which to report; all if none is named
    pub id: Option<String>,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `held resolve`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag held resolve 3fa8b2c1 --same-as 17
  saddlebag held resolve 3fa8 --same-as 0190f3b0-5c0e-7b39-9a64-e2f031c8d75b")]
pub struct ResolveArgs {
    /// Which
    pub id: String,
    /// The record that goes on: its primary key in this database, or its uid
    #[arg(long, value_name = "RECORD")]
    pub same_as: String,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `held drop`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saddlebag held drop 3fa8b2c1 --reason 'entered twice; agreed with the clinic'")]
pub struct DropArgs {
    /// Which
    pub id: String,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &HeldArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    match &args.action {
        None => list(global, args, console),
        Some(HeldAction::Show(args)) => show(global, args, console),
        Some(HeldAction::Retry(args)) => retry(global, args, console),
        Some(HeldAction::Resolve(args)) => resolve(global, args, console),
        Some(HeldAction::Drop(args)) => drop_one(global, args, console),
    }
}

fn list(global: &Global, args: &HeldArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let list = held::list(&mut Node::open(&global.node)?)?;
    if args.report.json {
        console.json(&list)?
    } else {
        print::list(global, &list, args.dropped, console)?
    }
    Ok(Exit::Done)
}

fn show(global: &Global, args: &ShowArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let item = held::show(&mut Node::open(&global.node)?, &args.id)?;
    if args.report.json {
        console.json(&item)?
    } else {
        print::item(&item, console)?
    }
    Ok(Exit::Done)
}

fn retry(global: &Global, args: &RetryArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let done = held::retry(&mut Node::open(&global.node)?, args.id.as_deref())?;
    if args.report.json {
        console.json(&done)?
    } else {
        print_retry(&done, console)?
    }
    Ok(if done.still_held.is_empty() { Exit::Done } else { Exit::Part })
}

fn print_retry(done: &RetryDone, console: &mut Console<'_>) -> Result<(), CommandError> {
    if done.applied.is_empty() && done.still_held.is_empty() {
        return console.say("Nothing is held here: there was nothing to try again.");
    }
    for change in &done.applied {
        console.say(&format!("{}: applied now.", about(change)))?;
    }
    for change in &done.still_held {
        console.say(&format!("{}: still {}.", about(change), print::kind(change.kind)))?;
        console.say_indented("    ", &change.reason)?;
    }
    if done.conflicts > 0 {
        console.note(&format!("{} in conflict: `saddlebag conflicts` shows both values", done.conflicts))?;
    }
    Ok(())
}

fn resolve(global: &Global, args: &ResolveArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let done = held::resolve_same_as(&mut Node::open(&global.node)?, &args.id, &args.same_as)?;
    if args.report.json {
        console.json(&done)?
    } else {
        print_resolve(&done, console)?
    }
    Ok(Exit::Done)
}

fn print_resolve(done: &ResolveDone, console: &mut Console<'_>) -> Result<(), CommandError> {
    let into = done.into.words();
    console.say(&format!("{}: is {into} from now on, at every place.", about(&done.change)))?;
    if done.conflicts > 0 {
        let values = layout::count(done.conflicts, "value was", "values were");
        console.note(&format!("{values} not the same in both: `saddlebag conflicts` shows them"))?;
    }
    console.say("The others hear of it in the next round.")
}

fn drop_one(global: &Global, args: &DropArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    if args.reason.trim().is_empty() {
        return Err(CommandError::usage(
            "a held change is let go only for a reason, and `--reason` is empty",
            "say why: the others will want to know",
        ));
    }
    let done = held::drop_held(&mut Node::open(&global.node)?, &args.id, &args.reason)?;
    if args.report.json {
        console.json(&done)?
    } else {
        print_drop(global, &done, console)?
    }
    Ok(Exit::Done)
}

fn print_drop(global: &Global, done: &DropDone, console: &mut Console<'_>) -> Result<(), CommandError> {
    let from = &done.change.from;
    console.say(&format!("{}: let go.", about(&done.change)))?;
    console.say(&format!(
        "This place keeps what it has, and {from} keeps what it has: the two stay different, until the record is changed \
         again at {from}."
    ))?;
    console.say("It is kept with the reason, and listed by:")?;
    console.line(&format!("  {}", global.command("held --dropped")))
}

/// `3fa8b2c1, patient u-1 from clinic`
fn about(change: &HeldChange) -> String {
    format!("{}, {} {} from {}", change.id, change.record.table, change.record.words(), change.from)
}
