//! `check`: rows against what saddlebag knows of them, and records against those of each neighbour as last compared. The fields are those of `--json`: only ever added to.

use saddlebag_formats::{LogEntry, LogKind, TimeMs, Uid};
use saddlebag_stores::difference::{Difference, DifferenceKind};
use saddlebag_stores::record::Absorbed;
use saddlebag_stores::store::{absorb, open_absorbed_snapshot};
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Access, Store, StoreError};
use serde::Serialize;

use crate::error::NodeError;
use crate::neighbours::{self, ComparedNeighbour};
use crate::node::Node;
use crate::record_names::{RecordNames, Wanted, key_words};
use crate::transaction::transaction;

/// Records of one table that are named; all are counted.
pub const NAMED_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Each table that is kept in step.
    pub tables: Vec<CheckedTable>,
    /// Differences of all tables, before anything was repaired.
    pub differences: u64,
    /// Tables whose kept digest was not the sum of what saddlebag knows of their records.
    pub digests_wrong: Vec<String>,
    /// How this node and each neighbour were last found to compare.
    pub neighbours: Vec<ComparedNeighbour>,
    /// What was taken as edits made now; none unless asked for.
    pub repaired: Option<Repaired>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedTable {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// Rows that saddlebag has not seen.
    pub unseen: u64,
    /// Records whose rows are gone.
    pub gone: u64,
    /// Rows with other values than when they were last read or written.
    pub changed: u64,
    /// The first of them.
    pub records: Vec<DifferentRecord>,
}

/// A row or a record that does not fit the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferentRecord {
    /// How.
    pub kind: DifferentKind,
    /// The row's key in this database, or the one that it had.
    pub key: String,
    /// The record; none for a row that was not seen.
    pub uid: Option<String>,
    /// The values by which it is known at every place, where there are any.
    pub known_as: Option<String>,
}

/// How a row and its record differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferentKind {
    /// A row that saddlebag has not seen.
    Unseen,
    /// A record whose row is gone.
    Gone,
    /// A row with other values than when it was last read or written.
    Changed,
}

/// What was taken as edits made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// New records.
    pub created: u64,
    /// Records with changed values.
    pub changed: u64,
    /// Deleted records.
    pub deleted: u64,
    /// Rows that have the identity of another one here and stay at home.
    pub at_home: u64,
    /// Records that a satellite has otherwise, which are now on their way to be made equal.
    pub sent_again: u64,
    /// Differences that are left all the same.
    pub left: u64,
}

impl CheckedTable {
    /// All its differences.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.unseen + self.gone + self.changed
    }
}

impl CheckReport {
    /// Differences that stand now.
    #[must_use]
    pub fn left(&self) -> u64 {
        let here = self.repaired.map_or(self.differences, |repaired| repaired.left);
        let digests = if self.repaired.is_some() { 0 } else { self.digests_wrong.len() as u64 };
        here + digests
    }

    /// Neighbours that hold other records.
    pub fn differing_neighbours(&self) -> impl Iterator<Item = &ComparedNeighbour> {
        self.neighbours.iter().filter(|neighbour| neighbour.different.is_some())
    }
}

/// Absorbs, and compares every row with what is known of it, and all records with each neighbour's as its last bundle told;
/// with `repair`, takes what stands in the tables as edits made now, and has what a satellite holds otherwise made equal. `progress` is told the table that is being compared.
///
/// # Errors
/// The database's.
pub fn check(node: &mut Node, repair: bool, progress: &mut dyn FnMut(&str)) -> Result<CheckReport, NodeError> {
    let Compared { tables, digests_wrong, neighbours } = compare_all(node, None, progress)?;
    let differences = tables.iter().map(CheckedTable::differences).sum();
    let differing: Vec<String> =
        tables.iter().filter(|table| table.differences() > 0).map(|table| table.table.clone()).collect();
    let repaired = if repair { Some(repair_all(node, &differing, &tables, progress)?) } else { None };
    Ok(CheckReport { tables, differences, digests_wrong, neighbours, repaired })
}

/// What a look at the database came to.
struct Compared {
    tables: Vec<CheckedTable>,
    digests_wrong: Vec<String>,
    neighbours: Vec<ComparedNeighbour>,
}

fn repair_all(
    node: &mut Node,
    tables: &[String],
    found: &[CheckedTable],
    progress: &mut dyn FnMut(&str),
) -> Result<Repaired, NodeError> {
    let (writer, entropy, now) = (node.writer(), &mut *node.entropy, node.clock.now());
    let (Absorbed { created, changed, deleted, duplicates, .. }, sent_again) =
        transaction(&mut *node.store, Access::Write, |store| {
            for table in store.tracking().tables.clone().iter().filter(|table| tables.contains(&table.name)) {
                store.recheck(table.number)?;
            }
            let absorbed = absorb(store, writer, entropy)?;
            let digests = store.scan_digests()?;
            store.save_digests(&digests)?;
            let sent_again = neighbours::repair(store, writer, now)?;
            store.log(&logged(found, &absorbed, sent_again, now))?;
            Ok((absorbed, sent_again))
        })?;
    // What was repaired is looked at once more: nothing is called right that nobody has seen.
    let left = match tables {
        [] => 0,
        _ => compare_all(node, Some(tables), progress)?.tables.iter().map(CheckedTable::differences).sum(),
    };
    Ok(Repaired { created, changed, deleted, at_home: duplicates, sent_again, left })
}

