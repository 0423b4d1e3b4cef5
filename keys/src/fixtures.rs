//! Made-up nodes for the tests: the same in every run.

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::{NodeId, TimeMs};
use sha2::{Digest, Sha256};

use crate::card::{Card, CardDeployment};
use crate::deployment::{DeploymentKey, ListedNode, NodeList, Role, SignedNodeList};
use crate::node_keys::NodeKeys;

/// Random bytes that are the same in every run.
pub(crate) struct Seeded(pub(crate) u64);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(32) {
            self.0 += 1;
            piece.copy_from_slice(&Sha256::digest(self.0.to_le_bytes())[..piece.len()]);
        }
    }
}

pub(crate) fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

pub(crate) fn keys(seed: u8) -> NodeKeys {
    NodeKeys::generate(&mut Seeded(u64::from(seed) << 32))
}

pub(crate) fn deployment_key() -> DeploymentKey {
    DeploymentKey::generate(&mut Seeded(u64::MAX / 2))
}

/// A listed node; its id and keys come from `seed`.
pub(crate) fn listed(text: &str, seed: u8, role: Role, central: Option<u8>) -> ListedNode {
    let keys = keys(seed);
    ListedNode {
        name: name(text),
        id: NodeId([seed; 16]),
        role,
        signing: keys.signing.public(),
        sealing: keys.sealing.recipient(),
        central: central.map(|seed| NodeId([seed; 16])),
        revoked: None,
    }
}

/// The ministry (1) and its clinic (2).
pub(crate) fn two_nodes() -> NodeList {
    NodeList::first(deployment_key().id(), listed("ministry", 1, Role::Central, None))
        .and_then(|list| list.with_node(listed("clinic-07", 2, Role::Satellite, Some(1))))
        .unwrap()
}

pub(crate) fn signed(list: NodeList) -> SignedNodeList {
    deployment_key().sign(list).unwrap()
}

pub(crate) fn central_card() -> Card {
    let nodes = signed(two_nodes());
    let ministry = nodes.list().node_named(&name("ministry")).cloned().unwrap();
    Card::central(&ministry, CardDeployment { key: deployment_key().public(), nodes }, TimeMs(1_795_255_200_000))
}

pub(crate) fn satellite_card() -> Card {
    Card::satellite(name("clinic-08"), NodeId([3; 16]), &keys(3), TimeMs(1_795_255_200_000))
}
