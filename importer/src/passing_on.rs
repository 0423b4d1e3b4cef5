//! A district passes on what its central says of changes that came from below: to the link that they came over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use saddlebag_formats::members::{Outcome, Receipt};
use saddlebag_formats::{LinkId, Uid};
use saddlebag_stores::ledger::{Link, PeerRole, StoredReceipt};
use saddlebag_stores::passed_on::PassedOn;
use saddlebag_stores::record::Known;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};

/// Puts out for satellites what `link`, to this node's central, says of their changes.
pub(crate) fn pass_on(store: &mut dyn Store, link: &Link, receipts: &[StoredReceipt]) -> Result<(), StoreError> {
    if receipts.is_empty() || link.role != PeerRole::Central {
        return Ok(());
    }
    let satellites = store.links()?.into_iter().filter(|link| link.role == PeerRole::Satellite);
    let satellites: BTreeSet<LinkId> = satellites.map(|link| link.id).collect();
    if satellites.is_empty() {
        return Ok(());
    }
    let before = PassedOn::read(store)?;
    let (mut told, mut passed_on) = (before.clone(), Vec::new());
    let known = look_up(store, receipts)?;
    let held_here: BTreeSet<(LinkId, String, Uid)> = if receipts.iter().any(|stored| may_hide(&stored.receipt)) {
        store.held(None)?.into_iter().map(|held| (held.link, held.table, held.uid)).collect()
    } else {
        BTreeSet::new()
    };
    for StoredReceipt { receipt, .. } in receipts {
        let to: BTreeSet<LinkId> = match receipt.outcome {
            // Who was never told that it was held need not hear that it is not.
            Outcome::Settled => told.settle(receipt),
            _ => {
                let sources = known.get(&(receipt.table.as_str(), receipt.uid)).map(|known| known.sources(receipt));
                sources.unwrap_or_default().intersection(&satellites).copied().collect()
            }
        };
        for satellite in to {
            if is_held(receipt) {
                told.note(receipt, satellite);
            }
            if may_hide(receipt) && held_here.contains(&(satellite, receipt.table.clone(), receipt.uid)) {
                continue;
            }
            let reason = format!("{}: {}", link.name, receipt.reason);
            let receipt = Receipt { reason, ..receipt.clone() };
            passed_on.push(StoredReceipt { link: satellite, receipt });
        }
    }
    if told != before {
        told.write(store)?;
    }
    store.add_receipts(&passed_on)
}

/// Whether it says that a change is held.
fn is_held(receipt: &Receipt) -> bool {
    matches!(receipt.outcome, Outcome::Parked | Outcome::Quarantined)
}

/// Whether it would take the place of what is said of a record that is held here. Of a record there is one word at a time,
/// and that something of it is held matters more.
fn may_hide(receipt: &Receipt) -> bool {
    receipt.column.is_none() && !is_held(receipt)
}

/// A record that a receipt speaks of.
struct Spoken {
    table: TrackedTable,
    known: Known,
}

impl Spoken {
    /// The links over which what the receipt is about came here.
    fn sources(&self, receipt: &Receipt) -> BTreeSet<LinkId> {
        match &self.known {
            Known::Deleted(tombstone) => tombstone.source.into_iter().collect(),
            Known::Live(record) => {
                let columns = self.table.columns.iter();
                let about = |name: &str| receipt.column.as_deref().is_none_or(|column| column == name);
                let columns = columns.filter(|column| about(&column.name));
                columns.filter_map(|column| record.state.of(column.id).source).collect()
            }
        }
    }
}

fn look_up<'a>(
    store: &mut dyn Store,
    receipts: &'a [StoredReceipt],
) -> Result<HashMap<(&'a str, Uid), Spoken>, StoreError> {
    let mut uids: BTreeMap<&str, BTreeSet<Uid>> = BTreeMap::new();
    for StoredReceipt { receipt, .. } in receipts {
        uids.entry(&receipt.table).or_default().insert(receipt.uid);
    }
    let mut found = HashMap::new();
    for (name, uids) in uids {
        let Some(table) = store.tracking().by_name(name).cloned() else { continue };
        for (uid, known) in store.records(&table, &uids.into_iter().collect::<Vec<_>>())? {
            found.insert((name, uid), Spoken { table: table.clone(), known });
        }
    }
    Ok(found)
}
