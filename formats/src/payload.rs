//! What a bundle carries, packed: `zstd( tar( members ) )`. Sealing lies around it and is not known here.
//!
//! Members in this order, each exactly once: `bundle`, `health`, `receipts`, `changes/0000`, `changes/0001` …, and
//! `digests` where there is anything to compare.
//! Invariant: one frame, one archive, nothing beside and nothing after; whatever is claimed, memory stays
//! within the limits.
//!
//! [`PayloadWriter`] and [`PayloadReader`] hold one member at a time, whatever the number of records; [`pack`] and
//! [`unpack`] are the same for what is small enough to be held whole.

use std::io::{self, Read};

pub use crate::archive::ArchiveError;
use crate::change::{RecordChange, TableChanges};
use crate::codec::CodecError;
pub use crate::frame::Levels;
use crate::limits;
use crate::members::{Binding, ChangesError, Health, Receipt};
pub use crate::payload_reader::PayloadReader;
pub use crate::payload_writer::PayloadWriter;
use crate::split;

/// All that a bundle carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Which bundle it belongs to.
    pub binding: Binding,
    /// How the sender does.
    pub health: Health,
    /// What became of the receiver's changes.
    pub receipts: Vec<Receipt>,
    /// The sender's changes.
    pub changes: Vec<TableChanges>,
}

/// A payload that cannot be packed, or bytes that are none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The compressed bytes are damaged, end early, or ask for too much memory.
    #[error("the payload cannot be decompressed")]
    Compression(#[source] io::Error),
    /// What is packed cannot be written to where it goes.
    #[error("the payload cannot be written")]
    Write(#[source] io::Error),
    /// Bytes follow the frame.
    #[error("bytes follow the end of the compressed payload")]
    Trailing,
    /// The archive is damaged.
    #[error("the payload's archive is refused")]
    Archive(#[source] ArchiveError),
    /// It unpacks to more than any bundle may.
    #[error("the payload unpacks to more than {limit} bytes")]
    Unpacked {
        /// How many it may.
        limit: u64,
    },
    /// Another member than the one that comes next.
    #[error("the payload has {found} where `{expected}` must come")]
    Order {
        /// The member that must come.
        expected: String,
        /// What comes.
        found: String,
    },
    /// A member of a right name whose content is not.
    #[error("the member `{member}` is damaged")]
    Member {
        /// The member.
        member: String,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
    /// The same for changes.
    #[error("the changes of member `{member}` are refused")]
    Changes {
        /// The member.
        member: String,
        /// What is wrong.
        #[source]
        source: ChangesError,
    },
    /// More than a bundle holds.
    #[error("a bundle holds at most {limit} {what}, this one has more")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl PayloadError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooMany { .. } | Self::Unpacked { .. } => "the changes must be sent as several bundles",
            Self::Write(_) => "check the space on the disk, and try again",
            _ => "the sender's saddlebag made a bundle that this one does not understand: compare their versions",
        }
    }
}

/// Packs `payload`; the same payload and level always give the same bytes. Levels are those of zstd, kept
/// within 1 to 19.
///
/// # Errors
/// If it holds more than a bundle may, or records that break the rules of [`TableChanges`].
pub fn pack(payload: &Payload, level: i32) -> Result<Vec<u8>, PayloadError> {
    let Payload { binding, health, receipts, changes } = payload;
    let mut writer = PayloadWriter::new(binding, health, receipts, Levels::always(level), Vec::new())?;
    for TableChanges { table, records } in changes {
        writer.table(table, records.clone(), false)?;
    }
    writer.finish()
}

/// Unpacks what [`pack`] packed. Reads to the end of `from`, where nothing may follow.
///
/// # Errors
/// If anything is not as it would have been packed, or claims more than the limits.
pub fn unpack(from: impl Read) -> Result<Payload, PayloadError> {
    let mut reader = PayloadReader::new(from)?;
    let mut changes = Vec::new();
    while let Some(tables) = reader.next_changes()? {
        split::join(&mut changes, tables);
    }
    let (binding, health, receipts) = (reader.binding().clone(), reader.health().clone(), reader.take_receipts());
    reader.finish()?;
    Ok(Payload { binding, health, receipts, changes })
}

/// The name of the member with what there is to compare.
pub(crate) const DIGESTS: &str = "digests";

/// The name of a member with changes.
pub(crate) fn changes_name(number: usize) -> String {
    format!("changes/{number:04}")
}

/// What the members with changes hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// How many members they are.
    pub members: usize,
    /// How many records.
    pub records: usize,
    /// How many values those bring.
    pub values: usize,
}

impl Counts {
    /// Counts the records of one table.
    pub(crate) fn add_records<'a>(
        &mut self,
        records: impl Iterator<Item = &'a RecordChange>,
    ) -> Result<(), PayloadError> {
        for record in records {
            self.records += 1;
            self.values += split::values(record);
        }
        past(self.records, "records", limits::RECORDS_PER_BUNDLE_MAX)?;
        past(self.values, "values", limits::VALUES_PER_BUNDLE_MAX)
    }

    /// Counts one more member, beside `bundle`, `health`, `receipts` and `digests`.
    pub(crate) fn add_member(&mut self) -> Result<(), PayloadError> {
        self.members += 1;
        past(4 + self.members, "members", limits::MEMBERS_MAX)
    }
}

fn past(count: usize, what: &'static str, limit: usize) -> Result<(), PayloadError> {
    if count > limit { Err(PayloadError::TooMany { what, limit }) } else { Ok(()) }
}
