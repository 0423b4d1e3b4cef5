//! Databases whose texts are not in UTF-8.

use saddlebag_tests::engines::POSTGRES;
use saddlebag_tests::fleet::{Fleet, FleetPlan, temporary_folder};
use saddlebag_tests::leases::{Lease, needs_postgres};

const NOTES: &str =
    "CREATE TABLE note (id INTEGER PRIMARY KEY, n INTEGER, text TEXT, short character varying(4), kind character(3))";

/// A ministry in UTF-8, one clinic in this encoding, and one more in UTF-8.
fn fleet(encoding: &str) -> Fleet {
    let plan = FleetPlan {
        names: &["ministry", "clinic-a", "clinic-b"],
        tables: "[note]\nidentity = 'assigned'",
        seed: 17,
        engines: POSTGRES,
    };
    let lend = |index| Some(if index == 1 { Lease::encoded(encoding) } else { Lease::new() });
    Fleet::lent(temporary_folder(), &plan, lend, |_, app| app.execute_batch(NOTES).unwrap())
}

fn text(fleet: &Fleet, node: usize, n: i64) -> Option<String> {
    fleet.nodes[node].app.text(&format!("SELECT text || '|' || short || '|' || kind FROM note WHERE n = {n}"), &[])
}

#[test]
fn texts_in_latin_1_are_the_same_texts() {
    if !needs_postgres("odd_names::encodings::texts_in_latin_1_are_the_same_texts") {
        return;
    }
    let mut fleet = fleet("LATIN1");
    fleet.nodes[1].run("INSERT INTO note (n, text, short, kind) VALUES (1, 'Müller, Ærø ½', 'äöüß', 'ñ')");
    fleet.nodes[2].run("INSERT INTO note (n, text, short, kind) VALUES (2, 'señor', 'é', 'ç')");
    // The euro sign is not in it: held there, with the reason, and nothing else is.
    fleet.nodes[0].run("INSERT INTO note (n, text, short, kind) VALUES (3, '5 €', 'x', 'y'), (4, 'plain', 'x', 'y')");
    fleet.settle();
    for node in 0..3 {
        assert_eq!(text(&fleet, node, 1).as_deref(), Some("Müller, Ærø ½|äöüß|ñ"));
        assert_eq!(text(&fleet, node, 2).as_deref(), Some("señor|é|ç"));
        assert_eq!(text(&fleet, node, 4).as_deref(), Some("plain|x|y"));
    }
    let held = fleet.nodes[1].held();
    assert_eq!(held.len(), 1);
    assert!(held[0].reason.contains("has no equivalent in encoding \"LATIN1\""), "{}", held[0].reason);
    assert_eq!(text(&fleet, 1, 3), None);
    // An edit of a record that stands there, too, and what is edited there.
    fleet.nodes[2].run("UPDATE note SET text = '1 €' WHERE n = 2");
    fleet.nodes[1].run("UPDATE note SET text = upper(text), short = 'é' WHERE n = 1");
    fleet.settle();
    assert_eq!(fleet.nodes[1].held().len(), 2);
    assert_eq!(text(&fleet, 1, 2).as_deref(), Some("señor|é|ç"));
    for node in 0..3 {
        assert!(text(&fleet, node, 1).unwrap().ends_with("|é|ñ"));
    }
    fleet.nodes[0].run("UPDATE note SET text = replace(text, '€', 'EUR')");
    fleet.settle();
    assert!(fleet.nodes[1].held().is_empty());
    for node in 0..3 {
        assert_eq!(text(&fleet, node, 2).as_deref(), Some("1 EUR|é|ç"));
        assert_eq!(text(&fleet, node, 3).as_deref(), Some("5 EUR|x|y"));
    }
}

#[test]
fn bytes_of_sql_ascii_go_where_they_can() {
    if !needs_postgres("odd_names::encodings::bytes_of_sql_ascii_go_where_they_can") {
        return;
    }
    let mut fleet = fleet("SQL_ASCII");
    // The application there wrote one text in UTF-8 and one in Latin 1: the server took both.
    fleet.nodes[1]
        .run("INSERT INTO note (n, text, short, kind) VALUES (1, 'Müller', 'ab', 'c'), (3, 'plain', 'x', 'y')");
    let latin =
        "INSERT INTO note (n, text, short, kind) SELECT 2, convert_from('\\x4dfc6c6c6572', 'SQL_ASCII'), 'ab', 'c'";
    fleet.nodes[1].run(latin);
    fleet.nodes[0].run("INSERT INTO note (n, text, short, kind) VALUES (4, '5 €', 'ab', 'c')");
    fleet.settle();
    for node in 0..3 {
        assert_eq!(text(&fleet, node, 1).as_deref(), Some("Müller|ab|c"));
        assert_eq!(text(&fleet, node, 4).as_deref(), Some("5 €|ab|c"));
        assert_eq!(text(&fleet, node, 3).as_deref(), Some("plain|x|y"));
    }
    let held = fleet.nodes[0].held();
    assert!(held.len() == 1 && held[0].reason.contains("is not valid UTF-8"), "{held:?}");
    fleet.nodes[1].run("UPDATE note SET text = 'Müller' WHERE n = 2");
    fleet.settle();
    assert!(fleet.nodes[0].held().is_empty());
    assert_eq!(text(&fleet, 2, 2).as_deref(), Some("Müller|ab|c"));
    // What it was is noted of a row that goes, whatever it was.
    fleet.nodes[1].run(&latin.replace("SELECT 2", "SELECT 5"));
    fleet.settle();
    fleet.nodes[1].run("DELETE FROM note WHERE n IN (1, 5)");
    fleet.settle();
    assert!(fleet.nodes.iter_mut().all(|node| node.count("note") == 3 && node.held().is_empty()));
}
