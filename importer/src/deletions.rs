//! Deletions, after all writes of the batch: which records still have referrers, and in which order the others go.
//!
//! "The importer deletes no record that others here still refer to, unless they are deleted with it." "If a
//! deletion is refused, so are those of the records that refer to it in the same bundle."

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use saddlebag_formats::Value;
use saddlebag_stores::record::{Key, Referrer, RowWrite, Tombstone};
use saddlebag_stores::tracking::{TrackedColumn, Tracking};
use saddlebag_stores::{Store, StoreError};

use crate::merge::Setting;
use crate::plan::Deletion;
use crate::references::Target;

/// What became of the deletions of a batch.
#[derive(Default)]
pub(crate) struct Deleted {
    /// Indexes of those that were carried out.
    pub(crate) done: Vec<usize>,
    /// Those that were not, with the reason.
    pub(crate) refused: Vec<(usize, String)>,
}

/// The deletions of one batch; `kept` are refused already, because of edits that the deleter had not seen.
pub(crate) struct Deletions<'a> {
    pub(crate) tracking: &'a Tracking,
    pub(crate) setting: Setting,
    pub(crate) all: Vec<(u32, Deletion)>,
    pub(crate) kept: Vec<(u32, Deletion)>,
}

impl Deletions<'_> {
    /// Carries out what can be carried out.
    pub(crate) fn run(&self, store: &mut dyn Store) -> Result<Deleted, StoreError> {
        let mut deleted = Deleted::default();
        let referrers = self.referrers(store)?;
        let mut going: HashMap<Target, usize> =
            self.all.iter().enumerate().map(|(index, (number, d))| ((*number, d.record.uid), index)).collect();
        let mut staying: HashSet<Target> = self.kept.iter().map(|(number, d)| (*number, d.record.uid)).collect();
        while let Some((target, index, reason)) = self.next_refused(&going, &staying, &referrers) {
            going.remove(&target);
            staying.insert(target);
            deleted.refused.push((index, reason));
        }
        self.carry_out(store, going, &referrers, &mut deleted)?;
        Ok(deleted)
    }

    fn referrers(&self, store: &mut dyn Store) -> Result<Vec<Vec<Referrer>>, StoreError> {
        let mut all = vec![Vec::new(); self.all.len()];
        for (number, indexes) in self.by_table(0..self.all.len()) {
            let Some(table) = self.tracking.by_number(number) else { continue };
            let keys: Vec<Key> = indexes.iter().map(|index| self.all[*index].1.record.key.clone()).collect();
            for (index, found) in indexes.into_iter().zip(store.referrers(table, &keys)?) {
                all[index] = found;
            }
        }
        Ok(all)
    }

    /// Some record that cannot go: another one that stays refers to it, or it refers to one that was to go and stays.
    fn next_refused(
        &self,
        going: &HashMap<Target, usize>,
        staying: &HashSet<Target>,
        referrers: &[Vec<Referrer>],
    ) -> Option<(Target, usize, String)> {
        going.iter().find_map(|(target, index)| {
            let stays = |referrer: &&Referrer| target_of(referrer).is_none_or(|child| !going.contains_key(&child));
            if let Some(referrer) = referrers[*index].iter().find(stays) {
                let reason = format!("a record of `{}` here still refers to it", referrer.table);
                return Some((*target, *index, reason));
            }
            let (number, deletion) = &self.all[*index];
            let parent = self.parents(*number, deletion).into_iter().find(|parent| staying.contains(parent))?;
            let name = self.tracking.by_number(parent.0).map_or("?", |table| table.name.as_str());
            Some((*target, *index, format!("it belongs to a record of `{name}` that is kept")))
        })
    }

    /// What a record to be deleted refers to.
    fn parents(&self, number: u32, deletion: &Deletion) -> Vec<Target> {
        let Some(table) = self.tracking.by_number(number) else { return Vec::new() };
        let columns = table.columns.iter().zip(&deletion.record.values);
        columns
            .filter_map(|(column, value)| match (value, column.reference) {
                (Value::Reference(uid), Some(number)) => Some((number, *uid)),
                _ => None,
            })
            .filter(|parent| *parent != (number, deletion.record.uid))
            .collect()
    }

    /// Deletes children before their parents; a circle is opened at its nullable columns first. The records of a table go
    /// together, unless records of other tables that refer to them go after them.
    fn carry_out(
        &self,
        store: &mut dyn Store,
        mut going: HashMap<Target, usize>,
        referrers: &[Vec<Referrer>],
        deleted: &mut Deleted,
    ) -> Result<(), StoreError> {
        while !going.is_empty() {
            if let Some(number) = next_table(&going, referrers) {
                let (mut ordered, circle) = children_first(number, &going, referrers);
                self.open_circles(store, &circle)?;
                ordered.extend(circle);
                going.retain(|target, _| target.0 != number);
                self.delete(store, number, &ordered, deleted)?;
                continue;
            }
            let is_leaf = |(target, index): &(&Target, &usize)| {
                let mut children = referrers[**index].iter().filter_map(target_of);
                children.all(|child| child == **target || !going.contains_key(&child))
            };
            let mut leaves: Vec<usize> = going.iter().filter(is_leaf).map(|(_, index)| *index).collect();
            if leaves.is_empty() {
                leaves = going.values().copied().collect();
                self.open_circles(store, &leaves)?;
            }
            leaves.sort_unstable();
            for index in &leaves {
                let (number, deletion) = &self.all[*index];
                going.remove(&(*number, deletion.record.uid));
            }
            for (number, indexes) in self.by_table(leaves) {
                self.delete(store, number, &indexes, deleted)?;
            }
        }
        Ok(())
    }

    /// Those deletions, by the number of their table.
    fn by_table(&self, indexes: impl IntoIterator<Item = usize>) -> BTreeMap<u32, Vec<usize>> {
        let mut by_table: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for index in indexes {
            by_table.entry(self.all[index].0).or_default().push(index);
        }
        by_table
    }

    fn delete(
        &self,
        store: &mut dyn Store,
        number: u32,
        indexes: &[usize],
        deleted: &mut Deleted,
    ) -> Result<(), StoreError> {
        let Some(table) = self.tracking.by_number(number) else { return Ok(()) };
        let mut rows = Vec::with_capacity(indexes.len());
        for index in indexes {
            let (_, deletion) = &self.all[*index];
            let seq = store.next_seq()?;
            rows.push((
                deletion.record.key.clone(),
                Tombstone::of(&deletion.record, table, deletion.version, seq, Some(self.setting.link)),
            ));
        }
        for (index, outcome) in indexes.iter().zip(store.delete(table, &rows)?) {
            match outcome {
                Err(refusal) => deleted.refused.push((*index, refusal.reason)),
                Ok(()) => deleted.done.push(*index),
            }
        }
        Ok(())
    }

    /// Sets the nullable references of records that are about to go to null, so that those that refer to each other can
    /// go one after the other.
    fn open_circles(&self, store: &mut dyn Store, indexes: &[usize]) -> Result<(), StoreError> {
        for (number, indexes) in self.by_table(indexes.iter().copied()) {
            let Some(table) = self.tracking.by_number(number) else { continue };
            let nullable = |(_, column): &(usize, &TrackedColumn)| column.reference.is_some() && !column.not_null;
            let values: Vec<_> =
                table.columns.iter().enumerate().filter(nullable).map(|(at, _)| (at, Value::Null)).collect();
            if values.is_empty() {
                continue;
            }
            let row = |index: usize| {
                let Deletion { record, .. } = &self.all[index].1;
                let (uid, key, state, hash) = (record.uid, Some(record.key.clone()), record.state.clone(), record.hash);
                RowWrite { uid, key, values: values.clone(), beside: Vec::new(), state, hash }
            };
            let rows: Vec<RowWrite> = indexes.into_iter().map(row).collect();
            // A refusal here shows again, with its reason, when the row itself is deleted.
            let _refusals = store.write(table, &rows)?;
        }
        Ok(())
    }
}

