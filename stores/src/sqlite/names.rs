//! What a query of `named(…)` says.

use std::collections::HashMap;

use saddlebag_formats::Value;

use super::SqliteStore;
use super::values::from_sql;
use crate::error::StoreError;
use crate::naming;
use crate::tracking::TrackedTable;

/// Keys and names.
pub(super) fn query_names(
    store: &SqliteStore,
    table: &TrackedTable,
    query: &str,
) -> Result<HashMap<Value, String>, StoreError> {
    let refused = |reason: String| StoreError::NameQuery { table: table.name.clone(), reason };
    let failed = |error: rusqlite::Error| refused(error.to_string());
    let mut statement = store.connection.prepare(query).map_err(failed)?;
    // It may have come from the deployment's central: it may look at the database, and do nothing else.
    if !statement.readonly() {
        return Err(refused("it does more than read".to_owned()));
    }
    if statement.column_count() != 2 {
        return Err(refused("it must give two columns, the key of a row and its name".to_owned()));
    }
    let rows = statement.query_map([], |row| Ok((from_sql(row.get_ref(0)?), from_sql(row.get_ref(1)?))));
    let rows: Vec<(Value, Value)> = rows.and_then(Iterator::collect).map_err(failed)?;
    Ok(naming::names(rows))
}
