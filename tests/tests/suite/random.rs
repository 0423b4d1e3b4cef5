//! Several nodes, two levels or more, random work, random order, loss and repetition of bundles; then an account of every value.
//!
//! Convergence alone proves little: to drop every change converges too. So an independent model keeps, of every
//! value that was committed anywhere, which value it overwrote. At the end each committed value must be
//! - the final one, the same at every node; or
//! - overwritten by somebody who had seen it; or
//! - kept in `conflicts` or in what is held; or
//! - gone with its record, which was deleted by somebody who had seen it.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::members::decode_change;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{Action, Value};
use saddlebag_stores::Access;
use saddlebag_tests::app::{App, Sql, number, said, text as text_of};
use saddlebag_tests::engines::{Engines, POSTGRES, SQLITE};
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::{on_engines, tell};

const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT, district TEXT DEFAULT 'none');
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT,
    village_id INTEGER REFERENCES village (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT, weight TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id), previous_id INTEGER REFERENCES visit (id));
CREATE INDEX visit_patient ON visit (patient_id);
CREATE INDEX visit_previous ON visit (previous_id);
";

/// The central alone refuses some weights: another schema, as it is in the world.
const STRICT: &str = "
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT,
    weight TEXT CHECK (weight NOT LIKE 'heavy%'),
    patient_id INTEGER NOT NULL REFERENCES patient (id), previous_id INTEGER REFERENCES visit (id));
CREATE INDEX visit_patient ON visit (patient_id);
CREATE INDEX visit_previous ON visit (previous_id);
";

const TABLES: &str = "
[village]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
";

/// Who is whose satellite; the first node is the ministry.
#[derive(Debug, Clone, Copy)]
struct Deployment {
    names: &'static [&'static str],
    centrals: &'static [usize],
}

const TWO_LEVELS: Deployment = Deployment { names: &["ministry", "clinic-a", "clinic-b"], centrals: &[0, 0, 0] };

/// Two districts, one of which has a district below; and a clinic of the ministry's own.
const FOUR_LEVELS: Deployment = Deployment {
    names: &["ministry", "north", "south", "north-a", "north-b", "hills", "hills-a"],
    centrals: &[0, 0, 0, 1, 1, 1, 5],
};

/// A district with two clinics beside a clinic of the ministry's own.
const THREE_LEVELS: Deployment =
    Deployment { names: &["ministry", "north", "clinic", "north-a", "north-b"], centrals: &[0, 0, 0, 1, 1] };

/// A column whose every value is told apart from all others. What names the record in the world is not followed.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("village", "code", "title"),
    ("village", "code", "district"),
    ("patient", "uuid", "name"),
    ("patient", "uuid", "phone"),
    ("visit", "tag", "note"),
    ("visit", "tag", "weight"),
];

/// A value somewhere in the world: table, what names the record, column, value.
type Spot = (&'static str, String, &'static str);

/// What somebody wrote, and what they overwrote.
#[derive(Debug, Clone)]
struct Written {
    spot: Spot,
    value: String,
    seen: Option<String>,
}

/// A record that somebody deleted, with the values that they saw in it.
#[derive(Debug, Clone)]
struct Deleted {
    table: &'static str,
    name: String,
    seen: BTreeMap<&'static str, String>,
}

struct World {
    deployment: Deployment,
    fleet: Fleet,
    random: TestEntropy,
    written: Vec<Written>,
    deleted: Vec<Deleted>,
    /// Bundles on their way: receiver, bytes.
    on_the_way: Vec<(usize, Vec<u8>)>,
    counts: BTreeMap<&'static str, u64>,
    next: u64,
}

