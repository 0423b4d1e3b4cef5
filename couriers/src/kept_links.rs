//! What a node's folder keeps of its links and its deployment, beside the database: enough to begin anew when the
//! database was replaced by one that knows nothing of saddlebag.
//!
//! Invariant: it follows the database, which alone is believed as long as it belongs to this node.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saddlebag_formats::{Epoch, NodeId};
use saddlebag_keys::files;
use saddlebag_keys::{CardDeployment, PublicKey, SignedNodeList};
use saddlebag_stores::ledger::{Link, PeerRole};
use serde::{Deserialize, Serialize};

use crate::error::NodeError;
use crate::folder::LINKS_FILE;

/// Some thousand cards and a list of as many nodes.
const BYTES_MAX: u64 = 64 << 20;

/// What is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptLinks {
    /// The epoch of the database.
    pub(crate) epoch: Epoch,
    /// The deployment.
    pub(crate) deployment: Option<(PublicKey, SignedNodeList)>,
    /// The links, over which nothing has gone yet.
    pub(crate) links: Vec<Link>,
}

#[derive(Serialize, Deserialize)]
struct File {
    epoch: String,
    deployment: Option<FileDeployment>,
    links: Vec<FileLink>,
}

#[derive(Serialize, Deserialize)]
struct FileDeployment {
    key: String,
    nodes: String,
}

#[derive(Serialize, Deserialize)]
struct FileLink {
    peer: String,
    name: String,
    is_central: bool,
    card: String,
}

impl KeptLinks {
    /// Writes the file, if it is not what it should be.
    pub(crate) fn write(
        folder: &Path,
        epoch: Epoch,
        deployment: Option<&(PublicKey, SignedNodeList)>,
        links: &[Link],
    ) -> Result<(), NodeError> {
        let link = |link: &Link| FileLink {
            peer: link.peer.to_string(),
            name: link.name.clone(),
            is_central: link.role == PeerRole::Central,
            card: STANDARD.encode(&link.card),
        };
        let deployment = deployment.map(|(key, nodes)| FileDeployment {
            key: STANDARD.encode(key.as_bytes()),
            nodes: STANDARD.encode(nodes.as_bytes()),
        });
        let file = File { epoch: epoch.to_string(), deployment, links: links.iter().map(link).collect() };
        let path = folder.join(LINKS_FILE);
        let bytes = serde_json::to_vec_pretty(&file).map_err(|_| NodeError::BadLinksFile { path: path.clone() })?;
        if path.exists() && files::read_bounded(&path, BYTES_MAX)? == bytes {
            return Ok(());
        }
        files::replace_private(folder, LINKS_FILE, &bytes)?;
        Ok(())
    }

    /// Reads the file; none if there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, NodeError> {
        let path = folder.join(LINKS_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read_bounded(&path, BYTES_MAX)?;
        Self::parse(&bytes).map(Some).ok_or(NodeError::BadLinksFile { path })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        let deployment = match &file.deployment {
            None => None,
            Some(FileDeployment { key, nodes }) => {
                let (key, nodes) = (STANDARD.decode(key).ok()?, STANDARD.decode(nodes).ok()?);
                let CardDeployment { key, nodes } = CardDeployment::from_kept(&key, &nodes).ok()?;
                Some((key, nodes))
            }
        };
        let link = |link: &FileLink| {
            let peer: NodeId = link.peer.parse().ok()?;
            let role = if link.is_central { PeerRole::Central } else { PeerRole::Satellite };
            Some(Link::new(peer, &link.name, role, &STANDARD.decode(&link.card).ok()?, 0))
        };
        let links = file.links.iter().map(link).collect::<Option<_>>()?;
        Some(Self { epoch: file.epoch.parse().ok()?, deployment, links })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_written_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(KeptLinks::read(folder.path()).unwrap().is_none());
        let links = [
            Link::new(NodeId([1; 16]), "ministry", PeerRole::Central, b"card", 0),
            Link::new(NodeId([2; 16]), "clinic", PeerRole::Satellite, b"other", 0),
        ];
        let epoch = Epoch::new(3, 9);
        let write = |links: &[Link]| KeptLinks::write(folder.path(), epoch, None, links).unwrap();
        write(&links);
        let kept = KeptLinks::read(folder.path()).unwrap().unwrap();
        assert_eq!((kept.epoch, kept.links.as_slice(), kept.deployment.is_none()), (epoch, links.as_slice(), true));
        let changed = || std::fs::metadata(folder.path().join(LINKS_FILE)).unwrap().modified().unwrap();
        let before = changed();
        write(&links);
        assert_eq!(changed(), before);
        write(&links[..1]);
        assert_eq!(KeptLinks::read(folder.path()).unwrap().unwrap().links.len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", r#"{"epoch":"0000000100000005","deployment":null,"links":[{"peer":"x"}]}"#] {
            files::replace(folder.path(), LINKS_FILE, text.as_bytes()).unwrap();
            let error = KeptLinks::read(folder.path()).unwrap_err();
            assert!(error.to_string().contains(LINKS_FILE), "{error}");
        }
    }
}
