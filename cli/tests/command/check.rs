//! `check`: what went past the triggers is found, named, and taken in on demand.

use crate::json::check;
use crate::places::{Places, words};

/// What the application does while its database has no triggers of saddlebag's.
fn past_the_triggers(places: &Places, sql: &str) {
    let database = places.database("clinic");
    let mut statement = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let triggers: Vec<_> = rows.map(Result::unwrap).collect();
    assert!(!triggers.is_empty());
    for (name, _) in &triggers {
        database.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    database.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        database.execute_batch(sql).unwrap();
    }
}

fn three_patients() -> Places {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada'), ('u-2', 'Ben'), ('u-3', 'Cy')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places
}

#[test]
fn what_the_application_wrote_is_no_difference() {
    let places = three_patients();
    places.execute(
        "clinic",
        "UPDATE patient SET name = 'Ada King' WHERE uuid = 'u-1'; DELETE FROM patient WHERE uuid = 'u-2'",
    );
    let checked = places.at("clinic", &["check"]).ends(0);
    assert!(checked.out.contains("Every row is as saddlebag last saw or wrote it."), "{}", checked.out);
    let json = places.at("clinic", &["check", "--json"]).ends(0).json();
    check("check", &json);
    assert_eq!(json["differences"], 0);
}

#[test]
fn what_went_past_the_triggers_is_found_and_travels_after_a_repair() {
    let places = three_patients();
    past_the_triggers(
        &places,
        "UPDATE patient SET name = 'Ada King' WHERE uuid = 'u-1'; DELETE FROM patient WHERE uuid = 'u-2';
        INSERT INTO patient (uuid, name) VALUES ('u-4', 'Dan')",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    let found = places.at("clinic", &["check", "--json"]).ends(4).json();
    check("check", &found);
    assert_eq!((&found["differences"], &found["repaired"]), (&3.into(), &serde_json::Value::Null));
    let patient = found["tables"].as_array().unwrap().iter().find(|table| table["table"] == "patient").unwrap();
    let counts = ["rows", "unseen", "gone", "changed"].map(|name| patient[name].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 1, 1]);
    let told = words(&places.at("clinic", &["check"]).ends(4).out);
    for said in ["id 4 was never seen", "id 2, u-2 is gone", "id 1, u-1 has other values", "3 changes went past"] {
        // The row of a record that is gone cannot say what it was known as.
        let said = if told.contains(said) { said } else { &said.replace(", u-2", "") };
        assert!(told.contains(said), "{said}: {told}");
    }
    let repaired = places.at("clinic", &["check", "--repair", "--json"]).ends(0).json();
    check("check", &repaired);
    let counts = ["created", "changed", "deleted", "left"].map(|name| repaired["repaired"][name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 0]);
    places.at("clinic", &["check"]).ends(0);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    assert_eq!(places.patients("ministry"), ["Ada King@-", "Cy@-", "Dan@-"]);
}

#[test]
fn triggers_that_were_missing_are_told_here_and_at_the_centre() {
    let places = three_patients();
    places
        .execute("clinic", "DROP TRIGGER saddlebag_2_update; UPDATE patient SET name = 'Ada King' WHERE uuid = 'u-1'");
    let status = places.at("clinic", &["status"]).ends(0);
    assert!(status.err.contains("1 trigger is missing"), "{status:?}");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let own = places.at("clinic", &["status", "--json"]).ends(0).json();
    assert_eq!(
        (&own["triggers_missing"], &own["triggers_restored"][0]["table"]),
        (&serde_json::json!([]), &"patient".into())
    );
    check("status", &own);
    assert!(words(&places.at("clinic", &["status"]).ends(0).err).contains("the triggers of `patient` were missing"));
    places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(places.patients("ministry").contains(&"Ada King@-".to_owned()), "what was written meanwhile was found");
    let status = places.at("ministry", &["status"]).ends(0);
    assert!(
        status.out.contains("clinic: triggers of `patient` were missing there in the last 30 days."),
        "{}",
        status.out
    );
    let json = places.at("ministry", &["status", "--json"]).ends(0).json();
    check("status", &json);
    let health = &json["links"][0]["health"];
    assert_eq!((&health["triggers_missing"][0], &health["clock_is_wrong"]), (&"patient".into(), &false.into()));
    assert!(
        health["free_bytes"].as_u64().unwrap() > 0 && health["software"].as_str().unwrap().starts_with("saddlebag ")
    );
}
