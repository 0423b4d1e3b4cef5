//! Rows that stand in each other's way: two records that exchange a unique value, or several that pass one around.
//!
//! Each is refused as long as another holds the value. So all of them are moved out of the way first, within the
//! transaction, and then written as they should be.

use std::collections::BTreeMap;

use saddlebag_formats::{Uid, Value};
use saddlebag_stores::record::RowWrite;
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable};
use saddlebag_stores::{Store, StoreError};

use crate::plan::Write;
use crate::writes::{Batch, Rows, Status};

/// Moves refused rows out of each other's way and writes them again. Gives those that are refused even so, with the
/// reason for which they were refused first: the attempt must be undone and made again without them.
pub(crate) fn exchange(batch: &mut Batch<'_>, store: &mut dyn Store) -> Result<Vec<(usize, Status)>, StoreError> {
    let refused: Vec<(usize, Status)> = (0..batch.writes.len())
        .filter(|index| matches!(batch.status[*index], Status::Refused(_)) && !batch.is_hopeless(*index))
        .map(|index| (index, batch.status[index].clone()))
        .collect();
    let mut moved = Vec::new();
    for (index, status) in &refused {
        if let Some(row) = out_of_the_way(batch, *index) {
            moved.push((*index, status.clone(), row));
        }
    }
    // One alone stands in nobody's way.
    if moved.len() < 2 {
        return Ok(Vec::new());
    }
    let mut rows: Rows = BTreeMap::new();
    for (index, _, row) in &moved {
        rows.entry(batch.writes[*index].table).or_default().push((*index, row.clone()));
    }
    for (index, outcome) in batch.write_rows(store, rows)? {
        if let Ok(key) = outcome {
            batch.writes[index].key = Some(key);
        }
    }
    while batch.has_refused() && batch.run(store)? {}
    let still = |index: &usize| !matches!(batch.status[*index], Status::Done { .. });
    Ok(moved.into_iter().filter(|(index, ..)| still(index)).map(|(index, status, _)| (index, status)).collect())
}

/// A refused row with its unique values replaced by ones that nobody has.
fn out_of_the_way(batch: &Batch<'_>, index: usize) -> Option<RowWrite> {
    let write: &Write = &batch.writes[index];
    let table: &TrackedTable = batch.tracking.by_number(write.table)?;
    let is_unique = |column: &TrackedColumn| table.unique.iter().flatten().any(|name| *name == column.name);
    let mut values = Vec::new();
    for index in write.values.keys().filter(|index| is_unique(&table.columns[**index])) {
        values.push((*index, placeholder(&table.columns[*index], write.uid)?));
    }
    if values.is_empty() || write.key.is_none() {
        return None;
    }
    let (uid, key, state) = (write.uid, write.key.clone(), write.state.clone());
    Some(RowWrite { uid, key, values, beside: Vec::new(), state, hash: write.hash })
}

/// A value that no application has put there; none for a reference that may not be null.
fn placeholder(column: &TrackedColumn, uid: Uid) -> Option<Value> {
    if !column.not_null {
        return Some(Value::Null);
    }
    if column.refers() {
        return None;
    }
    if column.declared_type.to_ascii_uppercase().contains("INT") {
        let mut low = [0; 8];
        low.copy_from_slice(&uid.0[8..]);
        return Some(Value::Integer(-(i64::from_le_bytes(low) & i64::MAX)));
    }
    Some(Value::Text(format!("saddlebag {uid}")))
}
