//! Triggers that had to be made again, and when: people should hear of it, because what the application wrote in
//! between was found by comparing rows, not as it happened.
//!
//! Invariant: one entry for each table, the latest; so the list does not grow with time.

use std::collections::BTreeMap;

use saddlebag_formats::TimeMs;

use crate::error::StoreError;
use crate::store::Store;

/// The setting that holds them: a line for each table, the time in milliseconds, a space, the number.
const SETTING: &str = "triggers_restored";

/// How long people are told of it: 30 days, in milliseconds.
pub const TOLD_FOR_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A table whose triggers had to be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The table's name.
    pub table: String,
    /// When that was last, by the database's clock.
    pub at: TimeMs,
}

/// The tables that these triggers belong to, each once.
pub fn tables_of(store: &dyn Store, triggers: &[String]) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for number in triggers.iter().filter_map(|name| number_of(name)) {
        if let Some(table) = store.tracking().by_number(number)
            && !tables.contains(&table.name)
        {
            tables.push(table.name.clone());
        }
    }
    tables
}

/// Triggers are named `saddlebag_NUMBER_EVENT`, after the number of their table.
fn number_of(trigger: &str) -> Option<u32> {
    trigger.strip_prefix("saddlebag_")?.split('_').next()?.parse().ok()
}

/// Notes that these triggers are made again now. Needs a write transaction.
pub(crate) fn note(store: &mut dyn Store, triggers: &[String]) -> Result<(), StoreError> {
    let now = store.now()?;
    let mut known = read(store)?;
    known.extend(triggers.iter().filter_map(|name| number_of(name)).map(|number| (number, now)));
    let lines: String = known.iter().map(|(number, at)| format!("{at} {number}\n")).collect();
    store.set_setting(SETTING, lines.as_bytes())
}

/// The tables whose triggers had to be made again since `since`, the latest first.
///
/// # Errors
/// The engine's.
pub fn since(store: &mut dyn Store, since: TimeMs) -> Result<Vec<Restored>, StoreError> {
    let known = read(store)?;
    let mut restored: Vec<Restored> = known
        .into_iter()
        .filter(|(_, at)| *at >= since)
        .filter_map(|(number, at)| Some(Restored { table: store.tracking().by_number(number)?.name.clone(), at }))
        .collect();
    restored.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.table.cmp(&b.table)));
    Ok(restored)
}

fn read(store: &mut dyn Store) -> Result<BTreeMap<u32, TimeMs>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "the triggers that were made again".to_owned(),
        reason: "it is not a time and a number".to_owned(),
    };
    let Some(bytes) = store.setting(SETTING)? else { return Ok(BTreeMap::new()) };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let entry = |line: &str| {
        let (at, number) = line.split_once(' ')?;
        Some((number.parse().ok()?, TimeMs(at.parse().ok()?)))
    };
    text.lines().map(|line| entry(line).ok_or_else(damaged)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_names_its_table() {
        assert_eq!(number_of("saddlebag_12_insert"), Some(12));
        assert_eq!(number_of("saddlebag_setting"), None);
        assert_eq!(number_of("other_12_insert"), None);
    }
}
