//! `saddlebag status`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::after_import::HookStatus;
use saddlebag_couriers::health::{LinkHealth, ToldHealth};
use saddlebag_couriers::status::{
    self, EntryProgress, EntryStatus, LinkState, LinkStatus, LogShortened, NodeRole, Status,
};

use super::clocks::{self, BEHIND_MS, Told};
use super::times::{day, length, second};
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::table::{self, Lean};

/// Free space that is worth a line: 500 MB.
const FREE_BYTES_LOW: u64 = 500_000_000;
/// What to do after triggers were missing.
const CHECK: &str = "what was written meanwhile was found by comparing its rows";
/// What to do about a link that stands still.
const REJOIN: &str = "`saddlebag rejoin` at the node whose database was put back lets both go on";

/// Show what waits, what came, what is held and what disagrees.
///
/// One line for each neighbour: the numbers of the last bundle made for it, of the last that it has acknowledged,
/// and of the last that came from it. Below, each satellite as it last told: what waits there and what it holds.
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
        let next = if matches!(status.role, NodeRole::Central | NodeRole::District) {
            "admit SATELLITE.card"
        } else {
            "join CENTRAL.card"
        };
        console.line(&format!("  {}", global.command(next)))?;
    } else {
        for line in link_lines(&status.links) {
            console.line(&line)?;
        }
    }
    let told: Vec<_> = status.links.iter().filter(|link| link.role == NodeRole::Satellite).collect();
    for line in health_lines(&told) {
        console.line(&line)?;
    }
    for link in &status.links {
        print_troubles(link, console)?;
        print_health_troubles(link, console)?;
        print_silence(link, console)?;
    }
    if !status.triggers_missing.is_empty() {
        let count = layout::count(status.triggers_missing.len() as u64, "trigger is", "triggers are");
        console.note(&format!("{count} missing in the database; the next round makes them again"))?;
    }
    for restored in &status.triggers_restored {
        let (table, at) = (&restored.table, second(restored.at));
        console.note(&format!("the triggers of `{table}` were missing and were made again, {at}; {CHECK}"))?;
    }
    if let Some(number) = status.log_broken_at {
        console.note(&format!("the log of this node breaks at entry {number}; `saddlebag log --check` says how"))?;
    }
    for hook in &status.hooks {
        console.note(&hook_words(hook))?;
    }
    for entry in &status.entries {
        console.note(&entry_words(entry))?;
    }
    match status.clock_doubt {
        None => Ok(()),
        Some(doubt) => console.note(&clocks::own(doubt, status.clock)),
    }
}

/// What is to be said of a neighbour that has not been heard of for long, or whose log has lost its end.
fn print_silence(link: &LinkStatus, console: &mut Console<'_>) -> Result<(), CommandError> {
    if let Some(words) = silence(link) {
        console.say(&words)?;
    }
    let Some(LogShortened { before, told, at }) = &link.log_shortened else { return Ok(()) };
    console.say(&format!(
        "{}: its log ended at entry {before}, and then at another entry {told} ({}): entries were taken away or changed there.",
        link.peer,
        second(*at)
    ))
}

fn silence(link: &LinkStatus) -> Option<String> {
    let (peer, silent) = (&link.peer, link.silent_ms?.unsigned_abs());
    let silent = length(silent);
    Some(match (link.rhythm_ms, link.last_contact) {
        (Some(rhythm), _) => {
            format!("{peer} is silent for {silent}; it usually comes every {}.", length(rhythm.unsigned_abs()))
        }
        (None, Some(_)) => format!("{peer} is silent for {silent}."),
        (None, None) => format!("{peer} was admitted {silent} ago and has never been heard of."),
    })
}

