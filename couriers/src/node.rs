//! A node that is open: its folder, its lock, its keys and its database.
//!
//! Invariant: a [`Node`] exists only while no other saddlebag works on its folder, and only with the database
//! that belongs to it and is not behind what the node has already sent.

use std::fmt;
use std::path::{Path, PathBuf};

use saddlebag_bundler::{Exporter, HighWater};
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::{BundleNumber, Epoch, NodeId, Writer};
use saddlebag_importer::Importer;
use saddlebag_keys::files;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::{NodeKeys, PublicKey, SignedNodeList};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::tracking::{Numbering, Tracking, TrackingError};
use saddlebag_stores::{Access, Store, StoreError};

use crate::config::NodeConfig;
use crate::folder::{self, CONFIG_FILE, HIGH_WATER_FILE, NODE_FILE};
use crate::kept_links::KeptLinks;
use crate::last_setup::LastSetup;
use crate::lock::Lock;
use crate::settings::{self, Settings};
use crate::system::{self, SystemClock, SystemEntropy};
use crate::takeover;
use crate::transaction::transaction;

pub use crate::error::NodeError;

/// The file `node` is one line.
const NODE_FILE_BYTES_MAX: u64 = 256;

/// An open node.
pub struct Node {
    /// Its folder.
    pub folder: PathBuf,
    /// Its `saddlebag.toml`.
    pub config: NodeConfig,
    /// Its keys.
    pub keys: NodeKeys,
    /// Its database.
    pub store: Box<dyn Store>,
    /// Its id.
    pub id: NodeId,
    /// The present history of its database.
    pub epoch: Epoch,
    /// The deployment that it belongs to: its public key, and its nodes.
    pub deployment: Option<(PublicKey, SignedNodeList)>,
    /// The wall clock.
    pub clock: Box<dyn Clock>,
    /// Where ids come from.
    pub entropy: Box<dyn Entropy>,
    /// This node as its bundles say, kept here so that an exporter can refer to it.
    me: Option<ThisNode>,
    outbox: PathBuf,
    high_water: PathBuf,
    _lock: Lock,
}

/// How much must be right before a node is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// All: it is about to work.
    Work,
    /// The setup may be missing or old.
    Setup,
    /// The database may be older than what was sent, too.
    Anyhow,
}

impl Node {
    /// Opens the node in `folder` to work with it.
    ///
    /// # Errors
    /// [`NodeError`]; among others if `setup` has to be run first, or the database is a restored one.
    pub fn open(folder: &Path) -> Result<Self, NodeError> {
        Self::open_with(folder, Box::new(SystemClock), Box::new(SystemEntropy))
    }

