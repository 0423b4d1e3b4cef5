//! Node identity, cards, signing and sealing, who is admitted; and the one place where files appear.
//!
//! Nothing here knows a database, a clock, a network or a terminal. Two invariants hold throughout: what
//! is signed is checked over the bytes that were received, and a secret never leaves its type except into
//! a file that only its owner can read.

pub mod card;
pub mod deployment;
pub mod files;
pub mod fingerprint;
pub mod key_file;
pub mod node_keys;
pub mod sealing;
pub mod signed_text;
pub mod signing;
pub mod this_node;
pub mod trust;

#[cfg(test)]
mod fixtures;

pub use card::{Card, CardDeployment, CardError, CardTable, KeptDeploymentError, TableProblem};
pub use deployment::{DeploymentKey, ListError, ListedNode, NodeList, Revoked, Role, SignedNodeList, Succession};
pub use files::FileError;
pub use node_keys::NodeKeys;
pub use sealing::{SealError, SealingKey, SealingRecipient};
pub use signing::{PublicKey, SignatureError, SigningKeys};
pub use trust::{HeadRefusal, Peer, Verified, verify_head};
