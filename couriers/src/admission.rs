//! `admit`: a satellite is linked at once, and listed by whoever has the deployment's key.
//!
//! A district has no such key. It links the satellite, whose bundles need no more than the cards of both ends, and
//! sends an entry up, which is listed where the key is. Invariant: a node is listed as a satellite of the district that
//! admitted it, and only if that district, and every node that passed the entry on, is listed as a central.

use saddlebag_formats::entry_book::{EntryState, KeptEntry};
use saddlebag_formats::members::{Entry, EntryRefusal};
use saddlebag_formats::{LinkId, LogEntry, LogKind, TimeMs};
use saddlebag_keys::card::Card;
use saddlebag_keys::deployment::{DEPLOYMENT_KEY_FILE, DeploymentKey, ListedNode, NodeList, Role};
use saddlebag_keys::{PublicKey, SignedNodeList};
use saddlebag_stores::ledger::{Link, PeerRole};
use saddlebag_stores::{Access, Store, contacts, entries};
use serde::Serialize;

use crate::error::NodeError;
use crate::folder;
use crate::membership::{self, Introduction};
use crate::node::Node;
use crate::settings;
use crate::transaction::transaction;

/// A satellite that was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Who it is.
    pub introduction: Introduction,
    /// Whether it may have satellites of its own.
    pub is_district: bool,
    /// How far its admission is.
    pub standing: Standing,
}

/// How far an admission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The deployment's next list has it, which travels to all.
    Listed,
    /// It is linked, and its entry goes up with the next bundles to where the deployment's key is.
    Entered,
}

/// What became of entries where the deployment's key is. The fields are those of `--json`: only ever added to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ListedEntries {
    /// The names of those that were listed.
    pub listed: Vec<String>,
    /// Those that were refused.
    pub refused: Vec<RefusedEntry>,
    /// How many wait: for the next bundle up, or for the key.
    pub waiting: usize,
}

/// An entry that was not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedEntry {
    /// The node's name.
    pub name: String,
    /// Why it was not listed.
    pub reason: String,
}

/// Makes the node that the card is of a satellite of this one; `is_district` if it may have satellites of its own. Of
/// a satellite that was admitted before, only the latter is changed.
///
/// # Errors
/// [`NodeError`]; then nothing was changed.
pub fn admit(node: &mut Node, card_bytes: &[u8], is_district: bool) -> Result<Admission, NodeError> {
    let introduction = membership::read_card(card_bytes)?;
    let card = &introduction.card;
    let Some((key, nodes)) = node.deployment.clone() else { return Err(NodeError::MayNotAdmit) };
    refuse_no_central(node, nodes.list())?;
    let known = node.links()?.into_iter().find(|link| link.peer == card.id);
    let standing = match known {
        Some(link) if is_change(node, &link, card, nodes.list(), is_district)? => {
            change_role(node, &link, (key, &nodes), is_district)?
        }
        _ => {
            membership::refuse_known(node, card)?;
            take_in(node, card, card_bytes, (key, &nodes), is_district)?
        }
    };
    Ok(Admission { introduction, is_district, standing })
}

/// Only a node that is listed as a central has satellites; who has the deployment's key may list itself as one.
fn refuse_no_central(node: &mut Node, nodes: &NodeList) -> Result<(), NodeError> {
    let is_central = nodes.node(node.id).is_some_and(|me| me.role == Role::Central);
    if is_central || has_key(node) && nodes.node(node.id).is_some() {
        return Ok(());
    }
    let central = node.links()?.into_iter().find(|link| link.role == PeerRole::Central);
    let (name, central) = (node.config.node.name.clone(), central.map(|link| link.name));
    Err(central.map_or(NodeError::MayNotAdmit, |central| NodeError::NotADistrict { name, central }))
}

/// Whether a satellite of this node is to become a district, or its entry was refused and is to go up again.
fn is_change(
    node: &mut Node,
    link: &Link,
    card: &Card,
    nodes: &NodeList,
    is_district: bool,
) -> Result<bool, NodeError> {
    let known = Card::parse(&link.card)?;
    if link.role != PeerRole::Satellite || known.signing != card.signing || known.sealing != card.sealing {
        return Ok(false);
    }
    let book = transaction(&mut *node.store, Access::Read, |store| Ok(entries::read(store)?))?;
    let entry = book.kept().iter().find(|kept| kept.entry.node == link.peer);
    let listed = nodes.node(link.peer);
    let becomes_district = is_district && listed.is_none_or(|listed| listed.role != Role::Central);
    let was_refused = entry.is_some_and(|kept| kept.state.reason().is_some());
    Ok(was_refused || becomes_district && entry.is_none_or(|kept| !kept.entry.is_district))
}

