//! An account of every value that was ever committed.
//!
//! Each of which there is one must be final somewhere, or overwritten or deleted by somebody who had seen it, or kept in
//! `conflicts`, in what is held, or beside a record.

use std::collections::BTreeSet;

use saddlebag_formats::{Action, Value};

use super::evidence::{Evidence, sides};
use super::schema::Role;
use super::world::{World, token};

pub(crate) fn account(world: &World, evidence: &Evidence) {
    let kept = kept(world, evidence);
    for (token, spot) in &world.written {
        let of = &world.spec.tables[spot.table];
        if of.columns[spot.column].role == Role::Excluded {
            continue;
        }
        let is_blind = world.deleted_blind.contains(&(spot.table, spot.tag.clone()));
        assert!(
            world.seen.contains(token) || kept.contains(token) || is_blind,
            "{token} was committed in `{}` of `{}` by {}, and nobody knows of it any more",
            of.columns[spot.column].name,
            of.name,
            super::schema::NAMES[spot.node],
        );
    }
    excluded_stay_at_home(world);
}

/// All values of which there is one, wherever they can be seen.
fn kept(world: &World, evidence: &Evidence) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for (look, node) in world.looks.iter().zip(&evidence.nodes) {
        for (table, rows) in look.tables.iter().enumerate() {
            for row in rows {
                let values = row.values.iter().enumerate();
                kept.extend(values.filter_map(|(column, value)| token(&world.spec, table, column, value.as_ref()?)));
            }
        }
        let mut keep = |value: &Value| {
            if let Value::Text(text) = value {
                kept.insert(text.to_lowercase());
            }
        };
        node.beside.values().for_each(|beside| keep(&beside.value));
        for held in &node.held {
            if let Action::Write { columns, .. } = &held.change.action {
                columns.iter().for_each(|column| keep(&column.value));
            }
        }
        kept.extend(node.conflicts.iter().flat_map(sides).map(|text| text.to_lowercase()));
    }
    kept
}

/// What is excluded is where it was written, and nowhere else.
fn excluded_stay_at_home(world: &World) {
    for (node, look) in world.looks.iter().enumerate() {
        for (table, rows) in look.tables.iter().enumerate() {
            for (column, of) in world.spec.tables[table].columns.iter().enumerate() {
                if of.role != Role::Excluded {
                    continue;
                }
                for row in rows {
                    let token = row.values[column].as_ref().and_then(|value| token(&world.spec, table, column, value));
                    let Some(token) = token.filter(|token| !token.starts_with("seed")) else { continue };
                    assert_eq!(world.written[&token].node, node, "{token} left its place");
                }
            }
        }
    }
    for (token, spot) in world.written.iter().filter(|(token, _)| !world.seen.contains(*token)) {
        if world.spec.tables[spot.table].columns[spot.column].role == Role::Excluded
            && let Some(row) = world.looks[spot.node].row(spot.table, &spot.tag)
        {
            let stands = row.values[spot.column].as_ref();
            let stands = stands.and_then(|value| super::world::token(&world.spec, spot.table, spot.column, value));
            assert_eq!(stands.as_ref(), Some(token), "an excluded value was overwritten");
        }
    }
}

/// Nobody is told of a conflict between a value and one that was written upon it.
///
/// Only where no feed was split over several bundles: a column that comes a second time within a split may have been
/// overwritten in between by somebody who had seen it.
pub(crate) fn conflicts_are_true(world: &mut World, evidence: &Evidence) {
    if world.fleet.nodes.iter().any(|node| node.records_per_bundle < 100_000) {
        return;
    }
    let knew = |value: &str, other: &str| {
        let mut at = value;
        while let Some(seen) = world.upon.get(at) {
            if seen == other {
                return true;
            }
            at = seen;
        }
        false
    };
    let mut checked = 0;
    for conflict in evidence.nodes.iter().flat_map(|node| &node.conflicts) {
        let sides: Vec<String> = sides(conflict).into_iter().map(|text| text.to_lowercase()).collect();
        let [winner, loser] = sides.as_slice() else { continue };
        // What stood at several places before saddlebag came is a value of each of them.
        if winner.starts_with("seed") || loser.starts_with("seed") {
            continue;
        }
        // A value that is held goes into `conflicts` when its writer's next edit might not have seen it any more: seen
        // from the central, an edit from before the receipt and one from after the value was taken back are alike.
        let node = |token: &str| world.written.get(token).map(|spot| spot.node);
        let mut edits = world.upon.iter().filter(|(_, seen)| *seen == loser).map(|(value, _)| value);
        if edits.any(|edit| node(edit) == node(loser)) {
            continue;
        }
        checked += 1;
        assert!(!knew(winner, loser), "{winner} was written upon {loser}, which is no conflict");
        assert!(!knew(loser, winner), "{loser} was written upon {winner}, which is no conflict");
    }
    world.add("true conflict", checked);
}
