//! `rejoin`: a node whose database was restored, copied or replaced begins a new history. Both ends of each of its links
//! come to the same state again, and keep what either has.

mod replaced;

use std::path::Path;

use saddlebag_bundler::HighWater;
use saddlebag_stores::{Access, lineage};
use serde::Serialize;

use crate::error::NodeError;
use crate::node::Node;
use crate::settings;
use crate::system::{SystemClock, SystemEntropy};
use crate::transaction::transaction;

pub use replaced::Replaced;

/// A node that is to begin a new history.
#[derive(Debug)]
pub enum Rejoining {
    /// Its database knows it.
    Known(Box<Node>),
    /// Its database was replaced by one that holds nothing of it.
    Replaced(Box<Replaced>),
}

impl Rejoining {
    /// Opens the node in `folder`, whatever became of its database.
    ///
    /// # Errors
    /// [`NodeError`]; [`NodeError::NotInDatabase`] where the folder does not remember the links either.
    pub fn open(folder: &Path) -> Result<Self, NodeError> {
        match Node::open_anyhow(folder) {
            Ok(node) => Ok(Self::Known(Box::new(node))),
            Err(unknown @ NodeError::NotInDatabase { .. }) => match Replaced::open(folder)? {
                Some(replaced) => Ok(Self::Replaced(Box::new(replaced))),
                None => Err(unknown),
            },
            Err(error) => Err(error),
        }
    }

    /// What is known before.
    ///
    /// # Errors
    /// The database's, and the high-water mark's.
    pub fn plan(&mut self) -> Result<RejoinPlan, NodeError> {
        match self {
            Self::Known(node) => plan(node),
            Self::Replaced(replaced) => Ok(RejoinPlan {
                node: replaced.name(),
                epoch: replaced.before()?.to_string(),
                behind: Some(format!("the database {} holds nothing of it", replaced.database())),
                stopped: Vec::new(),
                peers: replaced.peers(),
                is_replaced: true,
            }),
        }
    }

    /// Begins the new history.
    ///
    /// # Errors
    /// [`NodeError::UnknownRows`]; the database's, and the high-water mark's. Then nothing was changed.
    pub fn rejoin(&mut self) -> Result<Rejoined, NodeError> {
        match self {
            Self::Known(node) => rejoin(node),
            Self::Replaced(replaced) => {
                let before = replaced.before()?;
                let epoch = replaced::next_epoch(before, &mut SystemEntropy);
                replaced.claim((before, epoch), &SystemClock)?;
                Ok(Rejoined {
                    node: replaced.name(),
                    before: before.to_string(),
                    epoch: epoch.to_string(),
                    peers: replaced.peers(),
                    needs_setup: true,
                })
            }
        }
    }
}

/// What is known before a node begins a new history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejoinPlan {
    /// The node.
    pub node: String,
    /// The epoch that its database is in.
    pub epoch: String,
    /// What of the database is behind what was published; none if nothing is.
    pub behind: Option<String>,
    /// Links that stand still, with what was noticed.
    pub stopped: Vec<StoppedLink>,
    /// The neighbours.
    pub peers: Vec<String>,
    /// Whether the database holds nothing of the node.
    pub is_replaced: bool,
}

/// A link that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedLink {
    /// The neighbour.
    pub peer: String,
    /// What was noticed.
    pub why: String,
}

/// A node that has begun a new history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejoined {
    /// The node.
    pub node: String,
    /// The epoch that its database was in.
    pub before: String,
    /// The epoch that it is in now.
    pub epoch: String,
    /// The neighbours, who learn of it with the next bundle.
    pub peers: Vec<String>,
    /// Whether `setup` must be run first.
    pub needs_setup: bool,
}

impl RejoinPlan {
    /// Whether something was noticed that a new history would mend.
    #[must_use]
    pub fn has_reason(&self) -> bool {
        self.behind.is_some() || !self.stopped.is_empty()
    }
}

/// Finds out what a new history would mend.
///
/// # Errors
/// The database's, and the high-water mark's.
pub fn plan(node: &mut Node) -> Result<RejoinPlan, NodeError> {
    let (behind, links) = (node.behind()?, node.links()?);
    let stopped = links.iter().filter_map(|link| {
        let why = link.history.stopped.as_ref()?.why.clone();
        Some(StoppedLink { peer: link.name.clone(), why })
    });
    Ok(RejoinPlan {
        node: node.config.node.name.to_string(),
        epoch: node.epoch.to_string(),
        behind,
        stopped: stopped.collect(),
        peers: links.iter().map(|link| link.name.clone()).collect(),
        is_replaced: false,
    })
}

/// Begins a new history in one transaction. Nothing is sent yet: the next round does that.
///
/// # Errors
/// The database's, and the high-water mark's.
pub fn rejoin(node: &mut Node) -> Result<Rejoined, NodeError> {
    let before = node.epoch;
    let published = HighWater::read(node.high_water())?.map_or(before, |mark| mark.epoch);
    let (entropy, at) = (&mut *node.entropy, node.clock.now());
    let (now, peers) = transaction(&mut *node.store, Access::Write, |store| {
        let now = replaced::next_epoch(lineage::latest(store, before.max(published))?, entropy);
        settings::write_epoch(store, now)?;
        lineage::begin_anew(store, before, now)?;
        store.log(&[replaced::begun((before, now), at)])?;
        Ok((now, store.links()?.into_iter().map(|link| link.name).collect()))
    })?;
    node.go_on_as(now);
    Ok(Rejoined {
        node: node.config.node.name.to_string(),
        before: before.to_string(),
        epoch: now.to_string(),
        peers,
        needs_setup: false,
    })
}
