//! Who gets what: the part of this node's feed that a neighbour lacks, in pieces.
//!
//! Invariant: however much it lacks, the records of one piece are held at a time.

use std::ops::ControlFlow;

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::limits::RECORD_BYTES_MAX;
use saddlebag_formats::{
    Action, ColumnChange, ColumnDescription, LinkId, RecordChange, Seen, SeenVersions, Seq, TableChanges,
    TableDescription, Uid,
};
use saddlebag_stores::config::Direction;
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::record::{Record, Tombstone};
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable, Tracking};
use saddlebag_stores::{Store, StoreError};

#[cfg(test)]
mod tests;

/// Records in one piece.
const PIECE: usize = 5_000;
/// Records in one piece where the first that is lacking says enough.
const FIRST_PIECE: usize = 200;

/// The changes in `(after, upto]` that `link` lacks, until `each` has seen all or breaks off: what is written, parents
/// first, then what is deleted, children first; of each table in the order of the feed.
///
/// A record with a column in that stretch is there with all its columns after `after`, those after `upto` too: so a
/// new record is whole in the first bundle that names it, and whoever has applied a feed up to a position has every
/// column that changed up to there.
///
/// A record that fits no bundle is left out, and given back; so is what the others are compared by.
pub(crate) fn changes(
    store: &mut dyn Store,
    link: &Link,
    (after, upto): (Seq, Seq),
    each: &mut dyn FnMut(TableChanges) -> ControlFlow<()>,
) -> Result<Chosen, StoreError> {
    let mut chosen = Chosen::default();
    let _flow = in_pieces(store, link, (after, upto), PIECE, each, &mut chosen)?;
    Ok(chosen)
}

/// What was chosen, beside the changes themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    /// Records that fit no bundle.
    pub(crate) too_large: Vec<TooLarge>,
    /// The live records of tables that travel both ways, with their row hashes.
    pub(crate) live: Vec<(Uid, u64)>,
}

/// A record that fits no bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// The number of its table.
    pub(crate) table: u32,
    pub(crate) uid: Uid,
    pub(crate) bytes: usize,
}

/// Whether `link` lacks anything of what changed in `(after, upto]`.
pub(crate) fn lacks(store: &mut dyn Store, link: &Link, (after, upto): (Seq, Seq)) -> Result<bool, StoreError> {
    let first = &mut |_| ControlFlow::Break(());
    Ok(in_pieces(store, link, (after, upto), FIRST_PIECE, first, &mut Chosen::default())?.is_break())
}

