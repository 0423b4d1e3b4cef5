//! Every value of a database, by table, key and column.

use std::collections::BTreeMap;

use crate::app::{App, AppError};
use crate::meaning::Source as _;

/// A table, a key here and a column.
pub type Cell = (String, i64, String);

/// The values of a database as text; different values have different texts.
pub type Cells = BTreeMap<Cell, String>;

/// The values of these tables, without those columns.
///
/// # Errors
/// When a table cannot be read.
///
/// # Panics
/// When a table has no integer key `id`.
pub fn cells(app: &App, tables: &[(String, Vec<String>)]) -> Result<Cells, AppError> {
    let mut cells = Cells::new();
    for (table, without) in tables {
        let columns: Vec<String> = app.columns(table)?.into_iter().map(|column| column.name).collect();
        let key = columns.iter().position(|column| column == "id").unwrap();
        for row in app.cells(table, &columns)? {
            let id: i64 = row[key].parse().unwrap();
            for (column, value) in columns.iter().zip(row).filter(|(column, _)| !without.contains(column)) {
                cells.insert((table.clone(), id, column.clone()), value);
            }
        }
    }
    Ok(cells)
}
