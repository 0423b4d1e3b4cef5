//! `saddlebag status`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::status::{self, LinkState, LinkStatus, NodeRole, Status};
use saddlebag_formats::{TimeMs, utc};

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::table::{self, Lean};

/// Show what waits, what came, what is held and what disagrees.
///
/// One line for each neighbour: the numbers of the last bundle made for it, of the last that it has acknowledged,
/// and of the last that came from it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag status
  saddlebag --node /srv/ministry status --json")]
pub struct StatusArgs {
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &StatusArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open(&global.node)?;
    let status = status::status(&mut node)?;
    if args.report.json {
        console.json(&status)?
    } else {
        print(global, &status, console)?
    }
    Ok(Exit::Done)
}

fn print(global: &Global, status: &Status, console: &mut Console<'_>) -> Result<(), CommandError> {
    let waiting = match status.waiting {
        0 => "no change waits to be sent".to_owned(),
        many => format!("{} to be sent", layout::count(many, "change waits", "changes wait")),
    };
    console.say(&format!("{} is {}; {waiting}.", status.node, role(status.role)))?;
    if status.links.is_empty() {
        console.say("It has no neighbours yet. Next:")?;
        let next = if status.role == NodeRole::Central { "admit SATELLITE.card" } else { "join CENTRAL.card" };
        console.line(&format!("  {}", global.command(next)))?;
    } else {
        for line in link_lines(&status.links) {
            console.line(&line)?;
        }
    }
    for link in &status.links {
        print_troubles(link, console)?;
    }
    if !status.triggers_missing.is_empty() {
        let count = layout::count(status.triggers_missing.len() as u64, "trigger is", "triggers are");
        console.note(&format!("{count} missing in the database; the next round makes them again"))?;
    }
    Ok(())
}

fn role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Unjoined => "a satellite that has not joined yet",
        NodeRole::Satellite => "a satellite",
        NodeRole::Central => "a central",
        NodeRole::District => "a district",
    }
}

fn link_lines(links: &[LinkStatus]) -> Vec<String> {
    let headings = [
        ("neighbour", Lean::Left),
        ("sent", Lean::Right),
        ("acknowledged", Lean::Right),
        ("received", Lean::Right),
        ("last contact", Lean::Left),
        ("state", Lean::Left),
    ];
    let row = |link: &LinkStatus| {
        vec![
            link.peer.clone(),
            number(link.sent),
            number(link.acknowledged),
            number(link.received),
            link.last_contact.map_or_else(|| "never".to_owned(), day),
            state(link.state).to_owned(),
        ]
    };
    table::lines(&headings, &links.iter().map(row).collect::<Vec<_>>())
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// The day, in UTC: the hour would not fit, and `--json` has it.
fn day(time: TimeMs) -> String {
    utc::format(time).chars().take(10).collect()
}

fn state(state: LinkState) -> &'static str {
    match state {
        LinkState::Missing => "missing",
        LinkState::Held => "held",
        LinkState::New => "new",
        LinkState::Waiting => "waiting",
        LinkState::Sent => "sent",
        LinkState::Quiet => "quiet",
    }
}

fn print_troubles(link: &LinkStatus, console: &mut Console<'_>) -> Result<(), CommandError> {
    let peer = &link.peer;
    if !link.missing.is_empty() {
        let numbers: Vec<_> = link.missing.iter().map(u64::to_string).collect();
        console.say(&format!("{peer}: later bundles wait for bundle {}, which has not come.", numbers.join(", ")))?;
    }
    let counts = [
        (link.conflicts, "in conflict: both values are kept"),
        (link.parked, "parked until what it refers to comes"),
        (link.quarantined, "quarantined: the database refused it"),
    ];
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        console.say(&format!("{peer}: {} {what}.", layout::thousands(*count)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(peer: &str, number: u64) -> LinkStatus {
        LinkStatus {
            peer: peer.to_owned(),
            role: NodeRole::Satellite,
            sent: Some(number),
            acknowledged: None,
            received: Some(number),
            last_contact: Some(TimeMs(1_795_256_100_000)),
            waiting: 0,
            conflicts: 0,
            parked: 0,
            quarantined: 0,
            missing: Vec::new(),
            state: LinkState::Sent,
        }
    }

    #[test]
    fn the_longest_name_fits_beside_its_numbers() {
        let lines = link_lines(&[link(&"n".repeat(32), 999), link("b", 1)]);
        assert!(lines.iter().all(|line| layout::columns(line) <= layout::WIDTH), "{lines:#?}");
        assert!(lines[2].contains("2026-11-21") && lines[2].ends_with("sent"));
    }
}
