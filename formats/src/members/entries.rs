//! Entries: nodes that a district has admitted without the deployment's key, on their way up to it; and what comes
//! back down of those that were refused. Both travel in the member `bundle`.

use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Bytes};
use crate::ids::{NodeId, TimeMs};
use crate::limits::ENTRIES_MAX;

/// A node that a district has admitted, and that the deployment's key is to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id, which its card has too.
    pub node: NodeId,
    /// Its name, which its card has too.
    pub name: String,
    /// Its card.
    pub card: Vec<u8>,
    /// Whether it may have satellites of its own.
    pub is_district: bool,
    /// Who admitted it, and is to be its central.
    pub by: NodeId,
    /// When, by the clock of who admitted it.
    pub at: TimeMs,
}

/// An entry that was not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRefusal {
    /// The node of the entry.
    pub node: NodeId,
    /// When it was admitted: of which entry this speaks.
    pub at: TimeMs,
    /// Why it was not listed, for people.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EntryV1 {
    node: [u8; 16],
    name: String,
    card: Bytes,
    is_district: bool,
    by: [u8; 16],
    at: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EntryRefusalV1 {
    node: [u8; 16],
    at: i64,
    reason: String,
}

pub(crate) type EntriesV1 = Bounded<EntryV1, ENTRIES_MAX>;
pub(crate) type EntryRefusalsV1 = Bounded<EntryRefusalV1, ENTRIES_MAX>;

impl From<&Entry> for EntryV1 {
    fn from(entry: &Entry) -> Self {
        let Entry { node, name, card, is_district, by, at } = entry;
        let (name, card) = (name.clone(), Bytes(card.clone()));
        Self { node: node.0, name, card, is_district: *is_district, by: by.0, at: at.0 }
    }
}

impl From<EntryV1> for Entry {
    fn from(wire: EntryV1) -> Self {
        let EntryV1 { node, name, card, is_district, by, at } = wire;
        Self { node: NodeId(node), name, card: card.0, is_district, by: NodeId(by), at: TimeMs(at) }
    }
}

impl From<&EntryRefusal> for EntryRefusalV1 {
    fn from(refusal: &EntryRefusal) -> Self {
        Self { node: refusal.node.0, at: refusal.at.0, reason: refusal.reason.clone() }
    }
}

impl From<EntryRefusalV1> for EntryRefusal {
    fn from(wire: EntryRefusalV1) -> Self {
        Self { node: NodeId(wire.node), at: TimeMs(wire.at), reason: wire.reason }
    }
}
