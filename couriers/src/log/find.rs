//! The record that somebody means: by its uid, or by what one of its columns holds or held.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use saddlebag_formats::{Seq, Uid, Value};
use saddlebag_stores::log::LogFilter;
use saddlebag_stores::record::Key;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Access, Store, StoreError};

use crate::error::NodeError;
use crate::node::Node;
use crate::transaction::transaction;

/// Deleted records that are looked at at a time.
const PIECE: usize = 1_000;
/// Records of which it is said which they are, where more than one is meant.
const NAMED_MAX: usize = 5;

/// The record of a table that is meant by `COLUMN=VALUE` or by its uid.
pub(super) fn record(node: &mut Node, table: &str, typed: &str) -> Result<(String, Uid), NodeError> {
    let Some(tracked) = node.store.tracking().by_name(table).cloned() else {
        let known = node.store.tracking().tables.iter().map(|table| table.name.clone()).collect();
        return Err(NodeError::NotTracked { table: table.to_owned(), known });
    };
    let unknown = || NodeError::UnknownRecord { table: table.to_owned(), record: typed.to_owned() };
    let found = match typed.split_once('=') {
        Some((column, value)) => by_column(node, &tracked, column.trim(), value.trim())?,
        None => by_uid(node, &tracked, typed.trim().to_ascii_lowercase().parse().map_err(|_| unknown())?)?,
    };
    let mut all = found.iter().copied();
    match (all.next(), all.next()) {
        (None, _) => Err(unknown()),
        (Some(uid), None) => Ok((tracked.name, uid)),
        (Some(_), Some(_)) => Err(NodeError::ManyRecords {
            table: table.to_owned(),
            record: typed.to_owned(),
            count: found.len(),
            uids: found.iter().take(NAMED_MAX).map(ToString::to_string).collect(),
        }),
    }
}

/// A record that is here, was here, is held, or stands in the log.
fn by_uid(node: &mut Node, table: &TrackedTable, uid: Uid) -> Result<BTreeSet<Uid>, NodeError> {
    let is_known = transaction(&mut *node.store, Access::Read, |store| {
        let record = Some((table.name.clone(), uid));
        let filter = LogFilter { kind: None, peer: None, since: None, record, limit: 1 };
        let is_held = |store: &mut dyn Store| -> Result<bool, StoreError> {
            Ok(store.held(None)?.iter().any(|held| held.uid == uid && held.table == table.name))
        };
        let is_here = !store.records(table, &[uid])?.is_empty();
        Ok(is_here || !store.search_log(&filter)?.is_empty() || is_held(store)?)
    })?;
    Ok(is_known.then_some(uid).into_iter().collect())
}

/// Live records with a value in a column; where there is none, deleted ones that last had it.
fn by_column(node: &mut Node, table: &TrackedTable, column: &str, typed: &str) -> Result<BTreeSet<Uid>, NodeError> {
    let index = table.column_index(column);
    let is_key = matches!(table.key.as_slice(), [part] if part.name == column);
    if index.is_none() && !is_key {
        return Err(NodeError::UnknownColumn { table: table.name.clone(), column: column.to_owned() });
    }
    let values = meanings(typed);
    let is_present = |index: &usize| table.columns[*index].absent.is_none();
    let live = transaction(&mut *node.store, Access::Read, |store| {
        let mut found = BTreeSet::new();
        for value in values.iter().filter(|_| is_key) {
            found.extend(store.uid_at(table, &Key(vec![value.clone()]))?);
        }
        if let Some(index) = index.filter(is_present).filter(|_| !is_key) {
            found.extend(store.holders(table, index, &values)?.into_values().flatten());
        }
        Ok(found)
    });
    let live = match live {
        // What the column's type cannot be is in no row; the database says so in words of its own.
        Err(NodeError::Store(StoreError::Engine { .. })) => BTreeSet::new(),
        live => live?,
    };
    match index.filter(|_| live.is_empty()) {
        None => Ok(live),
        Some(index) => transaction(&mut *node.store, Access::Read, |store| Ok(deleted(store, table, index, &values)?)),
    }
}

/// Deleted records that last had one of these values in a column.
fn deleted(
    store: &mut dyn Store,
    table: &TrackedTable,
    index: usize,
    values: &[Value],
) -> Result<BTreeSet<Uid>, StoreError> {
    let (column, last, mut found) = (table.columns[index].id, store.last_seq()?, BTreeSet::new());
    store.deleted_each(table, Seq(0), last, PIECE, &mut |tombstones| {
        let had = tombstones
            .iter()
            .filter(|tombstone| tombstone.values.iter().any(|(id, value)| *id == column && values.contains(value)));
        found.extend(had.map(|tombstone| tombstone.uid));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// What was typed may be text or a number.
fn meanings(typed: &str) -> Vec<Value> {
    let integer = typed.parse().map(Value::Integer).ok();
    let real = typed.parse::<f64>().map(Value::Real).ok().filter(|_| integer.is_none());
    std::iter::once(Value::Text(typed.to_owned())).chain(integer).chain(real).collect()
}
