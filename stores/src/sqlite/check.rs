//! Rows against row states: what went past the triggers, and what stays at home.

use rusqlite::Connection;
use saddlebag_formats::{TimeMs, Uid};

use super::install::NOW;
use super::sql::{key_columns, key_join, quote, states};
use super::values::{key_at, uid_at};
use super::{SqliteStore, engine, naming, rows, states as row_states};
use crate::difference::{Difference, DifferenceKind, HomeRow};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::TrackedTable;

/// Records that are held in memory at a time.
const PAGE: usize = 1_000;

fn failed(error: rusqlite::Error) -> StoreError {
    engine("comparing the rows with what is known of them", &error)
}

/// Tells `found` of every row and row state that do not fit each other, and counts the rows.
pub(super) fn check(
    store: &mut SqliteStore,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<u64, StoreError> {
    unseen_rows(&store.connection, table, found)?;
    lost_rows(&store.connection, table, found)?;
    shared_rows(store, table, found)?;
    for (key, uid) in row_states::at_home(store, table)? {
        let known = row_states::at_key(store, table, &key)?.map(|stored| stored.hash);
        let values = rows::read_row(store, table, &key, Some(uid))?;
        if values.is_some_and(|values| Some(table.row_hash(uid, &values)) != known) {
            found(Difference { key, uid: Some(uid), kind: DifferenceKind::OtherValues });
        }
    }
    let sql = format!("SELECT count(*) FROM {}", quote(&table.name));
    let rows: i64 = store.connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)?;
    Ok(rows.cast_unsigned())
}

/// Rows without a row state. One whose key is null has no name that others could know it by: SQLite lets a primary key
/// be null unless it is declared otherwise.
fn unseen_rows(
    connection: &Connection,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<(), StoreError> {
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let named: Vec<_> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    let sql = format!(
        "SELECT {keys} FROM {name} t WHERE {named} AND NOT EXISTS (SELECT 1 FROM {states} s WHERE {join})",
        keys = keys.join(", "),
        named = named.join(" AND "),
        name = quote(&table.name),
        states = states(table.number),
        join = key_join(table, "s.", "t."),
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let key = key_at(row, 0, table.key.len()).map_err(failed)?;
        found(Difference { key, uid: None, kind: DifferenceKind::NoState });
    }
    Ok(())
}

/// Row states without a row.
fn lost_rows(
    connection: &Connection,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {keys}, s.uid FROM {states} s WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE {join})",
        keys = key_columns(table, "s.k"),
        states = states(table.number),
        name = quote(&table.name),
        join = key_join(table, "s.", "t."),
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (key, uid) = key_and_uid(row, table).map_err(failed)?;
        found(Difference { key, uid: Some(uid), kind: DifferenceKind::NoRow });
    }
    Ok(())
}

/// Rows that are shared and whose values are not those of their hash.
fn shared_rows(
    store: &mut SqliteStore,
    table: &TrackedTable,
    found: &mut dyn FnMut(Difference),
) -> Result<(), StoreError> {
    let mut last: Option<Uid> = None;
    loop {
        let after = last.map_or_else(Vec::new, |uid| uid.0.to_vec());
        // No uid is an empty blob: all come after it.
        let page = rows::read(store, table, &format!("s.uid > ?1 ORDER BY s.uid LIMIT {PAGE}"), [after])?;
        let (count, end) = (page.len(), page.last().map(|record| record.uid));
        for record in page {
            if table.row_hash(record.uid, &record.values) != record.hash {
                found(Difference { key: record.key, uid: Some(record.uid), kind: DifferenceKind::OtherValues });
            }
        }
        if count < PAGE {
            return Ok(());
        }
        last = end;
    }
}

/// Rows that stay at home, with the record whose identity they have.
pub(super) fn home_rows(store: &mut SqliteStore, table: &TrackedTable) -> Result<Vec<HomeRow>, StoreError> {
    let mut home = Vec::new();
    for (key, uid) in row_states::at_home(store, table)? {
        let Some(values) = rows::read_row(store, table, &key, Some(uid))? else { continue };
        let identity = naming::from_values(table, &values);
        let standing = row_states::keys(store, table, identity.as_slice())?;
        let holder = identity.filter(|identity| standing.contains_key(identity));
        home.push(HomeRow { key, uid, holder, values });
    }
    Ok(home)
}

fn key_and_uid(row: &rusqlite::Row<'_>, table: &TrackedTable) -> rusqlite::Result<(Key, Uid)> {
    let parts = table.key.len();
    Ok((key_at(row, 0, parts)?, uid_at(row, parts)?.unwrap_or(Uid([0; 16]))))
}

/// The time that a trigger would note now.
pub(super) fn now(connection: &Connection) -> Result<TimeMs, StoreError> {
    connection
        .query_row(&format!("SELECT {NOW}"), [], |row| row.get(0).map(TimeMs))
        .map_err(|error| engine("reading the time", &error))
}
