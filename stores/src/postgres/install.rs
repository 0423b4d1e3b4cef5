//! Saddlebag's own tables: made, brought in line and taken away again.

use std::collections::BTreeMap;

use super::client::Client;
use super::fields::field;
use super::keys::state_type;
use super::ledger;
use super::sql::{key_columns, states};
use super::tables::TABLES;
use super::triggers::{drop_all, drop_triggers, partitions};
use crate::error::StoreError;
use crate::tracking::{Numbering, TrackedTable};

/// Columns whose change one word of a journal row notes: 62, so that it stays a positive integer.
pub(super) const BITS: u16 = 62;

const MAKING: &str = "setting up saddlebag's tables";
const READING: &str = "reading saddlebag's tables";

/// Rows of the journal live for one absorb: what is dead is swept up often, so that reading it all stays cheap. Only
/// whoever may read them reads saddlebag's tables: they hold last values of deleted records.
const JOURNAL: &str = "ALTER TABLE saddlebag.journal SET (autovacuum_vacuum_scale_factor = 0, \
     autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 1000000); \
     REVOKE ALL ON SCHEMA saddlebag FROM PUBLIC;";

/// Makes the tables that there are once.
pub(super) fn make_own_tables(client: &mut Client) -> Result<(), StoreError> {
    client.batch(MAKING, &format!("CREATE SCHEMA IF NOT EXISTS saddlebag; {TABLES} {JOURNAL}"))
}

/// Makes the row states of a table.
pub(super) fn make_states(client: &mut Client, table: &TrackedTable) -> Result<(), StoreError> {
    let (name, number) = (states(table.number), table.number);
    let part = |(at, part): (usize, &crate::tracking::KeyColumn)| {
        format!("k{} {} NOT NULL", at + 1, state_type(&part.declared_type))
    };
    let columns: Vec<_> = table.key.iter().enumerate().map(part).collect();
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {name} ({}, uid uuid NOT NULL, seq bigint NOT NULL, first_seq bigint NOT NULL, \
             hash bigint NOT NULL, home boolean NOT NULL DEFAULT false, state bytea NOT NULL, PRIMARY KEY ({}));
         CREATE UNIQUE INDEX IF NOT EXISTS row_{number}_uid ON {name} (uid);
         CREATE INDEX IF NOT EXISTS row_{number}_home ON {name} (home) WHERE home;
         CREATE INDEX IF NOT EXISTS row_{number}_seq ON {name} (seq, first_seq, home);",
        columns.join(", "),
        key_columns(table, "k")
    );
    client.batch(MAKING, &sql)
}

/// Remembers the numbers of a table and its columns.
pub(super) fn remember_names(client: &mut Client, table: &TrackedTable) -> Result<(), StoreError> {
    let action = "writing saddlebag's tables";
    let number = table.number.cast_signed();
    let sql = "INSERT INTO saddlebag.table_name (number, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    client.execute(action, sql, &[&number, &table.name])?;
    let (ids, names): (Vec<i32>, Vec<&str>) =
        table.columns.iter().map(|column| (i32::from(column.id), column.name.as_str())).unzip();
    let sql = "INSERT INTO saddlebag.column_name (table_number, id, name) \
               SELECT $1, u.id, u.name FROM unnest($2::integer[], $3::text[]) u (id, name) ON CONFLICT DO NOTHING";
    client.execute(action, sql, &[&number, &ids, &names]).map(drop)
}

/// Gives a lasting id to a column that this schema lacks. The application may have had it once: then it keeps its id.
pub(super) fn learn_column(
    client: &mut Client,
    number: u32,
    name: &str,
    references: Option<&str>,
) -> Result<u16, StoreError> {
    let action = "taking in new columns";
    let sql = "INSERT INTO saddlebag.column_name (table_number, id, name, absent, refers) VALUES ($1, \
               (SELECT COALESCE(max(id) + 1, 0) FROM saddlebag.column_name WHERE table_number = $1), $2, true, $3) \
               ON CONFLICT (table_number, name) DO UPDATE SET absent = true, refers = excluded.refers RETURNING id";
    let row = client.query_one(action, sql, &[&number.cast_signed(), &name, &references])?;
    column_id(field(action, &row, 0)?)
}

