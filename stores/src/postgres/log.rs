//! The log.

use postgres::Row;
use saddlebag_formats::{LogEntry, LogHash, LogKind, TimeMs, Uid};
use uuid::Uuid;

use super::client::Client;
use super::fields::{each, field, unsigned};
use crate::error::StoreError;
use crate::log::{LogEnd, LogFilter, Logged};

const READING: &str = "reading the log";
const WRITING: &str = "writing the log";

const COLUMNS: &str = "number, at, kind, who, peer, table_name, uid, column_name, what, why, hash";

pub(super) fn append(client: &mut Client, entries: &[Logged]) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO saddlebag.log ({COLUMNS}) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], \
         $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::bytea[])"
    );
    client
        .execute(
            WRITING,
            &sql,
            &[
                &each!(entries, |logged| logged.number.cast_signed()),
                &each!(entries, |logged| logged.entry.at.0),
                &each!(entries, |logged| logged.entry.kind.as_str()),
                &each!(entries, |logged| logged.entry.who.as_str()),
                &each!(entries, |logged| logged.entry.peer.as_deref()),
                &each!(entries, |logged| logged.entry.table.as_deref()),
                &each!(entries, |logged| logged.entry.uid.map(|uid| Uuid::from_bytes(uid.0))),
                &each!(entries, |logged| logged.entry.column.as_deref()),
                &each!(entries, |logged| logged.entry.what.as_str()),
                &each!(entries, |logged| logged.entry.why.as_str()),
                &each!(entries, |logged| logged.hash.0.as_slice()),
            ],
        )
        .map(drop)
}

/// The entry with the greatest number.
pub(super) fn last(client: &mut Client) -> Result<Option<LogEnd>, StoreError> {
    let sql = "SELECT number, hash FROM saddlebag.log ORDER BY number DESC LIMIT 1";
    let rows = client.query(READING, sql, &[])?;
    rows.first().map(|row| Ok(LogEnd { number: unsigned(READING, row, 0)?, hash: hash(row, 1)? })).transpose()
}

pub(super) fn entries(client: &mut Client, after: u64, limit: u64) -> Result<Vec<Logged>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saddlebag.log WHERE number > $1 ORDER BY number LIMIT $2");
    client.query(READING, &sql, &[&after.cast_signed(), &limit.cast_signed()])?.iter().map(logged).collect()
}

pub(super) fn search(client: &mut Client, filter: &LogFilter) -> Result<Vec<Logged>, StoreError> {
    let LogFilter { kind, peer, since, record, limit } = filter;
    let sql = format!(
        "SELECT {COLUMNS} FROM saddlebag.log WHERE ($1::text IS NULL OR kind = $1) \
         AND ($2::text IS NULL OR peer = $2 OR who = $2) AND ($3::bigint IS NULL OR at >= $3) \
         AND ($4::uuid IS NULL OR (uid = $4 AND table_name = $5::text)) ORDER BY number DESC LIMIT $6"
    );
    let (kind, since) = (kind.as_ref().map(LogKind::as_str), since.map(|since| since.0));
    let uid = record.as_ref().map(|(_, uid)| Uuid::from_bytes(uid.0));
    let table = record.as_ref().map(|(table, _)| table);
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let rows = client.query(READING, &sql, &[&kind, peer, &since, &uid, &table, &limit])?;
    rows.iter().rev().map(logged).collect()
}

pub(super) fn holds_refusal(client: &mut Client, entry: &LogEntry) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM saddlebag.log WHERE kind = 'refused' \
               AND peer IS NOT DISTINCT FROM $1 AND what = $2 AND why = $3)";
    let row = client.query_one(READING, sql, &[&entry.peer, &entry.what, &entry.why])?;
    field(READING, &row, 0)
}

fn logged(row: &Row) -> Result<Logged, StoreError> {
    let entry = LogEntry {
        at: TimeMs(field(READING, row, 1)?),
        kind: LogKind::named(field(READING, row, 2)?),
        who: field(READING, row, 3)?,
        peer: field(READING, row, 4)?,
        table: field(READING, row, 5)?,
        uid: field::<Option<Uuid>>(READING, row, 6)?.map(|uid| Uid(uid.into_bytes())),
        column: field(READING, row, 7)?,
        what: field(READING, row, 8)?,
        why: field(READING, row, 9)?,
    };
    Ok(Logged { number: unsigned(READING, row, 0)?, entry, hash: hash(row, 10)? })
}

/// A hash of another length was written by somebody else: it fits nothing.
fn hash(row: &Row, index: usize) -> Result<LogHash, StoreError> {
    let bytes: &[u8] = field(READING, row, index)?;
    Ok(bytes.try_into().map_or(LogHash::NONE, LogHash))
}