impl World {
    fn new(on: Engines, deployment: Deployment, seed: u64) -> Self {
        let plan = FleetPlan { names: deployment.names, tables: TABLES, seed, engines: on };
        let mut fleet = Fleet::tree(&plan, deployment.centrals, |index, app| {
            let schema = if index == 0 {
                let end = SCHEMA.find("CREATE TABLE visit").unwrap();
                format!("{}{STRICT}", &SCHEMA[..end])
            } else {
                SCHEMA.to_owned()
            };
            app.execute_batch(&schema).unwrap();
        });
        let mut random = TestEntropy(seed ^ 0xA5A5);
        let is_whole = random.below(2) == 0;
        for node in &mut fleet.nodes {
            node.records_per_bundle = if is_whole { 100_000 } else { [3, 20, 100_000][random.below(3)] };
            node.records_at_once = [0, 5, 100_000][random.below(3)];
        }
        Self {
            deployment,
            fleet,
            random,
            written: Vec::new(),
            deleted: Vec::new(),
            on_the_way: Vec::new(),
            counts: BTreeMap::new(),
            next: 0,
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn token(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    fn app(&self, node: usize) -> &App {
        &self.fleet.nodes[node].app
    }

    fn wrote(&mut self, table: &'static str, name: &str, column: &'static str, value: &str, seen: Option<String>) {
        self.written.push(Written { spot: (table, name.to_owned(), column), value: value.to_owned(), seen });
    }

    /// The integer key of some row of a table.
    fn some(&mut self, node: usize, table: &str) -> Option<i64> {
        let count = self.app(node).count(table);
        if count == 0 {
            return None;
        }
        let offset = self.random.below(usize::try_from(count).unwrap());
        let sql = format!("SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET {offset}");
        self.app(node).number(&sql, &[])
    }

    fn work(&mut self) {
        let node = self.random.below(self.fleet.nodes.len());
        match self.random.below(16) {
            0 => self.found_village(node),
            1 | 2 => self.register(node),
            3..=5 => self.visit(node),
            6..=9 => self.edit(node),
            10 => self.idle(node),
            11 => self.edit_often(node),
            12 => self.move_house(node),
            13 => self.delete_visit(node),
            14 => self.delete_patient(node),
            _ => self.replace(node),
        }
        // Clocks drift apart, and now and then one jumps.
        for node in &self.fleet.nodes {
            let step = i64::try_from(self.random.below(5_000)).unwrap();
            node.clock.0.set(node.clock.0.get() + step);
        }
    }

    fn found_village(&mut self, node: usize) {
        // Few codes: two places found the same village without knowing of each other.
        let code = format!("V{}", self.random.below(4));
        let title = self.token("title");
        let sql = "INSERT INTO village (code, title) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        if self.app(node).write(sql, &[said(&code), said(&title)]).unwrap() == 1 {
            self.wrote("village", &code, "title", &title, None);
            self.count("village founded");
        }
    }

    fn register(&mut self, node: usize) {
        let (uuid, name, phone) = (uuid_text(&mut self.random), self.token("name"), self.token("phone"));
        let village = self.some(node, "village");
        let sql = "INSERT INTO patient (uuid, name, phone, village_id) VALUES (?1, ?2, ?3, ?4)";
        self.app(node).write(sql, &[said(&uuid), said(&name), said(&phone), village.into()]).unwrap();
        self.wrote("patient", &uuid, "name", &name, None);
        self.wrote("patient", &uuid, "phone", &phone, None);
        self.count("patient registered");
    }

    fn visit(&mut self, node: usize) {
        let Some(patient) = self.some(node, "patient") else { return };
        let (tag, note) = (self.token("tag"), self.token("note"));
        let heavy = self.random.below(12) == 0;
        let weight = self.token(if heavy { "heavy" } else { "weight" });
        // At the central the database itself refuses them.
        let weight = if node == 0 && heavy { weight.replace("heavy", "weight") } else { weight };
        let previous = if self.random.below(2) == 0 { self.some(node, "visit") } else { None };
        let sql = "INSERT INTO visit (tag, note, weight, patient_id, previous_id) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = [said(&tag), said(&note), said(&weight), patient.into(), previous.into()];
        self.app(node).write(sql, &values).unwrap();
        self.wrote("visit", &tag, "note", &note, None);
        self.wrote("visit", &tag, "weight", &weight, None);
        self.count(if heavy { "visit the central refuses" } else { "visit" });
        if previous.is_some() {
            self.count("self reference");
        }
    }

    fn edit(&mut self, node: usize) {
        let (table, name_column, column) = COLUMNS[self.random.below(COLUMNS.len())];
        let Some(mut id) = self.some(node, table) else { return };
        // Half of all edits are to one record, which every place sees: so they meet.
        if self.random.below(2) == 0 {
            let sql = format!("SELECT id FROM {table} ORDER BY {name_column} LIMIT 1");
            id = self.app(node).number(&sql, &[]).unwrap();
        }
        self.edit_one(node, table, name_column, column, id);
        self.count("edit");
    }

    fn edit_one(&mut self, node: usize, table: &'static str, name_column: &str, column: &'static str, id: i64) {
        let value = self.token(column);
        let (name, seen) = self.named(node, table, name_column, column, id);
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE id = ?2");
        self.app(node).write(&sql, &[said(&value), id.into()]).unwrap();
        self.wrote(table, &name, column, &value, seen);
    }

    /// What names a row in the world, and what it holds in a column.
    fn named(&self, node: usize, table: &str, name_column: &str, column: &str, id: i64) -> (String, Option<String>) {
        let sql = format!("SELECT {name_column}, {column} FROM {table} WHERE id = ?1");
        let row = self.app(node).rows(&sql, &[id.into()]).unwrap().remove(0);
        let mut texts = row.into_iter().map(text_of);
        (texts.next().flatten().unwrap(), texts.next().flatten())
    }

    fn edit_often(&mut self, node: usize) {
        let Some(id) = self.some(node, "patient") else { return };
        for _ in 0..40 {
            self.edit_one(node, "patient", "uuid", "phone", id);
        }
        self.count("forty edits of one row");
    }

    fn idle(&mut self, node: usize) {
        let Some(id) = self.some(node, "patient") else { return };
        self.app(node).write("UPDATE patient SET name = name, phone = phone WHERE id = ?1", &[id.into()]).unwrap();
        self.count("update that changes nothing");
    }

    fn move_house(&mut self, node: usize) {
        let (Some(patient), village) = (self.some(node, "patient"), self.some(node, "village")) else { return };
        let sql = "UPDATE patient SET village_id = ?1 WHERE id = ?2";
        self.app(node).write(sql, &[village.into(), patient.into()]).unwrap();
        self.count("reference changed");
    }

    fn delete_visit(&mut self, node: usize) {
        let Some(id) = self.some(node, "visit") else { return };
        self.unlink(node, id);
        self.delete(node, "visit", "tag", id);
        self.count("visit deleted");
    }

    /// Nothing refers to a visit any more.
    fn unlink(&self, node: usize, visit: i64) {
        let sql = "UPDATE visit SET previous_id = NULL WHERE previous_id = ?1";
        self.app(node).write(sql, &[visit.into()]).unwrap();
    }

    fn delete_patient(&mut self, node: usize) {
        let Some(id) = self.some(node, "patient") else { return };
        let sql = "SELECT id FROM visit WHERE patient_id = ?1";
        let rows = self.app(node).rows(sql, &[id.into()]).unwrap();
        let visits: Vec<i64> = rows.into_iter().flatten().filter_map(number).collect();
        if visits.len() > 3 {
            return;
        }
        for visit in visits {
            self.unlink(node, visit);
            self.delete(node, "visit", "tag", visit);
        }
        self.delete(node, "patient", "uuid", id);
        self.count("patient deleted with all visits");
    }

    fn delete(&mut self, node: usize, table: &'static str, name_column: &str, id: i64) {
        let mut seen = BTreeMap::new();
        let mut name = String::new();
        for (_, _, column) in COLUMNS.iter().filter(|(of, ..)| *of == table) {
            let (named, value) = self.named(node, table, name_column, column, id);
            name = named;
            seen.extend(value.map(|value| (*column, value)));
        }
        self.app(node).write(&format!("DELETE FROM {table} WHERE id = ?1"), &[id.into()]).unwrap();
        self.deleted.push(Deleted { table, name, seen });
    }

    /// A village is deleted and entered again: the same record under another integer key.
    fn replace(&mut self, node: usize) {
        let Some(id) = self.some(node, "village") else { return };
        let used = "SELECT id FROM patient WHERE village_id = ?1";
        if self.app(node).number(used, &[id.into()]).is_some() {
            return;
        }
        let sql = "SELECT code FROM village WHERE id = ?1";
        let code = self.app(node).text(sql, &[id.into()]).unwrap();
        self.delete(node, "village", "code", id);
        if self.random.below(2) == 0 {
            let title = self.token("title");
            let sql = "INSERT INTO village (code, title) VALUES (?1, ?2)";
            self.app(node).write(sql, &[said(&code), said(&title)]).unwrap();
            self.wrote("village", &code, "title", &title, None);
            self.count("village entered again");
        } else {
            self.count("village deleted");
        }
    }

    fn courier(&mut self) {
        match self.random.below(6) {
            0 | 1 => {
                let links = self.fleet.links();
                let (satellite, central) = links[self.random.below(links.len())];
                let (from, to) = if self.random.below(2) == 0 { (satellite, central) } else { (central, satellite) };
                let bundles = self.fleet.export(from, to);
                self.on_the_way.extend(bundles.into_iter().map(|bundle| (to, bundle)));
                self.count("export");
            }
            2..=4 => {
                if self.on_the_way.is_empty() {
                    return;
                }
                // Whichever: order means nothing. Some stay where they are and come again.
                let at = self.random.below(self.on_the_way.len());
                let (to, bundle) = self.on_the_way[at].clone();
                if self.random.below(3) > 0 {
                    self.on_the_way.remove(at);
                } else {
                    self.count("bundle that comes again");
                }
                let applied = self.fleet.nodes[to].import(&bundle).unwrap();
                self.count(match applied.result {
                    saddlebag_importer::ImportResult::Applied => "bundle applied",
                    saddlebag_importer::ImportResult::Already => "bundle known already",
                    _ => "bundle too early",
                });
                *self.counts.entry("records applied").or_default() += applied.tally.records;
                *self.counts.entry("conflict").or_default() += applied.tally.conflicts;
                *self.counts.entry("parked").or_default() += applied.tally.parked;
                *self.counts.entry("quarantined").or_default() += applied.tally.quarantined;
                *self.counts.entry("settled").or_default() += applied.tally.settled;
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

    /// All values in `conflicts` and in what is held, anywhere.
    fn kept(&mut self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut values, mut held_records) = (BTreeSet::new(), BTreeSet::new());
        for node in &mut self.fleet.nodes {
            node.store.begin(Access::Read).unwrap();
            for conflict in node.store.conflicts().unwrap() {
                for side in [conflict.winner, conflict.loser] {
                    for (_, value) in side.value.map(|bytes| decode_values(&bytes).unwrap()).unwrap_or_default() {
                        values.extend(text(&value));
                    }
                }
            }
            for held in node.store.held(None).unwrap() {
                held_records.insert(held.uid.to_string());
                let (_, change) = decode_change(&held.change).unwrap();
                if let Action::Write { columns, .. } = change.action {
                    values.extend(columns.iter().filter_map(|column| text(&column.value)));
                }
            }
            node.store.rollback().unwrap();
        }
        (values, held_records)
    }

    fn final_values(&self, node: usize) -> BTreeMap<Spot, String> {
        let mut values = BTreeMap::new();
        for (table, name, column) in COLUMNS {
            let sql = format!("SELECT {name}, {column} FROM {table} WHERE {column} IS NOT NULL");
            for row in self.app(node).rows(&sql, &[]).unwrap() {
                let [Sql::Text(name), Sql::Text(value)] = row.as_slice() else { panic!("{row:?}") };
                values.insert((table, name.clone(), column), value.clone());
            }
        }
        values
    }

    /// Every committed value is accounted for.
    fn account(&mut self) {
        let (kept, _) = self.kept();
        let finals: Vec<_> = (0..self.fleet.nodes.len()).map(|node| self.final_values(node)).collect();
        let seen: BTreeSet<(&Spot, &String)> =
            self.written.iter().filter_map(|w| w.seen.as_ref().map(|seen| (&w.spot, seen))).collect();
        for written in &self.written {
            let (table, name, column) = &written.spot;
            let stands = finals.iter().any(|values| values.get(&written.spot) == Some(&written.value));
            let overwritten = seen.contains(&(&written.spot, &written.value));
            let deleted = self.deleted.iter().any(|deleted| {
                deleted.table == *table && deleted.name == *name && deleted.seen.get(column) == Some(&written.value)
            });
            assert!(
                stands || overwritten || deleted || kept.contains(&written.value),
                "{written:?} was committed, and nobody knows of it any more"
            );
        }
    }

    /// Nobody is told of a conflict between a value and one that was written upon it.
    ///
    /// Only where no feed was split over several bundles: a column that comes a second time within a split may have been
    /// overwritten in between by somebody who had seen it.
    fn conflicts_are_true(&mut self) {
        if self.fleet.nodes.iter().any(|node| node.records_per_bundle < 100_000) {
            return;
        }
        // Through districts it does not hold yet: some three of a hundred cases list such a pair (docs/reliability.md).
        if self.deployment.centrals.iter().any(|central| *central > 0) {
            return;
        }
        let before: BTreeMap<String, String> =
            self.written.iter().filter_map(|w| Some((w.value.clone(), w.seen.clone()?))).collect();
        let knew = |value: &str, other: &str| {
            let mut at = value;
            while let Some(seen) = before.get(at) {
                if seen == other {
                    return true;
                }
                at = seen;
            }
            false
        };
        let mut checked = 0;
        for node in &mut self.fleet.nodes {
            node.store.begin(Access::Read).unwrap();
            for conflict in node.store.conflicts().unwrap() {
                let value = |bytes: Option<Vec<u8>>| text(&decode_values(&bytes?).unwrap().pop()?.1);
                let (Some(winner), Some(loser)) = (value(conflict.winner.value), value(conflict.loser.value)) else {
                    continue;
                };
                // The default of a column is written by nobody.
                if [&winner, &loser].into_iter().any(|value| value == "none") {
                    continue;
                }
                checked += 1;
                assert!(!knew(&winner, &loser), "{winner} was written upon {loser}, which is no conflict");
                assert!(!knew(&loser, &winner), "{loser} was written upon {winner}, which is no conflict");
            }
            node.store.rollback().unwrap();
        }
        *self.counts.entry("true conflict").or_default() += checked;
    }

    /// All nodes say the same, but for records that are held somewhere.
    fn compare(&mut self) {
        let (_, held) = self.kept();
        let tables = [Table::named("village", &["code"]), Table::named("patient", &["uuid"]), Table::new("visit")];
        if held.is_empty() {
            let connections: Vec<_> =
                self.deployment.names.iter().copied().zip(self.fleet.nodes.iter().map(|node| &node.app)).collect();
            let differences = meaning::differences(&connections, &tables).unwrap();
            assert!(differences.is_empty(), "the nodes differ: {differences:#?}");
        }
        let mut states: Vec<_> = Vec::new();
        for node in &mut self.fleet.nodes {
            let mut shared = node.versions();
            shared.retain(|(_, uid, _), _| !held.contains(&uid.to_string()));
            states.push(shared);
        }
        // "After a quiet round both ends of a link hold the same version of every shared column." What depends on a
        // held record is held too, so nothing else may differ.
        for (name, other) in self.deployment.names.iter().zip(&states).skip(1) {
            let differing: Vec<_> =
                states[0].iter().filter(|(key, version)| other.get(*key) != Some(*version)).take(3).collect();
            let more: Vec<_> = other.keys().filter(|key| !states[0].contains_key(*key)).take(3).collect();
            assert!(
                differing.is_empty() && more.is_empty(),
                "{name} has other versions than the ministry: {differing:#?}, and records of its own: {more:?}"
            );
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn uuid_text(random: &mut TestEntropy) -> String {
    let (a, b) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xFFFF,
        a & 0xFFF,
        b >> 48 & 0xFFF,
        b & 0xFFFF_FFFF_FFFF
    )
}

fn run(on: Engines, deployment: Deployment, seed: u64, totals: &mut BTreeMap<&'static str, u64>) {
    let mut world = World::new(on, deployment, seed);
    let links = world.fleet.links().len() / 2;
    let steps = (60 + world.random.below(80)) * links;
    for _ in 0..steps {
        if world.random.below(2) == 0 {
            world.work();
        } else {
            world.courier();
        }
    }
    world.fleet.settle();
    let equal = world.fleet.check_digests();
    *world.counts.entry("link found equal").or_default() += equal;
    world.account();
    world.conflicts_are_true();
    world.compare();
    for (what, count) in &world.counts {
        *totals.entry(what).or_default() += count;
    }
}

/// Cases by default. A server takes longer over each.
fn cases(on: Engines) -> u64 {
    match on {
        SQLITE => 200,
        POSTGRES => 20,
        _ => 10,
    }
}

on_engines!(every_committed_value_is_final_or_overwritten_or_kept);
fn every_committed_value_is_final_or_overwritten_or_kept(on: Engines) {
    in_many_cases(on, TWO_LEVELS, cases(on));
}

on_engines!(with_a_district_too_every_committed_value_is_accounted_for);
fn with_a_district_too_every_committed_value_is_accounted_for(on: Engines) {
    in_many_cases(on, THREE_LEVELS, cases(on) / 2);
}

on_engines!(over_four_levels_too_every_committed_value_is_accounted_for);
fn over_four_levels_too_every_committed_value_is_accounted_for(on: Engines) {
    in_many_cases(on, FOUR_LEVELS, cases(on) / 5);
}

/// Seeds that show a defect which is not mended yet (docs/reliability.md), by the number of nodes. Each is run when it is
/// asked for by itself.
const OPEN: [(usize, u64); 0] = [];

fn in_many_cases(on: Engines, deployment: Deployment, cases: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SADDLEBAG_SEED").unwrap_or(1);
    let cases = number("SADDLEBAG_CASES").unwrap_or(cases);
    let mut totals = BTreeMap::new();
    for seed in first..first + cases {
        if cases > 1 && OPEN.contains(&(deployment.names.len(), seed)) {
            tell(&format!("{on:?}: seed {seed} is left out: it shows a defect that is not mended yet"));
            continue;
        }
        let outcome = std::panic::catch_unwind(|| {
            let mut counts = BTreeMap::new();
            run(on, deployment, seed, &mut counts);
            counts
        });
        match outcome {
            Ok(counts) => counts.into_iter().for_each(|(what, count)| *totals.entry(what).or_default() += count),
            Err(panic) => {
                tell(&format!("{on:?}: seed {seed} failed; run it alone with SADDLEBAG_SEED={seed} SADDLEBAG_CASES=1"));
                std::panic::resume_unwind(panic);
            }
        }
    }
    tell(&format!("{on:?}: {cases} cases from seed {first}: {totals:?}"));
    if cases >= 200 {
        for what in [
            "village founded",
            "patient registered",
            "visit",
            "visit the central refuses",
            "self reference",
            "edit",
            "forty edits of one row",
            "update that changes nothing",
            "reference changed",
            "visit deleted",
            "patient deleted with all visits",
            "village entered again",
            "village deleted",
            "export",
            "bundle applied",
            "bundle known already",
            "bundle too early",
            "bundle that comes again",
            "bundle lost",
            "records applied",
            "conflict",
            "true conflict",
            "parked",
            "quarantined",
            "settled",
            "link found equal",
        ] {
            assert!(totals.get(what).copied().unwrap_or(0) > 0, "`{what}` never occurred");
        }
    }
}
