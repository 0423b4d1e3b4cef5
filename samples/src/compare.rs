//! Whether databases say the same, read from the application's tables by SQL alone.
//!
//! A script holds one query for each table, which follows the references to what they mean, so that
//! integer keys play no part. Rows are compared as multisets. What a query leaves out (a row whose
//! reference points nowhere) is itself a difference: a comparison that overlooks rows proves nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use thiserror::Error;

/// What the clinic's tables mean, as SQL; also for the `sqlite3` shell.
pub const CLINIC_MEANING: &str = include_str!("../meaning.sql");

const HEADING: &str = "-- table ";
const NEXT_HEADING: &str = "\n-- table ";

/// Why databases could not be compared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A database could not be opened or read.
    #[error("cannot compare `{}`: {source}", path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// One entry for each table, in the order of the script.
    pub tables: Vec<TableComparison>,
}

/// What a comparison found in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComparison {
    /// The table's name.
    pub table: String,
    /// How many rows it has in the first database.
    pub rows: usize,
    /// One sentence for each difference; none if all databases say the same.
    pub differences: Vec<String>,
}

impl Comparison {
    /// Whether all databases say the same in every table. A comparison of no tables has shown nothing.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        !self.tables.is_empty() && self.tables.iter().all(|table| table.differences.is_empty())
    }

    /// The rows of all tables in the first database.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Every difference, with its table before it.
    pub fn differences(&self) -> impl Iterator<Item = String> + '_ {
        let of = |table: &'_ TableComparison| -> Vec<String> {
            let name = &table.table;
            table.differences.iter().map(|difference| format!("{name}: {difference}")).collect()
        };
        self.tables.iter().flat_map(of)
    }
}

/// Compares clinics' databases, each given with the name that differences call it by.
///
/// # Errors
/// When a database cannot be opened or lacks a table of the clinic's.
pub fn compare(databases: &[(&str, &Path)]) -> Result<Comparison, CompareError> {
    compare_by(CLINIC_MEANING, databases)
}

/// Compares databases by a script: for each table a line `-- table NAME` and a query that gives one row
/// for each row of the table.
///
/// # Errors
/// When a database cannot be opened or a query fails in it.
pub fn compare_by(script: &str, databases: &[(&str, &Path)]) -> Result<Comparison, CompareError> {
    let mut places = Vec::new();
    for (name, path) in databases {
        let told = read(script, path).map_err(|source| CompareError::Database { path: path.to_path_buf(), source })?;
        places.push((*name, told));
    }
    let tables = sections(script)
        .enumerate()
        .map(|(index, (table, _))| {
            let told: Vec<(&str, &Told)> = places.iter().map(|(name, all)| (*name, &all[index])).collect();
            compare_table(table, &told)
        })
        .collect();
    Ok(Comparison { tables })
}

/// What one database says in one table.
#[derive(Debug)]
struct Told {
    rows: Vec<String>,
    faults: Vec<String>,
}

/// The script's tables and their queries; a heading stands at the beginning of a line.
fn sections(script: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = script.strip_prefix(HEADING).unwrap_or(script).split(NEXT_HEADING);
    let preamble = usize::from(!script.starts_with(HEADING));
    let parts = parts.skip(preamble);
    parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).map(|(table, query)| (table.trim(), query))
}

fn read(script: &str, path: &Path) -> rusqlite::Result<Vec<Told>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // One snapshot for all tables.
    let snapshot = connection.unchecked_transaction()?;
    sections(script).map(|(table, query)| read_table(&snapshot, table, query)).collect()
}

fn read_table(connection: &Connection, table: &str, query: &str) -> rusqlite::Result<Told> {
    let mut statement = connection.prepare(query)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows: Vec<String> = statement.query_map([], |row| show_row(&columns, row))?.collect::<Result<_, _>>()?;
    let faults = faults(connection, table, rows.len())?;
    Ok(Told { rows, faults })
}

fn show_row(columns: &[String], row: &Row<'_>) -> rusqlite::Result<String> {
    let mut text = String::new();
    for (index, column) in columns.iter().enumerate() {
        let value = show(row.get_ref(index)?);
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{column}={value}");
    }
    Ok(text)
}

/// A value as text; values that SQLite tells apart have different texts.
#[must_use]
pub fn show(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("raw\"{}\"", bytes.escape_ascii()),
        },
        ValueRef::Blob(bytes) => format!("x\"{}\"", bytes.escape_ascii()),
    }
}

