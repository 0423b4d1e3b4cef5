//! Which records hold a value: for numbers that come from a counter of each database.

use std::collections::HashMap;

use rusqlite::{Connection, params_from_iter};
use saddlebag_formats::{Uid, Value};

use super::engine;
use super::sql::{key_join, marks, quote, states};
use super::values::{Parameter, from_sql, uid_at};
use crate::error::StoreError;
use crate::tracking::TrackedTable;

/// Values asked for at once: a column without an index is read once for so many.
const VALUES_AT_ONCE: usize = 500;

/// The records that hold each of `values`, as this database has them.
pub(super) fn holders(
    connection: &Connection,
    table: &TrackedTable,
    column: usize,
    values: &[Value],
) -> Result<HashMap<Value, Vec<Uid>>, StoreError> {
    let failed = |error| engine("looking for equal values", &error);
    let (name, column) = (quote(&table.name), quote(&table.columns[column].name));
    let mut holders: HashMap<Value, Vec<Uid>> = HashMap::new();
    for some in values.chunks(VALUES_AT_ONCE) {
        let sql = format!(
            "SELECT t.{column}, s.uid FROM {name} t JOIN {states} s ON {join} WHERE t.{column} IN ({marks})",
            states = states(table.number),
            join = key_join(table, "s.", "t."),
            marks = marks(some.len()),
        );
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let parameters = params_from_iter(some.iter().map(Parameter));
        let rows = statement.query_map(parameters, |row| Ok((from_sql(row.get_ref(0)?), uid_at(row, 1)?)));
        for row in rows.map_err(failed)? {
            if let (value, Some(uid)) = row.map_err(failed)? {
                holders.entry(value).or_default().push(uid);
            }
        }
    }
    Ok(holders)
}
