//! What `setup` makes of a changed configuration, a changed schema and a central's choice.

use std::fs;

use saddlebag_couriers::membership::{admit, card, join};
use saddlebag_couriers::setup::{SetupDone, plan_setup, setup};
use saddlebag_couriers::{Node, NodeError, takeover};

use crate::world::{Place, World, link};

const ANNA: &str = "INSERT INTO patient (uuid, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna');
    INSERT INTO visit (patient_id, note) SELECT id, 'first' FROM patient;";

/// Writes another text for a part of `saddlebag.toml`.
fn write(place: &Place, from: &str, to: &str) {
    let text = config(place);
    assert!(text.contains(from), "{text}");
    saddlebag_keys::files::replace(&place.folder, "saddlebag.toml", text.replacen(from, to, 1).as_bytes()).unwrap();
}

fn config(place: &Place) -> String {
    fs::read_to_string(place.folder.join("saddlebag.toml")).unwrap()
}

fn open(place: &Place) -> Node {
    Node::open_for_setup(&place.folder).unwrap()
}

fn set_up(place: &Place) -> SetupDone {
    setup(&mut open(place), &mut |_, _| ()).unwrap()
}

const OLD: &str = "identity = \"uuid(uuid)\"";
const NEW: &str = "identity = \"natural(name)\"";

/// The uids of all patients, in hexadecimal.
fn uids(place: &Place) -> Vec<String> {
    let number = place.texts("SELECT CAST(number AS TEXT) FROM saddlebag_table WHERE name = 'patient'").remove(0);
    place.texts(&format!("SELECT lower(hex(uid)) FROM saddlebag_row_{number}"))
}

#[test]
fn another_identity_takes_the_rows_in_anew() {
    let world = World::new();
    let clinic = world.place("clinic");
    clinic.application(ANNA);
    clinic.found(false).unwrap();
    clinic.setup();
    assert_eq!(uids(&clinic), ["11111111111141118111111111111111"]);
    write(&clinic, OLD, NEW);
    let error = Node::open(&clinic.folder).unwrap_err().to_string();
    assert!(
        error.contains("`patient` (its identity was `uuid(uuid)` and is `natural(name)`) and one other"),
        "{error}"
    );
    let plan = plan_setup(&mut open(&clinic)).unwrap();
    let anew: Vec<_> =
        plan.changes.iter().map(|change| (change.table.as_str(), change.taken_in_anew.is_some())).collect();
    assert_eq!(anew, [("patient", true), ("visit", true)]);
    let rows: Vec<_> = plan.tables.iter().map(|table| (table.table.as_str(), table.rows)).collect();
    assert_eq!(rows, [("patient", 1), ("visit", 1)]);
    assert_eq!(uids(&clinic), ["11111111111141118111111111111111"], "only a plan");
    let done = set_up(&clinic);
    assert_eq!(done.tables.iter().map(|table| table.rows).sum::<u64>(), 2);
    assert_ne!(uids(&clinic), ["11111111111141118111111111111111"]);
    drop(clinic.open());
    clinic.application(
        "UPDATE patient SET name = 'Anne'; INSERT INTO visit (patient_id, note) SELECT id, 'second' FROM patient",
    );
    assert_eq!(set_up(&clinic).changes, [], "and the triggers note what the application does");
    assert_eq!(saddlebag_couriers::status::status(&mut clinic.open()).unwrap().waiting, 3);
}

#[test]
fn names_that_others_know_stay() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    ministry.sync(&world.stick());
    let (before, known) = (config(&clinic), uids(&clinic));
    for place in [&clinic, &ministry] {
        write(place, OLD, NEW);
        let planned = plan_setup(&mut open(place)).map(drop);
        let done = setup(&mut open(place), &mut |_, _| ()).map(drop);
        for error in [planned, done] {
            let error = error.unwrap_err();
            assert!(matches!(&error, NodeError::NamedOtherwise { table, .. } if table == "patient"), "{error}");
            assert!(error.to_string().contains("its identity was `uuid(uuid)`"), "{error}");
            assert!(error.hint().unwrap().contains("put [tables.patient] in saddlebag.toml back"), "{error}");
        }
    }
    assert_eq!(uids(&clinic), known);
    write(&clinic, NEW, OLD);
    assert_eq!(config(&clinic), before);
    clinic.sync(&world.stick());
}

#[test]
fn an_upgrade_of_the_application_is_told_column_by_column() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    ministry.sync(&world.stick());
    clinic.application("ALTER TABLE patient ADD COLUMN village TEXT");
    let error = Node::open(&clinic.folder).unwrap_err();
    let words = "the table `patient` (new: `village`) changed since `saddlebag setup` was last run";
    assert_eq!(error.to_string(), words);
    let plan = plan_setup(&mut open(&clinic)).unwrap();
    let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
    assert_eq!((change.new_columns.as_slice(), &change.taken_in_anew), (&["village".to_owned()][..], &None));
    assert_eq!(set_up(&clinic).changes, plan.changes);
    assert_eq!(set_up(&clinic).changes, []);
}

#[test]
fn what_has_gone_is_named() {
    let world = World::new();
    let clinic = world.ready("clinic", false);
    clinic.application("DROP TABLE visit");
    let error = Node::open(&clinic.folder).unwrap_err();
    assert_eq!(error.to_string(), "the table `visit` has gone from the database since `saddlebag setup` was last run");
    assert!(error.hint().unwrap().contains("remove [tables.visit] from saddlebag.toml"));
    assert!(matches!(plan_setup(&mut open(&clinic)), Err(NodeError::TableGone { .. })));
    write(&clinic, "[tables.visit]\nidentity = \"assigned\"\n", "");
    assert_eq!(set_up(&clinic).forgotten, ["visit"]);
    write(&clinic, OLD, "identity = \"uuid(guid)\"");
    let error = Node::open(&clinic.folder).unwrap_err().to_string();
    assert!(error.contains("names the column `guid`"), "it never was there: {error}");
}

