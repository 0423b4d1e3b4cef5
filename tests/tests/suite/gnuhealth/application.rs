//! GNU Health itself works on what the syncs made, at all three places: `./test --applications`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use saddlebag_tests::fleet::temporary_folder;
use saddlebag_tests::gnuhealth;
use saddlebag_tests::skip::{needs_data, skipped};
use saddlebag_tests::tell;
use serde_json::Value as Json;

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
}

impl Application {
    fn new(environment: &Path, workload: PathBuf, world: &World) -> Self {
        let folder = temporary_folder();
        let path = folder.path().display();
        let configuration =
            format!("[database]\nuri = sqlite://\npath = {path}\n[session]\nsuper_pwd =\n[cache]\nclean_timeout = 0\n");
        let mut file = File::create(folder.path().join("trytond.conf")).unwrap();
        file.write_all(configuration.as_bytes()).unwrap();
        for (name, node) in NAMES.iter().zip(&world.fleet.nodes) {
            // Tryton wants every database in one folder, by name.
            std::os::unix::fs::symlink(&node.database, folder.path().join(format!("{name}.sqlite"))).unwrap();
        }
        Self { python: environment.join("venv/bin/python"), workload, folder }
    }

    /// Runs the workload at a place; says how often each kind of work was done. Fails if any of it fails.
    fn works(&self, place: usize, seed: u32, operations: u32, more: &[&str]) -> BTreeMap<String, u64> {
        let mut command = Command::new(&self.python);
        command.env("TRYTOND_CONFIG", self.folder.path().join("trytond.conf"));
        command.args(["-W", "ignore"]).arg(&self.workload).args([NAMES[place], "--site", SITES[place]]);
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

#[test]
#[ignore = "runs GNU Health itself: ./test --applications"]
fn the_application_works_again_on_the_results() {
    let test = "the_application_works_again_on_the_results";
    let (Some(packed), Some(workload)) = (gnuhealth::packed(test), needs_data(test, "gnuhealth/gh_workload.py")) else {
        return;
    };
    let Some(environment) = std::env::var_os(ENVIRONMENT) else {
        return skipped(test, &format!("{ENVIRONMENT} names no folder in which GNU Health is set up"));
    };
    let mut world = World::new(&packed, &[], Start::Met, 47);
    let application = Application::new(Path::new(&environment), workload, &world);
    let mut done: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |more: BTreeMap<String, u64>| {
        more.into_iter().for_each(|(kind, count)| *done.entry(kind).or_default() += count);
    };
    for (place, site) in SITES.iter().enumerate() {
        application.works(place, 1, 0, &["--own-sequences", &format!("{site}-")]);
    }
    for clinic in CLINICS {
        add(application.works(clinic, 70 + u32::try_from(clinic).unwrap(), 100, &[]));
    }
    world.trip();
    world.fleet.settle();
    world.assert_equal();
    // On what came from elsewhere: also where nobody has worked yet.
    for place in 0..NAMES.len() {
        add(application.works(place, 80 + u32::try_from(place).unwrap(), 100, &[]));
    }
    world.trip();
    world.fleet.settle();
    world.assert_equal();
    let kinds = done.keys().filter(|kind| !kind.contains('(')).count();
    assert!(kinds > 25, "{done:?}");
    tell(&format!("gnuhealth itself: {} operations of {kinds} kinds", done.values().sum::<u64>()));
}
