//! An entry that should never have been made goes away everywhere.

use super::Demo;
use super::narrator::Detail;
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use crate::command_error::CommandError;

impl Demo<'_, '_> {
    pub(super) fn delete_an_entry(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A mistaken entry is deleted")?;
        let Some(entry) = self.places.riverside.delete_mistaken_entry(self.day(1))? else {
            return self.narrator.broken("there was no entry to delete");
        };
        let count = |demo: &Self| -> Result<Vec<usize>, CommandError> {
            demo.places.all().iter().map(|site| Ok(site.entries_like(&entry)?)).collect()
        };
        let before = count(self)?;
        let (name, value, patient) = (&entry.name, &entry.value, &entry.patient);
        self.narrator.tell(&format!("At {RIVERSIDE}, `{name}: {value}` of {patient} was a mistake and is deleted."))?;
        self.visit_all(&[RIVERSIDE, MINISTRY, HILLTOP], Detail::News)?;
        let after = count(self)?;
        let is_gone = before == [after[0], after[0] + 1, after[0] + 1] && after.iter().all(|count| *count == after[0]);
        let counted = |counts: &[usize]| counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let (before, after) = (counted(&before), counted(&after));
        self.narrator.promise(
            is_gone,
            &format!(
                "Such entries at {RIVERSIDE}, {HILLTOP} and {MINISTRY}: {before} before the stick came, {after} after."
            ),
            &format!("of such entries there were {before} before the stick came, and {after} after"),
        )?;
        self.tell_whether_equal()
    }
}
