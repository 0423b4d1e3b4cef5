//! What does not work: each says what happened and what to do next, and changes nothing.

use std::process::Stdio;

use crate::places::Places;

#[test]
fn no_node_here() {
    let places = Places::new();
    for verb in [&["status"][..], &["setup"], &["card"], &["sync", "stick"], &["remove"]] {
        places.run(verb).fails(1, "there is no saddlebag node in `.`", "run `saddlebag init`");
    }
}

#[test]
fn wrong_database() {
    let places = Places::new();
    let init = |url: &str| places.at("clinic", &["init", "clinic", "--database", url]);
    init("sqlite:nowhere.db").fails(1, "nowhere.db cannot be opened", "check `database`");
    places.put("garbage.db", &[b'x'; 5000]);
    init("sqlite:garbage.db").fails(1, "garbage.db cannot be opened", "check `database`");
    init("clinic.db").fails(2, "`clinic.db` is no database URL", "write `sqlite:`");
    init("postgres://h:port/d").fails(2, "a port is a number", "write postgres://USER@HOST:PORT/DATABASE");
    init("postgres://ann:s3@cret@h/d").fails(2, "in a password it is %40", "`@`, `:`");
    // Nobody listens at a port that only the system's own services use.
    init("postgres://ann@127.0.0.1:1/d").fails(1, "postgres://ann@127.0.0.1:1/d cannot be reached", "start the server");
    places.put("empty.db", b"");
    init("sqlite:empty.db").fails(1, "has no table that can be kept in step", "let the application make its tables");
    assert!(!places.path("clinic").exists() && !places.path("nowhere.db").exists());
}

#[test]
fn a_node_is_never_made_twice() {
    let places = Places::new();
    places.init("clinic", &[]).ends(0);
    places.init("clinic", &[]).fails(1, "holds a saddlebag node already", "choose another folder");
    let other = places.at("other", &["init", "other", "--database", "sqlite:clinic.db"]);
    other.fails(1, "belongs to a saddlebag node already", "saddlebag remove");
}

#[test]
fn names_that_cannot_be() {
    let places = Places::new();
    for name in ["Clinic", "a-to-b", "con", ""] {
        let ran = places.at("clinic", &["init", name, "--database", "sqlite:clinic.db"]).ends(2);
        assert!(ran.err.contains("error: invalid value"), "{}", ran.err);
    }
}

#[test]
fn not_set_up() {
    let places = Places::new();
    places.init("clinic", &["--no-setup"]).ends(0);
    places.at("clinic", &["status"]).fails(1, "is not set up for saddlebag", "run `saddlebag setup`");
    places.at("clinic", &["setup"]).ends(0);
    places.execute("clinic", "ALTER TABLE patient ADD COLUMN phone TEXT");
    places.at("clinic", &["sync", "stick"]).fails(1, "changed since `saddlebag setup`", "run `saddlebag setup`");
    places.at("clinic", &["setup"]).ends(0);
    places.at("clinic", &["sync", "stick"]).fails(1, "belongs to no deployment yet", "join first");
}

#[test]
fn wrong_cards() {
    let places = Places::linked();
    places.at("clinic", &["join", "clinic.card", "--yes"]).fails(1, "clinic is no central", "central's card");
    places.at("ministry", &["admit", "clinic.card", "--yes"]).fails(
        1,
        "is linked to this node already",
        "saddlebag sync",
    );
    places.at("clinic", &["join", "ministry.card", "--yes"]).fails(
        1,
        "is linked to this node already",
        "saddlebag sync",
    );
    places.at("ministry", &["admit", "ministry.card", "--yes"]).fails(1, "the card of this node itself", "other node");
    places.at("ministry", &["admit", "nowhere.card", "--yes"]).fails(1, "nowhere.card`", "check the path");
    places.put("garbage.card", b"hello\n");
    places.at("ministry", &["admit", "garbage.card", "--yes"]).fails(1, "`garbage.card`: this is not a card", "card");
    places.at("clinic", &["card"]).fails(1, "`./clinic.card` is already there", "choose another name");
}

