//! Which tables are kept in step, resolved against the schema: every name is known to exist, every reference to
//! point to a tracked table, every table to have a key and an identity that can be computed.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::hash::row_hash;
use saddlebag_formats::{Uid, Value};

use crate::config::{Direction, Identity, LocalValue, ReferenceRule, TableConfig, TablesConfig};
use crate::schema::{ForeignKey, Schema, Table};

/// Columns of one table that can be kept in step: the triggers note old values in columns of their own, and
/// SQLite holds 2,000 columns a table.
pub const COLUMNS_MAX: usize = 1_900;

/// The tables that are kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracking {
    /// Parents before those that refer to them, as far as there are no cycles; then by name.
    pub tables: Vec<TrackedTable>,
    /// Whether the application has triggers of its own, or foreign keys whose updates cascade.
    pub has_triggers: bool,
}

/// One table that is kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedTable {
    /// Its lasting number in this database, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// How its rows get their uid.
    pub identity: Identity,
    /// Which way its changes travel.
    pub direction: Direction,
    /// The columns of its primary key, in key order.
    pub key: Vec<KeyColumn>,
    /// The columns that are shared, in the order of declaration.
    pub columns: Vec<TrackedColumn>,
    /// Columns that stay at home.
    pub excluded: Vec<String>,
    /// Sets of columns that the database keeps unique, its key among them where that travels.
    pub unique: Vec<Vec<String>>,
    /// Tables that it refers to by several columns at once, by number: these columns travel one by one.
    pub needs: Vec<u32>,
}

/// A column of a primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub declared_type: String,
    /// Who gives a new row's value.
    pub given_by: KeyGiver,
}

/// Who gives a key column its value in a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyGiver {
    /// The database, when the row is inserted without it.
    Database,
    /// Saddlebag: one more than the greatest, for an integer key that the database does not give.
    Next,
    /// The record: the column is shared like any other.
    Record,
}

/// A shared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedColumn {
    /// Its lasting id within the table, from 0.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// Its declared type; may be empty on SQLite.
    pub declared_type: String,
    /// The table that it refers to, by its number.
    pub reference: Option<u32>,
    /// Whether it holds text that names a table and a key, like Tryton's `party.party,17`.
    pub names_its_table: bool,
    /// Whether its values come from a counter of each database.
    pub is_local_unique: bool,
    /// What it holds where its target is not here, if it may not be null: a value of this database.
    pub without_target: Option<Value>,
    /// Whether this schema lacks it: its values are kept beside the record.
    pub absent: Option<AbsentColumn>,
    /// Whether it refuses null.
    pub not_null: bool,
    /// Its default, as SQL text.
    pub default: Option<String>,
    /// Whether the declared type leaves values as they are given, so that 1 and 1.0 differ: "Determination Of
    /// Column Affinity" in SQLite's "Datatypes In SQLite".
    pub has_no_affinity: bool,
}

/// A column that other places have and this schema lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentColumn {
    /// The table that it refers to there.
    pub references: Option<String>,
}

/// The lasting numbers of tables and ids of columns, and what `setup` last made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbering {
    /// Number and column ids by table name.
    pub tables: BTreeMap<String, (u32, BTreeMap<String, u16>)>,
    /// Columns that bundles brought and this schema lacked: table, column, and what it refers to.
    pub absent: BTreeMap<(String, String), Option<String>>,
    /// What was tracked, in words: equal if and only if the tracking is.
    pub summary: String,
}