    /// As [`Node::open`], with another clock and other randomness than the machine's.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_with(folder: &Path, clock: Box<dyn Clock>, entropy: Box<dyn Entropy>) -> Result<Self, NodeError> {
        Self::open_as(folder, Strictness::Work, clock, entropy)
    }

    /// Opens the node in `folder` whose setup may be missing or old.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open_for_setup(folder: &Path) -> Result<Self, NodeError> {
        Self::open_for_setup_with(folder, Box::new(SystemClock), Box::new(SystemEntropy))
    }

    /// As [`Node::open_for_setup`], with another clock and other randomness than the machine's.
    ///
    /// # Errors
    /// As [`Node::open_for_setup`].
    pub fn open_for_setup_with(
        folder: &Path,
        clock: Box<dyn Clock>,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, NodeError> {
        Self::open_as(folder, Strictness::Setup, clock, entropy)
    }

    /// Opens the node in `folder` however old its database is: to take it out of that, or to begin a new history.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open_anyhow(folder: &Path) -> Result<Self, NodeError> {
        Self::open_anyhow_with(folder, Box::new(SystemClock), Box::new(SystemEntropy))
    }

    /// As [`Node::open_anyhow`], with another clock and other randomness than the machine's.
    ///
    /// # Errors
    /// As [`Node::open_anyhow`].
    pub fn open_anyhow_with(
        folder: &Path,
        clock: Box<dyn Clock>,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, NodeError> {
        Self::open_as(folder, Strictness::Anyhow, clock, entropy)
    }

    fn open_as(
        folder: &Path,
        strictness: Strictness,
        clock: Box<dyn Clock>,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, NodeError> {
        if !folder.join(CONFIG_FILE).exists() {
            return Err(NodeError::NotANode { folder: folder.to_owned() });
        }
        let lock = Lock::take(folder)?;
        let config = NodeConfig::read(folder)?;
        let id = read_node_file(folder)?;
        let keys = NodeKeys::load(&folder::keys(folder))?;
        let mut store = config.database()?.open()?;
        store.act_as(&system::user());
        let settings = read_settings(&mut *store, &config, id)?;
        let mut node = Self {
            folder: folder.to_owned(),
            config,
            keys,
            store,
            id,
            epoch: settings.epoch,
            deployment: settings.deployment,
            clock,
            entropy,
            me: None,
            outbox: folder::outbox(folder),
            high_water: folder.join(HIGH_WATER_FILE),
            _lock: lock,
        };
        node.name_itself();
        if strictness != Strictness::Anyhow {
            node.check_high_water()?;
        }
        if strictness == Strictness::Work {
            node.check_setup()?;
            node.keep_links()?;
        }
        Ok(node)
    }

    /// Who this node is, as its bundles say.
    ///
    /// # Errors
    /// [`NodeError::NoDeployment`].
    pub fn this_node(&self) -> Result<ThisNode, NodeError> {
        self.me.clone().ok_or(NodeError::NoDeployment)
    }

    /// Who writes here.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer { node: self.id, epoch: self.epoch }
    }

    /// What makes bundles for this node's neighbours.
    ///
    /// # Errors
    /// [`NodeError::NoDeployment`].
    pub fn exporter(&mut self) -> Result<Exporter<'_>, NodeError> {
        Ok(Exporter {
            store: &mut *self.store,
            keys: &self.keys,
            me: self.me.as_ref().ok_or(NodeError::NoDeployment)?,
            outbox: &self.outbox,
            high_water: &self.high_water,
            records_per_bundle: self.config.records_per_bundle(),
            clock: &*self.clock,
            entropy: &mut *self.entropy,
        })
    }

    /// What takes in bundles for this node.
    ///
    /// # Errors
    /// [`NodeError::NoDeployment`].
    pub fn importer(&mut self) -> Result<Importer<'_>, NodeError> {
        Ok(Importer {
            store: &mut *self.store,
            keys: &self.keys,
            me: self.me.as_ref().ok_or(NodeError::NoDeployment)?,
            clock: &*self.clock,
            entropy: &mut *self.entropy,
        })
    }

    /// The links to this node's neighbours.
    ///
    /// # Errors
    /// The database's.
    pub fn links(&mut self) -> Result<Vec<Link>, NodeError> {
        transaction(&mut *self.store, Access::Read, |store| Ok(store.links()?))
    }

    /// Reads again what an import may have changed: the list of nodes.
    pub(crate) fn reload_deployment(&mut self) -> Result<(), NodeError> {
        let read = |store: &mut dyn Store| Ok(settings::read_deployment(store)?);
        self.deployment = transaction(&mut *self.store, Access::Read, read)?;
        self.name_itself();
        self.keep_links()
    }

    /// Has the folder remember the links, in case the database is replaced.
    fn keep_links(&mut self) -> Result<(), NodeError> {
        let links = self.links()?;
        KeptLinks::write(&self.folder, self.epoch, self.deployment.as_ref(), &links)
    }

    fn name_itself(&mut self) {
        self.me = self.deployment.as_ref().map(|(key, _)| ThisNode {
            id: self.id,
            name: self.config.node.name.clone(),
            deployment: key.deployment_id(),
            epoch: self.epoch,
        });
    }

    /// What `saddlebag.toml` asks for, with the numbers that the database has given, and whether `setup` has
    /// made just that.
    pub(crate) fn wanted_tracking(&mut self) -> Result<(Tracking, Setup), NodeError> {
        let schema = self.store.schema()?;
        let known = self.store.installed()?.unwrap_or_default();
        let tracking = match Tracking::resolve(&self.config.tables, &schema, &known) {
            Ok(tracking) => tracking,
            Err(error) => return Err(gone_since(error, &self.last_setup(&known)?)),
        };
        let setup = match known.tables.is_empty() {
            true => Setup::Missing,
            false if !settings::is_setup_done(&mut *self.store)? => Setup::Interrupted,
            false if known.summary == tracking.summary() => Setup::Current,
            false => Setup::Old,
        };
        Ok((tracking, setup))
    }

    fn check_setup(&mut self) -> Result<(), NodeError> {
        let (tracking, setup) = self.wanted_tracking()?;
        match setup {
            Setup::Interrupted => return Err(NodeError::SetupInterrupted),
            Setup::Missing => return Err(StoreError::NotSetUp.into()),
            Setup::Old => {
                let known = self.store.installed()?.unwrap_or_default();
                let what = self.last_setup(&known)?.in_words(&tracking);
                let what = what.unwrap_or_else(|| "saddlebag.toml or the database's schema".to_owned());
                return Err(StoreError::SetupIsOlder { what }.into());
            }
            Setup::Current => self.store.use_tracking(tracking),
        }
        // "a satellite's `setup` takes it over after `join`": before, it would speak of its records by other names.
        match takeover::pending(self)? {
            Some(takeover) if !takeover.changes_nothing() => {
                let what = format!("what {} has chosen for the tables", takeover.central);
                Err(StoreError::SetupIsOlder { what }.into())
            }
            _ => Ok(()),
        }
    }

    /// What `setup` last made; nothing if it never was run.
    pub(crate) fn last_setup(&mut self, known: &Numbering) -> Result<LastSetup, NodeError> {
        if known.tables.is_empty() {
            return Ok(LastSetup::default());
        }
        transaction(&mut *self.store, Access::Read, |store| Ok(LastSetup::read(store)?))
    }

    /// "a restored database is noticed at home": it must not speak before somebody has looked.
    fn check_high_water(&mut self) -> Result<(), NodeError> {
        self.behind()?.map_or(Ok(()), |reason| Err(NodeError::DatabaseIsOlder { reason }))
    }

    /// What of the database is behind what was published; none if nothing is.
    pub(crate) fn behind(&mut self) -> Result<Option<String>, NodeError> {
        let Some(mark) = HighWater::read(&self.high_water)? else { return Ok(None) };
        let epoch = self.epoch;
        transaction(&mut *self.store, Access::Read, |store| {
            Ok(behind(&mark, epoch, store.last_seq()?, &store.links()?))
        })
    }

    /// The file of the high-water mark.
    pub(crate) fn high_water(&self) -> &Path {
        &self.high_water
    }

    /// Goes on in a new history.
    pub(crate) fn go_on_as(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.name_itself();
    }
}

