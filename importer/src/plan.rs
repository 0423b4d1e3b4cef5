//! What is to become of one record, before anything is written: merge of all its columns.

use std::collections::{BTreeMap, HashMap};

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::limits::TIME_MS_MAX;
use saddlebag_formats::{ColumnState, NodeId, RowState, Seen, Seq, TimeMs, Uid, Value, Version};
use saddlebag_stores::config::{DeletePolicy, Direction};
use saddlebag_stores::ledger::{BesideWhy, Conflict, ConflictKind, ConflictRule, ConflictSide, HeldKind};
use saddlebag_stores::raise::{is_unacknowledged, upon_deletion};
use saddlebag_stores::record::{Key, Known, Record, Tombstone};
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable, Tracking};

use crate::incoming::{Incoming, IncomingAction, IncomingColumn, SeenByName};
use crate::merge::{self, Local, New, Outcome, Pair, Setting, Side, Treatment};

#[cfg(test)]
mod tests;

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
    pub(crate) fn set_absent_aside(&mut self, table: &TrackedTable) {
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
    /// What it had not seen and takes away all the same, where the table's rule has it so.
    pub(crate) lost: Vec<Conflict>,
}

/// An edit of a record that was deleted here and stays so: it goes again where the edit came from.
#[derive(Debug, Clone)]
pub(crate) struct Reburial {
    pub(crate) cause: usize,
    pub(crate) tombstone: Tombstone,
    /// What is lost by it.
    pub(crate) lost: Vec<Conflict>,
    /// The record as it stands again if something refers to it.
    pub(crate) instead: Write,
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
    /// The record was edited by somebody who had not seen that it is deleted: it stays so, unless something refers to it.
    Rebury(Box<Reburial>),
    /// A record was deleted that this node has lost with an earlier history, if it had it: others may bring it back.
    Remember(Box<Tombstone>),
    /// It cannot be applied now.
    Hold(HeldKind, String),
}

/// Columns that are decided about together, by index.
type Unit = Vec<(usize, New)>;

