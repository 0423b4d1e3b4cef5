//! What is to become of one record, before anything is written: merge of all its columns.

use std::collections::{BTreeMap, HashMap};

use saddlebag_formats::limits::TIME_MS_MAX;
use saddlebag_formats::{ColumnState, NodeId, RowState, Seq, TimeMs, Uid, Value, Version};
use saddlebag_stores::config::Direction;
use saddlebag_stores::ledger::{BesideWhy, Conflict, ConflictKind, ConflictSide, HeldKind};
use saddlebag_stores::raise::is_unacknowledged;
use saddlebag_stores::record::{Key, Known, Record, Tombstone};
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable, Tracking};

use crate::incoming::{Incoming, IncomingAction, IncomingColumn, SeenByName};
use crate::merge::{self, Local, New, Outcome, Setting, Side};

/// A row to be written.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    /// Index of the change that asks for it; none for a record that is revived because others refer to it.
    pub(crate) cause: Option<usize>,
    pub(crate) table: u32,
    pub(crate) uid: Uid,
    /// Its key here; none for a row that is not there yet.
    pub(crate) key: Option<Key>,
    /// The columns to be written, by index; references not translated yet.
    pub(crate) values: BTreeMap<usize, Value>,
    /// Those of them whose true value cannot stand there, by index.
    pub(crate) aside: BTreeMap<usize, Aside>,
    pub(crate) state: RowState,
    pub(crate) hash: u64,
    pub(crate) conflicts: Vec<Conflict>,
}

impl Write {
    /// Whether a deleted record that is to come back would come back without its values: it went unseen.
    pub(crate) fn lacks_values(&self, table: &TrackedTable, tombstone: &Tombstone) -> bool {
        tombstone.values.is_empty() && self.values.len() < table.present().count()
    }

    /// Sets aside the columns that this schema lacks.
    fn set_absent_aside(&mut self, table: &TrackedTable) {
        for index in self.values.keys().filter(|index| table.columns[**index].absent.is_some()) {
            self.aside.insert(*index, Aside { shown: None, why: BesideWhy::NoColumn });
        }
    }
}

/// A value that is kept beside the record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aside {
    /// What stands in the column instead, a value of this database; none where there is no such column.
    pub(crate) shown: Option<Value>,
    pub(crate) why: BesideWhy,
}

/// A record to be deleted, unless others refer to it.
#[derive(Debug, Clone)]
pub(crate) struct Deletion {
    pub(crate) cause: usize,
    pub(crate) record: Record,
    pub(crate) version: Version,
}

/// What is to become of a change.
#[derive(Debug, Clone)]
pub(crate) enum Planned {
    /// It says nothing that is not known.
    Nothing,
    Write(Box<Write>),
    Delete(Box<Deletion>),
    /// The record was deleted by somebody who had not seen what stands here: it is kept.
    Keep(Box<Deletion>),
    /// It cannot be applied now.
    Hold(HeldKind, String),
}

/// All that a decision about a record may look at.
pub(crate) struct Planner<'a> {
    pub(crate) setting: Setting,
    pub(crate) tracking: &'a Tracking,
    /// How far the sender's clock is ahead of this node's, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) now: TimeMs,
    /// This node.
    pub(crate) me: NodeId,
    /// The names of nodes.
    pub(crate) names: &'a HashMap<NodeId, String>,
}

