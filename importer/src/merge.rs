//! The decision about one column, or about columns that are merged as one value: two short lists, by version. Pure: no
//! database in it.
//!
//! Versions decide, never clocks: `new`, `base` and `loc` are versions; the effective time only breaks ties
//! between truly concurrent edits.

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::{ColumnState, LinkId, Seq, TimeMs, Value, Version, Writer};
use saddlebag_stores::config::ConflictPolicy;
use saddlebag_stores::ledger::ConflictRule;
use saddlebag_stores::raise::{base_for_next, is_unacknowledged};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// Which end of the link this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The change comes from a satellite: this node decides.
    Central,
    /// The change comes from this node's central: a satellite never decides.
    Satellite,
}

/// Where a change comes from and where this node stands.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Which end of the link this node is.
    pub side: Side,
    /// The link that the change came over.
    pub link: LinkId,
    /// The link to this node's own central.
    pub uplink: Option<LinkId>,
    /// How far that central has acknowledged this node's feed.
    pub acknowledged: Seq,
    /// This node, in its present history.
    pub me: Writer,
    /// Up to here the other end knew this node's feed when this node's database went back to an earlier state; 0 if it
    /// never did.
    pub went_on_from: Seq,
    /// The other end in the last history that it has left: it may have written in two copies of its database.
    pub left: Option<Writer>,
    /// Whether the change belongs to a history of its sender that another one has followed since.
    pub is_late: bool,
}

impl Setting {
    /// Whether what this writer wrote earlier was seen by it when it wrote later: of a history that was left there may have
    /// been two copies.
    #[must_use]
    pub fn is_one_history(&self, writer: Writer) -> bool {
        let is_own_past = writer.node == self.me.node && writer.epoch < self.me.epoch;
        !is_own_past && self.left.is_none_or(|left| writer.node != left.node || writer.epoch > left.epoch)
    }
}

/// How values that disagree are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Treatment {
    /// Which of two values stands.
    pub policy: ConflictPolicy,
    /// Whether the newest value stands and nobody is told.
    pub is_quiet: bool,
}

/// One column's value as it came, against what stands here.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What came.
    pub new: &'a New,
    /// What stands.
    pub local: Local<'a>,
}

/// A column's value as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// The value.
    pub value: Value,
    /// When and where it was written.
    pub version: Version,
    /// The version that it overwrote; none if the sender created the record.
    pub base: Option<Version>,
    /// The time that counts, where it is not the version's own.
    pub effective: Option<TimeMs>,
    /// For a value that was held: how much of this node's feed its sender had applied when it wrote it. None for one
    /// that came just now, whose bundle acknowledges just that.
    pub known: Option<Seq>,
}

impl New {
    /// Whether it says only that a value which this node had already stands again, with a record that was deleted.
    #[must_use]
    pub fn only_stands_again(&self) -> bool {
        self.base == Some(self.version)
    }
}

/// A column's value as it stands here.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// The value.
    pub value: &'a Value,
    /// What is known of it.
    pub state: &'a ColumnState,
    /// Whether the value is what the column has when nobody says anything: its default.
    pub is_default: bool,
    /// Whether what came is that default.
    pub came_default: bool,
}

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This very version stands here.
    Same,
    /// The value and version that came stand from now on.
    Taken,
    /// This satellite's own unacknowledged value stands until its central decides.
    Kept,
    /// What stands here stands, and goes back to where the other came from.
    Returned,
    /// Two places wrote without having seen each other.
    Conflict {
        /// Whether what came stands from now on.
        incoming_wins: bool,
        /// What decided so.
        rule: ConflictRule,
    },
}

