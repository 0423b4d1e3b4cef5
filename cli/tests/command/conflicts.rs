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
    assert!(list.out.contains("u-1 (id 1)") && list.out.contains("Ada King"), "{}", list.out);
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
        "`saddlebag conflicts`",
    );
    places.at("clinic", &["conflicts", "show", "1"]).fails(
        1,
        "no conflict with the number 1",
        "there are no conflicts",
    );
    assert_eq!(places.at("ministry", &["conflicts", "show", "x"]).status, 2);
    assert!(places.at("clinic", &["conflicts"]).ends(0).out.contains("Nothing is in conflict here."));
    // Deciding again comes later: it is not offered.
    assert_eq!(places.at("ministry", &["conflicts", "resolve", "1"]).status, 2);
}
