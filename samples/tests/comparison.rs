//! The comparison of clinics' databases sees every difference in every column, and nothing in the keys.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use saddlebag_samples::{clinic, compare, work_day};
use tempfile::TempDir;

/// A clinic's database after three days.
fn clinic_database(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    let mut connection = Connection::open(&path).unwrap();
    clinic::create(&connection).unwrap();
    clinic::reference_data(&connection).unwrap();
    for seed in 1..=3 {
        work_day(&mut connection, "Riverside", seed, 5).unwrap();
    }
    path
}

/// A copy on which one can do what the application could not.
fn copy(original: &Path, name: &str) -> (PathBuf, Connection) {
    let path = original.with_file_name(name);
    std::fs::copy(original, &path).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    (path, connection)
}

/// The tables in which two databases differ.
fn differing(one: &Path, other: &Path) -> Vec<String> {
    let comparison = compare(&[("one", one), ("other", other)]).unwrap();
    let different = comparison.tables.iter().filter(|table| !table.differences.is_empty());
    different.map(|table| table.table.clone()).collect()
}

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let values = statement.query_map([], |row| row.get(0)).unwrap();
    values.map(Result::unwrap).collect()
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    strings(connection, &format!("SELECT name FROM pragma_table_info('{table}') WHERE NOT pk"))
}

fn target(connection: &Connection, table: &str, column: &str) -> Option<String> {
    let sql = format!("SELECT \"table\" FROM pragma_foreign_key_list('{table}') WHERE \"from\" = '{column}'");
    strings(connection, &sql).pop()
}

/// Changes one value of the table's last row.
fn change(connection: &Connection, table: &str, column: &str) {
    let row = format!("(SELECT max(id) FROM {table})");
    let sql = match target(connection, table, column) {
        Some(target) => {
            let sql = format!(
                "SELECT CAST(id AS TEXT) FROM {target}
                 WHERE id IS NOT (SELECT {column} FROM {table} WHERE id = {row}) ORDER BY id"
            );
            let candidates = strings(connection, &sql);
            let set = |id: &String| format!("UPDATE OR IGNORE {table} SET {column} = {id} WHERE id = {row}");
            let done = candidates.iter().any(|id| connection.execute(&set(id), []).unwrap() == 1);
            assert!(done, "{table}.{column} can refer to another {target}");
            return;
        }
        None => format!(
            "UPDATE {table} SET {column} = CASE WHEN typeof({column}) IN ('integer', 'real') THEN {column} + 1
                                                ELSE coalesce({column}, '') || 'x' END WHERE id = {row}"
        ),
    };
    assert_eq!(connection.execute(&sql, []).unwrap(), 1, "{table}.{column}");
}

#[test]
fn the_same_work_gives_the_same_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (clinic_database(&folder, "one.db"), clinic_database(&folder, "other.db"));
    let comparison = compare(&[("one", &one), ("other", &other)]).unwrap();
    assert!(comparison.is_equal());
    let tables: Vec<&str> = comparison.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, clinic::TABLES);
    assert!(comparison.tables.iter().all(|table| table.rows > 0), "{comparison:?}");
}

#[test]
fn a_change_of_any_column_is_seen_in_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let original = clinic_database(&folder, "original.db");
    let schema = Connection::open(&original).unwrap();
    for table in clinic::TABLES {
        for column in columns(&schema, table) {
            let (path, connection) = copy(&original, "changed.db");
            change(&connection, table, &column);
            drop(connection);
            let seen = differing(&original, &path);
            assert!(seen.iter().any(|seen| seen == table), "{table}.{column} changed, seen in {seen:?}");
        }
    }
}

#[test]
fn a_row_too_many_or_too_few_is_seen_in_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let original = clinic_database(&folder, "original.db");
    for table in clinic::TABLES {
        let (path, connection) = copy(&original, "fewer.db");
        connection.execute(&format!("DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})"), []).unwrap();
        drop(connection);
        assert!(differing(&original, &path).iter().any(|seen| seen == table), "{table}");
    }
    for table in ["observation", "condition", "medication"] {
        let (path, connection) = copy(&original, "more.db");
        let columns = columns(&connection, table).join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1");
        connection.execute(&sql, []).unwrap();
        drop(connection);
        assert_eq!(differing(&original, &path), [table]);
    }
}

#[test]
fn other_integer_keys_are_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let original = clinic_database(&folder, "original.db");
    let (path, connection) = copy(&original, "renumbered.db");
    for table in clinic::TABLES {
        for column in columns(&connection, table) {
            if let Some(target) = target(&connection, table, &column) {
                // The keys of a table in reverse order, above all that are in use.
                let sql = format!(
                    "UPDATE {table} SET {column} = (SELECT 3 * max(id) FROM {target}) - {column}
                     WHERE {column} IS NOT NULL"
                );
                connection.execute(&sql, []).unwrap();
            }
        }
    }
    for table in clinic::TABLES {
        let highest = format!("(SELECT 3 * max(id) FROM {table})");
        connection.execute(&format!("UPDATE {table} SET id = {highest} - id"), []).unwrap();
    }
    drop(connection);
    assert_eq!(differing(&original, &path), Vec::<String>::new());
}

#[test]
fn a_reference_that_points_nowhere_is_a_difference_even_if_all_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let original = clinic_database(&folder, "original.db");
    let (path, connection) = copy(&original, "dangling.db");
    connection.execute("UPDATE encounter SET staff_id = 999 WHERE id = 1", []).unwrap();
    connection.execute("UPDATE condition SET patient_id = 999 WHERE id = 1", []).unwrap();
    drop(connection);
    assert_eq!(differing(&path, &path), ["encounter", "condition"]);
}

#[test]
fn a_difference_says_where_and_what() {
    let folder = tempfile::tempdir().unwrap();
    let original = clinic_database(&folder, "original.db");
    let (path, connection) = copy(&original, "changed.db");
    connection.execute("UPDATE program SET name = 'Elsewhere' WHERE code = 'TB'", []).unwrap();
    drop(connection);
    let comparison = compare(&[("Riverside", &original), ("Ministry", &path)]).unwrap();
    let differences: Vec<String> = comparison.differences().collect();
    assert_eq!(differences.len(), 2);
    let sentence = "program: Riverside 0, Ministry 1 times: code=\"TB\", name=\"Elsewhere\", ";
    assert!(differences[0].starts_with(sentence), "{}", differences[0]);
}

#[test]
fn a_missing_database_is_an_error_with_its_path() {
    let error = compare(&[("nowhere", Path::new("no-such-folder/clinic.db"))]).unwrap_err();
    assert!(error.to_string().starts_with("cannot compare `no-such-folder/clinic.db`: "), "{error}");
}
