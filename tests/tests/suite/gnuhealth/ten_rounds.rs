//! Two clinics that treat the same patients, through ten rounds of a courier who loses sticks and brings others twice:
//! nobody waits until the others have heard.
//!
//! An account of every value that a clinic wrote, by its version: at the end it stands at all places; or somebody wrote
//! over it, or deleted the record, who had it before him; or it stands in `conflicts` with the other value. What was
//! written is taken from each clinic alone, right after its work; that all of it was captured, from its rows by SQL.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::row_state_bytes::decode_value;
use saddlebag_formats::{Uid, Value, Version};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictKind};
use saddlebag_stores::record::Key;
use saddlebag_stores::store::absorb;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::FleetNode;
use saddlebag_tests::gnuhealth::{Beginning, Cells};
use saddlebag_tests::{on_engines, tell};

use super::world::{CLINICS, Start, World};

const ROUNDS: usize = 10;

/// Who wrote a row last, and when: bookkeeping of the application, of which the newest may stand without a conflict.
const QUIET: [&str; 2] = ["write_date", "write_uid"];

/// Table, record, column.
type Spot = (String, Uid, String);
type Versions = BTreeMap<Spot, (Version, Value)>;

/// A value that a clinic wrote, and what it had there before.
struct Written {
    spot: Spot,
    version: Version,
    value: Value,
    seen: Option<Version>,
}

/// All that the clinics did.
#[derive(Default)]
struct Account {
    written: Vec<Written>,
    /// Records that were deleted, with the versions that were there.
    deleted: Vec<Versions>,
}

/// What a node has, all of its work taken in.
fn absorbed(node: &mut FleetNode) -> Versions {
    node.store.begin(Access::Write).unwrap();
    absorb(&mut *node.store, node.me.writer(), &mut node.entropy).unwrap();
    node.store.commit().unwrap();
    node.versions()
}

impl Account {
    /// A clinic's work between two readings.
    fn add(&mut self, before: &Versions, after: &Versions) {
        let records = |versions: &Versions| -> BTreeSet<(String, Uid)> {
            versions.keys().map(|(table, uid, _)| (table.clone(), *uid)).collect()
        };
        for (spot, (version, value)) in after {
            let seen = before.get(spot).map(|(version, _)| *version);
            if seen != Some(*version) {
                self.written.push(Written { spot: spot.clone(), version: *version, value: value.clone(), seen });
            }
        }
        for gone in records(before).difference(&records(after)) {
            let of_it = before.iter().filter(|((table, uid, _), _)| (table, uid) == (&gone.0, &gone.1));
            self.deleted.push(of_it.map(|(spot, held)| (spot.clone(), held.clone())).collect());
        }
    }

    /// What became of a value: a word, or none if it is lost.
    fn fate(&self, written: &Written, last: &Versions, conflicts: &[Conflict]) -> Option<&'static str> {
        let Written { spot, version, value, .. } = written;
        let stands = last.get(spot);
        if stands.is_some_and(|(last, _)| last == version) {
            return Some("stands");
        }
        if self.written.iter().any(|other| other.spot == *spot && other.seen == Some(*version)) {
            return Some("was overwritten by somebody who had it");
        }
        if stands.is_some_and(|(_, last)| last == value) {
            return Some("was written alike elsewhere");
        }
        let had = |gone: &Versions| gone.get(spot).is_some_and(|(seen, _)| seen == version);
        if stands.is_none() && self.deleted.iter().any(had) {
            return Some("went with its record");
        }
        if conflicts.iter().any(|conflict| is_kept(conflict, spot, *version, value)) {
            return Some("is in `conflicts`, with the other value");
        }
        // "null or the column's default gives way without a conflict" where both created the record.
        if written.seen.is_none() && value.is_null() {
            return Some("was nothing");
        }
        QUIET.contains(&spot.2.as_str()).then_some("is the application's bookkeeping")
    }
}

