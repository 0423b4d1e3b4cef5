//! Whether what is held, beside a record, or at home, really cannot be otherwise.

use saddlebag_formats::{Action, Uid, Value};
use saddlebag_stores::ledger::{Beside, BesideWhy, HeldKind};
use saddlebag_tests::app::Sql;

use super::evidence::{Evidence, HeldChange, plain};
use super::look::{Row, typed};
use super::schema::{Key, NAMES, Role, Style, quote};
use super::world::World;

pub(crate) fn check(world: &mut World, evidence: &Evidence) {
    for node in 0..NAMES.len() {
        for held in &evidence.nodes[node].held {
            let what = held_is_true(world, evidence, node, held);
            world.count(what);
        }
        for ((table, uid, column), beside) in &evidence.nodes[node].beside {
            let what = beside_is_true(world, evidence, node, (*table, *uid, *column), beside);
            world.count(what);
        }
        for (table, tag) in evidence.nodes[node].home.keys() {
            home_is_true(world, node, *table, tag);
            world.count("row that stays at home");
        }
    }
}

/// The local key of a record.
fn key_of(world: &World, evidence: &Evidence, node: usize, table: usize, uid: Uid) -> Option<Vec<Sql>> {
    let tag = evidence.nodes[node].live.get(&(table, uid))?;
    world.looks[node].row(table, tag).map(|row| row.key.clone())
}

/// The table that a value refers to, by index, and the record.
fn target(world: &World, table: usize, column: usize, value: &Value) -> Option<(usize, Uid)> {
    match (&world.spec.tables[table].columns[column].role, value) {
        (Role::Refers(reference), Value::Reference(uid)) => Some((reference.to, *uid)),
        (_, Value::NamedReference(model, uid)) => {
            Some((world.spec.tables.iter().position(|table| table.model() == *model)?, *uid))
        }
        _ => None,
    }
}

/// What a held change wants to write: columns by index.
fn wanted<'h>(world: &World, held: &'h HeldChange) -> Vec<(usize, &'h Value)> {
    let Action::Write { columns, .. } = &held.change.action else { return Vec::new() };
    let of = &world.spec.tables[held.table];
    let column = |change: &'h saddlebag_formats::ColumnChange| {
        let name = &held.description.columns[usize::from(change.column)].name;
        Some((of.index(name)?, &change.value))
    };
    columns.iter().filter_map(column).collect()
}

fn held_is_true(world: &World, evidence: &Evidence, node: usize, held: &HeldChange) -> &'static str {
    let at = &evidence.nodes[node];
    let of = &world.spec.tables[held.table];
    let told = || format!("`{}` {} at {}: held as {:?}, {}", of.name, held.uid, NAMES[node], held.kind, held.reason);
    let is_live = at.live.contains_key(&(held.table, held.uid));
    let wanted = wanted(world, held);
    let missing = wanted.iter().any(|(column, value)| {
        target(world, held.table, *column, value).is_some_and(|(table, uid)| !at.live.contains_key(&(table, uid)))
    });
    if held.kind == HeldKind::Parked {
        assert!(missing, "{}, but all that it refers to is here", told());
        return "held: parked";
    }
    if let Action::Delete { .. } = held.change.action {
        assert!(is_live && node != 0, "{}, but there is nothing to delete, or the central may decide", told());
        return "held: deletion";
    }
    if held.reason.contains("another record of") {
        let identity = of.identity_columns();
        let tag = at.live.get(&(held.table, held.uid)).unwrap_or_else(|| panic!("{}, but there is none", told()));
        let row = world.looks[node].row(held.table, tag).unwrap();
        let differs = wanted.iter().any(|(column, value)| {
            let stands = super::look::meaning(
                &world.spec,
                &world.keys[node],
                held.table,
                *column,
                row.values[*column].as_ref().unwrap_or(&Sql::Null),
            );
            identity.contains(column) && evidence.meaning(&world.spec, held.table, *column, value) != stands
        });
        assert!(differs, "{}, but the identity is the same", told());
        return "held: another record of that identity";
    }
    if held.reason.contains("refers to a record that never comes here") {
        assert!(missing || wanted.iter().any(|(_, value)| matches!(value, Value::Dangling(_))), "{}", told());
        return "held: required target that never comes";
    }
    if let Some(kind) = refusal(&held.reason) {
        let refused = is_refused(world, evidence, node, held, &wanted);
        assert!(refused, "{}, but the database takes it", told());
        return kind;
    }
    panic!("{}, for a reason that should not occur", told());
}

