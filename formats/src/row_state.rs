//! What saddlebag knows of one live record, beside its uid and its row hash.
//!
//! One layer speaks for the whole row; columns that differ from it are listed. Invariant: `columns` is
//! sorted by column id, without repeats, and no listed column equals the row's layer.

use crate::ids::{LinkId, Seq, TimeMs};
use crate::version::Version;

/// What is known of one column's value, or of all that have no entry of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnState {
    /// When and where the value was written.
    pub version: Version,
    /// The time that counts between concurrent edits, where it is not the version's own.
    pub effective: Option<TimeMs>,
    /// When it last changed in this node's feed.
    pub seq: Seq,
    /// Where this version first stood in the feed, if it was given a later place since for those who lack it.
    pub first: Option<Seq>,
    /// The link that it came over; none if it was written here, or is asserted here against all links.
    pub source: Option<LinkId>,
    /// The link that it came over, if it is asserted here against all links since: what comes over it was written by
    /// somebody who had seen it.
    pub origin: Option<LinkId>,
    /// The version before the first change that the up-link has not acknowledged. Only meaningful while
    /// [`ColumnState::first_place`] lies beyond what was acknowledged; none if the record was created here.
    pub base: Option<Version>,
    /// Another version that says no more than this one: the same value, written without knowing of it, or the deletion
    /// before which this value stood. Whoever wrote upon that knew what stands here.
    pub alike: Option<Version>,
}

impl ColumnState {
    /// A version at a place in the feed, of which nothing else is known: written here, upon nothing.
    #[must_use]
    pub const fn new(version: Version, seq: Seq) -> Self {
        Self { version, effective: None, seq, first: None, source: None, origin: None, base: None, alike: None }
    }

    /// Where this version first stood in the feed: whoever has taken in the feed up to there has had it, and perhaps
    /// something that was written upon it.
    #[must_use]
    pub fn first_place(&self) -> Seq {
        self.first.unwrap_or(self.seq)
    }

    /// Whether it only stands again, after a deletion.
    #[must_use]
    pub fn only_stands_again(&self) -> bool {
        self.alike > Some(self.version)
    }

    /// The same version at a later place, for those who lack it.
    #[must_use]
    pub fn again_at(&self, seq: Seq) -> Self {
        Self { seq, first: Some(self.first_place()).filter(|first| *first != seq), ..*self }
    }

    /// The same version asserted here against all links, or all but the one that is given.
    #[must_use]
    pub fn asserted(&self, but: Option<LinkId>) -> Self {
        match self.source {
            Some(source) if Some(source) != but => Self { source: None, origin: Some(source), ..*self },
            _ => *self,
        }
    }

    /// Whether whoever sends over this link has had this version from below: it came from there.
    #[must_use]
    pub fn came_over(&self, link: LinkId) -> bool {
        self.source == Some(link) || self.origin == Some(link)
    }

    /// Its place for one link: a central is told of a version once.
    #[must_use]
    pub fn place(&self, is_central: bool) -> Seq {
        if is_central { self.first_place() } else { self.seq }
    }

    /// The time by which this value stands against a concurrent one.
    #[must_use]
    pub fn effective_time(&self) -> TimeMs {
        self.effective.unwrap_or(self.version.time)
    }
}

/// What is known of one record's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowState {
    /// Of every column that is not in `columns`.
    pub row: ColumnState,
    /// Of the columns that differ, by column id, rising.
    pub columns: Vec<(u16, ColumnState)>,
}

impl RowState {
    /// A record whose columns all have one state.
    #[must_use]
    pub fn uniform(row: ColumnState) -> Self {
        Self { row, columns: Vec::new() }
    }

    /// The state of column `id`.
    #[must_use]
    pub fn of(&self, id: u16) -> &ColumnState {
        match self.columns.binary_search_by_key(&id, |(column, _)| *column) {
            Ok(at) => &self.columns[at].1,
            Err(_) => &self.row,
        }
    }

    /// Gives column `id` a state of its own.
    pub fn set(&mut self, id: u16, state: ColumnState) {
        match self.columns.binary_search_by_key(&id, |(column, _)| *column) {
            Ok(at) if state == self.row => {
                self.columns.remove(at);
            }
            Ok(at) => self.columns[at].1 = state,
            Err(_) if state == self.row => {}
            Err(at) => self.columns.insert(at, (id, state)),
        }
    }

    /// Builds the shortest form for the columns `ids`: the state that most of them share becomes the row's.
    /// Of equally frequent ones the least version wins, so that the form is one and the same.
    #[must_use]
    pub fn from_columns(columns: &[(u16, ColumnState)]) -> Option<Self> {
        let mut counts: Vec<(ColumnState, usize)> = Vec::new();
        for (_, state) in columns {
            match counts.iter_mut().find(|(known, _)| known == state) {
                Some((_, count)) => *count += 1,
                None => counts.push((*state, 1)),
            }
        }
        let (row, _) = counts
            .iter()
            .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| (b.version, b.seq).cmp(&(a.version, a.seq))))?;
        let mut state = Self::uniform(*row);
        for (id, column) in columns {
            state.set(*id, *column);
        }
        Some(state)
    }

    /// Where the record stands in the feed: the latest place of any of its columns.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.columns.iter().map(|(_, state)| state.seq).fold(self.row.seq, Seq::max)
    }

    /// The earliest place of any column.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        self.columns.iter().map(|(_, state)| state.first_place()).fold(self.row.first_place(), Seq::min)
    }

    /// Whether some column changed within `(after, upto]` of the feed.
    #[must_use]
    pub fn has_place(&self, after: Seq, upto: Seq) -> bool {
        let is_within = |seq: Seq| after < seq && seq <= upto;
        let within = |column: &ColumnState| is_within(column.seq) || column.first.is_some_and(is_within);
        within(&self.row) || self.columns.iter().any(|(_, column)| within(column))
    }

    /// The greatest version of any column.
    #[must_use]
    pub fn latest(&self) -> Version {
        self.columns.iter().map(|(_, state)| state.version).fold(self.row.version, Version::max)
    }

    /// The latest effective time of any column.
    #[must_use]
    pub fn latest_effective(&self) -> TimeMs {
        self.columns.iter().map(|(_, state)| state.effective_time()).fold(self.row.effective_time(), TimeMs::max)
    }

    /// Every layer, for changing all.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = &mut ColumnState> {
        std::iter::once(&mut self.row).chain(self.columns.iter_mut().map(|(_, state)| state))
    }
}
