//! `saddlebag check`

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::check::{self, CheckReport, CheckedTable, DifferentKind, DifferentRecord, Repaired};
use saddlebag_couriers::neighbours::{ComparedNeighbour, ThereKind};

use super::times::second;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::progress::Progress;
use crate::table::{self, Lean};

/// Records of one table that are printed in words.
const RECORDS_SHOWN: usize = 20;

/// Compare the tables with what saddlebag knows of them, and with the neighbours.
///
/// Finds what went past the triggers: rows that were restored, written or deleted while the triggers were switched
/// off. What the application wrote in the ordinary way is taken in first, as in every round. Then tells which records a
/// neighbour holds otherwise, as far as its bundles told. Ends with 4 if something differs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag check
  saddlebag --node /srv/clinic check --repair")]
pub struct CheckArgs {
    /// Take what stands in the tables as edits made now; at a central, also make equal what a satellite holds otherwise
    #[arg(long)]
    pub repair: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Runs it.
pub fn run(global: &Global, args: &CheckArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut node = Node::open(&global.node)?;
    let mut progress = Progress::begin(console.shows_progress);
    let report = check::check(&mut node, args.repair, &mut |table| progress.show(&format!("comparing {table}")))?;
    drop(progress);
    if args.report.json {
        console.json(&report)?
    } else {
        print(global, &report, console)?
    }
    Ok(if report.left() == 0 && report.differing_neighbours().next().is_none() { Exit::Done } else { Exit::Part })
}

fn print(global: &Global, report: &CheckReport, console: &mut Console<'_>) -> Result<(), CommandError> {
    let headings = [
        ("table", Lean::Left),
        ("rows", Lean::Right),
        ("unseen", Lean::Right),
        ("gone", Lean::Right),
        ("changed", Lean::Right),
    ];
    let row = |table: &CheckedTable| {
        let counts = [table.rows, table.unseen, table.gone, table.changed];
        std::iter::once(table.table.clone()).chain(counts.map(layout::thousands)).collect()
    };
    for line in table::lines(&headings, &report.tables.iter().map(row).collect::<Vec<_>>()) {
        console.line(&line)?;
    }
    for table in &report.tables {
        for record in table.records.iter().take(RECORDS_SHOWN) {
            console.say_indented("  ", &format!("{}: {}", table.table, words(record)))?;
        }
        let more = table.differences().saturating_sub(RECORDS_SHOWN.min(table.records.len()) as u64);
        if more > 0 {
            console.say_indented("  ", &format!("{}: {} more", table.table, layout::thousands(more)))?;
        }
    }
    print_here(global, report, console)?;
    print_digests(report, console)?;
    for neighbour in &report.neighbours {
        print_neighbour(global, report, neighbour, console)?;
    }
    Ok(())
}

fn print_digests(report: &CheckReport, console: &mut Console<'_>) -> Result<(), CommandError> {
    if report.digests_wrong.is_empty() {
        return Ok(());
    }
    let tables: Vec<_> = report.digests_wrong.iter().map(|table| format!("`{table}`")).collect();
    let what = if report.repaired.is_some() { "was put right" } else { "is put right by `check --repair`" };
    console.say(&format!("What is told to neighbours of {} did not fit the records: it {what}.", tables.join(", ")))
}

fn print_neighbour(
    global: &Global,
    report: &CheckReport,
    neighbour: &ComparedNeighbour,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let peer = &neighbour.peer;
    let Some(since) = neighbour.different else {
        let words = match (neighbour.equal, &neighbour.undecided) {
            (Some(equal), _) => format!("{peer}: held the same records, {}.", second(equal)),
            (None, Some(reason)) => format!("{peer}: not compared yet: {reason}."),
            (None, None) => format!("{peer}: not compared yet."),
        };
        return console.say(&words);
    };
    let since = second(since);
    match neighbour.records_different {
        0 => console.say(&format!("{peer}: holds other records since {since}; the next bundles tell which."))?,
        many => {
            let many = layout::count(many, "record differs", "records differ");
            console.say(&format!("{peer}: {many}, seen first {since}:"))?;
        }
    }
    for there in neighbour.records.iter().take(RECORDS_SHOWN) {
        let what = match there.kind {
            ThereKind::OtherValues => "has other values there",
            ThereKind::MissingHere => "is missing here",
            ThereKind::MissingThere => "is missing there",
        };
        console.say_indented("  ", &format!("{}: {} {what}", there.record.table, there.record.words()))?;
    }
    let more = neighbour.records_different.saturating_sub(RECORDS_SHOWN.min(neighbour.records.len()) as u64);
    if more > 0 {
        console.say_indented("  ", &format!("{} more", layout::thousands(more)))?;
    }
    match (neighbour.is_central, neighbour.records_different, &report.repaired) {
        (_, 0, _) => Ok(()),
        (true, ..) => {
            console.say(&format!("The central repairs what differs: run `saddlebag check --repair` at {peer}."))
        }
        (false, _, Some(_)) => console.say("The next rounds make them equal; both values are kept where they differ."),
        (false, _, None) => {
            console.say("To have the next rounds make them equal, with both values kept where they differ:")?;
            console.line(&format!("  {}", global.command("check --repair")))
        }
    }
}

fn print_here(global: &Global, report: &CheckReport, console: &mut Console<'_>) -> Result<(), CommandError> {
    match (&report.repaired, report.differences) {
        (_, 0) => console.say("Every row is as saddlebag last saw or wrote it."),
        (Some(repaired), _) => print_repaired(repaired, console),
        (None, many) => {
            console.say(&format!("{} past the triggers.", layout::count(many, "change went", "changes went")))?;
            console.say("To take what stands in the tables as edits made now, which then travel to the others:")?;
            console.line(&format!("  {}", global.command("check --repair")))
        }
    }
}

fn words(record: &DifferentRecord) -> String {
    let name = record.known_as.as_ref().map(|known_as| format!(", {known_as}")).unwrap_or_default();
    let what = match record.kind {
        DifferentKind::Unseen => "was never seen",
        DifferentKind::Gone => "is gone",
        DifferentKind::Changed => "has other values",
    };
    let uid = record.uid.as_ref().map(|uid| format!(" (uid {uid})")).unwrap_or_default();
    format!("{}{name} {what}{uid}", record.key)
}

fn print_repaired(repaired: &Repaired, console: &mut Console<'_>) -> Result<(), CommandError> {
    let parts = [
        (repaired.created, "new"),
        (repaired.changed, "changed"),
        (repaired.deleted, "deleted"),
        (repaired.at_home, "with the identity of another row here"),
    ];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, what)| format!("{} {what}", layout::thousands(*count))).collect();
    console.say(&format!("Taken as edits made now: {}.", told.join(", ")))?;
    match repaired.left {
        0 => console.say("Every row is now as saddlebag saw it."),
        left => console.say(&format!(
            "{} left all the same: the application may be at work past the triggers right now.",
            layout::count(left, "difference is", "differences are")
        )),
    }
}
