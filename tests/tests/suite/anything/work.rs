//! What applications do: everything that SQL lets them.

use saddlebag_tests::app::Sql;
use saddlebag_tests::fleet::TestEntropy;

use super::look::{Row, plain};
use super::schema::{Identity, Key, NAMES, Reference, Role, Style, quote};
use super::world::World;

type Statement = (String, Vec<Sql>);

/// One row to be written: columns by name.
type Values = Vec<(String, Sql)>;

fn text(text: impl Into<String>) -> Sql {
    Sql::Text(text.into())
}

impl World {
    /// Some application does something.
    pub(crate) fn work(&mut self) {
        let node = self.random.below(NAMES.len());
        let table = self.random.below(self.spec.tables.len());
        if !self.may_write(node, table) {
            return;
        }
        match self.random.below(34) {
            0..=8 => self.insert(node, table),
            9..=15 => self.edit(node, table),
            16 => self.idle(node, table),
            17 => self.edit_often(node, table),
            18 | 19 => self.delete(node, table),
            20 => self.delete_with_children(node, table),
            21 => self.replace(node, table),
            22 => self.update_or_replace(node, table),
            23 => self.upsert(node, table),
            24 | 25 => self.exchange(node, table),
            26 => self.use_again(node, table),
            27 => self.insert_again(node, table),
            28..=31 => self.edit_counter(),
            32 => self.exchange_scarce(node),
            _ => self.appear(),
        }
        for node in &self.fleet.nodes {
            let step = i64::try_from(self.random.below(5_000)).unwrap();
            node.clock.0.set(node.clock.0.get() + step);
        }
    }

    /// Some row of a table.
    pub(crate) fn some(&mut self, node: usize, table: usize) -> Option<Row> {
        let mut rows = self.looks[node].tables[table].clone();
        rows.sort_by(|a, b| a.tag.cmp(&b.tag));
        if rows.is_empty() {
            return None;
        }
        // Half of all work is on one record, which every place sees: so it meets.
        let at = if self.one_in(2) { 0 } else { self.random.below(rows.len()) };
        Some(rows.swap_remove(at))
    }

    fn token(&mut self, prefix: &str) -> Sql {
        text(format!("{prefix}{}", self.number()))
    }

    /// A value for a column, none where the database gives it.
    fn value(&mut self, node: usize, table: usize, column: usize) -> Option<Sql> {
        let role = self.spec.tables[table].columns[column].role.clone();
        let few = |random: &mut TestEntropy, prefix: &str, of| text(format!("{prefix}{}", 1 + random.below(of)));
        Some(match role {
            Role::Tag if self.spec.tables[table].direction == "match" => {
                let code = few(&mut self.random, "known-", 6);
                if code == text("known-1") { text("known-7") } else { code }
            }
            Role::Tag => self.token("t"),
            Role::Words { .. } | Role::Excluded if self.one_in(8) => Sql::Null,
            Role::Words { .. } => self.token("w"),
            Role::Excluded => self.token("x"),
            Role::Capitals { .. } => self.token("c"),
            Role::Checked { .. } => {
                let prefix = if self.one_in(4) { "bad" } else { "k" };
                self.token(prefix)
            }
            Role::Name { required: false } if self.one_in(8) => Sql::Null,
            Role::Name { .. } => few(&mut self.random, "K", 5),
            Role::Number => Sql::Integer(i64::try_from(self.random.below(3)).unwrap()),
            Role::Uuid => text(uuid(&mut self.random)),
            Role::Scarce { .. } if self.one_in(4) => Sql::Null,
            Role::Scarce { .. } => few(&mut self.random, "S", 5),
            Role::Counter { .. } => self.next_code(node, table, column),
            Role::Loose if self.spec.is_typed() => self.token("l"),
            Role::Loose => self.loose(),
            Role::Figure { .. } => {
                let number = self.number();
                let figures =
                    [format!("00{number}"), format!("{number}.50"), format!("{number}"), format!("f{number}")];
                text(figures[self.random.below(figures.len())].clone())
            }
            Role::Refers(reference) => self.target(node, &reference),
            Role::Model => self.model(node),
            Role::Joint { .. } => Sql::Null,
            Role::Generated { .. } => return None,
        })
    }

