//! New rows: their keys first, then all of them by one `COPY`.

use std::collections::HashMap;

use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{Uid, Value};

use super::fields::field;
use super::refusal::{self, Attempt};
use super::sql::{literal, quote, table_name};
use super::values::copy_text;
use super::write::{Ready, standing};
use super::{PostgresStore, keys, states};
use crate::error::StoreError;
use crate::record::{Key, Refusal};
use crate::tracking::{KeyGiver, TrackedTable};

const ACTION: &str = "writing new rows";

/// Writes rows that are all new and have the same columns; `done` is told of those that stand, with their keys. Gives
/// the refused ones.
pub(super) fn insert(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: Vec<Ready>,
    done: refusal::Done<'_, Ready>,
) -> Result<Vec<(usize, Refusal)>, StoreError> {
    let mut refused = Vec::new();
    let rows = give_keys(store, table, rows, &mut refused)?;
    let Some(columns) = rows.first().map(|row| row.values.keys().copied().collect::<Vec<usize>>()) else {
        return Ok(refused);
    };
    let is_given = |part: &crate::tracking::KeyColumn| part.given_by != KeyGiver::Record;
    let own = table.key.iter().filter(|part| is_given(part)).map(|part| quote(&part.name));
    let shared = columns.iter().map(|index| quote(&table.columns[*index].name));
    let names: Vec<String> = own.chain(shared).collect();
    let copy = format!("COPY {} ({}) FROM STDIN", table_name(&table.name), names.join(", "));
    let all = |store: &mut PostgresStore, some: &[Ready]| -> Result<Attempt, StoreError> {
        let mut bytes = Vec::with_capacity(some.len() * names.len() * 8);
        for row in some {
            let mut first = true;
            let mut put = |value: Option<&str>| {
                if !std::mem::take(&mut first) {
                    bytes.push(b'\t');
                }
                copy_text(&mut bytes, value);
            };
            for (at, _) in table.key.iter().enumerate().filter(|(_, part)| is_given(part)) {
                let part = row.key.as_ref().and_then(|key| key.0.get(at));
                put(part.and_then(key_text).as_deref());
            }
            row.values.values().for_each(|value| put(value.as_deref()));
            bytes.push(b'\n');
        }
        refusal::attempt(ACTION, store.client.copy_in(&copy, &bytes), some.len())
    };
    let left = refusal::in_halves(store, rows, &mut |store, some| all(store, some), done)?;
    refused.extend(left.into_iter().map(|(row, refusal)| (row.at, refusal)));
    Ok(refused)
}

fn key_text(part: &Value) -> Option<String> {
    match part {
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Gives every row its key: the one that its record brings, that it had before, or the database's next.
fn give_keys(
    store: &mut PostgresStore,
    table: &TrackedTable,
    mut rows: Vec<Ready>,
    refused: &mut Vec<(usize, Refusal)>,
) -> Result<Vec<Ready>, StoreError> {
    if let [part] = table.key.as_slice()
        && part.given_by != KeyGiver::Record
    {
        let former = former_keys(store, table, &rows)?;
        for row in &mut rows {
            row.key = former.get(&row.uid).cloned();
        }
        let missing = rows.iter().filter(|row| row.key.is_none()).count();
        let mut fresh = match part.given_by {
            KeyGiver::Database => from_sequence(store, table, &part.name, missing)?,
            _ => after_the_last(store, table, &part.name, missing)?,
        }
        .into_iter();
        let kind = super::values::Kind::of(&part.declared_type);
        let fits = |number: &Value| kind.to_text(number).is_ok();
        for row in rows.iter_mut().filter(|row| row.key.is_none()) {
            let number = fresh.next().map(Value::Integer).filter(fits);
            row.key = number.map(|number| Key(vec![number]));
            row.key_was_used = false;
        }
        let (with_keys, without): (Vec<Ready>, Vec<Ready>) = rows.into_iter().partition(|row| row.key.is_some());
        if !without.is_empty() {
            let reason = no_key_left(store, table, &part.name);
            refused.extend(without.iter().map(|row| (row.at, Refusal { reason: reason.clone() })));
        }
        return Ok(with_keys);
    }
    let kinds = keys::kinds(table);
    let mut with_keys = Vec::with_capacity(rows.len());
    for mut row in rows {
        let part = |(part, kind): (&crate::tracking::KeyColumn, &super::values::Kind)| {
            let text = row.values.get(&table.column_index(&part.name)?)?.clone()?;
            Some(kind.from_text(text))
        };
        match table.key.iter().zip(&kinds).map(part).collect::<Option<Vec<_>>>() {
            Some(key) => {
                row.key = Some(Key(key));
                with_keys.push(row);
            }
            None => {
                let reason = format!("the record comes without its key in `{}`", table.name);
                refused.push((row.at, Refusal { reason }));
            }
        }
    }
    Ok(with_keys)
}

/// A record that comes back has the key that it had, if nobody has it now: what no constraint declares may still refer to
/// it.
fn former_keys(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: &[Ready],
) -> Result<HashMap<Uid, Key>, StoreError> {
    let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
    states::load_tombstones(store, table.number, &uids)?;
    let mut former = HashMap::new();
    for uid in uids {
        let buried = store.cache.tombstones.get(&(table.number, uid)).and_then(Option::as_ref);
        let parts = buried.and_then(|(_, key)| decode_values(key.as_deref()?).ok());
        if let Some(parts) = parts.filter(|parts| parts.len() == table.key.len()) {
            former.insert(uid, Key(parts.into_iter().map(|(_, part)| part).collect()));
        }
    }
    if former.is_empty() {
        return Ok(former);
    }
    let wanted: Vec<Key> = former.values().cloned().collect();
    let taken = standing(store, table, &wanted)?;
    let mut used = std::collections::HashSet::new();
    former.retain(|_, key| taken.get(key) == Some(&false) && used.insert(key.clone()));
    Ok(former)
}

/// What gives a table's next key.
#[derive(Debug, Clone)]
pub(super) struct NextKey {
    /// As SQL.
    next: String,
    /// The sequence in it, if there is one, as SQL.
    sequence: Option<String>,
}

fn no_key_left(store: &PostgresStore, table: &TrackedTable, column: &str) -> String {
    match store.next_keys.get(&table.number).and_then(|next| next.sequence.as_ref()) {
        Some(sequence) => {
            format!("no key is left for it: the sequence `{sequence}` of `{}` has given its last one", table.name)
        }
        None => format!("no key is left for it: the next one is too large for `{column}` of `{}`", table.name),
    }
}

/// The next numbers of what gives a table's key, which the application goes on from; as many as are left.
fn from_sequence(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: &str,
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let NextKey { next, sequence } = next_of(store, table, column)?;
    let left = sequence.map(|sequence| {
        format!(
            "(SELECT CASE WHEN p.seqcycle THEN $1::bigint::numeric ELSE div(
                 (CASE WHEN p.seqincrement > 0 THEN p.seqmax ELSE p.seqmin END)::numeric - s.last_value
                     + CASE WHEN s.is_called THEN 0 ELSE p.seqincrement END, p.seqincrement) END
             FROM pg_sequence p, {sequence} s WHERE p.seqrelid = {}::regclass)",
            literal(&sequence)
        )
    });
    let many = left.unwrap_or_else(|| "$1::bigint::numeric".to_owned());
    let sql = format!("SELECT ({next})::bigint FROM generate_series(1, LEAST($1::bigint::numeric, {many})::bigint)");
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = store.client.query("taking keys for new rows", &sql, &[&count])?;
    rows.iter().map(|row| field("taking keys for new rows", row, 0)).collect()
}

