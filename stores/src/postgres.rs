//! The application's database on PostgreSQL, 13 to 17.
//!
//! Saddlebag's own tables lie in the schema `saddlebag`. One session at a time works on them, by an advisory lock that
//! is taken before its snapshot; the application waits for none of it.

mod asked;
mod beside;
mod cache;
mod catalogue;
mod client;
mod conflicts;
mod connect;
mod decisions;
mod different;
mod digest;
mod feed;
mod fields;
mod forms;
mod insert;
mod install;
mod journal;
mod keys;
mod ledger;
mod ledger_tables;
mod log;
mod referrers;
mod refusal;
mod rights;
mod rows;
mod schema;
mod setup;
mod single;
mod sql;
mod states;
mod tables;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod triggers;
mod values;
mod write;
mod writers;

pub use connect::{ConnectionText, ConnectionTextError};

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::{BundleNumber, LinkId, LogEntry, Seq, TimeMs, Uid, Value};

use crate::difference::{Difference, HomeRow};
use crate::digest::{Changed, Digest, Standing};
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Beside, Conflict, Decision, DifferentRecord, Dropped, Held, Link, LinkCounts, StoredReceipt};
use crate::log::{LogEnd, LogFilter, Logged};
use crate::record::{Absorbed, Key, Known, Record, Referrer, Refusal, RowWrite, Tombstone};
use crate::referring::ReferringColumn;
use crate::schema::{Catalogue, ColumnEvidence, ColumnQuestion, Schema};
use crate::store::{AbsorbContext, Access, Store};
use crate::tracking::{Numbering, TrackedTable, Tracking};

/// How long another session of saddlebag is waited for.
const BUSY_TIMEOUT_S: u64 = 20;

/// How long a row that the application has locked is waited for, in milliseconds. It is far from the second after which
/// a server looks for a deadlock: so it is hardly ever the application that is told of one. Who has more time waits
/// between tries, with nothing locked.
const ROW_TIMEOUT_MS: u64 = 100;

/// Sets of keys are of very different sizes: a plan made for one does not suit the next. Rows that are asked for together
/// lie side by side: it soon costs less to read them by an index than to read the whole table. And what is read in pieces, in
/// an order that an index has, is not to be sorted whole for each piece; nothing tells the server how many rows there are
/// in tables that it has not looked at since they were filled.
const PLANS: &str = "SET plan_cache_mode TO force_custom_plan; SET random_page_cost TO 1.1; SET enable_sort TO off";

/// What is deferred until then is checked row by row, which is to be planned once.
const COMMIT: &str = "SET LOCAL plan_cache_mode TO auto; COMMIT";

/// Has what the application defers to the end of a transaction refuse single rows, not all of them: constraints of these
/// types. Foreign keys stay deferred: rows of a circle need it, and what has no target is never written.
fn at_once(types: &str) -> String {
    format!(
        "DO $$ DECLARE names text; BEGIN
            SELECT string_agg(DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.conname), ', ') INTO names
            FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
            WHERE c.condeferred AND c.contype IN ({types});
            IF names IS NOT NULL THEN EXECUTE 'SET CONSTRAINTS ' || names || ' IMMEDIATE'; END IF; END $$"
    )
}

/// The advisory lock of whoever works on saddlebag's tables in a database: `saddlebg` in ASCII.
const LOCK: i64 = 0x7361_6464_6C65_6267;

/// A PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    client: client::Client,
    tracking: Rc<Tracking>,
    cache: cache::Cache,
    writers: writers::Writers,
    /// Who refers to a tracked table: by its number.
    referring: HashMap<u32, Vec<ReferringColumn>>,
    /// What gives the next key of a table, as SQL, by its number.
    next_keys: HashMap<u32, insert::NextKey>,
    /// The last place given in the feed, while a transaction is open.
    last_seq: Option<Seq>,
    /// Whether deferred triggers of the application are asked row by row, since they refused the last transaction.
    is_strict: bool,
    /// How this transaction was begun.
    access: Option<Access>,
    /// Whether this transaction, or the next one, ends where it meets a row that the application is writing.
    gives_way: bool,
    /// What is tracked without the columns that this transaction has learnt.
    before_learning: Option<Rc<Tracking>>,
    /// Up to where setup has looked for rows without a state, by table.
    looked_at: HashMap<u32, Key>,
    /// Who works here, as the log names him.
    user: String,
    /// What this transaction has yet to add to the kept digests.
    changed_digests: Changed,
}

