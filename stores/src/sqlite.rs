//! The application's database on SQLite.
//!
//! Saddlebag never changes the journal mode, never checkpoints the application's log, and holds the write lock
//! only from [`Store::begin`] to [`Store::commit`].

mod affinity;
mod beside;
mod catalogue;
pub mod clock;
mod columns;
mod decisions;
mod different;
mod digest;
mod feed;
mod forget;
mod forms;
mod holders;
mod install;
mod journal;
mod ledger;
mod ledger_tables;
mod log;
mod merged;
mod names;
mod place;
mod referrers;
mod rows;
mod schema;
mod sql;
mod states;
mod texts;
mod triggers;
mod unmatched;
mod unmet;
mod values;
mod write;
mod writers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::{BundleNumber, LinkId, LogEntry, Seq, TimeMs, Uid, Value};

use crate::difference::{Difference, HomeRow};
use crate::digest::{Changed, Digest, Standing};
use crate::engine::{Engine, Rows, Stored, Taken, Waiting};
use crate::error::StoreError;
use crate::ledger::{Beside, Conflict, Decision, DifferentRecord, Dropped, Held, Link, LinkCounts, StoredReceipt};
use crate::log::{LogEnd, LogFilter, Logged};
use crate::record::{Absorbed, Key, Known, Record, Referrer, Refusal, RowWrite, Tombstone};
use crate::referring::ReferringColumn;
use crate::schema::{Catalogue, ColumnEvidence, ColumnQuestion, Schema};
use crate::store::{AbsorbContext, Access, Store};
use crate::tracking::{Numbering, TrackedColumn, TrackedTable, Tracking};

/// How long another program's lock is waited for.
const BUSY_TIMEOUT_S: u64 = 20;

/// Memory for pages of the database, in KiB.
const CACHE_KIB: i32 = 64 * 1024;

/// An SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    tracking: Rc<Tracking>,
    /// Who refers to a tracked table: by its number.
    referring: HashMap<u32, Vec<ReferringColumn>>,
    writers: writers::Writers,
    /// The last place given in the feed, while a transaction is open.
    last_seq: Option<Seq>,
    /// How this transaction was begun.
    access: Option<Access>,
    /// What is tracked without the columns that this transaction has learnt.
    before_learning: Option<Rc<Tracking>>,
    texts: texts::Texts,
    /// Tables in which some record is deleted, once that was asked for in this transaction.
    buried: Option<HashSet<u32>>,
    /// Up to where setup has looked for rows without a state, by table.
    looked_at: HashMap<u32, Key>,
    /// Rows because of which a trigger undid a whole transaction, by table and record, with its words.
    undoing: HashMap<(u32, Uid), String>,
    /// Who works here, as the log names him.
    user: String,
    /// What this transaction has yet to add to the kept digests.
    changed_digests: Changed,
    /// What stood in the row state that was written over last.
    state_before: Arc<digest::Before>,
}

