//! Which records both ends of a link have otherwise: told in sums of buckets first, then record by record.
//!
//! Invariant: as with the sum of all, what a bundle tells is of its sender's snapshot without the records that it
//! carries changes of. Here too those are left out, and whatever has changed since the bundle that it acknowledges: a
//! bucket with such a record says nothing this time, and of a record nothing is said.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::members::{BUCKETS, FinerDigests, RecordDigests, bucket};
use saddlebag_formats::{Seq, Tell, TimeMs, Uid};
use saddlebag_stores::config::Direction;
use saddlebag_stores::digest::Standing;
use saddlebag_stores::ledger::{DifferentHow, DifferentRecord, Link};
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};

use crate::reading::Opened;

/// Looks closer, where a bundle tells more than the sum of all: notes which records differ, or what the sender is to be
/// told next.
pub(crate) fn look(
    store: &mut dyn Store,
    link: &mut Link,
    header: &BundleHeader,
    opened: &Opened<'_>,
    now: TimeMs,
) -> Result<(), StoreError> {
    let (Some(finer), Some(there), Some(ack)) = (&opened.digests.finer, opened.digests.whole, header.ack) else {
        return Ok(());
    };
    let made = link.unacknowledged.first().filter(|made| made.number == ack.number);
    let Some((upto, kept)) = made.and_then(|made| Some((made.upto, made.digest?))) else { return Ok(()) };
    let counts = store.counts(link.id)?;
    if kept.shape != there.shape || counts.parked + counts.quarantined > 0 {
        return Ok(());
    }
    let mut here = Here { store, upto, carried: opened.records.iter().flat_map(|(_, uids)| uids).copied().collect() };
    match finer {
        FinerDigests::Buckets(sums) => {
            let differing = here.differing_buckets(sums)?;
            if !differing.is_empty() {
                (link.comparison.tell, link.comparison.told) = (Tell::Records(differing), None);
            }
        }
        FinerDigests::Records(told) => {
            let differing = here.differing_records(told)?;
            note(store, link, told, differing, now)?;
            if link.comparison.tell == Tell::Buckets {
                (link.comparison.tell, link.comparison.told) = (Tell::Nothing, None);
            }
        }
    }
    Ok(())
}

/// What this node has.
struct Here<'a> {
    store: &'a mut dyn Store,
    /// How far its feed went in the bundle that is acknowledged.
    upto: Seq,
    /// The records that the bundle brings changes of.
    carried: HashSet<Uid>,
}

impl Here<'_> {
    fn tables(&self) -> Vec<TrackedTable> {
        let tracking = self.store.tracking();
        tracking.tables.iter().filter(|table| table.direction == Direction::Both).cloned().collect()
    }

    fn differing_buckets(&mut self, there: &[u64]) -> Result<Vec<u8>, StoreError> {
        let (mut sums, mut moving) = (vec![0u64; BUCKETS], BTreeSet::new());
        let last = self.store.last_seq()?;
        for table in self.tables() {
            let (carried, upto) = (&self.carried, self.upto);
            self.store.each_hash(&table, &mut |uid, hash, seq| {
                let at = bucket(uid);
                if seq > upto {
                    moving.insert(at);
                } else if !carried.contains(&uid)
                    && let Some(sum) = sums.get_mut(usize::from(at))
                {
                    *sum = sum.wrapping_add(hash);
                }
            })?;
            let deleted = self.store.deleted(&table, upto, last)?;
            moving.extend(deleted.iter().map(|tombstone| bucket(tombstone.uid)));
        }
        let differs = |at: &u8| {
            let at = usize::from(*at);
            sums.get(at) != there.get(at)
        };
        Ok((0..=u8::MAX).filter(|at| !moving.contains(at) && differs(at)).collect())
    }

    fn differing_records(&mut self, there: &RecordDigests) -> Result<Vec<(String, Uid, DifferentHow)>, StoreError> {
        let buckets: HashSet<u8> = there.buckets.iter().copied().collect();
        let told: HashMap<&str, &Vec<(Uid, u64)>> =
            there.tables.iter().map(|(name, records)| (name.as_str(), records)).collect();
        let mut differing = Vec::new();
        for table in self.tables() {
            let mut there: BTreeMap<Uid, u64> =
                told.get(table.name.as_str()).map(|records| records.iter().copied().collect()).unwrap_or_default();
            let mut found = |uid, how| differing.push((table.name.clone(), uid, how));
            let (carried, upto) = (&self.carried, self.upto);
            self.store.each_hash(&table, &mut |uid, hash, seq| {
                if !buckets.contains(&bucket(uid)) {
                    return;
                }
                let told = there.remove(&uid);
                if seq > upto || carried.contains(&uid) {
                    return;
                }
                match told {
                    Some(told) if told == hash => {}
                    Some(_) => found(uid, DifferentHow::OtherValues),
                    None => found(uid, DifferentHow::MissingThere),
                }
            })?;
            let rest: Vec<Uid> = there.into_keys().filter(|uid| !carried.contains(uid)).collect();
            let standing = self.store.standing(&table, &rest)?;
            for uid in rest {
                let is_moving = matches!(standing.get(&uid), Some(Standing::Live { seq, .. } | Standing::Deleted { seq }) if *seq > upto);
                if !is_moving {
                    found(uid, DifferentHow::MissingHere);
                }
            }
        }
        Ok(differing)
    }
}

/// Notes which records of the buckets that were told differ, instead of what was known of them.
fn note(
    store: &mut dyn Store,
    link: &Link,
    told: &RecordDigests,
    differing: Vec<(String, Uid, DifferentHow)>,
    now: TimeMs,
) -> Result<(), StoreError> {
    let buckets: HashSet<u8> = told.buckets.iter().copied().collect();
    let known = store.different(link.id)?;
    let wanted: HashSet<(String, Uid)> =
        known.iter().filter(|record| record.wanted).map(|record| (record.table.clone(), record.uid)).collect();
    let old = known.into_iter().filter(|record| !record.wanted && buckets.contains(&bucket(record.uid)));
    store.forget_different(link.id, &old.map(|record| (record.table, record.uid)).collect::<Vec<_>>())?;
    let new = differing.into_iter().filter(|(table, uid, _)| !wanted.contains(&(table.clone(), *uid)));
    let new =
        new.map(|(table, uid, how)| DifferentRecord { link: link.id, table, uid, how, found: now, wanted: false });
    store.save_different(&new.collect::<Vec<_>>())
}
