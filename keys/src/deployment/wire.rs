//! The JSON of a list of nodes, version 1. Fields that are absent have no value; unknown ones are refused.

use saddlebag_formats::BundleNumber;
use serde::{Deserialize, Serialize};

use super::{ListError, ListedNode, NodeList, Revoked, Role};
use crate::signed_text::{FieldError, field};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeListV1 {
    deployment: String,
    number: u64,
    nodes: Vec<ListedNodeV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedNodeV1 {
    name: String,
    id: String,
    role: RoleV1,
    signing: String,
    sealing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    central: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<RevokedV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedV1 {
    epoch: String,
    number: u64,
}

/// The role of a node, as a card has it too.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleV1 {
    Central,
    Satellite,
}

impl From<Role> for RoleV1 {
    fn from(role: Role) -> Self {
        match role {
            Role::Central => Self::Central,
            Role::Satellite => Self::Satellite,
        }
    }
}

impl From<RoleV1> for Role {
    fn from(role: RoleV1) -> Self {
        match role {
            RoleV1::Central => Self::Central,
            RoleV1::Satellite => Self::Satellite,
        }
    }
}

impl From<&NodeList> for NodeListV1 {
    fn from(list: &NodeList) -> Self {
        Self {
            deployment: list.deployment.to_string(),
            number: list.number,
            nodes: list.nodes.iter().map(ListedNodeV1::from).collect(),
        }
    }
}

impl From<&ListedNode> for ListedNodeV1 {
    fn from(node: &ListedNode) -> Self {
        let revoked = |revoked: Revoked| RevokedV1 { epoch: revoked.epoch.to_string(), number: revoked.number.0 };
        Self {
            name: node.name.to_string(),
            id: node.id.to_string(),
            role: node.role.into(),
            signing: node.signing.to_string(),
            sealing: node.sealing.to_string(),
            central: node.central.map(|id| id.to_string()),
            revoked: node.revoked.map(revoked),
        }
    }
}

impl TryFrom<NodeListV1> for NodeList {
    type Error = ListError;
    fn try_from(wire: NodeListV1) -> Result<Self, ListError> {
        let nodes = wire.nodes.into_iter().map(ListedNode::try_from).collect::<Result<_, _>>()?;
        let list = Self { deployment: field("deployment", &wire.deployment)?, number: wire.number, nodes };
        list.check()?;
        Ok(list)
    }
}

impl TryFrom<ListedNodeV1> for ListedNode {
    type Error = FieldError;
    fn try_from(wire: ListedNodeV1) -> Result<Self, FieldError> {
        let revoked = |wire: RevokedV1| {
            Ok::<_, FieldError>(Revoked { epoch: field("epoch", &wire.epoch)?, number: BundleNumber(wire.number) })
        };
        Ok(Self {
            name: field("name", &wire.name)?,
            id: field("id", &wire.id)?,
            role: wire.role.into(),
            signing: field("signing", &wire.signing)?,
            sealing: field("sealing", &wire.sealing)?,
            central: wire.central.map(|id| field("central", &id)).transpose()?,
            revoked: wire.revoked.map(revoked).transpose()?,
        })
    }
}
