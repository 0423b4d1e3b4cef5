//! What a bundle says of records: which columns have which value, written when and where, upon what.

use serde::{Deserialize, Serialize};

use crate::ids::{Seq, TimeMs, Uid};
use crate::row_state::RowState;
use crate::value::Value;
use crate::version::Version;

/// The changes of one table, with what a receiver must know to read them.
#[derive(Debug, Clone, PartialEq)]
pub struct TableChanges {
    /// The table and its columns.
    pub table: TableDescription,
    /// Its records, in the order of the feed.
    pub records: Vec<RecordChange>,
}

/// A table as the sender has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDescription {
    /// The table's name in the configuration.
    pub name: String,
    /// How its rows get their uid, as written in the configuration: `natural(ref)`.
    pub identity: String,
    /// The columns that this bundle carries.
    pub columns: Vec<ColumnDescription>,
}

/// A column as the sender has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// The table that it refers to, where it is a foreign key.
    pub references: Option<String>,
}

/// What became of one record since the receiver last acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordChange {
    /// Which record.
    pub uid: Uid,
    /// Its state.
    pub action: Action,
}

/// The state of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It exists, with these columns.
    Write {
        /// Whether every column that the sender shares is here, so that the record can be made from it.
        whole: bool,
        /// The columns, by their index in the table's description, each at most once.
        columns: Vec<ColumnChange>,
    },
    /// It is deleted.
    Delete {
        /// When and where it was deleted.
        version: Version,
        /// Its place in the sender's feed.
        seq: Seq,
        /// What the one who deleted it had seen: columns by their index in the table's description.
        seen: SeenVersions,
        /// The record that it turned out to be: it goes on under that uid.
        same_as: Option<Uid>,
    },
}

/// One column's value.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnChange {
    /// Index in the table's description.
    pub column: u16,
    /// The value.
    pub value: Value,
    /// When and where it was written.
    pub version: Version,
    /// The version that it overwrote, before the sender's first unacknowledged change; none if the sender
    /// created the record.
    pub base: Option<Version>,
    /// Its place in the sender's feed.
    pub seq: Seq,
    /// The time that counts between concurrent edits, where it is not the version's own: the writer's clock
    /// was ahead of the first central's.
    pub effective: Option<TimeMs>,
}

/// The versions that a deletion knew, per column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenVersions {
    /// Of every column that is not in `columns`.
    pub row: Seen,
    /// Of the columns that differ, by index in the table's description, rising.
    pub columns: Vec<(u16, Seen)>,
}

/// The versions of one column that a deletion knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The version that stood there.
    pub version: Version,
    /// What it had been based on, where that was not acknowledged yet.
    pub base: Option<Version>,
}

impl SeenVersions {
    /// What was known of column `index`.
    #[must_use]
    pub fn of(&self, index: u16) -> Seen {
        self.columns.binary_search_by_key(&index, |(column, _)| *column).map_or(self.row, |at| self.columns[at].1)
    }

    /// What the row state of a deleted record says was known, its columns renamed by `index_of`; columns that
    /// have no index there are left out.
    #[must_use]
    pub fn from_row_state(state: &RowState, index_of: impl Fn(u16) -> Option<u16>) -> Self {
        let seen = |column: &crate::row_state::ColumnState| Seen { version: column.version, base: column.base };
        let mut columns: Vec<_> = state
            .columns
            .iter()
            .filter_map(|(column, known)| index_of(*column).map(|index| (index, seen(known))))
            .collect();
        columns.sort_by_key(|(index, _)| *index);
        Self { row: seen(&state.row), columns }
    }
}
