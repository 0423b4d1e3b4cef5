//! Executes planned writes: parents first, in sets, refusals noted.

use std::collections::{BTreeMap, HashMap, HashSet};

use saddlebag_formats::Value;
use saddlebag_stores::ledger::Beside;
use saddlebag_stores::record::{Key, Refusal, RowWrite};
use saddlebag_stores::tracking::Tracking;
use saddlebag_stores::{Store, StoreError};

use crate::order::{self, Node, Step};
use crate::plan::Write;
use crate::references::{self, Keys, Target, of, targets, translate};

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// Not tried yet.
    Pending,
    /// It stands, but for columns that wait for a target.
    Done { deferred: Vec<usize> },
    /// The database refused it.
    Refused(String),
    /// It waits for a record.
    Parked(String),
}

/// Rows to be written, by the number of their table, each with the index of its write.
pub(crate) type Rows = BTreeMap<u32, Vec<(usize, RowWrite)>>;

/// What became of a row, with the index of its write.
pub(crate) type Outcome = (usize, Result<Key, Refusal>);

/// The writes of one attempt.
pub(crate) struct Batch<'a> {
    pub(crate) tracking: &'a Tracking,
    pub(crate) writes: Vec<Write>,
    pub(crate) status: Vec<Status>,
    pub(crate) keys: Keys,
    /// Which write makes a record that is not there yet.
    makes: HashMap<Target, usize>,
    nodes: Vec<Node>,
    /// Writes that are not tried at all.
    hopeless: HashSet<usize>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(tracking: &'a Tracking, writes: Vec<Write>, keys: Keys) -> Self {
        let makes = writes.iter().enumerate().filter(|(_, w)| w.key.is_none()).map(|(i, w)| (of(w), i)).collect();
        let status = vec![Status::Pending; writes.len()];
        let mut batch = Self { tracking, writes, status, keys, makes, nodes: Vec::new(), hopeless: HashSet::new() };
        batch.nodes = (0..batch.writes.len()).map(|index| batch.node(index)).collect();
        batch
    }

    /// Whether a write cannot stand, whatever else is written.
    pub(crate) fn is_hopeless(&self, index: usize) -> bool {
        self.hopeless.contains(&index)
    }

    /// Whether something was refused that may be tried again.
    pub(crate) fn has_refused(&self) -> bool {
        let refused =
            |(index, status): (usize, &Status)| matches!(status, Status::Refused(_)) && !self.hopeless.contains(&index);
        self.status.iter().enumerate().any(refused)
    }

    /// Leaves out a write that cannot stand.
    pub(crate) fn refuse(&mut self, index: usize, reason: String) {
        self.hopeless.insert(index);
        self.status[index] = Status::Refused(reason);
    }

    /// The other writes that one needs.
    fn node(&self, index: usize) -> Node {
        let write = &self.writes[index];
        let mut node = Node::default();
        let Some(table) = self.tracking.by_number(write.table) else { return node };
        for (column, target) in targets(self.tracking, table, write) {
            let Some(made_by) = self.makes.get(&target) else { continue };
            if table.columns[column].not_null {
                node.required.push(*made_by);
            } else {
                node.optional.push((column, *made_by));
            }
        }
        node
    }

    /// Writes all that can be written. What was refused before is tried again.
    ///
    /// Says whether anything was written.
    pub(crate) fn run(&mut self, store: &mut dyn Store) -> Result<bool, StoreError> {
        self.try_again();
        let mut progress = false;
        loop {
            self.park();
            let left: Vec<usize> = (0..self.writes.len()).filter(|i| self.status[*i] == Status::Pending).collect();
            let done: HashSet<usize> =
                (0..self.writes.len()).filter(|i| matches!(self.status[*i], Status::Done { .. })).collect();
            let steps = order::next(&self.nodes, &left, &done);
            if steps.is_empty() {
                for index in left {
                    self.status[index] = Status::Refused("it is part of a circle of required references".to_owned());
                }
                return Ok(progress);
            }
            for steps in self.by_table(steps) {
                progress |= self.write_set(store, &steps)?;
            }
        }
    }

    fn try_again(&mut self) {
        for (index, status) in self.status.iter_mut().enumerate() {
            if !matches!(status, Status::Done { .. }) && !self.hopeless.contains(&index) {
                *status = Status::Pending;
            }
        }
    }

    /// Parks what refers to a record that is neither here nor coming.
    fn park(&mut self) {
        loop {
            let mut parked = Vec::new();
            for index in 0..self.writes.len() {
                if self.status[index] == Status::Pending
                    && let Some(reason) = self.waits_for(index)
                {
                    parked.push((index, reason));
                }
            }
            if parked.is_empty() {
                return;
            }
            for (index, reason) in parked {
                self.status[index] = Status::Parked(reason);
            }
        }
    }

    fn waits_for(&self, index: usize) -> Option<String> {
        let write = &self.writes[index];
        let table = self.tracking.by_number(write.table)?;
        targets(self.tracking, table, write).into_iter().find_map(|(column, target)| {
            let name = self.tracking.by_number(target.0).map_or("?", |table| table.name.as_str());
            let what = match self.makes.get(&target).map(|made_by| &self.status[*made_by]) {
                Some(Status::Pending | Status::Done { .. }) => return None,
                Some(Status::Refused(_) | Status::Parked(_)) => "is held itself",
                None if self.keys.get(&target).is_some() => return None,
                None => "has not arrived",
            };
            Some(format!(
                "`{}` refers to the record {} of `{name}`, which {what}",
                table.columns[column].name, target.1
            ))
        })
    }

    /// Sets of one table each, tables in their order, records in the order of the sender's feed.
    fn by_table(&self, steps: Vec<Step>) -> Vec<Vec<Step>> {
        let mut sets: Vec<Vec<Step>> = vec![Vec::new(); self.tracking.tables.len()];
        for step in steps {
            let number = self.writes[step.index].table;
            if let Some(at) = self.tracking.tables.iter().position(|table| table.number == number) {
                sets[at].push(step);
            }
        }
        sets.retain(|set| !set.is_empty());
        sets
    }

    fn write_set(&mut self, store: &mut dyn Store, steps: &[Step]) -> Result<bool, StoreError> {
        let mut rows = Vec::with_capacity(steps.len());
        for step in steps {
            let write = &self.writes[step.index];
            let values = translate(self.tracking, write, &self.keys, |column| !step.deferred.contains(&column));
            rows.push(self.row(write, values.unwrap_or_default()));
        }
        let Some(table) = steps.first().and_then(|step| self.tracking.by_number(self.writes[step.index].table)) else {
            return Ok(false);
        };
        let mut progress = false;
        for (step, outcome) in steps.iter().zip(store.write(table, &rows)?) {
            self.status[step.index] = match outcome {
                Ok(key) => {
                    progress = true;
                    self.keys.insert(references::of(&self.writes[step.index]), key.clone());
                    self.writes[step.index].key = Some(key);
                    Status::Done { deferred: step.deferred.clone() }
                }
                Err(refusal) => Status::Refused(refusal.reason),
            };
        }
        Ok(progress)
    }

    /// The rows written that refer to what is not here, which the database would notice only at the very end.
    pub(crate) fn unmet(&self, store: &mut dyn Store) -> Result<Vec<(usize, Status)>, StoreError> {
        let unmet = store.unmet_references()?;
        let reason = |index: usize| {
            let target = unmet.get(&of(&self.writes[index]))?;
            Some(Status::Refused(format!("it refers to a row of `{target}` that is not here")))
        };
        let done = (0..self.writes.len()).filter(|index| matches!(self.status[*index], Status::Done { .. }));
        Ok(done.filter_map(|index| Some((index, reason(index)?))).collect())
    }

    /// Fills in the columns that waited for their target. Gives the writes that cannot stand, with the reason: the
    /// attempt must be undone and made again without them.
    pub(crate) fn fill_in(&mut self, store: &mut dyn Store) -> Result<Vec<(usize, Status)>, StoreError> {
        let mut failed = Vec::new();
        let mut rows: Rows = BTreeMap::new();
        for index in 0..self.writes.len() {
            let Status::Done { deferred } = &self.status[index] else { continue };
            if deferred.is_empty() {
                continue;
            }
            let write = &self.writes[index];
            let Some(values) = translate(self.tracking, write, &self.keys, |column| deferred.contains(&column)) else {
                failed.push((index, Status::Parked("it refers to a record that is held itself".to_owned())));
                continue;
            };
            rows.entry(write.table).or_default().push((index, self.row(write, values)));
        }
        let refused = self.write_rows(store, rows)?.into_iter().filter_map(|(index, outcome)| {
            let refusal = outcome.err()?;
            Some((index, Status::Refused(refusal.reason)))
        });
        failed.extend(refused);
        Ok(failed)
    }

    /// Writes further values of rows, those of a table together.
    pub(crate) fn write_rows(&self, store: &mut dyn Store, rows: Rows) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for (number, rows) in rows {
            let Some(table) = self.tracking.by_number(number) else { continue };
            let (indexes, rows): (Vec<usize>, Vec<RowWrite>) = rows.into_iter().unzip();
            outcomes.extend(indexes.into_iter().zip(store.write(table, &rows)?));
        }
        Ok(outcomes)
    }

    fn row(&self, write: &Write, values: Vec<(usize, Value)>) -> RowWrite {
        let columns = self.tracking.by_number(write.table).map(|table| table.columns.as_slice()).unwrap_or_default();
        let beside = write.aside.iter().filter_map(|(index, aside)| {
            let (column, value) = (columns.get(*index)?.id, write.values.get(index)?.clone());
            Some(Beside { uid: write.uid, column, value, shown: aside.shown.clone(), why: aside.why })
        });
        let (uid, key, beside) = (write.uid, write.key.clone(), beside.collect());
        RowWrite { uid, key, values, beside, state: write.state.clone(), hash: write.hash }
    }
}
