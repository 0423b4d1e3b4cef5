//! What people decided about conflicts.

use saddlebag_formats::{TimeMs, Version};

use super::client::Client;
use super::fields::{field, unsigned};
use super::writers::Writers;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::Decision;
use crate::stored_words::{taken_name, taken_named};

const READING: &str = "reading decisions";
const WRITING: &str = "writing a decision";

pub(super) fn add(client: &mut Client, writers: &mut Writers, decision: &Decision) -> Result<(), StoreError> {
    let writer = writers.number(client, decision.version.writer)?.cast_signed();
    let sql = "INSERT INTO saddlebag.decision (id, conflict, taken, value, time, writer, decided_by, because, at) \
               SELECT (SELECT COALESCE(max(id), 0) + 1 FROM saddlebag.decision), \
               $1::bigint, $2::text, $3::bytea, $4::bigint, $5::integer, $6::text, $7::text, $8::bigint";
    let Decision { conflict, taken, value, version, by, because, at } = decision;
    let (conflict, taken) = (conflict.cast_signed(), taken_name(*taken));
    client.execute(WRITING, sql, &[&conflict, &taken, value, &version.time.0, &writer, by, because, &at.0])?;
    Ok(())
}

pub(super) fn all(client: &mut Client, writers: &mut Writers) -> Result<Vec<Decision>, StoreError> {
    let known = writers.lookup(client)?;
    let sql =
        "SELECT conflict, taken, value, time, decided_by, because, at, writer FROM saddlebag.decision ORDER BY id";
    let mut all = Vec::new();
    for row in client.query(READING, sql, &[])? {
        let number = field::<i32>(READING, &row, 7)?.cast_unsigned();
        let writer = known.get(&number).copied();
        let writer = writer.ok_or_else(|| damaged("a decision", format!("there is no writer {number}")))?;
        all.push(Decision {
            conflict: unsigned(READING, &row, 0)?,
            taken: taken_named(field(READING, &row, 1)?),
            value: field(READING, &row, 2)?,
            version: Version { time: TimeMs(field(READING, &row, 3)?), writer },
            by: field(READING, &row, 4)?,
            because: field(READING, &row, 5)?,
            at: TimeMs(field(READING, &row, 6)?),
        });
    }
    Ok(all)
}
