//! Bundles that came before the one that they follow, kept on the node's own disk until that one comes.
//!
//! Invariant: only what an admitted sender signed for this node is kept, sealed as it came. To lose the inbox
//! costs nothing but time: the sender sends again what was not acknowledged.

use std::fs;
use std::path::{Path, PathBuf};

use saddlebag_formats::BundleId;
use saddlebag_formats::file_name::EXTENSION;
use saddlebag_keys::files;

use crate::error::NodeError;
use crate::folder;
use crate::place::{Candidate, PlaceError};

/// The inbox of a node.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    folder: PathBuf,
}

impl Inbox {
    pub(crate) fn of(node_folder: &Path) -> Self {
        Self { folder: folder::inbox(node_folder) }
    }

    /// What waits, in the order in which it is taken in.
    pub(crate) fn list(&self) -> Result<Vec<Candidate>, NodeError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        Ok(crate::place::scan_folder(&self.folder)?.candidates)
    }

    /// Whether a path lies in the inbox.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        path.parent() == Some(&self.folder)
    }

    /// Keeps the bundle of these bytes, unless it is kept already: the very bytes that were checked, whatever
    /// has become of the file that they were read from.
    pub(crate) fn keep(&self, id: BundleId, bytes: &[u8]) -> Result<(), NodeError> {
        if self.path(id).exists() {
            return Ok(());
        }
        files::create_private_folders(&self.folder)?;
        files::publish(&self.folder, &name(id), bytes)?;
        Ok(())
    }

    /// Lets go of a bundle.
    pub(crate) fn remove(&self, id: BundleId) -> Result<(), NodeError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PlaceError::Io { action: "remove", path, source }.into())
            }
            _ => Ok(()),
        }
    }

    fn path(&self, id: BundleId) -> PathBuf {
        self.folder.join(name(id))
    }
}

fn name(id: BundleId) -> String {
    format!("{id}{EXTENSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_kept_once_and_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(folder.path());
        assert!(inbox.list().unwrap().is_empty());
        let id = BundleId([7; 16]);
        inbox.keep(id, b"saddlebag bundle 1\n").unwrap();
        inbox.keep(id, b"saddlebag bundle 1\n").unwrap();
        let kept = inbox.list().unwrap();
        assert_eq!(kept.len(), 1);
        assert!(inbox.holds(&kept[0].path) && !inbox.holds(folder.path()));
        inbox.remove(id).unwrap();
        inbox.remove(id).unwrap();
        assert!(inbox.list().unwrap().is_empty());
    }
}
