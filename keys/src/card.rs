//! A card: the small public file by which a node introduces itself, signed by the node's own key.
//!
//! Anybody can make a card, with any name on it; the signature only shows that it is whole and that its
//! maker has the key that it shows. Whether it is *that* node a person decides, by comparing the fingerprint.
//! Invariant: a [`Card`] that was parsed is signed by the key that it shows, and where it brings a
//! deployment, that deployment's own list has the node with exactly these keys.

mod tables;
mod wire;

use saddlebag_formats::limits::CARD_BYTES_MAX;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::{DeploymentId, NodeId, TimeMs};

use crate::deployment::{ListError, ListedNode, NodeList, Role, SignedNodeList};
use crate::node_keys::NodeKeys;
use crate::sealing::SealingRecipient;
use crate::signed_text::{self, FieldError, TextError};
use crate::signing::{KeyError, PublicKey, SigningKeys};

pub use tables::{CardTable, TableProblem};

/// How the name of a card's file ends.
pub const CARD_SUFFIX: &str = ".card";

const FIRST_LINE: &str = "saddlebag card 1";

/// What a node says of itself.
///
/// ```
/// use saddlebag_formats::{NodeId, TimeMs};
/// use saddlebag_keys::{Card, NodeKeys};
/// # struct Fixed;
/// # impl saddlebag_formats::ambient::Entropy for Fixed {
/// #     fn fill(&mut self, bytes: &mut [u8]) { bytes.fill(7) }
/// # }
/// # let mut entropy = Fixed;
/// let keys = NodeKeys::generate(&mut entropy);
/// let card = Card::satellite("clinic-07".parse()?, NodeId([1; 16]), &keys, TimeMs(1_795_255_200_000));
/// let bytes = card.sign(&keys.signing)?;
/// assert_eq!(Card::parse(&bytes)?, card);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The node's name.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// What it is to others, as it says itself.
    pub role: Role,
    /// Whom its signatures are checked against.
    pub signing: PublicKey,
    /// For whom its bundles are sealed.
    pub sealing: SealingRecipient,
    /// When the card was made, by the node's own clock.
    pub made: TimeMs,
    /// The deployment that lists it; a central always brings it.
    pub deployment: Option<CardDeployment>,
    /// How the deployment's tables are known at every place: a central's choice, in order of name.
    pub tables: Vec<CardTable>,
}

/// The deployment that a card brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardDeployment {
    /// The deployment's public key. Its hash is the deployment's id.
    pub key: PublicKey,
    /// The nodes, signed by that key.
    pub nodes: SignedNodeList,
}

/// A deployment that a node has kept, and that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptDeploymentError {
    /// The key has another length than keys have.
    #[error("the deployment's key is not 32 bytes long")]
    KeyLength,
    /// The key is none that may be used.
    #[error("the deployment's key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The list is not what that key signed.
    #[error("the list of nodes cannot be used: {0}")]
    Nodes(#[from] ListError),
}

impl CardDeployment {
    /// Reads back what a node has kept of its deployment: the public key's 32 bytes, and the signed list.
    ///
    /// # Errors
    /// [`KeptDeploymentError`].
    pub fn from_kept(key: &[u8], nodes: &[u8]) -> Result<Self, KeptDeploymentError> {
        let key = PublicKey::from_bytes(key.try_into().map_err(|_| KeptDeploymentError::KeyLength)?)?;
        Ok(Self { nodes: SignedNodeList::parse(nodes, &key)?, key })
    }
}

