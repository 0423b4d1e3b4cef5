//! `saddlebag import`

use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::round::{self, RoundOptions};

use super::round_report::Made;
use super::sync::round_at;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Take in bundles for this node.
///
/// The first half of `sync`: nothing is written to where the bundles lie. Files are taken in wherever they lie; of
/// a folder or a stick, what lies there for this node.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag import /media/stick
  saddlebag import ~/Downloads/clinic-07-to-ministry_000017.sbag")]
pub struct ImportArgs {
    /// A folder or a stick, or bundles
    #[arg(value_name = "PLACE|FILE", required = true)]
    pub from: Vec<PathBuf>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &ImportArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    if let [place] = args.from.as_slice()
        && place.is_dir()
    {
        let options = RoundOptions { dry_run: args.dry_run, import: true, export: false, to: None };
        return round_at(global, place, &options, args.report.json, console);
    }
    refuse_folders(&args.from)?;
    let mut node = Node::open(&global.node)?;
    let report = round::import_files(&mut node, &args.from, args.dry_run)?;
    let me = node.config.node.name.as_str();
    Made { me, place: None, imported: true, exported: false, report }.print(args.report.json, console)
}

fn refuse_folders(from: &[PathBuf]) -> Result<(), CommandError> {
    let folder: Option<&Path> = from.iter().map(PathBuf::as_path).find(|path| path.is_dir());
    folder.map_or(Ok(()), |folder| {
        Err(CommandError::usage(
            format!("`{}` is a folder, and stands among others", folder.display()),
            "give one folder, or files only",
        ))
    })
}
