//! A deployment in one process: its nodes, their clocks, the sticks that go between them, and what was committed.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::params_from_iter;
use saddlebag_bundler::ExportResult;
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::{BundleId, Epoch};
use saddlebag_importer::{Applied, ImportResult};
use saddlebag_stores::sqlite::clock::use_clock;

use super::look::Look;
use super::mishaps::{Taken, Trouble};
use super::model::{Author, Model};
use super::plan::{BEGINNING_MS, Plan};
use super::template::Templates;
use super::trace::Trace;
use super::twins::Other;
use super::work::Statement;
use crate::engines::{NodeStore, SQLITE};
use crate::fleet::{Fleet, FleetPlan};

/// A bundle on its way.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Who made it.
    pub from: usize,
    /// For whom it is.
    pub to: usize,
    /// Its header.
    pub header: Rc<BundleHeader>,
    /// Its bytes.
    pub bytes: Rc<Vec<u8>>,
    /// When it came out of the outbox, in true time.
    pub made_ms: i64,
    /// How often either end had gone back or begun anew by then.
    pub lives: (u32, u32),
}

/// A deployment.
#[derive(Debug)]
pub struct World {
    /// What was planned.
    pub plan: Plan,
    /// The nodes.
    pub fleet: Fleet,
    /// What was committed.
    pub model: Model,
    /// What happened.
    pub trace: Trace,
    /// What the couriers carry.
    pub sticks: Vec<Vec<Bundle>>,
    /// Bundles that were applied somewhere, the latest last, and when, in true time.
    pub applied: Vec<(i64, Bundle)>,
    /// When satellites' bundles reached their centrals: satellite, when it was made, when it was applied, in true time.
    pub arrivals: Vec<(usize, i64, i64)>,
    /// The true time.
    pub now_ms: i64,
    /// How far each clock is off.
    pub offsets_ms: Vec<i64>,
    /// What the triggers and stores of each node take for the present.
    clocks: Vec<Arc<AtomicI64>>,
    /// How often each node has certainly looked at its journal.
    pub(super) absorbed: Vec<u64>,
    /// How often each node has gone back or begun anew.
    pub(super) lives: Vec<u32>,
    /// The same for both ends of a bundle, when it was first seen.
    made: HashMap<BundleId, (u32, u32)>,
    /// Nodes that go on from an old copy.
    pub(super) troubles: Vec<Option<Trouble>>,
    /// The latest history that each node has ever begun.
    pub(super) latest_epochs: Vec<Epoch>,
    /// Which nodes have gone back, each to what it was at a true time.
    pub(super) gone_back: Vec<(usize, i64)>,
    /// How many new histories each node has begun.
    pub(super) histories: Vec<u32>,
    /// The machine that has the name of a node and is not at work.
    pub(super) other: Option<Other>,
    /// The backups of the plan's mishaps.
    pub(super) backups: Vec<Option<Taken>>,
}

