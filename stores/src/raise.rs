//! How an edit made here changes a row state. No database in it.

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::{ColumnState, LinkId, RowState, Seq, TimeMs, Version};

use crate::record::Tombstone;
use crate::store::AbsorbContext;

/// Whether the central has not acknowledged this state: it was written here or came from below, and lies beyond
/// what was acknowledged.
#[must_use]
pub fn is_unacknowledged(column: &ColumnState, uplink: Option<LinkId>, acknowledged: Seq) -> bool {
    let from_central = uplink.is_some() && column.source == uplink;
    column.first_place() > acknowledged && !from_central
}

/// What the state of a column that is about to be overwritten gives as the base of the next.
///
/// "`base` is the version that the row state held before its first unacknowledged change."
#[must_use]
pub fn base_for_next(before: &ColumnState, uplink: Option<LinkId>, acknowledged: Seq) -> Option<Version> {
    // Without a central, a base only says what setup found here and elsewhere.
    if uplink.is_none() && !is_on(Fault::BaseJustBefore) {
        return [Some(before.version), before.base].into_iter().flatten().find(|version| version.is_found());
    }
    // What setup found may have been found elsewhere as well: an edit of it was made upon just that.
    let is_known =
        is_on(Fault::BaseJustBefore) || before.version.is_found() || !is_unacknowledged(before, uplink, acknowledged);
    match before.base {
        base if !is_known && base != Some(Version::YOURS) => base,
        // What stands came back from a history that was lost elsewhere; what is written upon it did not.
        _ => Some(before.version),
    }
}

/// A record that absorb sees for the first time; `found` is the hash of a row that setup found and other places may have
/// found as well.
#[must_use]
pub fn created(at: TimeMs, found: Option<u64>, context: &AbsorbContext, seq: Seq) -> RowState {
    let version = match (at, found) {
        // What setup finds is older than anything that was written under our eyes.
        (TimeMs(0), Some(hash)) => Version::found(hash),
        (TimeMs(0), None) => Version { time: TimeMs(0), writer: context.writer },
        _ => Version::after(None, at, context.writer),
    };
    RowState::uniform(ColumnState::new(version, seq))
}

/// A record some of whose columns were edited.
#[must_use]
pub fn edited(
    before: &RowState,
    changed: &[u16],
    all: &[u16],
    at: TimeMs,
    context: &AbsorbContext,
    seq: Seq,
) -> RowState {
    let version = Version::after(Some(before.latest()), at, context.writer);
    let effective = effective_upon(before, version, at);
    let column = |id: u16| {
        let known = before.of(id);
        if !changed.contains(&id) {
            return (id, *known);
        }
        let base = base_for_next(known, context.uplink, context.acknowledged);
        let source = known.source.filter(|_| is_on(Fault::SourceKept));
        (id, ColumnState { effective, source, base, ..ColumnState::new(version, seq) })
    };
    let columns: Vec<_> = all.iter().map(|id| column(*id)).collect();
    RowState::from_columns(&columns).unwrap_or_else(|| before.clone())
}

/// The time by which an edit counts that was made upon a version which claims more than it counts: the wall clock's,
/// but later than all that it was made upon. Else one value of a clock in 2040 would put every later edit of the record
/// there.
fn effective_upon(before: &RowState, version: Version, wall: TimeMs) -> Option<TimeMs> {
    let least = TimeMs(before.latest_effective().0.saturating_add(1));
    Some(wall.max(least)).filter(|effective| *effective < version.time)
}

/// A record some of whose columns were not there before, or not shared: what stands in a column at its first sight is
/// older than any edit. `hash` is that of the row.
#[must_use]
pub fn first_seen(before: &RowState, columns: &[u16], all: &[u16], hash: u64, seq: Seq) -> RowState {
    let version = Version::found(hash);
    let new = ColumnState::new(version, seq);
    let column = |id: &u16| (*id, if columns.contains(id) { new } else { *before.of(*id) });
    RowState::from_columns(&all.iter().map(column).collect::<Vec<_>>()).unwrap_or_else(|| before.clone())
}