    fn loose(&mut self) -> Sql {
        let number = i64::try_from(self.number()).unwrap();
        match self.random.below(6) {
            0 => Sql::Null,
            1 => Sql::Integer(number),
            2 => Sql::Real(number as f64),
            3 => Sql::Blob(number.to_le_bytes().to_vec()),
            4 => Sql::Integer(-1),
            _ => text(number.to_string()),
        }
    }

    /// What a counter of this database gives next, whatever has come from elsewhere.
    fn next_code(&mut self, node: usize, table: usize, column: usize) -> Sql {
        let last = self.counters.entry((node, table, column)).or_default();
        *last += 1;
        text(format!("CODE {last:04}"))
    }

    fn target(&mut self, node: usize, reference: &Reference) -> Sql {
        if !reference.required && self.one_in(4) {
            return Sql::Null;
        }
        if reference.style != Style::Declared && self.one_in(6) {
            self.count("dangling reference");
            let key = 900_000 + i64::try_from(self.number()).unwrap();
            return if reference.style == Style::InText { text(key.to_string()) } else { Sql::Integer(key) };
        }
        match self.some(node, reference.to) {
            None => Sql::Null,
            Some(row) if reference.style == Style::InText => text(plain(&row.key[0])),
            Some(row) => row.key[0].clone(),
        }
    }

    fn model(&mut self, node: usize) -> Sql {
        let keyed = |at: &usize| self.spec.tables[*at].key == Key::Rowid { autoincrement: true };
        let tables: Vec<usize> = (0..self.spec.tables.len()).filter(keyed).collect();
        match self.random.below(8) {
            0 => return Sql::Null,
            1 => return self.token("said"),
            2 => {
                self.count("reference to an untracked table");
                return text(format!("heap,{}", self.number()));
            }
            _ => {}
        }
        let table = tables[self.random.below(tables.len())];
        let model = self.spec.tables[table].model();
        match self.some(node, table) {
            Some(row) if !self.one_in(8) => text(format!("{model},{}", plain(&row.key[0]))),
            _ => text(format!("{model},{}", 900_000 + self.number())),
        }
    }

    /// A new row; none if something that it needs is not there.
    fn row(&mut self, node: usize, table: usize) -> Option<Values> {
        let of = self.spec.tables[table].clone();
        let mut values: Values = Vec::new();
        if matches!(of.key, Key::Given | Key::Descending) {
            values.push((of.id.clone(), Sql::Integer(self.next_key(node, table))));
        }
        let joint = of.columns.iter().find_map(|column| match column.role {
            Role::Joint { to, .. } => Some(to),
            _ => None,
        });
        let joint = joint.and_then(|to| self.some(node, to)).filter(|_| !self.one_in(5));
        for (index, column) in of.columns.iter().enumerate() {
            if !self.spec.is_present(node, table, index) {
                continue;
            }
            let value = match (&column.role, &joint) {
                (Role::Joint { part, .. }, Some(row)) => Some(row.key[*part].clone()),
                _ => self.value(node, table, index),
            };
            if let (Role::Refers(Reference { required: true, .. }), Some(Sql::Null)) = (&column.role, &value) {
                return None;
            }
            // What the application does not name gets the column's default.
            if matches!(column.role, Role::Words { default: true }) && self.one_in(3) {
                continue;
            }
            values.extend(value.map(|value| (column.name.clone(), value)));
        }
        Some(values)
    }

    fn next_key(&self, node: usize, table: usize) -> i64 {
        let keys = self.looks[node].tables[table].iter().filter_map(|row| match row.key[0] {
            Sql::Integer(key) => Some(key),
            _ => None,
        });
        keys.max().unwrap_or(0) + 1
    }

