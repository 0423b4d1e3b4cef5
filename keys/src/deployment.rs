//! The deployment's key, and the numbered list of nodes that it signs.
//!
//! Invariant of a [`NodeList`]: names, ids and keys are unique; every satellite has a central, which stands
//! before it, so that there are no circles. Its number goes up by exactly one with each change.

pub(crate) mod wire;

use std::path::Path;

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::{BundleNumber, DeploymentId, Epoch, NodeId};
use sha2::{Digest, Sha256};

use crate::files;
use crate::key_file::{self, KeyFileError};
use crate::sealing::SealingRecipient;
use crate::signed_text::{self, FieldError, TextError};
use crate::signing::{PublicKey, SigningKeys, first_bytes};

/// The deployment key's file in the `keys` folder of the node that ran `init --central`.
pub const DEPLOYMENT_KEY_FILE: &str = "deployment.key";

/// A list of nodes, with its signature: 1 MiB, some 3,000 nodes.
pub const NODE_LIST_BYTES_MAX: usize = 1 << 20;

const DEPLOYMENT_KIND: &str = "saddlebag-deployment-key";
const FIRST_LINE: &str = "saddlebag nodes 1";

impl PublicKey {
    /// The deployment whose key this is: the first 16 bytes of its SHA-256.
    #[must_use]
    pub fn deployment_id(&self) -> DeploymentId {
        DeploymentId(first_bytes(Sha256::digest(self.as_bytes()).into()))
    }
}

/// The key of a deployment. It signs the list of nodes and nothing else, and may be kept elsewhere while no
/// node is admitted.
#[derive(Debug)]
pub struct DeploymentKey {
    keys: SigningKeys,
}

impl DeploymentKey {
    /// A new deployment.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self { keys: SigningKeys::generate(entropy) }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.keys.public()
    }

    /// The deployment's id.
    #[must_use]
    pub fn id(&self) -> DeploymentId {
        self.public().deployment_id()
    }

    /// Signs a list of nodes of this deployment.
    ///
    /// # Errors
    /// [`ListError::OtherDeployment`]; [`ListError::Text`] if the list is too large.
    pub fn sign(&self, list: NodeList) -> Result<SignedNodeList, ListError> {
        let bytes = signed_text::compose(FIRST_LINE, &wire::NodeListV1::from(&list), &self.keys);
        // Read back what will be sent: it must be what every receiver accepts.
        SignedNodeList::parse(&bytes, &self.public())
    }

    /// Writes the key into `folder`, which is made if it lacks. A key that lies there is never overwritten.
    ///
    /// # Errors
    /// [`KeyFileError::File`].
    pub fn save(&self, folder: &Path) -> Result<(), KeyFileError> {
        files::create_private_folders(folder)?;
        let comment = format!(
            "Key of the saddlebag deployment {}. Keep it secret: who has it can admit any node.\n\
             Keep a copy in a safe: without it, no node can ever be admitted or revoked.\n\
             public half: {}",
            self.id(),
            self.public()
        );
        let line = key_file::seed_line(DEPLOYMENT_KIND, &self.keys);
        key_file::write(folder, DEPLOYMENT_KEY_FILE, &comment, &line)
    }

    /// Reads the key from `folder`.
    ///
    /// # Errors
    /// [`KeyFileError`]: the file is absent, is no key, or can be read by others than its owner.
    pub fn load(folder: &Path) -> Result<Self, KeyFileError> {
        let keys = key_file::read(&folder.join(DEPLOYMENT_KEY_FILE), "a deployment key", |line| {
            key_file::parse_seed_line(DEPLOYMENT_KIND, line)
        })?;
        Ok(Self { keys })
    }
}

/// What a node is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It has, or may have, satellites. A district also has a central.
    Central,
    /// It has a central only.
    Satellite,
}

/// From where on nothing that a node signs counts any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// The epoch of the node's first bundle that does not count.
    pub epoch: Epoch,
    /// The number of that bundle.
    pub number: BundleNumber,
}

impl Revoked {
    /// Whether a bundle is that one or comes after it.
    #[must_use]
    pub fn covers(&self, epoch: Epoch, number: BundleNumber) -> bool {
        (epoch, number) >= (self.epoch, self.number)
    }
}

/// One node of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNode {
    /// Its name.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// What it is to others.
    pub role: Role,
    /// Whom its signatures are checked against.
    pub signing: PublicKey,
    /// For whom its bundles are sealed.
    pub sealing: SealingRecipient,
    /// Whose satellite it is.
    pub central: Option<NodeId>,
    /// From where on it is no longer believed.
    pub revoked: Option<Revoked>,
}

