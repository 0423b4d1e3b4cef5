//! What the database itself says of its node: in the same transactions as the rows, so that it is as old or as
//! new as they are.

use saddlebag_formats::{Epoch, NodeId, NodeName};
use saddlebag_keys::{CardDeployment, PublicKey, SignedNodeList};
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, NODES};
use saddlebag_stores::{Store, StoreError};

const NODE: &str = "node";
const NAME: &str = "name";
const EPOCH: &str = "epoch";
const SETUP: &str = "setup";
const SETUP_DONE: &[u8] = b"done";
const SETUP_RUNNING: &[u8] = b"running";

/// The node that a database belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) id: NodeId,
    pub(crate) name: NodeName,
    pub(crate) epoch: Epoch,
    pub(crate) deployment: Option<(PublicKey, SignedNodeList)>,
}

impl Settings {
    /// Reads them; none if the database belongs to no node.
    pub(crate) fn read(store: &mut dyn Store) -> Result<Option<Self>, StoreError> {
        let Some(id) = store.setting(NODE)? else { return Ok(None) };
        let id = NodeId(id.try_into().map_err(|_| damaged("the node's id", "it is not 16 bytes long"))?);
        let name = store.setting(NAME)?.and_then(|name| String::from_utf8(name).ok()?.parse().ok());
        let name = name.ok_or_else(|| damaged("the node's name", "it is no name"))?;
        let epoch = store.setting(EPOCH)?.and_then(|epoch| <[u8; 8]>::try_from(epoch).ok());
        let epoch = epoch.ok_or_else(|| damaged("the epoch", "it is not eight bytes long"))?;
        let epoch = Epoch(u64::from_le_bytes(epoch));
        Ok(Some(Self { id, name, epoch, deployment: read_deployment(store)? }))
    }

    /// Writes them.
    pub(crate) fn write(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        store.set_setting(NODE, &self.id.0)?;
        store.set_setting(NAME, self.name.as_str().as_bytes())?;
        store.set_setting(EPOCH, &self.epoch.0.to_le_bytes())?;
        match &self.deployment {
            Some((key, nodes)) => write_deployment(store, key, nodes),
            None => Ok(()),
        }
    }
}

/// Writes the epoch alone.
pub(crate) fn write_epoch(store: &mut dyn Store, epoch: Epoch) -> Result<(), StoreError> {
    store.set_setting(EPOCH, &epoch.0.to_le_bytes())
}

/// The deployment that the node belongs to, with its list of nodes.
pub(crate) fn read_deployment(store: &mut dyn Store) -> Result<Option<(PublicKey, SignedNodeList)>, StoreError> {
    let (Some(key), Some(nodes)) = (store.setting(DEPLOYMENT_KEY)?, store.setting(NODES)?) else {
        return Ok(None);
    };
    let CardDeployment { key, nodes } =
        CardDeployment::from_kept(&key, &nodes).map_err(|error| damaged("the deployment", &error.to_string()))?;
    Ok(Some((key, nodes)))
}

/// Writes the deployment and its list of nodes.
pub(crate) fn write_deployment(
    store: &mut dyn Store,
    key: &PublicKey,
    nodes: &SignedNodeList,
) -> Result<(), StoreError> {
    store.set_setting(DEPLOYMENT_KEY, key.as_bytes())?;
    store.set_setting(NODES, nodes.as_bytes())
}

/// Whether the last setup came to its end.
pub(crate) fn is_setup_done(store: &mut dyn Store) -> Result<bool, StoreError> {
    Ok(store.setting(SETUP)?.as_deref() == Some(SETUP_DONE))
}

/// Notes that a setup has begun, or come to its end.
pub(crate) fn note_setup(store: &mut dyn Store, is_done: bool) -> Result<(), StoreError> {
    store.set_setting(SETUP, if is_done { SETUP_DONE } else { SETUP_RUNNING })
}

fn damaged(what: &str, reason: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned(), reason: reason.to_owned() }
}
