//! How much of a bundle did what.

/// Counts of one import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.conflicts += other.conflicts;
        self.parked += other.parked;
        self.quarantined += other.quarantined;
        self.settled += other.settled;
    }
}