/// A list of nodes that cannot be made, read or accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Not the three lines of a list of nodes.
    #[error("this is not a list of nodes: {0}")]
    Text(#[from] TextError),
    /// A field has another form than it should.
    #[error("the list of nodes is damaged: {0}")]
    Field(#[from] FieldError),
    /// The deployment's key did not sign this.
    #[error("the list of nodes was not signed by the deployment's key, or was changed since")]
    BadSignature,
    /// The list names another deployment than the one whose key signed it.
    #[error("the list of nodes belongs to the deployment {found}, not to {expected}")]
    OtherDeployment {
        /// Which deployment it belongs to.
        found: DeploymentId,
        /// Which it should.
        expected: DeploymentId,
    },
    /// Lists are numbered from 1.
    #[error("the list of nodes has the number {number}, which no list has")]
    BadNumber {
        /// The number.
        number: u64,
    },
    /// Two nodes would have one name.
    #[error("the deployment already has a node named {name}")]
    NameTaken {
        /// The name.
        name: NodeName,
    },
    /// Two nodes would have one id.
    #[error("the deployment already has the node {id}, by the name of {name}")]
    IdTaken {
        /// The id.
        id: NodeId,
        /// Who has it.
        name: NodeName,
    },
    /// Two nodes would have one key.
    #[error("{name} would have the keys of {other}: one of them was copied from the other")]
    KeyTaken {
        /// Who would have them.
        name: NodeName,
        /// Who has them.
        other: NodeName,
    },
    /// A node that is not in the list.
    #[error("the deployment does not list the node {id}")]
    NotListed {
        /// Its id.
        id: NodeId,
    },
    /// A satellite without a central, or whose central is not listed before it.
    #[error("{name} is listed without a central that could speak for it")]
    NoCentral {
        /// The satellite.
        name: NodeName,
    },
    /// An older list than the one that is known.
    #[error("the list of nodes has number {number}, but number {known} is known already")]
    Older {
        /// Its number.
        number: u64,
        /// The number that is known.
        known: u64,
    },
    /// Another list with the number of the one that is known.
    #[error("there are two different lists of nodes with the number {number}")]
    Forked {
        /// Their number.
        number: u64,
    },
    /// A list between the known one and this lacks.
    #[error("the list of nodes has number {number}, but number {} has not come", known + 1)]
    Skipped {
        /// Its number.
        number: u64,
        /// The number that is known.
        known: u64,
    },
}

impl ListError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NameTaken { .. } => Some("give the new node another name: names are never used twice"),
            Self::IdTaken { .. } | Self::KeyTaken { .. } => {
                Some("a node that was copied from another needs an `init` of its own, in an empty folder")
            }
            Self::Forked { .. } => {
                Some("the deployment's key was used in two places: tell the administrator of the centre")
            }
            Self::Text(_) | Self::Field(_) | Self::BadSignature => Some("ask for the card or the list again"),
            _ => None,
        }
    }
}

/// How a list stands to the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// It is the known one.
    Same,
    /// It is the one after.
    Next,
}

/// All nodes of a deployment, in the order in which they were admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeList {
    deployment: DeploymentId,
    number: u64,
    nodes: Vec<ListedNode>,
}

impl NodeList {
    /// The first list of a deployment, number 1, with the node that made it.
    ///
    /// # Errors
    /// [`ListError::NoCentral`] if `first` is a satellite.
    pub fn first(deployment: DeploymentId, first: ListedNode) -> Result<Self, ListError> {
        let list = Self { deployment, number: 1, nodes: vec![first] };
        list.check()?;
        Ok(list)
    }

    /// The next list, which has one more node. Whose satellite it is becomes a central by that.
    ///
    /// # Errors
    /// [`ListError::NameTaken`], [`ListError::IdTaken`], [`ListError::KeyTaken`], [`ListError::NoCentral`].
    pub fn with_node(&self, node: ListedNode) -> Result<Self, ListError> {
        let number = self.number.checked_add(1).ok_or(ListError::BadNumber { number: self.number })?;
        let mut list = Self { number, ..self.clone() };
        if let Some(central) = list.nodes.iter_mut().find(|known| Some(known.id) == node.central) {
            central.role = Role::Central;
        }
        list.nodes.push(node);
        list.check()?;
        Ok(list)
    }

