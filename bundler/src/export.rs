//! One link's export: absorb, choose, decide whether there is anything to say, make, keep.
//!
//! Order of what must survive a power cut: the link's record of the bundle in the database, the high-water mark,
//! the file. A cut in between leaves a number that no bundle has, which says nothing to anybody: the next export
//! finds the outbox without it and makes the next one. A number is never given twice.
//!
//! A long stretch of the feed becomes several bundles, each of a snapshot of its own: nothing but the bundle that is
//! being made is held. What the application changes in between takes a later place in the feed.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::entry_book::EntryBook;
use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::file_name::file_name;
use saddlebag_formats::header::{Acknowledgement, BundleHeader};
use saddlebag_formats::limits::RECORD_BYTES_MAX;
use saddlebag_formats::members::anew::{IdPrefix, id_prefix};
use saddlebag_formats::members::{Outcome, Receipt, WholeDigest};
use saddlebag_formats::{BundleNumber, ColumnState, LinkId, LogEntry, LogKind, SentBundle, Seq};
use saddlebag_keys::card::{Card, CardDeployment, CardError};
use saddlebag_keys::files;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::Peer;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole, Position, StoredReceipt};
use saddlebag_stores::patience::Patience;
use saddlebag_stores::record::Known;
use saddlebag_stores::store::{absorb, open_absorbed_snapshot};
use saddlebag_stores::{Access, Store, StoreError, entries};

use crate::choose::{self, TooLarge};
use crate::digests;
use crate::health::health;
use crate::high_water::{HighWater, HighWaterError};
use crate::make::{Bundle, BundleWriter, Contents, MakeError};
use crate::outbox::{self, OutboxBundle, OutboxError};
use crate::parts::{Part, Parts};

/// Makes the bundles that this node's neighbours lack.
pub struct Exporter<'a> {
    /// The application's database.
    pub store: &'a mut dyn Store,
    /// This node's keys.
    pub keys: &'a NodeKeys,
    /// This node.
    pub me: &'a ThisNode,
    /// The folder of all outgoing bundles.
    pub outbox: &'a Path,
    /// The file of the high-water mark.
    pub high_water: &'a Path,
    /// Records in one bundle at most; a longer stretch of the feed becomes several bundles.
    pub records_per_bundle: usize,
    /// The wall clock.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub entropy: &'a mut dyn Entropy,
}

impl std::fmt::Debug for Exporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("me", &self.me).finish_non_exhaustive()
    }
}

/// What an export did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportResult {
    /// New bundles were made.
    Written,
    /// The bundles made before say all there is to say, and are not acknowledged yet.
    Unchanged,
    /// The neighbour lacks nothing.
    Nothing,
}

/// The outcome of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What was done.
    pub result: ExportResult,
    /// What should lie at a place for that neighbour now, by number.
    pub bundles: Vec<OutboxBundle>,
}

/// An export that did not succeed; nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The outbox failed.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The high-water mark failed.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// The neighbour's card, kept since it was admitted, cannot be read.
    #[error("the card of {peer} cannot be read: {source}")]
    Card {
        /// The neighbour.
        peer: String,
        /// What is wrong.
        source: CardError,
    },
    /// There is no such link.
    #[error("there is no link {link}")]
    NoLink {
        /// Its number.
        link: LinkId,
    },
    /// The bundle cannot be made.
    #[error("the bundle for {peer} cannot be made: {reason}")]
    Make {
        /// The neighbour.
        peer: String,
        /// Why.
        reason: String,
    },
    /// Something of saddlebag's own cannot be read.
    #[error("saddlebag's own record of {what} cannot be read: {reason}")]
    Damaged {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl ExportError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => Some(error.hint()),
            Self::Outbox(_) | Self::HighWater(_) => Some("check the node's folder and the space on its disk"),
            Self::Card { .. } | Self::Damaged { .. } => Some("restore the database from a backup, or ask for help"),
            Self::NoLink { .. } | Self::Make { .. } => None,
        }
    }
}

