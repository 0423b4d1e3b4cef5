//! A clinic and a ministry, made again from the seed in every process: only their databases and outboxes last.

use std::path::{Path, PathBuf};

use saddlebag_bundler::{Exported, Exporter};
use saddlebag_formats::ambient::Entropy as _;
use saddlebag_formats::{Epoch, NodeId, TimeMs};
use saddlebag_importer::{Applied, Importer};
use saddlebag_keys::card::{Card, CardDeployment};
use saddlebag_keys::deployment::{DeploymentKey, ListedNode, NodeList, Role};
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_stores::Access;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::ledger::{DEPLOYMENT_KEY, Link, NODES, PeerRole};
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::engines::{Engine, NodeStore};
use saddlebag_tests::fleet::{TestClock, TestEntropy};

use crate::phases::Run;
use crate::rows;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Clinic,
    Ministry,
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Ministry => "ministry",
        }
    }
}

/// Who everybody is.
struct World {
    keys: [NodeKeys; 2],
    ids: [NodeId; 2],
    deployment: DeploymentKey,
}

impl World {
    fn new() -> Self {
        let mut entropy = TestEntropy(7);
        let deployment = DeploymentKey::generate(&mut entropy);
        let keys = [NodeKeys::generate(&mut entropy), NodeKeys::generate(&mut entropy)];
        let ids = [NodeId(entropy.bytes16()), NodeId(entropy.bytes16())];
        Self { keys, ids, deployment }
    }

    /// The link of one place to the other, and the deployment's settings.
    fn link(&self, at: Place) -> (Link, [Vec<u8>; 2]) {
        let listed = |place: Place, role, central| ListedNode {
            name: place.name().parse().unwrap(),
            id: self.ids[place as usize],
            role,
            signing: self.keys[place as usize].signing.public(),
            sealing: self.keys[place as usize].sealing.recipient(),
            central,
            revoked: None,
        };
        let central = listed(Place::Ministry, Role::Central, None);
        let clinic = listed(Place::Clinic, Role::Satellite, Some(central.id));
        let list = NodeList::first(self.deployment.id(), central.clone()).unwrap().with_node(clinic).unwrap();
        let nodes = self.deployment.sign(list).unwrap();
        let settings = [self.deployment.public().as_bytes().to_vec(), nodes.as_bytes().to_vec()];
        let number = nodes.list().number();
        let link = match at {
            Place::Ministry => {
                let keys = &self.keys[Place::Clinic as usize];
                let card =
                    Card::satellite("clinic".parse().unwrap(), self.ids[Place::Clinic as usize], keys, TimeMs(0));
                let card = card.sign(&keys.signing).unwrap();
                Link::new(self.ids[Place::Clinic as usize], "clinic", PeerRole::Satellite, &card, number)
            }
            Place::Clinic => {
                let deployment = CardDeployment { key: self.deployment.public(), nodes };
                let card = Card::central(&central, deployment, TimeMs(0));
                let card = card.sign(&self.keys[Place::Ministry as usize].signing).unwrap();
                Link::new(central.id, "ministry", PeerRole::Central, &card, number)
            }
        };
        (link, settings)
    }
}

/// One place with its database open.
pub(crate) struct Site {
    store: NodeStore,
    keys: NodeKeys,
    me: ThisNode,
    clock: TestClock,
    entropy: TestEntropy,
    folder: PathBuf,
}

impl Site {
    /// Opens a place; `process` keeps the ids apart that different processes draw.
    pub(crate) fn open(run: &Run, place: Place, process: u64) -> Self {
        let World { keys, ids, deployment } = World::new();
        let database = run.application.database(place);
        let mut store = match run.application.engine() {
            Engine::Sqlite => NodeStore::Sqlite(Box::new(SqliteStore::open(Path::new(&database)).unwrap())),
            Engine::Postgres => NodeStore::Postgres(Box::new(PostgresStore::open(&database).unwrap())),
        };
        let config: TablesConfig = toml::from_str(rows::TABLES).unwrap();
        let schema = store.schema().unwrap();
        let tracking = Tracking::resolve(&config, &schema, &Numbering::default()).unwrap();
        store.use_tracking(tracking);
        let [clinic, ministry] = keys;
        let clock = TestClock::default();
        clock.0.set(1_790_000_000_000 + process.cast_signed() * 60_000);
        Self {
            store,
            keys: if place == Place::Clinic { clinic } else { ministry },
            me: ThisNode {
                id: ids[place as usize],
                name: place.name().parse().unwrap(),
                deployment: deployment.id(),
                epoch: Epoch::new(1, 7),
            },
            clock,
            entropy: TestEntropy(1_000 + process),
            folder: run.folder.join(place.name()),
        }
    }

    /// What `setup`, and `join` or `admit` do: takes in the rows that are there, so many in a transaction.
    pub(crate) fn setup(&mut self, place: Place) {
        let tracking = self.store.tracking().clone();
        self.store.begin(Access::Write).unwrap();
        self.store.install(&tracking).unwrap();
        let (link, [key, nodes]) = World::new().link(place);
        self.store.set_setting(DEPLOYMENT_KEY, &key).unwrap();
        self.store.set_setting(NODES, &nodes).unwrap();
        self.store.add_link(&link).unwrap();
        self.store.commit().unwrap();
        for table in tracking.identity_order().unwrap() {
            loop {
                self.store.begin(Access::Write).unwrap();
                let rows = self.store.journal_existing(table.number, 5_000).unwrap();
                self.absorb();
                self.store.commit().unwrap();
                if rows == 0 {
                    break;
                }
            }
        }
    }

    fn absorb(&mut self) -> u64 {
        let context = AbsorbContext::of(self.me.writer(), &self.store.links().unwrap());
        let absorbed = self.store.absorb(&context, &mut self.entropy).unwrap();
        absorbed.created + absorbed.changed
    }

    /// Folds the journal into the row states.
    pub(crate) fn absorb_journal(&mut self) -> u64 {
        self.store.begin(Access::Write).unwrap();
        let absorbed = self.absorb();
        self.store.commit().unwrap();
        absorbed
    }

    /// Brings the outbox up to date.
    pub(crate) fn export(&mut self) -> Exported {
        self.store.begin(Access::Read).unwrap();
        let link = self.store.links().unwrap()[0].id;
        self.store.rollback().unwrap();
        let mut exporter = Exporter {
            store: &mut *self.store,
            keys: &self.keys,
            me: &self.me,
            outbox: &self.folder.join("outbox"),
            high_water: &self.folder.join("high-water"),
            records_per_bundle: 100_000,
            clock: &self.clock,
            entropy: &mut self.entropy,
        };
        exporter.export(link, false).unwrap()
    }

    /// Takes in a bundle.
    pub(crate) fn import(&mut self, bundle: &[u8]) -> Applied {
        let Self { store, keys, me, clock, entropy, .. } = self;
        Importer { store: &mut **store, keys, me, clock, entropy }.import(bundle, false).unwrap()
    }
}
