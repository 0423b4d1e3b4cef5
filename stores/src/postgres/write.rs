//! Writing rows in sets: one statement for all rows that are written in the same columns, and halves of them where one is
//! refused, until the refused rows are found.

use std::collections::{BTreeMap, HashMap, HashSet};

use saddlebag_formats::{Uid, Value};

use super::client::{Given, words};
use super::fields::field;
use super::refusal::{self, Outcome};
use super::sql::{quote, table_name};
use super::values::{Kind, cast_type};
use super::{PostgresStore, beside, forms, insert, keys, rows as app_rows, states};
use crate::engine::{Engine as _, Stored};
use crate::error::StoreError;
use crate::ledger::Beside;
use crate::record::{Key, Refusal, RowWrite, Tombstone};
use crate::rehash::hash_again;
use crate::tracking::{TrackedColumn, TrackedTable};

/// Rows written by one statement at most.
const ROWS_AT_ONCE: usize = 5_000;
/// Sets of columns that are worth a statement of their own however few rows have them.
const SETS: usize = 8;
/// Rows that are worth a statement of their own.
const FEW: usize = 16;

/// A row whose values are text by now.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// Where its outcome belongs.
    pub(super) at: usize,
    pub(super) uid: Uid,
    /// Its key; for a new row, once it has one.
    pub(super) key: Option<Key>,
    /// Whether something of saddlebag's may lie under its key.
    pub(super) key_was_used: bool,
    /// By column index.
    pub(super) values: BTreeMap<usize, Option<String>>,
}

/// A column's value as PostgreSQL takes it; why it can't, else. A reference to an integer key may stand in text.
fn text_of(column: &TrackedColumn, kind: &Kind, value: &Value) -> Result<Option<String>, String> {
    let text = match value {
        Value::Integer(number) if column.refers() && kind.is_text() => Ok(Some(number.to_string())),
        Value::Text(text) if column.refers() && kind.is_integer() => match text.parse::<i64>() {
            Ok(number) => kind.to_text(&Value::Integer(number)),
            Err(_) => kind.to_text(value),
        },
        _ => kind.to_text(value),
    };
    text.map_err(|reason| format!("column `{}`: {reason}", column.name))
}

/// Writes rows and their states.
pub(super) fn write(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[RowWrite],
) -> Result<Vec<Result<Key, Refusal>>, StoreError> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; rows.len()];
    let (mut new, mut known) = (Vec::new(), Vec::new());
    let kinds: Vec<Kind> = table.columns.iter().map(|column| Kind::of(&column.declared_type)).collect();
    for (at, row) in rows.iter().enumerate() {
        match ready(table, &kinds, at, row) {
            Ok(ready) if row.key.is_none() => new.push(ready),
            Ok(ready) => known.push(ready),
            Err(reason) => outcomes[at] = Some(Err(Refusal { reason })),
        }
    }
    store.cache.forget_rows();
    // What is updated first may free a value that a new row has.
    for group in groups(known) {
        for some in chunks(group) {
            update(store, table, rows, some, &mut outcomes)?;
        }
    }
    for group in by_columns(new).into_values() {
        for some in chunks(group) {
            insert::insert(store, table, some, &mut |store, written| {
                note_written(store, table, rows, written, &mut outcomes, true)
            })?
            .into_iter()
            .for_each(|(at, refusal)| outcomes[at] = Some(Err(refusal)));
        }
    }
    store.flush()?;
    store.cache.forget_read();
    let lost = || Err(Refusal { reason: "nothing is known of what became of the row".to_owned() });
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect())
}

fn ready(table: &TrackedTable, kinds: &[Kind], at: usize, row: &RowWrite) -> Result<Ready, String> {
    let mut values = BTreeMap::new();
    for (index, value) in &row.values {
        values.insert(*index, text_of(&table.columns[*index], &kinds[*index], value)?);
    }
    Ok(Ready { at, uid: row.uid, key: row.key.clone(), key_was_used: true, values })
}

type Group = Vec<Ready>;

fn by_columns(rows: Vec<Ready>) -> BTreeMap<Vec<usize>, Group> {
    let mut groups: BTreeMap<Vec<usize>, Group> = BTreeMap::new();
    for row in rows {
        groups.entry(row.values.keys().copied().collect()).or_default().push(row);
    }
    groups
}

