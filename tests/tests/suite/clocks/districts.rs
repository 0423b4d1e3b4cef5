//! Two centrals above one clinic: a time is shifted once, by whoever can measure the clock that wrote it.

use super::*;

const DISTRICT: usize = 1;
const CLINIC: usize = 2;
const OTHER: usize = 3;

fn districts(on: Engines, seed: u64) -> World {
    let names = ["ministry", "district", "clinic", "other"];
    let plan = FleetPlan { names: &names, tables: TABLES, seed, engines: on };
    World::of(Fleet::tree(&plan, &[0, 0, 1, 0], |_, app| app.execute_batch(SCHEMA).unwrap()))
}

on_engines!(what_a_district_has_shifted_its_central_leaves: sqlite SQLITE, postgres POSTGRES);
fn what_a_district_has_shifted_its_central_leaves(on: Engines) {
    let mut world = districts(on, 1);
    world.set(CLINIC, FUTURE[1]);
    world.note(CLINIC, "A", "of the clinic");
    let written = world.now;
    world.carry(CLINIC, DISTRICT);
    let below = world.state(DISTRICT, "A", "note");
    assert!((below.effective.unwrap().0 - written).abs() <= 2_000);
    world.note(OTHER, "A", "of the other");
    world.carry(OTHER, MINISTRY);
    world.pass(DAY);
    world.carry(DISTRICT, MINISTRY);
    world.stands("A", "of the other");
    let (conflict, values) = world.only_conflict();
    assert_eq!(values, ["of the other", "of the clinic"]);
    assert_eq!(conflict.loser.effective, below.effective, "as the district has it");
}

on_engines!(a_district_that_is_ahead_moves_nobody_elses_times: sqlite SQLITE, postgres POSTGRES);
fn a_district_that_is_ahead_moves_nobody_elses_times(on: Engines) {
    let mut world = districts(on, 2);
    let ahead = world.now + 200 * DAY;
    world.set(DISTRICT, ahead);
    world.note(OTHER, "A", "of the other");
    world.note(CLINIC, "A", "of the clinic");
    world.note(DISTRICT, "B", "of the district");
    world.note(OTHER, "B", "of the other");
    world.carry(CLINIC, DISTRICT);
    world.carry(OTHER, MINISTRY);
    world.carry(DISTRICT, MINISTRY);
    assert_eq!(world.state(MINISTRY, "A", "note").effective, None, "the clinic's clock was right");
    world.stands("A", "of the clinic");
    world.stands("B", "of the other");
    let all = world.conflicts();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|conflict| !conflict.clock_doubted));
}