impl PostgresStore {
    /// Opens an existing database, by a URL as `psql` takes it.
    ///
    /// # Errors
    /// [`StoreError::Open`] if there is none, or the server lets nobody in so; [`StoreError::OldServer`].
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Self::over(client::Client::new(connect::connect(url)?))
    }

    /// Works over an open connection.
    fn over(mut client: client::Client) -> Result<Self, StoreError> {
        client.batch("opening a database", PLANS)?;
        Ok(Self {
            client,
            tracking: Rc::default(),
            cache: cache::Cache::default(),
            writers: writers::Writers::default(),
            referring: HashMap::new(),
            next_keys: HashMap::new(),
            last_seq: None,
            is_strict: false,
            access: None,
            gives_way: false,
            before_learning: None,
            looked_at: HashMap::new(),
            user: crate::log::SOMEBODY.to_owned(),
            changed_digests: Changed::default(),
        })
    }

    /// How many statements were sent to the server since it was opened: for tests and benchmarks.
    #[must_use]
    pub fn statements_sent(&self) -> u64 {
        self.client.sent()
    }

    /// Writes what is still to be written of saddlebag's own tables.
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.cache.is_pending() { states::flush(self) } else { Ok(()) }
    }

    /// Writes what is still to be written, and adds what has changed to the kept digests.
    fn keep_digests(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        digest::add(&mut self.client, &self.changed_digests.take())
    }

    /// Works with columns that were learnt just now, until the transaction is undone.
    fn replace_tracking(&mut self, tracking: Tracking) {
        let before = std::mem::replace(&mut self.tracking, Rc::new(tracking));
        self.before_learning.get_or_insert(before);
    }

    /// Writes what is to be written, and forgets what was read. The place in the feed goes on.
    fn forget_cached(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.cache = cache::Cache::default();
        self.writers.forget();
        Ok(())
    }

    /// Forgets what belongs to one transaction.
    fn forget(&mut self) {
        self.changed_digests = Changed::default();
        self.cache = cache::Cache::default();
        self.writers.forget();
        self.last_seq = None;
    }

    fn load_last_seq(&mut self) -> Result<Seq, StoreError> {
        if let Some(seq) = self.last_seq {
            return Ok(seq);
        }
        let seq = match ledger::setting(&mut self.client, "last_seq")? {
            None => Seq(0),
            Some(bytes) => Seq(u64::from_le_bytes(
                bytes.try_into().map_err(|_| damaged("the feed's last place", "it is not eight bytes long"))?,
            )),
        };
        self.last_seq = Some(seq);
        Ok(seq)
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        self.client.batch("ending a transaction", &format!("SELECT pg_advisory_unlock({LOCK})"))
    }
}

impl Store for PostgresStore {
    fn keeps_snapshots(&self) -> bool {
        true
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        schema::read(&mut self.client)
    }

    fn catalogue(&mut self) -> Result<Option<Catalogue>, StoreError> {
        let schema = self.schema()?;
        catalogue::read(&mut self.client, &schema)
    }

    fn evidence(&mut self, questions: &[ColumnQuestion]) -> Result<Vec<ColumnEvidence>, StoreError> {
        questions.iter().map(|question| catalogue::evidence(&mut self.client, question)).collect()
    }

    fn missing_rights(&mut self, tables: &[String]) -> Result<Vec<String>, StoreError> {
        rights::missing(&mut self.client, tables)
    }

