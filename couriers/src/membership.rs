//! `card`, `join`: how two nodes come to know each other; `admit` is in [`admission`].
//!
//! Order: the central's card, `join` at the satellite, the satellite's card, `admit` at the central. Invariant:
//! a link is made together with the list of nodes that it rests on, in one transaction. Whether a card is that
//! of the node it names, a person decides by its words before any of this.

use saddlebag_formats::{LogEntry, LogKind, NodeName};
use saddlebag_keys::card::{Card, CardDeployment, CardTable};
use saddlebag_keys::deployment::Role;
use saddlebag_keys::{PublicKey, SignedNodeList, fingerprint};
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Access, Store, contacts};

use crate::admission;
use crate::error::NodeError;
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
    /// Whether the deployment lists this node as a satellite that has none of its own.
    pub is_listed_satellite: bool,
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
    let card = match &listed {
        Some((key, nodes, listed)) if listed.role == Role::Central => {
            let card = Card::central(listed, CardDeployment { key: **key, nodes: (*nodes).clone() }, made);
            card.with_tables(own_tables(node)?)
        }
        // The words of a satellite's card stay the same when it has been admitted.
        _ => Card::satellite(node.config.node.name.clone(), node.id, &node.keys, made),
    };
    let bytes = card.sign(&node.keys.signing)?;
    let is_listed_satellite = card.role == Role::Satellite && listed.is_some();
    Ok(OwnCard { words: fingerprint::words(&card), card, bytes, is_listed_satellite })
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
        together: table.together.iter().map(|group| names(table, group)).collect(),
    };
    Ok(tracking.tables.iter().map(table).collect())
}

/// The names of columns that are given by their ids.
fn names(table: &TrackedTable, ids: &[u16]) -> Vec<String> {
    let indexes = ids.iter().filter_map(|id| table.index_of_id(*id));
    indexes.map(|index| table.columns[index].name.clone()).collect()
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
    refuse_circle(node, card)?;
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

/// Makes the node that the card is of a satellite of this one; [`admission::admit`] can do more.
///
/// # Errors
/// [`NodeError`]; then nothing was changed.
pub fn admit(node: &mut Node, card_bytes: &[u8]) -> Result<Introduction, NodeError> {
    Ok(admission::admit(node, card_bytes, false)?.introduction)
}

/// Refuses this node's own card, one of another deployment, and one of a node that is linked already.
pub(crate) fn refuse_known(node: &mut Node, card: &Card) -> Result<(), NodeError> {
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

/// Refuses a central that is below this node.
fn refuse_circle(node: &mut Node, card: &Card) -> Result<(), NodeError> {
    let id = node.id;
    let lists = card.nodes().into_iter().chain(node.deployment.as_ref().map(|(_, nodes)| nodes.list()));
    let is_below = card.id != id && lists.into_iter().any(|list| list.is_within(card.id, id));
    let links = node.links()?;
    let is_satellite = links.iter().any(|link| link.role == PeerRole::Satellite && link.peer == card.id);
    match is_below || is_satellite {
        true => Err(NodeError::Circle { name: card.name.clone() }),
        false => Ok(()),
    }
}

fn refuse_other_central(node: &mut Node) -> Result<(), NodeError> {
    let links = node.links()?;
    if let Some(link) = links.iter().find(|link| link.role == PeerRole::Central) {
        return Err(NodeError::HasCentral { central: link.name.clone() });
    }
    // Who belongs to a deployment without having joined one has begun it.
    match node.deployment {
        Some(_) => Err(NodeError::HasBegun { name: node.config.node.name.clone(), satellites: links.len() }),
        None => Ok(()),
    }
}

pub(crate) fn become_linked(
    node: &mut Node,
    link: &Link,
    key: PublicKey,
    nodes: SignedNodeList,
) -> Result<(), NodeError> {
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
