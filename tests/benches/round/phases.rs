//! The phases of a run, each in its own process.

use std::path::PathBuf;

use saddlebag_importer::ImportResult;
use saddlebag_tests::engines::Engine;

use crate::application::Application;
use crate::measure::{Measured, Meter, peak_bytes};
use crate::site::{Place, Site};

/// What a phase is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It is a measure itself.
    Nothing,
    Scan,
    Insert,
    Update,
}

impl Beside {
    /// The phases that are the measure, so far as the engine has them.
    pub(crate) fn measures(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Scan => &["plain scan", "plain COPY OUT"],
            Self::Insert => &["plain insert", "plain upsert of new rows"],
            Self::Update => &["plain update", "plain upsert of known rows"],
        }
    }
}

/// What a phase is run on.
pub(crate) struct Run {
    /// Where outboxes lie, and databases that are files.
    pub(crate) folder: PathBuf,
    pub(crate) rows: u64,
    pub(crate) application: Application,
}

/// One phase.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) beside: Beside,
    run: fn(&Run) -> Took,
}

/// What a phase did, and the CPU seconds of what counts: of this process and of the server.
struct Took {
    rows: u64,
    cpu_s: (f64, Option<f64>),
    bundle_bytes: Option<u64>,
}

const fn phase(name: &'static str, beside: Beside, run: fn(&Run) -> Took) -> Phase {
    Phase { name, beside, run }
}

const PLAIN: [Phase; 3] = [
    phase("plain insert", Beside::Nothing, |run| {
        for place in [Place::Clinic, Place::Ministry] {
            let folder = run.folder.join(place.name());
            let _nothing_there = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
        }
        run.application.prepare();
        run.of_rows(|application, work| application.insert(Place::Clinic, work))
    }),
    phase("plain scan", Beside::Nothing, |run| run.scan(Place::Clinic)),
    phase("plain update", Beside::Nothing, |run| run.of_rows(Application::update_copy)),
];

const PLAIN_OF_SERVER: [Phase; 3] = [
    phase("plain upsert of new rows", Beside::Nothing, |run| run.of_rows(Application::upsert_new)),
    phase("plain upsert of known rows", Beside::Nothing, |run| run.of_rows(Application::upsert_known)),
    phase("plain COPY OUT", Beside::Nothing, |run| run.of_rows(|application, work| application.copy_out(work))),
];

const ROUND: [Phase; 11] = [
    phase("setup", Beside::Insert, |run| {
        let mut site = Site::open(run, Place::Clinic, 1);
        run.timed(|| {
            site.setup(Place::Clinic);
            run.rows
        })
    }),
    phase("export", Beside::Scan, |run| export(run, Place::Clinic, 2)),
    phase("import", Beside::Insert, |run| {
        Site::open(run, Place::Ministry, 3).setup(Place::Ministry);
        import(run, Place::Ministry, 4)
    }),
    phase("answer: export", Beside::Nothing, |run| run.of_all(export(run, Place::Ministry, 5))),
    phase("answer: import", Beside::Nothing, |run| run.of_all(import(run, Place::Clinic, 6))),
    phase("update by the application", Beside::Update, |run| {
        run.of_rows(|application, work| application.update(Place::Clinic, work))
    }),
    phase("absorb updates", Beside::Update, |run| {
        let mut site = Site::open(run, Place::Clinic, 7);
        run.timed(|| site.absorb_journal())
    }),
    phase("export updates", Beside::Scan, |run| export(run, Place::Clinic, 8)),
    phase("import updates", Beside::Update, |run| import(run, Place::Ministry, 9)),
    phase("import again", Beside::Nothing, |run| {
        let mut site = Site::open(run, Place::Ministry, 10);
        let bundles = bundles_for(run, Place::Ministry);
        run.of_all(run.timed(|| {
            for bundle in bundles {
                let applied = site.import(&std::fs::read(bundle).unwrap());
                assert_eq!(applied.result, ImportResult::Already);
            }
            0
        }))
    }),
    phase("scan at the end", Beside::Nothing, |run| {
        let took = run.scan(Place::Ministry);
        assert_eq!(took.rows, run.rows);
        let held = |place| run.application.contents(place);
        assert_eq!(held(Place::Clinic), held(Place::Ministry), "both ends hold the same");
        took
    }),
];

/// All of an engine, in their order.
pub(crate) fn of(engine: Engine) -> Vec<Phase> {
    let of_server = if engine == Engine::Postgres { PLAIN_OF_SERVER.into_iter().collect() } else { Vec::new() };
    PLAIN.into_iter().chain(of_server).chain(ROUND).collect()
}

/// Runs one phase.
pub(crate) fn run(name: &str, engine: Engine, run: &Run) -> Measured {
    let phase = of(engine).into_iter().find(|phase| phase.name == name).unwrap();
    let Took { rows, cpu_s: (client, server), bundle_bytes } = (phase.run)(run);
    Measured {
        phase: name.to_owned(),
        rows,
        cpu_s: client + server.unwrap_or(0.0),
        server_cpu_s: server,
        peak_bytes: peak_bytes(),
        bundle_bytes,
    }
}

impl Run {
    fn timed(&self, work: impl FnOnce() -> u64) -> Took {
        let meter = Meter::start(self.application.postmaster());
        let rows = work();
        Took { rows, cpu_s: meter.read(), bundle_bytes: None }
    }

    /// What the application does to all rows, without the time to make them and to come to the database.
    fn of_rows(&self, work: impl FnOnce(&Application, &mut dyn FnMut(&mut dyn FnMut()))) -> Took {
        let mut took = None;
        work(&self.application, &mut |work| {
            took = Some(self.timed(|| {
                work();
                self.rows
            }));
        });
        took.unwrap()
    }

    fn scan(&self, place: Place) -> Took {
        let mut took = None;
        self.application.scan(place, &mut |scan| took = Some(self.timed(scan)));
        took.unwrap()
    }

    /// What concerned few rows or none is told by what it cost for all.
    fn of_all(&self, took: Took) -> Took {
        Took { rows: self.rows, ..took }
    }
}

fn export(run: &Run, place: Place, process: u64) -> Took {
    let mut site = Site::open(run, place, process);
    let mut bytes = 0;
    let took = run.timed(|| {
        let exported = site.export();
        bytes = exported.bundles.iter().map(|bundle| bundle.bytes).sum();
        exported.bundles.iter().map(|bundle| bundle.records).sum()
    });
    Took { bundle_bytes: Some(bytes), ..took }
}

fn bundles_for(run: &Run, place: Place) -> Vec<PathBuf> {
    let sender = if place == Place::Clinic { Place::Ministry } else { Place::Clinic };
    let outbox = run.folder.join(sender.name()).join("outbox").join(place.name());
    let mut bundles: Vec<PathBuf> = std::fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().path()).collect();
    bundles.sort();
    bundles
}

fn import(run: &Run, place: Place, process: u64) -> Took {
    let mut site = Site::open(run, place, process);
    let bundles = bundles_for(run, place);
    run.timed(|| {
        let mut records = 0;
        for bundle in bundles {
            let applied = site.import(&std::fs::read(bundle).unwrap());
            assert_eq!(applied.result, ImportResult::Applied);
            assert_eq!((applied.tally.conflicts, applied.tally.quarantined), (0, 0));
            records += applied.tally.records;
        }
        records
    })
}
