//! `status`: how this node and its links do. The fields are those of `--json`: only ever added to.

use std::collections::BTreeSet;

use saddlebag_bundler::unacknowledged;
use saddlebag_formats::entry_book::{EntryBook, EntryState, KeptEntry};
use saddlebag_formats::{Epoch, Seq, TimeMs, utc};
use saddlebag_importer::clocks;
use saddlebag_stores::ledger::{Link, LinkCounts, PeerRole};
use saddlebag_stores::log::{self, LogBreak};
use saddlebag_stores::{Access, Store, StoreError, contacts, entries, restored, told_log};
use serde::{Serialize, Serializer};

use crate::after_import::{self, HookStatus};
use crate::error::NodeError;
use crate::health::{ClockDoubt, LinkHealth};
use crate::inbox::Inbox;
use crate::node::Node;
use crate::node_names::NodeNames;
use crate::place::Candidate;
use crate::transaction::transaction;

/// Missing bundles of one link that are named.
pub const MISSING_MAX: usize = 100;

/// How a node does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub node: String,
    /// Its id.
    pub id: String,
    /// The deployment that it belongs to.
    pub deployment: Option<String>,
    /// What it is to its neighbours.
    pub role: NodeRole,
    /// The present history of its database.
    pub epoch: String,
    /// Changes that no bundle holds yet: in the journal, and in the feed for the neighbour that lacks most.
    pub waiting: u64,
    /// Its links.
    pub links: Vec<LinkStatus>,
    /// Triggers that should be there and are not; the next round makes them again.
    pub triggers_missing: Vec<String>,
    /// Tables whose triggers had to be made again in the last 30 days, the latest first.
    pub triggers_restored: Vec<RestoredTriggers>,
    /// Those who have not been told everything that imports have changed.
    pub hooks: Vec<HookStatus>,
    /// Nodes that were admitted here or below, and are not listed yet.
    pub entries: Vec<EntryStatus>,
    /// This node's clock.
    #[serde(serialize_with = "as_one_text")]
    pub clock: TimeMs,
    /// Why that clock is not to be believed, if it is not.
    pub clock_doubt: Option<ClockDoubt>,
    /// The number of the last entry of its log.
    pub log_last: u64,
    /// The number of the entry at which the chain of its log breaks, among the last thousand; none if it does not.
    pub log_broken_at: Option<u64>,
}

/// A node that was admitted here or below, and that the deployment's list does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryStatus {
    /// Its name.
    pub name: String,
    /// Who admitted it.
    pub by: String,
    /// Whether it may have satellites of its own.
    pub is_district: bool,
    /// When it was admitted, by the clock of who did.
    #[serde(serialize_with = "as_one_text")]
    pub at: TimeMs,
    /// How far it is.
    pub state: EntryProgress,
    /// Why it was refused, if it was.
    pub reason: Option<String>,
}

/// How far an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryProgress {
    /// It goes up with the next bundle, or is on its way.
    GoesUp,
    /// The central has it.
    PassedOn,
    /// Nobody is above, and the deployment's key is not here.
    LacksKey,
    /// It was refused.
    Refused,
}

/// A table whose triggers had to be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredTriggers {
    /// The table.
    pub table: String,
    /// When that was last, by the database's clock.
    #[serde(serialize_with = "as_one_text")]
    pub at: TimeMs,
}

/// What a node is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// It belongs to no deployment yet.
    Unjoined,
    /// It has a central.
    Satellite,
    /// It has, or may have, satellites.
    Central,
    /// It has a central and satellites.
    District,
}

/// How a link does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    /// The other node's name.
    pub peer: String,
    /// What the other node is: `central` or `satellite`.
    pub role: NodeRole,
    /// The number of the last bundle made for it.
    pub sent: Option<u64>,
    /// The number of the last bundle that it has acknowledged.
    pub acknowledged: Option<u64>,
    /// The number of the last of its bundles that was applied here.
    pub received: Option<u64>,
    /// When one of its bundles was last taken in, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub last_contact: Option<TimeMs>,
    /// Changes that no bundle for it holds yet.
    pub waiting: u64,
    /// Values and deletions of it in conflict.
    pub conflicts: u64,
    /// Changes of it that wait for a record.
    pub parked: u64,
    /// Changes of it that the database refused.
    pub quarantined: u64,
    /// Numbers of its bundles that later ones in the inbox wait for.
    pub missing: Vec<u64>,
    /// When both ends were last found to hold the same, by this node's clock.
    #[serde(serialize_with = "as_text")]
    pub equal: Option<TimeMs>,
    /// Since when both ends are known to hold different records; none while they are not.
    #[serde(serialize_with = "as_text")]
    pub different: Option<TimeMs>,
    /// Why the last bundle did not tell whether both ends hold the same.
    pub undecided: Option<String>,
    /// All of this in a word.
    pub state: LinkState,
    /// Why the link stands still until a person has looked; none if it does not.
    pub stopped: Option<StoppedLink>,
    /// How the other node was, as its last bundle told; none if none has come.
    pub health: Option<LinkHealth>,
    /// When the link was made, by this node's clock; none where that is not known.
    #[serde(serialize_with = "as_text")]
    pub admitted: Option<TimeMs>,
    /// How long there usually is between two contacts, in milliseconds; none until three intervals are known.
    pub rhythm_ms: Option<i64>,
    /// When a satellite was last heard of, or admitted, that is silent beyond its rhythm; none if it is not.
    #[serde(serialize_with = "as_text")]
    pub silent_since: Option<TimeMs>,
    /// How long that is, in milliseconds.
    pub silent_ms: Option<i64>,
    /// That its log did not go on from where it was, in its present epoch.
    pub log_shortened: Option<LogShortened>,
}

