//! Synthea's records in a clinic's database: invented patients, real sizes and shapes.
//!
//! Two clinics hold the patients of different halves under integer keys that collide; organizations and
//! providers are the same records at both, under keys that differ.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params_from_iter};
use saddlebag_samples::{CompareError, compare_by};
use thiserror::Error;

use crate::synthea_sheets::{Kind, PATIENT, SHEETS, Sheet, read, sql_name};
pub use crate::synthea_work::{Work, work};

/// The schema, as SQL.
pub const SCHEMA: &str = include_str!("../synthea.sql");

/// What the tables mean, as SQL.
pub const MEANING: &str = include_str!("../synthea_meaning.sql");

/// Which patients a database begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The first, third, fifth … patient of the file.
    Even,
    /// The others.
    Odd,
    /// No records at all: a ministry before the first bundle.
    Neither,
}

/// Why the records could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: csv::Error,
    },
    /// A value is not what its column holds.
    #[error("`{value}` in column {column} of `{file}` is no number and names no record")]
    Value {
        /// The file's name.
        file: &'static str,
        /// The column's name.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Makes the tables and loads the half's records from the folder `synthea`, in one transaction.
///
/// # Errors
/// When a file is missing or has another shape, or the tables are there already.
pub fn load(connection: &mut Connection, synthea: &Path, half: Half) -> Result<(), LoadError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    if half != Half::Neither {
        let mut loader = Loader { transaction: &transaction, half, keys: HashMap::new(), away: HashSet::new() };
        SHEETS.iter().try_for_each(|sheet| loader.sheet(synthea, sheet))?;
    }
    Ok(transaction.commit()?)
}

/// The differences between databases, by SQL on the application's tables alone; none if they say the same.
///
/// # Errors
/// When a database cannot be read.
pub fn compare(databases: &[(&str, &Path)]) -> Result<Vec<String>, CompareError> {
    Ok(compare_by(MEANING, databases)?.differences().collect())
}

struct Loader<'t> {
    transaction: &'t Transaction<'t>,
    half: Half,
    /// The integer keys given so far, by table and uuid.
    keys: HashMap<(&'static str, String), i64>,
    /// Patients of the other half.
    away: HashSet<String>,
}