fn change_role(
    node: &mut Node,
    link: &Link,
    (key, nodes): (PublicKey, &SignedNodeList),
    is_district: bool,
) -> Result<Standing, NodeError> {
    let card = Card::parse(&link.card)?;
    let entry = entry(node, &card, &link.card, is_district);
    let logged = [admitted(&entry)];
    let next = next_list(nodes.list(), &entry, &card)?;
    if has_key(node) || !has_central(node)? {
        let next = load_key(node)?.sign(next)?;
        transaction(&mut *node.store, Access::Write, |store| {
            settings::write_deployment(store, &key, &next)?;
            entries::change(store, |book| book.retain(|entry| entry.node == card.id))?;
            Ok(store.log(&logged)?)
        })?;
        node.reload_deployment()?;
        return Ok(Standing::Listed);
    }
    transaction(&mut *node.store, Access::Write, |store| {
        keep(store, entry)?;
        Ok(store.log(&logged)?)
    })?;
    Ok(Standing::Entered)
}

fn take_in(
    node: &mut Node,
    card: &Card,
    card_bytes: &[u8],
    (key, nodes): (PublicKey, &SignedNodeList),
    is_district: bool,
) -> Result<Standing, NodeError> {
    let entry = entry(node, card, card_bytes, is_district);
    let next = next_list(nodes.list(), &entry, card)?;
    // The satellite has not said which list it holds: it is sent the new one.
    let link = Link::new(card.id, card.name.as_str(), PeerRole::Satellite, card_bytes, 0);
    if has_key(node) || !has_central(node)? {
        let next = load_key(node)?.sign(next)?;
        membership::become_linked(node, &link, key, next)?;
        return Ok(Standing::Listed);
    }
    if card.deployment.is_some() {
        // The list that it brings has it, or it could not have been made: ours is older.
        return Err(NodeError::ListedElsewhere { name: card.name.clone() });
    }
    transaction(&mut *node.store, Access::Write, |store| {
        refuse_entered(store, &entry)?;
        let (now, logged) = (entry.at, admitted(&entry));
        keep(store, entry)?;
        let id = store.add_link(&link)?;
        contacts::admitted(store, id, now)?;
        Ok(store.log(&[logged])?)
    })?;
    Ok(Standing::Entered)
}

fn entry(node: &Node, card: &Card, card_bytes: &[u8], is_district: bool) -> Entry {
    let (name, at) = (card.name.to_string(), node.clock.now());
    Entry { node: card.id, name, card: card_bytes.to_vec(), is_district, by: node.id, at }
}

/// What is logged of a node that is admitted here, or whose role changes.
fn admitted(entry: &Entry) -> LogEntry {
    let logged = LogEntry::by_user(LogKind::ADMIT, entry.at).about_peer(&entry.name);
    logged.with("id", entry.node.to_string()).with("district", entry.is_district)
}

/// What is logged of an entry that was decided about with the deployment's key.
fn decided(kept: &KeptEntry, outcome: &str, now: TimeMs) -> LogEntry {
    let Entry { node, name, .. } = &kept.entry;
    LogEntry::by_itself(LogKind::ENTRY, now)
        .with("node", name.as_str())
        .with("id", node.to_string())
        .with("outcome", outcome)
}

/// Keeps an entry of this node's own; one that was made again is later, whatever the clock says.
fn keep(store: &mut dyn Store, mut entry: Entry) -> Result<(), NodeError> {
    Ok(entries::change(store, |book| {
        let before = book.kept().iter().find(|kept| kept.entry.node == entry.node).map(|kept| kept.entry.at);
        entry.at = before.map_or(entry.at, |before| entry.at.max(TimeMs(before.0.saturating_add(1))));
        book.take(entry, None);
    })?)
}

/// A name that somebody has who is not listed yet.
fn refuse_entered(store: &mut dyn Store, entry: &Entry) -> Result<(), NodeError> {
    let is_taken = |kept: &&KeptEntry| kept.entry.name == entry.name && kept.entry.node != entry.node;
    match entries::read(store)?.kept().iter().find(is_taken) {
        Some(_) => Err(NodeError::NameEntered { name: entry.name.clone() }),
        None => Ok(()),
    }
}

/// The list that an entry asks for.
fn next_list(nodes: &NodeList, entry: &Entry, card: &Card) -> Result<NodeList, NodeError> {
    let role = if entry.is_district { Role::Central } else { Role::Satellite };
    let is_listed = |listed: &&ListedNode| {
        listed.central == Some(entry.by) && listed.signing == card.signing && listed.sealing == card.sealing
    };
    Ok(match nodes.node(card.id).filter(is_listed) {
        Some(_) => nodes.with_role(card.id, role)?,
        None => nodes.with_node(ListedNode {
            name: card.name.clone(),
            id: card.id,
            role,
            signing: card.signing,
            sealing: card.sealing.clone(),
            central: Some(entry.by),
            revoked: None,
        })?,
    })
}

