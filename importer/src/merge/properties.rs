//! What holds for every decision: for all versions, sources, rules and groups of columns.

use proptest::prelude::*;
use saddlebag_formats::{Epoch, NodeId};

use super::*;

const ME: Writer = Writer { node: NodeId([9; 16]), epoch: Epoch(1) };
const LINK: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);

/// What one column holds at both ends, without the satellite having seen what the central has, unless `base` says so.
#[derive(Debug, Clone)]
struct Column {
    came: New,
    stands: Value,
    state: ColumnState,
}

fn version(time: i64, node: u8) -> Version {
    Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } }
}

prop_compose! {
    fn any_version()(time in 1..30i64, node in prop_oneof![Just(1u8), Just(2), Just(9)]) -> Version {
        version(time, node)
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 4 => (0..3i64).prop_map(Value::Integer)]
}

fn any_effective() -> impl Strategy<Value = Option<TimeMs>> {
    prop_oneof![4 => Just(None), 1 => (1..20i64).prop_map(|time| Some(TimeMs(time)))]
}

prop_compose! {
    fn any_column()(
        (new, base, effective) in (any_version(), proptest::option::of(any_version()), any_effective()),
        (loc, known, stood) in (any_version(), proptest::option::of(any_version()), any_effective()),
        (came, stands) in (any_value(), any_value()),
        source in prop_oneof![Just(None), Just(Some(LINK)), Just(Some(OTHER))],
        is_seen in prop::bool::weighted(0.2),
    ) -> Column {
        let base = if is_seen { Some(loc) } else { base };
        let state = ColumnState { effective: stood, source, base: known, ..ColumnState::new(loc, Seq(3)) };
        // One version means one value.
        let stands = if loc == new { came.clone() } else { stands };
        Column { came: New { value: came, version: new, base, effective, known: None }, stands, state }
    }
}

prop_compose! {
    fn any_treatment()(
        policy in prop_oneof![
            Just(ConflictPolicy::Newest),
            Just(ConflictPolicy::Central),
            Just(ConflictPolicy::Satellite),
            Just(ConflictPolicy::Ask),
        ],
        is_quiet in prop::bool::weighted(0.1),
    ) -> Treatment {
        Treatment { policy, is_quiet }
    }
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    prop::collection::vec(any_column(), 1..4)
}

fn central() -> Setting {
    Setting {
        side: Side::Central,
        link: LINK,
        uplink: None,
        acknowledged: Seq(0),
        me: ME,
        went_on_from: Seq(0),
        left: None,
        is_late: false,
    }
}

impl Column {
    fn pair(&self) -> Pair<'_> {
        let (is_default, came_default) = (self.stands.is_null(), self.came.value.is_null());
        Pair { new: &self.came, local: Local { value: &self.stands, state: &self.state, is_default, came_default } }
    }

    /// Whether versions alone say that one was written upon the other.
    fn is_ordered(&self) -> bool {
        let (new, loc) = (self.came.version, self.state.version);
        let is_upon = |base: Version| !base.is_found() && self.state.base == Some(base);
        let is_known =
            self.came.base == Some(loc) || self.came.only_stands_again() || self.came.base.is_some_and(is_upon);
        new == loc || is_known || self.state.source == Some(LINK) || new.writer == loc.writer
    }

    fn gives_way(&self) -> bool {
        self.came.base.is_none() && (self.stands.is_null() || self.came.value.is_null())
    }
}

fn decide_on(columns: &[Column], treatment: Treatment) -> Outcome {
    let pairs: Vec<Pair<'_>> = columns.iter().map(Column::pair).collect();
    merge(&central(), treatment, &pairs)
}

