//! Folds the journal into the row states.
//!
//! One holder of the write lock gives the places in the feed, so no reader of the feed can skip a late commit.
//! Invariant at the end: every row of a tracked table has a row state, its hash is that of its values now, and
//! the journals are empty.

use std::collections::{BTreeMap, HashMap};

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::identity::AssignedUids;
use saddlebag_formats::{TimeMs, Uid, Value, Version};

use crate::beside::{forget_changed, read_row};
use crate::engine::{Engine, Stored, Taken};
use crate::error::StoreError;
use crate::fold::{self, Edited, Folded, Fresh, Gone};
use crate::ledger::{Beside, BesideWhy};
use crate::naming::Naming;
use crate::record::{Absorbed, Key, Tombstone};
use crate::rehash::hash_new;
use crate::store::AbsorbContext;
use crate::tracking::{TrackedColumn, TrackedTable};
use crate::{raise, soft};

/// Journal entries that are folded together. More than these are taken in table by table and in turns, so that
/// memory stays within bounds however much the application has written.
const ENTRIES_TOGETHER: u64 = 200_000;
const ENTRIES_A_TURN: u64 = 50_000;

/// Rows that are read together.
const ROWS_TOGETHER: usize = 5_000;

/// Rows, by table number.
type Keys = BTreeMap<u32, Vec<Key>>;

struct Absorb<'a> {
    store: &'a mut dyn Engine,
    context: &'a AbsorbContext,
    naming: Naming,
    absorbed: Absorbed,
    /// What was deleted: table and uid.
    buried: Vec<(u32, Uid)>,
    /// Rows whose references were not all known when they were hashed.
    unhashed: Vec<(u32, Key)>,
    /// Tables in the order in which they are taken in.
    order: Vec<u32>,
    /// What was there before rows that another one may have replaced, in this turn.
    covered: HashMap<(u32, Key), Covered>,
}

/// The last values of a row of this database, by column id, and the columns that had changed before; all if none is named.
struct Covered {
    old: Vec<(u16, Value)>,
    changed: Option<Vec<u16>>,
}

/// A row that is gone, with its state, while the states of all others still stand.
struct Leaving {
    gone: Gone,
    stored: Stored,
    values: Vec<(u16, Value)>,
}

/// A row whose state moves or changes.
struct Moving {
    edited: Edited,
    stored: Stored,
}

/// What a row's own contents say of its uid.
enum Claim {
    /// Nothing, or that of a record which goes by another name now: it gets one of its own.
    None,
    /// It is this record.
    Free(Uid),
    /// It is the record whose row, under this key, is not there any more.
    Left(Key),
    /// It is a second row of a record that stands, and stays at home.
    Taken,
}

/// Folds what waits in the journal into the row states.
pub(crate) fn absorb(
    store: &mut dyn Engine,
    context: &AbsorbContext,
    entropy: &mut dyn Entropy,
) -> Result<Absorbed, StoreError> {
    let tracking = store.tables();
    let waiting = store.journal_rows()?;
    // Rows that stay at home may have waited for what an import did.
    if waiting == 0 && !store.any_at_home()? {
        return Ok(Absorbed::default());
    }
    let identity_order: Vec<TrackedTable> =
        tracking.identity_order().unwrap_or_default().into_iter().cloned().collect();
    let naming = Naming::new(AssignedUids::new(context.writer.node, entropy));
    let order = identity_order.iter().map(|table| table.number).collect();
    let (absorbed, buried, unhashed) = (Absorbed::default(), Vec::new(), Vec::new());
    let mut absorb = Absorb { store, context, naming, absorbed, buried, unhashed, order, covered: HashMap::new() };
    if waiting <= ENTRIES_TOGETHER {
        absorb.turn(&identity_order, ENTRIES_TOGETHER)?;
    } else {
        for table in &identity_order {
            while absorb.turn(std::slice::from_ref(table), ENTRIES_A_TURN)? {}
        }
    }
    for table in &identity_order {
        absorb.revisit_home(table)?;
    }
    absorb.deletions_last(&tracking.tables)?;
    absorb.hash_unhashed()?;
    Ok(absorb.absorbed)
}

