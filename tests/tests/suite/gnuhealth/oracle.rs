//! What a round must have made of the work of two clinics, computed from their values alone.
//!
//! Rows of the database that all places began with have one key everywhere, and a clinic's new rows are touched by
//! nobody else: so the values before the work, after it and after the round say what became of each.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_stores::ledger::ConflictKind;
use saddlebag_tests::gnuhealth::{Catalogue, Cell, Cells, Done, Refers};

/// A round: the values of two clinics, and what each did.
pub(super) struct Round<'a> {
    /// What all places began with.
    pub(super) base: &'a Cells,
    pub(super) catalogue: &'a Catalogue,
    pub(super) before: [Cells; 2],
    pub(super) done: [Done; 2],
    pub(super) worked: [Cells; 2],
    pub(super) settled: [Cells; 2],
}

/// What two clinics disagreed about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dispute {
    /// A node that has the record under this key.
    pub(super) at: usize,
    pub(super) table: String,
    pub(super) id: i64,
    /// The column; none where one clinic deleted the record.
    pub(super) column: Option<String>,
}

impl Dispute {
    pub(super) fn kind(&self) -> ConflictKind {
        if self.column.is_some() { ConflictKind::Values } else { ConflictKind::Deletion }
    }
}

type Spot = (String, i64);

impl Round<'_> {
    /// Every value that a clinic wrote stands, or gave way to one of the other's, which is then in dispute; what
    /// one deleted and the other did not need is gone; and nothing came that nobody made.
    pub(super) fn assert_nothing_lost(&self) -> BTreeSet<Dispute> {
        let mut disputes = BTreeSet::new();
        for ours in [0, 1] {
            self.assert_kept(ours, &mut disputes);
            self.assert_deleted(ours, &mut disputes);
            self.assert_nothing_new(ours);
        }
        disputes
    }

    fn assert_kept(&self, ours: usize, disputes: &mut BTreeSet<Dispute>) {
        let theirs = 1 - ours;
        let base = spots(self.base);
        let needed = self.needed(ours);
        for (cell, worked) in &self.worked[ours] {
            let (spot, settled) = (spot(cell), self.settled[ours].get(cell));
            let is_base = base.contains(&spot);
            if !is_base && !self.done[ours].inserted.contains(&spot) && self.before[ours].contains_key(cell) {
                // Made by a clinic in an earlier round: the comparison of all places covers it.
                continue;
            }
            if is_base && self.done[theirs].deleted.contains(&spot) {
                let expected = needed.contains(&spot).then_some(worked);
                assert_eq!(settled, expected, "{cell:?} at clinic {ours}, deleted at the other");
                continue;
            }
            let changed_by = |clinic: usize| {
                let after = self.worked[clinic].get(cell);
                after.filter(|after| self.before[clinic].get(cell).is_some_and(|before| before != *after))
            };
            // Who writes another value and then the old one again has written, too.
            let is_written_by = |clinic: usize| is_base && self.done[clinic].written.contains(cell);
            match (changed_by(ours), changed_by(theirs).filter(|_| is_base)) {
                (Some(mine), None) if is_written_by(theirs) => {
                    let other = self.worked[theirs].get(cell);
                    assert!(
                        settled == Some(mine) || settled == other,
                        "{cell:?} is {settled:?}, not {mine} or {other:?}"
                    );
                }
                (None, Some(other)) if is_written_by(ours) && !self.is_local_key(cell, other, &base) => {
                    let either = settled == Some(worked) || settled == Some(other);
                    assert!(either, "{cell:?} is {settled:?}, neither {worked} nor {other}");
                }
                (Some(mine), Some(other)) if mine != other => {
                    let either = settled.is_some_and(|settled| settled == mine || settled == other);
                    let local = self.is_local_key(cell, other, &base);
                    assert!(either || local, "{cell:?} is {settled:?}, neither {mine} nor {other}");
                    let (table, id, column) = cell.clone();
                    disputes.insert(Dispute { at: 0, table, id, column: Some(column) });
                }
                (None, Some(other)) => {
                    let local = self.is_local_key(cell, other, &base);
                    assert!(local || settled == Some(other), "{cell:?} is {settled:?}, not {other} as the other wrote");
                }
                _ => assert_eq!(settled, Some(worked), "{cell:?} at clinic {ours}"),
            }
        }
    }

    /// What a clinic deleted and the other neither edited nor refers to anew is gone; else it is in dispute.
    fn assert_deleted(&self, ours: usize, disputes: &mut BTreeSet<Dispute>) {
        let theirs = 1 - ours;
        let needed = self.needed(theirs);
        for (table, id) in &self.done[ours].deleted {
            let spot = (table.clone(), *id);
            if needed.contains(&spot) {
                disputes.insert(Dispute { at: theirs + 1, table: table.clone(), id: *id, column: None });
                continue;
            }
            for settled in &self.settled {
                assert!(!spots(settled).contains(&spot), "{spot:?} was deleted and is still there");
            }
        }
    }

    /// New here is what the other made, and what came back.
    fn assert_nothing_new(&self, ours: usize) {
        let theirs = 1 - ours;
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        let shared: BTreeSet<&str> =
            self.base.keys().chain(self.worked[theirs].keys()).map(|(table, ..)| table.as_str()).collect();
        for (table, _) in self.done[theirs].inserted.iter().filter(|(table, _)| shared.contains(table.as_str())) {
            *expected.entry(table).or_default() += 1;
        }
        let needed = self.needed(theirs);
        let back = self.done[ours].deleted.iter().filter(|spot| needed.contains(*spot));
        for (table, _) in back {
            *expected.entry(table).or_default() += 1;
        }
        let (worked, settled) = (spots(&self.worked[ours]), spots(&self.settled[ours]));
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (table, _) in settled.difference(&worked) {
            *found.entry(table).or_default() += 1;
        }
        assert_eq!(found, expected, "new rows at clinic {ours}");
    }

    /// The rows that a clinic edited in this round, or to which it began to refer.
    fn needed(&self, clinic: usize) -> BTreeSet<Spot> {
        let mut needed = BTreeSet::new();
        for (cell, value) in &self.worked[clinic] {
            let before = self.before[clinic].get(cell);
            if before == Some(value) || value == "NULL" {
                continue;
            }
            if before.is_some() {
                needed.insert(spot(cell));
            }
            needed.extend(self.target(cell, value));
        }
        needed
    }

    /// The row to which a value refers.
    fn target(&self, cell: &Cell, value: &str) -> Option<Spot> {
        match self.catalogue.of(&cell.0).get(&cell.2)? {
            Refers::To(table) => Some((table.clone(), value.parse().ok()?)),
            Refers::ByModel => {
                let (model, id) = value.trim_matches('"').split_once(',')?;
                Some((model.replace('.', "_"), id.parse().ok()?))
            }
            Refers::AsNamedBy(_) => None,
        }
    }

    /// Whether a value is a key that only the clinic knows that wrote it.
    fn is_local_key(&self, cell: &Cell, value: &str, base: &BTreeSet<Spot>) -> bool {
        let shared = |table: &str| base.iter().any(|(known, _)| known == table);
        self.target(cell, value).is_some_and(|target| shared(&target.0) && !base.contains(&target))
    }
}

fn spot((table, id, _): &Cell) -> Spot {
    (table.clone(), *id)
}

fn spots(cells: &Cells) -> BTreeSet<Spot> {
    cells.keys().map(spot).collect()
}
