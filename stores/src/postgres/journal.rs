//! Reading what the triggers noted.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use postgres::Row;
use saddlebag_formats::TimeMs;

use super::client::{Client, Parameters};
use super::fields::field;
use super::install::{BITS, words_of};
use super::sql::{key_join, quote, states, table_name};
use super::triggers::{partitions, renew_functions};
use super::values::{AnyText, Kind, cast_type};
use crate::error::StoreError;
use crate::fold::{Entry, Event};
use crate::record::Key;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

mod moves;

use moves::{Noted, join};

const READING: &str = "reading the journal";

/// Milliseconds since 1970.
pub(super) const NOW: &str =
    "GREATEST(1, pg_catalog.floor(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint)";

/// The order in which entries were written: each takes the log's position, behind that of all that were written before.
/// No sequence does it, which would change what `lastval()` says to the application. Positions that the log has not come
/// to yet are those of another server, from which the database was moved here.
const ORDER: &str = "id > pg_catalog.pg_current_wal_insert_lsn() DESC, id";

/// What a trigger notes that could not do its work: look at the whole table.
pub(super) const WHOLE_TABLE: i16 = 9;
/// An update that may move a row to another partition.
const MOVE: i16 = 6;

/// How many entries wait.
pub(super) fn count(client: &mut Client) -> Result<u64, StoreError> {
    let action = "counting the journal";
    let sql = format!("SELECT count(*) FROM saddlebag.journal WHERE op NOT IN ({WHOLE_TABLE}, {MOVE})");
    let row = client.query_one(action, &sql, &[])?;
    super::fields::unsigned(action, &row, 0)
}

/// The key of a row, alias `t`, in its text form.
fn row_key(table: &TrackedTable) -> String {
    let part = |part: &crate::tracking::KeyColumn| {
        Kind::of(&part.declared_type).select_text(&format!("t.{}", quote(&part.name)))
    };
    format!("ARRAY[{}]::text[]", table.key.iter().map(part).collect::<Vec<_>>().join(", "))
}

/// The key of a row state, alias `s`, in its text form.
fn state_key(table: &TrackedTable) -> String {
    let part = |(at, part): (usize, &crate::tracking::KeyColumn)| {
        Kind::of(&part.declared_type).select_text(&format!("s.k{}", at + 1))
    };
    format!("ARRAY[{}]::text[]", table.key.iter().enumerate().map(part).collect::<Vec<_>>().join(", "))
}

/// Notes rows without a row state as found by setup, in the order of their keys, beyond a key: how many, and the last.
pub(super) fn existing(
    client: &mut Client,
    table: &TrackedTable,
    after: Option<&Key>,
    limit: u64,
) -> Result<(u64, Option<Key>), StoreError> {
    let action = "taking in existing rows";
    let keys: Vec<_> = table.key.iter().map(|part| format!("t.{}", quote(&part.name))).collect();
    let keys = keys.join(", ");
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut beyond = String::new();
    if let Some(after) = after {
        let text = |(part, value): (&crate::tracking::KeyColumn, &saddlebag_formats::Value)| {
            let text = Kind::of(&part.declared_type).to_text(value);
            text.map_err(|reason| StoreError::Engine { action: action.to_owned(), reason })
        };
        parts = table.key.iter().zip(&after.0).map(text).collect::<Result<_, _>>()?;
        let marks: Vec<_> = (table.key.iter().zip(2..))
            .map(|(part, at)| format!("(${at}::text)::{}", cast_type(&part.declared_type)))
            .collect();
        beyond = format!("AND ({keys}) > ({})", marks.join(", "));
    }
    let sql = format!(
        "WITH found AS MATERIALIZED (SELECT {key} AS key, row_number() OVER (ORDER BY {keys}) AS place FROM {name} t
             WHERE NOT EXISTS (SELECT 1 FROM {states} s WHERE {join}) {beyond} ORDER BY {keys} LIMIT $1),
         noted AS (INSERT INTO saddlebag.journal (table_number, op, at, key) SELECT {number}, 1, 0, key FROM found)
         SELECT count(*), (SELECT key FROM found ORDER BY place DESC LIMIT 1) FROM found",
        number = table.number,
        key = row_key(table),
        name = table_name(&table.name),
        states = states(table.number),
        join = key_join(table, "s.", "t."),
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut parameters: Vec<&(dyn postgres::types::ToSql + Sync)> = vec![&limit];
    parameters.extend(parts.iter().map(|part| part as &(dyn postgres::types::ToSql + Sync)));
    let parameters: Parameters<'_> = &parameters;
    let row = client.query_one(action, &sql, parameters)?;
    let last = field::<Option<Vec<Option<String>>>>(action, &row, 1)?.and_then(|parts| key(table, parts));
    Ok((super::fields::unsigned(action, &row, 0)?, last))
}

