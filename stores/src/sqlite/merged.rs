//! What every record turned out to be that is another one, and what refers to it.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use saddlebag_formats::{Uid, Value};

use super::sql::{key_columns, key_join, quote, states as states_table};
use super::values::{Parameter, key_at};
use super::{SqliteStore, engine, referrers};
use crate::engine::Rows;
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

/// Points every column, of whatever table, that refers to one record to another one.
pub(super) fn point(store: &mut SqliteStore, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
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
    Ok(())
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
        let named = crate::soft::parse(&store.tracking, &text);
        if named.is_some_and(|(_, named, found)| named.number == target.number && found == *key) {
            naming.push(text);
        }
    }
    Ok(naming)
}
