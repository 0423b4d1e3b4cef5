//! `cat`: what a bundle says, for other services, at the node that it is for.

use serde_json::{Value, json};

use crate::places::Places;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The only bundle on the stick for the ministry.
fn bundle(places: &Places) -> String {
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.bundles_for("ministry").pop().unwrap()
}

#[test]
fn every_change_is_a_line_of_json() {
    let places = Places::linked();
    places.execute(
        "clinic",
        "INSERT INTO facility (code, name) VALUES ('C7', 'Clinic 7');
        INSERT INTO patient (uuid, name, facility_id) VALUES ('u-1', 'Ada', 1), ('u-2', 'Ben', NULL);",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.execute("clinic", "DELETE FROM patient WHERE uuid = 'u-2'; UPDATE patient SET name = 'Ada King'");
    let file = bundle(&places);
    let ran = places.at("ministry", &["cat", &file]).ends(0);
    let all = lines(&ran.out);
    let kinds: Vec<_> = all.iter().map(|line| line["line"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["bundle", "health", "record", "record"]);
    assert_eq!((&all[0]["from"], &all[0]["to"]), (&json!("clinic"), &json!("ministry")));
    assert!(all[1]["software"].as_str().unwrap().starts_with("saddlebag ") && all[1].get("clock_ahead_ms").is_none());
    let name = &all[2]["columns"]["name"];
    assert_eq!(
        (&all[2]["action"], &all[2]["whole"], &name["value"]),
        (&json!("write"), &json!(false), &json!("Ada King"))
    );
    assert_eq!((&name["version"]["writer"], &name["base"]["writer"]), (&json!("clinic"), &json!("clinic")));
    assert_eq!((&all[3]["action"], &all[3]["same_as"]), (&json!("delete"), &Value::Null));
    assert!(places.patients("ministry").contains(&"Ada@C7".to_owned()), "nothing was applied");
    assert_eq!(places.at("ministry", &["cat", &file, "--json"]).ends(0).out, ran.out);
}

#[test]
fn values_are_exact() {
    let places = Places::with_values();
    let values = "(1, 1), (2, 1.0), (3, 9007199254740993), (4, -0.0), (5, 1e300), (6, 9e999), (7, x'00ff'),
        (8, 'é'), (9, CAST(x'ff' AS TEXT)), (10, NULL), (11, 5e-324), (12, '1')";
    places.execute("clinic", &format!("INSERT INTO sample (id, v) VALUES {values}"));
    let ran = places.at("ministry", &["cat", &bundle(&places)]).ends(0);
    let expected = [
        "1",
        "1.0",
        "9007199254740993",
        "-0.0",
        "1e+300",
        r#"{"real":"inf","bits":"7ff0000000000000"}"#,
        r#"{"hex":"00ff"}"#,
        "\"é\"",
        r#"{"raw_text":"ff"}"#,
        "null",
        "5e-324",
        "\"1\"",
    ];
    let shown: Vec<&str> = ran.out.lines().filter(|line| line.contains("\"record\"")).collect();
    assert_eq!(shown.len(), expected.len(), "{}", ran.out);
    for (line, value) in shown.iter().zip(expected) {
        assert!(line.contains(&format!("\"v\":{{\"value\":{value},\"version\"")), "{value}: {line}");
    }
}

#[test]
fn receipts_are_lines_too() {
    let places = Places::linked();
    places.execute(
        "clinic",
        "PRAGMA ignore_check_constraints = ON; INSERT INTO patient (uuid, name) VALUES ('u-1', 'refused')",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(4);
    let file = places.bundles_for("clinic").pop().unwrap();
    let all = lines(&places.at("clinic", &["cat", &file]).ends(0).out);
    let receipt = all.iter().find(|line| line["line"] == "receipt").unwrap();
    assert_eq!((&receipt["outcome"], &receipt["table"]), (&json!("quarantined"), &json!("patient")));
}

#[test]
fn what_is_no_bundle_or_for_somebody_else_is_refused() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    let file = bundle(&places);
    places.at("clinic", &["cat", &file]).fails(1, "not even this node, which made it", "at the node that it is for");
    places.put("garbage.sbag", b"hello, this is no bundle\n");
    places.at("ministry", &["cat", "garbage.sbag"]).fails(1, "not a saddlebag bundle", "begin with");
    places.at("ministry", &["cat", "nowhere.sbag"]).fails(1, "nowhere.sbag`", "check the path");
    places.run(&["cat", &file]).fails(1, "there is no saddlebag node", "saddlebag init");
    places.damage(&file);
    places.at("ministry", &["cat", &file]).fails(1, "was changed or cut short", "copy the file again");
    let strangers = Places::linked();
    places.put("stranger.sbag", &std::fs::read(bundle(&strangers_with_a_patient(strangers))).unwrap());
    places.at("ministry", &["cat", "stranger.sbag"]).ends(1);
}

fn strangers_with_a_patient(places: Places) -> Places {
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-9', 'Eve')");
    places
}
