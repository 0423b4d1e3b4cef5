//! Held changes, conflicts and receipts.

use rusqlite::{Connection, Row, params};
use saddlebag_formats::members::Receipt;
use saddlebag_formats::{BundleNumber, LinkId, TimeMs, Uid, Version};

use super::engine;
use super::writers::Writers;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Conflict, ConflictSide, Dropped, Held, LinkCounts, StoredReceipt};
use crate::stored_words::{
    conflict_name, conflict_named, held_name, held_named, key_column, outcome_name, outcome_named, rule_name,
    rule_named,
};

fn read_failed(error: rusqlite::Error) -> StoreError {
    engine("reading saddlebag's records", &error)
}

fn write_failed(error: rusqlite::Error) -> StoreError {
    engine("writing saddlebag's records", &error)
}

pub(super) fn held(connection: &Connection, link: Option<LinkId>) -> Result<Vec<Held>, StoreError> {
    let sql = "SELECT link, table_name, uid, kind, reason, change, since, known, told FROM saddlebag_held \
               WHERE ?1 IS NULL OR link = ?1 ORDER BY since, link, table_name, uid";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let rows = statement.query_map([link.map(|link| link.0)], |row| {
        let kind: String = row.get(3)?;
        Ok(Held {
            link: LinkId(row.get(0)?),
            table: row.get(1)?,
            uid: Uid(row.get(2)?),
            kind: held_named(&kind),
            reason: row.get(4)?,
            change: row.get(5)?,
            since: TimeMs(row.get(6)?),
            known: row.get(7)?,
            told: row.get(8)?,
        })
    });
    rows.map_err(read_failed)?.collect::<rusqlite::Result<_>>().map_err(read_failed)
}

pub(super) fn save_held(connection: &Connection, held: &Held) -> Result<(), StoreError> {
    let kind = held_name(held.kind);
    // What was held before keeps its date: people ask since when.
    let sql = "INSERT OR REPLACE INTO saddlebag_held (link, table_name, uid, kind, reason, change, known, since, told) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
               COALESCE((SELECT since FROM saddlebag_held WHERE link = ?1 AND table_name = ?2 AND uid = ?3), ?8), ?9)";
    let (link, uid, since) = (held.link.0, held.uid.0, held.since.0);
    let Held { reason, change, known, told, .. } = held;
    let parameters = params![link, held.table, uid, kind, reason, change, known, since, told];
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(write_failed)?;
    Ok(())
}

pub(super) fn drop_held(connection: &Connection, link: LinkId, table: &str, uid: Uid) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag_held WHERE link = ?1 AND table_name = ?2 AND uid = ?3";
    let mut statement = connection.prepare_cached(sql).map_err(write_failed)?;
    statement.execute(params![link.0, table, uid.0]).map_err(write_failed)?;
    Ok(())
}

pub(super) fn add_dropped(connection: &Connection, dropped: &Dropped) -> Result<(), StoreError> {
    let sql = "INSERT INTO saddlebag_dropped (link, table_name, uid, reason, held_because, change, at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Dropped { link, table, uid, reason, held_because, change, at } = dropped;
    let parameters = params![link.0, table, uid.0, reason, held_because, change, at.0];
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(write_failed)?;
    Ok(())
}

pub(super) fn dropped(connection: &Connection) -> Result<Vec<Dropped>, StoreError> {
    let sql = "SELECT link, table_name, uid, reason, held_because, change, at FROM saddlebag_dropped ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let rows = statement.query_map([], |row| {
        Ok(Dropped {
            link: LinkId(row.get(0)?),
            table: row.get(1)?,
            uid: Uid(row.get(2)?),
            reason: row.get(3)?,
            held_because: row.get(4)?,
            change: row.get(5)?,
            at: TimeMs(row.get(6)?),
        })
    });
    rows.map_err(read_failed)?.collect::<rusqlite::Result<_>>().map_err(read_failed)
}