/// Notes that a column which bundles brought is in the schema now.
pub(super) fn note_present(client: &mut Client, number: u32, column: u16) -> Result<(), StoreError> {
    let sql = "UPDATE saddlebag.column_name SET absent = false, refers = NULL WHERE table_number = $1 AND id = $2";
    client.execute("taking in new columns", sql, &[&number.cast_signed(), &i32::from(column)]).map(drop)
}

fn column_id(id: i32) -> Result<u16, StoreError> {
    u16::try_from(id).map_err(|error| StoreError::Damaged {
        what: "a column".to_owned(),
        reason: format!("its id is {id}: {error}"),
    })
}

/// The lasting numbers, if setup has been run.
pub(super) fn installed(client: &mut Client) -> Result<Option<Numbering>, StoreError> {
    let there = client.query_one(READING, "SELECT pg_catalog.to_regclass('saddlebag.setting') IS NOT NULL", &[])?;
    if !field::<bool>(READING, &there, 0)? {
        return Ok(None);
    }
    let Some(summary) = ledger::setting(client, "tracking")? else { return Ok(None) };
    let mut numbering = Numbering { summary: String::from_utf8_lossy(&summary).into_owned(), ..Numbering::default() };
    let sql = "SELECT t.name, t.number, c.name, c.id, c.absent, c.refers FROM saddlebag.table_name t \
               LEFT JOIN saddlebag.column_name c ON c.table_number = t.number";
    for row in client.query(READING, sql, &[])? {
        let (table, number): (String, i32) = (field(READING, &row, 0)?, field(READING, &row, 1)?);
        let entry = numbering.tables.entry(table.clone());
        let (_, columns) = entry.or_insert_with(|| (number.cast_unsigned(), BTreeMap::new()));
        let Some(column) = field::<Option<String>>(READING, &row, 2)? else { continue };
        columns.insert(column.clone(), column_id(field(READING, &row, 3)?)?);
        if field(READING, &row, 4)? {
            numbering.absent.insert((table, column), field(READING, &row, 5)?);
        }
    }
    Ok(Some(numbering))
}

/// A table that is not tracked any more: its row states go, its rows stay.
pub(super) fn forget_table(client: &mut Client, number: u32) -> Result<(), StoreError> {
    drop_triggers(client, number)?;
    forget_states(client, number)?;
    let sql = format!(
        "DELETE FROM saddlebag.column_name WHERE table_number = {number};
         DELETE FROM saddlebag.table_name WHERE number = {number};"
    );
    client.batch(MAKING, &sql)
}

/// Drops row states, journal entries, tombstones and values beside the records of a table, whose rows and number stay.
/// [`make_states`] makes empty ones, as its key is now.
pub(super) fn forget_states(client: &mut Client, number: u32) -> Result<(), StoreError> {
    let sql = format!(
        "DROP TABLE IF EXISTS {};
         DELETE FROM saddlebag.journal WHERE table_number = {number};
         DELETE FROM saddlebag.tombstone WHERE table_number = {number};
         DELETE FROM saddlebag.beside WHERE table_number = {number};
         DELETE FROM saddlebag.digest WHERE table_number = {number};
         DELETE FROM saddlebag.setting WHERE name = '{}';",
        states(number),
        partitions::setting_name(number)
    );
    client.batch("forgetting what is known of a table's rows", &sql)?;
    client.forget_prepared();
    Ok(())
}

/// Removes all that saddlebag made: the triggers first, by name, so that nothing of the application's goes with the rest.
pub(super) fn uninstall(client: &mut Client) -> Result<(), StoreError> {
    drop_all(client)?;
    client.batch("taking away saddlebag's tables", "DROP SCHEMA IF EXISTS saddlebag CASCADE")?;
    client.forget_prepared();
    Ok(())
}

/// How many words note the changed columns of a table.
pub(super) fn words_of(table: &TrackedTable) -> u16 {
    table.present().map(|column| column.id / BITS + 1).max().unwrap_or(0)
}
