//! The verbs that every database engine must do well, in bulk.

use std::collections::HashMap;
use std::ops::ControlFlow;

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::{BundleNumber, LinkId, LogEntry, LogKind, Seq, TimeMs, Uid, Value, Writer};

use crate::difference::{Difference, HomeRow};
use crate::digest::{Digest, Standing};
use crate::error::StoreError;
use crate::ledger::{
    Beside, Conflict, Decision, DifferentRecord, Dropped, Held, Link, LinkCounts, PeerRole, StoredReceipt,
};
use crate::log::{self, LogEnd, LogFilter, Logged};
use crate::record::{Absorbed, Key, Known, Record, Referrer, Refusal, RowWrite, Tombstone};
use crate::restored;
use crate::schema::{Catalogue, ColumnEvidence, ColumnQuestion, Schema};
use crate::tracking::{TrackedTable, Tracking};

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One snapshot to read; the application may go on writing.
    Read,
    /// The database's write lock.
    Write,
}

/// This node in its present epoch, as absorb needs it.
#[derive(Debug, Clone, Copy)]
pub struct AbsorbContext {
    /// Who writes here.
    pub writer: Writer,
    /// How far the central has acknowledged this node's feed.
    pub acknowledged: Seq,
    /// The link to the central, if there is one.
    pub uplink: Option<LinkId>,
}

impl AbsorbContext {
    /// What absorb needs to know of these links.
    #[must_use]
    pub fn of(writer: Writer, links: &[Link]) -> Self {
        let uplink = links.iter().find(|link| link.role == PeerRole::Central);
        Self {
            writer,
            acknowledged: uplink.map_or(Seq(0), |link| link.acknowledged_upto(writer.epoch)),
            uplink: uplink.map(|link| link.id),
        }
    }
}

/// What every export and import begins with: makes missing triggers again and notes which, and folds the journal into
/// the row states; then puts references in place whose targets have come. Needs a write transaction.
///
/// # Errors
/// The engine's.
pub fn absorb(store: &mut dyn Store, writer: Writer, entropy: &mut dyn Entropy) -> Result<Absorbed, StoreError> {
    let missing = store.missing_triggers()?;
    if !missing.is_empty() {
        store.restore_triggers()?;
        restored::note(store, &missing)?;
        let at = store.now()?;
        let tables = restored::tables_of(store, &missing).into_iter();
        let entry =
            |table: String| LogEntry::by_itself(LogKind::TRIGGERS, at).about_table(&table).because(WERE_MISSING);
        store.log(&tables.map(entry).collect::<Vec<_>>())?;
    }
    let context = AbsorbContext::of(writer, &store.links()?);
    let absorbed = store.absorb(&context, entropy)?;
    if store.place_targets()? > 0 {
        // Where our triggers run for our own writes too, what was put in place is no edit: the row hash tells.
        store.absorb(&context, entropy)?;
    }
    Ok(absorbed)
}

/// Why triggers were made again.
const WERE_MISSING: &str = "triggers were missing: what was written meanwhile is found by comparing its rows";

/// How often the application may slip an edit in between absorb and the snapshot before it is kept out.
const SNAPSHOT_TRIES: u32 = 5;

/// Absorbs, and opens a snapshot in which nothing is left to absorb: a row read there has the values that its versions
/// stand for. The caller ends it with [`Store::commit`].
///
/// # Errors
/// The engine's; a transaction may be open then.
pub fn open_absorbed_snapshot(
    store: &mut dyn Store,
    writer: Writer,
    entropy: &mut dyn Entropy,
) -> Result<(), StoreError> {
    if store.keeps_snapshots() {
        store.begin(Access::Write)?;
        return absorb(store, writer, entropy).map(drop);
    }
    for _ in 0..SNAPSHOT_TRIES {
        store.begin(Access::Write)?;
        absorb(store, writer, entropy)?;
        store.commit()?;
        store.begin(Access::Read)?;
        if store.journal_rows()? == 0 {
            return Ok(());
        }
        store.rollback()?;
    }
    // The application writes all the time: the snapshot is what the write lock keeps still.
    store.begin(Access::Write)?;
    absorb(store, writer, entropy).map(drop)
}