/// Rows that one statement can write. Where there are many sets of columns, those that few rows have go together.
fn groups(rows: Vec<Ready>) -> Vec<Group> {
    let groups = by_columns(rows);
    if groups.len() <= SETS {
        return groups.into_values().collect();
    }
    let (many, few): (Vec<Group>, Vec<Group>) = groups.into_values().partition(|group| group.len() >= FEW);
    let few: Group = few.into_iter().flatten().collect();
    many.into_iter().chain((!few.is_empty()).then_some(few)).collect()
}

/// So many rows as one statement writes, in their order.
fn chunks(mut group: Group) -> Vec<Group> {
    let mut chunks = Vec::new();
    while group.len() > ROWS_AT_ONCE {
        let rest = group.split_off(ROWS_AT_ONCE);
        chunks.push(std::mem::replace(&mut group, rest));
    }
    chunks.push(group);
    chunks
}

fn update(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[RowWrite],
    some: Group,
    outcomes: &mut [Option<Outcome>],
) -> Result<(), StoreError> {
    let (nothing, some): (Group, Group) = some.into_iter().partition(|row| row.values.is_empty());
    note_written(store, table, rows, &nothing, outcomes, false)?;
    let refused =
        refusal::in_halves(store, some, &mut |store, some| update_all(store, table, some), &mut |store, some| {
            let written: Vec<Ready> = some.iter().map(|row| moved(table, &rows[row.at], row)).collect();
            note_written(store, table, rows, &written, outcomes, false)
        })?;
    for (row, refusal) in refused {
        let reason = match blamed(store, table, &row, &refusal.reason)? {
            Some(column) => format!("column `{column}`: {}", refusal.reason),
            None => refusal.reason,
        };
        outcomes[row.at] = Some(Err(Refusal { reason }));
    }
    Ok(())
}