/// What is to be said to a neighbour beside changes, in one snapshot of the database.
struct Snapshot {
    link: Link,
    peer: Peer,
    /// What the neighbour has acknowledged.
    after: Seq,
    upto: Seq,
    nodes_known: u64,
    nodes: Option<Vec<u8>>,
}

/// A bundle whose changes have been read, and the snapshot that they were read in.
struct Draft {
    snapshot: Snapshot,
    part: Part,
    made: Result<BundleWriter, MakeError>,
    /// Records that fit no bundle.
    too_large: Vec<TooLarge>,
    told: Told,
}

/// A bundle that is being made, and what does not fit it.
type Made = (Result<BundleWriter, MakeError>, Vec<TooLarge>, Told);

/// What a bundle tells of all shared records.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// What they come to in the snapshot.
    digest: Option<WholeDigest>,
    /// Whether it tells or asks more than whether both ends have the same.
    has_details: bool,
}

/// What a look at the database came to.
enum Look {
    /// There is nothing to say that these do not say.
    NoNews(Vec<OutboxBundle>),
    Draft(Box<Draft>),
}

impl Exporter<'_> {
    /// Brings the outbox for one neighbour up to date.
    ///
    /// # Errors
    /// [`ExportError`]; then what lay in the outbox is still there.
    pub fn export(&mut self, link: LinkId, dry_run: bool) -> Result<Exported, ExportError> {
        if dry_run {
            let planned = self.absorb_for_a_look().map_err(ExportError::from).and_then(|()| self.plan(link));
            let ended = self.store.rollback();
            let planned = planned?;
            return ended.map(|()| planned).map_err(ExportError::from);
        }
        let (mut parts, mut bundles) = (Parts::new(self.records_per_bundle), Vec::new());
        loop {
            let Draft { snapshot, part, made, too_large, told } =
                match self.in_snapshot(|this| this.look(link, &mut parts))? {
                    Look::NoNews(standing) => return Ok(without_news(standing)),
                    Look::Draft(draft) => *draft,
                };
            let folder = self.outbox.join(snapshot.link.name.as_str());
            files::create_private_folders(&folder).map_err(OutboxError::from)?;
            let peer = snapshot.link.name.clone();
            match made.and_then(|writer| Ok((writer.records(), writer.finish(self.keys)?))) {
                Ok((records, bundle)) => {
                    self.leave_out(&snapshot.link, &too_large)?;
                    bundles.push(self.publish(snapshot, &part, &folder, bundle, (records, told))?);
                    if part.is_last {
                        outbox::remove_others(&folder, &bundles)?;
                        return Ok(Exported { result: ExportResult::Written, bundles });
                    }
                    parts.go_on(&part);
                }
                Err(error) if error.is_too_much() && parts.narrow(&part) => {}
                Err(error) => return Err(ExportError::Make { peer, reason: error.in_words() }),
            }
        }
    }

    /// Reads in a snapshot in which everything is absorbed.
    fn in_snapshot<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, ExportError>) -> Result<T, ExportError> {
        let mut patience = Patience::default();
        loop {
            let opened = open_absorbed_snapshot(self.store, self.me.writer(), self.entropy);
            let read = opened.map_err(ExportError::from).and_then(|()| read(self));
            let read = read.and_then(|read| Ok(self.store.commit().map(|()| read)?));
            if read.is_err() {
                self.store.rollback()?;
            }
            match read {
                Err(ExportError::Store(error)) if patience.tries_again(&error) => {}
                read => return read,
            }
        }
    }

    /// Absorbs in a transaction that is undone once the snapshot has been read.
    fn absorb_for_a_look(&mut self) -> Result<(), StoreError> {
        self.store.begin(Access::Write)?;
        absorb(self.store, self.me.writer(), self.entropy).map(drop)
    }

    fn snapshot(&mut self, id: LinkId) -> Result<Snapshot, ExportError> {
        let links = self.store.links()?;
        let link = links.into_iter().find(|link| link.id == id).ok_or(ExportError::NoLink { link: id })?;
        let card = Card::parse(&link.card).map_err(|source| ExportError::Card { peer: link.name.clone(), source })?;
        let (nodes_known, nodes) = self.nodes(&link)?;
        let (after, upto) = (link.acknowledged_upto(self.me.epoch), self.store.last_seq()?);
        Ok(Snapshot { peer: Peer::from(&card), after, upto, nodes_known, nodes, link })
    }

    /// Reads the next part, if there is anything to say at all.
    fn look(&mut self, id: LinkId, parts: &mut Parts) -> Result<Look, ExportError> {
        let snapshot = self.snapshot(id)?;
        let begin = match parts.begin() {
            Some(begin) => begin,
            None => {
                let standing = self.standing(&snapshot)?;
                if !self.has_news(&snapshot, &standing)? {
                    return Ok(Look::NoNews(standing));
                }
                snapshot.after
            }
        };
        let part = parts.next(self.store, &snapshot.link, begin, snapshot.upto)?;
        let (made, too_large, told) = self.read(&snapshot, &part)?;
        Ok(Look::Draft(Box::new(Draft { snapshot, part, made, too_large, told })))
    }

    /// Reads the changes of a part into a new bundle.
    fn read(&mut self, snapshot: &Snapshot, part: &Part) -> Result<Made, ExportError> {
        let (link, created) = (&snapshot.link, self.clock.now());
        // What is said once is said in the last part: it comes to effect when all of the feed has.
        let receipts = if part.is_last && !is_on(Fault::ReceiptsDropped) {
            self.store.receipts_to_send(link.id)?
        } else {
            Vec::new()
        };
        let entries = if part.is_last { entries::read(self.store)? } else { EntryBook::default() };
        let contents = Contents {
            number: next_number(link, self.me.epoch),
            after: part.after,
            upto: part.upto,
            ack: acknowledgement(link),
            created,
            nodes_known: snapshot.nodes_known,
            nodes: snapshot.nodes.clone(),
            entries: if link.role == PeerRole::Central { entries.up() } else { Vec::new() },
            refused_entries: entries.down(link.id),
            health: health(self.store, link, self.outbox, snapshot.after, created)?,
            receipts: receipts.into_iter().map(|stored| stored.receipt).collect(),
            trail: trail(link, self.me.epoch),
            anew: link.history.anew.clone(),
            common: link.history.common.map(|(common, _)| common),
        };
        let begun = BundleWriter::new(self.me, self.keys, &snapshot.peer, contents, self.entropy);
        let mut writer = match begun {
            Ok(writer) => writer,
            // Fewer records would not help.
            Err(error) => {
                return Err(ExportError::Make { peer: link.name.clone(), reason: error.in_words() });
            }
        };
        let (mut failure, limit) = (None, self.records_per_bundle.max(1));
        let chosen = choose::changes(self.store, link, part.holds, &mut |table| match writer.add(table, limit) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })?;
        let is_only = part.after == snapshot.after;
        let compared = digests::compared(self.store, link, part, is_only, &chosen)?;
        let has_details = compared.said.finer.is_some() || !compared.said.wanted.is_empty();
        writer.digests(compared.said);
        let told = Told { digest: compared.kept, has_details };
        Ok((failure.map_or(Ok(writer), Err), chosen.too_large, told))
    }

    /// Keeps records in the feed that fit no bundle, beyond what this one covers, until they have become smaller; and
    /// says so where people look for what did not arrive.
    fn leave_out(&mut self, link: &Link, too_large: &[TooLarge]) -> Result<(), ExportError> {
        if too_large.is_empty() {
            return Ok(());
        }
        self.store.begin(Access::Write)?;
        let noted = too_large.iter().try_for_each(|record| self.leave_one_out(link, record));
        let noted = noted.and_then(|()| self.store.commit());
        if noted.is_err() {
            self.store.rollback()?;
        }
        Ok(noted?)
    }

    fn leave_one_out(&mut self, link: &Link, too_large: &TooLarge) -> Result<(), StoreError> {
        let Some(table) = self.store.tracking().by_number(too_large.table).cloned() else { return Ok(()) };
        let uid = too_large.uid;
        let Some(Known::Live(mut record)) = self.store.records(&table, &[uid])?.remove(&uid) else { return Ok(()) };
        let (acknowledged, seq) = (link.acknowledged_upto(self.me.epoch), self.store.next_seq()?);
        let is_central = link.role == PeerRole::Central;
        for layer in record.state.layers_mut().filter(|layer| layer.place(is_central) > acknowledged) {
            *layer = if is_central { ColumnState { seq, first: None, ..*layer } } else { layer.again_at(seq) };
        }
        self.store.save_states(&table, &[record])?;
        let reason = format!(
            "it holds {} bytes, more than any bundle carries ({RECORD_BYTES_MAX}): it stays here until it is smaller",
            too_large.bytes
        );
        let (table, column, outcome) = (table.name, None, Outcome::Quarantined);
        let receipt = Receipt { table, uid, column, outcome, reason };
        self.store.save_received_receipts(&[StoredReceipt { link: link.id, receipt }], self.clock.now())
    }

    /// What an export would do.
    fn plan(&mut self, id: LinkId) -> Result<Exported, ExportError> {
        let snapshot = self.snapshot(id)?;
        let standing = self.standing(&snapshot)?;
        if !self.has_news(&snapshot, &standing)? {
            return Ok(without_news(standing));
        }
        let (mut parts, mut bundles) = (Parts::new(self.records_per_bundle), Vec::new());
        let mut number = next_number(&snapshot.link, self.me.epoch);
        loop {
            let begin = parts.begin().unwrap_or(snapshot.after);
            let part = parts.next(self.store, &snapshot.link, begin, snapshot.upto)?;
            let (from, upto) = part.holds;
            let records = choose::lacking(self.store, &snapshot.link, from, upto)?;
            if records > self.records_per_bundle.max(1) as u64 && parts.narrow(&part) {
                continue;
            }
            bundles.push(self.announce(&snapshot, &part, number, records));
            if part.is_last {
                return Ok(Exported { result: ExportResult::Written, bundles });
            }
            parts.go_on(&part);
            number = BundleNumber(number.0 + 1);
        }
    }

    /// The number of the list of nodes here, and the list itself for a neighbour that holds an older one.
    fn nodes(&mut self, link: &Link) -> Result<(u64, Option<Vec<u8>>), ExportError> {
        let (Some(key), Some(bytes)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Ok((0, None));
        };
        let deployment = CardDeployment::from_kept(&key, &bytes)
            .map_err(|error| ExportError::Damaged { what: "the deployment", reason: error.to_string() })?;
        let number = deployment.nodes.list().number();
        // Mostly it goes down; up, where a district has signed it.
        let lacks_it = link.nodes_known < number;
        Ok((number, lacks_it.then_some(bytes)))
    }

    /// The bundles that were made before and are not acknowledged; none if they are not all there.
    fn standing(&self, snapshot: &Snapshot) -> Result<Vec<OutboxBundle>, OutboxError> {
        let link = &snapshot.link;
        let Some(sent) = link.sent else { return Ok(Vec::new()) };
        let acknowledged = link.acknowledged.filter(|position| position.epoch == sent.epoch);
        if acknowledged.is_some_and(|position| position.number >= sent.number) {
            return Ok(Vec::new());
        }
        let bundles: Vec<_> = outbox::list(&self.outbox.join(link.name.as_str()))?
            .into_iter()
            .filter(|bundle| acknowledged.is_none_or(|position| bundle.header.number > position.number))
            .collect();
        let is_whole = bundles.last().is_some_and(|last| last.header.id == sent.id)
            && bundles.first().is_some_and(|first| first.header.after <= snapshot.after);
        Ok(if is_whole { bundles } else { Vec::new() })
    }

    /// Whether there is something to say that the standing bundles do not say.
    fn has_news(&mut self, snapshot: &Snapshot, standing: &[OutboxBundle]) -> Result<bool, StoreError> {
        let link = &snapshot.link;
        if digests::has_news(self.store, link)? {
            return Ok(true);
        }
        let Some(last) = standing.last() else {
            return Ok(snapshot.nodes.is_some()
                || link.history.anew.is_some()
                || link.owes_acknowledgement
                || choose::lacks(self.store, link, (snapshot.after, snapshot.upto))?
                || !self.store.receipts_to_send(link.id)?.is_empty()
                || has_entries(&entries::read(self.store)?, link));
        };
        let acknowledges_less = last.header.ack != acknowledgement(link) && link.owes_acknowledgement;
        Ok(acknowledges_less
            || self.has_newer_nodes(snapshot)?
            || self.store.has_new_receipts(link.id)?
            || entries::read(self.store)?.has_new(satellite(link))
            || choose::lacks(self.store, link, (snapshot.after.max(last.header.upto), snapshot.upto))?)
    }

    /// Whether the neighbour lacks a list of nodes that the last bundle for it does not carry: one that only
    /// acknowledges is never acknowledged itself, and would keep the list here.
    fn has_newer_nodes(&mut self, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let carried = self.store.setting(&nodes_carried(snapshot.link.id))?;
        Ok(snapshot.nodes.is_some() && carried.as_deref() != Some(&snapshot.nodes_known.to_le_bytes()))
    }

    /// What would be made.
    fn announce(&self, snapshot: &Snapshot, part: &Part, number: BundleNumber, records: u64) -> OutboxBundle {
        let header = BundleHeader {
            deployment: self.me.deployment,
            id: saddlebag_formats::BundleId([0; 16]),
            from: self.me.id,
            key: self.keys.signing.key_id(),
            to: snapshot.peer.id,
            epoch: self.me.epoch,
            number,
            after: part.after,
            upto: part.upto,
            ack: acknowledgement(&snapshot.link),
            created: self.clock.now(),
            payload: saddlebag_formats::payload_binding::PayloadBinding::of(&[]),
        };
        OutboxBundle { path: std::path::PathBuf::new(), header, records, bytes: 0 }
    }

    /// Notes that a bundle exists, and lets it appear.
    fn publish(
        &mut self,
        snapshot: Snapshot,
        part: &Part,
        folder: &Path,
        bundle: Bundle,
        (records, told): (u64, Told),
    ) -> Result<OutboxBundle, ExportError> {
        let Bundle { header, head, payload } = bundle;
        let Snapshot { mut link, peer, nodes_known, nodes, .. } = snapshot;
        let (number, id, upto) = (header.number, header.id, header.upto);
        link.note_sent(header.epoch, SentBundle { number, id, upto, digest: told.digest });
        if told.has_details {
            link.comparison.told = Some(number);
        }
        link.owes_acknowledgement = false;
        if is_on(Fault::AcknowledgedWhenSent) {
            link.acknowledged = link.sent;
        }
        // Receipts come with the last part, which is none of those before: an acknowledgement of one of these must
        // not let go of them.
        let carried_by = if part.is_last { header.number } else { BundleNumber(header.number.0 + 1) };
        self.record(&link, &header, (carried_by, nodes.map(|_| nodes_known)), records)?;
        let name = file_name(&self.me.name, &peer.name, header.number, header.created, header.id);
        let bytes = (head.len() + payload.len()) as u64;
        let source = head.as_slice().chain(payload.as_slice());
        let path = files::publish_from(folder, &name, source).map_err(OutboxError::from)?;
        Ok(OutboxBundle { path, header, records, bytes })
    }

    /// Notes in the database and beside it that this bundle exists, and which one of its set carries the receipts.
    fn record(
        &mut self,
        link: &Link,
        header: &BundleHeader,
        (carried_by, nodes): (BundleNumber, Option<u64>),
        records: u64,
    ) -> Result<(), ExportError> {
        let made = LogEntry::by_itself(LogKind::MADE, self.clock.now())
            .about_peer(&link.name)
            .with("number", header.number.0)
            .with("id", header.id.to_string())
            .with("records", records);
        self.store.begin(Access::Write)?;
        let list = |store: &mut dyn Store| match nodes {
            Some(number) => store.set_setting(&nodes_carried(link.id), &number.to_le_bytes()),
            None => Ok(()),
        };
        let noted = self
            .store
            .save_link(link)
            .and_then(|()| self.store.receipts_carried(link.id, carried_by))
            .and_then(|()| entries::change(self.store, |book| book.carried(satellite(link), carried_by)))
            .and_then(|()| list(self.store))
            .and_then(|()| self.store.log(&[made]))
            .inspect_err(|_| drop(self.store.rollback()));
        noted?;
        self.store.commit().inspect_err(|_| drop(self.store.rollback()))?;
        let mut mark = HighWater::read(self.high_water)?
            .filter(|mark| mark.epoch == header.epoch)
            .unwrap_or_else(|| HighWater::new(header.epoch));
        mark.seq = mark.seq.max(header.upto);
        mark.peers.insert(header.to, header.number);
        mark.write(self.high_water)?;
        Ok(())
    }
}

