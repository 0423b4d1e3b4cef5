//! Bundles on this node's own disk, until they are acknowledged or a newer one takes their place.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use saddlebag_formats::envelope::{EnvelopeError, Head};
use saddlebag_formats::header::BundleHeader;
use saddlebag_keys::files::{self, FileError};

/// A bundle that should lie at a place for its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxBundle {
    /// Its file.
    pub path: PathBuf,
    /// Its header.
    pub header: BundleHeader,
    /// How many records it carries; 0 where that is not known any more.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
}

/// The outbox cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The folder or a file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be listed, or a file in it not be removed.
    #[error("the outbox {} cannot be used: {source}", path.display())]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// A file in it is no bundle.
    #[error("the file {} in the outbox is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: EnvelopeError,
    },
}

/// All bundles in a folder of the outbox, by number. What is not a whole bundle is left out: a power cut leaves
/// such files.
pub(crate) fn list(folder: &Path) -> Result<Vec<OutboxBundle>, OutboxError> {
    let failed = |source| OutboxError::Folder { path: folder.to_owned(), source };
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut bundles = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if saddlebag_formats::file_name::looks_like_bundle(name) {
            bundles.extend(read(&path)?);
        }
    }
    bundles.sort_by_key(|bundle| bundle.header.number);
    Ok(bundles)
}

fn read(path: &Path) -> Result<Option<OutboxBundle>, OutboxError> {
    let file = files::open_ordinary(path)?;
    let bytes = file.metadata().map_err(|source| OutboxError::Folder { path: path.to_owned(), source })?.len();
    let Ok(head) = Head::read(&mut BufReader::new(file)) else { return Ok(None) };
    let head_bytes = (head.signed.len() + saddlebag_formats::envelope::signature_line(&head.signature).len()) as u64;
    let whole = bytes == head_bytes + head.header.payload.size;
    Ok(whole.then(|| OutboxBundle { path: path.to_owned(), header: head.header, records: 0, bytes }))
}

/// Removes all files but `keep`.
pub(crate) fn remove_others(folder: &Path, keep: &[OutboxBundle]) -> Result<(), OutboxError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OutboxError::Folder { path, source }
    };
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if !keep.iter().any(|bundle| bundle.path == path) {
            std::fs::remove_file(&path).map_err(failed(&path))?;
        }
    }
    Ok(())
}
