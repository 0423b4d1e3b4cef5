//! What is held, who waits for whom, and whose clock is doubtful.

use saddlebag_couriers::Node;
use saddlebag_couriers::check::check;
use saddlebag_couriers::health::ClockDoubt;
use saddlebag_couriers::held::{self, HeldItem, HeldKind};
use saddlebag_couriers::node::NodeError;
use saddlebag_couriers::status::status;
use saddlebag_couriers::system::SystemEntropy;
use saddlebag_formats::TimeMs;
use saddlebag_formats::ambient::Clock;

use crate::world::{Place, World, link};

const ANNA: &str =
    "INSERT INTO patient (uuid, name, phone) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna', '1')";
const BEN: &str = "22222222-2222-4222-8222-222222222222";

/// A ministry that takes no phone number twice, and has the one that a clinic gives to Ben, who has a visit.
fn collision() -> (World, Place, Place) {
    let (world, clinic, ministry) = World::pair();
    ministry.application(&format!("{ANNA}; CREATE UNIQUE INDEX phones ON patient (phone)"));
    ministry.setup();
    clinic.application(&ben());
    clinic.application("INSERT INTO visit (patient_id, note) VALUES (1, 'cough')");
    clinic.sync(&world.stick());
    ministry.sync(&world.stick());
    (world, clinic, ministry)
}

fn ben() -> String {
    format!("INSERT INTO patient (uuid, name, phone) VALUES ('{BEN}', 'Ben', '1')")
}

#[test]
fn a_parked_change_says_for_which_held_one_it_waits() {
    let (_world, _clinic, ministry) = collision();
    let mut node = ministry.open();
    let list = held::list(&mut node).unwrap();
    let one = |kind: HeldKind| list.held.iter().find(|held| held.kind == kind).unwrap();
    let (visit, patient) = (one(HeldKind::Parked), one(HeldKind::Quarantined));
    assert_eq!((visit.record.table.as_str(), patient.record.table.as_str()), ("visit", "patient"));
    let HeldItem::Change(shown) = held::show(&mut node, &visit.id).unwrap() else { panic!("it is a change") };
    assert_eq!(shown.change, *visit);
    assert_eq!(shown.waits_for.len(), 1);
    assert_eq!(
        (&shown.waits_for[0].record.uid, shown.waits_for[0].held_as.as_ref()),
        (&BEN.to_owned(), Some(&patient.id))
    );
    assert_eq!(shown.waits_for[0].column, "patient_id");
}

#[test]
fn what_stood_in_the_way_is_gone_and_all_is_applied() {
    let (_world, clinic, ministry) = collision();
    ministry.application("UPDATE patient SET phone = '2' WHERE name = 'Anna'");
    let done = held::retry(&mut ministry.open(), None).unwrap();
    assert_eq!((done.applied.len(), done.still_held.len(), done.records), (2, 0, 2));
    assert!(ministry.shows().iter().any(|shown| shown.ends_with("Ben 1 cough")), "{:?}", ministry.shows());
    assert!(held::list(&mut ministry.open()).unwrap().is_empty());
    assert_eq!(clinic.shows().len(), 1);
}

#[test]
fn one_record_held_over_two_links_is_two_things() {
    let (world, _clinic, ministry) = collision();
    let hospital = world.ready("hospital", false);
    link(&hospital, &ministry);
    hospital.application(&ben());
    hospital.sync(&world.stick());
    ministry.sync(&world.stick());
    let mut node = ministry.open();
    let error = held::show(&mut node, BEN).unwrap_err();
    let NodeError::AmbiguousHeld { candidates, .. } = &error else { panic!("{error}") };
    assert!(candidates.len() == 2 && candidates.iter().any(|told| told.ends_with("from hospital")), "{candidates:?}");
    for told in candidates {
        let id = told.split(' ').next().unwrap();
        let HeldItem::Change(shown) = held::show(&mut node, id).unwrap() else { panic!("it is a change") };
        assert!(told.ends_with(&shown.change.from));
    }
    let id = candidates.iter().find(|told| told.ends_with("hospital")).unwrap().split(' ').next().unwrap();
    assert!(matches!(held::drop_held(&mut node, id, " \n"), Err(NodeError::NoReason)));
    held::drop_held(&mut node, id, "the clinic has him").unwrap();
    let list = held::list(&mut node).unwrap();
    assert!(list.held.iter().all(|held| held.from == "clinic"));
    assert_eq!((list.dropped.len(), list.dropped[0].from.as_str()), (1, "hospital"));
    assert!(held::show(&mut node, BEN).is_ok(), "one is left");
}

