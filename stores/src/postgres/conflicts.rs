//! Conflicts: both sides of each.

use std::collections::HashSet;

use postgres::Row;
use saddlebag_formats::{Epoch, NodeId, TimeMs, Uid, Version, Writer};
use uuid::Uuid;

use super::client::Client;
use super::fields::{each, field, link_id, uid, unsigned};
use super::writers::Writers;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Conflict, ConflictSide};
use crate::stored_words::{conflict_name, conflict_named, rule_name, rule_named};

const READING: &str = "reading conflicts";
const WRITING: &str = "writing conflicts";

/// What tells a conflict from all others: the same two versions meet again when a held change is tried again.
type Identity<'a> = (Uid, &'a str, Option<&'a str>, &'static str, Version, Version);

fn identity(conflict: &Conflict) -> Identity<'_> {
    let (winner, loser) = (conflict.winner.version, conflict.loser.version);
    (conflict.uid, &conflict.table, conflict.column.as_deref(), conflict_name(conflict.kind), winner, loser)
}

/// Keeps those that are new; says of each whether it is.
pub(super) fn add(client: &mut Client, writers: &mut Writers, conflicts: &[Conflict]) -> Result<Vec<bool>, StoreError> {
    let mut is_new = vec![false; conflicts.len()];
    let mut seen = HashSet::new();
    let (places, once): (Vec<usize>, Vec<&Conflict>) =
        conflicts.iter().enumerate().filter(|(_, conflict)| seen.insert(identity(conflict))).unzip();
    if once.is_empty() {
        return Ok(is_new);
    }
    let mut number = |side: &ConflictSide| Ok(writers.number(client, side.version.writer)?.cast_signed());
    let winner_writers = once.iter().map(|c| number(&c.winner)).collect::<Result<Vec<i32>, StoreError>>()?;
    let loser_writers = once.iter().map(|c| number(&c.loser)).collect::<Result<Vec<i32>, StoreError>>()?;
    let sql = "WITH given AS (SELECT * FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::text[], \
               $6::bytea[], $7::bigint[], $8::integer[], $9::bytea[], $10::bigint[], $11::integer[], $12::bigint[], \
               $13::text[], $14::bigint[], $15::bigint[], $16::boolean[]) \
               WITH ORDINALITY g (link, table_name, uid, column_name, kind, winner_value, winner_time, winner_writer, \
               loser_value, loser_time, loser_writer, found, rule, winner_effective, loser_effective, clock_doubted, \
               place)), \
               new AS (SELECT * FROM given g WHERE NOT EXISTS (\
               SELECT 1 FROM saddlebag.conflict c WHERE c.uid = g.uid AND c.table_name = g.table_name \
               AND c.column_name IS NOT DISTINCT FROM g.column_name AND c.kind = g.kind \
               AND c.winner_time = g.winner_time AND c.winner_writer = g.winner_writer \
               AND c.loser_time = g.loser_time AND c.loser_writer = g.loser_writer)), \
               added AS (INSERT INTO saddlebag.conflict (id, link, table_name, uid, column_name, kind, winner_value, \
               winner_time, winner_writer, loser_value, loser_time, loser_writer, found, rule, winner_effective, \
               loser_effective, clock_doubted) \
               SELECT (SELECT COALESCE(max(id), 0) FROM saddlebag.conflict) + row_number() OVER (ORDER BY place), \
               link, table_name, uid, column_name, kind, winner_value, winner_time, winner_writer, \
               loser_value, loser_time, loser_writer, found, rule, winner_effective, loser_effective, clock_doubted \
               FROM new) \
               SELECT place FROM new";
    let rows = client.query(
        WRITING,
        sql,
        &[
            &each!(once, |c| i64::from(c.link.0)),
            &each!(once, |c| c.table.as_str()),
            &each!(once, |c| Uuid::from_bytes(c.uid.0)),
            &each!(once, |c| c.column.as_deref()),
            &each!(once, |c| conflict_name(c.kind)),
            &each!(once, |c| c.winner.value.as_deref()),
            &each!(once, |c| c.winner.version.time.0),
            &winner_writers,
            &each!(once, |c| c.loser.value.as_deref()),
            &each!(once, |c| c.loser.version.time.0),
            &loser_writers,
            &each!(once, |c| c.found.0),
            &each!(once, |c| rule_name(c.rule)),
            &each!(once, |c| c.winner.effective.map(|time| time.0)),
            &each!(once, |c| c.loser.effective.map(|time| time.0)),
            &each!(once, |c| c.clock_doubted),
        ],
    )?;
    for row in &rows {
        let place: i64 = field(WRITING, row, 0)?;
        let at = usize::try_from(place - 1).ok().and_then(|place| places.get(place));
        if let Some(new) = at.and_then(|at| is_new.get_mut(*at)) {
            *new = true;
        }
    }
    Ok(is_new)
}

type ConflictRow = (u64, Conflict, u32, u32);

fn conflict_row(row: &Row) -> Result<ConflictRow, StoreError> {
    let kind: &str = field(READING, row, 4)?;
    // The writers are named by number: their versions are completed by the caller.
    let side = |start: usize, effective: usize| -> Result<(ConflictSide, u32), StoreError> {
        let writer = Writer { node: NodeId([0; 16]), epoch: Epoch(0) };
        let version = Version { time: TimeMs(field(READING, row, start + 1)?), writer };
        let number: i32 = field(READING, row, start + 2)?;
        let effective: Option<i64> = field(READING, row, effective)?;
        let side = ConflictSide { value: field(READING, row, start)?, version, effective: effective.map(TimeMs) };
        Ok((side, number.cast_unsigned()))
    };
    let ((winner, winner_writer), (loser, loser_writer)) = (side(5, 14)?, side(8, 15)?);
    let conflict = Conflict {
        link: link_id(READING, row, 0)?,
        table: field(READING, row, 1)?,
        uid: uid(READING, row, 2)?,
        column: field(READING, row, 3)?,
        kind: conflict_named(kind),
        rule: rule_named(field(READING, row, 13)?),
        winner,
        loser,
        found: TimeMs(field(READING, row, 11)?),
        clock_doubted: field(READING, row, 16)?,
    };
    Ok((unsigned(READING, row, 12)?, conflict, winner_writer, loser_writer))
}

pub(super) fn all(client: &mut Client, writers: &mut Writers) -> Result<Vec<(u64, Conflict)>, StoreError> {
    let known = writers.lookup(client)?;
    let sql = "SELECT link, table_name, uid, column_name, kind, winner_value, winner_time, winner_writer, \
               loser_value, loser_time, loser_writer, found, id, rule, winner_effective, loser_effective, clock_doubted \
               FROM saddlebag.conflict ORDER BY id";
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
