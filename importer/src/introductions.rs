//! Entries that come from below, and refusals that come from above.
//!
//! Nobody is listed here: that takes the deployment's key. Invariant: an entry is taken from a satellite that this
//! node's list calls a central, and from no other; a refusal only from this node's central.

use saddlebag_formats::entry_book::EntryBook;
use saddlebag_formats::members::{Binding, Entry, EntryRefusal};
use saddlebag_formats::{BundleNumber, LinkId, TimeMs};
use saddlebag_keys::card::CardDeployment;
use saddlebag_keys::deployment::{NodeList, Role};
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole};
use saddlebag_stores::{Store, StoreError, entries};

use crate::error::ImportError;
use crate::logging;

/// Takes what a bundle says of entries.
pub(crate) fn take(store: &mut dyn Store, link: &Link, binding: &Binding, now: TimeMs) -> Result<(), ImportError> {
    if binding.entries.is_empty() && binding.refused_entries.is_empty() {
        return Ok(());
    }
    let may_admit = is_district(store, link)?;
    if link.role == PeerRole::Satellite {
        let known = entries::read(store)?;
        let is_new = |entry: &&Entry| !known.kept().iter().any(|kept| kept.entry == **entry);
        let new: Vec<Entry> = binding.entries.iter().filter(is_new).cloned().collect();
        logging::entries(store, &link.name, &new, now)?;
    }
    Ok(entries::change(store, |book| match link.role {
        PeerRole::Central => binding.refused_entries.iter().for_each(|refusal| book.refuse(refusal)),
        PeerRole::Satellite => {
            binding.entries.iter().for_each(|entry| book.take(entry.clone(), Some(link.id)));
            if !may_admit {
                refuse_all(book, link);
            }
        }
    })?)
}

/// Notes that the other end has our bundles up to this number.
pub(crate) fn arrived(store: &mut dyn Store, link: &Link, number: BundleNumber) -> Result<(), StoreError> {
    let satellite: Option<LinkId> = Some(link.id).filter(|_| link.role == PeerRole::Satellite);
    entries::change(store, |book| book.arrived(satellite, number))
}

/// The other end goes on from an older state: what it had of entries may be gone with what came after.
pub(crate) fn tell_again(store: &mut dyn Store, link: &Link) -> Result<(), StoreError> {
    match link.role {
        PeerRole::Central => entries::change(store, |book| book.begin_anew()),
        PeerRole::Satellite => Ok(()),
    }
}

/// A node that must not admit anybody has its answer at once.
fn refuse_all(book: &mut EntryBook, link: &Link) {
    let reason = format!("{} is not listed as a district", link.name);
    let from_there: Vec<EntryRefusal> = book
        .kept()
        .iter()
        .filter(|kept| kept.from == Some(link.id))
        .map(|kept| EntryRefusal { node: kept.entry.node, at: kept.entry.at, reason: reason.clone() })
        .collect();
    from_there.iter().for_each(|refusal| book.refuse(refusal));
}

/// Whether the list of nodes has the other end of a link as a central.
pub(crate) fn is_district(store: &mut dyn Store, link: &Link) -> Result<bool, ImportError> {
    let nodes = list(store)?;
    let listed = nodes.as_ref().and_then(|nodes| nodes.node(link.peer));
    Ok(listed.is_some_and(|node| node.role == Role::Central && node.revoked.is_none()))
}

/// The list of nodes that this one holds.
pub(crate) fn list(store: &mut dyn Store) -> Result<Option<NodeList>, ImportError> {
    let (Some(key), Some(nodes)) = (store.setting(DEPLOYMENT_KEY)?, store.setting(NODES)?) else { return Ok(None) };
    let deployment = CardDeployment::from_kept(&key, &nodes)
        .map_err(|error| ImportError::Damaged { what: "the deployment", reason: error.to_string() })?;
    Ok(Some(deployment.nodes.list().clone()))
}
