//! How the stick goes from place to place, and what can be said after that.

use saddlebag_samples::{Comparison, compare};

use super::Demo;
use super::narrator::{Detail, as_typed};
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use super::terminal::Round;
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;

/// Where a stick goes so that all have heard of all.
pub(super) const WHOLE_ROUND: [&str; 5] = [RIVERSIDE, HILLTOP, MINISTRY, RIVERSIDE, HILLTOP];

impl Demo<'_, '_> {
    /// The stick is put in at a place.
    pub(super) fn visit(&mut self, name: &str, ends: Exit, detail: Detail) -> Result<Round, CommandError> {
        let (node, stick) = (self.places.node(name), as_typed(self.places.stick()));
        let outcome = self.narrator.command(&["--node", &node, "sync", &stick], ends, detail)?;
        Ok(outcome.round)
    }

    /// The stick goes from place to place, and nothing special is expected.
    pub(super) fn visit_all(&mut self, names: &[&str], detail: Detail) -> Result<Vec<Round>, CommandError> {
        names.iter().map(|name| self.visit(name, Exit::Done, detail)).collect()
    }

    /// What SQL alone says of the three databases.
    pub(super) fn comparison(&self) -> Result<Comparison, CommandError> {
        let hint = "begin again in another folder: `saddlebag demo FOLDER`";
        compare(&self.places.databases()).map_err(|error| CommandError::failed(error.to_string(), Some(hint)))
    }

    /// Says whether the three databases are equal.
    pub(super) fn tell_whether_equal(&mut self) -> Result<(), CommandError> {
        let comparison = self.comparison()?;
        let rows = layout::count(comparison.rows() as u64, "row", "rows");
        let differences = comparison.differences().count();
        let tables = comparison.tables.len();
        self.narrator.promise(
            comparison.is_equal(),
            &format!("Compared by SQL alone, all three are equal: {rows} in {tables} tables."),
            &format!("the three databases differ in {differences} of {rows} in {tables} tables"),
        )
    }
}
