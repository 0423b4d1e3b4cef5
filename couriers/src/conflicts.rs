//! `conflicts`: values that disagreed, both kept. The fields are those of `--json`: only ever added to.

use std::collections::HashMap;

use saddlebag_formats::row_state_bytes::{RowStateError, decode_value};
use saddlebag_formats::{TimeMs, Uid, Value, utc};
use saddlebag_importer::clocks::{TimeDoubt, doubt_version};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictRule, ConflictSide, Decision, Link, PeerRole, Taken};
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

mod elsewhere;
mod resolve;
mod typed;

pub use elsewhere::{DecidedElsewhere, ShownOutcome};
pub use resolve::{Chosen, Filter, Judge, Plan, Question, Rule, SkippedConflict, carry_out, one, plan};

/// Conflicts, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictList {
    /// Each of them.
    pub conflicts: Vec<ShownConflict>,
    /// How many more there are, about which a person has decided; 0 if they are among `conflicts`.
    pub decided: u64,
    /// What this node's central, or another neighbour, decided about changes of this node, as it last told.
    pub elsewhere: Vec<DecidedElsewhere>,
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
    /// What decided which side stands.
    pub rule: ShownRule,
    /// The side that stood from then on.
    pub stands: ShownSide,
    /// The other.
    pub other: ShownSide,
    /// What the column holds here now; none for a deletion, and where the record is not here any more.
    pub now: Option<ShownValue>,
    /// Whether the column was changed again since the conflict was found, or was last decided; for a deletion, whether
    /// the record went, or came back.
    pub changed_since: bool,
    /// Whether this node's clock was not believed when the conflict was found.
    pub clock_doubted: bool,
    /// What people decided about it, oldest first; the last counts.
    pub decisions: Vec<ShownDecision>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownDecision {
    /// `stands`, `other` or `value`.
    pub taken: &'static str,
    /// What stood from then on; none for a deletion, or the record itself.
    pub value: Option<ShownValue>,
    /// Who decided.
    pub by: String,
    /// When, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub at: TimeMs,
    /// Why.
    pub because: Option<String>,
}

/// What decided which side of a conflict stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownRule {
    /// The later one.
    Newest,
    /// What stood at the central.
    Central,
    /// What came from a satellite.
    Satellite,
    /// Nobody yet.
    Ask,
    /// The record is kept.
    Keep,
    /// The deletion stands.
    Delete,
    /// The sender of a held value replaced it itself.
    Replaced,
    /// Two records turned out to be one.
    SameAs,
}

impl From<ConflictRule> for ShownRule {
    fn from(rule: ConflictRule) -> Self {
        match rule {
            ConflictRule::Newest => Self::Newest,
            ConflictRule::Central => Self::Central,
            ConflictRule::Satellite => Self::Satellite,
            ConflictRule::Ask => Self::Ask,
            ConflictRule::Keep => Self::Keep,
            ConflictRule::Delete => Self::Delete,
            ConflictRule::Replaced => Self::Replaced,
            ConflictRule::SameAs => Self::SameAs,
        }
    }
}

impl ShownConflict {
    /// Whether no person has decided about it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.decisions.is_empty()
    }
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

/// Reads the conflicts that no person has decided about, or `all`.
///
/// # Errors
/// The database's.
pub fn list(node: &mut Node, all: bool) -> Result<ConflictList, NodeError> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    transaction(&mut *node.store, Access::Read, |store| {
        let known = load(store)?;
        let wanted: Vec<&Loaded> = known.iter().filter(|one| all || one.decisions.is_empty()).collect();
        let decided = (known.len() - wanted.len()) as u64;
        let elsewhere = elsewhere::told(store, &links)?;
        Ok(ConflictList { conflicts: shown(store, &wanted, &names, &links)?, decided, elsewhere })
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
        let all = load(store)?;
        let one: Vec<&Loaded> = all.iter().filter(|one| one.number == number).collect();
        let found = shown(store, &one, &names, &links)?.pop();
        found.ok_or_else(|| unknown(number, all.len(), &links))
    })
}

