//! `conflicts`: both values, by whom and when.

use crate::json::check;
use crate::places::{Places, words};

/// A patient whose name was changed at both places.
fn disagreement() -> Places {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("clinic", &["sync", "stick"]).ends(0);
    let long = format!("Ada {}", "Lovelace ".repeat(12));
    places.execute("clinic", &format!("UPDATE patient SET name = '{}'", long.trim()));
    places.execute("ministry", "UPDATE patient SET name = 'Ada King'");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    places
}

#[test]
fn both_values_are_shown_with_who_and_when() {
    let places = disagreement();
    let list = places.at("ministry", &["conflicts"]).ends(0);
    assert!(list.out.contains("u-1 (id 1)") && list.out.contains("ministry: Ada K"), "{}", list.out);
    let one = places.at("ministry", &["conflicts", "show", "1"]).ends(0);
    let told = words(&one.out);
    assert!(told.contains("Conflict 1: `name` of patient u-1 (id 1)."), "{told}");
    assert_eq!(told.matches("Lovelace").count(), 12, "{told}");
    assert!(told.contains("ministry") && told.contains("clinic") && told.contains(" UTC"), "{told}");
    assert!(told.contains("by its writer's own clock"), "{told}");
    places.execute("ministry", "UPDATE patient SET name = 'Ada Byron'");
    places.at("ministry", &["sync", "stick"]).ends(0);
    let one = words(&places.at("ministry", &["conflicts", "show", "1"]).ends(0).out);
    assert!(one.contains("The column was changed since: now it holds Ada Byron."), "{one}");
}

#[test]
fn its_json_is_as_documented() {
    let places = disagreement();
    let list = places.at("ministry", &["conflicts", "--json"]).ends(0).json();
    check("conflicts", &list);
    let one = places.at("ministry", &["conflicts", "show", "1", "--json"]).ends(0).json();
    check("conflicts show", &one);
    assert_eq!(list["conflicts"][0], one);
    let values = [&one["stands"]["value"], &one["other"]["value"]];
    assert!(values.contains(&&"Ada King".into()), "{values:?}");
    assert_eq!((&one["changed_since"], &one["now"]), (&false.into(), &one["stands"]["value"]));
    check("conflicts", &places.at("clinic", &["conflicts", "--json"]).ends(0).json());
}

#[test]
fn a_number_that_is_none() {
    let places = disagreement();
    places.at("ministry", &["conflicts", "show", "9"]).fails(
        1,
        "no conflict with the number 9",
        "`saddlebag conflicts --all`",
    );
    places.at("clinic", &["conflicts", "show", "1"]).fails(1, "is decided at ministry", "that is an edit");
    assert_eq!(places.at("ministry", &["conflicts", "show", "x"]).status, 2);
    assert!(places.at("clinic", &["conflicts"]).ends(0).out.contains("Nothing is in conflict here."));
}

fn name_at(places: &Places, node: &str) -> String {
    places.patients(node).remove(0)
}

/// Which side of the conflict says this.
fn side(places: &Places, value: &str) -> &'static str {
    let one = places.at("ministry", &["conflicts", "show", "1", "--json"]).ends(0).json();
    if one["stands"]["value"] == value { "stands" } else { "other" }
}

#[test]
fn a_person_decides_and_everybody_hears_of_it() {
    let places = disagreement();
    let other = match side(&places, "Ada King") {
        "stands" => "other",
        _ => "stands",
    };
    let because = ["--because", "asked her", "--by", "Ama Owusu"];
    let done = places.at("ministry", &[&["conflicts", "resolve", "1", "--take", other], &because[..]].concat()).ends(0);
    let told = words(&done.out);
    assert!(told.contains("by Ama Owusu: Ada Lovelace") && told.contains("asked her"), "{told}");
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("clinic", &["sync", "stick"]);
    assert_eq!(name_at(&places, "clinic"), name_at(&places, "ministry"));
    assert!(name_at(&places, "ministry").contains("Lovelace"));
    let list = words(&places.at("ministry", &["conflicts"]).ends(0).out);
    assert!(list.contains("No conflict is open here. 1 conflict was decided by people"), "{list}");
    let all = places.at("ministry", &["conflicts", "--all"]).ends(0).out;
    assert!(all.contains("u-1") && all.contains("by Ama"), "{all}");
    let one = words(&places.at("ministry", &["conflicts", "show", "1"]).ends(0).out);
    assert!(one.contains("The rule `newest` decided.") && one.contains("by Ama Owusu: Ada Lovelace"), "{one}");
    assert!(!one.contains("changed since"), "the decision itself is no change since: {one}");
    let status = places.at("ministry", &["status", "--json"]).ends(0).json();
    assert_eq!(status["links"][0]["conflicts"], 0, "what is decided is not counted");
    let elsewhere = words(&places.at("clinic", &["conflicts"]).ends(0).out);
    assert!(elsewhere.contains("as ministry told: decided by Ama Owusu"), "{elsewhere}");
    check("conflicts", &places.at("clinic", &["conflicts", "--json"]).ends(0).json());
    check("conflicts", &places.at("ministry", &["conflicts", "--all", "--json"]).ends(0).json());
}

