//! Which records hold a value, and how far a counter has come: for numbers that each database gives by itself.

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

/// The greatest number that follows `prefix` and makes up the rest of the text.
pub(super) fn last_in_series(
    connection: &Connection,
    table: &TrackedTable,
    column: usize,
    prefix: &str,
) -> Result<Option<u64>, StoreError> {
    let failed = |error| engine("looking for the last number of a series", &error);
    let (name, column) = (quote(&table.name), quote(&table.columns[column].name));
    let sql = format!(
        "SELECT max(CAST(substr({column}, length(?1) + 1) AS INTEGER)) FROM {name} \
         WHERE substr({column}, 1, length(?1)) = ?1 AND substr({column}, length(?1) + 1) GLOB '[0-9]*' \
         AND substr({column}, length(?1) + 1) NOT GLOB '*[^0-9]*'"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let last: Option<i64> = statement.query_row([prefix], |row| row.get(0)).map_err(failed)?;
    Ok(last.and_then(|last| u64::try_from(last).ok()))
}