    fn forget_states(&mut self, table: u32) -> Result<(), StoreError> {
        self.forget_cached()?;
        self.changed_digests.forget(table);
        install::forget_states(&mut self.client, table)
    }

    fn install(&mut self, tracking: &Tracking) -> Result<(), StoreError> {
        self.forget_cached()?;
        setup::install(self, tracking)
    }

    fn installed(&mut self) -> Result<Option<Numbering>, StoreError> {
        install::installed(&mut self.client)
    }

    fn use_tracking(&mut self, tracking: Tracking) {
        self.referring = HashMap::new();
        self.next_keys.clear();
        self.looked_at.clear();
        self.client.forget_prepared();
        self.tracking = Rc::new(tracking);
    }

    fn tracking(&self) -> &Tracking {
        &self.tracking
    }

    fn uninstall(&mut self) -> Result<(), StoreError> {
        self.forget();
        install::uninstall(&mut self.client)
    }

    fn missing_triggers(&mut self) -> Result<Vec<String>, StoreError> {
        triggers::missing_triggers(&mut self.client, &self.tracking)
    }

    fn tables_without_triggers(&mut self) -> Result<Vec<u32>, StoreError> {
        triggers::tables_without(&mut self.client, &self.tracking)
    }

    fn look_again(&mut self, table: u32) -> Result<(), StoreError> {
        journal::look_again_at(&mut self.client, table)
    }

    fn restore_triggers(&mut self) -> Result<(), StoreError> {
        triggers::restore_triggers(&mut self.client, &self.tracking)
    }

    fn recheck(&mut self, table: u32) -> Result<(), StoreError> {
        match self.tracking.by_number(table) {
            Some(table) => journal::recheck(&mut self.client, table),
            None => Ok(()),
        }
    }

