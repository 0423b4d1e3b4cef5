//! Folds the journal into the row states.
//!
//! One holder of the write lock gives the places in the feed, so no reader of the feed can skip a late commit.
//! Invariant at the end: every row of a tracked table has a row state, its hash is that of its values now, and
//! the journals are empty.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::identity::{self, AssignedUids};
use saddlebag_formats::{Seq, Uid, Value, Version};

use super::sql::{key_equals, quote, row_columns};
use super::states::{self, Stored};
use super::values::{Parameter, dangling, values_at};
use super::{SqliteStore, engine, journal};
use crate::config::Identity;
use crate::error::StoreError;
use crate::fold::{self, Edited, Folded, Fresh, Gone};
use crate::raise;
use crate::record::{Absorbed, Key, Tombstone};
use crate::store::{AbsorbContext, Store};
use crate::tracking::TrackedTable;

struct Absorb<'a> {
    store: &'a mut SqliteStore,
    context: &'a AbsorbContext,
    assigned: AssignedUids,
    absorbed: Absorbed,
    /// What was deleted: table and uid.
    buried: Vec<(u32, Uid)>,
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

pub(super) fn absorb(
    store: &mut SqliteStore,
    context: &AbsorbContext,
    entropy: &mut dyn Entropy,
) -> Result<Absorbed, StoreError> {
    let tracking = store.tracking.clone();
    let mut folded: BTreeMap<u32, Folded> = BTreeMap::new();
    for table in &tracking.tables {
        let entries = journal::take(&store.connection, table)?;
        if !entries.is_empty() {
            folded.insert(table.number, fold_table(store, table, entries)?);
        }
    }
    if folded.is_empty() {
        return Ok(Absorbed::default());
    }
    let assigned = AssignedUids::new(context.writer.node, entropy);
    let mut absorb = Absorb { store, context, assigned, absorbed: Absorbed::default(), buried: Vec::new() };
    let mut edited = absorb.take_out(&tracking.tables, &mut folded)?;
    let identity_order = tracking.identity_order().unwrap_or_default();
    let mut unhashed = Vec::new();
    for table in identity_order {
        if let Some(folded) = folded.get_mut(&table.number) {
            for fresh in std::mem::take(&mut folded.fresh) {
                absorb.take_in(table, fresh, &mut unhashed)?;
            }
        }
    }
    for table in &tracking.tables {
        for moving in edited.remove(&table.number).unwrap_or_default() {
            if moving.stored.home {
                absorb.take_in_again(table, moving, &mut unhashed)?;
            } else {
                absorb.edit(table, moving)?;
            }
        }
    }
    absorb.deletions_last(&tracking.tables)?;
    for (number, key) in unhashed {
        if let Some(table) = tracking.by_number(number) {
            absorb.hash_again(table, &key)?;
        }
    }
    Ok(absorb.absorbed)
}

fn fold_table(store: &mut SqliteStore, table: &TrackedTable, entries: Vec<fold::Entry>) -> Result<Folded, StoreError> {
    // The fold asks through a shared reference, so what it may ask is looked up first.
    let mut keys = std::collections::HashSet::new();
    for entry in &entries {
        match &entry.event {
            fold::Event::Insert { key } | fold::Event::Delete { key, .. } => drop(keys.insert(key.clone())),
            fold::Event::Update { before, after, .. } => {
                keys.insert(before.clone());
                keys.insert(after.clone());
            }
        }
    }
    let mut with_state = std::collections::HashSet::new();
    for key in keys {
        if states::at_key(store, table, &key)?.is_some() {
            with_state.insert(key);
        }
    }
    Ok(fold::fold(entries, &|key| with_state.contains(key)))
}

