//! Districts: admitted by the ministry, admitting clinics of their own without the deployment's key.

use std::fs;

use saddlebag_couriers::admission::{self, Standing};
use saddlebag_couriers::membership::{card, join};
use saddlebag_couriers::node::NodeError;
use saddlebag_couriers::status::{EntryProgress, NodeRole, status};
use saddlebag_keys::deployment::{ListError, Role};

use crate::world::{Place, World, link};

/// A ministry with the district `north`, which knows that it is one.
fn with_district() -> (World, Place, Place) {
    let world = World::new();
    let (ministry, north) = (world.ready("ministry", true), world.ready("north", false));
    link(&north, &ministry);
    admit(&ministry, &north, true);
    round(&world, &[&ministry, &north, &ministry]);
    (world, ministry, north)
}

fn admit(central: &Place, satellite: &Place, is_district: bool) -> Standing {
    let of_satellite = card(&mut satellite.open()).unwrap().bytes;
    admission::admit(&mut central.open(), &of_satellite, is_district).unwrap().standing
}

/// `join` at the clinic, `admit` at its district.
fn link_below(clinic: &Place, district: &Place, is_district: bool) -> Standing {
    let of_district = card(&mut district.open()).unwrap().bytes;
    join(&mut clinic.open(), &of_district).unwrap();
    admit(district, clinic, is_district)
}

fn round(world: &World, places: &[&Place]) {
    for place in places {
        place.sync(&world.stick());
    }
}

/// Rounds until everybody has heard of everything: a bundle that is on its way already is acknowledged first.
fn settle(world: &World, places: &[&Place]) {
    (0..3).for_each(|_| round(world, places));
}

fn listed(place: &Place) -> Vec<String> {
    let node = place.open();
    let (_, nodes) = node.deployment.as_ref().unwrap();
    nodes.list().nodes().iter().map(|node| node.name.to_string()).collect()
}

fn entries(place: &Place) -> Vec<(String, EntryProgress)> {
    let status = status(&mut place.open()).unwrap();
    status.entries.into_iter().map(|entry| (entry.name, entry.state)).collect()
}

