//! The profile against the application's database: every reference of the catalogue, and keys that are unique.

use std::collections::BTreeSet;

use saddlebag_stores::config::{Direction, Identity, ReferenceRule, TableConfig};
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::engines::Engines;
use saddlebag_tests::gnuhealth::{self, Alone, Beginning, Catalogue, Doing, Recording, Refers};
use saddlebag_tests::on_engines;
use saddlebag_tests::skip::needs_data;

/// What the application numbers anew in many rows whenever one is added.
const NESTED_SET: [&str; 2] = ["left", "right"];

/// Written by clinic work and no other place's business; the profile says why.
const LEFT_OUT: [&str; 4] = ["gnuhealth_federation_queue", "ir_model_log", "ir_session_wizard", "ir_translation"];

fn with_clinic(test: &str, engines: Engines, check: impl FnOnce(&Alone)) {
    if let Some(beginning) = Beginning::of(test, engines) {
        check(&beginning.alone(&[]));
    }
}

on_engines!(the_profile_fits_the_schema: sqlite SQLITE, postgres POSTGRES);
fn the_profile_fits_the_schema(engines: Engines) {
    with_clinic("the_profile_fits_the_schema", engines, |clinic| {
        let tracking = Tracking::resolve(&gnuhealth::profile(), &clinic.schema(), &Numbering::default()).unwrap();
        assert_eq!(tracking.tables.len(), gnuhealth::profile().len());
        for table in &tracking.tables {
            for column in &table.columns {
                let is_counter = NESTED_SET.contains(&column.name.as_str());
                assert!(!is_counter || table.direction == Direction::Match, "{}.{} travels", table.name, column.name);
            }
        }
    });
}

on_engines!(the_profile_names_what_the_database_declares: postgres POSTGRES);
fn the_profile_names_what_the_database_declares(engines: Engines) {
    with_clinic("the_profile_names_what_the_database_declares", engines, |clinic| {
        let (schema, mut count) = (clinic.schema(), 0);
        for (table, config) in gnuhealth::profile() {
            let keys = &schema.table(&table).unwrap().foreign_keys;
            let travel = keys.iter().filter(|_| config.direction == Direction::Both);
            for key in travel.filter(|key| !config.exclude.contains(&key.columns[0])) {
                let expected = ReferenceRule::Table(key.table.clone());
                assert_eq!(config.references.get(&key.columns[0]), Some(&expected), "{table}.{}", key.columns[0]);
                count += 1;
            }
        }
        assert!(count > 100, "{count} foreign keys");
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
    let all =
        [Recording::apart(), Recording::together(), Recording::apart_from_dump(), Recording::together_from_dump()];
    let recordings = all.concat();
    let rows = recordings.iter().flat_map(|recording| &recording.operations).flat_map(|operation| &operation.rows);
    let written: BTreeSet<String> =
        rows.filter(|row| row.doing != Doing::Delete).map(|row| row.table.clone()).collect();
    let at_home: Vec<&String> = written.difference(&moved).collect();
    assert_eq!(at_home, ["ir_sequence", "ir_translation"]);
    let compared: BTreeSet<String> = gnuhealth::tables().into_iter().map(|(table, _)| table).collect();
    assert_eq!(compared, moved, "the comparison leaves out what is kept in step, or the reverse");
}

on_engines!(the_profile_names_every_reference_of_the_catalogue: sqlite SQLITE, postgres POSTGRES);
fn the_profile_names_every_reference_of_the_catalogue(engines: Engines) {
    with_clinic("the_profile_names_every_reference_of_the_catalogue", engines, |clinic| {
        let catalogue = Catalogue::read(&clinic.app).unwrap();
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

on_engines!(natural_keys_of_the_profile_are_unique_and_whole: sqlite SQLITE, postgres POSTGRES);
fn natural_keys_of_the_profile_are_unique_and_whole(engines: Engines) {
    with_clinic("natural_keys_of_the_profile_are_unique_and_whole", engines, |clinic| {
        let number = |sql: &str| clinic.app.number(sql, &[]).unwrap();
        for (table, config) in gnuhealth::profile() {
            let rows = number(&format!("SELECT count(*) FROM {table}"));
            let distinct = match &config.identity {
                Identity::Natural(columns) => {
                    let list: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
                    let whole: Vec<String> = list.iter().map(|column| format!("{column} IS NOT NULL")).collect();
                    let whole = whole.join(" AND ");
                    number(&format!(
                        "SELECT count(*) FROM (SELECT DISTINCT {} FROM {table} WHERE {whole}) AS whole",
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
