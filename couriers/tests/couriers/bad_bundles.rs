//! What was changed, cut, or is for others: refused or left alone, and nothing changes.

use std::fs;
use std::path::Path;

use saddlebag_couriers::round::{BundleResult, import_files};

use crate::world::{Place, World, came, link};

const ANNA: &str =
    "INSERT INTO patient (uuid, name, phone) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna', '1')";

/// Everything in a database, saddlebag's own tables too; but its log, which tells of what was refused.
fn dump(place: &Place) -> Vec<String> {
    let tables =
        place.texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'saddlebag_log' ORDER BY name");
    let mut dump = Vec::new();
    for table in tables {
        let columns = place.texts(&format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')"));
        let row = columns.join(" || ',' || ");
        let row =
            if table == "saddlebag_setting" { format!("CASE name WHEN 'log_end' THEN '' ELSE {row} END") } else { row };
        dump.extend(place.texts(&format!("SELECT '{table}:' || {row} FROM \"{table}\" ORDER BY 1")));
    }
    dump
}

fn put(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    saddlebag_keys::files::publish(path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap(), bytes).unwrap();
}

#[test]
fn a_changed_bundle_is_refused_and_nothing_changes() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    let file = world.for_node("ministry").remove(0);
    let good = fs::read(&file).unwrap();
    let before = dump(&ministry);
    for at in [30, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        put(&file, &changed);
        let report = import_files(&mut ministry.open(), std::slice::from_ref(&file), false).unwrap();
        let refused = report.bundles.iter().filter(|bundle| bundle.result == BundleResult::Refused).count();
        assert_eq!(refused as u64 + report.foreign, 1, "byte {at}");
        assert_eq!(dump(&ministry), before, "byte {at}");
    }
    assert_eq!(fs::read(&file).unwrap().len(), good.len(), "what is refused stays where it is");
    put(&file, &good);
    assert_eq!(came(&ministry.sync(&world.stick()), "ministry"), [BundleResult::Applied]);
}

#[test]
fn a_file_that_is_cut_is_tried_again_and_never_removed() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    let file = world.for_node("ministry").remove(0);
    let good = fs::read(&file).unwrap();
    let before = dump(&ministry);
    for length in [0, 10, 200, good.len() - 1] {
        put(&file, &good[..length]);
        let report = import_files(&mut ministry.open(), std::slice::from_ref(&file), false).unwrap();
        assert_eq!(report.bundles[0].result, BundleResult::Refused, "{length}");
        assert!(report.bundles[0].reason.as_ref().unwrap().contains("incomplete"), "{:?}", report.bundles[0]);
        assert_eq!(fs::read(&file).unwrap().len(), length);
        assert_eq!(dump(&ministry), before);
    }
    put(&file, &[&good[..], &good[..]].concat());
    let report = import_files(&mut ministry.open(), std::slice::from_ref(&file), false).unwrap();
    assert!(report.bundles[0].reason.as_ref().unwrap().contains("longer"));
}

#[test]
fn one_refused_bundle_does_not_stop_the_others() {
    let (world, clinic, ministry) = World::pair();
    let hospital = world.ready("hospital", false);
    link(&hospital, &ministry);
    clinic.application(ANNA);
    hospital.application(&ANNA.replace("1111", "3333").replace("Anna", "Chidi"));
    clinic.sync(&world.stick());
    let file = world.for_node("ministry").remove(0);
    hospital.sync(&world.stick());
    let mut changed = fs::read(&file).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    put(&file, &changed);
    let report = ministry.sync(&world.stick());
    let mut results = came(&report, "ministry");
    results.sort_by_key(|result| format!("{result:?}"));
    assert_eq!(results, [BundleResult::Applied, BundleResult::Refused]);
    assert!(report.any_refused());
    assert_eq!(ministry.texts("SELECT name FROM patient"), ["Chidi"]);
}

#[test]
fn what_is_for_another_node_or_deployment_is_left_alone() {
    let (world, clinic, ministry) = World::pair();
    let (_elsewhere, their_clinic, their_ministry) = {
        let elsewhere = World::new();
        let (clinic, ministry) = (elsewhere.ready("clinic", false), elsewhere.ready("ministry", true));
        link(&clinic, &ministry);
        (elsewhere, clinic, ministry)
    };
    their_clinic.application(ANNA);
    their_clinic.sync(&world.stick());
    // For the other ministry of the same name, and one that is for this clinic in the ministry's folder.
    ministry.application(&ANNA.replace("1111", "4444"));
    ministry.sync(&world.stick());
    let mine = world.for_node("clinic").remove(0);
    fs::copy(&mine, world.stick().join("saddlebag/ministry/stray.sbag")).unwrap();
    let (before, files) = (dump(&ministry), world.for_node("ministry"));
    let report = ministry.sync(&world.stick());
    assert_eq!((report.foreign, came(&report, "ministry")), (2, Vec::new()));
    assert!(!report.any_refused());
    assert_eq!(dump(&ministry), before);
    assert_eq!(world.for_node("ministry"), files);
    assert_eq!(came(&their_ministry.sync(&world.stick()), "ministry"), [BundleResult::Applied]);
    assert_eq!(came(&clinic.sync(&world.stick()), "clinic"), [BundleResult::Applied]);
}

#[test]
fn an_unknown_sender_of_this_deployment_is_refused() {
    let (world, _clinic, ministry) = World::pair();
    let stranger = world.ready("stranger", false);
    let card = saddlebag_couriers::membership::card(&mut ministry.open()).unwrap();
    saddlebag_couriers::membership::join(&mut stranger.open(), &card.bytes).unwrap();
    stranger.application(ANNA);
    stranger.sync(&world.stick());
    let before = dump(&ministry);
    let report = import_files(&mut ministry.open(), &world.for_node("ministry"), false).unwrap();
    assert_eq!(came(&report, "ministry"), [BundleResult::Refused]);
    assert!(report.bundles[0].reason.as_ref().unwrap().contains("has not been admitted"), "{:?}", report.bundles[0]);
    assert_eq!(dump(&ministry), before);
}