impl Planner<'_> {
    /// Decides about one change against what is known here of its record.
    pub(crate) fn plan(&self, cause: usize, incoming: &Incoming, known: Option<&Known>, seq: Seq) -> Planned {
        let Some(table) = self.tracking.by_name(&incoming.table) else {
            return quarantine(format!("this node does not keep the table `{}` in step", incoming.table));
        };
        if table.direction == Direction::Match {
            return quarantine(format!(
                "the rows of `{}` are only matched here, and never change by a bundle",
                table.name
            ));
        }
        let identity = table.identity.to_string();
        if identity != incoming.identity {
            return quarantine(format!(
                "the identity of `{}` is `{}` at the sender and `{identity}` here",
                incoming.table, incoming.identity
            ));
        }
        match (&incoming.action, known) {
            (IncomingAction::Write { columns, .. }, Some(Known::Live(record))) => {
                let is_same = incoming.merged_from.is_some();
                self.with_columns(table, columns, |columns| self.update(cause, table, (record, is_same), columns, seq))
            }
            (IncomingAction::Write { whole, columns }, Some(Known::Deleted(tombstone))) => {
                self.with_columns(table, columns, |columns| {
                    self.over_tombstone(cause, table, tombstone, *whole, columns, seq)
                })
            }
            (IncomingAction::Write { whole: true, columns }, None) => {
                self.with_columns(table, columns, |columns| self.create(cause, table, incoming.uid, columns, seq))
            }
            (IncomingAction::Write { whole: false, .. }, None) => {
                quarantine("this changes a record that this node has never had".to_owned())
            }
            (IncomingAction::Delete { version, seen, known, .. }, Some(Known::Live(record))) => {
                self.delete(cause, table, record, (*version, *known), seen)
            }
            (IncomingAction::Delete { .. }, _) => Planned::Nothing,
        }
    }

    /// Finds the incoming columns here and gives those that are shared, with their index and effective time.
    fn with_columns(
        &self,
        table: &TrackedTable,
        columns: &BTreeMap<String, IncomingColumn>,
        decide: impl FnOnce(Vec<(usize, New)>) -> Planned,
    ) -> Planned {
        let mut found = Vec::with_capacity(columns.len());
        for (name, column) in columns {
            let Some(index) = table.column_index(name) else {
                if table.excluded.contains(name) {
                    continue;
                }
                return quarantine(format!("the column `{name}` of `{}` is only this place's own", table.name));
            };
            if let Some(reason) = misfit(table, &table.columns[index], &column.new.value) {
                return quarantine(reason);
            }
            if column.new.version.time.0 > TIME_MS_MAX {
                return quarantine(format!("the version of `{name}` of `{}` lies beyond the year 9999", table.name));
            }
            let mut new = column.new.clone();
            if self.setting.side == Side::Central && new.effective.is_none() {
                new.effective = merge::effective_time(new.version, new.base, self.ahead_ms);
            }
            found.push((index, new));
        }
        found.sort_by_key(|(index, _)| *index);
        decide(found)
    }

    fn create(&self, cause: usize, table: &TrackedTable, uid: Uid, columns: Vec<(usize, New)>, seq: Seq) -> Planned {
        let states: Vec<_> = columns
            .iter()
            .map(|(index, new)| (table.columns[*index].id, merge::taken(&self.setting, new, None, seq)))
            .collect();
        let Some(state) = RowState::from_columns(&states) else {
            return quarantine("the record comes without any column that is shared here".to_owned());
        };
        let values: BTreeMap<_, _> = columns.into_iter().map(|(index, new)| (index, new.value)).collect();
        let mut write = Write {
            cause: Some(cause),
            table: table.number,
            uid,
            key: None,
            hash: 0,
            values,
            aside: BTreeMap::new(),
            state,
            conflicts: Vec::new(),
        };
        write.hash = self.hash_of(table, &write);
        write.set_absent_aside(table);
        Planned::Write(Box::new(write))
    }

    fn update(
        &self,
        cause: usize,
        table: &TrackedTable,
        (record, is_same): (&Record, bool),
        columns: Vec<(usize, New)>,
        seq: Seq,
    ) -> Planned {
        if !is_same && let Some(reason) = self.is_another_record(table, record, &columns) {
            return quarantine(reason);
        }
        let mut states: BTreeMap<u16, ColumnState> =
            table.columns.iter().map(|column| (column.id, *record.state.of(column.id))).collect();
        let (mut values, mut all) = (BTreeMap::new(), record.values.clone());
        let (mut conflicts, mut changed, identity) = (Vec::new(), false, table.identity_columns());
        for (index, new) in columns {
            let column = &table.columns[index];
            let known = record.state.of(column.id);
            let value = &record.values[index];
            let (here, came_default) = (column.is_default(value), column.is_default(&new.value));
            let local = Local { value, state: known, is_default: here, came_default };
            let is_unknown = record.unknown.contains(&column.id);
            let is_other_name = is_same && identity.contains(&index) && new.value != *value;
            let outcome = if is_unknown {
                Outcome::Taken
            } else if is_other_name {
                // The record that goes on keeps its name; that of the other is not lost for it.
                Outcome::Conflict { incoming_wins: false }
            } else {
                merge::merge(&self.setting, &new, local)
            };
            if let Outcome::Conflict { incoming_wins } = outcome {
                conflicts.push(self.value_conflict(table, record.uid, column, &new, local, incoming_wins));
            }
            match outcome {
                Outcome::Same | Outcome::Kept => {}
                Outcome::Taken | Outcome::Conflict { incoming_wins: true } => {
                    changed = true;
                    let known = Some(known).filter(|_| !is_unknown);
                    let mut taken = merge::taken(&self.setting, &new, known, seq);
                    // Its sender may have both records yet, and this value only in the one that goes.
                    taken.source = taken.source.filter(|_| !is_same);
                    states.insert(column.id, taken);
                    if new.value != *value || is_unknown {
                        all[index] = new.value.clone();
                        values.insert(index, new.value);
                    }
                }
                Outcome::Returned | Outcome::Conflict { incoming_wins: false } => {
                    changed = true;
                    states.insert(column.id, merge::returned(known, &self.setting, seq));
                }
            }
        }
        let states: Vec<_> = states.into_iter().collect();
        let Some(state) = RowState::from_columns(&states).filter(|_| changed) else { return Planned::Nothing };
        let mut write = Write {
            cause: Some(cause),
            table: table.number,
            uid: record.uid,
            key: Some(record.key.clone()),
            values,
            aside: BTreeMap::new(),
            state,
            hash: table.row_hash(record.uid, &all),
            conflicts,
        };
        write.set_absent_aside(table);
        Planned::Write(Box::new(write))
    }

    /// "A *creation* whose natural values differ from those of the live record with that uid (its key was
    /// corrected away and used again) is another record."
    fn is_another_record(&self, table: &TrackedTable, record: &Record, columns: &[(usize, New)]) -> Option<String> {
        if self.setting.side != Side::Central {
            return None;
        }
        let identity = table.identity_columns();
        let differs = columns.iter().any(|(index, new)| {
            let known = record.state.of(table.columns[*index].id);
            identity.contains(index)
                && new.base.is_none()
                && known.source != Some(self.setting.link)
                && new.version != known.version
                // What setup found in a copy is what was corrected here.
                && Some(new.version) != known.base
                && new.value != record.values[*index]
        });
        differs.then(|| {
            format!(
                "another record of `{}` was created under the key that this one had before it was corrected",
                table.name
            )
        })
    }

    fn over_tombstone(
        &self,
        cause: usize,
        table: &TrackedTable,
        tombstone: &Tombstone,
        whole: bool,
        columns: Vec<(usize, New)>,
        seq: Seq,
    ) -> Planned {
        let Setting { side, link, uplink, acknowledged } = self.setting;
        if side == Side::Satellite {
            let deletion = deletion_state(tombstone);
            // Its central has not been told of the deletion yet, and will decide.
            if is_unacknowledged(&deletion, uplink, acknowledged) {
                return Planned::Nothing;
            }
            return if whole {
                self.create(cause, table, tombstone.uid, columns, seq)
            } else {
                quarantine("this changes a record that is deleted here".to_owned())
            };
        }
        // Whoever deleted it had seen just this.
        let is_seen = |(index, new): &(usize, New)| {
            let known = tombstone.state.of(table.columns[*index].id);
            new.version == known.version || Some(new.version) == known.base
        };
        if columns.iter().all(is_seen) {
            return Planned::Nothing;
        }
        let mut write = self.revive(table, tombstone, seq);
        write.cause = Some(cause);
        let mut states: BTreeMap<u16, ColumnState> =
            table.columns.iter().map(|column| (column.id, *write.state.of(column.id))).collect();
        let mut latest = tombstone.version;
        for (index, new) in columns {
            let column = &table.columns[index];
            latest = latest.max(new.version);
            states.insert(column.id, merge::taken(&self.setting, &new, Some(tombstone.state.of(column.id)), seq));
            write.values.insert(index, new.value);
        }
        let states: Vec<_> = states.into_iter().collect();
        write.state = RowState::from_columns(&states).unwrap_or(write.state);
        write.hash = self.hash_of(table, &write);
        write.set_absent_aside(table);
        if write.lacks_values(table, tombstone) {
            return quarantine("it brings back a record that went unseen, so that its values are not known".to_owned());
        }
        if tombstone.source != Some(link) {
            write.conflicts.push(self.deletion_conflict(table, tombstone.uid, latest, tombstone.version));
        }
        Planned::Write(Box::new(write))
    }

    /// A deleted record as it was: it stands again, and travels whole to everybody.
    pub(crate) fn revive(&self, table: &TrackedTable, tombstone: &Tombstone, seq: Seq) -> Write {
        let known: HashMap<u16, &Value> = tombstone.values.iter().map(|(id, value)| (*id, value)).collect();
        let value = |(index, column): (usize, &TrackedColumn)| Some((index, (*known.get(&column.id)?).clone()));
        let mut write = Write {
            cause: None,
            table: table.number,
            uid: tombstone.uid,
            key: None,
            values: table.columns.iter().enumerate().filter_map(value).collect(),
            aside: BTreeMap::new(),
            state: asserted(table, &tombstone.state, seq),
            hash: 0,
            conflicts: Vec::new(),
        };
        write.hash = self.hash_of(table, &write);
        write.set_absent_aside(table);
        write
    }

    fn hash_of(&self, table: &TrackedTable, write: &Write) -> u64 {
        let value = |index| write.values.get(&index).cloned().unwrap_or(Value::Null);
        table.row_hash(write.uid, &(0..table.columns.len()).map(value).collect::<Vec<_>>())
    }

    fn delete(
        &self,
        cause: usize,
        table: &TrackedTable,
        record: &Record,
        (version, known): (Version, Option<Seq>),
        seen: &SeenByName,
    ) -> Planned {
        let deletion = Box::new(Deletion { cause, record: record.clone(), version });
        let Setting { side, link, uplink, acknowledged } = self.setting;
        let states = || table.columns.iter().map(|column| (column, record.state.of(column.id)));
        if side == Side::Satellite {
            // A record with an edit that the central has not seen stands until the central has.
            let acknowledged = acknowledged.min(known.unwrap_or(acknowledged));
            let edited = states().any(|(column, state)| {
                let known = seen.of(&column.name);
                // What setup found at both ends needs no acknowledgement to be known.
                let is_seen = state.version == known.version || Some(state.version) == known.base;
                is_unacknowledged(state, uplink, acknowledged) && !is_seen
            });
            return if edited { Planned::Nothing } else { Planned::Delete(deletion) };
        }
        let is_seen = |(column, state): (&TrackedColumn, &ColumnState)| {
            let known = seen.of(&column.name);
            let own = state.version.writer == version.writer && state.version < version;
            own || state.version == known.version || Some(state.version) == known.base || state.source == Some(link)
        };
        if states().all(is_seen) { Planned::Delete(deletion) } else { Planned::Keep(deletion) }
    }

    fn value_conflict(
        &self,
        table: &TrackedTable,
        uid: Uid,
        column: &TrackedColumn,
        new: &New,
        local: Local<'_>,
        incoming_wins: bool,
    ) -> Conflict {
        let came = ConflictSide::of(Some(&new.value), new.version);
        let stood = ConflictSide::of(Some(local.value), local.state.version);
        let (winner, loser) = if incoming_wins { (came, stood) } else { (stood, came) };
        Conflict {
            link: self.setting.link,
            table: table.name.clone(),
            uid,
            column: Some(column.name.clone()),
            kind: ConflictKind::Values,
            winner,
            loser,
            found: self.now,
        }
    }

    /// A held value that its sender overwrote with something that it had from elsewhere.
    pub(crate) fn replaced_conflict(
        &self,
        incoming: &Incoming,
        column: &str,
        lost: &New,
        (value, version): (Option<&Value>, Version),
    ) -> Conflict {
        Conflict {
            link: self.setting.link,
            table: incoming.table.clone(),
            uid: incoming.uid,
            column: Some(column.to_owned()),
            kind: ConflictKind::Values,
            winner: ConflictSide::of(value, version),
            loser: ConflictSide::of(Some(&lost.value), lost.version),
            found: self.now,
        }
    }

    /// A record that was deleted in one place and is kept because of what another did.
    pub(crate) fn deletion_conflict(
        &self,
        table: &TrackedTable,
        uid: Uid,
        kept: Version,
        deleted: Version,
    ) -> Conflict {
        Conflict {
            link: self.setting.link,
            table: table.name.clone(),
            uid,
            column: None,
            kind: ConflictKind::Deletion,
            winner: ConflictSide::of(None, kept),
            loser: ConflictSide::of(None, deleted),
            found: self.now,
        }
    }
}

