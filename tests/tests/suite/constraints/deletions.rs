//! Deletions where foreign keys say what becomes of those who refer.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::fleet::FleetPlan;
use saddlebag_tests::on_engines;

const ACTIONS: [(&str, &str); 4] =
    [("cascade", "CASCADE"), ("set_null", "SET NULL"), ("restrict_", "RESTRICT"), ("no_action", "NO ACTION")];

fn fleet(on: Engines) -> Fleet {
    let mut tables = "[person]\nidentity = 'natural(name)'\n".to_owned();
    ACTIONS.iter().for_each(|(table, _)| tables += &format!("[{table}]\nidentity = 'assigned'\n"));
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables: &tables, seed: 14, engines: on };
    let mut fleet = Fleet::new(&plan, |_, app| {
        app.execute_batch("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)").unwrap();
        for (table, action) in ACTIONS {
            let sql = format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, text TEXT, person INTEGER REFERENCES person ON DELETE {action})"
            );
            app.execute_batch(&sql).unwrap();
        }
    });
    for name in ["ann", "bob", "cho", "dee", "eve"] {
        fleet.nodes[1].run(&format!("INSERT INTO person (name) VALUES ('{name}')"));
    }
    fleet.settle();
    fleet
}

fn refer(fleet: &Fleet, node: usize, table: &str, name: &str, text: &str) {
    let sql = format!("INSERT INTO {table} (text, person) SELECT '{text}', id FROM person WHERE name = '{name}'");
    fleet.nodes[node].run(&sql);
}

fn told(fleet: &Fleet, node: usize, table: &str) -> String {
    let sql = format!(
        "SELECT string_agg(t.text || '>' || coalesce(p.name, '-'), ' ' ORDER BY t.text) FROM {table} t \
         LEFT JOIN person p ON p.id = t.person"
    );
    fleet.nodes[node].app.text(&sql, &[]).unwrap_or_default()
}

fn all_say(fleet: &Fleet, table: &str, expected: &str) {
    (0..3).for_each(|node| assert_eq!(told(fleet, node, table), expected, "{table} at {node}"));
}

on_engines!(deletions_cascade_empty_and_are_refused_as_the_schema_says);
fn deletions_cascade_empty_and_are_refused_as_the_schema_says(on: Engines) {
    let mut fleet = fleet(on);
    refer(&fleet, 1, "cascade", "ann", "a");
    refer(&fleet, 1, "cascade", "eve", "b");
    refer(&fleet, 1, "set_null", "bob", "c");
    refer(&fleet, 1, "restrict_", "cho", "d");
    refer(&fleet, 1, "no_action", "dee", "e");
    fleet.settle();
    // What the database of one place does by itself arrives at the others, and what it does there is no edit.
    fleet.nodes[2].run("DELETE FROM person WHERE name IN ('ann', 'bob')");
    assert!(fleet.nodes[2].app.execute_batch("DELETE FROM person WHERE name = 'cho'").is_err());
    fleet.settle();
    all_say(&fleet, "cascade", "b>eve");
    all_say(&fleet, "set_null", "c>-");
    all_say(&fleet, "restrict_", "d>cho");
    // Everything of a person at once, in the order that the schema wants.
    fleet.nodes[2].run("DELETE FROM restrict_; DELETE FROM no_action; DELETE FROM person WHERE name IN ('cho', 'dee')");
    fleet.settle();
    (0..3).for_each(|node| {
        assert_eq!((fleet.nodes[node].count("person"), told(&fleet, node, "no_action")), (1, String::new()))
    });
    for node in &mut fleet.nodes {
        assert!(node.conflicts().is_empty() && node.held().is_empty() && node.app.faults().is_empty());
    }
}

on_engines!(who_is_referred_to_elsewhere_is_not_deleted);
fn who_is_referred_to_elsewhere_is_not_deleted(on: Engines) {
    let mut fleet = fleet(on);
    // One clinic deletes those whom the other one has just referred to.
    for ((table, _), name) in ACTIONS.iter().zip(["ann", "bob", "cho", "dee"]) {
        refer(&fleet, 1, table, name, name);
    }
    fleet.nodes[2].run("DELETE FROM person WHERE name <> 'eve'");
    fleet.settle();
    for ((table, _), name) in ACTIONS.iter().zip(["ann", "bob", "cho", "dee"]) {
        all_say(&fleet, table, &format!("{name}>{name}"));
    }
    for node in &mut fleet.nodes {
        assert!(node.count("person") == 5 && node.held().is_empty() && node.app.faults().is_empty());
    }
    assert_eq!(fleet.nodes[0].conflicts().len(), 4);
}
