//! What absorb and its kin need of an engine, record by record.
//!
//! An engine for which every question is a trip to a server is told beforehand which ones will come, and keeps what it
//! is given until it must be written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use saddlebag_formats::{RowState, Seq, Uid, Value};

use crate::error::StoreError;
use crate::fold::Entry;
use crate::ledger::Beside;
use crate::record::{Key, Record, Tombstone};
use crate::store::Store;
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

/// A row state as it lies in the database.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) uid: Uid,
    pub(crate) hash: u64,
    /// Whether the row has the identity of another one here and stays at home.
    pub(crate) home: bool,
    pub(crate) state: RowState,
}

/// Journal entries of a table, and which of the keys that they name have a row state.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) entries: Vec<Entry>,
    pub(crate) with_state: HashSet<Key>,
}

/// A reference, kept beside its record, whose target may be here now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) table: u32,
    pub(crate) uid: Uid,
    pub(crate) column: u16,
}

/// Rows of tracked tables, by table number.
pub(crate) type Rows = Vec<(u32, Vec<Key>)>;

/// One engine's way to single records.
pub(crate) trait Engine: Store {
    /// The tables that are worked on.
    fn tables(&self) -> Rc<Tracking>;

    /// Whether it makes use of what it is told will be asked for.
    fn foresees(&self) -> bool {
        false
    }

    /// Says that these rows of a table, and their states, will be asked for.
    fn expect_rows(&mut self, _table: &TrackedTable, _keys: &[Key]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Says that these records of a table, live or deleted, will be asked for.
    fn expect_uids(&mut self, _table: &TrackedTable, _uids: &[Uid]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Lets go of the rows that were loaded because they would be asked for.
    fn forget_expected(&mut self) {}

    /// Reads and deletes the first so many journal entries of these tables, each in the order in which they were written.
    /// Tables without any are left out.
    fn take_entries(&mut self, tables: &[TrackedTable], limit: u64) -> Result<BTreeMap<u32, Taken>, StoreError>;

    /// The row state under a key.
    fn state_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Stored>, StoreError>;

    /// Writes a row state under a key, over the one that is there.
    fn save_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError>;

    /// Writes the row state of a record that is new here, over whatever is there under its key.
    fn save_new_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError>;

    /// Takes away the row state under a key.
    fn remove_state(&mut self, table: &TrackedTable, key: &Key) -> Result<(), StoreError>;

    /// Whether some row of some table stays at home.
    fn any_at_home(&mut self) -> Result<bool, StoreError>;

    /// The rows of a table that stay at home, by key, with the uid of their states.
    fn at_home(&mut self, table: &TrackedTable) -> Result<Vec<(Key, Uid)>, StoreError>;

    /// The tombstone of a record, if it is deleted.
    fn tombstone(&mut self, table: u32, uid: Uid) -> Result<Option<Tombstone>, StoreError>;

    /// Writes a tombstone, over the one that is there, with the key that its record had here; none leaves the one that is
    /// known.
    fn keep_tombstone(&mut self, tombstone: &Tombstone, key: Option<&Key>) -> Result<(), StoreError>;

    /// Takes away the tombstone of a record that lives again.
    fn remove_tombstone(&mut self, table: u32, uid: Uid) -> Result<(), StoreError>;

    /// The record that was deleted last under a key.
    fn deleted_at(&mut self, table: u32, key: &Key) -> Result<Option<Uid>, StoreError>;

    /// The shared values of a row, references as uids where their targets have one; text that names its table is still
    /// text, and what stands beside the record is not in it. None if the row is not there.
    fn row(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError>;

    /// The shared values of a row as this database has them, of the columns that it has.
    fn local_values(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError>;

    /// What a column of a row holds; none if the row is not there.
    fn local_value(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
    ) -> Result<Option<Value>, StoreError>;

    /// Writes one column of one row; says whether the database took it.
    fn write_column(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
        value: &Value,
    ) -> Result<bool, StoreError>;

    /// All that stands beside a record.
    fn beside_of(&mut self, table: u32, uid: Uid) -> Result<Vec<Beside>, StoreError>;

    /// Keeps values beside records, over those that are there.
    fn put_beside(&mut self, table: u32, all: &[Beside]) -> Result<(), StoreError>;

    /// Lets go of what stood beside some columns of a record, by id.
    fn forget_beside(&mut self, table: u32, uid: Uid, columns: &[u16]) -> Result<(), StoreError>;

    /// Lets go of all that stood beside a record.
    fn forget_all_beside(&mut self, table: u32, uid: Uid) -> Result<(), StoreError>;

    /// Gives what stands beside a record, and what waits for it, its other uid.
    fn rename_beside(&mut self, table: u32, from: Uid, into: Uid) -> Result<(), StoreError>;

    /// References kept beside their records whose targets have changed or come after a place in the feed.
    fn waiting(&mut self, after: Seq) -> Result<Vec<Waiting>, StoreError>;

    /// What a query of `named(…)` says: keys and names.
    fn query_names(&mut self, table: &TrackedTable, query: &str) -> Result<HashMap<Value, String>, StoreError>;

    /// The rows of tracked tables that refer to a record.
    fn referring_rows(&mut self, table: &TrackedTable, key: &Key) -> Result<Rows, StoreError>;

    /// Points every column, of whatever table, that refers to the row under one key to the row under another.
    fn point(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError>;

    /// Live, shared records of a table after a uid, in the order of their uids.
    fn page(&mut self, table: &TrackedTable, after: Option<Uid>, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The keys of rows without a row state.
    fn unseen_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key)) -> Result<(), StoreError>;

    /// The keys and uids of row states without a row.
    fn lost_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key, Uid)) -> Result<(), StoreError>;

    /// How many rows a table has.
    fn count_rows(&mut self, table: &TrackedTable) -> Result<u64, StoreError>;

    /// Notes rows in which one of these columns, which have just appeared, says something, with time 0.
    fn note_first_sight(&mut self, table: &TrackedTable, new: &[&TrackedColumn]) -> Result<(), StoreError>;

    /// Notes that a column which bundles brought is in the schema now.
    fn note_present(&mut self, table: u32, column: u16) -> Result<(), StoreError>;
}

/// Something of saddlebag's own that cannot be read.
pub(crate) fn damaged(what: &str, reason: impl ToString) -> StoreError {
    StoreError::Damaged { what: what.to_owned(), reason: reason.to_string() }
}
