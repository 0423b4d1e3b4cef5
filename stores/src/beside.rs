//! True values that cannot stand in their columns, kept beside the records.
//!
//! Invariant: a value counts for as long as the column holds what was put there in its place. An application that
//! writes something else there has changed the value.

use saddlebag_formats::{Uid, Value};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::ledger::BesideWhy;
use crate::record::Key;
use crate::soft;
use crate::tracking::TrackedTable;

/// How a reason lies in the database.
pub(crate) fn why_name(why: BesideWhy) -> &'static str {
    match why {
        BesideWhy::NoColumn => "no column",
        BesideWhy::NoTarget => "no target",
        BesideWhy::Collides => "collides",
        BesideWhy::OtherForm => "other form",
    }
}

/// The reason of this name.
pub(crate) fn why(name: &str) -> BesideWhy {
    match name {
        "no column" => BesideWhy::NoColumn,
        "no target" => BesideWhy::NoTarget,
        "collides" => BesideWhy::Collides,
        _ => BesideWhy::OtherForm,
    }
}

/// Puts the true values of a record in the place of what its row shows; gives the columns that this schema lacks and of
/// which nothing is known here, by id.
pub(crate) fn overlay(
    store: &mut dyn Engine,
    table: &TrackedTable,
    uid: Uid,
    key: &Key,
    values: &mut [Value],
) -> Result<Vec<u16>, StoreError> {
    let mut unknown = lacking(table);
    for beside in store.beside_of(table.number, uid)? {
        let Some(index) = table.index_of_id(beside.column) else { continue };
        let column = &table.columns[index];
        let stands = match (&column.absent, &beside.shown) {
            (Some(_), _) => true,
            (None, Some(shown)) => store.local_value(table, column, key)?.is_some_and(|local| local == *shown),
            (None, None) => false,
        };
        if stands {
            unknown.retain(|id| *id != beside.column);
            values[index] = beside.value;
        }
    }
    Ok(unknown)
}

/// The columns that this schema lacks, by id.
pub(crate) fn lacking(table: &TrackedTable) -> Vec<u16> {
    table.columns.iter().filter(|column| column.absent.is_some()).map(|column| column.id).collect()
}

/// The values of a row as it stands now, whole; none if it is not there. `uid` is its record's, if it has one already.
pub(crate) fn read_row(
    store: &mut dyn Engine,
    table: &TrackedTable,
    key: &Key,
    uid: Option<Uid>,
) -> Result<Option<Vec<Value>>, StoreError> {
    let Some(mut values) = store.row(table, key)? else { return Ok(None) };
    soft::complete(store, table, &mut values)?;
    if let Some(uid) = uid {
        overlay(store, table, uid, key, &mut values)?;
    }
    Ok(Some(values))
}

/// Lets go of values whose columns the application has changed since.
pub(crate) fn forget_changed(
    store: &mut dyn Engine,
    table: &TrackedTable,
    uid: Uid,
    key: &Key,
) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    for beside in store.beside_of(table.number, uid)? {
        let column = table.index_of_id(beside.column).map(|index| &table.columns[index]);
        let Some(column) = column.filter(|column| column.absent.is_none()) else { continue };
        if store.local_value(table, column, key)? != beside.shown {
            changed.push(beside.column);
        }
    }
    store.forget_beside(table.number, uid, &changed)
}