impl World {
    /// The deployment of a plan, as yet without any record.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(plan: Plan, templates: &Templates) -> Self {
        let names: Vec<&str> = plan.names.iter().map(String::as_str).collect();
        let fleet_plan = FleetPlan { names: &names, tables: "", seed: plan.seed, engines: SQLITE };
        let template = |node| if plan.strict == Some(node) { &templates.strict } else { &templates.lax };
        let mut fleet = Fleet::copied(&fleet_plan, &plan.centrals, template);
        // What digests tell is looked at when all is at rest: after a crash there is no store to ask.
        fleet.nodes.iter_mut().for_each(|node| node.may_differ = true);
        let nodes = plan.names.len();
        let mut world = Self {
            fleet,
            model: Model::default(),
            trace: Trace::default(),
            sticks: vec![Vec::new(); 2],
            applied: Vec::new(),
            arrivals: Vec::new(),
            now_ms: BEGINNING_MS,
            offsets_ms: plan.clocks_ms.clone(),
            clocks: (0..nodes).map(|_| Arc::default()).collect(),
            absorbed: vec![0; nodes],
            lives: vec![0; nodes],
            made: HashMap::new(),
            troubles: vec![None; nodes],
            latest_epochs: vec![Epoch(0); nodes],
            gone_back: Vec::new(),
            histories: vec![0; nodes],
            other: None,
            backups: vec![None; plan.mishaps.len()],
            plan,
        };
        for node in 0..nodes {
            let fleet_node = &mut world.fleet.nodes[node];
            fleet_node.records_per_bundle = world.plan.records_per_bundle[node];
            fleet_node.records_at_once = world.plan.records_at_once[node];
            world.wind_up(node);
        }
        world.pass(0);
        world
    }

    /// A node's name.
    #[must_use]
    pub fn name(&self, node: usize) -> &str {
        &self.plan.names[node]
    }

    /// Time passes everywhere.
    pub fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        for (node, clock) in self.clocks.iter().enumerate() {
            // Clocks that people meet begin in 1970.
            let now_ms = (self.now_ms + self.offsets_ms[node]).max(0);
            clock.store(now_ms, Ordering::Relaxed);
            self.fleet.nodes[node].clock.0.set(now_ms);
        }
    }

    /// The triggers and the store of a node take the simulated time.
    ///
    /// # Panics
    /// When SQLite refuses.
    pub(super) fn wind_up(&mut self, node: usize) {
        use_clock(&self.fleet.nodes[node].app, self.clocks[node].clone()).unwrap();
        self.set_store_clock(node);
    }

    fn set_store_clock(&mut self, node: usize) {
        if let NodeStore::Sqlite(store) = &mut self.fleet.nodes[node].store {
            store.use_clock(self.clocks[node].clone()).unwrap();
        }
    }

    /// The application of a node does a transaction; the model sees what became of each statement.
    ///
    /// # Panics
    /// When SQLite fails otherwise than by a constraint.
    pub fn work(&mut self, node: usize, what: &str, statements: &[Statement]) {
        let (at_ms, true_ms) = (self.fleet.nodes[node].clock.0.get(), self.now_ms);
        let author = Author { node, at_ms, true_ms, absorbed: self.absorbed[node] };
        let app = &self.fleet.nodes[node].app;
        app.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut looks = vec![Look::at(app)];
        let mut outcome = "done".to_owned();
        for (sql, parameters) in statements {
            if let Err(error) = app.prepare_cached(sql).and_then(|mut s| s.execute(params_from_iter(parameters))) {
                outcome = error.to_string();
                break;
            }
            looks.push(Look::at(app));
        }
        let is_done = outcome == "done";
        app.execute_batch(if is_done { "COMMIT" } else { "ROLLBACK" }).unwrap();
        if is_done {
            looks.windows(2).for_each(|pair| self.model.observe(author, &pair[0], &pair[1]));
        }
        self.trace.say(format!("{}: {what}: {outcome}: {statements:?}", self.name(node)));
    }

    /// Brings a node's outbox for a neighbour up to date; gives what lies there, and whether something new was said.
    ///
    /// # Errors
    /// Whatever keeps it from being made.
    pub fn export(&mut self, from: usize, to: usize) -> Result<(Vec<Bundle>, bool), String> {
        if self.stands_still(from)? {
            return Ok((Vec::new(), false));
        }
        let peer = self.fleet.nodes[to].me.id;
        let exported = self.fleet.nodes[from].try_export_to(peer);
        let name = |node: usize| self.plan.names[node].clone();
        let exported = match exported {
            Ok(exported) => exported,
            Err(error) => {
                self.trace.say(format!("{} exports for {}: {error}", name(from), name(to)));
                return Err(format!("the export of {} for {} fails: {error}", name(from), name(to)));
            }
        };
        self.absorbed[from] += 1;
        let mut bundles = Vec::new();
        for bundle in exported.bundles {
            let header = &bundle.header;
            self.trace.say(format!(
                "{} has for {}: {:?} {:?}, number {}, ({}, {}], {} records, acknowledging {:?}, created {}",
                name(from),
                name(to),
                exported.result,
                header.id,
                header.number.0,
                header.after.0,
                header.upto.0,
                bundle.records,
                header.ack.as_ref().map(|ack| (ack.number.0, ack.upto.0)),
                header.created.0
            ));
            let bytes = Rc::new(std::fs::read(&bundle.path).map_err(|error| error.to_string())?);
            let lives = *self.made.entry(bundle.header.id).or_insert((self.lives[from], self.lives[to]));
            bundles.push(Bundle { from, to, header: Rc::new(bundle.header), bytes, made_ms: self.now_ms, lives });
        }
        Ok((bundles, exported.result == ExportResult::Written))
    }

    /// The receiver of a bundle takes it in, unless their link stands still for a good reason.
    ///
    /// # Errors
    /// The importer's, in words.
    pub fn import(&mut self, bundle: &Bundle) -> Result<(), String> {
        if self.stands_still(bundle.to)? {
            return Ok(());
        }
        let applied = self.fleet.nodes[bundle.to].import(&bundle.bytes);
        let (from, to, number) = (self.name(bundle.from), self.name(bundle.to), bundle.header.number.0);
        let line = match &applied {
            Ok(applied) => format!("{:?} {:?}", applied.result, applied.tally),
            Err(error) => format!("refused: {error}"),
        };
        self.trace.say(format!("{to} takes {number} of {from}: {line}"));
        if let Ok(Applied { result: ImportResult::Applied, .. }) = &applied {
            self.absorbed[bundle.to] += 1;
            self.applied.push((self.now_ms, bundle.clone()));
            if bundle.from > 0 && self.plan.centrals[bundle.from] == bundle.to {
                self.arrivals.push((bundle.from, bundle.made_ms, self.now_ms));
            }
        }
        match applied {
            Err(error) if !self.is_refused_rightly(bundle, &error)? => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// The program of a node ends at a call of its store, or does not; then it is started anew. Says whether it ended.
    pub fn interrupted(&mut self, node: usize, calls: u64, work: impl FnOnce(&mut Self)) -> bool {
        self.fleet.nodes[node].stop_after(calls);
        work(self);
        let ended = self.has_ended(node);
        self.fleet.nodes[node].start_again();
        self.set_store_clock(node);
        self.trace.say(format!("{} was started again; interrupted: {ended}", self.name(node)));
        ended
    }

    /// Whether the program of a node has ended in the middle of something.
    pub(super) fn has_ended(&self, node: usize) -> bool {
        matches!(&self.fleet.nodes[node].store, NodeStore::Stopping(store) if store.has_stopped())
    }
}
