//! Who refers to a record: rows of tracked tables and of all others that declare it.

use std::collections::HashMap;

use saddlebag_formats::Value;

use super::client::Given;
use super::fields::field;
use super::rows::refers;
use super::sql::{key_join, quote, states, table_name};
use super::values::Kind;
use super::{PostgresStore, keys};
use crate::engine::Rows;
use crate::error::StoreError;
use crate::record::{Key, Referrer};
use crate::referring::ReferringColumn;
use crate::soft;
use crate::tracking::{TrackedTable, named_key};

const ACTION: &str = "looking for referring rows";

/// Which of the given rows it is, beside their own columns: no column of an application's has this name.
const PLACE: &str = "\"saddlebag: which\"";

fn referring_columns(store: &mut PostgresStore) -> Result<HashMap<u32, Vec<ReferringColumn>>, StoreError> {
    let schema = super::schema::read(&mut store.client)?;
    Ok(crate::referring::referring_columns(&schema, &store.tracking))
}

fn load(store: &mut PostgresStore, table: &TrackedTable) -> Result<Vec<ReferringColumn>, StoreError> {
    if store.referring.is_empty() {
        store.referring = referring_columns(store)?;
    }
    Ok(store.referring.get(&table.number).cloned().unwrap_or_default())
}

/// For each key, the rows that refer to it: one statement for all columns that may.
pub(super) fn referrers(
    store: &mut PostgresStore,
    table: &TrackedTable,
    wanted: &[Key],
) -> Result<Vec<Vec<Referrer>>, StoreError> {
    let mut all = vec![Vec::new(); wanted.len()];
    let referring = load(store, table)?;
    if referring.is_empty() || wanted.is_empty() {
        return Ok(all);
    }
    store.flush()?;
    let (arrays, names) = keys::unnest(table, 1);
    let given = format!("unnest({arrays}) WITH ORDINALITY AS u({names}, at)");
    let selects: Vec<String> =
        referring.iter().enumerate().map(|(at, column)| select(store, table, column, at)).collect();
    let sql = format!(
        "WITH p AS (SELECT u.at AS {PLACE}, p.* FROM {given} JOIN {} p ON {}) {}",
        table_name(&table.name),
        keys::rows_given(table, "p.", "u."),
        selects.join(" UNION ALL ")
    );
    let wanted: Vec<&Key> = wanted.iter().collect();
    let parts = keys::parts(table, &wanted);
    let parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    for row in store.client.query(ACTION, &sql, &parameters)? {
        let (at, by): (i64, i32) = (field(ACTION, &row, 0)?, field(ACTION, &row, 1)?);
        let uid: Option<uuid::Uuid> = field(ACTION, &row, 2)?;
        let place = usize::try_from(at - 1).ok().and_then(|at| all.get_mut(at));
        let column = usize::try_from(by).ok().and_then(|by| referring.get(by));
        if let (Some(found), Some(column)) = (place, column) {
            let uid = uid.map(|uid| saddlebag_formats::Uid(uid.into_bytes()));
            found.push(Referrer { table: column.table.clone(), number: column.number, uid });
        }
    }
    Ok(all)
}

fn select(store: &PostgresStore, target: &TrackedTable, referring: &ReferringColumn, at: usize) -> String {
    let name = table_name(&referring.table);
    let equal = |(column, of): (&String, &String)| format!("t.{} = p.{}", quote(column), quote(of));
    let on = match &referring.soft {
        Some(declared) => soft_condition(&Kind::of(declared), &referring.columns[0], target),
        None => referring.columns.iter().zip(&referring.targets).map(equal).collect::<Vec<_>>().join(" AND "),
    };
    match referring.number.and_then(|number| store.tracking.by_number(number)) {
        Some(tracked) => format!(
            "SELECT p.{PLACE}, {at}, s.uid FROM p JOIN {name} t ON {on} LEFT JOIN {} s ON {}",
            states(tracked.number),
            key_join(tracked, "s.", "t.")
        ),
        None => format!("SELECT p.{PLACE}, {at}, NULL::uuid FROM p JOIN {name} t ON {on}"),
    }
}

/// Whether a column that no constraint declares refers to a row of the target, alias `p`.
fn soft_condition(kind: &Kind, column: &str, target: &TrackedTable) -> String {
    let key = target.key.first().map(|part| format!("p.{}", quote(&part.name))).unwrap_or_default();
    refers(kind, &format!("t.{}", quote(column)), target, "p.").replacen("p.k1", &key, 1)
}

/// The rows of tracked tables that refer to a record.
pub(super) fn referring_rows(store: &mut PostgresStore, table: &TrackedTable, key: &Key) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    store.flush()?;
    let tracking = std::rc::Rc::clone(&store.tracking);
    for column in by_key(store, table)? {
        let Some(child) = tracking.by_name(&column.table) else { continue };
        let on = condition(&column, table);
        rows.push((child.number, keys_where(store, table, child, &on, key)?));
    }
    for (child, column) in naming_columns(store) {
        let Some(child) = tracking.by_number(child) else { continue };
        for text in texts_naming(store, child, &column, table, key)? {
            let sql = format!(
                "SELECT {} FROM {} t WHERE t.{} = $1",
                keys::select_row_key(child, "t."),
                table_name(&child.name),
                quote(&column)
            );
            let found = store.client.query(ACTION, &sql, &[&text])?;
            let keys = found.iter().map(|row| keys::read(child, row, 0)).collect::<Result<_, _>>()?;
            rows.push((child.number, keys));
        }
    }
    Ok(rows)
}

