//! Databases that go back to an earlier state, or go on in two places: it is noticed at the first bundle, stops that link
//! alone, and a new history brings both ends to the same state without losing what either has.

use saddlebag_importer::{ImportError, ImportResult, OtherHistory};
use saddlebag_tests::app::App;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan, TestEntropy};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

const SCHEMA: &str = "
CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT);
CREATE TABLE visit (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), note TEXT);
CREATE INDEX visit_person ON visit (person_id);
";

const TABLES: &str = "
[person]
identity = 'natural(ref)'
[visit]
identity = 'assigned'
";

const NAMES: [&str; 3] = ["ministry", "clinic", "other"];
const MINISTRY: usize = 0;
const CLINIC: usize = 1;
const OTHER: usize = 2;

fn fleet(on: Engines, seed: u64) -> Fleet {
    let plan = FleetPlan { names: &NAMES, tables: TABLES, seed, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| app.execute_batch(SCHEMA).unwrap());
    for (node, name) in NAMES.iter().enumerate() {
        for number in 1..=4 {
            fleet.nodes[node]
                .run(&format!("INSERT INTO person (ref, name, phone) VALUES ('{name}{number}', 'first', 'first')"));
            fleet.nodes[node].run(&format!(
                "INSERT INTO visit (person_id, note) SELECT id, 'first of {name}{number}' FROM person WHERE ref = '{name}{number}'"
            ));
        }
        tick(&mut fleet);
    }
    fleet.settle();
    equal(&mut fleet);
    fleet
}

/// Time goes by everywhere.
fn tick(fleet: &mut Fleet) {
    fleet.nodes.iter().for_each(|node| node.clock.0.set(node.clock.0.get() + 60_000));
}

fn edit(fleet: &mut Fleet, node: usize, reference: &str, name: &str) {
    fleet.nodes[node].run(&format!("UPDATE person SET name = '{name}' WHERE ref = '{reference}'"));
    tick(fleet);
}

fn visit(fleet: &mut Fleet, node: usize, reference: &str, note: &str) {
    fleet.nodes[node]
        .run(&format!("INSERT INTO visit (person_id, note) SELECT id, '{note}' FROM person WHERE ref = '{reference}'"));
    tick(fleet);
}

fn name(fleet: &Fleet, node: usize, reference: &str) -> String {
    fleet.nodes[node].app.text(&format!("SELECT name FROM person WHERE ref = '{reference}'"), &[]).unwrap()
}

fn notes(fleet: &Fleet, node: usize, reference: &str) -> Vec<String> {
    let sql = format!(
        "SELECT note FROM visit JOIN person ON person.id = visit.person_id WHERE ref = '{reference}' ORDER BY note"
    );
    fleet.nodes[node].app.texts(&sql, &[]).into_iter().flatten().collect()
}

/// All nodes hold the same, by SQL and by version.
fn equal(fleet: &mut Fleet) {
    let tables = [Table::named("person", &["ref"]), Table::new("visit")];
    let nodes: Vec<(&str, &App)> = NAMES.into_iter().zip(&fleet.nodes).map(|(name, node)| (name, &node.app)).collect();
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
    let versions = fleet.nodes[MINISTRY].versions();
    assert_eq!(versions, fleet.nodes[CLINIC].versions());
    assert_eq!(versions, fleet.nodes[OTHER].versions());
}

/// What disagreed at a node: of each, what stood and what did not.
fn disagreements(fleet: &mut Fleet, node: usize) -> Vec<(String, String)> {
    let mut all = fleet.nodes[node].disagreements();
    all.sort();
    all
}

/// The node's database goes back to what it was.
fn restore(fleet: &mut Fleet, node: usize, backup: FleetNode) -> FleetNode {
    let mut before = std::mem::replace(&mut fleet.nodes[node], backup);
    let restored = &mut fleet.nodes[node];
    restored.clock = before.clock.clone();
    // A copy does not draw the same ids.
    restored.entropy = TestEntropy(before.entropy.next_u64());
    before
}

/// A round between a node and the ministry that is expected to fail somewhere; the first refusal.
fn refusal(fleet: &mut Fleet, node: usize) -> ImportError {
    for (from, to) in [(node, MINISTRY), (MINISTRY, node), (node, MINISTRY), (MINISTRY, node)] {
        for bundle in fleet.export(from, to) {
            if let Err(error) = fleet.nodes[to].import(&bundle) {
                return error;
            }
        }
    }
    panic!("nobody has noticed anything");
}