/// Lists the entries that wait here, those that were refused too; `admit --waiting`.
///
/// # Errors
/// [`NodeError::NoDeploymentKey`], the key's, the database's.
pub fn list_waiting(node: &mut Node) -> Result<ListedEntries, NodeError> {
    let key = load_key(node)?;
    transaction(&mut *node.store, Access::Write, |store| Ok(entries::change(store, |book| book.retry())?))?;
    settle(node, Some(&key))
}

/// What an import brings about: entries that a newer list has are done, and others are listed if the deployment's key is
/// here.
pub(crate) fn after_import(node: &mut Node) -> Result<ListedEntries, NodeError> {
    // Without a key that can be read they wait, which `status` tells.
    let key = if has_key(node) { load_key(node).ok() } else { None };
    settle(node, key.as_ref())
}

fn settle(node: &mut Node, key: Option<&DeploymentKey>) -> Result<ListedEntries, NodeError> {
    let mut done = ListedEntries::default();
    let book = transaction(&mut *node.store, Access::Read, |store| Ok(entries::read(store)?))?;
    let Some((public, nodes)) = node.deployment.clone().filter(|_| !book.kept().is_empty()) else { return Ok(done) };
    let key = key.filter(|key| key.public() == public);
    let (mut list, links) = (nodes.list().clone(), node.links()?);
    let (mut refusals, mut logged, now) = (Vec::new(), Vec::new(), node.clock.now());
    for kept in book.kept().iter().filter(|kept| kept.state == EntryState::Waiting) {
        let entry = &kept.entry;
        if is_done(&list, entry) {
            continue;
        }
        let Some(_) = key else {
            done.waiting += 1;
            continue;
        };
        match listed_with(&list, kept, &links) {
            Ok(next) => {
                list = next;
                done.listed.push(entry.name.clone());
                logged.push(decided(kept, "listed", now));
            }
            Err(reason) => {
                done.refused.push(RefusedEntry { name: entry.name.clone(), reason: reason.clone() });
                logged.push(decided(kept, "refused", now).because(&reason));
                refusals.push(EntryRefusal { node: entry.node, at: entry.at, reason });
            }
        }
    }
    let next = match key {
        Some(key) if list.number() > nodes.list().number() => Some(key.sign(list.clone())?),
        _ => None,
    };
    transaction(&mut *node.store, Access::Write, |store| {
        if let Some(next) = &next {
            settings::write_deployment(store, &public, next)?;
        }
        store.log(&logged)?;
        Ok(entries::change(store, |book| {
            refusals.iter().for_each(|refusal| book.refuse(refusal));
            book.retain(|entry| is_done(&list, entry));
        })?)
    })?;
    node.reload_deployment()?;
    Ok(done)
}

/// Whether a list has what an entry asks for.
fn is_done(list: &NodeList, entry: &Entry) -> bool {
    let has_role = |role| !entry.is_district || role == Role::Central;
    list.node(entry.node).is_some_and(|listed| listed.central == Some(entry.by) && has_role(listed.role))
}

/// The list with an entry, or why not.
fn listed_with(list: &NodeList, kept: &KeptEntry, links: &[Link]) -> Result<NodeList, String> {
    let entry = &kept.entry;
    let card = Card::parse(&entry.card).map_err(|error| error.to_string())?;
    if card.id != entry.node || card.name.as_str() != entry.name {
        return Err("its card is that of another node".to_owned());
    }
    if card.deployment.as_ref().is_some_and(|theirs| theirs.key.deployment_id() != list.deployment()) {
        return Err("its card belongs to another deployment".to_owned());
    }
    let may_admit = |listed: &ListedNode| listed.role == Role::Central && listed.revoked.is_none();
    if !list.node(entry.by).is_some_and(may_admit) {
        return Err("who admitted it is not listed as a district".to_owned());
    }
    if !kept.from.is_none_or(|from| is_passed_on_by_those_above(list, entry, from, links)) {
        return Err("it came from a node that is not above the one that admitted it".to_owned());
    }
    next_list(list, entry, &card).map_err(|error| error.to_string())
}

fn is_passed_on_by_those_above(list: &NodeList, entry: &Entry, from: LinkId, links: &[Link]) -> bool {
    links.iter().any(|link| link.id == from && list.is_within(entry.by, link.peer))
}

fn has_central(node: &mut Node) -> Result<bool, NodeError> {
    Ok(node.links()?.iter().any(|link| link.role == PeerRole::Central))
}

/// Whether the deployment's key lies in this node's folder.
pub(crate) fn has_key(node: &Node) -> bool {
    folder::keys(&node.folder).join(DEPLOYMENT_KEY_FILE).exists()
}

fn load_key(node: &Node) -> Result<DeploymentKey, NodeError> {
    let folder = folder::keys(&node.folder);
    match has_key(node) {
        true => Ok(DeploymentKey::load(&folder)?),
        false => Err(NodeError::NoDeploymentKey { folder }),
    }
}
