//! A ministry and two clinics, each with its copy of one database, and a courier between them.

use std::collections::BTreeMap;

use saddlebag_formats::{Seq, Value};
use saddlebag_stores::Access;
use saddlebag_stores::config::{Direction, TableConfig};
use saddlebag_stores::ledger::{BesideWhy, Conflict};
use saddlebag_stores::record::Key;
use saddlebag_tests::app::App;
use saddlebag_tests::courier::Courier;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan, TestEntropy};
use saddlebag_tests::gnuhealth::{self, Beginning, Catalogue, Cells, Done, Recording, Replay};

use super::oracle::Dispute;

/// The nodes' names, the ministry's first.
pub(super) const NAMES: [&str; 3] = ["ministry", "hilltop", "riverside"];
/// The nodes at which patients are treated.
pub(super) const CLINICS: [usize; 2] = [1, 2];

/// What the places know of each other when work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// They have exchanged what they began with.
    Met,
    /// Nothing yet.
    Strangers,
}

pub(super) struct World {
    pub(super) fleet: Fleet,
    pub(super) catalogue: Catalogue,
    /// What happened how often.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// What the clinics have to do.
    replays: Vec<Replay>,
    courier: Courier,
}

impl World {
    pub(super) fn new(beginning: &Beginning, recordings: &[Recording], start: Start, seed: u64) -> Self {
        let tables = gnuhealth::sections(gnuhealth::PROFILE);
        let plan = FleetPlan { names: &NAMES, tables: &tables, seed, engines: beginning.engines() };
        let mut fleet = Fleet::new(&plan, |_, app| beginning.lay_into(app));
        // What one clinic has to say goes in one bundle, the other's and the ministry's in several.
        fleet.nodes[0].records_per_bundle = 300;
        fleet.nodes[2].records_per_bundle = 90;
        let replay = |(recording, node): (&Recording, &FleetNode)| Replay::new(recording.clone(), &node.app).unwrap();
        let replays = recordings.iter().zip(&fleet.nodes[1..]).map(replay).collect();
        let catalogue = Catalogue::read(&fleet.nodes[0].app).unwrap();
        if start == Start::Met {
            fleet.settle();
        }
        let (counts, courier) = (BTreeMap::new(), Courier::new(TestEntropy(seed)));
        Self { fleet, catalogue, counts, replays, courier }
    }

    /// One of so many stretches of a clinic's work.
    pub(super) fn work(&mut self, clinic: usize, stretch: usize, stretches: usize) -> Done {
        let replay = &mut self.replays[clinic - 1];
        let stretch = replay.recording().stretches(stretches)[stretch].clone();
        let done = replay.run(&self.fleet.nodes[clinic].app, stretch).unwrap();
        *self.counts.entry("operations").or_default() += done.operations as u64;
        *self.counts.entry("operations skipped").or_default() += done.skipped as u64;
        done
    }

    /// A courier's trip.
    pub(super) fn trip(&mut self) {
        self.courier.trip(&mut self.fleet, &mut self.counts);
    }

    /// Every shared value at a node.
    pub(super) fn cells(&self, node: usize) -> Cells {
        gnuhealth::cells(&self.fleet.nodes[node].app, &gnuhealth::tables()).unwrap()
    }

    /// All say the same, nobody holds anything, and the ends of every link hold the same versions.
    pub(super) fn assert_equal(&mut self) {
        for node in &mut self.fleet.nodes {
            node.store.begin(Access::Read).unwrap();
            let held = node.store.held(None).unwrap();
            node.store.rollback().unwrap();
            let reasons: Vec<_> = held.iter().map(|held| (&held.table, &held.reason)).take(10).collect();
            assert!(held.is_empty(), "{} holds {}: {reasons:#?}", node.me.name, held.len());
        }
        let databases: Vec<(&str, &App)> =
            NAMES.into_iter().zip(self.fleet.nodes.iter().map(|node| &node.app)).collect();
        let found = gnuhealth::differences(&databases).unwrap();
        assert!(found.is_empty(), "{} differences: {:#?}", found.len(), &found[..found.len().min(10)]);
        let mut versions: Vec<_> = self.fleet.nodes.iter_mut().map(|node| node.versions()).collect();
        // What is only matched is each place's own.
        let profile = gnuhealth::profile();
        let moved = |table: &String| profile[table].direction == Direction::Both;
        versions.iter_mut().for_each(|versions| versions.retain(|(table, ..), _| moved(table)));
        for clinic in CLINICS {
            let (here, there) = (&versions[0], &versions[clinic]);
            let differing = here.iter().filter(|(spot, held)| there.get(*spot) != Some(*held));
            let found: Vec<_> = differing.map(|(spot, held)| (spot, held, there.get(spot))).take(10).collect();
            assert!(
                found.is_empty() && here.len() == there.len(),
                "the ends of a link hold other versions: {found:#?}"
            );
        }
    }

