//! What no constraint of the table itself refuses: deferred foreign keys, and values that are too large.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::on_engines;

const TABLES: &str = "
[patient]
identity = 'natural(tag)'
[note]
identity = 'assigned'
";

/// A clinic and a ministry whose notes refer to a patient by another column than its key, checked at commit.
fn deferred(on: Engines, seed: u64) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed, engines: on };
    Fleet::new(&plan, |index, app| {
        let check = if index == 0 { "CHECK (name <> 'nobody')" } else { "" };
        let sql = format!(
            "CREATE TABLE patient (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, name TEXT {check});
             CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT,
                 patient_tag TEXT REFERENCES patient (tag) DEFERRABLE INITIALLY DEFERRED);"
        );
        app.execute_batch(&sql).unwrap();
    })
}

on_engines!(promise_5_a_deferred_foreign_key_to_a_refused_record_stops_only_itself);
fn promise_5_a_deferred_foreign_key_to_a_refused_record_stops_only_itself(on: Engines) {
    let mut fleet = deferred(on, 1);
    fleet.nodes[1].run(
        "INSERT INTO patient (tag, name) VALUES ('good', 'Abena'), ('bad', 'nobody');
         INSERT INTO note (text, patient_tag) VALUES ('good', 'good'), ('of bad', 'bad'), ('good too', NULL)",
    );
    let bundle = fleet.export(1, 0).remove(0);
    let applied = fleet.nodes[0].import(&bundle).unwrap();
    assert_eq!(applied.tally.parked + applied.tally.quarantined, 2, "the patient, and what refers to it");
    assert_eq!(fleet.nodes[0].ask("SELECT string_agg(text, ',' ORDER BY text) FROM note"), "'good,good too'");
    assert_eq!(fleet.nodes[0].ask("SELECT string_agg(tag, ',') FROM patient"), "'good'");
    fleet.nodes[1].run("UPDATE patient SET name = 'Binta' WHERE tag = 'bad'");
    fleet.settle();
    assert_eq!(fleet.nodes[0].held(), []);
    assert_eq!(fleet.nodes[0].count("note"), 3);
}

on_engines!(promise_5_a_value_too_large_for_a_bundle_stops_only_its_record);
/// A value that is larger than any bundle may carry stays where it is, and everything else travels.
fn promise_5_a_value_too_large_for_a_bundle_stops_only_its_record(on: Engines) {
    let plan =
        FleetPlan { names: &["ministry", "clinic"], tables: "[scan]\nidentity = 'assigned'", seed: 2, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| {
        app.execute_batch("CREATE TABLE scan (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB)").unwrap();
    });
    let bytes = saddlebag_formats::limits::MEMBER_BYTES_MAX + 1;
    let large = format!("zeroblob({bytes})");
    let large_too = format!("convert_to(repeat('0', {bytes}), 'UTF8')");
    let large = fleet.nodes[1].app.either(&large, &large_too);
    fleet.nodes[1]
        .run(&format!("INSERT INTO scan (name, bytes) VALUES ('good', x'00'), ('bad', {large}), ('good too', x'01')"));
    fleet.settle();
    assert_eq!(fleet.nodes[0].ask("SELECT string_agg(name, ',' ORDER BY name) FROM scan"), "'good,good too'");
    // It is made smaller, and follows.
    fleet.nodes[1].run("UPDATE scan SET bytes = x'02' WHERE name = 'bad'");
    fleet.settle();
    assert_eq!(fleet.nodes[0].count("scan"), 3);
}
