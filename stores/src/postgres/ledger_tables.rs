//! Held changes, conflicts and receipts.

use postgres::Row;
use saddlebag_formats::members::{Outcome, Receipt};
use saddlebag_formats::{BundleNumber, Epoch, LinkId, NodeId, TimeMs, Uid, Version, Writer};
use uuid::Uuid;

use super::client::Client;
use super::fields::{field, link_id, uid, unsigned};
use super::writers::Writers;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Conflict, ConflictKind, ConflictSide, Dropped, Held, HeldKind, LinkCounts, StoredReceipt};

const READING: &str = "reading saddlebag's records";
const WRITING: &str = "writing saddlebag's records";

/// The columns of a set of rows, for `unnest`.
macro_rules! each {
    ($rows:expr, $field:expr) => {
        $rows.iter().map($field).collect::<Vec<_>>()
    };
}

/// Words for people as PostgreSQL can keep them: what they quote of a value may hold a NUL, which its text may not.
fn words(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

fn link_number(link: LinkId) -> i64 {
    i64::from(link.0)
}

fn uuid(uid: Uid) -> Uuid {
    Uuid::from_bytes(uid.0)
}

pub(super) fn held(client: &mut Client, link: Option<LinkId>) -> Result<Vec<Held>, StoreError> {
    let sql = "SELECT link, table_name, uid, kind, reason, change, since, known, told FROM saddlebag.held \
               WHERE $1::bigint IS NULL OR link = $1 ORDER BY since, link, table_name, uid";
    let rows = client.query(READING, sql, &[&link.map(link_number)])?;
    rows.iter().map(held_row).collect()
}

fn held_row(row: &Row) -> Result<Held, StoreError> {
    let kind: &str = field(READING, row, 3)?;
    Ok(Held {
        link: link_id(READING, row, 0)?,
        table: field(READING, row, 1)?,
        uid: uid(READING, row, 2)?,
        kind: if kind == "parked" { HeldKind::Parked } else { HeldKind::Quarantined },
        reason: field(READING, row, 4)?,
        change: field(READING, row, 5)?,
        since: TimeMs(field(READING, row, 6)?),
        known: field(READING, row, 7)?,
        told: field(READING, row, 8)?,
    })
}

fn held_name(kind: HeldKind) -> &'static str {
    match kind {
        HeldKind::Parked => "parked",
        HeldKind::Quarantined => "quarantined",
    }
}

/// Of several about one record over one link the last counts.
pub(super) fn save_held(client: &mut Client, held: &[Held]) -> Result<(), StoreError> {
    if held.is_empty() {
        return Ok(());
    }
    // What was held before keeps its date: people ask since when.
    let sql = "INSERT INTO saddlebag.held (link, table_name, uid, kind, reason, change, known, since, told) \
               SELECT DISTINCT ON (link, table_name, uid) \
               link, table_name, uid, kind, reason, change, known, since, told \
               FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], \
               $8::bigint[], $9::text[]) WITH ORDINALITY \
               n (link, table_name, uid, kind, reason, change, known, since, told, place) \
               ORDER BY link, table_name, uid, place DESC \
               ON CONFLICT (link, table_name, uid) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, \
               change = excluded.change, known = excluded.known, told = excluded.told";
    client
        .execute(
            WRITING,
            sql,
            &[
                &each!(held, |held| link_number(held.link)),
                &each!(held, |held| held.table.as_str()),
                &each!(held, |held| uuid(held.uid)),
                &each!(held, |held| held_name(held.kind)),
                &each!(held, |held| words(&held.reason)),
                &each!(held, |held| held.change.as_slice()),
                &each!(held, |held| held.known.as_slice()),
                &each!(held, |held| held.since.0),
                &each!(held, |held| held.told.as_deref().map(words)),
            ],
        )
        .map(drop)
}

pub(super) fn drop_held(client: &mut Client, link: LinkId, table: &str, uid: Uid) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag.held WHERE link = $1 AND table_name = $2 AND uid = $3";
    client.execute(WRITING, sql, &[&link_number(link), &table, &uuid(uid)]).map(drop)
}

pub(super) fn add_dropped(client: &mut Client, dropped: &Dropped) -> Result<(), StoreError> {
    let sql = "INSERT INTO saddlebag.dropped (id, link, table_name, uid, reason, held_because, change, at) \
               SELECT COALESCE(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM saddlebag.dropped";
    let Dropped { link, table, uid, reason, held_because, change, at } = dropped;
    let (reason, because) = (words(reason), words(held_because));
    let (link, uid) = (link_number(*link), uuid(*uid));
    client.execute(WRITING, sql, &[&link, table, &uid, &reason, &because, change, &at.0]).map(drop)
}

pub(super) fn dropped(client: &mut Client) -> Result<Vec<Dropped>, StoreError> {
    let sql = "SELECT link, table_name, uid, reason, held_because, change, at FROM saddlebag.dropped ORDER BY id";
    let rows = client.query(READING, sql, &[])?;
    rows.iter().map(dropped_row).collect()
}

