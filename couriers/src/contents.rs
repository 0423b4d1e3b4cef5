//! `cat`: what a bundle for this node says, change by change, for other services. Nothing is applied or remembered.
//!
//! Invariant: nothing is opened before signature, receiver, size and hash are checked; the changes of one member are
//! held at a time.

use std::io::BufReader;
use std::path::Path;

use saddlebag_formats::header::{BundleHeader, KeyId};
use saddlebag_formats::{
    Action, ColumnChange, Head, NodeId, PayloadReader, Receipt, RecordChange, SeenVersions, TableDescription, utc,
};
use saddlebag_importer::ImportError;
use saddlebag_keys::{Card, Peer, files, sealing, verify_head};
use saddlebag_stores::ledger::Link;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::error::NodeError;
use crate::health::ToldHealth;
use crate::node::Node;
use crate::node_names::NodeNames;
use crate::shown::{ShownValue, ShownVersion};

/// One line of what a bundle says (`docs/cli-json.md`, "cat").
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "line", rename_all = "lowercase")]
pub enum ContentLine {
    /// The first: which bundle it is.
    Bundle(ShownBundle),
    /// The second: how its sender was.
    Health(ToldHealth),
    /// What became of a change of this node.
    Receipt(ShownReceipt),
    /// What became of a record at the sender.
    Record(ShownRecord),
}

/// Which bundle it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownBundle {
    /// Its sender's name.
    pub from: String,
    /// This node's name.
    pub to: String,
    /// Its id.
    pub id: String,
    /// The history of the sender's database.
    pub epoch: String,
    /// Its number in the sender's stream.
    pub number: u64,
    /// It covers the sender's feed after this position …
    pub after: u64,
    /// … up to and with this one.
    pub upto: u64,
    /// When it was made, by the sender's clock.
    pub created: String,
}

/// What became of a change of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownReceipt {
    /// The table.
    pub table: String,
    /// The record.
    pub uid: String,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// What became of it.
    pub outcome: &'static str,
    /// Why, for people.
    pub reason: String,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownRecord {
    /// Its table.
    pub table: String,
    /// How the table's rows get their uid.
    pub identity: String,
    /// The record.
    pub uid: String,
    /// What happened, and with which values.
    #[serde(flatten)]
    pub action: ShownAction,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum ShownAction {
    /// It has these values.
    Write {
        /// Whether every column that the sender shares is here.
        whole: bool,
        /// The columns, by name.
        columns: Columns,
    },
    /// It was deleted.
    Delete(ShownDeletion),
    /// It turned out to be another one, under whose uid it goes on.
    Merged(ShownDeletion),
}

/// The end of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownDeletion {
    /// When and where it was deleted.
    pub version: ShownVersion,
    /// Its place in the sender's feed.
    pub seq: u64,
    /// The record under which it goes on.
    pub same_as: Option<String>,
    /// The greatest version that whoever deleted it had seen.
    pub seen: ShownVersion,
}

/// Columns by name, in the sender's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns(pub Vec<(String, ShownColumn)>);

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, column) in &self.0 {
            map.serialize_entry(name, column)?;
        }
        map.end()
    }
}

/// One column's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownColumn {
    /// The value.
    pub value: ShownValue,
    /// When and where it was written.
    pub version: ShownVersion,
    /// The version upon which it was written, where the receiver must know.
    pub base: Option<ShownVersion>,
    /// The time that counts between concurrent edits, in milliseconds since 1970, where it is not the version's.
    pub effective_ms: Option<i64>,
    /// Its place in the sender's feed.
    pub seq: u64,
    /// The table that it refers to.
    pub references: Option<String>,
}

/// Opens a bundle for this node and gives its lines one by one. Where `give` fails, nothing more is read.
///
/// # Errors
/// [`NodeError::SealedForOther`], [`NodeError::BundleFile`] with the reason, [`NodeError::NoDeployment`]; those of `give`.
pub fn read<E: From<NodeError>>(
    node: &mut Node,
    file: &Path,
    give: &mut dyn FnMut(&ContentLine) -> Result<(), E>,
) -> Result<(), E> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    let about = |error: ImportError| NodeError::BundleFile { file: file.to_owned(), source: Box::new(error) };
    let (header, sealed) = checked(node, &links, &names, file)?;
    let from = || names.name(header.from);
    let contents = |source| about(ImportError::Contents { from: from(), source });
    let plain = sealing::open(sealed.as_slice(), &node.keys.sealing)
        .map_err(|source| about(ImportError::Sealed { from: from(), source }))?;
    let mut payload = PayloadReader::new(BufReader::new(plain)).map_err(contents)?;
    if !payload.binding().agrees_with(&header) {
        return Err(about(ImportError::OtherContents { from: from() }).into());
    }
    give(&ContentLine::Bundle(ShownBundle::of(&header, &names)))?;
    give(&ContentLine::Health(payload.health().into()))?;
    for receipt in payload.take_receipts() {
        give(&ContentLine::Receipt(ShownReceipt::from(receipt)))?;
    }
    while let Some(tables) = payload.next_changes().map_err(contents)? {
        for table in &tables {
            for record in &table.records {
                give(&ContentLine::Record(ShownRecord::of(&table.table, record, &names)))?;
            }
        }
    }
    payload.finish().map_err(contents)?;
    Ok(())
}