/// A configuration that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackingError {
    /// A table that the database has not.
    #[error("saddlebag.toml names the table `{table}`, which the database does not have")]
    NoTable {
        /// The table.
        table: String,
    },
    /// A column that the table has not.
    #[error("saddlebag.toml names the column `{column}` of `{table}`, which the table does not have")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Nothing tells the rows of a table apart.
    #[error("the table `{table}` has no primary key, so its rows cannot be told apart")]
    NoKey {
        /// The table.
        table: String,
    },
    /// A view, a virtual table.
    #[error("`{table}` is {what}, whose rows cannot be kept in step")]
    Unsupported {
        /// The table.
        table: String,
        /// What it is, with its article.
        what: String,
    },
    /// A column is both excluded and needed.
    #[error("the column `{column}` of `{table}` is excluded, but {needed_by} needs it")]
    Excluded {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What needs it.
        needed_by: &'static str,
    },
    /// A foreign key to a table that is not tracked.
    #[error("the column `{column}` of `{table}` refers to `{target}`, which is not kept in step")]
    UntrackedTarget {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The table referred to.
        target: String,
    },
    /// A table whose rows are to be matched, without anything to match them by.
    #[error("the rows of `{table}` are to be matched, but its identity `{identity}` says nothing across places")]
    NothingToMatch {
        /// The table.
        table: String,
        /// Its identity.
        identity: String,
    },
    /// A setting about a column that does not fit it.
    #[error("`{setting}` names the column `{column}` of `{table}`, {reason}")]
    ColumnSetting {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The setting.
        setting: &'static str,
        /// Why it does not fit.
        reason: String,
    },
    /// Natural identities that need each other.
    #[error("the identities of {tables} need each other in a circle")]
    CyclicIdentity {
        /// The tables.
        tables: String,
    },
    /// A natural identity that counts by the local key.
    #[error("the identity of `{table}` uses its integer key `{column}`, which other places give to other records")]
    LocalIdentity {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// More columns than can be tracked.
    #[error("the table `{table}` has {columns} columns; at most {COLUMNS_MAX} can be kept in step")]
    TooManyColumns {
        /// The table.
        table: String,
        /// How many it has.
        columns: usize,
    },
    /// No table at all.
    #[error("saddlebag.toml names no table to be kept in step")]
    Nothing,
}

impl TrackingError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoTable { table } => format!("correct the name, or remove [tables.{table}] from saddlebag.toml"),
            Self::NoColumn { table, .. } => format!("correct the name in [tables.{table}] of saddlebag.toml"),
            Self::NoKey { table } | Self::Unsupported { table, .. } => {
                format!("remove [tables.{table}] from saddlebag.toml")
            }
            Self::Excluded { table, column, .. } => format!("take `{column}` out of `exclude` in [tables.{table}]"),
            Self::UntrackedTarget { table, column, target } => format!(
                "add [tables.{target}] to saddlebag.toml, or write `exclude = [\"{column}\"]` in [tables.{table}]"
            ),
            Self::NothingToMatch { table, .. } => format!(
                "give [tables.{table}] an identity that is the same at every place: uuid, natural, named or copied"
            ),
            Self::ColumnSetting { table, setting, .. } => format!("correct `{setting}` in [tables.{table}]"),
            Self::CyclicIdentity { .. } => "give one of them `identity = \"assigned\"`".to_owned(),
            Self::LocalIdentity { table, .. } => {
                format!("name columns in [tables.{table}] that mean the same everywhere, or write `assigned`")
            }
            Self::TooManyColumns { table, .. } => format!("exclude some columns in [tables.{table}]"),
            Self::Nothing => "add a [tables.NAME] for each table, or run `saddlebag init` for a proposal".to_owned(),
        }
    }
}

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

    /// The table of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&TrackedTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The table that a name like Tryton's `party.party` stands for: with dots for underscores.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&TrackedTable> {
        self.by_name(&name.replace('.', "_"))
    }

    /// The table of this number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<&TrackedTable> {
        self.tables.iter().find(|table| table.number == number)
    }

    /// The tables in an order in which a natural identity's parts are known before it.
    ///
    /// # Errors
    /// [`TrackingError::CyclicIdentity`].
    pub fn identity_order(&self) -> Result<Vec<&TrackedTable>, TrackingError> {
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        while order.len() < self.tables.len() {
            let before = order.len();
            for table in &self.tables {
                let ready = table.identity_references().iter().all(|number| done.contains(number));
                if ready && !done.contains(&table.number) {
                    done.insert(table.number);
                    order.push(table);
                }
            }
            if order.len() == before {
                let left: Vec<_> = self.tables.iter().filter(|table| !done.contains(&table.number)).collect();
                let names: Vec<_> = left.iter().map(|table| format!("`{}`", table.name)).collect();
                return Err(TrackingError::CyclicIdentity { tables: names.join(", ") });
            }
        }
        Ok(order)
    }

    /// What is tracked, in words: equal if and only if the tracking is.
    #[must_use]
    pub fn summary(&self) -> String {
        // What this schema lacks is learnt from bundles, without a setup.
        let mut present = self.clone();
        present.tables.iter_mut().for_each(|table| table.columns.retain(|column| column.absent.is_none()));
        format!("{present:?}")
    }

    /// The lasting numbers and ids in use.
    #[must_use]
    pub fn numbering(&self) -> Numbering {
        let ids = |table: &TrackedTable| table.columns.iter().map(|column| (column.name.clone(), column.id)).collect();
        let tables = self.tables.iter().map(|table| (table.name.clone(), (table.number, ids(table)))).collect();
        let mut absent = BTreeMap::new();
        for table in &self.tables {
            for column in &table.columns {
                if let Some(known) = &column.absent {
                    absent.insert((table.name.clone(), column.name.clone()), known.references.clone());
                }
            }
        }
        Numbering { tables, absent, summary: self.summary() }
    }
}