/// References that point nowhere, and rows that the query overlooked.
fn faults(connection: &Connection, table: &str, told: usize) -> rusqlite::Result<Vec<String>> {
    let mut faults = Vec::new();
    let quoted = table.replace('"', "\"\"");
    let sql = format!("SELECT count(*) FROM \"{quoted}\"");
    let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    if usize::try_from(rows) != Ok(told) {
        faults.push(format!("{rows} rows, of which the query tells {told}"));
    }
    let sql = "SELECT \"table\", \"rowid\", parent FROM pragma_foreign_key_check(?1)";
    let mut statement = connection.prepare(sql)?;
    let broken = statement.query_map([table], |row| {
        let (row_id, parent): (Option<i64>, String) = (row.get(1)?, row.get(2)?);
        let row_id = row_id.map_or_else(|| "a row".to_owned(), |id| format!("row {id}"));
        Ok(format!("{row_id} refers to a {parent} that is not there"))
    })?;
    for fault in broken {
        faults.push(fault?);
    }
    Ok(faults)
}

fn compare_table(table: &str, places: &[(&str, &Told)]) -> TableComparison {
    let mut differences: Vec<String> = Vec::new();
    for (name, told) in places {
        differences.extend(told.faults.iter().map(|fault| format!("{name} has {fault}")));
    }
    let told: Vec<(&str, &[String])> = places.iter().map(|(name, told)| (*name, told.rows.as_slice())).collect();
    differences.extend(multiset_differences(&told));
    let rows = places.first().map_or(0, |(_, told)| told.rows.len());
    TableComparison { table: table.to_owned(), rows, differences }
}

/// One sentence for each row that is not equally often in every place.
#[must_use]
pub fn multiset_differences(places: &[(&str, &[String])]) -> Vec<String> {
    let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (_, rows)) in places.iter().enumerate() {
        for row in *rows {
            counts.entry(row).or_insert_with(|| vec![0; places.len()])[place] += 1;
        }
    }
    counts.retain(|_, counts| counts.iter().any(|count| *count != counts[0]));
    let sentence = |(row, counts): (&str, Vec<usize>)| {
        let told: Vec<String> = places.iter().zip(counts).map(|((name, _), count)| format!("{name} {count}")).collect();
        format!("{} times: {row}", told.join(", "))
    };
    counts.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_at_the_beginning_of_a_line() {
        let found = |script| sections(script).collect::<Vec<_>>();
        assert_eq!(found("-- table a\nSELECT 1;\n-- table b\nSELECT 2"), [("a", "SELECT 1;"), ("b", "SELECT 2")]);
        assert_eq!(found("-- a line \"-- table x\"\n-- table a\nSELECT 1"), [("a", "SELECT 1")]);
        assert_eq!(found("SELECT 1"), []);
        assert!(!compare_by("SELECT 1", &[]).unwrap().is_equal());
    }

    #[test]
    fn values_that_sqlite_tells_apart_look_different() {
        let values = [
            ValueRef::Null,
            ValueRef::Integer(1),
            ValueRef::Real(1.0),
            ValueRef::Real(0.1),
            ValueRef::Real(0.1_f64.next_up()),
            ValueRef::Real(0.0),
            ValueRef::Real(-0.0),
            ValueRef::Text(b"1"),
            ValueRef::Text(b"NULL"),
            ValueRef::Text(b""),
            ValueRef::Text(b"a\0b"),
            ValueRef::Text(b"a"),
            ValueRef::Text(b"\xff"),
            ValueRef::Text(b"\\xff"),
            ValueRef::Blob(b"1"),
            ValueRef::Blob(b"\xff"),
        ];
        let shown: std::collections::BTreeSet<String> = values.iter().map(|value| show(*value)).collect();
        assert_eq!(shown.len(), values.len(), "{shown:?}");
    }

    #[test]
    fn rows_are_counted_not_only_looked_for() {
        let rows = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let (twice, once) = (rows(&["a", "b", "a"]), rows(&["b", "a"]));
        assert_eq!(multiset_differences(&[("x", &twice), ("y", &once)]), ["x 2, y 1 times: a"]);
        assert!(multiset_differences(&[("x", &once), ("y", &rows(&["a", "b"]))]).is_empty());
    }
}
