//! One link's export: absorb, choose, decide whether there is anything to say, make, keep.
//!
//! Order of what must survive a power cut: the link's record of the bundle in the database, the high-water mark,
//! the file. A cut in between leaves a number that no bundle has, which says nothing to anybody: the next export
//! finds the outbox without it and makes the next one. A number is never given twice.

use std::path::Path;

use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::file_name::file_name;
use saddlebag_formats::header::{Acknowledgement, BundleHeader};
use saddlebag_formats::members::Receipt;
use saddlebag_formats::{BundleNumber, LinkId, Seq, TableChanges};
use saddlebag_keys::card::{Card, CardDeployment, CardError};
use saddlebag_keys::files;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::Peer;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole, Position};
use saddlebag_stores::store::absorb;
use saddlebag_stores::{Access, Store, StoreError};

use crate::choose;
use crate::health::health;
use crate::high_water::{HighWater, HighWaterError};
use crate::make::{self, Contents};
use crate::outbox::{self, OutboxBundle, OutboxError};

/// How often the application may slip an edit in between absorb and the snapshot before we keep it out.
const SNAPSHOT_TRIES: u32 = 5;

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

/// A stretch of the feed and what changed there.
type Part = (Seq, Seq, Vec<TableChanges>);

/// What is to be said to a neighbour, as one snapshot of the database.
struct Snapshot {
    link: Link,
    peer: Peer,
    after: Seq,
    parts: Vec<Part>,
    receipts: Vec<Receipt>,
    new_receipts: bool,
    nodes_known: u64,
    nodes: Option<Vec<u8>>,
}

