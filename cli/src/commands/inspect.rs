//! `saddlebag inspect`

use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::{Head, utc};
use saddlebag_keys::files;
use serde::Serialize;

use super::known_nodes::KnownNodes;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;

/// Show what a bundle says of itself to anybody.
///
/// Needs no key and no node. Where there is a node, the nodes that it knows are shown by name. Nothing of it is
/// checked but its form: that is for `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saddlebag inspect /media/stick/saddlebag/ministry/*.sbag")]
pub struct InspectArgs {
    /// The bundle
    pub file: PathBuf,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `--json`
#[derive(Debug, Serialize)]
struct InspectReport<'a> {
    file: &'a Path,
    from_name: Option<String>,
    to_name: Option<String>,
    header: serde_json::Value,
}

/// Runs it.
pub fn run(global: &Global, args: &InspectArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let header = read_head(&args.file)?.0.header;
    // Names are a help, no need: a node that is busy or broken does not keep anybody from looking at a file.
    let known = KnownNodes::read(global).ok().flatten().unwrap_or_default();
    if args.report.json {
        print_json(&args.file, &header, &known, console)?;
    } else {
        print_words(&args.file, &header, &known, console)?;
    }
    Ok(Exit::Done)
}

/// The three lines of a bundle, and the file from there on.
pub(super) fn read_head(file: &Path) -> Result<(Head, BufReader<std::fs::File>), CommandError> {
    let mut reader = BufReader::new(files::open_ordinary(file)?);
    let head = Head::read(&mut reader).map_err(|error| CommandError::from(error).about(file))?;
    Ok((head, reader))
}

fn print_json(
    file: &Path,
    header: &BundleHeader,
    known: &KnownNodes,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let name = |id| known.peer(id, header.key).map(|peer| peer.name.to_string());
    let header_json = serde_json::from_str(&header.to_line()).map_err(std::io::Error::from)?;
    let (from_name, to_name) = (name(header.from), name(header.to));
    console.json(&InspectReport { file, from_name, to_name, header: header_json })
}

fn print_words(
    file: &Path,
    header: &BundleHeader,
    known: &KnownNodes,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    console.say(&format!("`{}` says that it is bundle {}.", file.display(), header.number))?;
    let mut row = |label: &str, text: &str| console.line(&format!("  {label:<13} {text}"));
    row("from", &known.name(header.from))?;
    row("to", &known.name(header.to))?;
    row("made", &format!("{}, by the sender's clock", when(header)))?;
    row("covers", &covers(header))?;
    if let Some(ack) = header.ack {
        row("acknowledges", &format!("bundle {}, up to change {}", ack.number, ack.upto))?;
    }
    row("epoch", &header.epoch.to_string())?;
    row("id", &header.id.to_string())?;
    row("signing key", &header.key.to_string())?;
    row("deployment", &header.deployment.to_string())?;
    row("payload", &format!("{}, sealed for the receiver", layout::count(header.payload.size, "byte", "bytes")))?;
    row("SHA-256", &hex(&header.payload.sha256))?;
    console.say("None of this has been checked: `saddlebag verify` does that.")
}

fn covers(header: &BundleHeader) -> String {
    if header.after == header.upto {
        return "no changes".to_owned();
    }
    format!("changes {} to {} of the sender", header.after.0 + 1, header.upto)
}

fn when(header: &BundleHeader) -> String {
    utc::format(header.created).replace('T', " ").replace('Z', " UTC")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
