//! How much of a bundle did what.

use std::collections::BTreeMap;

/// Counts of one import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records that were written or deleted.
    pub records: u64,
    /// Columns and deletions in conflict.
    pub conflicts: u64,
    /// Changes that wait for a record.
    pub parked: u64,
    /// Changes that the database refused.
    pub quarantined: u64,
    /// Changes that had been held and are applied now.
    pub settled: u64,
    /// The records, by table; also those of other links that had waited for what came.
    pub tables: Tables,
}

/// Records that were written and deleted, by table.
pub type Tables = BTreeMap<String, TableTally>;

/// Counts of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableTally {
    /// Records that were entered or changed.
    pub written: u64,
    /// Records that were deleted.
    pub deleted: u64,
}

impl Tally {
    /// Counts a record that was written.
    pub(crate) fn written(&mut self, table: &str) {
        self.records += 1;
        self.of(table).written += 1;
    }

    /// Counts a record that was deleted.
    pub(crate) fn deleted(&mut self, table: &str) {
        self.records += 1;
        self.of(table).deleted += 1;
    }

    fn of(&mut self, table: &str) -> &mut TableTally {
        self.tables.entry(table.to_owned()).or_default()
    }

    /// Adds what was done to tables, and nothing else.
    pub(crate) fn add_tables(&mut self, tables: Tables) {
        add(&mut self.tables, &tables);
    }
}

/// Adds counts to counts.
pub fn add(sum: &mut Tables, tables: &Tables) {
    for (table, counts) in tables {
        let sum = sum.entry(table.clone()).or_default();
        sum.written += counts.written;
        sum.deleted += counts.deleted;
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.conflicts += other.conflicts;
        self.parked += other.parked;
        self.quarantined += other.quarantined;
        self.settled += other.settled;
        self.add_tables(other.tables);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_table() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.written("patient");
        one.deleted("visit");
        other.written("patient");
        other.written("visit");
        other.conflicts = 2;
        one += other;
        assert_eq!((one.records, one.conflicts), (4, 2));
        assert_eq!(one.tables["patient"], TableTally { written: 2, deleted: 0 });
        assert_eq!(one.tables["visit"], TableTally { written: 1, deleted: 1 });
        let tables = one.tables.clone();
        one.add_tables(tables);
        assert_eq!((one.records, one.tables["visit"].deleted), (4, 2));
    }
}