/// Notes every row of a table as perhaps changed, and every row state without a row as deleted: absorb tells by the
/// row hash what really happened while the triggers were away.
pub(super) fn recheck(client: &mut Client, table: &TrackedTable) -> Result<(), StoreError> {
    let (number, key, name) = (table.number, row_key(table), table_name(&table.name));
    let sql = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key, before)
         SELECT {number}, 2, {NOW}, {key}, {key} FROM {name} t; {}",
        lost(table)
    );
    client.batch("checking a table whose triggers were gone", &sql)
}

/// Notes rows without a row state as new, and row states without a row as deleted.
fn recheck_presence(client: &mut Client, table: &TrackedTable) -> Result<(), StoreError> {
    let (number, key, name) = (table.number, row_key(table), table_name(&table.name));
    let sql = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key) SELECT {number}, 1, {NOW}, {key} FROM {name} t
         WHERE NOT EXISTS (SELECT 1 FROM {} s WHERE {}); {}",
        states(number),
        key_join(table, "s.", "t."),
        lost(table)
    );
    client.batch("checking a table whose partitions have changed", &sql)
}

fn lost(table: &TrackedTable) -> String {
    format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key) SELECT {}, 4, {NOW}, {} FROM {} s
         WHERE NOT EXISTS (SELECT 1 FROM {} t WHERE {});",
        table.number,
        state_key(table),
        states(table.number),
        table_name(&table.name),
        key_join(table, "s.", "t.")
    )
}

/// Has the next absorb look at a whole table.
pub(super) fn look_again_at(client: &mut Client, number: u32) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO saddlebag.journal (table_number, op, at) VALUES ($1, {WHOLE_TABLE}, {NOW})");
    client.execute("writing the journal", &sql, &[&number.cast_signed()]).map(drop)
}

/// Looks at the tables of which the triggers could not say what happened, and at those whose partitions have changed.
/// Each absorb begins with it. What this transaction noted itself is left for the next one, whose snapshot is later.
pub(super) fn look_again(client: &mut Client, tracking: &Tracking) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM saddlebag.journal j WHERE op = {WHOLE_TABLE} \
         AND j.xmin <> pg_catalog.pg_current_xact_id()::pg_catalog.xid RETURNING table_number"
    );
    let mut whole: BTreeSet<u32> = BTreeSet::new();
    for row in client.query(READING, &sql, &[])? {
        whole.insert(field::<i32>(READING, &row, 0)?.cast_unsigned());
    }
    // Sessions that have compiled a function for a table as it was do so again.
    if !whole.is_empty() {
        renew_functions(client, tracking, &whole)?;
    }
    let changed = partitions::changed(client, tracking)?;
    for table in &tracking.tables {
        if whole.contains(&table.number) {
            recheck(client, table)?;
        } else if changed.contains(&table.number) {
            recheck_presence(client, table)?;
        }
    }
    Ok(())
}

/// Notes rows in which one of these columns says something, with time 0.
pub(super) fn note_first_sight(
    client: &mut Client,
    table: &TrackedTable,
    new: &[&TrackedColumn],
) -> Result<(), StoreError> {
    let mut masks: BTreeMap<u16, i64> = (0..words_of(table)).map(|word| (word, 0)).collect();
    for column in new {
        *masks.entry(column.id / BITS).or_default() |= 1 << (column.id % BITS);
    }
    let words: Vec<_> = masks.values().map(i64::to_string).collect();
    // What stood beside the record has a version already: it was put in place above.
    let says: Vec<_> = new.iter().map(|column| format!("t.{} IS NOT NULL", quote(&column.name))).collect();
    let (number, key) = (table.number, row_key(table));
    let sql = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key, before, changed)
         SELECT {number}, 2, 0, {key}, {key}, '{{{}}}'::bigint[] FROM {} s JOIN {} t ON {} WHERE {}",
        words.join(","),
        states(number),
        table_name(&table.name),
        key_join(table, "s.", "t."),
        says.join(" OR "),
    );
    client.execute("taking in new columns", &sql, &[]).map(drop)
}

