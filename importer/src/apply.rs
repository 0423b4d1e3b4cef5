//! Applies the changes of one link to the database, within the caller's transaction.
//!
//! Plan, write, delete, write again what was refused, fill in. If a row that stands already turns out to need one
//! that was refused, everything goes back to where it began and the row is left out: so at the end every row that
//! stands is whole, and everything else is held with its reason.

use std::collections::{BTreeMap, HashMap, HashSet};

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::{LinkId, NodeId, TimeMs, Uid};
use saddlebag_stores::ledger::{Conflict, HeldKind};
use saddlebag_stores::record::{Known, Tombstone};
use saddlebag_stores::tracking::Tracking;
use saddlebag_stores::{Store, StoreError};

use crate::aside;
use crate::deletions::{Deleted, Deletions};
use crate::error::ImportError;
use crate::exchange;
use crate::holding::{self, Notes};
use crate::incoming::{Incoming, IncomingAction, IncomingColumn};
use crate::logging;
use crate::merge::{Setting, Side};
use crate::merged::Merged;
use crate::plan::{Deletion, Planned, Planner, Reburial, Write, state_of_staying};
use crate::references::{self, Buried, Target};
use crate::tally::Tally;
use crate::told;
use crate::writes::{Batch, Status};

/// The changes of one link, laid over what is held of it.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) all: Vec<Incoming>,
    index: HashMap<(String, Uid), usize>,
    /// Held values that later changes replaced: change, column, what was held.
    replaced: Vec<(usize, String, IncomingColumn)>,
}

impl Changes {
    /// What is held of a link.
    pub(crate) fn held(store: &mut dyn Store, link: LinkId, merged: &Merged) -> Result<Self, ImportError> {
        let mut changes = Self::default();
        for held in holding::load(store, link)? {
            changes.add(held, merged, store.tracking());
        }
        Ok(changes)
    }

    /// Adds a change, over what is there of the same record.
    pub(crate) fn add(&mut self, mut incoming: Incoming, merged: &Merged, tracking: &Tracking) {
        merged.translate(tracking, &mut incoming);
        let record = (incoming.table.clone(), incoming.uid);
        match self.index.get(&record) {
            Some(at) => {
                let lost = self.all[*at].overlay(incoming);
                self.replaced.extend(lost.into_iter().map(|(column, held)| (*at, column, held)));
            }
            None => {
                self.index.insert(record, self.all.len());
                self.all.push(incoming);
            }
        }
    }
}

impl Changes {
    /// Columns that this schema lacks, with what they refer to at their senders, by table.
    pub(crate) fn unknown_columns(&self, tracking: &Tracking) -> BTreeMap<u32, BTreeMap<String, Option<String>>> {
        let mut unknown: BTreeMap<u32, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for incoming in &self.all {
            let IncomingAction::Write { columns, .. } = &incoming.action else { continue };
            let Some(table) = tracking.by_name(&incoming.table) else { continue };
            if table.identity.to_string() != incoming.identity {
                continue;
            }
            for (name, column) in columns.iter().filter(|(name, _)| table.lacks(name)) {
                unknown.entry(table.number).or_default().insert(name.clone(), column.references.clone());
            }
        }
        unknown
    }
}

/// What the changes are applied with.
pub(crate) struct Application<'a> {
    pub(crate) store: &'a mut dyn Store,
    pub(crate) tracking: &'a Tracking,
    pub(crate) setting: Setting,
    pub(crate) now: TimeMs,
    /// Whether this node's own clock is not to be believed.
    pub(crate) clock_doubted: bool,
    /// This node.
    pub(crate) me: NodeId,
    /// Whether what cannot be applied now cannot be applied by this import: its sender is told.
    pub(crate) is_last_turn: bool,
    /// The names of nodes.
    pub(crate) names: &'a HashMap<NodeId, String>,
}

/// A change that cannot stand, found out by trying.
#[derive(Default)]
struct LeftOut {
    changes: BTreeMap<usize, (HeldKind, String)>,
    /// Deleted records that cannot come back.
    gone: HashSet<Target>,
    /// What the database said of changes in earlier attempts: in a circle, each then waits for another one, and what
    /// began it would not be told.
    refused: BTreeMap<usize, String>,
}

impl LeftOut {
    fn len(&self) -> usize {
        self.changes.len() + self.gone.len()
    }
}

