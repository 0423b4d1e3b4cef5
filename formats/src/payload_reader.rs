//! A payload unpacked member by member.

use std::io::{BufRead, BufReader, Read, Take};

use zstd::stream::read::Decoder;

use crate::archive;
use crate::change::TableChanges;
use crate::codec::CodecError;
use crate::limits;
use crate::members::{Binding, Digests, Health, Receipt, changes, digests, receipts};
use crate::payload::{Counts, DIGESTS, PayloadError, changes_name};

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
    digests: Digests,
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
        Ok(Self {
            from,
            binding,
            health,
            receipts,
            counts: Counts::default(),
            digests: Digests::default(),
            at_end: false,
        })
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

    /// What there is to compare, once all changes have been read.
    pub fn take_digests(&mut self) -> Digests {
        std::mem::take(&mut self.digests)
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
        let next = next(&mut self.from, &mut self.counts);
        match bounded(&self.from, next)? {
            Next::Changes(tables) => return Ok(Some(tables)),
            Next::Digests(digests) => self.digests = digests,
            Next::End => {}
        }
        self.at_end = true;
        Ok(None)
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

/// What comes after the first members.
enum Next {
    Changes(Vec<TableChanges>),
    Digests(Digests),
    End,
}

fn next(from: &mut impl Read, counts: &mut Counts) -> Result<Next, PayloadError> {
    let name = changes_name(counts.members);
    let Some((found, bytes)) = read_one_of(from, &[&name, DIGESTS], limits::MEMBER_BYTES_MAX)? else {
        return Ok(Next::End);
    };
    if found == DIGESTS {
        let member = |source| PayloadError::Member { member: found.clone(), source };
        let digests = digests::decode(&bytes).map_err(member)?;
        // Nothing is a member that says nothing.
        if digests.is_empty() {
            return Err(member(CodecError::NotCanonical));
        }
        // Nothing may come any more: whatever does is refused.
        read_one_of(from, &[], 0)?;
        return Ok(Next::Digests(digests));
    }
    let tables = changes::decode(&bytes).map_err(|source| PayloadError::Changes { member: name, source })?;
    counts.add_member()?;
    counts.add_records(tables.iter().flat_map(|table| &table.records))?;
    Ok(Next::Changes(tables))
}

fn read_member(from: &mut impl Read, name: &str, limit: usize) -> Result<Vec<u8>, PayloadError> {
    let end = || PayloadError::Order { expected: name.to_owned(), found: "its end".to_owned() };
    read_next(from, name, limit)?.ok_or_else(end)
}

/// The content of the next member, which must have this name; none at the end.
fn read_next(from: &mut impl Read, expected: &str, limit: usize) -> Result<Option<Vec<u8>>, PayloadError> {
    Ok(read_one_of(from, &[expected], limit)?.map(|(_, bytes)| bytes))
}

/// Name and content of the next member, which must have one of these names, if any may come; none at the end.
fn read_one_of(
    from: &mut impl Read,
    expected: &[&str],
    limit: usize,
) -> Result<Option<(String, Vec<u8>)>, PayloadError> {
    let Some((found, size)) = archive::read_header(from).map_err(PayloadError::Archive)? else { return Ok(None) };
    if !expected.contains(&found.as_str()) {
        // Written with escapes: the name is a stranger's.
        let expected = expected.first().map_or("its end", |name| *name).to_owned();
        return Err(PayloadError::Order { expected, found: format!("{found:?}") });
    }
    let bytes = archive::read_content(from, &found, size, limit).map_err(PayloadError::Archive)?;
    Ok(Some((found, bytes)))
}
