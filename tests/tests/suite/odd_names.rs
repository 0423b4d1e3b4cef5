//! PostgreSQL as it can be met: names that must be quoted, other encodings, tables that inherit.

mod encodings;
mod inherited;

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::on_engines;

/// Names as SQL writes them: upper case, blanks, quotes, reserved words, other alphabets.
const TABLES: [&str; 5] =
    ["\"Patient\"", "\"select\"", "\"it's a \"\"table\"\"\"", "\"Größe (cm) €\"", "\"a;--\\b%s$1\""];
const COLUMNS: [&str; 5] = ["\"First Name\"", "\"order\"", "\"it's \"\"quoted\"\"\"", "\"Größe\"", "\"x$1 ?1 %I\\\""];

/// What stands between the quotes.
fn plain(name: &str) -> String {
    name[1..name.len() - 1].replace("\"\"", "\"")
}

on_engines!(tables_and_columns_of_any_name_are_kept_in_step);
fn tables_and_columns_of_any_name_are_kept_in_step(on: Engines) {
    let tables: toml::Table =
        TABLES.iter().map(|table| (plain(table), toml::toml! { identity = "assigned" }.into())).collect();
    let tables = toml::to_string(&tables).unwrap();
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables: &tables, seed: 16, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| {
        for (at, table) in TABLES.iter().enumerate() {
            let columns: String = COLUMNS.iter().map(|column| format!(", {column} TEXT")).collect();
            let unique = format!("UNIQUE ({}, {})", COLUMNS[0], COLUMNS[2]);
            let other = TABLES[at.saturating_sub(1)];
            let sql = format!(
                "CREATE TABLE {table} (\"Id\" INTEGER PRIMARY KEY{columns}, \"of Other\" INTEGER REFERENCES {other} ON DELETE CASCADE, {unique})"
            );
            app.execute_batch(&sql).unwrap();
        }
    });
    for (node, name) in [(1, "one"), (2, "two")] {
        for (at, table) in TABLES.iter().enumerate() {
            let other = TABLES[at.saturating_sub(1)];
            let sql = format!(
                "INSERT INTO {table} ({}, \"of Other\") SELECT '{name}', 'b', 'c {name}', 'd', 'e', max(\"Id\") FROM {other}",
                COLUMNS.join(", ")
            );
            fleet.nodes[node].run(&sql);
        }
    }
    fleet.settle();
    for table in TABLES {
        let sets: Vec<String> = COLUMNS.iter().map(|column| format!("{column} = {column} || '!'")).collect();
        fleet.nodes[0].run(&format!("UPDATE {table} SET {}", sets.join(", ")));
    }
    fleet.settle();
    let told = |fleet: &Fleet, node: usize| {
        let rows = |table: &&str| {
            let columns = COLUMNS.map(|column| format!("coalesce({column}, '-')")).join(" || ");
            let sql =
                format!("SELECT string_agg({columns} || (\"of Other\" IS NULL), ' ' ORDER BY {columns}) FROM {table}");
            fleet.nodes[node].app.text(
                &sql.replace("(\"of Other\" IS NULL)", "CASE WHEN \"of Other\" IS NULL THEN '0' ELSE '1' END"),
                &[],
            )
        };
        TABLES.iter().map(rows).collect::<Vec<_>>()
    };
    let expected = vec![Some("one!b!c one!d!e!1 two!b!c two!d!e!1".to_owned()); 4];
    for node in 0..3 {
        assert_eq!(told(&fleet, node)[1..], expected);
    }
    // Truncation by one statement, and cascades.
    fleet.nodes[1].run(&format!("DELETE FROM {}", TABLES[0]));
    fleet.settle();
    for node in &mut fleet.nodes {
        TABLES.iter().for_each(|table| assert_eq!(node.count(table), 0, "{table}"));
        assert!(node.held().is_empty() && node.conflicts().is_empty());
    }
}
