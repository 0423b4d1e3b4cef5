//! The central's own clock is wrong.

use saddlebag_importer::clocks::{ClockDoubt, doubt};

use super::*;

fn doubt_of(world: &mut World) -> Option<ClockDoubt> {
    let node = &mut world.fleet.nodes[MINISTRY];
    node.store.begin(Access::Read).unwrap();
    let links = node.store.links().unwrap();
    node.store.rollback().unwrap();
    doubt(TimeMs(node.clock.0.get()), &links)
}

on_engines!(a_central_in_the_past_shifts_nothing_and_says_so: sqlite SQLITE, postgres POSTGRES);
fn a_central_in_the_past_shifts_nothing_and_says_so(on: Engines) {
    // Before there was a saddlebag, and half a year behind what it said itself.
    for (seed, says, why) in
        [(1, PAST[0], ClockDoubt::Before2025), (2, START - 180 * DAY, ClockDoubt::BehindLastContact)]
    {
        let mut world = World::new(on, seed);
        world.set(MINISTRY, says);
        assert_eq!(doubt_of(&mut world), Some(why));
        world.note(WRONG, "A", "earlier");
        world.note(HONEST, "A", "later");
        world.note(WRONG, "B", "alone");
        world.carry(HONEST, MINISTRY);
        world.carry(WRONG, MINISTRY);
        assert!(doubt_of(&mut world).is_some(), "also after everybody was heard");
        world.stands("A", "later");
        world.stands("B", "alone");
        let (conflict, values) = world.only_conflict();
        assert_eq!(values, ["later", "earlier"]);
        assert!(conflict.clock_doubted, "it was decided by a clock that is not believed");
        assert_eq!((conflict.winner.effective, conflict.loser.effective), (None, None), "nothing was shifted");
        // Its own edits: later than what they are made upon; ties are lost.
        world.note(MINISTRY, "B", "of the ministry");
        world.stands("B", "of the ministry");
        world.note(HONEST, "C", "honest");
        world.note(MINISTRY, "C", "of the ministry");
        world.stands("C", "honest");
        world.set_right(MINISTRY);
        world.settle();
        assert_eq!(doubt_of(&mut world), None, "it was set right");
    }
}

on_engines!(a_central_in_the_future_is_doubted_when_its_satellites_agree: sqlite SQLITE, postgres POSTGRES);
fn a_central_in_the_future_is_doubted_when_its_satellites_agree(on: Engines) {
    for (seed, future) in (1..).zip(FUTURE) {
        let mut world = World::new(on, seed);
        world.set(MINISTRY, future);
        assert_eq!(doubt_of(&mut world), None, "nobody was heard yet");
        world.note(WRONG, "F", "one");
        world.note(HONEST, "E", "other");
        world.settle();
        assert_eq!(doubt_of(&mut world), Some(ClockDoubt::AheadOfSatellites));
        world.note(WRONG, "A", "earlier");
        world.note(HONEST, "A", "later");
        world.carry(HONEST, MINISTRY);
        world.carry(WRONG, MINISTRY);
        world.stands("A", "later");
        let (conflict, _) = world.only_conflict();
        assert!(conflict.clock_doubted);
        // A tie with an edit of its own: it wins by its wrong clock, and the conflict says that it is not believed.
        world.note(MINISTRY, "B", "of the ministry");
        world.note(HONEST, "B", "honest");
        world.stands("B", "of the ministry");
        let all = world.conflicts();
        assert!(all.len() == 2 && all.iter().all(|conflict| conflict.clock_doubted));
        world.set_right(MINISTRY);
        assert_eq!(doubt_of(&mut world), None, "what it heard agrees with it again");
        world.note(HONEST, "B", "in the end");
        world.stands("B", "in the end");
    }
}
