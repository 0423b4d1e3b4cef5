//! Reading the application's rows together with their row states, in sets.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use postgres::Row;
use saddlebag_formats::{Uid, Value};
use uuid::Uuid;

use super::cache::CachedRow;
use super::client::Given;
use super::fields::{field, uid};
use super::sql::{key_join, quote, states, table_name};
use super::values::Kind;
use super::{PostgresStore, keys, states as row_states};
use crate::beside::{lacking, overlay};
use crate::error::StoreError;
use crate::record::{Key, Known, Record};
use crate::soft;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

const READING: &str = "reading records";

/// The shared columns of a row, alias `t`, as they are selected: references are followed by the uid of their target. With
/// the joins they need. A row state that stays at home is no target: nobody else knows its uid.
fn row_columns(tracking: &Tracking, table: &TrackedTable) -> (String, String) {
    let (mut columns, mut joins) = (String::new(), String::new());
    for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| column.absent.is_none()) {
        let name = format!("t.{}", quote(&column.name));
        let kind = Kind::of(&column.declared_type);
        let _ = write!(columns, ", {}", kind.select(&name));
        if let Some(target) = column.reference.and_then(|number| tracking.by_number(number)) {
            let _ = write!(columns, ", r{index}.uid");
            let on = refers(&kind, &name, target, &format!("r{index}."));
            let states = states(target.number);
            let _ = write!(joins, " LEFT JOIN {states} r{index} ON {on} AND NOT r{index}.home");
        }
    }
    (columns, joins)
}

/// Whether a column refers to the row of a row state. One that no constraint declares may be of another type than the key:
/// an id in text.
pub(super) fn refers(kind: &Kind, name: &str, target: &TrackedTable, states: &str) -> String {
    let of_key = target.key.first().map(|part| Kind::of(&part.declared_type));
    match of_key {
        Some(of_key) if of_key.is_integer() && !kind.is_integer() => {
            format!("{states}k1 = CASE WHEN {name}::text ~ '^-?[0-9]{{1,18}}$' THEN {name}::text::bigint END")
        }
        Some(of_key) if of_key.is_text() && !kind.is_text() => format!("{states}k1 = {name}::text"),
        _ => format!("{states}k1 = {name}"),
    }
}

/// How the columns of a table and its key are read: found out once for many rows.
struct Kinds {
    key: Vec<Kind>,
    columns: Vec<Kind>,
}

impl Kinds {
    fn of(table: &TrackedTable) -> Self {
        let columns = table.columns.iter().map(|column| Kind::of(&column.declared_type)).collect();
        Self { key: keys::kinds(table), columns }
    }
}

/// Reads the columns that [`row_columns`] selects, from a position on.
fn cached_row(table: &TrackedTable, kinds: &Kinds, row: &Row, start: usize) -> Result<CachedRow, StoreError> {
    let mut at = start;
    let many = table.columns.len();
    let (mut locals, mut values) = (Vec::with_capacity(many), Vec::with_capacity(many));
    for (column, kind) in table.columns.iter().zip(&kinds.columns) {
        if column.absent.is_some() {
            values.push(Value::Null);
            continue;
        }
        let local = kind.read(row, at)?;
        at += 1;
        locals.push(local.clone());
        if column.reference.is_none() {
            values.push(local);
            continue;
        }
        values.push(match field::<Option<Uuid>>(READING, row, at)? {
            Some(uid) => Value::Reference(Uid(uid.into_bytes())),
            None => soft::dangling(&local),
        });
        at += 1;
    }
    Ok(CachedRow { locals, values })
}

/// Reads these rows anew, and what their references need to be made whole.
pub(super) fn load(store: &mut PostgresStore, table: &TrackedTable, wanted: &[Key]) -> Result<(), StoreError> {
    if wanted.is_empty() {
        return Ok(());
    }
    store.flush()?;
    let (columns, joins) = row_columns(&store.tracking, table);
    let (arrays, names) = keys::unnest(table, 1);
    let sql = format!(
        "SELECT {key}{columns} FROM unnest({arrays}) AS u({names}) JOIN {name} t ON {on}{joins}",
        key = keys::select_row_key(table, "t."),
        name = table_name(&table.name),
        on = keys::rows_given(table, "t.", "u."),
    );
    let wanted: Vec<&Key> = wanted.iter().collect();
    let parts = keys::parts(table, &wanted);
    let parameters: Given<'_> = parts.iter().map(keys::Parts::parameter).collect();
    let found = store.client.query(READING, &sql, &parameters)?;
    for key in wanted {
        store.cache.rows.insert((table.number, key.clone()), None);
    }
    let (kinds, mut rows) = (Kinds::of(table), Vec::with_capacity(found.len()));
    for row in &found {
        let cached = cached_row(table, &kinds, row, table.key.len())?;
        rows.push((keys::read_as(&kinds.key, row, 0)?, cached));
    }
    expect_references(store, table, rows.iter().map(|(_, row)| row.values.as_slice()))?;
    for (key, row) in rows {
        store.cache.rows.insert((table.number, key), Some(row));
    }
    Ok(())
}

