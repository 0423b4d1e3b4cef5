//! Whole rounds: what is written in one place stands in the other, whatever happens to the stick.

use std::fs;

use saddlebag_couriers::node::NodeError;
use saddlebag_couriers::round::{BundleResult, RoundOptions, import_files, sync};
use saddlebag_couriers::status::{LinkState, NodeRole, status};

use crate::world::{World, came, went};

const ANNA: &str =
    "INSERT INTO patient (uuid, name, phone) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna', '1')";
const BEN: &str = "INSERT INTO patient (uuid, name, phone) VALUES ('22222222-2222-4222-8222-222222222222', 'Ben', '2')";

#[test]
fn what_the_clinic_writes_stands_at_the_ministry_and_what_it_changes_comes_back() {
    let (world, clinic, ministry) = World::pair();
    ministry.application(BEN);
    clinic.application(&format!("{ANNA}; INSERT INTO visit (patient_id, note) VALUES (1, 'cough')"));
    let sent = clinic.sync(&world.stick());
    assert_eq!(went(&sent, "clinic"), [BundleResult::Written]);
    assert_eq!(sent.bundles[0].records, 2);
    let report = ministry.sync(&world.stick());
    assert_eq!(came(&report, "ministry"), [BundleResult::Applied]);
    assert_eq!(went(&report, "ministry"), [BundleResult::Written]);
    assert!(ministry.shows()[0].ends_with("Anna 1 cough"), "{:?}", ministry.shows());
    ministry.application("UPDATE patient SET phone = '99' WHERE name = 'Anna'");
    ministry.sync(&world.stick());
    let report = clinic.sync(&world.stick());
    assert_eq!(came(&report, "clinic"), [BundleResult::Applied]);
    assert!(clinic.shows()[0].ends_with("Anna 99 cough"));
    assert_eq!(clinic.shows(), ministry.shows());
    assert!(!report.any_refused() && !report.any_left_over());
}

#[test]
fn a_quiet_round_ends() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    let mut rounds = 0;
    loop {
        let (there, here) = (ministry.sync(&world.stick()), clinic.sync(&world.stick()));
        let is_quiet = |report: &saddlebag_couriers::round::RoundReport| {
            report.bundles.iter().all(|b| matches!(b.result, BundleResult::Already | BundleResult::Unchanged))
        };
        if rounds > 0 && is_quiet(&there) && is_quiet(&here) {
            break;
        }
        rounds += 1;
        assert!(rounds < 6, "{there:?} {here:?}");
    }
    let status = status(&mut clinic.open()).unwrap();
    assert_eq!((status.role, status.waiting), (NodeRole::Satellite, 0));
    assert_eq!(status.links[0].acknowledged.max(Some(1)), status.links[0].acknowledged);
    assert!(matches!(status.links[0].state, LinkState::Quiet | LinkState::Sent), "{:?}", status.links[0]);
}

#[test]
fn a_lost_stick_costs_nothing_but_time() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    fs::remove_dir_all(world.stick()).unwrap();
    fs::create_dir(world.stick()).unwrap();
    clinic.application(BEN);
    clinic.sync(&world.stick());
    assert_eq!(came(&ministry.sync(&world.stick()), "ministry"), [BundleResult::Applied]);
    assert_eq!(ministry.shows(), clinic.shows());
    assert_eq!(ministry.shows().len(), 2);
}

#[test]
fn a_stick_that_was_emptied_gets_the_same_bundle_again() {
    let (world, clinic, _ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    let first = world.for_node("ministry");
    assert_eq!(went(&clinic.sync(&world.stick()), "clinic"), [BundleResult::Unchanged]);
    fs::remove_file(&first[0]).unwrap();
    assert_eq!(went(&clinic.sync(&world.stick()), "clinic"), [BundleResult::Written]);
    assert_eq!(world.for_node("ministry"), first);
}

#[test]
fn a_bundle_that_comes_twice_is_applied_once() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(&format!("{ANNA}; INSERT INTO visit (patient_id, note) VALUES (1, 'cough')"));
    clinic.sync(&world.stick());
    let file = &world.for_node("ministry")[0];
    fs::copy(file, file.with_file_name("copy (1).sbag")).unwrap();
    let report = ministry.sync(&world.stick());
    let mut results = came(&report, "ministry");
    results.sort_by_key(|result| format!("{result:?}"));
    assert_eq!(results, [BundleResult::Already, BundleResult::Applied]);
    assert_eq!(ministry.texts("SELECT note FROM visit"), ["cough"]);
    let again = import_files(&mut ministry.open(), std::slice::from_ref(file), false).unwrap();
    assert_eq!(came(&again, "ministry"), [BundleResult::Already]);
}

