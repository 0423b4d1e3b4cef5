//! A payload packed piece by piece.

use std::io::Write;

use crate::archive::{self, ArchiveError};
use crate::change::{RecordChange, TableChanges, TableDescription};
use crate::frame::{Frame, Levels};
use crate::limits;
use crate::members::{Binding, Digests, Health, Receipt, changes, digests, receipts};
use crate::payload::{Counts, DIGESTS, PayloadError, changes_name};
use crate::split::{Filling, TableSlice};

/// Packs a payload while its changes are found. Holds the changes of one member at most.
///
/// The same binding, health, receipts, levels and sequence of records always give the same bytes, in however many
/// pieces the records come.
pub struct PayloadWriter<W: Write> {
    archive: Archive<W>,
    filling: Filling,
    digests: Digests,
}

impl<W: Write> std::fmt::Debug for PayloadWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadWriter").field("counts", &self.archive.counts).finish_non_exhaustive()
    }
}

impl<W: Write> PayloadWriter<W> {
    /// Begins a payload that is written to `sink`.
    ///
    /// # Errors
    /// If one of the three is larger than a member may be, or there are too many receipts; or `sink`'s.
    pub fn new(
        binding: &Binding,
        health: &Health,
        receipts: &[Receipt],
        levels: Levels,
        sink: W,
    ) -> Result<Self, PayloadError> {
        if receipts.len() > limits::RECEIPTS_MAX {
            return Err(PayloadError::TooMany { what: "receipts", limit: limits::RECEIPTS_MAX });
        }
        let mut archive = Archive::new(levels, sink);
        archive.member("bundle", &binding.encode(), limits::BINDING_BYTES_MAX)?;
        archive.member("health", &health.encode(), limits::HEALTH_BYTES_MAX)?;
        archive.member("receipts", &receipts::encode(receipts), limits::MEMBER_BYTES_MAX)?;
        Ok(Self { archive, filling: Filling::default(), digests: Digests::default() })
    }

    /// Adds changes. Records of the table that came last, with the same description, go on where it ended.
    ///
    /// The caller sees to it that no record comes twice.
    ///
    /// Numbers of records and values are checked here, not only when they are written.
    ///
    /// # Errors
    /// If the bundle holds more than it may, or records that break the rules of [`TableChanges`]; or the sink's. Then
    /// nothing more can be added.
    pub fn changes(&mut self, tables: Vec<TableChanges>) -> Result<(), PayloadError> {
        tables.into_iter().try_for_each(|TableChanges { table, records }| self.table(&table, records, true))
    }

    /// Adds records of one table, which `goes_on` if it was the last.
    pub(crate) fn table(
        &mut self,
        table: &TableDescription,
        records: Vec<RecordChange>,
        goes_on: bool,
    ) -> Result<(), PayloadError> {
        let archive = &mut self.archive;
        archive.counts.add_records(records.iter())?;
        self.filling.add(table, records, goes_on, &mut |member| archive.changes(&member))
    }

    /// Ends the payload with what there is to compare, if that is anything.
    pub fn digests(&mut self, digests: Digests) {
        self.digests = digests;
    }

    /// How many records were added.
    #[must_use]
    pub fn records(&self) -> usize {
        self.archive.counts.records
    }

    /// Ends the payload, and gives the sink back.
    ///
    /// # Errors
    /// As [`PayloadWriter::changes`].
    pub fn finish(mut self) -> Result<W, PayloadError> {
        let last = self.filling.take();
        if !last.is_empty() {
            self.archive.changes(&last)?;
        }
        if !self.digests.is_empty() {
            self.archive.member(DIGESTS, &digests::encode(&self.digests), limits::MEMBER_BYTES_MAX)?;
        }
        self.archive.finish()
    }
}

/// The archive so far.
struct Archive<W: Write> {
    frame: Frame<W>,
    counts: Counts,
    /// Bytes so far, with those of the end.
    bytes: u64,
}

impl<W: Write> Archive<W> {
    fn new(levels: Levels, sink: W) -> Self {
        Self { frame: Frame::new(levels, sink), counts: Counts::default(), bytes: archive::END_BYTES }
    }

    fn changes(&mut self, tables: &[TableChanges]) -> Result<(), PayloadError> {
        let name = changes_name(self.counts.members);
        self.counts.add_member()?;
        let slices: Vec<TableSlice<'_>> = tables.iter().map(TableSlice::from).collect();
        match changes::encode(&slices) {
            Ok(bytes) => self.member(&name, &bytes, limits::MEMBER_BYTES_MAX),
            Err(source) => Err(PayloadError::Changes { member: name, source }),
        }
    }

    fn member(&mut self, name: &str, content: &[u8], limit: usize) -> Result<(), PayloadError> {
        if content.len() > limit {
            let (name, size, limit) = (name.to_owned(), content.len() as u64, limit as u64);
            return Err(PayloadError::Archive(ArchiveError::Size { name, size, limit }));
        }
        self.bytes += archive::member_bytes(content.len());
        // A reader must be able to tell an archive of that size from one that has no end.
        if self.bytes >= limits::UNPACKED_BYTES_MAX {
            return Err(PayloadError::Unpacked { limit: limits::UNPACKED_BYTES_MAX });
        }
        archive::write_member(&mut self.frame, name, content).map_err(PayloadError::Write)
    }

    fn finish(mut self) -> Result<W, PayloadError> {
        archive::write_end(&mut self.frame).and_then(|()| self.frame.finish()).map_err(PayloadError::Write)
    }
}
