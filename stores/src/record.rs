//! Records as the store gives and takes them.

use saddlebag_formats::{ColumnState, LinkId, RowState, Seq, Uid, Value, Version};

use crate::ledger::Beside;
use crate::tracking::TrackedTable;

/// The primary key of a row in this database, in key order. Values are local: never references.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(pub Vec<Value>);

/// A live record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name everywhere.
    pub uid: Uid,
    /// Its key here.
    pub key: Key,
    /// What is known of its columns.
    pub state: RowState,
    /// The hash of its shared values when they were last read or written.
    pub hash: u64,
    /// Its values now, in the order of the tracked table's columns; foreign keys as references. Where a true value
    /// stands beside the record, it is here.
    pub values: Vec<Value>,
    /// Columns that this schema lacks and of which nothing is known here, by id; null in `values`.
    pub unknown: Vec<u16>,
}

/// A deleted record.
#[derive(Debug, Clone, PartialEq)]
pub struct Tombstone {
    /// Its name everywhere.
    pub uid: Uid,
    /// The number of its table.
    pub table: u32,
    /// When and where it was deleted.
    pub version: Version,
    /// Its place in the feed.
    pub seq: Seq,
    /// The link that the deletion came over.
    pub source: Option<LinkId>,
    /// What was known of its columns when it was deleted.
    pub state: RowState,
    /// Its last values, by column id.
    pub values: Vec<(u16, Value)>,
    /// The record that it turned out to be: it goes on under that uid.
    pub same_as: Option<Uid>,
}

impl Tombstone {
    /// A record that is deleted now, with its last values.
    #[must_use]
    pub fn of(record: &Record, table: &TrackedTable, version: Version, seq: Seq, source: Option<LinkId>) -> Self {
        let values = table.columns.iter().map(|column| column.id).zip(record.values.iter().cloned());
        let values = values.filter(|(id, _)| !record.unknown.contains(id)).collect();
        let (uid, table, state) = (record.uid, table.number, record.state.clone());
        Self { uid, table, version, seq, source, state, values, same_as: None }
    }

    /// The deletion as the state of a column, to ask whether it is acknowledged.
    #[must_use]
    pub fn as_column(&self) -> ColumnState {
        ColumnState { source: self.source, ..ColumnState::new(self.version, self.seq) }
    }
}

/// What this node has under a uid.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// A live record.
    Live(Record),
    /// A deleted one.
    Deleted(Tombstone),
}

/// One row to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWrite {
    /// The record.
    pub uid: Uid,
    /// Its key here; none for a new row, whose key the database gives.
    pub key: Option<Key>,
    /// The columns to write, by index in the tracked table's columns, with values of this database: a reference
    /// has become the key that it stands for.
    pub values: Vec<(usize, Value)>,
    /// True values that cannot stand in their columns; what stands there instead is among `values`.
    pub beside: Vec<Beside>,
    /// What is known of its columns from now on.
    pub state: RowState,
    /// The hash of its shared values from now on.
    pub hash: u64,
}

/// The database refused a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The database's own words.
    pub reason: String,
}

/// A row that refers to a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Referrer {
    /// Its table's name.
    pub table: String,
    /// Its number, if the table is tracked.
    pub number: Option<u32>,
    /// Its uid, if it has one.
    pub uid: Option<Uid>,
}

/// What absorb found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absorbed {
    /// New records.
    pub created: u64,
    /// Records with changed columns.
    pub changed: u64,
    /// Deleted records.
    pub deleted: u64,
    /// Rows that have the identity of another one here and therefore stay at home.
    pub duplicates: u64,
}
