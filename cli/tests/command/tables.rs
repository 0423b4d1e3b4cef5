//! What is asked, proposed and taken over: `init`, `join` and `setup` about tables.

use saddlebag::{Exit, run_with_answers};

use crate::places::{Places, Ran};

/// `init` in this process, with somebody who answers.
fn asked(places: &Places, node: &str, more: &[&str], answers: &str) -> Ran {
    let path = |name: &str| places.path(name).display().to_string();
    let (node_folder, database) = (path(node), format!("sqlite:{}", path("clinic.db")));
    let args = ["saddlebag", "--node", &node_folder, "init", "clinic", "--database", &database, "--no-setup"];
    let (mut out, mut err, mut answers) = (Vec::new(), Vec::new(), answers.as_bytes());
    let exit = run_with_answers(args.iter().chain(more), &mut answers, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: i32::from(exit.code()), out: text(out), err: text(err) }
}

fn config(places: &Places, node: &str) -> String {
    std::fs::read_to_string(places.path(node).join("saddlebag.toml")).unwrap()
}

const QUESTION: &str = "`facility.code` is unique. Do equal values mean the same record at every place?";

#[test]
fn a_person_decides_whether_codes_mean_the_same_everywhere() {
    for (answer, identity) in [("y\n", "natural(code)"), ("\n", "natural(code)"), ("n\n", "assigned")] {
        let places = Places::new();
        let ran = asked(&places, "node", &[], answer);
        assert_eq!(ran.status, 0, "{ran:?}");
        let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(QUESTION) && words.contains("[Y/n]"), "{words}");
        assert!(config(&places, "node").contains(&format!("identity = \"{identity}\"\n")), "{answer:?}");
        assert!(!config(&places, "node").contains("Nobody was asked"));
    }
}

#[test]
fn who_gives_no_answer_gets_no_node() {
    let places = Places::new();
    let ran = asked(&places, "node", &[], "");
    assert_eq!(ran.status, i32::from(Exit::Interrupted.code()), "{ran:?}");
    assert!(!places.path("node").exists());
}

#[test]
fn nobody_is_asked_where_nobody_wants_to_be() {
    let places = Places::new();
    for (node, more) in [("one", "--yes"), ("two", "--json")] {
        let ran = asked(&places, node, &[more], "n\n").ends(0);
        assert!(!ran.err.contains("Do equal values"), "{}", ran.err);
        assert!(
            config(&places, node).contains("# Nobody was asked whether that is so.\nidentity = \"natural(code)\"\n")
        );
        std::fs::remove_dir_all(places.path(node)).unwrap();
        places.execute("clinic", "DROP TABLE IF EXISTS saddlebag_setting");
    }
    let ran = places.init("clinic", &[]).ends(0);
    assert!(!ran.err.contains("[Y/n]"));
    let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`facility.code` is taken to mean the same record at every place, without anybody having"));
}

#[test]
fn references_that_nothing_declares_are_found_by_name_and_values() {
    let places = Places::new();
    places.execute(
        "clinic",
        "CREATE TABLE visit (id INTEGER PRIMARY KEY, patient_id INTEGER, facility_id INTEGER, note TEXT);
         INSERT INTO facility (id, code, name) VALUES (7, 'f7', 'Seven');
         INSERT INTO patient (id, uuid, name) VALUES (3, 'u-3', 'Ada');
         INSERT INTO visit (patient_id, facility_id) VALUES (3, 7), (3, 8);",
    );
    let made = places.init("clinic", &["--json"]).ends(0).json();
    let visit = made["tables"].as_array().unwrap().iter().find(|table| table["table"] == "visit").unwrap().clone();
    assert_eq!(visit["references"], serde_json::json!([["patient_id", "patient"]]));
    assert!(
        config(&places, "clinic").contains("patient_id = \"patient\"  # by its name; all 2 values are keys there\n")
    );
    let words = config(&places, "clinic").replace("\n# ", " ");
    assert!(
        words.contains("`facility_id` may refer to `facility` by its name, but 1 of its 2 values are no keys there")
    );
    let plan = places.at("clinic", &["setup", "--dry-run", "--json"]).ends(0).json();
    let visit = plan["tables"].as_array().unwrap().iter().find(|table| table["table"] == "visit").unwrap().clone();
    assert_eq!(visit["references"], serde_json::json!([["patient_id", "patient"]]), "and `setup` takes them so");
}

