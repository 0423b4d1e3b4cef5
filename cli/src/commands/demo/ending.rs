//! The last comparison, and what remains to be looked at.

use std::path::Path;

use saddlebag_samples::{Comparison, TableComparison};

use super::Demo;
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use crate::args::shell_word;
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;
use crate::table::{self, Lean};

/// How many differences of a table are shown.
const DIFFERENCES_SHOWN: usize = 3;

impl Demo<'_, '_> {
    pub(super) fn end(mut self) -> Result<Exit, CommandError> {
        self.narrator.chapter("The three databases at the end")?;
        self.narrator.tell(
            "Compared by a script of SQL that knows nothing of saddlebag: it follows the references and compares what \
             they mean.",
        )?;
        let comparison = self.comparison()?;
        self.narrator.show(&lines(&comparison))?;
        let (exit, verdict) = conclude(&comparison, self.narrator.unkept());
        verdict.iter().try_for_each(|line| self.narrator.tell(line))?;
        self.tell_what_remains()?;
        Ok(exit)
    }

    fn tell_what_remains(&mut self) -> Result<(), CommandError> {
        let folder = shell_word(&self.places.folder.display().to_string());
        self.narrator.tell(&format!("`{folder}` is left for looking around. Try next:"))?;
        let mut commands = vec![
            format!("  saddlebag --node {folder}/{MINISTRY} status"),
            format!("  saddlebag --node {folder}/{RIVERSIDE} sync {folder}/stick --dry-run"),
        ];
        let bundles = self.places.files_on_the_stick()?;
        let is_alone = |name: &&str| bundles.iter().filter(|file| is_for(file, name)).count() == 1;
        if let Some(name) = [HILLTOP, RIVERSIDE, MINISTRY].into_iter().find(is_alone) {
            commands.push(format!("  saddlebag inspect {folder}/stick/saddlebag/{name}/*.sbag"));
        }
        commands.push(format!("  less {folder}/{RIVERSIDE}/saddlebag.toml"));
        self.narrator.show(&commands)
    }
}

/// Whether a file lies in a receiver's folder.
fn is_for(file: &Path, receiver: &str) -> bool {
    file.parent().is_some_and(|folder| folder.ends_with(receiver))
}

/// One line for each table, and some of its differences below it.
fn lines(comparison: &Comparison) -> Vec<String> {
    let headings = [("table", Lean::Left), ("rows", Lean::Right), ("at the three places", Lean::Left)];
    let row = |table: &TableComparison| {
        let verdict = match table.differences.len() {
            0 => "equal".to_owned(),
            many => layout::count(many as u64, "difference", "differences"),
        };
        vec![table.table.clone(), layout::thousands(table.rows as u64), verdict]
    };
    let rows: Vec<_> = comparison.tables.iter().map(row).collect();
    let mut lines = table::lines(&headings, &rows);
    for table in &comparison.tables {
        let told = table.differences.iter().take(DIFFERENCES_SHOWN);
        lines.extend(told.map(|told| layout::fit(&format!("{}: {told}", table.table), layout::WIDTH)));
    }
    lines.iter().map(|line| layout::fit(&format!("  {line}"), layout::WIDTH)).collect()
}

/// How the demo ends, and what it says last.
fn conclude(comparison: &Comparison, unkept: &[String]) -> (Exit, Vec<String>) {
    let rows = layout::count(comparison.rows() as u64, "row", "rows");
    let mut said = Vec::new();
    if comparison.is_equal() {
        said.push(format!("All {rows} are equal at the three places."));
    } else {
        let differences = layout::count(comparison.differences().count() as u64, "difference", "differences");
        said.push(format!("FAILED: the three places are not equal: {differences} in {rows}."));
    }
    if !unkept.is_empty() {
        let count = layout::count(unkept.len() as u64, "thing", "things");
        said.push(format!("FAILED: {count} did not happen as promised:"));
        said.extend(unkept.iter().map(|unkept| format!("- {unkept}")));
    }
    let is_kept = comparison.is_equal() && unkept.is_empty();
    (if is_kept { Exit::Done } else { Exit::Failed }, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(differences: &[&str]) -> Comparison {
        let table = |table: &str, differences: &[&str]| TableComparison {
            table: table.to_owned(),
            rows: 7,
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
        };
        Comparison { tables: vec![table("staff", &[]), table("patient", differences)] }
    }

    #[test]
    fn equal_places_and_kept_promises_are_a_success() {
        let (exit, said) = conclude(&comparison(&[]), &[]);
        assert_eq!((exit, said.len()), (Exit::Done, 1));
        assert_eq!(said[0], "All 14 rows are equal at the three places.");
        assert_eq!(lines(&comparison(&[])).iter().filter(|line| line.ends_with("  equal")).count(), 2);
    }

    #[test]
    fn a_difference_fails_and_is_shown() {
        let differing = comparison(&["riverside 1, hilltop 0, ministry 1 times: uuid=\"u-1\""]);
        let (exit, said) = conclude(&differing, &[]);
        assert_eq!(exit, Exit::Failed);
        assert_eq!(said, ["FAILED: the three places are not equal: 1 difference in 14 rows."]);
        let lines = lines(&differing);
        assert!(lines.iter().any(|line| line.ends_with("1 difference")));
        assert!(lines.iter().any(|line| line.contains("patient: riverside 1, hilltop 0")), "{lines:?}");
    }

    #[test]
    fn an_unkept_promise_fails_though_all_is_equal() {
        let (exit, said) = conclude(&comparison(&[]), &["no conflict was found".to_owned()]);
        assert_eq!(exit, Exit::Failed);
        assert!(said.contains(&"- no conflict was found".to_owned()));
    }

    #[test]
    fn a_comparison_of_nothing_shows_nothing() {
        assert_eq!(conclude(&Comparison { tables: Vec::new() }, &[]).0, Exit::Failed);
    }
}
