//! A deployment with applications at work, and a model of what they have written and seen.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_importer::{ImportResult, Importer, Tally};
use saddlebag_stores::Access;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::Tracking;
use saddlebag_tests::app::{App, Sql};
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan, TestEntropy};

use super::look::{Keys, Look, meaning};
use super::parts::Parts;
use super::schema::{Column, Identity, NAMES, Role, Spec, Table, quote};

/// Where a token was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) node: usize,
    pub(crate) table: usize,
    pub(crate) tag: String,
    pub(crate) column: usize,
}

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) spec: Spec,
    pub(crate) random: TestEntropy,
    /// Bundles on their way: receiver, bytes.
    pub(crate) on_the_way: Vec<(usize, Vec<u8>)>,
    pub(crate) counts: BTreeMap<String, u64>,
    /// What each database held when it was last looked at.
    pub(crate) looks: Vec<Look>,
    pub(crate) keys: Vec<Keys>,
    /// Every value of which there is one, and where it was written.
    pub(crate) written: BTreeMap<String, Spot>,
    /// Values that somebody saw and wrote over, or deleted with their record.
    pub(crate) seen: BTreeSet<String>,
    /// Which value one was written upon.
    pub(crate) upon: BTreeMap<String, String>,
    /// Records that somebody deleted whose schema lacks a column, by table and tag.
    pub(crate) deleted_blind: BTreeSet<(usize, String)>,
    /// Records that somebody deleted: node, table, tag.
    pub(crate) deleted: BTreeSet<(usize, usize, String)>,
    /// Whatever an application has put into a column: table, tag, column, meaning.
    pub(crate) ever: BTreeSet<(usize, String, usize, String)>,
    /// Tags that have had the same identity: table, identity.
    pub(crate) identities: BTreeMap<(usize, Vec<String>), BTreeSet<String>>,
    /// What the applications did, for when the test fails.
    pub(crate) log: Vec<String>,
    /// The last number of each counter: node, table, column.
    pub(crate) counters: BTreeMap<(usize, usize, usize), u64>,
    next: u64,
}

impl World {
    pub(crate) fn new(on: Engines, seed: u64) -> Self {
        let mut random = TestEntropy(seed ^ 0x5ADD_1EBA);
        let spec = Parts::choose(on, &mut random);
        let config = spec.config();
        let plan = FleetPlan { names: &NAMES, tables: &config, seed, engines: on };
        let seeds: Vec<String> = (0..NAMES.len()).map(|node| super::seeds::rows(&spec, node, &mut random)).collect();
        let mut fleet = Fleet::new(&plan, |node, app| {
            for sql in [&spec.sql(node), &seeds[node]] {
                app.execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
            }
            if let App::Sqlite(connection) = app {
                connection.set_prepared_statement_cache_capacity(100);
            }
        });
        for (node, clock) in fleet.nodes.iter_mut().zip([0, 3_600_000, -86_400_000]) {
            node.records_per_bundle = [3, 20, 100_000, 100_000][random.below(4)];
            let far = if random.below(6) == 0 { 400_000_000_000 } else { clock };
            node.clock.0.set(node.clock.0.get() + far);
        }
        let nodes = NAMES.len();
        let mut world = Self {
            fleet,
            random,
            on_the_way: Vec::new(),
            counts: BTreeMap::new(),
            looks: vec![Look { tables: vec![Vec::new(); spec.tables.len()] }; nodes],
            keys: vec![Keys::default(); nodes],
            spec,
            written: BTreeMap::new(),
            seen: BTreeSet::new(),
            upon: BTreeMap::new(),
            deleted_blind: BTreeSet::new(),
            deleted: BTreeSet::new(),
            ever: BTreeSet::new(),
            identities: BTreeMap::new(),
            log: Vec::new(),
            counters: BTreeMap::new(),
            next: 1_000,
        };
        for node in 0..nodes {
            let before = world.looks[node].clone();
            world.look(node);
            world.note(node, &before);
        }
        for table in world.spec.tables.clone() {
            world.count(&format!("table {}", table.part));
        }
        world
    }

