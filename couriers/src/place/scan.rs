//! Looking for bundles: what lies in the receiver's folder, as far as three lines and a size tell.
//!
//! Invariant: names, files and bytes that are looked at are bounded, whoever filled the stick (THREATS.md, A24
//! to A27); no sender's files can crowd out another's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use saddlebag_formats::envelope::{EnvelopeError, Head, signature_line};
use saddlebag_formats::file_name::looks_like_bundle;
use saddlebag_formats::limits::{HEADER_BYTES_MAX, MAGIC_BYTES, PAYLOAD_BYTES_MAX, SIGNATURE_LINE_BYTES_MAX};
use saddlebag_formats::{BundleId, BundleNumber, Epoch, NodeId, NodeName};
use saddlebag_keys::files::{self, FileError};

use super::{FolderPlace, PlaceError};

/// Names of one folder that are read.
pub const NAMES_PER_SCAN_MAX: usize = 100_000;
/// Files of one folder that are opened.
pub const FILES_PER_SCAN_MAX: usize = 10_000;
/// The three lines, with room for a later version's number.
const HEAD_BYTES_MAX: u64 = (MAGIC_BYTES + 16 + HEADER_BYTES_MAX + SIGNATURE_LINE_BYTES_MAX) as u64;

/// What was found for a node.
#[derive(Debug, Default)]
pub struct Scan {
    /// What may be bundles: first those that cannot be read, then by sender, epoch and number.
    pub candidates: Vec<Candidate>,
    /// What is none of saddlebag's, by name or kind. It was not opened.
    pub foreign: u64,
    /// Whether there was more than one scan looks at.
    pub is_truncated: bool,
}

/// A file that may be a bundle.
#[derive(Debug)]
pub struct Candidate {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What the first look showed.
    pub look: Look,
}

/// What three lines and a size tell of a file.
#[derive(Debug)]
pub enum Look {
    /// As long as its header says. Nothing is believed yet.
    Whole(Box<Head>),
    /// Shorter than its header says, or cut within its lines: it may still be on its way.
    Incomplete(Option<Box<Head>>),
    /// Longer than its header says.
    Overlong(Box<Head>),
    /// Its lines are not those of a bundle.
    Unreadable(EnvelopeError),
    /// It could not be opened.
    Failed(FileError),
}

impl Candidate {
    /// What the file says of itself, where that could be read.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match &self.look {
            Look::Whole(head) | Look::Overlong(head) | Look::Incomplete(Some(head)) => Some(head),
            Look::Incomplete(None) | Look::Unreadable(_) | Look::Failed(_) => None,
        }
    }

    /// The order in which bundles are taken in.
    pub(crate) fn order(&self) -> (Option<(NodeId, Epoch, BundleNumber, BundleId)>, PathBuf) {
        let head = self.head().map(|head| &head.header);
        (head.map(|header| (header.from, header.epoch, header.number, header.id)), self.path.clone())
    }
}

impl FolderPlace {
    /// Looks for bundles for `receiver`.
    ///
    /// # Errors
    /// The operating system's, for the folder itself.
    pub fn scan(&self, receiver: &NodeName) -> Result<Scan, PlaceError> {
        match self.existing(receiver.as_str())? {
            Some(folder) => scan_folder(&folder),
            None => Ok(Scan::default()),
        }
    }
}

/// Looks for bundles in a folder.
pub(crate) fn scan_folder(folder: &Path) -> Result<Scan, PlaceError> {
    let mut scan = Scan::default();
    for name in names(folder, &mut scan)? {
        let candidate = look(&folder.join(name));
        match candidate.look {
            // A link, a pipe, a folder that is called like a bundle.
            Look::Failed(FileError::NotOrdinary { .. }) => scan.foreign += 1,
            _ => scan.candidates.push(candidate),
        }
    }
    scan.candidates.sort_by_cached_key(Candidate::order);
    Ok(scan)
}

/// Reads the first three lines of a file and compares its size with them.
#[must_use]
pub fn look(path: &Path) -> Candidate {
    let (bytes, look) = match look_at(path) {
        Ok(found) => found,
        Err(error) => (0, Look::Failed(error)),
    };
    Candidate { path: path.to_owned(), bytes, look }
}

