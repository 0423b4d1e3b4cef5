//! What stands in the application's tables of one place, as people read it.

use rusqlite::Connection;

use super::schema::TABLES;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// What names the record in the world.
    pub name: String,
    /// What stands in its columns, in the order of [`TABLES`].
    pub values: Vec<Option<String>>,
    /// Its key in this database, which no other place knows.
    pub key: i64,
}

/// All rows of all tables, each table by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// By table, in the order of [`TABLES`].
    pub tables: Vec<Vec<Row>>,
}

impl Look {
    /// Reads all rows.
    ///
    /// # Panics
    /// When SQLite refuses.
    #[must_use]
    pub fn at(app: &Connection) -> Self {
        let tables = TABLES.iter().map(|table| {
            let columns: Vec<&str> = table.columns.iter().map(|column| column.shown).collect();
            let sql = format!("SELECT {}, t.id, {} FROM {} t", table.named, columns.join(", "), table.name);
            let mut statement = app.prepare_cached(&sql).unwrap();
            let rows = statement.query_map([], |row| {
                let values = (0..columns.len()).map(|at| row.get(at + 2)).collect::<Result<_, _>>()?;
                Ok(Row { name: row.get(0)?, key: row.get(1)?, values })
            });
            let mut rows: Vec<Row> = rows.unwrap().map(Result::unwrap).collect();
            rows.sort();
            rows
        });
        Self { tables: tables.collect() }
    }

    /// The row of a table with a key.
    #[must_use]
    pub fn at_key(&self, table: usize, key: i64) -> Option<&Row> {
        self.tables[table].iter().find(|row| row.key == key)
    }

    /// The row of a table with a name.
    #[must_use]
    pub fn named(&self, table: usize, name: &str) -> Option<&Row> {
        self.tables[table].iter().find(|row| row.name == name)
    }
}
