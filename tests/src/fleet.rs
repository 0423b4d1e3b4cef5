//! A central and its satellites, districts in between, in one process, on real databases, with clocks and randomness of
//! the test's own.
//!
//! Bundles are handed over as bytes: the test decides which arrive, when, how often and in which order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::Connection;
use saddlebag_bundler::{ExportError, ExportResult, Exported, Exporter};
use saddlebag_formats::ambient::{Clock, Entropy};
use saddlebag_formats::{Epoch, NodeId, NodeName, Seq, TimeMs, Uid, Value, Version};
use saddlebag_importer::{Applied, ImportError, Importer, RECORDS_AT_ONCE};
use saddlebag_keys::card::{Card, CardDeployment};
use saddlebag_keys::deployment::{DeploymentKey, ListedNode, NodeList, Role};
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole};
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_stores::{Access, StoreError, lineage, rebuilt};

use crate::app::{App, Server};
use crate::engines::{Engine, Engines, NodeStore, engine_of};
use crate::leases::Lease;
use crate::sim::stopping::Stopping;

mod backup;

pub use backup::Backup;

/// A clock that the test sets.
#[derive(Debug, Clone, Default)]
pub struct TestClock(pub Rc<Cell<i64>>);

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(self.0.get())
    }
}

/// Random bytes from a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct TestEntropy(pub u64);

impl TestEntropy {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() % bound as u64).unwrap()
    }
}

impl Entropy for TestEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next_u64().to_le_bytes()[0];
        }
    }
}

/// One node: its application's connection and saddlebag's own.
pub struct FleetNode {
    /// The application's own connection to the database.
    pub app: App,
    /// Saddlebag's.
    pub store: NodeStore,
    /// Its keys.
    pub keys: NodeKeys,
    /// Who it is.
    pub me: ThisNode,
    /// Its clock.
    pub clock: TestClock,
    /// Its randomness.
    pub entropy: TestEntropy,
    /// Records in a bundle at most.
    pub records_per_bundle: usize,
    /// Records of a bundle that it holds in memory together.
    pub records_at_once: usize,
    /// Whether its records may differ from those of its neighbours, because a test has tampered with them.
    pub may_differ: bool,
    /// Where its database lies, if that is a file.
    pub database: PathBuf,
    folder: PathBuf,
    /// Its database, if that is a server's. Goes last: nobody is connected any more.
    lease: Option<Lease>,
}

impl std::fmt::Debug for FleetNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetNode").field("me", &self.me).finish_non_exhaustive()
    }
}

/// A deployment: the first node is the central of all others, or at the root of a tree of them.
#[derive(Debug)]
pub struct Fleet {
    /// All nodes.
    pub nodes: Vec<FleetNode>,
    /// The central of each node, by index; none for the first.
    pub centrals: Vec<Option<usize>>,
    _folder: tempfile::TempDir,
}

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct FleetPlan<'a> {
    /// The node's names, the central's first.
    pub names: &'a [&'a str],
    /// `[TABLE]` sections as in `saddlebag.toml`, without `tables.`.
    pub tables: &'a str,
    /// The seed of keys and ids.
    pub seed: u64,
    /// The engines of the nodes.
    pub engines: Engines,
}

/// A SQLite database that is set up, for nodes to begin with a copy of it.
#[derive(Debug)]
pub struct Template {
    database: Vec<u8>,
    tracking: Tracking,
}

/// A folder for a test's files, in memory where the system has such a place.
#[must_use]
pub fn temporary_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

impl Fleet {
    /// Makes the nodes, sets up their databases and links them. `schema` makes the application's database of the
    /// node with that index.
    #[must_use]
    pub fn new(plan: &FleetPlan<'_>, schema: impl Fn(usize, &mut App)) -> Self {
        Self::in_folder(temporary_folder(), plan, schema)
    }

    /// Like [`Fleet::new`], with all files in a folder of the caller's choice: on a real disk, say.
    #[must_use]
    pub fn in_folder(folder: tempfile::TempDir, plan: &FleetPlan<'_>, schema: impl Fn(usize, &mut App)) -> Self {
        let lend = |index| (engine_of(plan.engines, index) == Engine::Postgres).then(Lease::new);
        Self::lent(folder, plan, lend, schema)
    }