    /// What the ministry keeps of disagreements.
    pub(super) fn conflicts(&mut self) -> Vec<Conflict> {
        let store = &mut self.fleet.nodes[0].store;
        store.begin(Access::Read).unwrap();
        let conflicts = store.conflicts().unwrap();
        store.rollback().unwrap();
        conflicts
    }

    /// Whether the ministry keeps both sides of a dispute.
    pub(super) fn knows(&mut self, dispute: &Dispute) -> bool {
        let node = &mut self.fleet.nodes[dispute.at];
        node.store.begin(Access::Read).unwrap();
        let table = node.store.tracking().by_name(&dispute.table).unwrap().clone();
        let uid = node.store.uid_at(&table, &Key(vec![Value::Integer(dispute.id)])).unwrap().unwrap();
        node.store.rollback().unwrap();
        self.conflicts().iter().any(|conflict| {
            conflict.table == dispute.table
                && conflict.uid == uid
                && conflict.kind == dispute.kind()
                && conflict.column.as_ref() == dispute.column.as_ref()
        })
    }

    /// Wherever a number is shown with its origin, another record has that number, and the true one is kept beside.
    /// Says how many there are at the ministry.
    pub(super) fn assert_numbers_in_dispute(&mut self) -> usize {
        let counted = counted();
        let mut at_the_ministry = 0;
        for (index, node) in self.fleet.nodes.iter_mut().enumerate() {
            for (table, column) in &counted {
                let numbers = texts(&node.app, table, column);
                let twice = numbers.iter().filter(|number| numbers.iter().filter(|n| n == number).count() > 1);
                assert_eq!(twice.count(), 0, "{table}.{column} shows one number twice at {}", NAMES[index]);
                let qualified: Vec<_> = numbers.iter().filter(|number| number.ends_with(')')).collect();
                node.store.begin(Access::Read).unwrap();
                let tracked = node.store.tracking().by_name(table).unwrap().clone();
                let beside = node.store.beside(&tracked).unwrap();
                let last = node.store.last_seq().unwrap();
                let deleted = node.store.deleted(&tracked, Seq(0), last).unwrap();
                node.store.rollback().unwrap();
                let had = |number: &str| {
                    let mut values = deleted.iter().flat_map(|tombstone| &tombstone.values);
                    values.any(|(_, value)| matches!(value, Value::Text(text) if text == number))
                };
                for number in &qualified {
                    let (plain, place) = number.trim_end_matches(')').rsplit_once(" (").unwrap();
                    assert!(NAMES.contains(&place), "{number} at {}", NAMES[index]);
                    assert_ne!(place, NAMES[index], "{number} is this place's own");
                    // A clinic's own counter may have been behind that number when it came.
                    // Another record had it that is deleted since, or has it.
                    let is_met = had(plain) || numbers.iter().any(|other| other == plain);
                    assert!(index > 0 || is_met, "{number} is in nobody's way");
                }
                let kept = beside.iter().filter(|beside| beside.why == BesideWhy::Collides).count();
                assert_eq!(kept, qualified.len(), "{table}.{column} at {}", NAMES[index]);
                at_the_ministry += if index == 0 { kept } else { 0 };
            }
        }
        at_the_ministry
    }

    pub(super) fn assert_counted(&self, all: &[&str]) {
        for what in all {
            assert!(self.counts.get(what).copied().unwrap_or(0) > 0, "`{what}` never occurred");
        }
    }
}

/// Columns whose numbers each place counts by itself.
pub(super) fn counted() -> Vec<(String, String)> {
    let of_table = |(table, config): (String, TableConfig)| {
        config.local_unique.into_iter().map(move |column| (table.clone(), column)).collect::<Vec<_>>()
    };
    gnuhealth::profile().into_iter().flat_map(of_table).collect()
}

fn texts(app: &App, table: &str, column: &str) -> Vec<String> {
    let sql = format!("SELECT \"{column}\" FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
    app.texts(&sql, &[]).into_iter().flatten().collect()
}