/// What gives the next key; known for as long as the store works on the same tables. A sequence that lags behind the keys
/// in use, as after a load, is brought up to them first: the application would fail on it as well.
fn next_of(store: &mut PostgresStore, table: &TrackedTable, column: &str) -> Result<NextKey, StoreError> {
    if let Some(next) = store.next_keys.get(&table.number) {
        return Ok(next.clone());
    }
    let action = "looking for what gives a table's keys";
    let name = table_name(&table.name);
    // One that belongs to the column, or one that its default takes from.
    let sql = "SELECT COALESCE(pg_get_serial_sequence($1, $2), (
                   SELECT format('%I.%I', n.nspname, s.relname) FROM pg_depend e
                   JOIN pg_class s ON s.oid = e.refobjid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
                   WHERE e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid
                       AND e.refclassid = 'pg_class'::regclass LIMIT 1)),
                   pg_get_expr(d.adbin, d.adrelid)
               FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
               WHERE a.attrelid = $1::text::regclass AND a.attname = $2";
    let row = store.client.query_one(action, sql, &[&name, &column])?;
    let (sequence, default): (Option<String>, Option<String>) = (field(action, &row, 0)?, field(action, &row, 1)?);
    let next = match (&sequence, default) {
        (_, Some(default)) => default,
        (Some(sequence), None) => format!("nextval({}::regclass)", literal(sequence)),
        (None, None) => {
            let reason = format!("`{}` of `{}` has no sequence and no default any more", column, table.name);
            return Err(StoreError::Engine { action: action.to_owned(), reason });
        }
    };
    if let Some(sequence) = &sequence {
        catch_up(store, &name, column, sequence)?;
    }
    let next = NextKey { next, sequence };
    store.next_keys.insert(table.number, next.clone());
    Ok(next)
}

fn catch_up(store: &mut PostgresStore, name: &str, column: &str, sequence: &str) -> Result<(), StoreError> {
    let action = "bringing a sequence up to the keys in use";
    let column = quote(column);
    let sql = format!("SELECT max({column})::bigint, (SELECT last_value FROM {sequence})::bigint FROM {name}");
    let row = store.client.query_one(action, &sql, &[])?;
    let (last, given): (Option<i64>, i64) = (field(action, &row, 0)?, field(action, &row, 1)?);
    if let Some(last) = last.filter(|last| *last > given) {
        let sql = "SELECT setval($1::text::regclass, $2)";
        store.client.query_one(action, sql, &[&sequence, &last])?;
    }
    Ok(())
}

/// Numbers after the greatest key, for a key that nothing gives.
fn after_the_last(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: &str,
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let action = "choosing keys for new rows";
    let sql = format!("SELECT COALESCE(max({}), 0)::bigint FROM {}", quote(column), table_name(&table.name));
    let last: i64 = field(action, &store.client.query_one(action, &sql, &[])?, 0)?;
    Ok((last + 1..).take(count).collect())
}
