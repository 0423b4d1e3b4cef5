//! `saddlebag admit`

use std::path::PathBuf;

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::admission::{self, ListedEntries, Standing};
use serde::Serialize;

use super::introduce::{self, Consent};
use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Take the node whose card this is as a satellite.
///
/// Shows the card's fingerprint and asks whether it is right, unless it is given. Where the deployment's key is, the node
/// is listed at once; at a district, it is linked at once, and listed when the next bundles have reached the key.
///
/// With `--district`, the node may have satellites of its own; it may have been admitted before.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag admit clinic-07.card
  saddlebag admit clinic-07.card --fingerprint \"abandon ability able ...\"
  saddlebag admit north.card --district
  saddlebag admit --waiting")]
pub struct AdmitArgs {
    /// The card's file
    #[arg(value_name = "SATELLITE.card", required_unless_present = "waiting")]
    pub card: Option<PathBuf>,
    /// Let it have satellites of its own
    #[arg(long)]
    pub district: bool,
    /// List the nodes that districts have admitted, now that the deployment's key is here
    #[arg(long, conflicts_with_all = ["card", "district", "fingerprint", "yes"])]
    pub waiting: bool,
    /// Whether the card is taken
    #[command(flatten)]
    pub consent: Consent,
}

/// `--json` of `admit --waiting`
#[derive(Debug, Serialize)]
struct WaitingReport<'a> {
    node: &'a str,
    #[serde(flatten)]
    entries: &'a ListedEntries,
}

/// Runs it.
pub fn run(global: &Global, args: &AdmitArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let Some(card) = &args.card else { return list_waiting(global, args, console) };
    let (bytes, introduction) = introduce::read(card)?;
    let mut node = Node::open_for_setup(&global.node)?;
    introduce::confirm("admit", &introduction, &args.consent, console)?;
    let admission = admission::admit(&mut node, &bytes, args.district)?;
    let peer = &admission.introduction;
    if args.consent.report.json {
        return introduce::print_admitted_json(&node, &admission, console);
    }
    let (me, what) = (node.config.node.name.as_str(), if args.district { "a district" } else { "a satellite" });
    console.say(&format!("{} is now {what} of {me}.", peer.name))?;
    if admission.standing == Standing::Entered {
        console.say("It is listed when the next bundles have reached the deployment's key.")?;
    }
    if args.district {
        console.say(&format!(
            "When {} has taken in the list, `saddlebag card` there makes a central's card.",
            peer.name
        ))?;
    }
    console.say(&format!("Next: leave a bundle for {} on a stick, or at another place:", peer.name))?;
    console.line(&format!("  {}", global.command("sync PLACE")))?;
    Ok(Exit::Done)
}

fn list_waiting(global: &Global, args: &AdmitArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open_for_setup(&global.node)?;
    let entries = admission::list_waiting(&mut node)?;
    let exit = if entries.refused.is_empty() { Exit::Done } else { Exit::Part };
    if args.consent.report.json {
        console.json(&WaitingReport { node: node.config.node.name.as_str(), entries: &entries })?;
        return Ok(exit);
    }
    if entries.listed.is_empty() && entries.refused.is_empty() {
        console.say("No node waits to be listed.")?;
    }
    introduce::print_entries(&entries, console)?;
    Ok(exit)
}
