//! What a person decides about a conflict: an ordinary edit of this node, which travels as any other.

use std::collections::BTreeMap;

use saddlebag_formats::members::Outcome;
use saddlebag_formats::row_state_bytes::{decode_value, encode_value};
use saddlebag_formats::{LinkId, Seq, TimeMs, Uid, Value, Version};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictSide, Decision, Link, PeerRole, Taken};
use saddlebag_stores::raise;
use saddlebag_stores::record::{Known, Record, Tombstone};
use saddlebag_stores::store::{AbsorbContext, absorb};
use saddlebag_stores::tracking::{TrackedTable, Tracking};

use crate::aside;
use crate::error::ImportError;
use crate::holding::Notes;
use crate::import::Importer;
use crate::logging;
use crate::merge::{Setting, Side};
use crate::plan::{Planner, Write};
use crate::references::{self, Buried};
use crate::tally::Tally;
use crate::writes::{Batch, Status};

/// What is to stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Take {
    /// What stood from the conflict on.
    Stands,
    /// The other side.
    Other,
    /// Another value.
    Value(Value),
}

/// A conflict to be decided, by its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its number at this node.
    pub number: u64,
    /// What is to stand.
    pub take: Take,
}

/// Who decides, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// Who, as people know them.
    pub by: String,
    /// Why, in their words.
    pub because: Option<String>,
}

/// A conflict that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its number.
    pub number: u64,
    /// Whether something was written by it; else what was wanted stood already.
    pub is_written: bool,
}

/// Decisions that were carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// Each of them, those of columns that are one value too, by number.
    pub resolved: Vec<Resolved>,
    /// What was written by it.
    pub tally: Tally,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// What was wanted stood already.
    Nothing,
    Written,
    Deleted,
}

/// What a choice comes to for one record.
#[derive(Default)]
struct Wanted {
    numbers: Vec<(u64, Conflict, Take)>,
    values: BTreeMap<usize, Value>,
    /// Whether the record is to be there; none where nobody says.
    stays: Option<bool>,
}

