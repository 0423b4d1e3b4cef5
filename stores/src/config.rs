//! What `saddlebag.toml` says of the application's tables.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod policy;

pub use policy::{ConflictPolicies, ConflictPolicy, DeletePolicy};

/// `[tables.NAME]` for every table that is kept in step.
pub type TablesConfig = BTreeMap<String, TableConfig>;

/// One `[tables.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// How its rows get their uid.
    #[serde(deserialize_with = "from_text")]
    pub identity: Identity,
    /// Which way its changes travel.
    #[serde(default)]
    pub direction: Direction,
    /// Columns that stay at home.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Which of two values stands, where two places wrote one column without having seen each other's value.
    #[serde(default)]
    pub conflicts: ConflictPolicies,
    /// Columns that are merged as one value.
    #[serde(default)]
    pub together: Vec<Vec<String>>,
    /// Columns of which the newest value stands, and nobody is told.
    #[serde(default)]
    pub quiet: Vec<String>,
    /// What becomes of a record that was deleted in one place and edited in another.
    #[serde(default)]
    pub delete: DeletePolicy,
    /// References that no constraint declares, by column.
    #[serde(default)]
    pub references: BTreeMap<String, ReferenceRule>,
    /// Columns whose values come from a counter of each database, so that two places give one to two records.
    #[serde(default)]
    pub local_unique: Vec<String>,
    /// What a column that may not be null holds where the record that it refers to is not here: values of this
    /// database.
    #[serde(default)]
    pub without_target: BTreeMap<String, LocalValue>,
}

/// What a column that no constraint declares refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceRule {
    /// The key of a row of this table, as a number or as text.
    Table(String),
    /// Text that names a table and a key, like Tryton's `party.party,17`; the table is named with dots for
    /// underscores.
    ModelId,
}

/// A value of this database, as a configuration can write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LocalValue {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

/// How a table's rows get their uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// One column that is unique across places.
    Uuid(String),
    /// Columns that together are unique across places.
    Natural(Vec<String>),
    /// A query gives the key of a row and its name, which is the same across places.
    Named(String),
    /// Saddlebag gives the uid when it first sees the row.
    Assigned,
    /// Like [`Identity::Assigned`]; but a row that setup finds is known by its key and its values, so that databases
    /// that began as copies of one another agree on what they have in common.
    Copied,
}

/// Which way a table's changes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the central and to the satellites.
    #[default]
    Both,
    /// From satellites to their central only.
    Up,
    /// From the central to its satellites only.
    Down,
    /// Not at all: its rows are known, so that others can refer to them.
    Match,
}

/// An identity that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no identity: write `uuid(column)`, `natural(column, …)`, `named(QUERY)`, `assigned` or `copied`")]
pub struct ParseIdentityError {
    /// What was given.
    pub text: String,
}

/// A direction that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no direction: write `both`, `up`, `down` or `match`")]
pub struct ParseDirectionError {
    /// What was given.
    pub text: String,
}

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let error = || ParseIdentityError { text: text.to_owned() };
        match text.trim() {
            "assigned" => return Ok(Self::Assigned),
            "copied" => return Ok(Self::Copied),
            _ => {}
        }
        let (kind, rest) = text.trim().split_once('(').ok_or_else(error)?;
        let inside = rest.strip_suffix(')').ok_or_else(error)?;
        if kind.trim() == "named" {
            let query = inside.trim();
            return if query.is_empty() { Err(error()) } else { Ok(Self::Named(query.to_owned())) };
        }
        let columns: Vec<String> = inside.split(',').map(|name| name.trim().to_owned()).collect();
        if columns.iter().any(String::is_empty) {
            return Err(error());
        }
        match (kind.trim(), columns.as_slice()) {
            ("uuid", [column]) => Ok(Self::Uuid(column.clone())),
            ("natural", _) => Ok(Self::Natural(columns)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(column) => write!(f, "uuid({column})"),
            Self::Natural(columns) => write!(f, "natural({})", columns.join(", ")),
            Self::Named(query) => write!(f, "named({query})"),
            Self::Assigned => f.write_str("assigned"),
            Self::Copied => f.write_str("copied"),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "both",
            Self::Up => "up",
            Self::Down => "down",
            Self::Match => "match",
        })
    }
}

impl FromStr for Direction {
    type Err = ParseDirectionError;

    fn from_str(text: &str) -> Result<Self, ParseDirectionError> {
        let all = [Self::Both, Self::Up, Self::Down, Self::Match];
        let found = all.into_iter().find(|direction| direction.to_string() == text);
        found.ok_or_else(|| ParseDirectionError { text: text.to_owned() })
    }
}

impl<'de> Deserialize<'de> for ReferenceRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == "model,id" { Self::ModelId } else { Self::Table(text) })
    }
}

impl fmt::Display for ReferenceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => f.write_str(table),
            Self::ModelId => f.write_str("model,id"),
        }
    }
}

fn from_text<'de, D>(deserializer: D) -> Result<Identity, D::Error>
where
    D: serde::Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_shown() {
        let named = "named(SELECT db_id, module || '.' || fs_id FROM ir_model_data WHERE model IN ('a', 'b'))";
        for text in ["uuid(uuid)", "natural(ref)", "natural(patient_id, program_id)", "assigned", "copied", named] {
            assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        }
        for text in ["", "uuid", "uuid()", "uuid(a, b)", "natural(a", "natural(a,)", "serial(id)", "named()"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
