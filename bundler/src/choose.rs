//! Who gets what: the part of this node's feed that a neighbour lacks.

use saddlebag_formats::{
    Action, ColumnChange, ColumnDescription, LinkId, RecordChange, SeenVersions, Seq, TableChanges, TableDescription,
};
use saddlebag_stores::config::Direction;
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::record::{Record, Tombstone};
use saddlebag_stores::tracking::{TrackedTable, Tracking};
use saddlebag_stores::{Store, StoreError};

/// The changes of all tables in `(after, upto]` that `link` lacks.
///
/// A record with a column in that stretch is there with all its columns after `after`, those after `upto` too: so a
/// new record is whole in the first bundle that names it, and whoever has applied a feed up to a position has every
/// column that changed up to there.
pub(crate) fn changes(
    store: &mut dyn Store,
    link: &Link,
    after: Seq,
    upto: Seq,
) -> Result<Vec<TableChanges>, StoreError> {
    let tracking = store.tracking().clone();
    let mut all = Vec::new();
    for table in tracking.tables.iter().filter(|table| travels(table.direction, link.role)) {
        let choice = Choice { table, link: link.id, up: link.role == PeerRole::Central, after, upto };
        let mut records = Vec::new();
        records.extend(store.feed(table, after, upto)?.iter().filter_map(|record| choice.write(record)));
        records.extend(store.deleted(table, after, upto)?.iter().filter_map(|tombstone| choice.deletion(tombstone)));
        if !records.is_empty() {
            records.sort_by_key(place);
            all.push(TableChanges { table: describe(table, &tracking), records });
        }
    }
    Ok(all)
}

/// How many records changed in `(after, upto]` that `link` lacks.
///
/// # Errors
/// The database's.
pub fn lacking(store: &mut dyn Store, link: &Link, after: Seq, upto: Seq) -> Result<u64, StoreError> {
    if after >= upto {
        return Ok(0);
    }
    Ok(changes(store, link, after, upto)?.iter().map(|table| table.records.len() as u64).sum())
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

/// A record's place in the feed.
pub(crate) fn place(change: &RecordChange) -> Seq {
    match &change.action {
        Action::Write { columns, .. } => columns.iter().map(|column| column.seq).max().unwrap_or_default(),
        Action::Delete { seq, .. } => *seq,
    }
}

fn describe(table: &TrackedTable, tracking: &Tracking) -> TableDescription {
    let target = |number: Option<u32>| number.and_then(|number| tracking.by_number(number)).map(|t| t.name.clone());
    let column = |column: &saddlebag_stores::tracking::TrackedColumn| ColumnDescription {
        name: column.name.clone(),
        references: target(column.reference),
    };
    TableDescription {
        name: table.name.clone(),
        identity: table.identity.to_string(),
        columns: table.columns.iter().map(column).collect(),
    }
}

struct Choice<'a> {
    table: &'a TrackedTable,
    link: LinkId,
    /// Whether the receiver is this node's central, which merges and needs to know what a change was based on.
    up: bool,
    after: Seq,
    upto: Seq,
}

impl Choice<'_> {
    /// The columns of a record that the receiver lacks; none if it lacks nothing.
    ///
    /// "A column is withheld only from the link it came over, and only while it is still that version."
    fn write(&self, record: &Record) -> Option<RecordChange> {
        let mut columns = Vec::new();
        for ((column, value), index) in self.table.columns.iter().zip(&record.values).zip(0..) {
            let state = record.state.of(column.id);
            if state.seq <= self.after || state.source == Some(self.link) {
                continue;
            }
            columns.push(ColumnChange {
                column: index,
                value: value.clone(),
                version: state.version,
                base: state.base.filter(|_| self.up),
                seq: state.seq,
                effective: state.effective,
            });
        }
        if columns.iter().all(|column| column.seq > self.upto) {
            return None;
        }
        let whole = columns.len() == self.table.columns.len();
        Some(RecordChange { uid: record.uid, action: Action::Write { whole, columns } })
    }

    fn deletion(&self, tombstone: &Tombstone) -> Option<RecordChange> {
        if tombstone.source == Some(self.link) {
            return None;
        }
        let index = |id| self.table.index_of_id(id).and_then(|index| u16::try_from(index).ok());
        let seen = SeenVersions::from_row_state(&tombstone.state, index);
        let (version, seq, same_as) = (tombstone.version, tombstone.seq, tombstone.same_as);
        let action = Action::Delete { version, seq, seen, same_as };
        Some(RecordChange { uid: tombstone.uid, action })
    }
}
