//! Columns that an upgrade of the application adds: what bundles have brought for them goes into them.

use saddlebag_formats::{Uid, Value};

use crate::engine::Engine;
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};
use crate::tracking::{Numbering, TrackedColumn, TrackedTable, Tracking};

/// Takes in columns that were not shared when setup was last run: what was kept beside the records goes into them, and
/// what else stands there is noted as seen for the first time.
pub(crate) fn adopt(store: &mut dyn Engine, tracking: &Tracking, known: &Numbering) -> Result<(), StoreError> {
    for table in &tracking.tables {
        let Some((_, ids)) = known.tables.get(&table.name) else { continue };
        let was_absent = |column: &TrackedColumn| known.absent.contains_key(&(table.name.clone(), column.name.clone()));
        let new: Vec<&TrackedColumn> =
            table.present().filter(|column| was_absent(column) || !ids.contains_key(&column.name)).collect();
        for column in &new {
            store.note_present(table.number, column.id)?;
            put_in_place(store, tracking, table, column)?;
        }
        if !new.is_empty() {
            store.note_first_sight(table, &new)?;
        }
    }
    Ok(())
}

/// Writes into a column that has appeared what was kept beside the records for it.
fn put_in_place(
    store: &mut dyn Engine,
    tracking: &Tracking,
    table: &TrackedTable,
    column: &TrackedColumn,
) -> Result<(), StoreError> {
    for kept in store.beside(table)?.into_iter().filter(|kept| kept.column == column.id) {
        let Some(key) = store.keys(table, &[kept.uid])?.remove(&kept.uid) else { continue };
        let written = match local_form(store, tracking, column, &kept.value)? {
            Some(local) => store.write_column(table, column, &key, &local)?.then_some(local),
            None => None,
        };
        let shown = store.local_value(table, column, &key)?;
        if written.is_some() && written == shown {
            store.forget_beside(table.number, kept.uid, &[column.id])?;
            continue;
        }
        let why = if kept.value.target().is_some() { BesideWhy::NoTarget } else { BesideWhy::OtherForm };
        store.put_beside(table.number, &[Beside { shown, why, ..kept }])?;
    }
    Ok(())
}

/// A true value as this database stores it; none for a reference whose target is not here.
pub(crate) fn local_form(
    store: &mut dyn Engine,
    tracking: &Tracking,
    column: &TrackedColumn,
    value: &Value,
) -> Result<Option<Value>, StoreError> {
    let mut key_of = |target: Option<&TrackedTable>, uid: &Uid| match target {
        Some(target) => Ok(store.keys(target, &[*uid])?.remove(uid).and_then(|key| key.0.first().cloned())),
        None => Ok(None),
    };
    Ok(match value {
        Value::Reference(uid) => key_of(column.reference.and_then(|number| tracking.by_number(number)), uid)?,
        Value::NamedReference(name, uid) => {
            let target = tracking.named(name).filter(|_| column.names_its_table);
            key_of(target, uid)?.map(|key| crate::tracking::named_key(name, &key))
        }
        Value::Dangling(_) => None,
        plain => Some(plain.clone()),
    })
}
