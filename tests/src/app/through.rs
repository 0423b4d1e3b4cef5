//! Work that is written for SQLite, on whichever engine.

use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter};

use super::{App, Row, Server, Sql};
use crate::meaning::Source as _;

/// The rows of a table by key.
type Rows = BTreeMap<String, (Row, Row)>;

/// A table as both databases have it.
struct Table {
    name: String,
    columns: Vec<String>,
    keys: Vec<usize>,
}

impl App {
    /// Does work that is written for SQLite. On PostgreSQL it is done on a copy of the tables that `schema` makes, and
    /// the rows that it has changed are then written in one transaction.
    ///
    /// # Panics
    /// When a database refuses.
    pub fn through_sqlite<T>(&mut self, schema: &str, work: impl FnOnce(&mut Connection) -> T) -> T {
        let server = match self {
            Self::Sqlite(connection) => return work(connection),
            Self::Postgres(server) => server,
        };
        let mut copy = Connection::open_in_memory().unwrap();
        copy.execute_batch(schema).unwrap();
        let tables = tables(&copy);
        copy.pragma_update(None, "foreign_keys", false).unwrap();
        let before: Vec<Rows> = tables.iter().map(|table| bring(server, &copy, table)).collect();
        copy.pragma_update(None, "foreign_keys", true).unwrap();
        let done = work(&mut copy);
        let after: Vec<Rows> = tables.iter().map(|table| by_key(table, of_sqlite(&copy, table))).collect();
        server.batch("BEGIN").unwrap();
        for ((table, before), after) in tables.iter().zip(&before).zip(&after) {
            write(server, table, before, after);
        }
        for ((table, before), after) in tables.iter().zip(&before).zip(&after).rev() {
            let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
            let sql = format!("DELETE FROM \"{}\" WHERE {}", table.name, condition(table, 1));
            gone.for_each(|(_, (key, _))| assert_eq!(server.write(&sql, key).unwrap(), 1, "{}", table.name));
        }
        server.batch("COMMIT").unwrap();
        server.advance().unwrap();
        done
    }

    /// The application's tables as a SQLite file, for what reads nothing else. `schema` makes them there.
    ///
    /// # Panics
    /// When a database refuses.
    pub fn write_sqlite(&self, schema: &str, path: &std::path::Path) {
        let Self::Postgres(server) = self else { panic!("it is a SQLite file already") };
        let copy = Connection::open(path).unwrap();
        copy.execute_batch(schema).unwrap();
        copy.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
        tables(&copy).iter().for_each(|table| drop(bring(server, &copy, table)));
        copy.execute_batch("COMMIT").unwrap();
    }
}

fn tables(connection: &Connection) -> Vec<Table> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid";
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap);
    let table = |name: String| {
        let columns = connection.columns(&name).unwrap();
        let keys = (0..columns.len()).filter(|at| columns[*at].is_key).collect();
        Table { name, columns: columns.into_iter().map(|column| column.name).collect(), keys }
    };
    names.map(table).collect()
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn select(table: &Table) -> String {
    format!("SELECT {} FROM \"{}\"", list(&table.columns), table.name)
}

fn insert(table: &Table, mark: char) -> String {
    let marks: Vec<String> = (1..=table.columns.len()).map(|at| format!("{mark}{at}")).collect();
    format!("INSERT INTO \"{}\" ({}) VALUES ({})", table.name, list(&table.columns), marks.join(", "))
}

fn condition(table: &Table, first: usize) -> String {
    let equal = |(at, key): (usize, &usize)| format!("\"{}\" = ${}", table.columns[*key], at + first);
    table.keys.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}

fn by_key(table: &Table, rows: Vec<Row>) -> Rows {
    let key = |row: &Row| table.keys.iter().map(|at| row[*at].clone()).collect::<Row>();
    let place = |key: &Row| key.iter().map(place).collect::<Vec<_>>().join(" ");
    rows.into_iter().map(|row| (place(&key(&row)), (key(&row), row))).collect()
}

/// Keys in their order.
fn place(value: &Sql) -> String {
    match value {
        Sql::Integer(number) => format!("{number:020}"),
        other => format!("{other:?}"),
    }
}

fn of_sqlite(connection: &Connection, table: &Table) -> Vec<Row> {
    let mut statement = connection.prepare(&select(table)).unwrap();
    let row = |row: &rusqlite::Row<'_>| (0..table.columns.len()).map(|at| row.get(at)).collect();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Copies a table's rows over, and says what they are there.
fn bring(server: &Server, copy: &Connection, table: &Table) -> Rows {
    let mut statement = copy.prepare(&insert(table, '?')).unwrap();
    for row in server.query(&select(table), &[]).unwrap() {
        statement.execute(params_from_iter(row)).unwrap();
    }
    by_key(table, of_sqlite(copy, table))
}

fn write(server: &Server, table: &Table, before: &Rows, after: &Rows) {
    let insertion = insert(table, '$');
    for (key, (values, row)) in after {
        match before.get(key) {
            None => drop(server.write(&insertion, row).unwrap()),
            Some((_, was)) if was != row => {
                let changed: Vec<usize> = (0..row.len()).filter(|at| was[*at] != row[*at]).collect();
                let set: Vec<String> =
                    changed.iter().zip(1..).map(|(at, mark)| format!("\"{}\" = ${mark}", table.columns[*at])).collect();
                let (name, which) = (&table.name, condition(table, set.len() + 1));
                let sql = format!("UPDATE \"{name}\" SET {} WHERE {which}", set.join(", "));
                let parameters: Row = changed.iter().map(|at| row[*at].clone()).chain(values.iter().cloned()).collect();
                assert_eq!(server.write(&sql, &parameters).unwrap(), 1, "{name} {key}");
            }
            Some(_) => {}
        }
    }
}
