//! Records that a central asks its satellite to send whole, since both have them otherwise.
//!
//! They become unacknowledged edits of the satellite: their values are kept against what the same bundle brings, go up
//! with the next one, and are merged there as any others, so that nothing is overwritten unseen.

use saddlebag_formats::members::Digests;
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::record::Known;
use saddlebag_stores::{Store, StoreError};

/// Gives the records that a central asks for a new place in the feed.
pub(crate) fn send_again(store: &mut dyn Store, link: &Link, digests: &Digests) -> Result<(), StoreError> {
    if link.role != PeerRole::Central {
        return Ok(());
    }
    for (name, uids) in &digests.wanted {
        let Some(table) = store.tracking().by_name(name).cloned() else { continue };
        let mut records = store.records(&table, uids)?;
        let (mut live, mut deleted) = (Vec::new(), Vec::new());
        for uid in uids {
            match records.remove(uid) {
                Some(Known::Live(mut record)) => {
                    let seq = store.next_seq()?;
                    for layer in record.state.layers_mut() {
                        (layer.seq, layer.first, layer.source, layer.origin) = (seq, None, None, None);
                    }
                    live.push(record);
                }
                Some(Known::Deleted(mut tombstone)) => {
                    (tombstone.seq, tombstone.source) = (store.next_seq()?, None);
                    deleted.push(tombstone);
                }
                None => {}
            }
        }
        store.save_states(&table, &live)?;
        store.save_tombstones(&deleted)?;
    }
    Ok(())
}
