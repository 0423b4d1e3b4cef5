//! `saddlebag remove`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::setup;

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Take saddlebag's triggers and tables out of the database again.
///
/// The application's schema is then as it was before `init`, and its rows stay. What saddlebag alone kept goes:
/// held changes, conflicts, links. The node's folder stays, with its keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saddlebag --node /srv/clinic remove")]
pub struct RemoveArgs {
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &RemoveArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open_anyhow(&global.node)?;
    let removed = setup::remove(&mut node)?;
    if args.report.json {
        console.json(&removed)?;
        return Ok(Exit::Done);
    }
    console.say(&format!("Nothing of saddlebag is left in {}.", removed.database))?;
    console.say(&format!("The folder `{}` stays, with the node's keys.", removed.folder.display()))?;
    Ok(Exit::Done)
}
