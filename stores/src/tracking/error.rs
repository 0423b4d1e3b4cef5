//! Why a configuration does not fit the schema.

use super::COLUMNS_MAX;

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
