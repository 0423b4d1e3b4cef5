//! The file that holds one secret: lines of comment, then one line with the key.
//!
//! Invariant: it is written with mode 0600 and a fresh name, and read only while nobody but its owner can.
//! The kind stands in the line, so that one key is never taken for another.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use crate::files::{self, FileError};
use crate::signing::SigningKeys;

/// A key file: comments and one key.
const KEY_FILE_BYTES_MAX: u64 = 4 * 1024;

/// A key that could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file could not be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not hold such a key.
    #[error("`{}` does not hold {expected}", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// What it should hold: "a signing key".
        expected: &'static str,
    },
}

impl KeyFileError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.hint(),
            Self::NotAKey { .. } => Some("restore the file from the copy that was made of it"),
        }
    }
}

/// Writes a key file. `comment` may have several lines.
pub(crate) fn write(folder: &Path, name: &str, comment: &str, key: &str) -> Result<(), KeyFileError> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    for line in comment.lines() {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(key);
    text.push('\n');
    files::publish_private(folder, name, text.as_bytes())?;
    Ok(())
}

/// Reads the one line of a key file that is not a comment, and gives it to `parse`.
pub(crate) fn read<T>(
    path: &Path,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, KeyFileError> {
    let bytes = Zeroizing::new(files::read_private(path, KEY_FILE_BYTES_MAX)?);
    let text = std::str::from_utf8(&bytes).ok();
    let only_line = text.and_then(|text| {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.next().filter(|_| lines.next().is_none())
    });
    only_line.and_then(parse).ok_or_else(|| KeyFileError::NotAKey { path: path.to_owned(), expected })
}

/// The line of an Ed25519 key: its kind, a colon, the seed in base64.
pub(crate) fn seed_line(kind: &str, keys: &SigningKeys) -> Zeroizing<String> {
    let seed = Zeroizing::new(BASE64.encode(keys.seed().as_slice()));
    Zeroizing::new(format!("{kind}:{}", seed.as_str()))
}

/// Reads what [`seed_line`] wrote.
pub(crate) fn parse_seed_line(kind: &str, line: &str) -> Option<SigningKeys> {
    let base64 = line.strip_prefix(kind)?.strip_prefix(':')?;
    let bytes = Zeroizing::new(BASE64.decode(base64).ok()?);
    let seed = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    Some(SigningKeys::from_seed(&seed))
}
