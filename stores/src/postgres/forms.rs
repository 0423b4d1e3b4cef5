//! What the database makes of a value: it pads and rounds, and the application's triggers do what they like.

use std::collections::HashMap;

use saddlebag_formats::Value;

use super::client::Given;
use super::sql::{quote, table_name};
use super::values::Kind;
use super::{PostgresStore, keys};
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};
use crate::record::{Key, RowWrite};
use crate::tracking::TrackedTable;

/// The values just written that their rows hold in another form.
pub(super) fn stored(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[(&RowWrite, &Key)],
) -> Result<Vec<Beside>, StoreError> {
    let has_triggers = store.tracking.has_triggers;
    let kinds: Vec<Kind> = table.columns.iter().map(|column| Kind::of(&column.declared_type)).collect();
    let asks = |index: usize, row: &RowWrite, value: &Value| {
        let column = &table.columns[index];
        let is_beside = row.beside.iter().any(|beside| beside.column == column.id);
        !column.refers() && !is_beside && (has_triggers || kinds[index].may_change(value))
    };
    let mut columns: Vec<usize> = Vec::new();
    let mut asked: Vec<(&RowWrite, &Key)> = Vec::new();
    for (row, key) in rows {
        let before = asked.len();
        for (index, value) in &row.values {
            if asks(*index, row, value) {
                if !columns.contains(index) {
                    columns.push(*index);
                }
                if asked.len() == before {
                    asked.push((*row, *key));
                }
            }
        }
    }
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let held = read(store, table, &columns, &asked.iter().map(|(_, key)| *key).collect::<Vec<_>>())?;
    let mut forms = Vec::new();
    for (row, key) in asked {
        let Some(held) = held.get(key) else { continue };
        for (index, value) in &row.values {
            let Some(at) = columns.iter().position(|column| column == index) else { continue };
            if asks(*index, row, value) && held[at] != *value {
                let (uid, column) = (row.uid, table.columns[*index].id);
                let shown = Some(held[at].clone());
                forms.push(Beside { uid, column, value: value.clone(), shown, why: BesideWhy::OtherForm });
            }
        }
    }
    Ok(forms)
}

/// What some columns hold, by key.
fn read(
    store: &mut PostgresStore,
    table: &TrackedTable,
    columns: &[usize],
    wanted: &[&Key],
) -> Result<HashMap<Key, Vec<Value>>, StoreError> {
    let kinds: Vec<Kind> = columns.iter().map(|index| Kind::of(&table.columns[*index].declared_type)).collect();
    let select = |(index, kind): (&usize, &Kind)| kind.select(&format!("t.{}", quote(&table.columns[*index].name)));
    let selected: Vec<String> = columns.iter().zip(&kinds).map(select).collect();
    let (arrays, names) = keys::unnest(table, 1);
    let sql = format!(
        "SELECT {key}, {columns} FROM unnest({arrays}) AS u({names}) JOIN {name} t ON {on}",
        key = keys::select_row_key(table, "t."),
        columns = selected.join(", "),
        name = table_name(&table.name),
        on = keys::rows_given(table, "t.", "u."),
    );
    let parts = keys::parts(table, wanted);
    let parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    let rows = store.client.query("reading what was written", &sql, &parameters)?;
    let (key_kinds, mut held) = (keys::kinds(table), HashMap::with_capacity(rows.len()));
    for row in &rows {
        let value = |(at, kind): (usize, &Kind)| kind.read(row, table.key.len() + at);
        let values: Vec<Value> = kinds.iter().enumerate().map(value).collect::<Result<_, _>>()?;
        held.insert(keys::read_as(&key_kinds, row, 0)?, values);
    }
    Ok(held)
}
