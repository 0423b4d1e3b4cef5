//! What went past the triggers: rows and row states that do not fit each other.

use saddlebag_formats::Uid;

use crate::record::Key;

/// A row or a row state that does not fit the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key of the row, or the one that it had.
    pub key: Key,
    /// The record; none where nobody has given the row a uid yet.
    pub uid: Option<Uid>,
    /// How they differ.
    pub kind: DifferenceKind,
}

/// How a row and its row state differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DifferenceKind {
    /// There is a row that saddlebag has not seen.
    NoState,
    /// The row that saddlebag knew is gone.
    NoRow,
    /// The row has other values than when it was last read or written.
    OtherValues,
}

/// A row that has the identity of another one here and therefore stays at home.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeRow {
    /// Its key.
    pub key: Key,
    /// The name by which only this database knows it.
    pub uid: Uid,
    /// The record whose identity it has, if that still stands here.
    pub holder: Option<Uid>,
    /// Its shared values, in the order of the tracked table's columns; foreign keys as references.
    pub values: Vec<saddlebag_formats::Value>,
}
