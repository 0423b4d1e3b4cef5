//! A schema of any kind, put together at random: what its tables and columns are, as SQL and as configuration.

use std::fmt::Write as _;

use saddlebag_tests::engines::{Engine, Engines, any, engine_of};

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
    /// Any type, in a column that takes all of them; text where some node is on PostgreSQL, which has no such column.
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
    /// The nodes' databases.
    pub(crate) engines: Engines,
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

    pub(crate) fn is_server(&self, node: usize) -> bool {
        engine_of(self.engines, node) == Engine::Postgres
    }

    /// Whether a column without a type is one of text.
    pub(crate) fn is_typed(&self) -> bool {
        any(self.engines, Engine::Postgres)
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
            Role::Loose => if self.is_typed() { "TEXT" } else { "" }.to_owned(),
            Role::Figure { numeric_at } => if *numeric_at == node { "NUMERIC(10, 2)" } else { "TEXT" }.to_owned(),
            Role::Refers(reference) => self.reference(node, reference),
            Role::Joint { part, .. } => if *part == 0 { "TEXT" } else { "INTEGER" }.to_owned(),
            Role::Generated { stored } => {
                let tag = quote(&self.tables[table].columns[self.tables[table].tag()].name);
                let is_stored = *stored || self.is_server(node);
                format!("TEXT GENERATED ALWAYS AS ({tag} || '!') {}", if is_stored { "STORED" } else { "VIRTUAL" })
            }
        };
        format!("{name} {kind}")
    }

    fn reference(&self, node: usize, reference: &Reference) -> String {
        let target = &self.tables[reference.to];
        let is_own = |columns: &Vec<usize>| !matches!(target.columns[columns[0]].role, Role::Refers(_));
        let is_text = matches!(&target.key, Key::Columns(columns) if is_own(columns));
        let kind = if is_text || reference.style == Style::InText { "TEXT" } else { "INTEGER" };
        let mut text = format!("{kind}{}", if reference.required { " NOT NULL" } else { "" });
        // PostgreSQL knows no table that is still to be made: there they are declared afterwards.
        if reference.style == Style::Declared && !self.is_server(node) {
            text += &self.target(reference);
        }
        text
    }

    fn target(&self, reference: &Reference) -> String {
        let target = &self.tables[reference.to];
        let (name, key) = (quote(&target.name), quote(target.key_names()[0]));
        let mut text = format!(" REFERENCES {name} ({key}){}", self.on_update());
        if !reference.on_delete.is_empty() {
            let _ = write!(text, " ON DELETE {}", reference.on_delete);
        }
        text
    }

    /// The foreign keys of a table of a server, once all tables are there.
    fn foreign_keys(&self, table: &Table) -> String {
        let mut sql = String::new();
        let name = quote(&table.name);
        for column in &table.columns {
            match &column.role {
                Role::Refers(reference) if reference.style == Style::Declared => {
                    let (column, target) = (quote(&column.name), self.target(reference));
                    let _ = write!(sql, "ALTER TABLE {name} ADD FOREIGN KEY ({column}){target};");
                }
                _ => {}
            }
        }
        if let Some(joint) = self.joint(table) {
            let _ = write!(sql, "ALTER TABLE {name} ADD {joint};");
        }
        sql
    }

    /// The foreign key of two columns, if the table has one.
    fn joint(&self, table: &Table) -> Option<String> {
        let columns: Vec<&Column> =
            table.columns.iter().filter(|column| matches!(column.role, Role::Joint { .. })).collect();
        let Role::Joint { to, .. } = columns.first()?.role else { return None };
        let target = &self.tables[to];
        let own: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
        let keys: Vec<String> = target.key_names().into_iter().map(quote).collect();
        let (own, name, keys) = (own.join(", "), quote(&target.name), keys.join(", "));
        Some(format!("FOREIGN KEY ({own}) REFERENCES {name} ({keys}){}", self.on_update()))
    }

    fn on_update(&self) -> &'static str {
        if self.cascades_updates { " ON UPDATE CASCADE" } else { "" }
    }

    fn create_table(&self, node: usize, index: usize) -> String {
        let table = &self.tables[index];
        let mut lines = Vec::new();
        let id = quote(&table.id);
        match &table.key {
            Key::Rowid { autoincrement: true } if self.is_server(node) => {
                lines.push(format!("{id} bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"));
            }
            Key::Rowid { .. } if self.is_server(node) => lines.push(format!("{id} serial PRIMARY KEY")),
            Key::Given | Key::Descending if self.is_server(node) => lines.push(format!("{id} integer PRIMARY KEY")),
            Key::Rowid { autoincrement } => {
                let more = if *autoincrement { " AUTOINCREMENT" } else { "" };
                lines.push(format!("{id} INTEGER PRIMARY KEY{more}"));
            }
            Key::Given => lines.push(format!("{id} INTEGER PRIMARY KEY")),
            Key::Descending => lines.push(format!("{id} INTEGER PRIMARY KEY DESC")),
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
        lines.extend(self.joint(table).filter(|_| !self.is_server(node)));
        let end = if table.without_rowid && !self.is_server(node) { " WITHOUT ROWID" } else { "" };
        format!("CREATE TABLE {} ({}){end};", quote(&table.name), lines.join(", "))
    }

    /// The same as [`Spec::triggers`], as PostgreSQL's applications do it.
    fn triggers_of_server(&self, node: usize) -> String {
        let mut sql = String::new();
        let mut add = |at: &str, name: &str, body: String, when: String| {
            let _ = write!(
                sql,
                "CREATE FUNCTION {at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
                 CREATE TRIGGER {at} {when} ON {name} FOR EACH ROW EXECUTE FUNCTION {at}();"
            );
        };
        for (at, table) in self.tables.iter().enumerate() {
            for (index, column) in table.columns.iter().enumerate() {
                if !matches!(&column.role, Role::Capitals { at } if at[node]) {
                    continue;
                }
                let column = quote(&column.name);
                let body = format!("NEW.{column} := upper(NEW.{column}); RETURN NEW;");
                let when = format!("BEFORE INSERT OR UPDATE OF {column}");
                add(&format!("capitals_{at}_{index}"), &quote(&table.name), body, when);
            }
        }
        if let Some((from, to)) = self.audited {
            let (from, to) = (&self.tables[from], &self.tables[to]);
            let columns: Vec<String> = to.columns.iter().map(|column| quote(&column.name)).collect();
            let body = format!(
                "UPDATE tick SET n = n + 1; INSERT INTO {} ({}) SELECT 'audit-{}-' || n, 'saw ' || NEW.{} FROM tick; \
                 RETURN NULL;",
                quote(&to.name),
                columns[..2].join(", "),
                NAMES[node],
                quote(&from.columns[from.tag()].name),
            );
            add("audit_it", &quote(&from.name), body, "AFTER INSERT".to_owned());
        }
        sql
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
        let mut sql = "CREATE TABLE heap (x INTEGER); CREATE TABLE tick (n INTEGER); INSERT INTO tick VALUES (0);
            CREATE VIEW glance AS SELECT x FROM heap;"
            .to_owned();
        for index in 0..self.tables.len() {
            sql += &self.create_table(node, index);
            if self.tables[index].identity == Identity::Named {
                sql += "CREATE TABLE label (of INTEGER, label TEXT);";
            }
        }
        if !self.is_server(node) {
            return sql + &self.triggers(node);
        }
        self.tables.iter().for_each(|table| sql += &self.foreign_keys(table));
        sql + &self.triggers_of_server(node)
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
