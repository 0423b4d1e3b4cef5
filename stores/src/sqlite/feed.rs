//! The feed of this node: the records of a stretch of it, in pieces, and how long it is.
//!
//! Invariant: however long the stretch, no more records are held than one piece has.

use std::ops::ControlFlow;

use rusqlite::Connection;
use saddlebag_formats::Seq;

use super::sql::states;
use super::{SqliteStore, engine, rows, states as row_states};
use crate::error::StoreError;
use crate::record::{Record, Tombstone};
use crate::tracking::{TrackedTable, Tracking};

/// Live records that have a column in a stretch of the feed, and some that have columns before and after it.
pub(super) fn feed(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
) -> Result<Vec<Record>, StoreError> {
    let mut all = Vec::new();
    each(store, table, after, upto, usize::MAX, &mut |records| {
        all = records;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(all)
}

/// The same, in pieces.
pub(super) fn each(
    store: &mut SqliteStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let condition = "s.seq > ?1 AND s.first_seq <= ?2 ORDER BY s.seq LIMIT ?3";
    in_pieces(after, chunk, |record: &Record| record.state.seq(), each, |after, limit| {
        rows::read(store, table, condition, (after.0.cast_signed(), upto.0.cast_signed(), limit))
    })
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
    in_pieces(after, chunk, |tombstone: &Tombstone| tombstone.seq, each, |after, limit| {
        row_states::deleted(store, table, after, upto, limit)
    })
}

/// Reads so many at a time, each time from where the last ended. What is read must be in the order of its places.
fn in_pieces<T>(
    mut after: Seq,
    chunk: usize,
    place: impl Fn(&T) -> Seq,
    each: &mut dyn FnMut(Vec<T>) -> Result<ControlFlow<()>, StoreError>,
    mut read: impl FnMut(Seq, i64) -> Result<Vec<T>, StoreError>,
) -> Result<(), StoreError> {
    let limit = i64::try_from(chunk.max(2)).unwrap_or(i64::MAX);
    loop {
        let mut piece = read(after, limit)?;
        let is_full = i64::try_from(piece.len()) == Ok(limit);
        if let Some(last) = piece.last().map(&place).filter(|_| is_full) {
            // Each has a place of its own; should several share one, none of them may be passed over.
            let before = piece.partition_point(|one| place(one) < last);
            if before == 0 {
                let reason = format!("more than {limit} records have the place {} in it", last.0);
                return Err(StoreError::Damaged { what: "the feed".to_owned(), reason });
            }
            piece.truncate(before);
            after = Seq(last.0 - 1);
        }
        if piece.is_empty() || each(piece)?.is_break() || !is_full {
            return Ok(());
        }
    }
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
    use super::*;

    /// What comes of these places in pieces, and how many pieces there were.
    fn pieces(places: &[u64], chunk: usize, stop_after: usize) -> Result<(Vec<u64>, usize), StoreError> {
        let (mut all, mut pieces) = (Vec::new(), 0);
        let mut each = |piece: Vec<u64>| {
            all.extend(piece);
            pieces += 1;
            Ok(if pieces == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        in_pieces(Seq(3), chunk, |place| Seq(*place), &mut each, |after, limit| {
            let rest = places.iter().copied().filter(|place| *place > after.0);
            Ok(rest.take(usize::try_from(limit).unwrap()).collect())
        })?;
        Ok((all, pieces))
    }

    #[test]
    fn every_record_comes_once_whatever_the_size_of_the_pieces() {
        let places: Vec<u64> = (1..50).map(|n| n * n).collect();
        for chunk in [1, 2, 3, 7, 47, 48, 49, 1_000, usize::MAX] {
            assert_eq!(pieces(&places, chunk, 0).unwrap().0, places[1..], "{chunk}");
        }
        assert_eq!(pieces(&[], 5, 0).unwrap(), (Vec::new(), 0));
        assert_eq!(pieces(&[4, 5, 6, 7, 8, 9], 3, 2).unwrap(), (vec![4, 5, 6, 7], 2));
    }

    #[test]
    fn records_that_share_a_place_are_not_passed_over() {
        assert_eq!(pieces(&[4, 5, 5, 5, 6], 4, 0).unwrap().0, [4, 5, 5, 5, 6]);
        assert_eq!(pieces(&[4, 5, 5, 6], 3, 0).unwrap().0, [4, 5, 5, 6]);
        assert!(pieces(&[4, 4, 4, 5], 3, 0).is_err());
    }
}
