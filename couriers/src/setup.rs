//! `setup` and `remove`: triggers and row states are brought in line with `saddlebag.toml`, or taken away.
//!
//! Invariant: rows are taken in at most [`ROWS_PER_TRANSACTION`] at a time, so that the application waits for
//! no longer than that; a setup that was interrupted goes on where it stopped, and the node does not work before.

use saddlebag_stores::record::Absorbed;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::{Numbering, TrackedTable, Tracking};
use saddlebag_stores::{Access, Store};
use serde::Serialize;

use crate::error::NodeError;
use crate::node::{Node, Setup};
use crate::settings;
use crate::transaction::transaction;

/// Rows that are taken in within one transaction.
pub const ROWS_PER_TRANSACTION: u64 = 20_000;

/// What `setup` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupPlan {
    /// Whether everything is as `saddlebag.toml` wants it already.
    pub is_current: bool,
    /// The tables that are to be kept in step.
    pub tables: Vec<PlannedTable>,
    /// Tables that are kept in step now and would not be any more; their rows stay.
    pub forget: Vec<String>,
    /// Triggers that would be made.
    pub triggers: Vec<String>,
}

/// A table that is to be kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTable {
    /// Its name.
    pub table: String,
    /// How its rows get their uid, as `saddlebag.toml` says it.
    pub identity: String,
    /// The columns that are shared.
    pub columns: Vec<String>,
    /// The columns that stay at home.
    pub excluded: Vec<String>,
    /// The columns that refer to another table, and to which.
    pub references: Vec<(String, String)>,
    /// Whether it is not kept in step yet.
    pub is_new: bool,
    /// Rows that would be taken in.
    pub rows: u64,
}

/// What `setup` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupDone {
    /// The tables that are kept in step, and how many rows of each were taken in.
    pub tables: Vec<TakenIn>,
    /// Tables that were kept in step before and are not any more.
    pub forgotten: Vec<String>,
    /// Triggers that were made.
    pub triggers: Vec<String>,
    /// Rows that have the identity of another row here and therefore stay at home.
    pub duplicates: u64,
}

/// How many rows of a table were taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenIn {
    /// The table.
    pub table: String,
    /// The rows.
    pub rows: u64,
}

/// What `remove` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The database that holds nothing of saddlebag any more.
    pub database: String,
    /// The node's folder, which was left as it is, keys and all.
    pub folder: std::path::PathBuf,
}

/// Finds out what [`setup`] would do. What is counted is undone again.
///
/// # Errors
/// [`NodeError::Tracking`] if `saddlebag.toml` does not fit the database; the database's.
pub fn plan_setup(node: &mut Node) -> Result<SetupPlan, NodeError> {
    let (tracking, setup) = node.wanted_tracking()?;
    let known = node.store.installed()?.unwrap_or_default();
    let before = node.store.tracking().clone();
    node.store.use_tracking(tracking.clone());
    let counted = count(&mut *node.store, &tracking);
    node.store.use_tracking(before);
    let (triggers, rows) = counted?;
    let is_current = setup == Setup::Current && triggers.is_empty() && rows.iter().all(|rows| *rows == 0);
    let tables = tracking.tables.iter().zip(rows).map(|(table, rows)| planned(table, &tracking, &known, rows));
    Ok(SetupPlan { is_current, tables: tables.collect(), forget: forgotten(&known, &tracking), triggers })
}

/// Brings triggers and row states in line with `saddlebag.toml`, and takes in the rows that are there.
/// `progress` is told the table and how many of its rows were taken in so far.
///
/// # Errors
/// [`NodeError::Tracking`] if `saddlebag.toml` does not fit the database; the database's. What was taken in
/// before stays, and the next run goes on from there.
pub fn setup(node: &mut Node, progress: &mut dyn FnMut(&str, u64)) -> Result<SetupDone, NodeError> {
    let (tracking, _) = node.wanted_tracking()?;
    let known = node.store.installed()?.unwrap_or_default();
    node.store.use_tracking(tracking.clone());
    let triggers = transaction(&mut *node.store, Access::Write, |store| {
        let triggers = store.missing_triggers()?;
        store.install(&tracking)?;
        settings::note_setup(store, false)?;
        Ok(triggers)
    })?;
    let mut done = SetupDone { tables: Vec::new(), forgotten: forgotten(&known, &tracking), triggers, duplicates: 0 };
    for table in tracking.identity_order()? {
        let mut rows = 0;
        progress(&table.name, rows);
        loop {
            let (taken, absorbed) = take_in(node, table)?;
            done.duplicates += absorbed.duplicates;
            rows += taken;
            if taken == 0 {
                break;
            }
            progress(&table.name, rows);
        }
        done.tables.push(TakenIn { table: table.name.clone(), rows });
    }
    transaction(&mut *node.store, Access::Write, |store| Ok(settings::note_setup(store, true)?))?;
    Ok(done)
}

/// Takes away all of saddlebag's triggers and tables. The node's folder stays.
///
/// # Errors
/// The database's.
pub fn remove(node: &mut Node) -> Result<Removed, NodeError> {
    transaction(&mut *node.store, Access::Write, |store| Ok(store.uninstall()?))?;
    Ok(Removed { database: node.config.node.database.clone(), folder: node.folder.clone() })
}

/// Takes in some rows of a table, and whatever else the application has written meanwhile.
fn take_in(node: &mut Node, table: &TrackedTable) -> Result<(u64, Absorbed), NodeError> {
    let writer = node.writer();
    let entropy = &mut *node.entropy;
    transaction(&mut *node.store, Access::Write, |store| {
        let context = AbsorbContext::of(writer, &store.links()?);
        let taken = store.journal_existing(table.number, ROWS_PER_TRANSACTION)?;
        Ok((taken, store.absorb(&context, entropy)?))
    })
}

/// Triggers that lack, and rows of each table that have no state: found by doing it, and undone.
fn count(store: &mut dyn Store, tracking: &Tracking) -> Result<(Vec<String>, Vec<u64>), NodeError> {
    store.begin(Access::Write)?;
    let counted = (|| -> Result<_, NodeError> {
        let triggers = store.missing_triggers()?;
        store.install(tracking)?;
        let mut rows = Vec::with_capacity(tracking.tables.len());
        for table in &tracking.tables {
            rows.push(store.journal_existing(table.number, i64::MAX.unsigned_abs())?);
        }
        Ok((triggers, rows))
    })();
    let undone = store.rollback();
    let counted = counted?;
    undone?;
    Ok(counted)
}

fn planned(table: &TrackedTable, tracking: &Tracking, known: &Numbering, rows: u64) -> PlannedTable {
    let reference = |column: &saddlebag_stores::tracking::TrackedColumn| {
        let target = tracking.by_number(column.reference?)?;
        Some((column.name.clone(), target.name.clone()))
    };
    PlannedTable {
        table: table.name.clone(),
        identity: table.identity.to_string(),
        columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        excluded: table.excluded.clone(),
        references: table.columns.iter().filter_map(reference).collect(),
        is_new: !known.tables.contains_key(&table.name),
        rows,
    }
}

fn forgotten(known: &Numbering, tracking: &Tracking) -> Vec<String> {
    known.tables.keys().filter(|name| tracking.by_name(name).is_none()).cloned().collect()
}
