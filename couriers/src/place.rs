//! A folder or a stick that bundles travel on: `saddlebag/RECEIVER/*.sbag` below it.
//!
//! Invariant: what others put there is never changed, followed or removed. Only a file whose head this node
//! itself has signed is removed, and only when a newer one has taken its place or it was acknowledged.

mod error;
mod publish;
mod remove;
mod scan;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use saddlebag_formats::NodeName;
use saddlebag_keys::files;

pub use error::PlaceError;
pub use publish::Published;
pub(crate) use scan::scan_folder;
pub use scan::{Candidate, FILES_PER_SCAN_MAX, Look, NAMES_PER_SCAN_MAX, Scan, look};

/// The folder at a place in which all of saddlebag's files lie.
pub const PLACE_FOLDER: &str = "saddlebag";
/// The folder for cards within it.
pub const CARDS_FOLDER: &str = "cards";

/// A folder or a stick, mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPlace {
    root: PathBuf,
}

impl FolderPlace {
    /// The place at `root`, which must exist: a mount point without its stick would be made and filled otherwise.
    ///
    /// # Errors
    /// [`PlaceError::NotThere`], [`PlaceError::NotAFolder`].
    pub fn open(root: &Path) -> Result<Self, PlaceError> {
        match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { root: root.to_owned() }),
            Ok(_) => Err(PlaceError::NotAFolder { path: root.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(PlaceError::NotThere { path: root.to_owned() })
            }
            Err(source) => Err(PlaceError::Io { action: "look at", path: root.to_owned(), source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where bundles for a node lie.
    #[must_use]
    pub fn folder_of(&self, receiver: &NodeName) -> PathBuf {
        self.root.join(PLACE_FOLDER).join(receiver.as_str())
    }

    /// Puts a card under `saddlebag/cards/`, in place of none: one that is there stays.
    ///
    /// # Errors
    /// [`PlaceError::File`] if there is a file of that name; the operating system's.
    pub fn publish_card(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, PlaceError> {
        let folder = self.prepare(CARDS_FOLDER)?;
        self.check_room(bytes.len() as u64)?;
        Ok(files::publish(&folder, name, bytes)?)
    }

    /// A folder below `saddlebag/`, if it is there. One that is a link could lead anywhere.
    fn existing(&self, name: &str) -> Result<Option<PathBuf>, PlaceError> {
        let mut path = self.root.clone();
        for part in [PLACE_FOLDER, name] {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(PlaceError::NotAFolder { path }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(PlaceError::Io { action: "look at", path, source }),
            }
        }
        Ok(Some(path))
    }

    /// A folder below `saddlebag/`, made if it lacks.
    fn prepare(&self, name: &str) -> Result<PathBuf, PlaceError> {
        if let Some(folder) = self.existing(name)? {
            return Ok(folder);
        }
        let folder = self.root.join(PLACE_FOLDER).join(name);
        files::create_folders(&folder)?;
        Ok(folder)
    }
}

#[cfg(test)]
mod tests;
