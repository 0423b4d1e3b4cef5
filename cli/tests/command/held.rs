//! `held`: what waits or was refused, why, and what people do about it.

use crate::json::check;
use crate::places::{Places, Ran, words};

/// What the ministry's database refuses, and a facility that it refers to.
fn refused() -> Places {
    let places = Places::linked();
    places.execute(
        "clinic",
        "PRAGMA ignore_check_constraints = ON;
        INSERT INTO facility (code, name) VALUES ('C7', 'Clinic 7');
        INSERT INTO patient (uuid, name, facility_id) VALUES ('u-1', 'refused', 1), ('u-2', 'refused', NULL)",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places
}

/// The ids of what is held, by what the records are known as.
fn id_of(places: &Places, known_as: &str) -> String {
    let list = places.at("ministry", &["held", "--json"]).ends(0).json();
    let all = list["held"].as_array().unwrap();
    let held = all.iter().find(|held| held["known_as"] == known_as).unwrap_or_else(|| panic!("{all:?}"));
    held["id"].as_str().unwrap().to_owned()
}

fn held(places: &Places) -> Vec<String> {
    let list = places.at("ministry", &["held", "--json"]).ends(0).json();
    list["held"].as_array().unwrap().iter().map(|held| held["known_as"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_refused_change_is_listed_and_shown_whole() {
    let places = refused();
    let id = id_of(&places, "u-1");
    assert_eq!(id.len(), 8);
    let list = places.at("ministry", &["held"]).ends(0).out;
    assert!(list.contains(&id) && list.contains("quarantined") && list.contains("CHECK constraint failed"), "{list}");
    let uid =
        places.at("ministry", &["held", "show", &id, "--json"]).ends(0).json()["uid"].as_str().unwrap().to_owned();
    for name in [id.as_str(), &id[..6], &id.to_uppercase(), &uid] {
        let shown = words(&places.at("ministry", &["held", "show", name]).ends(0).out);
        assert!(shown.contains("the whole of patient u-1, from clinic."), "{shown}");
        assert!(shown.contains("name: refused") && shown.contains("facility_id: facility C7"), "{shown}");
    }
    let told = places.at("clinic", &["held"]).ends(0).out;
    assert!(told.contains("ministry") && told.contains("u-1 (id 1)") && told.contains("CHECK"), "{told}");
}

#[test]
fn what_may_stand_now_is_applied_by_a_retry() {
    let places = refused();
    let retry = places.at("ministry", &["held", "retry"]).ends(4);
    assert_eq!(retry.out.matches("still quarantined").count(), 2, "{}", retry.out);
    // The application was upgraded.
    places.execute(
        "ministry",
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (name <> ''refused'')', '') WHERE name = 'patient'",
    );
    let id = id_of(&places, "u-1");
    let retry = places.at("ministry", &["held", "retry", &id, "--json"]).ends(0).json();
    check("held retry", &retry);
    assert_eq!(retry["applied"].as_array().unwrap().len(), 2, "all is tried: {retry}");
    assert_eq!(places.patients("ministry"), ["refused@-", "refused@C7"]);
    assert!(places.at("ministry", &["held"]).ends(0).out.contains("Nothing is held here."));
    assert!(places.at("ministry", &["held", "retry"]).ends(0).out.contains("nothing to try again"));
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("clinic", &["sync", "stick"]).ends(0);
    assert!(places.at("clinic", &["held"]).ends(0).out.contains("Nothing is held here."), "the sender is told");
}

#[test]
fn a_change_is_let_go_only_for_a_reason_which_is_kept() {
    let places = refused();
    let id = id_of(&places, "u-2");
    let missing = places.at("ministry", &["held", "drop", &id]).ends(2);
    assert!(missing.err.contains("--reason <TEXT>"), "{}", missing.err);
    places.at("ministry", &["held", "drop", &id, "--reason", " "]).fails(2, "only for a reason", "say why");
    assert_eq!(held(&places).len(), 2);
    let dropped = places.at("ministry", &["held", "drop", &id, "--reason", "entered twice"]).ends(0);
    assert!(words(&dropped.out).contains("clinic keeps what it has"), "{}", dropped.out);
    assert_eq!(held(&places), ["u-1"]);
    let list = words(&places.at("ministry", &["held", "--dropped"]).ends(0).out);
    assert!(list.contains("u-2 entered twice (held because: CHECK constraint failed"), "{list}");
    places.at("ministry", &["held", "drop", &id, "--reason", "again"]).fails(1, "has the id", "`saddlebag held`");
    check(
        "held drop",
        &places.at("ministry", &["held", "drop", "--reason", "x", &id_of(&places, "u-1"), "--json"]).ends(0).json(),
    );
}

#[test]
fn ids_that_name_nothing_or_too_much() {
    let places = refused();
    let at = |args: &[&str]| -> Ran { places.at("ministry", &[&["held"], args].concat()) };
    for args in [&["show", "zz"][..], &["retry", "zz"], &["drop", "zz", "--reason", "x"], &["show", ""]] {
        at(args).fails(1, "nothing that is held here has the id", "`saddlebag held` lists");
    }
    let (first, second) = (id_of(&places, "u-1"), id_of(&places, "u-2"));
    let common: String = first.chars().zip(second.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    // By chance two ids may begin alike; if not, all begin with nothing, and that is no id.
    if !common.is_empty() {
        at(&["show", &common]).fails(1, "several things that are held", "more digits");
    }
    at(&["resolve", &first, "--same-as", "77"]).fails(1, "there is no record `77` in `patient`", "primary key");
    let other = "00000000-0000-4000-8000-000000000000";
    at(&["resolve", &first, "--same-as", other]).fails(1, "there is no record", "its uid");
    assert_eq!(at(&["resolve", &first]).status, 2);
}

#[test]
fn a_second_row_of_one_identity_stays_at_home_and_is_shown() {
    let places = Places::twins();
    let list = places.at("clinic", &["held"]).ends(0).out;
    assert!(list.contains("another row here has their identity") && list.contains("C7 (id 1)"), "{list}");
    let json = places.at("clinic", &["held", "--json"]).ends(0).json();
    let id = json["at_home"][0]["id"].as_str().unwrap();
    let shown = places.at("clinic", &["held", "show", id]).ends(0).out;
    assert!(shown.contains("name: Second; there: First") && shown.contains("code: C7; the same there"), "{shown}");
    check(
        "held show, of a row that stays at home",
        &places.at("clinic", &["held", "show", id, "--json"]).ends(0).json(),
    );
    for args in
        [&["held", "drop", id, "--reason", "x"][..], &["held", "retry", id], &["held", "resolve", id, "--same-as", "1"]]
    {
        places.at("clinic", args).fails(1, "it stays at home", "correct the key");
    }
    places.execute("clinic", "UPDATE facility SET code = 'C8' WHERE id = 2");
    places.at("clinic", &["sync", "stick"]).ends(0);
    assert!(places.at("clinic", &["held"]).ends(0).out.contains("Nothing is held here."));
}

#[test]
fn two_records_that_are_one_are_made_one_everywhere() {
    let places = Places::linked();
    places.execute(
        "ministry",
        "INSERT INTO patient (id, uuid, name) VALUES (7, 'u-7', 'Ada'); CREATE UNIQUE INDEX names ON patient (name)",
    );
    places.at("ministry", &["setup"]).ends(0);
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    let id = id_of(&places, "u-1");
    let done = places.at("ministry", &["held", "resolve", &id, "--same-as", "7", "--json"]).ends(0).json();
    check("held resolve", &done);
    assert_eq!((&done["known_as"], &done["into"]["known_as"]), (&"u-1".into(), &"u-7".into()));
    assert!(places.at("ministry", &["held"]).ends(0).out.contains("Nothing is held here."));
    for _ in 0..2 {
        places.at("ministry", &["sync", "stick"]);
        places.at("clinic", &["sync", "stick"]);
    }
    assert_eq!(places.patients("ministry"), ["Ada@-"]);
    assert_eq!(places.patients("clinic"), ["Ada@-"], "the two became one here too");
}

#[test]
fn its_json_is_as_documented() {
    let places = refused();
    check("held", &places.at("ministry", &["held", "--json"]).ends(0).json());
    check("held", &places.at("clinic", &["held", "--json"]).ends(0).json());
    let id = id_of(&places, "u-1");
    let shown = places.at("ministry", &["held", "show", &id, "--json"]).ends(0).json();
    check("held show", &shown);
    assert_eq!(
        (&shown["kind"], &shown["whole"], &shown["action"]),
        (&"quarantined".into(), &true.into(), &"write".into())
    );
    check("held retry", &places.at("ministry", &["held", "retry", "--json"]).ends(4).json());
}