    /// Like [`Fleet::new`], with districts: `centrals` says for each node whose satellite it is, by index; a central
    /// stands before its satellites. The first node has none, whatever is said of it.
    #[must_use]
    pub fn tree(plan: &FleetPlan<'_>, centrals: &[usize], schema: impl Fn(usize, &mut App)) -> Self {
        let lend = |index| (engine_of(plan.engines, index) == Engine::Postgres).then(Lease::new);
        Self::grown(temporary_folder(), plan, centrals, lend, schema)
    }

    /// Like [`Fleet::new`], with a database of the caller's choice for each node; a file for those without.
    #[must_use]
    pub fn lent(
        folder: tempfile::TempDir,
        plan: &FleetPlan<'_>,
        lend: impl Fn(usize) -> Option<Lease>,
        schema: impl Fn(usize, &mut App),
    ) -> Self {
        Self::grown(folder, plan, &vec![0; plan.names.len()], lend, schema)
    }

    /// Like [`Fleet::tree`] on SQLite, with a copy of a prepared database for each node, which takes a hundredth of the
    /// time that it takes to set one up. Of `plan`, its names and seed count.
    #[must_use]
    pub fn copied<'t>(plan: &FleetPlan<'_>, centrals: &[usize], template: impl Fn(usize) -> &'t Template) -> Self {
        let folder = temporary_folder();
        let made = |index: usize, name: &str, deployment: &DeploymentKey, entropy: &mut TestEntropy| {
            FleetNode::copied(folder.path(), name, template(index), deployment, entropy)
        };
        let (nodes, centrals, deployment) = Self::sown(plan, centrals, made);
        let mut fleet = Self { nodes, centrals, _folder: folder };
        fleet.link_all(&deployment);
        fleet
    }

    fn grown(
        folder: tempfile::TempDir,
        plan: &FleetPlan<'_>,
        centrals: &[usize],
        lend: impl Fn(usize) -> Option<Lease>,
        schema: impl Fn(usize, &mut App),
    ) -> Self {
        let made = |index: usize, name: &str, deployment: &DeploymentKey, entropy: &mut TestEntropy| {
            FleetNode::new(folder.path(), name, lend(index), plan, deployment, entropy, |app| schema(index, app))
        };
        let (nodes, centrals, deployment) = Self::sown(plan, centrals, made);
        let mut fleet = Self { nodes, centrals, _folder: folder };
        fleet.link_all(&deployment);
        fleet
    }

    /// The nodes, as yet without links.
    fn sown(
        plan: &FleetPlan<'_>,
        centrals: &[usize],
        made: impl Fn(usize, &str, &DeploymentKey, &mut TestEntropy) -> FleetNode,
    ) -> (Vec<FleetNode>, Vec<Option<usize>>, DeploymentKey) {
        assert_eq!(plan.names.len(), centrals.len(), "each node has a place in the tree");
        let centrals = (0..).zip(centrals).map(|(node, central)| (node > 0).then_some(*central)).collect();
        let mut entropy = TestEntropy(plan.seed);
        let deployment = DeploymentKey::generate(&mut entropy);
        let nodes = plan.names.iter().enumerate();
        let nodes = nodes.map(|(index, name)| made(index, name, &deployment, &mut entropy)).collect();
        (nodes, centrals, deployment)
    }

    /// Admits every node to its central, in the order of the nodes.
    fn link_all(&mut self, deployment: &DeploymentKey) {
        let nodes = deployment.sign(self.list(deployment)).unwrap();
        let card_deployment = CardDeployment { key: deployment.public(), nodes: nodes.clone() };
        let central_card = |node: &FleetNode| {
            let listed = nodes.list().node(node.me.id).unwrap();
            Card::central(listed, card_deployment.clone(), TimeMs(0)).sign(&node.keys.signing).unwrap()
        };
        let satellite_card = |node: &FleetNode| {
            let card = Card::satellite(node.me.name.clone(), node.me.id, &node.keys, TimeMs(0));
            card.sign(&node.keys.signing).unwrap()
        };
        let number = nodes.list().number();
        let mut links: Vec<Vec<Link>> = self.nodes.iter().map(|_| Vec::new()).collect();
        for (satellite, central) in self.links() {
            let (below, above) = (&self.nodes[satellite], &self.nodes[central]);
            let (below_name, above_name) = (below.me.name.to_string(), above.me.name.to_string());
            let up = Link::new(above.me.id, &above_name, PeerRole::Central, &central_card(above), number);
            let down = Link::new(below.me.id, &below_name, PeerRole::Satellite, &satellite_card(below), number);
            links[satellite].push(up);
            links[central].push(down);
        }
        for (node, links) in self.nodes.iter_mut().zip(links) {
            node.store.begin(Access::Write).unwrap();
            node.store.set_setting(DEPLOYMENT_KEY, deployment.public().as_bytes()).unwrap();
            node.store.set_setting(NODES, nodes.as_bytes()).unwrap();
            for link in links {
                node.store.add_link(&link).unwrap();
            }
            node.store.commit().unwrap();
        }
    }

    /// The list of nodes: each with its central, which is one by that.
    fn list(&self, deployment: &DeploymentKey) -> NodeList {
        let listed = |index: usize, role| {
            let node = &self.nodes[index];
            ListedNode {
                name: node.me.name.clone(),
                id: node.me.id,
                role,
                signing: node.keys.signing.public(),
                sealing: node.keys.sealing.recipient(),
                central: self.centrals[index].map(|central| self.nodes[central].me.id),
                revoked: None,
            }
        };
        let list = NodeList::first(deployment.id(), listed(0, Role::Central)).unwrap();
        let others = (1..self.nodes.len()).map(|index| listed(index, Role::Satellite));
        others.fold(list, |list, node| list.with_node(node).unwrap())
    }

    /// Every link, as satellite and central: those higher up come first.
    #[must_use]
    pub fn links(&self) -> Vec<(usize, usize)> {
        (0..).zip(&self.centrals).filter_map(|(node, central)| Some((node, (*central)?))).collect()
    }

    /// Takes the bundles of `from` for `to` over to `to`.
    pub fn carry(&mut self, from: usize, to: usize) {
        for bundle in self.export(from, to) {
            let _applied = self.nodes[to].import(&bundle).unwrap();
        }
    }

    /// The bundles that `from` has for `to` now.
    pub fn export(&mut self, from: usize, to: usize) -> Vec<Vec<u8>> {
        let peer = self.nodes[to].me.id;
        let exported = self.nodes[from].export_to(peer);
        exported.bundles.iter().map(|bundle| std::fs::read(&bundle.path).unwrap()).collect()
    }

    /// Rounds over all links until nobody has anything new to say. Panics if that never happens.
    pub fn settle(&mut self) {
        let links = self.links();
        for _ in 0..20 {
            let mut quiet = true;
            for &(satellite, central) in &links {
                quiet &= !self.hand_over(satellite, central);
                quiet &= !self.hand_over(central, satellite);
            }
            if quiet {
                self.check_digests();
                return;
            }
        }
        panic!("the fleet never comes to rest");
    }

    /// Checks that every node's digests are what a scan makes of its records. Says on how many links, seen from each end,
    /// both were last found to hold the same.
    pub fn check_digests(&mut self) -> u64 {
        self.nodes.iter_mut().map(FleetNode::check_digests).sum()
    }

    /// Like [`Fleet::carry`]; says whether anything new was said.
    fn hand_over(&mut self, from: usize, to: usize) -> bool {
        let peer = self.nodes[to].me.id;
        let exported = self.nodes[from].export_to(peer);
        for bundle in &exported.bundles {
            let bytes = std::fs::read(&bundle.path).unwrap();
            let _applied = self.nodes[to].import(&bytes).unwrap();
        }
        exported.result == ExportResult::Written
    }
}

