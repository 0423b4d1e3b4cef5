//! Long runs of the simulator: `simulate --seeds 0..10000 [--resume FILE] [--minutes N] [--cores N] [--record] [--all] [--faults] [--fault NAME]`.
//!
//! It stops at the first seed that fails, unless `--all` has it list them all. With `--resume` it goes on where it was stopped; with `--record` it adds a line
//! to the table in `docs/reliability.md` when all seeds are done or one has failed. `--faults` breaks one rule after the
//! other on purpose and says which seed notices it; `--fault` one alone.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use saddlebag_formats::TimeMs;
use saddlebag_formats::faults::Fault;
use saddlebag_tests::sim::fault_search::{line, noticed};
use saddlebag_tests::sim::ranges::{self, Done};
use saddlebag_tests::sim::run::{Run, run, shrink};
use saddlebag_tests::sim::table::{self, LongRun};
use saddlebag_tests::sim::template::Templates;
use saddlebag_tests::tell;

const USAGE: &str = "usage: simulate --seeds 0..10000 [--resume FILE] [--minutes N] [--cores N] [--record] [--all] [--faults] [--fault NAME]";

/// Runs to find out which events a failure needs.
const SHRINKING: usize = 150;
/// Seeds after which the file of `--resume` is written again.
const SAVED_EVERY: u64 = 50;

/// What was asked for.
struct Asked {
    seeds: std::ops::Range<u64>,
    resume: Option<PathBuf>,
    minutes: Option<u64>,
    cores: u64,
    record: bool,
    all: bool,
    faults: bool,
    fault: Option<String>,
}

/// What is shared between the cores.
struct Shared {
    done: Done,
    next: u64,
    failed: Option<Run>,
    failures: u64,
    begun: Instant,
    seconds_before: u64,
}

fn main() -> ExitCode {
    match asked().and_then(|asked| work(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            tell(&reason);
            ExitCode::from(2)
        }
    }
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 0..0,
        resume: None,
        minutes: None,
        cores: 1,
        record: false,
        all: false,
        faults: false,
        fault: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value\n{USAGE}"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number\n{USAGE}"));
        match argument.as_str() {
            "--seeds" => asked.seeds = ranges::seeds(&value()?)?,
            "--resume" => asked.resume = Some(value()?.into()),
            "--minutes" => asked.minutes = Some(number(value()?)?),
            "--cores" => asked.cores = number(value()?)?.max(1),
            "--record" => asked.record = true,
            "--all" => asked.all = true,
            "--faults" => asked.faults = true,
            "--fault" => asked.fault = Some(value()?),
            _ => return Err(format!("`{argument}` is not known\n{USAGE}")),
        }
    }
    if asked.seeds.is_empty() { Err(USAGE.to_owned()) } else { Ok(asked) }
}

/// Runs all seeds that are not done; says whether none failed.
fn work(asked: &Asked) -> Result<bool, String> {
    if asked.faults || asked.fault.is_some() {
        return Ok(break_rules(asked));
    }
    let done: Done = match asked.resume.as_ref().filter(|file| file.exists()) {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?.parse()?,
        None => Done::default(),
    };
    let (seconds_before, next) = (done.seconds, asked.seeds.start);
    let shared = Mutex::new(Shared { done, next, failed: None, failures: 0, begun: Instant::now(), seconds_before });
    std::thread::scope(|scope| {
        (0..asked.cores).for_each(|_| drop(scope.spawn(|| one_core(asked, &shared))));
    });
    let Ok(shared) = shared.into_inner() else { return Err("a core ended in a panic".to_owned()) };
    save(asked, &shared.done)?;
    let Shared { done, failed, failures, .. } = shared;
    let left = asked.seeds.clone().filter(|seed| !done.has(*seed)).count() as u64;
    tell(&format!(
        "{} seeds in {} s without a failure: {}; {failures} failed",
        done.count(),
        done.seconds,
        done.seeds()
    ));
    if asked.record && (left == failures || failed.is_some()) {
        record(asked, &done, failures)?;
    }
    let Some(failed) = failed else { return Ok(failures == 0) };
    tell(&failed.report());
    let (fewer, left_out) = shrink(failed.seed, &Templates::new(), SHRINKING);
    tell(&format!("\nwithout the events {left_out:?}:\n{}", fewer.report()));
    Ok(false)
}

/// Breaks each rule until a seed notices; says whether all were noticed.
fn break_rules(asked: &Asked) -> bool {
    let templates = Templates::new();
    let mut are_noticed = true;
    let is_asked = |fault: &Fault| asked.fault.as_ref().is_none_or(|name| format!("{fault:?}") == *name);
    for fault in Fault::ALL.into_iter().filter(is_asked) {
        let run = noticed(fault, asked.seeds.clone(), &templates);
        tell(&line(fault, run.as_ref()));
        are_noticed &= run.is_some();
    }
    are_noticed
}

/// Runs one seed after the other until there is none left, or the time is over.
fn one_core(asked: &Asked, shared: &Mutex<Shared>) {
    let templates = Templates::new();
    while let Some(seed) = next(asked, shared) {
        let run = run(seed, &templates);
        let Ok(mut shared) = shared.lock() else { return };
        shared.done.seconds = shared.seconds_before + shared.begun.elapsed().as_secs();
        if let Some(wrong) = run.wrong.as_ref().filter(|_| asked.all) {
            tell(&format!("seed {seed}: {}", wrong.chars().take(400).collect::<String>()));
            shared.failures += 1;
            continue;
        }
        if run.wrong.is_some() {
            shared.failures += 1;
            shared.failed.get_or_insert(run);
            return;
        }
        shared.done.add(seed);
        if shared.done.count().is_multiple_of(SAVED_EVERY) && save(asked, &shared.done).is_err() {
            return;
        }
    }
}

fn next(asked: &Asked, shared: &Mutex<Shared>) -> Option<u64> {
    let mut shared = shared.lock().ok()?;
    let is_over = asked.minutes.is_some_and(|minutes| shared.begun.elapsed() > Duration::from_secs(minutes * 60));
    if is_over || shared.failed.is_some() {
        return None;
    }
    let seed = (shared.next..asked.seeds.end).find(|seed| !shared.done.has(*seed))?;
    shared.next = seed + 1;
    Some(seed)
}

#[expect(clippy::disallowed_methods, reason = "a file of the simulator's own, which nobody needs after a power cut")]
fn save(asked: &Asked, done: &Done) -> Result<(), String> {
    let Some(file) = &asked.resume else { return Ok(()) };
    std::fs::write(file, done.to_string()).map_err(|error| format!("{}: {error}", file.display()))
}

#[expect(clippy::disallowed_methods, reason = "a page of the repository, which git keeps")]
fn record(asked: &Asked, done: &Done, failures: u64) -> Result<(), String> {
    let revision = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = revision.map_err(|error| format!("git: {error}"))?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let run = LongRun {
        date: table::day(TimeMs(i64::try_from(now_ms).unwrap_or(0))),
        commit: String::from_utf8_lossy(&commit.stdout).trim().to_owned(),
        seeds: done.seeds(),
        count: done.count() + failures,
        centihours: done.seconds.div_ceil(36),
        cores: asked.cores,
        failures,
    };
    let failed = |error: std::io::Error| format!("{}: {error}", table::page().display());
    let page = std::fs::read_to_string(table::page()).map_err(failed)?;
    let page = table::with(&page, &run).map_err(|error| error.to_string())?;
    std::fs::write(table::page(), page).map_err(failed)
}
