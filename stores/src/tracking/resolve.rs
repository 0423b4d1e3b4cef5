//! A configuration, resolved against the schema.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::Value;

use super::references::resolve_references;
use super::{
    COLUMNS_MAX, KeyColumn, KeyGiver, Numbering, TrackedColumn, TrackedTable, Tracking, TrackingError, policies,
};
use crate::config::{Direction, Identity, LocalValue, ReferenceRule, TableConfig, TablesConfig};
use crate::schema::{Schema, Table};

impl Tracking {
    /// Resolves a configuration against a schema, keeping the numbers that `known` has given.
    ///
    /// # Errors
    /// The first thing in the configuration that does not fit.
    pub fn resolve(config: &TablesConfig, schema: &Schema, known: &Numbering) -> Result<Self, TrackingError> {
        if config.is_empty() {
            return Err(TrackingError::Nothing);
        }
        let numbers = number_tables(config, known);
        let mut tables = Vec::with_capacity(config.len());
        for name in config.keys() {
            tables.push(resolve_table(name, config, schema, known, &numbers)?);
        }
        let order = parents_first(&tables);
        let mut tracking = Self { tables: Vec::new(), has_triggers: schema.has_triggers };
        for index in order {
            tracking.tables.push(tables[index].clone());
        }
        tracking.identity_order()?;
        Ok(tracking)
    }
}

fn number_tables(config: &TablesConfig, known: &Numbering) -> BTreeMap<String, u32> {
    let mut next = known.tables.values().map(|(number, _)| *number).max().unwrap_or(0);
    let mut numbers = BTreeMap::new();
    for name in config.keys() {
        let number = known.tables.get(name).map_or_else(
            || {
                next += 1;
                next
            },
            |(number, _)| *number,
        );
        numbers.insert(name.clone(), number);
    }
    numbers
}

fn resolve_table(
    name: &str,
    config: &TablesConfig,
    schema: &Schema,
    known: &Numbering,
    numbers: &BTreeMap<String, u32>,
) -> Result<TrackedTable, TrackingError> {
    let wanted = &config[name];
    let table = schema.table(name).ok_or_else(|| TrackingError::NoTable { table: name.to_owned() })?;
    if let Some(what) = table.unsupported {
        return Err(TrackingError::Unsupported { table: name.to_owned(), what: what.to_owned() });
    }
    if table.primary_key.is_empty() {
        return Err(TrackingError::NoKey { table: name.to_owned() });
    }
    let references = resolve_references(table, wanted, schema, numbers)?;
    let key = resolve_key(table, &references);
    let columns = resolve_columns(table, &key, &references, wanted, known)?;
    if columns.len() > COLUMNS_MAX {
        return Err(TrackingError::TooManyColumns { table: name.to_owned(), columns: columns.len() });
    }
    let tracked = TrackedTable {
        number: numbers[name],
        name: name.to_owned(),
        identity: wanted.identity.clone(),
        direction: wanted.direction,
        unique: unique(table, &key),
        needs: needs(table, &wanted.exclude, numbers),
        key,
        columns,
        excluded: wanted.exclude.clone(),
        together: Vec::new(),
        delete: wanted.delete,
    };
    check_names(&tracked, table, wanted)?;
    check_settings(&tracked, wanted)?;
    let together = policies::groups(&tracked, wanted)?;
    Ok(TrackedTable { together, ..tracked })
}

/// The sets of columns that the database keeps unique; an integer key that it gives itself is none that collides.
fn unique(table: &Table, key: &[KeyColumn]) -> Vec<Vec<String>> {
    let key_travels = key.iter().all(|part| part.given_by == KeyGiver::Record);
    let key = key_travels.then(|| table.primary_key.clone());
    key.into_iter().chain(table.unique.iter().cloned()).collect()
}

/// The tables that are referred to by several columns at once.
fn needs(table: &Table, exclude: &[String], numbers: &BTreeMap<String, u32>) -> Vec<u32> {
    let composite = table.foreign_keys.iter().filter(|key| key.columns.len() > 1);
    let shared = composite.filter(|key| !key.columns.iter().any(|column| exclude.contains(column)));
    shared.filter_map(|key| numbers.get(&key.table).copied()).collect()
}

fn resolve_key(table: &Table, references: &BTreeMap<String, u32>) -> Vec<KeyColumn> {
    let giver = |name: &str, declared_type: &str| {
        let is_integer = declared_type.to_ascii_uppercase().contains("INT");
        if references.contains_key(name) || table.primary_key.len() > 1 || !is_integer {
            KeyGiver::Record
        } else if table.key_is_given {
            KeyGiver::Database
        } else {
            KeyGiver::Next
        }
    };
    let columns = table.primary_key.iter().filter_map(|name| table.column(name));
    columns
        .map(|column| KeyColumn {
            name: column.name.clone(),
            declared_type: column.declared_type.clone(),
            given_by: giver(&column.name, &column.declared_type),
        })
        .collect()
}

