//! What people decided about conflicts.

use rusqlite::{Connection, params};
use saddlebag_formats::{TimeMs, Version};

use super::engine;
use super::writers::Writers;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::Decision;
use crate::stored_words::{taken_name, taken_named};

pub(super) fn add(connection: &Connection, writers: &mut Writers, decision: &Decision) -> Result<(), StoreError> {
    let writer = writers.number(connection, decision.version.writer)?;
    let sql = "INSERT INTO saddlebag_decision (conflict, taken, value, time, writer, decided_by, because, at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let Decision { conflict, taken, value, version, by, because, at } = decision;
    let (conflict, taken) = (conflict.cast_signed(), taken_name(*taken));
    let parameters = params![conflict, taken, value, version.time.0, writer, by, because, at.0];
    let failed = |error| engine("writing a decision", &error);
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(failed)?;
    Ok(())
}

pub(super) fn all(connection: &Connection, writers: &mut Writers) -> Result<Vec<Decision>, StoreError> {
    let failed = |error| engine("reading decisions", &error);
    let known = writers.lookup(connection)?;
    let sql =
        "SELECT conflict, taken, value, time, decided_by, because, at, writer FROM saddlebag_decision ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let number: u32 = row.get(7).map_err(failed)?;
        let writer = known.get(&number).copied();
        let writer = writer.ok_or_else(|| damaged("a decision", format!("there is no writer {number}")))?;
        let read = || -> rusqlite::Result<Decision> {
            Ok(Decision {
                conflict: row.get::<_, i64>(0)?.cast_unsigned(),
                taken: taken_named(&row.get::<_, String>(1)?),
                value: row.get(2)?,
                version: Version { time: TimeMs(row.get(3)?), writer },
                by: row.get(4)?,
                because: row.get(5)?,
                at: TimeMs(row.get(6)?),
            })
        };
        all.push(read().map_err(failed)?);
    }
    Ok(all)
}
