//! Conflicts in words: a list, and one with both sides beside each other.

use saddlebag_couriers::conflicts::{
    ConflictList, DecidedElsewhere, ShownConflict, ShownConflictKind, ShownDecision, ShownRule, ShownSide,
};
use saddlebag_formats::TimeMs;

use super::super::clocks;
use super::super::times::{day, instant, second};
use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::layout;
use crate::side_by_side;
use crate::table::{self, Lean};

/// The list, and what was decided elsewhere.
pub(super) fn list(
    global: &Global,
    list: &ConflictList,
    all: bool,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    if list.conflicts.is_empty() {
        console.say(if list.decided == 0 { "Nothing is in conflict here." } else { "No conflict is open here." })?;
    } else {
        rows(global, list, all, console)?;
    }
    if list.decided > 0 {
        let decided = layout::count(list.decided, "conflict was", "conflicts were");
        console.say(&format!("{decided} decided by people; they are listed by:"))?;
        console.line(&format!("  {}", global.command("conflicts --all")))?;
    }
    elsewhere(&list.elsewhere, console)
}

fn rows(global: &Global, list: &ConflictList, all: bool, console: &mut Console<'_>) -> Result<(), CommandError> {
    let headings = [
        ("no.", Lean::Right),
        ("found", Lean::Left),
        ("table", Lean::Left),
        ("record", Lean::Left),
        ("column", Lean::Left),
        ("stands", Lean::Left),
        ("other", Lean::Left),
    ];
    let state = all.then_some(("decided", Lean::Left));
    let row = |conflict: &ShownConflict| {
        let decided = all.then(|| conflict.decisions.last().map_or_else(String::new, |last| format!("by {}", last.by)));
        let mut row = vec![
            conflict.number.to_string(),
            day(conflict.found),
            conflict.record.table.clone(),
            conflict.record.words(),
            conflict.column.clone().unwrap_or_default(),
            format!("{}: {}", conflict.stands.version.writer, value(conflict, true)),
            format!("{}: {}", conflict.other.version.writer, value(conflict, false)),
        ];
        row.extend(decided);
        row
    };
    let headings: Vec<_> = headings.into_iter().chain(state).collect();
    for line in table::lines(&headings, &list.conflicts.iter().map(row).collect::<Vec<_>>()) {
        console.line(&line)?;
    }
    console.say("Both values whole, by whom and when; and which of them stands:")?;
    console.line(&format!("  {}", global.command("conflicts show NO.")))?;
    console.line(&format!("  {}", global.command("conflicts resolve NO. --take other")))
}

fn elsewhere(all: &[DecidedElsewhere], console: &mut Console<'_>) -> Result<(), CommandError> {
    if all.is_empty() {
        return Ok(());
    }
    console.say("Decided elsewhere about changes of this place:")?;
    for told in all {
        let column = told.column.as_ref().map(|column| format!("`{column}` of ")).unwrap_or_default();
        let record = format!("{} {}", told.record.table, told.record.words());
        console.say_indented("  ", &format!("{column}{record}, as {} told:", told.by))?;
        console.say_indented("    ", &told.reason)?;
    }
    Ok(())
}

/// One conflict, whole.
pub(super) fn one(conflict: &ShownConflict, console: &mut Console<'_>) -> Result<(), CommandError> {
    let (number, found, over) = (conflict.number, second(conflict.found), &conflict.over);
    console.say(&format!("Conflict {number}: {}.", about(conflict)))?;
    console.say(&format!("Found {found}, when a bundle of {over} was taken in."))?;
    console.say(&format!("The record's uid is {}.", conflict.record.uid))?;
    console.line("")?;
    let mut row = |label: &str, left: &str, right: &str| {
        side_by_side::lines(label, left, right).iter().try_for_each(|line| console.line(line))
    };
    row("", "stands", "other")?;
    row("value", &value(conflict, true), &value(conflict, false))?;
    row("by", &conflict.stands.version.writer, &conflict.other.version.writer)?;
    row("written", &written(&conflict.stands), &written(&conflict.other))?;
    let (stands, other) = (&conflict.stands, &conflict.other);
    if stands.counted_at.is_some() || other.counted_at.is_some() {
        row("counted as", &counted(stands), &counted(other))?;
    }
    if stands.time_doubt.is_some() || other.time_doubt.is_some() {
        let doubt = |side: &ShownSide| side.time_doubt.map_or("", clocks::version);
        row("not believed", doubt(stands), doubt(other))?;
    }
    console.line("")?;
    console.say("Each time is by its writer's own clock.")?;
    if conflict.clock_doubted {
        console.say("The clock here was not believed either when this was decided.")?;
    }
    console.say(&rule(conflict))?;
    for decision in &conflict.decisions {
        console.say(&decided(conflict, decision))?;
    }
    now(conflict, console)
}

