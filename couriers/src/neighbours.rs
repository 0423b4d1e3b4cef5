//! `check`, between two ends of a link: which records a neighbour has otherwise, as its bundles told, and what a central
//! does about it. The fields are those of `--json`: only ever added to.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::{TimeMs, Uid, Writer, utc};
use saddlebag_stores::ledger::{DifferentHow, DifferentRecord, Link, PeerRole};
use saddlebag_stores::record::{Known, Tombstone};
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError, raise};
use serde::{Serialize, Serializer};

use crate::record_names::{RecordName, RecordNames};

/// Records of one neighbour that are named; all are counted.
pub const NAMED_MAX: usize = 100;

/// A neighbour, and what it has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedNeighbour {
    /// Its name.
    pub peer: String,
    /// Whether it is this node's central, which alone repairs what differs between the two.
    pub is_central: bool,
    /// When both were last found to hold the same, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub equal: Option<TimeMs>,
    /// Since when both are known to hold different records; none while they are not.
    #[serde(serialize_with = "as_text")]
    pub different: Option<TimeMs>,
    /// Why the last bundle did not tell.
    pub undecided: Option<String>,
    /// Records known to differ; 0 as long as it is only known that some do.
    pub records_different: u64,
    /// The first of them.
    pub records: Vec<RecordThere>,
}

/// A record that differs between this node and a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordThere {
    /// How.
    pub kind: ThereKind,
    /// Which.
    #[serde(flatten)]
    pub record: RecordName,
    /// Whether the neighbour has been asked to send it whole, so that it is repaired.
    pub repairing: bool,
}

/// How a record differs between this node and a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThereKind {
    /// Both have it, with other values.
    OtherValues,
    /// The neighbour has it and this node does not.
    MissingHere,
    /// This node has it and the neighbour does not.
    MissingThere,
}

/// How this node and its neighbours were last found to compare.
///
/// # Errors
/// The engine's.
pub(crate) fn compared(store: &mut dyn Store) -> Result<Vec<ComparedNeighbour>, StoreError> {
    let links = store.links()?;
    links.into_iter().map(|link| neighbour(store, &link)).collect()
}

fn neighbour(store: &mut dyn Store, link: &Link) -> Result<ComparedNeighbour, StoreError> {
    let different = store.different(link.id)?;
    let shown = different.get(..different.len().min(NAMED_MAX)).unwrap_or_default();
    let mut wanted: BTreeMap<String, BTreeSet<Uid>> = BTreeMap::new();
    for record in shown {
        wanted.entry(record.table.clone()).or_default().insert(record.uid);
    }
    let names = RecordNames::look_up(store, &wanted)?;
    let there = |record: &DifferentRecord| RecordThere {
        kind: match record.how {
            DifferentHow::OtherValues => ThereKind::OtherValues,
            DifferentHow::MissingHere => ThereKind::MissingHere,
            DifferentHow::MissingThere => ThereKind::MissingThere,
        },
        record: names.of(&record.table, record.uid),
        repairing: record.wanted,
    };
    Ok(ComparedNeighbour {
        peer: link.name.clone(),
        is_central: link.role == PeerRole::Central,
        equal: link.comparison.equal,
        different: link.comparison.different,
        undecided: link.comparison.undecided.clone(),
        records_different: different.len() as u64,
        records: shown.iter().map(there).collect(),
    })
}

/// At a central: makes every record that a satellite has otherwise an edit of this node, so that it goes to everybody, and
/// asks the satellite to send its own, so that it is merged as any other. Says how many records that were. Needs a write
/// transaction in which everything is absorbed.
///
/// # Errors
/// The engine's.
pub fn repair(store: &mut dyn Store, writer: Writer, now: TimeMs) -> Result<u64, StoreError> {
    let links = store.links()?;
    let context = AbsorbContext::of(writer, &links);
    let mut raised: BTreeSet<(String, Uid)> = BTreeSet::new();
    for mut link in links.into_iter().filter(|link| link.role == PeerRole::Satellite) {
        let asked: Vec<_> = store.different(link.id)?.into_iter().filter(|record| !record.wanted).collect();
        let mut by_table: BTreeMap<&str, Vec<Uid>> = BTreeMap::new();
        for record in &asked {
            if raised.insert((record.table.clone(), record.uid)) {
                by_table.entry(&record.table).or_default().push(record.uid);
            }
        }
        for (name, uids) in by_table {
            if let Some(table) = store.tracking().by_name(name).cloned() {
                assert_anew(store, &table, &uids, &context, now)?;
            }
        }
        if !asked.is_empty() {
            let asked: Vec<_> = asked.into_iter().map(|record| DifferentRecord { wanted: true, ..record }).collect();
            store.save_different(&asked)?;
            link.comparison.told = None;
            store.save_link(&link)?;
        }
    }
    Ok(raised.len() as u64)
}

/// Gives records new versions and a new place in the feed, as if all of them had been edited now; deleted ones a new place.
fn assert_anew(
    store: &mut dyn Store,
    table: &TrackedTable,
    uids: &[Uid],
    context: &AbsorbContext,
    now: TimeMs,
) -> Result<(), StoreError> {
    let mut all: Vec<u16> = table.columns.iter().map(|column| column.id).collect();
    all.sort_unstable();
    let (mut live, mut deleted) = (Vec::new(), Vec::new());
    for known in store.records(table, uids)?.into_values() {
        let seq = store.next_seq()?;
        match known {
            Known::Live(mut record) => {
                record.state = raise::edited(&record.state, &all, &all, now, context, seq);
                live.push(record);
            }
            Known::Deleted(tombstone) => deleted.push(Tombstone { seq, source: None, ..tombstone }),
        }
    }
    store.save_states(table, &live)?;
    store.save_tombstones(&deleted)
}

fn as_text<S: Serializer>(time: &Option<TimeMs>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(utc::format).serialize(serializer)
}
