//! What becomes of each table's settings: the central's choice, as far as it fits this database.

use std::collections::BTreeMap;

use saddlebag_keys::CardTable;
use saddlebag_stores::config::{Direction, Identity, ReferenceRule, TableConfig, TablesConfig};
use saddlebag_stores::schema::Schema;
use saddlebag_stores::tracking::{Numbering, Tracking, TrackingError};

use super::{Refused, TakenOver};
use crate::error::NodeError;
use crate::last_setup::references;

/// What is taken over.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Tables that `saddlebag.toml` has, as they become.
    pub(super) tables: BTreeMap<String, TableConfig>,
    /// Tables that it lacks.
    pub(super) added: BTreeMap<String, TableConfig>,
    pub(super) changed: Vec<TakenOver>,
    pub(super) lacking: Vec<String>,
    pub(super) only_here: Vec<String>,
    pub(super) refused: Vec<Refused>,
}

/// Lays the central's choice over what `own` says.
pub(super) fn choose(
    own: &TablesConfig,
    theirs: &[CardTable],
    schema: &Schema,
    known: &Numbering,
) -> Result<Chosen, NodeError> {
    let mut chosen = Chosen::default();
    let mut all = own.clone();
    // What the schema itself declares need not be written down.
    let here = if own.is_empty() { Tracking::default() } else { Tracking::resolve(own, schema, known)? };
    for table in theirs {
        let name = &table.name;
        if schema.table(name).is_none() {
            chosen.lacking.push(name.clone());
            continue;
        }
        match laid_over(table, own.get(name), schema, &here) {
            Ok(config) => drop(all.insert(name.clone(), config)),
            Err(reason) => chosen.refused.push(Refused { table: name.clone(), reason }),
        }
    }
    chosen.only_here = own.keys().filter(|name| !theirs.iter().any(|table| table.name == **name)).cloned().collect();
    make_it_fit(&mut all, own, schema, known, &mut chosen.refused)?;
    for (name, config) in all {
        match own.get(&name) {
            None => drop(chosen.added.insert(name, config)),
            Some(before) if *before != config => {
                chosen.changed.extend(differences(&name, before, &config));
                chosen.tables.insert(name, config);
            }
            Some(_) => {}
        }
    }
    Ok(chosen)
}

/// One table's settings, as they would be.
fn laid_over(
    theirs: &CardTable,
    own: Option<&TableConfig>,
    schema: &Schema,
    here: &Tracking,
) -> Result<TableConfig, String> {
    let identity: Identity =
        theirs.identity.parse().map_err(|error| format!("this version cannot read it: {error}"))?;
    let direction: Direction =
        theirs.direction.parse().map_err(|error| format!("this version cannot read it: {error}"))?;
    let tracked = here.by_name(&theirs.name);
    let resolved = tracked.map(|table| references(table, here)).unwrap_or_default();
    let mut config = own.cloned().unwrap_or_else(|| TableConfig {
        identity: Identity::Assigned,
        direction: Direction::Both,
        exclude: Vec::new(),
        conflicts: Default::default(),
        together: Vec::new(),
        quiet: Vec::new(),
        delete: Default::default(),
        references: BTreeMap::new(),
        local_unique: Vec::new(),
        without_target: BTreeMap::new(),
    });
    (config.identity, config.direction) = (identity, direction);
    let is_shared = |name: &&String| {
        let is_there = schema.table(&theirs.name).is_some_and(|table| table.column(name).is_some());
        is_there && !config.exclude.contains(name)
    };
    let here = theirs.together.iter().map(|group| group.iter().filter(is_shared).cloned().collect::<Vec<_>>());
    config.together = here.filter(|group| group.len() > 1).collect();
    // What the central takes for a plain value is one here too.
    config.references.retain(|column, _| theirs.references.contains_key(column));
    let declared = schema.table(&theirs.name).map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
    for (column, target) in &theirs.references {
        let is_there = schema.table(&theirs.name).is_some_and(|table| table.column(column).is_some());
        let is_declared =
            declared.iter().any(|key| key.columns.contains(column) && (tracked.is_none() || key.table == *target));
        let is_known = resolved.get(column) == Some(target);
        if is_there && !is_known && !is_declared && !config.exclude.contains(column) {
            let rule = if target == "model,id" { ReferenceRule::ModelId } else { ReferenceRule::Table(target.clone()) };
            config.references.insert(column.clone(), rule);
        }
    }
    Ok(config)
}

