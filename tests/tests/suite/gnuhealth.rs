//! The real input: GNU Health's own database at a ministry and two clinics, with work that GNU Health's own code did.
//!
//! Once the clinics never touch the same old row: then all three must hold what one clinic would hold that did the
//! work of both. Once they treat the same patients and delete what the other edits: then every value that was
//! written must stand, or stand in `conflicts`. The courier loses bundles and brings others twice.

mod application;
mod oracle;
mod profile;
mod ten_rounds;
mod world;

use saddlebag_stores::ledger::ConflictKind;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::gnuhealth::{self, Beginning, Replay};
use saddlebag_tests::{on_engines, tell};

use oracle::Round;
use world::{CLINICS, Start, World};

/// Rounds of work, each followed by a courier's trips.
const ROUNDS: usize = 4;

on_engines!(two_clinics_with_patients_of_their_own_hold_what_one_would: sqlite SQLITE, postgres POSTGRES, mixed MIXED);
fn two_clinics_with_patients_of_their_own_hold_what_one_would(engines: Engines) {
    patients_of_their_own("two_clinics_with_patients_of_their_own_hold_what_one_would", engines, Start::Met);
}

on_engines!(copies_that_work_before_they_first_meet_hold_what_one_would: sqlite SQLITE, postgres POSTGRES);
fn copies_that_work_before_they_first_meet_hold_what_one_would(engines: Engines) {
    patients_of_their_own("copies_that_work_before_they_first_meet_hold_what_one_would", engines, Start::Strangers);
}

fn patients_of_their_own(test: &str, engines: Engines, start: Start) {
    let Some(beginning) = Beginning::of(test, engines) else { return };
    let recordings = beginning.apart();
    let one = beginning.alone(&world::counted());
    for recording in &recordings {
        let done =
            Replay::new(recording.clone(), &one.app).unwrap().run(&one.app, 0..recording.operations.len()).unwrap();
        assert_eq!(done.skipped, 0);
    }

    let mut world = World::new(&beginning, &recordings, start, 41);
    for round in 0..ROUNDS {
        for clinic in CLINICS {
            let done = world.work(clinic, round, ROUNDS);
            assert_eq!(done.refused, Vec::<String>::new(), "a sync is in the way of {clinic}");
            assert_eq!(done.skipped, 0, "a sync took away what {clinic} needs");
        }
        // The first trips leave some of it on the way.
        world.trip();
    }
    world.fleet.settle();
    world.assert_equal();

    let disputes = world.conflicts();
    assert!(disputes.is_empty(), "nobody touched what the other did: {disputes:#?}");
    let both = [("one clinic", &one.app), ("the ministry", &world.fleet.nodes[0].app)];
    let found = gnuhealth::differences(&both).unwrap();
    assert!(found.is_empty(), "{} differences: {:#?}", found.len(), &found[..found.len().min(10)]);
    let numbers = world.assert_numbers_in_dispute();
    assert!(numbers > 20, "only {numbers} numbers were given twice");
    tell(&format!("gnuhealth, apart, {engines:?}: {numbers} numbers given twice; {:?}", world.counts));
    world.assert_counted(&["made", "lost", "applied", "known already", "operations"]);
}

on_engines!(two_clinics_that_undo_each_others_work_lose_nothing: sqlite SQLITE, postgres POSTGRES);
fn two_clinics_that_undo_each_others_work_lose_nothing(engines: Engines) {
    let test = "two_clinics_that_undo_each_others_work_lose_nothing";
    let Some(beginning) = Beginning::of(test, engines) else { return };
    let mut world = World::new(&beginning, &beginning.together(), Start::Met, 43);
    let base = world.cells(1);
    let mut disputed = (0, 0);
    for round in 0..ROUNDS {
        let before = [1, 2].map(|clinic| world.cells(clinic));
        let done = CLINICS.map(|clinic| world.work(clinic, round, ROUNDS));
        let worked = [1, 2].map(|clinic| world.cells(clinic));
        world.trip();
        world.trip();
        world.fleet.settle();
        world.assert_equal();
        let settled = [1, 2].map(|clinic| world.cells(clinic));
        let round = Round { base: &base, catalogue: &world.catalogue, before, done, worked, settled };
        let expected = round.assert_nothing_lost();
        for dispute in expected {
            assert!(world.knows(&dispute), "{dispute:?} stands in no line of `conflicts`");
            match dispute.kind() {
                ConflictKind::Values => disputed.0 += 1,
                ConflictKind::Deletion => disputed.1 += 1,
            }
        }
    }
    let (values, deletions) = disputed;
    tell(&format!(
        "gnuhealth, together, {engines:?}: {values} values and {deletions} deletions in dispute; {:?}",
        world.counts
    ));
    assert!(values > 0 && deletions > 0, "{values} values and {deletions} deletions in dispute");
    world.assert_counted(&["made", "lost", "applied", "known already", "operations"]);
}
