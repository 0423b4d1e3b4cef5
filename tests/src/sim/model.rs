//! What was committed anywhere, and what its writer had seen. No code of the product, and nothing of its tables.
//!
//! The model looks at the application's rows before and after every statement. A value that stands there after and did
//! not before was written by somebody who had seen the one before.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{Look, Row};
use super::schema::{Follow, TABLES};

/// A column of a record. Where names do not last, values are told apart without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The table's place in [`TABLES`].
    pub table: usize,
    /// The column's place in it.
    pub column: usize,
    /// The record's name; empty in a table whose names do not last.
    pub record: String,
}

/// Who wrote, when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// The node.
    pub node: usize,
    /// By its clock.
    pub at_ms: i64,
    /// In true time.
    pub true_ms: i64,
    /// How often the node had looked at its journal by then.
    pub absorbed: u64,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Who wrote it.
    pub author: Author,
    /// The value; none for null.
    pub value: Option<String>,
    /// What stood there before.
    pub seen: Option<String>,
}

/// What was committed.
#[derive(Debug, Default)]
pub struct Model {
    /// By column of record, in the order of the world.
    pub writes: BTreeMap<Spot, Vec<Write>>,
    /// Values that somebody saw and deleted with their record.
    pub deleted: BTreeSet<(Spot, String)>,
    /// Records that were entered, by table and name.
    pub entered: BTreeSet<(usize, String)>,
    /// Records that were deleted somewhere, by table and name.
    pub gone: BTreeSet<(usize, String)>,
    /// Values that may have been lost with the database that they were in: nobody else had them.
    pub lost: BTreeSet<(Spot, String)>,
    /// Records whose deletion may have been lost in the same way.
    pub maybe_gone: BTreeSet<(usize, String)>,
    /// Who deleted which record.
    deletions: Vec<(Author, usize, String)>,
    /// When a place last touched a record before it looked at its journal: edits of one record are one change until then.
    touched: BTreeMap<(usize, String, usize, u64), i64>,
}

impl Model {
    /// Takes note of what a statement did, given what stood there before and after it.
    pub fn observe(&mut self, author: Author, before: &Look, after: &Look) {
        for (table, spec) in TABLES.iter().enumerate() {
            let same = |look: &'_ Look, row: &Row| {
                if spec.is_lasting {
                    look.named(table, &row.name).cloned()
                } else {
                    look.at_key(table, row.key).cloned()
                }
            };
            for row in &after.tables[table] {
                self.written(author, table, same(before, row).as_ref(), row);
            }
            for row in before.tables[table].iter().filter(|row| same(after, row).is_none()) {
                self.gone.insert((table, row.name.clone()));
                self.deletions.push((author, table, row.name.clone()));
                for (column, value) in row.values.iter().enumerate() {
                    if let Some(value) = value {
                        self.deleted.insert((spot(table, column, row), value.clone()));
                    }
                }
            }
        }
    }

    fn written(&mut self, author: Author, table: usize, before: Option<&Row>, after: &Row) {
        if before.is_some_and(|before| before.values == after.values && before.key == after.key) {
            return;
        }
        self.entered.insert((table, after.name.clone()));
        let touched = (table, after.name.clone(), author.node, author.absorbed);
        let last = self.touched.entry(touched).or_insert(author.at_ms);
        *last = author.at_ms.max(*last);
        for (column, value) in after.values.iter().enumerate() {
            let seen = before.and_then(|before| before.values[column].clone());
            let is_new = before.is_none_or(|before| before.values[column] != *value);
            if TABLES[table].columns[column].follow != Follow::No && is_new {
                let write = Write { author, value: value.clone(), seen };
                self.writes.entry(spot(table, column, after)).or_default().push(write);
            }
        }
    }

    /// A database is given up, with what was written into it after a time: what nobody else has may be lost. So may what it
    /// alone kept of a decision: others may have it still, and not for long.
    pub fn give_up(&mut self, is_given_up: impl Fn(&Author) -> bool, had: &Holding, others: &Holding) {
        for (spot, writes) in &self.writes {
            for write in writes {
                let Some(value) = &write.value else { continue };
                let known = (spot.clone(), value.clone());
                let was_there = is_given_up(&write.author) || had.has(&known);
                let is_decided = had.kept.contains(value) && !others.kept.contains(value);
                if was_there && (is_decided || !others.has(&known)) {
                    self.lost.insert(known);
                }
            }
        }
        for (author, table, name) in &self.deletions {
            if is_given_up(author) {
                self.maybe_gone.insert((*table, name.clone()));
            }
        }
    }

    /// Whether a value may be lost with the database that it was in.
    #[must_use]
    pub fn may_be_lost(&self, spot: &Spot, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.lost.contains(&(spot.clone(), value.to_owned())))
    }

    /// Whether some value of a column may be lost.
    #[must_use]
    pub fn has_lost(&self, spot: &Spot) -> bool {
        self.writes.get(spot).into_iter().flatten().any(|write| self.may_be_lost(spot, write.value.as_deref()))
    }

    /// The latest time that a write may have: that of the last edit of its record that went into one change with it.
    #[must_use]
    pub fn latest(&self, spot: &Spot, write: &Write) -> i64 {
        let Author { node, at_ms, absorbed, .. } = write.author;
        self.touched.get(&(spot.table, spot.record.clone(), node, absorbed)).copied().unwrap_or(at_ms).max(at_ms)
    }

    /// Whether what became of a value can be told.
    #[must_use]
    pub fn is_followed(spot: &Spot, value: &str) -> bool {
        match TABLES[spot.table].columns[spot.column].follow {
            Follow::Words => value.starts_with('w'),
            Follow::Patient => true,
            Follow::No => false,
        }
    }

    /// For every value of a column, those that were written upon it.
    #[must_use]
    pub fn written_upon(&self, spot: &Spot) -> BTreeMap<&str, Vec<&Write>> {
        let mut upon: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
        for write in self.writes.get(spot).into_iter().flatten() {
            if let Some(seen) = &write.seen {
                upon.entry(seen).or_default().push(write);
            }
        }
        upon
    }

    /// Whether some value of a column was written more than once, so that before and after cannot be told.
    #[must_use]
    pub fn has_repeated(&self, spot: &Spot) -> bool {
        let mut values = BTreeSet::new();
        !self.writes.get(spot).into_iter().flatten().all(|write| values.insert(&write.value))
    }
}

/// What stands at some places, or is kept there for people to see.
#[derive(Debug, Default)]
pub struct Holding {
    /// What stands in the tables.
    pub standing: BTreeSet<(Spot, String)>,
    /// What is kept beside them.
    pub kept: BTreeSet<String>,
}

impl Holding {
    /// Takes in what stands at a place.
    pub fn add(&mut self, look: &Look) {
        for (table, rows) in look.tables.iter().enumerate() {
            for row in rows {
                for (column, value) in row.values.iter().enumerate() {
                    self.standing.extend(value.clone().map(|value| (spot(table, column, row), value)));
                }
            }
        }
    }

    /// Whether it stands there or is kept; a reference that is kept says nothing of the record that it was written in.
    fn has(&self, known: &(Spot, String)) -> bool {
        let is_own = TABLES[known.0.table].columns[known.0.column].follow == Follow::Words;
        self.standing.contains(known) || (is_own && self.kept.contains(&known.1))
    }
}

/// The column of a row.
#[must_use]
pub fn spot(table: usize, column: usize, row: &Row) -> Spot {
    let record = if TABLES[table].is_lasting { row.name.clone() } else { String::new() };
    Spot { table, column, record }
}