/// All that a decision about a record may look at.
pub(crate) struct Planner<'a> {
    pub(crate) setting: Setting,
    pub(crate) tracking: &'a Tracking,
    pub(crate) now: TimeMs,
    /// Whether this node's own clock is not to be believed.
    pub(crate) clock_doubted: bool,
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
            (IncomingAction::Delete { version, seen, same_as: None, .. }, None) if self.may_come_back() => {
                Planned::Remember(Box::new(self.went_unseen(table, incoming.uid, *version, (seen, seq))))
            }
            (IncomingAction::Delete { .. }, _) => Planned::Nothing,
        }
    }

    /// Whether a record that this node does not have may come from below, where it was sent before this node went back.
    fn may_come_back(&self) -> bool {
        self.setting.side == Side::Satellite && self.setting.me.epoch.count() > 1
    }

    /// The tombstone of a record that this node does not have.
    fn went_unseen(
        &self,
        table: &TrackedTable,
        uid: Uid,
        version: Version,
        (seen, seq): (&SeenByName, Seq),
    ) -> Tombstone {
        let source = Some(self.setting.link);
        let known = |Seen { version, base }| ColumnState { source, base, ..ColumnState::new(version, seq) };
        let mut state = RowState::uniform(known(seen.row));
        table.columns.iter().for_each(|column| state.set(column.id, known(seen.of(&column.name))));
        Tombstone { uid, table: table.number, version, seq, source, state, values: Vec::new(), same_as: None }
    }

    /// Finds the incoming columns here and gives those that are shared, with their index.
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
            found.push((index, column.new.clone()));
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
        for unit in self.units(table, columns) {
            let is_other_name =
                |(index, new): &(usize, New)| is_same && identity.contains(index) && new.value != record.values[*index];
            // The record that goes on keeps its name; that of the other is not lost for it.
            let keeps_name = unit.iter().any(is_other_name);
            let (unknown, known): (Vec<_>, Vec<_>) =
                unit.into_iter().partition(|(index, _)| record.unknown.contains(&table.columns[*index].id));
            for (index, new) in unknown {
                changed = true;
                let mut taken = merge::taken(&self.setting, &new, None, seq);
                taken.source = taken.source.filter(|_| !is_same);
                states.insert(table.columns[index].id, taken);
                all[index] = new.value.clone();
                values.insert(index, new.value);
            }
            let pairs: Vec<Pair<'_>> = known.iter().map(|(index, new)| self.pair(table, record, *index, new)).collect();
            let outcome = if keeps_name {
                Outcome::Conflict { incoming_wins: false, rule: ConflictRule::SameAs }
            } else {
                merge::merge(&self.setting, treatment(table, &known), &pairs)
            };
            if let Outcome::Conflict { incoming_wins, rule } = outcome {
                let differing = known.iter().zip(&pairs).filter(|(_, pair)| pair.new.value != *pair.local.value);
                conflicts.extend(differing.map(|((index, _), pair)| {
                    self.value_conflict(table, record.uid, &table.columns[*index], pair, (incoming_wins, rule))
                }));
            }
            let decided: Vec<_> = pairs.iter().map(|pair| merge::after(outcome, &self.setting, pair, seq)).collect();
            for ((index, new), decided) in known.into_iter().zip(decided) {
                let Some((mut state, came)) = decided else { continue };
                changed = true;
                if came {
                    // Its sender may have both records yet, and this value only in the one that goes.
                    state.source = state.source.filter(|_| !is_same);
                    if new.value != record.values[index] {
                        all[index] = new.value.clone();
                        values.insert(index, new.value);
                    }
                }
                states.insert(table.columns[index].id, state);
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

    /// Columns that are decided about together: at a central, those that are merged as one value. A satellite decides
    /// nothing, and takes what it may take.
    fn units(&self, table: &TrackedTable, columns: Unit) -> Vec<Unit> {
        let mut units: Vec<(Option<usize>, Unit)> = Vec::with_capacity(columns.len());
        for (index, new) in columns {
            let group = table.group_of(table.columns[index].id).filter(|_| self.setting.side == Side::Central);
            match units.iter_mut().find(|(known, _)| group.is_some() && *known == group) {
                Some((_, unit)) => unit.push((index, new)),
                None => units.push((group, vec![(index, new)])),
            }
        }
        units.into_iter().map(|(_, unit)| unit).collect()
    }

    fn pair<'b>(&self, table: &'b TrackedTable, record: &'b Record, index: usize, new: &'b New) -> Pair<'b> {
        let (column, value) = (&table.columns[index], &record.values[index]);
        let (is_default, came_default) = (column.is_default(value), column.is_default(&new.value));
        Pair { new, local: Local { value, state: record.state.of(column.id), is_default, came_default } }
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
        let Setting { side, link, uplink, acknowledged, went_on_from, .. } = self.setting;
        if side == Side::Satellite {
            // Its central has not been told of the deletion yet, and will decide.
            if is_unacknowledged(&tombstone.as_column(), uplink, acknowledged) {
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
        // A satellite brought it back, since something of its own refers to it.
        let stands_again = columns.iter().any(|(_, new)| new.only_stands_again());
        if columns.iter().all(is_seen) && !stands_again {
            return Planned::Nothing;
        }
        // Whoever entered it anew edited nothing: "a creation is never deleted by an older tombstone".
        let is_creation = whole && columns.iter().all(|(_, new)| new.base.is_none());
        // Who enters a record again after its deletion, or decided below that it stands, has seen it.
        let has_seen_it = stands_again || columns.iter().any(|(_, new)| new.base == Some(tombstone.version));
        let (writer, deleted) = (tombstone.version.writer, tombstone.version);
        let is_own = tombstone.source == Some(link)
            || columns.iter().any(|(_, new)| new.version.writer == writer && new.version > deleted);
        let goes = table.delete == DeletePolicy::Delete && !is_creation && !has_seen_it && !is_own;
        let lost = if goes {
            let unseen = columns.iter().filter(|column| !is_seen(column));
            let values = unseen.map(|(index, new)| (*index, &new.value, new.version, new.effective));
            self.lost(table, tombstone.uid, tombstone.version, values)
        } else {
            Vec::new()
        };
        let mut write = self.revive(table, tombstone, seq);
        write.cause = Some(cause);
        let mut states: BTreeMap<u16, ColumnState> =
            table.columns.iter().map(|column| (column.id, *write.state.of(column.id))).collect();
        let mut latest = tombstone.version;
        // It was brought back in a history that this node had itself, and lost.
        let is_own_past = |(_, new): &(usize, New)| new.base == Some(Version::YOURS);
        let is_told =
            tombstone.source == Some(link) || (tombstone.seq <= went_on_from && columns.iter().all(is_own_past));
        for (index, new) in columns {
            let column = &table.columns[index];
            latest = latest.max(new.version);
            let taken = merge::taken(&self.setting, &new, Some(tombstone.state.of(column.id)), seq);
            states.insert(column.id, upon_deletion((column.id, taken), tombstone, uplink, acknowledged));
            write.values.insert(index, new.value);
        }
        let states: Vec<_> = states.into_iter().collect();
        write.state = RowState::from_columns(&states).unwrap_or(write.state);
        write.hash = self.hash_of(table, &write);
        write.set_absent_aside(table);
        if !is_told && !has_seen_it {
            write.conflicts.push(self.deletion_conflict(table, tombstone.uid, latest, tombstone.version));
        }
        if goes {
            // A district's central that has it is told nothing again: it may have decided otherwise since.
            let is_known_above = !is_unacknowledged(&tombstone.as_column(), uplink, acknowledged);
            let tombstone = Tombstone { seq, source: uplink.filter(|_| is_known_above), ..tombstone.clone() };
            return Planned::Rebury(Box::new(Reburial { cause, tombstone, lost, instead: write }));
        }
        if write.lacks_values(table, tombstone) {
            return quarantine("it brings back a record that went unseen, so that its values are not known".to_owned());
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
            state: self.asserted_again(table, tombstone, seq),
            hash: 0,
            conflicts: Vec::new(),
        };
        write.hash = self.hash_of(table, &write);
        write.set_absent_aside(table);
        write
    }

    /// Its columns at a new place, against all links.
    fn asserted_again(&self, table: &TrackedTable, tombstone: &Tombstone, seq: Seq) -> RowState {
        let Setting { uplink, acknowledged, .. } = self.setting;
        let again = |column: &TrackedColumn| {
            let known = ColumnState { seq, first: None, ..tombstone.state.of(column.id).asserted(None) };
            (column.id, upon_deletion((column.id, known), tombstone, uplink, acknowledged))
        };
        let columns: Vec<_> = table.columns.iter().map(again).collect();
        RowState::from_columns(&columns).unwrap_or_else(|| tombstone.state.clone())
    }

    /// The hash of a row that is written whole.
    pub(crate) fn hash_of(&self, table: &TrackedTable, write: &Write) -> u64 {
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
        let mut deletion = Box::new(Deletion { cause, record: record.clone(), version, lost: Vec::new() });
        let Setting { side, link, uplink, acknowledged, .. } = self.setting;
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
            let own = state.version.writer == version.writer
                && state.version < version
                && self.setting.is_one_history(version.writer);
            // It was made in a history that this node had itself, and lost.
            let is_own_past = known.base == Some(Version::YOURS) && state.first_place() <= self.setting.went_on_from;
            own || is_own_past
                || state.version == known.version
                || Some(state.version) == known.base
                || (state.source == Some(link) && !self.setting.is_late)
        };
        if is_on(Fault::DeletedUnseen) || states().all(is_seen) {
            return Planned::Delete(deletion);
        }
        if table.delete == DeletePolicy::Keep {
            return Planned::Keep(deletion);
        }
        let unseen =
            table.columns.iter().enumerate().filter(|(_, column)| !is_seen((*column, record.state.of(column.id))));
        let values = unseen.map(|(index, column)| {
            let state = record.state.of(column.id);
            (index, &record.values[index], state.version, state.effective)
        });
        deletion.lost = self.lost(table, record.uid, version, values);
        Planned::Delete(deletion)
    }

    /// What a deletion takes away that it had not seen: each value of it, and the deletion itself.
    fn lost<'b>(
        &self,
        table: &TrackedTable,
        uid: Uid,
        deleted: Version,
        values: impl Iterator<Item = (usize, &'b Value, Version, Option<TimeMs>)>,
    ) -> Vec<Conflict> {
        let entry = |column: Option<&TrackedColumn>, kind, loser| Conflict {
            link: self.setting.link,
            table: table.name.clone(),
            uid,
            column: column.map(|column| column.name.clone()),
            kind,
            rule: ConflictRule::Delete,
            winner: ConflictSide::of(None, deleted),
            loser,
            found: self.now,
            clock_doubted: self.clock_doubted,
        };
        let (mut lost, mut latest) = (Vec::new(), None);
        for (index, value, version, effective) in values {
            let column = &table.columns[index];
            latest = latest.max(Some(version));
            if !column.is_quiet {
                let loser = ConflictSide::of(Some(value), version).at(effective);
                lost.push(entry(Some(column), ConflictKind::Values, loser));
            }
        }
        if let (Some(latest), false) = (latest, lost.is_empty()) {
            lost.push(entry(None, ConflictKind::Deletion, ConflictSide::of(None, latest)));
        }
        lost
    }

    fn value_conflict(
        &self,
        table: &TrackedTable,
        uid: Uid,
        column: &TrackedColumn,
        Pair { new, local }: &Pair<'_>,
        (incoming_wins, rule): (bool, ConflictRule),
    ) -> Conflict {
        let came = ConflictSide::of(Some(&new.value), new.version).at(new.effective);
        let stood = ConflictSide::of(Some(local.value), local.state.version).at(local.state.effective);
        let (winner, loser) = if incoming_wins { (came, stood) } else { (stood, came) };
        Conflict {
            link: self.setting.link,
            table: table.name.clone(),
            uid,
            column: Some(column.name.clone()),
            kind: ConflictKind::Values,
            rule,
            winner,
            loser,
            found: self.now,
            clock_doubted: self.clock_doubted,
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
            rule: ConflictRule::Replaced,
            winner: ConflictSide::of(value, version),
            loser: ConflictSide::of(Some(&lost.value), lost.version).at(lost.effective),
            found: self.now,
            clock_doubted: self.clock_doubted,
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
            rule: ConflictRule::Keep,
            winner: ConflictSide::of(None, kept),
            loser: ConflictSide::of(None, deleted),
            found: self.now,
            clock_doubted: self.clock_doubted,
        }
    }
}

/// The state of a record whose deletion is refused: it travels whole to every satellite. A district's central has not been
/// told of the deletion.
pub(crate) fn state_of_staying(table: &TrackedTable, state: &RowState, setting: &Setting, seq: Seq) -> RowState {
    let column = |column: &TrackedColumn| (column.id, state.of(column.id).again_at(seq).asserted(setting.uplink));
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    RowState::from_columns(&columns).unwrap_or_else(|| state.clone())
}

fn quarantine(reason: String) -> Planned {
    Planned::Hold(HeldKind::Quarantined, reason)
}

/// How columns that are decided about together are treated.
fn treatment(table: &TrackedTable, unit: &[(usize, New)]) -> Treatment {
    let column = unit.first().map(|(index, _)| &table.columns[*index]);
    column.map_or_else(Treatment::default, |column| Treatment { policy: column.conflicts, is_quiet: column.is_quiet })
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
