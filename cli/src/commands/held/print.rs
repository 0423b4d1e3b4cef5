//! What is held, in words.

use saddlebag_couriers::held::{
    BesideReason, BesideValue, DroppedChange, HeldAction, HeldChange, HeldColumn, HeldDetail, HeldElsewhere, HeldItem,
    HeldKind, HeldList, HomeDetail, HomeRecord,
};
use saddlebag_couriers::shown::ShownVersion;
use saddlebag_formats::TimeMs;

use crate::args::Global;
use crate::command_error::CommandError;
use crate::commands::times::{day, second};
use crate::console::Console;
use crate::layout;
use crate::table::{self, Lean};

/// Lines of one kind that are printed; `--json` has all.
const SHOWN_MAX: usize = 50;

/// Everything that is held.
pub(super) fn list(
    global: &Global,
    list: &HeldList,
    with_dropped: bool,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    if list.is_empty() {
        console.say("Nothing is held here.")?;
    }
    if !list.held.is_empty() {
        console.say("Changes of others that wait here:")?;
        changes(&list.held, console)?;
        console.say("One of them whole:")?;
        console.line(&format!("  {}", global.command("held show ID")))?;
    }
    if !list.at_home.is_empty() {
        console.say("Rows that do not leave this place, because another row here has their identity:")?;
        at_home(&list.at_home, console)?;
    }
    if !list.beside.is_empty() {
        console.say("True values that cannot stand in their columns here; others are sent the true ones:")?;
        beside(&list.beside, console)?;
    }
    if !list.elsewhere.is_empty() {
        console.say("Changes of this place that others hold, as they last told:")?;
        elsewhere(&list.elsewhere, console)?;
    }
    match list.dropped.as_slice() {
        _ if !with_dropped => Ok(()),
        [] => console.say("Nothing was let go here."),
        all => {
            console.say("Changes that were let go:")?;
            dropped(all, console)
        }
    }
}

/// Parked or quarantined, as a word.
pub(in crate::commands) fn kind(kind: HeldKind) -> &'static str {
    match kind {
        HeldKind::Parked => "parked",
        HeldKind::Quarantined => "quarantined",
    }
}

/// A table of which each row is followed by a remark.
fn rows(headings: &[&str], all: &[(Vec<String>, Option<&str>)], console: &mut Console<'_>) -> Result<(), CommandError> {
    let headings: Vec<_> = headings.iter().map(|heading| (*heading, Lean::Left)).collect();
    let cells: Vec<Vec<String>> = all.iter().take(SHOWN_MAX).map(|(cells, _)| cells.clone()).collect();
    let lines = table::lines(&headings, &cells);
    let remarks = std::iter::once(None).chain(all.iter().map(|(_, remark)| *remark));
    for (line, remark) in lines.iter().zip(remarks) {
        console.line(line)?;
        if let Some(remark) = remark {
            console.say_indented("    ", remark)?;
        }
    }
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => console.say(&format!("… and {} more: `--json` lists all.", layout::thousands(more as u64))),
    }
}

fn changes(all: &[HeldChange], console: &mut Console<'_>) -> Result<(), CommandError> {
    let row = |change: &HeldChange| {
        vec![
            change.id.clone(),
            day(change.since),
            change.from.clone(),
            kind(change.kind).to_owned(),
            change.record.table.clone(),
            change.record.words(),
        ]
    };
    let all: Vec<_> = all.iter().map(|change| (row(change), Some(change.reason.as_str()))).collect();
    rows(&["id", "since", "from", "kind", "table", "record"], &all, console)
}

fn at_home(all: &[HomeRecord], console: &mut Console<'_>) -> Result<(), CommandError> {
    let same = |row: &HomeRecord| row.same_as.as_ref().map_or_else(|| "(gone)".to_owned(), |record| record.words());
    let row = |row: &HomeRecord| {
        let key = row.record.key.clone().unwrap_or_default();
        (vec![row.id.clone(), row.record.table.clone(), key, same(row)], None)
    };
    rows(&["id", "table", "row", "same as"], &all.iter().map(row).collect::<Vec<_>>(), console)
}

fn beside(all: &[BesideValue], console: &mut Console<'_>) -> Result<(), CommandError> {
    let row = |beside: &BesideValue| {
        let shown = beside.shown.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let (table, record) = (beside.record.table.clone(), beside.record.words());
        (vec![table, record, beside.column.clone(), beside.value.to_string(), shown], Some(why(beside.why)))
    };
    rows(&["table", "record", "column", "true value", "stands here"], &all.iter().map(row).collect::<Vec<_>>(), console)
}

fn why(why: BesideReason) -> &'static str {
    match why {
        BesideReason::NoColumn => "the table here has no such column",
        BesideReason::NoTarget => "it refers to a record that is not here",
        BesideReason::Collides => "another record here has that number",
        BesideReason::OtherForm => "the database stored it in another form",
    }
}