#[test]
fn an_unknown_id_changes_nothing() {
    let (_world, _clinic, ministry) = collision();
    let mut node = ministry.open();
    assert!(matches!(held::retry(&mut node, Some("zz")), Err(NodeError::UnknownHeld { .. })));
    assert!(matches!(held::show(&mut node, ""), Err(NodeError::UnknownHeld { .. })));
    let id = held::list(&mut node).unwrap().held[0].id.clone();
    assert!(matches!(held::resolve_same_as(&mut node, &id, "999"), Err(NodeError::UnknownRecord { .. })));
    assert_eq!(held::list(&mut node).unwrap().held.len(), 2);
}

/// A clock that stands still.
#[derive(Debug)]
struct Stopped(TimeMs);

impl Clock for Stopped {
    fn now(&self) -> TimeMs {
        self.0
    }
}

fn at(place: &Place, time: i64) -> Node {
    Node::open_with(&place.folder, Box::new(Stopped(TimeMs(time))), Box::new(SystemEntropy)).unwrap()
}

#[test]
fn a_clock_that_cannot_be_right_is_told() {
    let (_world, _clinic, ministry) = collision();
    let contact = status(&mut ministry.open()).unwrap().links[0].last_contact.unwrap();
    let doubt = |time: i64| status(&mut at(&ministry, time)).unwrap().clock_doubt;
    assert_eq!(doubt(1_600_000_000_000), Some(ClockDoubt::Before2025));
    assert_eq!(doubt(contact.0 - 60_001), Some(ClockDoubt::BehindLastContact));
    assert_eq!(doubt(contact.0 - 60_000), None, "as clocks are set right every day");
}

#[test]
fn health_of_a_neighbour_is_that_of_its_last_bundle() {
    let (world, clinic, ministry) = collision();
    let told = |place: &Place| status(&mut place.open()).unwrap().links[0].health.clone();
    let health = told(&ministry).unwrap();
    assert_eq!((health.told.waiting, health.told.quarantined), (2, 0));
    assert!(health.clock_ahead_ms <= 0, "the bundle was made before it came");
    assert_eq!(told(&clinic), None, "nothing came yet");
    clinic.sync(&world.stick());
    let health = told(&clinic).unwrap();
    assert_eq!((health.told.parked, health.told.quarantined), (1, 1));
}

#[test]
fn a_check_of_many_rows_finds_each_that_differs() {
    let world = World::new();
    let clinic = world.place("clinic");
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        INSERT INTO patient (uuid, name) SELECT 'u-' || i, 'name ' || i FROM n";
    clinic.application(many);
    clinic.found(false).unwrap();
    clinic.setup();
    assert_eq!(check(&mut clinic.open(), false, &mut |_| ()).unwrap().differences, 0);
    let update = clinic.texts("SELECT sql FROM sqlite_schema WHERE name LIKE 'saddlebag_1_update%'").remove(0);
    let name = clinic.texts("SELECT name FROM sqlite_schema WHERE name LIKE 'saddlebag_1_update%'").remove(0);
    clinic.application(&format!("DROP TRIGGER {name}; UPDATE patient SET phone = '1' WHERE id % 2 = 0; {update}"));
    let report = check(&mut clinic.open(), false, &mut |_| ()).unwrap();
    let patient = report.tables.iter().find(|table| table.table == "patient").unwrap();
    assert_eq!((patient.rows, patient.changed, patient.unseen, patient.gone), (2500, 1250, 0, 0));
    assert_eq!(patient.records.len(), saddlebag_couriers::check::NAMED_MAX);
    let report = check(&mut clinic.open(), true, &mut |_| ()).unwrap();
    assert_eq!((report.repaired.unwrap().changed, report.left()), (1250, 0));
}
