//! The profile against the application's database: every reference of the catalogue, and keys that are unique.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use saddlebag_stores::Store;
use saddlebag_stores::config::{Direction, Identity, ReferenceRule, TableConfig};
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::fleet::temporary_folder;
use saddlebag_tests::gnuhealth::{self, Catalogue, Doing, Recording, Refers};
use saddlebag_tests::skip::needs_data;

/// Written by clinic work and no other place's business; the profile says why.
const LEFT_OUT: [&str; 4] = ["gnuhealth_federation_queue", "ir_model_log", "ir_session_wizard", "ir_translation"];

fn with_clinic(test: &str, check: impl FnOnce(&Path)) {
    let Some(packed) = gnuhealth::packed(test) else { return };
    let folder = temporary_folder();
    let database = folder.path().join("clinic.db");
    gnuhealth::unpack(&packed, &database);
    check(&database);
}

#[test]
fn the_profile_fits_the_schema() {
    with_clinic("the_profile_fits_the_schema", |database| {
        let schema = SqliteStore::open(database).unwrap().schema().unwrap();
        let tracking = Tracking::resolve(&gnuhealth::profile(), &schema, &Numbering::default()).unwrap();
        assert_eq!(tracking.tables.len(), gnuhealth::profile().len());
    });
}

#[test]
fn the_profile_has_all_tables_that_clinic_work_writes_and_that_are_no_noise() {
    let test = "the_profile_has_all_tables_that_clinic_work_writes_and_that_are_no_noise";
    let Some(list) = needs_data(test, "gnuhealth/touched_tables.tsv") else { return };
    let list = std::fs::read_to_string(list).unwrap();
    let touched: BTreeSet<&str> = list.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    let profile = gnuhealth::profile();
    let moved = |(name, config): (&String, &TableConfig)| (config.direction == Direction::Both).then(|| name.clone());
    let moved: BTreeSet<String> = profile.iter().filter_map(moved).collect();
    for table in &touched {
        assert_ne!(moved.contains(*table), LEFT_OUT.contains(table), "{table}");
    }
    for table in LEFT_OUT {
        assert!(gnuhealth::PROFILE.contains(table), "the profile says why {table} is left out");
    }
    // And what was recorded: a sequence and a translation stay at home.
    let recordings = [Recording::apart(), Recording::together()].concat();
    let rows = recordings.iter().flat_map(|recording| &recording.operations).flat_map(|operation| &operation.rows);
    let written: BTreeSet<String> =
        rows.filter(|row| row.doing != Doing::Delete).map(|row| row.table.clone()).collect();
    let at_home: Vec<&String> = written.difference(&moved).collect();
    assert_eq!(at_home, ["ir_sequence", "ir_translation"]);
    let compared: BTreeSet<String> = gnuhealth::tables().into_iter().map(|(table, _)| table).collect();
    assert_eq!(compared, moved, "the comparison leaves out what is kept in step, or the reverse");
}

#[test]
fn the_profile_names_every_reference_of_the_catalogue() {
    with_clinic("the_profile_names_every_reference_of_the_catalogue", |database| {
        let catalogue = Catalogue::read(&Connection::open(database).unwrap()).unwrap();
        let mut count = 0;
        for (table, config) in gnuhealth::profile() {
            let parts = match &config.identity {
                Identity::Natural(columns) => columns.clone(),
                _ => Vec::new(),
            };
            for (column, refers) in catalogue.of(&table) {
                let named = config.references.get(&column);
                // What is never moved needs no more than its identity.
                let needed = config.direction != Direction::Match || parts.contains(&column);
                let expected = match refers {
                    Refers::To(target) => ReferenceRule::Table(target),
                    Refers::ByModel => ReferenceRule::ModelId,
                    Refers::AsNamedBy(_) => continue,
                };
                let expected = (needed && !config.exclude.contains(&column)).then_some(expected);
                assert_eq!(named, expected.as_ref(), "{table}.{column}");
                count += usize::from(named.is_some());
            }
        }
        assert!(count > 200, "{count} references");
    });
}

#[test]
fn natural_keys_of_the_profile_are_unique_and_whole() {
    with_clinic("natural_keys_of_the_profile_are_unique_and_whole", |database| {
        let connection = Connection::open(database).unwrap();
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        for (table, config) in gnuhealth::profile() {
            let rows = number(&format!("SELECT count(*) FROM {table}"));
            let distinct = match &config.identity {
                Identity::Natural(columns) => {
                    let list: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
                    let whole: Vec<String> = list.iter().map(|column| format!("{column} IS NOT NULL")).collect();
                    let whole = whole.join(" AND ");
                    number(&format!(
                        "SELECT count(*) FROM (SELECT DISTINCT {} FROM {table} WHERE {whole})",
                        list.join(", ")
                    ))
                }
                Identity::Named(query) => {
                    let known = format!("WITH names (id, name) AS ({query}) SELECT count(DISTINCT name) FROM names");
                    number(&format!("{known} WHERE id IN (SELECT id FROM {table})"))
                }
                _ => rows,
            };
            assert_eq!(distinct, rows, "{} does not tell the rows of {table} apart", config.identity);
        }
    });
}
