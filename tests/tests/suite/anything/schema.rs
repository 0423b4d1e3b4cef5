//! A schema of any kind, put together at random: what its tables and columns are, as SQL and as configuration.

use std::fmt::Write as _;

/// The nodes; the first is the central of the others.
pub(crate) const NAMES: [&str; 3] = ["ministry", "clinic-a", "clinic-b"];

/// What a column is for, which says how it is declared and which values it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Names the record to the test: written once, never edited.
    Tag,
    /// Text of which no two are equal.
    Words { default: bool },
    /// As `Words`; this node refuses those that begin with `bad`.
    Checked { at: usize },
    /// As `Words`; stays at home.
    Excluded,
    /// As `Words`; a trigger of these nodes' applications writes it in capitals.
    Capitals { at: [bool; 3] },
    /// Text of which few are different: a part of an identity.
    Name { required: bool },
    /// A number of which few are different.
    Number,
    /// A UUID.
    Uuid,
    /// Text of which few are different, kept unique by these nodes and no part of the identity.
    Scarce { at: [bool; 3] },
    /// Text from a counter of each database.
    Counter { unique: bool },
    /// Any type, in a column that takes all of them.
    Loose,
    /// Text that looks like a number; this node keeps numbers there.
    Figure { numeric_at: usize },
    /// The key of a row of another table.
    Refers(Reference),
    /// Text that names a table and a key.
    Model,
    /// One of two columns that refer together to the key of a table: which part of it.
    Joint { to: usize, part: usize },
    /// Computed by the database from the tag.
    Generated { stored: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Index of the table.
    pub(crate) to: usize,
    pub(crate) style: Style,
    pub(crate) required: bool,
    /// What a declared one does when its target goes: `CASCADE`, `SET NULL` or nothing.
    pub(crate) on_delete: &'static str,
    /// What stands in it where its target never comes.
    pub(crate) without_target: Option<i64>,
}

/// How a reference is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Declared,
    /// By the configuration; the key as it is.
    Bare,
    /// By the configuration; the key as text.
    InText,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The node whose schema lacks it.
    pub(crate) lacking: Option<usize>,
}