fn by_key(store: &mut PostgresStore, table: &TrackedTable) -> Result<Vec<ReferringColumn>, StoreError> {
    let key: Vec<_> = table.key.iter().map(|part| part.name.clone()).collect();
    let all = load(store, table)?;
    Ok(all.into_iter().filter(|referring| referring.targets == key && referring.columns.len() == 1).collect())
}

fn condition(column: &ReferringColumn, target: &TrackedTable) -> String {
    match &column.soft {
        Some(declared) => soft_condition(&Kind::of(declared), &column.columns[0], target),
        None => format!("t.{} = p.{}", quote(&column.columns[0]), quote(&column.targets[0])),
    }
}

fn keys_where(
    store: &mut PostgresStore,
    target: &TrackedTable,
    child: &TrackedTable,
    on: &str,
    key: &Key,
) -> Result<Vec<Key>, StoreError> {
    let (arrays, names) = keys::unnest(target, 1);
    let sql = format!(
        "SELECT {} FROM unnest({arrays}) AS u({names}) JOIN {} p ON {} JOIN {} t ON {on} JOIN {} s ON {}",
        keys::select_state_key(child, "s."),
        table_name(&target.name),
        keys::rows_given(target, "p.", "u."),
        table_name(&child.name),
        states(child.number),
        key_join(child, "s.", "t."),
    );
    let parts = keys::parts(target, &[key]);
    let parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    let rows = store.client.query(ACTION, &sql, &parameters)?;
    rows.iter().map(|row| keys::read(child, row, 0)).collect()
}

/// Columns that name their tables, with theirs.
fn naming_columns(store: &PostgresStore) -> Vec<(u32, String)> {
    let columns = store.tracking.tables.iter().flat_map(|table| {
        let naming = table.present().filter(|column| column.names_its_table);
        naming.map(|column| (table.number, column.name.clone()))
    });
    columns.collect()
}

/// The texts of a column that name a record, each once.
fn texts_naming(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: &str,
    target: &TrackedTable,
    key: &Key,
) -> Result<Vec<String>, StoreError> {
    let Some(Value::Integer(part)) = key.0.first() else { return Ok(Vec::new()) };
    let column = quote(column);
    let sql = format!("SELECT DISTINCT {column}::text FROM {} WHERE {column} LIKE $1", table_name(&table.name));
    let mut naming = Vec::new();
    for row in store.client.query(ACTION, &sql, &[&format!("%,{part}")])? {
        let text: String = field(ACTION, &row, 0)?;
        let named = soft::parse(&store.tracking, &text);
        if named.is_some_and(|(_, named, found)| named.number == target.number && found == *key) {
            naming.push(text);
        }
    }
    Ok(naming)
}

/// Points every column, of whatever table, that refers to one record to another one.
pub(super) fn point(store: &mut PostgresStore, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
    let action = "making two records one";
    store.flush()?;
    store.cache.forget_rows();
    let (old, new) = (keys::parts(table, &[from]), keys::parts(table, &[into]));
    for column in by_key(store, table)? {
        let (first, second) = (keys::unnest(table, 1), keys::unnest(table, 2));
        let name = quote(&column.columns[0]);
        // Text that holds an id stays text.
        let value = match &column.soft {
            Some(declared) => format!("q.k1::text::{}", super::values::cast_type(declared)),
            None => "q.k1".to_owned(),
        };
        let sql = format!(
            "UPDATE {} t SET {name} = {value} FROM unnest({}) AS u({}), unnest({}) AS q({}), {} p WHERE {} AND {}",
            table_name(&column.table),
            first.0,
            first.1,
            second.0,
            second.1,
            table_name(&table.name),
            keys::rows_given(table, "p.", "u."),
            condition(&column, table),
        );
        let parameters: Given<'_> = old.iter().chain(&new).map(keys::Parts::parameter).collect();
        store.client.execute(action, &sql, &parameters)?;
    }
    let Some(part) = into.0.first() else { return Ok(()) };
    let tracking = std::rc::Rc::clone(&store.tracking);
    for (child, column) in naming_columns(store) {
        let Some(child) = tracking.by_number(child) else { continue };
        for text in texts_naming(store, child, &column, table, from)? {
            let Some((model, _)) = text.rsplit_once(',') else { continue };
            let Value::Text(other) = named_key(model, part) else { continue };
            let (name, column) = (table_name(&child.name), quote(&column));
            let sql = format!("UPDATE {name} SET {column} = $2 WHERE {column} = $1");
            store.client.execute(action, &sql, &[&text, &other])?;
        }
    }
    Ok(())
}
