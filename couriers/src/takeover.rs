//! What central has chosen for the deployment's tables is taken over: "Identity and references of each table belong
//! to the deployment: central's choice travels with its card and its bundles, a satellite's `setup` takes it over
//! after `join`".
//!
//! Invariant: what is taken over can be set up as it stands; where that cannot be, the table keeps what
//! `saddlebag.toml` says, and the reason is told. Each card is taken over once: what a person writes into
//! `saddlebag.toml` afterwards stands.

mod choice;
mod edit;

use std::path::Path;

use saddlebag_keys::{Card, CardTable, files};
use saddlebag_stores::ledger::PeerRole;
use saddlebag_stores::{Access, Store, StoreError};
use serde::Serialize;

use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::folder::CONFIG_FILE;
use crate::node::Node;
use crate::transaction::transaction;

/// The setting that says which card of the central was taken over: its `made`, eight bytes, little endian.
const TAKEN_OVER: &str = "taken_over";
/// As [`crate::config`] reads it.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What is taken over from a central's card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Takeover {
    /// The central.
    pub central: String,
    /// What becomes different in tables that `saddlebag.toml` has.
    pub changed: Vec<TakenOver>,
    /// Tables that `saddlebag.toml` lacks, and that are there to be kept in step as the central does.
    pub added: Vec<String>,
    /// Tables that the central keeps in step, and that this database does not have: what comes of them is held.
    pub lacking: Vec<String>,
    /// Tables that only this node keeps in step: what it sends of them is held at the central.
    pub only_here: Vec<String>,
    /// Tables for which the central's choice cannot be taken over here.
    pub refused: Vec<Refused>,
}

/// A setting that is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenOver {
    /// The table.
    pub table: String,
    /// `identity`, `direction`, `references`, `together`, `exclude`, `local_unique`, `quiet` or `conflicts`.
    pub setting: &'static str,
    /// What it was.
    pub from: String,
    /// What it becomes.
    pub to: String,
}

/// A table for which the central's choice does not fit this database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The table.
    pub table: String,
    /// Why, as half a sentence.
    pub reason: String,
}

impl Takeover {
    /// Whether `saddlebag.toml` stays as it is.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty()
    }
}

/// A takeover, with what `saddlebag.toml` becomes by it.
pub(crate) struct Planned {
    pub(crate) takeover: Takeover,
    pub(crate) config: NodeConfig,
    text: String,
}

/// What the central's card says, as far as it was not taken over yet.
///
/// # Errors
/// [`NodeError::Tracking`] if `saddlebag.toml` does not fit the database as it stands; the database's.
pub fn pending(node: &mut Node) -> Result<Option<Takeover>, NodeError> {
    Ok(plan(node)?.map(|planned| planned.takeover))
}

/// As [`pending`], with the new text.
pub(crate) fn plan(node: &mut Node) -> Result<Option<Planned>, NodeError> {
    let Some((central, tables)) = untaken(node)? else { return Ok(None) };
    let schema = node.store.schema()?;
    let known = node.store.installed()?.unwrap_or_default();
    let chosen = choice::choose(&node.config.tables, &tables, &schema, &known)?;
    let path = node.folder.join(CONFIG_FILE);
    let bytes = files::read_bounded(&path, CONFIG_BYTES_MAX)?;
    let text = edit::apply(&String::from_utf8_lossy(&bytes), &chosen, &central, &path)?;
    let config = NodeConfig::parse(&text, &path)?;
    let choice::Chosen { changed, added, lacking, only_here, refused, .. } = chosen;
    let takeover = Takeover { central, changed, added: added.into_keys().collect(), lacking, only_here, refused };
    Ok(Some(Planned { takeover, config, text }))
}

/// Writes `saddlebag.toml` as planned, and works with it from now on.
pub(crate) fn write(node: &mut Node, planned: Planned) -> Result<Takeover, NodeError> {
    if !planned.takeover.changes_nothing() {
        files::replace_private(&node.folder, CONFIG_FILE, planned.text.as_bytes())?;
    }
    node.config = planned.config;
    Ok(planned.takeover)
}

/// Notes that the card of this node's central was taken over. Needs a write transaction.
pub(crate) fn note(store: &mut dyn Store) -> Result<(), NodeError> {
    match card_of_central(store)? {
        Some((_, card)) => Ok(store.set_setting(TAKEN_OVER, &card.made.0.to_le_bytes())?),
        None => Ok(()),
    }
}

/// After `join`: where the card changes nothing, there is nothing to take over.
pub(crate) fn settle(node: &mut Node) -> Result<(), NodeError> {
    let changes_nothing = match plan(node) {
        Ok(planned) => planned.is_some_and(|planned| planned.takeover.changes_nothing()),
        // What does not fit, `setup` tells.
        Err(NodeError::Tracking(_) | NodeError::Config(_)) => false,
        Err(other) => return Err(other),
    };
    if changes_nothing { transaction(&mut *node.store, Access::Write, note) } else { Ok(()) }
}

/// What the central's card says of the tables, if it has not been taken over.
fn untaken(node: &mut Node) -> Result<Option<(String, Vec<CardTable>)>, NodeError> {
    transaction(&mut *node.store, Access::Read, |store| {
        let Some((central, card)) = card_of_central(store)? else { return Ok(None) };
        let is_taken = store.setting(TAKEN_OVER)?.as_deref() == Some(&card.made.0.to_le_bytes());
        Ok((!is_taken && !card.tables.is_empty()).then_some((central, card.tables)))
    })
}

fn card_of_central(store: &mut dyn Store) -> Result<Option<(String, Card)>, NodeError> {
    let Some(link) = store.links()?.into_iter().find(|link| link.role == PeerRole::Central) else { return Ok(None) };
    let card = Card::parse(&link.card).map_err(|error| StoreError::Damaged {
        what: format!("the card of {}", link.name),
        reason: error.to_string(),
    })?;
    Ok(Some((link.name, card)))
}

/// Reads a text that was read before, for messages.
fn unreadable(path: &Path, reason: String) -> NodeError {
    crate::config::ConfigError::Line { path: path.to_owned(), line: 1, reason }.into()
}
