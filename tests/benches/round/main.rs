//! What a round costs: rows per CPU second, memory, bytes a row, beside a plain scan, a plain bulk insert and a plain
//! update of the same rows in the same run. Each phase runs in a process of its own, so that each has its own memory.
//!
//! `cargo bench -p saddlebag-tests --bench round -- [--rows N,…] [--million] [--json] [--folder DIR] [--keep]`
#![expect(clippy::unwrap_used, reason = "what a measurement needs and does not get ends it")]

mod measure;
mod phases;
mod rows;
mod site;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::Measured;
use crate::phases::PHASES;

/// What is asked for on the command line.
struct Asked {
    rows: Vec<u64>,
    json: bool,
    folder: Option<PathBuf>,
    keep: bool,
    /// For a child: what to do.
    phase: Option<String>,
}

fn asked() -> Asked {
    let mut asked = Asked { rows: vec![10_000, 100_000], json: false, folder: None, keep: false, phase: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| refuse(&format!("`{word}` wants a value")));
        match word.as_str() {
            "--rows" => {
                let number = |text: &str| text.parse().unwrap_or_else(|_| refuse(&format!("`{text}` is no number")));
                asked.rows = value().split(',').map(number).collect();
            }
            "--million" => asked.rows.push(1_000_000),
            "--json" => asked.json = true,
            "--folder" => asked.folder = Some(value().into()),
            "--keep" => asked.keep = true,
            "--phase" => asked.phase = Some(value()),
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
        let measured = phases::run(phase, folder, asked.rows[0]);
        let _told = writeln!(std::io::stdout(), "{}", measured.to_json());
        return;
    }
    for rows in &asked.rows {
        let (folder, temporary) = match &asked.folder {
            Some(folder) => (folder.join(rows.to_string()), None),
            None => {
                let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&folder).unwrap();
        let all: Vec<Measured> = PHASES.iter().map(|phase| in_a_child(phase.name, &folder, *rows)).collect();
        let text = if asked.json { table::json(*rows, &all) } else { table::text(*rows, &all) };
        let _told = writeln!(std::io::stdout(), "{text}");
        if let Some(temporary) = temporary.filter(|_| asked.keep) {
            let _told = writeln!(std::io::stderr(), "kept: {}", temporary.keep().display());
        }
    }
}

fn in_a_child(phase: &str, folder: &Path, rows: u64) -> Measured {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--phase", phase, "--rows", &rows.to_string(), "--folder"])
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{phase} with {rows} rows failed: {said}");
    Measured::from_json(&String::from_utf8(output.stdout).unwrap())
}
