//! What must stand in the end: what each place wrote last, column by column, over what was there in the beginning.

use std::collections::{BTreeMap, BTreeSet};

use super::meaning::{Meaning, Rows, Said};

/// A column of a row of a table.
type Spot = (String, String, String);

/// What one place has done, the latest of each.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    written: BTreeMap<Spot, Option<String>>,
    /// Rows that it touched last by writing them (true) or by deleting them.
    touched: BTreeMap<(String, String), bool>,
}

impl Deeds {
    /// Adds what was done between two readings of one place, in which nothing came from elsewhere.
    pub(super) fn add(&mut self, meaning: &Meaning, before: &Said, after: &Said) {
        for (table, rows) in after {
            let (columns, old) = (meaning.columns(table), &before[table]);
            for (called, values) in rows {
                let known = old.get(called);
                let mut is_touched = known.is_none();
                for (at, (column, value)) in columns.iter().zip(values).enumerate() {
                    if known.is_none_or(|known| known[at] != *value) {
                        self.written.insert((table.clone(), called.clone(), column.clone()), value.clone());
                        is_touched = true;
                    }
                }
                if is_touched {
                    self.touched.insert((table.clone(), called.clone()), true);
                }
            }
            for called in old.keys().filter(|called| !rows.contains_key(*called)) {
                self.touched.insert((table.clone(), called.clone()), false);
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.touched.len()
    }
}

/// What is wrong in the end, and how many values and deletions were in dispute.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) wrong: Vec<String>,
    pub(super) disputed: usize,
    pub(super) checked: usize,
}

/// Judges what a database says in the end.
pub(super) fn judge(meaning: &Meaning, base: &Said, deeds: &[Deeds], end: &Said) -> Verdict {
    let mut verdict = Verdict::default();
    for (table, rows) in end {
        let named: BTreeSet<&String> = deeds
            .iter()
            .flat_map(|deeds| deeds.touched.keys())
            .filter(|(touched, _)| touched == table)
            .map(|(_, called)| called)
            .chain(base[table].keys())
            .chain(rows.keys())
            .collect();
        for called in named {
            judge_row(meaning, (table, called), (&base[table], rows), deeds, &mut verdict);
        }
    }
    verdict
}

fn judge_row(
    meaning: &Meaning,
    (table, called): (&String, &String),
    (base, end): (&Rows, &Rows),
    deeds: &[Deeds],
    verdict: &mut Verdict,
) {
    let row = (table.clone(), called.clone());
    let by: Vec<bool> = deeds.iter().filter_map(|deeds| deeds.touched.get(&row)).copied().collect();
    let (before, after) = (base.get(called), end.get(called));
    verdict.checked += 1;
    let wrong = match (before, after) {
        _ if by.contains(&false) && by.contains(&true) => {
            verdict.disputed += 1;
            return;
        }
        (_, Some(_)) if by.contains(&false) => Some("was deleted, and stands"),
        (_, None) if by.contains(&false) => None,
        (None, Some(_)) if by.is_empty() => Some("was made by nobody"),
        (Some(_), None) => Some("is lost, and nobody deleted it"),
        (None, None) => Some("was entered, and is lost"),
        (_, Some(after)) => {
            judge_values(meaning, &row, (before, after), deeds, verdict);
            None
        }
    };
    verdict.wrong.extend(wrong.map(|wrong| format!("{table} {called} {wrong}")));
}

fn judge_values(
    meaning: &Meaning,
    (table, called): &(String, String),
    (before, after): (Option<&Vec<Option<String>>>, &[Option<String>]),
    deeds: &[Deeds],
    verdict: &mut Verdict,
) {
    for (at, column) in meaning.columns(table).into_iter().enumerate() {
        let spot = (table.clone(), called.clone(), column);
        let written: BTreeSet<_> = deeds.iter().filter_map(|deeds| deeds.written.get(&spot)).collect();
        let is_right = match written.len() {
            0 => before.is_some_and(|before| before[at] == after[at]),
            _ => written.contains(&after[at]),
        };
        verdict.disputed += usize::from(written.len() > 1);
        if !is_right {
            let was = before.map(|before| &before[at]);
            verdict.wrong.push(format!("{spot:?}: {:?}, was {was:?}, written {written:?}", after[at]));
        }
    }
}
