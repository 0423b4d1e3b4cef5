//! `rejoin`: a node whose database was restored, copied or replaced begins a new history. Both ends of each of its links
//! come to the same state again, and keep what either has.

use saddlebag_bundler::HighWater;
use saddlebag_formats::Epoch;
use saddlebag_stores::{Access, lineage};
use serde::Serialize;

use crate::error::NodeError;
use crate::node::Node;
use crate::settings;
use crate::transaction::transaction;

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
    })
}

/// Begins a new history in one transaction. Nothing is sent yet: the next round does that.
///
/// # Errors
/// The database's, and the high-water mark's.
pub fn rejoin(node: &mut Node) -> Result<Rejoined, NodeError> {
    let before = node.epoch;
    let published = HighWater::read(node.high_water())?.map_or(before, |mark| mark.epoch);
    let [a, b, c, d, ..] = node.entropy.bytes16();
    let count = before.count().max(published.count()).saturating_add(1);
    let now = Epoch::new(count, u32::from_le_bytes([a, b, c, d]));
    let peers = transaction(&mut *node.store, Access::Write, |store| {
        settings::write_epoch(store, now)?;
        lineage::begin_anew(store, before, now)?;
        Ok(store.links()?.into_iter().map(|link| link.name).collect())
    })?;
    node.go_on_as(now);
    Ok(Rejoined { node: node.config.node.name.to_string(), before: before.to_string(), epoch: now.to_string(), peers })
}
