//! What a person does about held changes: try again, let go, say that two records are one.

use saddlebag_formats::{LinkId, Uid, Value};
use saddlebag_importer::{ImportError, Importer, Tally};
use saddlebag_stores::record::Key;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};
use serde::Serialize;

use super::change::{self, Loaded};
use super::{Found, HeldChange, digits, elsewhere, find, transaction_read};
use crate::after_import::AfterImport;
use crate::error::NodeError;
use crate::node::Node;
use crate::record_names::{RecordName, RecordNames, Wanted};

/// What a new attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetryDone {
    /// Changes that were held and are applied now, or say nothing any more.
    pub applied: Vec<HeldChange>,
    /// Changes that are held all the same: all of them, or the one that was asked for.
    pub still_held: Vec<HeldChange>,
    /// Records that were written or deleted.
    pub records: u64,
    /// Values and deletions that turned out to be in conflict.
    pub conflicts: u64,
}

/// A change that was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropDone {
    /// What it was; `reason` says why it had been held.
    #[serde(flatten)]
    pub change: HeldChange,
    /// Why the person let it go.
    pub dropped_because: String,
}

/// A record that is another one from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResolveDone {
    /// What was held; `reason` says why.
    #[serde(flatten)]
    pub change: HeldChange,
    /// The record that goes on.
    pub into: RecordName,
    /// Records that were written or deleted.
    pub records: u64,
    /// Values that turned out to be in conflict.
    pub conflicts: u64,
    /// Changes that are applied now.
    pub settled: u64,
}

/// Tries everything again that is held: what is held may wait for each other. With an id, only that one is told of where
/// it is held all the same.
///
/// # Errors
/// [`NodeError::UnknownHeld`], [`NodeError::AmbiguousHeld`], [`NodeError::HeldAtHome`]; the importer's.
pub fn retry(node: &mut Node, id: Option<&str>) -> Result<RetryDone, NodeError> {
    let before = load(node)?;
    let chosen = id.map(|id| before.find(id)).transpose()?.map(|held| (held.link, held.table.clone(), held.uid));
    let Tally { records, conflicts, .. } = noting(node, |importer| importer.retry_held())?;
    let after = load(node)?;
    let is_in = |held: &Loaded, all: &[Loaded]| all.iter().any(|other| is(other, held.link, &held.table, held.uid));
    let is_chosen = |held: &&Loaded| chosen.as_ref().is_none_or(|(link, table, uid)| is(held, *link, table, *uid));
    let applied = before.changes.iter().filter(|held| !is_in(held, &after.changes));
    let still_held = after.changes.iter().filter(is_chosen);
    Ok(RetryDone {
        applied: applied.map(|held| before.shortened(held)).collect(),
        still_held: still_held.map(|held| after.shortened(held)).collect(),
        records,
        conflicts,
    })
}

/// Tries everything again that is held, if anything here has changed since; says how many changes are applied now.
///
/// # Errors
/// The database's.
pub(crate) fn retry_after_changes(node: &mut Node) -> Result<u64, NodeError> {
    let done = noting(node, |importer| Ok(importer.retry_held_after_changes()?.unwrap_or_default()))?;
    Ok(done.settled)
}

/// Lets go of a held change: both places keep what they have.
///
/// # Errors
/// [`NodeError::NoReason`]; as [`retry`].
pub fn drop_held(node: &mut Node, id: &str, reason: &str) -> Result<DropDone, NodeError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(NodeError::NoReason);
    }
    let all = load(node)?;
    let held = all.find(id)?;
    node.importer()?.drop_held(held.link, &held.table, held.uid, reason)?;
    Ok(DropDone { change: all.shortened(held), dropped_because: reason.to_owned() })
}

/// Says that a held record is the same as one that stands here, given by its uid or by its primary key.
///
/// # Errors
/// [`NodeError::UnknownRecord`]; as [`retry`].
pub fn resolve_same_as(node: &mut Node, id: &str, record: &str) -> Result<ResolveDone, NodeError> {
    let all = load(node)?;
    let held = all.find(id)?;
    let (into, name) = transaction_read(node, |store| {
        let into = find_record(store, &held.table, record)?;
        let wanted = Wanted::from([(held.table.clone(), [into].into())]);
        Ok((into, RecordNames::look_up(store, &wanted)?.of(&held.table, into)))
    })?;
    let tally = noting(node, |importer| importer.resolve_same_as(held.link, &held.table, held.uid, into))?;
    let Tally { records, conflicts, settled, .. } = tally;
    Ok(ResolveDone { change: all.shortened(held), into: name, records, conflicts, settled })
}

/// What is changed is told with the next round.
fn noting(
    node: &mut Node,
    decide: impl FnOnce(&mut Importer<'_>) -> Result<Tally, ImportError>,
) -> Result<Tally, NodeError> {
    let mut after = AfterImport::of(node);
    after.begin();
    let decided = decide(&mut node.importer()?);
    if let Ok(tally) = &decided {
        after.changed(&tally.tables);
    }
    after.note(node.clock.now());
    Ok(decided?)
}

/// What is held, to choose from.
struct Choice {
    changes: Vec<Loaded>,
    home: Vec<elsewhere::AtHome>,
}

impl Choice {
    fn find(&self, id: &str) -> Result<&Loaded, NodeError> {
        match find(&self.changes, &self.home, id)? {
            Found::Change(at) => Ok(&self.changes[at]),
            Found::AtHome(at) => {
                let row = &self.home[at].record.record;
                Err(NodeError::HeldAtHome { table: row.table.clone(), row: row.words() })
            }
        }
    }

    fn shortened(&self, held: &Loaded) -> HeldChange {
        let mut change = held.change.clone();
        change.id.truncate(digits(&self.changes, &self.home));
        change
    }
}

fn load(node: &mut Node) -> Result<Choice, NodeError> {
    let links = node.links()?;
    transaction_read(node, |store| {
        Ok(Choice { changes: change::all(store, &links)?, home: elsewhere::at_home(store)? })
    })
}

fn is(held: &Loaded, link: LinkId, table: &str, uid: Uid) -> bool {
    (held.link, held.table.as_str(), held.uid) == (link, table, uid)
}

/// The live record of this uid, or of the row with this key; the parts of a composite key have commas in between.
fn find_record(store: &mut dyn Store, table: &str, typed: &str) -> Result<Uid, NodeError> {
    let unknown = || NodeError::UnknownRecord { table: table.to_owned(), record: typed.to_owned() };
    let tracked = store.tracking().by_name(table).cloned().ok_or_else(unknown)?;
    let typed_uid = typed.trim().to_ascii_lowercase().parse::<Uid>().ok();
    if let Some(uid) = typed_uid
        && store.keys(&tracked, &[uid])?.contains_key(&uid)
    {
        return Ok(uid);
    }
    at_key(store, &tracked, typed)?.ok_or_else(unknown)
}

/// The record at a key that was typed: as a number where it is one, else as text.
fn at_key(store: &mut dyn Store, table: &TrackedTable, typed: &str) -> Result<Option<Uid>, StoreError> {
    let parts: Vec<&str> = match table.key.len() {
        1 => vec![typed],
        _ => typed.split(',').map(str::trim).collect(),
    };
    if parts.len() != table.key.len() {
        return Ok(None);
    }
    let number = |part: &&str| part.trim().parse().map_or_else(|_| Value::Text((*part).to_owned()), Value::Integer);
    let text = |part: &&str| Value::Text((*part).to_owned());
    for key in [Key(parts.iter().map(number).collect()), Key(parts.iter().map(text).collect())] {
        if let Some(uid) = store.uid_at(table, &key)? {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}