/// A card that cannot be made or accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// Not the three lines of a card.
    #[error("this is not a card: {0}")]
    Text(#[from] TextError),
    /// A field has another form than it should.
    #[error("the card is damaged: {0}")]
    Field(#[from] FieldError),
    /// Changed, or not made by who has the key that it shows.
    #[error("the card of {name} was changed after it was made: its signature does not hold")]
    BadSignature {
        /// The name on it.
        name: NodeName,
    },
    /// The keys to sign with are not those that the card shows.
    #[error("the card of {name} shows another key than the one that is to sign it")]
    OtherKey {
        /// The name on it.
        name: NodeName,
    },
    /// A central that doesn't say of which deployment.
    #[error("the card of {name} calls it a central, but brings no deployment")]
    NoDeployment {
        /// The name on it.
        name: NodeName,
    },
    /// The list of nodes on the card cannot be accepted.
    #[error("the list of nodes on the card of {name} is refused: {source}")]
    List {
        /// The name on the card.
        name: NodeName,
        /// Why.
        source: ListError,
    },
    /// The deployment doesn't list the node as its card shows it.
    #[error("the deployment {deployment} does not list {name} with the keys on its card")]
    NotListed {
        /// The name on the card.
        name: NodeName,
        /// The deployment that the card brings.
        deployment: DeploymentId,
    },
    /// What it says of the deployment's tables cannot be accepted.
    #[error("what the card of {name} says of the tables is refused: {problem}")]
    Tables {
        /// The name on the card.
        name: NodeName,
        /// Why.
        problem: TableProblem,
    },
}

impl CardError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Text(TextError::OtherKind { .. }) => {
                Some("a card is the file that `saddlebag card` writes, NAME.card")
            }
            Self::OtherKey { .. } => Some("the node's keys were replaced: make the card again"),
            _ => Some("ask for the card again, and compare its fingerprint with its owner"),
        }
    }
}

impl Card {
    /// The card of a node that belongs to no deployment yet.
    #[must_use]
    pub fn satellite(name: NodeName, id: NodeId, keys: &NodeKeys, made: TimeMs) -> Self {
        let (signing, sealing) = (keys.signing.public(), keys.sealing.recipient());
        Self { name, id, role: Role::Satellite, signing, sealing, made, deployment: None, tables: Vec::new() }
    }

    /// The card of a central: of `node`, as the deployment lists it.
    #[must_use]
    pub fn central(node: &ListedNode, deployment: CardDeployment, made: TimeMs) -> Self {
        Self {
            name: node.name.clone(),
            id: node.id,
            role: node.role,
            signing: node.signing,
            sealing: node.sealing.clone(),
            made,
            deployment: Some(deployment),
            tables: Vec::new(),
        }
    }

    /// The same, with what a central has chosen for the deployment's tables.
    #[must_use]
    pub fn with_tables(mut self, mut tables: Vec<CardTable>) -> Self {
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        self.tables = tables;
        self
    }

    /// The file's content.
    ///
    /// # Errors
    /// [`CardError`], wherever [`Card::parse`] would refuse the card.
    pub fn sign(&self, keys: &SigningKeys) -> Result<Vec<u8>, CardError> {
        if keys.public() != self.signing {
            return Err(CardError::OtherKey { name: self.name.clone() });
        }
        let bytes = signed_text::compose(FIRST_LINE, &wire::CardV1::from(self), keys);
        // Read back what will be handed out: it must be what others accept.
        Self::parse(&bytes).map(|_| bytes)
    }

    /// Reads a card.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let lines = signed_text::split(bytes, FIRST_LINE, CARD_BYTES_MAX)?;
        let wire: wire::CardV1 = lines.read_json()?;
        // The key that checks the signature stands in the card: it must be read first. Nothing else is
        // looked at before the signature holds.
        let (name, key) = wire.name_and_key()?;
        lines.verify(&key).map_err(|_| CardError::BadSignature { name })?;
        let card = Self::try_from(wire)?;
        card.check_deployment()?;
        tables::check(&card).map_err(|problem| CardError::Tables { name: card.name.clone(), problem })?;
        Ok(card)
    }

    /// The name of the card's file: `NAME.card`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}{CARD_SUFFIX}", self.name)
    }

    /// The deployment's list of nodes, where the card brings it.
    #[must_use]
    pub fn nodes(&self) -> Option<&NodeList> {
        self.deployment.as_ref().map(|deployment| deployment.nodes.list())
    }

    fn check_deployment(&self) -> Result<(), CardError> {
        let Some(nodes) = self.nodes() else {
            return match self.role {
                Role::Central => Err(CardError::NoDeployment { name: self.name.clone() }),
                Role::Satellite => Ok(()),
            };
        };
        let is_this = |node: &ListedNode| {
            node.name == self.name
                && node.role == self.role
                && node.signing == self.signing
                && node.sealing == self.sealing
        };
        if nodes.node(self.id).is_some_and(is_this) {
            Ok(())
        } else {
            Err(CardError::NotListed { name: self.name.clone(), deployment: nodes.deployment() })
        }
    }
}

#[cfg(test)]
mod tests;
