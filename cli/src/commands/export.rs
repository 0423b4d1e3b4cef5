//! `saddlebag export`

use std::path::PathBuf;

use clap::Args;
use saddlebag_couriers::round::RoundOptions;
use saddlebag_formats::NodeName;

use super::sync::round_at;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Leave a bundle for every neighbour that lacks something.
///
/// The second half of `sync`: nothing is taken in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag export /media/stick
  saddlebag export /media/stick --to clinic-07")]
pub struct ExportArgs {
    /// A folder or a stick
    pub place: PathBuf,
    /// Leave something for this neighbour only
    #[arg(long, value_name = "NAME")]
    pub to: Option<NodeName>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &ExportArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let options = RoundOptions { dry_run: args.dry_run, import: false, export: true, to: args.to.clone() };
    round_at(global, &args.place, &options, args.report.json, console)
}
