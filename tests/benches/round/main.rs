//! What a round costs: rows per CPU second, memory, bytes a row, beside a plain scan, a plain bulk insert and a plain
//! update of the same rows in the same run. Each phase runs in a process of its own, so that each has its own memory.
//!
//! `cargo bench -p saddlebag-tests --bench round -- [--engine sqlite|postgres] [--rows N,…] [--million] [--json]
//! [--folder DIR] [--keep]`
//!
//! Without `--engine`, both are measured, PostgreSQL where it is installed. Its server is one of this run's own, which
//! does not wait for the disk; its CPU time counts with that of saddlebag's own process.
#![expect(clippy::unwrap_used, reason = "what a measurement needs and does not get ends it")]

mod application;
mod measure;
mod on_postgres;
mod on_sqlite;
mod phases;
mod rows;
mod site;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use saddlebag_tests::engines::Engine;
use saddlebag_tests::postgres::{Cluster, Database};

use crate::application::Application;
use crate::measure::Measured;
use crate::phases::Run;

/// What is asked for on the command line.
struct Asked {
    engines: Vec<Engine>,
    rows: Vec<u64>,
    json: bool,
    folder: Option<PathBuf>,
    keep: bool,
    /// For a child: what to do.
    phase: Option<String>,
    /// For a child: where the databases of a server are.
    databases: Option<String>,
}

fn asked() -> Asked {
    let mut asked = Asked {
        engines: vec![Engine::Sqlite, Engine::Postgres],
        rows: vec![10_000, 100_000],
        json: false,
        folder: None,
        keep: false,
        phase: None,
        databases: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| refuse(&format!("`{word}` wants a value")));
        match word.as_str() {
            "--rows" => {
                let number = |text: &str| text.parse().unwrap_or_else(|_| refuse(&format!("`{text}` is no number")));
                asked.rows = value().split(',').map(number).collect();
            }
            "--engine" => {
                asked.engines = match value().as_str() {
                    "sqlite" => vec![Engine::Sqlite],
                    "postgres" => vec![Engine::Postgres],
                    other => refuse(&format!("`{other}` is neither sqlite nor postgres")),
                }
            }
            "--million" => asked.rows.push(1_000_000),
            "--json" => asked.json = true,
            "--folder" => asked.folder = Some(value().into()),
            "--keep" => asked.keep = true,
            "--phase" => asked.phase = Some(value()),
            "--databases" => asked.databases = Some(value()),
            // Cargo says so to every benchmark.
            "--bench" => {}
            other => refuse(&format!("`{other}` is not known")),
        }
    }
    asked
}

fn refuse(reason: &str) -> ! {
    let _told = writeln!(std::io::stderr(), "error: {reason}");
    std::process::exit(2)
}

fn main() {
    let asked = asked();
    if let (Some(phase), Some(folder)) = (&asked.phase, &asked.folder) {
        let rows = asked.rows[0];
        let application = match &asked.databases {
            None => Application::sqlite(folder, rows),
            Some(urls) => Application::postgres(urls, rows),
        };
        let engine = application.engine();
        let measured = phases::run(phase, engine, &Run { folder: folder.clone(), rows, application });
        let _told = writeln!(std::io::stdout(), "{}", measured.to_json());
        return;
    }
    for engine in &asked.engines {
        let cluster = if *engine == Engine::Postgres { Cluster::shared() } else { None };
        if *engine == Engine::Postgres && cluster.is_none() {
            let _told = writeln!(std::io::stderr(), "no PostgreSQL is installed: it is left out");
            continue;
        }
        asked.rows.iter().for_each(|rows| measure_all(&asked, *engine, cluster, *rows));
    }
}

fn measure_all(asked: &Asked, engine: Engine, cluster: Option<&Cluster>, rows: u64) {
    let (folder, temporary) = match &asked.folder {
        Some(folder) => (folder.join(rows.to_string()), None),
        None => {
            let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    std::fs::create_dir_all(&folder).unwrap();
    let databases: Vec<Database> = cluster.iter().flat_map(|cluster| (0..3).map(|_| cluster.database())).collect();
    let urls = databases.iter().map(Database::url).collect::<Vec<_>>().join(",");
    let child = |phase: &str| in_a_child(phase, &folder, rows, Some(urls.as_str()).filter(|urls| !urls.is_empty()));
    let all: Vec<Measured> = phases::of(engine).iter().map(|phase| child(phase.name)).collect();
    let text = if asked.json { table::json(engine, rows, &all) } else { table::text(engine, rows, &all) };
    let _told = writeln!(std::io::stdout(), "{text}");
    if let Some(temporary) = temporary.filter(|_| asked.keep) {
        let _told = writeln!(std::io::stderr(), "kept: {}", temporary.keep().display());
    }
}

fn in_a_child(phase: &str, folder: &Path, rows: u64, databases: Option<&str>) -> Measured {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--phase", phase, "--rows", &rows.to_string(), "--folder"]).arg(folder);
    if let Some(databases) = databases {
        child.args(["--databases", databases]);
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{phase} with {rows} rows failed: {said}");
    Measured::from_json(&String::from_utf8(output.stdout).unwrap())
}
