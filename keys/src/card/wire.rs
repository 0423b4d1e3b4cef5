//! The JSON of a card, version 1. The list of nodes is a text within it, byte for byte as it was signed.

use saddlebag_formats::TimeMs;
use saddlebag_formats::node_name::NodeName;
use serde::{Deserialize, Serialize};

use super::tables::CardTableV1;
use super::{Card, CardDeployment, CardError};
use crate::deployment::SignedNodeList;
use crate::deployment::wire::RoleV1;
use crate::signed_text::{FieldError, field};
use crate::signing::PublicKey;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardV1 {
    name: String,
    id: String,
    role: RoleV1,
    signing: String,
    sealing: String,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    made_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<CardDeploymentV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tables: Vec<CardTableV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardDeploymentV1 {
    key: String,
    nodes: String,
}

impl CardV1 {
    pub(super) fn name_and_key(&self) -> Result<(NodeName, PublicKey), FieldError> {
        Ok((field("name", &self.name)?, field("signing", &self.signing)?))
    }
}

impl From<&Card> for CardV1 {
    fn from(card: &Card) -> Self {
        let deployment = |deployment: &CardDeployment| CardDeploymentV1 {
            key: deployment.key.to_string(),
            nodes: String::from_utf8_lossy(deployment.nodes.as_bytes()).into_owned(),
        };
        Self {
            name: card.name.to_string(),
            id: card.id.to_string(),
            role: card.role.into(),
            signing: card.signing.to_string(),
            sealing: card.sealing.to_string(),
            made_ms: card.made.0,
            deployment: card.deployment.as_ref().map(deployment),
            tables: card.tables.iter().map(CardTableV1::from).collect(),
        }
    }
}

impl TryFrom<CardV1> for Card {
    type Error = CardError;
    fn try_from(wire: CardV1) -> Result<Self, CardError> {
        let (name, signing) = wire.name_and_key()?;
        let deployment = |wire: CardDeploymentV1| {
            let key: PublicKey = field("key", &wire.key)?;
            let nodes = SignedNodeList::parse(wire.nodes.as_bytes(), &key)
                .map_err(|source| CardError::List { name: name.clone(), source })?;
            Ok::<_, CardError>(CardDeployment { key, nodes })
        };
        Ok(Self {
            id: field("id", &wire.id)?,
            role: wire.role.into(),
            signing,
            sealing: field("sealing", &wire.sealing)?,
            made: TimeMs(wire.made_ms),
            deployment: wire.deployment.map(deployment).transpose()?,
            tables: wire.tables.into_iter().map(Into::into).collect(),
            name,
        })
    }
}
