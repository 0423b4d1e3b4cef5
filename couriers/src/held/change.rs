//! Changes of others that wait here, decoded.

use saddlebag_formats::members::decode_change;
use saddlebag_formats::{Action, LinkId, RecordChange, TableDescription, TimeMs, Uid, Value};
use saddlebag_stores::ledger::{self, Link};
use saddlebag_stores::record::Known;
use saddlebag_stores::{Store, StoreError};
use serde::Serialize;

use super::{as_text, peer};
use crate::error::NodeError;
use crate::held_id;
use crate::node_names::NodeNames;
use crate::record_names::{RecordName, RecordNames, Wanted};
use crate::shown::{ShownValue, ShownVersion};

/// A change of another node that waits here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldChange {
    /// By which people name it.
    pub id: String,
    /// Parked or quarantined.
    pub kind: HeldKind,
    /// The neighbour that it came from.
    pub from: String,
    /// When it was first held, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub since: TimeMs,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// What the change does.
    pub action: HeldAction,
    /// Why it is held, in words.
    pub reason: String,
}

/// Why a change is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldKind {
    /// It waits for a record that it refers to.
    Parked,
    /// The database refused it, or a person must decide.
    Quarantined,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldAction {
    /// It brings values.
    Write,
    /// It deletes the record.
    Delete,
    /// It says that the record is another one.
    Merged,
}

/// A held change with all it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldDetail {
    /// What it is.
    #[serde(flatten)]
    pub change: HeldChange,
    /// Whether every column that its sender shares is in it.
    pub whole: bool,
    /// The record that it turned out to be.
    pub same_as: Option<String>,
    /// When and where the record was deleted.
    pub deleted: Option<ShownVersion>,
    /// Its columns.
    pub columns: Vec<HeldColumn>,
    /// Records that it refers to and that are not here.
    pub waits_for: Vec<Awaited>,
}

/// One column of a held change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldColumn {
    /// Its name.
    pub column: String,
    /// What the sender has there.
    pub value: ShownValue,
    /// When and where that was written.
    pub version: ShownVersion,
    /// The table that it refers to.
    pub references: Option<String>,
    /// The record that it refers to.
    pub target: Option<RecordName>,
    /// What this node has there; none if it does not have the record or the column.
    pub here: Option<ShownValue>,
}

/// A record that is referred to and not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// The column that refers to it.
    pub column: String,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// Under which id it is held here itself, if it is.
    pub held_as: Option<String>,
}

/// A held change that a person let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedChange {
    /// The neighbour that it came from.
    pub from: String,
    /// When it was let go, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub at: TimeMs,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// Why the person let it go.
    pub reason: String,
    /// Why it had been held.
    pub held_because: String,
}

/// A held change as it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) link: LinkId,
    pub(super) table: String,
    pub(super) uid: Uid,
    /// With all digits of its id.
    pub(super) change: HeldChange,
    description: TableDescription,
    record: RecordChange,
}

/// All held changes, oldest first.
pub(super) fn all(store: &mut dyn Store, links: &[Link]) -> Result<Vec<Loaded>, NodeError> {
    let mut decoded = Vec::new();
    for held in store.held(None)? {
        let (description, record) = decode(&held.change)?;
        decoded.push((held, description, record));
    }
    let names = look_up(store, decoded.iter().map(|(held, description, record)| (held.uid, description, record)))?;
    let load = |(held, description, record): (ledger::Held, TableDescription, RecordChange)| {
        let from = links.iter().find(|link| link.id == held.link).map(|link| link.peer);
        let change = HeldChange {
            id: held_id::id(from, &held.table, held.uid),
            kind: match held.kind {
                ledger::HeldKind::Parked => HeldKind::Parked,
                ledger::HeldKind::Quarantined => HeldKind::Quarantined,
            },
            from: peer(links, held.link),
            since: held.since,
            record: names.of_change(&description, held.uid, &values(&description, &record)),
            action: action(&record),
            reason: held.reason,
        };
        Loaded { link: held.link, table: held.table, uid: held.uid, change, description, record }
    };
    Ok(decoded.into_iter().map(load).collect())
}

/// What people let go.
pub(super) fn dropped(store: &mut dyn Store, links: &[Link]) -> Result<Vec<DroppedChange>, NodeError> {
    let mut decoded = Vec::new();
    for dropped in store.dropped()? {
        let (description, record) = decode(&dropped.change)?;
        decoded.push((dropped, description, record));
    }
    let names = look_up(store, decoded.iter().map(|(dropped, table, record)| (dropped.uid, table, record)))?;
    let show = |(dropped, description, record): (ledger::Dropped, TableDescription, RecordChange)| DroppedChange {
        from: peer(links, dropped.link),
        at: dropped.at,
        record: names.of_change(&description, dropped.uid, &values(&description, &record)),
        reason: dropped.reason,
        held_because: dropped.held_because,
    };
    Ok(decoded.into_iter().map(show).collect())
}