fn is_kept(conflict: &Conflict, (table, uid, column): &Spot, version: Version, value: &Value) -> bool {
    let (winner, loser) = (&conflict.winner, &conflict.loser);
    let is_here = conflict.kind == ConflictKind::Values
        && (&conflict.table, &conflict.uid, &conflict.column) == (table, uid, &Some(column.clone()))
        && winner.value.is_some()
        && loser.value.is_some();
    let is_side = |side: &saddlebag_stores::ledger::ConflictSide| {
        side.version == version
            && side.value.as_deref().map(|bytes| decode_value(bytes).unwrap()).as_ref() == Some(value)
    };
    is_here && (is_side(winner) || is_side(loser))
}

/// Every value that SQL alone sees changed in the rows that all places began with is one that was taken in as written.
fn assert_captured(node: &mut FleetNode, base: &Cells, cells: [&Cells; 2], (before, after): (&Versions, &Versions)) {
    let rows: BTreeSet<(&String, i64)> = base.keys().map(|(table, id, _)| (table, *id)).collect();
    let [was, is] = cells;
    for ((table, id, column), value) in is {
        let old = was.get(&(table.clone(), *id, column.clone()));
        if !rows.contains(&(table, *id)) || old.is_none_or(|old| old == value) {
            continue;
        }
        node.store.begin(Access::Read).unwrap();
        let tracked = node.store.tracking().by_name(table).cloned();
        let uid = tracked.and_then(|table| node.store.uid_at(&table, &Key(vec![Value::Integer(*id)])).unwrap());
        node.store.rollback().unwrap();
        let Some(uid) = uid else { continue };
        let spot = (table.clone(), uid, column.clone());
        let Some((version, _)) = after.get(&spot) else { continue };
        assert_ne!(before.get(&spot).map(|(version, _)| version), Some(version), "{spot:?} was changed unseen");
    }
}

on_engines!(two_clinics_on_lost_and_repeated_sticks_for_ten_rounds_lose_nothing: sqlite SQLITE, postgres POSTGRES);
fn two_clinics_on_lost_and_repeated_sticks_for_ten_rounds_lose_nothing(engines: Engines) {
    let test = "two_clinics_on_lost_and_repeated_sticks_for_ten_rounds_lose_nothing";
    let Some(beginning) = Beginning::of(test, engines) else { return };
    let mut world = World::new(&beginning, &beginning.together(), Start::Met, 59);
    let base = world.cells(1);
    let mut account = Account::default();
    for round in 0..ROUNDS {
        for clinic in CLINICS {
            let (was, before) = (world.cells(clinic), absorbed(&mut world.fleet.nodes[clinic]));
            let _done = world.work(clinic, round, ROUNDS);
            let (is, after) = (world.cells(clinic), absorbed(&mut world.fleet.nodes[clinic]));
            account.add(&before, &after);
            assert_captured(&mut world.fleet.nodes[clinic], &base, [&was, &is], (&before, &after));
        }
        // One trip: some of it is lost, some comes twice, some before what it follows.
        world.trip();
    }
    world.fleet.settle();
    world.assert_equal();

    let (last, conflicts) = (absorbed(&mut world.fleet.nodes[1]), world.conflicts());
    let mut fates: BTreeMap<&str, usize> = BTreeMap::new();
    for written in &account.written {
        let Some(fate) = account.fate(written, &last, &conflicts) else {
            let Written { spot, version, value, seen } = written;
            panic!("{spot:?}: {value:?} of {version:?}, written over {seen:?}, is nowhere; now {:?}", last.get(spot))
        };
        *fates.entry(fate).or_default() += 1;
    }
    for conflict in conflicts.iter().filter(|conflict| conflict.kind == ConflictKind::Values) {
        assert!(conflict.winner.value.is_some() && conflict.loser.value.is_some(), "{conflict:?} lacks a value");
        assert_ne!(conflict.winner.version, conflict.loser.version);
    }
    let deletions = conflicts.iter().filter(|conflict| conflict.kind == ConflictKind::Deletion).count();
    tell(&format!(
        "gnuhealth, ten rounds, {engines:?}: of {} values {fates:?}; {} conflicts, {deletions} of them about deletions; {:?}",
        account.written.len(),
        conflicts.len(),
        world.counts
    ));
    assert!(conflicts.len() > deletions && deletions > 0, "there were disputes of both kinds");
    world.assert_counted(&["made", "lost", "applied", "known already", "too early", "operations"]);
}