/// A ministry that knows patients by their name, and a clinic that does not know that yet.
fn joined() -> (Places, Ran) {
    let places = Places::new();
    places.execute("ministry", "CREATE TABLE fund (id INTEGER PRIMARY KEY, x TEXT)");
    places.execute("clinic", "CREATE TABLE bicycle (id INTEGER PRIMARY KEY, x TEXT)");
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.init("ministry", &["--central", "--no-setup"]).ends(0);
    places.init("clinic", &[]).ends(0);
    let file = "ministry/saddlebag.toml";
    places.put(file, config(&places, "ministry").replace("uuid(uuid)", "natural(name)").as_bytes());
    places.at("ministry", &["setup"]).ends(0);
    places.at("ministry", &["card"]).ends(0);
    let ran = places.at("clinic", &["join", "ministry.card", "--yes"]).ends(0);
    (places, ran)
}

#[test]
fn join_says_what_setup_takes_over_and_setup_does_it() {
    let (places, ran) = joined();
    assert!(ran.out.contains("How ministry knows the tables is to be taken over"), "{}", ran.out);
    assert!(ran.out.contains("  patient: identity = `natural(name)`, not `uuid(uuid)`\n"), "{}", ran.out);
    assert!(ran.out.contains("  saddlebag --node clinic setup\n"), "{}", ran.out);
    let notes = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(notes.contains("ministry also keeps `fund` in step, which this database does not have"), "{notes}");
    assert!(notes.contains("only this node keeps `bicycle` in step: ministry will hold what it is sent"), "{notes}");
    let words = "what ministry has chosen for the tables changed since `saddlebag setup` was last run";
    places.at("clinic", &["sync", "stick"]).fails(1, words, "run `saddlebag setup`");
    places.at("clinic", &["status"]).fails(1, words, "run `saddlebag setup`");

    let plan = places.at("clinic", &["setup", "--dry-run"]).ends(0);
    assert!(plan.out.contains("is to be taken over") && plan.out.contains("Nothing was changed."), "{}", plan.out);
    assert!(config(&places, "clinic").contains("identity = \"uuid(uuid)\""));
    let done = places.at("clinic", &["setup"]).ends(0);
    let words = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("The rows of `patient` are taken in anew: its identity was `uuid(uuid)`"), "{words}");
    assert!(
        config(&places, "clinic").contains("identity = \"natural(name)\"  # as ministry has it; it was \"uuid(uuid)\"")
    );
    places.at("clinic", &["status"]).ends(0);
}

#[test]
fn records_that_others_know_keep_their_identity() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let text = config(&places, "clinic");
    places.put("clinic/saddlebag.toml", text.replace("uuid(uuid)", "natural(name)").as_bytes());
    for more in [&["setup"][..], &["setup", "--dry-run"]] {
        places.at("clinic", more).fails(
            1,
            "the records of `patient` are known to other nodes by now",
            "back as it was",
        );
    }
    places.put("clinic/saddlebag.toml", text.as_bytes());
    places.at("clinic", &["status"]).ends(0);
}

#[test]
fn an_upgraded_application_is_noticed_and_told() {
    let places = Places::linked();
    places.execute("clinic", "ALTER TABLE patient ADD COLUMN phone TEXT");
    places.at("clinic", &["sync", "stick"]).fails(
        1,
        "the table `patient` (new: `phone`) changed",
        "run `saddlebag setup`",
    );
    let done = places.at("clinic", &["setup"]).ends(0);
    assert!(done.out.contains("`patient` has new columns: `phone`.\n"), "{}", done.out);
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.execute("clinic", "PRAGMA foreign_keys = OFF; DROP TABLE patient");
    places.at("clinic", &["sync", "stick"]).fails(1, "the table `patient` has gone", "remove [tables.patient]");
}

#[test]
fn profiles_have_names_too() {
    let places = Places::new();
    let other = places.init("clinic", &["--profile", "gnuhealth"]);
    other.fails(1, "which the database does not have", "remove");
    assert!(!places.path("clinic").exists());
    places.init("clinic", &["--profile", "openhospital"]).fails(1, "openhospital`", "check the path");
}