#[test]
fn nobody_answers_for_a_card() {
    let places = Places::new();
    places.init("ministry", &["--central"]).ends(0);
    places.init("clinic", &[]).ends(0);
    places.at("ministry", &["card"]).ends(0);
    let asked = places.at("clinic", &["join", "ministry.card"]);
    assert!(asked.err.contains("the card of ministry, a central"), "{}", asked.err);
    asked.fails(2, "there is no terminal to ask on", "`--fingerprint \"WORDS\"`");
    let wrong = places.at("clinic", &["join", "ministry.card", "--fingerprint", "zoo zoo zoo"]);
    wrong.fails(1, "has another fingerprint; nothing was changed", "again");
    assert_eq!(places.at("clinic", &["status", "--json"]).ends(0).json()["role"], "unjoined");
    let both = places.at("clinic", &["join", "ministry.card", "--yes", "--fingerprint", "x"]).ends(2);
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
}

#[test]
fn wrong_places_and_files() {
    let places = Places::linked();
    places.at("clinic", &["sync", "nowhere"]).fails(1, "there is no folder", "mount");
    places.at("clinic", &["export", "stick", "--to", "district"]).fails(
        1,
        "no link to a node named district",
        "ministry",
    );
    places.at("clinic", &["import", "stick", "clinic.db"]).fails(2, "`stick` is a folder", "one folder, or files only");
    let refused = |file: &str, words: &str| {
        let ran = places.at("clinic", &["import", file]).ends(1);
        let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.contains(&format!("refused `{file}`")) && out.contains(words), "{out}");
        assert!(out.contains("hint: ") && ran.err.contains("error: 1 of 1 bundle failed"), "{ran:?}");
    };
    refused("nowhere.sbag", "No such file");
    places.put("garbage.sbag", b"hello, this is no bundle\n");
    refused("garbage.sbag", "not a saddlebag bundle");
    places.put("cut.sbag", b"saddlebag bundle 1\n{\"depl");
    refused("cut.sbag", "incomplete");
    places.run(&["inspect", "garbage.sbag"]).fails(
        1,
        "`garbage.sbag`: the file is not a saddlebag bundle",
        "begin with",
    );
    places.run(&["verify", "nowhere.sbag"]).fails(1, "nowhere.sbag`", "check the path");
}

#[test]
fn a_bundle_for_another_node_is_left_alone() {
    let places = Places::linked();
    places.at("ministry", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("clinic").try_into().unwrap();
    let left = places.at("ministry", &["import", &bundle]).ends(0);
    assert!(left.out.contains("left 1 file alone that is not for ministry"), "{}", left.out);
}

#[test]
fn a_changed_bundle_is_refused_and_changes_nothing() {
    let places = Places::linked();
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    places.damage(&bundle);
    let ran = places.at("ministry", &["import", "stick"]).ends(1);
    assert!(ran.out.contains("refused bundle 1 from clinic") && ran.out.contains("hint: "), "{}", ran.out);
    assert!(places.patients("ministry").is_empty());
}

#[test]
fn the_command_line_is_checked() {
    let places = Places::new();
    for args in [&[][..], &["nonsense"], &["sync"], &["status", "--nonsense"], &["import"]] {
        let ran = places.run(args).ends(2);
        assert_eq!(ran.out, "");
        assert!(ran.err.contains("Usage: saddlebag"), "{}", ran.err);
    }
    let help = places.run(&["--help"]).ends(0);
    assert!(help.out.contains("  4  done in part") && help.err.is_empty());
    assert!(places.run(&["--version"]).ends(0).out.starts_with("saddlebag "));
}

#[test]
fn a_reader_that_goes_away_is_no_failure_of_ours() {
    let places = Places::linked();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = places.command(&["--node", "clinic", "status"]);
    let ran = command.stdout(Stdio::from(writer)).output().unwrap();
    assert_eq!(ran.status.code(), Some(3));
    assert!(ran.stderr.is_empty(), "{ran:?}");
}
