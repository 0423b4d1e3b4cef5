//! `log`: what happened at this node. The fields are those of `--json`: only ever added to.

mod find;

use saddlebag_formats::{LogEntry, LogKind, TimeMs, Uid, utc};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::log::{self, LogBreak, LogFilter, Logged};
use saddlebag_stores::record::Known;
use saddlebag_stores::{Access, Store, StoreError};
use serde::Serialize;

use crate::error::NodeError;
use crate::node::Node;
use crate::node_names::NodeNames;
use crate::record_names::{RecordName, RecordNames, Wanted};
use crate::shown::ShownVersion;
use crate::transaction::transaction;

/// Which entries are wanted: those to which everything applies that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// About a record: its table, and `COLUMN=VALUE` or its uid.
    pub record: Option<(String, String)>,
    /// About a neighbour, or by it.
    pub peer: Option<String>,
    /// Not before this time.
    pub since: Option<TimeMs>,
    /// Of this kind.
    pub kind: Option<LogKind>,
    /// So many at most: the last.
    pub limit: u64,
}

/// Entries of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogReport {
    /// The record, where one was asked for.
    pub record: Option<LoggedRecord>,
    /// The entries, newest last.
    pub entries: Vec<ShownEntry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownEntry {
    /// Its number, from 1.
    pub number: u64,
    /// When, by this node's clock.
    pub at: String,
    /// What kind of event.
    pub kind: String,
    /// Who: the system's user, a neighbour's name, or `saddlebag`.
    pub who: String,
    /// The neighbour that it is about.
    pub peer: Option<String>,
    /// The table of the record that it is about.
    pub table: Option<String>,
    /// The record.
    pub uid: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// Details: numbers and short texts by name.
    pub what: serde_json::Map<String, serde_json::Value>,
    /// Why, in words; empty where that goes without saying.
    pub why: String,
}

impl From<Logged> for ShownEntry {
    fn from(logged: Logged) -> Self {
        let what = logged.entry.details();
        let LogEntry { at, kind, who, peer, table, uid, column, why, .. } = logged.entry;
        let (at, kind, uid) = (utc::format(at), kind.to_string(), uid.map(|uid| uid.to_string()));
        Self { number: logged.number, at, kind, who, peer, table, uid, column, what, why }
    }
}

/// A record, and where what it holds now came from: not from the log, but from its versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoggedRecord {
    /// Its names.
    #[serde(flatten)]
    pub name: RecordName,
    /// Where the present value of each column came from; none for a record that is not here.
    pub columns: Vec<ColumnOrigin>,
    /// When and where it was deleted, if it was.
    pub deleted: Option<ShownVersion>,
    /// The numbers of its conflicts: `conflicts show`.
    pub conflicts: Vec<u64>,
    /// Whether a change of it is held now: `held`.
    pub is_held: bool,
}

/// Where the present value of a column came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnOrigin {
    /// The column.
    pub column: String,
    /// When and where the value was written.
    pub version: ShownVersion,
    /// The neighbour over whose link it came; none for what was written or decided here.
    pub over: Option<String>,
}

/// Reads entries of the log.
///
/// # Errors
/// [`NodeError::NotTracked`], [`NodeError::UnknownColumn`], [`NodeError::UnknownRecord`], [`NodeError::ManyRecords`],
/// [`NodeError::UnloggedPeer`]; the database's.
pub fn read(node: &mut Node, query: &LogQuery) -> Result<LogReport, NodeError> {
    let links = node.links()?;
    if let Some(name) = &query.peer
        && !links.iter().any(|link| link.name == *name)
    {
        let known = links.into_iter().map(|link| link.name).collect();
        return Err(NodeError::UnloggedPeer { name: name.clone(), known });
    }
    let record = query.record.as_ref().map(|(table, typed)| find::record(node, table, typed)).transpose()?;
    let names = NodeNames::of(node, &links);
    let filter = LogFilter {
        kind: query.kind.clone(),
        peer: query.peer.clone(),
        since: query.since,
        record: record.clone(),
        limit: query.limit,
    };
    transaction(&mut *node.store, Access::Read, |store| {
        let entries = store.search_log(&filter)?.into_iter().map(ShownEntry::from).collect();
        let record = match &record {
            None => None,
            Some((table, uid)) => Some(logged_record(store, table, *uid, &names, &links)?),
        };
        Ok(LogReport { record, entries })
    })
}

fn logged_record(
    store: &mut dyn Store,
    table: &str,
    uid: Uid,
    names: &NodeNames,
    links: &[Link],
) -> Result<LoggedRecord, StoreError> {
    let name = RecordNames::look_up(store, &Wanted::from([(table.to_owned(), [uid].into())]))?.of(table, uid);
    let conflicts = store.numbered_conflicts()?.into_iter();
    let conflicts = conflicts.filter(|(_, conflict)| conflict.uid == uid && conflict.table == table);
    let conflicts = conflicts.map(|(number, _)| number).collect();
    let is_held = store.held(None)?.iter().any(|held| held.uid == uid && held.table == table);
    let mut shown = LoggedRecord { name, columns: Vec::new(), deleted: None, conflicts, is_held };
    let Some(tracked) = store.tracking().by_name(table).cloned() else { return Ok(shown) };
    match store.records(&tracked, &[uid])?.remove(&uid) {
        Some(Known::Live(record)) => {
            let origin = |column: &saddlebag_stores::tracking::TrackedColumn| {
                let state = record.state.of(column.id);
                let link = links.iter().find(|link| Some(link.id) == state.source);
                ColumnOrigin {
                    column: column.name.clone(),
                    version: ShownVersion::of(state.version, names),
                    over: link.map(|link| link.name.clone()),
                }
            };
            shown.columns = tracked.present().map(origin).collect();
        }
        Some(Known::Deleted(tombstone)) => shown.deleted = Some(ShownVersion::of(tombstone.version, names)),
        None => {}
    }
    Ok(shown)
}

/// Whether the log is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogCheck {
    /// Entries that were looked at.
    pub entries: u64,
    /// The number of the last entry that was written.
    pub last: u64,
    /// Its hash, which holds all before it.
    pub hash: String,
    /// The number of the entry at which the chain breaks first; none if it is whole.
    pub broken_at: Option<u64>,
    /// How it is broken there.
    pub broken: Option<BreakKind>,
}

/// How a chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakKind {
    /// The entry is not there.
    Missing,
    /// It is not the one that was written.
    Changed,
    /// It was never written by saddlebag.
    Added,
}

/// Checks the whole chain.
///
/// # Errors
/// The database's.
pub fn check(node: &mut Node) -> Result<LogCheck, NodeError> {
    let checked = transaction(&mut *node.store, Access::Read, |store| Ok(log::check(store, None)?))?;
    let kind = |broken: LogBreak| match broken {
        LogBreak::Missing(_) => BreakKind::Missing,
        LogBreak::Changed(_) => BreakKind::Changed,
        LogBreak::Added(_) => BreakKind::Added,
    };
    Ok(LogCheck {
        entries: checked.entries,
        last: checked.end.number,
        hash: checked.end.hash.to_string(),
        broken_at: checked.broken.map(LogBreak::number),
        broken: checked.broken.map(kind),
    })
}
