//! The nodes that the node at hand knows, for commands that only look at a file.

use saddlebag_couriers::{Node, NodeError};
use saddlebag_formats::header::KeyId;
use saddlebag_formats::{DeploymentId, NodeId};
use saddlebag_keys::{Card, Peer};

use crate::args::Global;
use crate::command_error::CommandError;

/// Who is known, and in which deployment.
#[derive(Debug, Default)]
pub(super) struct KnownNodes {
    pub(super) deployment: Option<DeploymentId>,
    peers: Vec<Peer>,
}

impl KnownNodes {
    /// What the node at hand knows; none if there is no node, and none was named.
    pub(super) fn read(global: &Global) -> Result<Option<Self>, CommandError> {
        match Node::open_for_setup(&global.node) {
            Ok(mut node) => Self::of(&mut node).map(Some),
            Err(NodeError::NotANode { .. }) if !global.names_a_node() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn of(node: &mut Node) -> Result<Self, CommandError> {
        let links = node.links()?;
        let listed = node.deployment.iter().flat_map(|(_, nodes)| nodes.list().nodes()).map(Peer::from);
        // The list comes first: it alone knows who was revoked.
        let mut known = Self { deployment: None, peers: listed.collect() };
        known.deployment = node.deployment.as_ref().map(|(key, _)| key.deployment_id());
        let linked = links.iter().filter_map(|link| Card::parse(&link.card).ok());
        known.peers.extend(linked.map(|card| Peer::from(&card)));
        known.peers.push(Peer {
            name: node.config.node.name.clone(),
            id: node.id,
            signing: node.keys.signing.public(),
            sealing: node.keys.sealing.recipient(),
            revoked: None,
        });
        Ok(known)
    }

    /// The node with this id; where it has had several keys, the one with that key.
    pub(super) fn peer(&self, id: NodeId, key: KeyId) -> Option<Peer> {
        let of_node = || self.peers.iter().filter(|peer| peer.id == id);
        of_node().find(|peer| peer.signing.key_id() == key).or_else(|| of_node().next()).cloned()
    }

    /// The node's name, or its id.
    pub(super) fn name(&self, id: NodeId) -> String {
        let found = self.peers.iter().find(|peer| peer.id == id);
        found.map_or_else(|| id.to_string(), |peer| peer.name.to_string())
    }
}