impl FleetNode {
    fn new(
        folder: &Path,
        name: &str,
        lease: Option<Lease>,
        plan: &FleetPlan<'_>,
        deployment: &DeploymentKey,
        entropy: &mut TestEntropy,
        schema: impl FnOnce(&mut App),
    ) -> Self {
        let database = folder.join(name).join("app.db");
        std::fs::create_dir_all(folder.join(name).join("outbox")).unwrap();
        let mut app = connect(&database, lease.as_ref());
        schema(&mut app);
        let mut node = Self::on(database, lease, app, name, deployment, entropy);
        node.setup(plan.tables);
        node
    }

    /// A node on a copy of a prepared database.
    fn copied(
        folder: &Path,
        name: &str,
        template: &Template,
        deployment: &DeploymentKey,
        entropy: &mut TestEntropy,
    ) -> Self {
        let database = folder.join(name).join("app.db");
        std::fs::create_dir_all(folder.join(name).join("outbox")).unwrap();
        let mut file = std::fs::File::create_new(&database).unwrap();
        std::io::Write::write_all(&mut file, &template.database).unwrap();
        let app = connect(&database, None);
        let mut node = Self::on(database, None, app, name, deployment, entropy);
        node.store.use_tracking(template.tracking.clone());
        node
    }

    fn on(
        database: PathBuf,
        lease: Option<Lease>,
        app: App,
        name: &str,
        deployment: &DeploymentKey,
        entropy: &mut TestEntropy,
    ) -> Self {
        let folder = database.parent().unwrap().to_owned();
        let keys = NodeKeys::generate(entropy);
        let me = ThisNode {
            id: NodeId(entropy.bytes16()),
            name: name.parse::<NodeName>().unwrap(),
            deployment: deployment.id(),
            epoch: Epoch::new(1, 7),
        };
        let store = open(&database, lease.as_ref());
        let clock = TestClock::default();
        // In 2033: later than the machine's clock, which the triggers take unless they are told otherwise.
        clock.0.set(2_000_000_000_000);
        let entropy = TestEntropy(entropy.next_u64());
        let (records_per_bundle, records_at_once) = (100_000, RECORDS_AT_ONCE);
        Self {
            app,
            store,
            keys,
            me,
            clock,
            entropy,
            records_per_bundle,
            records_at_once,
            may_differ: false,
            database,
            folder,
            lease,
        }
    }

