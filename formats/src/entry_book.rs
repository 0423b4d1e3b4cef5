//! What a node keeps of entries: those on their way up to the deployment's key, and what became of them.
//!
//! "Receipts, requests and entries are repeated until a bundle that carried them is acknowledged." Invariant: one entry
//! for each node, the latest; an entry leaves the book only when a signed list has its node, or somebody takes it out.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::{BundleNumber, LinkId, NodeId};
use crate::limits::ENTRIES_MAX;
use crate::members::{Entry, EntryRefusal};
use crate::members::{EntryRefusalV1, EntryV1};

/// Entries that one node keeps at most.
const KEPT_MAX: usize = 10_000;

/// An entry as a node keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// What it says.
    pub entry: Entry,
    /// The link that it came over; none if this node admitted it.
    pub from: Option<LinkId>,
    /// How far it is.
    pub state: EntryState,
    /// The bundle that carried it up, or, of a refused one, its refusal down.
    pub carried: Option<BundleNumber>,
}

/// How far an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryState {
    /// It waits here: for the next bundle up, or for the deployment's key.
    Waiting,
    /// This node's central has it.
    PassedOn,
    /// It was refused, and who sent it has not acknowledged that yet.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// It was refused, and everybody below knows.
    Told {
        /// Why, for people.
        reason: String,
    },
}

impl EntryState {
    /// Why it was refused, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason } | Self::Told { reason } => Some(reason),
            Self::Waiting | Self::PassedOn => None,
        }
    }
}

/// All entries that a node keeps, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryBook {
    kept: Vec<KeptEntry>,
}

impl EntryBook {
    /// All of them.
    #[must_use]
    pub fn kept(&self) -> &[KeptEntry] {
        &self.kept
    }

    /// Takes an entry in. One that is known stays as it is; a later one of the same node begins anew.
    pub fn take(&mut self, entry: Entry, from: Option<LinkId>) {
        match self.kept.iter().position(|kept| kept.entry.node == entry.node) {
            Some(at) if self.kept[at].entry.at >= entry.at => {}
            Some(at) => self.kept[at] = KeptEntry::new(entry, from),
            None if self.kept.len() < KEPT_MAX => self.kept.push(KeptEntry::new(entry, from)),
            None => {}
        }
    }

    /// Notes that an entry was refused; of another time than the one that is kept, it says nothing.
    pub fn refuse(&mut self, refusal: &EntryRefusal) {
        let is_it = |kept: &&mut KeptEntry| kept.entry.node == refusal.node && kept.entry.at == refusal.at;
        if let Some(kept) = self.kept.iter_mut().find(is_it).filter(|kept| kept.state.reason().is_none()) {
            let reason = refusal.reason.clone();
            // Nobody is waiting for an answer where it was admitted.
            kept.state = if kept.from.is_some() { EntryState::Refused { reason } } else { EntryState::Told { reason } };
            kept.carried = None;
        }
    }

    /// Has refused entries wait again.
    pub fn retry(&mut self) {
        for kept in self.kept.iter_mut().filter(|kept| kept.state.reason().is_some()) {
            (kept.state, kept.carried) = (EntryState::Waiting, None);
        }
    }

    /// Has everything go up again that was passed on: what is above may have lost it.
    pub fn begin_anew(&mut self) {
        for kept in self.kept.iter_mut().filter(|kept| kept.state == EntryState::PassedOn) {
            (kept.state, kept.carried) = (EntryState::Waiting, None);
        }
    }

    /// Lets go of the entries that `is_done`.
    pub fn retain(&mut self, is_done: impl Fn(&Entry) -> bool) {
        self.kept.retain(|kept| !is_done(&kept.entry));
    }

    /// What the next bundle for this node's own central carries.
    #[must_use]
    pub fn up(&self) -> Vec<Entry> {
        self.to_carry(None).map(|kept| kept.entry.clone()).collect()
    }

    /// What the next bundle for a satellite carries.
    #[must_use]
    pub fn down(&self, link: LinkId) -> Vec<EntryRefusal> {
        let refusal = |kept: &KeptEntry| {
            let reason = kept.state.reason().unwrap_or_default().to_owned();
            EntryRefusal { node: kept.entry.node, at: kept.entry.at, reason }
        };
        self.to_carry(Some(link)).map(refusal).collect()
    }