pub(super) fn add_conflict(
    connection: &Connection,
    writers: &mut Writers,
    conflict: &Conflict,
) -> Result<bool, StoreError> {
    let winner = writers.number(connection, conflict.winner.version.writer)?;
    let loser = writers.number(connection, conflict.loser.version.writer)?;
    // The same two versions meet again when a held change is tried again.
    let sql = "INSERT INTO saddlebag_conflict (link, table_name, uid, column_name, kind, winner_value, winner_time, \
               winner_writer, loser_value, loser_time, loser_writer, found, rule, winner_effective, loser_effective, \
               clock_doubted) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 WHERE NOT EXISTS (\
               SELECT 1 FROM saddlebag_conflict WHERE uid = ?3 AND table_name = ?2 AND column_name IS ?4 AND kind = ?5 \
               AND winner_time = ?7 AND winner_writer = ?8 AND loser_time = ?10 AND loser_writer = ?11)";
    let parameters = params![
        conflict.link.0,
        conflict.table,
        conflict.uid.0,
        conflict.column,
        conflict_name(conflict.kind),
        conflict.winner.value,
        conflict.winner.version.time.0,
        winner,
        conflict.loser.value,
        conflict.loser.version.time.0,
        loser,
        conflict.found.0,
        rule_name(conflict.rule),
        conflict.winner.effective.map(|time| time.0),
        conflict.loser.effective.map(|time| time.0),
        conflict.clock_doubted,
    ];
    let added =
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(write_failed)?;
    Ok(added > 0)
}

type ConflictRow = (u64, Conflict, u32, u32);

fn conflict_row(row: &Row<'_>) -> rusqlite::Result<ConflictRow> {
    let kind: String = row.get(4)?;
    // The writers are named by number: their versions are completed by the caller.
    let side = |start: usize, effective: usize| -> rusqlite::Result<(ConflictSide, u32)> {
        let writer =
            saddlebag_formats::Writer { node: saddlebag_formats::NodeId([0; 16]), epoch: saddlebag_formats::Epoch(0) };
        let version = Version { time: TimeMs(row.get(start + 1)?), writer };
        let effective = row.get::<_, Option<i64>>(effective)?.map(TimeMs);
        Ok((ConflictSide { value: row.get(start)?, version, effective }, row.get(start + 2)?))
    };
    let ((winner, winner_writer), (loser, loser_writer)) = (side(5, 14)?, side(8, 15)?);
    let conflict = Conflict {
        link: LinkId(row.get(0)?),
        table: row.get(1)?,
        uid: Uid(row.get(2)?),
        column: row.get(3)?,
        kind: conflict_named(&kind),
        rule: rule_named(&row.get::<_, String>(13)?),
        winner,
        loser,
        found: TimeMs(row.get(11)?),
        clock_doubted: row.get(16)?,
    };
    Ok((row.get::<_, i64>(12)?.cast_unsigned(), conflict, winner_writer, loser_writer))
}

pub(super) fn conflicts(connection: &Connection, writers: &mut Writers) -> Result<Vec<(u64, Conflict)>, StoreError> {
    let known = writers.lookup(connection)?;
    let sql = "SELECT link, table_name, uid, column_name, kind, winner_value, winner_time, winner_writer, \
               loser_value, loser_time, loser_writer, found, id, rule, winner_effective, loser_effective, clock_doubted \
               FROM saddlebag_conflict ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let rows = statement.query_map([], conflict_row).map_err(read_failed)?;
    let mut conflicts = Vec::new();
    for row in rows {
        let (number, mut conflict, winner, loser) = row.map_err(read_failed)?;
        let writer = |number: u32| {
            known.get(&number).copied().ok_or_else(|| damaged("a conflict", format!("there is no writer {number}")))
        };
        conflict.winner.version.writer = writer(winner)?;
        conflict.loser.version.writer = writer(loser)?;
        conflicts.push((number, conflict));
    }
    Ok(conflicts)
}

