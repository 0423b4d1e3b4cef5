//! What works, from `init` to `remove`.

use crate::places::Places;

#[test]
fn a_stick_goes_round_and_both_places_end_equal() {
    let places = Places::new();
    places.execute(
        "clinic",
        "INSERT INTO facility (code, name) VALUES ('C7', 'Clinic 7');
        INSERT INTO patient (uuid, name, facility_id) VALUES ('u-1', 'Ada', 1)",
    );
    places.execute(
        "ministry",
        "INSERT INTO facility (code, name) VALUES ('M', 'Ministry');
        INSERT INTO patient (uuid, name, facility_id) VALUES ('u-2', 'Ben', 1)",
    );

    let made = places.init("ministry", &["--central"]).ends(0);
    assert!(
        made.out.contains("2 tables in step; 2 rows that were there")
            && made.out.contains("saddlebag --node ministry card")
    );
    assert!(made.err.contains("`log` is left out"), "{}", made.err);
    places.init("clinic", &[]).ends(0);
    let words = places.at("ministry", &["card", "--json"]).ends(0).json()["fingerprint"].as_str().unwrap().to_owned();
    let joined = places.at("clinic", &["join", "ministry.card", "--fingerprint", &words.to_uppercase()]).ends(0);
    assert!(joined.out.contains("clinic is now a satellite of ministry."));
    places.at("clinic", &["card", "--out", "stick"]).ends(0);
    places.at("ministry", &["admit", "stick/clinic.card", "--yes"]).ends(0);

    let left = places.at("clinic", &["sync", "stick"]).ends(0);
    assert!(left.out.contains("left bundle 1 for ministry: 2 changes"), "{}", left.out);
    assert!(left.out.ends_with("`stick` may be pulled out.\n"));
    let came = places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(came.out.contains("received 2 changes from clinic (bundle 1)"), "{}", came.out);
    places.at("clinic", &["sync", "stick"]).ends(0);
    let expected = ["Ada@C7", "Ben@M"];
    assert_eq!(places.patients("ministry"), expected);
    assert_eq!(places.patients("clinic"), expected);

    let status = places.at("clinic", &["status"]).ends(0);
    assert!(status.out.contains("clinic is a satellite; no change waits to be sent."), "{}", status.out);
}

#[test]
fn what_was_there_before_changes_nothing() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["export", "stick"]).ends(0);
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    assert!(places.at("ministry", &["import", &bundle]).ends(0).out.contains("received 1 change from clinic"));
    let again = places.at("ministry", &["import", &bundle]).ends(0);
    assert!(again.out.contains("bundle 1 from clinic had been received before"), "{}", again.out);
    let unchanged = places.at("clinic", &["export", "stick"]).ends(0);
    assert!(
        unchanged.out.contains("bundle 1 for ministry is there already, not acknowledged yet"),
        "{}",
        unchanged.out
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    let plan = places.at("clinic", &["sync", "stick", "--dry-run"]).ends(0);
    assert!(plan.out.contains("would leave bundle 1 for ministry: 1 change\n"), "{}", plan.out);
    assert!(plan.out.ends_with("Nothing was changed: this was a dry run.\n"));
    assert!(places.bundles_for("ministry").is_empty());
    places.at("clinic", &["sync", "stick"]).ends(0);
    let plan = places.at("ministry", &["import", "stick", "--dry-run"]).ends(0);
    assert!(plan.out.contains("would receive 1 change from clinic (bundle 1)"), "{}", plan.out);
    assert!(places.patients("ministry").is_empty());
    let plan = places.at("clinic", &["setup", "--dry-run"]).ends(0);
    assert!(plan.out.contains("there is nothing to do"), "{}", plan.out);
}

#[test]
fn what_the_database_refuses_is_done_in_part() {
    let places = Places::linked();
    places.execute(
        "clinic",
        "PRAGMA ignore_check_constraints = ON;
        INSERT INTO patient (uuid, name) VALUES ('u-1', 'refused'), ('u-2', 'Ben')",
    );
    places.at("clinic", &["sync", "stick"]).ends(0);
    let came = places.at("ministry", &["sync", "stick"]).ends(4);
    assert!(came.out.contains("1 quarantined"), "{}", came.out);
    assert_eq!(places.patients("ministry"), ["Ben@-"]);
    let status = places.at("ministry", &["status"]).ends(0);
    assert!(status.out.contains("held") && status.out.contains("clinic: 1 quarantined"), "{}", status.out);
}

#[test]
fn a_bundle_is_looked_at_and_verified_without_a_node() {
    let places = Places::linked();
    places.at("ministry", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("clinic").try_into().unwrap();
    let shown = places.run(&["inspect", &bundle]).ends(0);
    assert!(shown.out.contains("says that it is bundle 1.") && shown.out.contains("sealed for the receiver"));
    let named = places.at("clinic", &["inspect", &bundle]).ends(0);
    assert!(named.out.contains("from          ministry\n") && named.out.contains("to            clinic\n"));
    for args in [&["--node", "clinic", "verify", &bundle][..], &["verify", &bundle, "--card", "ministry.card"]] {
        let verified = places.run(args).ends(0);
        assert!(verified.out.contains("ministry has signed it"), "{}", verified.out);
    }
    places.run(&["verify", &bundle]).fails(1, "is whole, but its sender is unknown here", "`--card FILE`");
    places.run(&["verify", &bundle, "--card", "clinic.card"]).fails(1, "has not been admitted", "ask for its card");
    places.damage(&bundle);
    places.at("clinic", &["verify", &bundle]).fails(1, "SHA-256 differs", "copy it again");
}

#[test]
fn remove_leaves_the_schema_as_it_was() {
    let places = Places::new();
    let schema = || {
        let database = places.database("clinic");
        let mut statement = database.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY 1").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let before = schema();
    places.init("clinic", &[]).ends(0);
    assert_ne!(schema(), before);
    let removed = places.at("clinic", &["remove"]).ends(0);
    assert!(removed.out.contains("Nothing of saddlebag is left in"), "{}", removed.out);
    assert_eq!(schema(), before);
    assert!(places.path("clinic/keys").exists());
}

#[test]
fn a_profile_stands_in_for_the_proposal() {
    let places = Places::new();
    places.put("profile.toml", b"[tables.facility]\nidentity = \"natural(code)\"\n");
    let made = places.init("clinic", &["--profile", "profile.toml", "--json"]).ends(0).json();
    assert_eq!(made["tables"].as_array().unwrap().len(), 1);
    places.put("bad.toml", b"[tables.nowhere]\nidentity = \"assigned\"\n");
    places.init("ministry", &["--profile", "bad.toml"]).fails(1, "names the table `nowhere`", "correct the name");
    places.put("bad.toml", b"[tables.facility]\nidentity = \"serial\"\n");
    places.init("ministry", &["--profile", "bad.toml"]).fails(1, "line 2: `serial` is no identity", "[tables.NAME]");
    places.put("bad.toml", b"tables.facility.identity = \"assigned\"\n");
    places.init("ministry", &["--profile", "bad.toml"]).fails(1, "sections of their own", "[tables.NAME]");
    assert!(!places.path("ministry").exists(), "nothing is left of a node that could not be made");
}

#[test]
fn the_folder_may_come_from_the_environment() {
    let places = Places::new();
    places.init("clinic", &["--no-setup"]).ends(0);
    let setup = places.command(&["setup"]).env("SADDLEBAG_NODE", "clinic").output().unwrap();
    assert!(String::from_utf8_lossy(&setup.stdout).contains("2 tables in step"), "{setup:?}");
}