/// A link that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedLink {
    /// Since when, by this node's clock.
    #[serde(serialize_with = "as_one_text")]
    pub since: TimeMs,
    /// What was noticed.
    pub why: String,
}

/// A neighbour's log that did not go on from where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogShortened {
    /// The number of its last entry, as it was told before.
    pub before: u64,
    /// The number as it was told then.
    pub told: u64,
    /// When that was noticed, by this node's clock.
    #[serde(serialize_with = "as_one_text")]
    pub at: TimeMs,
}

/// Entries of the log that `status` looks at.
const LOG_ENTRIES_CHECKED: u64 = 1_000;

/// A link in a word: the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// The two ends do not speak of one history any more: a person must look.
    Stopped,
    /// A bundle of the other node is missing.
    Missing,
    /// Something of it is parked or quarantined.
    Held,
    /// Both ends hold different records.
    Different,
    /// Nothing of the other node has come yet.
    New,
    /// There are changes that no bundle holds yet.
    Waiting,
    /// A bundle is on its way to it, as far as this node knows.
    Sent,
    /// Everything was sent and acknowledged.
    Quiet,
}

/// Finds out how the node does.
///
/// # Errors
/// The database's.
pub fn status(node: &mut Node) -> Result<Status, NodeError> {
    let (epoch, waiting_files, clock) = (node.epoch, Inbox::of(&node.folder).list()?, node.clock.now());
    let own_names = NodeNames::of(node, &[]);
    let read = |store: &mut dyn Store| {
        let known = store.links()?;
        let mut links = Vec::new();
        for link in &known {
            links.push(link_status(store, link, epoch, clock, &waiting_files)?);
        }
        let unsent = if links.is_empty() { store.feed_length(Seq(0))? } else { 0 };
        let triggers = (store.missing_triggers()?, triggers_restored(store, clock)?);
        let names = own_names.with_links(&known);
        let entries = entry_statuses(&entries::read(store)?, &names, &known);
        let checked = log::check(store, Some(LOG_ENTRIES_CHECKED))?;
        Ok((store.journal_rows()? + unsent, links, triggers, clocks::doubt(clock, &known), (entries, checked)))
    };
    let (journal, links, (triggers_missing, triggers_restored), clock_doubt, (entries, log)) =
        transaction(&mut *node.store, Access::Read, read)?;
    let most = links.iter().map(|link| link.waiting).max().unwrap_or(0);
    Ok(Status {
        node: node.config.node.name.to_string(),
        id: node.id.to_string(),
        deployment: node.deployment.as_ref().map(|(key, _)| key.deployment_id().to_string()),
        role: role(node, &links),
        epoch: epoch.to_string(),
        waiting: journal + most,
        links,
        triggers_missing,
        triggers_restored,
        hooks: after_import::untold(node)?,
        entries,
        clock,
        clock_doubt,
        log_last: log.end.number,
        log_broken_at: log.broken.map(LogBreak::number),
    })
}

fn entry_statuses(book: &EntryBook, names: &NodeNames, links: &[Link]) -> Vec<EntryStatus> {
    let has_central = links.iter().any(|link| link.role == PeerRole::Central);
    let status = |kept: &KeptEntry| EntryStatus {
        name: kept.entry.name.clone(),
        by: names.name(kept.entry.by),
        is_district: kept.entry.is_district,
        at: kept.entry.at,
        state: match &kept.state {
            EntryState::Waiting if has_central => EntryProgress::GoesUp,
            EntryState::Waiting => EntryProgress::LacksKey,
            EntryState::PassedOn => EntryProgress::PassedOn,
            EntryState::Refused { .. } | EntryState::Told { .. } => EntryProgress::Refused,
        },
        reason: kept.state.reason().map(str::to_owned),
    };
    book.kept().iter().map(status).collect()
}