proptest! {
    #[test]
    fn the_same_question_has_the_same_answer(columns in columns(), treatment in any_treatment()) {
        let mut turned = columns.clone();
        turned.reverse();
        prop_assert_eq!(decide_on(&columns, treatment), decide_on(&columns, treatment));
        prop_assert_eq!(decide_on(&columns, treatment), decide_on(&turned, treatment), "in whichever order they stand");
    }

    /// A value that goes without its writer's having been seen is told, unless it says nothing or nobody wants to know.
    #[test]
    fn nothing_is_overwritten_unseen(columns in columns(), treatment in any_treatment()) {
        let treatment = Treatment { is_quiet: false, ..treatment };
        let differs = columns.iter().any(|column| column.came.value != column.stands);
        let is_unseen = columns.iter().any(|column| !column.is_ordered());
        let gives_way = columns.iter().all(Column::gives_way);
        let outcome = decide_on(&columns, treatment);
        if is_unseen && differs && !gives_way {
            prop_assert!(matches!(outcome, Outcome::Conflict { .. }), "{:?}", outcome);
        }
        if !differs {
            prop_assert!(!matches!(outcome, Outcome::Conflict { .. }), "equal values are no conflict");
        }
    }

    /// The later of two stands, whichever of them was there first.
    #[test]
    fn newest_does_not_depend_on_who_comes_first(mut column in any_column(), is_quiet: bool) {
        (column.came.base, column.state.base, column.state.source) = (None, None, Some(OTHER));
        let turned = Column {
            came: New {
                value: column.stands.clone(),
                version: column.state.version,
                effective: column.state.effective,
                ..column.came.clone()
            },
            stands: column.came.value.clone(),
            state: ColumnState { version: column.came.version, effective: column.came.effective, ..column.state },
        };
        let stands = |column: &Column| {
            let treatment = Treatment { policy: ConflictPolicy::Newest, is_quiet };
            let after = after(decide_on(std::slice::from_ref(column), treatment), &central(), &column.pair(), Seq(9));
            after.map_or(column.state.version, |(state, _)| state.version)
        };
        prop_assert_eq!(stands(&column), stands(&turned));
    }

    #[test]
    fn what_stands_is_one_of_the_two_and_all_of_a_group_come_from_one_side(
        columns in columns(),
        treatment in any_treatment(),
    ) {
        let outcome = decide_on(&columns, treatment);
        let sides: Vec<bool> = columns
            .iter()
            .filter_map(|column| {
                let (state, came) = after(outcome, &central(), &column.pair(), Seq(9))?;
                assert_eq!(state.version, if came { column.came.version } else { column.state.version });
                Some(came)
            })
            .collect();
        prop_assert!(sides.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", sides);
    }

    /// "After a quiet round both ends of a link hold the same version of every shared column."
    #[test]
    fn after_the_decision_and_its_return_both_ends_hold_one_version(
        columns in columns(),
        treatment in any_treatment(),
    ) {
        let outcome = decide_on(&columns, treatment);
        for column in &columns {
            let central_state = after(outcome, &central(), &column.pair(), Seq(9)).map_or(column.state, |(state, _)| state);
            let mine = ColumnState { base: column.came.base, ..ColumnState::new(column.came.version, Seq(5)) };
            // What is withheld from a link is what came over it, and still stands.
            if central_state.source == Some(LINK) {
                prop_assert_eq!(central_state.version, mine.version);
                continue;
            }
            // The return acknowledges what it decides about.
            let satellite =
                Setting { side: Side::Satellite, link: OTHER, uplink: Some(OTHER), acknowledged: Seq(5), ..central() };
            let back = New {
                value: Value::Integer(7),
                version: central_state.version,
                base: None,
                effective: None,
                known: None,
            };
            let value = column.came.value.clone();
            let local = Local { value: &value, state: &mine, is_default: false, came_default: false };
            let pair = Pair { new: &back, local };
            let then = merge(&satellite, Treatment::default(), &[pair]);
            let end = after(then, &satellite, &pair, Seq(6)).map_or(mine, |(state, _)| state);
            prop_assert_eq!(end.version, central_state.version);
            // Before the acknowledgement, its own stands.
            let early = Setting { acknowledged: Seq(4), ..satellite };
            let kept = merge(&early, Treatment::default(), &[pair]);
            prop_assert!(matches!(kept, Outcome::Kept | Outcome::Same));
        }
    }
}