fn entry_words(entry: &EntryStatus) -> String {
    let EntryStatus { name, by, .. } = entry;
    let how_far = match (entry.state, &entry.reason) {
        (EntryProgress::LacksKey, _) => {
            "waits for the deployment's key: put it back, then `saddlebag admit --waiting`".to_owned()
        }
        (EntryProgress::PassedOn, _) => "is on its way to the deployment's key; its bundles flow already".to_owned(),
        (EntryProgress::GoesUp, _) => "goes up with the next bundle; its bundles flow already".to_owned(),
        (EntryProgress::Refused, reason) => {
            let reason = reason.as_deref().unwrap_or("no reason was told");
            format!("was not listed: {reason}. Its bundles flow all the same")
        }
    };
    format!("{name}, admitted by {by}, {how_far}")
}

fn hook_words(hook: &HookStatus) -> String {
    let (name, since) = (&hook.hook, second(hook.since));
    match (hook.failing_since, &hook.reason) {
        (Some(failing), Some(reason)) => {
            let attempts = layout::count(hook.attempts.into(), "attempt", "attempts");
            let failing = second(failing);
            format!(
                "the hook `{name}` has been failing since {failing}, in {attempts}: {reason}. It does not know what \
                 imports have changed since {since}"
            )
        }
        _ => format!("the hook `{name}` does not know yet what imports have changed since {since}"),
    }
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

fn state(state: LinkState) -> &'static str {
    match state {
        LinkState::Stopped => "stopped",
        LinkState::Missing => "missing",
        LinkState::Held => "held",
        LinkState::Different => "different",
        LinkState::New => "new",
        LinkState::Waiting => "waiting",
        LinkState::Sent => "sent",
        LinkState::Quiet => "quiet",
    }
}

/// How satellites were when they last told.
fn health_lines(links: &[&LinkStatus]) -> Vec<String> {
    let headings = [
        ("as it told", Lean::Left),
        ("version", Lean::Left),
        ("waiting", Lean::Right),
        ("parked", Lean::Right),
        ("quarantined", Lean::Right),
        ("conflicts", Lean::Right),
        ("free disk", Lean::Right),
    ];
    let row = |(link, health): (&LinkStatus, &ToldHealth)| {
        let counts = [health.waiting, health.parked, health.quarantined, health.conflicts].map(layout::thousands);
        let version = health.software.strip_prefix("saddlebag ").unwrap_or(&health.software).to_owned();
        let free = health.free_bytes.map_or_else(|| "-".to_owned(), layout::size);
        [link.peer.clone(), version].into_iter().chain(counts).chain([free]).collect()
    };
    let told = links.iter().filter_map(|link| Some((*link, &link.health.as_ref()?.told)));
    let rows: Vec<Vec<String>> = told.map(row).collect();
    if rows.is_empty() { Vec::new() } else { table::lines(&headings, &rows) }
}

fn print_health_troubles(link: &LinkStatus, console: &mut Console<'_>) -> Result<(), CommandError> {
    let (peer, Some(health)) = (&link.peer, &link.health) else { return Ok(()) };
    if let Some(clock) = clock_words(peer, health) {
        console.say(&format!("{peer}: {clock}."))?;
    }
    if !health.told.triggers_missing.is_empty() {
        let tables: Vec<_> = health.told.triggers_missing.iter().map(|table| format!("`{table}`")).collect();
        console.say(&format!("{peer}: triggers of {} were missing there in the last 30 days.", tables.join(", ")))?;
    }
    if let Some(free) = health.told.free_bytes.filter(|free| *free < FREE_BYTES_LOW) {
        console.say(&format!("{peer}: its disk has only {} free.", layout::size(free)))?;
    }
    Ok(())
}

/// What is to be said of a neighbour's clock; none if it may well be right.
fn clock_words(peer: &str, health: &LinkHealth) -> Option<String> {
    let (ahead_ms, is_wrong) = (health.clock_ahead_ms, health.told.clock_is_wrong);
    let clock = health.told.clock.replace('T', " ").replace('Z', " UTC");
    let words = clocks::neighbour(Told { peer, clock: &clock, ahead_ms, is_wrong });
    words.or_else(|| {
        let length = length(ahead_ms.unsigned_abs());
        (ahead_ms < -BEHIND_MS).then(|| {
            format!("its last bundle was made {length} before it came, or its clock is behind by up to as much")
        })
    })
}