/// How many records changed in `(after, upto]` that `link` lacks.
///
/// # Errors
/// The database's.
pub(crate) fn lacking(store: &mut dyn Store, link: &Link, after: Seq, upto: Seq) -> Result<u64, StoreError> {
    let mut count = 0;
    changes(store, link, (after, upto), &mut |table| {
        count += table.records.len() as u64;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

/// What a link's other end has not acknowledged, in records. One that changed before and after counts for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unacknowledged {
    /// In bundles that were made for it.
    pub sent: u64,
    /// In no bundle yet.
    pub unsent: u64,
}

/// Counts what `link` lacks in `(acknowledged, upto]`, of which bundles cover the part up to `covered`.
///
/// # Errors
/// The database's.
pub fn unacknowledged(
    store: &mut dyn Store,
    link: &Link,
    (acknowledged, covered, upto): (Seq, Seq, Seq),
) -> Result<Unacknowledged, StoreError> {
    let mut counts = Unacknowledged::default();
    changes(store, link, (acknowledged, upto), &mut |table| {
        table.records.iter().for_each(|record| counts.add(record, covered));
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

impl Unacknowledged {
    fn add(&mut self, record: &RecordChange, covered: Seq) {
        let (sent, unsent) = match &record.action {
            Action::Write { columns, .. } => {
                let is_unsent = |column: &ColumnChange| column.seq > covered;
                (!columns.iter().all(is_unsent), columns.iter().any(is_unsent))
            }
            Action::Delete { seq, .. } => (*seq <= covered, *seq > covered),
        };
        self.sent += u64::from(sent);
        self.unsent += u64::from(unsent);
    }
}

/// Gives what is lacking, in pieces that are not empty; says whether it was broken off.
fn in_pieces(
    store: &mut dyn Store,
    link: &Link,
    (after, upto): (Seq, Seq),
    piece: usize,
    each: &mut dyn FnMut(TableChanges) -> ControlFlow<()>,
    chosen: &mut Chosen,
) -> Result<ControlFlow<()>, StoreError> {
    let mut flow = ControlFlow::Continue(());
    if after >= upto {
        return Ok(flow);
    }
    let tracking = store.tracking().clone();
    let tables: Vec<_> = tracking.tables.iter().filter(|table| travels(table.direction, link.role)).collect();
    let choices: Vec<_> = tables.iter().map(|table| Choice::new(table, &tracking, link, after, upto)).collect();
    for choice in &choices {
        store.feed_each(choice.table, after, upto, piece, &mut |records| {
            let is_compared = choice.table.direction == Direction::Both;
            let writes = records.into_iter().filter_map(|record| {
                let hash = record.hash;
                let change = choice.write(record).filter(|change| choice.fits(change, &mut chosen.too_large))?;
                if is_compared {
                    chosen.live.push((change.uid, hash));
                }
                Some(change)
            });
            flow = choice.give(writes, each);
            Ok(flow)
        })?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    for choice in choices.iter().rev() {
        store.deleted_each(choice.table, after, upto, piece, &mut |tombstones| {
            flow = choice.give(tombstones.iter().filter_map(|tombstone| choice.deletion(tombstone)), each);
            Ok(flow)
        })?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(flow)
}

/// Whether a table's changes go to a neighbour of this role.
fn travels(direction: Direction, peer: PeerRole) -> bool {
    match direction {
        Direction::Both => true,
        Direction::Up => peer == PeerRole::Central,
        Direction::Down => peer == PeerRole::Satellite,
        Direction::Match => false,
    }
}

fn describe(table: &TrackedTable, tracking: &Tracking) -> TableDescription {
    let known = |column: &TrackedColumn| Some(tracking.by_number(column.reference?)?.name.clone());
    // What a column refers to that this schema lacks is known from where it came.
    let elsewhere = |column: &TrackedColumn| column.absent.as_ref()?.references.clone();
    let column = |column: &TrackedColumn| ColumnDescription {
        name: column.name.clone(),
        references: known(column).or_else(|| elsewhere(column)),
    };
    TableDescription {
        name: table.name.clone(),
        identity: table.identity.to_string(),
        columns: table.columns.iter().map(column).collect(),
    }
}

struct Choice<'a> {
    table: &'a TrackedTable,
    description: TableDescription,
    link: LinkId,
    /// Whether the receiver is this node's central, which merges and needs to know what a change was based on.
    up: bool,
    after: Seq,
    upto: Seq,
}

impl<'a> Choice<'a> {
    fn new(table: &'a TrackedTable, tracking: &Tracking, link: &Link, after: Seq, upto: Seq) -> Self {
        let description = describe(table, tracking);
        Self { table, description, link: link.id, up: link.role == PeerRole::Central, after, upto }
    }

    fn give(
        &self,
        records: impl Iterator<Item = RecordChange>,
        each: &mut dyn FnMut(TableChanges) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let records: Vec<RecordChange> = records.collect();
        if records.is_empty() {
            return ControlFlow::Continue(());
        }
        each(TableChanges { table: self.description.clone(), records })
    }

    /// The columns of a record that the receiver lacks; none if it lacks nothing.
    ///
    /// "A column is withheld only from the link it came over, and only while it is still that version."
    fn write(&self, record: Record) -> Option<RecordChange> {
        let after = Seq(self.after.0.saturating_add(u64::from(is_on(Fault::AfterTooHigh))));
        let mut columns = Vec::with_capacity(self.table.columns.len());
        for ((column, value), index) in self.table.columns.iter().zip(record.values).zip(0..) {
            let state = record.state.of(column.id);
            let place = state.place(self.up);
            if place <= after || state.source == Some(self.link) || record.unknown.contains(&column.id) {
                continue;
            }
            columns.push(ColumnChange {
                column: index,
                value,
                version: state.version,
                base: state.base.filter(|_| self.up && !is_on(Fault::BaseDropped)),
                seq: place,
                effective: state.effective,
            });
        }
        let is_later = |column: &ColumnChange| column.seq > self.upto;
        if columns.iter().all(is_later) || (is_on(Fault::HighRecordsSkipped) && columns.iter().any(is_later)) {
            return None;
        }
        let whole = columns.len() + record.unknown.len() == self.table.columns.len();
        Some(RecordChange { uid: record.uid, action: Action::Write { whole, columns } })
    }

    /// Whether some bundle can carry a change; notes it if not.
    fn fits(&self, change: &RecordChange, too_large: &mut Vec<TooLarge>) -> bool {
        let Action::Write { columns, .. } = &change.action else { return true };
        let bytes = columns.iter().map(|column| column.value.content_bytes()).sum();
        if bytes > RECORD_BYTES_MAX {
            too_large.push(TooLarge { table: self.table.number, uid: change.uid, bytes });
        }
        bytes <= RECORD_BYTES_MAX
    }

    fn deletion(&self, tombstone: &Tombstone) -> Option<RecordChange> {
        if tombstone.source == Some(self.link) {
            return None;
        }
        let index = |id| self.table.index_of_id(id).and_then(|index| u16::try_from(index).ok());
        let mut seen = SeenVersions::from_row_state(&tombstone.state, index);
        if is_on(Fault::SeenForgotten) {
            seen = SeenVersions { row: Seen { version: tombstone.version, base: None }, columns: Vec::new() };
        }
        let (version, seq, same_as) = (tombstone.version, tombstone.seq, tombstone.same_as);
        let action = Action::Delete { version, seq, seen, same_as };
        Some(RecordChange { uid: tombstone.uid, action })
    }
}
