//! The folder of the demo: three databases, three nodes and a stick.

use std::io;
use std::path::{Path, PathBuf};

use saddlebag_couriers::Node;
use saddlebag_samples::Site;

use super::narrator::as_typed;
use crate::command_error::CommandError;

/// The name of the ministry's node.
pub(super) const MINISTRY: &str = "ministry";
/// The name of the first clinic's node.
pub(super) const RIVERSIDE: &str = "riverside";
/// The name of the other clinic's node.
pub(super) const HILLTOP: &str = "hilltop";

/// Where all happens.
pub(super) struct Places {
    /// The folder around all of it.
    pub(super) folder: PathBuf,
    /// The ministry, which no patient visits.
    pub(super) ministry: Site,
    /// A clinic.
    pub(super) riverside: Site,
    /// Another clinic.
    pub(super) hilltop: Site,
}

impl Places {
    /// Makes the three databases and an empty stick.
    pub(super) fn create(folder: PathBuf) -> Result<Self, CommandError> {
        let site = |name: &str| Site::create(name, &folder.join(format!("{name}.db")));
        let (ministry, riverside, hilltop) = (site(MINISTRY)?, site(RIVERSIDE)?, site(HILLTOP)?);
        let places = Self { folder, ministry, riverside, hilltop };
        places.buy_a_stick()?;
        Ok(places)
    }

    /// All three, the clinics first.
    pub(super) fn all(&self) -> [&Site; 3] {
        [&self.riverside, &self.hilltop, &self.ministry]
    }

    /// The names and files that a comparison takes.
    pub(super) fn databases(&self) -> [(&str, &Path); 3] {
        self.all().map(|site| (site.name.as_str(), site.database.as_path()))
    }

    /// The ministry's node, opened.
    pub(super) fn ministry_node(&self) -> Result<Node, CommandError> {
        Ok(Node::open(&self.folder.join(MINISTRY))?)
    }

    /// The folder of a node, as it is typed.
    pub(super) fn node(&self, name: &str) -> String {
        as_typed(self.folder.join(name))
    }

    /// The stick's folder.
    pub(super) fn stick(&self) -> PathBuf {
        self.folder.join("stick")
    }

    /// Makes an empty stick.
    pub(super) fn buy_a_stick(&self) -> Result<(), CommandError> {
        std::fs::create_dir(self.stick()).map_err(|error| file_failed(&self.stick(), &error))
    }

    /// Takes the stick away with all that is on it.
    pub(super) fn lose_the_stick(&self) -> Result<(), CommandError> {
        std::fs::remove_dir_all(self.stick()).map_err(|error| file_failed(&self.stick(), &error))
    }

    /// All files on the stick.
    pub(super) fn files_on_the_stick(&self) -> Result<Vec<PathBuf>, CommandError> {
        let mut files = Vec::new();
        collect(&self.stick(), &mut files).map_err(|error| file_failed(&self.stick(), &error))?;
        files.sort();
        Ok(files)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// A file of the demo that could not be read or written.
pub(super) fn file_failed(path: &Path, error: &io::Error) -> CommandError {
    let message = format!("the demo cannot work with `{}`: {error}", path.display());
    CommandError::failed(message, Some("begin again in another folder: `saddlebag demo FOLDER`"))
}
