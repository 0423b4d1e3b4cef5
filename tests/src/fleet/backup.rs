//! Copies of a node's database, and of its folder, that it goes back to.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use saddlebag_bundler::HighWater;
use saddlebag_formats::{BundleNumber, Epoch};
use saddlebag_stores::store::absorb;
use saddlebag_stores::{Access, StoreError};

use super::{FleetNode, connect};
use crate::app::App;
use crate::engines::NodeStore;

/// A node as it once was: its SQLite database, and what lies beside it.
#[derive(Debug, Clone)]
pub struct Backup {
    database: Vec<u8>,
    epoch: Epoch,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl FleetNode {
    /// A copy of its database, its outbox and its high-water mark, once nothing waits in its journal.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn backup(&mut self) -> Backup {
        // What waits in the journal of a backup and is sent meanwhile is absorbed twice, by two histories
        // (`docs/reliability.md`, "Open").
        self.store.begin(Access::Write).unwrap();
        let _absorbed = absorb(&mut *self.store, self.me.writer(), &mut self.entropy).unwrap();
        self.store.commit().unwrap();
        let files = self.folder_files().into_iter().map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        });
        let database = std::fs::read(&self.database).unwrap();
        Backup { database, epoch: self.me.epoch, files: files.collect() }
    }

    /// Goes back to a copy of its database; also to that of its folder, if that was copied too.
    ///
    /// # Panics
    /// When a file cannot be written, or its database is another engine's.
    #[expect(clippy::disallowed_methods, reason = "a test's files need not survive a power cut")]
    pub fn put_back(&mut self, backup: &Backup, with_folder: bool) {
        let tracking = self.store.tracking().clone();
        self.store = NodeStore::Away;
        self.app = App::Sqlite(Box::new(Connection::open_in_memory().unwrap()));
        std::fs::write(&self.database, &backup.database).unwrap();
        self.app = connect(&self.database, None);
        self.store = super::open(&self.database, None);
        self.store.use_tracking(tracking);
        self.me.epoch = backup.epoch;
        if with_folder {
            self.folder_files().iter().for_each(|path| std::fs::remove_file(path).unwrap());
            for (path, bytes) in &backup.files {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        }
    }

    /// All that belongs to it beside its database.
    fn folder_files(&self) -> Vec<PathBuf> {
        let files = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let outboxes = files(&self.folder.join("outbox"));
        let mut all: Vec<PathBuf> = outboxes.iter().flat_map(|folder| files(folder)).collect();
        all.extend(Some(self.folder.join("high-water")).filter(|path| path.exists()));
        all
    }

    /// The epoch that its folder knows to be published; its own, if it knows of none.
    ///
    /// # Panics
    /// When the high-water mark cannot be read.
    #[must_use]
    pub fn published(&self) -> Epoch {
        let mark = HighWater::read(&self.folder.join("high-water")).unwrap();
        mark.map_or(self.me.epoch, |mark| mark.epoch)
    }

    /// Whether its database is behind what its folder knows to be published, as the command finds before each round.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Panics
    /// When the high-water mark cannot be read.
    pub fn is_behind(&mut self) -> Result<bool, StoreError> {
        let Some(mark) = HighWater::read(&self.folder.join("high-water")).unwrap() else { return Ok(false) };
        if mark.epoch != self.me.epoch {
            return Ok(mark.epoch > self.me.epoch);
        }
        self.store.begin(Access::Read)?;
        let (last, links) = (self.store.last_seq(), self.store.links());
        self.store.rollback()?;
        let (last, links) = (last?, links?);
        let sent = |peer| {
            let link = links.iter().find(|link| link.peer == peer);
            let sent = link.and_then(|link| link.sent).filter(|sent| sent.epoch == mark.epoch);
            sent.map_or(BundleNumber(0), |sent| sent.number)
        };
        Ok(last < mark.seq || mark.peers.iter().any(|(peer, published)| sent(*peer) < *published))
    }
}
