//! The application's schema, as the database itself describes it.

/// All tables of the application; saddlebag's own are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// In order of name.
    pub tables: Vec<Table>,
    /// Whether the application has triggers of its own, or foreign keys whose updates cascade.
    pub has_triggers: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, as declared.
    pub name: String,
    /// In the order of declaration; generated columns are left out.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in key order; empty if there is none.
    pub primary_key: Vec<String>,
    /// Declared foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Columns of each unique constraint or full unique index but the primary key.
    pub unique: Vec<Vec<String>>,
    /// Whether the database gives a new row its key: SQLite's `INTEGER PRIMARY KEY`.
    pub key_is_given: bool,
    /// Why this is no table that rows can be kept in step of, where that is so: a view, a virtual table.
    pub unsupported: Option<&'static str>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type; may be empty on SQLite.
    pub declared_type: String,
    /// Whether it refuses null.
    pub not_null: bool,
    /// Its default, as SQL text.
    pub default: Option<String>,
}

/// One declared foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub table: String,
    /// Its columns that are referred to.
    pub target_columns: Vec<String>,
}

impl Schema {
    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether exactly these columns are unique, in whatever order.
    #[must_use]
    pub fn is_unique(&self, columns: &[String]) -> bool {
        let same =
            |unique: &Vec<String>| unique.len() == columns.len() && unique.iter().all(|name| columns.contains(name));
        self.unique.iter().any(same) || same(&self.primary_key)
    }
}