/// What kind of refusal a database's words tell of, in those of either engine.
fn refusal(reason: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|words| reason.contains(words));
    if has(&["CHECK constraint failed", "violates check constraint"]) {
        Some("held: check")
    } else if is_about_unique(reason) {
        Some("held: unique")
    } else if has(&["constraint failed", "violates"]) {
        Some("held: other constraint")
    } else if has(&["does not fit", "cannot hold", "invalid input syntax"]) {
        Some("held: a value of another type")
    } else {
        None
    }
}

fn is_about_unique(reason: &str) -> bool {
    reason.contains("UNIQUE constraint failed") || reason.contains("violates unique constraint")
}

/// Whether the database refuses a held change, tried by SQL alone and undone.
fn is_refused(world: &World, evidence: &Evidence, node: usize, held: &HeldChange, wanted: &[(usize, &Value)]) -> bool {
    let of = &world.spec.tables[held.table];
    let mut values: Vec<(String, Sql)> = Vec::new();
    for (column, value) in wanted {
        if !world.spec.is_present(node, held.table, *column) {
            continue;
        }
        let local = match target(world, held.table, *column, value) {
            Some((table, uid)) => match key_of(world, evidence, node, table, uid) {
                Some(key) => local_reference(world, held.table, *column, value, &key[0]),
                None => continue,
            },
            None => match plain(value) {
                Some(local) => local,
                None => continue,
            },
        };
        values.push((of.columns[*column].name.clone(), local));
    }
    let key = key_of(world, evidence, node, held.table, held.uid);
    let names: Vec<String> = values.iter().map(|(name, _)| quote(name)).collect();
    let mut parameters: Vec<Sql> = values.into_iter().map(|(_, value)| value).collect();
    let name = quote(&of.name);
    let sql = match &key {
        Some(key) => {
            let set: Vec<String> = names.iter().zip(1..).map(|(name, at)| format!("{name} = ?{at}")).collect();
            let condition = of.key_condition(parameters.len() + 1);
            parameters.extend(key.iter().cloned());
            format!("UPDATE {name} SET {} WHERE {condition}", set.join(", "))
        }
        None => {
            let mut names = names;
            if matches!(of.key, Key::Given | Key::Descending) {
                names.push(quote(&of.id));
                parameters.push(Sql::Integer(777_777));
            }
            let marks: Vec<String> = (1..=parameters.len()).map(|at| format!("?{at}")).collect();
            format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), marks.join(", "))
        }
    };
    let app = world.app(node);
    app.execute_batch("BEGIN").unwrap();
    let outcome = app.write(&sql, &parameters);
    app.undo();
    outcome.is_err()
}

fn local_reference(world: &World, table: usize, column: usize, value: &Value, key: &Sql) -> Sql {
    match (&world.spec.tables[table].columns[column].role, value) {
        (_, Value::NamedReference(model, _)) => Sql::Text(format!("{model},{}", super::look::plain(key))),
        (Role::Refers(reference), _) if reference.style == Style::InText => Sql::Text(super::look::plain(key)),
        _ => key.clone(),
    }
}

