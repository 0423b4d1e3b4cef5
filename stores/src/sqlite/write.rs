//! Writing rows: one prepared statement for each set of columns.

use rusqlite::{ErrorCode, ToSql, params_from_iter};
use saddlebag_formats::Value;

use super::sql::{key_equals, marks, quote};
use super::states;
use super::values::{Parameter, from_sql};
use super::{SqliteStore, beside, engine, forms, journal};
use crate::engine::Stored;
use crate::error::StoreError;
use crate::record::{Key, Refusal, RowWrite, Tombstone};
use crate::rehash::hash_again;
use crate::tracking::{KeyGiver, TrackedTable};

/// Writes rows and their states.
pub(super) fn write(
    store: &mut SqliteStore,
    table: &TrackedTable,
    rows: &[RowWrite],
) -> Result<Vec<Result<Key, Refusal>>, StoreError> {
    rows.iter().map(|row| write_one(store, table, row)).collect()
}

fn write_one(
    store: &mut SqliteStore,
    table: &TrackedTable,
    row: &RowWrite,
) -> Result<Result<Key, Refusal>, StoreError> {
    if let Some(reason) = store.undoing.get(&(table.number, row.uid)) {
        return Ok(Err(Refusal { reason: reason.clone() }));
    }
    let last = last_entry(store, table)?;
    let written = match &row.key {
        Some(key) => update(store, table, key, &row.values),
        None => {
            let before = states::key_of_deleted(store, table.number, row.uid)?;
            insert(store, table, &row.values, before)
        }
    };
    let written = store.note_undoing(table, row.uid, written)?;
    let key = match written {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(last) = last
        && row.key.as_ref() != Some(&key)
    {
        let op = if row.key.is_none() { 1 } else { 2 };
        journal::forget_own(&store.connection, table, last, op, &key)?;
    }
    if row.key.as_ref().is_some_and(|before| *before != key) {
        states::remove(store, table, row.key.as_ref().unwrap_or(&key))?;
    }
    keep_beside(store, table, row, &key)?;
    let stored = Stored { uid: row.uid, hash: row.hash, home: false, state: row.state.clone() };
    match row.key {
        Some(_) => states::save(store, table, &key, &stored)?,
        None => states::save_new(store, table, &key, &stored)?,
    }
    if row.key.is_none() {
        states::remove_tombstone(store, table.number, row.uid)?;
        if has_unsent_default(table, row) {
            hash_again(store, table, &key)?;
        }
    }
    Ok(Ok(key))
}

/// Whether the database gave a new row a value that its sender knows nothing of.
fn has_unsent_default(table: &TrackedTable, row: &RowWrite) -> bool {
    let is_written = |index: usize| row.values.iter().any(|(written, _)| *written == index);
    let mut columns = table.columns.iter().enumerate();
    columns.any(|(index, column)| column.default.is_some() && column.absent.is_none() && !is_written(index))
}

/// Keeps beside the record what could not stand in its columns as it came, and lets go of what stood there before.
fn keep_beside(store: &SqliteStore, table: &TrackedTable, row: &RowWrite, key: &Key) -> Result<(), StoreError> {
    let forms = forms::stored(store, table, row, key)?;
    if row.key.is_some() {
        let id = |index: usize| table.columns[index].id;
        let written = row.values.iter().map(|(index, _)| id(*index));
        beside::forget(&store.connection, table.number, row.uid, &written.collect::<Vec<_>>())?;
    }
    beside::put(&store.connection, table.number, &row.beside)?;
    beside::put(&store.connection, table.number, &forms)
}

/// The last entry of the journal, where our triggers take what we write for edits.
fn last_entry(store: &SqliteStore, table: &TrackedTable) -> Result<Option<i64>, StoreError> {
    store.tracking.has_triggers.then(|| journal::last(&store.connection, table)).transpose()
}

/// What a table's own `ON CONFLICT` may not do: replace other rows without a word. Where triggers run, `OR ABORT` would
/// hold for their statements too, so there it stands only for tables that have such a clause: rather is a row held
/// because of a trigger than another one lost.
fn or_abort(store: &SqliteStore, table: &TrackedTable) -> Result<&'static str, StoreError> {
    if !store.tracking.has_triggers {
        return Ok(" OR ABORT");
    }
    let failed = |error| engine("reading its schema", &error);
    let sql = "SELECT sql LIKE '%ON CONFLICT%' FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let has_clause = statement.query_row([&table.name], |row| row.get::<_, bool>(0)).map_err(failed)?;
    Ok(if has_clause { " OR ABORT" } else { "" })
}

