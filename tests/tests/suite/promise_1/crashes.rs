//! The program ends between any two steps of a round: nothing is lost, nothing comes twice.
//!
//! Saddlebag asks for the time and for random bytes all along its way; at one of those moments it dies, its connection
//! with it. Every moment has its turn.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::{NodeId, TimeMs};
use saddlebag_tests::fleet::{Fleet, FleetNode, TestClock, TestEntropy};
use saddlebag_tests::tell;

use super::{equal, fleet};

/// How many moments are left until the end.
struct Fate<'a> {
    left: &'a Cell<usize>,
    clock: TestClock,
}

impl Fate<'_> {
    fn moment(&self) {
        if self.left.get() == 0 {
            // Without a word: it is expected.
            std::panic::resume_unwind(Box::new("the power failed"));
        }
        self.left.set(self.left.get() - 1);
    }
}

impl Clock for Fate<'_> {
    fn now(&self) -> TimeMs {
        self.moment();
        self.clock.now()
    }
}

struct FatefulEntropy<'a>(Fate<'a>, TestEntropy);

impl Entropy for FatefulEntropy<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.moment();
        self.1.fill(bytes);
    }
}

/// Runs `step` of a node with a program that dies after so many moments; then the program is started again.
fn dies<T>(
    node: &mut FleetNode,
    left: &Cell<usize>,
    step: impl FnOnce(&mut FleetNode, &Cell<usize>) -> T,
) -> Option<T> {
    if let Ok(done) = catch_unwind(AssertUnwindSafe(|| step(node, left))) {
        return Some(done);
    }
    node.start_again();
    None
}

fn export(node: &mut FleetNode, peer: NodeId, left: &Cell<usize>) -> Vec<Vec<u8>> {
    let fate = || Fate { left, clock: node.clock.clone() };
    let (clock, mut entropy) = (fate(), FatefulEntropy(fate(), TestEntropy(node.entropy.next_u64())));
    let exported = node.export_by(peer, &clock, &mut entropy);
    exported.bundles.iter().map(|bundle| std::fs::read(&bundle.path).unwrap()).collect()
}

fn import(node: &mut FleetNode, bundle: &[u8], left: &Cell<usize>) {
    let fate = || Fate { left, clock: node.clock.clone() };
    let (clock, mut entropy) = (fate(), FatefulEntropy(fate(), TestEntropy(node.entropy.next_u64())));
    let _applied = node.import_by(bundle, &clock, &mut entropy).unwrap();
}

/// One round between the first clinic and the ministry, which ends where the power fails. Says whether it ended so.
fn round(fleet: &mut Fleet, moments: usize) -> bool {
    let left = Cell::new(moments);
    for (from, to) in [(1, 0), (0, 1)] {
        let peer = fleet.nodes[to].me.id;
        let Some(bundles) = dies(&mut fleet.nodes[from], &left, |node, left| export(node, peer, left)) else {
            return true;
        };
        for bundle in bundles {
            if dies(&mut fleet.nodes[to], &left, |node, left| import(node, &bundle, left)).is_none() {
                return true;
            }
        }
    }
    false
}

#[test]
fn the_program_dies_between_any_two_steps_of_a_round() {
    let mut moments = 0;
    loop {
        let mut fleet = fleet(40, "");
        fleet.nodes.iter_mut().for_each(|node| node.records_per_bundle = 3);
        fleet.nodes[1].run(
            "INSERT INTO visit (tag, note, patient_id) SELECT 'v' || id, 'x', id FROM patient;
             INSERT INTO patient (uuid, name) VALUES ('c', 'Chipo'), ('d', 'Dalia');
             INSERT INTO visit (tag, note, patient_id) SELECT 'w' || id, 'y', id FROM patient;
             UPDATE patient SET phone = 'of riverside' WHERE uuid = 'a'",
        );
        fleet.nodes[0].run(
            "UPDATE patient SET phone = 'of the ministry' WHERE uuid = 'a'; DELETE FROM patient WHERE uuid = 'b';
             INSERT INTO patient (uuid, name) VALUES ('e', 'Esi')",
        );
        let died = round(&mut fleet, moments);
        // A new day: more work, and rounds that come to their end.
        fleet.nodes[1].run("UPDATE visit SET note = note || ' and more'; DELETE FROM visit WHERE tag LIKE 'v%1'");
        fleet.settle();
        equal(&mut fleet);
        let expected = [("patient", 5), ("visit", 5)];
        for (table, rows) in expected {
            for node in &fleet.nodes {
                assert_eq!(node.count(table), rows, "{table}, after {moments} moments");
            }
        }
        let disagreements = fleet.nodes[0].disagreements();
        assert_eq!(disagreements.len(), 1, "after {moments} moments: {disagreements:?}");
        assert_eq!(fleet.nodes[0].ask("SELECT count(*) FROM visit WHERE note LIKE '_ and more'"), "5");
        if !died {
            break;
        }
        moments += 1;
    }
    tell(&format!("the program died at {moments} moments of a round"));
    assert!(moments > 20, "only {moments} moments");
}

/// A number was given and noted, and the power failed before the file appeared, or before it was noted beside it.
#[test]
fn a_number_without_a_bundle_and_a_bundle_without_a_note_lose_nothing() {
    for removed in ["outbox", "high-water"] {
        let mut fleet = fleet(41, "");
        for round in 0..3 {
            fleet.nodes[1].run(&format!("UPDATE patient SET phone = 'round {round}' WHERE uuid = 'a'"));
            let _lost = fleet.export(1, 0);
            let gone = fleet.nodes[1].database.with_file_name(removed);
            if gone.is_dir() { std::fs::remove_dir_all(&gone).unwrap() } else { std::fs::remove_file(&gone).unwrap() }
        }
        fleet.settle();
        equal(&mut fleet);
        assert_eq!(fleet.nodes[2].ask(super::PHONE), "'round 2'");
    }
}