fn beside_is_true(
    world: &World,
    evidence: &Evidence,
    node: usize,
    (table, uid, column): (usize, Uid, usize),
    beside: &Beside,
) -> &'static str {
    let at = &evidence.nodes[node];
    let of = &world.spec.tables[table].columns[column];
    let told = || format!("`{}` of `{}` {uid} at {}: {beside:?}", of.name, world.spec.tables[table].name, NAMES[node]);
    let tag = at.live.get(&(table, uid)).unwrap_or_else(|| panic!("{} stands beside no record", told()));
    let row: &Row = world.looks[node].row(table, tag).unwrap();
    let stands = row.values[column].as_ref().map(typed);
    let shown = beside.shown.as_ref().and_then(plain).map(|shown| typed(&shown));
    assert_eq!(stands, shown, "{}: the column holds something else", told());
    match beside.why {
        BesideWhy::NoColumn => {
            assert_eq!(of.lacking, Some(node), "{}: the column is there", told());
            "beside: no column"
        }
        BesideWhy::NoTarget => {
            let target = target(world, table, column, &beside.value);
            let is_here = target.is_some_and(|target| at.live.contains_key(&target));
            assert!(!is_here && beside.value.target().is_some() == target.is_some(), "{}: its target is here", told());
            assert!(!matches!(beside.value, Value::Text(_) | Value::Null), "{}: it is no reference", told());
            if matches!(beside.value, Value::Dangling(_)) { "beside: dangling" } else { "beside: no target" }
        }
        BesideWhy::Collides => {
            let (Value::Text(text), Some(Sql::Text(shown))) = (&beside.value, &row.values[column]) else {
                panic!("{}: it is no text", told());
            };
            let is_origin = |name: &str| shown.starts_with(&format!("{text} ({name}"));
            assert!(NAMES.iter().any(|name| is_origin(name)) && shown.ends_with(')'), "{}: it shows no origin", told());
            // Another record had it, though it may be gone by now; or this clinic's own counter is still to reach it.
            let is_foreign = node != 0 && !is_origin(NAMES[node]);
            let said = format!("text {text}");
            let others = world.ever.iter().filter(|(of, other, at, means)| {
                (*of, *at) == (table, column)
                    && *means == said
                    && evidence.nodes.iter().all(|node| node.uids.get(&(table, other.clone())) != Some(&uid))
            });
            assert!(is_foreign || others.count() > 0, "{}: nobody else ever had it", told());
            "beside: shown with its origin"
        }
        BesideWhy::OtherForm => {
            let changes = match &of.role {
                // Numbers where others keep text, text where another keeps numbers.
                Role::Figure { numeric_at } => (*numeric_at == node) == matches!(beside.value, Value::Text(_)),
                Role::Capitals { at } => at[node],
                _ => false,
            };
            assert!(changes, "{}: the database changes no value there", told());
            "beside: other form"
        }
    }
}

/// Another row here has the identity.
fn home_is_true(world: &World, node: usize, table: usize, tag: &str) {
    let rows = &world.looks[node].tables[table];
    let of = &world.spec.tables[table];
    if world.is_named(table) {
        return;
    }
    let identity = |row: &Row| of.identity_columns().iter().map(|at| row.values[*at].clone()).collect::<Vec<_>>();
    let own = identity(rows.iter().find(|row| row.tag == tag).unwrap());
    let others = rows.iter().filter(|row| row.tag != tag && identity(row) == own).count();
    assert!(others > 0, "`{}` {tag} stays at home at {}, but its identity {own:?} is its own", of.name, NAMES[node]);
}

/// People correct what is refused: a value that another record has is changed in that one, one that may not be is
/// changed where it was written. Says whether there was anything to correct.
pub(crate) fn correct(world: &mut World, evidence: &Evidence) -> bool {
    let mut corrected = false;
    for node in 0..NAMES.len() {
        for held in evidence.nodes[node].held.clone() {
            if is_about_unique(&held.reason) {
                corrected |= free(world, evidence, node, &held);
            } else if refusal(&held.reason) == Some("held: check") {
                corrected |= soften(world, evidence, &held);
            }
        }
    }
    corrected
}

/// The record that has a unique value here gives it up.
fn free(world: &mut World, evidence: &Evidence, node: usize, held: &HeldChange) -> bool {
    let wanted = wanted(world, held);
    let tag = evidence.nodes[node].live.get(&(held.table, held.uid));
    let of = world.spec.tables[held.table].clone();
    for (column, value) in wanted {
        let Role::Scarce { at } = &of.columns[column].role else { continue };
        let Some(value) = plain(value).filter(|value| at[node] && *value != Sql::Null) else { continue };
        let in_the_way = world.looks[node].tables[held.table]
            .iter()
            .find(|row| row.values[column].as_ref() == Some(&value) && Some(&row.tag) != tag);
        let Some(row) = in_the_way.cloned() else { continue };
        let fresh = Sql::Text(format!("S-free-{}", world.number()));
        return world.set(node, held.table, &row, column, fresh, "unique value corrected");
    }
    false
}

/// What was refused is written again where it came from, so that it may be.
fn soften(world: &mut World, evidence: &Evidence, held: &HeldChange) -> bool {
    let of = world.spec.tables[held.table].clone();
    let Some(tag) = evidence.nodes[held.from].live.get(&(held.table, held.uid)) else { return false };
    let Some(row) = world.looks[held.from].row(held.table, tag).cloned() else { return false };
    let is_bad = |at: &usize| {
        matches!(of.columns[*at].role, Role::Checked { .. })
            && matches!(&row.values[*at], Some(Sql::Text(text)) if text.starts_with("bad"))
    };
    let Some(column) = (0..of.columns.len()).find(is_bad) else { return false };
    let fresh = Sql::Text(format!("k{}", world.number()));
    world.set(held.from, held.table, &row, column, fresh, "refused value corrected")
}
