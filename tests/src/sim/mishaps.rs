//! Databases that go back to a backup, and how people begin a new history after that.

use rusqlite::types::Value as Sql;
use saddlebag_formats::NodeId;
use saddlebag_importer::ImportError;

use super::kept::Kept;
use super::look::Look;
use super::model::{Author, Holding};
use super::plan::Mishap;
use super::world::{Bundle, World};
use crate::fleet::Backup;

/// A node that goes on from an old copy, until it has begun a new history.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Whether anybody knows.
    is_noticed: bool,
    /// For how many events people work on once they know.
    patience: usize,
    /// Whether somebody wrote there at the end, for it to be noticed.
    has_written: bool,
}

/// A backup, and what was then.
#[derive(Debug, Clone)]
pub struct Taken {
    backup: Backup,
    now_ms: i64,
    absorbed: u64,
}

impl Trouble {
    /// Nobody knows yet; once they do, people work on for so many events.
    pub(super) fn unnoticed(patience: usize) -> Self {
        Self { is_noticed: false, patience, has_written: false }
    }
}

impl World {
    /// What befalls databases before the event with this number.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub(super) fn befall(&mut self, number: usize) -> Result<(), String> {
        self.be_two(number);
        for (mishap, Mishap { node, taken, struck, .. }) in self.plan.mishaps.clone().into_iter().enumerate() {
            if taken == number {
                let backup = self.fleet.nodes[node].backup();
                self.absorbed[node] += 1;
                let (now_ms, absorbed) = (self.now_ms, self.absorbed[node]);
                self.backups[mishap] = Some(Taken { backup, now_ms, absorbed });
                self.trace.say(format!("a backup is made of {}", self.name(node)));
            }
            if struck == number {
                self.put_back(mishap)?;
            }
        }
        for node in 0..self.plan.names.len() {
            let Some(trouble) = self.troubles[node].as_mut().filter(|trouble| trouble.is_noticed) else { continue };
            match trouble.patience.checked_sub(1) {
                Some(left) => trouble.patience = left,
                None => self.rejoin(node),
            }
        }
        Ok(())
    }

    fn put_back(&mut self, mishap: usize) -> Result<(), String> {
        let Some(taken) = self.backups[mishap].take() else { return Ok(()) };
        let Mishap { node, with_folder, patience, .. } = self.plan.mishaps[mishap];
        let (had, others) = self.holdings(node)?;
        self.model.give_up(|author| author.node == node && author.true_ms > taken.now_ms, &had, &others);
        self.fleet.nodes[node].put_back(&taken.backup, with_folder);
        self.wind_up(node);
        self.absorbed[node] = taken.absorbed;
        self.lives[node] += 1;
        self.gone_back.push((node, taken.now_ms));
        // What it had applied since is new to it.
        self.applied.retain(|(at_ms, bundle)| bundle.to != node || *at_ms <= taken.now_ms);
        self.troubles[node] = Some(Trouble { is_noticed: patience == 0, patience, has_written: false });
        let with = if with_folder { "with" } else { "without" };
        self.trace.say(format!("{} goes back to its backup, {with} its folder", self.name(node)));
        Ok(())
    }

    /// Whether a write may have waited in a backup that was put back: if it arrives a second time, its central does not know
    /// what was made upon it.
    pub(super) fn may_come_again(&self, author: &Author) -> bool {
        self.gone_back.iter().any(|(node, taken_ms)| author.node == *node && author.true_ms <= *taken_ms)
    }

    /// Whether the database of a node went back.
    pub(super) fn has_gone_back(&self, id: NodeId) -> bool {
        self.gone_back.iter().any(|(node, _)| self.fleet.nodes[*node].me.id == id)
    }

    /// Whether the database of a node with satellites went back.
    pub(super) fn has_a_central_gone_back(&self) -> bool {
        self.gone_back.iter().any(|(node, _)| self.plan.centrals[1..].contains(node))
    }

    /// What a node has, and what all others have.
    fn holdings(&mut self, node: usize) -> Result<(Holding, Holding), String> {
        let (mut had, mut others) = (Holding::default(), Holding::default());
        for (other, fleet_node) in self.fleet.nodes.iter_mut().enumerate() {
            let holding = if other == node { &mut had } else { &mut others };
            holding.add(&Look::at(&fleet_node.app));
            let mut kept = Kept::default();
            kept.add_node(fleet_node)?;
            holding.kept.append(&mut kept.values);
        }
        Ok((had, others))
    }

    fn rejoin(&mut self, node: usize) {
        let fleet_node = &mut self.fleet.nodes[node];
        let published = fleet_node.published();
        fleet_node.rejoin_after(published);
        let epoch = fleet_node.me.epoch;
        self.lives[node] += 1;
        self.histories[node] += 1;
        // Neither its database nor its folder knows of the history that it goes back behind: others may.
        let is_behind_another = epoch < self.latest_epochs[node];
        self.troubles[node] = is_behind_another.then(|| Trouble::unnoticed(0));
        self.latest_epochs[node] = epoch.max(self.latest_epochs[node]);
        self.trace.say(format!("{} begins a new history", self.name(node)));
    }

    /// All who know that they must begin a new history do; says whether anybody did.
    pub(super) fn rejoin_all(&mut self) -> bool {
        let is_noticed = |trouble: &Option<Trouble>| trouble.as_ref().is_some_and(|trouble| trouble.is_noticed);
        let all: Vec<usize> = (0..self.troubles.len()).filter(|node| is_noticed(&self.troubles[*node])).collect();
        all.iter().for_each(|node| self.rejoin(*node));
        !all.is_empty()
    }

    /// Where a database went back and nobody has noticed, since nobody had anything new to say: somebody writes something.
    /// The bundle with that is the first. Says whether anybody wrote.
    pub(super) fn write_where_nothing_is_noticed(&mut self) -> bool {
        let is_silent = |trouble: &Option<Trouble>| {
            trouble.as_ref().is_some_and(|trouble| !trouble.is_noticed && !trouble.has_written)
        };
        let all: Vec<usize> = (0..self.troubles.len()).filter(|node| is_silent(&self.troubles[*node])).collect();
        for node in &all {
            let code = Sql::Text(format!("wrest.{node}"));
            let sql = "INSERT INTO village (code) VALUES (?1)".to_owned();
            self.work(*node, "found a village", &[(sql, vec![code])]);
            self.troubles[*node].iter_mut().for_each(|trouble| trouble.has_written = true);
        }
        !all.is_empty()
    }

    /// Whether a node does nothing, because its folder says that its database is an old one.
    ///
    /// # Errors
    /// The store's, in words.
    pub(super) fn stands_still(&mut self, node: usize) -> Result<bool, String> {
        if self.troubles[node].is_none() || !self.fleet.nodes[node].is_behind().map_err(|error| error.to_string())? {
            return Ok(false);
        }
        self.trace.say(format!("{} finds its database behind what it has published", self.name(node)));
        self.notice(node);
        Ok(true)
    }

    fn notice(&mut self, node: usize) {
        if let Some(trouble) = &mut self.troubles[node] {
            trouble.is_noticed = true;
        }
    }

    /// A bundle was refused: that is right where one of the two ends is in trouble, or was when it was made; then the link
    /// stands still.
    pub(super) fn is_refused_rightly(&mut self, bundle: &Bundle, error: &ImportError) -> Result<bool, String> {
        let (from, to) = (bundle.from, bundle.to);
        let is_of_today = bundle.lives == (self.lives[from], self.lives[to]);
        let is_troubled = self.troubles[from].is_some() || self.troubles[to].is_some();
        if !error.stops_the_link() || (is_of_today && !is_troubled) {
            return Ok(false);
        }
        self.notice(from);
        self.notice(to);
        let peer = self.fleet.nodes[from].me.id;
        match self.fleet.nodes[to].stopped(peer) {
            Ok(None) => Err(format!("{} refuses {} of {}, and goes on", self.name(to), error, self.name(from))),
            // Its program has just ended.
            Err(_) if self.has_ended(to) => Ok(true),
            stopped => stopped.map(|_| true).map_err(|error| error.to_string()),
        }
    }

    /// No link stands still any more.
    pub(super) fn all_links_move(&mut self) -> Result<(), String> {
        for (satellite, central) in self.fleet.links() {
            for (node, other) in [(satellite, central), (central, satellite)] {
                let peer = self.fleet.nodes[other].me.id;
                if let Some(why) = self.fleet.nodes[node].stopped(peer).map_err(|error| error.to_string())? {
                    return Err(format!(
                        "at {} the link with {} still stands still: {why}",
                        self.name(node),
                        self.name(other)
                    ));
                }
            }
        }
        Ok(())
    }
}
