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

/// What an application's own catalogue says of its tables, where the schema itself is silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// Whose catalogue it is, as people know it: `Tryton`.
    pub of: &'static str,
    /// References, declared or not, in order of table and column. Tables and columns are there; targets may not be.
    pub references: Vec<CatalogueReference>,
    /// Tables of which it names rows, so that every place knows them by the same names; in order of name.
    pub named: Vec<NamedTable>,
}

/// A reference that a catalogue knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogueReference {
    /// The referring table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// What it refers to.
    pub target: CatalogueTarget,
}

/// What a reference refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CatalogueTarget {
    /// The key of a row of this table.
    Table(String),
    /// Text that names a table and a key, like Tryton's `party.party,17`; the tables named in this database.
    ModelId(Vec<String>),
}

/// A table of which a catalogue names rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTable {
    /// The table.
    pub table: String,
    /// How many of its rows have a name.
    pub rows: u64,
    /// A query that gives key and name of each: what `named(QUERY)` takes.
    pub query: String,
}

/// A question about a column that only its values answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnQuestion {
    /// Whether the values are keys of the rows of `target`, whose key is the one column `key`.
    Reference {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The table that it may refer to.
        target: String,
        /// The key column of that one.
        key: String,
    },
    /// Whether the values come from a counter: numbers, alone or behind the same text, that lie close together.
    Counter {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

/// What the values of a column say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnEvidence {
    /// How many values there are that are not null.
    pub values: u64,
    /// Of these, how many fit what was asked.
    pub fitting: u64,
}

impl ColumnEvidence {
    /// Whether all values fit, and there is at least one.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.values > 0 && self.fitting == self.values
    }
}
