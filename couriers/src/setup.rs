//! `setup` and `remove`: triggers and row states are brought in line with `saddlebag.toml`, or taken away.
//!
//! Invariant: rows are taken in at most [`ROWS_PER_TRANSACTION`] at a time, so that the application waits for
//! no longer than that; a setup that was interrupted goes on where it stopped, and the node does not work before.

use saddlebag_formats::{LogEntry, LogKind, TimeMs};
use saddlebag_stores::ledger::HELD_TRIED;
use saddlebag_stores::record::Absorbed;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::{Numbering, TrackedTable, Tracking};
use saddlebag_stores::{Access, Store, rebuilt};
use serde::Serialize;

use crate::error::NodeError;
use crate::held;
use crate::last_setup::LastSetup;
pub use crate::last_setup::TableChange;
use crate::node::{Node, Setup};
use crate::rights;
use crate::settings;
use crate::takeover::{self, Takeover};
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
    /// What would be taken over from the central's card.
    pub takeover: Option<Takeover>,
    /// What has changed of tables since the last setup.
    pub changes: Vec<TableChange>,
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
    /// What was taken over from the central's card.
    pub takeover: Option<Takeover>,
    /// What has changed of tables since the last setup.
    pub changes: Vec<TableChange>,
    /// Changes that had been held and are applied now.
    pub settled: u64,
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
/// [`NodeError::Tracking`] if `saddlebag.toml` does not fit the database; [`NodeError::TableGone`],
/// [`NodeError::ColumnGone`] and [`NodeError::NamedOtherwise`] if it did before; the database's.
pub fn plan_setup(node: &mut Node) -> Result<SetupPlan, NodeError> {
    let planned = takeover::plan(node)?;
    let plan = with_config(node, planned.as_ref(), plan_as_it_is)?;
    let takeover = planned.map(|planned| planned.takeover);
    let is_current = plan.is_current && takeover.as_ref().is_none_or(Takeover::changes_nothing);
    Ok(SetupPlan { is_current, takeover, ..plan })
}

/// Does something as if `saddlebag.toml` said already what is to be taken over.
fn with_config<T>(
    node: &mut Node,
    planned: Option<&takeover::Planned>,
    doing: impl FnOnce(&mut Node) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    let Some(planned) = planned else { return doing(node) };
    let before = std::mem::replace(&mut node.config, planned.config.clone());
    let done = doing(node);
    node.config = before;
    done
}

/// The plan for what `saddlebag.toml` says.
fn plan_as_it_is(node: &mut Node) -> Result<SetupPlan, NodeError> {
    let (tracking, setup) = node.wanted_tracking()?;
    let known = node.store.installed()?.unwrap_or_default();
    let changes = changes(node, &known, &tracking)?;
    let before = node.store.tracking().clone();
    node.store.use_tracking(tracking.clone());
    let counted = count(&mut *node.store, &tracking, &changes);
    node.store.use_tracking(before);
    let (triggers, rows) = counted?;
    let is_current = setup == Setup::Current && triggers.is_empty() && rows.iter().all(|rows| *rows == 0);
    let tables = tracking.tables.iter().zip(rows).map(|(table, rows)| planned(table, &tracking, &known, rows));
    let (tables, forget) = (tables.collect(), forgotten(&known, &tracking));
    Ok(SetupPlan { is_current, tables, forget, triggers, takeover: None, changes })
}

/// What has changed of tables since the last setup.
///
/// # Errors
/// [`NodeError::NamedOtherwise`] if rows would have to be taken in anew whose names others have learnt.
fn changes(node: &mut Node, known: &Numbering, tracking: &Tracking) -> Result<Vec<TableChange>, NodeError> {
    let changes = node.last_setup(known)?.changes(tracking);
    let is_exchanged = node.links()?.iter().any(|link| link.sent.is_some() || link.applied.is_some());
    let anew = changes.iter().find_map(|change| Some((change, change.taken_in_anew.clone()?)));
    match anew {
        Some((change, reason)) if is_exchanged => {
            Err(NodeError::NamedOtherwise { table: change.table.clone(), reason })
        }
        _ => Ok(changes),
    }
}

/// Forgets what is known of rows that are to be taken in anew.
fn forget(store: &mut dyn Store, tracking: &Tracking, changes: &[TableChange]) -> Result<(), NodeError> {
    for change in changes.iter().filter(|change| change.taken_in_anew.is_some()) {
        if let Some(table) = tracking.by_name(&change.table) {
            store.forget_states(table.number)?;
        }
    }
    Ok(())
}

