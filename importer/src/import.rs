//! One bundle's import, from its bytes to the end of its transaction.

use std::collections::HashMap;
use std::fmt;

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::history::{AppliedBundle, Stopped};
use saddlebag_formats::members::Common;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::version::UNKNOWN_WRITER;
use saddlebag_formats::{BundleNumber, NodeId, Seq, Tell, Writer};
use saddlebag_keys::card::CardDeployment;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole, Position, StoredReceipt};
use saddlebag_stores::lineage;
use saddlebag_stores::patience::Patience;
use saddlebag_stores::store::{AbsorbContext, absorb};
use saddlebag_stores::{Access, Store, StoreError};

use crate::apply::{Application, Changes};
use crate::arrival::{self, Arrival};
use crate::clocks::{self, Receipt};
use crate::compare::{self, Compared};
use crate::error::ImportError;
use crate::finer;
use crate::introductions;
use crate::logging;
use crate::merge::{Setting, Side};
use crate::merged::{Announced, Merge, Merged};
use crate::passing_on;
use crate::reading::{Opened, Signed};
use crate::tally::{Tables, Tally};
use crate::turns::{Standing, Turns};
use crate::wanted;

/// Records of a bundle that are held in memory together. A larger bundle is decoded twice, and applied in turns.
pub const RECORDS_AT_ONCE: usize = 20_000;

/// How many rows of a bundle may each undo the whole transaction, by a trigger of the application.
const TRIES_MAX: u32 = 1_000;

/// Applies bundles to this node's database.
pub struct Importer<'a> {
    /// The application's database.
    pub store: &'a mut dyn Store,
    /// This node's keys.
    pub keys: &'a NodeKeys,
    /// This node.
    pub me: &'a ThisNode,
    /// The wall clock.
    pub clock: &'a dyn Clock,
    /// Where new uids come from.
    pub entropy: &'a mut dyn Entropy,
}

impl fmt::Debug for Importer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Importer").field("me", &self.me).finish_non_exhaustive()
    }
}

/// What became of a bundle that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportResult {
    /// It was applied.
    Applied,
    /// It was known already, and changed nothing.
    Already,
    /// It must wait for one before it, and changed nothing.
    Waiting {
        /// It covers the feed after this position …
        missing_after: Seq,
        /// … but only so much has been applied.
        applied: Seq,
    },
}

/// A bundle that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its header.
    pub header: BundleHeader,
    /// Its sender's name.
    pub from: NodeName,
    /// What became of it.
    pub result: ImportResult,
    /// How much of it did what.
    pub tally: Tally,
    /// Of which history of its sender it is, where that is not the one of the bundles before it.
    pub history: Option<OtherHistory>,
}

/// A history of a sender that is not the one of the bundles before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherHistory {
    /// It began with this bundle: the sender's database was restored, copied or replaced.
    Anew,
    /// Another one has followed it since.
    Late,
}

