//! The digest of a table: the sum of the row hashes of its live, shared records, kept up to date with every row state
//! that is written, never by a scan.
//!
//! A sum, because it can be: whatever is written is added, what stood there before is taken away, in any order, and the
//! result is that of the set. The hashes are 64 bits of SHA-256, so sums modulo 2^64 of two sets that differ by chance
//! agree once in 2^64 times. (An exclusive or would do as well, but would lose whatever is there twice.)

use std::collections::BTreeMap;

use saddlebag_formats::members::WholeDigest;

use crate::config::Direction;
use crate::error::StoreError;
use crate::store::Store;

/// The sum of the hashes of a set of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// The sum, modulo 2^64.
    pub sum: u64,
    /// How many records there are.
    pub records: u64,
}

impl Digest {
    /// With one more record.
    pub fn add(&mut self, hash: u64) {
        *self = self.plus(Self { sum: hash, records: 1 });
    }

    /// Without a record.
    pub fn subtract(&mut self, hash: u64) {
        *self = self.minus(Self { sum: hash, records: 1 });
    }

    /// Both sets together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { sum: self.sum.wrapping_add(other.sum), records: self.records.wrapping_add(other.records) }
    }

    /// Without the records of another set.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { sum: self.sum.wrapping_sub(other.sum), records: self.records.wrapping_sub(other.records) }
    }
}

/// The digest of all records that are compared with a neighbour's: those of all tables that travel both ways.
///
/// # Errors
/// The engine's.
pub fn shared(store: &mut dyn Store) -> Result<WholeDigest, StoreError> {
    let digests = store.digests()?;
    let tracking = store.tracking();
    let both = tracking.tables.iter().filter(|table| table.direction == Direction::Both);
    let all = both.filter_map(|table| digests.get(&table.number)).fold(Digest::default(), |sum, one| sum.plus(*one));
    Ok(WholeDigest { shape: tracking.shape(), sum: all.sum })
}

/// What is known of a record's place and contents, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is live.
    Live {
        /// The hash of its shared values.
        hash: u64,
        /// Its latest place in the feed.
        seq: saddlebag_formats::Seq,
    },
    /// It is deleted.
    Deleted {
        /// The deletion's place in the feed.
        seq: saddlebag_formats::Seq,
    },
}

/// What this transaction has yet to add to the kept digests, by table number.
#[derive(Debug, Default)]
pub(crate) struct Changed(BTreeMap<u32, Digest>);

impl Changed {
    /// A row state was written.
    pub(crate) fn came(&mut self, table: u32, hash: u64, home: bool) {
        if !home {
            self.0.entry(table).or_default().add(hash);
        }
    }

    /// A row state was taken away, or another was written in its place.
    pub(crate) fn went(&mut self, table: u32, hash: u64, home: bool) {
        if !home {
            self.0.entry(table).or_default().subtract(hash);
        }
    }

    /// Row states were taken away.
    pub(crate) fn all_went(&mut self, table: u32, went: Digest) {
        let changed = self.0.entry(table).or_default();
        *changed = changed.minus(went);
    }

    /// Nothing is known of a table any more.
    pub(crate) fn forget(&mut self, table: u32) {
        self.0.remove(&table);
    }

    /// What is to be added, which is then none of this one's business any more.
    pub(crate) fn take(&mut self) -> BTreeMap<u32, Digest> {
        let mut changed = std::mem::take(&mut self.0);
        changed.retain(|_, digest| *digest != Digest::default());
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_again_leaves_nothing() {
        let mut changed = Changed::default();
        changed.came(1, u64::MAX, false);
        changed.came(1, 5, false);
        changed.came(2, 7, true);
        assert_eq!(changed.take(), BTreeMap::from([(1, Digest { sum: 4, records: 2 })]));
        changed.went(1, 9, false);
        changed.came(1, 9, false);
        changed.came(3, 9, false);
        changed.forget(3);
        assert_eq!(changed.take(), BTreeMap::new());
    }

    #[test]
    fn fewer_than_nothing_is_a_difference() {
        let mut changed = Changed::default();
        changed.all_went(1, Digest { sum: 3, records: 2 });
        let kept = Digest { sum: 10, records: 2 };
        assert_eq!(kept.plus(changed.take()[&1]), Digest { sum: 7, records: 0 });
    }
}
