//! `saddlebag sync`

use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::round::{self, RoundOptions};

use super::round_report::{Made, progress_words};
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::progress::Progress;

/// Take in every bundle for this node, and leave one for every neighbour.
///
/// PLACE is a folder or a stick. The same command does the whole work at a clinic and at the ministry. It may be
/// run again at any time: what is known already changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag sync /media/stick
  saddlebag --node /srv/ministry sync /media/stick --dry-run")]
pub struct SyncArgs {
    /// A folder or a stick
    pub place: PathBuf,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &SyncArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let options = RoundOptions { dry_run: args.dry_run, ..RoundOptions::default() };
    round_at(global, &args.place, &options, args.report.json, console)
}

/// A round over one place.
pub(super) fn round_at(
    global: &Global,
    place: &Path,
    options: &RoundOptions,
    json: bool,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let mut node = Node::open(&global.node)?;
    let mut progress = Progress::begin(console.shows_progress);
    let report = round::sync(&mut node, place, options, &mut |event| {
        if let Some(words) = progress_words(&event) {
            progress.show(&words);
        }
    })?;
    drop(progress);
    let (me, imported, exported) = (node.config.node.name.as_str(), options.import, options.export);
    Made { me, place: Some(place), imported, exported, report }.print(json, console)
}
