//! What is known of records within a transaction, and what is still to be written of it.
//!
//! Invariants: what is here is what the database holds, or will hold once it is written; it is written before any
//! statement reads the tables it lies in.

use std::collections::{HashMap, HashSet};

use saddlebag_formats::{Seq, Uid, Value};

use crate::engine::Stored;
use crate::ledger::Beside;
use crate::record::{Key, Tombstone};

/// A row of the application.
#[derive(Debug, Clone)]
pub(super) struct CachedRow {
    /// Its shared values as this database has them, of the columns that it has.
    pub(super) locals: Vec<Value>,
    /// The same as they travel, with null for columns that this schema lacks; text that names its table is still text.
    pub(super) values: Vec<Value>,
}

/// A row state that is to be written.
#[derive(Debug, Clone)]
pub(super) struct PendingState {
    /// None where it is to be taken away.
    pub(super) stored: Option<Stored>,
    pub(super) before: Before,
}

/// What lies in the database under the key of a row state that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// Something, perhaps.
    Unknown,
    /// The state of the same record.
    Same,
}

/// A tombstone with the key that its record had, in its encoding.
pub(super) type Buried = (Tombstone, Option<Vec<u8>>);

#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) states: HashMap<(u32, Key), Option<Stored>>,
    pub(super) keys: HashMap<(u32, Uid), Option<Key>>,
    pub(super) rows: HashMap<(u32, Key), Option<CachedRow>>,
    pub(super) tombstones: HashMap<(u32, Uid), Option<Buried>>,
    pub(super) deleted_at: HashMap<(u32, Key), Option<Uid>>,
    pub(super) beside: HashMap<(u32, Uid), Vec<Beside>>,
    pub(super) pending_states: HashMap<(u32, Key), PendingState>,
    pub(super) pending_tombstones: HashMap<(u32, Uid), Option<Buried>>,
    /// Tables in which some record is deleted, once that was asked for.
    pub(super) with_tombstones: Option<HashSet<u32>>,
    /// Tables in which something stands beside some record, once that was asked for.
    pub(super) with_beside: Option<HashSet<u32>>,
    /// Tables with rows that stay at home, once that was asked for.
    pub(super) with_home: Option<HashSet<u32>>,
    /// Tables with live records after a place in the feed, once that was asked for.
    pub(super) in_feed: Option<(Seq, HashSet<u32>)>,
}

impl Cache {
    /// Whether something is still to be written.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending_states.is_empty() || !self.pending_tombstones.is_empty()
    }

    /// Forgets what was read: it takes memory. What is still to be written stays.
    pub(super) fn forget_read(&mut self) {
        self.states.clear();
        self.keys.clear();
        self.rows.clear();
        self.tombstones.clear();
        self.deleted_at.clear();
        self.beside.clear();
    }

    /// Forgets rows of the application, which have changed or may have.
    pub(super) fn forget_rows(&mut self) {
        self.rows.clear();
    }

    /// Notes a row state that is to be written, or taken away.
    pub(super) fn put_state(&mut self, table: u32, key: &Key, stored: Option<Stored>) {
        let at = (table, key.clone());
        let was = self.states.get(&at);
        let (before, last) = match (self.pending_states.get(&at), was) {
            (Some(pending), _) => (pending.before, pending.stored.as_ref()),
            (None, Some(None)) => (Before::Nothing, None),
            (None, Some(Some(was))) => (Before::Same, Some(was)),
            (None, None) => (Before::Unknown, None),
        };
        let is_same = last.zip(stored.as_ref()).is_some_and(|(last, stored)| last.uid == stored.uid);
        // Once another record was in between, what lies there is taken away before anything is written there.
        let before = if before == Before::Same && !is_same { Before::Unknown } else { before };
        if let Some(Some(before)) = was
            && stored.as_ref().is_none_or(|stored| stored.uid != before.uid)
            && self.keys.get(&(table, before.uid)).is_some_and(|known| known.as_ref() == Some(key))
        {
            self.keys.insert((table, before.uid), None);
        }
        if let Some(stored) = &stored {
            self.keys.insert((table, stored.uid), (!stored.home).then(|| key.clone()));
            if let Some(tables) = self.with_home.as_mut().filter(|_| stored.home) {
                tables.insert(table);
            }
        }
        self.states.insert(at.clone(), stored.clone());
        self.pending_states.insert(at, PendingState { stored, before });
        self.deleted_at.remove(&(table, key.clone()));
    }

    /// Notes the row state of a record that has one under this key.
    pub(super) fn put_state_of(&mut self, table: u32, key: &Key, stored: Stored) {
        self.states.entry((table, key.clone())).or_insert_with(|| Some(stored.clone()));
        self.put_state(table, key, Some(stored));
    }

    /// Notes a tombstone that is to be written, or taken away.
    pub(super) fn put_tombstone(&mut self, table: u32, uid: Uid, buried: Option<Buried>) {
        if buried.is_some()
            && let Some(tables) = &mut self.with_tombstones
        {
            tables.insert(table);
        }
        self.deleted_at.clear();
        self.tombstones.insert((table, uid), buried.clone());
        self.pending_tombstones.insert((table, uid), buried);
    }
}
