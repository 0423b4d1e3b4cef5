//! Whether both ends of a link hold the same, as far as a bundle tells.
//!
//! This node remembers, of every bundle that it made and that is not acknowledged, the sum of the hashes of all shared
//! records in the snapshot that it was made of. The neighbour's bundle acknowledges one of them and tells the sum of
//! *its* records without those that it carries changes of. Taken away here too, both sums must be the same: whatever
//! the neighbour had otherwise at its snapshot than this node at that bundle was changed there since this node last
//! acknowledged, so it is in the neighbour's bundle; all else it has from this node.
//!
//! Invariant: nothing is said where that does not hold: a record of the bundle has changed here since, so that its hash
//! at that time is not known any more; something is held at either end; tables or columns differ; the bundle is one of
//! several. Nothing of the bundle has been applied yet when this is asked.

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::members::WholeDigest;
use saddlebag_formats::{SentBundle, Tell, TimeMs};
use saddlebag_stores::config::Direction;
use saddlebag_stores::digest::Standing;
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError};

use crate::reading::Opened;

/// What came of comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    Equal,
    Different,
    /// Not this time, with the reason.
    Undecided(&'static str),
}

/// Compares what a bundle tells with what this node has. None where the bundle answers to nothing.
pub(crate) fn compare(
    store: &mut dyn Store,
    link: &Link,
    header: &BundleHeader,
    opened: &Opened<'_>,
) -> Result<Option<Compared>, StoreError> {
    let Some(ack) = header.ack else { return Ok(None) };
    let undecided = |reason| Ok(Some(Compared::Undecided(reason)));
    let Some(made) = link.unacknowledged.first().filter(|made| made.number == ack.number) else { return Ok(None) };
    let Some(there) = opened.digests.whole else { return undecided("the other end holds changes, or sends in parts") };
    let Some(here) = made.digest else { return undecided("changes were held here, or sent in parts") };
    let counts = store.counts(link.id)?;
    if counts.parked + counts.quarantined > 0 {
        return undecided("changes of the other end are held here");
    }
    if here.shape != there.shape {
        return undecided("the tables or columns of both ends differ");
    }
    let Some(sum) = without_changed(store, made, here, opened)? else {
        return undecided("records have changed at both ends");
    };
    Ok(Some(if sum == there.sum { Compared::Equal } else { Compared::Different }))
}

/// The sum that was kept of a bundle, without the records that another one carries changes of; none if one of these has
/// changed since.
fn without_changed(
    store: &mut dyn Store,
    made: &SentBundle,
    kept: WholeDigest,
    opened: &Opened<'_>,
) -> Result<Option<u64>, StoreError> {
    let mut sum = kept.sum;
    for (name, uids) in &opened.records {
        let table = store.tracking().by_name(name).filter(|table| table.direction == Direction::Both).cloned();
        let Some(table) = table else { continue };
        for standing in store.standing(&table, uids)?.into_values() {
            let (Standing::Live { seq, .. } | Standing::Deleted { seq }) = standing;
            if seq > made.upto {
                return Ok(None);
            }
            if let Standing::Live { hash, .. } = standing {
                sum = sum.wrapping_sub(hash);
            }
        }
    }
    Ok(Some(sum))
}

/// Notes with the link what came of it.
pub(crate) fn note(link: &mut Link, compared: Compared, now: TimeMs) {
    let comparison = &mut link.comparison;
    match compared {
        Compared::Undecided(reason) => comparison.undecided = Some(reason.to_owned()),
        Compared::Equal => {
            comparison.equal = Some(now);
            (comparison.different, comparison.undecided) = (None, None);
            (comparison.tell, comparison.told) = (Tell::Nothing, None);
        }
        Compared::Different => {
            comparison.different.get_or_insert(now);
            comparison.undecided = None;
        }
    }
}
