//! Who is believed, and the order in which the head of a bundle is read up to its signature.
//!
//! Invariant: a [`Verified`] is made in [`verify_head`] alone, after the deployment, the sender, the key and
//! the signature were checked, in this order (THREATS.md, A11 to A18, A27). Which node speaks comes from
//! what this node keeps of its peers, never from what the bundle claims.

use saddlebag_formats::envelope::Head;
use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::header::KeyId;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::{DeploymentId, NodeId};

use crate::card::Card;
use crate::deployment::{ListedNode, Revoked};
use crate::sealing::SealingRecipient;
use crate::signing::PublicKey;

/// A node that this one has admitted, as it is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// Whom its signatures are checked against.
    pub signing: PublicKey,
    /// For whom its bundles are sealed.
    pub sealing: SealingRecipient,
    /// From where on it is no longer believed.
    pub revoked: Option<Revoked>,
}

impl From<&Card> for Peer {
    fn from(card: &Card) -> Self {
        Self {
            name: card.name.clone(),
            id: card.id,
            signing: card.signing,
            sealing: card.sealing.clone(),
            revoked: card.nodes().and_then(|nodes| nodes.node(card.id)).and_then(|node| node.revoked),
        }
    }
}

impl From<&ListedNode> for Peer {
    fn from(node: &ListedNode) -> Self {
        Self {
            name: node.name.clone(),
            id: node.id,
            signing: node.signing,
            sealing: node.sealing.clone(),
            revoked: node.revoked,
        }
    }
}

/// What an admitted peer signed, and who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    sender: Peer,
}

impl<T> Verified<T> {
    /// What was signed.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Who signed it.
    #[must_use]
    pub fn sender(&self) -> &Peer {
        &self.sender
    }

    /// What was signed, and who signed it.
    #[must_use]
    pub fn into_parts(self) -> (T, Peer) {
        (self.value, self.sender)
    }
}

/// Why the head of a bundle is not believed. Nothing beyond the head was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadRefusal {
    /// It belongs to others; it is left alone, and is no error.
    #[error("this bundle belongs to another deployment, {found}; it was left alone")]
    OtherDeployment {
        /// Which deployment it names.
        found: DeploymentId,
    },
    /// No node of that id has been admitted here.
    #[error("this bundle says that it comes from the node {from}, which has not been admitted here")]
    UnknownSender {
        /// Whom it names as its sender.
        from: NodeId,
    },
    /// Not with the key that the sender was admitted with.
    #[error("this bundle from {from} was signed with another key ({key}) than the one {from} was admitted with")]
    OtherKey {
        /// The sender, by the name it has here.
        from: NodeName,
        /// The key that the bundle names.
        key: KeyId,
    },
    /// The sender has been revoked, and this bundle is not from before.
    #[error("{from} has been revoked, and this bundle is not from before that")]
    Revoked {
        /// The sender, by the name it has here.
        from: NodeName,
    },
    /// Changed, or not signed by the sender.
    #[error("this bundle says that it comes from {from}, but its signature does not hold")]
    BadSignature {
        /// The sender, by the name it has here.
        from: NodeName,
    },
    /// For somebody else; it is left alone.
    #[error("this bundle from {from} is for another node, {to}")]
    OtherReceiver {
        /// The sender, by the name it has here, or by its id.
        from: String,
        /// For whom it is.
        to: NodeId,
    },
}

impl HeadRefusal {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherDeployment { .. } => None,
            Self::UnknownSender { .. } => Some("if you know this node, ask for its card and `admit` or `join` it"),
            Self::OtherKey { .. } => {
                Some("if the node replaced its keys, ask for its new card, and compare the fingerprint with its owner")
            }
            Self::Revoked { .. } => Some("nothing of it was read; if the node has new keys, admit its new card"),
            Self::BadSignature { .. } => {
                Some("the file was damaged or changed on its way: ask for it again, or copy it again from the sender")
            }
            Self::OtherReceiver { .. } => Some("carry it on: it is for somebody else"),
        }
    }
}

/// Checks the head of a bundle as far as its signature, and that it is for `me`; a courier, who is nobody's
/// receiver, gives none.
///
/// `peer_of` finds the admitted peer with that id; where it has had several keys, the one with that key.
///
/// # Errors
/// [`HeadRefusal`], in the order of its variants; but a bundle for somebody else from a node that is not known here is
/// somebody else's.
pub fn verify_head(
    head: Head,
    deployment: DeploymentId,
    me: Option<NodeId>,
    peer_of: impl Fn(NodeId, KeyId) -> Option<Peer>,
) -> Result<Verified<Head>, HeadRefusal> {
    let header = &head.header;
    if header.deployment != deployment {
        return Err(HeadRefusal::OtherDeployment { found: header.deployment });
    }
    let peer = peer_of(header.from, header.key).filter(|peer| peer.id == header.from);
    let Some(sender) = peer else {
        // A stick carries what is not for us, from nodes that we need not know.
        return Err(match me {
            Some(me) if header.to != me => HeadRefusal::OtherReceiver { from: header.from.to_string(), to: header.to },
            _ => HeadRefusal::UnknownSender { from: header.from },
        });
    };
    let from = || sender.name.clone();
    if sender.signing.key_id() != header.key {
        return Err(HeadRefusal::OtherKey { from: from(), key: header.key });
    }
    if sender.revoked.is_some_and(|revoked| revoked.covers(header.epoch, header.number)) {
        return Err(HeadRefusal::Revoked { from: from() });
    }
    if sender.signing.verify(&head.signed, &head.signature).is_err() && !is_on(Fault::SignatureBelieved) {
        return Err(HeadRefusal::BadSignature { from: from() });
    }
    match me {
        Some(me) if header.to != me => Err(HeadRefusal::OtherReceiver { from: sender.name.to_string(), to: header.to }),
        _ => Ok(Verified { value: head, sender }),
    }
}

#[cfg(test)]
mod tests;
