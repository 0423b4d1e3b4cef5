//! A payload unpacked member by member.

use std::io::{BufRead, BufReader, Read, Take};

use zstd::stream::read::Decoder;

use crate::archive;
use crate::change::TableChanges;
use crate::limits;
use crate::members::{Binding, Health, Receipt, changes, receipts};
use crate::payload::{Counts, PayloadError, changes_name};

/// Unpacks a payload while it is read. Holds the changes of one member at most.
///
/// Everything is checked as it comes; but that all is well is only known when [`PayloadReader::finish`] says so. Who
/// must not act on what turns out to be damaged later reads a payload twice: `PayloadReader::new(from)?.finish()?`
/// checks it to its end, and a second reader gives the same changes again.
pub struct PayloadReader<R: Read> {
    from: Take<Decoder<'static, BufReader<R>>>,
    binding: Binding,
    health: Health,
    receipts: Vec<Receipt>,
    counts: Counts,
    at_end: bool,
}

impl<R: Read> std::fmt::Debug for PayloadReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadReader")
            .field("binding", &self.binding)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<R: Read> PayloadReader<R> {
    /// Reads the members before the changes.
    ///
    /// # Errors
    /// If they are not as they would have been packed, or claim more than the limits.
    pub fn new(from: R) -> Result<Self, PayloadError> {
        let mut decoder = Decoder::new(from).map_err(PayloadError::Compression)?.single_frame();
        decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX).map_err(PayloadError::Compression)?;
        let mut from = decoder.take(limits::UNPACKED_BYTES_MAX);
        let first = first_members(&mut from);
        let (binding, health, receipts) = bounded(&from, first)?;
        Ok(Self { from, binding, health, receipts, counts: Counts::default(), at_end: false })
    }

    /// Which bundle the payload belongs to.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// How the sender does.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What became of the receiver's changes.
    #[must_use]
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The receipts, which the reader then has no more.
    pub fn take_receipts(&mut self) -> Vec<Receipt> {
        std::mem::take(&mut self.receipts)
    }

    /// What the changes hold that were read so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The changes of the next member; none at the end. A table that did not fit one member goes on as the first
    /// table of the next, with the same description.
    ///
    /// # Errors
    /// As [`PayloadReader::new`]; then nothing more can be read.
    pub fn next_changes(&mut self) -> Result<Option<Vec<TableChanges>>, PayloadError> {
        if self.at_end {
            return Ok(None);
        }
        let next = next_changes(&mut self.from, &mut self.counts);
        let next = bounded(&self.from, next)?;
        self.at_end = next.is_none();
        Ok(next)
    }

    /// Reads to the end of the source, where nothing may follow, and checks what was not read before. Gives what all
    /// changes hold together.
    ///
    /// # Errors
    /// As [`PayloadReader::new`].
    pub fn finish(mut self) -> Result<Counts, PayloadError> {
        while self.next_changes()?.is_some() {}
        let mut rest = self.from.into_inner().finish();
        match rest.fill_buf().map_err(PayloadError::Compression)?.is_empty() {
            true => Ok(self.counts),
            false => Err(PayloadError::Trailing),
        }
    }
}

/// What `found` is, unless the archive reached the size that none may have.
fn bounded<T, R: Read>(from: &Take<R>, found: Result<T, PayloadError>) -> Result<T, PayloadError> {
    match from.limit() {
        0 => Err(PayloadError::Unpacked { limit: limits::UNPACKED_BYTES_MAX }),
        _ => found,
    }
}

fn first_members(from: &mut impl Read) -> Result<(Binding, Health, Vec<Receipt>), PayloadError> {
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
    Ok((binding, health, receipts))
}

fn next_changes(from: &mut impl Read, counts: &mut Counts) -> Result<Option<Vec<TableChanges>>, PayloadError> {
    let name = changes_name(counts.members);
    let Some(bytes) = read_next(from, &name, limits::MEMBER_BYTES_MAX)? else { return Ok(None) };
    let tables = changes::decode(&bytes).map_err(|source| PayloadError::Changes { member: name, source })?;
    counts.add_member()?;
    counts.add_records(tables.iter().flat_map(|table| &table.records))?;
    Ok(Some(tables))
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
