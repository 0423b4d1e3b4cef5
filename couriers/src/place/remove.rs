//! Taking this node's own bundles off a place when they have done their work.

use std::fs;
use std::path::PathBuf;

use saddlebag_formats::{BundleId, NodeName};
use saddlebag_keys::PublicKey;
use saddlebag_keys::this_node::ThisNode;

use super::scan::{Candidate, Look};
use super::{FolderPlace, PlaceError};

impl FolderPlace {
    /// Removes what `me` has put there for `receiver`, but for the bundles in `keep`: what is not to be kept is
    /// superseded by them or acknowledged. Says what was removed.
    ///
    /// # Errors
    /// The operating system's.
    pub fn remove_superseded(
        &self,
        me: &ThisNode,
        key: &PublicKey,
        receiver: &NodeName,
        keep: &[BundleId],
    ) -> Result<Vec<PathBuf>, PlaceError> {
        let mut removed = Vec::new();
        for candidate in self.scan(receiver)?.candidates {
            if is_own(&candidate, me, key) && candidate.head().is_some_and(|head| !keep.contains(&head.header.id)) {
                let path = candidate.path;
                match fs::remove_file(&path) {
                    Ok(()) => removed.push(path),
                    Err(source) => return Err(PlaceError::Io { action: "remove", path, source }),
                }
            }
        }
        Ok(removed)
    }
}

/// Whether this node signed the file's head; what it claims without that counts for nothing.
fn is_own(candidate: &Candidate, me: &ThisNode, key: &PublicKey) -> bool {
    let Look::Whole(head) = &candidate.look else { return false };
    head.header.from == me.id
        && head.header.deployment == me.deployment
        && head.header.key == key.key_id()
        && key.verify(&head.signed, &head.signature).is_ok()
}
