//! Columns somewhere that refer to tracked tables.

use std::collections::HashMap;

use crate::schema::Schema;
use crate::tracking::Tracking;

/// Columns that refer to a tracked table, by its key or by others.
#[derive(Debug, Clone)]
pub(crate) struct ReferringColumn {
    pub(crate) table: String,
    /// Its number, if its table is tracked.
    pub(crate) number: Option<u32>,
    pub(crate) columns: Vec<String>,
    pub(crate) targets: Vec<String>,
    /// The type of the column, where it is one that no constraint declares.
    pub(crate) soft: Option<String>,
}

/// Who refers to each tracked table, by its number.
pub(crate) fn referring_columns(schema: &Schema, tracking: &Tracking) -> HashMap<u32, Vec<ReferringColumn>> {
    let mut referring: HashMap<u32, Vec<ReferringColumn>> = HashMap::new();
    for table in &schema.tables {
        for key in &table.foreign_keys {
            let Some(target) = tracking.by_name(&key.table) else { continue };
            if key.columns.len() != key.target_columns.len() {
                continue;
            }
            let number = tracking.by_name(&table.name).map(|tracked| tracked.number);
            let (columns, targets) = (key.columns.clone(), key.target_columns.clone());
            let entry = ReferringColumn { table: table.name.clone(), number, columns, targets, soft: None };
            referring.entry(target.number).or_default().push(entry);
        }
    }
    for table in &tracking.tables {
        for column in table.present() {
            let Some(target) = column.reference.and_then(|number| tracking.by_number(number)) else { continue };
            let [key] = target.key.as_slice() else { continue };
            let known = referring.entry(target.number).or_default();
            let is_declared =
                |entry: &ReferringColumn| entry.table == table.name && entry.columns == [column.name.clone()];
            if !known.iter().any(is_declared) {
                let (columns, targets) = (vec![column.name.clone()], vec![key.name.clone()]);
                let (number, soft) = (Some(table.number), Some(column.declared_type.clone()));
                known.push(ReferringColumn { table: table.name.clone(), number, columns, targets, soft });
            }
        }
    }
    // A table that nobody refers to has an entry too: it was looked at.
    for table in &tracking.tables {
        referring.entry(table.number).or_default();
    }
    referring
}