impl TrackedColumn {
    /// A column that this schema lacks.
    #[must_use]
    pub fn absent(id: u16, name: &str, references: Option<String>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            declared_type: String::new(),
            reference: None,
            names_its_table: false,
            is_local_unique: false,
            without_target: None,
            absent: Some(AbsentColumn { references }),
            not_null: false,
            default: None,
            has_no_affinity: true,
        }
    }

    /// Whether a value is what the column has when nobody says anything: null, or its default where that is plain.
    #[must_use]
    pub fn is_default(&self, value: &Value) -> bool {
        let default = self.default.as_deref().map(str::trim);
        match (value, default) {
            (Value::Null, _) => true,
            (Value::Integer(number), Some(default)) => default.parse() == Ok(*number),
            (Value::Real(number), Some(default)) => {
                default.parse::<f64>().is_ok_and(|default| default.to_bits() == number.to_bits())
            }
            (Value::Text(text), Some(default)) => {
                let inside = default.strip_prefix('\'').and_then(|default| default.strip_suffix('\''));
                inside.is_some_and(|inside| inside.replace("''", "'") == *text)
            }
            _ => false,
        }
    }

    /// Whether it can hold a reference to a record.
    #[must_use]
    pub fn refers(&self) -> bool {
        self.reference.is_some() || self.names_its_table
    }
}

impl TrackedTable {
    /// The columns that this schema has.
    pub fn present(&self) -> impl Iterator<Item = &TrackedColumn> {
        self.columns.iter().filter(|column| column.absent.is_none())
    }

    /// The index of the column of this name.
    #[must_use]
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether this schema lacks a column: it is neither shared here, nor kept at home on purpose.
    #[must_use]
    pub fn lacks(&self, name: &str) -> bool {
        let stays = self.excluded.iter().any(|excluded| excluded == name) || self.key.iter().any(|part| part.name == name);
        self.column_index(name).is_none() && !stays
    }

    /// The index of the column with this id.
    #[must_use]
    pub fn index_of_id(&self, id: u16) -> Option<usize> {
        self.columns.iter().position(|column| column.id == id)
    }

    /// The hash of a row's shared values, given in the order of the columns.
    #[must_use]
    pub fn row_hash(&self, uid: Uid, values: &[Value]) -> u64 {
        row_hash(uid, self.columns.iter().map(|column| column.name.as_str()).zip(values))
    }

    /// The columns of a natural identity or the uuid column, as indexes.
    #[must_use]
    pub fn identity_columns(&self) -> Vec<usize> {
        match &self.identity {
            Identity::Assigned | Identity::Copied | Identity::Named(_) => Vec::new(),
            Identity::Uuid(column) => self.column_index(column).into_iter().collect(),
            Identity::Natural(columns) => columns.iter().filter_map(|name| self.column_index(name)).collect(),
        }
    }

    fn identity_references(&self) -> Vec<u32> {
        self.identity_columns().iter().filter_map(|index| self.columns[*index].reference).collect()
    }
}

