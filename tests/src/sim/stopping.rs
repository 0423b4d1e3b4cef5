//! A store behind which the program ends at a chosen call.
//!
//! From that call on every verb fails, as nothing happens any more once the power is gone. The store is then dropped
//! with whatever transaction is open, and another one is opened on the database as it is found.

use std::collections::HashMap;
use std::ops::ControlFlow;

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::{BundleNumber, LinkId, LogEntry, Seq, TimeMs, Uid, Value};
use saddlebag_stores::difference::{Difference, HomeRow};
use saddlebag_stores::digest::{Digest, Standing};
use saddlebag_stores::ledger::{
    Beside, Conflict, Decision, DifferentRecord, Dropped, Held, Link, LinkCounts, StoredReceipt,
};
use saddlebag_stores::log::{LogEnd, LogFilter, Logged};
use saddlebag_stores::record::{Absorbed, Key, Known, Record, Referrer, Refusal, RowWrite, Tombstone};
use saddlebag_stores::schema::{Catalogue, ColumnEvidence, ColumnQuestion, Schema};
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::{Numbering, TrackedTable, Tracking};
use saddlebag_stores::{Access, Store, StoreError};

/// A SQLite store that answers a number of calls, and none after.
#[derive(Debug)]
pub struct Stopping {
    store: SqliteStore,
    calls_left: u64,
}

impl Stopping {
    /// A store that answers so many calls.
    #[must_use]
    pub fn after(calls: u64, store: SqliteStore) -> Self {
        Self { store, calls_left: calls }
    }

    /// Whether the program has ended by now.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.calls_left == 0
    }

    fn call(&mut self) -> Result<(), StoreError> {
        self.calls_left = self.calls_left.saturating_sub(1);
        if self.has_stopped() {
            let (action, reason) = ("working".to_owned(), "the power is gone".to_owned());
            return Err(StoreError::Engine { action, reason });
        }
        Ok(())
    }
}

