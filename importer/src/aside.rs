//! Values that cannot stand in their columns here: they are kept beside the record, and something else is shown.
//!
//! "A reference whose target the receiver has not *yet* parks the record. One whose target it can never have never
//! parks."

use std::collections::{HashMap, HashSet};

use saddlebag_formats::{Uid, Value};
use saddlebag_stores::config::Direction;
use saddlebag_stores::ledger::BesideWhy;
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable};
use saddlebag_stores::{Store, StoreError};

use crate::merge::Side;
use crate::plan::{Aside, Planner, Write};
use crate::references::{self, Keys, Target};

/// Sets aside references without a target, and values that another record here has; gives the writes that cannot stand
/// even so, with the reason.
pub(crate) fn set_aside(
    store: &mut dyn Store,
    planner: &Planner<'_>,
    writes: &mut [Write],
    keys: &Keys,
) -> Result<Vec<(usize, String)>, StoreError> {
    let here: HashSet<Target> = writes.iter().filter(|write| write.key.is_none()).map(references::of).collect();
    let mut refused = Vec::new();
    for (at, write) in writes.iter_mut().enumerate() {
        let Some(table) = planner.tracking.by_number(write.table) else { continue };
        let lost: Vec<usize> = write
            .values
            .iter()
            .filter(|(index, value)| {
                !write.aside.contains_key(index) && is_lost(planner, &table.columns[**index], value, keys, &here)
            })
            .map(|(index, _)| *index)
            .collect();
        for index in lost {
            match without_target(table, index) {
                Ok(aside) => drop(write.aside.insert(index, aside)),
                Err(reason) => refused.push((at, reason)),
            }
        }
    }
    for table in planner.tracking.tables.iter() {
        for column in (0..table.columns.len()).filter(|column| table.columns[*column].is_local_unique) {
            qualify(store, planner, (table, column), writes)?;
        }
    }
    Ok(refused)
}

/// Whether a value is a reference whose target never comes here by itself.
fn is_lost(planner: &Planner<'_>, column: &TrackedColumn, value: &Value, keys: &Keys, here: &HashSet<Target>) -> bool {
    let Some(uid) = value.target() else { return matches!(value, Value::Dangling(_)) };
    let Some(target) = references::target(planner.tracking, column, value) else { return true };
    debug_assert_eq!(target.1, uid);
    if keys.get(&target).is_some() || here.contains(&target) {
        return false;
    }
    let comes = planner.tracking.by_number(target.0).is_some_and(|table| match table.direction {
        Direction::Both => true,
        Direction::Up => planner.setting.side == Side::Central,
        Direction::Down => planner.setting.side == Side::Satellite,
        Direction::Match => false,
    });
    // What names its table is bound by no constraint: it may outlive its target.
    !comes || (column.names_its_table && keys.is_deleted(&target))
}

/// What a column shows instead of a reference without a target.
fn without_target(table: &TrackedTable, index: usize) -> Result<Aside, String> {
    let column = &table.columns[index];
    let shown = match &column.without_target {
        Some(value) => value.clone(),
        None if !column.not_null => Value::Null,
        None => {
            return Err(format!(
                "`{0}` of `{1}` refers to a record that never comes here, and may not be empty: name a value for it by \
                 `without_target` in [tables.{1}]",
                column.name, table.name
            ));
        }
    };
    Ok(Aside { shown: Some(shown), why: BesideWhy::NoTarget })
}

/// Shows a newcomer's value with its origin where another record here has it, or where this satellite's own counter is
/// still to reach it: `EVAL 2026/000259 (clinic-07)`.
fn qualify(
    store: &mut dyn Store,
    planner: &Planner<'_>,
    (table, column): (&TrackedTable, usize),
    writes: &mut [Write],
) -> Result<(), StoreError> {
    let id = table.columns[column].id;
    let value_of = |write: &Write| match write.values.get(&column) {
        Some(Value::Text(text)) if write.table == table.number && !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let origin = |write: &Write| {
        let node = write.state.of(id).version.writer.node;
        planner.names.get(&node).cloned().unwrap_or_else(|| node.to_string().chars().take(8).collect())
    };
    let shown = |write: &Write, text: &str| {
        let origin = origin(write);
        [format!("{text} ({origin})"), format!("{text} ({origin} {})", &write.uid.to_string()[..8])]
    };
    let mut asked: Vec<Value> = Vec::new();
    for write in writes.iter() {
        if let Some(text) = value_of(write) {
            asked.extend(shown(write, &text).map(Value::Text));
            asked.push(Value::Text(text));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let mut taken: HashMap<Value, Vec<Uid>> = store.holders(table, column, &asked)?;
    let mut counters: HashMap<String, Option<u64>> = HashMap::new();
    for write in writes {
        let Some(text) = value_of(write) else { continue };
        let is_free = |value: &Value| taken.get(value).is_none_or(|uids| uids.iter().all(|uid| *uid == write.uid));
        let plain = Value::Text(text.clone());
        let mut choices = shown(write, &text).map(Value::Text).into_iter();
        let is_own = planner.setting.side == Side::Central || write.state.of(id).version.writer.node == planner.me;
        let is_ahead = !is_own && is_ahead(store, (table, column), &text, &mut counters)?;
        let chosen = if is_free(&plain) && !is_ahead { plain } else { choices.find(is_free).unwrap_or(plain) };
        if chosen != Value::Text(text) {
            write.aside.insert(column, Aside { shown: Some(chosen.clone()), why: BesideWhy::Collides });
        }
        taken.entry(chosen).or_default().push(write.uid);
    }
    Ok(())
}

/// Whether the counter of this database has not come as far as a number yet, and will give it to a record of its own.
fn is_ahead(
    store: &mut dyn Store,
    (table, column): (&TrackedTable, usize),
    text: &str,
    counters: &mut HashMap<String, Option<u64>>,
) -> Result<bool, StoreError> {
    let prefix = text.trim_end_matches(|character: char| character.is_ascii_digit());
    let Ok(number) = text[prefix.len()..].parse::<u64>() else { return Ok(false) };
    if !counters.contains_key(prefix) {
        counters.insert(prefix.to_owned(), store.last_in_series(table, column, prefix)?);
    }
    Ok(counters.get(prefix).copied().flatten().is_none_or(|last| number > last))
}