fn without_news(standing: Vec<OutboxBundle>) -> Exported {
    let result = if standing.is_empty() { ExportResult::Nothing } else { ExportResult::Unchanged };
    Exported { result, bundles: standing }
}

/// The setting with the number of the list of nodes that the last bundle with one carried over a link.
fn nodes_carried(link: LinkId) -> String {
    format!("nodes_carried_{}", link.0)
}

/// The link of a satellite; none for that of this node's central.
fn satellite(link: &Link) -> Option<LinkId> {
    Some(link.id).filter(|_| link.role == PeerRole::Satellite)
}

/// Whether a bundle for this neighbour would carry entries, or refusals of them.
fn has_entries(book: &EntryBook, link: &Link) -> bool {
    match link.role {
        PeerRole::Central => !book.up().is_empty(),
        PeerRole::Satellite => !book.down(link.id).is_empty(),
    }
}

/// The number of the next bundle on a link.
fn next_number(link: &Link, epoch: saddlebag_formats::Epoch) -> BundleNumber {
    let last = link.sent.filter(|sent| sent.epoch == epoch).map_or(0, |sent| sent.number.0);
    BundleNumber(last + 1)
}

/// The bundles before the next one that are not acknowledged: by them the other end notices a feed that was put back and
/// went on otherwise.
fn trail(link: &Link, epoch: saddlebag_formats::Epoch) -> Vec<IdPrefix> {
    let acknowledged =
        link.acknowledged.filter(|known| known.epoch == epoch).map_or(BundleNumber(0), |known| known.number);
    let mut trail = Vec::new();
    let mut next = next_number(link, epoch);
    for made in link.unacknowledged.iter().rev() {
        // Numbers without a gap tell whose they are.
        if made.number <= acknowledged || made.number.0 + 1 != next.0 {
            break;
        }
        trail.push(id_prefix(made.id));
        next = made.number;
    }
    trail.reverse();
    trail
}

/// What this node has applied of the other end's stream.
fn acknowledgement(link: &Link) -> Option<Acknowledgement> {
    let Position { epoch, number, id, upto } = link.applied?;
    Some(Acknowledgement { epoch, number, id, upto })
}