/// Takes over what the central has chosen for the tables, brings triggers and row states in line with
/// `saddlebag.toml`, and takes in the rows that are there. `progress` is told the table and how many of its rows were
/// taken in so far.
///
/// # Errors
/// As [`plan_setup`]; then nothing was changed. What was taken in before another error stays, and the next run goes on
/// from there.
pub fn setup(node: &mut Node, progress: &mut dyn FnMut(&str, u64)) -> Result<SetupDone, NodeError> {
    let planned = takeover::plan(node)?;
    let known = node.store.installed()?.unwrap_or_default();
    // Nothing is written before all of it is known to fit.
    let (tracking, changes) = with_config(node, planned.as_ref(), |node| {
        let (tracking, _) = node.wanted_tracking()?;
        let changes = changes(node, &known, &tracking)?;
        Ok((tracking, changes))
    })?;
    let names: Vec<_> = tracking.tables.iter().map(|table| table.name.clone()).collect();
    rights::require(&mut *node.store, &names)?;
    let takeover = planned.map(|planned| takeover::write(node, planned)).transpose()?;
    node.store.use_tracking(tracking.clone());
    let (writer, entropy) = (node.writer(), &mut *node.entropy);
    let (triggers, built_anew) = transaction(&mut *node.store, Access::Write, |store| {
        let triggers = store.missing_triggers()?;
        let anew = changes.iter().filter(|change| change.taken_in_anew.is_some());
        let anew: Vec<u32> = anew.filter_map(|change| Some(tracking.by_name(&change.table)?.number)).collect();
        let built_anew = rebuilt::take_in(store, &tracking, &anew, writer, entropy)?;
        forget(store, &tracking, &changes)?;
        store.install(&tracking)?;
        settings::note_setup(store, false)?;
        LastSetup::of(&tracking).write(store)?;
        takeover::note(store)?;
        Ok((triggers, built_anew))
    })?;
    let forgotten = forgotten(&known, &tracking);
    let mut done = SetupDone { tables: Vec::new(), forgotten, triggers, duplicates: 0, takeover, changes, settled: 0 };
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
    let entry = logged(&done, node.clock.now());
    transaction(&mut *node.store, Access::Write, |store| {
        store.hash_references()?;
        built_anew.iter().try_for_each(|number| store.look_again(*number))?;
        // What could not stand before may stand in the schema that is there now.
        store.set_setting(HELD_TRIED, &[])?;
        settings::note_setup(store, true)?;
        Ok(store.log(&[entry])?)
    })?;
    if node.deployment.is_some() {
        done.settled = held::retry_after_changes(node)?;
    }
    Ok(done)
}

/// What the log says of a setup.
fn logged(done: &SetupDone, now: TimeMs) -> LogEntry {
    let anew = done.changes.iter().filter(|change| change.taken_in_anew.is_some()).count();
    let counts = [
        ("rows", done.tables.iter().map(|table| table.rows).sum::<u64>()),
        ("forgotten", done.forgotten.len() as u64),
        ("taken_in_anew", anew as u64),
        ("triggers", done.triggers.len() as u64),
        ("at_home", done.duplicates),
    ];
    let entry = LogEntry::by_user(LogKind::SETUP, now).with("tables", done.tables.len());
    let with_count = |entry: LogEntry, (name, count): &(&str, u64)| entry.with(name, *count);
    counts.iter().filter(|(_, count)| *count > 0).fold(entry, with_count)
}

/// Takes away all of saddlebag's triggers and tables. The node's folder stays.
///
/// # Errors
/// The database's.
pub fn remove(node: &mut Node) -> Result<Removed, NodeError> {
    transaction(&mut *node.store, Access::Write, |store| Ok(store.uninstall()?))?;
    Ok(Removed { database: node.config.database_shown(), folder: node.folder.clone() })
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
fn count(
    store: &mut dyn Store,
    tracking: &Tracking,
    changes: &[TableChange],
) -> Result<(Vec<String>, Vec<u64>), NodeError> {
    store.begin(Access::Write)?;
    let counted = (|| -> Result<_, NodeError> {
        let triggers = store.missing_triggers()?;
        forget(store, tracking, changes)?;
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