/// A number that no conflict has here. A satellite's are decided, and kept, at its central.
fn unknown(number: u64, count: usize, links: &[Link]) -> NodeError {
    match links.iter().find(|link| link.role == PeerRole::Central) {
        Some(link) => NodeError::ConflictElsewhere { number, central: link.name.clone() },
        None => NodeError::UnknownConflict { number, count },
    }
}

/// A conflict as it is kept.
#[derive(Debug)]
struct Loaded {
    number: u64,
    conflict: Conflict,
    decisions: Vec<Decision>,
}

fn load(store: &mut dyn Store) -> Result<Vec<Loaded>, StoreError> {
    let mut decisions: HashMap<u64, Vec<Decision>> = HashMap::new();
    for decision in store.decisions()? {
        decisions.entry(decision.conflict).or_default().push(decision);
    }
    let one =
        |(number, conflict)| Loaded { number, conflict, decisions: decisions.remove(&number).unwrap_or_default() };
    Ok(store.numbered_conflicts()?.into_iter().map(one).collect())
}

fn shown(
    store: &mut dyn Store,
    all: &[&Loaded],
    names: &NodeNames,
    links: &[Link],
) -> Result<Vec<ShownConflict>, StoreError> {
    let mut wanted = Wanted::new();
    for Loaded { conflict, .. } in all {
        wanted.entry(conflict.table.clone()).or_default().insert(conflict.uid);
    }
    let records = RecordNames::look_up(store, &wanted)?;
    let here = Here::read(store, &wanted)?;
    let mut shown = Vec::with_capacity(all.len());
    for Loaded { number, conflict, decisions } in all {
        let over = links.iter().find(|link| link.id == conflict.link).map(|link| link.name.clone());
        let (now, changed_since) = here.now(conflict, decisions.last());
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
            rule: conflict.rule.into(),
            decisions: decisions.iter().map(decision).collect::<Result<_, _>>()?,
            clock_doubted: conflict.clock_doubted,
        });
    }
    Ok(shown)
}

fn decision(decision: &Decision) -> Result<ShownDecision, StoreError> {
    let value = decision.value.as_deref().map(value).transpose()?;
    Ok(ShownDecision {
        taken: match decision.taken {
            Taken::Stands => "stands",
            Taken::Other => "other",
            Taken::Value => "value",
        },
        value: value.as_ref().map(ShownValue::from),
        by: decision.by.clone(),
        at: decision.at,
        because: decision.because.clone(),
    })
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

    /// What stands in the column now, and whether that is another version than the one that stood after the conflict, or
    /// after it was last decided.
    fn now(&self, conflict: &Conflict, decided: Option<&Decision>) -> (Option<ShownValue>, bool) {
        let Some((table, records)) = self.0.get(&conflict.table) else { return (None, true) };
        let Some(Known::Live(record)) = records.get(&conflict.uid) else {
            // A side without a value deleted the record.
            return (None, !stands_deleted(conflict, decided));
        };
        let Some(column) = &conflict.column else { return (None, stands_deleted(conflict, decided)) };
        let Some(index) = table.column_index(column) else { return (None, true) };
        let version = record.state.of(table.columns[index].id).version;
        let stood = decided.map_or(conflict.winner.version, |decision| decision.version);
        (record.values.get(index).map(ShownValue::from), version != stood)
    }
}

/// Whether the record was to be gone after the conflict, or after it was last decided.
fn stands_deleted(conflict: &Conflict, decided: Option<&Decision>) -> bool {
    let by_rule = !conflict.keeps_record();
    match (conflict.kind, decided.map(|decision| decision.taken)) {
        (_, None) => by_rule || (conflict.kind == ConflictKind::Values && conflict.winner.value.is_none()),
        (ConflictKind::Deletion, Some(Taken::Stands)) => by_rule,
        (ConflictKind::Deletion, Some(_)) => !by_rule,
        (ConflictKind::Values, Some(_)) => decided.is_some_and(|decision| decision.value.is_none()),
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
