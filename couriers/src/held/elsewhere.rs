//! What is not held as a change: rows that stay at home, values beside their records, and what others hold of ours.

use saddlebag_formats::{Outcome, Uid};
use saddlebag_stores::difference::HomeRow;
use saddlebag_stores::ledger::{BesideWhy, Link};
use saddlebag_stores::record::Known;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};
use serde::Serialize;

use super::{HeldKind, peer};
use crate::held_id;
use crate::record_names::{Here, RecordName, RecordNames, Wanted, key_words};
use crate::shown::ShownValue;

/// A row of this database that does not leave it, because another row here has its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomeRecord {
    /// By which people name it.
    pub id: String,
    /// The row; its uid is known to nobody else.
    #[serde(flatten)]
    pub record: RecordName,
    /// The record whose identity it has; none if that stands here no more.
    pub same_as: Option<RecordName>,
}

/// A row that stays at home, beside the one that has its identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HomeDetail {
    /// What it is.
    #[serde(flatten)]
    pub record: HomeRecord,
    /// Its columns.
    pub columns: Vec<HomeColumn>,
}

/// One column of a row that stays at home.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HomeColumn {
    /// Its name.
    pub column: String,
    /// What the row has there.
    pub value: ShownValue,
    /// What the record that has its identity has there.
    pub same_as: Option<ShownValue>,
}

/// A true value that cannot stand in its column here: it is what others are sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BesideValue {
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// The column.
    pub column: String,
    /// The true value.
    pub value: ShownValue,
    /// What stands in the column instead; none where this schema lacks it.
    pub shown: Option<ShownValue>,
    /// Why.
    pub why: BesideReason,
}

/// Why a value stands beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BesideReason {
    /// The schema here lacks the column.
    NoColumn,
    /// It refers to a record that is not here and never comes by itself.
    NoTarget,
    /// Another record here has the value, which comes from a counter of each database.
    Collides,
    /// The database stored another form of it.
    OtherForm,
}

/// A change of this node that a neighbour holds, as it last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldElsewhere {
    /// The neighbour.
    pub by: String,
    /// Parked or quarantined there.
    pub kind: HeldKind,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// Why, in the neighbour's words.
    pub reason: String,
}

/// A row that stays at home, as it was read.
#[derive(Debug)]
pub(super) struct AtHome {
    /// With all digits of its id.
    pub(super) record: HomeRecord,
    table: TrackedTable,
    row: HomeRow,
}

/// All rows that stay at home.
pub(super) fn at_home(store: &mut dyn Store) -> Result<Vec<AtHome>, StoreError> {
    let mut found = Vec::new();
    let mut wanted = Wanted::new();
    for table in store.tracking().tables.clone() {
        for row in store.home_rows(&table)? {
            wanted.entry(table.name.clone()).or_default().extend(row.holder);
            found.push((table.clone(), row));
        }
    }
    let names = RecordNames::look_up(store, &wanted)?;
    let load = |(table, row): (TrackedTable, HomeRow)| {
        let same_as = row.holder.map(|holder| names.of(&table.name, holder));
        let record = RecordName {
            table: table.name.clone(),
            uid: row.uid.to_string(),
            known_as: same_as.as_ref().and_then(|name| name.known_as.clone()),
            key: Some(key_words(&table, &row.key)),
            here: Here::Live,
        };
        let id = held_id::id(None, &table.name, row.uid);
        AtHome { record: HomeRecord { id, record, same_as }, table, row }
    };
    Ok(found.into_iter().map(load).collect())
}

/// A row that stays at home, with its values.
pub(super) fn detail(store: &mut dyn Store, home: &AtHome) -> Result<HomeDetail, StoreError> {
    let holder = match home.row.holder {
        Some(uid) => store.records(&home.table, &[uid])?.remove(&uid),
        None => None,
    };
    let other = |index: usize| match &holder {
        Some(Known::Live(record)) => record.values.get(index).map(ShownValue::from),
        _ => None,
    };
    let column = |(index, column): (usize, &saddlebag_stores::tracking::TrackedColumn)| HomeColumn {
        column: column.name.clone(),
        value: home.row.values.get(index).map_or(ShownValue::Null, ShownValue::from),
        same_as: other(index),
    };
    let columns = home.table.columns.iter().enumerate().map(column).collect();
    Ok(HomeDetail { record: home.record.clone(), columns })
}

/// All values that stand beside their records.
pub(super) fn beside(store: &mut dyn Store) -> Result<Vec<BesideValue>, StoreError> {
    let mut all = Vec::new();
    for table in store.tracking().tables.clone() {
        let values = store.beside(&table)?;
        let uids = values.iter().map(|beside| beside.uid).collect();
        let names = RecordNames::look_up(store, &Wanted::from([(table.name.clone(), uids)]))?;
        for beside in values {
            let Some(index) = table.index_of_id(beside.column) else { continue };
            all.push(BesideValue {
                record: names.of(&table.name, beside.uid),
                column: table.columns[index].name.clone(),
                value: ShownValue::from(&beside.value),
                shown: beside.shown.as_ref().map(ShownValue::from),
                why: match beside.why {
                    BesideWhy::NoColumn => BesideReason::NoColumn,
                    BesideWhy::NoTarget => BesideReason::NoTarget,
                    BesideWhy::Collides => BesideReason::Collides,
                    BesideWhy::OtherForm => BesideReason::OtherForm,
                },
            });
        }
    }
    Ok(all)
}

/// What others said that they hold of this node's changes.
pub(super) fn told(store: &mut dyn Store, links: &[Link]) -> Result<Vec<HeldElsewhere>, StoreError> {
    let mut told: Vec<(HeldKind, String, Uid, Option<String>, String, String)> = Vec::new();
    let mut wanted = Wanted::new();
    for stored in store.received_receipts()? {
        let kind = match stored.receipt.outcome {
            Outcome::Parked => HeldKind::Parked,
            Outcome::Quarantined => HeldKind::Quarantined,
            _ => continue,
        };
        let receipt = stored.receipt;
        wanted.entry(receipt.table.clone()).or_default().insert(receipt.uid);
        told.push((kind, receipt.table, receipt.uid, receipt.column, receipt.reason, peer(links, stored.link)));
    }
    let names = RecordNames::look_up(store, &wanted)?;
    let show = |(kind, table, uid, column, reason, by): (HeldKind, String, Uid, Option<String>, String, String)| {
        HeldElsewhere { by, kind, record: names.of(&table, uid), column, reason }
    };
    Ok(told.into_iter().map(show).collect())
}
