//! Members `changes/NNNN`: what became of records, stored column by column.
//!
//! Invariant: any bytes either decode to changes that keep every rule of [`TableChanges`], or are refused;
//! no few bytes unfold to more than the limits of a member.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::budget::Budget;
use crate::change::{RecordChange, TableChanges, TableDescription};
use crate::codec::{self, CodecError};
use crate::ids::Uid;
use crate::layers::{Writers, WritersV1};
use crate::limits::TABLES_PER_MEMBER_MAX;
use crate::split::TableSlice;
use crate::table::TableV1;
use crate::uids::{UidIndexes, UidsV1};

/// Changes that cannot be written, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// Not the encoding of a member.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A list of the wrong length.
    #[error("there are {found} {what}, where there must be {expected}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A number that points past the end of its list.
    #[error("among the {what}, {number} points to nothing")]
    Index {
        /// The list.
        what: &'static str,
        /// The number.
        number: i64,
    },
    /// Numbers in another form than the one that is written.
    #[error("the {what} are not in their one canonical form")]
    NotShortest {
        /// The numbers.
        what: &'static str,
    },
    /// More than a member may hold.
    #[error("a member holds at most {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A uid twice, or one that no number can make.
    #[error("the dictionary of uids is damaged")]
    Uid,
    /// Nulls in another than their one form.
    #[error("the marks of null values are damaged")]
    Nulls,
    /// Lengths that do not cut the text into texts.
    #[error("the texts of a column are damaged")]
    Text,
    /// Versions of columns that no record brings.
    #[error("the versions of single columns are damaged")]
    Exceptions,
    /// A record whose columns are not in rising order, or not in the description.
    #[error("the columns of record {uid} of table `{table}` do not rise, or are not described")]
    Columns {
        /// The table.
        table: String,
        /// The record.
        uid: Uid,
    },
    /// Bytes of one change that hold another number of them.
    #[error("the bytes hold {found} records, where there must be one")]
    NotOne {
        /// How many.
        found: usize,
    },
}

#[derive(Serialize, Deserialize)]
enum ChangesMember {
    V1(ChangesV1),
}

#[derive(Serialize, Deserialize)]
struct ChangesV1 {
    writers: WritersV1,
    uids: UidsV1,
    tables: Bounded<TableV1, TABLES_PER_MEMBER_MAX>,
}

/// The bytes of one member. The caller keeps the limits of a member.
pub(crate) fn encode(tables: &[TableSlice<'_>]) -> Result<Vec<u8>, ChangesError> {
    let uids = UidIndexes::of(tables);
    let mut writers = Writers::default();
    let tables: Vec<TableV1> =
        tables.iter().map(|table| TableV1::of(table, &uids, &mut writers)).collect::<Result<_, _>>()?;
    let member = ChangesV1 { writers: writers.to_wire(), uids: uids.to_wire(), tables: Bounded(tables) };
    Ok(codec::encode(&ChangesMember::V1(member)))
}

/// The changes of one member.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<TableChanges>, ChangesError> {
    let ChangesMember::V1(member) = codec::decode(bytes)?;
    let (writers, uids) = (member.writers.read(), member.uids.read()?);
    let mut budget = Budget::member();
    member.tables.0.iter().map(|table| table.read(&uids, &writers, &mut budget)).collect()
}

/// The bytes of a single change with all that is needed to read it, for what is held.
///
/// # Errors
/// If its columns do not rise or are not in `table`.
pub fn encode_change(table: &TableDescription, record: &RecordChange) -> Result<Vec<u8>, ChangesError> {
    encode(&[TableSlice { table, records: std::slice::from_ref(record) }])
}

/// The change whose bytes these are.
///
/// # Errors
/// If they are not the bytes of exactly one change.
pub fn decode_change(bytes: &[u8]) -> Result<(TableDescription, RecordChange), ChangesError> {
    let mut tables = decode(bytes)?;
    let found = tables.iter().map(|table| table.records.len()).sum();
    match tables.pop().map(|table| (table.table, table.records)) {
        Some((table, mut records)) if found == 1 && tables.is_empty() => {
            records.pop().map(|record| (table, record)).ok_or(ChangesError::NotOne { found })
        }
        _ => Err(ChangesError::NotOne { found }),
    }
}
