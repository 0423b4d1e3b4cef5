//! What is held at one level, and who hears of it at the others.

use saddlebag_formats::members::{Outcome, Receipt};
use saddlebag_importer::Importer;
use saddlebag_stores::Access;
use saddlebag_stores::ledger::HeldKind;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode};
use saddlebag_tests::on_engines;

use super::decided::{MINISTRY, NORTH, NORTH_A, NORTH_B, SOUTH_A, equal, fleet};

const REFUSES: &str = ", CHECK (phone <> 'none')";

/// The ministry alone, or the district, refuses a phone.
fn refusing(on: Engines, seed: u64, node: usize) -> Fleet {
    fleet(on, seed, move |index| if index == node { REFUSES } else { "" })
}

/// What others last told a node of its changes.
fn told(node: &mut FleetNode) -> Vec<Receipt> {
    node.store.begin(Access::Read).unwrap();
    let receipts = node.store.received_receipts().unwrap();
    node.store.rollback().unwrap();
    receipts.into_iter().map(|stored| stored.receipt).collect()
}

fn importer(node: &mut FleetNode) -> Importer<'_> {
    let FleetNode { store, keys, me, clock, entropy, .. } = node;
    Importer { store: &mut **store, keys, me, clock, entropy }
}

fn let_go(node: &mut FleetNode, reason: &str) {
    let held = node.held().remove(0);
    importer(node).drop_held(held.link, &held.table, held.uid, reason).unwrap();
}

on_engines!(what_the_ministry_holds_of_a_clinic_is_told_to_the_clinic_through_its_district);
fn what_the_ministry_holds_of_a_clinic_is_told_to_the_clinic_through_its_district(on: Engines) {
    let mut fleet = refusing(on, 31, MINISTRY);
    fleet.nodes[NORTH_A].run("UPDATE patient SET phone = 'none' WHERE uuid = 'a'");
    fleet.nodes[NORTH_A].run("UPDATE patient SET phone = '3' WHERE uuid = 'b'");
    fleet.settle();
    assert_eq!(fleet.nodes[MINISTRY].held().len(), 1);
    for node in [MINISTRY, SOUTH_A, NORTH_B] {
        assert_eq!(fleet.nodes[node].ask("SELECT phone FROM patient WHERE uuid = 'b'"), "'3'", "it stops only itself");
    }
    let at_north = told(&mut fleet.nodes[NORTH]);
    assert_eq!((at_north.len(), at_north[0].outcome), (1, Outcome::Quarantined), "{at_north:?}");
    let at_clinic = told(&mut fleet.nodes[NORTH_A]);
    assert_eq!((at_clinic.len(), at_clinic[0].outcome), (1, Outcome::Quarantined), "{at_clinic:?}");
    assert_eq!(at_clinic[0].reason, format!("ministry: {}", at_north[0].reason));
    assert_eq!(told(&mut fleet.nodes[NORTH_B]), [], "it was not its change");
    let_go(&mut fleet.nodes[MINISTRY], "it is no number");
    fleet.settle();
    for node in [NORTH, NORTH_A] {
        let receipts = told(&mut fleet.nodes[node]);
        assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Settled), "{receipts:?}");
        assert!(receipts.iter().any(|receipt| receipt.reason.contains("it is no number")), "{receipts:?}");
    }
    // The ministry's own goes back to all.
    equal(&mut fleet);
    assert_eq!(fleet.nodes[NORTH_A].ask("SELECT phone FROM patient WHERE uuid = 'a'"), "'1'");
}

on_engines!(what_a_clinic_corrects_is_settled_at_the_ministry);
fn what_a_clinic_corrects_is_settled_at_the_ministry(on: Engines) {
    let mut fleet = refusing(on, 32, MINISTRY);
    fleet.nodes[NORTH_A].run("INSERT INTO patient (uuid, name, phone) VALUES ('c', 'Chipo', 'none')");
    fleet.nodes[NORTH_A]
        .run("INSERT INTO visit (tag, note, patient_id) SELECT 'of c', 'note', id FROM patient WHERE uuid = 'c'");
    fleet.nodes[NORTH_A]
        .run("INSERT INTO visit (tag, note, patient_id) SELECT 'of a', 'note', id FROM patient WHERE uuid = 'a'");
    fleet.settle();
    let kinds: Vec<_> = fleet.nodes[MINISTRY].held().into_iter().map(|held| (held.table, held.kind)).collect();
    assert!(kinds.contains(&("patient".to_owned(), HeldKind::Quarantined)), "{kinds:?}");
    assert!(kinds.contains(&("visit".to_owned(), HeldKind::Parked)), "{kinds:?}");
    assert_eq!((kinds.len(), fleet.nodes[SOUTH_A].count("visit")), (2, 1), "one bad record stops what depends on it");
    assert_eq!(fleet.nodes[NORTH_B].count("visit"), 2, "and only where it is refused");
    // Another clinic of the district corrects it.
    fleet.nodes[NORTH_B].run("UPDATE patient SET phone = '4' WHERE uuid = 'c'");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!((fleet.nodes[MINISTRY].held().len(), fleet.nodes[SOUTH_A].count("visit")), (0, 2));
    let receipts = told(&mut fleet.nodes[NORTH_A]);
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Settled), "{receipts:?}");
}

