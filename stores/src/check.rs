//! Rows against row states: what went past the triggers, and what stays at home.

use saddlebag_formats::Uid;

use crate::beside::read_row;
use crate::difference::{Difference, DifferenceKind, HomeRow};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::naming;
use crate::tracking::TrackedTable;

/// Records that are held in memory at a time.
const PAGE: usize = 1_000;

/// Tells `found` of every row and row state that do not fit each other, and counts the rows.
pub(crate) fn check(
    store: &mut dyn Engine,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<u64, StoreError> {
    store.unseen_rows(table, &mut |key| found(Difference { key, uid: None, kind: DifferenceKind::NoState }))?;
    store.lost_rows(table, &mut |key, uid| found(Difference { key, uid: Some(uid), kind: DifferenceKind::NoRow }))?;
    shared_rows(store, table, found)?;
    for (key, uid) in store.at_home(table)? {
        let known = store.state_at(table, &key)?.map(|stored| stored.hash);
        let values = read_row(store, table, &key, Some(uid))?;
        if values.is_some_and(|values| Some(table.row_hash(uid, &values)) != known) {
            found(Difference { key, uid: Some(uid), kind: DifferenceKind::OtherValues });
        }
    }
    store.count_rows(table)
}

/// Rows that are shared and whose values are not those of their hash.
fn shared_rows(
    store: &mut dyn Engine,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<(), StoreError> {
    let mut last: Option<Uid> = None;
    loop {
        let page = store.page(table, last, PAGE)?;
        let (count, end) = (page.len(), page.last().map(|record| record.uid));
        for record in page {
            if table.row_hash(record.uid, &record.values) != record.hash {
                found(Difference { key: record.key, uid: Some(record.uid), kind: DifferenceKind::OtherValues });
            }
        }
        if count < PAGE {
            return Ok(());
        }
        last = end;
    }
}

/// Rows that stay at home, with the record whose identity they have.
pub(crate) fn home_rows(store: &mut dyn Engine, table: &TrackedTable) -> Result<Vec<HomeRow>, StoreError> {
    let mut home = Vec::new();
    for (key, uid) in store.at_home(table)? {
        let Some(values) = read_row(store, table, &key, Some(uid))? else { continue };
        let identity = naming::from_values(table, &values);
        let standing = store.keys(table, identity.as_slice())?;
        let holder = identity.filter(|identity| standing.contains_key(identity));
        home.push(HomeRow { key, uid, holder, values });
    }
    Ok(home)
}