    /// The database as it is now, for others to begin with.
    ///
    /// # Panics
    /// When it is a server's.
    #[must_use]
    pub fn template(&self) -> Template {
        Template { database: std::fs::read(&self.database).unwrap(), tracking: self.store.tracking().clone() }
    }

    /// What `saddlebag setup` does after the configuration or the application has changed.
    pub fn set_up_again(&mut self, tables: &str) {
        self.setup(tables);
    }

    /// What `saddlebag setup` does.
    fn setup(&mut self, tables: &str) {
        let config: TablesConfig = toml::from_str(tables).unwrap();
        let schema = self.store.schema().unwrap();
        let known: Numbering = self.store.installed().unwrap().unwrap_or_default();
        let tracking = Tracking::resolve(&config, &schema, &known).unwrap();
        self.store.use_tracking(tracking.clone());
        self.store.begin(Access::Write).unwrap();
        let built_anew =
            rebuilt::take_in(&mut *self.store, &tracking, &[], self.me.writer(), &mut self.entropy).unwrap();
        self.store.install(&tracking).unwrap();
        self.store.commit().unwrap();
        for table in tracking.identity_order().unwrap() {
            self.store.begin(Access::Write).unwrap();
            let _rows = self.store.journal_existing(table.number, u64::MAX).unwrap();
            let context = AbsorbContext::of(self.me.writer(), &[]);
            let _absorbed = self.store.absorb(&context, &mut self.entropy).unwrap();
            self.store.commit().unwrap();
        }
        self.store.begin(Access::Write).unwrap();
        self.store.hash_references().unwrap();
        built_anew.iter().for_each(|number| self.store.look_again(*number).unwrap());
        self.store.commit().unwrap();
    }

    /// A second machine with the same folder: its own copy of the database as it is now.
    #[must_use]
    pub fn fork(&mut self, name: &str) -> Self {
        let folder = self.folder.with_file_name(name);
        std::fs::create_dir_all(folder.join("outbox")).unwrap();
        let database = folder.join("app.db");
        let lease = self.copy_database(&database);
        let keys_folder = folder.join("keys");
        saddlebag_keys::files::create_private_folders(&keys_folder).unwrap();
        self.keys.save(&keys_folder).unwrap();
        let (app, mut store) = (connect(&database, lease.as_ref()), open(&database, lease.as_ref()));
        store.use_tracking(self.store.tracking().clone());
        Self {
            app,
            store,
            keys: NodeKeys::load(&keys_folder).unwrap(),
            me: self.me.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            records_per_bundle: self.records_per_bundle,
            records_at_once: self.records_at_once,
            may_differ: self.may_differ,
            database,
            folder,
            lease,
        }
    }

    /// A copy of its database as it is now: a file, or a database of the server.
    fn copy_database(&mut self, into: &Path) -> Option<Lease> {
        let Some(lease) = &self.lease else {
            let _bytes = std::fs::copy(&self.database, into).unwrap();
            return None;
        };
        // The server copies a database to which nobody is connected.
        let tracking = self.store.tracking().clone();
        self.store = NodeStore::Away;
        let away = Connection::open_in_memory().unwrap();
        self.app = App::Sqlite(Box::new(away));
        let copy = lease.copy();
        self.app = connect(&self.database, self.lease.as_ref());
        self.store = open(&self.database, self.lease.as_ref());
        self.store.use_tracking(tracking);
        Some(copy)
    }