#[test]
fn a_newer_bundle_takes_the_place_of_its_predecessor_and_an_acknowledged_one_goes() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    let first = world.for_node("ministry");
    clinic.application(BEN);
    let report = clinic.sync(&world.stick());
    assert_eq!(report.removed, [first[0].display().to_string()]);
    let second = world.for_node("ministry");
    assert_eq!(second.len(), 1);
    ministry.sync(&world.stick());
    assert_eq!(world.for_node("ministry"), second, "what others wrote is theirs to remove");
    clinic.sync(&world.stick());
    assert!(!world.for_node("ministry").contains(&second[0]));
}

#[test]
fn what_comes_too_early_waits_until_the_one_before_it_has_come() {
    let (world, clinic, ministry) = World::pair();
    clinic.configure("records_per_bundle = 1");
    clinic.application(&format!("{ANNA}; {BEN}; INSERT INTO visit (patient_id, note) VALUES (1, 'cough')"));
    let sent = clinic.sync(&world.stick());
    assert_eq!(went(&sent, "clinic").len(), 3);
    let first = world.for_node("ministry").remove(0);
    let hidden = world.root.path().join("hidden.sbag");
    fs::copy(&first, &hidden).unwrap();
    fs::remove_file(&first).unwrap();
    let report = ministry.sync(&world.stick());
    assert_eq!(came(&report, "ministry"), [BundleResult::Waiting; 2]);
    assert!(report.any_left_over() && !report.any_refused());
    assert!(ministry.shows().is_empty());
    let link = status(&mut ministry.open()).unwrap().links.remove(0);
    assert_eq!((link.missing, link.state), (vec![1], LinkState::Missing));
    let report = import_files(&mut ministry.open(), &[hidden], false).unwrap();
    assert_eq!(came(&report, "ministry"), [BundleResult::Applied; 3], "the inbox goes on by itself");
    assert_eq!(ministry.shows(), clinic.shows());
    assert_eq!(fs::read_dir(ministry.folder.join("inbox")).unwrap().count(), 0);
    assert!(status(&mut ministry.open()).unwrap().links[0].missing.is_empty());
}

#[test]
fn what_waits_is_let_go_when_a_later_bundle_says_all_it_says() {
    let (world, clinic, ministry) = World::pair();
    clinic.configure("records_per_bundle = 1");
    clinic.application(&format!("{ANNA}; INSERT INTO visit (patient_id, note) VALUES (1, 'cough')"));
    clinic.sync(&world.stick());
    fs::remove_file(world.for_node("ministry").remove(0)).unwrap();
    assert_eq!(came(&ministry.sync(&world.stick()), "ministry"), [BundleResult::Waiting]);
    let text = fs::read_to_string(clinic.folder.join("saddlebag.toml")).unwrap();
    let text = text.replace("records_per_bundle = 1", "");
    saddlebag_keys::files::replace(&clinic.folder, "saddlebag.toml", text.as_bytes()).unwrap();
    clinic.application(BEN);
    clinic.sync(&world.stick());
    let mut results = came(&ministry.sync(&world.stick()), "ministry");
    results.sort_by_key(|result| format!("{result:?}"));
    assert_eq!(results, [BundleResult::Already, BundleResult::Applied]);
    assert_eq!(ministry.shows(), clinic.shows());
    assert_eq!(fs::read_dir(ministry.folder.join("inbox")).unwrap().count(), 0);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    let dry = RoundOptions { dry_run: true, ..RoundOptions::default() };
    let report = sync(&mut clinic.open(), &world.stick(), &dry, &mut |_| ()).unwrap();
    assert_eq!(went(&report, "clinic"), [BundleResult::Written]);
    assert!(report.dry_run && world.for_node("ministry").is_empty());
    clinic.sync(&world.stick());
    let report = sync(&mut ministry.open(), &world.stick(), &dry, &mut |_| ()).unwrap();
    assert_eq!(came(&report, "ministry"), [BundleResult::Applied]);
    assert!(ministry.shows().is_empty());
    assert!(world.for_node("clinic").is_empty());
}

#[test]
fn only_one_neighbour_or_only_one_half_on_demand() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    let import_only = RoundOptions { export: false, ..RoundOptions::default() };
    assert!(sync(&mut clinic.open(), &world.stick(), &import_only, &mut |_| ()).unwrap().bundles.is_empty());
    let to = |name: &str| RoundOptions { import: false, to: Some(name.parse().unwrap()), ..RoundOptions::default() };
    let error = sync(&mut clinic.open(), &world.stick(), &to("nobody"), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, NodeError::UnknownPeer { known, .. } if known == &["ministry"]), "{error}");
    let report = sync(&mut clinic.open(), &world.stick(), &to("ministry"), &mut |_| ()).unwrap();
    assert_eq!(went(&report, "clinic"), [BundleResult::Written]);
    let export_only = RoundOptions { import: false, ..RoundOptions::default() };
    sync(&mut ministry.open(), &world.stick(), &export_only, &mut |_| ()).unwrap();
    assert!(ministry.shows().is_empty());
}