/// A name in `saddlebag.toml` that was right when `setup` was last run is no slip of the pen.
fn gone_since(error: TrackingError, last: &LastSetup) -> NodeError {
    match error {
        TrackingError::NoTable { table } if last.had(&table, None) => NodeError::TableGone { table },
        TrackingError::NoColumn { table, column } if last.had(&table, Some(&column)) => {
            NodeError::ColumnGone { table, column }
        }
        other => other.into(),
    }
}

/// How the database stands to `saddlebag.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    Missing,
    /// It was begun and has not taken in all rows.
    Interrupted,
    Old,
    Current,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("folder", &self.folder).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What of the database is behind what was published; none if nothing is.
fn behind(mark: &HighWater, epoch: Epoch, seq: saddlebag_formats::Seq, links: &[Link]) -> Option<String> {
    if mark.epoch != epoch {
        return (mark.epoch > epoch).then(|| format!("epoch {epoch}, where {} was published", mark.epoch));
    }
    if seq < mark.seq {
        return Some(format!("change {seq}, where {} was published", mark.seq));
    }
    mark.peers.iter().find_map(|(peer, published)| {
        let link = links.iter().find(|link| link.peer == *peer);
        let sent = link.and_then(|link| link.sent).filter(|sent| sent.epoch == epoch);
        let sent = sent.map_or(BundleNumber(0), |sent| sent.number);
        let name = link.map_or_else(|| peer.to_string(), |link| link.name.clone());
        (sent < *published).then(|| format!("bundle {sent} for {name}, where {published} was published"))
    })
}

