//! Records that turned out to be others: whatever is said of the one is said of the other.

use std::collections::HashMap;

use saddlebag_formats::{
    Action, ColumnState, LinkId, RecordChange, RowState, Seq, TableChanges, TableDescription, TimeMs, Uid, Value,
    Version,
};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictRule, ConflictSide};
use saddlebag_stores::raise::is_unacknowledged;
use saddlebag_stores::record::{Known, Record, Tombstone};
use saddlebag_stores::tracking::{TrackedTable, Tracking};
use saddlebag_stores::{Store, StoreError};

use crate::incoming::{Incoming, IncomingAction, SeenByName};
use crate::merge::Setting;

/// Longer than any chain of records that turned out to be others.
const CHAIN_MAX: u32 = 32;

/// The setting that holds the place in the feed at which two records last became one, 8 bytes.
const MERGED_AT: &str = "merged_at";

/// Where in the feed two records last became one here: what refers to them has had another hash since, and no other version.
pub(crate) fn last_merged(store: &mut dyn Store) -> Result<Seq, StoreError> {
    let bytes = store.setting(MERGED_AT)?;
    Ok(Seq(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)))
}

/// What is known of records that are others, by table name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merged(HashMap<(String, Uid), Uid>);

impl Merged {
    pub(crate) fn load(store: &mut dyn Store) -> Result<Self, StoreError> {
        let known = store.merged()?;
        let tracking = store.tracking();
        let name = |number| tracking.by_number(number).map(|table| table.name.clone());
        Ok(Self(known.into_iter().filter_map(|((number, from), into)| Some(((name(number)?, from), into))).collect()))
    }

    pub(crate) fn insert(&mut self, table: &str, from: Uid, into: Uid) {
        self.0.insert((table.to_owned(), from), into);
    }

    /// The record under whose uid another one goes on.
    pub(crate) fn of(&self, table: &str, uid: Uid) -> Uid {
        let mut uid = uid;
        for _ in 0..CHAIN_MAX {
            match self.0.get(&(table.to_owned(), uid)) {
                Some(next) => uid = *next,
                None => break,
            }
        }
        uid
    }

    /// Has a change speak of the records that go on.
    pub(crate) fn translate(&self, tracking: &Tracking, incoming: &mut Incoming) {
        if self.0.is_empty() || matches!(incoming.action, IncomingAction::Delete { same_as: Some(_), .. }) {
            return;
        }
        let into = self.of(&incoming.table, incoming.uid);
        if into != incoming.uid {
            incoming.merged_from = Some(incoming.uid);
            incoming.uid = into;
        }
        let IncomingAction::Write { columns, .. } = &mut incoming.action else { return };
        for column in columns.values_mut() {
            match &mut column.new.value {
                Value::Reference(uid) => {
                    if let Some(table) = &column.references {
                        *uid = self.of(table, *uid);
                    }
                }
                Value::NamedReference(name, uid) => {
                    if let Some(table) = tracking.named(name) {
                        *uid = self.of(&table.name, *uid);
                    }
                }
                _ => {}
            }
        }
    }
}

/// What a bundle says of a record that turned out to be another one.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    pub(crate) table: String,
    pub(crate) from: Uid,
    pub(crate) into: Uid,
    pub(crate) version: Version,
    pub(crate) seq: Seq,
    /// What whoever decided knew of the record that goes.
    pub(crate) seen: SeenByName,
}

impl Merged {
    /// All that some changes say of the kind.
    pub(crate) fn announced(changes: &[TableChanges]) -> Vec<Announced> {
        let records = changes.iter().flat_map(|table| table.records.iter().map(|record| (&table.table, record)));
        let one = |(table, record): (&TableDescription, &RecordChange)| match &record.action {
            Action::Delete { version, seq, same_as: Some(into), seen } => Some(Announced {
                table: table.name.clone(),
                from: record.uid,
                into: *into,
                version: *version,
                seq: *seq,
                seen: SeenByName::new(table, seen),
            }),
            _ => None,
        };
        records.filter_map(one).collect()
    }
}

/// A record that is to go on under the uid of another.
pub(crate) struct Merge<'a> {
    pub(crate) table: &'a TrackedTable,
    pub(crate) from: Uid,
    pub(crate) into: Uid,
    pub(crate) version: Version,
    /// Where the decision came from; none if it was taken here.
    pub(crate) source: Option<LinkId>,
    /// What was known there of the record that goes.
    pub(crate) seen: Option<&'a SeenByName>,
}

impl Merge<'_> {
    /// Carries it out here, and has the feed say so. Gives what this node's own edits lose by it.
    pub(crate) fn carry_out(
        &self,
        store: &mut dyn Store,
        setting: &Setting,
        now: TimeMs,
    ) -> Result<Vec<Conflict>, StoreError> {
        let known = store.records(self.table, &[self.from, self.into])?;
        let live = |uid| match known.get(uid) {
            Some(Known::Live(record)) => Some(record),
            _ => None,
        };
        let mut lost = Vec::new();
        let tombstone = |state: &RowState, seq| Tombstone {
            uid: self.from,
            table: self.table.number,
            version: self.version,
            seq,
            source: self.source,
            state: state.clone(),
            values: Vec::new(),
            same_as: Some(self.into),
        };
        let seq = store.next_seq()?;
        store.set_setting(MERGED_AT, &seq.0.to_le_bytes())?;
        match (live(&self.from), live(&self.into)) {
            (Some(from), Some(into)) => {
                lost = self.lost(setting, from, into, now);
                store.repoint(self.table, &from.key, &into.key)?;
                let outcome = store.delete(self.table, &[(from.key.clone(), tombstone(&from.state, seq))])?.pop();
                if let Some(Err(refusal)) = outcome {
                    return Err(StoreError::Engine {
                        action: format!("making two records of `{}` one", self.table.name),
                        reason: refusal.reason,
                    });
                }
            }
            (Some(from), None) => {
                store.rename(self.table, self.from, self.into)?;
                store.save_tombstones(&[tombstone(&from.state, seq)])?;
            }
            (None, _) => store.save_tombstones(&[tombstone(&self.nothing_known(seq), seq)])?,
        }
        Ok(lost)
    }

    fn nothing_known(&self, seq: Seq) -> RowState {
        RowState::uniform(ColumnState { source: self.source, ..ColumnState::new(self.version, seq) })
    }

    /// Values of a record that goes, written here, that whoever decided has not seen; those that he had seen are listed
    /// where he is.
    fn lost(&self, setting: &Setting, from: &Record, into: &Record, now: TimeMs) -> Vec<Conflict> {
        let mut lost = Vec::new();
        for (index, column) in self.table.columns.iter().enumerate() {
            let (gone, stays) = (from.state.of(column.id), into.state.of(column.id));
            let is_own = is_unacknowledged(gone, setting.uplink, setting.acknowledged);
            let is_listed = self.seen.is_some_and(|seen| {
                let seen = seen.of(&column.name);
                gone.version == seen.version || Some(gone.version) == seen.base
            });
            if is_own
                && !is_listed
                && from.values[index] != into.values[index]
                && !column.is_default(&from.values[index])
            {
                lost.push(Conflict {
                    link: setting.link,
                    table: self.table.name.clone(),
                    uid: self.into,
                    column: Some(column.name.clone()),
                    kind: ConflictKind::Values,
                    rule: ConflictRule::SameAs,
                    winner: ConflictSide::of(Some(&into.values[index]), stays.version).at(stays.effective),
                    loser: ConflictSide::of(Some(&from.values[index]), gone.version).at(gone.effective),
                    found: now,
                    clock_doubted: false,
                });
            }
        }
        lost
    }
}