/// A record that was deleted and inserted again under the same uid: an edit of every column that this schema has. What
/// stands beside a record was not entered again.
#[must_use]
pub fn revived(
    tombstone: &Tombstone,
    present: &[u16],
    all: &[u16],
    at: TimeMs,
    context: &AbsorbContext,
    seq: Seq,
) -> RowState {
    let state = edited(&tombstone.state, present, all, at, context, seq);
    let version = Version::after(Some(tombstone.version.max(tombstone.state.latest())), at, context.writer);
    let column = |id: &u16| {
        let known = *state.of(*id);
        // It stands again at a new place: whoever was told of the deletion lacks it.
        if is_on(Fault::RevivalNotSent) {
            return (*id, ColumnState { version, seq: tombstone.state.of(*id).seq, ..known });
        }
        let column = if present.contains(id) {
            ColumnState { version, ..known }
        } else {
            ColumnState { seq, first: None, ..known }
        };
        (*id, upon_deletion((*id, column), tombstone, context.uplink, context.acknowledged))
    };
    RowState::from_columns(&all.iter().map(column).collect::<Vec<_>>()).unwrap_or(state)
}

/// A column of a record that stands again. Its base is its own version, if the central knows that: nobody has written
/// anything. Else it is the deletion, if the central knows of that, so that it is not taken for an edit by somebody who did not.
/// Where there is no central, the deletion tells what only stands again from what is written upon it.
#[must_use]
pub fn upon_deletion(
    (id, column): (u16, ColumnState),
    tombstone: &Tombstone,
    uplink: Option<LinkId>,
    acknowledged: Seq,
) -> ColumnState {
    let is_known = |state: &ColumnState| uplink.is_some() && !is_unacknowledged(state, uplink, acknowledged);
    let before = tombstone.state.of(id);
    if uplink.is_none() && before.version == column.version {
        return ColumnState { alike: Some(tombstone.version), ..column };
    }
    if before.version == column.version && is_known(before) {
        return ColumnState { base: Some(column.version), ..column };
    }
    if is_known(&tombstone.as_column()) { ColumnState { base: Some(tombstone.version), ..column } } else { column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::{Epoch, NodeId, Writer};

    const HERE: Writer = Writer { node: NodeId([1; 16]), epoch: Epoch(1) };
    const CENTRAL: Writer = Writer { node: NodeId([2; 16]), epoch: Epoch(1) };
    const UPLINK: LinkId = LinkId(1);

    fn context(acknowledged: u64) -> AbsorbContext {
        AbsorbContext { writer: HERE, acknowledged: Seq(acknowledged), uplink: Some(UPLINK) }
    }

    fn from_central() -> RowState {
        let version = Version { time: TimeMs(100), writer: CENTRAL };
        RowState::uniform(ColumnState { source: Some(UPLINK), ..ColumnState::new(version, Seq(5)) })
    }

    #[test]
    fn the_base_is_what_stood_before_the_first_unacknowledged_edit() {
        let before = from_central();
        let first = edited(&before, &[1], &[0, 1], TimeMs(200), &context(0), Seq(6));
        assert_eq!(first.of(1).base, Some(before.row.version));
        assert_eq!(*first.of(0), before.row);
        let second = edited(&first, &[1], &[0, 1], TimeMs(300), &context(0), Seq(7));
        assert_eq!(second.of(1).base, Some(before.row.version), "not acknowledged yet");
        let after = edited(&second, &[1], &[0, 1], TimeMs(400), &context(7), Seq(8));
        assert_eq!(after.of(1).base, Some(second.of(1).version), "acknowledged up to 7");
    }

    #[test]
    fn what_is_written_upon_something_that_was_lost_elsewhere_is_not_part_of_it() {
        let mut before = from_central();
        (before.row.source, before.row.base) = (None, Some(Version::YOURS));
        let edit = edited(&before, &[1], &[0, 1], TimeMs(200), &context(0), Seq(6));
        assert_eq!((edit.of(1).base, edit.of(0).base), (Some(before.row.version), Some(Version::YOURS)));
        let next = edited(&edit, &[1], &[0, 1], TimeMs(300), &context(0), Seq(7));
        assert_eq!(next.of(1).base, Some(before.row.version));
    }

    #[test]
    fn an_unacknowledged_creation_has_no_base() {
        let new = created(TimeMs(10), None, &context(0), Seq(1));
        let then = edited(&new, &[0], &[0, 1], TimeMs(20), &context(0), Seq(2));
        assert_eq!(then.of(0).base, None);
    }

    #[test]
    fn an_edit_of_what_setup_found_was_made_upon_just_that() {
        let found = created(TimeMs(0), Some(5), &context(0), Seq(1));
        let then = edited(&found, &[0], &[0, 1], TimeMs(20), &context(0), Seq(2));
        assert_eq!(then.of(0).base, Some(Version::found(5)), "though the central has not heard of it");
    }

    #[test]
    fn an_edit_is_later_than_every_column_of_the_record() {
        let new = edited(&from_central(), &[0], &[0, 1], TimeMs(1), &context(0), Seq(6));
        assert_eq!(new.of(0).version.time, TimeMs(101));
        let next = edited(&new, &[1], &[0, 1], TimeMs(1), &context(0), Seq(7));
        assert_eq!(next.of(1).version.time, TimeMs(102));
    }

    #[test]
    fn an_edit_upon_what_claims_the_future_counts_by_the_clock() {
        let mut before = from_central();
        before.row.effective = Some(TimeMs(40));
        let honest = edited(&before, &[0], &[0, 1], TimeMs(60), &context(0), Seq(6));
        assert_eq!((honest.of(0).version.time, honest.of(0).effective), (TimeMs(101), Some(TimeMs(60))));
        let behind = edited(&honest, &[0], &[0, 1], TimeMs(50), &context(0), Seq(7));
        assert_eq!((behind.of(0).version.time, behind.of(0).effective), (TimeMs(102), Some(TimeMs(61))));
        let later = edited(&behind, &[0], &[0, 1], TimeMs(500), &context(0), Seq(8));
        assert_eq!((later.of(0).version.time, later.of(0).effective), (TimeMs(500), None));
        // A repeated hour: what was written before counts by its version.
        let again = edited(&later, &[0], &[0], TimeMs(450), &context(0), Seq(9));
        assert_eq!((again.of(0).version.time, again.of(0).effective), (TimeMs(501), None));
    }

    #[test]
    fn what_setup_finds_is_older_than_all() {
        assert_eq!(created(TimeMs(0), None, &context(0), Seq(1)).row.version.time, TimeMs(0));
        assert_eq!(created(TimeMs(0), Some(5), &context(0), Seq(1)).row.version, Version::found(5));
    }

    #[test]
    fn a_record_that_lives_again_is_later_than_its_deletion() {
        let tombstone = Tombstone {
            uid: saddlebag_formats::Uid([0; 16]),
            table: 1,
            version: Version { time: TimeMs(900), writer: HERE },
            seq: Seq(9),
            source: None,
            state: from_central(),
            values: Vec::new(),
            same_as: None,
        };
        let state = revived(&tombstone, &[0, 1], &[0, 1], TimeMs(5), &context(0), Seq(10));
        assert!(state.row.version > tombstone.version);
        assert_eq!(state.row.base, Some(from_central().row.version));
        let known = revived(&tombstone, &[0, 1], &[0, 1], TimeMs(5), &context(9), Seq(10));
        assert_eq!(known.row.base, Some(tombstone.version), "the central knows of the deletion");
        let told_twice = RowState::uniform(from_central().row.again_at(Seq(7)));
        let tombstone = Tombstone { state: told_twice, ..tombstone };
        let beside = *revived(&tombstone, &[0], &[0, 1], TimeMs(5), &context(0), Seq(10)).of(1);
        let expected = (from_central().row.version, Seq(10), None);
        assert_eq!((beside.version, beside.seq, beside.first), expected, "what stands beside it too");
    }

    #[test]
    fn what_nobody_wrote_is_its_own_base_in_a_record_that_stands_again() {
        let tombstone = Tombstone {
            uid: saddlebag_formats::Uid([0; 16]),
            table: 1,
            version: Version { time: TimeMs(900), writer: CENTRAL },
            seq: Seq(9),
            source: Some(UPLINK),
            state: from_central(),
            values: Vec::new(),
            same_as: None,
        };
        let stood = ColumnState { seq: Seq(10), source: None, ..from_central().row };
        let written = ColumnState { version: Version { time: TimeMs(950), writer: HERE }, ..stood };
        let base = |column| upon_deletion((1, column), &tombstone, Some(UPLINK), Seq(0)).base;
        assert_eq!(base(stood), Some(stood.version));
        assert_eq!(base(written), Some(tombstone.version));
        let unknown = Tombstone { source: None, ..tombstone.clone() };
        let base = |column| upon_deletion((1, column), &unknown, Some(UPLINK), Seq(0)).base;
        assert_eq!(base(stood), Some(stood.version), "whether the central knows of the deletion or not");
        assert_eq!(base(written), written.base);
        let of_top = |column| upon_deletion((1, column), &unknown, None, Seq(0));
        let alike = Some(unknown.version);
        assert_eq!((of_top(stood), of_top(written)), (ColumnState { alike, ..stood }, written));
    }

    #[test]
    fn a_version_at_a_later_place_is_as_acknowledged_as_at_its_first() {
        let own = ColumnState { source: None, ..from_central().row };
        let again = own.again_at(Seq(20));
        assert!(!is_unacknowledged(&again, Some(UPLINK), Seq(5)));
        assert!(is_unacknowledged(&again, Some(UPLINK), Seq(4)));
    }
}
