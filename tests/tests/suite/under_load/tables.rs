//! TRUNCATE, partitions, cascades and sessions whose triggers are off.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, arrived, fleet, run, same};

fn clinic(fleet: &Fleet, sql: &str) {
    run(&fleet.nodes[CLINIC], sql);
}

fn a_truncated_table_is_empty_everywhere(engines: Engines) {
    let mut fleet = fleet(engines, 71);
    let rows = "INSERT INTO batch (tag) VALUES ('a'), ('b');
                INSERT INTO batch_row (batch_id, tag) SELECT b.id, b.tag || n FROM batch b, generate_series(1, 3) n";
    clinic(&fleet, rows);
    assert_eq!(arrived(&mut fleet, "batch_row").len(), 6);
    clinic(&fleet, "TRUNCATE batch_row");
    assert_eq!(arrived(&mut fleet, "batch_row"), [""; 0]);
    clinic(&fleet, "DELETE FROM batch");
    clinic(&fleet, rows);
    assert_eq!(arrived(&mut fleet, "batch_row").len(), 6);
    // By the parent alone; its numbers begin anew, and other records get them.
    clinic(&fleet, &format!("BEGIN; TRUNCATE batch RESTART IDENTITY CASCADE; {rows}; COMMIT"));
    assert_eq!(arrived(&mut fleet, "batch").len(), 2);
    assert_eq!(arrived(&mut fleet, "batch_row").len(), 6);
    clinic(
        &fleet,
        "BEGIN; TRUNCATE batch CASCADE; SAVEPOINT s; INSERT INTO batch (tag) VALUES ('c'); ROLLBACK TO s; COMMIT",
    );
    assert_eq!(arrived(&mut fleet, "batch"), [""; 0]);
    assert_eq!(arrived(&mut fleet, "batch_row"), [""; 0]);
}
on_engines!(a_truncated_table_is_empty_everywhere: postgres POSTGRES);

/// TRUNCATE takes rows away that the snapshot of its transaction does not show.
fn what_came_after_a_snapshot_and_is_truncated_in_it_goes_everywhere(engines: Engines) {
    let mut fleet = fleet(engines, 72);
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        clinic(&fleet, "INSERT INTO batch (tag) VALUES ('before')");
        let mut late = fleet.nodes[CLINIC].connect();
        late.batch_execute(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT FROM patient")).unwrap();
        clinic(
            &fleet,
            "INSERT INTO batch (tag) VALUES ('after'); UPDATE batch SET tag = 'changed' WHERE tag = 'before'",
        );
        assert_eq!(arrived(&mut fleet, "batch"), ["after", "changed"]);
        clinic(&fleet, "INSERT INTO batch (tag) VALUES ('not absorbed yet')");
        late.batch_execute("TRUNCATE batch CASCADE; INSERT INTO batch (tag) VALUES ('new'); COMMIT").unwrap();
        assert_eq!(arrived(&mut fleet, "batch"), ["new"], "{isolation}");
        clinic(&fleet, "DELETE FROM batch");
    }
}
on_engines!(what_came_after_a_snapshot_and_is_truncated_in_it_goes_everywhere: postgres POSTGRES);

fn rows_move_between_partitions(engines: Engines) {
    let mut fleet = fleet(engines, 73);
    clinic(&fleet, "INSERT INTO measured SELECT n, 2024, 'tag ' || n, n / 8.0 FROM generate_series(1, 9) n");
    clinic(&fleet, "INSERT INTO measured VALUES (2000000, 2025, 'high', 'NaN'), (20, 2025, 'low', '-0')");
    let before = arrived(&mut fleet, "measured");
    assert_eq!(before.len(), 11);
    let uids = |fleet: &mut Fleet| -> Vec<String> {
        let versions = fleet.nodes[MINISTRY].versions();
        let uids: std::collections::BTreeSet<String> =
            versions.keys().filter(|(table, ..)| table == "measured").map(|(_, uid, _)| uid.to_string()).collect();
        uids.into_iter().collect()
    };
    let known = uids(&mut fleet);
    // To another partition, one two levels down, and within its own.
    clinic(&fleet, "UPDATE measured SET year = 2025, tag = 'moved' WHERE id < 4");
    clinic(&fleet, "UPDATE measured SET id = 3000000 WHERE id = 20; UPDATE measured SET id = 21 WHERE id = 2000000");
    clinic(&fleet, "UPDATE measured SET id = 90 WHERE id = 9");
    clinic(
        &fleet,
        "BEGIN; UPDATE measured SET year = 2025 WHERE id = 4; SAVEPOINT s; UPDATE measured SET year = 2025; \
                    ROLLBACK TO s; UPDATE measured SET year = 2024 WHERE id = 4; COMMIT",
    );
    let after = arrived(&mut fleet, "measured");
    assert_eq!(after.iter().filter(|row| row.contains("2025,moved")).count(), 3);
    assert!(
        ["(3000000,2025,low,-0)", "(21,2025,high,NaN)", "(90,2024,\"tag 9\",1.125)"]
            .iter()
            .all(|row| after.contains(&(*row).to_owned()))
    );
    assert_eq!(uids(&mut fleet), known, "each is the record that it was");
    clinic(&fleet, "TRUNCATE measured_2025_low");
    assert_eq!(arrived(&mut fleet, "measured").len(), after.len() - 4);
    clinic(&fleet, "TRUNCATE measured");
    assert_eq!(arrived(&mut fleet, "measured"), [""; 0]);
}
on_engines!(rows_move_between_partitions: postgres POSTGRES);

