//! A run as a table for people, or as JSON.

use std::fmt::Write as _;

use saddlebag_tests::engines::Engine;
use serde_json::json;

use crate::measure::Measured;
use crate::phases::{self, Beside};

/// The CPU time of a phase in times of each phase that it is measured against, in their order.
fn times<'a>(engine: Engine, all: &'a [Measured], measured: &'a Measured) -> impl Iterator<Item = (&'static str, f64)> {
    let beside = phases::of(engine).into_iter().find(|phase| phase.name == measured.phase).map(|phase| phase.beside);
    let names = beside.map(Beside::measures).unwrap_or_default();
    names.iter().filter_map(|name| {
        let measure = all.iter().find(|measure| measure.phase == *name)?;
        Some((*name, measure.per_cpu_s() / measured.per_cpu_s()))
    })
}

pub(crate) fn json(engine: Engine, rows: u64, all: &[Measured]) -> String {
    let phases: Vec<_> = all
        .iter()
        .map(|measured| {
            let mut value = measured.to_json();
            value["times_plain"] = times(engine, all, measured).collect();
            value
        })
        .collect();
    json!({ "engine": name(engine), "rows": rows, "phases": phases }).to_string()
}

pub(crate) fn text(engine: Engine, rows: u64, all: &[Measured]) -> String {
    let mut text = format!("{rows} rows, {}\n| phase | CPU s | of the server | rows/CPU-s |", name(engine));
    text.push_str(" times plain | peak MB | bytes a row |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for measured in all {
        let or_nothing = |number: Option<f64>| number.map(|number| format!("{number:.1}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {:.2} | {} | {} k | {} | {:.0} | {} |",
            measured.phase,
            measured.cpu_s,
            measured.server_cpu_s.map(|s| format!("{s:.2}")).unwrap_or_default(),
            (measured.per_cpu_s() / 1_000.0).round(),
            times(engine, all, measured).map(|(_, times)| format!("{times:.1}")).collect::<Vec<_>>().join("; "),
            measured.peak_bytes as f64 / 1e6,
            or_nothing(measured.bytes_a_row()),
        );
    }
    text
}

fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    }
}
