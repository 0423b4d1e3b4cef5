//! `saddlebag conflicts`

mod print;
mod resolve;

use clap::{Args, Subcommand};
use saddlebag_couriers::Node;
use saddlebag_couriers::conflicts;

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Show values that disagreed: both are kept. Decide about them.
///
/// Two places changed one value without having seen each other's change, or one place deleted what another edited.
/// One of the two stands, at all places alike, by the rule of its table or column. The list has the oldest first.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  saddlebag conflicts
  saddlebag --node /srv/ministry conflicts show 3
  saddlebag conflicts resolve 3 --take other"
)]
pub struct ConflictsArgs {
    /// What to do; lists all if nothing is named
    #[command(subcommand)]
    pub action: Option<ConflictsAction>,
    /// List those too that people have decided about
    #[arg(long)]
    pub all: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// What can be done about conflicts.
#[derive(Debug, Subcommand)]
pub enum ConflictsAction {
    /// Show both values of one conflict side by side
    Show(ShowArgs),
    /// Say which side stands, at every place
    Resolve(resolve::ResolveArgs),
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
            let list = conflicts::list(&mut node, args.all)?;
            if args.report.json { console.json(&list)? } else { print::list(global, &list, args.all, console)? }
        }
        Some(ConflictsAction::Show(args)) => {
            let conflict = conflicts::show(&mut node, args.number)?;
            if args.report.json { console.json(&conflict)? } else { print::one(&conflict, console)? }
        }
        Some(ConflictsAction::Resolve(args)) => return resolve::run(global, &mut node, args, console),
    }
    Ok(Exit::Done)
}
