//! `log`: what happened, who did it and why; and that nothing of it was changed.

use crate::json::check;
use crate::places::{Places, words};

/// A clinic's change that the ministry's database refused, one that was applied, and one in conflict.
fn worked() -> Places {
    let places = Places::linked();
    places.execute(
        "clinic",
        "PRAGMA ignore_check_constraints = ON;
        INSERT INTO patient (uuid, name) VALUES ('u-1', 'refused'), ('u-2', 'Ben Secret')",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]);
    places.execute("clinic", "UPDATE patient SET name = 'Benno Secret' WHERE uuid = 'u-2'");
    places.execute("ministry", "UPDATE patient SET name = 'Benjamin Secret' WHERE uuid = 'u-2'");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    places.at("clinic", &["sync", "stick"]);
    places
}

fn entries(places: &Places, node: &str, args: &[&str]) -> Vec<serde_json::Value> {
    let log = places.at(node, &[&["log", "--json"], args].concat()).ends(0).json();
    check("log", &log);
    log["entries"].as_array().unwrap().clone()
}

fn kinds(entries: &[serde_json::Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[test]
fn it_says_what_happened_newest_last() {
    let places = worked();
    let all = entries(&places, "ministry", &[]);
    let kinds = kinds(&all);
    assert_eq!(kinds[..4], ["init", "setup", "admit", "quarantined"]);
    for kind in ["applied", "made", "conflict"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let numbers: Vec<_> = all.iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let told = words(&places.at("ministry", &["log"]).ends(0).out);
    assert!(told.contains("quarantined by saddlebag (clinic): patient"), "{told}");
    assert!(told.contains("a check constraint refused it"), "{told}");
    assert!(told.contains("applied by clinic: number 1, quarantined 1, records 1"), "{told}");
    assert!(told.contains("conflict by saddlebag (clinic): `name` of patient"), "{told}");
    let of_clinic = entries(&places, "clinic", &[]);
    let receipts: Vec<_> = of_clinic.iter().filter(|entry| entry["kind"] == "receipt").collect();
    assert_eq!((&receipts[0]["who"], &receipts[0]["what"]["outcome"]), (&"ministry".into(), &"quarantined".into()));
    let user = all[0]["who"].as_str().unwrap();
    assert!(!user.is_empty() && user != "saddlebag");
    for value in ["Secret", "refused\"", "u-2"] {
        assert!(!format!("{all:?}{of_clinic:?}").contains(value), "{value} is a value of a record");
    }
}

#[test]
fn entries_are_chosen_by_kind_neighbour_time_and_number() {
    let places = worked();
    assert!(kinds(&entries(&places, "ministry", &["--kind", "made"])).iter().all(|kind| *kind == "made"));
    let of_peer = entries(&places, "ministry", &["--peer", "clinic"]);
    assert!(of_peer.iter().all(|entry| entry["peer"] == "clinic") && of_peer.len() > 4);
    let all = entries(&places, "ministry", &["--since", "1h"]);
    assert!(all.len() > of_peer.len());
    assert_eq!(entries(&places, "ministry", &["--since", "2100-01-01"]), Vec::<serde_json::Value>::new());
    assert_eq!(entries(&places, "ministry", &["--limit", "2"]), all[all.len() - 2..]);
    let told = places.at("ministry", &["log", "--limit", "2"]).ends(0);
    assert!(told.err.contains("only the last 2 entries"), "{}", told.err);
    let none = places.at("ministry", &["log", "--kind", "rejoin"]).ends(0);
    assert!(none.out.contains("Nothing of the kind stands in the log."));
}

#[test]
fn one_record_has_its_story_and_the_origin_of_its_values() {
    let places = worked();
    let log = places.at("ministry", &["log", "--record", "patient", "uuid=u-2", "--json"]).ends(0).json();
    check("log", &log);
    assert_eq!((&log["record"]["known_as"], &log["record"]["here"]), (&"u-2".into(), &"live".into()));
    assert_eq!(log["record"]["conflicts"], serde_json::json!([1]));
    assert_eq!(kinds(log["entries"].as_array().unwrap()), ["conflict"]);
    let name = log["record"]["columns"].as_array().unwrap().iter().find(|column| column["column"] == "name").unwrap();
    assert!(["clinic", "ministry"].contains(&name["version"]["writer"].as_str().unwrap()), "{name}");
    let by_key = places.at("ministry", &["log", "--record", "patient", "id=1"]).ends(0).out;
    assert!(words(&by_key).contains("stands here. `uuid`:") && by_key.contains("conflicts show 1"), "{by_key}");
    assert!(words(&by_key).contains("UTC by clinic"), "{by_key}");
    // What is held is not here: its uid is known from `held`.
    let held = places.at("ministry", &["held", "--json"]).ends(0).json();
    let uid = held["held"][0]["uid"].as_str().unwrap();
    let log = places.at("ministry", &["log", "--record", "patient", uid, "--json"]).ends(0).json();
    assert_eq!((&log["record"]["here"], &log["record"]["is_held"]), (&"absent".into(), &true.into()));
    assert_eq!(kinds(log["entries"].as_array().unwrap()), ["quarantined"]);
    // What was deleted is found by what it last held.
    places.execute("clinic", "DELETE FROM patient WHERE uuid = 'u-2'");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let gone = places.at("clinic", &["log", "--record", "patient", "uuid=u-2", "--json"]).ends(0).json();
    check("log", &gone);
    assert_eq!((&gone["record"]["here"], &gone["record"]["deleted"]["writer"]), (&"deleted".into(), &"clinic".into()));
}

#[test]
fn what_is_asked_for_and_is_not_there() {
    let places = worked();
    let at = |args: &[&str]| places.at("ministry", &[&["log"], args].concat());
    at(&["--record", "nothing", "uuid=u-2"]).fails(1, "`nothing` is no table", "it keeps these: facility, patient");
    at(&["--record", "patient", "colour=red"]).fails(1, "has no column `colour`", "setup --dry-run");
    at(&["--record", "patient", "uuid=u-9"]).fails(1, "there is no record `uuid=u-9` in `patient`", "its uid");
    at(&["--record", "patient", "xyz"]).fails(1, "there is no record `xyz`", "its uid");
    let other = "00000000-0000-4000-8000-000000000000";
    at(&["--record", "patient", other]).fails(1, "there is no record", "its uid");
    places.execute("ministry", "INSERT INTO patient (uuid, name) VALUES ('u-7', 'twin'), ('u-8', 'twin')");
    at(&["--peer", "hilltop"]).fails(1, "no neighbour `hilltop`", "its neighbours: clinic");
    // What is held is tried again, in vain.
    places.at("ministry", &["sync", "stick"]).ends(4);
    at(&["--record", "patient", "name=twin"]).fails(1, "2 records of `patient` are `name=twin`", "by its uid");
    for args in [
        &["--record", "patient"][..],
        &["--since", "yesterday"],
        &["--kind", "nothing"],
        &["--limit", "0"],
        &["--limit", "x"],
        &["--check", "--kind", "made"],
        &["more"],
    ] {
        assert_eq!(at(args).ends(2).out, "", "{args:?}");
    }
    Places::new().run(&["log"]).fails(1, "there is no saddlebag node in `.`", "run `saddlebag init`");
}

#[test]
fn a_bundle_is_refused_once_for_one_reason() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    places.damage(&bundle);
    for _ in 0..3 {
        places.at("ministry", &["sync", "stick"]).ends(1);
    }
    places.at("ministry", &["import", "stick", "--dry-run"]);
    let refused = entries(&places, "ministry", &["--kind", "refused"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0]["why"].as_str().unwrap().contains("was changed or cut short"), "{refused:?}");
    assert_eq!((&refused[0]["peer"], &refused[0]["what"]["number"]), (&"clinic".into(), &1.into()));
}

#[test]
fn a_chain_that_somebody_touched_breaks_where_he_did() {
    let places = worked();
    let whole = places.at("ministry", &["log", "--check"]).ends(0);
    assert!(whole.out.contains("The log is whole: ") && whole.out.lines().count() == 2, "{}", whole.out);
    let json = places.at("ministry", &["log", "--check", "--json"]).ends(0).json();
    check("log --check", &json);
    let last = json["last"].as_u64().unwrap();
    places.execute("ministry", "UPDATE saddlebag_log SET who = 'nobody' WHERE number = 3");
    places.at("ministry", &["log", "--check"]).fails(1, "the log breaks at entry 3", "compare with a backup");
    let json = places.at("ministry", &["log", "--check", "--json"]).ends(1).json();
    assert_eq!((&json["broken_at"], &json["broken"]), (&3.into(), &"changed".into()));
    let status = places.at("ministry", &["status"]).ends(0);
    assert!(words(&status.err).contains("the log of this node breaks at entry 3"), "{}", status.err);
    // The log can be read all the same, and goes on.
    assert_eq!(entries(&places, "ministry", &[]).len() as u64, last);
    places.execute("ministry", &format!("DELETE FROM saddlebag_log WHERE number = 3 OR number = {last}"));
    places.at("ministry", &["log", "--check"]).fails(1, "entry 3: it was taken away", "neighbours");
    places.at("ministry", &["setup"]).ends(0);
    assert_eq!(entries(&places, "ministry", &["--kind", "setup"]).last().unwrap()["number"], last + 1);
}

#[test]
fn what_people_do_stands_there_with_their_name() {
    let places = worked();
    let held = places.at("ministry", &["held", "--json"]).ends(0).json();
    let id = held["held"][0]["id"].as_str().unwrap().to_owned();
    places.at("ministry", &["held", "retry"]).ends(4);
    places.at("ministry", &["held", "drop", &id, "--reason", "entered twice"]).ends(0);
    places.at("ministry", &["check", "--repair"]).ends(0);
    let all = entries(&places, "ministry", &[]);
    let user = &all[0]["who"];
    let of = |kind: &str| all.iter().filter(|entry| entry["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("retried")[0]["what"], serde_json::json!({"settled": 0, "still_held": 1}));
    assert_eq!(
        (of("dropped").len(), &of("dropped")[0]["who"], &of("dropped")[0]["why"]),
        (1, user, &"entered twice".into())
    );
    assert_eq!(of("settled").len(), 0, "what a person let go has not settled");
    assert_eq!(of("repair").len(), 1);
}

#[test]
fn a_satellite_that_is_silent_beyond_its_rhythm_is_named() {
    let places = worked();
    let status = places.at("ministry", &["status", "--json"]).ends(0).json();
    check("status", &status);
    assert_eq!(
        (&status["links"][0]["silent_since"], &status["log_broken_at"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert!(status["links"][0]["admitted"].is_string());
    // As if the last round had been nine days ago, and the ones before every other day.
    places.execute(
        "ministry",
        "UPDATE saddlebag_link SET last_contact = last_contact - 9 * 86400000;
        UPDATE saddlebag_setting SET value = (SELECT CAST((l.last_contact - 8 * 86400000) || char(10) ||
            (l.last_contact - 6 * 86400000) || char(10) || (l.last_contact - 4 * 86400000) || char(10) ||
            (l.last_contact - 2 * 86400000) || char(10) || l.last_contact AS BLOB) FROM saddlebag_link l)
        WHERE name LIKE 'contacts_%'",
    );
    let status = places.at("ministry", &["status", "--json"]).ends(0).json();
    check("status", &status);
    assert_eq!(status["links"][0]["rhythm_ms"], 2 * 86_400_000);
    assert!(status["links"][0]["silent_since"].is_string(), "{status}");
    let told = places.at("ministry", &["status"]).ends(0).out;
    assert!(told.contains("clinic is silent for 9 days; it usually comes every 2 days."), "{told}");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-5', 'Eve')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]);
    assert!(!places.at("ministry", &["status"]).ends(0).out.contains("is silent"));
}
