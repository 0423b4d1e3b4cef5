//! What a node's database holds, read with SQL alone.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_tests::app::{App, Sql};

use super::schema::{Role, Spec, Style, quote};

/// A row: its key here, and its columns in the order of the schema's, none where this node lacks it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: Vec<Sql>,
    pub(crate) tag: String,
    pub(crate) values: Vec<Option<Sql>>,
}

/// All rows of all tables, by table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Look {
    pub(crate) tables: Vec<Vec<Row>>,
}

impl Look {
    pub(crate) fn at(app: &App, spec: &Spec, node: usize) -> Self {
        let table = |index: usize| {
            let table = &spec.tables[index];
            let keys = table.key_names();
            let present: Vec<usize> = (0..table.columns.len()).filter(|at| spec.is_present(node, index, *at)).collect();
            let columns = present.iter().map(|at| table.columns[*at].name.as_str());
            let names: Vec<String> = keys.iter().copied().chain(columns).map(quote).collect();
            let sql = format!("SELECT {} FROM {}", names.join(", "), quote(&table.name));
            let row = |mut key: Vec<Sql>| {
                let mut values = vec![None; table.columns.len()];
                for (at, value) in present.iter().zip(key.split_off(keys.len())) {
                    values[*at] = Some(value);
                }
                let tag = match &values[table.tag()] {
                    Some(Sql::Text(tag)) => tag.clone(),
                    other => panic!("{} has a row without a tag: {other:?}", table.name),
                };
                Row { key, tag, values }
            };
            let mut rows: Vec<Row> = app.rows(&sql, &[]).unwrap().into_iter().map(row).collect();
            if spec.is_server(node) {
                // A server gives them in whatever order; the work that follows from a seed must not depend on it.
                rows.sort_by(|a, b| a.tag.cmp(&b.tag));
            }
            rows
        };
        Self { tables: (0..spec.tables.len()).map(table).collect() }
    }

    pub(crate) fn row(&self, table: usize, tag: &str) -> Option<&Row> {
        self.tables[table].iter().find(|row| row.tag == tag)
    }
}

/// Which row each key of a table has ever meant at a node: what refers to a row that has gone still means it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    tags: BTreeMap<(usize, String), String>,
    /// Rows that stay at home: elsewhere nobody can mean them.
    home: BTreeSet<(usize, String)>,
}

impl Keys {
    pub(crate) fn learn(&mut self, look: &Look) {
        for (table, rows) in look.tables.iter().enumerate() {
            for row in rows {
                self.tags.insert((table, plain(&row.key[0])), row.tag.clone());
            }
        }
    }

    pub(crate) fn stays_home(&mut self, table: usize, key: &Sql) {
        self.home.insert((table, plain(key)));
    }

    /// The row that a key has meant.
    pub(crate) fn tag(&self, table: usize, key: &str) -> Option<&String> {
        self.tags.get(&(table, key.to_owned()))
    }

    fn meant(&self, table: usize, key: &str) -> String {
        let spot = (table, key.to_owned());
        match self.tags.get(&spot).filter(|_| !self.home.contains(&spot)) {
            Some(tag) => tag.clone(),
            None => format!("dangling {key}"),
        }
    }
}

/// A value as SQL would write it, without its type: keys.
pub(crate) fn plain(value: &Sql) -> String {
    match value {
        Sql::Null => "null".to_owned(),
        Sql::Integer(number) => number.to_string(),
        Sql::Real(number) => number.to_string(),
        Sql::Text(text) => text.clone(),
        Sql::Blob(bytes) => format!("{bytes:?}"),
    }
}

/// A value with its type.
pub(crate) fn typed(value: &Sql) -> String {
    match value {
        Sql::Null => "null".to_owned(),
        Sql::Integer(number) => format!("integer {number}"),
        Sql::Real(number) => format!("real {:016x}", number.to_bits()),
        Sql::Text(text) => format!("text {text}"),
        Sql::Blob(bytes) => format!("blob {bytes:?}"),
    }
}

/// What a value means, the same at every place: a reference is the tag of what it refers to.
pub(crate) fn meaning(spec: &Spec, keys: &Keys, table: usize, column: usize, value: &Sql) -> String {
    match (&spec.tables[table].columns[column].role, value) {
        (_, Sql::Null) => "null".to_owned(),
        (Role::Refers(reference), value) => {
            let key = plain(value);
            debug_assert!(reference.style != Style::InText || matches!(value, Sql::Text(_)));
            format!("-> {}", keys.meant(reference.to, &key))
        }
        (Role::Model, Sql::Text(text)) => model(spec, keys, text),
        (_, value) => typed(value),
    }
}

/// The table and the key that a reference without a constraint holds.
pub(crate) fn soft_key(spec: &Spec, table: usize, column: usize, value: &Sql) -> Option<(usize, String)> {
    match (&spec.tables[table].columns[column].role, value) {
        (_, Sql::Null) => None,
        (Role::Refers(reference), value) if reference.style != Style::Declared => Some((reference.to, plain(value))),
        (Role::Model, Sql::Text(text)) => {
            let (model, key) = text.rsplit_once(',')?;
            Some((spec.tables.iter().position(|table| table.model() == model)?, key.to_owned()))
        }
        _ => None,
    }
}

fn model(spec: &Spec, keys: &Keys, text: &str) -> String {
    let Some((model, key)) = text.rsplit_once(',') else { return format!("text {text}") };
    let found = spec.tables.iter().position(|table| table.model() == model);
    match found.map(|table| keys.meant(table, key)) {
        Some(tag) if !tag.starts_with("dangling") => format!("-> {model},{tag}"),
        _ => format!("-> dangling {text}"),
    }
}
