//! Setting up: tables, triggers, columns that come and rows that are there already.

use super::{PostgresStore, asked, install, journal, ledger, triggers};
use crate::columns::adopt;
use crate::config::Identity;
use crate::error::StoreError;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

/// Makes what is missing, takes in columns that are new, and remembers what is tracked.
pub(super) fn install(store: &mut PostgresStore, tracking: &Tracking) -> Result<(), StoreError> {
    let client = &mut store.client;
    client.forget_prepared();
    install::make_own_tables(client)?;
    let known = install::installed(client)?.unwrap_or_default();
    let is_tracked = |number: u32| tracking.by_number(number).is_some();
    for (number, _) in known.tables.values().filter(|(number, _)| !is_tracked(*number)) {
        install::forget_table(client, *number)?;
    }
    for table in &tracking.tables {
        // A query that cannot be used is better refused here than when the first row comes.
        if let Identity::Named(query) = &table.identity {
            asked::query_names(store, table, query)?;
        }
    }
    for table in &tracking.tables {
        install::make_states(&mut store.client, table)?;
        install::remember_names(&mut store.client, table)?;
    }
    triggers::make_triggers(&mut store.client, tracking)?;
    adopt(store, tracking, &known)?;
    ledger::set_setting(&mut store.client, "tracking", tracking.summary().as_bytes())
}

/// Notes rows without a row state as found by setup, in the order of their keys: the next call goes on from the last.
pub(super) fn existing(store: &mut PostgresStore, table: &TrackedTable, limit: u64) -> Result<u64, StoreError> {
    let before = store.looked_at.remove(&table.number);
    let (rows, last) = journal::existing(&mut store.client, table, before.as_ref(), limit)?;
    if let Some(last) = last {
        store.looked_at.insert(table.number, last);
        return Ok(rows);
    }
    // Whatever lies before is looked at once more: nothing may be missed.
    match before {
        None => Ok(0),
        Some(_) => Ok(journal::existing(&mut store.client, table, None, limit)?.0),
    }
}

/// Gives lasting ids to columns that this schema lacks.
pub(super) fn learn(
    store: &mut PostgresStore,
    number: u32,
    columns: &[(String, Option<String>)],
) -> Result<(), StoreError> {
    let mut tracking = store.tracking.as_ref().clone();
    let Some(table) = tracking.tables.iter_mut().find(|table| table.number == number) else { return Ok(()) };
    for (name, references) in columns {
        if table.column_index(name).is_none() {
            let id = install::learn_column(&mut store.client, number, name, references.as_deref())?;
            table.columns.push(TrackedColumn::absent(id, name, references.clone()));
        }
    }
    store.replace_tracking(tracking);
    Ok(())
}
