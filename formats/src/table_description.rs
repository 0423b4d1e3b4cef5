//! What a `changes` member says of a table: its name, its identity, its columns.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::change::{ColumnDescription, TableDescription};
use crate::limits::COLUMNS_PER_TABLE_MAX;

/// A table's description on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableDescriptionV1 {
    name: String,
    identity: String,
    columns: Bounded<ColumnDescriptionV1, COLUMNS_PER_TABLE_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ColumnDescriptionV1 {
    name: String,
    references: Option<String>,
}

impl TableDescriptionV1 {
    /// How many columns it describes.
    pub(crate) fn columns(&self) -> usize {
        self.columns.0.len()
    }
}

impl From<&TableDescription> for TableDescriptionV1 {
    fn from(table: &TableDescription) -> Self {
        let column = |column: &ColumnDescription| ColumnDescriptionV1 {
            name: column.name.clone(),
            references: column.references.clone(),
        };
        Self {
            name: table.name.clone(),
            identity: table.identity.clone(),
            columns: Bounded(table.columns.iter().map(column).collect()),
        }
    }
}

impl From<&TableDescriptionV1> for TableDescription {
    fn from(wire: &TableDescriptionV1) -> Self {
        let column = |column: &ColumnDescriptionV1| ColumnDescription {
            name: column.name.clone(),
            references: column.references.clone(),
        };
        Self {
            name: wire.name.clone(),
            identity: wire.identity.clone(),
            columns: wire.columns.0.iter().map(column).collect(),
        }
    }
}
