//! Each bundle 1 to 5 times, in at least 1,000 random orders: the database ends the same.
//!
//! The bundles of three rounds of two clinics, in parts and overlapping, for their ministry; and those of the ministry
//! for a clinic that has work of its own. Each order goes into a fresh copy of the receiver, with the inbox's rule: what
//! comes too early waits and is offered again after each bundle that was applied.
//!
//! Where the same bundles were applied in the same order, whatever else came in between, came again or waited, the whole
//! dump is compared: every byte of every row of every table, the application's and saddlebag's. It is identical.
//!
//! Bundles of one sender overlap: a later one says all that those before it say, and where it comes first those change
//! nothing any more. So other bundles may be applied, or those of two senders in another order. Then all of this is still
//! the same as in the straight order: every record's uid; of each of its columns the value, version, effective time and
//! base; values beside records; what is held, with its values and reason; all that is known of the links. Left out then,
//! because it must depend on what was applied:
//! - the places of records in the receiver's own feed (`seq`), and the numbers that the database gives to new rows, and
//!   saddlebag to writers and conflicts: counters, which count what was done in the order in which it was done;
//! - whether a value is still withheld from the link that it came over, or was asserted to all because a deletion was
//!   refused that came first: that only decides whether it is sent once more;
//! - records that some node deleted. One that is kept because of another's edit is kept with the values that this place
//!   had: an edit by the deleter himself, before he deleted it, came or never came. And what is remembered of one that is
//!   gone is what this place had, and which of two deletions came first;
//! - which two values met in a conflict: of three that disagree, the first two to come, and a value that its own writer had
//!   replaced by the next bundle may never have come. That each value is accounted for, `random.rs` shows.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use saddlebag_formats::comparison::Comparison;
use saddlebag_formats::members::decode_change;
use saddlebag_formats::{Action, Seq, Uid};
use saddlebag_importer::ImportResult;
use saddlebag_stores::Access;
use saddlebag_stores::ledger::Held;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan, TestEntropy};
use saddlebag_tests::{on_engines, tell};

const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT);
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT,
    village_id INTEGER REFERENCES village (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT, note TEXT, weight TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id));
CREATE INDEX visit_patient ON visit (patient_id);
";
/// The receiver alone refuses some weights, those of new visits: what it would refuse of a record that it had taken before
/// depends on whether it ever had it.
const STRICT: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT);
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT,
    village_id INTEGER REFERENCES village (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT, note TEXT, weight TEXT CHECK (weight NOT LIKE 'heavy%'),
    patient_id INTEGER NOT NULL REFERENCES patient (id));
CREATE INDEX visit_patient ON visit (patient_id);
";
const TABLES: &str = "
[village]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'assigned'
";
const NAMES: [&str; 3] = ["ministry", "clinic-a", "clinic-b"];
const CODES: [&str; 4] = ["north", "south", "east", "west"];
const ROUNDS: usize = 3;
/// For so many orders of each case what was applied is applied once more, plainly, to be compared byte for byte.
const PLAIN_MAX: usize = 20;

/// A fleet whose `receiver` has bundles on the way to it, in the order in which they were made.
struct Recorded {
    fleet: Fleet,
    receiver: usize,
    bundles: Vec<Vec<u8>>,
}

fn fleet(on: Engines, seed: u64, strict: usize) -> (Fleet, TestEntropy) {
    let plan = FleetPlan { names: &NAMES, tables: TABLES, seed, engines: on };
    let mut fleet = Fleet::new(&plan, |index, app| {
        app.execute_batch(if index == strict { STRICT } else { SCHEMA }).unwrap();
    });
    let mut random = TestEntropy(seed ^ 0x0D3A_55E5);
    for node in 0..NAMES.len() {
        work(&fleet, node, 8, &mut random);
    }
    fleet.settle();
    (fleet, random)
}

/// So many random pieces of work of a node's application.
fn work(fleet: &Fleet, node: usize, pieces: usize, random: &mut TestEntropy) {
    let app = &fleet.nodes[node].app;
    for _ in 0..pieces {
        let word = format!("{} {:x}", NAMES[node], random.next_u64() >> 40);
        let pick = |table: &str, random: &mut TestEntropy| {
            let skip = random.below(usize::try_from(app.count(table)).unwrap().max(1));
            format!("(SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET {skip})")
        };
        let code = CODES[random.below(CODES.len())];
        let (village, patient, visit) = (pick("village", random), pick("patient", random), pick("visit", random));
        let weight = if random.below(6) == 0 { "heavy" } else { "light" };
        let uuid = format!("00000000-0000-4000-8000-{:012x}", random.next_u64() >> 16);
        let sql = match random.below(10) {
            0 => format!("INSERT INTO village (code, title) VALUES ('{code}', '{word}') ON CONFLICT DO NOTHING"),
            1 => format!("UPDATE village SET title = '{word}' WHERE code = '{code}'"),
            2 => format!("INSERT INTO patient (uuid, name, village_id) VALUES ('{uuid}', '{word}', {village})"),
            3 => format!("UPDATE patient SET name = '{word}' WHERE id = {patient}"),
            4 => format!("UPDATE patient SET phone = '{word}', village_id = {village} WHERE id = {patient}"),
            5 => format!(
                "INSERT INTO visit (tag, note, weight, patient_id) SELECT '{word}', '{word}', '{weight}', id FROM patient \
                 WHERE id = {patient}"
            ),
            6 => format!("UPDATE visit SET weight = 'light {word}' WHERE id = {visit}"),
            7 => format!("UPDATE visit SET note = '{word}' WHERE id = {visit}"),
            8 => format!("DELETE FROM visit WHERE id = {visit}"),
            _ => format!(
                "DELETE FROM patient WHERE id = {patient} AND NOT EXISTS (SELECT 1 FROM visit WHERE patient_id = {patient})"
            ),
        };
        match app.execute_batch(&sql) {
            Err(error) if error.is_refusal => {}
            done => done.unwrap(),
        }
    }
}

