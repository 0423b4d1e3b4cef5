//! Values that disagree: each rule, by table and by column, columns that are one value, and quiet ones.

use saddlebag_formats::members::Outcome;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, ORDERS, WARD, arrive, everywhere, fleet, later, receipts, told};

const RULES: [&str; 4] = ["newest", "central", "satellite", "ask"];

/// Who writes, the first first: m is the ministry, c the clinic, w the ward.
const WRITERS: [&str; 10] = ["mc", "cm", "cw", "wc", "cwm", "mcw", "wmc", "cmw", "m", "w"];

fn node(letter: char) -> usize {
    match letter {
        'm' => MINISTRY,
        'c' => CLINIC,
        _ => WARD,
    }
}

/// Whose value stands, by the words of the documentation and nothing else.
fn expected(rule: &str, writers: &str, order: [usize; 2]) -> char {
    let later_of = |a: char, b: char| if writers.find(a) > writers.find(b) { a } else { b };
    let mut stands = writers.chars().find(|writer| *writer == 'm');
    for satellite in order {
        let Some(comes) = writers.chars().find(|writer| node(*writer) == satellite) else { continue };
        stands = Some(match (rule, stands) {
            (_, None) => comes,
            ("satellite", Some('m')) => comes,
            ("newest" | "satellite", Some(there)) => later_of(there, comes),
            (_, Some(there)) => there,
        });
    }
    stands.unwrap()
}

/// Everybody writes in the order of the letters of each row's name.
fn all_write(fleet: &Fleet, columns: &[(&str, &str)]) {
    for place in 0..3 {
        later();
        for writers in WRITERS {
            let Some(letter) = writers.chars().nth(place) else { continue };
            for (table, column) in columns {
                let sql = format!("UPDATE {table} SET {column} = '{letter}' WHERE ref = '{writers}'");
                fleet.nodes[node(letter)].run(&sql);
            }
        }
    }
}

fn each_rule(on: Engines, tables: &str, schema: &str, place_of: fn(&str) -> (String, String)) {
    let places: Vec<(String, String)> = RULES.iter().map(|rule| place_of(rule)).collect();
    let columns: Vec<(&str, &str)> = places.iter().map(|(table, column)| (table.as_str(), column.as_str())).collect();
    for order in ORDERS {
        let mut fleet = fleet(on, tables, schema);
        let mut named: Vec<&str> = columns.iter().map(|(table, _)| *table).collect();
        named.dedup();
        for table in named {
            for writers in WRITERS {
                fleet.nodes[WARD].run(&format!("INSERT INTO {table} (ref) VALUES ('{writers}')"));
            }
        }
        fleet.settle();
        all_write(&fleet, &columns);
        arrive(&mut fleet, order);
        let told = told(&mut fleet);
        for (rule, (table, column)) in RULES.iter().zip(&columns) {
            let mut count = 0;
            for writers in WRITERS {
                let stands = expected(rule, writers, order);
                let sql = format!("SELECT {column} FROM {table} WHERE ref = '{writers}'");
                everywhere(&fleet, &sql, &format!("'{stands}'"));
                count += writers.len() - 1;
            }
            let of_rule: Vec<_> =
                told.iter().filter(|one| (one.0.as_str(), one.1.as_str()) == (*table, *column)).collect();
            assert_eq!(of_rule.len(), count, "one conflict for each place that had not seen another: {of_rule:?}");
            assert!(of_rule.iter().all(|(_, _, stands, lost)| stands != lost && stands.len() == 1), "{of_rule:?}");
        }
        for satellite in [CLINIC, WARD] {
            let receipts = receipts(&mut fleet, satellite);
            for rule in ["newest", "central", "ask"] {
                let says = format!("by the rule `{rule}` the value of");
                assert!(receipts.iter().any(|(_, _, _, words)| words.contains(&says)), "{rule}: {receipts:?}");
            }
            assert!(receipts.iter().all(|(_, _, outcome, _)| *outcome == Outcome::Conflict));
        }
    }
}

on_engines!(each_rule_of_a_table);
fn each_rule_of_a_table(on: Engines) {
    let tables: String =
        RULES.iter().map(|rule| format!("[by_{rule}]\nidentity = 'natural(ref)'\nconflicts = '{rule}'\n")).collect();
    let schema: String = RULES
        .iter()
        .map(|rule| format!("CREATE TABLE by_{rule} (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, phone TEXT);"))
        .collect();
    each_rule(on, &tables, &schema, |rule| (format!("by_{rule}"), "phone".to_owned()));
}

on_engines!(each_rule_of_a_column);
fn each_rule_of_a_column(on: Engines) {
    let tables = "[person]\nidentity = 'natural(ref)'\n\
                  conflicts = { c = 'central', s = 'satellite', n = 'newest', default = 'ask' }";
    let schema = "CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, n TEXT, c TEXT, s TEXT, a TEXT);";
    each_rule(on, tables, schema, |rule| ("person".to_owned(), rule[..1].to_owned()));
}

