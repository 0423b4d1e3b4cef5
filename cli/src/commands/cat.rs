//! `saddlebag cat`

use std::path::PathBuf;

use clap::Args;
use saddlebag_couriers::{Node, contents};

use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Print what a bundle for this node says, as lines of JSON.
///
/// One object a line: the bundle, its sender's health, receipts, then each record with its values
/// (docs/cli-json.md). The signature is checked first; nothing is applied. Only the node that a bundle is for can
/// open it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag cat clinic-07-to-ministry_000017.sbag
  saddlebag --node /srv/ministry cat x.sbag | jq 'select(.table == \"patient\")'")]
pub struct CatArgs {
    /// The bundle
    pub file: PathBuf,
    /// Print lines of JSON, which is what is printed anyway
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &CatArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open_for_setup(&global.node)?;
    contents::read(&mut node, &args.file, &mut |line| console.json_line(line))?;
    Ok(Exit::Done)
}
