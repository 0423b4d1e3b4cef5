//! What a satellite takes over from its central, in words: for `join`, which announces it, and `setup`, which does it.

use saddlebag_couriers::takeover::{TakenOver, Takeover};

use crate::command_error::CommandError;
use crate::console::Console;
use crate::layout;

/// Lines of one kind that are shown.
const LINES_MAX: usize = 12;

/// Whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Planned,
    Done,
}

impl Tense {
    /// The word that fits.
    pub(super) fn choose(self, planned: &'static str, done: &'static str) -> &'static str {
        match self {
            Self::Planned => planned,
            Self::Done => done,
        }
    }
}

/// Prints a takeover.
pub(super) fn print(takeover: &Takeover, tense: Tense, console: &mut Console<'_>) -> Result<(), CommandError> {
    let central = &takeover.central;
    if !takeover.changes_nothing() {
        let verb = tense.choose("is to be", "was");
        console.say(&format!("How {central} knows the tables {verb} taken over into saddlebag.toml:"))?;
    }
    let changed = |change: &TakenOver| {
        let TakenOver { table, setting, from, to } = change;
        format!("{table}: {setting} = {}, not {}", shown(to), shown(from))
    };
    lines(console, takeover.changed.iter().map(changed).collect())?;
    lines(console, takeover.added.iter().map(|table| format!("{table}: is kept in step as well")).collect())?;
    for refused in some(&takeover.refused) {
        let (table, reason) = (&refused.table, &refused.reason);
        console
            .note(&format!("`{table}` stays as saddlebag.toml has it: {central} knows it otherwise, but {reason}"))?;
    }
    tables(console, &takeover.lacking, &|names| {
        format!("{central} also keeps {names} in step, which this database does not have")
    })?;
    tables(console, &takeover.only_here, &|names| {
        format!("only this node keeps {names} in step: {central} will hold what it is sent of that")
    })
}

fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") }
}

fn some<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(LINES_MAX)]
}

fn lines(console: &mut Console<'_>, all: Vec<String>) -> Result<(), CommandError> {
    for line in some(&all) {
        console.say_indented("  ", line)?;
    }
    let more = all.len().saturating_sub(LINES_MAX);
    if more == 0 { Ok(()) } else { console.say_indented("  ", &format!("and {} more", layout::thousands(more as u64))) }
}

fn tables(console: &mut Console<'_>, names: &[String], sentence: &dyn Fn(&str) -> String) -> Result<(), CommandError> {
    if names.is_empty() {
        return Ok(());
    }
    let quoted: Vec<_> = some(names).iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(LINES_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    console.note(&sentence(&format!("{}{more}", quoted.join(", "))))
}
