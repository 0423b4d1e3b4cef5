//! The feed of this node: the records of a stretch of it, in pieces, and how long it is.
//!
//! Invariant: however long the stretch, no more records are held than one piece has.

use std::ops::ControlFlow;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use saddlebag_formats::row_state_bytes::decode_row_state;
use saddlebag_formats::{Epoch, NodeId, Seq, Writer};

use super::sql::states;
use super::{SqliteStore, engine, rows, states as row_states};
use crate::error::StoreError;
use crate::pieces::in_pieces;
use crate::record::{Record, Tombstone};
use crate::tracking::{TrackedTable, Tracking};

/// Makes a function for SQL on this connection: whether a row state has a place in a stretch of the feed. So rows that
/// have not are never read.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("saddlebag_has_place", 3, flags, has_place)
}

fn has_place(context: &Context<'_>) -> rusqlite::Result<bool> {
    let state = context.get_raw(0).as_blob()?;
    let (after, upto): (i64, i64) = (context.get(1)?, context.get(2)?);
    // Who wrote does not matter here.
    let anybody = Writer { node: NodeId([0; 16]), epoch: Epoch(0) };
    // What cannot be read is to be found where it is reported.
    let Ok(state) = decode_row_state(state, &|_| Some(anybody)) else { return Ok(true) };
    Ok(state.has_place(Seq(after.cast_unsigned()), Seq(upto.cast_unsigned())))
}

/// Live records that have a column in a stretch of the feed, in pieces.
pub(super) fn each(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    // Most records have one place or two, and those are in the index; only of one that has places before and after the
    // stretch must the state tell whether it has some in between.
    let condition = "s.seq > ?4 AND s.first_seq <= ?2 \
                     AND (s.seq <= ?2 OR s.first_seq > ?1 OR saddlebag_has_place(s.state, ?1, ?2)) \
                     ORDER BY s.seq LIMIT ?3";
    let (begin, upto) = (after.0.cast_signed(), upto.0.cast_signed());
    in_pieces(
        after,
        chunk,
        |record: &Record| record.state.seq(),
        each,
        |after, limit| rows::read(store, table, condition, (begin, upto, limit, after.0.cast_signed())),
    )
}

/// Deleted records of a table in a stretch of the feed, in pieces.
pub(super) fn each_deleted(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Tombstone>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    in_pieces(
        after,
        chunk,
        |tombstone: &Tombstone| tombstone.seq,
        each,
        |after, limit| row_states::deleted(store, table, after, upto, limit),
    )
}

/// Places in the feed after `?1`, of all tables.
fn places(tracking: &Tracking) -> String {
    let mut parts: Vec<_> = tracking
        .tables
        .iter()
        .map(|table| format!("SELECT seq FROM {} WHERE seq > ?1 AND home = 0", states(table.number)))
        .collect();
    parts.push("SELECT seq FROM saddlebag_tombstone WHERE seq > ?1".to_owned());
    parts.join(" UNION ALL ")
}

/// The place of the `limit`-th record, if there are more.
pub(super) fn cut(
    connection: &Connection,
    tracking: &Tracking,
    after: Seq,
    limit: u64,
) -> Result<Option<Seq>, StoreError> {
    let failed = |error| engine("measuring the feed", &error);
    if length(connection, tracking, after)? <= limit {
        return Ok(None);
    }
    let sql = format!("{} ORDER BY 1 LIMIT 1 OFFSET ?2", places(tracking));
    let offset = i64::try_from(limit.saturating_sub(1)).unwrap_or(i64::MAX);
    let seq: i64 = connection.query_row(&sql, (after.0.cast_signed(), offset), |row| row.get(0)).map_err(failed)?;
    Ok(Some(Seq(seq.cast_unsigned())))
}

/// How many records changed after a place.
pub(super) fn length(connection: &Connection, tracking: &Tracking, after: Seq) -> Result<u64, StoreError> {
    let failed = |error| engine("measuring the feed", &error);
    let sql = format!("SELECT count(*) FROM ({})", places(tracking));
    let count: i64 = connection.query_row(&sql, [after.0.cast_signed()], |row| row.get(0)).map_err(failed)?;
    Ok(count.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::row_state_bytes::encode_row_state;
    use saddlebag_formats::{ColumnState, RowState, TimeMs, Version};

    use super::*;

    #[test]
    fn a_state_tells_in_which_stretches_it_has_a_place() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let writer = Writer { node: NodeId([1; 16]), epoch: Epoch(1) };
        let version = Version { time: TimeMs(1), writer };
        let at = |seq| ColumnState::new(version, Seq(seq));
        let state = RowState { row: at(5), columns: vec![(0, at(9)), (3, at(20))] };
        let bytes = encode_row_state(&state, &mut |_| 7);
        let has = |bytes: &[u8], after: i64, upto: i64| {
            let sql = "SELECT saddlebag_has_place(?1, ?2, ?3)";
            connection.query_row(sql, (bytes, after, upto), |row| row.get::<_, bool>(0)).unwrap()
        };
        for (after, upto) in [(4, 5), (0, 100), (8, 9), (5, 10), (19, 20), (9, 25)] {
            assert!(has(&bytes, after, upto), "{after} {upto}");
        }
        for (after, upto) in [(0, 4), (5, 8), (9, 19), (20, 30)] {
            assert!(!has(&bytes, after, upto), "{after} {upto}");
        }
        assert!(has(&[250], 0, 1), "damage is reported where it is read");
    }
}
