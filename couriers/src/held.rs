//! `held`: everything that is not where it should be, and why. The fields are those of `--json`: only ever added to.

mod change;
mod decide;
mod elsewhere;

use saddlebag_formats::{TimeMs, utc};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Access, Store};
use serde::{Serialize, Serializer};

use crate::error::NodeError;
use crate::held_id;
use crate::node::Node;
use crate::node_names::NodeNames;

pub use change::{Awaited, DroppedChange, HeldAction, HeldChange, HeldColumn, HeldDetail, HeldKind};
pub(crate) use decide::retry_after_changes;
pub use decide::{DropDone, ResolveDone, RetryDone, drop_held, resolve_same_as, retry};
pub use elsewhere::{BesideReason, BesideValue, HeldElsewhere, HomeColumn, HomeDetail, HomeRecord};

/// Everything that is held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldList {
    /// Changes of others that wait here, oldest first.
    pub held: Vec<HeldChange>,
    /// Rows of this database that do not leave it, because another row here has their identity.
    pub at_home: Vec<HomeRecord>,
    /// True values that cannot stand in their columns here.
    pub beside: Vec<BesideValue>,
    /// Changes of this node that others hold, as they last told.
    pub elsewhere: Vec<HeldElsewhere>,
    /// What people let go, oldest first: held no more.
    pub dropped: Vec<DroppedChange>,
}

impl HeldList {
    /// Whether nothing is held; something may have been let go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.at_home.is_empty() && self.beside.is_empty() && self.elsewhere.is_empty()
    }
}

/// One thing that is held.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum HeldItem {
    /// A change of another node.
    Change(HeldDetail),
    /// A row that stays at home.
    AtHome(HomeDetail),
}

/// Reads everything that is held, and what people let go.
///
/// # Errors
/// The database's.
pub fn list(node: &mut Node) -> Result<HeldList, NodeError> {
    let links = node.links()?;
    transaction_read(node, |store| {
        let mut list = HeldList {
            held: change::all(store, &links)?.iter().map(|held| held.change.clone()).collect(),
            at_home: elsewhere::at_home(store)?.iter().map(|home| home.record.clone()).collect(),
            beside: elsewhere::beside(store)?,
            elsewhere: elsewhere::told(store, &links)?,
            dropped: change::dropped(store, &links)?,
        };
        shorten(&mut list);
        Ok(list)
    })
}

/// Reads one thing that is held, by its id, the beginning of its id, or its uid.
///
/// # Errors
/// [`NodeError::UnknownHeld`], [`NodeError::AmbiguousHeld`]; the database's.
pub fn show(node: &mut Node, id: &str) -> Result<HeldItem, NodeError> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    transaction_read(node, |store| {
        let (changes, home) = (change::all(store, &links)?, elsewhere::at_home(store)?);
        let found = find(&changes, &home, id)?;
        let digits = digits(&changes, &home);
        match found {
            Found::Change(at) => {
                let ids = |table: &str, uid| {
                    let held = changes.iter().find(|held| held.table == table && held.uid == uid);
                    held.map(|held| held.change.id.chars().take(digits).collect())
                };
                let mut detail = change::detail(store, &changes[at], &names, &ids)?;
                detail.change.id.truncate(digits);
                Ok(HeldItem::Change(detail))
            }
            Found::AtHome(at) => {
                let mut detail = elsewhere::detail(store, &home[at])?;
                detail.record.id.truncate(digits);
                Ok(HeldItem::AtHome(detail))
            }
        }
    })
}

/// A thing that is held, by its place in its list.
#[derive(Debug, Clone, Copy)]
enum Found {
    Change(usize),
    AtHome(usize),
}

/// The one thing whose id begins so, or whose uid this is.
fn find(changes: &[change::Loaded], home: &[elsewhere::AtHome], typed: &str) -> Result<Found, NodeError> {
    let wanted = held_id::normal(typed);
    let fits = |id: &str, uid: &str| !wanted.is_empty() && (id.starts_with(&wanted) || held_id::normal(uid) == wanted);
    let mut found = Vec::new();
    for (at, held) in changes.iter().enumerate() {
        if fits(&held.change.id, &held.change.record.uid) {
            found.push((Found::Change(at), held.change.id.as_str(), format!("from {}", held.change.from)));
        }
    }
    for (at, row) in home.iter().enumerate() {
        if fits(&row.record.id, &row.record.record.uid) {
            found.push((Found::AtHome(at), row.record.id.as_str(), format!("in {}", row.record.record.table)));
        }
    }
    match found.as_slice() {
        [] => Err(NodeError::UnknownHeld { id: typed.to_owned() }),
        [(only, ..)] => Ok(*only),
        several => {
            let ids: Vec<String> = several.iter().map(|(_, id, _)| (*id).to_owned()).collect();
            let digits = held_id::digits(&ids);
            let told = several.iter().map(|(_, id, what)| format!("{} {what}", &id[..digits.min(id.len())]));
            Err(NodeError::AmbiguousHeld { id: typed.to_owned(), candidates: told.collect() })
        }
    }
}

/// How many digits tell all ids apart.
fn digits(changes: &[change::Loaded], home: &[elsewhere::AtHome]) -> usize {
    let changes = changes.iter().map(|held| held.change.id.clone());
    held_id::digits(&changes.chain(home.iter().map(|row| row.record.id.clone())).collect::<Vec<_>>())
}

fn shorten(list: &mut HeldList) {
    let ids = list.held.iter().map(|held| held.id.clone()).chain(list.at_home.iter().map(|row| row.id.clone()));
    let digits = held_id::digits(&ids.collect::<Vec<_>>());
    list.held.iter_mut().for_each(|held| held.id.truncate(digits));
    list.at_home.iter_mut().for_each(|row| row.id.truncate(digits));
}

fn transaction_read<T>(
    node: &mut Node,
    work: impl FnOnce(&mut dyn Store) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    crate::transaction::transaction(&mut *node.store, Access::Read, work)
}

/// The name of the node at the other end of a link.
fn peer(links: &[Link], id: saddlebag_formats::LinkId) -> String {
    links.iter().find(|link| link.id == id).map_or_else(|| id.to_string(), |link| link.name.clone())
}

fn as_text<S: Serializer>(time: &TimeMs, serializer: S) -> Result<S::Ok, S::Error> {
    utc::format(*time).serialize(serializer)
}