impl Importer<'_> {
    /// Verifies and applies one bundle, given as the bytes of its file. A dry run does everything and undoes it.
    ///
    /// # Errors
    /// [`ImportError`]; then nothing was changed.
    pub fn import(&mut self, file: &[u8], dry_run: bool) -> Result<Applied, ImportError> {
        self.import_in_turns(file, dry_run, RECORDS_AT_ONCE)
    }

    /// Like [`Importer::import`]; a bundle of more than so many records is decoded and applied member by member.
    ///
    /// # Errors
    /// [`ImportError`]; then nothing was changed.
    pub fn import_in_turns(
        &mut self,
        file: &[u8],
        dry_run: bool,
        records_at_once: usize,
    ) -> Result<Applied, ImportError> {
        self.store.begin(Access::Read)?;
        let links = self.store.links();
        self.store.rollback()?;
        let signed = Signed::check(file, self.me, &links?)?;
        let (mut tries, mut patience) = (0, Patience::default());
        loop {
            // Decrypting and decoding come before the write lock; what they cost, the application does not wait for.
            let opened = signed.open(self.keys, records_at_once)?;
            // Much work is not done again for a few rows: those are held.
            if patience.is_left() && !opened.is_large() {
                self.store.give_way();
            }
            self.store.begin(Access::Write)?;
            let done = self.take_in(&signed, opened).and_then(|applied| {
                if !dry_run {
                    self.store.commit()?;
                }
                Ok(applied)
            });
            if dry_run || done.is_err() {
                self.store.rollback()?;
            }
            tries += 1;
            match done {
                // The store refuses that row from now on: everything else is tried again without it.
                Err(ImportError::Store(StoreError::RolledBack { .. })) if tries < TRIES_MAX => {}
                // What the application has committed meanwhile is absorbed first the next time.
                Err(ImportError::Store(error)) if patience.tries_again(&error) => {
                    if !dry_run {
                        self.absorb_beforehand()?;
                    }
                }
                Err(error) if error.stops_the_link() && !dry_run => {
                    self.stop(signed.header().from, &error)?;
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    /// Notes that a link stands still, and why, in a transaction of its own.
    fn stop(&mut self, peer: NodeId, why: &ImportError) -> Result<(), StoreError> {
        self.store.begin(Access::Write)?;
        let noted = self.note_stop(peer, why).and_then(|()| self.store.commit());
        if noted.is_err() {
            self.store.rollback()?;
        }
        noted
    }

    fn note_stop(&mut self, peer: NodeId, why: &ImportError) -> Result<(), StoreError> {
        let Some(mut link) = self.store.links()?.into_iter().find(|link| link.peer == peer) else { return Ok(()) };
        let before = link.history.stopped.take();
        let outlived_by = why.outlived_by().max(before.as_ref().and_then(|stopped| stopped.outlived_by));
        let why = why.to_string();
        if before.is_some_and(|stopped| stopped.why == why) {
            return Ok(());
        }
        link.history.stopped = Some(Stopped { since: self.clock.now(), why, outlived_by });
        self.store.save_link(&link)
    }

    /// Absorbs in a transaction of its own, so that the import's, which must meet no writer, becomes short.
    fn absorb_beforehand(&mut self) -> Result<(), ImportError> {
        self.store.begin(Access::Write)?;
        let done = absorb(self.store, self.me.writer(), self.entropy).and_then(|_| self.store.commit());
        if done.is_err() {
            self.store.rollback()?;
        }
        match done {
            // The import itself will find the same in its way, or not any more.
            Err(StoreError::Concurrent { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    fn take_in(&mut self, signed: &Signed<'_>, mut opened: Opened<'_>) -> Result<Applied, ImportError> {
        let header = signed.header().clone();
        let from = signed.head.sender().name.clone();
        let applied =
            |result, tally| Applied { header: header.clone(), from: from.clone(), result, tally, history: None };
        let mut link = self.link(&header)?;
        arrival::refuse_outlived(&header, &link, self.me.epoch)?;
        let (seen, standing) = match arrival::judge(&header, &opened.binding, &link, self.me.epoch)? {
            Arrival::Already => {
                self.remind(&mut link, &opened)?;
                return Ok(applied(ImportResult::Already, Tally::default()));
            }
            Arrival::Unheard => return Ok(applied(ImportResult::Already, Tally::default())),
            Arrival::Early { applied: so_far } => {
                let result = ImportResult::Waiting { missing_after: header.after, applied: so_far };
                return Ok(applied(result, Tally::default()));
            }
            Arrival::New { applied } => (Seq(applied.0 + u64::from(is_on(Fault::UptoTooHigh))), Standing::Next),
            Arrival::Anew { common } => (common, Standing::Anew),
            Arrival::Late { applied } => (applied, Standing::Late),
        };
        let (now, links) = (self.clock.now(), self.store.links()?);
        let doubt_before = clocks::doubt(now, &links);
        match standing {
            Standing::Next => {
                if let Some(number) = arrival::acknowledge(&header, &mut link, self.me.epoch)? {
                    self.store.receipts_arrived(link.id, number)?;
                    self.was_told(&mut link, number)?;
                    introductions::arrived(self.store, &link, number)?;
                }
            }
            Standing::Anew => {
                let before = opened.binding.anew.as_ref().map(|anew| anew.before);
                let common = before.map(|before| Common { before, upto: seen });
                self.go_back(&mut link, &header, common)?;
                introductions::tell_again(self.store, &link)?;
                logging::anew(self.store, &link.name, &header, now)?;
            }
            Standing::Late => {}
        }
        if let Some(Common { before, upto }) = opened.binding.common {
            lineage::raise(self.store, before, upto)?;
            link.history.went_on_from = link.history.went_on_from.max(upto);
        }
        if standing == Standing::Next
            && let Some(compared) = compare::compare(self.store, &link, &header, &opened)?
        {
            self.note_comparison(&mut link, compared)?;
            finer::look(self.store, &mut link, &header, &opened, self.clock.now())?;
        }
        self.take_nodes(&opened, from.as_str())?;
        introductions::take(self.store, &link, &opened.binding, now)?;
        self.note_arrival(&mut link, &header, &opened, standing);
        self.store.save_link(&link)?;
        // A bundle of a history that was left says nothing of how its sender is now.
        if standing != Standing::Late {
            logging::arrival(self.store, &link, &header, opened.health.log, self.clock.now())?;
        }
        if is_on(Fault::AppliedBeforeWritten) {
            self.store.commit()?;
            self.store.begin(Access::Write)?;
        }
        absorb(self.store, self.me.writer(), self.entropy)?;
        wanted::send_again(self.store, &link, &opened.digests)?;
        let feed_end = self.store.last_seq()?;
        let receipts = std::mem::take(&mut opened.receipts).into_iter();
        let receipts: Vec<_> = receipts.map(|receipt| StoredReceipt { link: link.id, receipt }).collect();
        logging::receipts(self.store, &link.name, &receipts, now)?;
        self.store.save_received_receipts(&receipts, now)?;
        passing_on::pass_on(self.store, &link, &receipts)?;
        let mut merged = Merged::load(self.store)?;
        self.take_merges(&link, &opened.merges, seen, &mut merged)?;
        // By what was known before this bundle, or by what it says itself.
        let clock_doubted = doubt_before.or(clocks::doubt(now, &self.store.links()?)).is_some();
        let bounds = link.role == PeerRole::Satellite && !clock_doubted;
        let receipt = bounds.then(|| Receipt::new(header.from, header.created, now));
        // What comes from the central was decided there: nothing of it is held against what the central sends next.
        let after = if link.role == PeerRole::Satellite { header.after } else { Seq(0) };
        let turns = Turns { link: &link, seen, after, receipt, clock_doubted, merged: &merged, standing };
        let mut tally = if opened.is_large() && standing != Standing::Late {
            turns.take(self, &mut opened)?
        } else {
            turns.at_once(self, &mut opened)?
        };
        if tally.records > 0 || self.has_changed_since_held_was_tried(feed_end)? {
            tally.add_tables(self.retry_others(&link)?);
        }
        self.note_held_was_tried()?;
        self.store.place_targets()?;
        logging::applied(self.store, &link.name, &header, &tally, now)?;
        let history = match standing {
            Standing::Next => None,
            Standing::Anew => Some(OtherHistory::Anew),
            Standing::Late => Some(OtherHistory::Late),
        };
        Ok(Applied { history, ..applied(ImportResult::Applied, tally) })
    }

    fn link(&mut self, header: &BundleHeader) -> Result<Link, ImportError> {
        let found = self.store.links()?.into_iter().find(|link| link.peer == header.from);
        // The signature was checked against this very link a moment ago; only a removal in between can miss it.
        found.ok_or_else(|| ImportError::Damaged { what: "a link", reason: "it is not there any more".to_owned() })
    }

    /// A bundle that comes again may not have been acknowledged where its sender could see it: say it again, unless
    /// the sender acknowledged the very bundle that said so.
    fn remind(&mut self, link: &mut Link, opened: &Opened<'_>) -> Result<(), StoreError> {
        let is_told = match (link.sent, link.acknowledged) {
            (Some(sent), Some(acknowledged)) => (acknowledged.epoch, acknowledged.number) == (sent.epoch, sent.number),
            _ => false,
        };
        if !is_told && !link.owes_acknowledgement && opened.has_contents() {
            link.owes_acknowledgement = true;
            self.store.save_link(link)?;
        }
        Ok(())
    }

    fn note_arrival(&self, link: &mut Link, header: &BundleHeader, opened: &Opened<'_>, standing: Standing) {
        let &BundleHeader { epoch, number, id, upto, .. } = header;
        link.history.add(AppliedBundle { epoch, number, id, upto });
        link.history.add_trail(epoch, number, &opened.binding.trail);
        if standing == Standing::Late {
            return;
        }
        link.history.stopped = None;
        let upto = link.applied_upto(header.epoch).max(header.upto);
        link.applied = Some(Position { epoch: header.epoch, number: header.number, id: header.id, upto });
        // "A bundle that holds nothing but an acknowledgement asks for none."
        link.owes_acknowledgement |= opened.has_contents();
        link.nodes_known = link.nodes_known.max(opened.binding.nodes_known);
        link.last_contact = Some(self.clock.now());
        link.health = Some(opened.health.encode());
    }

    /// Notes with the link how both ends compared.
    fn note_comparison(&mut self, link: &mut Link, compared: Compared) -> Result<(), StoreError> {
        compare::note(link, compared, self.clock.now());
        match compared {
            Compared::Undecided(_) => {}
            Compared::Equal => {
                let known = self.store.different(link.id)?.into_iter();
                let known: Vec<_> = known.map(|record| (record.table, record.uid)).collect();
                self.store.forget_different(link.id, &known)?;
            }
            // Once it is known which records differ, nobody needs to ask for them again.
            Compared::Different => {
                if link.comparison.tell == Tell::Nothing && self.store.different(link.id)?.is_empty() {
                    (link.comparison.tell, link.comparison.told) = (Tell::Buckets, None);
                }
            }
        }
        Ok(())
    }

    /// What bundles up to this one told and asked for has arrived.
    fn was_told(&mut self, link: &mut Link, number: BundleNumber) -> Result<(), StoreError> {
        if link.comparison.told.is_none_or(|told| told > number) {
            return Ok(());
        }
        if matches!(link.comparison.tell, Tell::Records(_)) {
            link.comparison.tell = Tell::Nothing;
        }
        let wanted = self.store.different(link.id)?.into_iter().filter(|record| record.wanted);
        let wanted: Vec<_> = wanted.map(|record| (record.table, record.uid)).collect();
        self.store.forget_different(link.id, &wanted)
    }

    /// Takes a newer list of nodes, if the deployment's key signed it.
    fn take_nodes(&mut self, opened: &Opened<'_>, from: &str) -> Result<(), ImportError> {
        let Some(bytes) = &opened.binding.nodes else { return Ok(()) };
        let refused = |reason: String| ImportError::Nodes { from: from.to_owned(), reason };
        let (Some(key), Some(known)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Err(refused("this node has no deployment key to check it with".to_owned()));
        };
        let read = |nodes: &[u8]| CardDeployment::from_kept(&key, nodes).map_err(|error| refused(error.to_string()));
        let number = read(bytes)?.nodes.list().number();
        if number > read(&known)?.nodes.list().number() {
            self.store.set_setting(NODES, bytes)?;
            logging::nodes(self.store, from, number, self.clock.now())?;
        }
        Ok(())
    }

    /// The names of all nodes of the deployment.
    pub(crate) fn names(&mut self) -> Result<HashMap<NodeId, String>, ImportError> {
        let list = introductions::list(self.store)?;
        let nodes = list.iter().flat_map(|list| list.nodes());
        Ok(nodes.map(|node| (node.id, node.name.to_string())).collect())
    }

    /// Carries out what a central says of records that turned out to be one, this node's or one below; a satellite that has
    /// none decides nothing of the kind.
    fn take_merges(
        &mut self,
        link: &Link,
        announced: &[Announced],
        applied: Seq,
        merged: &mut Merged,
    ) -> Result<(), ImportError> {
        if announced.is_empty() || link.role != PeerRole::Central && !introductions::is_district(self.store, link)? {
            return Ok(());
        }
        let (setting, now) = (self.setting(link)?, self.clock.now());
        for Announced { table, from, into, version, seq, seen } in announced {
            let Some(table) = self.store.tracking().by_name(table).cloned() else { continue };
            let (from, into, version) = (*from, merged.of(&table.name, *into), *version);
            // What this node has decided itself stands.
            if *seq <= applied || from == into || merged.of(&table.name, from) != from {
                continue;
            }
            let merge = Merge { table: &table, from, into, version, source: Some(link.id), seen: Some(seen) };
            let lost = merge.carry_out(self.store, &setting, now)?;
            self.store.add_conflicts(&lost)?;
            logging::conflicts(self.store, lost.iter())?;
            merged.insert(&table.name, from, into);
        }
        Ok(())
    }

    /// Where changes that come over a link stand.
    pub(crate) fn setting(&mut self, link: &Link) -> Result<Setting, StoreError> {
        let context = AbsorbContext::of(self.me.writer(), &self.store.links()?);
        let side = match link.role {
            PeerRole::Central => Side::Satellite,
            PeerRole::Satellite => Side::Central,
        };
        let AbsorbContext { uplink, acknowledged, .. } = context;
        let left = link.history.left.map(|epoch| Writer { node: link.peer, epoch });
        let went_on_from = link.history.went_on_from;
        Ok(Setting {
            side,
            link: link.id,
            uplink,
            acknowledged,
            went_on_from,
            left,
            is_late: false,
            me: self.me.writer(),
        })
    }

    /// Makes room beside the records for columns that changes bring and this schema lacks.
    fn learn_columns(&mut self, changes: &Changes) -> Result<(), StoreError> {
        for (number, columns) in changes.unknown_columns(self.store.tracking()) {
            self.store.learn_columns(number, &columns.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Applies changes of a link; what cannot be applied is held, and its sender told.
    pub(crate) fn apply(&mut self, link: &Link, changes: &Changes, clock_doubted: bool) -> Result<Tally, ImportError> {
        self.apply_turn(link, changes, clock_doubted, true)
    }

    /// Tries changes of a link again that were held.
    pub(crate) fn apply_held(&mut self, link: &Link, changes: &Changes) -> Result<Tally, ImportError> {
        let doubt = clocks::doubt(self.clock.now(), &self.store.links()?);
        self.apply(link, changes, doubt.is_some())
    }

    /// Applies changes that belong to an earlier history of their sender.
    pub(crate) fn apply_late(
        &mut self,
        link: &Link,
        changes: &Changes,
        clock_doubted: bool,
    ) -> Result<Tally, ImportError> {
        let setting = Setting { is_late: true, ..self.setting(link)? };
        self.apply_as(setting, link, changes, clock_doubted, true)
    }

    /// Applies changes of a link; unless it is the last turn, what is held may still apply.
    pub(crate) fn apply_turn(
        &mut self,
        link: &Link,
        changes: &Changes,
        clock_doubted: bool,
        is_last_turn: bool,
    ) -> Result<Tally, ImportError> {
        let setting = self.setting(link)?;
        self.apply_as(setting, link, changes, clock_doubted, is_last_turn)
    }

    fn apply_as(
        &mut self,
        setting: Setting,
        link: &Link,
        changes: &Changes,
        clock_doubted: bool,
        is_last_turn: bool,
    ) -> Result<Tally, ImportError> {
        self.learn_columns(changes)?;
        let tracking = self.store.tracking().clone();
        let (now, mut names) = (self.clock.now(), self.names()?);
        // What setup found at the other end is known to come from there, and from whom no more.
        names.insert(UNKNOWN_WRITER.node, link.name.clone());
        let (store, tracking, names) = (&mut *self.store, &tracking, &names);
        let me = self.me.id;
        Application { store, tracking, setting, now, clock_doubted, me, is_last_turn, names }.apply(changes)
    }

    /// Tries everything again that is held, of all links.
    pub(crate) fn apply_all_held(&mut self) -> Result<Tally, ImportError> {
        let (mut sum, merged) = (Tally::default(), Merged::load(self.store)?);
        for link in self.store.links()? {
            let changes = Changes::held(self.store, link.id, &merged)?;
            sum += self.apply_held(&link, &changes)?;
        }
        Ok(sum)
    }

    /// What is held of other links may have waited for what this one brought.
    /// Says which tables that changed.
    pub(crate) fn retry_others(&mut self, link: &Link) -> Result<Tables, ImportError> {
        let (mut sum, merged) = (Tally::default(), Merged::load(self.store)?);
        for other in self.store.links()?.into_iter().filter(|other| other.id != link.id) {
            let changes = Changes::held(self.store, other.id, &merged)?;
            sum += self.apply_held(&other, &changes)?;
        }
        Ok(sum.tables)
    }
}