fn rows_come_and_go_with_their_partitions(engines: Engines) {
    let mut fleet = fleet(engines, 74);
    clinic(&fleet, "INSERT INTO measured VALUES (1, 2024, 'a', 1), (2, 2025, 'b', 2)");
    assert_eq!(arrived(&mut fleet, "measured").len(), 2);
    // The ministry has room for what comes.
    run(&fleet.nodes[MINISTRY], "CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES IN (2026)");
    clinic(
        &fleet,
        "CREATE TABLE measured_2026 (LIKE measured INCLUDING ALL); INSERT INTO measured_2026 VALUES (3, 2026, 'c', 3);
         ALTER TABLE measured ATTACH PARTITION measured_2026 FOR VALUES IN (2026)",
    );
    assert_eq!(arrived(&mut fleet, "measured").len(), 3);
    clinic(&fleet, "UPDATE measured SET value = 4, year = 2026 WHERE id = 1; TRUNCATE measured_2025");
    assert_eq!(arrived(&mut fleet, "measured"), ["(1,2026,a,4)", "(3,2026,c,3)"]);
    // A row moves in the very transaction that takes its old partition away.
    clinic(&fleet, "INSERT INTO measured VALUES (5, 2024, 'e', 5), (6, 2024, 'f', 6)");
    assert_eq!(arrived(&mut fleet, "measured").len(), 4);
    clinic(
        &fleet,
        "BEGIN; UPDATE measured SET year = 2026 WHERE id = 5; ALTER TABLE measured DETACH PARTITION measured_2024;
         UPDATE measured_2024 SET tag = 'nobody else''s'; COMMIT",
    );
    let left = arrived(&mut fleet, "measured");
    assert_eq!(left, ["(1,2026,a,4)", "(3,2026,c,3)", "(5,2026,e,5)"]);
    clinic(&fleet, "INSERT INTO measured_2024 VALUES (7, 2024, 'g', 7); DROP TABLE measured_2024");
    assert_eq!(arrived(&mut fleet, "measured"), left);
}
on_engines!(rows_come_and_go_with_their_partitions: postgres POSTGRES);

fn cascades_arrive_as_what_they_did(engines: Engines) {
    let mut fleet = fleet(engines, 75);
    clinic(
        &fleet,
        "INSERT INTO visit (tag, note, patient_id) SELECT 'v' || n, 'x', n FROM generate_series(1, 3) n;
         INSERT INTO line (tag, n, visit_id) SELECT v.tag || '-' || n, n, v.id FROM visit v, generate_series(1, 3) n;
         UPDATE line l SET after_id = b.id FROM line b WHERE b.n = l.n - 1",
    );
    assert_eq!(arrived(&mut fleet, "line").len(), 9);
    // One line goes, and lines of other visits come after none; then a visit with all its lines.
    clinic(&fleet, "DELETE FROM line WHERE tag = 'v1-1'");
    let lines = arrived(&mut fleet, "line");
    assert_eq!(lines.len(), 8);
    clinic(&fleet, "BEGIN; UPDATE line SET n = 7 WHERE tag LIKE 'v2%'; DELETE FROM visit WHERE tag = 'v2'; COMMIT");
    assert_eq!(arrived(&mut fleet, "line").len(), 5);
    // And the other way: what the ministry's deletion takes along here is the same.
    run(&fleet.nodes[MINISTRY], "DELETE FROM visit WHERE tag = 'v3'");
    assert_eq!(arrived(&mut fleet, "line").len(), 2);
    clinic(&fleet, "BEGIN; DELETE FROM visit; ROLLBACK");
    assert_eq!(arrived(&mut fleet, "line").len(), 2);
}
on_engines!(cascades_arrive_as_what_they_did: postgres POSTGRES);

fn a_session_that_switches_triggers_off_is_noted_all_the_same(engines: Engines) {
    let mut fleet = fleet(engines, 76);
    clinic(
        &fleet,
        "SET session_replication_role = replica;
         INSERT INTO visit (tag, note, patient_id) VALUES ('a', 'replica', 1), ('b', 'replica', 2), ('c', 'replica', NULL);
         UPDATE visit SET note = 'edited' WHERE tag = 'a'; DELETE FROM visit WHERE tag = 'c';
         INSERT INTO batch (tag) VALUES ('x'), ('y'); TRUNCATE batch CASCADE; INSERT INTO batch (tag) VALUES ('z');
         INSERT INTO measured VALUES (1, 2024, 'm', 1); UPDATE measured SET year = 2025",
    );
    let visits = arrived(&mut fleet, "visit");
    assert_eq!(visits.len(), 2);
    assert!(visits.iter().any(|visit| visit.starts_with("(a,edited,")), "{visits:?}");
    assert_eq!(arrived(&mut fleet, "batch"), ["z"]);
    assert_eq!(arrived(&mut fleet, "measured"), ["(1,2025,m,1)"]);
    // What such a session breaks stays broken here, and the ministry has what it can have.
    clinic(&fleet, "SET session_replication_role = replica; UPDATE visit SET note = 'again' WHERE tag = 'b'");
    fleet.settle();
    assert!(same(&mut fleet).iter().any(|line| line.starts_with("visit (b,again,")));
}
on_engines!(a_session_that_switches_triggers_off_is_noted_all_the_same: postgres POSTGRES);