/// Text that names a table and a key, like Tryton's `party.party,17`.
#[must_use]
pub fn named_key(name: &str, key: &Value) -> Value {
    let key = match key {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    Value::Text(format!("{name},{key}"))
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
    };
    check_names(&tracked, table, wanted)?;
    check_settings(&tracked, wanted)?;
    Ok(tracked)
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

/// Which columns are references, and to which table number.
fn resolve_references(
    table: &Table,
    wanted: &TableConfig,
    schema: &Schema,
    numbers: &BTreeMap<String, u32>,
) -> Result<BTreeMap<String, u32>, TrackingError> {
    let mut references = BTreeMap::new();
    let mut refer = |column: &String, target: &str| {
        let number = numbers.get(target).ok_or_else(|| TrackingError::UntrackedTarget {
            table: table.name.clone(),
            column: column.clone(),
            target: target.to_owned(),
        })?;
        references.entry(column.clone()).or_insert(*number);
        Ok(())
    };
    for (column, rule) in &wanted.references {
        if let ReferenceRule::Table(target) = rule {
            refer(column, target)?;
        }
    }
    for (column, target) in declared_references(table, schema, &wanted.exclude) {
        refer(&column, &target)?;
    }
    Ok(references)
}

/// What the columns of a table refer to because of the foreign keys that it declares: column and table. A foreign key
/// of which a column is excluded says nothing.
#[must_use]
pub fn declared_references(table: &Table, schema: &Schema, exclude: &[String]) -> Vec<(String, String)> {
    let is_shared = |key: &&ForeignKey| !key.columns.iter().any(|column| exclude.contains(column));
    let of_key = |key: &ForeignKey| {
        let target = |column: &String| Some((column.clone(), target_of(table, column, key, schema, 0)?));
        key.columns.iter().filter_map(target).collect::<Vec<_>>()
    };
    table.foreign_keys.iter().filter(is_shared).flat_map(of_key).collect()
}

/// Deeper than any chain of keys that are foreign keys themselves.
const CHAIN_MAX: u32 = 16;

/// The table whose key stands in a column because of a foreign key. A column that refers to a part of a key, or to
/// another unique column, holds what that one holds: the key of a third table, or a value that travels as it is.
fn target_of(table: &Table, column: &str, key: &ForeignKey, schema: &Schema, depth: u32) -> Option<String> {
    let Some(target) = schema.table(&key.table) else { return Some(key.table.clone()) };
    if key.columns.len() == 1 && carries_local_key(key, schema) {
        return Some(target.name.clone());
    }
    let at = key.columns.iter().position(|name| name == column)?;
    let beyond = key.target_columns.get(at)?;
    if depth > CHAIN_MAX || (target.name == table.name && beyond == column) {
        return None;
    }
    let next = target.foreign_keys.iter().filter(|key| key.columns.contains(beyond));
    next.filter_map(|key| target_of(target, beyond, key, schema, depth + 1)).next()
}

/// Whether the referring value is a key that only this database knows; a reference to a column that travels as
/// it is needs no translation.
fn carries_local_key(foreign_key: &ForeignKey, schema: &Schema) -> bool {
    schema.table(&foreign_key.table).is_none_or(|target| target.primary_key == foreign_key.target_columns)
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
            has_no_affinity: has_no_affinity(&column.declared_type),
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
        Some(TrackedColumn::absent(*ids.get(name)?, name, references.clone()))
    };
    lacking.filter_map(column).collect()
}

fn has_no_affinity(declared_type: &str) -> bool {
    let upper = declared_type.to_ascii_uppercase();
    upper.is_empty() || upper == "ANY" || (upper.contains("BLOB") && !upper.contains("INT") && !upper.contains("CHAR"))
}

fn check_names(
    tracked: &TrackedTable,
    table: &Table,
    wanted: &TableConfig,
) -> Result<(), TrackingError> {
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
    let refused = |setting: &'static str, column: &String, reason: &str| TrackingError::ColumnSetting {
        table: tracked.name.clone(),
        column: column.clone(),
        setting,
        reason: reason.to_owned(),
    };
    let index_of = |setting: &'static str, name: &String| {
        let reason = if wanted.exclude.contains(name) { "which is excluded" } else { "which is no shared column of it" };
        tracked.column_index(name).ok_or_else(|| refused(setting, name, reason))
    };
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
    use crate::schema::Column;

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