const DRUGS: &str = "
CREATE TABLE drug (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, dose TEXT, unit TEXT, note TEXT);
CREATE TABLE loose (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, dose TEXT, unit TEXT, note TEXT);
";

on_engines!(columns_together_are_one_value);
fn columns_together_are_one_value(on: Engines) {
    let tables = "[drug]\nidentity = 'natural(ref)'\ntogether = [['dose', 'unit']]\n[loose]\nidentity = 'natural(ref)'";
    for order in ORDERS {
        let mut fleet = fleet(on, tables, DRUGS);
        for table in ["drug", "loose"] {
            let rows = "('apart', '5', 'mg'), ('same', '5', 'mg'), ('ministry', '5', 'mg'), ('alone', '5', 'mg')";
            fleet.nodes[WARD].run(&format!("INSERT INTO {table} (ref, dose, unit) VALUES {rows}"));
        }
        fleet.settle();
        let edit = |fleet: &Fleet, node: usize, set: &str, row: &str| {
            later();
            for table in ["drug", "loose"] {
                fleet.nodes[node].run(&format!("UPDATE {table} SET {set} WHERE ref = '{row}'"));
            }
        };
        // Nobody ever meant 5000 mg or 5 g.
        edit(&fleet, CLINIC, "dose = '5000', note = 'more'", "apart");
        edit(&fleet, WARD, "unit = 'g'", "apart");
        edit(&fleet, CLINIC, "dose = '1', unit = 'g'", "same");
        edit(&fleet, WARD, "dose = '1', unit = 'g'", "same");
        edit(&fleet, MINISTRY, "unit = 'g'", "ministry");
        edit(&fleet, CLINIC, "dose = '7'", "ministry");
        edit(&fleet, CLINIC, "dose = '8'", "alone");
        arrive(&mut fleet, order);
        let both = |table: &str, row: &str| format!("SELECT dose || unit FROM {table} WHERE ref = '{row}'");
        everywhere(&fleet, &both("loose", "apart"), "'5000g'");
        everywhere(&fleet, &both("drug", "apart"), "'5g'");
        everywhere(&fleet, "SELECT note FROM drug WHERE ref = 'apart'", "'more'");
        everywhere(&fleet, &both("loose", "ministry"), "'7g'");
        everywhere(&fleet, &both("drug", "ministry"), "'7mg'");
        for table in ["loose", "drug"] {
            everywhere(&fleet, &both(table, "same"), "'1g'");
            everywhere(&fleet, &both(table, "alone"), "'8mg'");
        }
        let mut told = told(&mut fleet);
        told.sort();
        let entry = |column: &str, stands: &str, other: &str| {
            ("drug".to_owned(), column.to_owned(), stands.to_owned(), other.to_owned())
        };
        let entries =
            [entry("dose", "5", "5000"), entry("dose", "7", "5"), entry("unit", "g", "mg"), entry("unit", "mg", "g")];
        assert_eq!(told, entries, "an entry for each column that differs");
    }
}

on_engines!(of_a_quiet_column_the_newest_stands_and_nobody_is_told);
fn of_a_quiet_column_the_newest_stands_and_nobody_is_told(on: Engines) {
    let tables = "[person]\nidentity = 'natural(ref)'\nconflicts = 'central'\nquiet = ['written', 'writer']";
    let schema = "CREATE TABLE person (id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, written TEXT, writer TEXT);";
    for order in ORDERS {
        let mut fleet = fleet(on, tables, schema);
        fleet.nodes[WARD].run("INSERT INTO person (ref, name) VALUES ('A', 'a'), ('B', 'b')");
        fleet.settle();
        fleet.nodes[MINISTRY].run("UPDATE person SET written = '1', writer = 'm'");
        later();
        fleet.nodes[WARD].run("UPDATE person SET written = '2', writer = 'w'");
        later();
        fleet.nodes[CLINIC].run("UPDATE person SET written = '3', writer = 'c'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT min(written || writer) FROM person", "'3c'");
        everywhere(&fleet, "SELECT max(written || writer) FROM person", "'3c'");
        assert_eq!(told(&mut fleet), []);
        // What is said of the others is told as ever.
        fleet.nodes[MINISTRY].run("UPDATE person SET written = '4', name = 'm' WHERE ref = 'A'");
        later();
        fleet.nodes[WARD].run("UPDATE person SET written = '5', name = 'w' WHERE ref = 'A'");
        arrive(&mut fleet, order);
        everywhere(&fleet, "SELECT name || written FROM person WHERE ref = 'A'", "'m5'");
        assert_eq!(told(&mut fleet), [("person".into(), "name".into(), "m".into(), "w".into())]);
        let ward = receipts(&mut fleet, WARD);
        assert_eq!(ward.len(), 1, "{ward:?}");
        assert!(ward[0].1 == "name" && receipts(&mut fleet, CLINIC).is_empty(), "{ward:?}");
    }
}
