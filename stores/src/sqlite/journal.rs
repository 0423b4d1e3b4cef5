//! Reading what the triggers noted.

use std::collections::HashSet;

use rusqlite::{Connection, Row, ToSql};
use saddlebag_formats::{TimeMs, Value};

use super::install::{BITS, NOW, words_of};
use super::sql::{journal, key_columns, key_join, quote, states};
use super::values::{Parameter, from_sql, key_at};
use super::{SqliteStore, engine};
use crate::error::StoreError;
use crate::fold::{Entry, Event};
use crate::record::Key;
use crate::tracking::{TrackedTable, Tracking};

/// How many entries wait in all journals.
pub(super) fn count(connection: &Connection, tracking: &Tracking) -> Result<u64, StoreError> {
    let mut sum = 0;
    for table in &tracking.tables {
        let sql = format!("SELECT count(*) FROM {}", journal(table.number));
        let mut statement = connection.prepare_cached(&sql).map_err(|error| engine("counting the journal", &error))?;
        let rows: i64 =
            statement.query_row([], |row| row.get(0)).map_err(|error| engine("counting the journal", &error))?;
        sum += rows.cast_unsigned();
    }
    Ok(sum)
}

/// The key columns of a table, and the condition that a row has them all: SQLite lets a primary key be null unless it
/// is declared otherwise, and such a row cannot be named.
fn named_keys(table: &TrackedTable) -> (String, String) {
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let named: Vec<_> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    (keys.join(", "), named.join(" AND "))
}

/// Notes rows without a row state as found by setup, in the order of their keys: the next call goes on from the last.
pub(super) fn existing(store: &mut SqliteStore, table: &TrackedTable, limit: u64) -> Result<u64, StoreError> {
    let before = store.looked_at.remove(&table.number);
    let rows = existing_after(&store.connection, table, before.as_ref(), limit)?;
    if rows > 0 {
        if let Some(last) = last_key(&store.connection, table)? {
            store.looked_at.insert(table.number, last);
        }
        return Ok(rows);
    }
    // Whatever lies before is looked at once more: nothing may be missed.
    if before.is_none() { Ok(0) } else { existing_after(&store.connection, table, None, limit) }
}

fn existing_after(
    connection: &Connection,
    table: &TrackedTable,
    after: Option<&Key>,
    limit: u64,
) -> Result<u64, StoreError> {
    let (keys, named) = named_keys(table);
    let marks: Vec<_> = (2..).take(table.key.len()).map(|at| format!("?{at}")).collect();
    let beyond = after.map(|_| format!("AND ({keys}) > ({})", marks.join(", "))).unwrap_or_default();
    let sql = format!(
        "INSERT INTO {journal} (op, at, {k}) SELECT 1, 0, {keys} FROM {name} t WHERE {named} {beyond} \
         AND NOT EXISTS (SELECT 1 FROM {states} s WHERE {join}) ORDER BY {keys} LIMIT ?1",
        journal = journal(table.number),
        k = key_columns(table, "k"),
        name = quote(&table.name),
        states = states(table.number),
        join = key_join(table, "s.", "t."),
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let parts: Vec<_> = after.iter().flat_map(|key| &key.0).map(Parameter).collect();
    let mut parameters: Vec<&dyn ToSql> = vec![&limit];
    parameters.extend(parts.iter().map(|part| part as &dyn ToSql));
    let rows =
        connection.execute(&sql, parameters.as_slice()).map_err(|error| engine("taking in existing rows", &error))?;
    Ok(rows as u64)
}

/// The key of the last entry.
fn last_key(connection: &Connection, table: &TrackedTable) -> Result<Option<Key>, StoreError> {
    let failed = |error| engine("taking in existing rows", &error);
    let sql = format!("SELECT {} FROM {} ORDER BY id DESC LIMIT 1", key_columns(table, "k"), journal(table.number));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| key_at(row, 0, table.key.len())).transpose().map_err(failed)
}

/// Notes every row of a table as perhaps changed, and every row state without a row as deleted: absorb tells by the
/// row hash what really happened while the triggers were away.
pub(super) fn recheck(connection: &Connection, table: &TrackedTable) -> Result<(), StoreError> {
    let (keys, named) = named_keys(table);
    let (log, name, states) = (journal(table.number), quote(&table.name), states(table.number));
    let (k, p, s) = (key_columns(table, "k"), key_columns(table, "p"), key_columns(table, "s.k"));
    let join = key_join(table, "s.", "t.");
    let sql = format!(
        "INSERT INTO {log} (op, at, {k}, {p}) SELECT 2, {NOW}, {keys}, {keys} FROM {name} t WHERE {named};
         INSERT INTO {log} (op, at, {k}) SELECT 4, {NOW}, {s} FROM {states} s
         WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE {join});"
    );
    connection.execute_batch(&sql).map_err(|error| engine("checking a table whose triggers were gone", &error))
}

/// The last entry of a table's journal.
pub(super) fn last(connection: &Connection, table: &TrackedTable) -> Result<i64, StoreError> {
    let failed = |error| engine("reading the journal", &error);
    let sql = format!("SELECT COALESCE(max(id), 0) FROM {}", journal(table.number));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([], |row| row.get(0)).map_err(failed)
}

