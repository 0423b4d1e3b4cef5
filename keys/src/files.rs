//! The one place that makes files appear.
//!
//! Invariant: under its own name a file is whole or absent, also after a power cut in the middle; a name
//! that ends in `.part` is never read by anybody. [`publish`] and its like never overwrite; [`replace`] does,
//! and is for small files on the node's own disk only.

mod error;
mod read;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::NamedTempFile;

pub use error::FileError;
pub use read::{FileDigest, check_private, open_ordinary, read_bounded, read_private, verify_copy};

/// How the temporary name of a file ends. Readers pass such files by.
pub const PARTIAL_SUFFIX: &str = ".part";

/// Whether `name` is the temporary name of a file that is being written, or was when the power failed.
#[must_use]
pub fn is_partial(name: &str) -> bool {
    name.ends_with(PARTIAL_SUFFIX)
}

/// Writes a file under a fresh name, and returns its path.
///
/// When this returns, the whole file is under its name, and a power cut takes nothing away, as far as the
/// medium keeps what it has confirmed (see [`verify_copy`]). When the power fails before, the name is absent
/// or the file is whole on ext4 and exFAT. On vfat the name can appear with size 0 between the renaming and
/// the second `sync_all`, which is why readers treat a short file as not there yet, and why that second
/// `sync_all` is there: without it, vfat had lost the content in 15 of 15 power cuts after "done".
/// The name must be fresh, because a rename over an existing name was seen missing and doubled on exFAT.
///
/// After an error the caller begins again from the start; to try `fsync` again would report success for
/// pages that the system has already given up.
///
/// # Errors
/// [`FileError::AlreadyThere`] if the name is taken; [`FileError::BadName`]; [`FileError::Io`].
pub fn publish(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
    publish_with_mode(folder, name, bytes, Path::new(name), PUBLIC).map(|(path, _)| path)
}

/// As [`publish`], with what `source` gives, of any size.
///
/// # Errors
/// As [`publish`]; those of `source` are [`FileError::Io`] too.
pub fn publish_from(folder: &Path, name: &str, source: impl Read) -> Result<PathBuf, FileError> {
    publish_with_mode(folder, name, source, Path::new(name), PUBLIC).map(|(path, _)| path)
}

/// As [`publish`], with the content of the ordinary file `from`, of any size; also returns the digest of
/// what was written, for [`verify_copy`].
///
/// # Errors
/// As [`publish`]; [`FileError::NotOrdinary`] if `from` is not an ordinary file.
pub fn publish_copy(folder: &Path, name: &str, from: &Path) -> Result<(PathBuf, FileDigest), FileError> {
    publish_with_mode(folder, name, open_ordinary(from)?, from, PUBLIC)
}

/// As [`publish`], for a secret: from its first byte only the owner can read the file (mode 0600).
///
/// # Errors
/// As [`publish`]; [`FileError::NotPrivate`] where the file system knows no permissions.
pub fn publish_private(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
    publish_with_mode(folder, name, bytes, Path::new(name), PRIVATE).map(|(path, _)| path)
}

/// Replaces a small file of the node's own, on its own disk; never on a stick, where a rename over an
/// existing name is not safe.
///
/// After a power cut the file has the old content or the new one; once this returned, the new one.
///
/// # Errors
/// [`FileError::BadName`], [`FileError::Io`].
pub fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
    replace_with_mode(folder, name, bytes, PUBLIC)
}

/// As [`replace`], for a secret: from its first byte only the owner can read the file (mode 0600).
///
/// # Errors
/// As [`replace`]; [`FileError::NotPrivate`] where the file system knows no permissions.
pub fn replace_private(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
    replace_with_mode(folder, name, bytes, PRIVATE)
}

fn replace_with_mode(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    let target = target_path(folder, name)?;
    let (temporary, _) = write_temporary(folder, name, bytes, Path::new(name), mode)?;
    let file = temporary.persist(&target).map_err(|error| FileError::io("rename to", &target)(error.error))?;
    file.sync_all().map_err(FileError::io("write out", &target))?;
    sync_folder(folder)?;
    Ok(target)
}