fn dropped_row(row: &Row) -> Result<Dropped, StoreError> {
    Ok(Dropped {
        link: link_id(READING, row, 0)?,
        table: field(READING, row, 1)?,
        uid: uid(READING, row, 2)?,
        reason: field(READING, row, 3)?,
        held_because: field(READING, row, 4)?,
        change: field(READING, row, 5)?,
        at: TimeMs(field(READING, row, 6)?),
    })
}

fn kind_name(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::Values => "values",
        ConflictKind::Deletion => "deletion",
    }
}

pub(super) fn add_conflict(
    client: &mut Client,
    writers: &mut Writers,
    conflict: &Conflict,
) -> Result<bool, StoreError> {
    let winner = writers.number(client, conflict.winner.version.writer)?.cast_signed();
    let loser = writers.number(client, conflict.loser.version.writer)?.cast_signed();
    // The same two versions meet again when a held change is tried again.
    let sql = "INSERT INTO saddlebag.conflict (id, link, table_name, uid, column_name, kind, winner_value, \
               winner_time, winner_writer, loser_value, loser_time, loser_writer, found) \
               SELECT (SELECT COALESCE(max(id), 0) + 1 FROM saddlebag.conflict), \
               $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 WHERE NOT EXISTS (\
               SELECT 1 FROM saddlebag.conflict WHERE uid = $3 AND table_name = $2 \
               AND column_name IS NOT DISTINCT FROM $4 AND kind = $5 \
               AND winner_time = $7 AND winner_writer = $8 AND loser_time = $10 AND loser_writer = $11)";
    let added = client.execute(
        WRITING,
        sql,
        &[
            &link_number(conflict.link),
            &conflict.table,
            &uuid(conflict.uid),
            &conflict.column,
            &kind_name(conflict.kind),
            &conflict.winner.value,
            &conflict.winner.version.time.0,
            &winner,
            &conflict.loser.value,
            &conflict.loser.version.time.0,
            &loser,
            &conflict.found.0,
        ],
    )?;
    Ok(added > 0)
}

type ConflictRow = (u64, Conflict, u32, u32);

fn conflict_row(row: &Row) -> Result<ConflictRow, StoreError> {
    let kind: &str = field(READING, row, 4)?;
    // The writers are named by number: their versions are completed by the caller.
    let side = |start: usize| -> Result<(ConflictSide, u32), StoreError> {
        let writer = Writer { node: NodeId([0; 16]), epoch: Epoch(0) };
        let version = Version { time: TimeMs(field(READING, row, start + 1)?), writer };
        let number: i32 = field(READING, row, start + 2)?;
        Ok((ConflictSide { value: field(READING, row, start)?, version }, number.cast_unsigned()))
    };
    let ((winner, winner_writer), (loser, loser_writer)) = (side(5)?, side(8)?);
    let conflict = Conflict {
        link: link_id(READING, row, 0)?,
        table: field(READING, row, 1)?,
        uid: uid(READING, row, 2)?,
        column: field(READING, row, 3)?,
        kind: if kind == "values" { ConflictKind::Values } else { ConflictKind::Deletion },
        winner,
        loser,
        found: TimeMs(field(READING, row, 11)?),
    };
    Ok((unsigned(READING, row, 12)?, conflict, winner_writer, loser_writer))
}

pub(super) fn conflicts(client: &mut Client, writers: &mut Writers) -> Result<Vec<(u64, Conflict)>, StoreError> {
    let known = writers.lookup(client)?;
    let sql = "SELECT link, table_name, uid, column_name, kind, winner_value, winner_time, winner_writer, \
               loser_value, loser_time, loser_writer, found, id FROM saddlebag.conflict ORDER BY id";
    let writer = |number: u32| {
        known.get(&number).copied().ok_or_else(|| damaged("a conflict", format!("there is no writer {number}")))
    };
    let mut conflicts = Vec::new();
    for row in client.query(READING, sql, &[])? {
        let (number, mut conflict, winner, loser) = conflict_row(&row)?;
        conflict.winner.version.writer = writer(winner)?;
        conflict.loser.version.writer = writer(loser)?;
        conflicts.push((number, conflict));
    }
    Ok(conflicts)
}

pub(super) fn counts(client: &mut Client, link: LinkId) -> Result<LinkCounts, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM saddlebag.held WHERE link = $1 AND kind = 'parked'), \
               (SELECT count(*) FROM saddlebag.held WHERE link = $1 AND kind = 'quarantined'), \
               (SELECT count(*) FROM saddlebag.conflict WHERE link = $1)";
    let row = client.query_one(READING, sql, &[&link_number(link)])?;
    let count = |at| unsigned(READING, &row, at);
    Ok(LinkCounts { parked: count(0)?, quarantined: count(1)?, conflicts: count(2)? })
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Parked => "parked",
        Outcome::Quarantined => "quarantined",
        Outcome::DeletionKept => "deletion kept",
        Outcome::Settled => "settled",
        // `Outcome` may grow: what an older program stores of it must not read as one of the above.
        _ => "conflict",
    }
}

fn outcome_named(name: &str) -> Outcome {
    match name {
        "parked" => Outcome::Parked,
        "quarantined" => Outcome::Quarantined,
        "deletion kept" => Outcome::DeletionKept,
        "settled" => Outcome::Settled,
        _ => Outcome::Conflict,
    }
}