    fn check(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Difference)) -> Result<u64, StoreError> {
        crate::check::check(self, table, found)
    }

    fn home_rows(&mut self, table: &TrackedTable) -> Result<Vec<HomeRow>, StoreError> {
        crate::check::home_rows(self, table)
    }

    fn now(&mut self) -> Result<TimeMs, StoreError> {
        asked::now(self)
    }

    fn give_way(&mut self) {
        self.gives_way = true;
    }

    fn begin(&mut self, access: Access) -> Result<(), StoreError> {
        self.forget();
        let action = "beginning a transaction";
        match access {
            Access::Read => self.client.batch(action, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
            Access::Write => {
                // The lock comes before the snapshot: what whoever held it has written is seen.
                let wait = BUSY_TIMEOUT_S * 1_000;
                let lock = format!("SET lock_timeout = {wait}; SELECT pg_advisory_lock({LOCK})");
                self.client.batch(action, &lock).map_err(|error| match error {
                    StoreError::Concurrent { .. } => StoreError::Busy { waited_s: BUSY_TIMEOUT_S },
                    error => error,
                })?;
                let begin = format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = {ROW_TIMEOUT_MS}; \
                     SET LOCAL saddlebag.importing = 'on'; {}",
                    // What a trigger wants of several rows may hold at the end alone: it is asked early only when that failed.
                    at_once(if self.is_strict { "'p', 'u', 'x', 't'" } else { "'p', 'u', 'x'" })
                );
                self.access = Some(access);
                self.client.batch(action, &begin).inspect_err(|_| drop(self.rollback()))?;
            }
        }
        self.access = Some(access);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.keep_digests()?;
        if let (Some(Access::Write), Some(seq)) = (self.access, self.last_seq) {
            ledger::set_setting(&mut self.client, "last_seq", &seq.0.to_le_bytes())?;
        }
        match self.client.try_batch(COMMIT) {
            Ok(()) => self.is_strict = false,
            Err(error) if refusal::is_refusal(&error) && self.access == Some(Access::Write) && !self.is_strict => {
                self.is_strict = true;
                let table = error.as_db_error().and_then(|told| told.table()).unwrap_or("some table").to_owned();
                return Err(StoreError::RolledBack { table, reason: client::words(&error) });
            }
            Err(error) => return Err(client::engine("writing a transaction", &error)),
        }
        self.before_learning = None;
        self.forget();
        self.gives_way = false;
        match self.access.take() {
            Some(Access::Write) => self.unlock(),
            _ => Ok(()),
        }
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.forget();
        self.gives_way = false;
        self.looked_at.clear();
        if let Some(before) = self.before_learning.take() {
            self.tracking = before;
        }
        match self.access.take() {
            None => Ok(()),
            Some(Access::Read) => self.client.batch("undoing a transaction", "ROLLBACK"),
            Some(Access::Write) => {
                self.client.batch("undoing a transaction", "ROLLBACK")?;
                self.unlock()
            }
        }
    }

    fn savepoint(&mut self) -> Result<(), StoreError> {
        self.load_last_seq()?;
        self.keep_digests()?;
        self.client.batch("marking a savepoint", "SAVEPOINT saddlebag")
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError> {
        // Places in the feed that were given since are lost: a gap in the feed means nothing.
        self.cache = cache::Cache::default();
        self.changed_digests = Changed::default();
        self.writers.forget();
        self.client.batch("going back to a savepoint", "ROLLBACK TO SAVEPOINT saddlebag")
    }

    fn release_savepoint(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.client.batch("giving up a savepoint", "RELEASE SAVEPOINT saddlebag")
    }

    fn setting(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::setting(&mut self.client, name)
    }

    fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        ledger::set_setting(&mut self.client, name, value)
    }

    fn journal_rows(&mut self) -> Result<u64, StoreError> {
        journal::count(&mut self.client)
    }

    fn journal_existing(&mut self, table: u32, limit: u64) -> Result<u64, StoreError> {
        let Some(table) = self.tracking.by_number(table).cloned() else { return Ok(0) };
        self.flush()?;
        setup::existing(self, &table, limit)
    }

    fn hash_references(&mut self) -> Result<(), StoreError> {
        crate::rehash::references(self)
    }

    fn absorb(&mut self, context: &AbsorbContext, entropy: &mut dyn Entropy) -> Result<Absorbed, StoreError> {
        self.flush()?;
        journal::look_again(&mut self.client, &self.tracking)?;
        let absorbed = crate::absorb::absorb(self, context, entropy)?;
        self.flush()?;
        self.cache.forget_read();
        Ok(absorbed)
    }

    fn last_seq(&mut self) -> Result<Seq, StoreError> {
        self.load_last_seq()
    }

    fn next_seq(&mut self) -> Result<Seq, StoreError> {
        let next = Seq(self.load_last_seq()?.0 + 1);
        self.last_seq = Some(next);
        Ok(next)
    }

    fn feed_cut(&mut self, after: Seq, limit: u64) -> Result<Option<Seq>, StoreError> {
        feed::cut(self, after, limit)
    }

    fn feed_each(
        &mut self,
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        feed::each(self, table, after, upto, chunk, each)
    }

    fn deleted(&mut self, table: &TrackedTable, after: Seq, upto: Seq) -> Result<Vec<Tombstone>, StoreError> {
        states::deleted(self, table, after, upto, i64::MAX)
    }

    fn deleted_each(
        &mut self,
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Tombstone>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        feed::each_deleted(self, table, after, upto, chunk, each)
    }

    fn feed_length(&mut self, after: Seq) -> Result<u64, StoreError> {
        feed::length(self, after)
    }

    fn records(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Known>, StoreError> {
        rows::records(self, table, uids)
    }

    fn keys(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Key>, StoreError> {
        states::load_keys(self, table, uids)?;
        let key = |uid: &Uid| Some((*uid, self.cache.keys.get(&(table.number, *uid))?.clone()?));
        Ok(uids.iter().filter_map(key).collect())
    }

    fn uid_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError> {
        states::load_by_key(self, table, std::slice::from_ref(key))?;
        let stored = self.cache.states.get(&(table.number, key.clone())).and_then(Option::as_ref);
        Ok(stored.filter(|stored| !stored.home).map(|stored| stored.uid))
    }

    fn write(&mut self, table: &TrackedTable, rows: &[RowWrite]) -> Result<Vec<Result<Key, Refusal>>, StoreError> {
        write::write(self, table, rows)
    }

    fn delete(
        &mut self,
        table: &TrackedTable,
        rows: &[(Key, Tombstone)],
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        write::delete(self, table, rows)
    }

    fn save_states(&mut self, table: &TrackedTable, records: &[Record]) -> Result<(), StoreError> {
        for record in records {
            let state = record.state.clone();
            let stored = crate::engine::Stored { uid: record.uid, hash: record.hash, home: false, state };
            self.cache.put_state(table.number, &record.key, Some(stored));
        }
        Ok(())
    }

    fn digests(&mut self) -> Result<HashMap<u32, Digest>, StoreError> {
        self.keep_digests()?;
        digest::all(&mut self.client)
    }

    fn save_digests(&mut self, digests: &HashMap<u32, Digest>) -> Result<(), StoreError> {
        self.keep_digests()?;
        digest::save(&mut self.client, digests)
    }

    fn standing(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Standing>, StoreError> {
        digest::standing(self, table, uids)
    }

    fn each_hash(&mut self, table: &TrackedTable, each: &mut dyn FnMut(Uid, u64, Seq)) -> Result<(), StoreError> {
        digest::each(self, table, each)
    }

    fn different(&mut self, link: LinkId) -> Result<Vec<DifferentRecord>, StoreError> {
        different::of(&mut self.client, link)
    }

    fn save_different(&mut self, records: &[DifferentRecord]) -> Result<(), StoreError> {
        different::save(&mut self.client, records)
    }

    fn forget_different(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
        different::forget(&mut self.client, link, records)
    }

    fn save_tombstones(&mut self, tombstones: &[Tombstone]) -> Result<(), StoreError> {
        use crate::engine::Engine as _;
        tombstones.iter().try_for_each(|tombstone| self.keep_tombstone(tombstone, None))
    }

    fn referrers(&mut self, table: &TrackedTable, keys: &[Key]) -> Result<Vec<Vec<Referrer>>, StoreError> {
        referrers::referrers(self, table, keys)
    }

    fn links(&mut self) -> Result<Vec<Link>, StoreError> {
        ledger::links(&mut self.client)
    }

    fn add_link(&mut self, link: &Link) -> Result<LinkId, StoreError> {
        ledger::add_link(&mut self.client, link)
    }

    fn save_link(&mut self, link: &Link) -> Result<(), StoreError> {
        ledger::save_link(&mut self.client, link)
    }

    fn held(&mut self, link: Option<LinkId>) -> Result<Vec<Held>, StoreError> {
        ledger_tables::held(&mut self.client, link)
    }

    fn save_held(&mut self, held: &[Held]) -> Result<(), StoreError> {
        ledger_tables::save_held(&mut self.client, held)
    }

    fn drop_held(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
        ledger_tables::drop_held(&mut self.client, link, records)
    }

    fn add_dropped(&mut self, dropped: &Dropped) -> Result<(), StoreError> {
        ledger_tables::add_dropped(&mut self.client, dropped)
    }

    fn dropped(&mut self) -> Result<Vec<Dropped>, StoreError> {
        ledger_tables::dropped(&mut self.client)
    }

    fn beside(&mut self, table: &TrackedTable) -> Result<Vec<Beside>, StoreError> {
        beside::all(self, table.number)
    }

    fn merged(&mut self) -> Result<HashMap<(u32, Uid), Uid>, StoreError> {
        states::merged(self)
    }

    fn rename(&mut self, table: &TrackedTable, from: Uid, into: Uid) -> Result<(), StoreError> {
        self.cache.forget_rows();
        crate::merged::rename(self, table, from, into)?;
        self.flush()?;
        self.cache.forget_read();
        Ok(())
    }

    fn repoint(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
        crate::merged::repoint(self, table, from, into)?;
        self.flush()?;
        self.cache.forget_read();
        Ok(())
    }

    fn unmet_references(&mut self) -> Result<HashMap<(u32, Uid), String>, StoreError> {
        asked::unmet_references(self)
    }

    fn learn_columns(&mut self, number: u32, columns: &[(String, Option<String>)]) -> Result<(), StoreError> {
        setup::learn(self, number, columns)
    }

    fn place_targets(&mut self) -> Result<u64, StoreError> {
        crate::place::targets(self)
    }

    fn holders(
        &mut self,
        table: &TrackedTable,
        column: usize,
        values: &[Value],
    ) -> Result<HashMap<Value, Vec<Uid>>, StoreError> {
        asked::holders(self, table, column, values)
    }

    fn last_in_series(&mut self, table: &TrackedTable, column: usize, prefix: &str) -> Result<Option<u64>, StoreError> {
        asked::last_in_series(self, table, column, prefix)
    }

    fn add_conflicts(&mut self, conflicts: &[Conflict]) -> Result<Vec<bool>, StoreError> {
        conflicts::add(&mut self.client, &mut self.writers, conflicts)
    }

    fn add_decision(&mut self, decision: &Decision) -> Result<(), StoreError> {
        decisions::add(&mut self.client, &mut self.writers, decision)
    }

    fn decisions(&mut self) -> Result<Vec<Decision>, StoreError> {
        decisions::all(&mut self.client, &mut self.writers)
    }

    fn numbered_conflicts(&mut self) -> Result<Vec<(u64, Conflict)>, StoreError> {
        conflicts::all(&mut self.client, &mut self.writers)
    }

    fn counts(&mut self, link: LinkId) -> Result<LinkCounts, StoreError> {
        ledger_tables::counts(&mut self.client, link)
    }

    fn add_receipts(&mut self, receipts: &[StoredReceipt]) -> Result<(), StoreError> {
        ledger_tables::add_receipts(&mut self.client, receipts)
    }

    fn receipts_to_send(&mut self, link: LinkId) -> Result<Vec<StoredReceipt>, StoreError> {
        ledger_tables::receipts_to_send(&mut self.client, link)
    }

    fn has_new_receipts(&mut self, link: LinkId) -> Result<bool, StoreError> {
        ledger_tables::has_new_receipts(&mut self.client, link)
    }

    fn receipts_carried(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
        ledger_tables::receipts_carried(&mut self.client, link, number)
    }

    fn receipts_arrived(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
        ledger_tables::receipts_arrived(&mut self.client, link, number)
    }

    fn save_received_receipts(&mut self, receipts: &[StoredReceipt], at: TimeMs) -> Result<(), StoreError> {
        ledger_tables::save_received_receipts(&mut self.client, receipts, at)
    }

    fn received_receipts(&mut self) -> Result<Vec<StoredReceipt>, StoreError> {
        ledger_tables::received_receipts(&mut self.client)
    }

    fn act_as(&mut self, user: &str) {
        user.clone_into(&mut self.user);
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn append_log(&mut self, entries: &[Logged]) -> Result<(), StoreError> {
        log::append(&mut self.client, entries)
    }

    fn log_end(&mut self) -> Result<LogEnd, StoreError> {
        let last = log::last(&mut self.client)?;
        crate::log::end(self, last)
    }

    fn log_entries(&mut self, after: u64, limit: u64) -> Result<Vec<Logged>, StoreError> {
        log::entries(&mut self.client, after, limit)
    }

    fn search_log(&mut self, filter: &LogFilter) -> Result<Vec<Logged>, StoreError> {
        log::search(&mut self.client, filter)
    }

    fn is_refusal_logged(&mut self, entry: &LogEntry) -> Result<bool, StoreError> {
        log::holds_refusal(&mut self.client, entry)
    }
}
