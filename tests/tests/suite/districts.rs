//! Districts: central to their clinics, satellites of the ministry.

use saddlebag_tests::app::said;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::on_engines;

mod decided;
mod held;
mod merged;

const NAMES: [&str; 5] = ["ministry", "north", "south", "north-clinic", "south-clinic"];
const CENTRALS: [usize; 5] = [0, 0, 0, 1, 2];

fn fleet(on: Engines) -> Fleet {
    let tables = "[patient]\nidentity = 'uuid(uuid)'";
    let plan = FleetPlan { names: &NAMES, tables, seed: 31, engines: on };
    Fleet::tree(&plan, &CENTRALS, |_, app| {
        let sql = "CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT);";
        app.execute_batch(sql).unwrap();
    })
}

on_engines!(an_edit_at_the_ministry_reaches_the_clinics_of_all_districts);
fn an_edit_at_the_ministry_reaches_the_clinics_of_all_districts(on: Engines) {
    let mut fleet = fleet(on);
    let uuid = said("0d5c1c3f-7a3b-4b13-9a43-6f1c1de7a001");
    let insert = "INSERT INTO patient (uuid, name, phone) VALUES (?1, 'Ada', '1')";
    fleet.nodes[3].app.write(insert, std::slice::from_ref(&uuid)).unwrap();
    fleet.settle();
    fleet.nodes[0].app.write("UPDATE patient SET name = 'Ada Moyo'", &[]).unwrap();
    fleet.settle();
    fleet.nodes[4].app.write("UPDATE patient SET phone = '2'", &[]).unwrap();
    fleet.settle();
    let versions = fleet.nodes[0].versions();
    assert_eq!(versions.len(), 3, "{versions:?}");
    for node in &mut fleet.nodes {
        let row = node.app.rows("SELECT uuid, name, phone FROM patient", &[]).unwrap();
        assert_eq!(row, [[uuid.clone(), said("Ada Moyo"), said("2")]], "{node:?}");
        assert_eq!(node.versions(), versions, "{node:?}");
        node.store.begin(saddlebag_stores::Access::Read).unwrap();
        assert!(node.store.conflicts().unwrap().is_empty(), "{node:?}");
        node.store.rollback().unwrap();
    }
}
