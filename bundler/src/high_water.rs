//! How far this node's stream was published, kept beside the database: a database behind it was restored from a
//! backup, or copied.
//!
//! Invariant: the file is on the disk before the bundle that it speaks of leaves the outbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use saddlebag_formats::{BundleNumber, Epoch, NodeId, Seq};
use saddlebag_keys::files::{self, FileError};

const BYTES_MAX: u64 = 1 << 20;
const FIRST_LINE: &str = "saddlebag high-water 1";

/// What was published last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HighWater {
    /// The epoch it was published in.
    pub epoch: Epoch,
    /// The last position of the feed that any bundle covered.
    pub seq: Seq,
    /// The number of the last bundle, by receiver.
    pub peers: BTreeMap<NodeId, BundleNumber>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HighWaterError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what saddlebag writes.
    #[error("the file {} cannot be understood at line {line}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl HighWater {
    /// Nothing was published in this epoch.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, seq: Seq(0), peers: BTreeMap::new() }
    }

    /// Reads the file; none if there is none yet.
    ///
    /// # Errors
    /// [`HighWaterError`].
    pub fn read(path: &Path) -> Result<Option<Self>, HighWaterError> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read_bounded(path, BYTES_MAX)?;
        Self::parse(&String::from_utf8_lossy(&bytes))
            .map(Some)
            .map_err(|line| HighWaterError::Malformed { path: path.to_owned(), line })
    }

    fn parse(text: &str) -> Result<Self, usize> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(1);
        }
        let field = |line: Option<&str>, name: &str| line.and_then(|line| line.strip_prefix(name)).map(str::to_owned);
        let epoch = field(lines.next(), "epoch ").and_then(|text| text.parse().ok()).ok_or(2_usize)?;
        let seq = field(lines.next(), "seq ").and_then(|text| text.parse().ok()).map(Seq).ok_or(3_usize)?;
        let mut peers = BTreeMap::new();
        for (line, number) in lines.zip(4_usize..) {
            let (node, last) = line.split_once(' ').ok_or(number)?;
            let node = node.parse().map_err(|_| number)?;
            peers.insert(node, BundleNumber(last.parse().map_err(|_| number)?));
        }
        Ok(Self { epoch, seq, peers })
    }

    /// Writes the file so that it survives a power cut.
    ///
    /// # Errors
    /// [`HighWaterError::File`].
    pub fn write(&self, path: &Path) -> Result<(), HighWaterError> {
        let mut text = format!("{FIRST_LINE}\nepoch {}\nseq {}\n", self.epoch, self.seq);
        for (node, number) in &self.peers {
            text.push_str(&format!("{node} {number}\n"));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("high-water");
        files::replace(folder, name, text.as_bytes())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("high-water");
        assert_eq!(HighWater::read(&path).unwrap(), None);
        let mut high_water = HighWater::new(Epoch::new(1, 5));
        high_water.seq = Seq(77);
        high_water.peers.insert(NodeId([3; 16]), BundleNumber(4));
        high_water.write(&path).unwrap();
        assert_eq!(HighWater::read(&path).unwrap(), Some(high_water));
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_named() {
        assert_eq!(HighWater::parse("saddlebag high-water 1\nepoch 0000000100000005\nseq x\n"), Err(3));
        assert_eq!(HighWater::parse(""), Err(1));
    }
}