    /// Whether a link lacks something that no bundle has carried; `satellite` names the link, none is the one up.
    #[must_use]
    pub fn has_new(&self, satellite: Option<LinkId>) -> bool {
        self.to_carry(satellite).any(|kept| kept.carried.is_none())
    }

    /// Notes that bundle `number` carries what [`EntryBook::up`] or [`EntryBook::down`] gave.
    pub fn carried(&mut self, satellite: Option<LinkId>, number: BundleNumber) {
        let nodes: Vec<NodeId> = self.to_carry(satellite).map(|kept| kept.entry.node).collect();
        for kept in self.kept.iter_mut().filter(|kept| nodes.contains(&kept.entry.node)) {
            kept.carried = Some(number);
        }
    }

    /// Notes that a link has acknowledged bundle `number`.
    pub fn arrived(&mut self, satellite: Option<LinkId>, number: BundleNumber) {
        for kept in self.kept.iter_mut().filter(|kept| kept.is_for(satellite)) {
            if kept.carried.is_some_and(|carried| carried <= number) {
                kept.state = match kept.state.reason() {
                    Some(reason) => EntryState::Told { reason: reason.to_owned() },
                    None => EntryState::PassedOn,
                };
                kept.carried = None;
            }
        }
    }

    fn to_carry(&self, satellite: Option<LinkId>) -> impl Iterator<Item = &KeptEntry> {
        self.kept.iter().filter(move |kept| kept.is_for(satellite)).take(ENTRIES_MAX)
    }

    /// The bytes in which a node keeps it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&BookKept::V1(Bounded(self.kept.iter().map(KeptEntryV1::from).collect())))
    }

    /// The book whose bytes these are.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let BookKept::V1(kept) = codec::decode(bytes)?;
        Ok(Self { kept: kept.0.into_iter().map(KeptEntry::from).collect() })
    }
}

impl KeptEntry {
    fn new(entry: Entry, from: Option<LinkId>) -> Self {
        Self { entry, from, state: EntryState::Waiting, carried: None }
    }

    /// Whether something of it is to be carried to a satellite, or up.
    fn is_for(&self, satellite: Option<LinkId>) -> bool {
        match (&self.state, satellite) {
            (EntryState::Waiting, None) => true,
            (EntryState::Refused { .. }, Some(link)) => self.from == Some(link),
            _ => false,
        }
    }
}

#[derive(Serialize, Deserialize)]
enum BookKept {
    V1(Bounded<KeptEntryV1, KEPT_MAX>),
}

