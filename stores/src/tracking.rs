//! Which tables are kept in step, resolved against the schema: every name is known to exist, every reference to
//! point to a tracked table, every table to have a key and an identity that can be computed.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::hash::row_hash;
use saddlebag_formats::{Uid, Value};

use crate::config::{ConflictPolicy, DeletePolicy, Direction, Identity};

mod error;
mod policies;
mod references;
mod resolve;

pub use error::TrackingError;
pub use references::declared_references;

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
    /// Columns that are merged as one value, by id: an edit of one is an edit of all.
    pub together: Vec<Vec<u16>>,
    /// What becomes of a record that was deleted in one place and edited in another.
    pub delete: DeletePolicy,
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
    /// Which of two values stands.
    pub conflicts: ConflictPolicy,
    /// Whether the newest value stands and nobody is told.
    pub is_quiet: bool,
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

impl Tracking {
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

    /// What is compared between two places, as a number: tables that travel both ways, how they get their uids, and their
    /// columns. Row hashes of other shapes mean other things, and cannot be compared: a column that is not there has no
    /// value, where at the other place its default stands in rows that nobody has ever written.
    #[must_use]
    pub fn shape(&self) -> u64 {
        let mut parts = Vec::new();
        for table in self.tables.iter().filter(|table| table.direction == Direction::Both) {
            parts.push((table.name.clone(), Value::Text(table.identity.to_string())));
            for column in &table.columns {
                let target = column.reference.and_then(|number| self.by_number(number));
                let elsewhere = column.absent.as_ref().and_then(|absent| absent.references.clone());
                let target = target.map(|table| table.name.clone()).or(elsewhere).unwrap_or_default();
                let is_absent = if column.absent.is_some() { "absent" } else { "present" };
                let what = Value::Text(format!("{is_absent} {target}"));
                parts.push((format!("{}\u{0}{}", table.name, column.name), what));
            }
        }
        row_hash(Uid([0; 16]), parts.iter().map(|(name, what)| (name.as_str(), what)))
    }

    /// The same as far as it was tracked before: without the tables and columns that are new.
    #[must_use]
    pub fn as_far_as(&self, known: &Numbering) -> Self {
        let mut before = self.clone();
        before.tables.retain(|table| known.tables.contains_key(&table.name));
        let numbers: BTreeSet<u32> = before.tables.iter().map(|table| table.number).collect();
        for table in &mut before.tables {
            let Some((_, ids)) = known.tables.get(&table.name) else { continue };
            table.columns.retain(|column| ids.contains_key(&column.name));
            for column in &mut table.columns {
                if let Some(references) = known.absent.get(&(table.name.clone(), column.name.clone())) {
                    *column = TrackedColumn::absent(column.id, &column.name, references.clone());
                }
                column.reference = column.reference.filter(|number| numbers.contains(number));
            }
        }
        before
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
            conflicts: ConflictPolicy::default(),
            is_quiet: false,
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
        let stays =
            self.excluded.iter().any(|excluded| excluded == name) || self.key.iter().any(|part| part.name == name);
        self.column_index(name).is_none() && !stays
    }

    /// The index of the column with this id.
    #[must_use]
    pub fn index_of_id(&self, id: u16) -> Option<usize> {
        self.columns.iter().position(|column| column.id == id)
    }

    /// The number of the group of columns that a column, by its id, is merged with as one value.
    #[must_use]
    pub fn group_of(&self, id: u16) -> Option<usize> {
        self.together.iter().position(|group| group.contains(&id))
    }

    /// Those columns, by id, and all that are merged with one of them as one value.
    #[must_use]
    pub fn with_companions(&self, columns: &[u16]) -> Vec<u16> {
        let mut all = columns.to_vec();
        for group in &self.together {
            if group.iter().any(|id| columns.contains(id)) {
                all.extend(group.iter().filter(|id| !columns.contains(id)));
            }
        }
        all
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