/// Two clinics work for some rounds; nothing of what they send arrives. The ministry has edits of its own.
fn for_the_ministry(on: Engines, seed: u64) -> Recorded {
    let (mut fleet, mut random) = fleet(on, seed, 0);
    work(&fleet, 0, 8, &mut random);
    let mut bundles = Vec::new();
    for _ in 0..ROUNDS {
        for clinic in [1, 2] {
            work(&fleet, clinic, 8, &mut random);
            fleet.nodes[clinic].records_per_bundle = 2 + random.below(8);
            bundles.extend(fleet.export(clinic, 0));
        }
    }
    Recorded { fleet, receiver: 0, bundles }
}

/// The ministry works and hears of another clinic; nothing arrives at this one, which works too.
fn for_a_clinic(on: Engines, seed: u64) -> Recorded {
    let (mut fleet, mut random) = fleet(on, seed, 1);
    work(&fleet, 1, 8, &mut random);
    let mut bundles = Vec::new();
    for _ in 0..ROUNDS {
        work(&fleet, 2, 8, &mut random);
        work(&fleet, 0, 4, &mut random);
        fleet.carry(2, 0);
        fleet.carry(0, 2);
        fleet.nodes[0].records_per_bundle = 2 + random.below(8);
        bundles.extend(fleet.export(0, 1));
    }
    Recorded { fleet, receiver: 1, bundles }
}

/// Each bundle 1 to 5 times, in a random order.
fn shuffled(bundles: usize, random: &mut TestEntropy) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bundles).flat_map(|bundle| vec![bundle; 1 + random.below(5)]).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

/// What became of the bundles of one order.
#[derive(Default)]
struct Played {
    /// Those that were applied, in order.
    applied: Vec<usize>,
    known: usize,
    early: usize,
}

/// Takes bundles in, with an inbox for those that come too early.
fn play(node: &mut FleetNode, bundles: &[Vec<u8>], order: &[usize]) -> Played {
    let (mut played, mut inbox) = (Played::default(), BTreeSet::new());
    for bundle in order {
        if offer(node, bundles, *bundle, &mut played, &mut inbox) {
            // "Tried again at every import", until nothing moves.
            while inbox.clone().into_iter().any(|early| offer(node, bundles, early, &mut played, &mut inbox)) {}
        }
    }
    assert!(inbox.is_empty(), "all that it waited for has come");
    played
}

/// Offers one bundle; says whether it was applied.
fn offer(
    node: &mut FleetNode,
    bundles: &[Vec<u8>],
    bundle: usize,
    played: &mut Played,
    inbox: &mut BTreeSet<usize>,
) -> bool {
    let result = node.import(&bundles[bundle]).unwrap().result;
    match result {
        ImportResult::Applied => played.applied.push(bundle),
        ImportResult::Already => played.known += 1,
        ImportResult::Waiting { .. } => played.early += 1,
    }
    match result {
        ImportResult::Waiting { .. } => inbox.insert(bundle),
        _ => inbox.remove(&bundle),
    };
    result == ImportResult::Applied
}

/// Records that some node deleted.
fn deleted(fleet: &mut Fleet) -> BTreeSet<Uid> {
    let mut all = BTreeSet::new();
    for node in &mut fleet.nodes {
        let tracking = node.store.tracking().clone();
        node.store.begin(Access::Read).unwrap();
        let last = node.store.last_seq().unwrap();
        for table in &tracking.tables {
            all.extend(node.store.deleted(table, Seq(0), last).unwrap().iter().map(|gone| gone.uid));
        }
        node.store.rollback().unwrap();
    }
    all
}

