//! A database that was replaced by one that knows nothing of saddlebag: the node goes on in it, under its old id, with
//! the links that its folder remembers. Everything comes back from the neighbours.

use std::path::{Path, PathBuf};

use saddlebag_bundler::HighWater;
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::members::Anew;
use saddlebag_formats::{Epoch, LogEntry, LogKind, NodeId, Seq, TimeMs};
use saddlebag_stores::config::Identity;
use saddlebag_stores::lineage::{self, Earlier};
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_stores::{Access, Store, contacts};

use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::folder::HIGH_WATER_FILE;
use crate::kept_links::KeptLinks;
use crate::lock::Lock;
use crate::node::read_node_file;
use crate::settings::Settings;
use crate::system;
use crate::transaction::transaction;

/// A node whose database holds nothing of it.
pub struct Replaced {
    config: NodeConfig,
    id: NodeId,
    store: Box<dyn Store>,
    kept: KeptLinks,
    high_water: PathBuf,
    _lock: Lock,
}

impl std::fmt::Debug for Replaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replaced").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Replaced {
    /// The node in `folder`, if its folder remembers its links and the database belongs to nobody.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, NodeError> {
        let lock = Lock::take(folder)?;
        let (config, id) = (NodeConfig::read(folder)?, read_node_file(folder)?);
        let Some(kept) = KeptLinks::read(folder)? else { return Ok(None) };
        let mut store = config.database()?.open()?;
        store.act_as(&system::user());
        if store.installed()?.is_some() {
            return Ok(None);
        }
        let high_water = folder.join(HIGH_WATER_FILE);
        Ok(Some(Self { config, id, store, kept, high_water, _lock: lock }))
    }

    pub(super) fn name(&self) -> String {
        self.config.node.name.to_string()
    }

    pub(super) fn database(&self) -> String {
        self.config.database_shown()
    }

    pub(super) fn peers(&self) -> Vec<String> {
        self.kept.links.iter().map(|link| link.name.clone()).collect()
    }

    /// The last epoch that is known of.
    pub(super) fn before(&self) -> Result<Epoch, NodeError> {
        let published = HighWater::read(&self.high_water)?.map(|mark| mark.epoch);
        Ok(published.map_or(self.kept.epoch, |published| published.max(self.kept.epoch)))
    }

    /// Makes the database this node's, in one transaction.
    pub(super) fn claim(&mut self, (before, epoch): (Epoch, Epoch), clock: &dyn Clock) -> Result<(), NodeError> {
        self.refuse_unknown_rows()?;
        let now = clock.now();
        let KeptLinks { deployment, links, .. } = self.kept.clone();
        let settings = Settings { id: self.id, name: self.config.node.name.clone(), epoch, deployment };
        let entry = begun((before, epoch), now).because("the database was replaced by another one");
        transaction(&mut *self.store, Access::Write, |store| {
            store.install(&Tracking::default())?;
            settings.write(store)?;
            lineage::add(store, Earlier { epoch: before, upto: Seq(0) })?;
            for mut link in links {
                link.id = store.add_link(&link)?;
                contacts::admitted(store, link.id, now)?;
                link.history.anew = Some(Anew { before, known: Vec::new() });
                link.owes_acknowledgement = true;
                store.save_link(&link)?;
            }
            Ok(store.log(&[entry])?)
        })
    }

    /// Rows whose names only the database knew that was lost would come back a second time.
    fn refuse_unknown_rows(&mut self) -> Result<(), NodeError> {
        let schema = self.store.schema()?;
        let tracking = Tracking::resolve(&self.config.tables, &schema, &Numbering::default())?;
        let store = &mut *self.store;
        store.use_tracking(tracking.clone());
        store.begin(Access::Write)?;
        let counted = (|| -> Result<_, NodeError> {
            store.install(&tracking)?;
            for table in tracking.tables.iter().filter(|table| table.identity == Identity::Assigned) {
                let rows = store.journal_existing(table.number, i64::MAX.unsigned_abs())?;
                if rows > 0 {
                    return Ok(Some((table.name.clone(), rows)));
                }
            }
            Ok(None)
        })();
        store.rollback()?;
        store.use_tracking(Tracking::default());
        let database = self.database();
        counted?.map_or(Ok(()), |(table, rows)| Err(NodeError::UnknownRows { database, table, rows }))
    }
}

/// What is logged of a new history.
pub(super) fn begun((before, epoch): (Epoch, Epoch), now: TimeMs) -> LogEntry {
    let entry = LogEntry::by_user(LogKind::REJOIN, now).with("before", before.to_string());
    entry.with("epoch", epoch.to_string())
}

/// A later epoch than `before`.
pub(super) fn next_epoch(before: Epoch, entropy: &mut dyn Entropy) -> Epoch {
    let [a, b, c, d, ..] = entropy.bytes16();
    Epoch::new(before.count().saturating_add(1), u32::from_le_bytes([a, b, c, d]))
}
