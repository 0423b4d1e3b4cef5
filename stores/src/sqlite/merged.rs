//! Two records that turned out to be one: the row goes on under the other uid, or what refers to it is pointed there.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use saddlebag_formats::{Uid, Value};

use super::sql::{key_columns, key_join, quote, states as states_table};
use super::values::{Parameter, key_at};
use super::{SqliteStore, engine, referrers, states};
use crate::error::StoreError;
use crate::record::Key;
use crate::tracking::{TrackedTable, named_key};

fn failed(error: rusqlite::Error) -> StoreError {
    engine("making two records one", &error)
}

/// What every record turned out to be that is another one.
pub(super) fn all(store: &SqliteStore) -> Result<HashMap<(u32, Uid), Uid>, StoreError> {
    let sql = "SELECT table_number, uid, same_as FROM saddlebag_tombstone WHERE same_as IS NOT NULL";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, Uid(row.get(1)?)), Uid(row.get(2)?))));
    rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Gives a live record another uid. What refers to it, by key, follows by itself.
pub(super) fn rename(store: &mut SqliteStore, table: &TrackedTable, from: Uid, into: Uid) -> Result<(), StoreError> {
    let Some(key) = states::keys(store, table, &[from])?.remove(&from) else { return Ok(()) };
    let Some(mut stored) = states::at_key(store, table, &key)? else { return Ok(()) };
    let sql = "UPDATE OR REPLACE saddlebag_beside SET uid = ?2 WHERE table_number = ?3 AND uid = ?1";
    store.connection.execute(sql, (from.0, into.0, table.number)).map_err(failed)?;
    let sql = "UPDATE saddlebag_beside SET target = ?2 WHERE target = ?1";
    store.connection.execute(sql, (from.0, into.0)).map_err(failed)?;
    states::remove_tombstone(store, table.number, into)?;
    stored.uid = into;
    states::save(store, table, &key, &stored)?;
    states::hash_again(store, table, &key)?;
    let referring = referring_rows(store, table, &key)?;
    rehash(store, &referring)
}

/// Rows of tracked tables, by table number.
pub(super) type Rows = Vec<(u32, Vec<Key>)>;

/// Points everything that refers to one record to another one, whatever table it stands in.
pub(super) fn repoint(store: &mut SqliteStore, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
    let referring = referring_rows(store, table, from)?;
    let (Some(old), Some(new)) = (from.0.first(), into.0.first()) else { return Ok(()) };
    for column in referrers::single_columns(store, table)? {
        let sql = format!("UPDATE {0} SET {1} = ?2 WHERE {1} = ?1", quote(&column.table), quote(&column.column));
        store.connection.execute(&sql, params_from_iter([old, new].map(Parameter))).map_err(failed)?;
    }
    for (name, column) in naming_columns(store) {
        for text in texts_naming(store, &name, &column, table, from)? {
            let Some((model, _)) = text.rsplit_once(',') else { continue };
            let sql = format!("UPDATE {0} SET {1} = ?2 WHERE {1} = ?1", quote(&name), quote(&column));
            let values = [Value::Text(text.clone()), named_key(model, new)];
            store.connection.execute(&sql, params_from_iter(values.iter().map(Parameter))).map_err(failed)?;
        }
    }
    rehash(store, &referring)
}

/// The rows of tracked tables that refer to a record.
pub(super) fn referring_rows(store: &mut SqliteStore, table: &TrackedTable, key: &Key) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    let Some(part) = key.0.first() else { return Ok(rows) };
    for column in referrers::single_columns(store, table)? {
        let Some(child) = store.tracking.by_name(&column.table) else { continue };
        rows.push((child.number, keys_where(store, child, &column.column, part)?));
    }
    for (name, column) in naming_columns(store) {
        let Some(child) = store.tracking.by_name(&name).cloned() else { continue };
        for text in texts_naming(store, &name, &column, table, key)? {
            rows.push((child.number, keys_where(store, &child, &column, &Value::Text(text))?));
        }
    }
    Ok(rows)
}

fn keys_where(store: &SqliteStore, table: &TrackedTable, column: &str, value: &Value) -> Result<Vec<Key>, StoreError> {
    let sql = format!(
        "SELECT {} FROM {} t JOIN {} s ON {} WHERE t.{} = ?1",
        key_columns(table, "s.k"),
        quote(&table.name),
        states_table(table.number),
        key_join(table, "s.", "t."),
        quote(column)
    );
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([Parameter(value)], |row| key_at(row, 0, table.key.len())).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Columns that name their tables, with theirs.
fn naming_columns(store: &SqliteStore) -> Vec<(String, String)> {
    let columns = store.tracking.tables.iter().flat_map(|table| {
        let naming = table.present().filter(|column| column.names_its_table);
        naming.map(|column| (table.name.clone(), column.name.clone()))
    });
    columns.collect()
}

/// The texts of a column that name a record, each once.
fn texts_naming(
    store: &SqliteStore,
    table: &str,
    column: &str,
    target: &TrackedTable,
    key: &Key,
) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT DISTINCT {1} FROM {0} WHERE {1} LIKE '%,' || ?1", quote(table), quote(column));
    let Some(part) = key.0.first() else { return Ok(Vec::new()) };
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let texts = statement.query_map([Parameter(part)], |row| row.get::<_, String>(0)).map_err(failed)?;
    let mut naming = Vec::new();
    for text in texts {
        let text = text.map_err(failed)?;
        let named = super::soft::parse(&store.tracking, &text);
        if named.is_some_and(|(_, named, found)| named.number == target.number && found == *key) {
            naming.push(text);
        }
    }
    Ok(naming)
}

fn rehash(store: &mut SqliteStore, rows: &Rows) -> Result<(), StoreError> {
    for (number, keys) in rows {
        let Some(table) = store.tracking.by_number(*number).cloned() else { continue };
        for key in keys {
            states::hash_again(store, &table, key)?;
        }
    }
    Ok(())
}
