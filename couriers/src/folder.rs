//! What lies where in a node's own folder.

use std::path::{Path, PathBuf};

/// The configuration.
pub const CONFIG_FILE: &str = "saddlebag.toml";
/// The node's id, by which a database that belongs to another node is noticed.
pub const NODE_FILE: &str = "node";
/// Held by the saddlebag that is at work on the node.
pub const LOCK_FILE: &str = "lock";
/// How far the node's stream was published.
pub const HIGH_WATER_FILE: &str = "high-water";
/// The links and the deployment, in case the database is replaced.
pub const LINKS_FILE: &str = "links.json";
/// What the hooks are still to be told of imports.
pub const AFTER_IMPORT_FILE: &str = "after-import";
/// The node's secrets.
pub const KEYS_FOLDER: &str = "keys";
/// Bundles for others, a folder for each.
pub const OUTBOX_FOLDER: &str = "outbox";
/// Bundles that came before the one that they follow.
pub const INBOX_FOLDER: &str = "inbox";

/// `keys/` of a node's folder.
#[must_use]
pub fn keys(folder: &Path) -> PathBuf {
    folder.join(KEYS_FOLDER)
}

/// `outbox/` of a node's folder.
#[must_use]
pub fn outbox(folder: &Path) -> PathBuf {
    folder.join(OUTBOX_FOLDER)
}

/// `inbox/` of a node's folder.
#[must_use]
pub fn inbox(folder: &Path) -> PathBuf {
    folder.join(INBOX_FOLDER)
}