/// The state of a record that stands against all links: it travels whole to everybody.
pub(crate) fn asserted(table: &TrackedTable, state: &RowState, seq: Seq) -> RowState {
    let column = |column: &TrackedColumn| (column.id, ColumnState { seq, source: None, ..*state.of(column.id) });
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    RowState::from_columns(&columns).unwrap_or_else(|| state.clone())
}

fn quarantine(reason: String) -> Planned {
    Planned::Hold(HeldKind::Quarantined, reason)
}

/// A tombstone's deletion as the state of a column, to ask whether it is acknowledged.
fn deletion_state(tombstone: &Tombstone) -> ColumnState {
    let Tombstone { version, seq, source, .. } = tombstone;
    ColumnState { version: *version, effective: None, seq: *seq, source: *source, base: None }
}

/// Why a value cannot stand in a column nor beside the record: the two ends do not agree on what the column is.
fn misfit(table: &TrackedTable, column: &TrackedColumn, value: &Value) -> Option<String> {
    let how = match value {
        Value::Null | Value::Dangling(_) => return None,
        Value::Reference(_) if column.names_its_table => "names its table here, and does not at the sender",
        Value::NamedReference(..) if column.reference.is_some() => "names its table at the sender, and does not here",
        Value::Reference(_) | Value::NamedReference(..) => return None,
        _ if column.reference.is_some() => "is a reference here and none at the sender",
        _ => return None,
    };
    Some(format!("the column `{}` of `{}` {how}", column.name, table.name))
}
