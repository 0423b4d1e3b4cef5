//! GNU Health itself works on what the syncs made, at all three places: `./test --applications`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use saddlebag_tests::app::App;
use saddlebag_tests::engines::{Engines, POSTGRES, SQLITE};
use saddlebag_tests::fleet::temporary_folder;
use saddlebag_tests::gnuhealth::{Beginning, Cells, Done};
use saddlebag_tests::leases::needs_postgres;
use saddlebag_tests::skip::{needs_data, skipped};
use saddlebag_tests::tell;
use serde_json::Value as Json;

use super::oracle::Round;
use super::world::{CLINICS, NAMES, Start, World};

/// The folder in which `./test --applications` has set up GNU Health.
const ENVIRONMENT: &str = "SADDLEBAG_GNUHEALTH";

/// What each place's record numbers begin with: the application refuses a number that another place's record has.
const SITES: [&str; 3] = ["MIN", "HIL", "RIV"];

/// The application, ready to run on the databases of a fleet.
struct Application {
    python: PathBuf,
    workload: PathBuf,
    folder: tempfile::TempDir,
    /// What it calls the places' databases.
    databases: Vec<String>,
}

/// Which old patients the clinics treat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patients {
    /// Each its own half.
    Apart,
    /// Both all of them.
    Together,
}

/// The address of the server behind a connection, as the application takes it.
fn server(app: &App) -> String {
    let ask = |setting: &str| app.text(&format!("SELECT current_setting('{setting}')"), &[]).unwrap();
    let folder = ask("unix_socket_directories").replace('/', "%2F");
    format!("postgresql://postgres@{folder}:{}/", ask("port"))
}

impl Application {
    fn new(environment: &Path, workload: PathBuf, world: &World) -> Self {
        let folder = temporary_folder();
        let path = folder.path().display();
        let mut uri = "sqlite://".to_owned();
        let mut databases = Vec::new();
        for (name, node) in NAMES.iter().zip(&world.fleet.nodes) {
            if let App::Sqlite(_) = node.app {
                // Tryton wants every database in one folder, by name.
                std::os::unix::fs::symlink(&node.database, folder.path().join(format!("{name}.sqlite"))).unwrap();
                databases.push((*name).to_owned());
            } else {
                uri = server(&node.app);
                databases.push(node.app.text("SELECT current_database()::text", &[]).unwrap());
            }
        }
        let configuration =
            format!("[database]\nuri = {uri}\npath = {path}\n[session]\nsuper_pwd =\n[cache]\nclean_timeout = 0\n");
        let mut file = File::create(folder.path().join("trytond.conf")).unwrap();
        file.write_all(configuration.as_bytes()).unwrap();
        Self { python: environment.join("venv/bin/python"), workload, folder, databases }
    }

    /// Runs the workload at a place; says how often each kind of work was done. Fails if any of it fails.
    fn works(&self, place: usize, seed: u32, operations: u32, more: &[&str]) -> BTreeMap<String, u64> {
        let mut command = Command::new(&self.python);
        command.env("TRYTOND_CONFIG", self.folder.path().join("trytond.conf"));
        command.args(["-W", "ignore"]).arg(&self.workload).args([&self.databases[place], "--site", SITES[place]]);
        command.args(["--seed", &seed.to_string(), "--ops", &operations.to_string()]).args(more);
        let output = command.output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "GNU Health gave up at {}: {errors}", NAMES[place]);
        let summary: Json = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let done: BTreeMap<String, u64> = serde_json::from_value(summary["ops"].clone()).unwrap();
        let failed: Vec<_> = done.keys().filter(|kind| kind.ends_with("(failed)")).collect();
        assert!(failed.is_empty(), "at {}: {failed:?}: {errors}", NAMES[place]);
        done
    }
}

/// What a clinic has done between two readings.
fn done(before: &Cells, after: &Cells) -> Done {
    let rows = |cells: &Cells| cells.keys().map(|(table, id, _)| (table.clone(), *id)).collect::<BTreeSet<_>>();
    let (before, after) = (rows(before), rows(after));
    let only = |of: &BTreeSet<(String, i64)>, other| of.difference(other).cloned().collect();
    Done { inserted: only(&after, &before), deleted: only(&before, &after), ..Done::default() }
}

