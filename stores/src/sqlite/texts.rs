//! SQL text that is the same for every row of a table, made once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::tracking::TrackedTable;

/// What a text is for, and for which columns, by index.
type Purpose = (u32, &'static str, Vec<usize>);

/// The texts made so far, for the tracking in use.
#[derive(Debug, Default)]
pub(super) struct Texts(RefCell<HashMap<Purpose, Rc<str>>>);

impl Texts {
    /// Forgets all: the tables may have other columns now.
    pub(super) fn forget(&mut self) {
        self.0.get_mut().clear();
    }

    /// The text for all rows of a table.
    pub(super) fn of(&self, table: &TrackedTable, what: &'static str, make: impl FnOnce() -> String) -> Rc<str> {
        self.of_columns(table, what, Vec::new(), make)
    }

    /// The text for all rows of a table that have these columns.
    pub(super) fn of_columns(
        &self,
        table: &TrackedTable,
        what: &'static str,
        columns: Vec<usize>,
        make: impl FnOnce() -> String,
    ) -> Rc<str> {
        let mut texts = self.0.borrow_mut();
        Rc::clone(texts.entry((table.number, what, columns)).or_insert_with(|| make().into()))
    }
}