/// What an attempt came to.
#[derive(Default)]
struct Attempt {
    held: Vec<(usize, HeldKind, String)>,
    nothing: Vec<usize>,
    written: Vec<Write>,
    deletions: Vec<(u32, Deletion)>,
    deleted: Deleted,
    kept: Vec<(u32, Deletion)>,
    reburied: Vec<Reburial>,
    /// Deletions of records that are not here.
    unseen: Vec<(usize, Tombstone)>,
}

impl<'a> Application<'a> {
    /// Applies the changes and keeps what cannot be applied.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Result<Tally, ImportError> {
        if changes.all.is_empty() {
            return Ok(Tally::default());
        }
        self.store.savepoint()?;
        let mut left_out = LeftOut::default();
        loop {
            let known = left_out.len();
            if let Some(attempt) = self.attempt(changes, &mut left_out)? {
                let tally = self.finish(changes, attempt)?;
                self.store.release_savepoint()?;
                return Ok(tally);
            }
            assert!(left_out.len() > known, "an attempt that fails leaves out at least one more change");
            if !is_on(Fault::SavepointKept) {
                self.store.rollback_to_savepoint()?;
            }
        }
    }

    fn planner(&self) -> Planner<'a> {
        Planner {
            setting: self.setting,
            tracking: self.tracking,
            now: self.now,
            clock_doubted: self.clock_doubted,
            me: self.me,
            names: self.names,
        }
    }

    /// Tries everything but what is left out; none if a row must be left out in addition.
    fn attempt(&mut self, changes: &Changes, left_out: &mut LeftOut) -> Result<Option<Attempt>, ImportError> {
        let known = self.look_up(changes)?;
        let planner = self.planner();
        let mut attempt = Attempt::default();
        let mut writes = Vec::new();
        let mut buried = Buried { gone: Some(&left_out.gone), edited: Vec::new() };
        for (index, incoming) in changes.all.iter().enumerate() {
            if let Some((kind, reason)) = left_out.changes.get(&index) {
                attempt.held.push((index, *kind, reason.clone()));
                continue;
            }
            let seq = self.store.next_seq()?;
            let record = known.get(&incoming.table).and_then(|records| records.get(&incoming.uid));
            let number = self.tracking.by_name(&incoming.table).map_or(0, |table| table.number);
            match planner.plan(index, incoming, record, seq) {
                Planned::Nothing => attempt.nothing.push(index),
                Planned::Write(write) => writes.push(*write),
                Planned::Delete(deletion) => attempt.deletions.push((number, *deletion)),
                Planned::Keep(deletion) => attempt.kept.push((number, *deletion)),
                Planned::Remember(tombstone) => attempt.unseen.push((index, *tombstone)),
                Planned::Rebury(reburial) => buried.edited.push(*reburial),
                Planned::Hold(kind, reason) => attempt.held.push((index, kind, reason)),
            }
        }
        let keys = references::resolve(self.store, &planner, &mut writes, &mut buried)?;
        attempt.reburied = buried.edited;
        let refused = aside::set_aside(self.store, &planner, &mut writes, &keys)?;
        let mut batch = Batch::new(self.tracking, writes, keys);
        refused.into_iter().for_each(|(index, reason)| batch.refuse(index, reason));
        batch.run(self.store)?;
        self.delete(&mut attempt)?;
        // What was refused because of a row that has since gone or changed is tried again.
        while batch.has_refused() && batch.run(self.store)? {}
        let mut failed = exchange::exchange(&mut batch, self.store)?;
        failed.extend(batch.fill_in(self.store)?);
        failed.extend(batch.unmet(self.store)?);
        if !failed.is_empty() {
            for (write, status) in batch.writes.iter().zip(&batch.status) {
                if let (Some(cause), Status::Refused(reason)) = (write.cause, status) {
                    left_out.refused.entry(cause).or_insert_with(|| reason.clone());
                }
            }
            for (index, status) in failed {
                leave_out(left_out, &batch.writes[index], status);
            }
            return Ok(None);
        }
        sort_out(batch, &mut attempt);
        for (index, kind, reason) in &mut attempt.held {
            if let (HeldKind::Parked, Some(refusal)) = (kind, left_out.refused.get(index)) {
                *reason = format!("{reason}; before, it was refused itself: {refusal}");
            }
        }
        Ok(Some(attempt))
    }

    fn look_up(&mut self, changes: &Changes) -> Result<HashMap<String, HashMap<Uid, Known>>, StoreError> {
        let mut uids: HashMap<&str, Vec<Uid>> = HashMap::new();
        for incoming in &changes.all {
            uids.entry(&incoming.table).or_default().push(incoming.uid);
        }
        let mut known = HashMap::new();
        for (name, uids) in uids {
            if let Some(table) = self.tracking.by_name(name) {
                known.insert(name.to_owned(), self.store.records(table, &uids)?);
            }
        }
        Ok(known)
    }

    fn delete(&mut self, attempt: &mut Attempt) -> Result<(), StoreError> {
        if attempt.deletions.is_empty() {
            return Ok(());
        }
        let deletions = Deletions {
            tracking: self.tracking,
            setting: self.setting,
            all: std::mem::take(&mut attempt.deletions),
            kept: std::mem::take(&mut attempt.kept),
        };
        attempt.deleted = deletions.run(self.store)?;
        attempt.deletions = deletions.all;
        attempt.kept = deletions.kept;
        Ok(())
    }

    /// Writes down what became of every change.
    fn finish(&mut self, changes: &Changes, attempt: Attempt) -> Result<Tally, ImportError> {
        let (mut tally, mut notes, mut conflicts) = (Tally::default(), Notes::default(), Vec::new());
        for (index, kind, reason) in &attempt.held {
            self.hold(&changes.all[*index], *kind, reason, (&mut notes, &mut tally))?;
        }
        for index in attempt.nothing {
            settle(&changes.all[index], &mut notes, &mut tally);
        }
        for write in attempt.written {
            tally.written(self.name_of(write.table));
            conflicts.extend(write.conflicts);
            if let Some(cause) = write.cause {
                settle(&changes.all[cause], &mut notes, &mut tally);
            }
        }
        for index in attempt.deleted.done {
            let (number, deletion) = &attempt.deletions[index];
            tally.deleted(self.name_of(*number));
            settle(&changes.all[deletion.cause], &mut notes, &mut tally);
            conflicts.extend(deletion.lost.iter().cloned());
        }
        let (unseen, tombstones): (Vec<usize>, Vec<Tombstone>) = attempt.unseen.into_iter().unzip();
        unseen.into_iter().for_each(|index| settle(&changes.all[index], &mut notes, &mut tally));
        self.store.save_tombstones(&tombstones)?;
        conflicts.extend(self.rebury(changes, attempt.reburied, &mut notes, &mut tally)?);
        let mut staying: Vec<(u32, &Deletion, &str)> = Vec::new();
        for (index, reason) in &attempt.deleted.refused {
            let (number, deletion) = &attempt.deletions[*index];
            staying.push((*number, deletion, reason));
        }
        for (number, deletion) in &attempt.kept {
            staying.push((*number, deletion, "it was edited here by somebody who did not know of the deletion"));
        }
        if self.setting.side == Side::Satellite {
            for (_, deletion, reason) in staying {
                let incoming = &changes.all[deletion.cause];
                self.hold(incoming, HeldKind::Quarantined, reason, (&mut notes, &mut tally))?;
            }
        } else {
            for (_, deletion, _) in &staying {
                settle(&changes.all[deletion.cause], &mut notes, &mut tally);
            }
            conflicts.extend(self.assert_staying(&staying)?);
        }
        conflicts.extend(self.replaced(changes));
        self.note(&conflicts, &mut notes, &mut tally)?;
        notes.write(self.store, self.setting.link, self.now)?;
        Ok(tally)
    }

    fn name_of(&self, table: u32) -> &'a str {
        self.tracking.by_number(table).map_or("", |table| &table.name)
    }

    fn hold(
        &self,
        incoming: &Incoming,
        kind: HeldKind,
        reason: &str,
        (notes, tally): (&mut Notes, &mut Tally),
    ) -> Result<(), ImportError> {
        match kind {
            HeldKind::Parked => tally.parked += 1,
            HeldKind::Quarantined => tally.quarantined += 1,
        }
        holding::keep(notes, &self.setting, incoming, (kind, reason), self.is_last_turn, self.now)
    }

    /// Keeps both sides of conflicts, and tells the satellite of those that are new.
    fn note(&mut self, conflicts: &[Conflict], notes: &mut Notes, tally: &mut Tally) -> Result<(), ImportError> {
        if is_on(Fault::ConflictNotRecorded) {
            return Ok(());
        }
        let is_new = self.store.add_conflicts(conflicts)?;
        let new = conflicts.iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(conflict, _)| conflict);
        logging::conflicts(self.store, new.clone())?;
        for conflict in new {
            tally.conflicts += 1;
            let (outcome, reason) = told::of(conflict, self.names);
            notes.tell(conflict.table.clone(), conflict.uid, conflict.column.clone(), outcome, &reason);
        }
        Ok(())
    }

    /// Deleted records that somebody edited who had not seen the deletion: it goes there again.
    fn rebury(
        &mut self,
        changes: &Changes,
        reburied: Vec<Reburial>,
        notes: &mut Notes,
        tally: &mut Tally,
    ) -> Result<Vec<Conflict>, StoreError> {
        let (mut tombstones, mut lost) = (Vec::with_capacity(reburied.len()), Vec::new());
        for reburial in reburied {
            settle(&changes.all[reburial.cause], notes, tally);
            tombstones.push(reburial.tombstone);
            lost.extend(reburial.lost);
        }
        self.store.save_tombstones(&tombstones)?;
        Ok(lost)
    }

    /// Records that may not go: a central keeps them and sends them back whole. A satellite never decides: it keeps the
    /// deletion until it can be carried out.
    fn assert_staying(&mut self, staying: &[(u32, &Deletion, &str)]) -> Result<Vec<Conflict>, ImportError> {
        let mut by_table: BTreeMap<u32, Vec<&Deletion>> = BTreeMap::new();
        for (number, deletion, _) in staying {
            by_table.entry(*number).or_default().push(deletion);
        }
        let mut conflicts = Vec::new();
        for (number, deletions) in by_table {
            let Some(table) = self.tracking.by_number(number) else { continue };
            let uids: Vec<Uid> = deletions.iter().map(|deletion| deletion.record.uid).collect();
            let mut known = self.store.records(table, &uids)?;
            let mut records = Vec::with_capacity(deletions.len());
            for deletion in deletions {
                let Some(Known::Live(mut record)) = known.remove(&deletion.record.uid) else { continue };
                record.state = state_of_staying(table, &record.state, &self.setting, self.store.next_seq()?);
                let latest = record.state.latest();
                conflicts.push(self.planner().deletion_conflict(table, record.uid, latest, deletion.version));
                records.push(record);
            }
            self.store.save_states(table, &records)?;
        }
        Ok(conflicts)
    }

    /// Held values that their sender replaced with something that it had from elsewhere.
    fn replaced(&self, changes: &Changes) -> Vec<Conflict> {
        let conflict = |(index, column, lost): &(usize, String, IncomingColumn)| {
            let incoming = &changes.all[*index];
            let standing = match &incoming.action {
                IncomingAction::Write { columns, .. } => columns
                    .get(column)
                    .filter(|standing| standing.new.value != lost.new.value)
                    .map(|standing| (Some(&standing.new.value), standing.new.version)),
                IncomingAction::Delete { version, .. } => Some((None, *version)).filter(|_| !lost.new.value.is_null()),
            };
            Some(self.planner().replaced_conflict(incoming, column, &lost.new, standing?))
        };
        changes.replaced.iter().filter_map(conflict).collect()
    }
}