    fn insertion(&self, how: &str, table: usize, values: &Values) -> Statement {
        let names: Vec<String> = values.iter().map(|(name, _)| quote(name)).collect();
        let marks: Vec<String> = (1..=values.len()).map(|at| format!("?{at}")).collect();
        let name = quote(&self.spec.tables[table].name);
        let sql = format!("{how} INTO {name} ({}) VALUES ({})", names.join(", "), marks.join(", "));
        (sql, values.iter().map(|(_, value)| value.clone()).collect())
    }

    fn update(&self, how: &str, table: usize, row: &Row, column: usize, value: Sql) -> Statement {
        let of = &self.spec.tables[table];
        let (name, column) = (quote(&of.name), quote(&of.columns[column].name));
        let sql = format!("{how} {name} SET {column} = ?1 WHERE {}", of.key_condition(2));
        (sql, std::iter::once(value).chain(row.key.iter().cloned()).collect())
    }

    /// Writes one column of one row.
    pub(crate) fn set(&mut self, node: usize, table: usize, row: &Row, column: usize, value: Sql, what: &str) -> bool {
        let update = self.update("UPDATE", table, row, column, value);
        self.act(node, what, &[update])
    }

    fn deletion(&self, table: usize, row: &Row) -> Statement {
        let of = &self.spec.tables[table];
        (format!("DELETE FROM {} WHERE {}", quote(&of.name), of.key_condition(1)), row.key.clone())
    }

    fn insert(&mut self, node: usize, table: usize) {
        let Some(values) = self.row(node, table) else { return };
        let (how, what) = match self.random.below(5) {
            0 => ("INSERT OR IGNORE", "insert or ignore"),
            _ => ("INSERT", "insert"),
        };
        let mut statements = vec![self.insertion(how, table, &values)];
        if how == "INSERT OR IGNORE" && self.spec.is_server(node) {
            let (sql, parameters) = self.insertion("INSERT", table, &values);
            statements = vec![(sql + " ON CONFLICT DO NOTHING", parameters)];
        }
        if self.is_named(table) && !self.one_in(4) {
            let label = format!("L{}", 1 + self.random.below(9));
            let sql = "INSERT INTO label VALUES (last_insert_rowid(), ?1)".to_owned();
            statements.push((sql, vec![text(label)]));
        }
        self.act(node, what, &statements);
    }

    fn edit(&mut self, node: usize, table: usize) {
        let Some(row) = self.some(node, table) else { return };
        let columns = self.spec.tables[table].columns.len();
        let mut column = self.random.below(columns);
        // Every table has a tag, which is not edited: another column, if there is one.
        if self.spec.tables[table].columns[column].role == Role::Tag {
            column = (column + 1) % columns;
        }
        self.edit_column(node, table, &row, column);
    }

    fn edit_column(&mut self, node: usize, table: usize, row: &Row, column: usize) -> bool {
        let of = &self.spec.tables[table].columns[column];
        if matches!(of.role, Role::Tag | Role::Generated { .. } | Role::Uuid) || of.lacking == Some(node) {
            return false;
        }
        let what = match &of.role {
            Role::Name { .. } | Role::Number => "identity corrected",
            Role::Refers(_) | Role::Model | Role::Joint { .. } => "reference changed",
            Role::Excluded => "excluded column edited",
            _ => "edit",
        };
        let Some(value) = self.value(node, table, column) else { return false };
        self.set(node, table, row, column, value, what)
    }

    fn idle(&mut self, node: usize, table: usize) {
        let Some(row) = self.some(node, table) else { return };
        let present = (0..row.values.len()).find(|at| row.values[*at].is_some()).unwrap();
        let update = self.update("UPDATE", table, &row, present, row.values[present].clone().unwrap());
        self.act(node, "update that changes nothing", &[update]);
    }

    fn edit_often(&mut self, node: usize, table: usize) {
        let Some(row) = self.some(node, table) else { return };
        let is_words = |at: &usize| {
            matches!(self.spec.tables[table].columns[*at].role, Role::Words { .. }) && row.values[*at].is_some()
        };
        let Some(column) = (0..row.values.len()).find(is_words) else { return };
        for _ in 0..5 {
            let value = self.token("w");
            let update = self.update("UPDATE", table, &row, column, value);
            self.act(node, "one row edited five times", &[update]);
        }
    }