/// What the log says of a repair: the records that were named, and the whole.
fn logged(found: &[CheckedTable], absorbed: &Absorbed, sent_again: u64, now: TimeMs) -> Vec<LogEntry> {
    let of_record = |record: &(&CheckedTable, &DifferentRecord)| {
        let (table, uid) = (&record.0.table, record.1.uid.as_ref()?.parse().ok()?);
        let why = match record.1.kind {
            DifferentKind::Gone => "its row was gone, past the triggers",
            DifferentKind::Unseen | DifferentKind::Changed => "its row had other values, past the triggers",
        };
        Some(LogEntry::by_user(LogKind::REPAIR, now).about(table, uid).because(why))
    };
    let records = found.iter().flat_map(|table| table.records.iter().map(move |record| (table, record)));
    let mut entries: Vec<LogEntry> = records.filter_map(|record| of_record(&record)).collect();
    let whole = LogEntry::by_user(LogKind::REPAIR, now).with("created", absorbed.created);
    let whole = whole.with("changed", absorbed.changed).with("deleted", absorbed.deleted);
    entries.push(whole.with("sent_again", sent_again));
    entries
}

/// Compares all tables, or some, in one snapshot of the database.
fn compare_all(
    node: &mut Node,
    only: Option<&[String]>,
    progress: &mut dyn FnMut(&str),
) -> Result<Compared, NodeError> {
    let writer = node.writer();
    open_absorbed_snapshot(&mut *node.store, writer, &mut *node.entropy)
        .inspect_err(|_| drop(node.store.rollback()))?;
    let compared = compare_in_snapshot(&mut *node.store, only, progress);
    if compared.is_err() {
        // The first error is the one to tell of.
        let _ = node.store.rollback();
        return compared;
    }
    node.store.commit()?;
    compared
}

fn compare_in_snapshot(
    store: &mut dyn Store,
    only: Option<&[String]>,
    progress: &mut dyn FnMut(&str),
) -> Result<Compared, NodeError> {
    let mut checked = Vec::new();
    for table in &store.tracking().tables.clone() {
        if only.is_none_or(|names| names.contains(&table.name)) {
            progress(&table.name);
            checked.push(compare(store, table)?);
        }
    }
    checked.sort_by(|a, b| a.table.cmp(&b.table));
    let (kept, scanned) = (store.digests()?, store.scan_digests()?);
    let tracking = store.tracking();
    let is_wrong = |number: &u32| kept.get(number).copied().unwrap_or_default() != scanned[number];
    let wrong = scanned.keys().filter(|number| is_wrong(number));
    let mut wrong: Vec<_> = wrong.filter_map(|number| Some(tracking.by_number(*number)?.name.clone())).collect();
    wrong.sort_unstable();
    Ok(Compared { tables: checked, digests_wrong: wrong, neighbours: neighbours::compared(store)? })
}

fn compare(store: &mut dyn Store, table: &TrackedTable) -> Result<CheckedTable, StoreError> {
    let mut named: Vec<Difference> = Vec::new();
    let mut checked =
        CheckedTable { table: table.name.clone(), rows: 0, unseen: 0, gone: 0, changed: 0, records: Vec::new() };
    checked.rows = store.check(table, &mut |difference| {
        match difference.kind {
            DifferenceKind::NoState => checked.unseen += 1,
            DifferenceKind::NoRow => checked.gone += 1,
            DifferenceKind::OtherValues => checked.changed += 1,
        }
        if named.len() < NAMED_MAX {
            named.push(difference);
        }
    })?;
    let uids: std::collections::BTreeSet<Uid> = named.iter().filter_map(|difference| difference.uid).collect();
    let names = RecordNames::look_up(store, &Wanted::from([(table.name.clone(), uids)]))?;
    let record = |difference: &Difference| DifferentRecord {
        kind: match difference.kind {
            DifferenceKind::NoState => DifferentKind::Unseen,
            DifferenceKind::NoRow => DifferentKind::Gone,
            DifferenceKind::OtherValues => DifferentKind::Changed,
        },
        key: key_words(table, &difference.key),
        uid: difference.uid.map(|uid| uid.to_string()),
        known_as: difference.uid.and_then(|uid| names.of(&table.name, uid).known_as),
    };
    checked.records = named.iter().map(record).collect();
    Ok(checked)
}
