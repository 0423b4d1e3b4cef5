//! The triggers that note what the application changes.
//!
//! Nothing here needs an SQLite newer than 3.7: the triggers run in the application's own library.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::affinity::{Affinity, affinity};
use super::engine;
use super::install::{BITS, NOW, run, words_of};
use super::sql::{balanced, journal, key_columns, quote};
use crate::error::StoreError;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

/// The triggers of a table: name and SQL.
fn triggers(table: &TrackedTable) -> Vec<(String, String)> {
    let (number, name, log) = (table.number, quote(&table.name), journal(table.number));
    let (k, p) = (key_columns(table, "k"), key_columns(table, "p"));
    let keys = |row: &str| table.key.iter().map(|part| format!("{row}.{}", quote(&part.name))).collect::<Vec<_>>();
    let (new, old) = (keys("NEW").join(", "), keys("OLD").join(", "));
    let trigger = |event: &str, rest: String| {
        let trigger = format!("saddlebag_{number}_{event}");
        let sql = format!("CREATE TRIGGER {trigger} AFTER {} ON {name} {rest}; END", event.to_uppercase());
        (trigger, sql)
    };
    let (words, masks) = masks(table);
    let listed = |columns: &[String]| columns.iter().map(|column| format!(", {column}")).collect::<String>();
    let kept: Vec<_> = table.present().map(|column| format!("o{}", column.id)).collect();
    let last: Vec<_> = table.present().map(|column| format!("OLD.{}", quote(&column.name))).collect();
    let mut triggers = vec![
        trigger("insert", format!("BEGIN INSERT INTO {log} (op, at, {k}) VALUES (1, {NOW}, {new})")),
        trigger(
            "update",
            format!(
                "WHEN {} BEGIN INSERT INTO {log} (op, at, {k}, {p}{}) VALUES (2, {NOW}, {new}, {old}{})",
                any_difference(table),
                listed(&words),
                listed(&masks)
            ),
        ),
        trigger(
            "delete",
            format!("BEGIN INSERT INTO {log} (op, at, {k}{}) VALUES (3, {NOW}, {old}{})", listed(&kept), listed(&last)),
        ),
    ];
    triggers.extend(covering(table));
    triggers
}

/// What notes the rows that `OR REPLACE` may take away without a delete trigger: those that stand in the way by a
/// unique value. A new row under the same key is the same record; one that is moved there is not.
fn covering(table: &TrackedTable) -> Vec<(String, String)> {
    let key: Vec<&String> = table.key.iter().map(|part| &part.name).collect();
    let is_key = |columns: &Vec<String>| columns.iter().collect::<Vec<_>>() == key;
    let own_key: Vec<String> = key.iter().map(|name| (*name).clone()).collect();
    let others: Vec<&Vec<String>> = table.unique.iter().filter(|columns| !is_key(columns)).collect();
    let all: Vec<&Vec<String>> = others.iter().copied().chain([&own_key]).collect();
    let (number, name, log) = (table.number, quote(&table.name), journal(table.number));
    let equal = |column: &String| format!("t.{0} = NEW.{0}", quote(column));
    let in_the_way =
        |columns: &&Vec<String>| format!("({})", columns.iter().map(equal).collect::<Vec<_>>().join(" AND "));
    let met = |sets: &[&Vec<String>]| format!("({})", sets.iter().map(in_the_way).collect::<Vec<_>>().join(" OR "));
    let kept: String = table.present().map(|column| format!(", o{}", column.id)).collect();
    let values: String = table.present().map(|column| format!(", t.{}", quote(&column.name))).collect();
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let (k, keys) = (key_columns(table, "k"), keys.join(", "));
    let other: Vec<_> =
        table.key.iter().map(|part| format!("t.{0} COLLATE BINARY IS NOT OLD.{0}", quote(&part.name))).collect();
    let note = |event: &str, when: &str, condition: String| {
        let trigger = format!("saddlebag_{number}_{event}");
        let sql = format!(
            "CREATE TRIGGER {trigger} BEFORE {when} ON {name} WHEN EXISTS (SELECT 1 FROM {name} t WHERE {condition}) \
             BEGIN INSERT INTO {log} (op, at, {k}{kept}) SELECT 5, {NOW}, {keys}{values} FROM {name} t WHERE {condition}; END"
        );
        (trigger, sql)
    };
    let unique: BTreeSet<&String> = all.iter().copied().flatten().collect();
    let columns: Vec<_> = unique.into_iter().map(|column| quote(column)).collect();
    let update = format!("UPDATE OF {}", columns.join(", "));
    let before_insert = (!others.is_empty()).then(|| note("before_insert", "INSERT", met(&others)));
    let moved = format!("{} AND ({})", met(&all), other.join(" OR "));
    before_insert.into_iter().chain([note("before_update", &update, moved)]).collect()
}