    fn may_delete(&self, table: usize, row: &Row) -> bool {
        // What stands for a target that never comes must stand itself.
        self.spec.tables[table].direction != "match" || row.key[0] != Sql::Integer(1)
    }

    fn delete(&mut self, node: usize, table: usize) {
        let Some(row) = self.some(node, table).filter(|row| self.may_delete(table, row)) else { return };
        let deletion = self.deletion(table, &row);
        self.act(node, "delete", &[deletion]);
    }

    fn delete_with_children(&mut self, node: usize, table: usize) {
        let Some(row) = self.some(node, table).filter(|row| self.may_delete(table, row)) else { return };
        let mut statements = Vec::new();
        for (at, child) in self.spec.tables.iter().enumerate() {
            for column in &child.columns {
                if matches!(&column.role, Role::Refers(r) if r.to == table && r.style == Style::Declared) && at != table
                {
                    let sql = format!("DELETE FROM {} WHERE {} = ?1", quote(&child.name), quote(&column.name));
                    if self.may_write(node, at) && column.lacking != Some(node) {
                        statements.push((sql, row.key[..1].to_vec()));
                    }
                }
            }
        }
        statements.push(self.deletion(table, &row));
        self.act(node, "delete with children", &statements);
    }

    /// Some set of unique columns, with a row that holds no null there.
    fn taken(&mut self, node: usize, table: usize) -> Option<(Vec<usize>, Row)> {
        let sets = self.spec.tables[table].unique(node);
        if sets.is_empty() {
            return None;
        }
        let set = sets[self.random.below(sets.len())].clone();
        let row = self.some(node, table)?;
        let is_whole = set.iter().all(|at| row.values[*at].as_ref().is_some_and(|value| *value != Sql::Null));
        is_whole.then_some((set, row))
    }

    /// `INSERT OR REPLACE`, because of the key or of anything else that is unique.
    fn replace(&mut self, node: usize, table: usize) {
        let Some(mut values) = self.row(node, table) else { return };
        let of = self.spec.tables[table].clone();
        if !matches!(of.key, Key::Columns(_)) && self.one_in(2) {
            let Some(row) = self.some(node, table).filter(|row| self.may_delete(table, row)) else { return };
            values.retain(|(name, _)| *name != of.id);
            values.push((of.id.clone(), row.key[0].clone()));
            let statement = match self.spec.is_server(node) {
                true => self.insertion_over(table, &values),
                false => self.insertion("INSERT OR REPLACE", table, &values),
            };
            self.act(node, "insert or replace by key", &[statement]);
            return;
        }
        let Some((set, row)) = self.taken(node, table) else { return };
        if !self.may_delete(table, &row) {
            return;
        }
        for at in &set {
            let name = &of.columns[*at].name;
            values.retain(|(known, _)| known != name);
            values.push((name.clone(), row.values[*at].clone().unwrap()));
        }
        let statements = match self.spec.is_server(node) {
            true => vec![self.deletion(table, &row), self.insertion("INSERT", table, &values)],
            false => vec![self.insertion("INSERT OR REPLACE", table, &values)],
        };
        self.act(node, "insert or replace by a unique value", &statements);
    }

    /// What PostgreSQL has in the place of `INSERT OR REPLACE`: the row under the key becomes the new one.
    fn insertion_over(&self, table: usize, values: &Values) -> Statement {
        let (sql, parameters) = self.insertion("INSERT", table, values);
        let names: Vec<String> = values.iter().map(|(name, _)| quote(name)).collect();
        let set: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let id = quote(&self.spec.tables[table].id);
        (format!("{sql} ON CONFLICT ({id}) DO UPDATE SET {}", set.join(", ")), parameters)
    }

