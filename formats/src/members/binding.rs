//! Member `bundle`: the outer identity once more, inside the sealed part.
//!
//! Invariant: a bundle whose member disagrees with its header is refused, so that nobody can sign another's
//! ciphertext as his own.

use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Bytes};
use crate::codec::{self, CodecError};
use crate::header::BundleHeader;
use crate::ids::{BundleId, BundleNumber, DeploymentId, Epoch, NodeId, Seq};
use crate::members::anew::{Anew, AnewV1, Common, IdPrefix, TRAIL_MAX, TrailV1};
use crate::members::entries::{EntriesV1, Entry, EntryRefusal, EntryRefusalV1, EntryRefusalsV1, EntryV1};

/// Which bundle this payload belongs to, and which list of nodes its sender holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The bundle.
    pub id: BundleId,
    /// Who wrote it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its place in the stream.
    pub number: BundleNumber,
    /// Its range of the feed: after this position …
    pub after: Seq,
    /// … up to and with this one.
    pub upto: Seq,
    /// Number of the list of nodes that the sender holds.
    pub nodes_known: u64,
    /// That list, signed, for a receiver that holds an older one.
    pub nodes: Option<Vec<u8>>,
    /// The beginnings of the ids of the bundles made before this one for the same receiver, in the same epoch, and not
    /// acknowledged: their numbers end with the one before this one's.
    pub trail: Vec<IdPrefix>,
    /// Where the sender's history began anew, until the receiver has acknowledged a bundle of it.
    pub anew: Option<Anew>,
    /// Where the receiver's history began anew: how much of the one before the sender had applied.
    pub common: Option<Common>,
    /// Nodes that were admitted below, for the deployment's key to list: to a central alone.
    pub entries: Vec<Entry>,
    /// Entries that were refused: to a satellite alone.
    pub refused_entries: Vec<EntryRefusal>,
}

impl Binding {
    /// The binding of the payload that goes under `header`, without what is said only now and then.
    #[must_use]
    pub fn of(header: &BundleHeader, nodes_known: u64, nodes: Option<Vec<u8>>) -> Self {
        Self {
            deployment: header.deployment,
            id: header.id,
            from: header.from,
            to: header.to,
            epoch: header.epoch,
            number: header.number,
            after: header.after,
            upto: header.upto,
            nodes_known,
            nodes,
            trail: Vec::new(),
            anew: None,
            common: None,
            entries: Vec::new(),
            refused_entries: Vec::new(),
        }
    }

    /// Whether the payload was made for the bundle with this header.
    #[must_use]
    pub fn agrees_with(&self, header: &BundleHeader) -> bool {
        let outer = |binding: &Self| {
            let Self { deployment, id, from, to, epoch, number, after, upto, .. } = binding;
            (*deployment, *id, *from, *to, *epoch, *number, *after, *upto)
        };
        outer(self) == outer(&Self::of(header, 0, None))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(&BindingMember::V1(BindingV1::from(self)))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let BindingMember::V1(wire) = codec::decode(bytes)?;
        Ok(wire.into())
    }
}

#[derive(Serialize, Deserialize)]
enum BindingMember {
    V1(BindingV1),
}

#[derive(Serialize, Deserialize)]
struct BindingV1 {
    deployment: [u8; 16],
    id: [u8; 16],
    from: [u8; 16],
    to: [u8; 16],
    epoch: u64,
    number: u64,
    after: u64,
    upto: u64,
    nodes_known: u64,
    nodes: Option<Bytes>,
    trail: TrailV1,
    anew: Option<AnewV1>,
    common: Option<(u64, u64)>,
    entries: EntriesV1,
    refused_entries: EntryRefusalsV1,
}

impl From<&Binding> for BindingV1 {
    fn from(binding: &Binding) -> Self {
        Self {
            deployment: binding.deployment.0,
            id: binding.id.0,
            from: binding.from.0,
            to: binding.to.0,
            epoch: binding.epoch.0,
            number: binding.number.0,
            after: binding.after.0,
            upto: binding.upto.0,
            nodes_known: binding.nodes_known,
            nodes: binding.nodes.clone().map(Bytes),
            trail: Bounded(binding.trail.iter().copied().skip(binding.trail.len().saturating_sub(TRAIL_MAX)).collect()),
            anew: binding.anew.as_ref().map(AnewV1::from),
            common: binding.common.map(|common| (common.before.0, common.upto.0)),
            entries: Bounded(binding.entries.iter().map(EntryV1::from).collect()),
            refused_entries: Bounded(binding.refused_entries.iter().map(EntryRefusalV1::from).collect()),
        }
    }
}

impl From<BindingV1> for Binding {
    fn from(wire: BindingV1) -> Self {
        Self {
            deployment: DeploymentId(wire.deployment),
            id: BundleId(wire.id),
            from: NodeId(wire.from),
            to: NodeId(wire.to),
            epoch: Epoch(wire.epoch),
            number: BundleNumber(wire.number),
            after: Seq(wire.after),
            upto: Seq(wire.upto),
            nodes_known: wire.nodes_known,
            nodes: wire.nodes.map(|bytes| bytes.0),
            trail: wire.trail.0,
            anew: wire.anew.map(Anew::from),
            common: wire.common.map(|(before, upto)| Common { before: Epoch(before), upto: Seq(upto) }),
            entries: wire.entries.0.into_iter().map(Entry::from).collect(),
            refused_entries: wire.refused_entries.0.into_iter().map(EntryRefusal::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::tests::example;

    #[test]
    fn every_field_of_the_outer_identity_is_bound() {
        let binding = Binding::of(&example(), 3, Some(vec![1, 2]));
        assert!(binding.agrees_with(&example()));
        let changes: [fn(&mut BundleHeader); 8] = [
            |h| h.deployment.0[0] ^= 1,
            |h| h.id.0[0] ^= 1,
            |h| h.from.0[0] ^= 1,
            |h| h.to.0[0] ^= 1,
            |h| h.epoch.0 ^= 1,
            |h| h.number.0 ^= 1,
            |h| h.after.0 ^= 1,
            |h| h.upto.0 ^= 1,
        ];
        for change in changes {
            let mut header = example();
            change(&mut header);
            assert!(!binding.agrees_with(&header));
        }
    }

    #[test]
    fn it_comes_back() {
        let entry = Entry {
            node: NodeId([5; 16]),
            name: "clinic-07".into(),
            card: vec![3; 400],
            is_district: true,
            by: NodeId([6; 16]),
            at: crate::ids::TimeMs(-7),
        };
        let refused =
            EntryRefusal { node: NodeId([8; 16]), at: crate::ids::TimeMs(9), reason: "the name is taken".into() };
        let mut binding = Binding {
            entries: vec![entry],
            refused_entries: vec![refused],
            ..Binding::of(&example(), 300, Some(vec![9; 300]))
        };
        binding.trail = vec![[1, 2, 3, 4], [0; 4]];
        binding.anew = Some(Anew { before: Epoch(8), known: vec![(BundleNumber(3), BundleId([5; 16]))] });
        binding.common = Some(Common { before: Epoch(7), upto: Seq(12) });
        assert_eq!(Binding::decode(&binding.encode()), Ok(binding));
    }
}