fn triggers_restored(store: &mut dyn Store, now: TimeMs) -> Result<Vec<RestoredTriggers>, StoreError> {
    let since = TimeMs(now.0.saturating_sub(restored::TOLD_FOR_MS));
    let restored = restored::since(store, since)?.into_iter();
    Ok(restored.map(|restored| RestoredTriggers { table: restored.table, at: restored.at }).collect())
}

fn role(node: &Node, links: &[LinkStatus]) -> NodeRole {
    use saddlebag_keys::Role;
    let Some((_, nodes)) = &node.deployment else { return NodeRole::Unjoined };
    let listed = nodes.list().node(node.id);
    let has_central = links.iter().any(|link| link.role == NodeRole::Central);
    let is_central =
        listed.is_some_and(|me| me.role == Role::Central) || links.iter().any(|link| link.role == NodeRole::Satellite);
    match (is_central, has_central) {
        (true, true) => NodeRole::District,
        (true, false) => NodeRole::Central,
        (false, _) => NodeRole::Satellite,
    }
}

fn link_status(
    store: &mut dyn Store,
    link: &Link,
    epoch: Epoch,
    now: TimeMs,
    inbox: &[Candidate],
) -> Result<LinkStatus, StoreError> {
    let contacts = contacts::read(store, link.id)?;
    let silent_since = contacts.silent_since(link.last_contact, now).filter(|_| link.role == PeerRole::Satellite);
    let shortened = told_log::read(store, link.id)?.and_then(|told| told.shortened);
    let LinkCounts { parked, quarantined, conflicts } = store.counts(link.id)?;
    let sent = link.sent.filter(|sent| sent.epoch == epoch);
    let acknowledged = link.acknowledged_upto(epoch);
    let covered = sent.map_or(acknowledged, |sent| sent.upto);
    let last = store.last_seq()?;
    let counts = unacknowledged(store, link, (acknowledged, covered, last))?;
    let mut status = LinkStatus {
        peer: link.name.clone(),
        role: if link.role == PeerRole::Central { NodeRole::Central } else { NodeRole::Satellite },
        sent: sent.map(|sent| sent.number.0),
        acknowledged: link.acknowledged.filter(|position| position.epoch == epoch).map(|position| position.number.0),
        received: link.applied.map(|applied| applied.number.0),
        last_contact: link.last_contact,
        waiting: counts.unsent,
        conflicts,
        parked,
        quarantined,
        missing: missing(link, inbox),
        equal: link.comparison.equal,
        different: link.comparison.different,
        undecided: link.comparison.undecided.clone(),
        state: LinkState::Quiet,
        stopped: link
            .history
            .stopped
            .as_ref()
            .map(|stopped| StoppedLink { since: stopped.since, why: stopped.why.clone() }),
        health: LinkHealth::of_link(link)?,
        admitted: contacts.admitted,
        rhythm_ms: contacts.rhythm_ms(),
        silent_since,
        silent_ms: silent_since.map(|since| now.0.saturating_sub(since.0)),
        log_shortened: shortened.map(|told_log::Shortened { before, then, at }| LogShortened {
            before,
            told: then,
            at,
        }),
    };
    // A bundle that says nothing but what has arrived asks for no answer: it is not waited for.
    status.state = state(&status, counts.sent);
    Ok(status)
}

fn state(link: &LinkStatus, on_the_way: u64) -> LinkState {
    if link.stopped.is_some() {
        LinkState::Stopped
    } else if !link.missing.is_empty() {
        LinkState::Missing
    } else if link.parked + link.quarantined > 0 {
        LinkState::Held
    } else if link.different.is_some() {
        LinkState::Different
    } else if link.received.is_none() {
        LinkState::New
    } else if link.waiting > 0 {
        LinkState::Waiting
    } else if link.sent > link.acknowledged && on_the_way > 0 {
        LinkState::Sent
    } else {
        LinkState::Quiet
    }
}

/// The numbers between what was applied and the last that waits in the inbox.
fn missing(link: &Link, inbox: &[Candidate]) -> Vec<u64> {
    let heads = inbox.iter().filter_map(|candidate| Some(&candidate.head()?.header));
    let numbers = heads.filter(|header| header.from == link.peer).map(|header| header.number.0);
    let waiting: BTreeSet<u64> = numbers.collect();
    let Some(last) = waiting.last() else { return Vec::new() };
    let applied = link.applied.map_or(0, |applied| applied.number.0);
    (applied.saturating_add(1)..*last).filter(|number| !waiting.contains(number)).take(MISSING_MAX).collect()
}

fn as_one_text<S: Serializer>(time: &TimeMs, serializer: S) -> Result<S::Ok, S::Error> {
    utc::format(*time).serialize(serializer)
}

fn as_text<S: Serializer>(time: &Option<TimeMs>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(utc::format).serialize(serializer)
}
