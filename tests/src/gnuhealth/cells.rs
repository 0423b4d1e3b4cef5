//! Every value of a database, by table, key and column.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result};
use saddlebag_samples::compare::show;

/// A table, a key here and a column.
pub type Cell = (String, i64, String);

/// The values of a database as text; different values have different texts.
pub type Cells = BTreeMap<Cell, String>;

/// The values of these tables, without those columns.
///
/// # Errors
/// When a table cannot be read.
pub fn cells(connection: &Connection, tables: &[(String, Vec<String>)]) -> Result<Cells> {
    let mut cells = Cells::new();
    for (table, without) in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let key = columns.iter().position(|column| column == "id").unwrap();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(key)?;
            for (index, column) in columns.iter().enumerate().filter(|(_, column)| !without.contains(column)) {
                cells.insert((table.clone(), id, column.clone()), show(row.get_ref(index)?));
            }
        }
    }
    Ok(cells)
}
