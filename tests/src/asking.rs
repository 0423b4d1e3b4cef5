//! What a test asks of one node: its application's rows, and what stands where a person can see it.

use saddlebag_formats::members::{Receipt, decode_change};
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{Action, Value};
use saddlebag_stores::ledger::{Beside, Conflict, Held};
use saddlebag_stores::{Access, Store};

use crate::app::quoted;
use crate::fleet::FleetNode;

impl FleetNode {
    /// The application does something.
    pub fn run(&self, sql: &str) {
        self.app.execute_batch(sql).unwrap();
    }

    /// One value as SQL writes it: text in quotes, null as `NULL`.
    #[must_use]
    pub fn ask(&self, sql: &str) -> String {
        quoted(&self.app.value(sql, &[]))
    }

    /// Sets all its clocks: the application's, in its triggers, and saddlebag's.
    pub fn set_clock(&self, at: i64) {
        self.clock.0.set(at);
        self.app.set_clock(at);
    }

    /// How many rows of a table the application has.
    #[must_use]
    pub fn count(&self, table: &str) -> i64 {
        self.app.count(table)
    }

    fn look<T>(&mut self, look: impl FnOnce(&mut dyn Store) -> T) -> T {
        self.store.begin(Access::Read).unwrap();
        let seen = look(&mut *self.store);
        self.store.rollback().unwrap();
        seen
    }

    /// Its conflicts.
    pub fn conflicts(&mut self) -> Vec<Conflict> {
        self.look(|store| store.conflicts().unwrap())
    }

    /// What the other ends of its links said became of its changes.
    pub fn received_receipts(&mut self) -> Vec<Receipt> {
        let all = self.look(|store| store.received_receipts().unwrap());
        all.into_iter().map(|stored| stored.receipt).collect()
    }

    /// What it holds.
    pub fn held(&mut self) -> Vec<Held> {
        self.look(|store| store.held(None).unwrap())
    }

    /// What stands beside the records of a table.
    pub fn beside(&mut self, table: &str) -> Vec<Beside> {
        self.look(|store| {
            let table = store.tracking().by_name(table).unwrap().clone();
            store.beside(&table).unwrap()
        })
    }

    /// How many rows of a table stay at home because another row has their identity.
    pub fn at_home(&mut self, table: &str) -> usize {
        self.look(|store| {
            let table = store.tracking().by_name(table).unwrap().clone();
            store.home_rows(&table).unwrap().len()
        })
    }

    /// Both sides of every conflict between values, the one that stands first.
    pub fn disagreements(&mut self) -> Vec<(String, String)> {
        let side = |bytes: Option<Vec<u8>>| decode_values(&bytes?).unwrap().pop().map(|(_, value)| words(&value));
        let conflicts = self.conflicts().into_iter();
        conflicts.filter_map(|conflict| Some((side(conflict.winner.value)?, side(conflict.loser.value)?))).collect()
    }
}

/// The values of a held change, by column.
///
/// # Panics
/// When it is a deletion.
#[must_use]
pub fn held_values(held: &Held) -> Vec<(String, String)> {
    let (table, change) = decode_change(&held.change).unwrap();
    let Action::Write { columns, .. } = change.action else { panic!("a deletion holds no values") };
    let name = |index: u16| table.columns[usize::from(index)].name.clone();
    let mut values: Vec<_> = columns.iter().map(|column| (name(column.column), words(&column.value))).collect();
    values.sort();
    values
}

fn words(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