#[test]
fn a_satellite_becomes_a_district_by_the_ministrys_next_list() {
    let world = World::new();
    let (ministry, north, clinic) =
        (world.ready("ministry", true), world.ready("north", false), world.ready("clinic", false));
    link(&north, &ministry);
    let own = card(&mut north.open()).unwrap();
    assert!(own.is_listed_satellite || own.card.role == Role::Satellite);
    let of_clinic = card(&mut clinic.open()).unwrap().bytes;
    let refused = admission::admit(&mut north.open(), &of_clinic, false).unwrap_err();
    assert!(matches!(refused, NodeError::NotADistrict { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("admit north.card --district"), "{refused}");
    assert_eq!(admit(&ministry, &north, true), Standing::Listed);
    assert_eq!(ministry.open().deployment.as_ref().unwrap().1.list().number(), 3);
    round(&world, &[&ministry, &north]);
    let own = card(&mut north.open()).unwrap();
    assert_eq!((own.card.role, own.is_listed_satellite), (Role::Central, false));
    assert_eq!(status(&mut north.open()).unwrap().role, NodeRole::District);
    let again = card(&mut north.open()).unwrap().bytes;
    let again = admission::admit(&mut ministry.open(), &again, true);
    assert!(matches!(again, Err(NodeError::AlreadyLinked { .. })));
}

#[test]
fn a_clinic_of_a_district_works_at_once_and_is_listed_when_its_entry_has_come() {
    let (world, ministry, north) = with_district();
    let clinic = world.ready("clinic", false);
    assert_eq!(link_below(&clinic, &north, false), Standing::Entered);
    assert_eq!(entries(&north), [("clinic".to_owned(), EntryProgress::GoesUp)]);
    clinic.application("INSERT INTO patient (uuid, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna')");
    round(&world, &[&clinic, &north]);
    assert_eq!(north.shows().len(), 1, "nobody waits for the list");
    let report = ministry.sync(&world.stick());
    assert_eq!(report.entries.listed, ["clinic"]);
    assert_eq!(ministry.shows(), clinic.shows());
    assert_eq!(listed(&ministry), ["ministry", "north", "clinic"]);
    settle(&world, &[&north, &clinic, &north, &ministry]);
    for place in [&north, &clinic] {
        assert_eq!(listed(place), ["ministry", "north", "clinic"], "{}", place.name);
        assert!(entries(place).is_empty());
    }
    let node = ministry.open();
    let list = node.deployment.as_ref().unwrap().1.list();
    assert_eq!(list.node_named(&"clinic".parse().unwrap()).unwrap().central, list.nodes().get(1).map(|node| node.id));
}

#[test]
fn an_entry_is_repeated_until_it_has_come() {
    let (world, ministry, north) = with_district();
    let clinic = world.ready("clinic", false);
    link_below(&clinic, &north, false);
    north.sync(&world.stick());
    for file in world.for_node("ministry") {
        fs::remove_file(file).unwrap();
    }
    north.sync(&world.stick());
    assert_eq!(ministry.sync(&world.stick()).entries.listed, ["clinic"]);
    assert!(ministry.sync(&world.stick()).entries.listed.is_empty());
}

#[test]
fn without_the_key_at_the_ministry_an_entry_waits_for_it() {
    let (world, ministry, north) = with_district();
    let clinic = world.ready("clinic", false);
    link_below(&clinic, &north, false);
    let key = ministry.folder.join("keys/deployment.key");
    let safe = world.root.path().join("safe.key");
    fs::copy(&key, &safe).unwrap();
    fs::remove_file(&key).unwrap();
    round(&world, &[&north, &ministry, &north]);
    assert_eq!(entries(&ministry), [("clinic".to_owned(), EntryProgress::LacksKey)]);
    assert_eq!(entries(&north), [("clinic".to_owned(), EntryProgress::PassedOn)]);
    let without = admission::list_waiting(&mut ministry.open());
    assert!(matches!(without, Err(NodeError::NoDeploymentKey { .. })));
    fs::copy(&safe, &key).unwrap();
    assert_eq!(admission::list_waiting(&mut ministry.open()).unwrap().listed, ["clinic"]);
    settle(&world, &[&ministry, &north, &clinic]);
    assert_eq!(listed(&clinic).len(), 3);
    assert!(entries(&north).is_empty());
}

#[test]
fn an_entry_whose_name_is_taken_is_refused_and_said_at_both_ends() {
    let (world, ministry, north) = with_district();
    let (twin, clinic) = (World::new().ready("clinic", false), world.ready("clinic", false));
    link_below(&clinic, &north, false);
    // The ministry lists another node of that name before the entry comes.
    let node = saddlebag_keys::NodeKeys::generate(&mut saddlebag_couriers::system::SystemEntropy);
    let id = saddlebag_formats::NodeId([9; 16]);
    let namesake = saddlebag_keys::Card::satellite("clinic".parse().unwrap(), id, &node, saddlebag_formats::TimeMs(0));
    admission::admit(&mut ministry.open(), &namesake.sign(&node.signing).unwrap(), false).unwrap();
    drop(twin);
    clinic.application("INSERT INTO patient (uuid, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna')");
    round(&world, &[&clinic, &north]);
    let report = ministry.sync(&world.stick());
    assert_eq!(report.entries.refused.len(), 1, "{:?}", report.entries);
    assert!(report.entries.refused[0].reason.contains("already has a node named clinic"));
    round(&world, &[&north]);
    for place in [&ministry, &north] {
        assert_eq!(entries(place), [("clinic".to_owned(), EntryProgress::Refused)], "{}", place.name);
    }
    assert_eq!(ministry.shows(), clinic.shows(), "the link goes on");
    // Told once and acknowledged: no bundle says it again.
    round(&world, &[&ministry, &north, &ministry, &north]);
    assert_eq!(entries(&north).len(), 1);
    // A person tries again: by now the district's own list has the name.
    let of_clinic = card(&mut clinic.open()).unwrap().bytes;
    let again = admission::admit(&mut north.open(), &of_clinic, false);
    assert!(matches!(again, Err(NodeError::List(ListError::NameTaken { .. }))), "{again:?}");
    assert_eq!(admission::list_waiting(&mut ministry.open()).unwrap().refused.len(), 1);
}

#[test]
fn a_district_within_a_district_and_its_clinic() {
    let (world, ministry, north) = with_district();
    let (hills, clinic) = (world.ready("hills", false), world.ready("clinic", false));
    assert_eq!(link_below(&hills, &north, true), Standing::Entered);
    settle(&world, &[&north, &ministry, &north, &hills]);
    assert_eq!(status(&mut hills.open()).unwrap().role, NodeRole::District);
    link_below(&clinic, &hills, false);
    clinic.application("INSERT INTO patient (uuid, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna')");
    settle(&world, &[&clinic, &hills, &north, &ministry, &north, &hills]);
    for place in [&ministry, &north, &hills, &clinic] {
        assert_eq!(listed(place), ["ministry", "north", "hills", "clinic"], "{}", place.name);
        assert!(entries(place).is_empty(), "{}", place.name);
        assert_eq!(place.shows(), clinic.shows());
    }
}

#[test]
fn nobody_is_above_and_below_another_and_a_central_is_one() {
    let (world, ministry, north) = with_district();
    let clinic = world.ready("clinic", false);
    let of_ministry = card(&mut ministry.open()).unwrap().bytes;
    let of_north = card(&mut north.open()).unwrap().bytes;
    assert!(matches!(join(&mut ministry.open(), &of_north), Err(NodeError::Circle { .. })));
    link_below(&clinic, &north, false);
    assert!(matches!(join(&mut clinic.open(), &of_ministry), Err(NodeError::HasCentral { .. })));
    let of_clinic = card(&mut clinic.open()).unwrap().bytes;
    assert!(matches!(admission::admit(&mut clinic.open(), &of_ministry, false), Err(NodeError::NotADistrict { .. })));
    assert!(matches!(admission::admit(&mut north.open(), &of_clinic, false), Err(NodeError::AlreadyLinked { .. })));
    let other = world.ready("other", true);
    let error = join(&mut other.open(), &of_ministry).unwrap_err();
    assert!(matches!(error, NodeError::OtherDeployment { .. }), "{error}");
    // A card of the same deployment, made by a node that it does not know: it began it, and joins nobody.
    let error = join(&mut ministry.open(), &of_clinic).unwrap_err();
    assert!(matches!(error, NodeError::NotACentral { .. }), "{error}");
    let twin = World::new();
    let twin = twin.ready("clinic", false);
    let of_twin = card(&mut twin.open()).unwrap().bytes;
    let entered = admission::admit(&mut north.open(), &of_twin, false);
    assert!(matches!(entered, Err(NodeError::NameEntered { .. })), "{entered:?}");
}
