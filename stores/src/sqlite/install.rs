//! Saddlebag's own tables: made, brought in line and taken away again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::sql::{journal, key_columns, quote, states};
use super::triggers::{drop_triggers, make_triggers};
use super::{SqliteStore, engine, ledger, names};
use crate::columns::adopt;
use crate::config::Identity;
use crate::error::StoreError;
use crate::tracking::{KeyGiver, Numbering, TrackedTable, Tracking};

/// Columns whose change one word of a journal row notes: 62, so that it stays a positive integer.
pub(super) const BITS: u16 = 62;

/// Milliseconds since 1970 as every SQLite since 3.0 can tell them. A clock that stands at 1970 or before says 1: 0 is
/// for what setup found.
pub(super) const NOW: &str = "max(1, CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER))";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS saddlebag_setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_table (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS saddlebag_column (
    table_number INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, absent INTEGER NOT NULL DEFAULT 0, refers TEXT,
    PRIMARY KEY (table_number, id), UNIQUE (table_number, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_writer (
    number INTEGER PRIMARY KEY, node BLOB NOT NULL, epoch INTEGER NOT NULL, UNIQUE (node, epoch));
CREATE TABLE IF NOT EXISTS saddlebag_tombstone (
    table_number INTEGER NOT NULL, uid BLOB NOT NULL, seq INTEGER NOT NULL,
    deletion BLOB NOT NULL, state BLOB NOT NULL, old BLOB NOT NULL, same_as BLOB, key BLOB,
    PRIMARY KEY (table_number, uid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saddlebag_tombstone_key ON saddlebag_tombstone (table_number, key);
CREATE INDEX IF NOT EXISTS saddlebag_tombstone_same_as ON saddlebag_tombstone (same_as) WHERE same_as IS NOT NULL;
CREATE INDEX IF NOT EXISTS saddlebag_tombstone_seq ON saddlebag_tombstone (seq);
CREATE TABLE IF NOT EXISTS saddlebag_link (
    id INTEGER PRIMARY KEY, peer BLOB NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, card BLOB NOT NULL,
    sent_epoch INTEGER, sent_number INTEGER, sent_id BLOB, sent_upto INTEGER,
    acknowledged_epoch INTEGER, acknowledged_number INTEGER, acknowledged_id BLOB, acknowledged_upto INTEGER,
    applied_epoch INTEGER, applied_number INTEGER, applied_id BLOB, applied_upto INTEGER,
    owes_acknowledgement INTEGER NOT NULL, nodes_known INTEGER NOT NULL, last_contact INTEGER, health BLOB,
    unacknowledged BLOB NOT NULL, history BLOB NOT NULL, comparison BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag_different (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, how TEXT NOT NULL,
    found INTEGER NOT NULL, wanted INTEGER NOT NULL, PRIMARY KEY (link, table_name, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_digest (
    table_number INTEGER PRIMARY KEY, sum INTEGER NOT NULL, records INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag_held (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    change BLOB NOT NULL, known BLOB NOT NULL, since INTEGER NOT NULL, told TEXT,
    PRIMARY KEY (link, table_name, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_dropped (
    id INTEGER PRIMARY KEY, link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, reason TEXT NOT NULL,
    held_because TEXT NOT NULL, change BLOB NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag_beside (
    table_number INTEGER NOT NULL, uid BLOB NOT NULL, column_id INTEGER NOT NULL, value BLOB NOT NULL, shown BLOB,
    why TEXT NOT NULL, target BLOB, PRIMARY KEY (table_number, uid, column_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saddlebag_beside_target ON saddlebag_beside (target);
CREATE TABLE IF NOT EXISTS saddlebag_conflict (
    id INTEGER PRIMARY KEY, link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT,
    kind TEXT NOT NULL, rule TEXT NOT NULL, found INTEGER NOT NULL,
    winner_value BLOB, winner_time INTEGER NOT NULL, winner_writer INTEGER NOT NULL, winner_effective INTEGER,
    loser_value BLOB, loser_time INTEGER NOT NULL, loser_writer INTEGER NOT NULL, loser_effective INTEGER,
    clock_doubted INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS saddlebag_conflict_record ON saddlebag_conflict (uid);
CREATE TABLE IF NOT EXISTS saddlebag_decision (
    id INTEGER PRIMARY KEY, conflict INTEGER NOT NULL, taken TEXT NOT NULL, value BLOB, time INTEGER NOT NULL,
    writer INTEGER NOT NULL, decided_by TEXT NOT NULL, because TEXT, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS saddlebag_decision_conflict ON saddlebag_decision (conflict);
CREATE TABLE IF NOT EXISTS saddlebag_receipt (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, carried INTEGER, PRIMARY KEY (link, table_name, uid, column_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_received_receipt (
    link INTEGER NOT NULL, table_name TEXT NOT NULL, uid BLOB NOT NULL, column_name TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (link, table_name, uid, column_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saddlebag_log (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, peer TEXT, table_name TEXT,
    uid BLOB, column_name TEXT, what TEXT NOT NULL, why TEXT NOT NULL, hash BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS saddlebag_log_record ON saddlebag_log (uid) WHERE uid IS NOT NULL;
CREATE INDEX IF NOT EXISTS saddlebag_log_refused ON saddlebag_log (what) WHERE kind = 'refused';
";

pub(super) fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.execute_batch(sql).map_err(|error| engine("setting up saddlebag's tables", &error))
}

/// Makes what is missing, takes in columns that are new, and remembers what is tracked.
pub(super) fn install(store: &mut SqliteStore, tracking: &Tracking) -> Result<(), StoreError> {
    run(&store.connection, TABLES)?;
    let numbers: BTreeSet<u32> = tracking.tables.iter().map(|table| table.number).collect();
    let known = installed(&store.connection)?.unwrap_or_default();
    let forgotten = known.tables.values().filter(|(number, _)| !numbers.contains(number));
    for (number, _) in forgotten {
        store.changed_digests.forget(*number);
        forget_table(&store.connection, *number)?;
    }
    for table in &tracking.tables {
        // A query that cannot be used is better refused here than when the first row comes.
        if let Identity::Named(query) = &table.identity {
            names::query_names(store, table, query)?;
        }
    }
    for table in &tracking.tables {
        make_states(&store.connection, table)?;
        make_journal(&store.connection, table)?;
        remember_names(&store.connection, table)?;
    }
    make_triggers(&store.connection, tracking)?;
    adopt(store, tracking, &known)?;
    ledger::set_setting(&store.connection, "tracking", tracking.summary().as_bytes())
}

/// A table that is not tracked any more: its row states go, its rows stay.
fn forget_table(connection: &Connection, number: u32) -> Result<(), StoreError> {
    drop_triggers(connection, number)?;
    run(connection, &format!("DROP TABLE IF EXISTS {}; DROP TABLE IF EXISTS {};", states(number), journal(number)))?;
    run(connection, &format!("DELETE FROM saddlebag_column WHERE table_number = {number}"))?;
    run(connection, &format!("DELETE FROM saddlebag_tombstone WHERE table_number = {number}"))?;
    run(connection, &format!("DELETE FROM saddlebag_beside WHERE table_number = {number}"))?;
    run(connection, &format!("DELETE FROM saddlebag_digest WHERE table_number = {number}"))?;
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
             CREATE INDEX IF NOT EXISTS {name}_home ON {name} (home) WHERE home = 1;
             CREATE INDEX IF NOT EXISTS {name}_seq ON {name} (seq, first_seq, home);"
        ),
    )
}

/// Key columns after (`k`) and before (`p`), words of changed columns (`m`), old values of a deleted row (`o` and
/// the column's id). Columns are only ever added, so that what is noted there already is not lost.
fn make_journal(connection: &Connection, table: &TrackedTable) -> Result<(), StoreError> {
    let name = journal(table.number);
    let words = (0..words_of(table)).map(|word| format!("m{word}"));
    let noted: Vec<_> = words.chain(table.present().map(|column| format!("o{}", column.id))).collect();
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
    table.present().map(|column| column.id / BITS + 1).max().unwrap_or(0)
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
    let sql = "SELECT t.name, t.number, c.name, c.id, c.absent, c.refers FROM saddlebag_table t \
               LEFT JOIN saddlebag_column c ON c.table_number = t.number";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (table, number): (String, u32) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let column: Option<String> = row.get(2).map_err(failed)?;
        let (_, columns) = numbering.tables.entry(table.clone()).or_insert_with(|| (number, BTreeMap::new()));
        if let Some(column) = column {
            columns.insert(column.clone(), row.get(3).map_err(failed)?);
            if row.get(4).map_err(failed)? {
                numbering.absent.insert((table, column), row.get(5).map_err(failed)?);
            }
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