fn resolve_columns(
    table: &Table,
    key: &[KeyColumn],
    references: &BTreeMap<String, u32>,
    wanted: &TableConfig,
    known: &Numbering,
) -> Result<Vec<TrackedColumn>, TrackingError> {
    let ids = known.tables.get(&table.name).map(|(_, ids)| ids);
    let mut next = ids.and_then(|ids| ids.values().max()).map_or(0, |id| id + 1);
    let mut columns = Vec::new();
    for column in &table.columns {
        let of_key = key.iter().find(|part| part.name == column.name);
        if of_key.is_some_and(|part| part.given_by != KeyGiver::Record) {
            continue;
        }
        if wanted.exclude.contains(&column.name) {
            if of_key.is_some() {
                let (table, column) = (table.name.clone(), column.name.clone());
                return Err(TrackingError::Excluded { table, column, needed_by: "the primary key" });
            }
            continue;
        }
        let id = ids.and_then(|ids| ids.get(&column.name)).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        let local = |value: &LocalValue| match value {
            LocalValue::Integer(number) => Value::Integer(*number),
            LocalValue::Text(text) => Value::Text(text.clone()),
        };
        columns.push(TrackedColumn {
            id,
            name: column.name.clone(),
            declared_type: column.declared_type.clone(),
            reference: references.get(&column.name).copied(),
            names_its_table: wanted.references.get(&column.name) == Some(&ReferenceRule::ModelId),
            is_local_unique: wanted.local_unique.contains(&column.name),
            without_target: wanted.without_target.get(&column.name).map(local),
            absent: None,
            not_null: column.not_null,
            default: column.default.clone(),
            conflicts: wanted.conflicts.of(&column.name),
            is_quiet: wanted.quiet.contains(&column.name),
        });
    }
    columns.extend(absent_columns(table, wanted, known));
    Ok(columns)
}

/// Columns that other places have and this schema still lacks.
fn absent_columns(table: &Table, wanted: &TableConfig, known: &Numbering) -> Vec<TrackedColumn> {
    let Some((_, ids)) = known.tables.get(&table.name) else { return Vec::new() };
    let of_table = known.absent.iter().filter(|((of, _), _)| *of == table.name);
    let lacking = of_table.filter(|((_, name), _)| table.column(name).is_none() && !wanted.exclude.contains(name));
    let column = |((_, name), references): (&(String, String), &Option<String>)| {
        let column = TrackedColumn::absent(*ids.get(name)?, name, references.clone());
        let (conflicts, is_quiet) = (wanted.conflicts.of(name), wanted.quiet.contains(name));
        Some(TrackedColumn { conflicts, is_quiet, ..column })
    };
    lacking.filter_map(column).collect()
}

fn check_names(tracked: &TrackedTable, table: &Table, wanted: &TableConfig) -> Result<(), TrackingError> {
    let exists = |column: &String| {
        table
            .column(column)
            .map(|_| ())
            .ok_or_else(|| TrackingError::NoColumn { table: table.name.clone(), column: column.clone() })
    };
    wanted.exclude.iter().try_for_each(exists)?;
    let parts = match &wanted.identity {
        Identity::Assigned | Identity::Copied | Identity::Named(_) => &[][..],
        Identity::Uuid(column) => std::slice::from_ref(column),
        Identity::Natural(columns) => columns.as_slice(),
    };
    for column in parts {
        exists(column)?;
        if tracked.column_index(column).is_some() {
            continue;
        }
        let (table, column) = (table.name.clone(), column.clone());
        if wanted.exclude.contains(&column) {
            return Err(TrackingError::Excluded { table, column, needed_by: "the identity" });
        }
        return Err(TrackingError::LocalIdentity { table, column });
    }
    Ok(())
}

/// Settings about single columns.
fn check_settings(tracked: &TrackedTable, wanted: &TableConfig) -> Result<(), TrackingError> {
    if wanted.direction == Direction::Match && wanted.identity == Identity::Assigned {
        let (table, identity) = (tracked.name.clone(), wanted.identity.to_string());
        return Err(TrackingError::NothingToMatch { table, identity });
    }
    let refused = |setting, column: &str, reason: &str| policies::refused(tracked, setting, column, reason);
    let index_of = |setting, name: &str| policies::index_of(tracked, wanted, setting, name);
    for name in wanted.references.keys() {
        index_of("references", name)?;
    }
    for name in &wanted.local_unique {
        let index = index_of("local_unique", name)?;
        if tracked.columns[index].refers() || tracked.identity_columns().contains(&index) {
            return Err(refused("local_unique", name, "which is a reference or part of the identity"));
        }
    }
    for name in wanted.without_target.keys() {
        let index = index_of("without_target", name)?;
        if !tracked.columns[index].refers() {
            return Err(refused("without_target", name, "which is no reference"));
        }
    }
    for name in wanted.conflicts.columns.keys() {
        index_of("conflicts", name)?;
    }
    for name in &wanted.quiet {
        index_of("quiet", name)?;
    }
    Ok(())
}