/// Decides about one column; at a central also about several that are merged as one value, all of which have one
/// outcome.
#[must_use]
pub fn merge(setting: &Setting, treatment: Treatment, pairs: &[Pair<'_>]) -> Outcome {
    match setting.side {
        Side::Satellite => keep(setting, pairs),
        Side::Central => decide(setting, treatment, pairs),
    }
}

/// The list of a satellite: it never decides.
fn keep(setting: &Setting, pairs: &[Pair<'_>]) -> Outcome {
    if pairs.iter().all(Pair::is_same) {
        return Outcome::Same;
    }
    let is_unseen = |Pair { new, local }: &Pair<'_>| {
        // What was written here after a held value's sender last heard of this node has been, or will be, decided
        // elsewhere: an acknowledgement that came since says nothing of the held value.
        let acknowledged = setting.acknowledged.min(new.known.unwrap_or(setting.acknowledged));
        is_unacknowledged(local.state, setting.uplink, acknowledged)
    };
    let is_unseen = pairs.iter().any(is_unseen) && !is_on(Fault::UnacknowledgedOverwritten);
    if is_unseen { Outcome::Kept } else { Outcome::Taken }
}

/// The list of a central, first that fits.
fn decide(setting: &Setting, treatment: Treatment, pairs: &[Pair<'_>]) -> Outcome {
    let (mut newer, mut older, mut concurrent) = (false, false, false);
    for pair in pairs {
        match pair.relation(setting) {
            Relation::Same => {}
            Relation::Newer => newer = true,
            Relation::Older => older = true,
            Relation::Concurrent => concurrent = true,
        }
    }
    match (newer, older) {
        _ if concurrent => {}
        // Of columns that are one value, each end is ahead in one: nobody has seen what the other means.
        (true, true) => {}
        (true, false) => return Outcome::Taken,
        (false, true) => return Outcome::Returned,
        (false, false) => return Outcome::Same,
    }
    let latest = |version: fn(&Pair<'_>) -> Version| pairs.iter().map(version).max();
    let (new, loc) = (latest(|pair| pair.new.version), latest(|pair| pair.local.state.version));
    let the_later = if new > loc { Outcome::Taken } else { Outcome::Returned };
    // "values equal: the later version, no conflict"
    if pairs.iter().all(|pair| pair.new.value == *pair.local.value) {
        return the_later;
    }
    // "where both ends created a record, null or the column's default gives way without a conflict"
    if pairs.iter().all(|pair| pair.new.base.is_none()) && !is_on(Fault::DefaultInsists) {
        if pairs.iter().all(|pair| pair.local.is_default) {
            return Outcome::Taken;
        }
        if pairs.iter().all(|pair| pair.local.came_default) {
            return Outcome::Returned;
        }
    }
    let time = |effective: fn(&Pair<'_>) -> TimeMs| pairs.iter().map(effective).max();
    let came = time(|pair| pair.new.effective.unwrap_or(pair.new.version.time));
    let stood = time(|pair| pair.local.state.effective_time());
    let is_newer = ((came, new) > (stood, loc)) != is_on(Fault::OlderWins);
    if treatment.is_quiet {
        return if is_newer { Outcome::Taken } else { Outcome::Returned };
    }
    let (incoming_wins, rule) = match treatment.policy {
        ConflictPolicy::Newest => (is_newer, ConflictRule::Newest),
        ConflictPolicy::Central => (false, ConflictRule::Central),
        ConflictPolicy::Ask => (false, ConflictRule::Ask),
        ConflictPolicy::Satellite if pairs.iter().all(|pair| !pair.is_from_a_satellite(setting)) => {
            (true, ConflictRule::Satellite)
        }
        // Between two satellites, the newest.
        ConflictPolicy::Satellite => (is_newer, ConflictRule::Newest),
    };
    Outcome::Conflict { incoming_wins, rule }
}

/// How what came stands to what stands here, by versions alone.
enum Relation {
    Same,
    /// Whoever wrote it had seen what stands here.
    Newer,
    /// What stands here was written upon it.
    Older,
    Concurrent,
}

impl Pair<'_> {
    fn is_same(&self) -> bool {
        self.new.version == self.local.state.version
    }

    fn relation(&self, setting: &Setting) -> Relation {
        let (new, state) = (self.new, self.local.state);
        let loc = state.version;
        if self.is_same() {
            return Relation::Same;
        }
        // "loc = base, or loc came over the same link: taken"
        if new.base == Some(loc) || (state.came_over(setting.link) && !setting.is_late) {
            return Relation::Newer;
        }
        // Whoever wrote it had seen as much as stands here.
        let upon = new.base.filter(|base| !base.is_found() && *base != Version::YOURS);
        if upon.is_some_and(|upon| state.alike == Some(upon) || (state.only_stands_again() && upon > loc)) {
            return Relation::Newer;
        }
        // What stands here instead was written by somebody who had seen it, or decided about here.
        if new.only_stands_again() {
            return Relation::Older;
        }
        // What this node had itself, and lost when its database was restored, was made upon what it went on from. Of two
        // such values, one may have been decided against the other, and only the lost `conflicts` said so.
        if new.base == Some(Version::YOURS) && state.first_place() <= setting.went_on_from {
            return Relation::Newer;
        }
        // What setup found there is what was overwritten here.
        if new.version.is_found() && state.base == Some(new.version) {
            return Relation::Older;
        }
        // One writer writes a record in order, each time upon what it wrote before.
        if new.version.writer == loc.writer && !new.version.is_found() && setting.is_one_history(loc.writer) {
            return if new.version > loc { Relation::Newer } else { Relation::Older };
        }
        Relation::Concurrent
    }

    /// Whether what stands here came from a satellite: it was neither written here, nor came from above.
    fn is_from_a_satellite(&self, setting: &Setting) -> bool {
        let state = self.local.state;
        let from_above = setting.uplink.is_some() && state.source == setting.uplink;
        let own = state.version.writer.node == setting.me.node || (state.version.is_found() && state.source.is_none());
        !own && !from_above
    }
}

/// What is known of a column from now on, if an outcome changes that; and whether what came stands.
#[must_use]
pub fn after(outcome: Outcome, setting: &Setting, pair: &Pair<'_>, seq: Seq) -> Option<(ColumnState, bool)> {
    if pair.is_same() {
        return None;
    }
    let (state, is_taken, other) = match outcome {
        Outcome::Same | Outcome::Kept => return None,
        Outcome::Taken | Outcome::Conflict { incoming_wins: true, .. } => {
            (taken(setting, pair.new, Some(pair.local.state), seq), true, pair.local.state.version)
        }
        Outcome::Returned | Outcome::Conflict { incoming_wins: false, .. } => {
            if is_on(Fault::LoserNotSentBack) {
                return None;
            }
            (returned(pair.local.state, setting, seq), false, pair.new.version)
        }
    };
    // Whoever writes upon the value may have seen either version of it.
    let is_alike = pair.new.value == *pair.local.value && !other.is_found() && other < state.version;
    let alike = if is_alike { Some(other) } else { state.alike };
    Some((ColumnState { alike, ..state }, is_taken))
}

/// What is known of a column whose incoming value was taken.
#[must_use]
pub fn taken(setting: &Setting, new: &New, local: Option<&ColumnState>, seq: Seq) -> ColumnState {
    // It was held here until its central had lost it.
    if setting.side == Side::Satellite && new.base == Some(Version::YOURS) {
        return ColumnState { effective: new.effective, base: new.base, ..ColumnState::new(new.version, seq) };
    }
    // Only a node with a central of its own needs to know what its change was based on.
    let base = match (setting.side, setting.uplink) {
        (Side::Central, Some(_)) => local.and_then(|state| base_for_next(state, setting.uplink, setting.acknowledged)),
        // Other places may still send what was overwritten, if setup found it there.
        (Side::Central, None) => {
            let found = |base: Option<Version>| base.filter(|base| base.is_found());
            found(new.base).or_else(|| found(local.and_then(|state| state.base)))
        }
        _ => None,
    };
    // A satellite may have gone on since it sent what was held: it is told what stands.
    let source = Some(setting.link).filter(|_| setting.side == Side::Satellite || new.known.is_none());
    ColumnState { effective: new.effective, source, base, ..ColumnState::new(new.version, seq) }
}

/// What is known of a column whose value stands and must reach the link that sent another one.
#[must_use]
pub fn returned(local: &ColumnState, setting: &Setting, seq: Seq) -> ColumnState {
    let again = local.again_at(seq);
    if local.source == Some(setting.link) { again.asserted(None) } else { again }
}