fn works_again_on_the_results(test: &str, engines: Engines, patients: Patients, seed: u32) {
    let (Some(beginning), Some(workload)) =
        (Beginning::of(test, engines), needs_data(test, "gnuhealth/gh_workload.py"))
    else {
        return;
    };
    let Some(environment) = std::env::var_os(ENVIRONMENT) else {
        return skipped(test, &format!("{ENVIRONMENT} names no folder in which GNU Health is set up"));
    };
    let mut world = World::new(&beginning, &[], Start::Met, seed.into());
    let application = Application::new(Path::new(&environment), workload, &world);
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |more: BTreeMap<String, u64>| {
        more.into_iter().for_each(|(kind, count)| *all.entry(kind).or_default() += count);
    };
    // A ministry that gives numbers as well has its own; the clinics count alike.
    application.works(0, 1, 0, &["--own-sequences", "MIN-"]);
    let before = [1, 2].map(|clinic| world.cells(clinic));
    for (clinic, half) in CLINICS.into_iter().zip(["0/2", "1/2"]) {
        let apart = ["--partition", half];
        let more = if patients == Patients::Apart { &apart[..] } else { &[] };
        add(application.works(clinic, seed + 20 + u32::try_from(clinic).unwrap(), 100, more));
    }
    let worked = [1, 2].map(|clinic| world.cells(clinic));
    world.trip();
    world.trip();
    world.fleet.settle();
    world.assert_equal();
    let settled = [1, 2].map(|clinic| world.cells(clinic));
    let done = [done(&before[0], &worked[0]), done(&before[1], &worked[1])];
    let base = before[0].clone();
    let round = Round { base: &base, catalogue: &world.catalogue, before, done, worked, settled };
    let disputes = round.assert_nothing_lost();
    for dispute in &disputes {
        assert!(world.knows(dispute), "{dispute:?} stands in no line of `conflicts`");
    }
    let conflicts = world.conflicts();
    assert_eq!(conflicts.is_empty(), patients == Patients::Apart, "{conflicts:#?}");
    let numbers = world.assert_numbers_in_dispute();
    assert!(numbers > 0, "no number was given twice");
    // On what came from elsewhere: also where nobody has worked yet.
    for place in 0..NAMES.len() {
        add(application.works(place, seed + 30 + u32::try_from(place).unwrap(), 100, &[]));
    }
    world.trip();
    world.fleet.settle();
    world.assert_equal();
    world.assert_numbers_in_dispute();
    let kinds = all.keys().filter(|kind| !kind.contains('(')).count();
    assert!(kinds > 25, "{all:?}");
    let (disputes, operations) = (disputes.len(), all.values().sum::<u64>());
    tell(&format!(
        "gnuhealth itself, {engines:?}, {patients:?}: {operations} operations of {kinds} kinds, {disputes} values and \
         deletions in dispute, {numbers} numbers given twice; {:?}",
        world.counts
    ));
}

#[test]
#[ignore = "runs GNU Health itself: ./test --applications"]
fn the_application_works_again_on_the_results() {
    works_again_on_the_results("the_application_works_again_on_the_results", SQLITE, Patients::Together, 47);
}

#[test]
#[ignore = "runs GNU Health itself: ./test --applications"]
fn the_application_works_again_on_the_results_on_postgresql() {
    let test = "the_application_works_again_on_the_results_on_postgresql";
    if needs_postgres(test) {
        works_again_on_the_results(test, POSTGRES, Patients::Together, 49);
    }
}

#[test]
#[ignore = "runs GNU Health itself: ./test --applications"]
fn the_application_works_again_where_patients_are_treated_at_one_place() {
    let test = "the_application_works_again_where_patients_are_treated_at_one_place";
    if needs_postgres(test) {
        works_again_on_the_results(test, POSTGRES, Patients::Apart, 53);
    }
}
