//! Whether all nodes say the same in the end, and whether what explains a difference is true.

use std::collections::BTreeSet;

use saddlebag_formats::Uid;
use saddlebag_tests::app::Sql;

use super::evidence::Evidence;
use super::look::{Row, meaning, plain, soft_key};
use super::schema::{NAMES, Role};
use super::world::World;

/// A difference between the ministry and a clinic.
struct Difference {
    table: usize,
    tag: String,
    what: String,
    /// The record, at both ends where both have it.
    uids: Vec<Uid>,
}

pub(crate) fn judge(world: &mut World, evidence: &Evidence) {
    rows_are_records(world, evidence);
    databases_are_sound(world);
    for (clinic, _) in NAMES.iter().enumerate().skip(1) {
        let differences = differences(world, evidence, clinic);
        let mut explained = 0;
        for Difference { table, tag, what, uids } in differences {
            let is_held = uids.iter().any(|uid| is_held(evidence, clinic, table, *uid));
            let stays_home =
                [0, clinic].iter().any(|node| evidence.nodes[*node].home.contains_key(&(table, tag.clone())));
            let part = &world.spec.tables[table].name;
            assert!(is_held || stays_home, "`{part}` {tag} at {}: {what}, and nothing says why", NAMES[clinic]);
            explained += 1;
        }
        world.add("explained difference", explained);
        versions_agree(world, evidence, clinic);
    }
    nothing_is_invented(world, evidence);
}

/// Whether a record is held on the link between the ministry and a clinic, at either end.
fn is_held(evidence: &Evidence, clinic: usize, table: usize, uid: Uid) -> bool {
    let at_ministry = evidence.nodes[0].held.iter().filter(|held| held.from == clinic);
    at_ministry.chain(&evidence.nodes[clinic].held).any(|held| held.table == table && held.uid == uid)
}

/// Every row is one record, or stays at home; none is there twice.
fn rows_are_records(world: &World, evidence: &Evidence) {
    for (at, look) in world.looks.iter().enumerate() {
        for (table, rows) in look.tables.iter().enumerate() {
            let mut tags = BTreeSet::new();
            for row in rows {
                let spot = (table, row.tag.clone());
                let name = &world.spec.tables[table].name;
                assert!(tags.insert(&row.tag), "`{name}` {} is there twice at {}", row.tag, NAMES[at]);
                let node = &evidence.nodes[at];
                let (is_record, is_home) = (node.uids.contains_key(&spot), node.home.contains_key(&spot));
                assert!(
                    is_record != is_home,
                    "`{name}` {} at {}: record {is_record}, home {is_home}",
                    row.tag,
                    NAMES[at]
                );
            }
            let live = evidence.nodes[at].live.keys().filter(|(of, _)| *of == table).count();
            let home = evidence.nodes[at].home.keys().filter(|(of, _)| *of == table).count();
            assert_eq!(live + home, rows.len(), "records without a row");
        }
    }
}

fn databases_are_sound(world: &World) {
    for (node, _) in NAMES.iter().enumerate() {
        let faults = world.app(node).faults();
        assert!(faults.is_empty(), "at {}: {faults:?}", NAMES[node]);
    }
}

/// What a row says in a column, truly; none if nothing is known of the column here.
fn truth(world: &World, evidence: &Evidence, node: usize, table: usize, row: &Row, column: usize) -> Option<String> {
    let at = &evidence.nodes[node];
    let beside = at.uids.get(&(table, row.tag.clone())).and_then(|uid| at.beside.get(&(table, *uid, column)));
    let means = match (beside, &row.values[column]) {
        (Some(beside), _) => evidence.meaning(&world.spec, table, column, &beside.value),
        (None, Some(value)) => meaning(&world.spec, &world.keys[node], table, column, value),
        (None, None) => return None,
    };
    Some(evidence.canonical(&world.spec, table, column, &means))
}