pub(super) fn counts(connection: &Connection, link: LinkId) -> Result<LinkCounts, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM saddlebag_held WHERE link = ?1 AND kind = 'parked'), \
               (SELECT count(*) FROM saddlebag_held WHERE link = ?1 AND kind = 'quarantined'), \
               (SELECT count(*) FROM saddlebag_conflict c WHERE link = ?1 \
               AND NOT EXISTS (SELECT 1 FROM saddlebag_decision d WHERE d.conflict = c.id))";
    connection
        .query_row(sql, [link.0], |row| {
            let count = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.cast_unsigned());
            Ok(LinkCounts { parked: count(0)?, quarantined: count(1)?, conflicts: count(2)? })
        })
        .map_err(read_failed)
}

pub(super) fn add_receipt(connection: &Connection, stored: &StoredReceipt) -> Result<(), StoreError> {
    // A receipt that says what was said before stays where it is: it may be on its way already.
    let sql = "INSERT INTO saddlebag_receipt (link, table_name, uid, column_name, outcome, reason, carried) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL) ON CONFLICT (link, table_name, uid, column_name) \
               DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, carried = NULL \
               WHERE outcome <> excluded.outcome OR reason <> excluded.reason";
    let StoredReceipt { link, receipt } = stored;
    let outcome = outcome_name(receipt.outcome);
    let parameters = params![link.0, receipt.table, receipt.uid.0, key_column(receipt), outcome, receipt.reason];
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(write_failed)?;
    Ok(())
}

fn stored_receipt(row: &Row<'_>) -> rusqlite::Result<StoredReceipt> {
    let (column, outcome): (String, String) = (row.get(3)?, row.get(4)?);
    let receipt = Receipt {
        table: row.get(1)?,
        uid: Uid(row.get(2)?),
        column: (!column.is_empty()).then_some(column),
        outcome: outcome_named(&outcome),
        reason: row.get(5)?,
    };
    Ok(StoredReceipt { link: LinkId(row.get(0)?), receipt })
}

pub(super) fn receipts_to_send(connection: &Connection, link: LinkId) -> Result<Vec<StoredReceipt>, StoreError> {
    let sql = "SELECT link, table_name, uid, column_name, outcome, reason FROM saddlebag_receipt WHERE link = ?1 \
               ORDER BY table_name, uid, column_name";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let rows = statement.query_map([link.0], stored_receipt).map_err(read_failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(read_failed)
}

pub(super) fn has_new_receipts(connection: &Connection, link: LinkId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM saddlebag_receipt WHERE link = ?1 AND carried IS NULL)";
    connection.query_row(sql, [link.0], |row| row.get(0)).map_err(read_failed)
}

pub(super) fn receipts_carried(connection: &Connection, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
    let sql = "UPDATE saddlebag_receipt SET carried = ?2 WHERE link = ?1";
    connection.execute(sql, params![link.0, number.0.cast_signed()]).map_err(write_failed)?;
    Ok(())
}

pub(super) fn receipts_arrived(connection: &Connection, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag_receipt WHERE link = ?1 AND carried <= ?2";
    connection.execute(sql, params![link.0, number.0.cast_signed()]).map_err(write_failed)?;
    Ok(())
}

pub(super) fn save_received_receipt(
    connection: &Connection,
    stored: &StoredReceipt,
    at: TimeMs,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO saddlebag_received_receipt \
               (link, table_name, uid, column_name, outcome, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let StoredReceipt { link, receipt } = stored;
    let outcome = outcome_name(receipt.outcome);
    let parameters = params![link.0, receipt.table, receipt.uid.0, key_column(receipt), outcome, receipt.reason, at.0];
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters)).map_err(write_failed)?;
    Ok(())
}

pub(super) fn received_receipts(connection: &Connection) -> Result<Vec<StoredReceipt>, StoreError> {
    let sql = "SELECT link, table_name, uid, column_name, outcome, reason FROM saddlebag_received_receipt \
               ORDER BY at, link, table_name, uid, column_name";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let rows = statement.query_map([], stored_receipt).map_err(read_failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(read_failed)
}