fn stopped(fleet: &mut Fleet, at: usize, with: usize) -> Option<String> {
    let peer = fleet.nodes[with].me.id;
    fleet.nodes[at].stopped(peer).unwrap()
}

on_engines!(a_restored_clinic_gets_back_what_it_lost_and_keeps_what_it_has);
fn a_restored_clinic_gets_back_what_it_lost_and_keeps_what_it_has(on: Engines) {
    let mut fleet = fleet(on, 1);
    let backup = fleet.nodes[CLINIC].fork("backup");
    // All of this goes out of the clinic's database again.
    edit(&mut fleet, CLINIC, "clinic1", "lost at the clinic");
    edit(&mut fleet, CLINIC, "ministry1", "lost at the clinic");
    visit(&mut fleet, CLINIC, "clinic2", "lost at the clinic");
    edit(&mut fleet, OTHER, "clinic3", "by the other");
    fleet.nodes[CLINIC].run("DELETE FROM visit WHERE note = 'first of clinic4'");
    fleet.settle();
    equal(&mut fleet);
    restore(&mut fleet, CLINIC, backup);
    // And this is what it has that nobody else has.
    edit(&mut fleet, CLINIC, "clinic1", "after the restore");
    edit(&mut fleet, CLINIC, "clinic2", "after the restore");
    visit(&mut fleet, CLINIC, "other1", "after the restore");
    let error = refusal(&mut fleet, CLINIC);
    assert!(error.stops_the_link(), "{error}");
    assert!(stopped(&mut fleet, MINISTRY, CLINIC).is_some() || stopped(&mut fleet, CLINIC, MINISTRY).is_some());
    // Nobody else is held up.
    edit(&mut fleet, OTHER, "other2", "meanwhile");
    fleet.carry(OTHER, MINISTRY);
    assert_eq!(name(&fleet, MINISTRY, "other2"), "meanwhile");
    assert_eq!(stopped(&mut fleet, MINISTRY, OTHER), None);

    fleet.nodes[CLINIC].rejoin();
    let first = fleet.export(CLINIC, MINISTRY);
    let applied = fleet.nodes[MINISTRY].import(&first[0]).unwrap();
    assert_eq!(applied.history, Some(OtherHistory::Anew));
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(stopped(&mut fleet, MINISTRY, CLINIC), None);
    assert_eq!(stopped(&mut fleet, CLINIC, MINISTRY), None);
    assert_eq!(name(&fleet, CLINIC, "clinic1"), "after the restore");
    assert_eq!(name(&fleet, CLINIC, "ministry1"), "lost at the clinic");
    assert_eq!(name(&fleet, CLINIC, "clinic2"), "after the restore");
    assert_eq!(name(&fleet, CLINIC, "clinic3"), "by the other");
    assert_eq!(notes(&fleet, CLINIC, "clinic2"), ["first of clinic2", "lost at the clinic"]);
    assert_eq!(notes(&fleet, MINISTRY, "other1"), ["after the restore", "first of other1"]);
    assert_eq!(notes(&fleet, CLINIC, "clinic4"), [] as [&str; 0]);
    // What was written twice, each time without the other, and nothing else.
    let both = ("after the restore".to_owned(), "lost at the clinic".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
}

on_engines!(what_waited_in_a_backup_is_sent_and_nothing_of_it_is_a_conflict);
fn what_waited_in_a_backup_is_sent_and_nothing_of_it_is_a_conflict(on: Engines) {
    let mut fleet = fleet(on, 2);
    // Made into a bundle that arrives, and edited again by others who had seen it.
    edit(&mut fleet, CLINIC, "clinic1", "before the backup");
    let sent = fleet.export(CLINIC, MINISTRY);
    let backup = fleet.nodes[CLINIC].fork("backup");
    fleet.nodes[MINISTRY].import(&sent[0]).unwrap();
    fleet.settle();
    edit(&mut fleet, OTHER, "clinic1", "upon it");
    edit(&mut fleet, CLINIC, "clinic2", "lost");
    fleet.settle();
    restore(&mut fleet, CLINIC, backup);
    edit(&mut fleet, CLINIC, "clinic1", "without having seen what was made upon it");
    edit(&mut fleet, CLINIC, "clinic3", "only here");
    let _error = refusal(&mut fleet, CLINIC);
    fleet.nodes[CLINIC].rejoin();
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(name(&fleet, OTHER, "clinic2"), "lost");
    assert_eq!(name(&fleet, OTHER, "clinic3"), "only here");
    let both = ("without having seen what was made upon it".to_owned(), "upon it".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
}

on_engines!(a_copy_on_a_second_machine_is_noticed_and_what_both_wrote_is_kept);
fn a_copy_on_a_second_machine_is_noticed_and_what_both_wrote_is_kept(on: Engines) {
    let mut fleet = fleet(on, 3);
    let copy = fleet.nodes[CLINIC].fork("copy");
    edit(&mut fleet, CLINIC, "clinic1", "by the first machine");
    visit(&mut fleet, CLINIC, "clinic2", "by the first machine");
    fleet.settle();
    let first = restore(&mut fleet, CLINIC, copy);
    edit(&mut fleet, CLINIC, "clinic1", "by the copy");
    visit(&mut fleet, CLINIC, "clinic2", "by the copy");
    let error = refusal(&mut fleet, CLINIC);
    assert!(matches!(error, ImportError::TwoWithOneNumber { .. }), "{error}");
    // The first machine goes on meanwhile.
    let copy = std::mem::replace(&mut fleet.nodes[CLINIC], first);
    edit(&mut fleet, CLINIC, "clinic3", "by the first machine");
    fleet.carry(CLINIC, MINISTRY);
    let first = std::mem::replace(&mut fleet.nodes[CLINIC], copy);
    fleet.nodes[CLINIC].rejoin();
    fleet.settle();
    equal(&mut fleet);
    let of_both = ["by the copy", "by the first machine", "first of clinic2"];
    assert_eq!(notes(&fleet, CLINIC, "clinic2"), of_both);
    assert_eq!(name(&fleet, CLINIC, "clinic3"), "by the first machine");
    let both = ("by the copy".to_owned(), "by the first machine".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
    // Now the first machine is the one that is told; what it still has is not lost when it goes on instead.
    let copy = std::mem::replace(&mut fleet.nodes[CLINIC], first);
    visit(&mut fleet, CLINIC, "clinic4", "by the first machine, late");
    let mut answer = fleet.export(MINISTRY, CLINIC);
    edit(&mut fleet, MINISTRY, "ministry1", "news");
    answer.extend(fleet.export(MINISTRY, CLINIC));
    let told = answer.iter().find_map(|bundle| fleet.nodes[CLINIC].import(bundle).err());
    assert!(told.as_ref().is_some_and(ImportError::stops_the_link), "{told:?}");
    fleet.nodes[CLINIC].rejoin();
    // Both have begun as many histories by themselves; but this one was told of the other's.
    assert!(fleet.nodes[CLINIC].me.epoch > copy.me.epoch);
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(notes(&fleet, MINISTRY, "clinic4"), ["by the first machine, late", "first of clinic4"]);
    assert_eq!(notes(&fleet, CLINIC, "clinic2"), of_both);
}

on_engines!(what_a_copy_sent_before_it_was_set_aside_is_not_taken_for_what_the_first_machine_sent);
fn what_a_copy_sent_before_it_was_set_aside_is_not_taken_for_what_the_first_machine_sent(on: Engines) {
    let mut fleet = fleet(on, 4);
    let copy = fleet.nodes[CLINIC].fork("copy");
    visit(&mut fleet, CLINIC, "clinic1", "by the first machine");
    fleet.carry(CLINIC, MINISTRY);
    let first = restore(&mut fleet, CLINIC, copy);
    // Its place in the feed is that of the first machine's visit.
    visit(&mut fleet, CLINIC, "clinic2", "by the copy");
    let refused = refusal(&mut fleet, CLINIC);
    assert!(matches!(refused, ImportError::TwoWithOneNumber { .. }), "{refused}");
    visit(&mut fleet, CLINIC, "clinic3", "by the copy");
    let late = fleet.export(CLINIC, MINISTRY);
    let copy = std::mem::replace(&mut fleet.nodes[CLINIC], first);
    fleet.nodes[CLINIC].rejoin();
    fleet.settle();
    for bundle in late {
        fleet.nodes[MINISTRY].import(&bundle).unwrap();
    }
    assert_eq!(notes(&fleet, MINISTRY, "clinic3"), ["by the copy", "first of clinic3"]);
    assert_eq!(notes(&fleet, MINISTRY, "clinic2"), ["by the copy", "first of clinic2"]);
    let _first = std::mem::replace(&mut fleet.nodes[CLINIC], copy);
    let _error = refusal(&mut fleet, CLINIC);
    fleet.nodes[CLINIC].rejoin();
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(notes(&fleet, CLINIC, "clinic1"), ["by the first machine", "first of clinic1"]);
    assert_eq!(notes(&fleet, CLINIC, "clinic2"), ["by the copy", "first of clinic2"]);
}

on_engines!(a_restored_central_gets_everything_back_and_keeps_what_it_may_have_decided);
fn a_restored_central_gets_everything_back_and_keeps_what_it_may_have_decided(on: Engines) {
    let mut fleet = fleet(on, 4);
    let backup = fleet.nodes[MINISTRY].fork("backup");
    edit(&mut fleet, CLINIC, "clinic1", "once");
    edit(&mut fleet, MINISTRY, "clinic2", "by the ministry");
    edit(&mut fleet, OTHER, "other1", "once");
    visit(&mut fleet, MINISTRY, "clinic3", "by the ministry");
    visit(&mut fleet, CLINIC, "other3", "by the clinic");
    fleet.nodes[OTHER].run("DELETE FROM visit WHERE note = 'first of other4'");
    fleet.settle();
    edit(&mut fleet, CLINIC, "clinic1", "twice");
    edit(&mut fleet, CLINIC, "other1", "upon the one of the other");
    edit(&mut fleet, OTHER, "clinic2", "upon the one of the ministry");
    // The other one has not seen all of it yet.
    for _ in 0..3 {
        fleet.carry(CLINIC, MINISTRY);
        fleet.carry(MINISTRY, CLINIC);
    }
    restore(&mut fleet, MINISTRY, backup);
    edit(&mut fleet, MINISTRY, "ministry1", "after the restore");
    let error = refusal(&mut fleet, CLINIC);
    assert!(error.stops_the_link(), "{error}");
    fleet.nodes[MINISTRY].rejoin();
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(name(&fleet, MINISTRY, "clinic1"), "twice");
    assert_eq!(name(&fleet, MINISTRY, "other1"), "upon the one of the other");
    assert_eq!(name(&fleet, MINISTRY, "clinic2"), "upon the one of the ministry");
    assert_eq!(name(&fleet, OTHER, "ministry1"), "after the restore");
    assert_eq!(notes(&fleet, MINISTRY, "clinic3"), ["by the ministry", "first of clinic3"]);
    assert_eq!(notes(&fleet, MINISTRY, "other3"), ["by the clinic", "first of other3"]);
    assert_eq!(notes(&fleet, MINISTRY, "other4"), [] as [&str; 0]);
    // The other one never heard of what was written upon its value: whether that lost in the conflicts that are gone, nobody
    // knows any more. It is kept.
    let both = ("upon the one of the other".to_owned(), "once".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
}

on_engines!(what_a_restored_central_and_a_clinic_wrote_since_is_a_conflict);
fn what_a_restored_central_and_a_clinic_wrote_since_is_a_conflict(on: Engines) {
    let mut fleet = fleet(on, 5);
    let backup = fleet.nodes[MINISTRY].fork("backup");
    edit(&mut fleet, CLINIC, "clinic1", "of the clinic");
    fleet.settle();
    restore(&mut fleet, MINISTRY, backup);
    edit(&mut fleet, MINISTRY, "clinic1", "of the restored ministry");
    let _error = refusal(&mut fleet, CLINIC);
    fleet.nodes[MINISTRY].rejoin();
    fleet.settle();
    equal(&mut fleet);
    let both = ("of the restored ministry".to_owned(), "of the clinic".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
}

on_engines!(a_bundle_of_the_history_before_is_not_lost_when_it_comes_late);
fn a_bundle_of_the_history_before_is_not_lost_when_it_comes_late(on: Engines) {
    let mut fleet = fleet(on, 6);
    let backup = fleet.nodes[CLINIC].fork("backup");
    edit(&mut fleet, CLINIC, "clinic1", "on the stick");
    visit(&mut fleet, CLINIC, "clinic2", "on the stick");
    edit(&mut fleet, CLINIC, "clinic3", "on the stick");
    let stick = fleet.export(CLINIC, MINISTRY);
    restore(&mut fleet, CLINIC, backup);
    edit(&mut fleet, CLINIC, "clinic3", "after the restore");
    fleet.nodes[CLINIC].rejoin();
    fleet.settle();
    equal(&mut fleet);
    let late = fleet.nodes[MINISTRY].import(&stick[0]).unwrap();
    assert_eq!((late.result, late.history), (ImportResult::Applied, Some(OtherHistory::Late)));
    let again = fleet.nodes[MINISTRY].import(&stick[0]).unwrap();
    assert_eq!(again.result, ImportResult::Already);
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(name(&fleet, CLINIC, "clinic1"), "on the stick");
    assert_eq!(notes(&fleet, CLINIC, "clinic2"), ["first of clinic2", "on the stick"]);
    let both = ("after the restore".to_owned(), "on the stick".to_owned());
    assert_eq!(disagreements(&mut fleet, MINISTRY), [both]);
}

on_engines!(a_central_that_is_put_back_twice_is_still_the_central_of_all);
fn a_central_that_is_put_back_twice_is_still_the_central_of_all(on: Engines) {
    let mut fleet = fleet(on, 7);
    let early = fleet.nodes[MINISTRY].fork("early");
    edit(&mut fleet, CLINIC, "clinic1", "once");
    fleet.settle();
    let late = fleet.nodes[MINISTRY].fork("late");
    edit(&mut fleet, OTHER, "clinic1", "twice");
    fleet.settle();
    for (backup, text) in [(late, "after the first restore"), (early, "after the second restore")] {
        let published = fleet.nodes[MINISTRY].me.epoch;
        restore(&mut fleet, MINISTRY, backup);
        edit(&mut fleet, MINISTRY, "ministry1", text);
        // The second backup knows nothing of the first new history; the folder beside it does.
        fleet.nodes[MINISTRY].rejoin_after(published);
        fleet.settle();
        equal(&mut fleet);
        assert_eq!(name(&fleet, MINISTRY, "clinic1"), "twice");
    }
}

on_engines!(what_a_clinic_holds_of_what_its_central_lost_goes_back_there);
fn what_a_clinic_holds_of_what_its_central_lost_goes_back_there(on: Engines) {
    let mut fleet = fleet(on, 16);
    let ministry = fleet.nodes[MINISTRY].fork("ministry before");
    fleet.nodes[CLINIC].run("DELETE FROM visit WHERE note = 'first of clinic1'");
    fleet.nodes[CLINIC].run("DELETE FROM person WHERE ref = 'clinic1'");
    visit(&mut fleet, MINISTRY, "clinic1", "lost at the ministry");
    fleet.carry(MINISTRY, CLINIC);
    assert_eq!(fleet.nodes[CLINIC].held().len(), 1, "its patient is deleted there");
    restore(&mut fleet, MINISTRY, ministry);
    fleet.nodes[MINISTRY].rejoin();
    edit(&mut fleet, MINISTRY, "clinic1", "edited, and therefore kept");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(notes(&fleet, MINISTRY, "clinic1"), ["first of clinic1", "lost at the ministry"]);
}

on_engines!(what_was_deleted_while_a_district_had_lost_it_stays_deleted);
fn what_was_deleted_while_a_district_had_lost_it_stays_deleted(on: Engines) {
    let plan = FleetPlan { names: &["ministry", "district", "clinic"], tables: TABLES, seed: 17, engines: on };
    let mut fleet = Fleet::tree(&plan, &[0, 0, 1], |_, app| app.execute_batch(SCHEMA).unwrap());
    let (district, clinic) = (1, 2);
    fleet.settle();
    let before = fleet.nodes[district].fork("before");
    fleet.nodes[MINISTRY].run("INSERT INTO person (ref, name) VALUES ('a', 'first')");
    fleet.settle();
    assert_eq!(fleet.nodes[clinic].count("person"), 1);
    fleet.nodes[MINISTRY].run("DELETE FROM person WHERE ref = 'a'");
    restore(&mut fleet, district, before);
    fleet.nodes[district].rejoin();
    fleet.carry(district, MINISTRY);
    fleet.carry(MINISTRY, district);
    fleet.settle();
    for node in [MINISTRY, district, clinic] {
        assert_eq!(fleet.nodes[node].count("person"), 0, "node {node}");
    }
}

on_engines!(both_ends_of_a_link_are_put_back);
fn both_ends_of_a_link_are_put_back(on: Engines) {
    let mut fleet = fleet(on, 14);
    let ministry = fleet.nodes[MINISTRY].fork("ministry before");
    edit(&mut fleet, CLINIC, "clinic1", "once");
    fleet.settle();
    let clinic = fleet.nodes[CLINIC].fork("clinic before");
    edit(&mut fleet, OTHER, "other1", "once");
    fleet.settle();
    restore(&mut fleet, MINISTRY, ministry);
    fleet.nodes[MINISTRY].rejoin();
    edit(&mut fleet, MINISTRY, "ministry1", "after the restore");
    restore(&mut fleet, CLINIC, clinic);
    fleet.nodes[CLINIC].rejoin();
    edit(&mut fleet, CLINIC, "clinic2", "after the restore");
    fleet.settle();
    equal(&mut fleet);
    for (reference, text) in [("clinic1", "once"), ("other1", "once"), ("ministry1", "after the restore")] {
        assert_eq!(name(&fleet, CLINIC, reference), text);
    }
    assert_eq!(name(&fleet, OTHER, "clinic2"), "after the restore");
}

on_engines!(a_central_that_is_put_back_forgets_that_its_clinic_was);
fn a_central_that_is_put_back_forgets_that_its_clinic_was(on: Engines) {
    let mut fleet = fleet(on, 15);
    let clinic = fleet.nodes[CLINIC].fork("clinic before");
    edit(&mut fleet, MINISTRY, "ministry1", "once");
    edit(&mut fleet, CLINIC, "clinic1", "once");
    fleet.settle();
    restore(&mut fleet, CLINIC, clinic);
    fleet.nodes[CLINIC].rejoin();
    let ministry = fleet.nodes[MINISTRY].fork("ministry before");
    edit(&mut fleet, CLINIC, "clinic2", "after the restore");
    fleet.settle();
    equal(&mut fleet);
    restore(&mut fleet, MINISTRY, ministry);
    fleet.nodes[MINISTRY].rejoin();
    edit(&mut fleet, MINISTRY, "ministry2", "after the restore");
    fleet.settle();
    equal(&mut fleet);
    for (reference, text) in [("clinic1", "once"), ("clinic2", "after the restore"), ("ministry2", "after the restore")]
    {
        assert_eq!((name(&fleet, MINISTRY, reference), name(&fleet, OTHER, reference)), (text.into(), text.into()));
    }
}

on_engines!(a_clinic_that_is_put_back_behind_its_last_new_history_learns_of_it_from_its_central);
fn a_clinic_that_is_put_back_behind_its_last_new_history_learns_of_it_from_its_central(on: Engines) {
    // Whatever is drawn for the new epoch, it is later than the one that the clinic has forgotten.
    for seed in [11, 12, 13] {
        let mut fleet = fleet(on, seed);
        let early = fleet.nodes[CLINIC].fork("early");
        edit(&mut fleet, CLINIC, "clinic1", "once");
        fleet.nodes[CLINIC].rejoin();
        fleet.settle();
        let forgotten = fleet.nodes[CLINIC].me.epoch;
        restore(&mut fleet, CLINIC, early);
        edit(&mut fleet, CLINIC, "clinic2", "after the restore");
        let found = fleet.export(MINISTRY, CLINIC).iter().find_map(|bundle| fleet.nodes[CLINIC].import(bundle).err());
        assert!(matches!(found, Some(ImportError::Outlived { .. })), "{found:?}");
        fleet.nodes[CLINIC].rejoin();
        assert!(fleet.nodes[CLINIC].me.epoch > forgotten);
        fleet.settle();
        equal(&mut fleet);
        assert_eq!(
            (name(&fleet, MINISTRY, "clinic1"), name(&fleet, CLINIC, "clinic1")),
            ("once".into(), "once".into())
        );
        assert_eq!(name(&fleet, OTHER, "clinic2"), "after the restore");
    }
}

on_engines!(rejoining_without_a_reason_changes_nothing_but_the_epoch);
fn rejoining_without_a_reason_changes_nothing_but_the_epoch(on: Engines) {
    let mut fleet = fleet(on, 8);
    let before = fleet.nodes[MINISTRY].versions();
    for node in [CLINIC, MINISTRY, OTHER, CLINIC] {
        fleet.nodes[node].rejoin();
        fleet.settle();
        equal(&mut fleet);
    }
    assert_eq!(fleet.nodes[MINISTRY].versions(), before);
    edit(&mut fleet, CLINIC, "clinic1", "afterwards");
    edit(&mut fleet, MINISTRY, "clinic2", "afterwards");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(
        (name(&fleet, OTHER, "clinic1"), name(&fleet, OTHER, "clinic2")),
        ("afterwards".into(), "afterwards".into())
    );
    assert_eq!(disagreements(&mut fleet, MINISTRY), []);
}
