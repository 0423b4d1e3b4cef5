//! Values of several megabytes.

use saddlebag_tests::app::Sql;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy};
use saddlebag_tests::on_engines;

const MEGABYTE: usize = 1 << 20;

on_engines!(texts_and_bytes_of_megabytes_travel);
fn texts_and_bytes_of_megabytes_travel(engines: Engines) {
    let plan = FleetPlan {
        names: &["ministry", "clinic-a", "clinic-b"],
        tables: "[scan]\nidentity = 'assigned'",
        seed: 5,
        engines,
    };
    let mut fleet = Fleet::new(&plan, |_, app| {
        let json = app.either("TEXT", "jsonb");
        app.execute_batch(&format!("CREATE TABLE scan (id INTEGER PRIMARY KEY, bytes BLOB, text TEXT, told {json})"))
            .unwrap();
    });
    let mut random = TestEntropy(11);
    let bytes: Vec<u8> = (0..3 * MEGABYTE).map(|_| random.next_u64().to_le_bytes()[0]).collect();
    let text: String = (0..MEGABYTE).map(|at| ['a', 'ä', '€', '😀', '\\', '\n'][(at * 7 + at / 5) % 6]).collect();
    let told = format!("{{\"text\": \"{}\"}}", "ä ".repeat(MEGABYTE / 2));
    let row = [Sql::Blob(bytes.clone()), Sql::Text(text.clone()), Sql::Text(told.clone())];
    fleet.nodes[1].app.write("INSERT INTO scan (bytes, text, told) VALUES (?1, ?2, ?3)", &row).unwrap();
    fleet.settle();
    let same = |fleet: &Fleet, row: &[Sql]| {
        for node in &fleet.nodes {
            let rows = node.app.rows("SELECT bytes, text, told FROM scan", &[]).unwrap();
            assert!(rows.len() == 1 && rows[0] == row, "{:?} holds another scan", node.me.name);
        }
    };
    same(&fleet, &row);
    // And an edit of one of them from the other side.
    let longer = Sql::Text(text.repeat(2));
    fleet.nodes[2].app.write("UPDATE scan SET text = ?1", std::slice::from_ref(&longer)).unwrap();
    fleet.settle();
    same(&fleet, &[Sql::Blob(bytes), longer, Sql::Text(told)]);
    assert!(fleet.nodes.iter_mut().all(|node| node.held().is_empty()));
}