impl Loader<'_> {
    fn sheet(&mut self, folder: &Path, sheet: &Sheet) -> Result<(), LoadError> {
        let path = folder.join(format!("{}.csv", sheet.table));
        let (places, mut records) = read(&path, sheet).map_err(|source| LoadError::File { path, source })?;
        // What both clinics hold stands under different keys at each.
        if self.half == Half::Odd && matches!(sheet.table, "organizations" | "providers") {
            records.reverse();
        }
        let names: Vec<String> = sheet.columns.iter().map(|&(name, kind)| sql_name(name, kind)).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", sheet.table, names.join(", "));
        for (number, record) in records.iter().enumerate() {
            let fields: Vec<&str> = places.iter().map(|&place| record.get(place).unwrap_or("")).collect();
            if self.is_here(sheet, &fields, number) {
                self.insert(sheet, &sql, &fields)?;
            }
        }
        Ok(())
    }

    /// Whether the record belongs to this half; remembers the patients that don't.
    fn is_here(&mut self, sheet: &Sheet, fields: &[&str], number: usize) -> bool {
        if sheet.table == "patients" && number.is_multiple_of(2) != (self.half == Half::Even) {
            self.away.insert(fields[0].to_owned());
            return false;
        }
        let mut columns = sheet.columns.iter().zip(fields);
        !columns.any(|((_, kind), field)| *kind == PATIENT && self.away.contains(*field))
    }

    fn insert(&mut self, sheet: &Sheet, sql: &str, fields: &[&str]) -> Result<(), LoadError> {
        let columns = sheet.columns.iter().zip(fields);
        let values = columns.map(|(&(column, kind), field)| {
            let wrong = || LoadError::Value { file: sheet.table, column, value: (*field).to_owned() };
            self.value(kind, field).ok_or_else(wrong)
        });
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        self.transaction.prepare_cached(sql)?.execute(params_from_iter(values))?;
        if sheet.columns[0].1 == Kind::Id {
            self.keys.insert((sheet.table, fields[0].to_owned()), self.transaction.last_insert_rowid());
        }
        Ok(())
    }

    fn value(&self, kind: Kind, field: &str) -> Option<Value> {
        if field.is_empty() {
            return Some(Value::Null);
        }
        match kind {
            Kind::Id | Kind::Text => Some(Value::Text(field.to_owned())),
            Kind::Real => field.parse().ok().map(Value::Real),
            Kind::Whole => field.parse().ok().map(Value::Integer),
            Kind::To(table) => self.keys.get(&(table, field.to_owned())).map(|key| Value::Integer(*key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::skip::needs_data;

    fn columns(connection: &Connection, table: &str) -> Vec<String> {
        strings(connection, &format!("SELECT name FROM pragma_table_info('{table}') WHERE NOT pk"))
    }

    fn strings(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let values = statement.query_map([], |row| row.get(0)).unwrap();
        values.map(Result::unwrap).collect()
    }

    fn count(connection: &Connection, what: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    }

    fn half(synthea: &Path, path: &Path, half: Half) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        load(&mut connection, synthea, half).unwrap();
        connection
    }

    #[test]
    fn a_ministry_begins_with_empty_tables_and_the_columns_of_the_sheets() {
        let mut connection = Connection::open_in_memory().unwrap();
        load(&mut connection, Path::new("no-such-folder"), Half::Neither).unwrap();
        for sheet in &SHEETS {
            assert_eq!(count(&connection, sheet.table), 0);
            let mut of_sheet: Vec<String> = sheet.columns.iter().map(|&(name, kind)| sql_name(name, kind)).collect();
            let mut of_table = columns(&connection, sheet.table);
            of_sheet.sort();
            of_table.sort();
            assert_eq!(of_sheet, of_table, "{}", sheet.table);
        }
        // Nobody to see yet, but the place can register people.
        let done = work(&mut connection, "Ministry", 1, 1).unwrap();
        assert_eq!((done.patients, done.encounters), (2, 0));
    }

    #[test]
    fn a_missing_file_is_named() {
        let mut connection = Connection::open_in_memory().unwrap();
        let error = load(&mut connection, Path::new("no-such-folder"), Half::Even).unwrap_err();
        assert!(error.to_string().starts_with("cannot read `no-such-folder/organizations.csv`: "), "{error}");
    }

    #[test]
    fn the_halves_are_all_of_it_and_share_only_keys() {
        let Some(synthea) = needs_data("the_halves_are_all_of_it_and_share_only_keys", "synthea") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let even = half(&synthea, &folder.path().join("even.db"), Half::Even);
        let odd = half(&synthea, &folder.path().join("odd.db"), Half::Odd);
        for sheet in &SHEETS[2..] {
            let path = synthea.join(format!("{}.csv", sheet.table));
            let all = csv::Reader::from_path(path).unwrap().records().count();
            let (ours, theirs) = (count(&even, sheet.table), count(&odd, sheet.table));
            assert_eq!(usize::try_from(ours + theirs).unwrap(), all, "{}", sheet.table);
            let sql = format!("SELECT CAST(id AS TEXT) FROM {}", sheet.table);
            let keys = |connection| strings(connection, &sql).into_iter().collect::<BTreeSet<_>>();
            let collide = keys(&even).intersection(&keys(&odd)).count();
            assert_eq!(i64::try_from(collide).unwrap(), ours.min(theirs), "{}", sheet.table);
        }
        for table in ["patients", "encounters"] {
            let sql = format!("SELECT uuid FROM {table}");
            let (ours, theirs) = (strings(&even, &sql), strings(&odd, &sql));
            assert!(ours.iter().all(|uuid| !theirs.contains(uuid)), "{table}");
        }
        let key = "SELECT uuid || id FROM organizations ORDER BY uuid";
        assert_ne!(strings(&even, key), strings(&odd, key));
        assert!(count(&even, "observations WHERE encounter_id IS NULL") > 0);
        assert_eq!(count(&even, "pragma_foreign_key_check"), 0);
    }

    #[test]
    fn the_comparison_sees_every_column_and_no_key() {
        let Some(synthea) = needs_data("the_comparison_sees_every_column_and_no_key", "synthea") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let (even, odd) = (folder.path().join("even.db"), folder.path().join("odd.db"));
        drop(half(&synthea, &even, Half::Even));
        drop(half(&synthea, &odd, Half::Odd));
        // Half a file each: only what both hold is equal.
        let found = compare(&[("even", &even), ("odd", &odd)]).unwrap();
        assert!(!found.is_empty());
        assert!(!found.iter().any(|line| line.starts_with("organizations") || line.starts_with("providers")));
        let other = folder.path().join("other.db");
        std::fs::copy(&even, &other).unwrap();
        assert_eq!(compare(&[("even", &even), ("other", &other)]).unwrap(), Vec::<String>::new());
        let mut connection = Connection::open(&other).unwrap();
        for sheet in &SHEETS {
            for &(name, kind) in sheet.columns {
                let undone = connection.transaction().unwrap();
                change(&undone, sheet.table, &sql_name(name, kind), kind);
                undone.commit().unwrap();
                let found = compare(&[("even", &even), ("other", &other)]).unwrap();
                assert!(found.iter().any(|line| line.starts_with(sheet.table)), "{}.{name}: {found:?}", sheet.table);
                drop(connection);
                std::fs::copy(&even, &other).unwrap();
                connection = Connection::open(&other).unwrap();
            }
        }
    }

    fn change(connection: &Connection, table: &str, column: &str, kind: Kind) {
        let value = match kind {
            Kind::To(target) => format!("(SELECT max(id) FROM {target} WHERE id IS NOT {column})"),
            Kind::Real | Kind::Whole => format!("coalesce({column}, 0) + 1"),
            Kind::Id | Kind::Text => format!("coalesce({column}, '') || 'x'"),
        };
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE id = (SELECT max(id) FROM {table})");
        assert_eq!(connection.execute(&sql, []).unwrap(), 1);
    }

    #[test]
    fn every_kind_of_work_happens_and_is_the_same_for_one_seed() {
        let name = "every_kind_of_work_happens_and_is_the_same_for_one_seed";
        let Some(synthea) = needs_data(name, "synthea") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("one.db"), folder.path().join("other.db")];
        let all = paths.clone().map(|path| {
            let mut connection = half(&synthea, &path, Half::Odd);
            let before = count(&connection, "observations");
            let rounds = [1, 2].map(|round| work(&mut connection, "Hilltop", 5, round).unwrap());
            let (entered, deleted) =
                rounds.iter().fold((0, 0), |(a, b), work| (a + work.observations, b + work.deletions));
            let after = usize::try_from(before).unwrap() + entered - deleted;
            assert_eq!(usize::try_from(count(&connection, "observations")).unwrap(), after);
            assert_eq!(count(&connection, "pragma_foreign_key_check"), 0);
            rounds
        });
        assert_eq!(all[0], all[1]);
        for work in all[0] {
            // The summary has no other zero than this text would show.
            assert!(!format!("{work:?}, ").contains(": 0,"), "{work:?}");
        }
        assert_eq!(compare(&[("one", &paths[0]), ("other", &paths[1])]).unwrap(), Vec::<String>::new());
        let mut other = Connection::open(&paths[1]).unwrap();
        work(&mut other, "Hilltop", 5, 3).unwrap();
        assert!(!compare(&[("one", &paths[0]), ("other", &paths[1])]).unwrap().is_empty());
    }
}