on_engines!(what_a_district_holds_stays_there_and_is_told_to_the_clinic_alone);
fn what_a_district_holds_stays_there_and_is_told_to_the_clinic_alone(on: Engines) {
    let mut fleet = refusing(on, 33, NORTH);
    fleet.nodes[NORTH_A].run("UPDATE patient SET phone = 'none' WHERE uuid = 'a'");
    fleet.settle();
    assert_eq!((fleet.nodes[NORTH].held().len(), fleet.nodes[MINISTRY].held().len()), (1, 0));
    assert_eq!(told(&mut fleet.nodes[NORTH_A])[0].outcome, Outcome::Quarantined);
    assert_eq!((told(&mut fleet.nodes[NORTH_B]), told(&mut fleet.nodes[NORTH])), (vec![], vec![]));
    let_go(&mut fleet.nodes[NORTH], "it is no number");
    fleet.settle();
    equal(&mut fleet);
    let receipts = told(&mut fleet.nodes[NORTH_A]);
    assert!(receipts[0].reason.contains("let go by a person: it is no number"), "{receipts:?}");
}

on_engines!(what_the_ministry_says_does_not_hide_that_a_district_holds_something);
fn what_the_ministry_says_does_not_hide_that_a_district_holds_something(on: Engines) {
    let mut fleet = refusing(on, 36, NORTH);
    // The ministry deletes what another clinic of the district has edited; it is kept, and that clinic is told.
    fleet.nodes[MINISTRY].run("DELETE FROM patient WHERE uuid = 'b'");
    fleet.nodes[NORTH_A].run("UPDATE patient SET name = 'Binta Ba' WHERE uuid = 'b'");
    fleet.carry(NORTH_A, NORTH);
    fleet.nodes[NORTH_A].run("UPDATE patient SET phone = 'none' WHERE uuid = 'b'");
    fleet.carry(NORTH_A, NORTH);
    assert_eq!(fleet.nodes[NORTH].held().len(), 1);
    fleet.settle();
    assert_eq!(fleet.nodes[NORTH].held().len(), 1);
    let about_b: Vec<Outcome> = told(&mut fleet.nodes[NORTH_A]).iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(about_b, [Outcome::Quarantined]);
}

on_engines!(what_a_district_cannot_take_from_the_ministry_goes_no_further_until_it_can);
fn what_a_district_cannot_take_from_the_ministry_goes_no_further_until_it_can(on: Engines) {
    let mut fleet = refusing(on, 34, NORTH);
    fleet.nodes[SOUTH_A].run("UPDATE patient SET phone = 'none' WHERE uuid = 'a'");
    fleet.nodes[SOUTH_A].run("UPDATE patient SET name = 'Binta Ba' WHERE uuid = 'b'");
    fleet.settle();
    assert_eq!(fleet.nodes[NORTH].held().len(), 1);
    assert_eq!(fleet.nodes[NORTH_A].ask("SELECT name FROM patient WHERE uuid = 'b'"), "'Binta Ba'");
    // A clinic below does not know of it, and goes on: the ministry decides.
    fleet.nodes[NORTH_A].run("UPDATE patient SET phone = '7' WHERE uuid = 'a'");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(fleet.nodes[NORTH].held(), [], "what stands now is what the ministry decided");
    assert_eq!(fleet.nodes[MINISTRY].disagreements(), [("7".to_owned(), "none".to_owned())]);
}

on_engines!(what_is_held_is_tried_again_after_an_edit_here_though_no_bundle_came);
fn what_is_held_is_tried_again_after_an_edit_here_though_no_bundle_came(on: Engines) {
    let mut fleet = fleet(on, 35, |_| "");
    fleet.nodes[MINISTRY].run("UPDATE patient SET badge = '7' WHERE uuid = 'b'");
    fleet.nodes[NORTH_A].run("UPDATE patient SET badge = '7' WHERE uuid = 'a'");
    fleet.carry(NORTH_A, NORTH);
    fleet.carry(NORTH, MINISTRY);
    assert_eq!(fleet.nodes[MINISTRY].held().len(), 1);
    let again = |fleet: &mut Fleet| importer(&mut fleet.nodes[MINISTRY]).retry_held_after_changes().unwrap();
    assert_eq!(again(&mut fleet), None, "nothing has changed since");
    fleet.nodes[MINISTRY].run("UPDATE patient SET name = 'Binta Ba' WHERE uuid = 'b'");
    assert_eq!(again(&mut fleet).map(|tally| (tally.settled, tally.quarantined)), Some((0, 1)));
    assert_eq!(again(&mut fleet), None);
    fleet.nodes[MINISTRY].run("UPDATE patient SET badge = '8' WHERE uuid = 'b'");
    assert_eq!(again(&mut fleet).map(|tally| (tally.settled, tally.quarantined)), Some((1, 0)));
    assert_eq!(again(&mut fleet), None, "nothing is held");
    fleet.settle();
    equal(&mut fleet);
    assert_eq!(fleet.nodes[SOUTH_A].ask("SELECT badge FROM patient WHERE uuid = 'a'"), "'7'");
}