#[test]
fn what_changed_since_or_is_decided_asks_again() {
    let places = disagreement();
    places.execute("ministry", "UPDATE patient SET name = 'Ada Byron'");
    places.at("ministry", &["sync", "stick"]).ends(0);
    let take = ["conflicts", "resolve", "1", "--take", "stands"];
    places.at("ministry", &take).fails(2, "it was changed since: now it holds Ada Byron", "`--yes`");
    assert_eq!(name_at(&places, "ministry"), "Ada Byron@-");
    places.at("ministry", &[&take[..], &["--yes"]].concat()).ends(0);
    assert_ne!(name_at(&places, "ministry"), "Ada Byron@-");
    places.at("ministry", &["conflicts", "resolve", "1", "--take", "other", "--by", "Esi"]).fails(
        2,
        "has decided about it already",
        "`--yes`",
    );
    let another = ["conflicts", "resolve", "1", "--value", "Ada", "--yes", "--json"];
    let done = places.at("ministry", &another).ends(0).json();
    check("conflicts resolve", &done);
    assert_eq!((&done["chosen"][0]["take"], &done["resolved"][0]["now"]), (&"value".into(), &"Ada".into()));
    assert_eq!(name_at(&places, "ministry"), "Ada@-");
}

#[test]
fn many_are_decided_by_one_rule() {
    let places = disagreement();
    let rule =
        |rule: &str, more: &[&str]| places.at("ministry", &[&["conflicts", "resolve", "--rule", rule], more].concat());
    for (by, says) in
        [("node=ministry", "Ada King"), ("central", "Ada King"), ("satellite", "Lovelace"), ("node=clinic", "Lovelace")]
    {
        let plan = rule(by, &["--dry-run"]).ends(0);
        assert!(words(&plan.out).contains(says), "{by}: {}", plan.out);
    }
    let left = rule("node=nobody", &["--dry-run"]).ends(4);
    assert!(words(&left.out).contains("left as it is: neither side was written at nobody"), "{}", left.out);
    for more in [["--table", "facility"], ["--column", "uuid"], ["--record", "0190f3b0-5c0e-7b39-9a64-e2f031c8d75b"]] {
        assert!(rule("newest", &more).ends(0).out.contains("No open conflict fits."));
    }
    let open = places.at("ministry", &["conflicts", "--json"]).ends(0).json();
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 1, "so far nothing was decided");
    let asks = rule("node=clinic", &[]).ends(2);
    assert!(words(&asks.err).contains("Decide 1 conflict so?") && asks.err.contains("--yes"), "{}", asks.err);
    let uid = open["conflicts"][0]["uid"].as_str().unwrap().to_owned();
    let done = rule("node=clinic", &["--record", &uid, "--yes", "--json"]).ends(0).json();
    check("conflicts resolve", &done);
    assert!(name_at(&places, "ministry").contains("Lovelace"));
    assert!(rule("node=clinic", &["--yes"]).ends(0).out.contains("No open conflict fits."));
}

#[test]
fn what_cannot_be_decided_so_is_refused() {
    let places = disagreement();
    let at = |node: &str, args: &[&str]| places.at(node, &[&["conflicts", "resolve"], args].concat());
    at("ministry", &["9", "--take", "other"]).fails(1, "no conflict with the number 9", "`saddlebag conflicts --all`");
    at("clinic", &["1", "--take", "other"]).fails(1, "is decided at ministry", "that is an edit");
    at("ministry", &["1", "--take", "deletion"]).fails(1, "about a value", "`saddlebag conflicts show`");
    at("ministry", &["1", "--take", "other", "--because", " "]).fails(2, "`--because` is empty", "say why");
    at("ministry", &["1", "--take", "other", "--by", ""]).fails(2, "`--by` is empty", "name whoever");
    // What the database does not take is not decided.
    at("ministry", &["1", "--value", "refused"]).fails(1, "CHECK constraint failed", "nothing was changed");
    at("ministry", &["1", "--value", "NULL"]).fails(1, "NOT NULL constraint failed", "nothing was changed");
    for args in [
        &["1"][..],
        &["--take", "other"],
        &["1", "--take", "both"],
        &["1", "--rule", "newest"],
        &["--rule", "best"],
        &["--rule", "node="],
        &["1", "--take", "other", "--value", "x"],
        &["1", "--take", "other", "--table", "patient"],
        &["--rule", "newest", "--record", "x"],
    ] {
        assert_eq!(at("ministry", args).status, 2, "{args:?}");
    }
    let open = places.at("ministry", &["conflicts", "--json"]).ends(0).json();
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 1, "nothing was decided");
}

#[test]
fn a_deletion_is_decided_after_all() {
    let places = disagreement();
    places.at("ministry", &["conflicts", "resolve", "1", "--take", "stands"]).ends(0);
    for node in ["ministry", "clinic", "ministry", "clinic"] {
        places.at(node, &["sync", "stick"]);
    }
    places.execute("clinic", "DELETE FROM patient");
    places.execute("ministry", "UPDATE patient SET name = 'Ada'");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    let shown = words(&places.at("ministry", &["conflicts", "show", "2"]).ends(0).out);
    assert!(shown.contains("the deletion of patient u-1") && shown.contains("(the record)"), "{shown}");
    places.at("ministry", &["conflicts", "resolve", "2", "--value", "x"]).fails(1, "has no value", "conflicts show");
    let gone = places.at("ministry", &["conflicts", "resolve", "2", "--take", "deletion"]).ends(0);
    assert!(gone.out.contains("the record is deleted"), "{}", gone.out);
    assert!(places.patients("ministry").is_empty());
    places.at("ministry", &["conflicts", "resolve", "2", "--take", "record", "--yes"]).ends(0);
    for node in ["ministry", "clinic", "ministry", "clinic"] {
        places.at(node, &["sync", "stick"]);
    }
    assert_eq!(places.patients("clinic"), ["Ada@-"]);
    assert_eq!(places.patients("ministry"), ["Ada@-"]);
}
