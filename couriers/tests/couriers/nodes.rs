//! Nodes: made, set up, opened, removed, and refused where something is not right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use saddlebag_couriers::node::NodeError;
use saddlebag_couriers::rejoin::{self, Rejoining};
use saddlebag_couriers::setup::{plan_setup, remove, setup};
use saddlebag_couriers::status::{NodeRole, status};
use saddlebag_couriers::{ConfigError, Node};
use saddlebag_stores::StoreError;

use crate::world::{Place, TABLES, World};

const ANNA: &str = "INSERT INTO patient (uuid, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Anna')";
const SCHEMA_NOW: &str = "SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_node_is_made_for_its_owner_only() {
    let world = World::new();
    let ministry = world.place("ministry");
    let founded = ministry.found(true).unwrap();
    assert!(founded.deployment.is_some());
    for (name, expected) in [
        ("", 0o700),
        ("keys", 0o700),
        ("keys/signing.key", 0o600),
        ("keys/sealing.key", 0o600),
        ("keys/deployment.key", 0o600),
        ("saddlebag.toml", 0o600),
        ("node", 0o600),
    ] {
        assert_eq!(mode(&ministry.folder.join(name)), expected, "{name}");
    }
    let mut node = Node::open_for_setup(&ministry.folder).unwrap();
    assert_eq!(node.id, founded.id);
    assert_eq!(node.this_node().unwrap().deployment, founded.deployment.unwrap());
    assert_eq!(status(&mut node).unwrap().role, NodeRole::Central);
    let clinic = world.place("clinic");
    assert_eq!(clinic.found(false).unwrap().deployment, None);
    let mut node = Node::open_for_setup(&clinic.folder).unwrap();
    assert_eq!(status(&mut node).unwrap().role, NodeRole::Unjoined);
    assert!(matches!(node.exporter(), Err(NodeError::NoDeployment)));
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let world = World::new();
    let (clinic, mut second) = (world.place("clinic"), world.place("second"));
    clinic.found(false).unwrap();
    let before = fs::read(clinic.folder.join("keys/signing.key")).unwrap();
    assert!(matches!(clinic.found(true), Err(NodeError::AlreadyANode { .. })));
    assert_eq!(fs::read(clinic.folder.join("keys/signing.key")).unwrap(), before);
    second.database = clinic.database;
    assert!(matches!(second.found(false), Err(NodeError::DatabaseTaken { .. })));
    assert!(!second.folder.exists(), "nothing is left of it");
    second.database = world.root.path().join("absent.db");
    assert!(matches!(second.found(false), Err(NodeError::Store(StoreError::Open { .. }))));
    assert!(!second.folder.exists() && !second.database.exists());
}

#[test]
fn what_was_made_goes_again_if_the_database_cannot_be_claimed() {
    let world = World::new();
    let clinic = world.place("clinic");
    fs::create_dir(&clinic.folder).unwrap();
    fs::copy(&clinic.database, clinic.folder.join("other.db")).unwrap();
    // A table by the name of an index that saddlebag makes: the claim fails half way.
    clinic.application("CREATE TABLE saddlebag_tombstone_seq (id)");
    assert!(clinic.found(false).is_err());
    let left: Vec<_> = fs::read_dir(&clinic.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["other.db"]);
    assert_eq!(
        clinic.texts("SELECT name FROM sqlite_schema WHERE name LIKE 'saddlebag%'"),
        ["saddlebag_tombstone_seq"]
    );
}

#[test]
fn a_folder_that_holds_other_things_keeps_its_permissions() {
    let world = World::new();
    let clinic = world.place("clinic");
    fs::create_dir(&clinic.folder).unwrap();
    fs::copy(&clinic.database, clinic.folder.join("other.db")).unwrap();
    fs::set_permissions(&clinic.folder, fs::Permissions::from_mode(0o755)).unwrap();
    clinic.found(false).unwrap();
    assert_eq!((mode(&clinic.folder), mode(&clinic.folder.join("keys"))), (0o755, 0o700));
}

