//! The demo, as somebody runs it who has just built the command.

use crate::places::{Places, Ran};

/// The application's tables, as the last comparison lists them.
const TABLES: [&str; 9] = [
    "facility",
    "staff",
    "program",
    "patient",
    "encounter",
    "observation",
    "condition",
    "medication",
    "patient_program",
];

/// The words, whatever lines they stand in.
fn words(ran: &Ran) -> String {
    ran.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_demo_keeps_all_its_promises() {
    let places = Places::new();
    let ran = places.run(&["demo"]).ends(0);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    assert!(!ran.out.contains("NOT AS PROMISED") && !ran.out.contains("FAILED"), "{}", ran.out);
    for table in TABLES {
        let is_equal = |line: &str| line.trim().starts_with(table) && line.ends_with("  equal");
        assert!(ran.out.lines().any(is_equal), "{table} in {}", ran.out);
    }
    let told = words(&ran);
    for said in [
        "11 of 11 in `patient`",
        "The ministry found 1 conflict, in `patient.phone`",
        "before the stick came, ",
        "It begins where the lost one began",
        "was applied once, and was known and changed nothing once.",
        "from hilltop: the bundle from hilltop was changed",
        "The changed bundle was refused, and the ministry's database is what it was",
        "is applied now; what was changed was refused once more.",
        "finds 0 of ",
        "(exit status 4: done in part",
        "are equal at the three places.",
    ] {
        assert!(told.contains(said), "`{said}` is missing in {}", ran.out);
    }
    // What is proposed at the end works.
    let status = places.at("demo/ministry", &["status"]).ends(0);
    assert!(status.out.contains("1 in conflict"), "{}", status.out);
    assert!(places.at("demo/riverside", &["sync", "demo/stick", "--dry-run"]).ends(0).out.contains("dry run"));
}

#[test]
fn what_lies_in_the_folder_is_left_alone() {
    let places = Places::new();
    places.run(&["demo", "clinic.db"]).fails(1, "`clinic.db` is there already", "does not exist yet");
    places.run(&["demo", "."]).fails(1, "`.` is there already", "does not exist yet");
    std::fs::create_dir(places.path("demo")).unwrap();
    places.put("demo/mine.txt", b"mine");
    let ran = places.run(&["demo", "--seed", "42"]).ends(0);
    assert!(ran.out.contains("`demo-2`"), "{}", ran.out);
    assert_eq!(std::fs::read_dir(places.path("demo")).unwrap().count(), 1);
}
