//! What a person decides travels as any edit does, and can be taken back.

use saddlebag_formats::Value;
use saddlebag_importer::{Choice, ImportError, Importer, Judge, Resolved, Take};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Decision, Taken};
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode};
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, WARD, agree, arrive, everywhere, fleet, later, receipts};

const TABLES: &str = "
[person]
identity = 'natural(ref)'
conflicts = { default = 'newest', name = 'ask' }
together = [['dose', 'unit']]
[gone]
identity = 'natural(ref)'
delete = 'delete'
[visit]
identity = 'assigned'
";

const SCHEMA: &str = "
CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, phone TEXT, dose INTEGER, unit TEXT,
    boss_id INTEGER REFERENCES person (id));
CREATE TABLE gone (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, phone TEXT);
CREATE TABLE visit (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), text TEXT);
";

fn begun(on: Engines) -> Fleet {
    let mut fleet = fleet(on, TABLES, SCHEMA);
    fleet.nodes[WARD].run("INSERT INTO person (ref, name, phone, dose, unit) VALUES ('A', 'a', '0', 5, 'mg')");
    fleet.nodes[WARD].run("INSERT INTO gone (ref, phone) VALUES ('A', '0')");
    fleet.settle();
    fleet
}

fn resolve(fleet: &mut Fleet, node: usize, number: u64, take: Take) -> Result<Vec<Resolved>, ImportError> {
    let FleetNode { store, keys, me, clock, entropy, .. } = &mut fleet.nodes[node];
    let judge = Judge { by: "Ama".to_owned(), because: Some("asked the patient".to_owned()) };
    let mut importer = Importer { store: &mut **store, keys, me, clock, entropy };
    importer.resolve_conflicts(&[Choice { number, take }], &judge).map(|decided| decided.resolved)
}

/// What people decided, and how many conflicts are open.
fn decided(fleet: &mut Fleet) -> (Vec<Decision>, u64) {
    let store = &mut fleet.nodes[MINISTRY].store;
    store.begin(Access::Read).unwrap();
    let decisions = store.decisions().unwrap();
    let open = store.links().unwrap().iter().map(|link| store.counts(link.id).unwrap().conflicts).sum();
    store.rollback().unwrap();
    (decisions, open)
}

/// The clinic and the ward write `phone`: the ward's stands.
fn disagreement(on: Engines) -> Fleet {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("UPDATE person SET phone = '1'");
    later();
    fleet.nodes[WARD].run("UPDATE person SET phone = '2'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT phone FROM person", "'2'");
    assert_eq!(decided(&mut fleet), (Vec::new(), 1));
    fleet
}

on_engines!(a_decision_reaches_both_satellites_and_can_be_taken_back);
fn a_decision_reaches_both_satellites_and_can_be_taken_back(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("UPDATE person SET phone = '1'");
    later();
    fleet.nodes[WARD].run("UPDATE person SET phone = '2'");
    let earlier: Vec<_> = [CLINIC, WARD].into_iter().flat_map(|node| fleet.export(node, MINISTRY)).collect();
    arrive(&mut fleet, [CLINIC, WARD]);
    let done = resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap();
    assert_eq!(done, [Resolved { number: 1, is_written: true }]);
    assert_eq!(fleet.nodes[MINISTRY].ask("SELECT phone FROM person"), "'1'");
    // The bundles that say so get lost, and the old ones come again.
    for node in [CLINIC, WARD] {
        assert!(!fleet.export(MINISTRY, node).is_empty());
    }
    for bundle in &earlier {
        let _already = fleet.nodes[MINISTRY].import(bundle).unwrap();
    }
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT phone FROM person", "'1'");
    let (decisions, open) = decided(&mut fleet);
    assert_eq!((decisions.len(), open, fleet.nodes[MINISTRY].conflicts().len()), (1, 0, 1));
    let Decision { conflict, taken, by, because, .. } = &decisions[0];
    assert_eq!(
        (*conflict, *taken, by.as_str(), because.as_deref()),
        (1, Taken::Other, "Ama", Some("asked the patient"))
    );
    assert!(receipts(&mut fleet, WARD).iter().any(|told| told.3.contains("decided by Ama")), "the ward is told");
    // It is taken back, and once more without any effect.
    assert!(resolve(&mut fleet, MINISTRY, 1, Take::Stands).unwrap()[0].is_written);
    assert!(!resolve(&mut fleet, MINISTRY, 1, Take::Stands).unwrap()[0].is_written);
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT phone FROM person", "'2'");
    assert_eq!(decided(&mut fleet).0.len(), 3);
}

on_engines!(the_losing_value_comes_back_over_later_edits_and_a_new_one_is_a_new_conflict);
fn the_losing_value_comes_back_over_later_edits_and_a_new_one_is_a_new_conflict(on: Engines) {
    let mut fleet = disagreement(on);
    fleet.nodes[CLINIC].run("UPDATE person SET phone = '3'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT phone FROM person", "'3'");
    // An edit of the ward's that had seen nothing of the decision: the later of the two stands, both are kept.
    assert!(resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap()[0].is_written);
    later();
    fleet.nodes[WARD].run("UPDATE person SET phone = '4'");
    arrive(&mut fleet, [WARD, CLINIC]);
    assert_eq!(fleet.nodes[MINISTRY].conflicts().len(), 2);
    assert_eq!(decided(&mut fleet).1, 1, "the new one is open");
    assert!(resolve(&mut fleet, MINISTRY, 2, Take::Value(Value::Text("5".to_owned()))).unwrap()[0].is_written);
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT phone FROM person", "'5'");
    assert_eq!(decided(&mut fleet).1, 0);
}

