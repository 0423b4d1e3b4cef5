//! `init`: a node comes to be.
//!
//! Invariant: nothing that is there is overwritten, and what was made is taken away again if the rest fails.
//! The database comes last, so that it never belongs to a node that is nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::{DeploymentId, Epoch, LogEntry, LogKind, NodeId, NodeName, TimeMs};
use saddlebag_keys::deployment::{DeploymentKey, ListedNode, NodeList, Role};
use saddlebag_keys::files;
use saddlebag_keys::{NodeKeys, PublicKey, SignedNodeList};
use saddlebag_stores::tracking::Tracking;
use saddlebag_stores::{Access, Store};

use crate::config::{NodeConfig, with_absolute_database};
use crate::database_url::DatabaseUrl;
use crate::error::NodeError;
use crate::folder::{self, CONFIG_FILE, HIGH_WATER_FILE, INBOX_FOLDER, KEYS_FOLDER, NODE_FILE, OUTBOX_FOLDER};
use crate::settings::Settings;
use crate::system;
use crate::transaction::transaction;

/// What a new node is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founding {
    /// Its name.
    pub name: NodeName,
    /// Its database; a relative path counts from the current directory, and is kept absolute. It may hold a password.
    pub database_url: String,
    /// Whether it begins a deployment.
    pub central: bool,
    /// The text of its `saddlebag.toml`.
    pub saddlebag_toml: String,
}

/// A node that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// Its folder.
    pub folder: PathBuf,
    /// Its id.
    pub id: NodeId,
    /// The deployment that it began.
    pub deployment: Option<DeploymentId>,
    /// Its database, absolute and without a password.
    pub database_url: String,
}

/// Makes a node in `folder`. The tables are for `setup`.
///
/// # Errors
/// [`NodeError::AlreadyANode`], [`NodeError::DatabaseTaken`], and whatever the files and the database say; then
/// nothing is left of it.
pub fn found(
    folder: &Path,
    founding: &Founding,
    clock: &dyn Clock,
    entropy: &mut dyn Entropy,
) -> Result<Founded, NodeError> {
    refuse_a_node(folder)?;
    let (text, url) = checked_config(folder, founding)?;
    let mut store = url.open()?;
    store.act_as(&system::user());
    if store.installed()?.is_some() {
        return Err(NodeError::DatabaseTaken { database: url.to_string() });
    }
    let id = NodeId(entropy.uuid_v4());
    let keys = NodeKeys::generate(entropy);
    let deployment_key = founding.central.then(|| DeploymentKey::generate(entropy));
    let deployment = deployment_key.as_ref().map(|key| first_list(key, id, founding, &keys)).transpose()?;
    let began = deployment.as_ref().map(|(key, _)| key.deployment_id());
    let epoch = Epoch::new(1, u32::from_le_bytes(first_four(entropy.bytes16())));
    let settings = Settings { id, name: founding.name.clone(), epoch, deployment };
    make_folder(folder)?;
    let made = make_files(folder, id, &text, &keys, deployment_key.as_ref())
        .and_then(|()| claim(&mut *store, &settings, clock.now()));
    if made.is_err() {
        unmake_files(folder);
    }
    made?;
    Ok(Founded { folder: folder.to_owned(), id, deployment: began, database_url: url.to_string() })
}

fn refuse_a_node(folder: &Path) -> Result<(), NodeError> {
    let remains = [CONFIG_FILE, KEYS_FOLDER, NODE_FILE, HIGH_WATER_FILE, OUTBOX_FOLDER, INBOX_FOLDER];
    let found = remains.iter().map(|name| folder.join(name)).find(|path| path.symlink_metadata().is_ok());
    found.map_or(Ok(()), |path| Err(NodeError::AlreadyANode { path }))
}

/// The text to write and the database that it names, both as they were asked for.
fn checked_config(folder: &Path, founding: &Founding) -> Result<(String, DatabaseUrl), NodeError> {
    let path = folder.join(CONFIG_FILE);
    let text = with_absolute_database(&founding.saddlebag_toml, &path)?;
    let config = NodeConfig::parse(&text, &path)?;
    let url = founding.database_url.parse::<DatabaseUrl>()?.absolute()?;
    let other = |what, found: String, expected: String| NodeError::OtherProposal { what, found, expected };
    if config.node.name != founding.name {
        return Err(other("name", config.node.name.to_string(), founding.name.to_string()));
    }
    if config.database()?.absolute()? != url {
        return Err(other("database", config.database_shown(), url.to_string()));
    }
    Ok((text, url))
}

fn first_list(
    key: &DeploymentKey,
    id: NodeId,
    founding: &Founding,
    keys: &NodeKeys,
) -> Result<(PublicKey, SignedNodeList), NodeError> {
    let node = ListedNode {
        name: founding.name.clone(),
        id,
        role: Role::Central,
        signing: keys.signing.public(),
        sealing: keys.sealing.recipient(),
        central: None,
        revoked: None,
    };
    Ok((key.public(), key.sign(NodeList::first(key.id(), node)?)?))
}

/// A folder that only its owner may enter; one that holds other things keeps the permissions that it has.
fn make_folder(folder: &Path) -> Result<(), NodeError> {
    files::create_private_folders(folder)?;
    let failed = |source| NodeError::Io { action: "prepare the folder", path: folder.to_owned(), source };
    if fs::read_dir(folder).map_err(failed)?.next().is_none() {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

fn make_files(
    folder: &Path,
    id: NodeId,
    text: &str,
    keys: &NodeKeys,
    deployment_key: Option<&DeploymentKey>,
) -> Result<(), NodeError> {
    keys.save(&folder::keys(folder))?;
    if let Some(key) = deployment_key {
        key.save(&folder::keys(folder))?;
    }
    files::publish_private(folder, NODE_FILE, format!("{id}\n").as_bytes())?;
    files::publish_private(folder, CONFIG_FILE, text.as_bytes())?;
    Ok(())
}

/// Takes back what [`make_files`] made: none of it was there before, and nobody has seen it.
fn unmake_files(folder: &Path) {
    let _ = fs::remove_dir_all(folder::keys(folder));
    let _ = fs::remove_file(folder.join(NODE_FILE));
    let _ = fs::remove_file(folder.join(CONFIG_FILE));
    // Only if it is empty: what else lies there is not ours.
    let _ = fs::remove_dir(folder);
}

/// Makes the database this node's: saddlebag's own tables, and no table of the application yet.
fn claim(store: &mut dyn Store, settings: &Settings, now: TimeMs) -> Result<(), NodeError> {
    transaction(store, Access::Write, |store| {
        store.install(&Tracking::default())?;
        settings.write(store)?;
        let entry = LogEntry::by_user(LogKind::INIT, now).with("node", settings.name.as_str());
        Ok(store.log(&[entry.with("id", settings.id.to_string())])?)
    })
}

fn first_four(bytes: [u8; 16]) -> [u8; 4] {
    std::array::from_fn(|at| bytes[at])
}