/// The header of a bundle that an admitted neighbour made for this node, and its sealed payload.
fn checked(node: &Node, links: &[Link], names: &NodeNames, file: &Path) -> Result<(BundleHeader, Vec<u8>), NodeError> {
    let about = |error: ImportError| NodeError::BundleFile { file: file.to_owned(), source: Box::new(error) };
    let me = node.this_node()?;
    let mut reader = BufReader::new(files::open_ordinary(file)?);
    let head = Head::read(&mut reader).map_err(|error| about(error.into()))?;
    let header = head.header.clone();
    if header.deployment == me.deployment && header.to != me.id {
        let (to, is_own) = (names.name(header.to), header.from == me.id);
        return Err(NodeError::SealedForOther { file: file.to_owned(), to, is_own });
    }
    let peer = |id: NodeId, _: KeyId| {
        let link = links.iter().find(|link| link.peer == id)?;
        Card::parse(&link.card).ok().map(|card| Peer::from(&card))
    };
    verify_head(head, me.deployment, Some(me.id), peer).map_err(|error| about(error.into()))?;
    let sealed = header.payload.read(&mut reader);
    let sealed = sealed.map_err(|source| about(ImportError::Payload { from: names.name(header.from), source }))?;
    Ok((header, sealed))
}

impl ShownBundle {
    fn of(header: &BundleHeader, names: &NodeNames) -> Self {
        Self {
            from: names.name(header.from),
            to: names.name(header.to),
            id: header.id.to_string(),
            epoch: header.epoch.to_string(),
            number: header.number.0,
            after: header.after.0,
            upto: header.upto.0,
            created: utc::format(header.created),
        }
    }
}

impl From<Receipt> for ShownReceipt {
    fn from(receipt: Receipt) -> Self {
        let Receipt { table, uid, column, outcome, reason } = receipt;
        Self { table, uid: uid.to_string(), column, outcome: outcome.as_str(), reason }
    }
}

impl ShownRecord {
    fn of(table: &TableDescription, record: &RecordChange, names: &NodeNames) -> Self {
        let action = match &record.action {
            Action::Write { whole, columns } => {
                let columns = columns.iter().filter_map(|column| shown_column(table, column, names)).collect();
                ShownAction::Write { whole: *whole, columns: Columns(columns) }
            }
            Action::Delete { version, seq, seen, same_as } => {
                let deletion = ShownDeletion {
                    version: ShownVersion::of(*version, names),
                    seq: seq.0,
                    same_as: same_as.map(|uid| uid.to_string()),
                    seen: ShownVersion::of(latest(seen), names),
                };
                if same_as.is_some() { ShownAction::Merged(deletion) } else { ShownAction::Delete(deletion) }
            }
        };
        let (table, identity) = (table.name.clone(), table.identity.clone());
        Self { table, identity, uid: record.uid.to_string(), action }
    }
}

fn shown_column(table: &TableDescription, column: &ColumnChange, names: &NodeNames) -> Option<(String, ShownColumn)> {
    // The decoder has checked that every column is described.
    let described = table.columns.get(usize::from(column.column))?;
    let shown = ShownColumn {
        value: ShownValue::from(&column.value),
        version: ShownVersion::of(column.version, names),
        base: column.base.map(|base| ShownVersion::of(base, names)),
        effective_ms: column.effective.map(|time| time.0),
        seq: column.seq.0,
        references: described.references.clone(),
    };
    Some((described.name.clone(), shown))
}

fn latest(seen: &SeenVersions) -> saddlebag_formats::Version {
    seen.columns.iter().map(|(_, seen)| seen.version).fold(seen.row.version, saddlebag_formats::Version::max)
}
