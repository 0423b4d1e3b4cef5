//! The phases of a run, each in its own process.

use std::path::{Path, PathBuf};

use saddlebag_importer::ImportResult;

use crate::measure::{Measured, cpu_s, peak_bytes};
use crate::rows::{self, Rows};
use crate::site::{Place, Site, database};

/// What a phase is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It is a measure itself.
    Nothing,
    Scan,
    Insert,
    Update,
}

/// One phase.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) beside: Beside,
    run: fn(&Path, u64) -> Took,
}

/// What a phase did, and the CPU seconds of what counts.
struct Took {
    rows: u64,
    cpu_s: f64,
    bundle_bytes: Option<u64>,
}

const fn phase(name: &'static str, beside: Beside, run: fn(&Path, u64) -> Took) -> Phase {
    Phase { name, beside, run }
}

/// All of them, in their order.
pub(crate) const PHASES: [Phase; 14] = [
    phase("plain insert", Beside::Nothing, |folder, rows| {
        prepare(folder);
        let path = database(folder, Place::Clinic);
        plain(&path, rows, rows::insert)
    }),
    phase("plain scan", Beside::Nothing, |folder, _| {
        let connection = rows::open(&database(folder, Place::Clinic));
        timed(|| rows::scan(&connection).0)
    }),
    phase("plain update", Beside::Nothing, |folder, rows| {
        let copy = folder.join("copy.db");
        let _bytes = std::fs::copy(database(folder, Place::Clinic), &copy).unwrap();
        plain(&copy, rows, rows::update)
    }),
    phase("setup", Beside::Insert, |folder, rows| {
        let mut site = Site::open(folder, Place::Clinic, 1);
        timed(|| {
            site.setup(Place::Clinic);
            rows
        })
    }),
    phase("export", Beside::Scan, |folder, _| export(folder, Place::Clinic, 2)),
    phase("import", Beside::Insert, |folder, _| {
        Site::open(folder, Place::Ministry, 3).setup(Place::Ministry);
        import(folder, Place::Ministry, 4)
    }),
    phase("answer: export", Beside::Nothing, |folder, rows| of_all(export(folder, Place::Ministry, 5), rows)),
    phase("answer: import", Beside::Nothing, |folder, rows| of_all(import(folder, Place::Clinic, 6), rows)),
    phase("update by the application", Beside::Update, |folder, rows| {
        plain(&database(folder, Place::Clinic), rows, rows::update)
    }),
    phase("absorb updates", Beside::Update, |folder, _| {
        let mut site = Site::open(folder, Place::Clinic, 7);
        timed(|| site.absorb_journal())
    }),
    phase("export updates", Beside::Scan, |folder, _| export(folder, Place::Clinic, 8)),
    phase("import updates", Beside::Update, |folder, _| import(folder, Place::Ministry, 9)),
    phase("import again", Beside::Nothing, |folder, rows| {
        let mut site = Site::open(folder, Place::Ministry, 10);
        let bundles = bundles_for(folder, Place::Ministry);
        of_all(
            timed(|| {
                for bundle in bundles {
                    let applied = site.import(&std::fs::read(bundle).unwrap());
                    assert_eq!(applied.result, ImportResult::Already);
                }
                0
            }),
            rows,
        )
    }),
    phase("scan at the end", Beside::Nothing, |folder, rows| {
        let connection = rows::open(&database(folder, Place::Ministry));
        let took = timed(|| rows::scan(&connection).0);
        let clinic = rows::open(&database(folder, Place::Clinic));
        assert_eq!(rows::scan(&clinic), rows::scan(&connection), "both ends hold the same");
        assert_eq!(took.rows, rows);
        took
    }),
];

/// Runs one phase.
pub(crate) fn run(name: &str, folder: &Path, rows: u64) -> Measured {
    let phase = PHASES.iter().find(|phase| phase.name == name).unwrap();
    let Took { rows, cpu_s, bundle_bytes } = (phase.run)(folder, rows);
    Measured { phase: name.to_owned(), rows, cpu_s, peak_bytes: peak_bytes(), bundle_bytes }
}

fn prepare(folder: &Path) {
    for place in [Place::Clinic, Place::Ministry] {
        let database = database(folder, place);
        let _nothing_there = std::fs::remove_dir_all(database.parent().unwrap());
        std::fs::create_dir_all(database.parent().unwrap()).unwrap();
        rows::create(&database);
    }
}

fn timed(work: impl FnOnce() -> u64) -> Took {
    let before = cpu_s();
    let rows = work();
    Took { rows, cpu_s: cpu_s() - before, bundle_bytes: None }
}

/// What concerned few rows or none is told by what it cost for all.
fn of_all(took: Took, rows: u64) -> Took {
    Took { rows, ..took }
}

/// Does something to all rows without saddlebag; to make the rows is not counted.
fn plain(path: &Path, rows: u64, work: fn(&mut rusqlite::Connection, &Rows)) -> Took {
    let all = Rows::new(rows);
    let mut connection = rows::open(path);
    let took = timed(|| {
        work(&mut connection, &all);
        rows
    });
    // As the application does, which owns the log.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    took
}

fn export(folder: &Path, place: Place, process: u64) -> Took {
    let mut site = Site::open(folder, place, process);
    let mut bytes = 0;
    let took = timed(|| {
        let exported = site.export();
        bytes = exported.bundles.iter().map(|bundle| bundle.bytes).sum();
        exported.bundles.iter().map(|bundle| bundle.records).sum()
    });
    Took { bundle_bytes: Some(bytes), ..took }
}

fn bundles_for(folder: &Path, place: Place) -> Vec<PathBuf> {
    let sender = if place == Place::Clinic { Place::Ministry } else { Place::Clinic };
    let outbox = folder.join(sender.name()).join("outbox").join(place.name());
    let mut bundles: Vec<PathBuf> = std::fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().path()).collect();
    bundles.sort();
    bundles
}

fn import(folder: &Path, place: Place, process: u64) -> Took {
    let mut site = Site::open(folder, place, process);
    let bundles = bundles_for(folder, place);
    timed(|| {
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