/// Takes away the entry that saddlebag's own statement made after `last`: of a row that came or went, or whose key
/// changed. Together with the row state as it is written now, it would read as somebody's edit.
pub(super) fn forget_own(
    connection: &Connection,
    table: &TrackedTable,
    last: i64,
    op: i64,
    key: &Key,
) -> Result<(), StoreError> {
    let failed = |error| engine("writing the journal", &error);
    let equal: Vec<_> = (1..=table.key.len()).map(|part| format!("k{part} IS ?{}", part + 2)).collect();
    let sql = format!("DELETE FROM {} WHERE id > ?1 AND op = ?2 AND {}", journal(table.number), equal.join(" AND "));
    let keys: Vec<_> = key.0.iter().map(Parameter).collect();
    let mut parameters: Vec<&dyn ToSql> = vec![&last, &op];
    parameters.extend(keys.iter().map(|part| part as &dyn ToSql));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    statement.execute(parameters.as_slice()).map_err(failed)?;
    Ok(())
}

/// Reads and deletes the first entries of one table, in the order in which they were written; and tells which of the
/// keys that they name have a row state.
pub(super) fn take(
    connection: &Connection,
    table: &TrackedTable,
    limit: u64,
) -> Result<(Vec<Entry>, HashSet<Key>), StoreError> {
    let failed = |error| engine("reading the journal", &error);
    let words: String = (0..words_of(table)).map(|word| format!(", m{word}")).collect();
    let kept: String = table.present().map(|column| format!(", o{}", column.id)).collect();
    let log = journal(table.number);
    let (k, p) = (key_columns(table, "k"), key_columns(table, "p"));
    let last = format!("SELECT max(id) FROM (SELECT id FROM {log} ORDER BY id LIMIT ?1)");
    let mut statement = connection.prepare_cached(&last).map_err(failed)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let Some(last): Option<i64> = statement.query_row([limit], |row| row.get(0)).map_err(failed)? else {
        return Ok((Vec::new(), HashSet::new()));
    };
    let sql = format!("SELECT op, at, {k}, {p}{words}{kept} FROM {log} WHERE id <= ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([last], |row| entry(row, table)).map_err(failed)?;
    let entries: Vec<Entry> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    let with_state = with_state(connection, table, last)?;
    connection
        .prepare_cached(&format!("DELETE FROM {log} WHERE id <= ?1"))
        .map_err(failed)?
        .execute([last])
        .map_err(failed)?;
    Ok((entries, with_state))
}

/// The keys in the journal up to an entry that have a row state.
fn with_state(connection: &Connection, table: &TrackedTable, last: i64) -> Result<HashSet<Key>, StoreError> {
    let failed = |error| engine("reading the journal", &error);
    let (log, states) = (journal(table.number), states(table.number));
    let named = |prefix: &str| {
        let equal: Vec<_> = (1..=table.key.len()).map(|part| format!("s.k{part} = j.{prefix}{part}")).collect();
        let keys = key_columns(table, "s.k");
        format!("SELECT {keys} FROM {log} j CROSS JOIN {states} s ON {} WHERE j.id <= ?1", equal.join(" AND "))
    };
    let sql = format!("{} UNION {}", named("k"), named("p"));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([last], |row| key_at(row, 0, table.key.len())).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn entry(row: &Row<'_>, table: &TrackedTable) -> rusqlite::Result<Entry> {
    let parts = table.key.len();
    let words = usize::from(words_of(table));
    let after = key_at(row, 2, parts)?;
    let event = match row.get::<_, i64>(0)? {
        1 => Event::Insert { key: after },
        2 => Event::Update {
            before: key_at(row, 2 + parts, parts)?,
            after,
            changed: changed(row, table, 2 + 2 * parts)?,
        },
        // It went unseen: nobody noted its last values, and null is not what they were.
        4 => Event::Delete { key: after, old: Vec::new() },
        5 => Event::Covered { key: after, old: old_values(row, table, 2 + 2 * parts + words)? },
        _ => Event::Delete { key: after, old: old_values(row, table, 2 + 2 * parts + words)? },
    };
    Ok(Entry { at: TimeMs(row.get(1)?), event })
}

fn changed(row: &Row<'_>, table: &TrackedTable, start: usize) -> rusqlite::Result<Vec<u16>> {
    let mut changed = Vec::new();
    for column in table.present() {
        let word: Option<i64> = row.get(start + usize::from(column.id / BITS))?;
        if word.unwrap_or(0) >> (column.id % BITS) & 1 == 1 {
            changed.push(column.id);
        }
    }
    changed.sort_unstable();
    Ok(changed)
}

fn old_values(row: &Row<'_>, table: &TrackedTable, start: usize) -> rusqlite::Result<Vec<(u16, Value)>> {
    let value =
        |(at, column): (usize, &crate::tracking::TrackedColumn)| Ok((column.id, from_sql(row.get_ref(start + at)?)));
    table.present().enumerate().map(value).collect()
}