/// Whether a column of a row differs before and after, byte for byte: whatever the column's collation. Only a
/// column without affinity keeps 1 and 1.0 apart.
fn differs(name: &str, may_change_type: bool) -> String {
    let name = quote(name);
    let value = format!("(OLD.{name} COLLATE BINARY IS NOT NEW.{name})");
    if may_change_type { format!("({value} OR typeof(OLD.{name}) <> typeof(NEW.{name}))") } else { value }
}

fn may_change_type(column: &TrackedColumn) -> bool {
    affinity(&column.declared_type) == Affinity::None
}

fn any_difference(table: &TrackedTable) -> String {
    let local_key = table.key.iter().filter(|part| table.column_index(&part.name).is_none());
    let shared = table.present().map(|column| differs(&column.name, may_change_type(column)));
    let terms: Vec<_> = local_key.map(|part| differs(&part.name, false)).chain(shared).collect();
    balanced(&terms, "OR")
}

/// The words of a table's journal, and what the update trigger writes there.
fn masks(table: &TrackedTable) -> (Vec<String>, Vec<String>) {
    let mut words: BTreeMap<u16, Vec<String>> = (0..words_of(table)).map(|word| (word, Vec::new())).collect();
    for column in table.present() {
        let term = format!("({} << {})", differs(&column.name, may_change_type(column)), column.id % BITS);
        words.entry(column.id / BITS).or_default().push(term);
    }
    words.into_iter().map(|(word, terms)| (format!("m{word}"), balanced(&terms, "|"))).unzip()
}

pub(super) fn drop_triggers(connection: &Connection, number: u32) -> Result<(), StoreError> {
    for event in ["insert", "update", "delete", "before_insert", "before_update"] {
        run(connection, &format!("DROP TRIGGER IF EXISTS saddlebag_{number}_{event}"))?;
    }
    Ok(())
}

/// Makes the triggers that are missing or differ.
pub(super) fn make_triggers(connection: &Connection, tracking: &Tracking) -> Result<(), StoreError> {
    let missing = missing_triggers(connection, tracking)?;
    for table in &tracking.tables {
        for (name, sql) in triggers(table) {
            if missing.contains(&name) {
                run(connection, &format!("DROP TRIGGER IF EXISTS {name}; {sql};"))?;
            }
        }
    }
    Ok(())
}

/// Makes the triggers that are missing or differ, and checks the tables that were without: "a migration that rebuilds
/// a table loses them".
pub(super) fn restore_triggers(connection: &Connection, tracking: &Tracking) -> Result<(), StoreError> {
    let missing = missing_triggers(connection, tracking)?;
    make_triggers(connection, tracking)?;
    for table in &tracking.tables {
        if triggers(table).iter().any(|(name, _)| missing.contains(name)) {
            super::journal::recheck(connection, table)?;
        }
    }
    Ok(())
}

/// The tables without some trigger, which the application has built anew; a table that is not there is none of them.
pub(super) fn tables_without(connection: &Connection, tracking: &Tracking) -> Result<Vec<u32>, StoreError> {
    let failed = |error| engine("reading the triggers", &error);
    let sql = "SELECT lower(tbl_name), lower(name) FROM sqlite_schema WHERE type IN ('table', 'trigger')";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    let present: BTreeSet<(String, String)> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    let has = |table: &str, name: &str| present.contains(&(table.to_ascii_lowercase(), name.to_ascii_lowercase()));
    let lacks = |table: &&TrackedTable| {
        let of_rows = ["insert", "update", "delete"].map(|event| format!("saddlebag_{}_{event}", table.number));
        has(&table.name, &table.name) && of_rows.iter().any(|name| !has(&table.name, name))
    };
    Ok(tracking.tables.iter().filter(lacks).map(|table| table.number).collect())
}

/// The triggers that are not there, or not as they should be.
pub(super) fn missing_triggers(connection: &Connection, tracking: &Tracking) -> Result<Vec<String>, StoreError> {
    let failed = |error| engine("reading the triggers", &error);
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'saddlebag\\_%' ESCAPE '\\'";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    let present: BTreeMap<String, String> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    let wanted = tracking.tables.iter().flat_map(triggers);
    Ok(wanted.filter(|(name, sql)| present.get(name) != Some(sql)).map(|(name, _)| name).collect())
}