impl SqliteStore {
    /// Opens an existing database.
    ///
    /// # Errors
    /// [`StoreError::Open`] if there is none, or it is none of SQLite's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::Open {
            url: format!("sqlite:{}", path.display()),
            reason: error.to_string(),
        };
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S)).map_err(failed)?;
        // The log belongs to the application, whose SQLite may be an older one: we never checkpoint it.
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        // A bundle that outgrows the cache would keep the application's readers out before its commit.
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
        feed::register(&connection).map_err(failed)?;
        let state_before = digest::register(&connection).map_err(failed)?;
        // A statement keeps its plan whatever is bound to it: otherwise SQLite prepares many of them anew for each row.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(512);
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        Ok(Self {
            connection,
            tracking: Rc::default(),
            referring: HashMap::new(),
            writers: writers::Writers::default(),
            last_seq: None,
            access: None,
            before_learning: None,
            texts: texts::Texts::default(),
            buried: None,
            looked_at: HashMap::new(),
            undoing: HashMap::new(),
            user: crate::log::SOMEBODY.to_owned(),
            changed_digests: Changed::default(),
            state_before,
        })
    }

    /// Lets the database grow to so many pages and no further, as a full disk does: for tests.
    pub fn limit_pages(&mut self, pages: i64) {
        let _granted = self.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
    }

    /// Has this connection take a clock's time, in milliseconds since 1970, for the present: for tests.
    ///
    /// # Errors
    /// The engine's.
    pub fn use_clock(&mut self, clock: Arc<AtomicI64>) -> Result<(), StoreError> {
        clock::use_clock(&self.connection, clock).map_err(|error| engine("changing its clock", &error))
    }

    fn execute(&self, action: &str, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(|error| engine(action, &error))
    }

    /// Remembers the row because of which a trigger undid the transaction.
    fn note_undoing<T>(
        &mut self,
        table: &TrackedTable,
        uid: Uid,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        outcome.map_err(|error| match error {
            StoreError::RolledBack { reason, .. } => {
                self.undoing.insert((table.number, uid), reason.clone());
                StoreError::RolledBack { table: table.name.clone(), reason }
            }
            other => other,
        })
    }

    /// Works with columns that were learnt just now, until the transaction is undone.
    fn replace_tracking(&mut self, tracking: Tracking) {
        self.texts.forget();
        let before = std::mem::replace(&mut self.tracking, Rc::new(tracking));
        self.before_learning.get_or_insert(before);
    }

    /// Adds what has changed to the kept digests.
    fn keep_digests(&mut self) -> Result<(), StoreError> {
        digest::add(&self.connection, &self.changed_digests.take())
    }

    fn load_last_seq(&mut self) -> Result<Seq, StoreError> {
        if let Some(seq) = self.last_seq {
            return Ok(seq);
        }
        let bytes = ledger::setting(&self.connection, "last_seq")?;
        let seq = match bytes {
            None => Seq(0),
            Some(bytes) => Seq(u64::from_le_bytes(bytes.try_into().map_err(|_| StoreError::Damaged {
                what: "the feed's last place".to_owned(),
                reason: "it is not eight bytes long".to_owned(),
            })?)),
        };
        self.last_seq = Some(seq);
        Ok(seq)
    }
}

/// An error of the engine, told apart where that helps.
fn engine(action: &str, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy { waited_s: BUSY_TIMEOUT_S },
        _ => StoreError::Engine { action: action.to_owned(), reason: error.to_string() },
    }
}

impl Store for SqliteStore {
    fn schema(&mut self) -> Result<Schema, StoreError> {
        schema::read(&self.connection).map_err(|error| engine("reading its schema", &error))
    }

    fn catalogue(&mut self) -> Result<Option<Catalogue>, StoreError> {
        let schema = self.schema()?;
        let failed = |error| engine("reading the application's catalogue", &error);
        catalogue::read(&self.connection, &schema).map_err(failed)
    }

    fn evidence(&mut self, questions: &[ColumnQuestion]) -> Result<Vec<ColumnEvidence>, StoreError> {
        let failed = |error| engine("looking at the values of a column", &error);
        questions.iter().map(|question| catalogue::evidence(&self.connection, question).map_err(failed)).collect()
    }

    fn forget_states(&mut self, table: u32) -> Result<(), StoreError> {
        self.changed_digests.forget(table);
        forget::forget_states(&self.connection, table)
    }

    fn install(&mut self, tracking: &Tracking) -> Result<(), StoreError> {
        install::install(self, tracking)
    }

    fn installed(&mut self) -> Result<Option<Numbering>, StoreError> {
        install::installed(&self.connection)
    }

