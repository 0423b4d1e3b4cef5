//! What Tryton's own catalogue means, whatever engine it lies on.

use std::collections::BTreeMap;

use crate::schema::{NamedTable, Schema};

/// Numbers of more digits are no 64-bit integers.
pub(crate) const DIGITS_MAX: u32 = 18;
/// A counter may have skipped three numbers of four: deleted rows, transactions that were undone.
pub(crate) const SKIPPED_PER_VALUE: u32 = 4;

fn has(schema: &Schema, table: &str, columns: &[&str]) -> bool {
    schema.table(table).is_some_and(|table| columns.iter().all(|name| table.column(name).is_some()))
}

/// Whether a database has the catalogue.
pub(crate) fn has_catalogue(schema: &Schema) -> bool {
    has(schema, "ir_model", &["id", "model"]) && has(schema, "ir_model_field", &["model", "name", "relation", "ttype"])
}

/// Whether it also has names for rows.
pub(crate) fn has_names(schema: &Schema) -> bool {
    has(schema, "ir_model_data", &["model", "module", "fs_id", "db_id"])
}

/// The table of a model.
pub(crate) fn table_of(model: &str) -> String {
    model.replace('.', "_")
}

/// The tables some of whose rows have names, of models with how many rows of theirs have one.
pub(crate) fn named_tables(schema: &Schema, models: impl IntoIterator<Item = (String, u64)>) -> Vec<NamedTable> {
    let mut named = BTreeMap::new();
    for (model, rows) in models {
        let table = table_of(&model);
        if schema.table(&table).is_none() {
            continue;
        }
        // The same text on every engine: it is part of the table's identity, which all nodes have in common.
        let query = format!(
            "SELECT db_id, module || '.' || fs_id FROM ir_model_data WHERE model = '{}'",
            model.replace('\'', "''")
        );
        named.insert(table.clone(), NamedTable { table, rows, query });
    }
    named.into_values().collect()
}
