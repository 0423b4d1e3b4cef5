//! Single records, as absorb and its kin ask for them: out of what was loaded in sets beforehand, where they said so.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use saddlebag_formats::{Seq, Uid, Value};

use super::cache::CachedRow;
use super::{PostgresStore, asked, beside, install, journal, referrers, rows, states, write};
use crate::engine::{Engine, Rows, Stored, Taken, Waiting};
use crate::error::StoreError;
use crate::ledger::Beside;
use crate::record::{Key, Record, Tombstone};
use crate::tracking::{TrackedColumn, TrackedTable, Tracking};

impl PostgresStore {
    fn cached_row(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<&CachedRow>, StoreError> {
        let at = (table.number, key.clone());
        if !self.cache.rows.contains_key(&at) {
            rows::load(self, table, std::slice::from_ref(key))?;
        }
        Ok(self.cache.rows.get(&at).and_then(Option::as_ref))
    }
}

impl Engine for PostgresStore {
    fn tables(&self) -> Rc<Tracking> {
        Rc::clone(&self.tracking)
    }

    fn foresees(&self) -> bool {
        true
    }

    fn expect_rows(&mut self, table: &TrackedTable, keys: &[Key]) -> Result<(), StoreError> {
        rows::load(self, table, keys)?;
        states::load_by_key(self, table, keys)?;
        let state = |key: &Key| self.cache.states.get(&(table.number, key.clone()))?.as_ref();
        let uids: Vec<Uid> = keys.iter().filter_map(state).map(|stored| stored.uid).collect();
        beside::load(self, table.number, &uids)
    }

    fn expect_uids(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<(), StoreError> {
        states::load_keys(self, table, uids)?;
        states::load_tombstones(self, table.number, uids)
    }

    fn forget_expected(&mut self) {
        self.cache.forget_rows();
    }

    fn take_entries(&mut self, tables: &[TrackedTable], limit: u64) -> Result<BTreeMap<u32, Taken>, StoreError> {
        self.flush()?;
        // What the last turn read is not asked for any more: memory stays within bounds, however many turns there are.
        self.cache.forget_read();
        let mut taken = BTreeMap::new();
        for (number, entries) in journal::take_tables(&mut self.client, tables, limit)? {
            let Some(table) = tables.iter().find(|table| table.number == number) else { continue };
            let named = journal::keys_of(&entries);
            states::load_by_key(self, table, &named)?;
            let has_state = |key: &Key| matches!(self.cache.states.get(&(number, key.clone())), Some(Some(_)));
            let with_state = named.iter().filter(|key| has_state(key)).cloned().collect();
            taken.insert(number, Taken { entries, with_state });
        }
        Ok(taken)
    }

    fn state_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Stored>, StoreError> {
        states::load_by_key(self, table, std::slice::from_ref(key))?;
        Ok(self.cache.states.get(&(table.number, key.clone())).cloned().flatten())
    }

    fn save_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        self.cache.put_state(table.number, key, Some(stored.clone()));
        Ok(())
    }

    fn save_new_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        self.cache.put_state(table.number, key, Some(stored.clone()));
        Ok(())
    }

    fn remove_state(&mut self, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
        states::load_by_key(self, table, std::slice::from_ref(key))?;
        self.cache.put_state(table.number, key, None);
        Ok(())
    }

    fn any_at_home(&mut self) -> Result<bool, StoreError> {
        Ok(!states::tables_with_home(self)?.is_empty())
    }

    fn at_home(&mut self, table: &TrackedTable) -> Result<Vec<(Key, Uid)>, StoreError> {
        states::at_home(self, table)
    }

    fn tombstone(&mut self, table: u32, uid: Uid) -> Result<Option<Tombstone>, StoreError> {
        states::load_tombstones(self, table, &[uid])?;
        let buried = self.cache.tombstones.get(&(table, uid)).and_then(Option::as_ref);
        Ok(buried.map(|(tombstone, _)| tombstone.clone()))
    }