#[derive(Serialize, Deserialize)]
struct KeptEntryV1 {
    entry: EntryV1,
    from: Option<u32>,
    state: EntryStateV1,
    carried: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum EntryStateV1 {
    Waiting,
    PassedOn,
    Refused(EntryRefusalV1),
    Told(EntryRefusalV1),
}

impl From<&KeptEntry> for KeptEntryV1 {
    fn from(kept: &KeptEntry) -> Self {
        let refusal = |reason: &String| {
            let (node, at, reason) = (kept.entry.node, kept.entry.at, reason.clone());
            EntryRefusalV1::from(&EntryRefusal { node, at, reason })
        };
        Self {
            entry: EntryV1::from(&kept.entry),
            from: kept.from.map(|link| link.0),
            state: match &kept.state {
                EntryState::Waiting => EntryStateV1::Waiting,
                EntryState::PassedOn => EntryStateV1::PassedOn,
                EntryState::Refused { reason } => EntryStateV1::Refused(refusal(reason)),
                EntryState::Told { reason } => EntryStateV1::Told(refusal(reason)),
            },
            carried: kept.carried.map(|number| number.0),
        }
    }
}

impl From<KeptEntryV1> for KeptEntry {
    fn from(wire: KeptEntryV1) -> Self {
        let reason = |refusal: EntryRefusalV1| EntryRefusal::from(refusal).reason;
        Self {
            entry: wire.entry.into(),
            from: wire.from.map(LinkId),
            state: match wire.state {
                EntryStateV1::Waiting => EntryState::Waiting,
                EntryStateV1::PassedOn => EntryState::PassedOn,
                EntryStateV1::Refused(refusal) => EntryState::Refused { reason: reason(refusal) },
                EntryStateV1::Told(refusal) => EntryState::Told { reason: reason(refusal) },
            },
            carried: wire.carried.map(BundleNumber),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TimeMs;

    const BELOW: Option<LinkId> = Some(LinkId(4));

    fn entry(node: u8, at: i64) -> Entry {
        let (node, by, card) = (NodeId([node; 16]), NodeId([1; 16]), vec![7; 300]);
        Entry { node, name: "clinic-07".into(), card, is_district: false, by, at: TimeMs(at) }
    }

    fn refusal(node: u8, at: i64) -> EntryRefusal {
        EntryRefusal { node: NodeId([node; 16]), at: TimeMs(at), reason: "the name is taken".into() }
    }

    #[test]
    fn an_entry_is_repeated_until_a_bundle_that_carried_it_is_acknowledged() {
        let mut book = EntryBook::default();
        book.take(entry(2, 10), None);
        assert!(book.has_new(None));
        book.carried(None, BundleNumber(5));
        assert!(!book.has_new(None));
        book.arrived(None, BundleNumber(4));
        book.arrived(BELOW, BundleNumber(9));
        assert_eq!(book.up().len(), 1, "another bundle, another link");
        book.carried(None, BundleNumber(6));
        book.arrived(None, BundleNumber(5));
        assert_eq!(book.up().len(), 1, "what was acknowledged is not the last that carried it");
        book.arrived(None, BundleNumber(6));
        assert!(book.up().is_empty());
        assert_eq!(book.kept()[0].state, EntryState::PassedOn);
        book.begin_anew();
        assert_eq!(book.up().len(), 1, "what is above was restored from before");
    }

    #[test]
    fn a_refusal_goes_back_over_the_link_that_the_entry_came_over() {
        let mut book = EntryBook::default();
        book.take(entry(2, 10), BELOW);
        book.refuse(&refusal(2, 9));
        assert!(book.down(LinkId(4)).is_empty(), "that was another entry of it");
        book.refuse(&refusal(2, 10));
        assert_eq!(book.down(LinkId(4)), [refusal(2, 10)]);
        assert!(book.down(LinkId(3)).is_empty() && book.up().is_empty());
        book.carried(BELOW, BundleNumber(1));
        book.refuse(&refusal(2, 10));
        assert!(!book.has_new(BELOW), "it comes again and says nothing new");
        book.arrived(BELOW, BundleNumber(1));
        assert!(book.down(LinkId(4)).is_empty());
        assert_eq!(book.kept()[0].state.reason(), Some("the name is taken"));
        book.retry();
        assert_eq!(book.up().len(), 1);
    }

    #[test]
    fn a_later_entry_of_a_node_takes_the_place_of_the_one_before() {
        let mut book = EntryBook::default();
        book.take(entry(2, 10), BELOW);
        book.refuse(&refusal(2, 10));
        book.take(entry(2, 10), BELOW);
        assert!(book.kept()[0].state.reason().is_some());
        book.take(entry(2, 11), BELOW);
        assert_eq!((book.kept().len(), &book.kept()[0].state), (1, &EntryState::Waiting));
        book.retain(|entry| entry.node == NodeId([2; 16]));
        assert!(book.kept().is_empty());
    }

    #[test]
    fn it_comes_back() {
        let mut book = EntryBook::default();
        for node in 2..6 {
            book.take(entry(node, 10), if node < 4 { BELOW } else { None });
        }
        book.refuse(&refusal(2, 10));
        book.refuse(&refusal(4, 10));
        book.carried(None, BundleNumber(300));
        book.arrived(None, BundleNumber(1));
        assert_eq!(EntryBook::decode(&book.encode()), Ok(book));
    }

    #[test]
    fn no_bundle_carries_more_than_it_may() {
        let mut book = EntryBook::default();
        for node in 0..=ENTRIES_MAX {
            let mut entry = entry(0, 10);
            entry.node.0[..8].copy_from_slice(&(node as u64).to_le_bytes());
            book.take(entry, None);
        }
        assert_eq!(book.up().len(), ENTRIES_MAX);
        book.carried(None, BundleNumber(1));
        book.arrived(None, BundleNumber(1));
        assert!(book.has_new(None) && book.up().len() == 1);
    }
}