on_engines!(what_is_asked_is_decided_by_a_person);
fn what_is_asked_is_decided_by_a_person(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[MINISTRY].run("UPDATE person SET name = 'ministry'");
    later();
    fleet.nodes[CLINIC].run("UPDATE person SET name = 'clinic'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT name FROM person", "'ministry'");
    assert!(!resolve(&mut fleet, MINISTRY, 1, Take::Stands).unwrap()[0].is_written, "it stands already");
    assert_eq!(decided(&mut fleet).1, 0);
    let _done = resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap();
    fleet.settle();
    everywhere(&fleet, "SELECT name FROM person", "'clinic'");
    agree(&mut fleet);
}

on_engines!(columns_together_are_decided_together);
fn columns_together_are_decided_together(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("UPDATE person SET dose = 5000");
    later();
    fleet.nodes[WARD].run("UPDATE person SET unit = 'g'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT CAST(dose AS TEXT) || unit FROM person", "'5g'");
    let done = resolve(&mut fleet, MINISTRY, 2, Take::Other).unwrap();
    assert_eq!(done.iter().map(|done| done.number).collect::<Vec<_>>(), [1, 2]);
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT CAST(dose AS TEXT) || unit FROM person", "'5000mg'");
    assert_eq!(decided(&mut fleet).1, 0);
}

on_engines!(a_kept_record_is_deleted_after_all_unless_others_refer_to_it);
fn a_kept_record_is_deleted_after_all_unless_others_refer_to_it(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("DELETE FROM person");
    fleet.nodes[WARD].run("UPDATE person SET phone = '2'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT phone FROM person", "'2'");
    fleet.nodes[WARD].run("INSERT INTO visit (person_id, text) SELECT id, 'v' FROM person");
    fleet.settle();
    let refused = resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap_err();
    assert!(matches!(&refused, ImportError::NotResolved { reason, .. } if reason.contains("`visit`")), "{refused}");
    assert_eq!(decided(&mut fleet), (Vec::new(), 1), "nothing was changed");
    fleet.nodes[WARD].run("DELETE FROM visit");
    fleet.settle();
    let _done = resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT count(*) FROM person", "0");
    // And back again, as it was.
    let _done = resolve(&mut fleet, MINISTRY, 1, Take::Stands).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT name || phone FROM person", "'a2'");
}

on_engines!(a_record_that_was_deleted_by_rule_comes_back_with_its_last_values);
fn a_record_that_was_deleted_by_rule_comes_back_with_its_last_values(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[CLINIC].run("DELETE FROM gone");
    fleet.nodes[WARD].run("UPDATE gone SET phone = '2'");
    arrive(&mut fleet, [CLINIC, WARD]);
    everywhere(&fleet, "SELECT count(*) FROM gone", "0");
    let conflicts = fleet.nodes[MINISTRY].conflicts();
    let number =
        |is: &dyn Fn(&saddlebag_stores::ledger::Conflict) -> bool| conflicts.iter().position(is).unwrap() as u64 + 1;
    let deletion = number(&|conflict| conflict.column.is_none());
    let phone = number(&|conflict| conflict.column.as_deref() == Some("phone"));
    let _done = resolve(&mut fleet, MINISTRY, deletion, Take::Other).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT phone FROM gone", "'0'");
    let _done = resolve(&mut fleet, MINISTRY, phone, Take::Other).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT phone FROM gone", "'2'");
    let _done = resolve(&mut fleet, MINISTRY, deletion, Take::Stands).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, "SELECT count(*) FROM gone", "0");
}

on_engines!(a_reference_is_decided_like_any_value);
fn a_reference_is_decided_like_any_value(on: Engines) {
    let mut fleet = begun(on);
    fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('B', 'b'), ('C', 'c')");
    fleet.settle();
    let boss =
        |of: &str| format!("UPDATE person SET boss_id = (SELECT id FROM person WHERE ref = '{of}') WHERE ref = 'A'");
    fleet.nodes[CLINIC].run(&boss("B"));
    later();
    fleet.nodes[WARD].run(&boss("C"));
    arrive(&mut fleet, [WARD, CLINIC]);
    let name = "SELECT b.name FROM person a JOIN person b ON b.id = a.boss_id WHERE a.ref = 'A'";
    everywhere(&fleet, name, "'c'");
    let _done = resolve(&mut fleet, MINISTRY, 1, Take::Other).unwrap();
    fleet.settle();
    agree(&mut fleet);
    everywhere(&fleet, name, "'b'");
    let nobody = resolve(&mut fleet, MINISTRY, 7, Take::Other).unwrap_err();
    assert!(matches!(nobody, ImportError::NoConflict { number: 7 }), "{nobody}");
    let unfit = resolve(&mut fleet, MINISTRY, 1, Take::Value(Value::Reference(saddlebag_formats::Uid([5; 16]))));
    assert!(matches!(unfit, Err(ImportError::NotResolved { .. })) || decided(&mut fleet).0.len() == 2, "{unfit:?}");
}