    fn update_or_replace(&mut self, node: usize, table: usize) {
        let Some((set, row)) = self.taken(node, table).filter(|(set, _)| set.len() == 1) else { return };
        let Some(other) = self.some(node, table).filter(|other| other.tag != row.tag) else { return };
        if !self.may_delete(table, &row) || self.spec.tables[table].direction == "match" {
            return;
        }
        let value = row.values[set[0]].clone().unwrap();
        let statements = match self.spec.is_server(node) {
            true => vec![self.deletion(table, &row), self.update("UPDATE", table, &other, set[0], value)],
            false => vec![self.update("UPDATE OR REPLACE", table, &other, set[0], value)],
        };
        self.act(node, "update or replace", &statements);
    }

    fn upsert(&mut self, node: usize, table: usize) {
        let Some((set, row)) = self.taken(node, table) else { return };
        let Some(mut values) = self.row(node, table) else { return };
        let of = self.spec.tables[table].clone();
        let is_words = |at: &usize| {
            matches!(of.columns[*at].role, Role::Words { .. } | Role::Checked { .. } | Role::Loose)
                && self.spec.is_present(node, table, *at)
        };
        let Some(column) = (0..of.columns.len()).find(is_words) else { return };
        for at in &set {
            let name = &of.columns[*at].name;
            values.retain(|(known, _)| known != name);
            values.push((name.clone(), row.values[*at].clone().unwrap()));
        }
        let (mut sql, parameters) = self.insertion("INSERT", table, &values);
        let names: Vec<String> = set.iter().map(|at| quote(&of.columns[*at].name)).collect();
        let column = quote(&of.columns[column].name);
        sql += &format!(" ON CONFLICT ({}) DO UPDATE SET {column} = excluded.{column}", names.join(", "));
        self.act(node, "upsert", &[(sql, parameters)]);
    }

    /// Two rows exchange a value of which few are different, or three pass one around.
    fn exchange(&mut self, node: usize, table: usize) {
        let of = &self.spec.tables[table];
        let is_few = |at: &usize| {
            matches!(of.columns[*at].role, Role::Name { .. } | Role::Scarce { .. })
                && !matches!(&of.key, Key::Columns(key) if key.contains(at))
        };
        let columns: Vec<usize> = (0..of.columns.len()).filter(is_few).collect();
        if columns.is_empty() {
            return;
        }
        let column = columns[self.random.below(columns.len())];
        let mut rows: Vec<Row> = self.looks[node].tables[table].clone();
        rows.retain(|row| row.values[column].as_ref().is_some_and(|value| *value != Sql::Null));
        let wanted = 2 + self.random.below(2);
        if rows.len() < wanted {
            return;
        }
        while rows.len() > wanted {
            let at = self.random.below(rows.len());
            rows.swap_remove(at);
        }
        let what = match (wanted, &of.columns[column].role) {
            (2, Role::Scarce { .. }) => "unique values exchanged",
            (2, _) => "identities exchanged",
            _ => "values passed around",
        };
        // Each takes what the one before it had; unique values must be free at each step.
        let away = |(at, row)| self.update("UPDATE", table, row, column, text(format!("away {at}")));
        let mut statements: Vec<Statement> = rows.iter().enumerate().map(away).collect();
        for (at, row) in rows.iter().enumerate() {
            let before = &rows[(at + rows.len() - 1) % rows.len()];
            statements.push(self.update("UPDATE", table, row, column, before.values[column].clone().unwrap()));
        }
        self.act(node, what, &statements);
    }

    /// A key is corrected, and the old one given to a new record.
    fn use_again(&mut self, node: usize, table: usize) {
        let of = self.spec.tables[table].clone();
        let Identity::Natural(columns) = &of.identity else { return };
        let Some(column) = columns.iter().copied().find(|at| matches!(of.columns[*at].role, Role::Name { .. })) else {
            return;
        };
        let Some(row) = self.some(node, table) else { return };
        let fresh = text(format!("K-corrected-{}", self.number()));
        let correction = self.update("UPDATE", table, &row, column, fresh);
        let Some(mut values) = self.row(node, table) else { return };
        for at in columns {
            values.retain(|(name, _)| *name != of.columns[*at].name);
            values.push((of.columns[*at].name.clone(), row.values[*at].clone().unwrap()));
        }
        let insertion = self.insertion("INSERT", table, &values);
        if self.one_in(2) {
            self.act(node, "identity used again", &[correction, insertion]);
        } else if self.act(node, "identity corrected", &[correction]) {
            // By another place, which has not heard of the correction.
            let other = self.random.below(NAMES.len());
            let Some(mut values) = self.row(other, table).filter(|_| self.may_write(other, table)) else { return };
            for at in columns.iter().filter(|at| !matches!(of.columns[**at].role, Role::Refers(_))) {
                values.retain(|(name, _)| *name != of.columns[*at].name);
                values.push((of.columns[*at].name.clone(), row.values[*at].clone().unwrap()));
            }
            let insertion = self.insertion("INSERT", table, &values);
            self.act(other, "identity used again elsewhere", &[insertion]);
        }
    }