    fn keep_tombstone(&mut self, tombstone: &Tombstone, key: Option<&Key>) -> Result<(), StoreError> {
        states::load_tombstones(self, tombstone.table, &[tombstone.uid])?;
        let known = self.cache.tombstones.get(&(tombstone.table, tombstone.uid)).and_then(Option::as_ref);
        let key = key.map(crate::soft::key_bytes).or_else(|| known.and_then(|(_, key)| key.clone()));
        self.cache.put_tombstone(tombstone.table, tombstone.uid, Some((tombstone.clone(), key)));
        Ok(())
    }

    fn remove_tombstone(&mut self, table: u32, uid: Uid) -> Result<(), StoreError> {
        states::load_tombstones(self, table, &[uid])?;
        if matches!(self.cache.tombstones.get(&(table, uid)), Some(Some(_))) {
            self.cache.put_tombstone(table, uid, None);
        }
        Ok(())
    }

    fn deleted_at(&mut self, table: u32, key: &Key) -> Result<Option<Uid>, StoreError> {
        states::load_deleted_at(self, table, std::slice::from_ref(key))?;
        Ok(self.cache.deleted_at.get(&(table, key.clone())).copied().flatten())
    }

    fn row(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        Ok(self.cached_row(table, key)?.map(|row| row.values.clone()))
    }

    fn local_values(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        Ok(self.cached_row(table, key)?.map(|row| row.locals.clone()))
    }

    fn local_value(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
    ) -> Result<Option<Value>, StoreError> {
        let Some(at) = table.present().position(|present| present.id == column.id) else { return Ok(None) };
        Ok(self.cached_row(table, key)?.and_then(|row| row.locals.get(at).cloned()))
    }

    fn write_column(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
        value: &Value,
    ) -> Result<bool, StoreError> {
        write::write_column(self, table, column, key, value)
    }

    fn beside_of(&mut self, table: u32, uid: Uid) -> Result<Vec<Beside>, StoreError> {
        beside::of(self, table, uid)
    }

    fn put_beside(&mut self, table: u32, all: &[Beside]) -> Result<(), StoreError> {
        beside::put(self, table, all)
    }

    fn forget_beside(&mut self, table: u32, uid: Uid, columns: &[u16]) -> Result<(), StoreError> {
        let places: Vec<(Uid, u16)> = columns.iter().map(|column| (uid, *column)).collect();
        beside::forget(self, table, &places)
    }

    fn forget_all_beside(&mut self, table: u32, uid: Uid) -> Result<(), StoreError> {
        beside::forget_all(self, table, &[uid])
    }

    fn rename_beside(&mut self, table: u32, from: Uid, into: Uid) -> Result<(), StoreError> {
        beside::rename(self, table, from, into)
    }

    fn waiting(&mut self, after: Seq) -> Result<Vec<Waiting>, StoreError> {
        asked::waiting(self, after)
    }

    fn query_names(&mut self, table: &TrackedTable, query: &str) -> Result<HashMap<Value, String>, StoreError> {
        asked::query_names(self, table, query)
    }

    fn referring_rows(&mut self, table: &TrackedTable, key: &Key) -> Result<Rows, StoreError> {
        referrers::referring_rows(self, table, key)
    }

    fn point(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
        referrers::point(self, table, from, into)
    }

    fn page(&mut self, table: &TrackedTable, after: Option<Uid>, limit: usize) -> Result<Vec<Record>, StoreError> {
        rows::page(self, table, after, limit)
    }

    fn unseen_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key)) -> Result<(), StoreError> {
        asked::unseen_rows(self, table, found)
    }

    fn lost_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key, Uid)) -> Result<(), StoreError> {
        asked::lost_rows(self, table, found)
    }

    fn count_rows(&mut self, table: &TrackedTable) -> Result<u64, StoreError> {
        asked::count_rows(self, table)
    }

    fn note_first_sight(&mut self, table: &TrackedTable, new: &[&TrackedColumn]) -> Result<(), StoreError> {
        self.flush()?;
        journal::note_first_sight(&mut self.client, table, new)
    }

    fn note_present(&mut self, table: u32, column: u16) -> Result<(), StoreError> {
        install::note_present(&mut self.client, table, column)
    }
}
