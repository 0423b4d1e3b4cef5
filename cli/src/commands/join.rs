//! `saddlebag join`

use std::path::PathBuf;

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::NodeError;
use saddlebag_couriers::membership;
use saddlebag_couriers::takeover::{self, Takeover};
use saddlebag_keys::Role;

use super::introduce::{self, Consent};
use super::takeover::Tense;
use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Become a satellite of the central whose card this is.
///
/// A node has one central. Shows the card's fingerprint and asks whether it is right, unless it is given. Says what
/// `setup` has to take over of how the central knows the tables; its newer card is taken in the same way.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag join ministry.card
  saddlebag join ministry.card --fingerprint \"abandon ability able ...\"")]
pub struct JoinArgs {
    /// The card's file
    #[arg(value_name = "CENTRAL.card")]
    pub card: PathBuf,
    /// Whether the card is taken
    #[command(flatten)]
    pub consent: Consent,
}

fn print_takeover(global: &Global, takeover: &Takeover, console: &mut Console<'_>) -> Result<(), CommandError> {
    super::takeover::print(takeover, Tense::Planned, console)?;
    if takeover.changes_nothing() {
        return Ok(());
    }
    console.say("Next: take that over; until then, nothing is sent or taken in.")?;
    console.line(&format!("  {}", global.command("setup")))
}

/// Runs it.
pub fn run(global: &Global, args: &JoinArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let (bytes, introduction) = introduce::read(&args.card)?;
    let mut node = Node::open_for_setup(&global.node)?;
    // Before anybody compares twelve words for nothing.
    if introduction.role != Role::Central {
        return Err(NodeError::NotACentral { name: introduction.name }.into());
    }
    introduce::confirm("join", &introduction, &args.consent, console)?;
    let peer = membership::join(&mut node, &bytes)?;
    let pending = takeover::pending(&mut node);
    if args.consent.report.json {
        return introduce::print_joined_json(&node, &peer, pending.ok().flatten().as_ref(), console);
    }
    let me = node.config.node.name.clone();
    console.say(&format!("{me} is now a satellite of {}.", peer.name))?;
    match pending {
        Ok(Some(takeover)) => print_takeover(global, &takeover, console)?,
        Ok(None) => {}
        // The link stands; `setup` tells the same, and what to do.
        Err(error) => console.note(&format!("`setup` has to be run again, but as it stands it would fail: {error}"))?,
    }
    console.say(&format!("Next: take the card of {me} to {}, which admits it. To make the card:", peer.name))?;
    console.line(&format!("  {}", global.command("card")))?;
    Ok(Exit::Done)
}