/// A held change with all it says; `held_as` gives the id under which a record is held here.
pub(super) fn detail(
    store: &mut dyn Store,
    loaded: &Loaded,
    names: &NodeNames,
    held_as: &dyn Fn(&str, Uid) -> Option<String>,
) -> Result<HeldDetail, StoreError> {
    let table = store.tracking().by_name(&loaded.table).cloned();
    let known = match &table {
        Some(table) => store.records(table, &[loaded.uid])?.remove(&loaded.uid),
        None => None,
    };
    let here = |name: &str| match (&known, &table) {
        (Some(Known::Live(record)), Some(table)) => {
            table.column_index(name).and_then(|index| record.values.get(index)).map(ShownValue::from)
        }
        _ => None,
    };
    let names_of_records = look_up(store, std::iter::once((loaded.uid, &loaded.description, &loaded.record)))?;
    let target = |value: &Value, table: Option<&str>| Some(names_of_records.of(table?, value.target()?));
    let mut detail = HeldDetail {
        change: loaded.change.clone(),
        whole: false,
        same_as: None,
        deleted: None,
        columns: Vec::new(),
        waits_for: Vec::new(),
    };
    match &loaded.record.action {
        Action::Write { whole, columns } => {
            detail.whole = *whole;
            for column in columns {
                let Some(described) = loaded.description.columns.get(usize::from(column.column)) else { continue };
                detail.columns.push(HeldColumn {
                    column: described.name.clone(),
                    value: ShownValue::from(&column.value),
                    version: ShownVersion::of(column.version, names),
                    references: described.references.clone(),
                    target: target(&column.value, described.references.as_deref()),
                    here: here(&described.name),
                });
            }
            detail.waits_for = waits_for(store, loaded, held_as)?;
        }
        Action::Delete { version, same_as, .. } => {
            detail.deleted = Some(ShownVersion::of(*version, names));
            detail.same_as = same_as.map(|uid| uid.to_string());
        }
    }
    Ok(detail)
}

/// What a change refers to and is not here.
fn waits_for(
    store: &mut dyn Store,
    loaded: &Loaded,
    held_as: &dyn Fn(&str, Uid) -> Option<String>,
) -> Result<Vec<Awaited>, StoreError> {
    let mut waits = Vec::new();
    for (column, target, uid) in references(&loaded.description, &loaded.record) {
        let is_here = match store.tracking().by_name(target).cloned() {
            Some(table) => store.keys(&table, &[uid])?.contains_key(&uid),
            None => false,
        };
        if !is_here {
            let wanted = Wanted::from([(target.to_owned(), [uid].into())]);
            let record = RecordNames::look_up(store, &wanted)?.of(target, uid);
            waits.push(Awaited { column: column.to_owned(), record, held_as: held_as(target, uid) });
        }
    }
    Ok(waits)
}

/// Column, table and record of each reference of a change.
fn references<'a>(
    description: &'a TableDescription,
    record: &'a RecordChange,
) -> impl Iterator<Item = (&'a str, &'a str, Uid)> {
    let columns = match &record.action {
        Action::Write { columns, .. } => columns.as_slice(),
        Action::Delete { .. } => &[],
    };
    columns.iter().filter_map(|column| {
        let described = description.columns.get(usize::from(column.column))?;
        match &column.value {
            Value::Reference(uid) => Some((described.name.as_str(), described.references.as_deref()?, *uid)),
            _ => None,
        }
    })
}

/// The values of a change by column.
fn values<'a>(description: &'a TableDescription, record: &'a RecordChange) -> Vec<(&'a str, &'a Value)> {
    let Action::Write { columns, .. } = &record.action else { return Vec::new() };
    let value = |column: &'a saddlebag_formats::ColumnChange| {
        let described = description.columns.get(usize::from(column.column))?;
        Some((described.name.as_str(), &column.value))
    };
    columns.iter().filter_map(value).collect()
}

fn action(record: &RecordChange) -> HeldAction {
    match &record.action {
        Action::Write { .. } => HeldAction::Write,
        Action::Delete { same_as: None, .. } => HeldAction::Delete,
        Action::Delete { same_as: Some(_), .. } => HeldAction::Merged,
    }
}

/// The names of these records, and of those that they refer to.
fn look_up<'a>(
    store: &mut dyn Store,
    changes: impl Iterator<Item = (Uid, &'a TableDescription, &'a RecordChange)>,
) -> Result<RecordNames, StoreError> {
    let mut wanted = Wanted::new();
    for (uid, description, record) in changes {
        wanted.entry(description.name.clone()).or_default().insert(uid);
        for (_, target, uid) in references(description, record) {
            wanted.entry(target.to_owned()).or_default().insert(uid);
        }
    }
    RecordNames::look_up(store, &wanted)
}

fn decode(bytes: &[u8]) -> Result<(TableDescription, RecordChange), StoreError> {
    decode_change(bytes)
        .map_err(|error| StoreError::Damaged { what: "a held change".to_owned(), reason: error.to_string() })
}