    /// The next list, in which a node has another role.
    ///
    /// # Errors
    /// [`ListError::NotListed`]; [`ListError::NoCentral`] if a node without a central, or with satellites, would become
    /// a satellite.
    pub fn with_role(&self, id: NodeId, role: Role) -> Result<Self, ListError> {
        let number = self.number.checked_add(1).ok_or(ListError::BadNumber { number: self.number })?;
        let mut list = Self { number, ..self.clone() };
        let node = list.nodes.iter_mut().find(|node| node.id == id).ok_or(ListError::NotListed { id })?;
        node.role = role;
        list.check()?;
        Ok(list)
    }

    /// Whether `id` is `above`, or a satellite of it, or of a satellite of it, and so on.
    #[must_use]
    pub fn is_within(&self, id: NodeId, above: NodeId) -> bool {
        let mut at = Some(id);
        // A central stands before its satellites: no chain is longer than the list.
        for _ in 0..=self.nodes.len() {
            match at {
                Some(id) if id == above => return true,
                Some(id) => at = self.node(id).and_then(|node| node.central),
                None => return false,
            }
        }
        false
    }

    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The number of this list; the first has 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The nodes, in the order in which they were admitted.
    #[must_use]
    pub fn nodes(&self) -> &[ListedNode] {
        &self.nodes
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&ListedNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node with this name.
    #[must_use]
    pub fn node_named(&self, name: &NodeName) -> Option<&ListedNode> {
        self.nodes.iter().find(|node| node.name == *name)
    }

    fn check(&self) -> Result<(), ListError> {
        if self.number == 0 {
            return Err(ListError::BadNumber { number: 0 });
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let before = &self.nodes[..at];
            before.iter().try_for_each(|other| check_distinct(node, other))?;
            check_central(node, before)?;
        }
        Ok(())
    }
}

fn check_distinct(node: &ListedNode, other: &ListedNode) -> Result<(), ListError> {
    if node.name == other.name {
        return Err(ListError::NameTaken { name: node.name.clone() });
    }
    if node.id == other.id {
        return Err(ListError::IdTaken { id: node.id, name: other.name.clone() });
    }
    if node.signing == other.signing || node.sealing == other.sealing {
        return Err(ListError::KeyTaken { name: node.name.clone(), other: other.name.clone() });
    }
    Ok(())
}

fn check_central(node: &ListedNode, before: &[ListedNode]) -> Result<(), ListError> {
    let fits = match node.central {
        Some(central) => before.iter().any(|other| other.id == central && other.role == Role::Central),
        None => node.role == Role::Central,
    };
    if fits { Ok(()) } else { Err(ListError::NoCentral { name: node.name.clone() }) }
}

/// A list of nodes whose signature has been checked, with the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNodeList {
    list: NodeList,
    bytes: Vec<u8>,
}

impl SignedNodeList {
    /// Reads a list of the deployment whose public key is `key`.
    ///
    /// # Errors
    /// [`ListError`]: the signature comes first, then the form, then what the list says.
    pub fn parse(bytes: &[u8], key: &PublicKey) -> Result<Self, ListError> {
        let lines = signed_text::split(bytes, FIRST_LINE, NODE_LIST_BYTES_MAX)?;
        lines.verify(key).map_err(|_| ListError::BadSignature)?;
        let list = NodeList::try_from(lines.read_json::<wire::NodeListV1>()?)?;
        let expected = key.deployment_id();
        if list.deployment == expected {
            Ok(Self { list, bytes: bytes.to_vec() })
        } else {
            Err(ListError::OtherDeployment { found: list.deployment, expected })
        }
    }

    /// What it says.
    #[must_use]
    pub fn list(&self) -> &NodeList {
        &self.list
    }

    /// The text, as it was signed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether this list may take the place of `known`: its number goes up by exactly one (THREATS.md, A3).
    ///
    /// # Errors
    /// [`ListError::Older`], [`ListError::Forked`], [`ListError::Skipped`], [`ListError::OtherDeployment`].
    pub fn succession(&self, known: &Self) -> Result<Succession, ListError> {
        let (number, known_number) = (self.list.number, known.list.number);
        if self.list.deployment != known.list.deployment {
            let (found, expected) = (self.list.deployment, known.list.deployment);
            return Err(ListError::OtherDeployment { found, expected });
        }
        match number.checked_sub(known_number) {
            None => Err(ListError::Older { number, known: known_number }),
            Some(0) if self.list == known.list => Ok(Succession::Same),
            Some(0) => Err(ListError::Forked { number }),
            Some(1) => Ok(Succession::Next),
            Some(_) => Err(ListError::Skipped { number, known: known_number }),
        }
    }
}

#[cfg(test)]
mod tests;