    /// The program ends at one of the next calls of the store: at the first after so many.
    ///
    /// # Panics
    /// When its database is another engine's.
    pub fn stop_after(&mut self, calls: u64) {
        self.store = match std::mem::replace(&mut self.store, NodeStore::Away) {
            NodeStore::Sqlite(store) => NodeStore::Stopping(Box::new(Stopping::after(calls, *store))),
            other => panic!("{other:?} is no SQLite file"),
        };
    }

    /// The program is started anew after it ended in the middle of something.
    pub fn start_again(&mut self) {
        let tracking = self.store.tracking().clone();
        self.store = NodeStore::Away;
        self.store = open(&self.database, self.lease.as_ref());
        self.store.use_tracking(tracking);
    }

    /// What `saddlebag rejoin` does: it goes on in a new history.
    pub fn rejoin(&mut self) {
        self.rejoin_after(self.me.epoch);
    }

    /// The same, where its folder knows of a later history that its database does not know of.
    pub fn rejoin_after(&mut self, published: Epoch) {
        let [a, b, c, d, ..] = self.entropy.bytes16();
        let (before, random) = (self.me.epoch, u32::from_le_bytes([a, b, c, d]));
        self.store.begin(Access::Write).unwrap();
        let latest = lineage::latest(&mut *self.store, before.max(published)).unwrap();
        let now = Epoch::new(latest.count() + 1, random);
        lineage::begin_anew(&mut *self.store, before, now).unwrap();
        self.store.commit().unwrap();
        self.me.epoch = now;
    }

    /// Why the link with a peer stands still; none if it does not.
    ///
    /// # Errors
    /// The store's.
    pub fn stopped(&mut self, peer: NodeId) -> Result<Option<String>, StoreError> {
        self.store.begin(Access::Read)?;
        let links = self.store.links();
        let ended = self.store.rollback();
        let links = links?;
        ended?;
        let link = links.into_iter().find(|link| link.peer == peer).unwrap();
        Ok(link.history.stopped.map(|stopped| stopped.why))
    }

    /// Brings the outbox for a peer up to date.
    pub fn export_to(&mut self, peer: NodeId) -> Exported {
        let (clock, mut entropy) = (self.clock.clone(), self.entropy.clone());
        let exported = self.export_by(peer, &clock, &mut entropy);
        self.entropy = entropy;
        exported
    }

    /// Brings the outbox for a peer up to date, by a program that may end at any time.
    ///
    /// # Errors
    /// The exporter's.
    pub fn try_export_to(&mut self, peer: NodeId) -> Result<Exported, ExportError> {
        let (clock, mut entropy) = (self.clock.clone(), self.entropy.clone());
        let exported = self.try_export_by(peer, &clock, &mut entropy);
        self.entropy = entropy;
        exported
    }

    /// Like [`FleetNode::export_to`], with another clock and other randomness.
    pub fn export_by(&mut self, peer: NodeId, clock: &dyn Clock, entropy: &mut dyn Entropy) -> Exported {
        self.try_export_by(peer, clock, entropy).unwrap()
    }

