//! `saddlebag admit`

use std::path::PathBuf;

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::membership;

use super::introduce::{self, Consent};
use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Take the node whose card this is as a satellite.
///
/// Needs the deployment's key. Shows the card's fingerprint and asks whether it is right, unless it is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag admit clinic-07.card
  saddlebag admit clinic-07.card --fingerprint \"abandon ability able ...\"")]
pub struct AdmitArgs {
    /// The card's file
    #[arg(value_name = "SATELLITE.card")]
    pub card: PathBuf,
    /// Whether the card is taken
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs it.
pub fn run(global: &Global, args: &AdmitArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let (bytes, introduction) = introduce::read(&args.card)?;
    let mut node = Node::open_for_setup(&global.node)?;
    introduce::confirm("admit", &introduction, &args.consent, console)?;
    let peer = membership::admit(&mut node, &bytes)?;
    if args.consent.report.json {
        return introduce::print_json(&node, &peer, console);
    }
    let me = node.config.node.name.as_str();
    console.say(&format!("{} is now a satellite of {me}.", peer.name))?;
    console.say(&format!("Next: leave a first bundle for {} on a stick, or at another place:", peer.name))?;
    console.line(&format!("  {}", global.command("sync PLACE")))?;
    Ok(Exit::Done)
}
