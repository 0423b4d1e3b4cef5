//! The application goes on after it has altered its tables, before anybody has told saddlebag.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, TABLES, fleet, run, texts};

/// What the application does in a session that used the triggers before, and in a new one.
fn work(fleet: &Fleet, alter: &str, statements: &[&str]) {
    let node = &fleet.nodes[CLINIC];
    let mut known = node.connect();
    known
        .batch_execute(
            "INSERT INTO visit (tag, note, weight) VALUES ('gone', 'x', 1.5), ('first', 'x', 2);
             UPDATE visit SET note = 'y', weight = 3 WHERE tag = 'first'; DELETE FROM visit WHERE tag = 'gone'",
        )
        .unwrap();
    run(node, alter);
    for (mut client, name) in [(known, "known"), (node.connect(), "new")] {
        for statement in statements {
            let statement = statement.replace("NAME", name);
            client.batch_execute(&statement).unwrap_or_else(|error| panic!("{alter}; {statement}: {error:?}"));
        }
    }
}

fn visits(fleet: &Fleet, node: usize, columns: &str) -> Vec<String> {
    texts(&mut fleet.nodes[node].connect(), &format!("SELECT ROW({columns})::text FROM visit ORDER BY tag"))
}

const CASES: [(&str, &[&str], &str); 6] = [
    (
        "ALTER TABLE visit DROP COLUMN weight",
        &["INSERT INTO visit (tag, note) VALUES ('NAME', 'x')", "UPDATE visit SET note = 'NAME' WHERE tag = 'first'"],
        "tag, note",
    ),
    (
        "ALTER TABLE visit RENAME COLUMN at TO moment",
        &["INSERT INTO visit (tag, note, moment) VALUES ('NAME', 'x', now())", "UPDATE visit SET note = 'NAME' WHERE tag = 'first'"],
        "tag, note",
    ),
    (
        "ALTER TABLE visit ADD COLUMN extra integer NOT NULL DEFAULT 7",
        &["INSERT INTO visit (tag, note, extra) VALUES ('NAME', 'x', 8)", "UPDATE visit SET extra = 9, note = 'NAME'"],
        "tag, note",
    ),
    (
        "ALTER TABLE visit ALTER COLUMN weight TYPE text USING weight::text",
        &["INSERT INTO visit (tag, note, weight) VALUES ('NAME', 'x', '5')", "UPDATE visit SET weight = '6' WHERE tag = 'first'"],
        "tag, note, weight",
    ),
    (
        "ALTER TABLE line DROP CONSTRAINT line_visit_id_fkey; ALTER TABLE visit ALTER COLUMN id TYPE integer",
        &["INSERT INTO visit (tag, note) VALUES ('NAME', 'x')", "UPDATE visit SET note = 'NAME' WHERE tag = 'first'"],
        "tag, note",
    ),
    (
        "ALTER TABLE visit RENAME TO visit_old; CREATE TABLE visit (LIKE visit_old INCLUDING ALL); ALTER SEQUENCE visit_id_seq OWNED BY visit.id;
         INSERT INTO visit SELECT * FROM visit_old; ALTER TABLE line DROP CONSTRAINT line_visit_id_fkey; DROP TABLE visit_old",
        &["INSERT INTO visit (id, tag, note) VALUES (length('NAME'), 'NAME', 'x')", "UPDATE visit SET note = 'NAME' WHERE tag = 'first'"],
        "tag, note",
    ),
];

fn an_altered_table_breaks_nothing_and_loses_nothing(engines: Engines) {
    for (seed, (alter, statements, columns)) in (91..).zip(CASES) {
        let mut fleet = fleet(engines, seed);
        run(
            &fleet.nodes[CLINIC],
            "ALTER SEQUENCE visit_id_seq RESTART 100; INSERT INTO visit (tag, note, weight) VALUES ('old', 'x', 9), ('away', 'x', 8)",
        );
        fleet.settle();
        work(&fleet, alter, statements);
        run(&fleet.nodes[CLINIC], "DELETE FROM visit WHERE tag = 'away'");
        fleet.nodes[CLINIC].set_up_again(TABLES);
        fleet.settle();
        let here = visits(&fleet, CLINIC, columns);
        assert_eq!(here.len(), 4, "{alter}: {here:?}");
        assert_eq!(visits(&fleet, MINISTRY, columns), here, "{alter}");
        assert_eq!(fleet.nodes[MINISTRY].held(), [], "{alter}");
        // And on it goes.
        run(&fleet.nodes[CLINIC], "UPDATE visit SET note = 'afterwards'");
        fleet.settle();
        assert_eq!(visits(&fleet, MINISTRY, columns), visits(&fleet, CLINIC, columns), "{alter}");
    }
}
on_engines!(an_altered_table_breaks_nothing_and_loses_nothing: postgres POSTGRES);

fn a_table_that_is_renamed_away_or_dropped_breaks_nothing(engines: Engines) {
    let fleet = fleet(engines, 99);
    let statements = &[
        "INSERT INTO encounter (tag, note) VALUES ('NAME', 'x')",
        "UPDATE encounter SET note = 'y' WHERE tag = 'NAME'",
        "DELETE FROM encounter WHERE tag = 'NAME'",
        "BEGIN; TRUNCATE encounter CASCADE; ROLLBACK",
    ];
    work(&fleet, "ALTER TABLE visit RENAME TO encounter", statements);
    run(
        &fleet.nodes[CLINIC],
        "DROP TABLE encounter CASCADE; DROP TABLE measured; ALTER TABLE stock DROP CONSTRAINT stock_pkey",
    );
    run(
        &fleet.nodes[CLINIC],
        "INSERT INTO stock VALUES ('a', 1), ('a', 2); UPDATE stock SET amount = 3; DELETE FROM stock",
    );
}
on_engines!(a_table_that_is_renamed_away_or_dropped_breaks_nothing: postgres POSTGRES);