impl Importer<'_> {
    /// Decides conflicts: all of them, or none.
    ///
    /// # Errors
    /// [`ImportError::NoConflict`], [`ImportError::ConflictOfCentral`], [`ImportError::NotResolved`], or the database's;
    /// then nothing was changed.
    pub fn resolve_conflicts(&mut self, choices: &[Choice], judge: &Judge) -> Result<Decided, ImportError> {
        self.within(|importer| {
            absorb(importer.store, importer.me.writer(), importer.entropy)?;
            importer.resolve(choices, judge)
        })
    }

    fn resolve(&mut self, choices: &[Choice], judge: &Judge) -> Result<Decided, ImportError> {
        let links = self.store.links()?;
        let tracking = self.store.tracking().clone();
        let mut decided = Decided::default();
        for ((table, uid), wanted) in self.wanted(choices, &links, &tracking)? {
            let Some(table) = tracking.by_name(&table).cloned() else { continue };
            let done = self.carry_out(&table, uid, &wanted, &tracking)?;
            let known = self.store.records(&table, &[uid])?.remove(&uid);
            match done {
                Done::Nothing => {}
                Done::Written => decided.tally.written(&table.name),
                Done::Deleted => decided.tally.deleted(&table.name),
            }
            for (number, conflict, take) in wanted.numbers {
                let version = stands(&table, &conflict, known.as_ref());
                self.note_decision(number, &conflict, &take, version, judge)?;
                decided.resolved.push(Resolved { number, is_written: done != Done::Nothing });
            }
        }
        self.store.place_targets()?;
        decided.resolved.sort_by_key(|resolved| resolved.number);
        Ok(decided)
    }

    /// What is to become of each record. Columns that are one value are decided together.
    fn wanted(
        &mut self,
        choices: &[Choice],
        links: &[Link],
        tracking: &Tracking,
    ) -> Result<BTreeMap<(String, Uid), Wanted>, ImportError> {
        let all = self.store.numbered_conflicts()?;
        let mut records: BTreeMap<(String, Uid), Wanted> = BTreeMap::new();
        for Choice { number, take } in choices {
            let find = || all.iter().find(|(known, _)| known == number);
            let (_, conflict) = find().ok_or(ImportError::NoConflict { number: *number })?;
            let link = links.iter().find(|link| link.id == conflict.link);
            if let Some(link) = link.filter(|link| link.role == PeerRole::Central) {
                return Err(ImportError::ConflictOfCentral { number: *number, central: link.name.clone() });
            }
            let refused = |reason: String| ImportError::NotResolved { number: *number, reason };
            let table = tracking
                .by_name(&conflict.table)
                .ok_or_else(|| refused(format!("the table `{}` is not kept in step here any more", conflict.table)))?;
            let record = records.entry((conflict.table.clone(), conflict.uid)).or_default();
            let siblings = siblings(&all, *number, conflict, table);
            for (number, conflict) in siblings.filter(|(other, _)| other == number || !matches!(take, Take::Value(_))) {
                if record.numbers.iter().any(|(known, ..)| known == number) {
                    continue;
                }
                add(record, table, conflict, take).map_err(refused)?;
                record.numbers.push((*number, conflict.clone(), take.clone()));
            }
        }
        Ok(records)
    }

    /// Writes what is wanted of one record, if that is not what stands.
    fn carry_out(
        &mut self,
        table: &TrackedTable,
        uid: Uid,
        wanted: &Wanted,
        tracking: &Tracking,
    ) -> Result<Done, ImportError> {
        let number = wanted.numbers.first().map_or(0, |(number, ..)| *number);
        let refused = |reason: String| ImportError::NotResolved { number, reason };
        let link = wanted.numbers.first().map_or(LinkId(0), |(_, conflict, _)| conflict.link);
        let (context, now) = (AbsorbContext::of(self.me.writer(), &self.store.links()?), self.clock.now());
        let known = self.store.records(table, &[uid])?.remove(&uid);
        let gone = || refused(format!("the record of `{}` is not here any more", table.name));
        match (known.ok_or_else(gone)?, wanted.stays) {
            (Known::Live(record), Some(false)) => {
                let version = Version::after(Some(record.state.latest()), now, self.me.writer());
                self.bury(table, record, version).map_err(refused_or_failed(number))?;
                Ok(Done::Deleted)
            }
            (Known::Live(record), _) => {
                let Some(write) = edit(table, &record, wanted, &context, now, self.store.next_seq()?) else {
                    return Ok(Done::Nothing);
                };
                self.write(write, link, tracking).map_err(refused_or_failed(number))?;
                Ok(Done::Written)
            }
            (Known::Deleted(_), Some(false)) => Ok(Done::Nothing),
            (Known::Deleted(_), None) if wanted.values.is_empty() => Ok(Done::Nothing),
            (Known::Deleted(tombstone), _) => {
                let seq = self.store.next_seq()?;
                let write = self.again(table, &tombstone, wanted, (&context, now, seq), link, tracking)?;
                if write.lacks_values(table, &tombstone) {
                    return Err(refused("its last values are not known: it was deleted unseen".to_owned()));
                }
                self.write(write, link, tracking).map_err(refused_or_failed(number))?;
                Ok(Done::Written)
            }
        }
    }

    fn planner_setting(&mut self, link: LinkId) -> Result<Setting, ImportError> {
        let context = AbsorbContext::of(self.me.writer(), &self.store.links()?);
        let AbsorbContext { uplink, acknowledged, .. } = context;
        let (me, went_on_from) = (self.me.writer(), Seq(0));
        Ok(Setting { side: Side::Central, link, uplink, acknowledged, me, went_on_from, left: None, is_late: false })
    }

    /// A deleted record as it was, with what is wanted of it: entered again, at this node.
    fn again(
        &mut self,
        table: &TrackedTable,
        tombstone: &Tombstone,
        wanted: &Wanted,
        (context, now, seq): (&AbsorbContext, TimeMs, Seq),
        link: LinkId,
        tracking: &Tracking,
    ) -> Result<Write, ImportError> {
        let (setting, names) = (self.planner_setting(link)?, self.names()?);
        let planner = Planner { setting, tracking, clock_doubted: false, now, me: self.me.id, names: &names };
        let mut write = planner.revive(table, tombstone, seq);
        for (index, value) in &wanted.values {
            write.values.insert(*index, value.clone());
        }
        let all: Vec<u16> = table.columns.iter().map(|column| column.id).collect();
        write.state = raise::revived(tombstone, &all, &all, now, context, seq);
        write.hash = planner.hash_of(table, &write);
        Ok(write)
    }

    /// Writes one row, by the same ways as what a bundle brings.
    fn write(&mut self, write: Write, link: LinkId, tracking: &Tracking) -> Result<(), Undone> {
        let (setting, names) = (self.planner_setting(link)?, self.names()?);
        let planner =
            Planner { setting, tracking, clock_doubted: false, now: self.clock.now(), me: self.me.id, names: &names };
        let mut writes = vec![write];
        let keys = references::resolve(self.store, &planner, &mut writes, &mut Buried::default())?;
        let refused = aside::set_aside(self.store, &planner, &mut writes, &keys)?;
        let mut batch = Batch::new(tracking, writes, keys);
        refused.into_iter().for_each(|(index, reason)| batch.refuse(index, reason));
        batch.run(self.store)?;
        while batch.has_refused() && batch.run(self.store)? {}
        let mut failed = batch.fill_in(self.store)?;
        failed.extend(batch.unmet(self.store)?);
        for status in failed.into_iter().map(|(_, status)| status).chain(batch.status.iter().cloned()) {
            match status {
                Status::Refused(reason) | Status::Parked(reason) => return Err(Undone::Refused(reason)),
                Status::Pending | Status::Done { .. } => {}
            }
        }
        // A record that comes back because this one refers to it is told as ever.
        let conflicts: Vec<Conflict> = batch.writes.into_iter().flat_map(|write| write.conflicts).collect();
        self.store.add_conflicts(&conflicts)?;
        Ok(())
    }

    /// Deletes a record that nothing refers to.
    fn bury(&mut self, table: &TrackedTable, record: Record, version: Version) -> Result<(), Undone> {
        let referrers = self.store.referrers(table, std::slice::from_ref(&record.key))?.pop().unwrap_or_default();
        let is_other = |referrer: &&saddlebag_stores::record::Referrer| {
            referrer.number != Some(table.number) || referrer.uid != Some(record.uid)
        };
        let count = referrers.iter().filter(is_other).count();
        if let Some(first) = referrers.iter().find(is_other) {
            let reason = format!("{count} of `{}` and others refer to it here: they would go with it", first.table);
            return Err(Undone::Refused(reason));
        }
        let tombstone = Tombstone::of(&record, table, version, self.store.next_seq()?, None);
        match self.store.delete(table, &[(record.key, tombstone)])?.pop() {
            Some(Err(refusal)) => Err(Undone::Refused(refusal.reason)),
            _ => Ok(()),
        }
    }

    /// Keeps the decision with its conflict, and tells the satellite.
    fn note_decision(
        &mut self,
        number: u64,
        conflict: &Conflict,
        take: &Take,
        version: Version,
        judge: &Judge,
    ) -> Result<(), ImportError> {
        let (taken, value) = match take {
            Take::Stands => (Taken::Stands, conflict.winner.value.clone()),
            Take::Other => (Taken::Other, conflict.loser.value.clone()),
            Take::Value(value) => (Taken::Value, Some(encode_value(value))),
        };
        let Judge { by, because } = judge.clone();
        let what = match taken {
            Taken::Stands => "what stood stands",
            Taken::Other => "the other side stands from now on",
            Taken::Value => "another value stands from now on",
        };
        let why = because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let reason: String = format!("decided by {by}: {what}{why}").chars().take(REASON_MAX).collect();
        let decision = Decision { conflict: number, taken, value, version, by, because, at: self.clock.now() };
        self.store.add_decision(&decision)?;
        logging::resolved(self.store, (number, conflict), taken, judge, decision.at)?;
        let mut notes = Notes::default();
        notes.tell(conflict.table.clone(), conflict.uid, conflict.column.clone(), Outcome::Conflict, &reason);
        notes.write(self.store, conflict.link, self.clock.now())
    }
}