/// The column that a receipt is about is part of its key, where null would be no key.
fn key_column(receipt: &Receipt) -> &str {
    receipt.column.as_deref().unwrap_or("")
}

/// Of several about one record and column over one link the last counts.
pub(super) fn add_receipt(client: &mut Client, stored: &[StoredReceipt]) -> Result<(), StoreError> {
    // A receipt that says what was said before stays where it is: it may be on its way already.
    let sql = "INSERT INTO saddlebag.receipt AS r (link, table_name, uid, column_name, outcome, reason) \
               SELECT DISTINCT ON (link, table_name, uid, column_name) \
               link, table_name, uid, column_name, outcome, reason \
               FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY \
               n (link, table_name, uid, column_name, outcome, reason, place) \
               ORDER BY link, table_name, uid, column_name, place DESC \
               ON CONFLICT (link, table_name, uid, column_name) \
               DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, carried = NULL \
               WHERE r.outcome <> excluded.outcome OR r.reason <> excluded.reason";
    write_receipts(client, sql, stored, None)
}

/// Of several about one record and column over one link the last counts.
pub(super) fn save_received_receipt(
    client: &mut Client,
    stored: &[StoredReceipt],
    at: TimeMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO saddlebag.received_receipt (link, table_name, uid, column_name, outcome, reason, at) \
               SELECT DISTINCT ON (link, table_name, uid, column_name) \
               link, table_name, uid, column_name, outcome, reason, $7::bigint \
               FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY \
               n (link, table_name, uid, column_name, outcome, reason, place) \
               ORDER BY link, table_name, uid, column_name, place DESC \
               ON CONFLICT (link, table_name, uid, column_name) \
               DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, at = excluded.at";
    write_receipts(client, sql, stored, Some(at))
}

fn write_receipts(
    client: &mut Client,
    sql: &str,
    stored: &[StoredReceipt],
    at: Option<TimeMs>,
) -> Result<(), StoreError> {
    if stored.is_empty() {
        return Ok(());
    }
    let links = each!(stored, |stored| link_number(stored.link));
    let tables = each!(stored, |stored| stored.receipt.table.as_str());
    let uids = each!(stored, |stored| uuid(stored.receipt.uid));
    let columns = each!(stored, |stored| key_column(&stored.receipt));
    let outcomes = each!(stored, |stored| outcome_name(stored.receipt.outcome));
    let reasons = each!(stored, |stored| words(&stored.receipt.reason));
    let at = at.map(|at| at.0);
    let all: [&(dyn postgres::types::ToSql + Sync); 7] = [&links, &tables, &uids, &columns, &outcomes, &reasons, &at];
    let parameters = if at.is_some() { all.as_slice() } else { &all[..6] };
    client.execute(WRITING, sql, parameters).map(drop)
}

fn stored_receipt(row: &Row) -> Result<StoredReceipt, StoreError> {
    let (column, outcome): (String, &str) = (field(READING, row, 3)?, field(READING, row, 4)?);
    let receipt = Receipt {
        table: field(READING, row, 1)?,
        uid: uid(READING, row, 2)?,
        column: (!column.is_empty()).then_some(column),
        outcome: outcome_named(outcome),
        reason: field(READING, row, 5)?,
    };
    Ok(StoredReceipt { link: link_id(READING, row, 0)?, receipt })
}

pub(super) fn receipts_to_send(client: &mut Client, link: LinkId) -> Result<Vec<StoredReceipt>, StoreError> {
    let sql = "SELECT link, table_name, uid, column_name, outcome, reason FROM saddlebag.receipt WHERE link = $1 \
               ORDER BY table_name, uid, column_name";
    let rows = client.query(READING, sql, &[&link_number(link)])?;
    rows.iter().map(stored_receipt).collect()
}

pub(super) fn has_new_receipts(client: &mut Client, link: LinkId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM saddlebag.receipt WHERE link = $1 AND carried IS NULL)";
    field(READING, &client.query_one(READING, sql, &[&link_number(link)])?, 0)
}

pub(super) fn receipts_carried(client: &mut Client, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
    let sql = "UPDATE saddlebag.receipt SET carried = $2 WHERE link = $1";
    client.execute(WRITING, sql, &[&link_number(link), &number.0.cast_signed()]).map(drop)
}

pub(super) fn receipts_arrived(client: &mut Client, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
    let sql = "DELETE FROM saddlebag.receipt WHERE link = $1 AND carried <= $2";
    client.execute(WRITING, sql, &[&link_number(link), &number.0.cast_signed()]).map(drop)
}

pub(super) fn received_receipts(client: &mut Client) -> Result<Vec<StoredReceipt>, StoreError> {
    let sql = "SELECT link, table_name, uid, column_name, outcome, reason FROM saddlebag.received_receipt \
               ORDER BY at, link, table_name, uid, column_name";
    let rows = client.query(READING, sql, &[])?;
    rows.iter().map(stored_receipt).collect()
}

#[cfg(test)]
mod tests;
