//! Into which bundles a stretch of the feed is cut.

use saddlebag_formats::Seq;
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError};

use crate::choose;

/// The stretch of one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The bundle covers the feed after this position …
    pub(crate) after: Seq,
    /// … up to this one.
    pub(crate) upto: Seq,
    /// All that the link lacks of it changed after the first of these, up to the second.
    pub(crate) holds: (Seq, Seq),
    /// Whether the link lacks nothing that changed later.
    pub(crate) is_last: bool,
}

/// The parts of one export, one after the other.
#[derive(Debug)]
pub(crate) struct Parts {
    records: u64,
    begin: Option<Seq>,
    /// How long a stretch may be, since a longer one held more than a bundle may: what changed there and again later is
    /// not counted where the feed is cut, but it is sent.
    width: u64,
}

impl Parts {
    /// Parts of so many records.
    pub(crate) fn new(records: usize) -> Self {
        Self { records: records.max(1) as u64, begin: None, width: u64::MAX }
    }

    /// Where the next part begins; none before the first.
    pub(crate) fn begin(&self) -> Option<Seq> {
        self.begin
    }

    /// The next part begins where this one ends.
    pub(crate) fn go_on(&mut self, part: &Part) {
        self.begin = Some(part.upto);
    }

    /// This part holds more than a bundle may: the next try is half as long. Says whether that is possible.
    pub(crate) fn narrow(&mut self, part: &Part) -> bool {
        let (from, upto) = part.holds;
        self.width = upto.0.saturating_sub(from.0) / 2;
        self.begin = Some(part.after);
        self.width > 0
    }

    /// The part that begins at `begin` of a feed that ends at `end`. Stretches in which the link lacks nothing are
    /// part of what comes after them, at the end of what comes before.
    pub(crate) fn next(&self, store: &mut dyn Store, link: &Link, begin: Seq, end: Seq) -> Result<Part, StoreError> {
        let mut from = begin;
        while let Some(cut) = self.cut(store, from, end)? {
            if choose::lacks(store, link, (from, cut))? {
                let is_last = !choose::lacks(store, link, (cut, end))?;
                let upto = if is_last { end } else { cut };
                return Ok(Part { after: begin, upto, holds: (from, cut), is_last });
            }
            from = cut;
        }
        Ok(Part { after: begin, upto: end, holds: (from, end), is_last: true })
    }

    /// Where a stretch that begins at `from` must end before `end`.
    fn cut(&self, store: &mut dyn Store, from: Seq, end: Seq) -> Result<Option<Seq>, StoreError> {
        let farthest = from.0.saturating_add(self.width);
        let by_records = store.feed_cut(from, self.records)?.map_or(end.0, |cut| cut.0);
        let cut = by_records.min(farthest);
        Ok((cut < end.0).then_some(Seq(cut)))
    }
}
