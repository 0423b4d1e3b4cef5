//! `conflicts`: values that disagreed, both kept. The fields are those of `--json`: only ever added to.

use std::collections::HashMap;

use saddlebag_formats::row_state_bytes::{RowStateError, decode_value};
use saddlebag_formats::{TimeMs, Uid, Value, utc};
use saddlebag_importer::clocks::{TimeDoubt, doubt_version};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictSide, Link};
use saddlebag_stores::record::Known;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Access, Store, StoreError};
use serde::{Serialize, Serializer};

use crate::error::NodeError;
use crate::node::Node;
use crate::node_names::NodeNames;
use crate::record_names::{RecordName, RecordNames, Wanted};
use crate::shown::{ShownValue, ShownVersion};
use crate::transaction::transaction;

/// All conflicts, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictList {
    /// Each of them.
    pub conflicts: Vec<ShownConflict>,
}

/// Two values that disagreed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownConflict {
    /// Its lasting number at this node, from 1.
    pub number: u64,
    /// When it was found, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub found: TimeMs,
    /// What disagreed.
    pub kind: ShownConflictKind,
    /// The neighbour over whose link the second value came.
    pub over: String,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// The column; none for a deletion.
    pub column: Option<String>,
    /// The side that stood from then on.
    pub stands: ShownSide,
    /// The other.
    pub other: ShownSide,
    /// What the column holds here now; none for a deletion, and where the record is not here any more.
    pub now: Option<ShownValue>,
    /// Whether the column was changed again since the conflict was found; for a deletion, whether the record went.
    pub changed_since: bool,
    /// Whether this node's clock was not believed when the conflict was found.
    pub clock_doubted: bool,
}

/// What disagreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownConflictKind {
    /// Two places wrote one column without having seen each other's value.
    Values,
    /// One place deleted the record, another edited it or referred to it.
    Deletion,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownSide {
    /// What it wrote; none for a deletion.
    pub value: Option<ShownValue>,
    /// When, where and by whom.
    pub version: ShownVersion,
    /// The time by which it counted, where that is not the version's own.
    #[serde(serialize_with = "as_optional_text")]
    pub counted_at: Option<TimeMs>,
    /// Why the version's time is not to be believed, if it is not.
    pub time_doubt: Option<TimeDoubt>,
}

/// Reads all conflicts.
///
/// # Errors
/// The database's.
pub fn list(node: &mut Node) -> Result<ConflictList, NodeError> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    transaction(&mut *node.store, Access::Read, |store| {
        let all = store.numbered_conflicts()?;
        Ok(ConflictList { conflicts: shown(store, &all, &names, &links)? })
    })
}

/// Reads one conflict.
///
/// # Errors
/// [`NodeError::UnknownConflict`]; the database's.
pub fn show(node: &mut Node, number: u64) -> Result<ShownConflict, NodeError> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    transaction(&mut *node.store, Access::Read, |store| {
        let mut all = store.numbered_conflicts()?;
        let count = all.len();
        all.retain(|(known, _)| *known == number);
        let found = shown(store, &all, &names, &links)?.pop();
        found.ok_or(NodeError::UnknownConflict { number, count })
    })
}

fn shown(
    store: &mut dyn Store,
    all: &[(u64, Conflict)],
    names: &NodeNames,
    links: &[Link],
) -> Result<Vec<ShownConflict>, StoreError> {
    let mut wanted = Wanted::new();
    for (_, conflict) in all {
        wanted.entry(conflict.table.clone()).or_default().insert(conflict.uid);
    }
    let records = RecordNames::look_up(store, &wanted)?;
    let here = Here::read(store, &wanted)?;
    let mut shown = Vec::with_capacity(all.len());
    for (number, conflict) in all {
        let over = links.iter().find(|link| link.id == conflict.link).map(|link| link.name.clone());
        let (now, changed_since) = here.now(conflict);
        shown.push(ShownConflict {
            number: *number,
            found: conflict.found,
            kind: match conflict.kind {
                ConflictKind::Values => ShownConflictKind::Values,
                ConflictKind::Deletion => ShownConflictKind::Deletion,
            },
            over: over.unwrap_or_else(|| conflict.link.to_string()),
            record: records.of(&conflict.table, conflict.uid),
            column: conflict.column.clone(),
            stands: side(&conflict.winner, conflict.found, names)?,
            other: side(&conflict.loser, conflict.found, names)?,
            now,
            changed_since,
            clock_doubted: conflict.clock_doubted,
        });
    }
    Ok(shown)
}

/// What stands here under the records that were in conflict.
struct Here(HashMap<String, (TrackedTable, HashMap<Uid, Known>)>);

impl Here {
    fn read(store: &mut dyn Store, wanted: &Wanted) -> Result<Self, StoreError> {
        let mut here = HashMap::new();
        for (name, uids) in wanted {
            if let Some(table) = store.tracking().by_name(name).cloned() {
                let records = store.records(&table, &uids.iter().copied().collect::<Vec<_>>())?;
                here.insert(name.clone(), (table, records));
            }
        }
        Ok(Self(here))
    }

    /// What stands in the column now, and whether that is another version than the one that stood after the conflict.
    fn now(&self, conflict: &Conflict) -> (Option<ShownValue>, bool) {
        let Some((table, records)) = self.0.get(&conflict.table) else { return (None, true) };
        let Some(Known::Live(record)) = records.get(&conflict.uid) else { return (None, true) };
        let Some(column) = &conflict.column else { return (None, false) };
        let Some(index) = table.column_index(column) else { return (None, true) };
        let version = record.state.of(table.columns[index].id).version;
        (record.values.get(index).map(ShownValue::from), version != conflict.winner.version)
    }
}

fn side(side: &ConflictSide, found: TimeMs, names: &NodeNames) -> Result<ShownSide, StoreError> {
    let value = side.value.as_deref().map(value).transpose()?;
    Ok(ShownSide {
        value: value.as_ref().map(ShownValue::from),
        version: ShownVersion::of(side.version, names),
        counted_at: side.effective,
        time_doubt: doubt_version(side.version, found),
    })
}

fn value(bytes: &[u8]) -> Result<Value, StoreError> {
    let damaged =
        |error: RowStateError| StoreError::Damaged { what: "a conflict".to_owned(), reason: error.to_string() };
    decode_value(bytes).map_err(damaged)
}

fn as_optional_text<S: Serializer>(time: &Option<TimeMs>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(utc::format).serialize(serializer)
}

fn as_text<S: Serializer>(time: &TimeMs, serializer: S) -> Result<S::Ok, S::Error> {
    utc::format(*time).serialize(serializer)
}