fn print_troubles(link: &LinkStatus, console: &mut Console<'_>) -> Result<(), CommandError> {
    let peer = &link.peer;
    if let Some(stopped) = &link.stopped {
        let since = second(stopped.since);
        console.note(&format!("the link with {peer} stands still since {since}: {}; {REJOIN}", stopped.why))?;
    }
    if !link.missing.is_empty() {
        let numbers: Vec<_> = link.missing.iter().map(u64::to_string).collect();
        console.say(&format!("{peer}: later bundles wait for bundle {}, which has not come.", numbers.join(", ")))?;
    }
    if let Some(since) = link.different {
        let since = second(since);
        console.say(&format!("{peer}: holds other records than this node since {since}; `check` tells which."))?;
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
    use saddlebag_formats::TimeMs;

    use super::super::clocks::CLOCK_AHEAD_MS;
    use super::*;

    fn health(clock_ahead_ms: i64) -> LinkHealth {
        let told = ToldHealth {
            software: "saddlebag 10.20.30".to_owned(),
            clock: "2026-11-21T10:15:00Z".to_owned(),
            clock_is_wrong: false,
            waiting: 1_234_567,
            parked: 99_999,
            quarantined: 99_999,
            conflicts: 99_999,
            triggers_missing: Vec::new(),
            free_bytes: Some(999_900_000_000),
            log_last: Some(12),
        };
        LinkHealth { told, clock_ahead_ms }
    }

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
            equal: None,
            different: None,
            undecided: None,
            state: LinkState::Sent,
            stopped: None,
            health: Some(health(0)),
            admitted: None,
            rhythm_ms: None,
            silent_since: None,
            silent_ms: None,
            log_shortened: None,
        }
    }

    #[test]
    fn silence_is_told_with_the_rhythm_that_it_breaks() {
        let day = 86_400_000;
        let mut silent = link("clinic-07", 1);
        assert_eq!(silence(&silent), None);
        silent.silent_ms = Some(9 * day);
        assert_eq!(silence(&silent).unwrap(), "clinic-07 is silent for 9 days.");
        silent.rhythm_ms = Some(2 * day);
        assert_eq!(silence(&silent).unwrap(), "clinic-07 is silent for 9 days; it usually comes every 2 days.");
        (silent.rhythm_ms, silent.last_contact) = (None, None);
        assert_eq!(silence(&silent).unwrap(), "clinic-07 was admitted 9 days ago and has never been heard of.");
    }

    #[test]
    fn the_longest_name_fits_beside_its_numbers() {
        let lines = link_lines(&[link(&"n".repeat(32), 999), link("b", 1)]);
        assert!(lines.iter().all(|line| layout::columns(line) <= layout::WIDTH), "{lines:#?}");
        assert!(lines[2].contains("2026-11-21") && lines[2].ends_with("sent"));
        let lines = health_lines(&[&link(&"n".repeat(32), 999)]);
        assert!(lines.iter().all(|line| layout::columns(line) <= layout::WIDTH), "{lines:#?}");
        assert!(lines[1].contains("1,234,567") && lines[1].ends_with("999.9 GB"), "{lines:#?}");
    }

    #[test]
    fn a_clock_is_spoken_of_only_where_it_can_not_be_right_or_the_way_was_long() {
        let words = |ahead| clock_words("clinic-07", &health(ahead));
        assert_eq!(words(CLOCK_AHEAD_MS), None);
        assert_eq!(words(-BEHIND_MS), None);
        assert!(words(7_200_000).unwrap().contains("is 2 hours ahead of ours"));
        assert!(words(-10 * 86_400_000).unwrap().contains("made 10 days before it came"));
        let mut wrong = health(0);
        wrong.told.clock_is_wrong = true;
        assert!(clock_words("clinic-07", &wrong).unwrap().contains("is wrong: it said 2026-11-21 10:15:00 UTC"));
    }
}