/// The longest reason that a receipt tells, in characters.
const REASON_MAX: usize = 500;

/// Why a decision could not be carried out.
enum Undone {
    /// The database, or what refers to the record, has something against it.
    Refused(String),
    Failed(ImportError),
}

impl<E: Into<ImportError>> From<E> for Undone {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn refused_or_failed(number: u64) -> impl Fn(Undone) -> ImportError {
    move |undone| match undone {
        Undone::Refused(reason) => ImportError::NotResolved { number, reason },
        Undone::Failed(error) => error,
    }
}

/// The conflicts that are decided with one: those of columns that are one value, between the same two versions.
fn siblings<'a>(
    all: &'a [(u64, Conflict)],
    number: u64,
    conflict: &'a Conflict,
    table: &'a TrackedTable,
) -> impl Iterator<Item = &'a (u64, Conflict)> {
    let group = |conflict: &Conflict| {
        let index = table.column_index(conflict.column.as_deref()?)?;
        table.group_of(table.columns[index].id)
    };
    let sides = |conflict: &Conflict| (conflict.winner.version, conflict.loser.version);
    all.iter().filter(move |(other, of)| {
        let is_same =
            (&of.table, of.uid, of.kind, sides(of)) == (&conflict.table, conflict.uid, conflict.kind, sides(conflict));
        *other == number || (is_same && group(conflict).is_some() && group(of) == group(conflict))
    })
}

