//! What came once keeps the time by which it counted then: held changes, bundles that wait, several parts.

use super::*;

on_engines!(what_is_held_and_tried_later_counts_as_when_it_came: sqlite SQLITE, postgres POSTGRES);
fn what_is_held_and_tried_later_counts_as_when_it_came(on: Engines) {
    let names = ["ministry", "wrong", "honest"];
    let plan = FleetPlan { names: &names, tables: TABLES, seed: 7, engines: on };
    let mut world = World::of(Fleet::new(&plan, |index, app| {
        app.execute_batch(SCHEMA).unwrap();
        if index == MINISTRY {
            app.execute_batch("CREATE UNIQUE INDEX one_pressure ON visit (pressure)").unwrap();
        }
    }));
    world.set(WRONG, FUTURE[1]);
    world.run(WRONG, "UPDATE visit SET note = 'wrong', pressure = 'taken' WHERE ref = 'A'");
    world.run(MINISTRY, "UPDATE visit SET pressure = 'taken' WHERE ref = 'B'");
    world.carry(WRONG, MINISTRY);
    assert_eq!(world.fleet.nodes[MINISTRY].held().len(), 1, "the ministry has such a visit");
    world.note(HONEST, "A", "honest");
    world.carry(HONEST, MINISTRY);
    // The clock is right when it is tried again: nothing but what was kept says that it was not.
    world.set_right(WRONG);
    world.run(MINISTRY, "UPDATE visit SET pressure = 'free' WHERE ref = 'B'");
    world.stands("A", "honest");
    let (conflict, values) = world.only_conflict();
    assert_eq!(values, ["honest", "wrong"]);
    assert!(
        conflict.loser.effective.unwrap() < conflict.winner.version.time && conflict.loser.version.time.0 > FUTURE[1]
    );
}

on_engines!(what_waits_for_a_bundle_before_it_is_shifted_all_the_same: sqlite SQLITE, postgres POSTGRES);
fn what_waits_for_a_bundle_before_it_is_shifted_all_the_same(on: Engines) {
    let mut world = World::new(on, 8);
    world.set(WRONG, FUTURE[1]);
    world.fleet.nodes[WRONG].records_per_bundle = 1;
    for record in ["A", "B", "C"] {
        world.note(WRONG, record, "wrong");
    }
    world.pass(MINUTE);
    let parts = world.fleet.export(WRONG, MINISTRY);
    assert_eq!(parts.len(), 3);
    let _waits = world.fleet.nodes[MINISTRY].import(&parts[2]).unwrap();
    world.pass(DAY);
    world.note(HONEST, "A", "honest");
    world.note(HONEST, "C", "honest");
    world.carry(HONEST, MINISTRY);
    world.pass(DAY);
    for part in [1, 0, 1, 2] {
        let _done = world.fleet.nodes[MINISTRY].import(&parts[part]).unwrap();
    }
    for record in ["A", "B", "C"] {
        let state = world.state(MINISTRY, record, "note");
        let counts = state.effective_time().0;
        assert!(counts <= world.now, "{record} counts as of {counts}");
    }
    // A day on the road cannot be told from a clock that is a day ahead.
    let all = world.conflicts();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|conflict| conflict.winner.effective.or(conflict.loser.effective).is_some()));
    // What is written after it came wins against all of it.
    world.note(HONEST, "B", "last");
    world.stands("B", "last");
}
