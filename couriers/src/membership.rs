//! `card`, `join`, `admit`: how two nodes come to know each other.
//!
//! Order: the central's card, `join` at the satellite, the satellite's card, `admit` at the central. Invariant:
//! a link is made together with the list of nodes that it rests on, in one transaction. Whether a card is that
//! of the node it names, a person decides by its words before any of this.

use saddlebag_formats::{LogEntry, LogKind, NodeName};
use saddlebag_keys::card::{Card, CardDeployment, CardTable};
use saddlebag_keys::deployment::{DEPLOYMENT_KEY_FILE, DeploymentKey, ListedNode, Role};
use saddlebag_keys::{PublicKey, SignedNodeList, fingerprint};
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Access, Store, contacts};

use crate::error::NodeError;
use crate::folder;
use crate::last_setup::references;
use crate::node::Node;
use crate::settings;
use crate::takeover;
use crate::transaction::transaction;

/// This node's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCard {
    /// What it says.
    pub card: Card,
    /// The file's content.
    pub bytes: Vec<u8>,
    /// Its fingerprint as words.
    pub words: String,
}

/// Who introduces itself with a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Its name.
    pub name: NodeName,
    /// What it says that it is.
    pub role: Role,
    /// The card's fingerprint as words, to be compared with its owner.
    pub words: String,
    /// The card.
    pub card: Card,
}

/// This node's card, made now.
///
/// # Errors
/// [`NodeError::Card`].
pub fn card(node: &mut Node) -> Result<OwnCard, NodeError> {
    let made = node.clock.now();
    let deployment = node.deployment.clone();
    let listed = deployment.as_ref().and_then(|(key, nodes)| Some((key, nodes, nodes.list().node(node.id)?)));
    let card = match listed {
        Some((key, nodes, listed)) if listed.role == Role::Central => {
            let card = Card::central(listed, CardDeployment { key: *key, nodes: nodes.clone() }, made);
            card.with_tables(own_tables(node)?)
        }
        // The words of a satellite's card stay the same when it has been admitted.
        _ => Card::satellite(node.config.node.name.clone(), node.id, &node.keys, made),
    };
    let bytes = card.sign(&node.keys.signing)?;
    Ok(OwnCard { words: fingerprint::words(&card), card, bytes })
}

/// How this node knows the deployment's tables, as `saddlebag.toml` and the schema say.
fn own_tables(node: &mut Node) -> Result<Vec<CardTable>, NodeError> {
    if node.config.tables.is_empty() {
        return Ok(Vec::new());
    }
    let (tracking, _) = node.wanted_tracking()?;
    let table = |table: &TrackedTable| CardTable {
        name: table.name.clone(),
        identity: table.identity.to_string(),
        direction: table.direction.to_string(),
        references: references(table, &tracking),
    };
    Ok(tracking.tables.iter().map(table).collect())
}

/// Reads a card, for a person to look at before [`join`] or [`admit`].
///
/// # Errors
/// [`NodeError::Card`].
pub fn read_card(bytes: &[u8]) -> Result<Introduction, NodeError> {
    let card = Card::parse(bytes)?;
    let words = fingerprint::words(&card);
    Ok(Introduction { name: card.name.clone(), role: card.role, words, card })
}

/// Makes this node a satellite of the central that the card is of. Of the central that it has joined already, a newer
/// card is taken if it says something else of the tables.
///
/// # Errors
/// [`NodeError`]; then nothing was changed.
pub fn join(node: &mut Node, card_bytes: &[u8]) -> Result<Introduction, NodeError> {
    let central = read_card(card_bytes)?;
    let card = &central.card;
    let Some(deployment) = card.deployment.as_ref().filter(|_| card.role == Role::Central) else {
        return Err(NodeError::NotACentral { name: card.name.clone() });
    };
    if take_newer_card(node, card, card_bytes)? {
        return Ok(central);
    }
    refuse_known(node, card)?;
    refuse_other_central(node)?;
    let nodes = deployment.nodes.list();
    if nodes.node_named(&node.config.node.name).is_some_and(|listed| listed.id != node.id) {
        return Err(NodeError::NameTaken { name: node.config.node.name.clone() });
    }
    let link = Link::new(card.id, card.name.as_str(), PeerRole::Central, card_bytes, nodes.number());
    become_linked(node, &link, deployment.key, deployment.nodes.clone())?;
    takeover::settle(node)?;
    Ok(central)
}