/// Settles what the central's choice runs into here: a reference to a table that this node does not keep in step stays
/// at home, and a table that cannot be set up so keeps what it had.
fn make_it_fit(
    all: &mut TablesConfig,
    own: &TablesConfig,
    schema: &Schema,
    known: &Numbering,
    refused: &mut Vec<Refused>,
) -> Result<(), NodeError> {
    // Each turn takes a column or a table away, so it ends.
    loop {
        if all.is_empty() {
            return Ok(());
        }
        let Err(error) = Tracking::resolve(all, schema, known) else { return Ok(()) };
        let Some(table) = table_of(&error, all, own) else { return Err(error.into()) };
        let settled = match (&error, all.get_mut(&table)) {
            (TrackingError::UntrackedTarget { column, .. }, Some(config)) => {
                keep_at_home(config, column, schema, &table)
            }
            (TrackingError::ColumnSetting { column, setting: "local_unique", .. }, Some(config)) => {
                let before = config.local_unique.len();
                config.local_unique.retain(|name| name != column);
                config.local_unique.len() < before
            }
            (TrackingError::ColumnSetting { column, setting: "together", .. }, Some(config)) => {
                let before = config.together.clone();
                config.together.iter_mut().for_each(|group| group.retain(|name| name != column));
                config.together.retain(|group| group.len() > 1);
                config.together != before
            }
            // Which columns are one value belongs to the deployment; what else is said of one of them, to this place.
            (TrackingError::ColumnSetting { column, setting: "quiet", .. }, Some(config)) => {
                let before = config.quiet.len();
                config.quiet.retain(|name| name != column);
                config.quiet.len() < before
            }
            (TrackingError::ColumnSetting { setting: "conflicts", .. }, Some(config)) => {
                let rules = &mut config.conflicts.columns;
                let before = rules.len();
                rules.retain(|name, _| !config.together.iter().any(|group| group.contains(name)));
                rules.len() < before
            }
            _ => false,
        };
        if !settled {
            if all.get(&table) == own.get(&table) {
                return Err(error.into());
            }
            refused.push(Refused { table: table.clone(), reason: error.to_string() });
            match own.get(&table) {
                Some(before) => drop(all.insert(table, before.clone())),
                None => drop(all.remove(&table)),
            }
        }
    }
}

fn keep_at_home(config: &mut TableConfig, column: &str, schema: &Schema, table: &str) -> bool {
    let table = schema.table(table);
    let may =
        table.and_then(|table| table.column(column)).is_some_and(|found| !found.not_null || found.default.is_some())
            && table.is_some_and(|table| !table.primary_key.iter().any(|part| part == column));
    if !may || config.exclude.iter().any(|name| name == column) {
        return false;
    }
    config.references.remove(column);
    config.exclude.push(column.to_owned());
    true
}

/// The table that an error is about: one that was changed, if it is about several.
fn table_of(error: &TrackingError, all: &TablesConfig, own: &TablesConfig) -> Option<String> {
    match error {
        TrackingError::NoTable { table }
        | TrackingError::NoColumn { table, .. }
        | TrackingError::NoKey { table }
        | TrackingError::Unsupported { table, .. }
        | TrackingError::Excluded { table, .. }
        | TrackingError::UntrackedTarget { table, .. }
        | TrackingError::NothingToMatch { table, .. }
        | TrackingError::ColumnSetting { table, .. }
        | TrackingError::LocalIdentity { table, .. }
        | TrackingError::TooManyColumns { table, .. } => Some(table.clone()),
        // A circle: any of the changed tables breaks it.
        TrackingError::CyclicIdentity { tables } => {
            let changed = all.iter().filter(|(name, config)| own.get(*name) != Some(*config));
            changed.map(|(name, _)| name).find(|name| tables.contains(&format!("`{name}`"))).cloned()
        }
        _ => None,
    }
}

fn differences(table: &str, before: &TableConfig, after: &TableConfig) -> Vec<TakenOver> {
    let rules = |config: &TableConfig| {
        let one = |(column, rule): (&String, &ReferenceRule)| format!("{column} = {rule}");
        config.references.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let groups =
        |config: &TableConfig| config.together.iter().map(|group| group.join(" with ")).collect::<Vec<_>>().join(", ");
    let quiet = |config: &TableConfig| config.quiet.join(", ");
    let own_rules = |config: &TableConfig| config.conflicts.columns.keys().cloned().collect::<Vec<_>>().join(", ");
    let all = [
        ("identity", before.identity.to_string(), after.identity.to_string()),
        ("direction", before.direction.to_string(), after.direction.to_string()),
        ("references", rules(before), rules(after)),
        ("together", groups(before), groups(after)),
        ("exclude", before.exclude.join(", "), after.exclude.join(", ")),
        ("local_unique", before.local_unique.join(", "), after.local_unique.join(", ")),
        ("quiet", quiet(before), quiet(after)),
        ("conflicts", own_rules(before), own_rules(after)),
    ];
    let differs = all.into_iter().filter(|(_, from, to)| from != to);
    differs.map(|(setting, from, to)| TakenOver { table: table.to_owned(), setting, from, to }).collect()
}
