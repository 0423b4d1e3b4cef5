//! A ministry and two clinics with an OpenMRS database each, and a courier between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::{Client, Config, NoTls};
use saddlebag_samples::profiles;
use saddlebag_stores::Access;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::ledger::Conflict;
use saddlebag_tests::app::{App, Sql};
use saddlebag_tests::courier::Courier;
use saddlebag_tests::engines::POSTGRES;
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy};
use saddlebag_tests::gnuhealth;
use saddlebag_tests::leases::needs_postgres;
use saddlebag_tests::skip::{needs_data, skipped};

use super::meaning::{Meaning, Said, differences};
use super::oracle::Deeds;
use super::work::Work;

/// The nodes' names, the ministry's first.
pub(super) const NAMES: [&str; 3] = ["ministry", "hilltop", "riverside"];

/// What `--profile openmrs` reads.
pub(super) fn profile_text() -> &'static str {
    profiles::named("openmrs").unwrap()
}

/// The profile, read.
pub(super) fn profile() -> TablesConfig {
    toml::from_str(&gnuhealth::sections(profile_text())).unwrap()
}

/// The dump, where it and a PostgreSQL that can take it are here; else the test is reported as skipped.
pub(super) fn dump(test: &str) -> Option<PathBuf> {
    let dump = needs_data(test, "openmrs/openmrs1.pg.dump")?;
    if !needs_postgres(test) {
        return None;
    }
    if Command::new("pg_restore").arg("--version").output().is_err() {
        skipped(test, "no `pg_restore` in PATH");
        return None;
    }
    Some(dump)
}

/// Restores the dump into an empty database.
pub(super) fn restore(dump: &Path, url: &str) {
    let restored =
        Command::new("pg_restore").args(["--no-owner", "--exit-on-error", "--dbname", url]).arg(dump).output();
    let restored = restored.unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
}

/// Where the database behind an application's connection is.
fn config(app: &App) -> (Config, String) {
    let sql = "SELECT current_database()::text, current_setting('unix_socket_directories'), current_setting('port')";
    let rows = app.rows(sql, &[]).unwrap();
    let [Sql::Text(database), Sql::Text(folder), Sql::Text(port)] = rows[0].as_slice() else { panic!("{rows:?}") };
    let mut config = Config::new();
    config.host_path(folder).port(port.parse().unwrap()).user("postgres").dbname(database);
    (config, format!("host={folder} port={port} user=postgres dbname={database}"))
}

pub(super) struct World {
    pub(super) fleet: Fleet,
    pub(super) clients: Vec<Client>,
    pub(super) meaning: Meaning,
    /// What happened how often.
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) deeds: [Deeds; 3],
    pub(super) base: Said,
    courier: Courier,
    seed: u64,
    rounds: u64,
}

impl World {
    pub(super) fn new(dump: &Path, seed: u64) -> Self {
        let tables = gnuhealth::sections(profile_text());
        let plan = FleetPlan { names: &NAMES, tables: &tables, seed, engines: POSTGRES };
        let mut fleet = Fleet::new(&plan, |_, app| restore(dump, &config(app).1));
        // What the dump holds goes by quiet rounds; what is lost and comes twice is work.
        fleet.settle();
        fleet.nodes[0].records_per_bundle = 800;
        fleet.nodes[2].records_per_bundle = 300;
        let mut clients: Vec<_> = fleet.nodes.iter().map(|node| config(&node.app).0.connect(NoTls).unwrap()).collect();
        let meaning = Meaning::read(&mut clients[0], profile().into_keys().collect());
        let base = meaning.of(&mut clients[0]);
        let (counts, courier) = (BTreeMap::new(), Courier::new(TestEntropy(seed)));
        Self { fleet, clients, meaning, counts, deeds: Default::default(), base, courier, seed, rounds: 0 }
    }

    /// Everybody works for a while. `places` share the patients among them; 0: all treat all of them.
    pub(super) fn work(&mut self, places: usize, things: [usize; 3]) {
        self.rounds += 1;
        for (place, things) in things.into_iter().enumerate() {
            let client = &mut self.clients[place];
            let before = self.meaning.of(client);
            let seed = self.seed.wrapping_mul(1_000).wrapping_add(self.rounds * 10 + place as u64);
            let mut work = Work::new(client, (place, places), seed, self.rounds * 24);
            work.run(things);
            let done = work.done.into_iter();
            done.for_each(|(what, count)| *self.counts.entry(what).or_default() += count as u64);
            let after = self.meaning.of(client);
            self.deeds[place].add(&self.meaning, &before, &after);
            self.fleet.nodes[place].clock.0.set(1_790_000_000_000 + i64::try_from(self.rounds).unwrap() * 86_400_000);
        }
    }

    /// A courier's trip: some bundles are lost, others come twice.
    pub(super) fn trip(&mut self) {
        self.courier.trip(&mut self.fleet, &mut self.counts);
    }

    /// All places say the same, and nobody holds anything. Gives what they say.
    pub(super) fn assert_equal(&mut self) -> Said {
        for node in &mut self.fleet.nodes {
            node.store.begin(Access::Read).unwrap();
            let held = node.store.held(None).unwrap();
            node.store.rollback().unwrap();
            let reasons: Vec<_> = held.iter().map(|held| (&held.table, &held.reason)).take(10).collect();
            assert!(held.is_empty(), "{} holds {}: {reasons:#?}", node.me.name, held.len());
        }
        let said: Vec<Said> = self.clients.iter_mut().map(|client| self.meaning.of(client)).collect();
        for clinic in [1, 2] {
            let (count, found) = differences(&self.meaning, &said[0], &said[clinic]);
            assert_eq!(count, 0, "the ministry and {}: {found:#?}", NAMES[clinic]);
        }
        said.into_iter().next().unwrap()
    }

    /// What the ministry keeps of disagreements.
    pub(super) fn conflicts(&mut self) -> Vec<Conflict> {
        let store = &mut self.fleet.nodes[0].store;
        store.begin(Access::Read).unwrap();
        let conflicts = store.conflicts().unwrap();
        store.rollback().unwrap();
        conflicts
    }

    /// Order numbers that several orders have, at a place.
    pub(super) fn order_numbers_given_twice(&mut self, place: usize) -> Vec<String> {
        let sql = "SELECT order_number FROM orders GROUP BY 1 HAVING count(*) > 1 ORDER BY 1";
        self.clients[place].query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    pub(super) fn assert_counted(&self, all: &[&str]) {
        for what in all {
            assert!(self.counts.get(what).copied().unwrap_or(0) > 0, "`{what}` never occurred: {:?}", self.counts);
        }
    }
}
