//! Reads the application's schema.

use rusqlite::{Connection, Result};

use super::sql::quote;
use crate::schema::{Column, ForeignKey, Schema, Table};

/// Everything that begins so is saddlebag's own.
pub(super) const PREFIX: &str = "saddlebag_";

pub(super) fn read(connection: &Connection) -> Result<Schema> {
    let mut listed = connection.prepare("PRAGMA main.table_list")?;
    let rows = listed.query_map([], |row| Ok((row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
    let mut tables = Vec::new();
    for row in rows {
        let (name, kind) = row?;
        let own = name.to_ascii_lowercase().starts_with(PREFIX);
        if own || name.starts_with("sqlite_") || kind == "shadow" {
            continue;
        }
        tables.push(read_table(connection, name, &kind)?);
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    resolve_targets(&mut tables);
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name NOT LIKE 'saddlebag\\_%' ESCAPE '\\'";
    let triggers: u32 = connection.query_row(sql, [], |row| row.get(0))?;
    // What the database does by itself to rows that refer to a changed key must be noted as well.
    let sql = "SELECT count(*) FROM sqlite_schema m, pragma_foreign_key_list(m.name) f \
               WHERE m.type = 'table' AND f.on_update NOT IN ('NO ACTION', 'RESTRICT')";
    let cascades: u32 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(Schema { tables, has_triggers: triggers + cascades > 0 })
}

fn read_table(connection: &Connection, name: String, kind: &str) -> Result<Table> {
    let unsupported = match kind {
        "view" => Some("a view"),
        "virtual" => Some("a virtual table"),
        _ => None,
    };
    let mut table = Table {
        columns: Vec::new(),
        primary_key: Vec::new(),
        foreign_keys: Vec::new(),
        unique: Vec::new(),
        key_is_given: false,
        unsupported,
        name,
    };
    if unsupported.is_some() {
        // SQLite cannot even list the columns of a view whose table is gone, or of a module that is not loaded.
        return Ok(table);
    }
    table.foreign_keys = foreign_keys(connection, &table.name)?;
    table.unique = unique(connection, &table.name)?;
    read_columns(connection, &mut table)?;
    table.key_is_given = table.primary_key.len() == 1 && !has_key_index(connection, &table.name)?;
    Ok(table)
}

fn read_columns(connection: &Connection, table: &mut Table) -> Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA main.table_xinfo({})", quote(&table.name)))?;
    let mut rows = statement.query([])?;
    let mut key: Vec<(u32, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (position, hidden): (u32, u32) = (row.get(5)?, row.get(6)?);
        let name: String = row.get(1)?;
        if position > 0 {
            key.push((position, name.clone()));
        }
        // Hidden: 1 a column of a virtual table, 2 and 3 generated ones. The database computes them itself.
        if hidden == 0 {
            let (declared_type, not_null, default) = (row.get(2)?, row.get(3)?, row.get(4)?);
            table.columns.push(Column { name, declared_type, not_null, default });
        }
    }
    key.sort_unstable();
    table.primary_key = key.into_iter().map(|(_, name)| name).collect();
    Ok(())
}

fn foreign_keys(connection: &Connection, table: &str) -> Result<Vec<ForeignKey>> {
    let mut statement = connection.prepare(&format!("PRAGMA main.foreign_key_list({})", quote(table)))?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, Option<String>>(4)?,
        ))
    })?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for row in rows {
        let (id, target, from, to) = row?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((id, ForeignKey { columns: Vec::new(), table: target, target_columns: Vec::new() }));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(from);
            key.target_columns.extend(to);
        }
    }
    // SQLite lists them last first.
    keys.reverse();
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn unique(connection: &Connection, table: &str) -> Result<Vec<Vec<String>>> {
    let mut statement = connection.prepare(&format!("PRAGMA main.index_list({})", quote(table)))?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, String>(3)?, row.get::<_, bool>(4)?))
    })?;
    let mut unique = Vec::new();
    for row in rows {
        let (index, is_unique, origin, partial) = row?;
        if !is_unique || partial || origin == "pk" {
            continue;
        }
        let mut columns = connection.prepare(&format!("PRAGMA main.index_info({})", quote(&index)))?;
        let names = columns.query_map([], |row| row.get::<_, Option<String>>(2))?;
        // An expression has no name: such an index says nothing of columns.
        if let Some(names) = names.collect::<Result<Option<Vec<_>>>>()? {
            unique.push(names);
        }
    }
    unique.sort();
    Ok(unique)
}

/// Whether the primary key has an index of its own. It has none only where it is the rowid, which the database
/// gives: an INTEGER PRIMARY KEY, but neither one of a table WITHOUT ROWID nor, by an old quirk, one with DESC.
fn has_key_index(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT count(*) > 0 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'";
    connection.query_row(sql, [table], |row| row.get(0))
}

/// Names in foreign keys are as written there: SQLite finds tables and columns whatever their case, and takes the
/// primary key where no column is named.
fn resolve_targets(tables: &mut [Table]) {
    let known: Vec<(String, Vec<String>, Vec<String>)> = tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|column| column.name.clone()).collect();
            (table.name.clone(), table.primary_key.clone(), columns)
        })
        .collect();
    for index in 0..tables.len() {
        let own: Vec<String> = known[index].2.clone();
        for key in &mut tables[index].foreign_keys {
            same_case(&mut key.columns, &own);
            let Some((name, primary_key, columns)) =
                known.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&key.table))
            else {
                continue;
            };
            key.table.clone_from(name);
            if key.target_columns.is_empty() {
                key.target_columns.clone_from(primary_key);
            }
            same_case(&mut key.target_columns, columns);
        }
    }
}

fn same_case(names: &mut [String], known: &[String]) {
    for name in names {
        if let Some(declared) = known.iter().find(|declared| declared.eq_ignore_ascii_case(name)) {
            name.clone_from(declared);
        }
    }
}
