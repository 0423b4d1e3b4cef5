//! A feed that is cut into several bundles.

use saddlebag_formats::Seq;
use saddlebag_tests::app::App;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::on_engines;

const ROWS: u32 = 60;
const LIMIT: usize = 10;

fn fleet(on: Engines, seed: u64) -> Fleet {
    let tables = "[ward]\nidentity = 'natural(name)'\n[patient]\nidentity = 'assigned'";
    let plan = FleetPlan { names: &["ministry", "clinic"], tables, seed, engines: on };
    Fleet::new(&plan, |_, app| {
        let sql = "CREATE TABLE ward (id INTEGER PRIMARY KEY, name TEXT UNIQUE, beds INTEGER);
                   CREATE TABLE patient (id INTEGER PRIMARY KEY, ward_id INTEGER REFERENCES ward (id), name TEXT, \
                                         weight REAL);";
        app.execute_batch(sql).unwrap();
    })
}

fn fill(fleet: &Fleet) {
    let app = &fleet.nodes[1].app;
    app.execute_batch("INSERT INTO ward (name, beds) VALUES ('a', 1), ('b', 2)").unwrap();
    for row in 0..ROWS {
        let sql = format!("INSERT INTO patient (ward_id, name) VALUES ({}, 'p{row}')", 1 + row % 2);
        app.execute_batch(&sql).unwrap();
    }
}

fn equal(fleet: &mut Fleet) {
    let tables = [Table::named("ward", &["name"]), Table::named("patient", &["name"])];
    let nodes: Vec<(&str, &App)> = vec![("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
    let differences = meaning::differences(&nodes, &tables).unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(fleet.nodes[0].versions(), fleet.nodes[1].versions());
}

on_engines!(a_part_never_holds_more_records_than_it_may);
/// Every record has places in the feed before and after where it is cut, so that each stretch holds more records than
/// have their latest place in it.
fn a_part_never_holds_more_records_than_it_may(on: Engines) {
    let mut fleet = fleet(on, 1);
    fill(&fleet);
    assert_eq!(fleet.export(1, 0).len(), 1, "and nobody ever gets it");
    fleet.nodes[1].app.execute_batch("UPDATE patient SET weight = id / 2.0; UPDATE ward SET beds = 9").unwrap();
    fleet.nodes[1].records_per_bundle = LIMIT;
    let ministry = fleet.nodes[0].me.id;
    let parts = fleet.nodes[1].export_to(ministry).bundles;
    assert!(parts.len() > ROWS as usize / LIMIT, "{} parts", parts.len());
    let mut end = Seq(0);
    for part in &parts {
        assert!(part.records <= LIMIT as u64, "{} records", part.records);
        assert_eq!(part.header.after, end, "parts follow each other");
        end = part.header.upto;
    }
    // Half of them arrive; the rest is lost, and said again.
    for part in &parts[..parts.len() / 2] {
        let _applied = fleet.nodes[0].import(&std::fs::read(&part.path).unwrap()).unwrap();
    }
    fleet.carry(0, 1);
    fleet.nodes[1].app.execute_batch("DELETE FROM patient WHERE id % 7 = 0").unwrap();
    fleet.settle();
    equal(&mut fleet);
}