fn insert(
    store: &SqliteStore,
    table: &TrackedTable,
    values: &[(usize, Value)],
    before: Option<Key>,
) -> Result<Result<Key, Refusal>, StoreError> {
    let mut given: Vec<&Value> = values.iter().map(|(_, value)| value).collect();
    // A record that comes back has the key that it had, if nobody has it now: what no constraint declares may still
    // refer to it.
    let before = before.filter(|_| matches!(table.key.as_slice(), [part] if part.given_by != KeyGiver::Record));
    let free = before.map(|key| Ok(if has_row(store, table, &key)? { None } else { key.0.into_iter().next() }));
    let next = match (table.key.as_slice(), free.transpose()?.flatten()) {
        (_, Some(free)) => Some(free),
        ([part], None) if part.given_by == KeyGiver::Next => {
            Some(next_key(store, &quote(&table.name), &quote(&part.name))?)
        }
        _ => None,
    };
    given.extend(&next);
    let or_abort = or_abort(store, table)?;
    let indexes = values.iter().map(|(index, _)| *index).collect();
    let what = if next.is_some() { "insert with key" } else { "insert" };
    let sql = store.texts.of_columns(table, what, indexes, || {
        let shared = values.iter().map(|(index, _)| quote(&table.columns[*index].name));
        let columns: Vec<String> = shared.chain(next.iter().map(|_| quote(&table.key[0].name))).collect();
        let name = quote(&table.name);
        if columns.is_empty() {
            return format!("INSERT INTO {name} DEFAULT VALUES");
        }
        format!("INSERT{or_abort} INTO {name} ({}) VALUES ({})", columns.join(", "), marks(columns.len()))
    });
    if let Err(refusal) = execute(store, &sql, &given)? {
        return Ok(Err(refusal));
    }
    let part = |part: &crate::tracking::KeyColumn| match part.given_by {
        KeyGiver::Database => Some(Value::Integer(store.connection.last_insert_rowid())),
        KeyGiver::Next => next.clone(),
        KeyGiver::Record => given_value(table, values, &part.name),
    };
    Ok(match table.key.iter().map(part).collect::<Option<Vec<_>>>() {
        Some(key) => Ok(Key(key)),
        None => Err(Refusal { reason: format!("the record comes without its key in `{}`", table.name) }),
    })
}

fn has_row(store: &SqliteStore, table: &TrackedTable, key: &Key) -> Result<bool, StoreError> {
    let failed = |error| engine("looking for a row", &error);
    let sql = store.texts.of(table, "has row", || {
        format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {})", quote(&table.name), key_equals(table, "", 1))
    });
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    statement.query_row(params_from_iter(key.0.iter().map(Parameter)), |row| row.get(0)).map_err(failed)
}

fn given_value(table: &TrackedTable, values: &[(usize, Value)], name: &str) -> Option<Value> {
    let value = values.iter().find(|(index, _)| table.columns[*index].name == name);
    value.map(|(_, value)| value.clone()).filter(|value| !value.is_null())
}

fn next_key(store: &SqliteStore, table: &str, column: &str) -> Result<Value, StoreError> {
    let sql = format!("SELECT COALESCE(max({column}), 0) + 1 FROM {table}");
    let failed = |error| engine("choosing a key", &error);
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([], |row| row.get_ref(0).map(from_sql)).map_err(failed)
}

