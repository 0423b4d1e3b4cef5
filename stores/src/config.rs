//! What `saddlebag.toml` says of the application's tables.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

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
    /// What becomes of a record that was deleted in one place and edited in another.
    #[serde(default)]
    pub delete: DeletePolicy,
}

/// How a table's rows get their uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// One column that is unique across places.
    Uuid(String),
    /// Columns that together are unique across places.
    Natural(Vec<String>),
    /// Saddlebag gives the uid when it first sees the row.
    Assigned,
}

/// Which way a table's changes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the central and to the satellites.
    #[default]
    Both,
    /// From satellites to their central only.
    Up,
    /// From the central to its satellites only.
    Down,
}

/// What becomes of a record that was deleted in one place and edited, or newly referred to, in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeletePolicy {
    /// It is kept, and returns to where it was deleted.
    #[default]
    Keep,
}

/// An identity that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no identity: write `uuid(column)`, `natural(column, …)` or `assigned`")]
pub struct ParseIdentityError {
    /// What was given.
    pub text: String,
}

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let error = || ParseIdentityError { text: text.to_owned() };
        if text.trim() == "assigned" {
            return Ok(Self::Assigned);
        }
        let (kind, rest) = text.trim().split_once('(').ok_or_else(error)?;
        let inside = rest.strip_suffix(')').ok_or_else(error)?;
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
            Self::Assigned => f.write_str("assigned"),
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
        for text in ["uuid(uuid)", "natural(ref)", "natural(patient_id, program_id)", "assigned"] {
            assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        }
        for text in ["", "uuid", "uuid()", "uuid(a, b)", "natural(a", "natural(a,)", "serial(id)"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