/// Adds what one choice wants of a record.
fn add(wanted: &mut Wanted, table: &TrackedTable, conflict: &Conflict, take: &Take) -> Result<(), String> {
    if conflict.kind == ConflictKind::Deletion {
        wanted.stays = Some(match take {
            Take::Stands => conflict.keeps_record(),
            Take::Other => !conflict.keeps_record(),
            Take::Value(_) => return Err("it is about a deletion, which has no value".to_owned()),
        });
        return Ok(());
    }
    let column = conflict.column.as_deref().unwrap_or_default();
    let index = table
        .column_index(column)
        .ok_or_else(|| format!("the column `{column}` of `{}` is not shared here any more", table.name))?;
    let of =
        |side: &ConflictSide| side.value.as_deref().map(decode_value).transpose().map_err(|error| error.to_string());
    let value = match take {
        Take::Stands => of(&conflict.winner)?,
        Take::Other => of(&conflict.loser)?,
        Take::Value(value) => Some(value.clone()),
    };
    // A side that deleted the record says nothing of its columns: what stands, or that it is gone, stands.
    if let Some(value) = value {
        wanted.values.insert(index, value);
    }
    Ok(())
}

/// The row with what is wanted of it, if that is not what stands.
fn edit(
    table: &TrackedTable,
    record: &Record,
    wanted: &Wanted,
    context: &AbsorbContext,
    now: TimeMs,
    seq: Seq,
) -> Option<Write> {
    let is_other = |(index, value): &(&usize, &Value)| record.values.get(**index) != Some(*value);
    let changed: BTreeMap<usize, Value> =
        wanted.values.iter().filter(is_other).map(|(index, value)| (*index, value.clone())).collect();
    if changed.is_empty() {
        return None;
    }
    let ids: Vec<u16> = changed.keys().map(|index| table.columns[*index].id).collect();
    let all: Vec<u16> = table.columns.iter().map(|column| column.id).collect();
    let state = raise::edited(&record.state, &table.with_companions(&ids), &all, now, context, seq);
    let mut values = record.values.clone();
    changed.iter().for_each(|(index, value)| values[*index] = value.clone());
    let mut write = Write {
        cause: None,
        table: table.number,
        uid: record.uid,
        key: Some(record.key.clone()),
        values: changed,
        aside: BTreeMap::new(),
        state,
        hash: table.row_hash(record.uid, &values),
        conflicts: Vec::new(),
    };
    write.set_absent_aside(table);
    Some(write)
}

/// The version under which what was decided stands.
fn stands(table: &TrackedTable, conflict: &Conflict, known: Option<&Known>) -> Version {
    let column = conflict.column.as_deref().and_then(|column| table.column_index(column));
    match (known, column) {
        (Some(Known::Live(record)), Some(index)) => record.state.of(table.columns[index].id).version,
        (Some(Known::Live(record)), None) => record.state.latest(),
        (Some(Known::Deleted(tombstone)), _) => tombstone.version,
        (None, _) => conflict.winner.version,
    }
}
