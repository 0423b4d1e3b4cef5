//! OpenMRS's own database on PostgreSQL at a ministry and two clinics, with work as OpenMRS writes it.
//!
//! Once each place treats patients of its own: in the end every row must be what the place wrote that touched it. Once
//! all treat all of them: every value that stands must be one that somebody wrote last. The courier loses bundles and
//! brings others twice. What is compared is what the databases mean, by SQL of this test's own.

mod meaning;
mod oracle;
mod profile;
mod work;
mod world;

use saddlebag_tests::postgres::Cluster;
use saddlebag_tests::tell;

use meaning::{Meaning, differences};
use oracle::judge;
use work::Work;
use world::{World, dump, restore};

#[test]
fn the_same_seed_does_the_same_work() {
    let Some(dump) = dump("the_same_seed_does_the_same_work") else { return };
    let cluster = Cluster::shared().unwrap();
    let databases = [(); 3].map(|()| cluster.database());
    databases.iter().for_each(|database| restore(&dump, database.url()));
    let tables = world::profile().into_keys().collect();
    let mut clients = databases.each_ref().map(|database| database.client());
    let meaning = Meaning::read(&mut clients[0], tables);
    // Other keys for the same rows: nothing may depend on them.
    clients[1].batch_execute("SELECT setval(pg_get_serial_sequence('obs', 'obs_id'), 100000)").unwrap();
    for (client, seed) in clients.iter_mut().zip([5, 5, 6]) {
        Work::new(client, (1, 0), seed, 0).run(400);
        Work::new(client, (0, 0), seed + 100, 400).run(60);
    }
    let said = clients.each_mut().map(|client| meaning.of(client));
    assert_eq!(differences(&meaning, &said[0], &said[1]), (0, Vec::new()));
    assert!(differences(&meaning, &said[0], &said[2]).0 > 1_000, "another seed does other work");
}

#[test]
fn three_places_with_patients_of_their_own_end_equal() {
    let Some(dump) = dump("three_places_with_patients_of_their_own_end_equal") else { return };
    let mut world = World::new(&dump, 71);
    for _ in 0..2 {
        world.work(3, [45, 180, 180]);
        world.trip();
    }
    world.trip();
    world.fleet.settle();
    let end = world.assert_equal();
    let verdict = judge(&world.meaning, &world.base, &world.deeds, &end);
    assert!(
        verdict.wrong.is_empty(),
        "{} wrong: {:#?}",
        verdict.wrong.len(),
        &verdict.wrong[..verdict.wrong.len().min(10)]
    );
    assert_eq!(verdict.disputed, 0, "nobody touched what another did");
    let conflicts = world.conflicts();
    assert!(conflicts.is_empty(), "{conflicts:#?}");
    assert_order_numbers(&mut world);
    let touched: Vec<usize> = world.deeds.iter().map(oracle::Deeds::rows).collect();
    tell(&format!("openmrs, apart: {touched:?} rows touched, {} compared; {:?}", verdict.checked, world.counts));
    world.assert_counted(&["made", "lost", "applied", "known already", "merge two patients", "purge a relationship"]);
}

#[test]
fn places_that_treat_the_same_patients_lose_nothing() {
    let Some(dump) = dump("places_that_treat_the_same_patients_lose_nothing") else { return };
    let mut world = World::new(&dump, 73);
    let mut disputed = 0;
    for _ in 0..2 {
        world.work(0, [40, 150, 150]);
        world.trip();
        world.trip();
        world.fleet.settle();
        let end = world.assert_equal();
        let verdict = judge(&world.meaning, &world.base, &world.deeds, &end);
        let wrong = &verdict.wrong;
        assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
        disputed += verdict.disputed;
        // The next round begins with what all hold now.
        world.base = end;
        world.deeds = Default::default();
    }
    let conflicts = world.conflicts().len();
    assert!(disputed > 0 && conflicts > 0, "{disputed} in dispute, {conflicts} in `conflicts`");
    assert_order_numbers(&mut world);
    tell(&format!("openmrs, together: {disputed} in dispute, {conflicts} in `conflicts`; {:?}", world.counts));
    world.assert_counted(&["made", "lost", "applied", "known already"]);
}

/// Each place counts its orders by itself: two of them give one number to two orders, which both stand, everywhere.
fn assert_order_numbers(world: &mut World) {
    let twice = [0, 1, 2].map(|place| world.order_numbers_given_twice(place));
    assert!(twice[0].len() > 10 && twice[0] == twice[1] && twice[0] == twice[2], "{twice:?}");
    tell(&format!("openmrs: {} order numbers were given twice: {}, …", twice[0].len(), twice[0][..5].join(", ")));
}