/// A newer card of the central that this node has joined, by the same keys, says how it knows the tables by now.
fn take_newer_card(node: &mut Node, card: &Card, bytes: &[u8]) -> Result<bool, NodeError> {
    let links = node.links()?;
    let Some(link) = links.into_iter().find(|link| link.role == PeerRole::Central && link.peer == card.id) else {
        return Ok(false);
    };
    let known = Card::parse(&link.card)?;
    let is_same = known.signing == card.signing && known.sealing == card.sealing;
    let theirs = |card: &Card| card.deployment.as_ref().map(|deployment| deployment.key);
    let says_more = card.made > known.made && card.tables != known.tables;
    if !is_same || theirs(&known) != theirs(card) || !says_more {
        return Ok(false);
    }
    let link = Link { card: bytes.to_vec(), ..link };
    let entry = LogEntry::by_user(LogKind::JOIN, node.clock.now()).about_peer(&link.name);
    let entry = entry.because("its newer card says otherwise how it knows the tables");
    transaction(&mut *node.store, Access::Write, |store| {
        store.save_link(&link)?;
        Ok(store.log(&[entry])?)
    })?;
    takeover::settle(node)?;
    Ok(true)
}

/// Makes the node that the card is of a satellite of this one. Needs the deployment's key.
///
/// # Errors
/// [`NodeError`]; then nothing was changed.
pub fn admit(node: &mut Node, card_bytes: &[u8]) -> Result<Introduction, NodeError> {
    let satellite = read_card(card_bytes)?;
    let card = &satellite.card;
    let Some((key, nodes)) = node.deployment.clone() else { return Err(NodeError::MayNotAdmit) };
    if nodes.list().node(node.id).is_none_or(|me| me.role != Role::Central) {
        return Err(NodeError::MayNotAdmit);
    }
    refuse_known(node, card)?;
    let next = deployment_key(node)?.sign(nodes.list().with_node(ListedNode {
        name: card.name.clone(),
        id: card.id,
        role: card.role,
        signing: card.signing,
        sealing: card.sealing.clone(),
        central: Some(node.id),
        revoked: None,
    })?)?;
    // The satellite has not said which list it holds: it is sent the new one.
    let link = Link::new(card.id, card.name.as_str(), PeerRole::Satellite, card_bytes, 0);
    become_linked(node, &link, key, next)?;
    Ok(satellite)
}

/// Refuses this node's own card, one of another deployment, and one of a node that is linked already.
fn refuse_known(node: &mut Node, card: &Card) -> Result<(), NodeError> {
    let name = || card.name.clone();
    if card.id == node.id || card.signing == node.keys.signing.public() {
        return Err(NodeError::OwnCard);
    }
    if let (Some(theirs), Some((mine, _))) = (&card.deployment, &node.deployment)
        && theirs.key != *mine
    {
        let (found, known) = (theirs.key.deployment_id(), mine.deployment_id());
        return Err(NodeError::OtherDeployment { name: name(), found, known });
    }
    if node.links()?.iter().any(|link| link.peer == card.id) {
        return Err(NodeError::AlreadyLinked { name: name() });
    }
    Ok(())
}

fn refuse_other_central(node: &mut Node) -> Result<(), NodeError> {
    if let Some(link) = node.links()?.into_iter().find(|link| link.role == PeerRole::Central) {
        return Err(NodeError::HasCentral { central: link.name });
    }
    // The node that began the deployment has nobody above it.
    let (id, name) = (node.id, &node.config.node.name);
    let began = |(_, nodes): &(PublicKey, SignedNodeList)| nodes.list().node(id).is_some_and(|me| me.central.is_none());
    match node.deployment.as_ref().is_some_and(began) {
        true => Err(NodeError::HasCentral { central: name.to_string() }),
        false => Ok(()),
    }
}

fn deployment_key(node: &Node) -> Result<DeploymentKey, NodeError> {
    let folder = folder::keys(&node.folder);
    if !folder.join(DEPLOYMENT_KEY_FILE).exists() {
        return Err(NodeError::NoDeploymentKey { folder });
    }
    Ok(DeploymentKey::load(&folder)?)
}

fn become_linked(node: &mut Node, link: &Link, key: PublicKey, nodes: SignedNodeList) -> Result<(), NodeError> {
    let kind = if link.role == PeerRole::Central { LogKind::JOIN } else { LogKind::ADMIT };
    let now = node.clock.now();
    let entry = LogEntry::by_user(kind, now).about_peer(&link.name).with("id", link.peer.to_string());
    let entry = entry.with("nodes", nodes.list().number());
    transaction(&mut *node.store, Access::Write, |store: &mut dyn Store| {
        settings::write_deployment(store, &key, &nodes)?;
        let id = store.add_link(link)?;
        contacts::admitted(store, id, now)?;
        Ok(store.log(&[entry])?)
    })?;
    node.reload_deployment()
}