    pub(crate) fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&mut self, what: &str, count: u64) {
        *self.counts.entry(what.to_owned()).or_default() += count;
    }

    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.random.below(of) == 0
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn app(&self, node: usize) -> &App {
        &self.fleet.nodes[node].app
    }

    /// Looks at a database, and gives what it held before.
    pub(crate) fn look(&mut self, node: usize) -> Look {
        let look = Look::at(&self.fleet.nodes[node].app, &self.spec, node);
        self.keys[node].learn(&look);
        std::mem::replace(&mut self.looks[node], look)
    }

    /// The application does something in one transaction; says whether its database let it.
    pub(crate) fn act(&mut self, node: usize, what: &str, statements: &[(String, Vec<Sql>)]) -> bool {
        let app = &self.fleet.nodes[node].app;
        app.execute_batch("BEGIN").unwrap();
        let mut done = 0;
        let mut failed = None;
        for (sql, parameters) in statements {
            match app.write(sql, parameters) {
                Ok(rows) => done += rows,
                Err(error) => {
                    assert!(error.is_refusal, "{error}: {sql} {parameters:?}");
                    failed = Some(error.to_string());
                    break;
                }
            }
        }
        if let Some(reason) = failed {
            app.undo();
            self.log.push(format!("{}: {what}, refused: {reason}", NAMES[node]));
            // A clinic's counter never meets a number that came from elsewhere.
            let is_code = |table: &Table| {
                let is_met = |column: &&Column| is_taken(&reason, table, column);
                table
                    .columns
                    .iter()
                    .filter(|column| matches!(column.role, Role::Counter { .. }))
                    .any(|column| is_met(&column))
            };
            let is_counted = self.spec.tables.iter().any(is_code);
            assert!(
                !is_counted || node == 0 || what.contains("number"),
                "the application at {} lost a number: {reason}",
                NAMES[node]
            );
            self.count("refused to the application");
            return false;
        }
        app.execute_batch("COMMIT").unwrap();
        self.log.push(format!("{}: {what}: {statements:?}", NAMES[node]));
        let before = self.look(node);
        self.note(node, &before);
        if done > 0 {
            self.count(what);
        }
        true
    }

    /// Takes down what the application changed, as its database shows it.
    fn note(&mut self, node: usize, before: &Look) {
        let after = self.looks[node].clone();
        for table in 0..self.spec.tables.len() {
            for row in &before.tables[table] {
                if after.row(table, &row.tag).is_none() {
                    self.deleted.insert((node, table, row.tag.clone()));
                    if self.spec.tables[table].columns.iter().any(|column| column.lacking == Some(node)) {
                        self.deleted_blind.insert((table, row.tag.clone()));
                    }
                    let tokens = row
                        .values
                        .iter()
                        .enumerate()
                        .filter_map(|(column, value)| token(&self.spec, table, column, value.as_ref()?));
                    self.seen.extend(tokens);
                }
            }
            for row in &after.tables[table] {
                // A row that replaces one under its key is the same record, and what referred to the one means it.
                if let Some(replaced) = before.tables[table].iter().find(|was| was.key == row.key && was.tag != row.tag)
                {
                    let spot = (table, vec!["replaced".to_owned(), replaced.tag.clone()]);
                    self.identities.entry(spot).or_default().extend([replaced.tag.clone(), row.tag.clone()]);
                }
                let was = before.row(table, &row.tag);
                for (column, value) in row.values.iter().enumerate() {
                    let Some(value) = value else { continue };
                    let old = was.and_then(|was| was.values[column].as_ref());
                    if old != Some(value) {
                        self.note_value(Spot { node, table, tag: row.tag.clone(), column }, old, value);
                    }
                }
                self.note_identity(node, table, &row.tag);
            }
        }
    }

    fn note_value(&mut self, spot: Spot, old: Option<&Sql>, value: &Sql) {
        if let Some(seen) = old.and_then(|old| token(&self.spec, spot.table, spot.column, old)) {
            if let Some(token) = token(&self.spec, spot.table, spot.column, value) {
                self.upon.insert(token, seen.clone());
            }
            self.seen.insert(seen);
        }
        let means = meaning(&self.spec, &self.keys[spot.node], spot.table, spot.column, value);
        self.ever.insert((spot.table, spot.tag.clone(), spot.column, means));
        if let Some(token) = token(&self.spec, spot.table, spot.column, value) {
            self.written.insert(token, spot);
        }
    }

    fn note_identity(&mut self, node: usize, table: usize, tag: &str) {
        let columns = self.spec.tables[table].identity_columns();
        let Some(row) = self.looks[node].row(table, tag).filter(|_| !columns.is_empty()) else { return };
        let means = |column: &usize| {
            let value = row.values[*column].as_ref().unwrap_or(&Sql::Null);
            meaning(&self.spec, &self.keys[node], table, *column, value)
        };
        let identity: Vec<String> = columns.iter().map(means).collect();
        if !identity.contains(&"null".to_owned()) {
            self.identities.entry((table, identity)).or_default().insert(tag.to_owned());
        }
    }

    /// Somebody carries something, or loses it.
    pub(crate) fn courier(&mut self) {
        match self.random.below(8) {
            0..=2 => {
                let satellite = 1 + self.random.below(NAMES.len() - 1);
                let (from, to) = if self.one_in(2) { (satellite, 0) } else { (0, satellite) };
                let bundles = self.fleet.export(from, to);
                self.log.push(format!("export {} to {}: {}", NAMES[from], NAMES[to], bundles.len()));
                self.on_the_way.extend(bundles.into_iter().map(|bundle| (to, bundle)));
                self.count("export");
            }
            3..=6 => {
                if self.on_the_way.is_empty() {
                    return;
                }
                // Whichever: order means nothing. Some stay where they are and come again.
                let at = self.random.below(self.on_the_way.len());
                let (to, bundle) = self.on_the_way[at].clone();
                if self.one_in(4) {
                    self.count("bundle that comes again");
                } else {
                    self.on_the_way.remove(at);
                }
                self.import(to, &bundle);
            }
            _ => {
                if !self.on_the_way.is_empty() {
                    let at = self.random.below(self.on_the_way.len());
                    self.on_the_way.remove(at);
                    self.count("bundle lost");
                }
            }
        }
    }

    pub(crate) fn import(&mut self, to: usize, bundle: &[u8]) {
        self.log.push(format!("import at {}", NAMES[to]));
        let applied = self.fleet.nodes[to].import(bundle).unwrap();
        self.count(match applied.result {
            ImportResult::Applied => "bundle applied",
            ImportResult::Already => "bundle known already",
            ImportResult::Waiting { .. } => "bundle too early",
        });
        let Tally { records, conflicts, parked, quarantined, settled, .. } = applied.tally;
        for (what, count) in [
            ("records applied", records),
            ("conflict", conflicts),
            ("parked", parked),
            ("quarantined", quarantined),
            ("settled", settled),
        ] {
            self.add(what, count);
        }
        let before = self.look(to);
        // What is excluded goes with its row, and no other place can bring it back.
        for (table, rows) in before.tables.iter().enumerate() {
            for row in rows.iter().filter(|row| self.looks[to].row(table, &row.tag).is_none()) {
                let excluded =
                    |(column, _): &(usize, _)| self.spec.tables[table].columns[*column].role == Role::Excluded;
                let values = row.values.iter().enumerate().filter(excluded);
                self.seen
                    .extend(values.filter_map(|(column, value)| token(&self.spec, table, column, value.as_ref()?)));
            }
        }
        let matched = (0..self.spec.tables.len()).filter(|at| self.spec.tables[*at].direction == "match");
        for table in matched {
            assert_eq!(before.tables[table], self.looks[to].tables[table], "an import changed a matched table");
        }
    }

    /// Rounds of everybody with everybody until nobody has anything new to say.
    pub(crate) fn settle(&mut self) {
        self.rounds();
        // The edit of a row that stays at home is told to nobody, so nobody answers, and nothing is tried again by itself.
        let mut settled = 0;
        for node in &mut self.fleet.nodes {
            let FleetNode { store, keys, me, clock, entropy, .. } = node;
            settled += Importer { store: &mut **store, keys, me, clock, entropy }.retry_held().unwrap().settled;
        }
        if settled > 0 {
            self.add("settled", settled);
            self.rounds();
        }
        (0..NAMES.len()).for_each(|node| drop(self.look(node)));
    }

    fn rounds(&mut self) {
        for _ in 0..20 {
            let mut quiet = true;
            for satellite in 1..NAMES.len() {
                for (from, to) in [(satellite, 0), (0, satellite)] {
                    let peer = self.fleet.nodes[to].me.id;
                    let exported = self.fleet.nodes[from].export_to(peer);
                    quiet &= exported.result != saddlebag_bundler::ExportResult::Written;
                    for bundle in &exported.bundles {
                        self.import(to, &std::fs::read(&bundle.path).unwrap());
                    }
                }
            }
            if quiet {
                return;
            }
        }
        panic!("the fleet never comes to rest");
    }

    /// The application at a node gets the column that its schema lacked, and setup is run again.
    pub(crate) fn upgrade(&mut self, node: usize, table: usize, column: usize) {
        self.spec.tables[table].columns[column].lacking = None;
        let name = quote(&self.spec.tables[table].name);
        let sql = format!("ALTER TABLE {name} ADD COLUMN {}", self.spec.declaration(node, table, column));
        self.app(node).execute_batch(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        self.app(node).forget_prepared();
        self.log.push(format!("{}: {sql}", NAMES[node]));
        self.set_up_again(node);
        // What came in with the setup is nothing that this application wrote.
        self.look(node);
        self.count("column that appears");
    }

    /// What `saddlebag setup` does after the schema has changed.
    fn set_up_again(&mut self, node: usize) {
        let config: TablesConfig = toml::from_str(&self.spec.config()).unwrap();
        let node = &mut self.fleet.nodes[node];
        let schema = node.store.schema().unwrap();
        let known = node.store.installed().unwrap().unwrap();
        let tracking = Tracking::resolve(&config, &schema, &known).unwrap();
        node.store.use_tracking(tracking.clone());
        node.store.begin(Access::Write).unwrap();
        node.store.install(&tracking).unwrap();
        node.store.commit().unwrap();
        for table in tracking.identity_order().unwrap() {
            node.store.begin(Access::Write).unwrap();
            let _rows = node.store.journal_existing(table.number, u64::MAX).unwrap();
            let links = node.store.links().unwrap();
            let context = AbsorbContext::of(node.me.writer(), &links);
            let _absorbed = node.store.absorb(&context, &mut node.entropy).unwrap();
            node.store.commit().unwrap();
        }
        node.store.begin(Access::Write).unwrap();
        node.store.hash_references().unwrap();
        node.store.commit().unwrap();
    }

    /// Whether a node's application may write a table: one that travels one way is written where it comes from.
    pub(crate) fn may_write(&self, node: usize, table: usize) -> bool {
        match self.spec.tables[table].direction {
            "up" => node != 0,
            "down" => node == 0,
            _ => true,
        }
    }

    pub(crate) fn is_named(&self, table: usize) -> bool {
        self.spec.tables[table].identity == Identity::Named
    }
}

/// Whether a database refused a row because another has its value in this column, by the words of either engine.
fn is_taken(reason: &str, table: &Table, column: &Column) -> bool {
    let Column { name, .. } = column;
    let keys = [format!("Key ({name})="), format!("Key ({})=", quote(name))];
    reason.ends_with(&format!(": {}.{name}", table.name))
        || reason.contains(&format!("constraint \"{}_", table.name)) && keys.iter().any(|key| reason.contains(key))
}

/// A value of which there is one in the world, if it is one.
pub(crate) fn token(spec: &Spec, table: usize, column: usize, value: &Sql) -> Option<String> {
    let of = &spec.tables[table];
    let counts = match of.columns[column].role {
        Role::Tag => of.direction != "match",
        Role::Words { .. } | Role::Checked { .. } | Role::Excluded | Role::Capitals { .. } => true,
        _ => false,
    };
    match value {
        // A trigger's words are said once for each place, and the default by nobody.
        Sql::Text(text) if counts && text != "nothing" && !text.contains(' ') && !text.starts_with("audit") => {
            Some(text.to_lowercase())
        }
        _ => None,
    }
}
