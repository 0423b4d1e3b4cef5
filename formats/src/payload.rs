//! What a bundle carries, packed: `zstd( tar( members ) )`. Sealing lies around it and is not known here.
//!
//! Members in this order, each exactly once: `bundle`, `health`, `receipts`, `changes/0000`, `changes/0001` …
//! Invariant: one frame, one archive, nothing beside and nothing after; whatever is claimed, memory stays
//! within the limits.

use std::io::{self, BufRead, BufReader, Read, Write};

use zstd::stream::{read::Decoder, write::Encoder};

use crate::archive;
pub use crate::archive::ArchiveError;
use crate::change::{RecordChange, TableChanges};
use crate::codec::CodecError;
use crate::limits;
use crate::members::{self, Binding, ChangesError, Health, Receipt, changes, receipts};
use crate::split;

/// Level 20 and above ask receivers for a larger window than [`limits::ZSTD_WINDOW_LOG_MAX`].
const LEVEL_MAX: i32 = 19;

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
    let members = members(payload)?;
    let size = archive::archive_bytes(members.iter().map(|(_, content)| content.len()));
    if size > limits::UNPACKED_BYTES_MAX {
        return Err(PayloadError::Unpacked { limit: limits::UNPACKED_BYTES_MAX });
    }
    compress(&members, size, level).map_err(PayloadError::Compression)
}

fn compress(members: &[(String, Vec<u8>)], size: u64, level: i32) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new(), level.clamp(1, LEVEL_MAX))?;
    // The size lets zstd ask for no larger a window than is needed. No checksum: SHA-256 binds it already.
    encoder.set_pledged_src_size(Some(size))?;
    for (name, content) in members {
        archive::write_member(&mut encoder, name, content)?;
    }
    archive::write_end(&mut encoder)?;
    encoder.flush()?;
    encoder.finish()
}

fn members(payload: &Payload) -> Result<Vec<(String, Vec<u8>)>, PayloadError> {
    if payload.receipts.len() > limits::RECEIPTS_MAX {
        return Err(PayloadError::TooMany { what: "receipts", limit: limits::RECEIPTS_MAX });
    }
    let mut members = vec![
        ("bundle".to_owned(), payload.binding.encode()),
        ("health".to_owned(), payload.health.encode()),
        ("receipts".to_owned(), receipts::encode(&payload.receipts)),
    ];
    for (member, limit) in
        members.iter().zip([limits::BINDING_BYTES_MAX, limits::HEALTH_BYTES_MAX, limits::MEMBER_BYTES_MAX])
    {
        check_size(member, limit)?;
    }
    let mut counts = Counts::default();
    for (number, tables) in split::split(&payload.changes).iter().enumerate() {
        let name = changes_name(number);
        counts.add(tables.iter().flat_map(|table| table.records))?;
        let bytes = changes::encode(tables).map_err(|source| PayloadError::Changes { member: name.clone(), source })?;
        members.push((name, bytes));
        check_size(&members[members.len() - 1], limits::MEMBER_BYTES_MAX)?;
    }
    match members.len() > limits::MEMBERS_MAX {
        true => Err(PayloadError::TooMany { what: "members", limit: limits::MEMBERS_MAX }),
        false => Ok(members),
    }
}

fn check_size((name, content): &(String, Vec<u8>), limit: usize) -> Result<(), PayloadError> {
    if content.len() <= limit {
        return Ok(());
    }
    let (name, size, limit) = (name.clone(), content.len() as u64, limit as u64);
    Err(PayloadError::Archive(ArchiveError::Size { name, size, limit }))
}

fn changes_name(number: usize) -> String {
    format!("changes/{number:04}")
}

/// Unpacks what [`pack`] packed. Reads to the end of `from`, where nothing may follow.
///
/// # Errors
/// If anything is not as it would have been packed, or claims more than the limits.
pub fn unpack(from: impl Read) -> Result<Payload, PayloadError> {
    let mut decoder = Decoder::with_buffer(BufReader::new(from)).map_err(PayloadError::Compression)?.single_frame();
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX).map_err(PayloadError::Compression)?;
    let mut bounded = (&mut decoder).take(limits::UNPACKED_BYTES_MAX);
    let payload = read_members(&mut bounded);
    if bounded.limit() == 0 {
        return Err(PayloadError::Unpacked { limit: limits::UNPACKED_BYTES_MAX });
    }
    let payload = payload?;
    let mut rest = decoder.finish();
    match rest.fill_buf().map_err(PayloadError::Compression)?.is_empty() {
        true => Ok(payload),
        false => Err(PayloadError::Trailing),
    }
}

fn read_members(from: &mut impl Read) -> Result<Payload, PayloadError> {
    let member = |member: &str| {
        let member = member.to_owned();
        |source| PayloadError::Member { member, source }
    };
    let bytes = read_member(from, "bundle", limits::BINDING_BYTES_MAX)?;
    let binding = Binding::decode(&bytes).map_err(member("bundle"))?;
    let bytes = read_member(from, "health", limits::HEALTH_BYTES_MAX)?;
    let health = Health::decode(&bytes).map_err(member("health"))?;
    let bytes = read_member(from, "receipts", limits::MEMBER_BYTES_MAX)?;
    let receipts = receipts::decode(&bytes).map_err(member("receipts"))?;
    Ok(Payload { binding, health, receipts, changes: read_changes(from)? })
}

fn read_changes(from: &mut impl Read) -> Result<Vec<TableChanges>, PayloadError> {
    let mut tables = Vec::new();
    let mut counts = Counts::default();
    for number in 0.. {
        let name = changes_name(number);
        let Some(bytes) = read_next(from, &name, limits::MEMBER_BYTES_MAX)? else { break };
        if 3 + number >= limits::MEMBERS_MAX {
            return Err(PayloadError::TooMany { what: "members", limit: limits::MEMBERS_MAX });
        }
        let found =
            members::changes::decode(&bytes).map_err(|source| PayloadError::Changes { member: name, source })?;
        counts.add(found.iter().flat_map(|table| &table.records))?;
        split::join(&mut tables, found);
    }
    Ok(tables)
}

fn read_member(from: &mut impl Read, name: &str, limit: usize) -> Result<Vec<u8>, PayloadError> {
    let end = || PayloadError::Order { expected: name.to_owned(), found: "its end".to_owned() };
    read_next(from, name, limit)?.ok_or_else(end)
}

/// The content of the next member, which must have this name; none at the end.
fn read_next(from: &mut impl Read, expected: &str, limit: usize) -> Result<Option<Vec<u8>>, PayloadError> {
    let Some((found, size)) = archive::read_header(from).map_err(PayloadError::Archive)? else { return Ok(None) };
    if found != expected {
        // Written with escapes: the name is a stranger's.
        let (expected, found) = (expected.to_owned(), format!("{found:?}"));
        return Err(PayloadError::Order { expected, found });
    }
    archive::read_content(from, expected, size, limit).map(Some).map_err(PayloadError::Archive)
}

/// What the members hold together.
#[derive(Default)]
struct Counts {
    records: usize,
    values: usize,
}

impl Counts {
    fn add<'a>(&mut self, records: impl Iterator<Item = &'a RecordChange>) -> Result<(), PayloadError> {
        for record in records {
            self.records += 1;
            self.values += split::values(record);
        }
        let past = |count, what, limit| if count > limit { Err(PayloadError::TooMany { what, limit }) } else { Ok(()) };
        past(self.records, "records", limits::RECORDS_PER_BUNDLE_MAX)?;
        past(self.values, "values", limits::VALUES_PER_BUNDLE_MAX)
    }
}