impl Absorb<'_> {
    fn hash_unhashed(&mut self) -> Result<(), StoreError> {
        let mut by_table = Keys::new();
        for (number, key) in std::mem::take(&mut self.unhashed) {
            by_table.entry(number).or_default().push(key);
        }
        let tracking = self.store.tables();
        for (number, keys) in by_table {
            let Some(table) = tracking.by_number(number) else { continue };
            for piece in keys.chunks(ROWS_TOGETHER) {
                self.store.expect_rows(table, piece)?;
                for key in piece {
                    hash_new(self.store, table, key)?;
                }
                self.store.forget_expected();
            }
        }
        Ok(())
    }

    /// Takes in at most `limit` entries of each of these tables; says whether there were any.
    fn turn(&mut self, tables: &[TrackedTable], limit: u64) -> Result<bool, StoreError> {
        let taken = self.store.take_entries(tables, limit)?;
        let fold =
            |(number, taken): (u32, Taken)| (number, fold::fold(taken.entries, &|key| taken.with_state.contains(key)));
        let mut folded: BTreeMap<u32, Folded> = taken.into_iter().map(fold).collect();
        if folded.is_empty() {
            return Ok(false);
        }
        let mut edited = self.take_out(tables, &mut folded)?;
        self.covered = covered(&edited);
        for table in tables {
            let fresh = folded.get_mut(&table.number).map(|folded| std::mem::take(&mut folded.fresh));
            let fresh = fresh.unwrap_or_default();
            for piece in fresh.chunks(ROWS_TOGETHER) {
                self.foresee(table, piece)?;
                for fresh in piece {
                    self.take_in(table, fresh.clone())?;
                }
                self.store.forget_expected();
            }
        }
        for table in tables {
            let mut edited = edited.remove(&table.number).unwrap_or_default();
            while !edited.is_empty() {
                let rest = edited.split_off(edited.len().min(ROWS_TOGETHER));
                let keys: Vec<Key> = edited.iter().map(|moving| moving.edited.key.clone()).collect();
                self.store.expect_rows(table, &keys)?;
                for moving in std::mem::replace(&mut edited, rest) {
                    if moving.stored.home {
                        self.take_in_again(table, moving)?;
                    } else {
                        self.edit(table, moving)?;
                    }
                }
                self.store.forget_expected();
            }
        }
        Ok(true)
    }

    /// Tells the store which rows, and which records of their identities, will be asked for.
    fn foresee(&mut self, table: &TrackedTable, fresh: &[Fresh]) -> Result<(), StoreError> {
        let keys: Vec<Key> = fresh.iter().map(|fresh| fresh.key.clone()).collect();
        self.store.expect_rows(table, &keys)?;
        if !self.store.foresees() {
            return Ok(());
        }
        let mut uids = Vec::new();
        for fresh in fresh {
            if let Some(values) = read_row(self.store, table, &fresh.key, None)? {
                uids.extend(self.naming.own_name(self.store, table, &fresh.key, &values, fresh.at)?);
            }
        }
        self.store.expect_uids(table, &uids)
    }

    /// Takes the states of rows that went or moved out of the tables: what went leaves a tombstone, what moved is
    /// put back at its new key. Last values are translated before any state is taken away.
    fn take_out(
        &mut self,
        tables: &[TrackedTable],
        folded: &mut BTreeMap<u32, Folded>,
    ) -> Result<BTreeMap<u32, Vec<Moving>>, StoreError> {
        let (mut leaving, mut moving) = (Vec::new(), BTreeMap::new());
        for table in tables {
            let Some(folded) = folded.get_mut(&table.number) else { continue };
            for gone in std::mem::take(&mut folded.gone) {
                if let Some(stored) = self.store.state_at(table, &gone.origin)? {
                    let values = self.translate(table, stored.uid, &gone.old)?;
                    leaving.push((table, Leaving { gone, stored, values }));
                }
            }
            let mut edits = Vec::new();
            for edited in std::mem::take(&mut folded.edited) {
                if let Some(stored) = self.store.state_at(table, &edited.origin)? {
                    edits.push(Moving { edited, stored });
                }
            }
            moving.insert(table.number, edits);
        }
        for (table, leaving) in leaving {
            self.bury(table, leaving)?;
        }
        for table in tables {
            let edits = moving.get(&table.number).map(Vec::as_slice).unwrap_or_default();
            for edit in edits.iter().filter(|edit| edit.edited.origin != edit.edited.key) {
                self.store.remove_state(table, &edit.edited.origin)?;
            }
            for edit in edits.iter().filter(|edit| edit.edited.origin != edit.edited.key) {
                self.store.save_state(table, &edit.edited.key, &edit.stored)?;
            }
        }
        Ok(moving)
    }

    /// Old values of a deleted row as they travel: its foreign keys as uids, and what stood beside it.
    fn translate(
        &mut self,
        table: &TrackedTable,
        uid: Uid,
        old: &[(u16, Value)],
    ) -> Result<Vec<(u16, Value)>, StoreError> {
        let mut beside = self.store.beside_of(table.number, uid)?;
        let mut values = Vec::with_capacity(old.len());
        for (id, local) in old {
            let Some(index) = table.index_of_id(*id) else { continue };
            let stood = beside.iter().position(|beside| beside.column == *id && beside.shown.as_ref() == Some(local));
            let value = match stood {
                Some(at) => beside.swap_remove(at).value,
                None => soft::global(self.store, &table.columns[index], local)?,
            };
            values.push((*id, value));
        }
        let absent = |id| table.index_of_id(id).is_some_and(|index| table.columns[index].absent.is_some());
        if !old.is_empty() {
            values.extend(beside.into_iter().filter(|beside| absent(beside.column)).map(|b| (b.column, b.value)));
        }
        Ok(values)
    }

    fn bury(&mut self, table: &TrackedTable, leaving: Leaving) -> Result<(), StoreError> {
        let Leaving { gone, stored, values } = leaving;
        self.store.remove_state(table, &gone.origin)?;
        self.store.forget_all_beside(table.number, stored.uid)?;
        if stored.home {
            return Ok(());
        }
        let seq = self.store.next_seq()?;
        // What was edited and deleted between two absorbs was edited all the same: if the deletion is refused
        // somewhere, the record comes back with its last values, and they need versions of their own.
        let state = match last_hash(table, stored.uid, &values) {
            Some(hash) if hash != stored.hash => {
                let all = ids(table);
                let changed = gone.changed.as_deref().filter(|changed| !changed.is_empty()).unwrap_or(&all);
                raise::edited(&stored.state, &table.with_companions(changed), &all, gone.at, self.context, seq)
            }
            _ => stored.state,
        };
        let (uid, number) = (stored.uid, table.number);
        let version = Version::after(Some(state.latest()), gone.at, self.context.writer);
        let tombstone = Tombstone { uid, table: number, version, seq, source: None, state, values, same_as: None };
        if is_on(Fault::TombstoneLost) {
            return Ok(());
        }
        self.store.keep_tombstone(&tombstone, Some(&gone.origin))?;
        self.buried.push((number, uid));
        self.absorbed.deleted += 1;
        Ok(())
    }

    /// Gives deletions their place in the feed: after the edits that freed the records, children before parents, so
    /// that a feed that is split over several bundles never deletes what others still refer to.
    fn deletions_last(&mut self, tables: &[TrackedTable]) -> Result<(), StoreError> {
        let buried = std::mem::take(&mut self.buried);
        for table in tables.iter().rev() {
            for (_, uid) in buried.iter().filter(|(number, _)| *number == table.number) {
                if let Some(mut tombstone) = self.store.tombstone(table.number, *uid)? {
                    tombstone.seq = self.store.next_seq()?;
                    self.store.keep_tombstone(&tombstone, None)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a new row its uid and its state.
    fn take_in(&mut self, table: &TrackedTable, fresh: Fresh) -> Result<(), StoreError> {
        let Some(values) = read_row(self.store, table, &fresh.key, None)? else { return Ok(()) };
        let (named, taken) = match self.claim(table, &fresh, &values)? {
            Claim::Free(uid) => (Some(uid), false),
            Claim::Left(holder) => return self.take_over(table, &holder, fresh),
            Claim::None => (None, false),
            Claim::Taken => (None, true),
        };
        let is_assigned = named.is_none();
        let uid = named.unwrap_or_else(|| self.naming.assign());
        let (seq, hash) = (self.store.next_seq()?, table.row_hash(uid, &values));
        let tombstone = if is_assigned { None } else { self.store.tombstone(table.number, uid)? };
        let state = match &tombstone {
            Some(tombstone) => {
                let present: Vec<u16> = table.present().map(|column| column.id).collect();
                raise::revived(tombstone, &present, &ids(table), fresh.at, self.context, seq)
            }
            None => raise::created(fresh.at, Some(hash).filter(|_| !is_assigned), self.context, seq),
        };
        if let Some(tombstone) = &tombstone {
            self.put_back_beside(table, tombstone, &fresh.key)?;
            self.store.remove_tombstone(table.number, uid)?;
        }
        if table.columns.iter().zip(&values).any(|(column, value)| self.may_mean_another(table, column, value)) {
            self.unhashed.push((table.number, fresh.key.clone()));
        }
        let stored = Stored { uid, hash, home: taken, state };
        self.store.save_new_state(table, &fresh.key, &stored)?;
        self.absorbed.created += u64::from(!taken);
        self.absorbed.duplicates += u64::from(taken);
        Ok(())
    }

    /// Whether a reference may yet turn out to mean another record: one to a row that has no uid yet shows as dangling, or
    /// as the deleted record whose key that row uses again.
    fn may_mean_another(&self, table: &TrackedTable, column: &TrackedColumn, value: &Value) -> bool {
        let place = |number: u32| self.order.iter().position(|known| *known == number);
        let is_early = || column.reference.is_some_and(|target| place(target) >= place(table.number));
        match value {
            Value::Dangling(_) | Value::NamedReference(..) => true,
            Value::Reference(_) => is_early(),
            _ => false,
        }
    }

    /// What stood beside a record that is entered again, and has no column here, stands beside it again.
    fn put_back_beside(&mut self, table: &TrackedTable, tombstone: &Tombstone, key: &Key) -> Result<(), StoreError> {
        let absent = |id: u16| table.index_of_id(id).is_some_and(|index| table.columns[index].absent.is_some());
        let kept = tombstone.values.iter().filter(|(id, _)| absent(*id)).map(|(id, value)| Beside {
            uid: tombstone.uid,
            column: *id,
            value: value.clone(),
            shown: None,
            why: BesideWhy::NoColumn,
        });
        let kept: Vec<Beside> = kept.collect();
        if !kept.is_empty() {
            self.store.put_beside(table.number, &kept)?;
            self.unhashed.push((table.number, key.clone()));
        }
        Ok(())
    }

    /// What a row's own contents say of its uid, against the record that has it already.
    fn claim(&mut self, table: &TrackedTable, row: &Fresh, values: &[Value]) -> Result<Claim, StoreError> {
        let Some(uid) = self.naming.derive(self.store, table, &row.key, values, row.at)? else {
            return Ok(Claim::None);
        };
        let Some(holder) = self.store.keys(table, &[uid])?.remove(&uid) else { return Ok(Claim::Free(uid)) };
        let Some(standing) = read_row(self.store, table, &holder, Some(uid))? else { return Ok(Claim::Left(holder)) };
        // Where that one's key was corrected, this is another record, and no second row of the same.
        let holders = self.naming.derive(self.store, table, &holder, &standing, row.at)?;
        Ok(if holders == Some(uid) { Claim::Taken } else { Claim::None })
    }

    /// Rows that stayed at home because another one had their identity: if that one is gone, or its key was corrected,
    /// they are records like any other.
    fn revisit_home(&mut self, table: &TrackedTable) -> Result<(), StoreError> {
        for (key, _) in self.store.at_home(table)? {
            let Some(values) = read_row(self.store, table, &key, None)? else { continue };
            let row = Fresh { key: key.clone(), at: self.store.now()? };
            if matches!(self.claim(table, &row, &values)?, Claim::Taken) {
                continue;
            }
            let at = row.at;
            self.store.remove_state(table, &key)?;
            self.take_in(table, row)?;
            self.tell_referrers(table, &key, at)?;
        }
        Ok(())
    }

    /// What refers to a row that has become a record means something everywhere now: that is an edit.
    fn tell_referrers(&mut self, table: &TrackedTable, key: &Key, at: TimeMs) -> Result<(), StoreError> {
        for (number, keys) in self.store.referring_rows(table, key)? {
            let Some(child) = self.store.tables().by_number(number).cloned() else { continue };
            let refers = |column: &&TrackedColumn| column.names_its_table || column.reference == Some(table.number);
            let changed: Vec<u16> = child.present().filter(refers).map(|column| column.id).collect();
            for key in keys {
                if let Some(stored) = self.store.state_at(&child, &key)?.filter(|stored| !stored.home) {
                    let (origin, changed) = (key.clone(), Some(changed.clone()));
                    let edited = Edited { origin, key, changed, at, covered: None };
                    self.edit(&child, Moving { edited, stored })?;
                }
            }
        }
        Ok(())
    }

    /// A row that stayed at home was edited: if its key was corrected, it is a record like any other from now on.
    fn take_in_again(&mut self, table: &TrackedTable, moving: Moving) -> Result<(), StoreError> {
        let Edited { key, at, .. } = moving.edited;
        self.store.remove_state(table, &key)?;
        self.take_in(table, Fresh { key: key.clone(), at })?;
        self.tell_referrers(table, &key, at)
    }

    /// A row that another one of its identity replaced without a delete trigger, by `INSERT OR REPLACE` on its natural
    /// key: the same record at another key.
    fn take_over(&mut self, table: &TrackedTable, holder: &Key, fresh: Fresh) -> Result<(), StoreError> {
        let Some(stored) = self.store.state_at(table, holder)? else { return Ok(()) };
        self.store.remove_state(table, holder)?;
        self.store.save_state(table, &fresh.key, &stored)?;
        let changed = self.changed_since(table, holder, &fresh.key, stored.uid)?;
        let edited = Edited { origin: fresh.key.clone(), key: fresh.key, changed, at: fresh.at, covered: None };
        self.edit(table, Moving { edited, stored })
    }

    /// The columns in which a row differs from the one that it replaced, and those that had changed before; none if it is
    /// not known. A column that the new row leaves as it was is not edited.
    fn changed_since(
        &mut self,
        table: &TrackedTable,
        holder: &Key,
        key: &Key,
        uid: Uid,
    ) -> Result<Option<Vec<u16>>, StoreError> {
        let Some(Covered { old, changed: Some(mut changed) }) = self.covered.remove(&(table.number, holder.clone()))
        else {
            return Ok(None);
        };
        let Some(values) = read_row(self.store, table, key, Some(uid))? else { return Ok(None) };
        let old: BTreeMap<u16, Value> = self.translate(table, uid, &old)?.into_iter().collect();
        let with_values = table.columns.iter().zip(&values).filter(|(column, _)| column.absent.is_none());
        changed.extend(
            with_values.filter(|(column, value)| old.get(&column.id) != Some(value)).map(|(column, _)| column.id),
        );
        changed.sort_unstable();
        changed.dedup();
        Ok(Some(changed))
    }

    /// Raises the versions of an edited row, unless its values are what they were.
    fn edit(&mut self, table: &TrackedTable, moving: Moving) -> Result<(), StoreError> {
        let Moving { edited, stored } = moving;
        let Some(values) = read_row(self.store, table, &edited.key, Some(stored.uid))? else {
            return self.replaced(table, Moving { edited, stored });
        };
        forget_changed(self.store, table, stored.uid, &edited.key)?;
        let hash = table.row_hash(stored.uid, &values);
        if hash == stored.hash {
            return Ok(());
        }
        let all = ids(table);
        let named = edited.changed.as_deref().filter(|changed| !changed.is_empty());
        if edited.at == TimeMs(0) && named.is_some() {
            return self.first_sight(table, Moving { edited, stored }, &values);
        }
        let seq = self.store.next_seq()?;
        let changed = table.with_companions(named.unwrap_or(&all));
        let state = raise::edited(&stored.state, &changed, &all, edited.at, self.context, seq);
        self.store.save_state(table, &edited.key, &Stored { hash, state, ..stored })?;
        self.absorbed.changed += u64::from(!stored.home);
        Ok(())
    }

    /// Columns that were not there before, or not shared: what stands there and is no default is older than anything
    /// written under our eyes.
    fn first_sight(&mut self, table: &TrackedTable, moving: Moving, values: &[Value]) -> Result<(), StoreError> {
        let Moving { edited, stored } = moving;
        let says_something =
            |id: &u16| table.index_of_id(*id).is_some_and(|index| !table.columns[index].is_default(&values[index]));
        let columns: Vec<u16> = edited.changed.unwrap_or_default().into_iter().filter(says_something).collect();
        let hash = table.row_hash(stored.uid, values);
        let mut state = stored.state.clone();
        if !columns.is_empty() {
            let seq = self.store.next_seq()?;
            state = raise::first_seen(&stored.state, &columns, &ids(table), hash, seq);
            self.absorbed.changed += u64::from(!stored.home);
        }
        self.store.save_state(table, &edited.key, &Stored { hash, state, ..stored })
    }

    /// A row that another one may have replaced: it is not there, and if nobody took it over, it is gone.
    fn replaced(&mut self, table: &TrackedTable, moving: Moving) -> Result<(), StoreError> {
        let Moving { edited: Edited { key, changed, at, covered, .. }, stored } = moving;
        let Some(old) = covered else { return Ok(()) };
        if self.store.state_at(table, &key)?.is_none_or(|standing| standing.uid != stored.uid) {
            return Ok(());
        }
        let values = self.translate(table, stored.uid, &old)?;
        self.bury(table, Leaving { gone: Gone { origin: key, old, changed, at }, stored, values })
    }
}

fn covered(edited: &BTreeMap<u32, Vec<Moving>>) -> HashMap<(u32, Key), Covered> {
    let rows = edited.iter().flat_map(|(number, moving)| moving.iter().map(|moving| (*number, &moving.edited)));
    let of = |(number, edited): (u32, &Edited)| {
        let covered = Covered { old: edited.covered.clone()?, changed: edited.changed.clone() };
        Some(((number, edited.key.clone()), covered))
    };
    rows.filter_map(of).collect()
}

fn ids(table: &TrackedTable) -> Vec<u16> {
    let mut ids: Vec<_> = table.columns.iter().map(|column| column.id).collect();
    ids.sort_unstable();
    ids
}

/// The hash of a deleted row's last values; none if they are not known.
fn last_hash(table: &TrackedTable, uid: Uid, values: &[(u16, Value)]) -> Option<u64> {
    let value = |id: u16| values.iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone());
    let of = |column: &crate::tracking::TrackedColumn| {
        value(column.id).or_else(|| column.absent.is_some().then_some(Value::Null))
    };
    let values: Vec<Value> = table.columns.iter().map(of).collect::<Option<_>>()?;
    Some(table.row_hash(uid, &values))
}