/// Lets go of a change, if it was held.
fn settle(incoming: &Incoming, notes: &mut Notes, tally: &mut Tally) {
    if incoming.held_as.is_some() {
        tally.settled += 1;
        holding::settle(notes, incoming);
    }
}

/// A row that must be left out of the next attempt. One that nobody sent, a record that was to come back, takes
/// those that need it with it: they find it missing.
fn leave_out(left_out: &mut LeftOut, write: &Write, status: Status) {
    let Some(cause) = write.cause else {
        left_out.gone.insert(references::of(write));
        return;
    };
    let held = match status {
        Status::Parked(reason) => (HeldKind::Parked, reason),
        Status::Refused(reason) => (HeldKind::Quarantined, reason),
        Status::Pending | Status::Done { .. } => return,
    };
    left_out.changes.insert(cause, held);
}

fn sort_out(batch: Batch<'_>, attempt: &mut Attempt) {
    for (write, status) in batch.writes.into_iter().zip(batch.status) {
        match (status, write.cause) {
            (Status::Done { .. }, _) => attempt.written.push(write),
            (Status::Parked(reason), Some(cause)) => attempt.held.push((cause, HeldKind::Parked, reason)),
            (Status::Refused(reason), Some(cause)) => attempt.held.push((cause, HeldKind::Quarantined, reason)),
            (_, _) => {}
        }
    }
}