    fn use_tracking(&mut self, tracking: Tracking) {
        self.referring = HashMap::new();
        self.texts.forget();
        self.looked_at.clear();
        // Where the application has no triggers of its own, ours are all there are, and they must not take what
        // saddlebag writes for edits. Where it has some, they must run; absorb then tells our own writes by the
        // row hash.
        let with_triggers = tracking.has_triggers;
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, with_triggers);
        self.tracking = Rc::new(tracking);
    }

    fn tracking(&self) -> &Tracking {
        &self.tracking
    }

    fn uninstall(&mut self) -> Result<(), StoreError> {
        self.changed_digests = Changed::default();
        install::uninstall(&self.connection)
    }

    fn missing_triggers(&mut self) -> Result<Vec<String>, StoreError> {
        triggers::missing_triggers(&self.connection, &self.tracking)
    }

    fn tables_without_triggers(&mut self) -> Result<Vec<u32>, StoreError> {
        triggers::tables_without(&self.connection, &self.tracking)
    }

    fn restore_triggers(&mut self) -> Result<(), StoreError> {
        triggers::restore_triggers(&self.connection, &self.tracking)
    }

    fn recheck(&mut self, table: u32) -> Result<(), StoreError> {
        match self.tracking.by_number(table) {
            Some(table) => journal::recheck(&self.connection, table),
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
        unmatched::now(&self.connection)
    }

    fn begin(&mut self, access: Access) -> Result<(), StoreError> {
        let sql = match access {
            // A deferred transaction has its snapshot from its first read.
            Access::Read => "BEGIN; SELECT count(*) FROM sqlite_schema;",
            Access::Write => "BEGIN IMMEDIATE",
        };
        // The snapshot's read may fail where the beginning did not.
        self.execute("beginning a transaction", sql).inspect_err(|_| drop(self.rollback()))?;
        self.access = Some(access);
        self.changed_digests = Changed::default();
        self.buried = None;
        self.last_seq = None;
        self.writers.forget();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.keep_digests()?;
        if let (Some(Access::Write), Some(seq)) = (self.access, self.last_seq) {
            ledger::set_setting(&self.connection, "last_seq", &seq.0.to_le_bytes())?;
        }
        self.execute("writing a transaction", "COMMIT")?;
        self.access = None;
        self.before_learning = None;
        self.undoing.clear();
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.access = None;
        self.changed_digests = Changed::default();
        self.last_seq = None;
        self.buried = None;
        self.looked_at.clear();
        self.writers.forget();
        if let Some(before) = self.before_learning.take() {
            self.texts.forget();
            self.tracking = before;
        }
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("undoing a transaction", "ROLLBACK")
    }

    fn savepoint(&mut self) -> Result<(), StoreError> {
        self.load_last_seq()?;
        self.keep_digests()?;
        self.execute("marking a savepoint", "SAVEPOINT saddlebag")
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError> {
        // Places in the feed that were given since are lost: a gap in the feed means nothing.
        self.changed_digests = Changed::default();
        self.buried = None;
        self.writers.forget();
        self.execute("going back to a savepoint", "ROLLBACK TO saddlebag")
    }

    fn release_savepoint(&mut self) -> Result<(), StoreError> {
        self.execute("giving up a savepoint", "RELEASE saddlebag")
    }

    fn setting(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::setting(&self.connection, name)
    }

    fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        ledger::set_setting(&self.connection, name, value)
    }

    fn journal_rows(&mut self) -> Result<u64, StoreError> {
        journal::count(&self.connection, &self.tracking)
    }

    fn journal_existing(&mut self, table: u32, limit: u64) -> Result<u64, StoreError> {
        match self.tracking.by_number(table) {
            Some(table) => journal::existing(self, &table.clone(), limit),
            None => Ok(0),
        }
    }

    fn hash_references(&mut self) -> Result<(), StoreError> {
        crate::rehash::references(self)
    }

    fn absorb(&mut self, context: &AbsorbContext, entropy: &mut dyn Entropy) -> Result<Absorbed, StoreError> {
        crate::absorb::absorb(self, context, entropy)
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
        feed::cut(&self.connection, &self.tracking, after, limit)
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
        feed::length(&self.connection, &self.tracking, after)
    }

    fn records(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Known>, StoreError> {
        rows::records(self, table, uids)
    }

    fn keys(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Key>, StoreError> {
        states::keys(self, table, uids)
    }

    fn uid_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError> {
        states::uid_at_key(self, table, key)
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
        states::save_all(self, table, records)
    }

    fn digests(&mut self) -> Result<HashMap<u32, Digest>, StoreError> {
        self.keep_digests()?;
        digest::all(&self.connection)
    }

    fn save_digests(&mut self, digests: &HashMap<u32, Digest>) -> Result<(), StoreError> {
        self.keep_digests()?;
        digest::save(&self.connection, digests)
    }

    fn standing(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Standing>, StoreError> {
        digest::standing(self, table, uids)
    }

    fn each_hash(&mut self, table: &TrackedTable, each: &mut dyn FnMut(Uid, u64, Seq)) -> Result<(), StoreError> {
        digest::each(&self.connection, table, each)
    }

    fn different(&mut self, link: LinkId) -> Result<Vec<DifferentRecord>, StoreError> {
        different::of(&self.connection, link)
    }

    fn save_different(&mut self, records: &[DifferentRecord]) -> Result<(), StoreError> {
        different::save(&self.connection, records)
    }

    fn forget_different(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
        different::forget(&self.connection, link, records)
    }

    fn save_tombstones(&mut self, tombstones: &[Tombstone]) -> Result<(), StoreError> {
        tombstones.iter().try_for_each(|tombstone| states::save_tombstone(self, tombstone, None))
    }

    fn referrers(&mut self, table: &TrackedTable, keys: &[Key]) -> Result<Vec<Vec<Referrer>>, StoreError> {
        referrers::referrers(self, table, keys)
    }

    fn links(&mut self) -> Result<Vec<Link>, StoreError> {
        ledger::links(&self.connection)
    }

    fn add_link(&mut self, link: &Link) -> Result<LinkId, StoreError> {
        ledger::add_link(&self.connection, link)
    }

    fn save_link(&mut self, link: &Link) -> Result<(), StoreError> {
        ledger::save_link(&self.connection, link)
    }

    fn held(&mut self, link: Option<LinkId>) -> Result<Vec<Held>, StoreError> {
        ledger_tables::held(&self.connection, link)
    }

    fn save_held(&mut self, held: &[Held]) -> Result<(), StoreError> {
        held.iter().try_for_each(|held| ledger_tables::save_held(&self.connection, held))
    }

    fn drop_held(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
        records.iter().try_for_each(|(table, uid)| ledger_tables::drop_held(&self.connection, link, table, *uid))
    }

    fn add_dropped(&mut self, dropped: &Dropped) -> Result<(), StoreError> {
        ledger_tables::add_dropped(&self.connection, dropped)
    }

    fn dropped(&mut self) -> Result<Vec<Dropped>, StoreError> {
        ledger_tables::dropped(&self.connection)
    }

    fn beside(&mut self, table: &TrackedTable) -> Result<Vec<Beside>, StoreError> {
        beside::all(&self.connection, table)
    }

    fn merged(&mut self) -> Result<HashMap<(u32, Uid), Uid>, StoreError> {
        merged::all(self)
    }

    fn rename(&mut self, table: &TrackedTable, from: Uid, into: Uid) -> Result<(), StoreError> {
        crate::merged::rename(self, table, from, into)
    }

    fn repoint(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
        crate::merged::repoint(self, table, from, into)
    }

    fn unmet_references(&mut self) -> Result<HashMap<(u32, Uid), String>, StoreError> {
        unmet::references(self)
    }

    fn learn_columns(&mut self, number: u32, columns: &[(String, Option<String>)]) -> Result<(), StoreError> {
        columns::learn(self, number, columns)
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
        holders::holders(&self.connection, table, column, values)
    }

    fn last_in_series(&mut self, table: &TrackedTable, column: usize, prefix: &str) -> Result<Option<u64>, StoreError> {
        holders::last_in_series(&self.connection, table, column, prefix)
    }

    fn add_conflicts(&mut self, conflicts: &[Conflict]) -> Result<Vec<bool>, StoreError> {
        let (connection, writers) = (&self.connection, &mut self.writers);
        conflicts.iter().map(|conflict| ledger_tables::add_conflict(connection, writers, conflict)).collect()
    }

    fn add_decision(&mut self, decision: &Decision) -> Result<(), StoreError> {
        decisions::add(&self.connection, &mut self.writers, decision)
    }

    fn decisions(&mut self) -> Result<Vec<Decision>, StoreError> {
        decisions::all(&self.connection, &mut self.writers)
    }

    fn numbered_conflicts(&mut self) -> Result<Vec<(u64, Conflict)>, StoreError> {
        ledger_tables::conflicts(&self.connection, &mut self.writers)
    }

    fn counts(&mut self, link: LinkId) -> Result<LinkCounts, StoreError> {
        ledger_tables::counts(&self.connection, link)
    }

    fn add_receipts(&mut self, receipts: &[StoredReceipt]) -> Result<(), StoreError> {
        receipts.iter().try_for_each(|receipt| ledger_tables::add_receipt(&self.connection, receipt))
    }

    fn receipts_to_send(&mut self, link: LinkId) -> Result<Vec<StoredReceipt>, StoreError> {
        ledger_tables::receipts_to_send(&self.connection, link)
    }

    fn has_new_receipts(&mut self, link: LinkId) -> Result<bool, StoreError> {
        ledger_tables::has_new_receipts(&self.connection, link)
    }

    fn receipts_carried(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
        ledger_tables::receipts_carried(&self.connection, link, number)
    }

    fn receipts_arrived(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError> {
        ledger_tables::receipts_arrived(&self.connection, link, number)
    }

    fn save_received_receipts(&mut self, receipts: &[StoredReceipt], at: TimeMs) -> Result<(), StoreError> {
        receipts.iter().try_for_each(|receipt| ledger_tables::save_received_receipt(&self.connection, receipt, at))
    }

    fn received_receipts(&mut self) -> Result<Vec<StoredReceipt>, StoreError> {
        ledger_tables::received_receipts(&self.connection)
    }

    fn act_as(&mut self, user: &str) {
        user.clone_into(&mut self.user);
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn append_log(&mut self, entries: &[Logged]) -> Result<(), StoreError> {
        log::append(&self.connection, entries)
    }

    fn log_end(&mut self) -> Result<LogEnd, StoreError> {
        let last = log::last(&self.connection)?;
        crate::log::end(self, last)
    }

    fn log_entries(&mut self, after: u64, limit: u64) -> Result<Vec<Logged>, StoreError> {
        log::entries(&self.connection, after, limit)
    }

    fn search_log(&mut self, filter: &LogFilter) -> Result<Vec<Logged>, StoreError> {
        log::search(&self.connection, filter)
    }

    fn is_refusal_logged(&mut self, entry: &LogEntry) -> Result<bool, StoreError> {
        log::holds_refusal(&self.connection, entry)
    }
}

impl Engine for SqliteStore {
    fn tables(&self) -> Rc<Tracking> {
        Rc::clone(&self.tracking)
    }

    fn take_entries(&mut self, tables: &[TrackedTable], limit: u64) -> Result<BTreeMap<u32, Taken>, StoreError> {
        let mut taken = BTreeMap::new();
        for table in tables {
            let (entries, with_state) = journal::take(&self.connection, table, limit)?;
            if !entries.is_empty() {
                taken.insert(table.number, Taken { entries, with_state });
            }
        }
        Ok(taken)
    }

    fn state_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Stored>, StoreError> {
        states::at_key(self, table, key)
    }

    fn save_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        states::save(self, table, key, stored)
    }

    fn save_new_state(&mut self, table: &TrackedTable, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        states::save_new(self, table, key, stored)
    }

    fn remove_state(&mut self, table: &TrackedTable, key: &Key) -> Result<(), StoreError> {
        states::remove(self, table, key)
    }

    fn any_at_home(&mut self) -> Result<bool, StoreError> {
        states::any_at_home(self, &self.tracking)
    }

    fn at_home(&mut self, table: &TrackedTable) -> Result<Vec<(Key, Uid)>, StoreError> {
        states::at_home(self, table)
    }

    fn tombstone(&mut self, table: u32, uid: Uid) -> Result<Option<Tombstone>, StoreError> {
        states::tombstone(self, table, uid)
    }

    fn keep_tombstone(&mut self, tombstone: &Tombstone, key: Option<&Key>) -> Result<(), StoreError> {
        states::save_tombstone(self, tombstone, key)
    }

    fn remove_tombstone(&mut self, table: u32, uid: Uid) -> Result<(), StoreError> {
        states::remove_tombstone(self, table, uid)
    }

    fn deleted_at(&mut self, table: u32, key: &Key) -> Result<Option<Uid>, StoreError> {
        states::deleted_at(self, table, key)
    }

    fn row(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        rows::row(self, table, key)
    }

    fn local_values(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        rows::local_values(self, table, key)
    }

    fn local_value(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
    ) -> Result<Option<Value>, StoreError> {
        beside::local_value(&self.connection, table, &column.name, key)
    }

    fn write_column(
        &mut self,
        table: &TrackedTable,
        column: &TrackedColumn,
        key: &Key,
        value: &Value,
    ) -> Result<bool, StoreError> {
        columns::write(self, table, column, key, value)
    }

    fn beside_of(&mut self, table: u32, uid: Uid) -> Result<Vec<Beside>, StoreError> {
        beside::of(&self.connection, table, uid)
    }

    fn put_beside(&mut self, table: u32, all: &[Beside]) -> Result<(), StoreError> {
        beside::put(&self.connection, table, all)
    }

    fn forget_beside(&mut self, table: u32, uid: Uid, columns: &[u16]) -> Result<(), StoreError> {
        beside::forget(&self.connection, table, uid, columns)
    }

    fn forget_all_beside(&mut self, table: u32, uid: Uid) -> Result<(), StoreError> {
        beside::forget_all(&self.connection, table, uid)
    }

    fn rename_beside(&mut self, table: u32, from: Uid, into: Uid) -> Result<(), StoreError> {
        beside::rename(&self.connection, table, from, into)
    }

    fn waiting(&mut self, after: Seq) -> Result<Vec<Waiting>, StoreError> {
        place::waiting(self, after)
    }

    fn query_names(&mut self, table: &TrackedTable, query: &str) -> Result<HashMap<Value, String>, StoreError> {
        names::query_names(self, table, query)
    }

    fn referring_rows(&mut self, table: &TrackedTable, key: &Key) -> Result<Rows, StoreError> {
        merged::referring_rows(self, table, key)
    }

    fn point(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError> {
        merged::point(self, table, from, into)
    }

    fn page(&mut self, table: &TrackedTable, after: Option<Uid>, limit: usize) -> Result<Vec<Record>, StoreError> {
        // No uid is an empty blob: all come after it.
        let after = after.map_or_else(Vec::new, |uid| uid.0.to_vec());
        rows::read(self, table, &format!("s.uid > ?1 ORDER BY s.uid LIMIT {limit}"), [after])
    }

    fn unseen_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key)) -> Result<(), StoreError> {
        unmatched::unseen_rows(&self.connection, table, found)
    }

    fn lost_rows(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Key, Uid)) -> Result<(), StoreError> {
        unmatched::lost_rows(&self.connection, table, found)
    }

    fn count_rows(&mut self, table: &TrackedTable) -> Result<u64, StoreError> {
        unmatched::count_rows(&self.connection, table)
    }

    fn note_first_sight(&mut self, table: &TrackedTable, new: &[&TrackedColumn]) -> Result<(), StoreError> {
        columns::note_first_sight(&self.connection, table, new)
    }

    fn note_present(&mut self, table: u32, column: u16) -> Result<(), StoreError> {
        columns::note_present(&self.connection, table, column)
    }
}
