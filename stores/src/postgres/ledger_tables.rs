//! Held changes and receipts.

use postgres::Row;
use saddlebag_formats::members::Receipt;
use saddlebag_formats::{BundleNumber, LinkId, TimeMs, Uid};
use uuid::Uuid;

use super::client::Client;
use super::fields::{each, field, link_id, uid, unsigned};
use crate::error::StoreError;
use crate::ledger::{Dropped, Held, LinkCounts, StoredReceipt};
use crate::stored_words::{held_name, held_named, key_column, outcome_name, outcome_named};

const READING: &str = "reading saddlebag's records";
const WRITING: &str = "writing saddlebag's records";

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
        kind: held_named(kind),
        reason: field(READING, row, 4)?,
        change: field(READING, row, 5)?,
        since: TimeMs(field(READING, row, 6)?),
        known: field(READING, row, 7)?,
        told: field(READING, row, 8)?,
    })
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

pub(super) fn drop_held(client: &mut Client, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM saddlebag.held h USING unnest($2::text[], $3::uuid[]) AS u (table_name, uid) \
               WHERE h.link = $1 AND h.table_name = u.table_name AND h.uid = u.uid";
    let (tables, uids) = (each!(records, |(table, _)| table.as_str()), each!(records, |(_, uid)| uuid(*uid)));
    client.execute(WRITING, sql, &[&link_number(link), &tables, &uids]).map(drop)
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

pub(super) fn counts(client: &mut Client, link: LinkId) -> Result<LinkCounts, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM saddlebag.held WHERE link = $1 AND kind = 'parked'), \
               (SELECT count(*) FROM saddlebag.held WHERE link = $1 AND kind = 'quarantined'), \
               (SELECT count(*) FROM saddlebag.conflict c WHERE link = $1 \
               AND NOT EXISTS (SELECT 1 FROM saddlebag.decision d WHERE d.conflict = c.id))";
    let row = client.query_one(READING, sql, &[&link_number(link)])?;
    let count = |at| unsigned(READING, &row, at);
    Ok(LinkCounts { parked: count(0)?, quarantined: count(1)?, conflicts: count(2)? })
}

/// Of several about one record and column over one link the last counts.
pub(super) fn add_receipts(client: &mut Client, stored: &[StoredReceipt]) -> Result<(), StoreError> {
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
pub(super) fn save_received_receipts(
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
