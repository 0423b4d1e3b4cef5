//! One bundle's import, from its bytes to the end of its transaction.

use std::fmt;

use saddlebag_formats::Seq;
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::node_name::NodeName;
use saddlebag_formats::payload::Payload;
use saddlebag_keys::card::CardDeployment;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole, Position, StoredReceipt};
use saddlebag_stores::store::{AbsorbContext, absorb};
use saddlebag_stores::{Access, Store, StoreError};

use crate::apply::{Application, Changes};
use crate::arrival::{self, Arrival};
use crate::error::ImportError;
use crate::incoming::Incoming;
use crate::merge::{Setting, Side};
use crate::reading::Signed;
use crate::tally::Tally;

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
        self.store.begin(Access::Read)?;
        let links = self.store.links();
        self.store.rollback()?;
        let signed = Signed::check(file, self.me, &links?)?;
        // Decrypting and decoding come before the write lock; what they cost, the application does not wait for.
        let payload = signed.open(self.keys)?;
        self.store.begin(Access::Write)?;
        match self.take_in(&signed, payload) {
            Ok(applied) => {
                if dry_run {
                    self.store.rollback()?;
                } else if let Err(error) = self.store.commit() {
                    self.store.rollback()?;
                    return Err(error.into());
                }
                Ok(applied)
            }
            Err(error) => {
                self.store.rollback()?;
                Err(error)
            }
        }
    }

    fn take_in(&mut self, signed: &Signed<'_>, payload: Payload) -> Result<Applied, ImportError> {
        let header = signed.header().clone();
        let from = signed.head.sender().name.clone();
        let applied = |result, tally| Applied { header: header.clone(), from: from.clone(), result, tally };
        let mut link = self.link(&header)?;
        let seen = match arrival::judge(&header, &link)? {
            Arrival::Already => {
                self.remind(&mut link, &payload)?;
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
        self.take_nodes(&payload, from.as_str())?;
        self.note_arrival(&mut link, &header, &payload);
        self.store.save_link(&link)?;
        absorb(self.store, self.me.writer(), self.entropy)?;
        let now = self.clock.now();
        for receipt in payload.receipts {
            self.store.save_received_receipt(&StoredReceipt { link: link.id, receipt }, now)?;
        }
        let mut changes = Changes::held(self.store, link.id)?;
        for table in payload.changes {
            for record in table.records {
                if let Some(incoming) = Incoming::new(&table.table, record, seen) {
                    changes.add(incoming);
                }
            }
        }
        let ahead_ms = header.created.0.saturating_sub(now.0);
        let tally = self.apply(&link, &changes, ahead_ms)?;
        if tally.records > 0 {
            self.retry_others(&link)?;
        }
        Ok(applied(ImportResult::Applied, tally))
    }

    fn link(&mut self, header: &BundleHeader) -> Result<Link, ImportError> {
        let found = self.store.links()?.into_iter().find(|link| link.peer == header.from);
        // The signature was checked against this very link a moment ago; only a removal in between can miss it.
        found.ok_or_else(|| ImportError::Damaged { what: "a link", reason: "it is not there any more".to_owned() })
    }

    /// A bundle that comes again may not have been acknowledged where its sender could see it: say it again, unless
    /// the sender acknowledged the very bundle that said so.
    fn remind(&mut self, link: &mut Link, payload: &Payload) -> Result<(), StoreError> {
        let is_told = match (link.sent, link.acknowledged) {
            (Some(sent), Some(acknowledged)) => (acknowledged.epoch, acknowledged.number) == (sent.epoch, sent.number),
            _ => false,
        };
        if !is_told && !link.owes_acknowledgement && has_contents(payload) {
            link.owes_acknowledgement = true;
            self.store.save_link(link)?;
        }
        Ok(())
    }

    fn note_arrival(&self, link: &mut Link, header: &BundleHeader, payload: &Payload) {
        let upto = link.applied_upto(header.epoch).max(header.upto);
        link.applied = Some(Position { epoch: header.epoch, number: header.number, id: header.id, upto });
        // "A bundle that holds nothing but an acknowledgement asks for none."
        link.owes_acknowledgement |= has_contents(payload);
        link.nodes_known = link.nodes_known.max(payload.binding.nodes_known);
        link.last_contact = Some(self.clock.now());
        link.health = Some(payload.health.encode());
    }

    /// Takes a newer list of nodes, if the deployment's key signed it.
    fn take_nodes(&mut self, payload: &Payload, from: &str) -> Result<(), ImportError> {
        let Some(bytes) = &payload.binding.nodes else { return Ok(()) };
        let refused = |reason: String| ImportError::Nodes { from: from.to_owned(), reason };
        let (Some(key), Some(known)) = (self.store.setting(DEPLOYMENT_KEY)?, self.store.setting(NODES)?) else {
            return Err(refused("this node has no deployment key to check it with".to_owned()));
        };
        let read = |nodes: &[u8]| CardDeployment::from_kept(&key, nodes).map_err(|error| refused(error.to_string()));
        if read(bytes)?.nodes.list().number() > read(&known)?.nodes.list().number() {
            self.store.set_setting(NODES, bytes)?;
        }
        Ok(())
    }

    fn apply(&mut self, link: &Link, changes: &Changes, ahead_ms: i64) -> Result<Tally, ImportError> {
        let context = AbsorbContext::of(self.me.writer(), &self.store.links()?);
        let side = match link.role {
            PeerRole::Central => Side::Satellite,
            PeerRole::Satellite => Side::Central,
        };
        let setting = Setting { side, link: link.id, uplink: context.uplink, acknowledged: context.acknowledged };
        let tracking = self.store.tracking().clone();
        let now = self.clock.now();
        Application { store: self.store, tracking: &tracking, setting, ahead_ms, now }.apply(changes)
    }

    /// Tries everything again that is held, of all links.
    pub(crate) fn apply_all_held(&mut self) -> Result<Tally, ImportError> {
        let mut sum = Tally::default();
        for link in self.store.links()? {
            let changes = Changes::held(self.store, link.id)?;
            sum += self.apply(&link, &changes, 0)?;
        }
        Ok(sum)
    }

    /// What is held of other links may have waited for what this one brought.
    fn retry_others(&mut self, link: &Link) -> Result<(), ImportError> {
        for other in self.store.links()?.into_iter().filter(|other| other.id != link.id) {
            let changes = Changes::held(self.store, other.id)?;
            self.apply(&other, &changes, 0)?;
        }
        Ok(())
    }
}

/// Whether a bundle says more than what has arrived and how its sender does.
fn has_contents(payload: &Payload) -> bool {
    !payload.changes.is_empty() || !payload.receipts.is_empty() || payload.binding.nodes.is_some()
}