pub(crate) fn read_node_file(folder: &Path) -> Result<NodeId, NodeError> {
    let path = folder.join(NODE_FILE);
    let bytes = files::read_bounded(&path, NODE_FILE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end().parse().map_err(|_| NodeError::BadNodeFile { path })
}

fn read_settings(store: &mut dyn Store, config: &NodeConfig, id: NodeId) -> Result<Settings, NodeError> {
    let database = || config.database_shown();
    // Without its tables there is nothing that settings could be read from.
    if store.installed()?.is_none() {
        return Err(NodeError::NotInDatabase { database: database() });
    }
    let settings = transaction(store, Access::Read, |store| Ok(Settings::read(store)?))?;
    let settings = settings.ok_or_else(|| NodeError::NotInDatabase { database: database() })?;
    if settings.id != id {
        return Err(NodeError::OtherNode { database: database(), found: settings.id, expected: id });
    }
    if settings.name != config.node.name {
        return Err(NodeError::OtherName { found: config.node.name.clone(), known: settings.name });
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::{BundleId, LinkId, Seq};
    use saddlebag_stores::ledger::{PeerRole, Position};

    use super::*;

    fn link(number: u64, epoch: Epoch) -> Link {
        Link {
            id: LinkId(1),
            peer: NodeId([9; 16]),
            name: "ministry".to_owned(),
            role: PeerRole::Central,
            card: Vec::new(),
            sent: Some(Position { epoch, number: BundleNumber(number), id: BundleId([0; 16]), upto: Seq(1) }),
            acknowledged: None,
            unacknowledged: Vec::new(),
            comparison: saddlebag_formats::Comparison::default(),
            applied: None,
            owes_acknowledgement: false,
            nodes_known: 0,
            last_contact: None,
            health: None,
            history: saddlebag_formats::history::History::default(),
        }
    }

    #[test]
    fn a_database_behind_what_was_published_is_noticed() {
        let epoch = Epoch::new(2, 7);
        let mark = HighWater { epoch, seq: Seq(10), peers: [(NodeId([9; 16]), BundleNumber(3))].into() };
        assert_eq!(behind(&mark, epoch, Seq(10), &[link(3, epoch)]), None);
        assert_eq!(behind(&mark, epoch, Seq(11), &[link(4, epoch)]), None);
        assert!(behind(&mark, epoch, Seq(9), &[link(3, epoch)]).unwrap().contains("change 9"));
        assert!(behind(&mark, epoch, Seq(10), &[link(2, epoch)]).unwrap().contains("bundle 2 for ministry"));
        assert!(behind(&mark, epoch, Seq(10), &[]).is_some(), "a link that the backup does not have");
        assert!(behind(&mark, epoch, Seq(10), &[link(3, Epoch::new(1, 1))]).is_some());
        assert!(behind(&mark, Epoch::new(1, 9), Seq(99), &[link(9, epoch)]).unwrap().contains("epoch"));
        assert_eq!(behind(&mark, Epoch::new(3, 0), Seq(0), &[]), None, "a new history");
    }
}