impl Absorb<'_> {
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
                if let Some(stored) = states::at_key(self.store, table, &gone.origin)? {
                    let values = self.translate(table, &gone.old)?;
                    leaving.push((table, Leaving { gone, stored, values }));
                }
            }
            let mut edits = Vec::new();
            for edited in std::mem::take(&mut folded.edited) {
                if let Some(stored) = states::at_key(self.store, table, &edited.origin)? {
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
                states::remove(self.store, table, &edit.edited.origin)?;
            }
            for edit in edits.iter().filter(|edit| edit.edited.origin != edit.edited.key) {
                states::save(self.store, table, &edit.edited.key, &edit.stored)?;
            }
        }
        Ok(moving)
    }

    /// Old values of a deleted row, its foreign keys as uids.
    fn translate(&mut self, table: &TrackedTable, old: &[(u16, Value)]) -> Result<Vec<(u16, Value)>, StoreError> {
        let mut values = Vec::with_capacity(old.len());
        for (id, value) in old {
            let reference = table.index_of_id(*id).and_then(|index| table.columns[index].reference);
            let target = reference.and_then(|number| self.store.tracking.by_number(number).cloned());
            let value = match target {
                Some(target) if !value.is_null() => {
                    match states::at_key(self.store, &target, &Key(vec![value.clone()]))? {
                        Some(stored) if !stored.home => Value::Reference(stored.uid),
                        _ => dangling(value),
                    }
                }
                _ => value.clone(),
            };
            values.push((*id, value));
        }
        Ok(values)
    }

    fn bury(&mut self, table: &TrackedTable, leaving: Leaving) -> Result<(), StoreError> {
        let Leaving { gone, stored, values } = leaving;
        states::remove(self.store, table, &gone.origin)?;
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
                raise::edited(&stored.state, changed, &all, gone.at, self.context, seq)
            }
            _ => stored.state,
        };
        let version = Version::after(Some(state.latest()), gone.at, self.context.writer);
        let (uid, table_number) = (stored.uid, table.number);
        let tombstone =
            Tombstone { uid, table: table_number, version, seq, source: None, state, values, same_as: None };
        states::save_tombstone(self.store, &tombstone)?;
        self.buried.push((table.number, stored.uid));
        self.absorbed.deleted += 1;
        Ok(())
    }

    /// Gives deletions their place in the feed: after the edits that freed the records, children before parents, so
    /// that a feed that is split over several bundles never deletes what others still refer to.
    fn deletions_last(&mut self, tables: &[TrackedTable]) -> Result<(), StoreError> {
        let buried = std::mem::take(&mut self.buried);
        for table in tables.iter().rev() {
            for (_, uid) in buried.iter().filter(|(number, _)| *number == table.number) {
                if let Some(mut tombstone) = states::tombstone(self.store, table.number, *uid)? {
                    tombstone.seq = self.store.next_seq()?;
                    states::save_tombstone(self.store, &tombstone)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a new row its uid and its state.
    fn take_in(
        &mut self,
        table: &TrackedTable,
        fresh: Fresh,
        unhashed: &mut Vec<(u32, Key)>,
    ) -> Result<(), StoreError> {
        let Some(values) = read_row(self.store, table, &fresh.key)? else { return Ok(()) };
        let derived = derive(table, &values);
        let holder = match derived {
            Some(uid) => states::keys(self.store, table, &[uid])?.remove(&uid),
            None => None,
        };
        let (mut taken, mut derived) = (false, derived);
        if let Some(holder) = &holder {
            let Some(standing) = read_row(self.store, table, holder)? else {
                return self.take_over(table, holder, fresh);
            };
            // Where that one's key was corrected, this is another record, and no second row of the same.
            taken = derive(table, &standing) == derived;
            derived = None;
        }
        let uid = derived.unwrap_or_else(|| self.assigned.next_uid());
        let seq = self.store.next_seq()?;
        let tombstone = states::tombstone(self.store, table.number, uid)?;
        let state = match &tombstone {
            Some(tombstone) => raise::revived(tombstone, &ids(table), fresh.at, self.context, seq),
            None => raise::created(fresh.at, self.context, seq),
        };
        if tombstone.is_some() {
            states::remove_tombstone(self.store, table.number, uid)?;
        }
        // A reference to a row that has no uid yet shows as dangling until all rows have one.
        if values.iter().any(|value| matches!(value, Value::Dangling(_))) {
            unhashed.push((table.number, fresh.key.clone()));
        }
        let stored = Stored { uid, hash: table.row_hash(uid, &values), home: taken, state };
        states::save(self.store, table, &fresh.key, &stored)?;
        self.absorbed.created += u64::from(!taken);
        self.absorbed.duplicates += u64::from(taken);
        Ok(())
    }

    /// A row that stayed at home was edited: if its key was corrected, it is a record like any other from now on.
    fn take_in_again(
        &mut self,
        table: &TrackedTable,
        moving: Moving,
        unhashed: &mut Vec<(u32, Key)>,
    ) -> Result<(), StoreError> {
        let Edited { key, at, .. } = moving.edited;
        states::remove(self.store, table, &key)?;
        self.take_in(table, Fresh { key, at }, unhashed)
    }

    /// A row that another one of its identity replaced without a delete trigger, by `INSERT OR REPLACE` on its natural
    /// key: the same record at another key.
    fn take_over(&mut self, table: &TrackedTable, holder: &Key, fresh: Fresh) -> Result<(), StoreError> {
        let Some(stored) = states::at_key(self.store, table, holder)? else { return Ok(()) };
        states::remove(self.store, table, holder)?;
        states::save(self.store, table, &fresh.key, &stored)?;
        let edited = Edited { origin: fresh.key.clone(), key: fresh.key, changed: None, at: fresh.at };
        self.edit(table, Moving { edited, stored })
    }

    /// Raises the versions of an edited row, unless its values are what they were.
    fn edit(&mut self, table: &TrackedTable, moving: Moving) -> Result<(), StoreError> {
        let Moving { edited, stored } = moving;
        let Some(values) = read_row(self.store, table, &edited.key)? else { return Ok(()) };
        let hash = table.row_hash(stored.uid, &values);
        if hash == stored.hash {
            return Ok(());
        }
        let all = ids(table);
        let named = edited.changed.as_deref().filter(|changed| !changed.is_empty());
        let seq: Seq = self.store.next_seq()?;
        let state = raise::edited(&stored.state, named.unwrap_or(&all), &all, edited.at, self.context, seq);
        states::save(self.store, table, &edited.key, &Stored { hash, state, ..stored })?;
        self.absorbed.changed += u64::from(!stored.home);
        Ok(())
    }

    fn hash_again(&mut self, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
        let Some(values) = read_row(self.store, table, key)? else { return Ok(()) };
        let Some(mut stored) = states::at_key(self.store, table, key)? else { return Ok(()) };
        stored.hash = table.row_hash(stored.uid, &values);
        states::save(self.store, table, key, &stored)
    }
}

fn ids(table: &TrackedTable) -> Vec<u16> {
    let mut ids: Vec<_> = table.columns.iter().map(|column| column.id).collect();
    ids.sort_unstable();
    ids
}

/// The hash of a deleted row's last values; none if they are not known.
fn last_hash(table: &TrackedTable, uid: Uid, values: &[(u16, Value)]) -> Option<u64> {
    let value = |id: u16| values.iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone());
    let values: Vec<Value> = table.columns.iter().map(|column| value(column.id)).collect::<Option<_>>()?;
    Some(table.row_hash(uid, &values))
}

/// The uid that a row's values give it; none where it is assigned, or a part is null.
fn derive(table: &TrackedTable, values: &[Value]) -> Option<Uid> {
    let parts: Vec<Value> = table.identity_columns().into_iter().map(|index| values[index].clone()).collect();
    match &table.identity {
        Identity::Assigned | Identity::Copied | Identity::Named(_) => None,
        Identity::Uuid(_) => match parts.first()? {
            Value::Text(text) => Some(identity::from_uuid_column(&table.name, text)),
            other => identity::natural(&table.name, std::slice::from_ref(other)),
        },
        Identity::Natural(_) if parts.iter().any(|part| matches!(part, Value::Dangling(_))) => None,
        Identity::Natural(_) => identity::natural(&table.name, &parts),
    }
}

/// A row as it stands now, its foreign keys as uids; none if it is not there.
fn read_row(store: &SqliteStore, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
    let failed = |error| engine("reading a changed row", &error);
    let (columns, joins) = row_columns(table);
    let sql = format!("SELECT 1{columns} FROM {} t{joins} WHERE {}", quote(&table.name), key_equals(table, "t.", 1));
    let mut statement = store.connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(key.0.iter().map(Parameter))).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| values_at(row, 1, table)).transpose().map_err(failed)
}