fn update(
    store: &SqliteStore,
    table: &TrackedTable,
    key: &Key,
    values: &[(usize, Value)],
) -> Result<Result<Key, Refusal>, StoreError> {
    if values.is_empty() {
        return Ok(Ok(key.clone()));
    }
    let or_abort = or_abort(store, table)?;
    let indexes = values.iter().map(|(index, _)| *index).collect();
    let sql = store.texts.of_columns(table, "update", indexes, || {
        let set = |(at, (index, _)): (usize, &(usize, Value))| {
            format!("{} = ?{}", quote(&table.columns[*index].name), at + 1)
        };
        let sets: Vec<_> = values.iter().enumerate().map(set).collect();
        let condition = key_equals(table, "", values.len() + 1);
        format!("UPDATE{or_abort} {} SET {} WHERE {}", quote(&table.name), sets.join(", "), condition)
    });
    let given: Vec<&Value> = values.iter().map(|(_, value)| value).chain(&key.0).collect();
    if let Err(refusal) = execute(store, &sql, &given)? {
        return Ok(Err(refusal));
    }
    let part = |(at, part): (usize, &crate::tracking::KeyColumn)| match part.given_by {
        KeyGiver::Record => given_value(table, values, &part.name).unwrap_or_else(|| key.0[at].clone()),
        KeyGiver::Database | KeyGiver::Next => key.0[at].clone(),
    };
    Ok(Ok(Key(table.key.iter().enumerate().map(part).collect())))
}

/// Deletes rows and their states and leaves tombstones.
pub(super) fn delete(
    store: &mut SqliteStore,
    table: &TrackedTable,
    rows: &[(Key, Tombstone)],
) -> Result<Vec<Result<(), Refusal>>, StoreError> {
    let sql = format!("DELETE FROM {} WHERE {}", quote(&table.name), key_equals(table, "", 1));
    let mut outcomes = Vec::with_capacity(rows.len());
    for (key, tombstone) in rows {
        let last = last_entry(store, table)?;
        if let Some(reason) = store.undoing.get(&(table.number, tombstone.uid)) {
            outcomes.push(Err(Refusal { reason: reason.clone() }));
            continue;
        }
        let outcome = execute(store, &sql, &key.0.iter().collect::<Vec<_>>());
        let outcome = store.note_undoing(table, tombstone.uid, outcome)?;
        if outcome.is_ok() {
            if let Some(last) = last {
                journal::forget_own(&store.connection, table, last, 3, key)?;
            }
            states::remove(store, table, key)?;
            states::save_tombstone(store, tombstone, Some(key))?;
            beside::forget_all(&store.connection, table.number, tombstone.uid)?;
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Runs one statement. A refused one leaves nothing behind, and the transaction open: SQLite undoes it by itself, but
/// for what a trigger's `RAISE (FAIL)` leaves standing.
fn execute(store: &SqliteStore, sql: &str, values: &[&Value]) -> Result<Result<(), Refusal>, StoreError> {
    if !store.tracking.has_triggers {
        return run(store, sql, values);
    }
    store.execute("marking a savepoint", "SAVEPOINT saddlebag_row")?;
    let outcome = run(store, sql, values)?;
    if outcome.is_err() {
        store.execute("undoing a row", "ROLLBACK TO saddlebag_row")?;
    }
    store.execute("giving up a savepoint", "RELEASE saddlebag_row")?;
    Ok(outcome)
}

fn run(store: &SqliteStore, sql: &str, values: &[&Value]) -> Result<Result<(), Refusal>, StoreError> {
    let failed = |error| engine("writing a row", &error);
    let mut statement = store.connection.prepare_cached(sql).map_err(failed)?;
    let parameters: Vec<Parameter<'_>> = values.iter().map(|value| Parameter(value)).collect();
    let outcome = statement.execute(params_from_iter(parameters.iter().map(|p| p as &dyn ToSql)));
    match outcome {
        // A trigger's `RAISE (IGNORE)` leaves the row out without an error.
        Ok(0) => Ok(Err(Refusal { reason: "a trigger of the database left the row as it was".to_owned() })),
        Ok(_) => Ok(Ok(())),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
                if !store.connection.is_autocommit() =>
            {
                Ok(Err(Refusal { reason: error.to_string() }))
            }
            // A trigger's `RAISE (ROLLBACK)` leaves no transaction to go on with.
            Some(ErrorCode::ConstraintViolation) => {
                Err(StoreError::RolledBack { table: String::new(), reason: error.to_string() })
            }
            _ => Err(engine("writing a row", &error)),
        },
    }
}