fn elsewhere(all: &[HeldElsewhere], console: &mut Console<'_>) -> Result<(), CommandError> {
    let row = |held: &HeldElsewhere| {
        vec![held.by.clone(), kind(held.kind).to_owned(), held.record.table.clone(), held.record.words()]
    };
    let all: Vec<_> = all.iter().map(|held| (row(held), Some(held.reason.as_str()))).collect();
    rows(&["held by", "kind", "table", "record"], &all, console)
}

fn dropped(all: &[DroppedChange], console: &mut Console<'_>) -> Result<(), CommandError> {
    let row = |dropped: &DroppedChange| {
        vec![day(dropped.at), dropped.from.clone(), dropped.record.table.clone(), dropped.record.words()]
    };
    let remark = |dropped: &DroppedChange| format!("{} (held because: {})", dropped.reason, dropped.held_because);
    let remarks: Vec<String> = all.iter().map(remark).collect();
    let all: Vec<_> = all.iter().zip(&remarks).map(|(dropped, remark)| (row(dropped), Some(remark.as_str()))).collect();
    rows(&["let go", "from", "table", "record"], &all, console)
}

/// One thing that is held, whole.
pub(super) fn item(item: &HeldItem, console: &mut Console<'_>) -> Result<(), CommandError> {
    match item {
        HeldItem::Change(detail) => change(detail, console),
        HeldItem::AtHome(detail) => home(detail, console),
    }
}

fn change(detail: &HeldDetail, console: &mut Console<'_>) -> Result<(), CommandError> {
    let held = &detail.change;
    let record = format!("{} {}", held.record.table, held.record.words());
    let what = match held.action {
        HeldAction::Write if detail.whole => format!("the whole of {record}"),
        HeldAction::Write => format!("an edit of {record}"),
        HeldAction::Delete => format!("the deletion of {record}"),
        HeldAction::Merged => format!("{record}, which is another record from now on"),
    };
    console.say(&format!("{}: {what}, from {}.", held.id, held.from))?;
    console.say(&format!("{} since {}: {}", capital(kind(held.kind)), second(held.since), held.reason))?;
    console.say(&format!("Its uid is {}.", held.record.uid))?;
    if let Some(same_as) = &detail.same_as {
        console.say(&format!("It goes on as {same_as}."))?;
    }
    if let Some(version) = &detail.deleted {
        console.say(&format!("Deleted {}.", written(version)))?;
    }
    for column in &detail.columns {
        column_words(column, console)?;
    }
    if !detail.waits_for.is_empty() {
        console.say("It refers to, and these are not here:")?;
    }
    for awaited in &detail.waits_for {
        let held = awaited.held_as.as_ref().map(|id| format!(", itself held here as {id}")).unwrap_or_default();
        let record = format!("{} {}", awaited.record.table, awaited.record.words());
        console.say_indented("  ", &format!("{}: {record}{held}", awaited.column))?;
    }
    Ok(())
}

fn column_words(column: &HeldColumn, console: &mut Console<'_>) -> Result<(), CommandError> {
    let value = match &column.target {
        Some(record) => format!("{} {}", record.table, record.words()),
        None => column.value.to_string(),
    };
    console.say_indented("  ", &format!("{}: {value}", column.column))?;
    let here = match &column.here {
        Some(here) if *here == column.value => "; the same here".to_owned(),
        Some(here) => format!("; here: {here}"),
        None => String::new(),
    };
    console.say_indented("      ", &format!("written {}{here}", written(&column.version)))
}

fn written(version: &ShownVersion) -> String {
    match version.time {
        Some(_) => format!("by {}, {} by its clock", version.writer, second(TimeMs(version.time_ms))),
        None => format!("at {}, found there by setup", version.writer),
    }
}

fn home(detail: &HomeDetail, console: &mut Console<'_>) -> Result<(), CommandError> {
    let row = &detail.record;
    let key = row.record.key.clone().unwrap_or_default();
    console.say(&format!("{}: the row {key} of {} stays at home.", row.id, row.record.table))?;
    match &row.same_as {
        Some(record) => console.say(&format!("It has the identity of {}, which travels.", record.words()))?,
        None => console.say("The row whose identity it had is not here any more: edit it, and it travels.")?,
    }
    for column in &detail.columns {
        let other = match &column.same_as {
            Some(other) if *other == column.value => "; the same there".to_owned(),
            Some(other) => format!("; there: {other}"),
            None => String::new(),
        };
        console.say_indented("  ", &format!("{}: {}{other}", column.column, column.value))?;
    }
    console.say("If they are two, correct the key of one in the application; if they are one, delete one.")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
