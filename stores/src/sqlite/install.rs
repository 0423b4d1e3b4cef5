//! Saddlebag's own tables and triggers: made, brought in line, compared and taken away again.
//!
//! Nothing here needs an SQLite newer than 3.7: the triggers run in the application's own library.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::sql::{balanced, journal, key_columns, quote, states};
use super::{engine, ledger};
use crate::error::StoreError;
use crate::tracking::{KeyGiver, Numbering, TrackedTable, Tracking};

/// Columns whose change one word of a journal row notes: 62, so that it stays a positive integer.
pub(super) const BITS: u16 = 62;

/// Milliseconds since 1970 as every SQLite since 3.0 can tell them.
pub(super) const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS saddlebag_setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_table (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS saddlebag_column (
    table_number INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (table_number, id), UNIQUE (table_number, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_writer (
    number INTEGER PRIMARY KEY, node BLOB NOT NULL, epoch INTEGER NOT NULL, UNIQUE (node, epoch));
CREATE TABLE IF NOT EXISTS saddlebag_tombstone (
    table_number INTEGER NOT NULL, uid BLOB NOT NULL, seq INTEGER NOT NULL,
    deletion BLOB NOT NULL, state BLOB NOT NULL, old BLOB NOT NULL, same_as BLOB,
    PRIMARY KEY (table_number, uid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saddlebag_tombstone_seq ON saddlebag_tombstone (seq);
CREATE TABLE IF NOT EXISTS saddlebag_link (
    id INTEGER PRIMARY KEY, peer BLOB NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, card BLOB NOT NULL,
    sent_epoch INTEGER, sent_number INTEGER, sent_id BLOB, sent_upto INTEGER,
    acknowledged_epoch INTEGER, acknowledged_number INTEGER, acknowledged_id BLOB, acknowledged_upto INTEGER,
    applied_epoch INTEGER, applied_number INTEGER, applied_id BLOB, applied_upto INTEGER,
    owes_acknowledgement INTEGER NOT NULL, nodes_known INTEGER NOT NULL, last_contact INTEGER, health BLOB);
CREATE TABLE IF NOT EXISTS saddlebag_held (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    change BLOB NOT NULL, known BLOB NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (link, table_name, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_dropped (
    id INTEGER PRIMARY KEY, link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, reason TEXT NOT NULL,
    held_because TEXT NOT NULL, change BLOB NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag_beside (
    table_number INTEGER NOT NULL, uid BLOB NOT NULL, column_id INTEGER NOT NULL, value BLOB NOT NULL, shown BLOB,
    why TEXT NOT NULL, target BLOB, PRIMARY KEY (table_number, uid, column_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saddlebag_beside_target ON saddlebag_beside (target);
CREATE TABLE IF NOT EXISTS saddlebag_conflict (
    id INTEGER PRIMARY KEY, link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT,
    kind TEXT NOT NULL, winner_value BLOB, winner_time INTEGER NOT NULL, winner_writer INTEGER NOT NULL,
    loser_value BLOB, loser_time INTEGER NOT NULL, loser_writer INTEGER NOT NULL, found INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS saddlebag_conflict_record ON saddlebag_conflict (uid);
CREATE TABLE IF NOT EXISTS saddlebag_receipt (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, carried INTEGER, PRIMARY KEY (link, table_name, uid, column_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_received_receipt (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (link, table_name, uid, column_name)) WITHOUT ROWID;
";

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.execute_batch(sql).map_err(|error| engine("setting up saddlebag's tables", &error))
}

/// Makes what is missing, and remembers what is tracked.
pub(super) fn install(connection: &Connection, tracking: &Tracking) -> Result<(), StoreError> {
    run(connection, TABLES)?;
    let numbers: BTreeSet<u32> = tracking.tables.iter().map(|table| table.number).collect();
    let mut known = installed(connection)?.unwrap_or_default().tables;
    known.retain(|_, (number, _)| !numbers.contains(number));
    for (number, _) in known.values() {
        forget_table(connection, *number)?;
    }
    for table in &tracking.tables {
        make_states(connection, table)?;
        make_journal(connection, table)?;
        remember_names(connection, table)?;
    }
    make_triggers(connection, tracking)?;
    ledger::set_setting(connection, "tracking", tracking.summary().as_bytes())
}

/// A table that is not tracked any more: its row states go, its rows stay.
fn forget_table(connection: &Connection, number: u32) -> Result<(), StoreError> {
    drop_triggers(connection, number)?;
    run(connection, &format!("DROP TABLE IF EXISTS {}; DROP TABLE IF EXISTS {};", states(number), journal(number)))?;
    run(connection, &format!("DELETE FROM saddlebag_column WHERE table_number = {number}"))?;
    run(connection, &format!("DELETE FROM saddlebag_tombstone WHERE table_number = {number}"))?;
    run(connection, &format!("DELETE FROM saddlebag_table WHERE number = {number}"))
}

fn make_states(connection: &Connection, table: &TrackedTable) -> Result<(), StoreError> {
    let name = states(table.number);
    // Only where the application's own key is the rowid: any other integer column of SQLite's may hold text.
    let is_rowid = matches!(table.key.as_slice(), [part] if part.given_by == KeyGiver::Database);
    let columns: Vec<_> =
        table.key.iter().enumerate().map(|(at, part)| format!("k{} {} NOT NULL", at + 1, part.declared_type)).collect();
    let (columns, key, suffix) = if is_rowid {
        ("k1 INTEGER PRIMARY KEY".to_owned(), String::new(), "")
    } else {
        (columns.join(", "), format!(", PRIMARY KEY ({})", key_columns(table, "k")), " WITHOUT ROWID")
    };
    run(
        connection,
        &format!(
            "CREATE TABLE IF NOT EXISTS {name} ({columns}, uid BLOB NOT NULL, seq INTEGER NOT NULL, \
             first_seq INTEGER NOT NULL, hash INTEGER NOT NULL, home INTEGER NOT NULL DEFAULT 0, state BLOB NOT NULL{key}){suffix};
             CREATE UNIQUE INDEX IF NOT EXISTS {name}_uid ON {name} (uid);
             CREATE INDEX IF NOT EXISTS {name}_seq ON {name} (seq);"
        ),
    )
}

/// Key columns after (`k`) and before (`p`), words of changed columns (`m`), old values of a deleted row (`o` and
/// the column's id). Columns are only ever added, so that what is noted there already is not lost.
fn make_journal(connection: &Connection, table: &TrackedTable) -> Result<(), StoreError> {
    let name = journal(table.number);
    let words = (0..words_of(table)).map(|word| format!("m{word}"));
    let noted: Vec<_> = words.chain(table.columns.iter().map(|column| format!("o{}", column.id))).collect();
    let keys = format!("{}, {}", key_columns(table, "k"), key_columns(table, "p"));
    let listed: String = noted.iter().map(|column| format!(", {column}")).collect();
    let columns = format!("id INTEGER PRIMARY KEY, op INTEGER NOT NULL, at INTEGER NOT NULL, {keys}{listed}");
    run(connection, &format!("CREATE TABLE IF NOT EXISTS {name} ({columns})"))?;
    let present = column_names(connection, &name)?;
    for column in noted.iter().filter(|column| !present.contains(*column)) {
        run(connection, &format!("ALTER TABLE {name} ADD COLUMN {column}"))?;
    }
    Ok(())
}

/// How many words note the changed columns of a table.
pub(super) fn words_of(table: &TrackedTable) -> u16 {
    table.columns.iter().map(|column| column.id / BITS + 1).max().unwrap_or(0)
}

fn column_names(connection: &Connection, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let failed = |error| engine("reading saddlebag's tables", &error);
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)").map_err(failed)?;
    let names = statement.query_map([table], |row| row.get(0)).map_err(failed)?;
    names.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn remember_names(connection: &Connection, table: &TrackedTable) -> Result<(), StoreError> {
    let failed = |error| engine("writing saddlebag's tables", &error);
    let sql = "INSERT OR IGNORE INTO saddlebag_table (number, name) VALUES (?1, ?2)";
    connection.execute(sql, params![table.number, table.name]).map_err(failed)?;
    for column in &table.columns {
        let sql = "INSERT OR IGNORE INTO saddlebag_column (table_number, id, name) VALUES (?1, ?2, ?3)";
        connection.execute(sql, params![table.number, column.id, column.name]).map_err(failed)?;
    }
    Ok(())
}

/// The triggers of a table: name and SQL.
fn triggers(table: &TrackedTable) -> [(String, String); 3] {
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
    let kept: Vec<_> = table.columns.iter().map(|column| format!("o{}", column.id)).collect();
    let last: Vec<_> = table.columns.iter().map(|column| format!("OLD.{}", quote(&column.name))).collect();
    [
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
    ]
}

/// Whether a column of a row differs before and after, byte for byte: whatever the column's collation. Only a
/// column without affinity keeps 1 and 1.0 apart.
fn differs(name: &str, may_change_type: bool) -> String {
    let name = quote(name);
    let value = format!("(OLD.{name} COLLATE BINARY IS NOT NEW.{name})");
    if may_change_type { format!("({value} OR typeof(OLD.{name}) <> typeof(NEW.{name}))") } else { value }
}

fn any_difference(table: &TrackedTable) -> String {
    let local_key = table.key.iter().filter(|part| table.column_index(&part.name).is_none());
    let shared = table.columns.iter().map(|column| differs(&column.name, column.has_no_affinity));
    let terms: Vec<_> = local_key.map(|part| differs(&part.name, false)).chain(shared).collect();
    balanced(&terms, "OR")
}

/// The words of a table's journal, and what the update trigger writes there.
fn masks(table: &TrackedTable) -> (Vec<String>, Vec<String>) {
    let mut words: BTreeMap<u16, Vec<String>> = (0..words_of(table)).map(|word| (word, Vec::new())).collect();
    for column in &table.columns {
        let term = format!("({} << {})", differs(&column.name, column.has_no_affinity), column.id % BITS);
        words.entry(column.id / BITS).or_default().push(term);
    }
    words.into_iter().map(|(word, terms)| (format!("m{word}"), balanced(&terms, "|"))).unzip()
}

fn drop_triggers(connection: &Connection, number: u32) -> Result<(), StoreError> {
    for event in ["insert", "update", "delete"] {
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

/// The lasting numbers, if setup has been run.
pub(super) fn installed(connection: &Connection) -> Result<Option<Numbering>, StoreError> {
    let failed = |error| engine("reading saddlebag's tables", &error);
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'saddlebag_setting'";
    let there: u32 = connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
    if there == 0 {
        return Ok(None);
    }
    let Some(summary) = ledger::setting(connection, "tracking")? else { return Ok(None) };
    let mut numbering = Numbering { summary: String::from_utf8_lossy(&summary).into_owned(), ..Numbering::default() };
    let sql = "SELECT t.name, t.number, c.name, c.id FROM saddlebag_table t \
               LEFT JOIN saddlebag_column c ON c.table_number = t.number";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (table, number): (String, u32) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let column: Option<String> = row.get(2).map_err(failed)?;
        let (_, columns) = numbering.tables.entry(table).or_insert_with(|| (number, BTreeMap::new()));
        if let Some(column) = column {
            columns.insert(column, row.get(3).map_err(failed)?);
        }
    }
    Ok(Some(numbering))
}

/// Removes everything whose name begins with `saddlebag_`: triggers first, for they name the tables.
pub(super) fn uninstall(connection: &Connection) -> Result<(), StoreError> {
    for kind in ["trigger", "table"] {
        let failed = |error| engine("reading saddlebag's tables", &error);
        let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND name LIKE 'saddlebag\\_%' ESCAPE '\\'";
        let mut statement = connection.prepare(sql).map_err(failed)?;
        let names = statement.query_map([kind], |row| row.get(0)).map_err(failed)?;
        let names: Vec<String> = names.collect::<rusqlite::Result<_>>().map_err(failed)?;
        for name in names {
            run(connection, &format!("DROP {} IF EXISTS {}", kind.to_uppercase(), quote(&name)))?;
        }
    }
    Ok(())
}