#[test]
fn a_column_that_has_gone_and_is_still_named_is_told() {
    let world = World::new();
    let clinic = world.place("clinic");
    clinic.found(false).unwrap();
    write(&clinic, OLD, "identity = \"uuid(uuid)\"\nexclude = [\"phone\"]");
    clinic.setup();
    clinic.application("ALTER TABLE patient DROP COLUMN phone");
    let error = Node::open(&clinic.folder).unwrap_err();
    assert!(matches!(&error, NodeError::ColumnGone { column, .. } if column == "phone"), "{error}");
    assert!(error.hint().unwrap().contains("[tables.patient]"));
}

#[test]
fn a_satellite_takes_over_what_its_central_has_chosen() {
    let world = World::new();
    let (clinic, ministry) = (world.place("clinic"), world.place("ministry"));
    for place in [&clinic, &ministry] {
        place.application("CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT)");
        place.found(place.name == "ministry").unwrap();
    }
    clinic.application("INSERT INTO village (code) VALUES ('v1')");
    clinic.application(ANNA);
    ministry.application("CREATE TABLE fund (id INTEGER PRIMARY KEY, x TEXT)");
    write(&ministry, OLD, NEW);
    let more = "[tables.village]\nidentity = \"natural(code)\"\ndirection = \"down\"\n[tables.fund]\nidentity = \"assigned\"\n";
    write(&ministry, "[tables.visit]", &format!("{more}[tables.visit]"));
    clinic.setup();
    ministry.setup();
    let before = uids(&clinic);
    let of_ministry = card(&mut ministry.open()).unwrap();
    let tables: Vec<_> = of_ministry.card.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["fund", "patient", "village", "visit"]);
    assert_eq!(of_ministry.card.tables[3].references["patient_id"], "patient", "declared ones travel too");
    join(&mut clinic.open(), &of_ministry.bytes).unwrap();
    let error = Node::open(&clinic.folder).unwrap_err().to_string();
    assert_eq!(error, "what ministry has chosen for the tables changed since `saddlebag setup` was last run");

    let told = takeover::pending(&mut open(&clinic)).unwrap().unwrap();
    assert_eq!(
        (told.added.as_slice(), told.lacking.as_slice()),
        (&["village".to_owned()][..], &["fund".to_owned()][..])
    );
    let plan = plan_setup(&mut open(&clinic)).unwrap();
    assert_eq!((plan.is_current, plan.takeover.as_ref()), (false, Some(&told)));
    assert!(config(&clinic).contains(OLD), "only a plan");
    let done = set_up(&clinic);
    assert_eq!(done.takeover, Some(told));
    assert_eq!(
        done.tables.iter().map(|table| table.rows).sum::<u64>(),
        3,
        "patient and visit anew, village for the first time"
    );
    assert!(config(&clinic).contains("identity = \"natural(name)\"  # as ministry has it; it was \"uuid(uuid)\""));
    assert!(config(&clinic).contains("[tables.village]\nidentity = \"natural(code)\"\ndirection = \"down\"\n"));
    assert_ne!(uids(&clinic), before);

    drop(clinic.open());
    assert_eq!(takeover::pending(&mut open(&clinic)).unwrap(), None, "once");
    let of_clinic = card(&mut clinic.open()).unwrap();
    admit(&mut ministry.open(), &of_clinic.bytes).unwrap();
    ministry.application("INSERT INTO village (code) VALUES ('v1'), ('v2')");
    for place in [&clinic, &ministry, &clinic] {
        place.sync(&world.stick());
    }
    assert_eq!(clinic.texts("SELECT code FROM village ORDER BY code"), ["v1", "v2"], "one record where both have it");
    assert_eq!(ministry.shows(), clinic.shows());
}

#[test]
fn a_card_that_changes_nothing_needs_no_setup() {
    let (_world, clinic, _ministry) = World::pair();
    let text = config(&clinic);
    assert_eq!(takeover::pending(&mut clinic.open()).unwrap(), None);
    assert!(!text.contains("ministry has it"));
}

#[test]
fn a_newer_card_of_the_central_is_taken_if_it_says_something_else() {
    let world = World::new();
    let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
    link(&clinic, &ministry);
    write(&ministry, OLD, NEW);
    ministry.setup();
    let newer = card(&mut ministry.open()).unwrap();
    join(&mut clinic.open(), &newer.bytes).unwrap();
    assert_eq!(takeover::pending(&mut open(&clinic)).unwrap().unwrap().changed[0].to, "natural(name)");
    set_up(&clinic);
    assert!(config(&clinic).contains(NEW));
    let error = join(&mut clinic.open(), &newer.bytes).unwrap_err();
    assert!(matches!(error, NodeError::AlreadyLinked { .. }), "the same once more is no news: {error}");
}

#[test]
fn what_a_person_writes_after_the_takeover_stands() {
    let world = World::new();
    let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
    link(&clinic, &ministry);
    write(&clinic, OLD, "identity = \"assigned\"");
    set_up(&clinic);
    assert!(config(&clinic).contains("[tables.patient]\nidentity = \"assigned\""), "{}", config(&clinic));
}