macro_rules! answer {
    ($(fn $verb:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Store for Stopping {
            fn keeps_snapshots(&self) -> bool {
                self.store.keeps_snapshots()
            }

            fn use_tracking(&mut self, tracking: Tracking) {
                self.store.use_tracking(tracking);
            }

            fn tracking(&self) -> &Tracking {
                self.store.tracking()
            }

            fn give_way(&mut self) {
                self.store.give_way();
            }

            fn act_as(&mut self, user: &str) {
                self.store.act_as(user);
            }

            fn user(&self) -> &str {
                self.store.user()
            }

            $(
                fn $verb(&mut self $(, $argument: $type)*) -> Result<$answer, StoreError> {
                    self.call()?;
                    self.store.$verb($($argument),*)
                }
            )+
        }
    };
}

answer! {
    fn missing_rights(tables: &[String]) -> Vec<String>;
    fn schema() -> Schema;
    fn catalogue() -> Option<Catalogue>;
    fn evidence(questions: &[ColumnQuestion]) -> Vec<ColumnEvidence>;
    fn install(tracking: &Tracking) -> ();
    fn forget_states(table: u32) -> ();
    fn installed() -> Option<Numbering>;
    fn uninstall() -> ();
    fn missing_triggers() -> Vec<String>;
    fn tables_without_triggers() -> Vec<u32>;
    fn look_again(table: u32) -> ();
    fn restore_triggers() -> ();
    fn recheck(table: u32) -> ();
    fn check(table: &TrackedTable, found: &mut dyn FnMut(Difference)) -> u64;
    fn home_rows(table: &TrackedTable) -> Vec<HomeRow>;
    fn now() -> TimeMs;
    fn begin(access: Access) -> ();
    fn commit() -> ();
    fn rollback() -> ();
    fn savepoint() -> ();
    fn rollback_to_savepoint() -> ();
    fn release_savepoint() -> ();
    fn setting(name: &str) -> Option<Vec<u8>>;
    fn set_setting(name: &str, value: &[u8]) -> ();
    fn journal_rows() -> u64;
    fn journal_existing(table: u32, limit: u64) -> u64;
    fn hash_references() -> ();
    fn absorb(context: &AbsorbContext, entropy: &mut dyn Entropy) -> Absorbed;
    fn last_seq() -> Seq;
    fn next_seq() -> Seq;
    fn feed_cut(after: Seq, limit: u64) -> Option<Seq>;
    fn feed_each(
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>
    ) -> ();
    fn deleted(table: &TrackedTable, after: Seq, upto: Seq) -> Vec<Tombstone>;
    fn deleted_each(
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Tombstone>) -> Result<ControlFlow<()>, StoreError>
    ) -> ();
    fn feed_length(after: Seq) -> u64;
    fn records(table: &TrackedTable, uids: &[Uid]) -> HashMap<Uid, Known>;
    fn keys(table: &TrackedTable, uids: &[Uid]) -> HashMap<Uid, Key>;
    fn uid_at(table: &TrackedTable, key: &Key) -> Option<Uid>;
    fn write(table: &TrackedTable, rows: &[RowWrite]) -> Vec<Result<Key, Refusal>>;
    fn delete(table: &TrackedTable, rows: &[(Key, Tombstone)]) -> Vec<Result<(), Refusal>>;
    fn save_states(table: &TrackedTable, records: &[Record]) -> ();
    fn save_tombstones(tombstones: &[Tombstone]) -> ();
    fn referrers(table: &TrackedTable, keys: &[Key]) -> Vec<Vec<Referrer>>;
    fn links() -> Vec<Link>;
    fn add_link(link: &Link) -> LinkId;
    fn save_link(link: &Link) -> ();
    fn held(link: Option<LinkId>) -> Vec<Held>;
    fn save_held(held: &[Held]) -> ();
    fn drop_held(link: LinkId, records: &[(String, Uid)]) -> ();
    fn add_dropped(dropped: &Dropped) -> ();
    fn dropped() -> Vec<Dropped>;
    fn beside(table: &TrackedTable) -> Vec<Beside>;
    fn merged() -> HashMap<(u32, Uid), Uid>;
    fn rename(table: &TrackedTable, from: Uid, into: Uid) -> ();
    fn repoint(table: &TrackedTable, from: &Key, into: &Key) -> ();
    fn unmet_references() -> HashMap<(u32, Uid), String>;
    fn learn_columns(number: u32, columns: &[(String, Option<String>)]) -> ();
    fn place_targets() -> u64;
    fn holders(table: &TrackedTable, column: usize, values: &[Value]) -> HashMap<Value, Vec<Uid>>;
    fn last_in_series(table: &TrackedTable, column: usize, prefix: &str) -> Option<u64>;
    fn add_conflicts(conflicts: &[Conflict]) -> Vec<bool>;
    fn numbered_conflicts() -> Vec<(u64, Conflict)>;
    fn add_decision(decision: &Decision) -> ();
    fn decisions() -> Vec<Decision>;
    fn digests() -> HashMap<u32, Digest>;
    fn save_digests(digests: &HashMap<u32, Digest>) -> ();
    fn standing(table: &TrackedTable, uids: &[Uid]) -> HashMap<Uid, Standing>;
    fn each_hash(table: &TrackedTable, each: &mut dyn FnMut(Uid, u64, Seq)) -> ();
    fn different(link: LinkId) -> Vec<DifferentRecord>;
    fn save_different(records: &[DifferentRecord]) -> ();
    fn forget_different(link: LinkId, records: &[(String, Uid)]) -> ();
    fn counts(link: LinkId) -> LinkCounts;
    fn add_receipts(receipts: &[StoredReceipt]) -> ();
    fn receipts_to_send(link: LinkId) -> Vec<StoredReceipt>;
    fn has_new_receipts(link: LinkId) -> bool;
    fn receipts_carried(link: LinkId, number: BundleNumber) -> ();
    fn receipts_arrived(link: LinkId, number: BundleNumber) -> ();
    fn save_received_receipts(receipts: &[StoredReceipt], at: TimeMs) -> ();
    fn received_receipts() -> Vec<StoredReceipt>;
    fn log(entries: &[LogEntry]) -> ();
    fn append_log(entries: &[Logged]) -> ();
    fn log_end() -> LogEnd;
    fn log_entries(after: u64, limit: u64) -> Vec<Logged>;
    fn search_log(filter: &LogFilter) -> Vec<Logged>;
    fn is_refusal_logged(entry: &LogEntry) -> bool;
}
