//! Who this node is, as its bundles say.

use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::{DeploymentId, Epoch, NodeId, Writer};

/// This node in its present epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThisNode {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
    /// The deployment that it belongs to.
    pub deployment: DeploymentId,
    /// The present history of its database.
    pub epoch: Epoch,
}

impl ThisNode {
    /// Who writes here.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer { node: self.id, epoch: self.epoch }
    }
}