impl Exporter<'_> {
    /// Brings the outbox for one neighbour up to date.
    ///
    /// # Errors
    /// [`ExportError`]; then nothing was published.
    pub fn export(&mut self, link: LinkId, dry_run: bool) -> Result<Exported, ExportError> {
        let now = self.clock.now();
        let opened = if dry_run { self.absorb_for_a_look() } else { self.absorb_and_open_snapshot() };
        let snapshot = opened.map_err(ExportError::from).and_then(|()| self.read_snapshot(link));
        let ended = if dry_run || snapshot.is_err() { self.store.rollback() } else { self.store.commit() };
        let snapshot = snapshot?;
        ended?;
        let folder = self.outbox.join(snapshot.link.name.as_str());
        let standing = self.standing(&snapshot.link, &folder)?;
        if !self.has_news(&snapshot, &standing) {
            let result = if standing.is_empty() { ExportResult::Nothing } else { ExportResult::Unchanged };
            return Ok(Exported { result, bundles: standing });
        }
        if dry_run {
            return Ok(Exported { result: ExportResult::Written, bundles: self.announce(&snapshot, now) });
        }
        files::create_private_folders(&folder).map_err(OutboxError::from)?;
        let bundles = self.make_all(snapshot, &folder)?;
        outbox::remove_others(&folder, &bundles)?;
        Ok(Exported { result: ExportResult::Written, bundles })
    }

    /// Absorbs in a transaction that is undone once the snapshot has been read.
    fn absorb_for_a_look(&mut self) -> Result<(), StoreError> {
        self.store.begin(Access::Write)?;
        absorb(self.store, self.me.writer(), self.entropy).map(drop)
    }

    /// Absorbs, and opens a snapshot in which nothing is left to absorb: a row read there has the values that its
    /// versions stand for.
    fn absorb_and_open_snapshot(&mut self) -> Result<(), StoreError> {
        for _ in 0..SNAPSHOT_TRIES {
            self.store.begin(Access::Write)?;
            absorb(self.store, self.me.writer(), self.entropy)?;
            self.store.commit()?;
            self.store.begin(Access::Read)?;
            if self.store.journal_rows()? == 0 {
                return Ok(());
            }
            self.store.rollback()?;
        }
        // The application writes all the time: the snapshot is what the write lock keeps still.
        self.store.begin(Access::Write)?;
        absorb(self.store, self.me.writer(), self.entropy).map(drop)
    }

    fn read_snapshot(&mut self, id: LinkId) -> Result<Snapshot, ExportError> {
        let links = self.store.links()?;
        let link = links.into_iter().find(|link| link.id == id).ok_or(ExportError::NoLink { link: id })?;
        let card = Card::parse(&link.card).map_err(|source| ExportError::Card { peer: link.name.clone(), source })?;
        let after = link.acknowledged_upto(self.me.epoch);
        let upto = self.store.last_seq()?;
        let parts = self.read_parts(&link, after, upto)?;
        let receipts = self.store.receipts_to_send(id)?.into_iter().map(|stored| stored.receipt).collect();
        let (nodes_known, nodes) = self.nodes(&link)?;
        Ok(Snapshot {
            peer: Peer::from(&card),
            after,
            parts,
            receipts,
            new_receipts: self.store.has_new_receipts(id)?,
            nodes_known,
            nodes,
            link,
        })
    }

    /// The changes in `(after, upto]`, in stretches of so many records; a stretch in which the link lacks nothing is
    /// part of the next.
    fn read_parts(&mut self, link: &Link, after: Seq, upto: Seq) -> Result<Vec<Part>, StoreError> {
        let (mut parts, mut begin, mut from) = (Vec::new(), after, after);
        while let Some(cut) = self.store.feed_cut(from, self.records_per_bundle as u64)? {
            let changes = choose::changes(self.store, link, from, cut)?;
            if !changes.is_empty() {
                parts.push((begin, cut, changes));
                begin = cut;
            }
            from = cut;
        }
        let changes = choose::changes(self.store, link, from, upto)?;
        match parts.last_mut() {
            Some((_, end, _)) if changes.is_empty() => *end = upto,
            _ => parts.push((begin, upto, changes)),
        }
        Ok(parts)
    }

    /// The number of the list of nodes here, and the list itself for a satellite that holds an older one.
    fn nodes(&mut self, link: &Link) -> Result<(u64, Option<Vec<u8>>), ExportError> {
        let (Some(key), Some(bytes)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Ok((0, None));
        };
        let deployment = CardDeployment::from_kept(&key, &bytes)
            .map_err(|error| ExportError::Damaged { what: "the deployment", reason: error.to_string() })?;
        let number = deployment.nodes.list().number();
        let lacks_it = link.role == PeerRole::Satellite && link.nodes_known < number;
        Ok((number, lacks_it.then_some(bytes)))
    }

    /// The bundles that were made before and are not acknowledged; none if they are not all there.
    fn standing(&self, link: &Link, folder: &Path) -> Result<Vec<OutboxBundle>, OutboxError> {
        let Some(sent) = link.sent else { return Ok(Vec::new()) };
        let acknowledged = link.acknowledged.filter(|position| position.epoch == sent.epoch);
        if acknowledged.is_some_and(|position| position.number >= sent.number) {
            return Ok(Vec::new());
        }
        let bundles: Vec<_> = outbox::list(folder)?
            .into_iter()
            .filter(|bundle| acknowledged.is_none_or(|position| bundle.header.number > position.number))
            .collect();
        let is_whole = bundles.last().is_some_and(|last| last.header.id == sent.id)
            && bundles.first().is_some_and(|first| first.header.after <= link.acknowledged_upto(self.me.epoch));
        Ok(if is_whole { bundles } else { Vec::new() })
    }

    /// Whether there is something to say that the standing bundles do not say.
    fn has_news(&self, snapshot: &Snapshot, standing: &[OutboxBundle]) -> bool {
        let changes = snapshot.parts.iter().flat_map(|(_, _, changes)| changes).flat_map(|table| &table.records);
        let Some(last) = standing.last() else {
            return changes.count() > 0
                || !snapshot.receipts.is_empty()
                || snapshot.nodes.is_some()
                || snapshot.link.owes_acknowledgement;
        };
        let covered = last.header.upto;
        let acknowledges_less =
            last.header.ack != acknowledgement(&snapshot.link) && snapshot.link.owes_acknowledgement;
        changes.map(choose::place).any(|place| place > covered) || snapshot.new_receipts || acknowledges_less
    }

    /// What would be made.
    fn announce(&self, snapshot: &Snapshot, now: saddlebag_formats::TimeMs) -> Vec<OutboxBundle> {
        let first = next_number(&snapshot.link, self.me.epoch);
        let part = |((after, upto, changes), number): (&Part, u64)| OutboxBundle {
            path: std::path::PathBuf::new(),
            header: BundleHeader {
                deployment: self.me.deployment,
                id: saddlebag_formats::BundleId([0; 16]),
                from: self.me.id,
                key: self.keys.signing.key_id(),
                to: snapshot.peer.id,
                epoch: self.me.epoch,
                number: BundleNumber(number),
                after: *after,
                upto: *upto,
                ack: acknowledgement(&snapshot.link),
                created: now,
                payload: saddlebag_formats::payload_binding::PayloadBinding::of(&[]),
            },
            records: make::count(changes) as u64,
            bytes: 0,
        };
        snapshot.parts.iter().zip(first.0..).map(part).collect()
    }

    fn make_all(&mut self, mut snapshot: Snapshot, folder: &Path) -> Result<Vec<OutboxBundle>, ExportError> {
        let mut bundles = Vec::new();
        let last = snapshot.parts.len() - 1;
        let last_number = BundleNumber(next_number(&snapshot.link, self.me.epoch).0 + last as u64);
        for (index, (after, upto, changes)) in std::mem::take(&mut snapshot.parts).into_iter().enumerate() {
            // What is said once is said in the last part: it comes to effect when all of the feed has.
            let receipts = if index == last { std::mem::take(&mut snapshot.receipts) } else { Vec::new() };
            bundles.push(self.make_one(&mut snapshot, folder, (after, upto), changes, (receipts, last_number))?);
        }
        Ok(bundles)
    }

    fn make_one(
        &mut self,
        snapshot: &mut Snapshot,
        folder: &Path,
        (after, upto): (Seq, Seq),
        changes: Vec<TableChanges>,
        (receipts, carried_by): (Vec<Receipt>, BundleNumber),
    ) -> Result<OutboxBundle, ExportError> {
        let created = self.clock.now();
        let records = make::count(&changes) as u64;
        let link = &mut snapshot.link;
        let contents = Contents {
            number: next_number(link, self.me.epoch),
            after,
            upto,
            ack: acknowledgement(link),
            created,
            nodes_known: snapshot.nodes_known,
            nodes: snapshot.nodes.clone(),
            health: health(self.store, link, self.outbox, snapshot.after, created)?,
            receipts,
            changes,
        };
        let made = make::bundle(self.me, self.keys, &snapshot.peer, contents, self.entropy);
        let (header, bytes) =
            made.map_err(|error| ExportError::Make { peer: link.name.clone(), reason: error.to_string() })?;
        link.sent = Some(Position { epoch: header.epoch, number: header.number, id: header.id, upto: header.upto });
        link.owes_acknowledgement = false;
        let name = file_name(&self.me.name, &snapshot.peer.name, header.number, header.created, header.id);
        self.record(link, &header, carried_by)?;
        let path = files::publish(folder, &name, &bytes).map_err(OutboxError::from)?;
        Ok(OutboxBundle { path, header, records, bytes: bytes.len() as u64 })
    }

    /// Notes in the database and beside it that this bundle exists, and which one of its set carries the receipts.
    fn record(&mut self, link: &Link, header: &BundleHeader, carried_by: BundleNumber) -> Result<(), ExportError> {
        self.store.begin(Access::Write)?;
        let noted = self
            .store
            .save_link(link)
            .and_then(|()| self.store.receipts_carried(link.id, carried_by))
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

/// The number of the next bundle on a link.
fn next_number(link: &Link, epoch: saddlebag_formats::Epoch) -> BundleNumber {
    let last = link.sent.filter(|sent| sent.epoch == epoch).map_or(0, |sent| sent.number.0);
    BundleNumber(last + 1)
}

/// What this node has applied of the other end's stream.
fn acknowledgement(link: &Link) -> Option<Acknowledgement> {
    let Position { epoch, number, id, upto } = link.applied?;
    Some(Acknowledgement { epoch, number, id, upto })
}