/// Reads and deletes the first entries of each of these tables, in the order in which they were written. Tables without
/// any are left out.
pub(super) fn take_tables(
    client: &mut Client,
    tables: &[TrackedTable],
    limit: u64,
) -> Result<BTreeMap<u32, Vec<Entry>>, StoreError> {
    let numbers: Vec<i32> = tables.iter().map(|table| table.number.cast_signed()).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let chosen = match fits(client, &numbers, limit)? {
        None => return Ok(BTreeMap::new()),
        Some(true) => "AND $2::bigint IS NOT NULL".to_owned(),
        // What belongs together must not be parted: rows that move take all entries of their table along.
        Some(false) => format!(
            "AND j.ctid = ANY (ARRAY(SELECT f.ctid FROM (
                 SELECT i.ctid, row_number() OVER (PARTITION BY table_number ORDER BY {ORDER}) AS place,
                     bool_or(op = {MOVE}) OVER (PARTITION BY table_number) AS moves
                 FROM saddlebag.journal i WHERE table_number = ANY ($1) AND op <> {WHOLE_TABLE}) f
             WHERE f.place <= $2 OR f.moves))"
        ),
    };
    let sql = format!(
        "WITH taken AS (DELETE FROM saddlebag.journal j WHERE table_number = ANY ($1) AND op <> {WHOLE_TABLE} {chosen}
             RETURNING id, table_number, op, at, key, before, changed, old)
         SELECT table_number, op, at, key, before, changed, old FROM taken ORDER BY {ORDER}"
    );
    let by_number: BTreeMap<i32, &TrackedTable> =
        tables.iter().map(|table| (table.number.cast_signed(), table)).collect();
    let mut noted: BTreeMap<u32, Vec<Noted>> = BTreeMap::new();
    client.query_each(READING, &sql, &[&numbers, &limit], &mut |row| {
        if let Some(table) = by_number.get(&field(READING, row, 0)?)
            && let Some(entry) = entry(table, row)?
        {
            noted.entry(table.number).or_default().push(entry);
        }
        Ok(())
    })?;
    Ok(noted.into_iter().map(|(number, noted)| (number, join(noted))).collect())
}

/// Whether these tables have no more entries than `limit` each; none if there are none at all.
fn fits(client: &mut Client, numbers: &[i32], limit: i64) -> Result<Option<bool>, StoreError> {
    let sql = format!(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM saddlebag.journal WHERE table_number = ANY ($1) \
         AND op <> {WHOLE_TABLE} GROUP BY table_number) c"
    );
    let row = client.query_one(READING, &sql, &[&numbers])?;
    Ok(field::<Option<i64>>(READING, &row, 0)?.map(|most| most <= limit))
}

/// All keys that entries name.
pub(super) fn keys_of(entries: &[Entry]) -> Vec<Key> {
    let mut named = HashSet::new();
    for entry in entries {
        match &entry.event {
            Event::Insert { key } | Event::Delete { key, .. } | Event::Covered { key, .. } => {
                named.insert(key.clone());
            }
            Event::Update { before, after, .. } => {
                named.insert(before.clone());
                named.insert(after.clone());
            }
        }
    }
    named.into_iter().collect()
}

/// A key from the text forms of its parts. None where one is null, as it may be where the application has taken the key
/// away: such a row cannot be named.
fn key(table: &TrackedTable, parts: Vec<Option<String>>) -> Option<Key> {
    let part = |(part, text): (&crate::tracking::KeyColumn, Option<String>)| {
        Some(Kind::of(&part.declared_type).from_text(text?))
    };
    (parts.len() == table.key.len()).then(|| table.key.iter().zip(parts).map(part).collect::<Option<_>>().map(Key))?
}

fn entry(table: &TrackedTable, row: &Row) -> Result<Option<Noted>, StoreError> {
    let key_at = |at: usize| -> Result<Option<Key>, StoreError> {
        Ok(field::<Option<Vec<Option<String>>>>(READING, row, at)?.and_then(|parts| key(table, parts)))
    };
    let (op, at): (i16, i64) = (field(READING, row, 1)?, field(READING, row, 2)?);
    let Some(after) = key_at(3)? else { return Ok(None) };
    let entry = |event: Event| Noted::Entry(Entry { at: TimeMs(at), event });
    Ok(Some(match op {
        1 => entry(Event::Insert { key: after }),
        2 | MOVE => {
            let Some(before) = key_at(4)? else { return Ok(None) };
            let changed = changed(table, &field::<Option<Vec<i64>>>(READING, row, 5)?.unwrap_or_default());
            if op == MOVE {
                Noted::Moving { before, after, changed }
            } else {
                entry(Event::Update { before, after, changed })
            }
        }
        // It went unseen: nobody noted its last values, and null is not what they were.
        4 => entry(Event::Delete { key: after, old: Vec::new() }),
        _ => {
            let old = field::<Option<Vec<Option<AnyText>>>>(READING, row, 6)?.unwrap_or_default();
            entry(Event::Delete { key: after, old: old_values(table, &old) })
        }
    }))
}

fn changed(table: &TrackedTable, words: &[i64]) -> Vec<u16> {
    let is_changed = |id: &u16| {
        let word = words.get(usize::from(id / BITS)).copied().unwrap_or(0);
        word >> (id % BITS) & 1 == 1
    };
    let mut changed: Vec<u16> = table.present().map(|column| column.id).filter(is_changed).collect();
    changed.sort_unstable();
    changed
}

fn old_values(table: &TrackedTable, old: &[Option<AnyText>]) -> Vec<(u16, saddlebag_formats::Value)> {
    let value = |column: &TrackedColumn| {
        let text = old.get(usize::from(column.id)).cloned().flatten();
        let value = text
            .map_or(saddlebag_formats::Value::Null, |AnyText(bytes)| Kind::of(&column.declared_type).from_bytes(bytes));
        (column.id, value)
    };
    table.present().map(value).collect()
}
