//! The log. What somebody else has written into its table is read as well as it goes: its hash tells.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use saddlebag_formats::{LogEntry, LogHash, LogKind, TimeMs, Uid};

use super::engine;
use crate::error::StoreError;
use crate::log::{LogEnd, LogFilter, Logged};

const COLUMNS: &str = "number, at, kind, who, peer, table_name, uid, column_name, what, why, hash";

fn read_failed(error: rusqlite::Error) -> StoreError {
    engine("reading the log", &error)
}

fn write_failed(error: rusqlite::Error) -> StoreError {
    engine("writing the log", &error)
}

pub(super) fn append(connection: &Connection, entries: &[Logged]) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO saddlebag_log ({COLUMNS}) VALUES ({})", super::sql::marks(11));
    let mut statement = connection.prepare_cached(&sql).map_err(write_failed)?;
    for Logged { number, entry, hash } in entries {
        let LogEntry { at, kind, who, peer, table, uid, column, what, why } = entry;
        let (kind, uid) = (kind.as_str(), uid.map(|uid| uid.0));
        let row = params![number.cast_signed(), at.0, kind, who, peer, table, uid, column, what, why, hash.0];
        statement.execute(row).map_err(write_failed)?;
    }
    Ok(())
}

/// The entry with the greatest number.
pub(super) fn last(connection: &Connection) -> Result<Option<LogEnd>, StoreError> {
    let sql = "SELECT number, hash FROM saddlebag_log ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(read_failed)?;
    let mut rows = statement.query([]).map_err(read_failed)?;
    let Some(row) = rows.next().map_err(read_failed)? else { return Ok(None) };
    let number = row.get::<_, i64>(0).map_err(read_failed)?.cast_unsigned();
    Ok(Some(LogEnd { number, hash: hash(row, 1) }))
}

pub(super) fn entries(connection: &Connection, after: u64, limit: u64) -> Result<Vec<Logged>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saddlebag_log WHERE number > ?1 ORDER BY number LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql).map_err(read_failed)?;
    let rows = statement.query_map(params![after.cast_signed(), limit.cast_signed()], logged).map_err(read_failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(read_failed)
}

pub(super) fn search(connection: &Connection, filter: &LogFilter) -> Result<Vec<Logged>, StoreError> {
    let LogFilter { kind, peer, since, record, limit } = filter;
    let sql = format!(
        "SELECT {COLUMNS} FROM saddlebag_log WHERE (?1 IS NULL OR kind = ?1) \
         AND (?2 IS NULL OR peer = ?2 OR who = ?2) AND (?3 IS NULL OR at >= ?3) {} ORDER BY number DESC LIMIT ?4",
        if record.is_some() { "AND uid = ?5 AND table_name = ?6" } else { "AND ?5 IS NULL AND ?6 IS NULL" }
    );
    let (kind, since) = (kind.as_ref().map(LogKind::as_str), since.map(|since| since.0));
    let (uid, table) = (record.as_ref().map(|(_, uid)| uid.0), record.as_ref().map(|(table, _)| table));
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql).map_err(read_failed)?;
    let rows = statement.query_map(params![kind, peer, since, limit, uid, table], logged).map_err(read_failed)?;
    let mut found: Vec<Logged> = rows.collect::<rusqlite::Result<_>>().map_err(read_failed)?;
    found.reverse();
    Ok(found)
}

pub(super) fn holds_refusal(connection: &Connection, entry: &LogEntry) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM saddlebag_log \
               WHERE kind = 'refused' AND peer IS ?1 AND what = ?2 AND why = ?3)";
    let parameters = params![entry.peer, entry.what, entry.why];
    connection
        .prepare_cached(sql)
        .and_then(|mut found| found.query_row(parameters, |row| row.get(0)))
        .map_err(read_failed)
}

fn logged(row: &Row<'_>) -> rusqlite::Result<Logged> {
    let entry = LogEntry {
        at: TimeMs(integer(row, 1)),
        kind: LogKind::named(&text(row, 2).unwrap_or_default()),
        who: text(row, 3).unwrap_or_default(),
        peer: text(row, 4),
        table: text(row, 5),
        uid: bytes(row, 6).and_then(|bytes| Some(Uid(bytes.try_into().ok()?))),
        column: text(row, 7),
        what: text(row, 8).unwrap_or_default(),
        why: text(row, 9).unwrap_or_default(),
    };
    Ok(Logged { number: row.get::<_, i64>(0)?.cast_unsigned(), entry, hash: hash(row, 10) })
}

fn integer(row: &Row<'_>, index: usize) -> i64 {
    row.get(index).unwrap_or_default()
}

fn text(row: &Row<'_>, index: usize) -> Option<String> {
    match row.get_ref(index) {
        Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Ok(ValueRef::Integer(number)) => Some(number.to_string()),
        Ok(ValueRef::Real(number)) => Some(number.to_string()),
        Ok(ValueRef::Null) | Err(_) => None,
    }
}

fn bytes<'a>(row: &'a Row<'_>, index: usize) -> Option<&'a [u8]> {
    match row.get_ref(index) {
        Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => Some(bytes),
        _ => None,
    }
}

fn hash(row: &Row<'_>, index: usize) -> LogHash {
    bytes(row, index).and_then(|bytes| Some(LogHash(bytes.try_into().ok()?))).unwrap_or(LogHash::NONE)
}