#[test]
fn a_node_works_only_after_setup_and_again_after_a_change() {
    let world = World::new();
    let clinic = world.place("clinic");
    clinic.application(ANNA);
    clinic.found(false).unwrap();
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::Store(StoreError::NotSetUp))));
    let plan = plan_setup(&mut Node::open_for_setup(&clinic.folder).unwrap()).unwrap();
    assert!(!plan.is_current && plan.tables.iter().all(|table| table.is_new));
    assert_eq!((plan.tables[0].rows, plan.tables[1].rows, plan.triggers.len()), (1, 0, 9));
    assert_eq!(plan.tables[1].references, [("patient_id".to_owned(), "patient".to_owned())]);
    assert!(clinic.texts("SELECT name FROM sqlite_schema WHERE type = 'trigger'").is_empty(), "only a plan");
    let mut seen = Vec::new();
    let mut progress = |table: &str, rows| seen.push((table.to_owned(), rows));
    let done = setup(&mut Node::open_for_setup(&clinic.folder).unwrap(), &mut progress).unwrap();
    assert_eq!((done.tables[0].rows, done.triggers.len()), (1, 9));
    assert!(seen.contains(&("patient".to_owned(), 1)));
    let plan = plan_setup(&mut clinic.open()).unwrap();
    assert!(plan.is_current && plan.triggers.is_empty() && plan.tables[0].rows == 0, "{plan:?}");
    clinic.application("ALTER TABLE patient ADD COLUMN village TEXT");
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::Store(StoreError::SetupIsOlder { .. }))));
    clinic.application(&ANNA.replace("1111", "2222"));
    clinic.setup();
    assert_eq!(status(&mut clinic.open()).unwrap().waiting, 2, "what was written meanwhile is taken in too");
}

#[test]
fn a_setup_that_was_interrupted_is_noticed_and_goes_on() {
    let world = World::new();
    let clinic = world.place("clinic");
    clinic.application(ANNA);
    clinic.found(false).unwrap();
    let interrupted = std::panic::catch_unwind(|| {
        let mut node = Node::open_for_setup(&clinic.folder).unwrap();
        setup(&mut node, &mut |_, _| std::panic::resume_unwind(Box::new("the power fails")))
    });
    assert!(interrupted.is_err());
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::SetupInterrupted)));
    assert!(!plan_setup(&mut Node::open_for_setup(&clinic.folder).unwrap()).unwrap().is_current);
    clinic.setup();
    assert_eq!(status(&mut clinic.open()).unwrap().waiting, 1);
}

#[test]
fn a_table_that_is_not_named_any_more_is_forgotten() {
    let world = World::new();
    let clinic = world.ready("clinic", false);
    let text = fs::read_to_string(clinic.folder.join("saddlebag.toml")).unwrap();
    let text = text.replace("[tables.visit]\nidentity = \"assigned\"\n", "");
    saddlebag_keys::files::replace(&clinic.folder, "saddlebag.toml", text.as_bytes()).unwrap();
    let mut node = Node::open_for_setup(&clinic.folder).unwrap();
    assert_eq!(plan_setup(&mut node).unwrap().forget, ["visit"]);
    assert_eq!(setup(&mut node, &mut |_, _| ()).unwrap().forgotten, ["visit"]);
    assert_eq!(clinic.texts("SELECT name FROM sqlite_schema WHERE type = 'trigger'").len(), 5);
}

#[test]
fn removing_leaves_the_schema_as_it_was_and_the_folder() {
    let world = World::new();
    let clinic = world.place("clinic");
    clinic.application(ANNA);
    let before = clinic.texts(SCHEMA_NOW);
    clinic.found(false).unwrap();
    clinic.setup();
    assert_ne!(clinic.texts(SCHEMA_NOW), before);
    remove(&mut Node::open_anyhow(&clinic.folder).unwrap()).unwrap();
    assert_eq!(clinic.texts(SCHEMA_NOW), before);
    assert_eq!(clinic.texts("SELECT name FROM patient"), ["Anna"]);
    assert!(clinic.folder.join("keys/signing.key").exists());
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::NotInDatabase { .. })));
}

#[test]
fn a_restored_database_is_noticed_at_home() {
    let (world, clinic, _ministry) = World::pair();
    let backup = world.root.path().join("backup.db");
    fs::copy(&clinic.database, &backup).unwrap();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    drop(clinic.open());
    fs::copy(&backup, &clinic.database).unwrap();
    let error = Node::open(&clinic.folder).unwrap_err();
    assert!(matches!(error, NodeError::DatabaseIsOlder { .. }), "{error}");
    assert!(error.hint().unwrap().contains("saddlebag rejoin"));
    assert!(matches!(Node::open_for_setup(&clinic.folder), Err(NodeError::DatabaseIsOlder { .. })));
    assert!(Node::open_anyhow(&clinic.folder).is_ok());
}