/// Indexes of `tables`, parents before those that refer to them; where references run in a circle, by name.
fn parents_first(tables: &[TrackedTable]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let mut placed = BTreeSet::new();
    while order.len() < tables.len() {
        let ready = |required_only: bool| {
            (0..tables.len()).find(|index| {
                let table = &tables[*index];
                !placed.contains(&table.number)
                    && table.columns.iter().all(|column| match column.reference {
                        Some(number) if number != table.number && (column.not_null || !required_only) => {
                            placed.contains(&number)
                        }
                        _ => true,
                    })
                    && table.needs.iter().all(|number| *number == table.number || placed.contains(number))
            })
        };
        let first_left = (0..tables.len()).find(|index| !placed.contains(&tables[*index].number));
        let Some(next) = ready(false).or_else(|| ready(true)).or(first_left) else { break };
        placed.insert(tables[next].number);
        order.push(next);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, ForeignKey};

    fn column(name: &str, declared_type: &str) -> Column {
        Column { name: name.into(), declared_type: declared_type.into(), not_null: false, default: None }
    }

    fn table(name: &str, columns: &[&str], references: &[(&str, &str)]) -> Table {
        let all = std::iter::once(column("id", "INTEGER")).chain(columns.iter().map(|name| column(name, "TEXT")));
        let key = |(from, to): &(&str, &str)| ForeignKey {
            columns: vec![(*from).into()],
            table: (*to).into(),
            target_columns: vec!["id".into()],
        };
        Table {
            name: name.into(),
            columns: all.collect(),
            primary_key: vec!["id".into()],
            foreign_keys: references.iter().map(key).collect(),
            unique: Vec::new(),
            key_is_given: true,
            unsupported: None,
        }
    }

    fn schema(tables: Vec<Table>) -> Schema {
        Schema { tables, has_triggers: false }
    }

    fn config(text: &str) -> TablesConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn parents_come_first_and_numbers_last() {
        let schema =
            schema(vec![table("a", &["b_id"], &[("b_id", "b")]), table("b", &["self_id"], &[("self_id", "b")])]);
        let config = config("[a]\nidentity='assigned'\n[b]\nidentity='assigned'");
        let known =
            Numbering { tables: [("b".into(), (7, [("self_id".into(), 3)].into()))].into(), ..Numbering::default() };
        let tracking = Tracking::resolve(&config, &schema, &known).unwrap();
        let seen: Vec<_> = tracking.tables.iter().map(|t| (t.name.as_str(), t.number, t.columns[0].id)).collect();
        assert_eq!(seen, [("b", 7, 3), ("a", 8, 0)]);
        assert_eq!(tracking.tables[1].columns[0].reference, Some(7));
    }

    #[test]
    fn what_a_row_refers_to_that_never_travels_does_not_matter() {
        let schema = schema(vec![table("a", &["code", "b_id"], &[("b_id", "b")]), table("b", &[], &[])]);
        let b_id = |text: &str| {
            let tracking = Tracking::resolve(&config(text), &schema, &Numbering::default()).unwrap();
            let a = tracking.by_name("a").unwrap();
            a.columns[a.column_index("b_id").unwrap()].reference
        };
        assert_eq!(b_id("[a]\nidentity='natural(code)'\ndirection='match'"), None);
        assert_eq!(b_id("[a]\nidentity='copied'\ndirection='match'"), None);
        let both = "[a]\nidentity='copied'\ndirection='match'\n[b]\nidentity='assigned'";
        assert_eq!(b_id(both), Some(2));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let schema = schema(vec![
            table("a", &["b_id"], &[("b_id", "b")]),
            table("b", &["a_id"], &[("a_id", "a")]),
            Table { primary_key: Vec::new(), ..table("heap", &["x"], &[]) },
        ]);
        let error = |text: &str| Tracking::resolve(&config(text), &schema, &Numbering::default()).unwrap_err();
        assert!(matches!(error("[c]\nidentity='assigned'"), TrackingError::NoTable { .. }));
        assert!(matches!(error("[heap]\nidentity='assigned'"), TrackingError::NoKey { .. }));
        assert!(matches!(error("[a]\nidentity='assigned'"), TrackingError::UntrackedTarget { .. }));
        assert!(matches!(
            error("[a]\nidentity='natural(b_id)'\ndirection='match'"),
            TrackingError::UntrackedTarget { .. }
        ));
        assert!(matches!(error("[a]\nidentity='uuid(nn)'\nexclude=['b_id']"), TrackingError::NoColumn { .. }));
        assert!(matches!(error("[a]\nidentity='natural(id)'\nexclude=['b_id']"), TrackingError::LocalIdentity { .. }));
        let circle = "[a]\nidentity='natural(b_id)'\n[b]\nidentity='natural(a_id)'";
        assert!(matches!(error(circle), TrackingError::CyclicIdentity { .. }));
        assert!(matches!(error(""), TrackingError::Nothing));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<TablesConfig>("[a]\nidentity='assigned'\nidentiy='x'").is_err());
        assert!(toml::from_str::<TablesConfig>("[a]\nidentity='assigned'\ndirection='sideways'").is_err());
    }
}
