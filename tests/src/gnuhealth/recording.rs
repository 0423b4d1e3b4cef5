//! Clinic work as GNU Health's own code wrote it, row by row: `tests/data/gnuhealth/README.md` says how it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::types::Value;
use serde_json::Value as Json;

/// One recording: operations in their order.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Each is one transaction.
    pub operations: Vec<Operation>,
}

/// What a user of the application did at once.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The kind of work.
    pub what: String,
    /// The rows that it wrote, in their order.
    pub rows: Vec<RecordedRow>,
}

/// One row that was written.
#[derive(Debug, Clone)]
pub struct RecordedRow {
    /// What happened to it.
    pub doing: Doing,
    /// Its table.
    pub table: String,
    /// The key that it had in the recording.
    pub id: i64,
    /// The columns of a new row that are not null, or those that were changed.
    pub values: BTreeMap<String, Value>,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It is new.
    Insert,
    /// It was changed.
    Update,
    /// It was deleted.
    Delete,
}

const HILLTOP_APART: &[u8] = include_bytes!("../../data/gnuhealth/hilltop_apart.jsonl.zst");
const HILLTOP_TOGETHER: &[u8] = include_bytes!("../../data/gnuhealth/hilltop_together.jsonl.zst");
const RIVERSIDE_APART: &[u8] = include_bytes!("../../data/gnuhealth/riverside_apart.jsonl.zst");
const RIVERSIDE_TOGETHER: &[u8] = include_bytes!("../../data/gnuhealth/riverside_together.jsonl.zst");

const DUMP_HILLTOP_APART: &[u8] = include_bytes!("../../data/gnuhealth/dump_hilltop_apart.jsonl.zst");
const DUMP_HILLTOP_TOGETHER: &[u8] = include_bytes!("../../data/gnuhealth/dump_hilltop_together.jsonl.zst");
const DUMP_RIVERSIDE_APART: &[u8] = include_bytes!("../../data/gnuhealth/dump_riverside_apart.jsonl.zst");
const DUMP_RIVERSIDE_TOGETHER: &[u8] = include_bytes!("../../data/gnuhealth/dump_riverside_together.jsonl.zst");

impl Recording {
    /// Two clinics that never touch the same old row: Hilltop's and Riverside's work.
    #[must_use]
    pub fn apart() -> [Self; 2] {
        [HILLTOP_APART, RIVERSIDE_APART].map(Self::unpack)
    }

    /// Two clinics that treat the same patients, and undo each other's work.
    #[must_use]
    pub fn together() -> [Self; 2] {
        [HILLTOP_TOGETHER, RIVERSIDE_TOGETHER].map(Self::unpack)
    }

    /// Like [`Recording::apart`], on the database of the PostgreSQL dump.
    #[must_use]
    pub fn apart_from_dump() -> [Self; 2] {
        [DUMP_HILLTOP_APART, DUMP_RIVERSIDE_APART].map(Self::unpack)
    }

    /// Like [`Recording::together`], on the database of the PostgreSQL dump.
    #[must_use]
    pub fn together_from_dump() -> [Self; 2] {
        [DUMP_HILLTOP_TOGETHER, DUMP_RIVERSIDE_TOGETHER].map(Self::unpack)
    }

    fn unpack(packed: &[u8]) -> Self {
        let bytes = zstd::stream::decode_all(packed).unwrap();
        let mut operations: Vec<(u64, Operation)> = Vec::new();
        for line in str::from_utf8(&bytes).unwrap().lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let number = line["operation"].as_u64().unwrap();
            if operations.last().is_none_or(|(last, _)| *last != number) {
                let what = line["what"].as_str().unwrap().to_owned();
                operations.push((number, Operation { what, rows: Vec::new() }));
            }
            operations.last_mut().unwrap().1.rows.push(row(&line));
        }
        Self { operations: operations.into_iter().map(|(_, operation)| operation).collect() }
    }

    /// Its operations in so many stretches of about the same length.
    #[must_use]
    pub fn stretches(&self, count: usize) -> Vec<Range<usize>> {
        let all = self.operations.len();
        (0..count).map(|at| all * at / count..all * (at + 1) / count).collect()
    }

    /// The rows that it made, by table and recorded key.
    #[must_use]
    pub fn made(&self) -> BTreeSet<(String, i64)> {
        let rows = self.operations.iter().flat_map(|operation| &operation.rows);
        rows.filter(|row| row.doing == Doing::Insert).map(|row| (row.table.clone(), row.id)).collect()
    }
}

fn row(line: &Json) -> RecordedRow {
    let doing = match line["do"].as_str() {
        Some("insert") => Doing::Insert,
        Some("update") => Doing::Update,
        Some("delete") => Doing::Delete,
        other => panic!("a recording says what happened to a row, not {other:?}"),
    };
    let values = line["values"].as_object().into_iter().flatten();
    RecordedRow {
        doing,
        table: line["table"].as_str().unwrap().to_owned(),
        id: line["id"].as_i64().unwrap(),
        values: values.map(|(column, value)| (column.clone(), sql_value(value))).collect(),
    }
}

fn sql_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Integer(i64::from(*truth)),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap()), Value::Integer),
        Json::String(text) => Value::Text(text.clone()),
        Json::Object(blob) => Value::Blob(bytes(blob["hex"].as_str().unwrap())),
        Json::Array(_) => panic!("a recording holds no {value}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recordings_hold_what_they_are_for() {
        let all =
            [Recording::apart(), Recording::together(), Recording::apart_from_dump(), Recording::together_from_dump()];
        for [hilltop, riverside] in all {
            for recording in [&hilltop, &riverside] {
                assert!(recording.operations.len() >= 120, "{} operations", recording.operations.len());
                let kinds: BTreeSet<&str> =
                    recording.operations.iter().map(|operation| operation.what.as_str()).collect();
                assert!(kinds.len() > 20, "{kinds:?}");
                let deleted = recording.operations.iter().flat_map(|operation| &operation.rows);
                assert!(deleted.filter(|row| row.doing == Doing::Delete).count() > 2);
            }
            let shared = hilltop.made().intersection(&riverside.made()).count();
            assert!(shared > 200, "{shared} keys were given to a row at each of the clinics");
        }
    }
}