/// Makes a folder and those above it, where they lack, so that a power cut does not take them away again.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_folders(folder: &Path) -> Result<(), FileError> {
    create_folders_with_mode(folder, 0o777)
}

/// As [`create_folders`], for a folder that only its owner may enter (mode 0700).
///
/// # Errors
/// [`FileError::Io`].
pub fn create_private_folders(folder: &Path) -> Result<(), FileError> {
    create_folders_with_mode(folder, 0o700)
}

/// Permission bits of what anybody may read, before the umask.
const PUBLIC: u32 = 0o666;
/// Permission bits of a secret.
const PRIVATE: u32 = 0o600;

fn publish_with_mode(
    folder: &Path,
    name: &str,
    source: impl Read,
    source_path: &Path,
    mode: u32,
) -> Result<(PathBuf, FileDigest), FileError> {
    let target = target_path(folder, name)?;
    // Early, to spare the writing; what counts is the renaming below.
    refuse_taken(&target)?;
    let (temporary, digest) = write_temporary(folder, name, source, source_path, mode)?;
    let (file, path) = temporary.into_parts();
    rename_to_fresh(&path, &target)?;
    // Renamed: there is nothing left under the temporary name to remove.
    let _ = path.keep();
    if let Err(error) = settle(&file, &target, folder) {
        // Not known to be on the medium: it must not be taken for published. The error itself is reported.
        let _ = fs::remove_file(&target);
        return Err(error);
    }
    Ok((target, digest))
}

/// The same handle again, then the folder: in this order it holds on vfat, exFAT and ext4.
fn settle(file: &File, target: &Path, folder: &Path) -> Result<(), FileError> {
    file.sync_all().map_err(FileError::io("write out", target))?;
    sync_folder(folder)
}

fn target_path(folder: &Path, name: &str) -> Result<PathBuf, FileError> {
    let plain = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0']) && !is_partial(name);
    if plain { Ok(folder.join(name)) } else { Err(FileError::BadName { name: name.to_owned() }) }
}

fn refuse_taken(target: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(target) {
        Ok(_) => Err(FileError::AlreadyThere { path: target.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::io("look at", target)(error)),
    }
}

/// Writes `NAME.RANDOM.part` and syncs it. It is removed if anything fails.
///
/// The random part lets two programs write to one folder; what a power cut leaves behind is passed by.
fn write_temporary(
    folder: &Path,
    name: &str,
    source: impl Read,
    source_path: &Path,
    mode: u32,
) -> Result<(NamedTempFile, FileDigest), FileError> {
    let mut temporary = tempfile::Builder::new()
        .prefix(&format!("{name}."))
        .suffix(PARTIAL_SUFFIX)
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(FileError::io("create a file in", folder))?;
    let path = temporary.path().to_owned();
    if mode == PRIVATE {
        check_private(&path)?;
    }
    let file = temporary.as_file_mut();
    let digest =
        FileDigest::through(source, source_path, |piece| file.write_all(piece).map_err(FileError::io("write", &path)))?;
    file.sync_all().map_err(FileError::io("write out", &path))?;
    Ok((temporary, digest))
}

fn rename_to_fresh(from: &Path, to: &Path) -> Result<(), FileError> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(FileError::AlreadyThere { path: to.to_owned() }),
        // Some network and user-space file systems cannot promise it: look first, then rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            refuse_taken(to)?;
            rustix::fs::rename(from, to).map_err(|error| FileError::io("rename to", to)(error.into()))
        }
        Err(error) => Err(FileError::io("rename to", to)(error.into())),
    }
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let synced = File::open(folder).and_then(|handle| handle.sync_all());
    match synced {
        // Some network and user-space file systems cannot sync a folder; there is nothing more to do there.
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        other => other.map_err(FileError::io("write out", folder)),
    }
}

fn create_folders_with_mode(folder: &Path, mode: u32) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    // A relative name of one part has the empty path as its parent.
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_folders(parent)?;
    match DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(FileError::io("create the folder", folder)(error)),
        Ok(()) => sync_folder(parent),
    }
}

#[cfg(test)]
mod tests;