/// The column whose value an `UPDATE` could not write, which the database does not say: each value is tried alone.
fn blamed(
    store: &mut PostgresStore,
    table: &TrackedTable,
    row: &Ready,
    reason: &str,
) -> Result<Option<String>, StoreError> {
    let action = "looking for a value that was refused";
    let sql = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
               WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
    let types = store.client.query(action, sql, &[&table_name(&table.name)])?;
    let types: Vec<(String, String)> = types
        .iter()
        .map(|row| Ok((field(action, row, 0)?, field(action, row, 1)?)))
        .collect::<Result<_, StoreError>>()?;
    for (index, text) in &row.values {
        let TrackedColumn { name, declared_type, .. } = &table.columns[*index];
        let Some((_, of)) = types.iter().find(|(column, _)| column == name) else { continue };
        // A domain has rules of its own.
        let is_judged_here = of == declared_type && !Kind::of(declared_type).is_read_by_the_database();
        if text.is_none() || is_judged_here {
            continue;
        }
        store.client.batch(action, "SAVEPOINT saddlebag_value")?;
        let sql = format!("SELECT $1::text::{}::{of} IS NULL", cast_type(declared_type));
        let tried = store.client.try_query(action, &sql, &[text])?;
        store.client.batch(action, "ROLLBACK TO SAVEPOINT saddlebag_value; RELEASE SAVEPOINT saddlebag_value")?;
        if tried.is_err_and(|error| words(&error) == reason) {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// A row that was updated, under its key after that.
fn moved(table: &TrackedTable, row: &RowWrite, ready: &Ready) -> Ready {
    // What is written of it by now is not asked for any more.
    let mut ready = Ready { values: BTreeMap::new(), key: ready.key.clone(), ..*ready };
    if let Some(key) = &mut ready.key {
        for (at, part) in table.key.iter().enumerate() {
            let written = row.values.iter().find(|(index, _)| table.columns[*index].name == part.name);
            if let Some((_, value)) = written.filter(|(_, value)| !value.is_null()) {
                key.0[at] = value.clone();
            }
        }
    }
    ready
}

/// One `UPDATE` of these rows; says how many it touched.
fn update_all(store: &mut PostgresStore, table: &TrackedTable, some: &[Ready]) -> Result<refusal::Attempt, StoreError> {
    let columns: HashSet<usize> = some.iter().flat_map(|row| row.values.keys().copied()).collect();
    let mut columns: Vec<usize> = columns.into_iter().collect();
    columns.sort_unstable();
    let is_uniform = some.iter().all(|row| row.values.len() == columns.len());
    let own: Vec<&Key> = some.iter().filter_map(|row| row.key.as_ref()).collect();
    let parts = keys::parts(table, &own);
    let (arrays, names) = keys::unnest(table, 1);
    let (mut sets, mut from, mut aliases) = (Vec::new(), vec![arrays], vec![names]);
    let mut next = parts.len() + 1;
    for (at, index) in columns.iter().enumerate() {
        let column = &table.columns[*index];
        // Money is assigned from a number; in a CASE it must be money already.
        let to_money = if Kind::of(&column.declared_type) == Kind::Money { "::money" } else { "" };
        let (name, of) = (quote(&column.name), format!("{}{to_money}", cast_type(&column.declared_type)));
        from.push(format!("${next}::text[]"));
        aliases.push(format!("v{at}"));
        next += 1;
        if is_uniform {
            sets.push(format!("{name} = u.v{at}::{of}"));
        } else {
            from.push(format!("${next}::boolean[]"));
            aliases.push(format!("w{at}"));
            next += 1;
            sets.push(format!("{name} = CASE WHEN u.w{at} THEN u.v{at}::{of} ELSE t.{name} END"));
        }
    }
    let sql = format!(
        "UPDATE {name} t SET {sets} FROM unnest({from}) AS u({aliases}) WHERE {on}",
        name = table_name(&table.name),
        sets = sets.join(", "),
        from = from.join(", "),
        aliases = aliases.join(", "),
        on = keys::rows_given(table, "t.", "u."),
    );
    let texts: Vec<(Vec<Option<&str>>, Vec<bool>)> = columns
        .iter()
        .map(|index| {
            let text = |row: &'_ Ready| row.values.contains_key(index);
            let given = some.iter().map(|row| row.values.get(index).and_then(Option::as_deref)).collect();
            (given, some.iter().map(text).collect())
        })
        .collect();
    let mut parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    for (texts, written) in &texts {
        parameters.push(texts);
        if !is_uniform {
            parameters.push(written);
        }
    }
    let outcome = store.client.try_execute("writing rows", &sql, &parameters)?;
    refusal::attempt("writing rows", outcome, some.len())
}

/// Keeps what belongs to rows that stand now: their states, and what could not stand in their columns as it came.
fn note_written(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[RowWrite],
    written: &[Ready],
    outcomes: &mut [Option<Outcome>],
    is_new: bool,
) -> Result<(), StoreError> {
    if written.is_empty() {
        return Ok(());
    }
    let of: Vec<(&RowWrite, &Key)> =
        written.iter().filter_map(|ready| Some((&rows[ready.at], ready.key.as_ref()?))).collect();
    let forms = forms::stored(store, table, &of)?;
    if !is_new {
        let id = |index: usize| table.columns[index].id;
        let places = of.iter().flat_map(|(row, _)| row.values.iter().map(|(index, _)| (row.uid, id(*index))));
        beside::forget(store, table.number, &places.collect::<Vec<_>>())?;
    }
    let kept: Vec<Beside> = of.iter().flat_map(|(row, _)| row.beside.iter().cloned()).chain(forms).collect();
    beside::put(store, table.number, &kept)?;
    for (ready, (row, key)) in written.iter().zip(&of) {
        if let Some(before) = row.key.as_ref().filter(|before| before != key) {
            store.cache.put_state(table.number, before, None);
        }
        if !ready.key_was_used {
            store.cache.states.insert((table.number, (*key).clone()), None);
        }
    }
    for (ready, (row, key)) in written.iter().zip(&of) {
        let stored = Stored { uid: row.uid, hash: row.hash, home: false, state: row.state.clone() };
        if row.key.as_ref() == Some(*key) {
            store.cache.put_state_of(table.number, key, stored);
        } else {
            store.cache.put_state(table.number, key, Some(stored));
        }
        outcomes[ready.at] = Some(Ok((*key).clone()));
    }
    if is_new { note_new(store, table, &of) } else { Ok(()) }
}

fn note_new(store: &mut PostgresStore, table: &TrackedTable, of: &[(&RowWrite, &Key)]) -> Result<(), StoreError> {
    let uids: Vec<Uid> = of.iter().map(|(row, _)| row.uid).collect();
    states::load_tombstones(store, table.number, &uids)?;
    for uid in uids {
        if matches!(store.cache.tombstones.get(&(table.number, uid)), Some(Some(_))) {
            store.cache.put_tombstone(table.number, uid, None);
        }
    }
    let defaulted = of.iter().filter(|(row, _)| has_unsent_default(table, row)).map(|(_, key)| (*key).clone());
    let defaulted: Vec<Key> = defaulted.collect();
    store.expect_rows(table, &defaulted)?;
    for key in &defaulted {
        hash_again(store, table, key)?;
    }
    store.cache.forget_rows();
    Ok(())
}

/// Whether the database gave a new row a value that its sender knows nothing of.
fn has_unsent_default(table: &TrackedTable, row: &RowWrite) -> bool {
    let is_written = |index: usize| row.values.iter().any(|(written, _)| *written == index);
    let mut columns = table.columns.iter().enumerate();
    columns.any(|(index, column)| column.default.is_some() && column.absent.is_none() && !is_written(index))
}

/// Deletes rows and their states and leaves tombstones.
pub(super) fn delete(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[(Key, Tombstone)],
) -> Result<Vec<Result<(), Refusal>>, StoreError> {
    store.cache.forget_rows();
    let mut outcomes: Vec<Result<(), Refusal>> = rows.iter().map(|_| Ok(())).collect();
    let all: Vec<usize> = (0..rows.len()).collect();
    for some in all.chunks(ROWS_AT_ONCE) {
        let refused = refusal::in_halves(
            store,
            some.to_vec(),
            &mut |store, some| {
                let own: Vec<&Key> = some.iter().map(|at| &rows[*at].0).collect();
                delete_all(store, table, &own)
            },
            &mut |store, some| {
                for at in some {
                    let (key, tombstone) = &rows[*at];
                    store.cache.put_state(table.number, key, None);
                    let buried = (tombstone.clone(), Some(crate::soft::key_bytes(key)));
                    store.cache.put_tombstone(table.number, tombstone.uid, Some(buried));
                }
                let uids: Vec<Uid> = some.iter().map(|at| rows[*at].1.uid).collect();
                beside::forget_all(store, table.number, &uids)
            },
        )?;
        for (at, refusal) in refused {
            outcomes[at] = Err(refusal);
        }
    }
    store.flush()?;
    store.cache.forget_read();
    Ok(outcomes)
}

fn delete_all(store: &mut PostgresStore, table: &TrackedTable, own: &[&Key]) -> Result<refusal::Attempt, StoreError> {
    let (arrays, names) = keys::unnest(table, 1);
    let sql = format!(
        "DELETE FROM {} t USING unnest({arrays}) AS u({names}) WHERE {}",
        table_name(&table.name),
        keys::rows_given(table, "t.", "u.")
    );
    let parts = keys::parts(table, own);
    let parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    let outcome = store.client.try_execute("deleting rows", &sql, &parameters)?;
    refusal::attempt("deleting rows", outcome, own.len())
}

/// Writes one column of one row; says whether the database took it.
pub(super) fn write_column(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: &TrackedColumn,
    key: &Key,
    value: &Value,
) -> Result<bool, StoreError> {
    let Some(index) = table.column_index(&column.name) else { return Ok(false) };
    let Ok(text) = text_of(column, &Kind::of(&column.declared_type), value) else { return Ok(false) };
    let values = BTreeMap::from([(index, text)]);
    let ready = Ready { at: 0, uid: Uid([0; 16]), key: Some(key.clone()), key_was_used: true, values };
    let refused =
        refusal::in_halves(store, vec![ready], &mut |store, some| update_all(store, table, some), &mut |_, _| Ok(()))?;
    store.cache.forget_rows();
    Ok(refused.is_empty())
}

/// The rows of a table that have these keys, as a set.
pub(super) fn standing(
    store: &mut PostgresStore,
    table: &TrackedTable,
    wanted: &[Key],
) -> Result<HashMap<Key, bool>, StoreError> {
    app_rows::load(store, table, wanted)?;
    let stands = |key: &Key| matches!(store.cache.rows.get(&(table.number, key.clone())), Some(Some(_)));
    Ok(wanted.iter().map(|key| (key.clone(), stands(key))).collect())
}
