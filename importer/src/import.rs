//! One bundle's import, from its bytes to the end of its transaction.

use std::collections::HashMap;
use std::fmt;

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::version::UNKNOWN_WRITER;
use saddlebag_formats::{NodeId, Seq};
use saddlebag_keys::card::CardDeployment;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole, Position, StoredReceipt};
use saddlebag_stores::patience::Patience;
use saddlebag_stores::store::{AbsorbContext, absorb};
use saddlebag_stores::{Access, Store, StoreError};

use crate::apply::{Application, Changes};
use crate::arrival::{self, Arrival};
use crate::error::ImportError;
use crate::logging;
use crate::merge::{Setting, Side};
use crate::merged::{Announced, Merge, Merged};
use crate::reading::{Opened, Signed};
use crate::tally::{Tables, Tally};
use crate::turns::Turns;

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
                done => return done,
            }
        }
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
        let applied = |result, tally| Applied { header: header.clone(), from: from.clone(), result, tally };
        let mut link = self.link(&header)?;
        let seen = match arrival::judge(&header, &link)? {
            Arrival::Already => {
                self.remind(&mut link, &opened)?;
                return Ok(applied(ImportResult::Already, Tally::default()));
            }
            Arrival::Early { applied: so_far } => {
                let result = ImportResult::Waiting { missing_after: header.after, applied: so_far };
                return Ok(applied(result, Tally::default()));
            }
            Arrival::New { applied } => applied,
        };
        if let Some(number) = arrival::acknowledge(&header, &mut link)? {
            self.store.receipts_arrived(link.id, number)?;
        }
        self.take_nodes(&opened, from.as_str())?;
        self.note_arrival(&mut link, &header, &opened);
        self.store.save_link(&link)?;
        logging::arrival(self.store, &link, &header, opened.health.log, self.clock.now())?;
        absorb(self.store, self.me.writer(), self.entropy)?;
        let now = self.clock.now();
        let receipts = std::mem::take(&mut opened.receipts).into_iter();
        let receipts: Vec<_> = receipts.map(|receipt| StoredReceipt { link: link.id, receipt }).collect();
        logging::receipts(self.store, &link.name, &receipts, now)?;
        self.store.save_received_receipts(&receipts, now)?;
        let mut merged = Merged::load(self.store)?;
        self.take_merges(&link, &opened.merges, seen, &mut merged)?;
        let ahead_ms = header.created.0.saturating_sub(now.0);
        // What comes from the central was decided there: nothing of it is held against what the central sends next.
        let after = if link.role == PeerRole::Satellite { header.after } else { Seq(0) };
        let turns = Turns { link: &link, seen, after, ahead_ms, merged: &merged };
        let mut tally =
            if opened.is_large() { turns.take(self, &mut opened)? } else { turns.at_once(self, &mut opened)? };
        if tally.records > 0 {
            tally.add_tables(self.retry_others(&link)?);
        }
        self.store.place_targets()?;
        logging::applied(self.store, &link.name, &header, &tally, now)?;
        Ok(applied(ImportResult::Applied, tally))
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

    fn note_arrival(&self, link: &mut Link, header: &BundleHeader, opened: &Opened<'_>) {
        let upto = link.applied_upto(header.epoch).max(header.upto);
        link.applied = Some(Position { epoch: header.epoch, number: header.number, id: header.id, upto });
        // "A bundle that holds nothing but an acknowledgement asks for none."
        link.owes_acknowledgement |= opened.has_contents();
        link.nodes_known = link.nodes_known.max(opened.binding.nodes_known);
        link.last_contact = Some(self.clock.now());
        link.health = Some(opened.health.encode());
    }

    /// Takes a newer list of nodes, if the deployment's key signed it.
    fn take_nodes(&mut self, opened: &Opened<'_>, from: &str) -> Result<(), ImportError> {
        let Some(bytes) = &opened.binding.nodes else { return Ok(()) };
        let refused = |reason: String| ImportError::Nodes { from: from.to_owned(), reason };
        let (Some(key), Some(known)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Err(refused("this node has no deployment key to check it with".to_owned()));
        };
        let read = |nodes: &[u8]| CardDeployment::from_kept(&key, nodes).map_err(|error| refused(error.to_string()));
        if read(bytes)?.nodes.list().number() > read(&known)?.nodes.list().number() {
            self.store.set_setting(NODES, bytes)?;
            logging::nodes(self.store, from, read(bytes)?.nodes.list().number(), self.clock.now())?;
        }
        Ok(())
    }

    /// The names of all nodes of the deployment.
    fn names(&mut self) -> Result<HashMap<NodeId, String>, ImportError> {
        let (Some(key), Some(nodes)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Ok(HashMap::new());
        };
        let deployment = CardDeployment::from_kept(&key, &nodes)
            .map_err(|error| ImportError::Damaged { what: "the deployment", reason: error.to_string() })?;
        Ok(deployment.nodes.list().nodes().iter().map(|node| (node.id, node.name.to_string())).collect())
    }

    /// Carries out what a central says of records that turned out to be one; a satellite decides nothing of the kind.
    fn take_merges(
        &mut self,
        link: &Link,
        announced: &[Announced],
        seen: Seq,
        merged: &mut Merged,
    ) -> Result<(), ImportError> {
        if link.role != PeerRole::Central {
            return Ok(());
        }
        let (setting, now) = (self.setting(link)?, self.clock.now());
        for Announced { table, from, into, version, seq } in announced {
            let Some(table) = self.store.tracking().by_name(table).cloned() else { continue };
            let (from, into, version) = (*from, merged.of(&table.name, *into), *version);
            if *seq <= seen || from == into {
                continue;
            }
            let merge = Merge { table: &table, from, into, version, source: Some(link.id) };
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
        Ok(Setting { side, link: link.id, uplink: context.uplink, acknowledged: context.acknowledged })
    }

    /// Makes room beside the records for columns that changes bring and this schema lacks.
    fn learn_columns(&mut self, changes: &Changes) -> Result<(), StoreError> {
        for (number, columns) in changes.unknown_columns(self.store.tracking()) {
            self.store.learn_columns(number, &columns.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Applies changes of a link; what cannot be applied is held, and its sender told.
    pub(crate) fn apply(&mut self, link: &Link, changes: &Changes, ahead_ms: i64) -> Result<Tally, ImportError> {
        self.apply_turn(link, changes, ahead_ms, true)
    }

    /// Applies changes of a link; unless it is the last turn, what is held may still apply.
    pub(crate) fn apply_turn(
        &mut self,
        link: &Link,
        changes: &Changes,
        ahead_ms: i64,
        is_last_turn: bool,
    ) -> Result<Tally, ImportError> {
        let setting = self.setting(link)?;
        self.learn_columns(changes)?;
        let tracking = self.store.tracking().clone();
        let (now, mut names) = (self.clock.now(), self.names()?);
        // What setup found at the other end is known to come from there, and from whom no more.
        names.insert(UNKNOWN_WRITER.node, link.name.clone());
        let (store, tracking, names) = (&mut *self.store, &tracking, &names);
        Application { store, tracking, setting, ahead_ms, now, me: self.me.id, is_last_turn, names }.apply(changes)
    }

    /// Tries everything again that is held, of all links.
    pub(crate) fn apply_all_held(&mut self) -> Result<Tally, ImportError> {
        let (mut sum, merged) = (Tally::default(), Merged::load(self.store)?);
        for link in self.store.links()? {
            let changes = Changes::held(self.store, link.id, &merged)?;
            sum += self.apply(&link, &changes, 0)?;
        }
        Ok(sum)
    }

    /// What is held of other links may have waited for what this one brought.
    /// Says which tables that changed.
    pub(crate) fn retry_others(&mut self, link: &Link) -> Result<Tables, ImportError> {
        let (mut sum, merged) = (Tally::default(), Merged::load(self.store)?);
        for other in self.store.links()?.into_iter().filter(|other| other.id != link.id) {
            let changes = Changes::held(self.store, other.id, &merged)?;
            sum += self.apply(&other, &changes, 0)?;
        }
        Ok(sum.tables)
    }
}