/// Whether a reference that no constraint declares holds a key under which its record no longer stands.
fn is_adrift(world: &World, evidence: &Evidence, node: usize, table: usize, row: &Row, column: usize) -> bool {
    let value = row.values[column].as_ref();
    let key = value.and_then(|value| soft_key(&world.spec, table, column, value));
    key.is_some_and(|(to, key)| has_moved(world, evidence, node, to, &key))
}

/// Whether a dangling reference holds a key under which its record no longer stands at some node.
fn was_adrift(world: &World, evidence: &Evidence, table: usize, column: usize, means: &str) -> bool {
    let Some(key) = means.strip_prefix("-> dangling ") else { return false };
    let value = Sql::Text(key.to_owned());
    let key = soft_key(&world.spec, table, column, &value);
    key.is_some_and(|(to, key)| (0..NAMES.len()).any(|node| has_moved(world, evidence, node, to, &key)))
}

/// Whether a key belonged to a record that the application itself has entered again under another one: its own
/// references mean nothing then.
fn has_moved(world: &World, evidence: &Evidence, node: usize, table: usize, key: &str) -> bool {
    let rows = &world.looks[node].tables[table];
    let Some(tag) = world.keys[node].tag(table, key) else { return false };
    !rows.iter().any(|row| plain(&row.key[0]) == key) && rows.iter().any(|row| evidence.same(table, &row.tag) == *tag)
}

/// Whether a column can refer to a table.
fn may_mean(role: &Role, table: usize) -> bool {
    matches!(role, Role::Refers(reference) if reference.to == table) || *role == Role::Model
}

/// Whether a dangling reference means, where it was written, a row that came and went before anybody was told.
fn is_fleeting(world: &World, evidence: &Evidence, (table, column): (usize, usize), one: &str, other: &str) -> bool {
    let role = &world.spec.tables[table].columns[column].role;
    let Some(target) = other.strip_prefix("-> ").filter(|_| one.starts_with("-> dangling")) else { return false };
    let tag = target.rsplit(',').next().unwrap_or(target);
    let tables = (0..world.spec.tables.len()).filter(|at| may_mean(role, *at));
    !target.starts_with("dangling") && tables.into_iter().all(|at| !evidence.knows(at, tag))
}

fn differences(world: &World, evidence: &Evidence, clinic: usize) -> Vec<Difference> {
    let mut found = Vec::new();
    for table in 0..world.spec.tables.len() {
        let direction = world.spec.tables[table].direction;
        if direction == "match" {
            continue;
        }
        let pairs = [(0, clinic, "up"), (clinic, 0, "down")];
        for (has, lacks, not_if) in pairs {
            for row in &world.looks[has].tables[table] {
                let spot = (table, row.tag.clone());
                if world.looks[lacks].row(table, &row.tag).is_none() && direction != not_if {
                    let what = format!("{} has it and {} does not", NAMES[has], NAMES[lacks]);
                    let uids = evidence.nodes[has].uids.get(&spot).copied().into_iter().collect();
                    found.push(Difference { table, tag: row.tag.clone(), what, uids });
                }
            }
        }
        for row in &world.looks[0].tables[table] {
            let Some(other) = world.looks[clinic].row(table, &row.tag) else { continue };
            let spot = (table, row.tag.clone());
            let uids: Vec<Uid> =
                [0, clinic].iter().filter_map(|node| evidence.nodes[*node].uids.get(&spot)).copied().collect();
            if let [one, other] = uids.as_slice()
                && one != other
            {
                let what = format!("it is the record {one} at the ministry and {other} here");
                found.push(Difference { table, tag: row.tag.clone(), what, uids: uids.clone() });
            }
            for (column, of) in world.spec.tables[table].columns.iter().enumerate() {
                if of.role == Role::Excluded {
                    continue;
                }
                let here = truth(world, evidence, 0, table, row, column);
                let there = truth(world, evidence, clinic, table, other, column);
                // Where nothing is known of a column, nobody has ever said anything.
                let unknown = "null".to_owned();
                let is_adrift = [(0, row), (clinic, other)]
                    .iter()
                    .any(|(node, row)| is_adrift(world, evidence, *node, table, row, column));
                if is_adrift {
                    continue;
                }
                let is_fleeting = [(&here, &there), (&there, &here)].iter().any(|(one, other)| {
                    matches!((one, other), (Some(one), Some(other)) if is_fleeting(world, evidence, (table, column), one, other))
                });
                if is_fleeting {
                    continue;
                }
                if here.as_ref().unwrap_or(&unknown) != there.as_ref().unwrap_or(&unknown) {
                    let what = format!("`{}` is {here:?} at the ministry and {there:?} here", of.name);
                    found.push(Difference { table, tag: row.tag.clone(), what, uids: uids.clone() });
                }
            }
        }
    }
    found
}