fn now(conflict: &ShownConflict, console: &mut Console<'_>) -> Result<(), CommandError> {
    match (&conflict.now, conflict.changed_since, conflict.kind) {
        (Some(now), true, _) => console.say(&format!("The column was changed since: now it holds {now}.")),
        (Some(now), false, _) => console.say(&format!("The column holds {now} now.")),
        (None, true, ShownConflictKind::Values) => console.say("The record or the column is not here any more."),
        (None, true, ShownConflictKind::Deletion) => console.say("That changed since: the record went, or came back."),
        (None, false, _) => Ok(()),
    }
}

/// `` `phone` of patient P1 (id 3) ``
pub(super) fn about(conflict: &ShownConflict) -> String {
    let (table, record) = (&conflict.record.table, conflict.record.words());
    match &conflict.column {
        Some(column) => format!("`{column}` of {table} {record}"),
        None => format!("the deletion of {table} {record}"),
    }
}

fn rule(conflict: &ShownConflict) -> String {
    let word = match conflict.rule {
        ShownRule::Newest => "`newest`",
        ShownRule::Central => "`central`",
        ShownRule::Satellite => "`satellite`",
        ShownRule::Ask => {
            let asked = "By the rule `ask`, what stood here stands until a person decides";
            return if conflict.is_open() { format!("{asked}: nobody has.") } else { format!("{asked}.") };
        }
        ShownRule::Keep => "`delete = \"keep\"`",
        ShownRule::Delete => "`delete = \"delete\"`",
        ShownRule::Replaced => return "The sender replaced the other value itself, while it was held here.".to_owned(),
        ShownRule::SameAs => return "Two records were made one, which kept what it had.".to_owned(),
    };
    format!("The rule {word} decided.")
}

/// A decision as a sentence.
pub(super) fn decided(conflict: &ShownConflict, decision: &ShownDecision) -> String {
    let what = match (&decision.value, decision.taken) {
        (Some(value), _) => format!("{value} stands"),
        (None, taken) if is_deletion(conflict, taken == "stands") => "the record is deleted".to_owned(),
        (None, _) => "the record stays".to_owned(),
    };
    let why = decision.because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("Decided {} by {}: {what}{why}.", second(decision.at), decision.by)
}

/// Whether a side without a value deleted the record.
fn is_deletion(conflict: &ShownConflict, stands: bool) -> bool {
    match conflict.kind {
        ShownConflictKind::Values => true,
        ShownConflictKind::Deletion => stands == (conflict.rule == ShownRule::Delete),
    }
}

/// A side's value, or what it did.
pub(super) fn value(conflict: &ShownConflict, stands: bool) -> String {
    let side = if stands { &conflict.stands } else { &conflict.other };
    match &side.value {
        Some(value) => value.to_string(),
        None if is_deletion(conflict, stands) => "(its deletion)".to_owned(),
        None => "(the record)".to_owned(),
    }
}

fn written(side: &ShownSide) -> String {
    match side.version.time {
        Some(_) => instant(TimeMs(side.version.time_ms)),
        None => "found by setup".to_owned(),
    }
}

/// The time by which a side counted against the other.
fn counted(side: &ShownSide) -> String {
    side.counted_at.map_or_else(|| written(side), instant)
}
