//! The feed of this node: the records of a stretch of it, in pieces, and how long it is.

use std::collections::HashSet;
use std::ops::ControlFlow;

use postgres::Row;
use saddlebag_formats::Seq;

use super::fields::{field, unsigned};
use super::sql::states as states_table;
use super::{PostgresStore, rows, states};
use crate::error::StoreError;
use crate::pieces::in_pieces;
use crate::record::{Record, Tombstone};
use crate::tracking::TrackedTable;

const MEASURING: &str = "measuring the feed";

/// Live records that have a column in a stretch of the feed, in pieces.
pub(super) fn each(
    store: &mut PostgresStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    if !is_in_feed(store, table, after)? {
        return Ok(());
    }
    let condition = "s.seq > $1 AND s.first_seq <= $2 ORDER BY s.seq LIMIT $3";
    let last = upto.0.cast_signed();
    in_pieces(
        after,
        chunk,
        |record: &Record| record.state.seq(),
        &mut |mut piece: Vec<Record>| {
            // Of a record that has places before and after the stretch only its state tells whether it has some in it.
            piece.retain(|record| record.state.has_place(after, upto));
            if piece.is_empty() { Ok(ControlFlow::Continue(())) } else { each(piece) }
        },
        |from, limit| {
            let read = rows::read(store, table, condition, &[&from.0.cast_signed(), &last, &limit])?;
            store.cache.forget_read();
            Ok(read)
        },
    )
}

/// Whether a table has live records after a place in the feed.
fn is_in_feed(store: &mut PostgresStore, table: &TrackedTable, after: Seq) -> Result<bool, StoreError> {
    Ok(in_feed(store, after)?.contains(&table.number))
}

/// The tables with live records after a place in the feed, by number. All are asked together: in most nothing has
/// changed.
fn in_feed(store: &mut PostgresStore, after: Seq) -> Result<&HashSet<u32>, StoreError> {
    store.flush()?;
    let known = store.cache.in_feed.take().filter(|(place, _)| store.access.is_some() && *place == after);
    let tables = match known {
        Some((_, tables)) => tables,
        None => {
            let of = |table: &TrackedTable| {
                let (number, states) = (table.number, states_table(table.number));
                format!("SELECT {number} WHERE EXISTS (SELECT FROM {states} WHERE seq > $1::bigint)")
            };
            let parts: Vec<_> = store.tracking.tables.iter().map(of).collect();
            if parts.is_empty() {
                HashSet::new()
            } else {
                let rows = store.client.query(MEASURING, &parts.join(" UNION ALL "), &[&after.0.cast_signed()])?;
                let number = |row: &Row| Ok(field::<i32>(MEASURING, row, 0)?.cast_unsigned());
                rows.iter().map(number).collect::<Result<_, StoreError>>()?
            }
        }
    };
    Ok(&store.cache.in_feed.insert((after, tables)).1)
}

/// Deleted records of a table in a stretch of the feed, in pieces.
pub(super) fn each_deleted(
    store: &mut PostgresStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Tombstone>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    if !states::has_tombstones(store, table.number)? {
        return Ok(());
    }
    in_pieces(
        after,
        chunk,
        |tombstone: &Tombstone| tombstone.seq,
        each,
        |after, limit| states::deleted(store, table, after, upto, limit),
    )
}

/// Places in the feed after `$1`, of all tables that have some.
fn places(store: &mut PostgresStore, after: Seq) -> Result<String, StoreError> {
    let mut numbers: Vec<u32> = in_feed(store, after)?.iter().copied().collect();
    numbers.sort_unstable();
    let of = |number: &u32| format!("SELECT seq FROM {} WHERE seq > $1::bigint AND NOT home", states_table(*number));
    let mut parts: Vec<_> = numbers.iter().map(of).collect();
    parts.push("SELECT seq FROM saddlebag.tombstone WHERE seq > $1::bigint".to_owned());
    Ok(parts.join(" UNION ALL "))
}

/// The place of the `limit`-th record, if there are more.
pub(super) fn cut(store: &mut PostgresStore, after: Seq, limit: u64) -> Result<Option<Seq>, StoreError> {
    // Each record has a place of its own.
    if store.load_last_seq()?.0.saturating_sub(after.0) <= limit {
        return Ok(None);
    }
    let sql = format!("SELECT seq FROM ({}) p ORDER BY 1 OFFSET $2 LIMIT 2", places(store, after)?);
    let offset = i64::try_from(limit.saturating_sub(1)).unwrap_or(i64::MAX);
    let rows = store.client.query(MEASURING, &sql, &[&after.0.cast_signed(), &offset])?;
    match rows.as_slice() {
        [last, _beyond] => Ok(Some(Seq(unsigned(MEASURING, last, 0)?))),
        _ => Ok(None),
    }
}

/// How many records changed after a place.
pub(super) fn length(store: &mut PostgresStore, after: Seq) -> Result<u64, StoreError> {
    if store.load_last_seq()? <= after {
        return Ok(0);
    }
    let sql = format!("SELECT count(*) FROM ({}) p", places(store, after)?);
    let row = store.client.query_one(MEASURING, &sql, &[&after.0.cast_signed()])?;
    let count: i64 = field(MEASURING, &row, 0)?;
    Ok(count.cast_unsigned())
}