/// "After a quiet round both ends of a link hold the same version of every shared column."
fn versions_agree(world: &mut World, evidence: &Evidence, clinic: usize) {
    let (ministry, other) = (world.fleet.nodes[0].versions(), world.fleet.nodes[clinic].versions());
    for ((name, uid, column), (version, value)) in &ministry {
        let table = world.spec.tables.iter().position(|table| table.name == *name).unwrap();
        let of = &world.spec.tables[table];
        let lacking = of.index(column).and_then(|at| of.columns[at].lacking);
        if of.direction != "both" || is_held(evidence, clinic, table, *uid) || lacking.is_some() {
            continue;
        }
        let spot = (name.clone(), *uid, column.clone());
        let Some((there, said)) = other.get(&spot) else { continue };
        assert!(
            version == there,
            "`{column}` of `{name}` {uid} has version {version:?} ({value:?}) at the ministry and {there:?} ({said:?}) \
             at {}",
            NAMES[clinic]
        );
    }
}

/// Every value was put there by some application, in that record; and every reference means what somebody meant.
fn nothing_is_invented(world: &World, evidence: &Evidence) {
    let spec = &world.spec;
    let said: BTreeSet<(usize, String, usize, String)> = world
        .ever
        .iter()
        .map(|(table, tag, column, means)| {
            let means = evidence.canonical(spec, *table, *column, means).to_lowercase();
            (*table, evidence.same(*table, tag), *column, means)
        })
        .collect();
    for (node, _) in NAMES.iter().enumerate() {
        for (table, rows) in world.looks[node].tables.iter().enumerate() {
            if spec.tables[table].part == "audit" {
                continue;
            }
            for row in rows {
                for column in 0..row.values.len() {
                    let Some(means) = truth(world, evidence, node, table, row, column) else { continue };
                    let spot = (table, evidence.same(table, &row.tag), column, means.to_lowercase());
                    // A row that stays at home cannot be meant elsewhere; what follows a key follows it here too.
                    let role = &spec.tables[table].columns[column].role;
                    let has_twins =
                        |(of, tags): (&(usize, Vec<String>), &BTreeSet<String>)| may_mean(role, of.0) && tags.len() > 1;
                    let is_home = means.starts_with("-> dangling") && world.identities.iter().any(has_twins);
                    let follows = spec.cascades_updates && matches!(role, Role::Joint { .. });
                    let is_adrift = was_adrift(world, evidence, table, column, &means);
                    let is_fleeting = evidence.has_fleeting(spec, table, column, &means, &world.ever);
                    assert!(
                        is_adrift
                            || is_fleeting
                            || is_home
                            || follows
                            || means == "null"
                            || means == "text nothing"
                            || said.contains(&spot),
                        "nobody ever said {means} in `{}` of `{}` {} (at {})",
                        spec.tables[table].columns[column].name,
                        spec.tables[table].name,
                        row.tag,
                        NAMES[node],
                    );
                }
            }
        }
    }
}