/// Everything that must not depend on the order, a line for each piece, but for these records.
fn end(node: &mut FleetNode, but: &BTreeSet<Uid>) -> BTreeSet<String> {
    let tracking = node.store.tracking().clone();
    let mut lines = BTreeSet::new();
    let store = &mut node.store;
    store.begin(Access::Read).unwrap();
    let last = store.last_seq().unwrap();
    for table in &tracking.tables {
        let records = store.feed(table, Seq(0), last).unwrap();
        for record in records.into_iter().filter(|record| !but.contains(&record.uid)) {
            for (column, value) in table.columns.iter().zip(&record.values) {
                let state = record.state.of(column.id);
                let (version, effective, base) = (state.version, state.effective, state.base);
                let (name, spot) = (&table.name, &column.name);
                lines.insert(format!("{name} {} {spot}: {value:?} {version:?} {effective:?} {base:?}", record.uid));
            }
        }
        let beside = store.beside(table).unwrap();
        let beside = beside.iter().filter(|beside| !but.contains(&beside.uid));
        lines.extend(beside.map(|beside| format!("{} {beside:?}", table.name)));
    }
    for held in store.held(None).unwrap().into_iter().filter(|held| !but.contains(&held.uid)) {
        let (described, change) = decode_change(&held.change).unwrap();
        let columns: BTreeMap<_, _> = match change.action {
            Action::Write { columns, .. } => columns
                .into_iter()
                .map(|it| {
                    (described.columns[usize::from(it.column)].name.clone(), (it.value, it.version, it.effective))
                })
                .collect(),
            Action::Delete { .. } => BTreeMap::new(),
        };
        let Held { link, table, uid, kind, reason, since, told, .. } = held;
        lines.insert(format!("held: {link:?} {table} {uid} {kind:?} {reason} {since:?} {told:?} {columns:?}"));
    }
    // Which bundles were applied on the way, and which of them could be compared, is the order itself.
    let links = store.links().unwrap().into_iter().map(|mut link| {
        link.history.applied.clear();
        link.history.passed.clear();
        link.comparison = Comparison::default();
        format!("{link:?}")
    });
    lines.extend(links);
    store.rollback().unwrap();
    lines
}

fn hash(lines: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    hasher.finish()
}

/// Replays recorded bundles in many orders.
fn in_orders(what: &str, recorded: &mut Recorded, orders: usize, seed: u64) {
    let Recorded { fleet, receiver, bundles } = recorded;
    let but = deleted(fleet);
    let mut random = TestEntropy(seed ^ 0x0FAC_ADE5);
    let mut copy = |number: usize| fleet.nodes[*receiver].fork(&format!("copy-{number}"));
    let mut straight = copy(0);
    let all: Vec<usize> = (0..bundles.len()).collect();
    let played = play(&mut straight, bundles, &all);
    assert!(played.applied.len() >= ROUNDS, "something is carried");
    let expected = end(&mut straight, &but);
    let mut dumps: HashMap<Vec<usize>, u64> = HashMap::from([(played.applied, hash(&straight.dump()))]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 1..=orders {
        let order = shuffled(bundles.len(), &mut random);
        let mut node = copy(number);
        let played = play(&mut node, bundles, &order);
        let found = end(&mut node, &but);
        let differences: Vec<_> = expected.symmetric_difference(&found).collect();
        assert!(differences.is_empty(), "{what}, seed {seed}, order {number}: {order:?}\n{differences:#?}");
        *counts.entry("offered").or_default() += order.len();
        *counts.entry("applied").or_default() += played.applied.len();
        *counts.entry("known already").or_default() += played.known;
        *counts.entry("too early").or_default() += played.early;
        let whole = hash(&node.dump());
        let known = dumps.get(&played.applied).copied().or_else(|| {
            // The same bundles, each once, and none too early.
            if number > PLAIN_MAX {
                return None;
            }
            let mut plain = copy(orders + number);
            assert_eq!(play(&mut plain, bundles, &played.applied).applied, played.applied);
            let dump = hash(&plain.dump());
            remove(plain);
            Some(dump)
        });
        let known = known.unwrap_or(whole);
        assert_eq!(whole, known, "{what}, seed {seed}, order {number}: another dump after {:?}", played.applied);
        dumps.insert(played.applied, known);
        remove(node);
    }
    tell(&format!(
        "{what}: seed {seed}, {} bundles in {orders} orders, {} of them different in what is applied: {counts:?}",
        bundles.len(),
        dumps.len()
    ));
}

/// Lets go of a copy and its files.
fn remove(node: FleetNode) {
    let folder = node.database.parent().unwrap().to_owned();
    drop(node);
    std::fs::remove_dir_all(folder).unwrap();
}

fn seed() -> u64 {
    std::env::var("SADDLEBAG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn orders(default: usize) -> usize {
    std::env::var("SADDLEBAG_ORDERS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_ministry_ends_the_same_after_600_orders() {
    for case in 0..6 {
        let seed = seed() + case;
        in_orders("for the ministry", &mut for_the_ministry(saddlebag_tests::engines::SQLITE, seed), orders(100), seed);
    }
}

#[test]
fn a_clinic_ends_the_same_after_600_orders() {
    for case in 0..6 {
        let seed = seed() + 100 + case;
        in_orders("for a clinic", &mut for_a_clinic(saddlebag_tests::engines::SQLITE, seed), orders(100), seed);
    }
}

on_engines!(the_server_ends_the_same_after_some_orders: postgres POSTGRES);
fn the_server_ends_the_same_after_some_orders(on: Engines) {
    in_orders("for the ministry on PostgreSQL", &mut for_the_ministry(on, seed()), 6, seed());
    in_orders("for a clinic on PostgreSQL", &mut for_a_clinic(on, seed()), 6, seed());
}
