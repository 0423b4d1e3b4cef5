//! What a bundle says of the records that both ends share: nothing new, but by what the other end can tell whether it
//! has the same.
//!
//! Invariant: what is said holds of the snapshot that the bundle was made of, without the records that the bundle carries
//! changes of: those the receiver leaves out as well. So it is only said where the bundle carries all that the receiver
//! has not acknowledged, and where the sender has applied all that it acknowledges.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use saddlebag_formats::Tell;
use saddlebag_formats::Uid;
use saddlebag_formats::limits::DIGEST_RECORDS_MAX;
use saddlebag_formats::members::{BUCKETS, Digests, FinerDigests, RecordDigests, WholeDigest, bucket};
use saddlebag_stores::config::Direction;
use saddlebag_stores::digest;
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError};

use crate::choose::Chosen;
use crate::parts::Part;

/// What a bundle says, and what its sender remembers of it.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// What it says.
    pub(crate) said: Digests,
    /// The digest of all shared records in the snapshot.
    pub(crate) kept: Option<WholeDigest>,
}

/// What the bundle with this part of a link's feed says; `is_only` if it carries all that the link lacks.
pub(crate) fn compared(
    store: &mut dyn Store,
    link: &Link,
    part: &Part,
    is_only: bool,
    chosen: &Chosen,
) -> Result<Compared, StoreError> {
    // What is told and asked once is in the last part: it comes to effect when all of the feed has.
    let wanted = if part.is_last { wanted(store, link)? } else { Vec::new() };
    let mut compared = Compared { said: Digests { wanted, ..Digests::default() }, kept: None };
    let counts = store.counts(link.id)?;
    // Who has applied a part that is not the last lacks the rest; what is held of the link, or fits no bundle, is missing
    // at one end.
    if !part.is_last || counts.parked + counts.quarantined > 0 || !chosen.too_large.is_empty() {
        return Ok(compared);
    }
    let whole = digest::shared(store)?;
    compared.kept = Some(whole);
    if is_only && link.applied.is_some() {
        let sum = chosen.live.iter().fold(whole.sum, |sum, (_, hash)| sum.wrapping_sub(*hash));
        compared.said.whole = Some(WholeDigest { sum, ..whole });
        compared.said.finer = match &link.comparison.tell {
            Tell::Nothing => None,
            Tell::Buckets => Some(FinerDigests::Buckets(buckets(store, chosen)?)),
            Tell::Records(buckets) => Some(FinerDigests::Records(records(store, chosen, buckets)?)),
        };
    }
    Ok(compared)
}

/// Records that the other end is asked to send whole, by table.
fn wanted(store: &mut dyn Store, link: &Link) -> Result<Vec<(String, Vec<Uid>)>, StoreError> {
    if link.comparison.different.is_none() {
        return Ok(Vec::new());
    }
    let mut by_table: BTreeMap<String, Vec<Uid>> = BTreeMap::new();
    for record in store.different(link.id)?.into_iter().filter(|record| record.wanted) {
        by_table.entry(record.table).or_default().push(record.uid);
    }
    Ok(by_table.into_iter().collect())
}

/// Whether there is something to tell or to ask for that no bundle does yet.
pub(crate) fn has_news(store: &mut dyn Store, link: &Link) -> Result<bool, StoreError> {
    let untold = link.comparison.told.is_none();
    Ok(untold && (link.comparison.tell != Tell::Nothing || !wanted(store, link)?.is_empty()))
}

fn buckets(store: &mut dyn Store, chosen: &Chosen) -> Result<Vec<u64>, StoreError> {
    let mut sums = vec![0u64; BUCKETS];
    let mut add = |uid: Uid, hash: u64| {
        if let Some(sum) = sums.get_mut(usize::from(bucket(uid))) {
            *sum = sum.wrapping_add(hash);
        }
    };
    let tracking = store.tracking().clone();
    for table in tracking.tables.iter().filter(|table| table.direction == Direction::Both) {
        store.each_hash(table, &mut |uid, hash, _| add(uid, hash))?;
    }
    for (uid, hash) in &chosen.live {
        add(*uid, hash.wrapping_neg());
    }
    Ok(sums)
}

/// The records of as many of these buckets as a bundle holds.
fn records(store: &mut dyn Store, chosen: &Chosen, wanted: &[u8]) -> Result<RecordDigests, StoreError> {
    let carried: HashSet<Uid> = chosen.live.iter().map(|(uid, _)| *uid).collect();
    let wanted: BTreeSet<u8> = wanted.iter().copied().collect();
    let mut counts = vec![0usize; BUCKETS];
    let mut tables = Vec::new();
    let tracking = store.tracking().clone();
    for table in tracking.tables.iter().filter(|table| table.direction == Direction::Both) {
        let mut of = Vec::new();
        store.each_hash(table, &mut |uid, hash, _| {
            if wanted.contains(&bucket(uid)) && !carried.contains(&uid) {
                of.push((uid, hash));
            }
        })?;
        for (uid, _) in &of {
            counts[usize::from(bucket(*uid))] += 1;
        }
        tables.push((table.name.clone(), of));
    }
    let (mut buckets, mut sum) = (BTreeSet::new(), 0);
    for of in wanted {
        sum += counts[usize::from(of)];
        if sum > DIGEST_RECORDS_MAX {
            break;
        }
        buckets.insert(of);
    }
    for (_, of) in &mut tables {
        of.retain(|(uid, _)| buckets.contains(&bucket(*uid)));
    }
    tables.retain(|(_, of)| !of.is_empty());
    Ok(RecordDigests { buckets: buckets.into_iter().collect(), tables })
}
