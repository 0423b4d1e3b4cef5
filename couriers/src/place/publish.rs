//! Copying a bundle onto a place so that it can be carried away.
//!
//! Invariant: when this says so, the file is whole under its name and was read back from the medium. Nothing
//! is overwritten: where a power cut left a broken file of the same name, the copy gets another one first.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use saddlebag_formats::NodeName;
use saddlebag_formats::file_name::EXTENSION;
use saddlebag_keys::files::{self, FileDigest, FileError};

use super::{FolderPlace, PlaceError};

/// What file systems need beside the file itself: folders, tables of clusters.
const MARGIN_BYTES: u64 = 64 * 1024;
/// Names that are tried for one bundle.
const NAMES_MAX: usize = 9;

/// A bundle at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its file there.
    pub path: PathBuf,
    /// Whether it had been there before, whole.
    pub was_there: bool,
}

impl FolderPlace {
    /// Copies the bundle at `source` to the folder of `receiver`, and reads it back.
    ///
    /// # Errors
    /// [`PlaceError::NoRoom`]; [`PlaceError::File`] if it could not be written or reads back otherwise.
    pub fn publish(&self, receiver: &NodeName, source: &Path) -> Result<Published, PlaceError> {
        let folder = self.prepare(receiver.as_str())?;
        let found = Survey::of(&folder, source)?;
        if let Some(path) = found.same {
            return Ok(Published { path, was_there: true });
        }
        let taken = || PlaceError::NamesTaken { path: folder.join(source.file_name().unwrap_or_default()) };
        let name = found.free.ok_or_else(taken)?;
        self.check_room(size(source)?)?;
        let path = copy(&folder, &name, source)?;
        found.broken.into_iter().try_for_each(remove_broken)?;
        Ok(Published { path, was_there: false })
    }

    /// Whether the bundle at `source` lies in the folder of `receiver`, whole.
    ///
    /// # Errors
    /// The operating system's.
    pub fn has(&self, receiver: &NodeName, source: &Path) -> Result<bool, PlaceError> {
        let Some(folder) = self.existing(receiver.as_str())? else { return Ok(false) };
        Ok(Survey::of(&folder, source)?.same.is_some())
    }

    /// Whether `bytes` more fit.
    ///
    /// # Errors
    /// [`PlaceError::NoRoom`]; the operating system's.
    pub fn check_room(&self, bytes: u64) -> Result<(), PlaceError> {
        let path = || self.root().to_owned();
        let failed = |error: rustix::io::Errno| PlaceError::Io {
            action: "tell the free space of",
            path: path(),
            source: error.into(),
        };
        let found = rustix::fs::statvfs(self.root()).map_err(failed)?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let needed = bytes.saturating_add(MARGIN_BYTES);
        if free < needed { Err(PlaceError::NoRoom { path: path(), free, needed }) } else { Ok(()) }
    }
}

/// What lies under the names that a bundle can have.
#[derive(Default)]
struct Survey {
    /// The bundle itself, whole.
    same: Option<PathBuf>,
    /// The first name that nothing has.
    free: Option<String>,
    /// This node's own remains of it.
    broken: Vec<PathBuf>,
}

impl Survey {
    fn of(folder: &Path, source: &Path) -> Result<Self, PlaceError> {
        let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut found = Self::default();
        for name in names(name) {
            let path = folder.join(&name);
            match standing(&path, source)? {
                Standing::Absent => found.free = found.free.or(Some(name)),
                Standing::Same => found.same = found.same.or(Some(path)),
                Standing::Broken => found.broken.push(path),
                Standing::Other => {}
            }
        }
        Ok(found)
    }
}

/// What lies under a name that a bundle is to have.
enum Standing {
    Absent,
    /// The same bytes.
    Same,
    /// The first part of them, or zeros in their place, as a power cut leaves it: this node's own remains.
    Broken,
    /// Something else.
    Other,
}

/// The name itself, then with a number before its ending.
fn names(name: &str) -> impl Iterator<Item = String> {
    let stem = name.strip_suffix(EXTENSION).unwrap_or(name).to_owned();
    let first = std::iter::once(name.to_owned());
    first.chain((2..=NAMES_MAX).map(move |number| format!("{stem}_{number}{EXTENSION}")))
}

fn size(path: &Path) -> Result<u64, PlaceError> {
    let failed = |source| PlaceError::Io { action: "look at", path: path.to_owned(), source };
    Ok(files::open_ordinary(path)?.metadata().map_err(failed)?.len())
}

fn copy(folder: &Path, name: &str, source: &Path) -> Result<PathBuf, PlaceError> {
    let (path, digest): (PathBuf, FileDigest) = files::publish_copy(folder, name, source)?;
    // "Sticks lie about fsync: drop the cache, read back, verify, then say that it may be pulled out."
    if let Err(error) = files::verify_copy(&path, &digest) {
        // It must not be taken for a bundle; what was wrong with it is reported.
        let _ = fs::remove_file(&path);
        return Err(error.into());
    }
    Ok(path)
}

fn remove_broken(path: PathBuf) -> Result<(), PlaceError> {
    fs::remove_file(&path).map_err(|source| PlaceError::Io { action: "remove", path, source })
}

fn standing(path: &Path, source: &Path) -> Result<Standing, PlaceError> {
    let there = match files::open_ordinary(path) {
        Ok(file) => file,
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Standing::Absent),
        Err(FileError::NotOrdinary { .. }) => return Ok(Standing::Other),
        Err(error) => return Err(error.into()),
    };
    let ours = files::open_ordinary(source)?;
    let failed = |error| PlaceError::Io { action: "compare", path: path.to_owned(), source: error };
    compare(io::BufReader::new(there), io::BufReader::new(ours)).map_err(failed)
}

fn compare(there: impl BufRead, ours: impl BufRead) -> io::Result<Standing> {
    let (mut there, mut ours) = (there.bytes(), ours.bytes());
    let (mut same, mut zeros) = (true, true);
    loop {
        match (there.next().transpose()?, ours.next().transpose()?) {
            (None, None) if same => return Ok(Standing::Same),
            (None, _) if same || zeros => return Ok(Standing::Broken),
            (Some(there), Some(ours)) => {
                same &= there == ours;
                zeros &= there == 0;
            }
            _ => return Ok(Standing::Other),
        }
        if !same && !zeros {
            return Ok(Standing::Other);
        }
    }
}