    /// A record is deleted and entered again under its identity.
    fn insert_again(&mut self, node: usize, table: usize) {
        let of = self.spec.tables[table].clone();
        let columns = of.identity_columns();
        let Some(row) = self.some(node, table).filter(|_| !columns.is_empty()) else { return };
        let Some(mut values) = self.row(node, table).filter(|_| self.may_delete(table, &row)) else { return };
        for at in columns {
            values.retain(|(name, _)| *name != of.columns[at].name);
            values.push((of.columns[at].name.clone(), row.values[at].clone().unwrap()));
        }
        let (deletion, insertion) = (self.deletion(table, &row), self.insertion("INSERT", table, &values));
        if self.one_in(2) {
            self.act(node, "entered again", &[deletion, insertion]);
        } else if self.act(node, "delete", &[deletion]) {
            self.courier();
            self.act(node, "entered again later", &[insertion]);
        }
    }

    /// The application edits a shown number, or another column of such a row.
    fn edit_counter(&mut self) {
        let mut shown = Vec::new();
        for (node, look) in self.looks.iter().enumerate() {
            for (table, of) in self.spec.tables.iter().enumerate() {
                for (column, _) in of.columns.iter().enumerate().filter(|(_, c)| matches!(c.role, Role::Counter { .. }))
                {
                    let is_shown =
                        |row: &&Row| matches!(&row.values[column], Some(Sql::Text(code)) if code.ends_with(')'));
                    shown.extend(
                        look.tables[table].iter().filter(is_shown).map(|row| (node, table, column, row.clone())),
                    );
                }
            }
        }
        if shown.is_empty() {
            return;
        }
        let at = self.random.below(shown.len());
        let (node, table, column, row) = shown.swap_remove(at);
        if self.one_in(2) {
            let value = text(format!("by hand {}", self.number()));
            self.set(node, table, &row, column, value, "shown number edited");
        } else {
            let columns = self.spec.tables[table].columns.len();
            let other = (column + 1 + self.random.below(columns - 1)) % columns;
            if self.edit_column(node, table, &row, other) {
                self.count("another column of a shown number edited");
            }
        }
    }

    fn exchange_scarce(&mut self, node: usize) {
        let is_scarce =
            |at: &usize| self.spec.tables[*at].columns.iter().any(|c| matches!(c.role, Role::Scarce { .. }));
        let tables: Vec<usize> = (0..self.spec.tables.len()).filter(is_scarce).collect();
        if !tables.is_empty() {
            let table = tables[self.random.below(tables.len())];
            if self.may_write(node, table) {
                self.exchange(node, table);
            }
        }
    }

    /// An application that lacked a column is upgraded.
    fn appear(&mut self) {
        for table in 0..self.spec.tables.len() {
            for column in 0..self.spec.tables[table].columns.len() {
                if let Some(node) = self.spec.tables[table].columns[column].lacking {
                    self.upgrade(node, table, column);
                    return;
                }
            }
        }
    }
}

fn uuid(random: &mut TestEntropy) -> String {
    let (a, b) = (random.next_u64(), random.next_u64());
    let (one, two, three) = (a >> 32, a >> 16 & 0xFFFF, a & 0xFFF);
    format!("{one:08x}-{two:04x}-4{three:03x}-8{:03x}-{:012x}", b >> 48 & 0xFFF, b & 0xFFFF_FFFF_FFFF)
}