#[test]
fn a_restored_database_that_rejoins_gets_back_what_it_had_sent() {
    let (world, clinic, ministry) = World::pair();
    let backup = world.root.path().join("backup.db");
    fs::copy(&clinic.database, &backup).unwrap();
    clinic.application(ANNA);
    clinic.sync(&world.stick());
    ministry.sync(&world.stick());
    let before = clinic.shows();
    fs::copy(&backup, &clinic.database).unwrap();
    assert_ne!(clinic.shows(), before);
    let mut node = Node::open_anyhow(&clinic.folder).unwrap();
    let plan = rejoin::plan(&mut node).unwrap();
    assert!(plan.has_reason() && plan.behind.is_some_and(|behind| behind.contains("published")));
    let rejoined = rejoin::rejoin(&mut node).unwrap();
    assert_eq!(
        (rejoined.peers.as_slice(), rejoined.before == rejoined.epoch),
        (["ministry".to_owned()].as_slice(), false)
    );
    drop(node);
    for place in [&clinic, &ministry, &clinic, &ministry] {
        let report = place.sync(&world.stick());
        assert!(!report.any_refused(), "{report:#?}");
    }
    assert_eq!(clinic.shows(), before);
    assert_eq!(ministry.shows(), before);
    assert!(!rejoin::plan(&mut clinic.open()).unwrap().has_reason());
}

#[test]
fn a_node_whose_folder_went_back_too_learns_of_its_later_history_from_its_neighbour() {
    let (world, clinic, ministry) = World::pair();
    for place in [&clinic, &ministry, &clinic] {
        place.sync(&world.stick());
    }
    let (backup, mark) = (world.root.path().join("backup.db"), world.root.path().join("backup.mark"));
    fs::copy(&clinic.database, &backup).unwrap();
    fs::copy(clinic.folder.join("high-water"), &mark).unwrap();
    let forgotten = rejoin::rejoin(&mut clinic.open()).unwrap().epoch;
    clinic.application(ANNA);
    let expected = clinic.shows();
    for place in [&clinic, &ministry] {
        assert!(!place.sync(&world.stick()).any_refused());
    }
    fs::copy(&backup, &clinic.database).unwrap();
    fs::copy(&mark, clinic.folder.join("high-water")).unwrap();
    let report = clinic.sync(&world.stick());
    assert!(report.any_refused(), "{report:#?}");
    assert!(rejoin::plan(&mut clinic.open()).unwrap().has_reason());
    let rejoined = rejoin::rejoin(&mut clinic.open()).unwrap();
    // What is drawn for an epoch is its second half: only the count decides.
    let count = |epoch: &str| u32::from_str_radix(&epoch[..8], 16).unwrap();
    assert_eq!(count(&rejoined.epoch), count(&forgotten) + 1);
    for place in [&clinic, &ministry, &clinic, &ministry] {
        let report = place.sync(&world.stick());
        assert!(!report.any_refused(), "{report:#?}");
    }
    assert_eq!((clinic.shows(), ministry.shows()), (expected.clone(), expected));
}

/// The application was installed anew at a place: an empty database lies where the old one was.
fn replace(world: &World, place: &Place) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", place.database.display()));
    }
    world.place(&place.name);
}

#[test]
fn a_database_that_was_replaced_gets_everything_back() {
    for is_central in [false, true] {
        let (world, clinic, ministry) = World::pair();
        let rounds = |places: [&Place; 4]| {
            for place in places {
                let report = place.sync(&world.stick());
                assert!(!report.any_refused(), "{report:#?}");
            }
        };
        clinic.application(ANNA);
        clinic.application("INSERT INTO visit (patient_id, note) VALUES (1, 'fever'), (1, 'cough')");
        ministry.application(&ANNA.replace("1111", "2222").replace("Anna", "Ben"));
        rounds([&clinic, &ministry, &clinic, &ministry]);
        assert_eq!(clinic.shows(), ministry.shows());
        let (lost, other) = if is_central { (&ministry, &clinic) } else { (&clinic, &ministry) };
        replace(&world, lost);
        other.application("UPDATE patient SET phone = '1' WHERE name = 'Anna'");
        let before = other.shows();
        let error = Node::open(&lost.folder).unwrap_err();
        assert!(matches!(error, NodeError::NotInDatabase { .. }), "{error}");
        assert!(error.hint().unwrap().contains("saddlebag rejoin"));
        let mut rejoining = Rejoining::open(&lost.folder).unwrap();
        let plan = rejoining.plan().unwrap();
        assert!(plan.is_replaced && plan.has_reason());
        assert_eq!(plan.peers, [other.name.as_str()]);
        let rejoined = rejoining.rejoin().unwrap();
        assert!(rejoined.needs_setup && rejoined.before != rejoined.epoch, "{rejoined:?}");
        drop(rejoining);
        lost.application(&ANNA.replace("1111", "3333").replace("Anna", "Cleo"));
        lost.setup();
        rounds([lost, other, lost, other]);
        assert_eq!(lost.shows(), other.shows());
        let has_all = before.iter().all(|line| lost.shows().contains(line));
        assert!(has_all && lost.shows().len() == before.len() + 1, "{before:#?} {:#?}", lost.shows());
        for place in [lost, other] {
            let status = status(&mut place.open()).unwrap();
            assert_eq!((status.links[0].conflicts, &status.links[0].different), (0, &None), "{}", place.name);
        }
        assert!(!rejoin::plan(&mut lost.open()).unwrap().has_reason());
    }
}