/// The record that refers, if it is one; a row of a table that is not tracked is none.
fn target_of(referrer: &Referrer) -> Option<Target> {
    Some((referrer.number?, referrer.uid?))
}

/// A table whose records to be deleted are referred to by none of another table that are to be deleted too.
fn next_table(going: &HashMap<Target, usize>, referrers: &[Vec<Referrer>]) -> Option<u32> {
    let tables: BTreeSet<u32> = going.keys().map(|target| target.0).collect();
    let is_needed = |target: &Target, index: usize| {
        let mut children = referrers[index].iter().filter_map(target_of);
        children.any(|child| child.0 != target.0 && going.contains_key(&child))
    };
    let needed: BTreeSet<u32> =
        going.iter().filter(|(target, index)| is_needed(target, **index)).map(|(target, _)| target.0).collect();
    tables.difference(&needed).next().copied()
}

/// The deletions of a table, those of records that refer to others of it first; and those that are part of a circle, or
/// are referred to from one.
fn children_first(
    number: u32,
    going: &HashMap<Target, usize>,
    referrers: &[Vec<Referrer>],
) -> (Vec<usize>, Vec<usize>) {
    let mut children: BTreeMap<usize, usize> = BTreeMap::new();
    let mut parents: HashMap<usize, Vec<usize>> = HashMap::new();
    for (target, index) in going.iter().filter(|(target, _)| target.0 == number) {
        let of_table =
            referrers[*index].iter().filter_map(target_of).filter(|child| child.0 == number && child != target);
        let all: HashSet<usize> = of_table.filter_map(|child| going.get(&child).copied()).collect();
        children.insert(*index, all.len());
        all.into_iter().for_each(|child| parents.entry(child).or_default().push(*index));
    }
    let mut ordered: Vec<usize> = children.iter().filter(|(_, left)| **left == 0).map(|(index, _)| *index).collect();
    let mut at = 0;
    while let Some(child) = ordered.get(at).copied() {
        at += 1;
        for parent in parents.remove(&child).unwrap_or_default() {
            if let Some(left) = children.get_mut(&parent) {
                *left -= 1;
                if *left == 0 {
                    ordered.push(parent);
                }
            }
        }
    }
    let circle = children.into_iter().filter(|(_, left)| *left > 0).map(|(index, _)| index).collect();
    (ordered, circle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::Uid;

    fn by(table: u32, uid: u8) -> Referrer {
        Referrer { table: "t".to_owned(), number: Some(table), uid: Some(Uid([uid; 16])) }
    }

    /// Records 1 to 4 of table 1, and 5 of table 2.
    fn going() -> HashMap<Target, usize> {
        [(1, 1), (1, 2), (1, 3), (1, 4), (2, 5)]
            .map(|(table, uid)| (table, Uid([uid; 16])))
            .into_iter()
            .zip(0..)
            .collect()
    }

    #[test]
    fn who_refers_goes_first() {
        // 3 refers to 2, which refers to 1; 4 refers to itself; 5 to 1.
        let referrers = [vec![by(1, 2), by(2, 5)], vec![by(1, 3)], vec![], vec![by(1, 4)], vec![]];
        assert_eq!(next_table(&going(), &referrers), Some(2));
        assert_eq!(children_first(1, &going(), &referrers), (vec![2, 3, 1, 0], vec![]));
    }

    #[test]
    fn circles_are_told_apart() {
        // 1 and 2 refer to each other, 1 refers to 4; 5 refers to 3, which refers to 5.
        let referrers = [vec![by(1, 2)], vec![by(1, 1)], vec![by(2, 5)], vec![by(1, 1)], vec![by(1, 3)]];
        assert_eq!(next_table(&going(), &referrers), None);
        assert_eq!(children_first(1, &going(), &referrers), (vec![2], vec![0, 1, 3]));
    }
}
