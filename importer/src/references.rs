//! References travel as uids and become the keys of this database.
//!
//! A target is a record that stands here, or one that this batch writes. One that is deleted here and newly
//! referred to comes back at a central; any other that is missing parks the record that refers to it.

use std::collections::{HashMap, HashSet};

use saddlebag_formats::{Uid, Value};
use saddlebag_stores::config::Direction;
use saddlebag_stores::record::{Key, Known};
use saddlebag_stores::tracking::{TrackedColumn, TrackedTable, Tracking, named_key};
use saddlebag_stores::{Store, StoreError};

use crate::merge::Side;
use crate::plan::{Planner, Reburial, Write};

/// A record of a table, by number and uid.
pub(crate) type Target = (u32, Uid);

/// The keys of records that stand here.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: HashMap<Target, Key>,
    /// Looked for and not found.
    absent: HashSet<Target>,
    /// Deleted here, where the central has decided so.
    deleted: HashSet<Target>,
}

impl Keys {
    pub(crate) fn get(&self, target: &Target) -> Option<&Key> {
        self.known.get(target)
    }

    /// Whether it was deleted here as its central wanted.
    pub(crate) fn is_deleted(&self, target: &Target) -> bool {
        self.deleted.contains(target)
    }

    pub(crate) fn insert(&mut self, target: Target, key: Key) {
        self.known.insert(target, key);
    }
}

/// The targets that a row to be written refers to, with the column that does.
pub(crate) fn targets(tracking: &Tracking, table: &TrackedTable, write: &Write) -> Vec<(usize, Target)> {
    let shared = write.values.iter().filter(|(index, _)| !write.aside.contains_key(index));
    shared.filter_map(|(index, value)| Some((*index, target(tracking, &table.columns[*index], value)?))).collect()
}

/// The record that a value points to, where its column can hold such a reference.
pub(crate) fn target(tracking: &Tracking, column: &TrackedColumn, value: &Value) -> Option<Target> {
    match value {
        Value::Reference(uid) => Some((column.reference?, *uid)),
        Value::NamedReference(name, uid) if column.names_its_table => Some((tracking.named(name)?.number, *uid)),
        _ => None,
    }
}

/// Deleted records that others may bring back.
#[derive(Debug, Default)]
pub(crate) struct Buried<'a> {
    /// Those that cannot come back.
    pub(crate) gone: Option<&'a HashSet<Target>>,
    /// Edits of those that stay deleted unless something refers to them. What comes back is taken out.
    pub(crate) edited: Vec<Reburial>,
}

/// Looks up all targets, in bulk, and adds to `writes` the deleted records that come back because of them.
pub(crate) fn resolve(
    store: &mut dyn Store,
    planner: &Planner<'_>,
    writes: &mut Vec<Write>,
    buried: &mut Buried<'_>,
) -> Result<Keys, StoreError> {
    let mut keys = Keys::default();
    let mut looked_at = 0;
    while looked_at < writes.len() {
        let here: HashSet<Target> = writes.iter().filter(|write| write.key.is_none()).map(of).collect();
        let mut wanted: HashMap<u32, Vec<Uid>> = HashMap::new();
        for write in &writes[looked_at..] {
            let Some(table) = planner.tracking.by_number(write.table) else { continue };
            for (_, target) in targets(planner.tracking, table, write) {
                if !here.contains(&target) && keys.get(&target).is_none() && !keys.absent.contains(&target) {
                    wanted.entry(target.0).or_default().push(target.1);
                }
            }
        }
        looked_at = writes.len();
        for (number, mut uids) in wanted {
            uids.sort_unstable();
            uids.dedup();
            let Some(table) = planner.tracking.by_number(number) else { continue };
            look_up(store, planner, table, &uids, (&mut keys, buried), writes)?;
        }
    }
    Ok(keys)
}

/// The record that a write is about.
pub(crate) fn of(write: &Write) -> Target {
    (write.table, write.uid)
}

fn look_up(
    store: &mut dyn Store,
    planner: &Planner<'_>,
    table: &TrackedTable,
    uids: &[Uid],
    (keys, buried): (&mut Keys, &mut Buried<'_>),
    writes: &mut Vec<Write>,
) -> Result<(), StoreError> {
    let found = store.keys(table, uids)?;
    let missing: Vec<Uid> = uids.iter().filter(|uid| !found.contains_key(uid)).copied().collect();
    keys.known.extend(found.into_iter().map(|(uid, key)| ((table.number, uid), key)));
    if missing.is_empty() {
        return Ok(());
    }
    // Rows that are only matched never come by a bundle, nor come back.
    if table.direction == Direction::Match {
        keys.absent.extend(missing.iter().map(|uid| (table.number, *uid)));
        return Ok(());
    }
    let deleted = store.records(table, &missing)?;
    if planner.setting.side == Side::Satellite {
        keys.absent.extend(missing.iter().map(|uid| (table.number, *uid)));
        keys.deleted.extend(deleted.into_keys().map(|uid| (table.number, uid)));
        return Ok(());
    }
    for uid in missing {
        match deleted.get(&uid) {
            Some(Known::Deleted(tombstone)) => {
                let seq = store.next_seq()?;
                let target = (table.number, uid);
                let edited = buried.edited.iter().position(|reburial| of(&reburial.instead) == target);
                let mut write = match edited {
                    Some(at) => buried.edited[at].instead.clone(),
                    None => planner.revive(table, tombstone, seq),
                };
                if write.lacks_values(table, tombstone) || buried.gone.is_some_and(|gone| gone.contains(&target)) {
                    keys.absent.insert(target);
                    continue;
                }
                if let Some(at) = edited {
                    buried.edited.swap_remove(at);
                    writes.push(write);
                    continue;
                }
                let kept = tombstone.state.latest();
                write.conflicts.push(planner.deletion_conflict(table, uid, kept, tombstone.version));
                writes.push(write);
            }
            _ => {
                keys.absent.insert((table.number, uid));
            }
        }
    }
    Ok(())
}

/// The values of a row as this database stores them; none for a column whose target has no key yet.
pub(crate) fn translate(
    tracking: &Tracking,
    write: &Write,
    keys: &Keys,
    columns: impl Fn(usize) -> bool,
) -> Option<Vec<(usize, Value)>> {
    let table = tracking.by_number(write.table)?;
    let mut values = Vec::with_capacity(write.values.len());
    for (index, value) in write.values.iter().filter(|(index, _)| columns(**index)) {
        if let Some(aside) = write.aside.get(index) {
            values.extend(aside.shown.clone().map(|shown| (*index, shown)));
            continue;
        }
        let local = match target(tracking, &table.columns[*index], value) {
            Some(target) => {
                let key = keys.get(&target)?.0.first()?;
                match value {
                    Value::NamedReference(name, _) => named_key(name, key),
                    _ => key.clone(),
                }
            }
            None => value.clone(),
        };
        values.push((*index, local));
    }
    Some(values)
}
