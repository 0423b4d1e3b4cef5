//! A run as a table for people, or as JSON.

use std::fmt::Write as _;

use serde_json::json;

use crate::measure::Measured;
use crate::phases::{Beside, PHASES};

/// The phase that another is measured against.
fn measure(all: &[Measured], beside: Beside) -> Option<&Measured> {
    let name = match beside {
        Beside::Nothing => return None,
        Beside::Scan => "plain scan",
        Beside::Insert => "plain insert",
        Beside::Update => "plain update",
    };
    all.iter().find(|measured| measured.phase == name)
}

/// The CPU time of a phase in times of what it is measured against.
fn times(all: &[Measured], measured: &Measured) -> Option<f64> {
    let beside = PHASES.iter().find(|phase| phase.name == measured.phase)?.beside;
    Some(measure(all, beside)?.per_cpu_s() / measured.per_cpu_s())
}

pub(crate) fn json(rows: u64, all: &[Measured]) -> String {
    let phases: Vec<_> = all
        .iter()
        .map(|measured| {
            let mut value = measured.to_json();
            value["times_plain"] = json!(times(all, measured));
            value
        })
        .collect();
    json!({ "rows": rows, "phases": phases }).to_string()
}

pub(crate) fn text(rows: u64, all: &[Measured]) -> String {
    let mut text = format!("{rows} rows\n| phase | CPU s | rows/CPU-s | times plain | peak MB | bytes a row |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for measured in all {
        let or_nothing = |number: Option<f64>| number.map(|number| format!("{number:.1}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {:.2} | {} k | {} | {:.0} | {} |",
            measured.phase,
            measured.cpu_s,
            (measured.per_cpu_s() / 1_000.0).round(),
            or_nothing(times(all, measured)),
            measured.peak_bytes as f64 / 1e6,
            or_nothing(measured.bytes_a_row()),
        );
    }
    text
}