    fn try_export_by(
        &mut self,
        peer: NodeId,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Result<Exported, ExportError> {
        self.store.begin(Access::Read)?;
        let links = self.store.links();
        self.store.rollback()?;
        let links = links?;
        let link = links.iter().find(|link| link.peer == peer).unwrap().id;
        let mut exporter = Exporter {
            store: &mut *self.store,
            keys: &self.keys,
            me: &self.me,
            outbox: &self.folder.join("outbox"),
            high_water: &self.folder.join("high-water"),
            records_per_bundle: self.records_per_bundle,
            clock,
            entropy,
        };
        exporter.export(link, false)
    }

    /// A further connection of the application's to its PostgreSQL.
    ///
    /// # Panics
    /// When its database is another engine's.
    #[must_use]
    pub fn connect(&self) -> postgres::Client {
        let lease = self.lease.as_ref().expect("a database of a server");
        let mut client = postgres::Client::connect(lease.url(), postgres::NoTls).unwrap();
        client.batch_execute("SET client_min_messages = warning").unwrap();
        client
    }

    /// Removes all bundles from the outbox.
    pub fn empty_outbox(&self) {
        std::fs::remove_dir_all(self.folder.join("outbox")).unwrap();
    }

    /// The bytes of a new bundle for a peer, whatever was made before.
    pub fn export_anew(&mut self, peer: NodeId) -> Vec<u8> {
        self.empty_outbox();
        let exported = self.export_to(peer);
        std::fs::read(&exported.bundles[0].path).unwrap()
    }

    /// Lets the SQLite database grow to so many pages and no further, as a full disk does.
    ///
    /// # Panics
    /// When it is another engine's.
    pub fn limit_pages(&mut self, pages: i64) {
        match &mut self.store {
            NodeStore::Sqlite(store) => store.limit_pages(pages),
            _ => panic!("only a SQLite file has pages to count"),
        }
    }

    /// Takes in a bundle.
    ///
    /// # Errors
    /// The importer's refusal.
    pub fn import(&mut self, bundle: &[u8]) -> Result<Applied, ImportError> {
        let (clock, mut entropy) = (self.clock.clone(), self.entropy.clone());
        let applied = self.import_by(bundle, &clock, &mut entropy);
        self.entropy = entropy;
        applied
    }

    /// Like [`FleetNode::import`], with another clock and other randomness.
    ///
    /// # Errors
    /// The importer's refusal.
    pub fn import_by(
        &mut self,
        bundle: &[u8],
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Result<Applied, ImportError> {
        let Self { store, keys, me, records_at_once, .. } = self;
        let at_once = *records_at_once;
        let applied =
            Importer { store: &mut **store, keys, me, clock, entropy }.import_in_turns(bundle, false, at_once);
        if !self.may_differ {
            self.nothing_differs();
        }
        applied
    }

    /// As long as nobody tampers with a database, no neighbour ever holds other records than its bundles say.
    fn nothing_differs(&mut self) {
        assert_eq!(self.different(), None, "{} found a neighbour different", self.me.name);
    }

    /// A neighbour that holds other records than its bundles say, as the digests tell.
    pub fn different(&mut self) -> Option<String> {
        self.store.begin(Access::Read).unwrap();
        let links = self.store.links().unwrap();
        self.store.rollback().unwrap();
        links.into_iter().find(|link| link.comparison.different.is_some()).map(|link| link.name)
    }

    /// The version and value of every shared column: by table, uid and column.
    pub fn versions(&mut self) -> BTreeMap<(String, Uid, String), (Version, Value)> {
        let tracking = self.store.tracking().clone();
        self.store.begin(Access::Read).unwrap();
        let mut versions = BTreeMap::new();
        let last = self.store.last_seq().unwrap();
        for table in &tracking.tables {
            for record in self.store.feed(table, Seq(0), last).unwrap() {
                for (column, value) in table.columns.iter().zip(record.values) {
                    let spot = (table.name.clone(), record.uid, column.name.clone());
                    versions.insert(spot, (record.state.of(column.id).version, value));
                }
            }
        }
        self.store.rollback().unwrap();
        versions
    }

    /// Checks that the digests are what a scan makes of the records. Says over how many links both ends were last found to
    /// hold the same.
    pub fn check_digests(&mut self) -> u64 {
        self.store.begin(Access::Read).unwrap();
        let (mut kept, scanned) = (self.store.digests().unwrap(), self.store.scan_digests().unwrap());
        for number in scanned.keys() {
            kept.entry(*number).or_default();
        }
        assert_eq!(kept, scanned, "{}: the digests kept, and what a scan makes of the records", self.me.name);
        let links = self.store.links().unwrap();
        self.store.rollback().unwrap();
        links.iter().filter(|link| link.comparison.equal.is_some()).count() as u64
    }

    /// Everything in the database but the order of saddlebag's own bookkeeping: one line for each row of each table.
    #[must_use]
    pub fn dump(&self) -> Vec<String> {
        match &self.app {
            App::Sqlite(_) => dump(&self.database),
            App::Postgres(server) => server.dump(),
        }
    }
}

/// The application's connection to a node's database.
fn connect(database: &Path, lease: Option<&Lease>) -> App {
    if let Some(lease) = lease {
        return App::Postgres(Box::new(Server::connect(lease.url()).unwrap()));
    }
    let connection = Connection::open(database).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    App::Sqlite(Box::new(connection))
}

/// Saddlebag's way to a node's database.
fn open(database: &Path, lease: Option<&Lease>) -> NodeStore {
    match lease {
        Some(lease) => NodeStore::Postgres(Box::new(PostgresStore::open(lease.url()).unwrap())),
        None => NodeStore::Sqlite(Box::new(SqliteStore::open(database).unwrap())),
    }
}

/// One line for each row of each table of a SQLite database.
#[must_use]
pub fn dump(database: &Path) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let names: Vec<String> =
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut lines = Vec::new();
    for name in names {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            lines.push(format!("{name}: {}", values.join(", ")));
        }
    }
    lines.sort();
    lines
}