/// A table's primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// `INTEGER PRIMARY KEY`.
    Rowid { autoincrement: bool },
    /// An integer that the application gives.
    Given,
    /// `INTEGER PRIMARY KEY DESC`, which is no rowid.
    Descending,
    /// These columns, by index.
    Columns(Vec<usize>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Assigned,
    Copied,
    Uuid(usize),
    Natural(Vec<usize>),
    /// By a table of labels that is not kept in step.
    Named,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// What it is in the world, for the counts.
    pub(crate) part: &'static str,
    pub(crate) name: String,
    /// The name of the key column, where the key is no shared column.
    pub(crate) id: String,
    pub(crate) key: Key,
    pub(crate) without_rowid: bool,
    pub(crate) identity: Identity,
    /// Whether the database itself keeps the identity unique.
    pub(crate) unique_identity: bool,
    pub(crate) direction: &'static str,
    pub(crate) columns: Vec<Column>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Spec {
    pub(crate) tables: Vec<Table>,
    /// Insertions into the first table are noted by a trigger in the second.
    pub(crate) audited: Option<(usize, usize)>,
    /// Whether changed keys are followed by what refers to them.
    pub(crate) cascades_updates: bool,
}

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn toml(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

impl Table {
    /// The name as it stands in text like `party.party,17`.
    pub(crate) fn model(&self) -> String {
        self.name.replace('_', ".")
    }

    pub(crate) fn tag(&self) -> usize {
        self.columns.iter().position(|column| column.role == Role::Tag).unwrap()
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The names of the columns of its key.
    pub(crate) fn key_names(&self) -> Vec<&str> {
        match &self.key {
            Key::Columns(columns) => columns.iter().map(|index| self.columns[*index].name.as_str()).collect(),
            _ => vec![&self.id],
        }
    }

    pub(crate) fn key_condition(&self, first: usize) -> String {
        let names = self.key_names();
        let equal = |(at, name): (usize, &&str)| format!("{} = ?{}", quote(name), at + first);
        names.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    pub(crate) fn identity_columns(&self) -> Vec<usize> {
        match &self.identity {
            Identity::Uuid(column) => vec![*column],
            Identity::Natural(columns) => columns.clone(),
            _ => Vec::new(),
        }
    }

    /// Sets of columns that the database keeps unique at a node, without an integer key.
    pub(crate) fn unique(&self, node: usize) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = Vec::new();
        if let Key::Columns(columns) = &self.key {
            sets.push(columns.clone());
        }
        if self.unique_identity && self.identity != Identity::Named {
            sets.push(self.identity_columns());
        }
        for (index, column) in self.columns.iter().enumerate() {
            match &column.role {
                Role::Scarce { at } if at[node] => sets.push(vec![index]),
                Role::Counter { unique: true } => sets.push(vec![index]),
                _ => {}
            }
        }
        sets.retain(|set| !set.is_empty());
        sets
    }
}

impl Spec {
    pub(crate) fn is_present(&self, node: usize, table: usize, column: usize) -> bool {
        self.tables[table].columns[column].lacking != Some(node)
    }

    /// The declaration of a column at a node.
    pub(crate) fn declaration(&self, node: usize, table: usize, column: usize) -> String {
        let Column { name, role, .. } = &self.tables[table].columns[column];
        let name = quote(name);
        let kind = match role {
            Role::Tag | Role::Uuid => "TEXT NOT NULL".to_owned(),
            Role::Words { default: true } => "TEXT DEFAULT 'nothing'".to_owned(),
            Role::Words { .. } | Role::Excluded | Role::Capitals { .. } | Role::Model => "TEXT".to_owned(),
            Role::Checked { at } if *at == node => format!("TEXT CHECK ({name} NOT LIKE 'bad%')"),
            Role::Checked { .. } => "TEXT".to_owned(),
            Role::Name { required } => if *required { "TEXT NOT NULL" } else { "TEXT" }.to_owned(),
            Role::Number => "INTEGER NOT NULL".to_owned(),
            Role::Scarce { at } => if at[node] { "TEXT UNIQUE" } else { "TEXT" }.to_owned(),
            Role::Counter { unique } => if *unique { "VARCHAR UNIQUE" } else { "VARCHAR" }.to_owned(),
            Role::Loose => String::new(),
            Role::Figure { numeric_at } => if *numeric_at == node { "NUMERIC(10, 2)" } else { "TEXT" }.to_owned(),
            Role::Refers(reference) => self.reference(reference),
            Role::Joint { part, .. } => if *part == 0 { "TEXT" } else { "INTEGER" }.to_owned(),
            Role::Generated { stored } => {
                let tag = quote(&self.tables[table].columns[self.tables[table].tag()].name);
                format!("TEXT GENERATED ALWAYS AS ({tag} || '!') {}", if *stored { "STORED" } else { "VIRTUAL" })
            }
        };
        format!("{name} {kind}")
    }

    fn reference(&self, reference: &Reference) -> String {
        let target = &self.tables[reference.to];
        let is_own = |columns: &Vec<usize>| !matches!(target.columns[columns[0]].role, Role::Refers(_));
        let is_text = matches!(&target.key, Key::Columns(columns) if is_own(columns));
        let kind = if is_text || reference.style == Style::InText { "TEXT" } else { "INTEGER" };
        let mut text = format!("{kind}{}", if reference.required { " NOT NULL" } else { "" });
        if reference.style == Style::Declared {
            let (name, key) = (quote(&target.name), quote(target.key_names()[0]));
            let _ = write!(text, " REFERENCES {name} ({key}){}", self.on_update());
            if !reference.on_delete.is_empty() {
                let _ = write!(text, " ON DELETE {}", reference.on_delete);
            }
        }
        text
    }

    fn on_update(&self) -> &'static str {
        if self.cascades_updates { " ON UPDATE CASCADE" } else { "" }
    }

    fn create_table(&self, node: usize, index: usize) -> String {
        let table = &self.tables[index];
        let mut lines = Vec::new();
        match &table.key {
            Key::Rowid { autoincrement } => {
                let more = if *autoincrement { " AUTOINCREMENT" } else { "" };
                lines.push(format!("{} INTEGER PRIMARY KEY{more}", quote(&table.id)));
            }
            Key::Given => lines.push(format!("{} INTEGER PRIMARY KEY", quote(&table.id))),
            Key::Descending => lines.push(format!("{} INTEGER PRIMARY KEY DESC", quote(&table.id))),
            Key::Columns(_) => {}
        }
        for column in 0..table.columns.len() {
            if self.is_present(node, index, column) {
                lines.push(self.declaration(node, index, column));
            }
        }
        let list = |columns: &[usize]| {
            columns.iter().map(|column| quote(&table.columns[*column].name)).collect::<Vec<_>>().join(", ")
        };
        if let Key::Columns(columns) = &table.key {
            lines.push(format!("PRIMARY KEY ({})", list(columns)));
        }
        if table.unique_identity && !table.identity_columns().is_empty() {
            lines.push(format!("UNIQUE ({})", list(&table.identity_columns())));
        }
        let joint: Vec<usize> = (0..table.columns.len())
            .filter(|column| matches!(table.columns[*column].role, Role::Joint { .. }))
            .collect();
        if let Some(Role::Joint { to, .. }) = joint.first().map(|column| &table.columns[*column].role) {
            let target = &self.tables[*to];
            let keys: Vec<String> = target.key_names().into_iter().map(quote).collect();
            let (own, name) = (list(&joint), quote(&target.name));
            lines.push(format!("FOREIGN KEY ({own}) REFERENCES {name} ({}){}", keys.join(", "), self.on_update()));
        }
        let end = if table.without_rowid { " WITHOUT ROWID" } else { "" };
        format!("CREATE TABLE {} ({}){end};", quote(&table.name), lines.join(", "))
    }

    fn triggers(&self, node: usize) -> String {
        let mut sql = String::new();
        for (at, table) in self.tables.iter().enumerate() {
            let (name, tag) = (quote(&table.name), quote(&table.columns[table.tag()].name));
            for (index, column) in table.columns.iter().enumerate() {
                let Role::Capitals { at: nodes } = &column.role else { continue };
                if !nodes[node] {
                    continue;
                }
                let column = quote(&column.name);
                for (event, when) in [("i", "INSERT".to_owned()), ("u", format!("UPDATE OF {column}"))] {
                    let _ = write!(
                        sql,
                        "CREATE TRIGGER capitals_{at}_{index}_{event} AFTER {when} ON {name} \
                         WHEN NEW.{column} <> upper(NEW.{column}) BEGIN \
                         UPDATE {name} SET {column} = upper({column}) WHERE {tag} = NEW.{tag}; END;"
                    );
                }
            }
        }
        if let Some((from, to)) = self.audited {
            let (from, to) = (&self.tables[from], &self.tables[to]);
            let columns: Vec<String> = to.columns.iter().map(|column| quote(&column.name)).collect();
            let tag = quote(&from.columns[from.tag()].name);
            let _ = write!(
                sql,
                "CREATE TRIGGER audit AFTER INSERT ON {} BEGIN UPDATE tick SET n = n + 1; \
                 INSERT INTO {} ({}) SELECT 'audit-{}-' || n, 'saw ' || NEW.{tag} FROM tick; END;",
                quote(&from.name),
                quote(&to.name),
                columns[..2].join(", "),
                NAMES[node],
            );
        }
        sql
    }

    /// The application's schema at a node.
    pub(crate) fn sql(&self, node: usize) -> String {
        let mut sql = "CREATE TABLE heap (x); CREATE TABLE tick (n); INSERT INTO tick VALUES (0);
            CREATE VIEW glance AS SELECT x FROM heap;"
            .to_owned();
        for index in 0..self.tables.len() {
            sql += &self.create_table(node, index);
            if self.tables[index].identity == Identity::Named {
                sql += "CREATE TABLE label (of INTEGER, label TEXT);";
            }
        }
        sql + &self.triggers(node)
    }

    /// The configuration: `[TABLE]` sections.
    pub(crate) fn config(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            let name = |column: &usize| table.columns[*column].name.clone();
            let identity = match &table.identity {
                Identity::Assigned => "assigned".to_owned(),
                Identity::Copied => "copied".to_owned(),
                Identity::Uuid(column) => format!("uuid({})", name(column)),
                Identity::Natural(columns) => {
                    format!("natural({})", columns.iter().map(name).collect::<Vec<_>>().join(", "))
                }
                Identity::Named => "named(SELECT of, label FROM label)".to_owned(),
            };
            let _ = writeln!(text, "[{}]\nidentity = {}", toml(&table.name), toml(&identity));
            let _ = writeln!(text, "direction = {}", toml(table.direction));
            let of = |is: &dyn Fn(&Role) -> bool| -> String {
                let found = table.columns.iter().filter(|column| is(&column.role));
                found.map(|column| toml(&column.name)).collect::<Vec<_>>().join(", ")
            };
            let _ = writeln!(text, "exclude = [{}]", of(&|role| *role == Role::Excluded));
            let _ = writeln!(text, "local_unique = [{}]", of(&|role| matches!(role, Role::Counter { .. })));
            let (mut references, mut defaults) = (Vec::new(), Vec::new());
            for column in &table.columns {
                let key = toml(&column.name);
                match &column.role {
                    Role::Model => references.push(format!("{key} = \"model,id\"")),
                    Role::Refers(reference) => {
                        if reference.style != Style::Declared {
                            references.push(format!("{key} = {}", toml(&self.tables[reference.to].name)));
                        }
                        defaults.extend(reference.without_target.map(|number| format!("{key} = {number}")));
                    }
                    _ => {}
                }
            }
            let _ = writeln!(text, "references = {{ {} }}", references.join(", "));
            let _ = writeln!(text, "without_target = {{ {} }}", defaults.join(", "));
        }
        text
    }
}
