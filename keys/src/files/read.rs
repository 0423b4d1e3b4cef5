//! Reading files that somebody else may have put there.
//!
//! Invariant: links are never followed, nothing but an ordinary file is opened, and no more is read than
//! the caller allows. All checks and the reading use one handle, so that the file cannot be swapped between.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Advice, Mode, OFlags, fadvise};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::error::FileError;

/// Opens an ordinary file for reading, without following a link and without waiting for a pipe.
///
/// # Errors
/// [`FileError::NotOrdinary`] for links, folders, pipes and devices; [`FileError::Io`].
pub fn open_ordinary(path: &Path) -> Result<File, FileError> {
    // NONBLOCK: the opening of a pipe would wait for ever; it has no effect on ordinary files.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(handle) => File::from(handle),
        Err(Errno::LOOP | Errno::NXIO) => {
            return Err(FileError::NotOrdinary { path: path.to_owned() });
        }
        Err(error) => return Err(FileError::io("open", path)(error.into())),
    };
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    if metadata.is_file() { Ok(file) } else { Err(FileError::NotOrdinary { path: path.to_owned() }) }
}

/// Reads an ordinary file of at most `bytes_max` bytes.
///
/// # Errors
/// [`FileError::NotOrdinary`], [`FileError::TooLarge`], [`FileError::Io`].
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    read_handle(open_ordinary(path)?, path, bytes_max)
}

/// Reads a file that holds a secret, of at most `bytes_max` bytes, if only its owner can use it.
///
/// # Errors
/// [`FileError::NotPrivate`], and those of [`read_bounded`].
pub fn read_private(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let file = open_ordinary(path)?;
    check_handle_private(&file, path)?;
    read_handle(file, path, bytes_max)
}

/// Checks that nobody but its owner has any permission on an ordinary file.
///
/// # Errors
/// [`FileError::NotPrivate`], [`FileError::NotOrdinary`], [`FileError::Io`].
pub fn check_private(path: &Path) -> Result<(), FileError> {
    check_handle_private(&open_ordinary(path)?, path)
}

fn check_handle_private(file: &File, path: &Path) -> Result<(), FileError> {
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(FileError::NotPrivate { path: path.to_owned(), mode }) }
}

fn read_handle(file: File, path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let too_large = || FileError::TooLarge { path: path.to_owned(), bytes_max };
    let size = file.metadata().map_err(FileError::io("look at", path))?.len();
    if size > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|_| too_large())?);
    // The file may grow while it is read.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// How many bytes something has, and their SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// The number of bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

impl FileDigest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }

    /// Passes all of `source`, which lies at `path`, to `each`, piece by piece, and gives its digest.
    pub(super) fn through(
        mut source: impl Read,
        path: &Path,
        mut each: impl FnMut(&[u8]) -> Result<(), FileError>,
    ) -> Result<Self, FileError> {
        let mut piece = vec![0; 64 * 1024];
        let (mut size, mut hash) = (0, Sha256::new());
        loop {
            let read = match source.read(&mut piece) {
                Ok(0) => {
                    return Ok(Self { size, sha256: hash.finalize().into() });
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(FileError::io("read", path)(error)),
            };
            each(&piece[..read])?;
            hash.update(&piece[..read]);
            size += read as u64;
        }
    }
}

/// Reads a copy back from the medium itself and compares it: sticks lie about fsync (THREATS.md, "Sticks").
///
/// The system's memory of the file is dropped first; without that, the comparison would only show that the
/// bytes once reached this machine's memory.
///
/// # Errors
/// [`FileError::ReadBackDiffers`], [`FileError::NotOrdinary`], [`FileError::Io`].
pub fn verify_copy(path: &Path, expected: &FileDigest) -> Result<(), FileError> {
    let differs = || FileError::ReadBackDiffers { path: path.to_owned() };
    let file = open_ordinary(path)?;
    fadvise(&file, 0, None, Advice::DontNeed)
        .map_err(|error| FileError::io("drop the cache of", path)(error.into()))?;
    let bounded = file.take(expected.size.saturating_add(1));
    let found = FileDigest::through(bounded, path, |_| Ok(()))?;
    if found == *expected { Ok(()) } else { Err(differs()) }
}
