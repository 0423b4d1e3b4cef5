//! What nodes are called: what people read in place of an id.

use std::collections::HashMap;

use saddlebag_formats::NodeId;
use saddlebag_stores::ledger::Link;

use crate::node::Node;

/// The names of all nodes that this one has heard of.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeNames(HashMap<NodeId, String>);

impl NodeNames {
    /// From this node's links, and its list of nodes, which has the last word.
    pub(crate) fn of(node: &Node, links: &[Link]) -> Self {
        let mut names: HashMap<_, _> = links.iter().map(|link| (link.peer, link.name.clone())).collect();
        let listed = node.deployment.iter().flat_map(|(_, nodes)| nodes.list().nodes());
        names.extend(listed.map(|node| (node.id, node.name.to_string())));
        names.insert(node.id, node.config.node.name.to_string());
        Self(names)
    }

    /// These, with those of links to nodes that are not listed yet.
    pub(crate) fn with_links(mut self, links: &[Link]) -> Self {
        for link in links {
            self.0.entry(link.peer).or_insert_with(|| link.name.clone());
        }
        self
    }

    /// The node's name, or its id.
    pub(crate) fn name(&self, id: NodeId) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}