fn look_at(path: &Path) -> Result<(u64, Look), FileError> {
    let file = files::open_ordinary(path)?;
    let failed = |source| FileError::Io { action: "look at", path: path.to_owned(), source };
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > HEAD_BYTES_MAX + PAYLOAD_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes_max: HEAD_BYTES_MAX + PAYLOAD_BYTES_MAX });
    }
    let look = match Head::read(&mut BufReader::new(file.take(HEAD_BYTES_MAX))) {
        Ok(head) => compare_size(bytes, Box::new(head)),
        // What vfat leaves after a power cut has no bytes, or zeros only.
        Err(EnvelopeError::Truncated { .. } | EnvelopeError::Nul { .. }) => Look::Incomplete(None),
        Err(EnvelopeError::Read(source)) => {
            return Err(FileError::Io { action: "read", path: path.to_owned(), source });
        }
        Err(_) if bytes == 0 || starts_with_zero(path)? => Look::Incomplete(None),
        Err(error) => Look::Unreadable(error),
    };
    Ok((bytes, look))
}

fn starts_with_zero(path: &Path) -> Result<bool, FileError> {
    let mut first = [1];
    let read = files::open_ordinary(path)?.read(&mut first);
    let read = read.map_err(|source| FileError::Io { action: "read", path: path.to_owned(), source })?;
    Ok(read == 1 && first == [0])
}

fn compare_size(bytes: u64, head: Box<Head>) -> Look {
    let lines = head.signed.len() + signature_line(&head.signature).len();
    let expected = lines as u64 + head.header.payload.size;
    match bytes.cmp(&expected) {
        std::cmp::Ordering::Less => Look::Incomplete(Some(head)),
        std::cmp::Ordering::Equal => Look::Whole(head),
        std::cmp::Ordering::Greater => Look::Overlong(head),
    }
}

/// The names worth opening, a fair share for each sender.
fn names(folder: &Path, scan: &mut Scan) -> Result<Vec<String>, PlaceError> {
    let failed = |source: io::Error| PlaceError::Io { action: "list", path: folder.to_owned(), source };
    let mut by_sender: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (count, entry) in fs::read_dir(folder).map_err(failed)?.enumerate() {
        if count == NAMES_PER_SCAN_MAX {
            scan.is_truncated = true;
            break;
        }
        let name = entry.map_err(failed)?.file_name();
        match name.to_str() {
            Some(name) if files::is_partial(name) => {}
            Some(name) if looks_like_bundle(name) => {
                let sender = name.split_once("-to-").map_or("", |(sender, _)| sender);
                by_sender.entry(sender.to_ascii_lowercase()).or_default().push(name.to_owned());
            }
            _ => scan.foreign += 1,
        }
    }
    let all: usize = by_sender.values().map(Vec::len).sum();
    scan.is_truncated |= all > FILES_PER_SCAN_MAX;
    Ok(shares(by_sender.into_values().collect(), FILES_PER_SCAN_MAX))
}

/// The first `limit` names, one of each sender in turn.
fn shares(mut senders: Vec<Vec<String>>, limit: usize) -> Vec<String> {
    for names in &mut senders {
        // Taken from the end: names sort as bundles follow each other.
        names.sort_unstable_by(|a, b| b.cmp(a));
    }
    let mut taken = Vec::new();
    while taken.len() < limit && !senders.is_empty() {
        for names in &mut senders {
            taken.extend(names.pop());
        }
        senders.retain(|names| !names.is_empty());
    }
    taken.truncate(limit);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sender_crowds_out_another() {
        let flood = (0..100).map(|at| format!("a-to-m_{at:06}.sbag")).collect();
        let taken = shares(vec![flood, vec!["b-to-m_000001.sbag".to_owned()]], 4);
        let expected = ["a-to-m_000000.sbag", "b-to-m_000001.sbag", "a-to-m_000001.sbag", "a-to-m_000002.sbag"];
        assert_eq!(taken, expected);
    }
}