/// Looks up together what single values of rows refer to: by text that names its table, or by the key of a record that is
/// deleted.
fn expect_references<'a>(
    store: &mut PostgresStore,
    table: &TrackedTable,
    rows: impl Iterator<Item = &'a [Value]>,
) -> Result<(), StoreError> {
    let soft = |column: &TrackedColumn| column.refers() && column.absent.is_none();
    if !table.columns.iter().any(soft) {
        return Ok(());
    }
    let tracking = std::rc::Rc::clone(&store.tracking);
    let (mut named, mut dangling) = (BTreeMap::<u32, Vec<Key>>::new(), BTreeMap::<u32, Vec<Key>>::new());
    for values in rows {
        for (column, value) in table.columns.iter().zip(values).filter(|(column, _)| soft(column)) {
            match (value, column.reference) {
                (Value::Text(text), _) if column.names_its_table => {
                    if let Some((_, target, key)) = soft::parse(&tracking, text) {
                        named.entry(target.number).or_default().push(key);
                    }
                }
                (Value::Dangling(key), Some(target)) => {
                    let number = key.parse::<i64>().map(Value::Integer);
                    let parts = number.into_iter().chain([Value::Text(key.clone())]);
                    dangling.entry(target).or_default().extend(parts.map(|part| Key(vec![part])));
                }
                _ => {}
            }
        }
    }
    for (number, keys) in named {
        if let Some(target) = tracking.by_number(number) {
            row_states::load_by_key(store, target, &keys)?;
            row_states::load_deleted_at(store, number, &keys)?;
        }
    }
    for (number, keys) in dangling {
        row_states::load_deleted_at(store, number, &keys)?;
    }
    Ok(())
}

/// Reads the records that a condition selects; alias `s` is the row state, `t` the row.
pub(super) fn read(
    store: &mut PostgresStore,
    table: &TrackedTable,
    condition: &str,
    parameters: super::client::Parameters<'_>,
) -> Result<Vec<Record>, StoreError> {
    store.flush()?;
    let (columns, joins) = row_columns(&store.tracking, table);
    let sql = format!(
        "SELECT {keys}, s.uid, s.hash, s.state{columns} FROM {states} s JOIN {name} t ON {join}{joins} \
         WHERE NOT s.home AND {condition}",
        keys = keys::select_state_key(table, "s."),
        states = states(table.number),
        name = table_name(&table.name),
        join = key_join(table, "s.", "t."),
    );
    let rows = store.client.query(READING, &sql, parameters)?;
    let (parts, kinds) = (table.key.len(), Kinds::of(table));
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let (uid, hash): (Uid, i64) = (uid(READING, row, parts)?, field(READING, row, parts + 1)?);
        let state: Vec<u8> = field(READING, row, parts + 2)?;
        let cached = cached_row(table, &kinds, row, parts + 3)?;
        let record = Record {
            uid,
            key: keys::read_as(&kinds.key, row, 0)?,
            state: row_states::decode(store, &state)?,
            hash: hash.cast_unsigned(),
            values: cached.values,
            unknown: Vec::new(),
        };
        found.push((record, cached.locals));
    }
    complete(store, table, found)
}

/// Makes the values of records whole.
fn complete(
    store: &mut PostgresStore,
    table: &TrackedTable,
    found: Vec<(Record, Vec<Value>)>,
) -> Result<Vec<Record>, StoreError> {
    expect_references(store, table, found.iter().map(|(record, _)| record.values.as_slice()))?;
    let has_beside = super::beside::any(store, table.number)?;
    if has_beside {
        let uids: Vec<Uid> = found.iter().map(|(record, _)| record.uid).collect();
        super::beside::load(store, table.number, &uids)?;
    }
    let mut records = Vec::with_capacity(found.len());
    for (mut record, locals) in found {
        soft::complete(store, table, &mut record.values)?;
        record.unknown = if has_beside {
            let row = CachedRow { locals, values: Vec::new() };
            let at = (table.number, record.key.clone());
            // What stands in the row is asked for where something stands beside it.
            store.cache.rows.insert(at.clone(), Some(row));
            let unknown = overlay(store, table, record.uid, &record.key, &mut record.values)?;
            store.cache.rows.remove(&at);
            unknown
        } else {
            lacking(table)
        };
        records.push(record);
    }
    Ok(records)
}

/// What stands under each uid.
pub(super) fn records(
    store: &mut PostgresStore,
    table: &TrackedTable,
    uids: &[Uid],
) -> Result<HashMap<Uid, Known>, StoreError> {
    if uids.is_empty() {
        return Ok(HashMap::new());
    }
    let live = read(store, table, "s.uid = ANY($1)", &[&row_states::uuids(uids)])?;
    let mut found: HashMap<Uid, Known> = live.into_iter().map(|record| (record.uid, Known::Live(record))).collect();
    let missing: Vec<Uid> = uids.iter().filter(|uid| !found.contains_key(uid)).copied().collect();
    row_states::load_tombstones(store, table.number, &missing)?;
    for uid in missing {
        if let Some(Some((tombstone, _))) = store.cache.tombstones.get(&(table.number, uid)) {
            found.insert(uid, Known::Deleted(tombstone.clone()));
        }
    }
    store.cache.forget_read();
    Ok(found)
}

/// Live, shared records of a table after a uid.
pub(super) fn page(
    store: &mut PostgresStore,
    table: &TrackedTable,
    after: Option<Uid>,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let records = match after {
        None => read(store, table, "true ORDER BY s.uid LIMIT $1", &[&limit])?,
        Some(after) => {
            let after = Uuid::from_bytes(after.0);
            read(store, table, "s.uid > $2 ORDER BY s.uid LIMIT $1", &[&limit, &after])?
        }
    };
    store.cache.forget_read();
    Ok(records)
}
