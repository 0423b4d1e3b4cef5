//! The feed of this node: the records of a stretch of it, in pieces, and how long it is.

use std::ops::ControlFlow;

use saddlebag_formats::{RowState, Seq};

use super::fields::{field, unsigned};
use super::sql::states as states_table;
use super::{PostgresStore, rows, states};
use crate::error::StoreError;
use crate::pieces::in_pieces;
use crate::record::{Record, Tombstone};
use crate::tracking::{TrackedTable, Tracking};

const MEASURING: &str = "measuring the feed";

fn has_place(state: &RowState, after: Seq, upto: Seq) -> bool {
    let within = |seq: Seq| after < seq && seq <= upto;
    within(state.row.seq) || state.columns.iter().any(|(_, column)| within(column.seq))
}

/// Live records that have a column in a stretch of the feed, in pieces.
pub(super) fn each(
    store: &mut PostgresStore,
    table: &TrackedTable,
    after: Seq,
    upto: Seq,
    chunk: usize,
    each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let condition = "s.seq > $1 AND s.first_seq <= $2 ORDER BY s.seq LIMIT $3";
    let last = upto.0.cast_signed();
    in_pieces(
        after,
        chunk,
        |record: &Record| record.state.seq(),
        &mut |mut piece: Vec<Record>| {
            // Of a record that has places before and after the stretch only its state tells whether it has some in it.
            piece.retain(|record| has_place(&record.state, after, upto));
            if piece.is_empty() { Ok(ControlFlow::Continue(())) } else { each(piece) }
        },
        |from, limit| {
            let read = rows::read(store, table, condition, &[&from.0.cast_signed(), &last, &limit])?;
            store.cache.forget_read();
            Ok(read)
        },
    )
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
    in_pieces(
        after,
        chunk,
        |tombstone: &Tombstone| tombstone.seq,
        each,
        |after, limit| states::deleted(store, table, after, upto, limit),
    )
}

/// Places in the feed after `$1`, of all tables.
fn places(tracking: &Tracking) -> String {
    let of = |table: &TrackedTable| {
        format!("SELECT seq FROM {} WHERE seq > $1::bigint AND NOT home", states_table(table.number))
    };
    let mut parts: Vec<_> = tracking.tables.iter().map(of).collect();
    parts.push("SELECT seq FROM saddlebag.tombstone WHERE seq > $1::bigint".to_owned());
    parts.join(" UNION ALL ")
}

/// The place of the `limit`-th record, if there are more.
pub(super) fn cut(store: &mut PostgresStore, after: Seq, limit: u64) -> Result<Option<Seq>, StoreError> {
    if length(store, after)? <= limit {
        return Ok(None);
    }
    let sql = format!("SELECT seq FROM ({}) p ORDER BY 1 LIMIT 1 OFFSET $2", places(&store.tracking));
    let offset = i64::try_from(limit.saturating_sub(1)).unwrap_or(i64::MAX);
    let row = store.client.query_one(MEASURING, &sql, &[&after.0.cast_signed(), &offset])?;
    Ok(Some(Seq(unsigned(MEASURING, &row, 0)?)))
}

/// How many records changed after a place.
pub(super) fn length(store: &mut PostgresStore, after: Seq) -> Result<u64, StoreError> {
    store.flush()?;
    let sql = format!("SELECT count(*) FROM ({}) p", places(&store.tracking));
    let row = store.client.query_one(MEASURING, &sql, &[&after.0.cast_signed()])?;
    let count: i64 = field(MEASURING, &row, 0)?;
    Ok(count.cast_unsigned())
}