#[test]
fn rows_that_nobody_could_tell_from_those_that_come_back_are_refused() {
    let (world, clinic, ministry) = World::pair();
    clinic.application(ANNA);
    for place in [&clinic, &ministry, &clinic] {
        place.sync(&world.stick());
    }
    replace(&world, &clinic);
    clinic.application(ANNA);
    clinic.application("INSERT INTO visit (patient_id, note) VALUES (1, 'fever')");
    let before = clinic.texts(SCHEMA_NOW);
    let error = Rejoining::open(&clinic.folder).unwrap().rejoin().unwrap_err();
    assert!(matches!(&error, NodeError::UnknownRows { table, rows: 1, .. } if table == "visit"), "{error}");
    assert_eq!(clinic.texts(SCHEMA_NOW), before, "nothing was changed");
    // Patients name themselves.
    clinic.application("DELETE FROM visit");
    Rejoining::open(&clinic.folder).unwrap().rejoin().unwrap();
    // Who never had neighbours has nothing to come back to.
    let alone = world.place("alone");
    alone.found(false).unwrap();
    replace(&world, &alone);
    assert!(matches!(Rejoining::open(&alone.folder), Err(NodeError::NotInDatabase { .. })));
}

#[test]
fn another_nodes_database_is_refused() {
    let world = World::new();
    let (clinic, other) = (world.ready("clinic", false), world.ready("other", false));
    fs::copy(&other.database, &clinic.database).unwrap();
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::OtherNode { .. })));
    fs::copy(world.place("fresh").database, &clinic.database).unwrap();
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::NotInDatabase { .. })));
}

#[test]
fn only_one_saddlebag_works_on_a_node() {
    let world = World::new();
    let clinic = world.ready("clinic", false);
    let first = clinic.open();
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::InUse { .. })));
    drop(first);
    clinic.open();
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let world = World::new();
    let clinic = world.ready("clinic", false);
    let key = clinic.folder.join("keys/sealing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Node::open(&clinic.folder), Err(NodeError::Key(_))));
}

#[test]
fn wrong_folders_and_configurations_are_told() {
    let world = World::new();
    assert!(matches!(Node::open(world.root.path()), Err(NodeError::NotANode { .. })));
    assert!(!world.root.path().join("lock").exists());
    let clinic = world.place("clinic");
    let founding = |from: &str, to: &str| {
        let mut founding = clinic.founding(false);
        founding.saddlebag_toml = founding.saddlebag_toml.replacen(from, to, 1);
        saddlebag_couriers::founding::found(
            &clinic.folder,
            &founding,
            &saddlebag_couriers::system::SystemClock,
            &mut saddlebag_couriers::system::SystemEntropy,
        )
    };
    assert!(matches!(founding("\"clinic\"", "\"klinik\""), Err(NodeError::OtherProposal { what: "name", .. })));
    assert!(matches!(founding("clinic.db", "x.db"), Err(NodeError::OtherProposal { what: "database", .. })));
    assert!(matches!(founding("assigned", "serial"), Err(NodeError::Config(ConfigError::Line { .. }))));
    assert!(matches!(founding("sqlite:", "postgres:"), Err(NodeError::Config(ConfigError::Database { .. }))));
    assert!(!clinic.folder.exists());
    founding("", "").unwrap();
    let renamed = fs::read_to_string(clinic.folder.join("saddlebag.toml")).unwrap().replace("\"clinic\"", "\"new\"");
    assert!(renamed.contains(TABLES));
    saddlebag_keys::files::replace(&clinic.folder, "saddlebag.toml", renamed.as_bytes()).unwrap();
    assert!(matches!(Node::open_for_setup(&clinic.folder), Err(NodeError::OtherName { .. })));
}
