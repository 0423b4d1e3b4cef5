//! A circle of 13 tables, each with a reference to itself too, none of them deferrable.

use saddlebag_tests::engines::{Engine, Engines};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::on_engines;

const TABLES: usize = 13;
const ROUNDS: usize = 8;

/// Every table refers to the next one; the last, to the first, and alone it need not. All refer to themselves.
fn schema(at: usize) -> String {
    let required = if at + 1 < TABLES { "NOT NULL" } else { "" };
    format!("id INTEGER PRIMARY KEY, n INTEGER CHECK (n <> 5), next INTEGER {required}, elder INTEGER")
}

fn fleet(on: Engines) -> Fleet {
    let section = |at: usize| format!("[c{at}]\nidentity = 'assigned'\n");
    let tables: String = (0..TABLES).map(section).collect();
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables: &tables, seed: 13, engines: on };
    Fleet::new(&plan, |index, app| {
        // Only the ministry has the rule that one row breaks.
        let columns =
            |at: usize| if index == 0 && at == 6 { schema(at) } else { schema(at).replace("CHECK (n <> 5)", "") };
        if app.engine() == Engine::Sqlite {
            for at in 0..TABLES {
                let next = (at + 1) % TABLES;
                let columns = columns(at).replace("NOT NULL,", &format!("NOT NULL REFERENCES c{next},"));
                let columns = columns.replace("next INTEGER ,", &format!("next INTEGER REFERENCES c{next},"));
                app.execute_batch(&format!("CREATE TABLE c{at} ({columns} REFERENCES c{at})")).unwrap();
            }
            return;
        }
        (0..TABLES).for_each(|at| app.execute_batch(&format!("CREATE TABLE c{at} ({})", columns(at))).unwrap());
        for at in 0..TABLES {
            let next = (at + 1) % TABLES;
            // In some of the ministry's tables the database looks at them at the end of the transaction.
            let late = if index == 0 && at % 3 == 0 { "DEFERRABLE INITIALLY DEFERRED" } else { "" };
            let sql = format!(
                "ALTER TABLE c{at} ADD FOREIGN KEY (next) REFERENCES c{next},
                 ADD FOREIGN KEY (elder) REFERENCES c{at} {late}"
            );
            app.execute_batch(&sql).unwrap();
        }
    })
}

/// Row `n` of each table refers to row `n` of the next, and the last one's to that of the first; every two rows of a table
/// refer to each other.
fn fill(fleet: &Fleet) {
    let node = &fleet.nodes[1];
    for n in 0..ROUNDS {
        for at in (0..TABLES).rev() {
            let next = if at + 1 == TABLES {
                "NULL".to_owned()
            } else {
                format!("(SELECT id FROM c{} WHERE n = {n})", at + 1)
            };
            node.run(&format!("INSERT INTO c{at} (n, next) VALUES ({n}, {next})"));
        }
    }
    for at in 0..TABLES {
        node.run(&format!(
            "UPDATE c{at} SET elder = (SELECT e.id FROM c{at} e WHERE e.n = c{at}.n + 1 - 2 * (c{at}.n % 2))"
        ));
    }
    let last = TABLES - 1;
    node.run(&format!("UPDATE c{last} SET next = (SELECT id FROM c0 WHERE c0.n = c{last}.n)"));
}

/// All references, by the numbers of both ends.
fn references(fleet: &Fleet, node: usize) -> Vec<String> {
    let of = |at: usize| {
        let next = (at + 1) % TABLES;
        let sql = format!(
            "SELECT string_agg(t.n || '>' || coalesce(CAST(x.n AS TEXT), '-') || '^' || coalesce(CAST(e.n AS TEXT), '-'), ' ' \
             ORDER BY t.n) FROM c{at} t LEFT JOIN c{next} x ON x.id = t.next LEFT JOIN c{at} e ON e.id = t.elder"
        );
        fleet.nodes[node].app.text(&sql, &[]).unwrap_or_default()
    };
    (0..TABLES).map(of).collect()
}

on_engines!(a_circle_of_thirteen_tables_arrives_whole_and_waits_for_what_is_missing);
fn a_circle_of_thirteen_tables_arrives_whole_and_waits_for_what_is_missing(on: Engines) {
    let mut fleet = fleet(on);
    // Keys differ from place to place.
    fleet.nodes[0].run("INSERT INTO c12 (n) VALUES (100), (101), (102)");
    fill(&fleet);
    fleet.settle();
    // One row of one table is refused. What needs it waits for it; what does not, is there.
    let held = fleet.nodes[0].held();
    let reasons: Vec<_> = held.iter().map(|held| (&held.table, &held.reason)).collect();
    assert_eq!(held.len(), 2 * TABLES, "{reasons:#?}");
    let is_the_check =
        |reason: &str| reason.contains("violates check constraint") || reason.contains("CHECK constraint failed");
    let of_check: Vec<_> = reasons.iter().filter(|(_, reason)| is_the_check(reason)).map(|(table, _)| *table).collect();
    assert_eq!(of_check, ["c6"], "{reasons:#?}");
    for (_, reason) in reasons {
        let words = ["held itself", "has not arrived"];
        assert!(words.iter().any(|words| reason.contains(words)) || is_the_check(reason), "{reason}");
    }
    for at in 0..TABLES {
        assert_eq!(fleet.nodes[2].count(&format!("c{at} WHERE n < 100")), i64::try_from(ROUNDS).unwrap() - 2);
    }
    assert!(fleet.nodes.iter().all(|node| node.app.faults().is_empty()));
    let whole = references(&fleet, 1);
    fleet.nodes[1].run("UPDATE c6 SET n = 50 WHERE n = 5");
    let corrected = references(&fleet, 1);
    assert_ne!(whole, corrected);
    fleet.settle();
    assert!(fleet.nodes[0].held().is_empty());
    for node in [0, 2] {
        assert_eq!(references(&fleet, node), references(&fleet, 1));
    }
    assert_eq!(fleet.nodes[0].count("c6"), i64::try_from(ROUNDS).unwrap());
    assert_eq!(fleet.nodes[2].count("c12"), i64::try_from(ROUNDS + 3).unwrap());
}