/// The application's database, with what saddlebag keeps in it.
///
/// Verbs that read or write need [`Store::begin`] first; a store that is dropped in a transaction rolls back.
pub trait Store {
    /// Whether a write transaction sees one snapshot while the application goes on writing.
    fn keeps_snapshots(&self) -> bool {
        false
    }

    /// The rights that this user lacks to keep these tables in step, each with what would give it, in words.
    ///
    /// # Errors
    /// The engine's.
    fn missing_rights(&mut self, _tables: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Reads the application's schema.
    ///
    /// # Errors
    /// The engine's.
    fn schema(&mut self) -> Result<Schema, StoreError>;

    /// What the application's own catalogue says of its tables, if it has one that is known.
    ///
    /// # Errors
    /// The engine's.
    fn catalogue(&mut self) -> Result<Option<Catalogue>, StoreError>;

    /// What the values of columns say, for each question in its place.
    ///
    /// # Errors
    /// The engine's.
    fn evidence(&mut self, questions: &[ColumnQuestion]) -> Result<Vec<ColumnEvidence>, StoreError>;

    /// Makes saddlebag's tables and triggers for `tracking`, or brings them in line with it, and remembers it.
    /// Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn install(&mut self, tracking: &Tracking) -> Result<(), StoreError>;

    /// Forgets all that is known of a tracked table's rows, by its number, so that they can be taken in anew; the rows
    /// stay. To be followed by [`Store::install`], which makes empty row states and journal. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn forget_states(&mut self, table: u32) -> Result<(), StoreError>;

    /// What is tracked, as [`Store::install`] last left it: names, with their lasting numbers and ids.
    ///
    /// # Errors
    /// [`StoreError::NotSetUp`], or the engine's.
    fn installed(&mut self) -> Result<Option<crate::tracking::Numbering>, StoreError>;

    /// Works on these tables from now on.
    fn use_tracking(&mut self, tracking: Tracking);

    /// The tables that are worked on.
    fn tracking(&self) -> &Tracking;

    /// Removes every trigger and table of saddlebag. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn uninstall(&mut self) -> Result<(), StoreError>;

    /// Triggers that should be there and are not, or differ from what setup makes.
    ///
    /// # Errors
    /// The engine's.
    fn missing_triggers(&mut self) -> Result<Vec<String>, StoreError>;

    /// The numbers of tables that are without some trigger altogether: the application has built them anew. Those that
    /// are not there are left out.
    ///
    /// # Errors
    /// The engine's.
    fn tables_without_triggers(&mut self) -> Result<Vec<u32>, StoreError>;

    /// Has the next absorb look at a whole table, of which something may have been written after this transaction's
    /// snapshot and before its triggers were there. There is no such time where a write transaction keeps others out.
    ///
    /// # Errors
    /// The engine's.
    fn look_again(&mut self, _table: u32) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes missing triggers again, and has the next absorb look at every row of their tables. Needs a write
    /// transaction.
    ///
    /// # Errors
    /// The engine's.
    fn restore_triggers(&mut self) -> Result<(), StoreError>;

    /// Has the next absorb look at every row of a table, as if each had just been written. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn recheck(&mut self, table: u32) -> Result<(), StoreError>;

    /// Compares the rows of a table with their row states, tells `found` of each that does not fit, and says how many
    /// rows there are. What waits in the journal differs too. No more than some thousand rows are held at a time.
    ///
    /// # Errors
    /// The engine's.
    fn check(&mut self, table: &TrackedTable, found: &mut dyn FnMut(Difference)) -> Result<u64, StoreError>;

    /// Rows of a table that have the identity of another one here and therefore stay at home.
    ///
    /// # Errors
    /// The engine's.
    fn home_rows(&mut self, table: &TrackedTable) -> Result<Vec<HomeRow>, StoreError>;

    /// The time by the clock that the triggers note.
    ///
    /// # Errors
    /// The engine's.
    fn now(&mut self) -> Result<TimeMs, StoreError>;

    /// Says that the next write transaction, and no other, is done again if it ends with [`StoreError::Concurrent`]: so it
    /// ends where the application has locked a row, or has written it since. Else such a row is refused, as in use.
    fn give_way(&mut self) {}

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StoreError::Busy`], or the engine's.
    fn begin(&mut self, access: Access) -> Result<(), StoreError>;

    /// Ends the transaction: all of it stands.
    ///
    /// # Errors
    /// The engine's; then nothing of it stands.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Ends the transaction: nothing of it stands.
    ///
    /// # Errors
    /// The engine's.
    fn rollback(&mut self) -> Result<(), StoreError>;

    /// Marks a point to come back to within the transaction.
    ///
    /// # Errors
    /// The engine's.
    fn savepoint(&mut self) -> Result<(), StoreError>;

    /// Undoes all since [`Store::savepoint`], which stays.
    ///
    /// # Errors
    /// The engine's.
    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError>;

    /// Gives up the point of [`Store::savepoint`]: what was done since is as the rest of the transaction.
    ///
    /// # Errors
    /// The engine's.
    fn release_savepoint(&mut self) -> Result<(), StoreError>;

    /// A setting of saddlebag's own.
    ///
    /// # Errors
    /// The engine's.
    fn setting(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a setting of saddlebag's own.
    ///
    /// # Errors
    /// The engine's.
    fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Whether the application has written something that is not absorbed yet, as this transaction sees it.
    ///
    /// # Errors
    /// The engine's.
    fn journal_rows(&mut self) -> Result<u64, StoreError>;

    /// Puts up to `limit` rows of `table` that have no row state into the journal, as found by setup (time 0),
    /// and says how many. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn journal_existing(&mut self, table: u32, limit: u64) -> Result<u64, StoreError>;

    /// Hashes rows again that refer to tables which setup takes in after theirs, once it has taken in all: what such a
    /// row refers to was not known when it was first hashed. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn hash_references(&mut self) -> Result<(), StoreError>;

    /// Folds the journal into the row states. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn absorb(&mut self, context: &AbsorbContext, entropy: &mut dyn Entropy) -> Result<Absorbed, StoreError>;

    /// The last place given in this node's feed.
    ///
    /// # Errors
    /// The engine's.
    fn last_seq(&mut self) -> Result<Seq, StoreError>;

    /// Gives the next place in this node's feed. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn next_seq(&mut self) -> Result<Seq, StoreError>;

    /// The place of the `limit`-th record after `after`, if there are more than `limit`.
    ///
    /// # Errors
    /// The engine's.
    fn feed_cut(&mut self, after: Seq, limit: u64) -> Result<Option<Seq>, StoreError>;

    /// Live records of a table with a column that changed in `(after, upto]`, in the order of the feed: of the latest
    /// change of each.
    ///
    /// # Errors
    /// The engine's.
    fn feed(&mut self, table: &TrackedTable, after: Seq, upto: Seq) -> Result<Vec<Record>, StoreError> {
        let mut all = Vec::new();
        self.feed_each(table, after, upto, usize::MAX, &mut |records| {
            all = records;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(all)
    }

    /// The records of [`Store::feed`], at most `chunk` (and at least 2) at a time, until `each` has seen all or breaks
    /// off. No more than one piece of them is held.
    ///
    /// # Errors
    /// The engine's, or `each`'s.
    fn feed_each(
        &mut self,
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Record>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>;

    /// Deleted records of a table that changed in `(after, upto]`, in the order of the feed.
    ///
    /// # Errors
    /// The engine's.
    fn deleted(&mut self, table: &TrackedTable, after: Seq, upto: Seq) -> Result<Vec<Tombstone>, StoreError>;

    /// The records of [`Store::deleted`], in pieces as [`Store::feed_each`].
    ///
    /// # Errors
    /// The engine's, or `each`'s.
    fn deleted_each(
        &mut self,
        table: &TrackedTable,
        after: Seq,
        upto: Seq,
        chunk: usize,
        each: &mut dyn FnMut(Vec<Tombstone>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>;

    /// How many records changed after `after`.
    ///
    /// # Errors
    /// The engine's.
    fn feed_length(&mut self, after: Seq) -> Result<u64, StoreError>;

    /// What this node has under each of `uids`; those that it has never seen are left out.
    ///
    /// # Errors
    /// The engine's.
    fn records(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Known>, StoreError>;

    /// The keys of those of `uids` that are live.
    ///
    /// # Errors
    /// The engine's.
    fn keys(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Key>, StoreError>;

    /// The record whose row has this key, unless it stays at home.
    ///
    /// # Errors
    /// The engine's.
    fn uid_at(&mut self, table: &TrackedTable, key: &Key) -> Result<Option<Uid>, StoreError>;

    /// Writes rows and their states; a row that the database refuses is left as it was.
    ///
    /// # Errors
    /// The engine's, for what is no refusal of a row.
    fn write(&mut self, table: &TrackedTable, rows: &[RowWrite]) -> Result<Vec<Result<Key, Refusal>>, StoreError>;

    /// Deletes rows and their states and leaves tombstones.
    ///
    /// # Errors
    /// The engine's, for what is no refusal of a row.
    fn delete(
        &mut self,
        table: &TrackedTable,
        rows: &[(Key, Tombstone)],
    ) -> Result<Vec<Result<(), Refusal>>, StoreError>;

    /// Writes row states and hashes, and leaves the rows as they are.
    ///
    /// # Errors
    /// The engine's.
    fn save_states(&mut self, table: &TrackedTable, records: &[Record]) -> Result<(), StoreError>;

    /// The kept digests of tables, by their number: of all live, shared records. A table that has never had any is left
    /// out.
    ///
    /// # Errors
    /// The engine's.
    fn digests(&mut self) -> Result<HashMap<u32, Digest>, StoreError>;

    /// Writes digests over those that are kept. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn save_digests(&mut self, digests: &HashMap<u32, Digest>) -> Result<(), StoreError>;

    /// The digests of all tables by what their row states say now: a scan of all of them.
    ///
    /// # Errors
    /// The engine's.
    fn scan_digests(&mut self) -> Result<HashMap<u32, Digest>, StoreError> {
        let mut digests = HashMap::new();
        for table in &self.tracking().clone().tables {
            let mut digest = Digest::default();
            self.each_hash(table, &mut |_, hash, _| digest.add(hash))?;
            digests.insert(table.number, digest);
        }
        Ok(digests)
    }

    /// What is known of these records of a table, without their values; those never seen, and rows that stay at home, are
    /// left out.
    ///
    /// # Errors
    /// The engine's.
    fn standing(&mut self, table: &TrackedTable, uids: &[Uid]) -> Result<HashMap<Uid, Standing>, StoreError>;

    /// Gives uid, hash and latest place in the feed of every live, shared record of a table, in the order of the uids.
    ///
    /// # Errors
    /// The engine's.
    fn each_hash(&mut self, table: &TrackedTable, each: &mut dyn FnMut(Uid, u64, Seq)) -> Result<(), StoreError>;

    /// Records that the other end of a link has otherwise, as both were last compared, by table and uid.
    ///
    /// # Errors
    /// The engine's.
    fn different(&mut self, link: LinkId) -> Result<Vec<DifferentRecord>, StoreError>;

    /// Notes such records, over what is known of the same ones.
    ///
    /// # Errors
    /// The engine's.
    fn save_different(&mut self, records: &[DifferentRecord]) -> Result<(), StoreError>;

    /// Forgets such records, by table name and uid.
    ///
    /// # Errors
    /// The engine's.
    fn forget_different(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError>;

    /// Writes tombstones, over those that are there.
    ///
    /// # Errors
    /// The engine's.
    fn save_tombstones(&mut self, tombstones: &[Tombstone]) -> Result<(), StoreError>;

    /// Which rows refer to these records.
    ///
    /// # Errors
    /// The engine's.
    fn referrers(&mut self, table: &TrackedTable, keys: &[Key]) -> Result<Vec<Vec<Referrer>>, StoreError>;

    /// All links.
    ///
    /// # Errors
    /// The engine's.
    fn links(&mut self) -> Result<Vec<Link>, StoreError>;

    /// Adds a link and gives it a number.
    ///
    /// # Errors
    /// The engine's.
    fn add_link(&mut self, link: &Link) -> Result<LinkId, StoreError>;

    /// Writes a link over the one with its number.
    ///
    /// # Errors
    /// The engine's.
    fn save_link(&mut self, link: &Link) -> Result<(), StoreError>;

    /// All held changes, of one link or of all.
    ///
    /// # Errors
    /// The engine's.
    fn held(&mut self, link: Option<LinkId>) -> Result<Vec<Held>, StoreError>;

    /// Keeps changes, in place of what is held of those records over those links.
    ///
    /// # Errors
    /// The engine's.
    fn save_held(&mut self, held: &[Held]) -> Result<(), StoreError>;

    /// Lets go of what is held of records over a link, each named by its table and uid.
    ///
    /// # Errors
    /// The engine's.
    fn drop_held(&mut self, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError>;

    /// Keeps a held change that a person let go.
    ///
    /// # Errors
    /// The engine's.
    fn add_dropped(&mut self, dropped: &Dropped) -> Result<(), StoreError>;

    /// All held changes that people let go, oldest first.
    ///
    /// # Errors
    /// The engine's.
    fn dropped(&mut self) -> Result<Vec<Dropped>, StoreError>;

    /// The values that stand beside live records of a table, by record and column.
    ///
    /// # Errors
    /// The engine's.
    fn beside(&mut self, table: &TrackedTable) -> Result<Vec<Beside>, StoreError>;

    /// What every record turned out to be that is another one, by table number and uid.
    ///
    /// # Errors
    /// The engine's.
    fn merged(&mut self) -> Result<HashMap<(u32, Uid), Uid>, StoreError>;

    /// Gives a live record another uid. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn rename(&mut self, table: &TrackedTable, from: Uid, into: Uid) -> Result<(), StoreError>;

    /// Points everything that refers to the row under one key to the row under another. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn repoint(&mut self, table: &TrackedTable, from: &Key, into: &Key) -> Result<(), StoreError>;

    /// Records that refer to rows that are not here, by table number and uid, where the database would say so only at
    /// the end of the transaction; with the table that they refer to.
    ///
    /// # Errors
    /// The engine's.
    fn unmet_references(&mut self) -> Result<HashMap<(u32, Uid), String>, StoreError>;

    /// Gives columns that bundles bring and this schema lacks, with what they refer to there, a place beside the
    /// records of table `number`. Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn learn_columns(&mut self, number: u32, columns: &[(String, Option<String>)]) -> Result<(), StoreError>;

    /// Puts references into their columns that were kept beside the records until their targets came; says how many.
    /// Needs a write transaction.
    ///
    /// # Errors
    /// The engine's.
    fn place_targets(&mut self) -> Result<u64, StoreError>;

    /// Which records hold each of these values, as this database has them, in a column given by its index.
    ///
    /// # Errors
    /// The engine's.
    fn holders(
        &mut self,
        table: &TrackedTable,
        column: usize,
        values: &[Value],
    ) -> Result<HashMap<Value, Vec<Uid>>, StoreError>;

    /// The greatest number that follows `prefix`, and makes up the rest of the text, in a column given by its index.
    ///
    /// # Errors
    /// The engine's.
    fn last_in_series(&mut self, table: &TrackedTable, column: usize, prefix: &str) -> Result<Option<u64>, StoreError>;

    /// Keeps both sides of conflicts; says of each whether it is a new one.
    ///
    /// # Errors
    /// The engine's.
    fn add_conflicts(&mut self, conflicts: &[Conflict]) -> Result<Vec<bool>, StoreError>;

    /// All conflicts, oldest first.
    ///
    /// # Errors
    /// The engine's.
    fn conflicts(&mut self) -> Result<Vec<Conflict>, StoreError> {
        Ok(self.numbered_conflicts()?.into_iter().map(|(_, conflict)| conflict).collect())
    }

    /// All conflicts, oldest first, each with its lasting number in this database, from 1.
    ///
    /// # Errors
    /// The engine's.
    fn numbered_conflicts(&mut self) -> Result<Vec<(u64, Conflict)>, StoreError>;

    /// Keeps what a person decided about a conflict.
    ///
    /// # Errors
    /// The engine's.
    fn add_decision(&mut self, decision: &Decision) -> Result<(), StoreError>;

    /// All that people decided about conflicts, oldest first.
    ///
    /// # Errors
    /// The engine's.
    fn decisions(&mut self) -> Result<Vec<Decision>, StoreError>;

    /// How much is held and in conflict on a link.
    ///
    /// # Errors
    /// The engine's.
    fn counts(&mut self, link: LinkId) -> Result<LinkCounts, StoreError>;

    /// Puts receipts out for their links, in place of those about the same record and column. Of several about one the
    /// last counts.
    ///
    /// # Errors
    /// The engine's.
    fn add_receipts(&mut self, receipts: &[StoredReceipt]) -> Result<(), StoreError>;

    /// Receipts to be sent over a link.
    ///
    /// # Errors
    /// The engine's.
    fn receipts_to_send(&mut self, link: LinkId) -> Result<Vec<StoredReceipt>, StoreError>;

    /// Whether some receipt for a link has not been in any bundle.
    ///
    /// # Errors
    /// The engine's.
    fn has_new_receipts(&mut self, link: LinkId) -> Result<bool, StoreError>;

    /// Notes that bundle `number` carries all receipts that a link has; those before it count no more.
    ///
    /// # Errors
    /// The engine's.
    fn receipts_carried(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError>;

    /// Lets go of the receipts that a bundle up to `number` carried.
    ///
    /// # Errors
    /// The engine's.
    fn receipts_arrived(&mut self, link: LinkId, number: BundleNumber) -> Result<(), StoreError>;

    /// Keeps what the other end of a link says became of changes of this node.
    ///
    /// # Errors
    /// The engine's.
    fn save_received_receipts(&mut self, receipts: &[StoredReceipt], at: TimeMs) -> Result<(), StoreError>;

    /// What the other ends say became of changes of this node.
    ///
    /// # Errors
    /// The engine's.
    fn received_receipts(&mut self) -> Result<Vec<StoredReceipt>, StoreError>;

    /// Says who works here from now on: the system's user, as the log names him.
    fn act_as(&mut self, user: &str);

    /// Who works here.
    fn user(&self) -> &str;

    /// Adds entries to the log, in their order. Needs a write transaction: that of the act itself.
    ///
    /// # Errors
    /// The engine's.
    fn log(&mut self, entries: &[LogEntry]) -> Result<(), StoreError> {
        log::write(self, entries)
    }

    /// Writes entries that are chained already; [`Store::log`] is what others call.
    ///
    /// # Errors
    /// The engine's.
    fn append_log(&mut self, entries: &[Logged]) -> Result<(), StoreError>;

    /// The entry that the next one follows.
    ///
    /// # Errors
    /// The engine's.
    fn log_end(&mut self) -> Result<LogEnd, StoreError>;

    /// The first so many entries of the log after a number.
    ///
    /// # Errors
    /// The engine's.
    fn log_entries(&mut self, after: u64, limit: u64) -> Result<Vec<Logged>, StoreError>;

    /// The entries of the log that are asked for, newest last.
    ///
    /// # Errors
    /// The engine's.
    fn search_log(&mut self, filter: &LogFilter) -> Result<Vec<Logged>, StoreError>;

    /// Whether the log has a refusal about the same neighbour, that says the same for the same reason.
    ///
    /// # Errors
    /// The engine's.
    fn is_refusal_logged(&mut self, entry: &LogEntry) -> Result<bool, StoreError>;
}
