//! What a schema is put together from.

use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::TestEntropy;

use super::schema::{Column, Identity, Key, Reference, Role, Spec, Style, Table};

/// Puts a schema together.
pub(crate) struct Parts<'a> {
    random: &'a mut TestEntropy,
    spec: Spec,
    reserved: Vec<&'static str>,
}

const RESERVED: [&str; 8] = ["order", "group", "table", "select", "index", "values", "from", "where"];

impl<'a> Parts<'a> {
    /// A schema of some parts, in this deployment.
    pub(crate) fn choose(engines: Engines, random: &'a mut TestEntropy) -> Spec {
        let spec = Spec { engines, ..Spec::default() };
        let mut parts = Self { random, spec, reserved: RESERVED.to_vec() };
        parts.spec.cascades_updates = parts.one_in(3);
        let person = parts.person();
        let all: [fn(&mut Self, usize); 14] = [
            Parts::patient,
            Parts::staff,
            Parts::stay,
            Parts::visit,
            Parts::ring,
            Parts::note,
            Parts::village,
            Parts::known,
            Parts::thing,
            Parts::slip,
            Parts::account,
            Parts::pair,
            Parts::audit,
            Parts::ways,
        ];
        let wanted = 2 + parts.random.below(4);
        let mut left = all.to_vec();
        for _ in 0..wanted {
            let part = left.swap_remove(parts.random.below(left.len()));
            part(&mut parts, person);
        }
        parts.spec
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.random.below(of) == 0
    }

    /// A name as it is, or one to be afraid of.
    fn name(&mut self, plain: &str, is_table: bool) -> String {
        match self.random.below(if is_table { 8 } else { 16 }) {
            0 => format!("health-{plain}"),
            1 => plain.to_uppercase(),
            2 => format!("{plain} größe 患者"),
            3 if is_table && !self.reserved.is_empty() => {
                let at = self.random.below(self.reserved.len());
                self.reserved.swap_remove(at).to_owned()
            }
            4 => format!("my_{plain}"),
            5 if !is_table => format!("it's \"{plain}\""),
            _ => plain.to_owned(),
        }
    }

    fn column(&mut self, plain: &str, role: Role) -> Column {
        Column { name: self.name(plain, false), role, lacking: None }
    }

    fn table(&mut self, part: &'static str, key: Key, identity: Identity, columns: Vec<Column>) -> Table {
        let (name, id) = (self.name(part, true), self.name("id", false));
        let without_rowid = key == Key::Given;
        Table { part, name, id, key, without_rowid, identity, unique_identity: false, direction: "both", columns }
    }

    fn key(&mut self) -> Key {
        match self.random.below(6) {
            0 => Key::Given,
            1 => Key::Descending,
            2 | 3 => Key::Rowid { autoincrement: true },
            _ => Key::Rowid { autoincrement: false },
        }
    }

    fn add(&mut self, mut table: Table) -> usize {
        let (columns, upgrades) = (1 + self.random.below(3), table.identity != Identity::Copied);
        for at in 0..columns {
            let column = self.extra(at, upgrades, table.direction == "both");
            table.columns.push(column);
        }
        self.spec.tables.push(table);
        self.spec.tables.len() - 1
    }

    /// Another column of any kind.
    fn extra(&mut self, at: usize, may_differ: bool, is_shared: bool) -> Column {
        let at = at + 1;
        let node = self.random.below(3);
        let some = |random: &mut TestEntropy| [random.below(2) == 0, random.below(2) == 0, random.below(2) == 0];
        let (plain, role) = match self.random.below(if is_shared { 20 } else { 8 }) {
            0 => ("cached", Role::Excluded),
            1 | 2 => ("loose", Role::Loose),
            3 => ("computed", Role::Generated { stored: node == 0 }),
            4 => ("said", Role::Words { default: true }),
            5..=7 => ("words", Role::Words { default: false }),
            8 | 9 => ("checked", Role::Checked { at: node }),
            10 | 11 => ("scarce", Role::Scarce { at: some(self.random) }),
            12 => ("scarce", Role::Scarce { at: [true; 3] }),
            13 if may_differ => ("figure", Role::Figure { numeric_at: node }),
            14 => ("capitals", Role::Capitals { at: some(self.random) }),
            15 => ("code", Role::Counter { unique: node != 0 }),
            _ => ("words", Role::Words { default: false }),
        };
        let mut column = self.column(&format!("{plain}{at}"), role);
        if may_differ && matches!(column.role, Role::Words { default: false }) && is_shared && self.one_in(3) {
            column.lacking = Some(node);
        }
        column
    }

    fn tag(&mut self) -> Column {
        self.column("tag", Role::Tag)
    }

    fn refers(&mut self, plain: &str, to: usize, required: bool) -> Column {
        let on_delete = match self.random.below(4) {
            0 => "CASCADE",
            1 if !required => "SET NULL",
            _ => "",
        };
        let reference = Reference { to, style: Style::Declared, required, on_delete, without_target: None };
        self.column(plain, Role::Refers(reference))
    }

    fn undeclared(&mut self, plain: &str, to: usize, style: Style) -> Column {
        // What refers to it by no constraint may outlive a row: its key must not be given to another one.
        self.spec.tables[to].key = Key::Rowid { autoincrement: true };
        self.spec.tables[to].without_rowid = false;
        let reference = Reference { to, style, required: false, on_delete: "", without_target: None };
        self.column(plain, Role::Refers(reference))
    }

    fn names(&mut self, plain: &str) -> Column {
        let required = self.one_in(2);
        self.column(plain, Role::Name { required })
    }

    fn person(&mut self) -> usize {
        let (key, tag) = (self.key(), self.tag());
        let mut columns = vec![tag];
        let identity = match self.random.below(5) {
            0 | 1 => {
                columns.push(self.column("uuid", Role::Uuid));
                Identity::Uuid(1)
            }
            2 => {
                columns.push(self.names("code"));
                Identity::Natural(vec![1])
            }
            3 => Identity::Copied,
            _ => Identity::Assigned,
        };
        let mut table = self.table("person", key, identity, columns);
        table.unique_identity = self.one_in(2);
        if self.one_in(3) {
            // The first table may refer to itself.
            let leader = self.refers("leader", 0, false);
            table.columns.push(leader);
        }
        self.add(table)
    }

    /// Its key is a foreign key.
    fn patient(&mut self, person: usize) {
        let (id, tag) = (self.refers("person_id", person, true), self.tag());
        let table = self.table("patient", Key::Columns(vec![0]), Identity::Natural(vec![0]), vec![id, tag]);
        self.add(table);
    }

    /// A key of text, sometimes without a rowid.
    fn staff(&mut self, person: usize) {
        let (login, tag) = (self.column("login", Role::Name { required: true }), self.tag());
        let person = self.refers("person", person, false);
        let mut table =
            self.table("staff", Key::Columns(vec![0]), Identity::Natural(vec![0]), vec![login, tag, person]);
        table.without_rowid = self.one_in(2);
        let staff = self.add(table);
        if self.one_in(2) {
            let (tag, by) = (self.tag(), self.refers("by", staff, false));
            let key = self.key();
            let table = self.table("duty", key, Identity::Assigned, vec![tag, by]);
            self.add(table);
        }
    }

    /// A composite key, and a foreign key to it.
    fn stay(&mut self, person: usize) {
        let ward = self.column("ward", Role::Name { required: true });
        let (number, tag) = (self.column("number", Role::Number), self.tag());
        let who = self.refers("who", person, false);
        let key = Key::Columns(vec![0, 1]);
        let mut table = self.table("stay", key, Identity::Natural(vec![0, 1]), vec![ward, number, tag, who]);
        table.without_rowid = self.one_in(2);
        let stay = self.add(table);
        let (tag, key) = (self.tag(), self.key());
        let ward = self.column("of_ward", Role::Joint { to: stay, part: 0 });
        let number = self.column("of_number", Role::Joint { to: stay, part: 1 });
        let table = self.table("item", key, Identity::Assigned, vec![tag, ward, number]);
        self.add(table);
    }

    /// Several foreign keys to one table, and one to itself.
    fn visit(&mut self, person: usize) {
        let (tag, key) = (self.tag(), self.key());
        let who = self.refers("who", person, true);
        let (by, own) = (self.refers("by", person, false), self.spec.tables.len());
        let previous = self.refers("previous", own, false);
        let table = self.table("visit", key, Identity::Assigned, vec![tag, who, by, previous]);
        self.add(table);
    }

    /// Two tables that refer to each other.
    fn ring(&mut self, _person: usize) {
        let first = self.spec.tables.len();
        let (tag, to) = (self.tag(), self.refers("post", first + 1, false));
        let key = self.key();
        let table = self.table("team", key, Identity::Assigned, vec![tag, to]);
        self.add(table);
        let required = self.one_in(2);
        let (tag, to) = (self.tag(), self.refers("team", first, required));
        let (key, uuid) = (self.key(), self.column("uuid", Role::Uuid));
        let table = self.table("post", key, Identity::Uuid(1), vec![tag, uuid, to]);
        self.add(table);
    }

    /// References that no constraint declares.
    fn note(&mut self, person: usize) {
        let (tag, key) = (self.tag(), self.key());
        let bare = self.undeclared("about", person, Style::Bare);
        let text = self.undeclared("about_text", person, Style::InText);
        let model = self.column("resource", Role::Model);
        let table = self.table("note", key, Identity::Assigned, vec![tag, bare, text, model]);
        self.add(table);
    }

    /// Natural keys, one of them with a reference among its parts.
    fn village(&mut self, _person: usize) {
        let (tag, key, code) = (self.tag(), self.key(), self.names("code"));
        let mut columns = vec![tag, code];
        let mut identity = vec![1];
        if self.one_in(3) {
            columns.push(self.names("region"));
            identity.push(2);
        }
        let mut table = self.table("village", key, Identity::Natural(identity), columns);
        table.unique_identity = self.one_in(2);
        let village = self.add(table);
        let (tag, key, name) = (self.tag(), self.key(), self.column("name", Role::Name { required: true }));
        let required = self.one_in(2);
        let within = self.refers("village", village, required);
        let mut table = self.table("street", key, Identity::Natural(vec![1, 2]), vec![tag, within, name]);
        table.unique_identity = self.one_in(2);
        self.add(table);
    }

    /// Rows that are only matched, and references to them.
    fn known(&mut self, _person: usize) {
        // Its code is its name, for the test as well.
        let tag = self.tag();
        let mut table = self.table("known", Key::Rowid { autoincrement: true }, Identity::Natural(vec![0]), vec![tag]);
        (table.direction, table.unique_identity) = ("match", true);
        self.spec.tables.push(table);
        let known = self.spec.tables.len() - 1;
        let (tag, key) = (self.tag(), self.key());
        let mut columns = vec![tag];
        for (at, plain) in ["kind", "other_kind"].into_iter().enumerate() {
            let required = at == 1 && self.one_in(2);
            let mut column = self.refers(plain, known, required);
            if let Role::Refers(reference) = &mut column.role {
                reference.on_delete = "";
                // The first row stands at every place.
                reference.without_target = Some(1).filter(|_| required && self.random.below(2) == 0);
            }
            columns.push(column);
        }
        let table = self.table("claim", key, Identity::Assigned, columns);
        self.add(table);
    }

    /// A query names its rows.
    fn thing(&mut self, person: usize) {
        let (tag, of) = (self.tag(), self.refers("of", person, false));
        let key = Key::Rowid { autoincrement: true };
        let table = self.table("thing", key, Identity::Named, vec![tag, of]);
        self.add(table);
    }

    /// Numbers from a counter of each database.
    fn slip(&mut self, person: usize) {
        let (tag, key, of) = (self.tag(), self.key(), self.refers("of", person, false));
        let unique = self.one_in(2);
        let code = self.column("code", Role::Counter { unique });
        let table = self.table("slip", key, Identity::Assigned, vec![tag, code, of]);
        self.add(table);
    }

    /// A unique column beside the identity.
    fn account(&mut self, person: usize) {
        let (tag, key) = (self.tag(), self.key());
        let (uuid, login) = (self.column("uuid", Role::Uuid), self.column("login", Role::Scarce { at: [true; 3] }));
        let of = self.refers("of", person, false);
        let table = self.table("account", key, Identity::Uuid(1), vec![tag, uuid, login, of]);
        self.add(table);
    }

    /// A table of links, known by its two ends.
    fn pair(&mut self, person: usize) {
        let (tag, key) = (self.tag(), self.key());
        let table = self.table("circle", key, Identity::Assigned, vec![tag]);
        let circle = self.add(table);
        let (one, other, tag) = (self.refers("one", person, true), self.refers("other", circle, true), self.tag());
        let key = Key::Columns(vec![0, 1]);
        let mut table = self.table("pair", key, Identity::Natural(vec![0, 1]), vec![one, other, tag]);
        table.without_rowid = self.one_in(2);
        self.add(table);
    }

    /// The application's own trigger writes into it.
    fn audit(&mut self, person: usize) {
        let (tag, words) = (self.tag(), self.column("what", Role::Words { default: false }));
        let key = Key::Rowid { autoincrement: false };
        let table = self.table("audit", key, Identity::Assigned, vec![tag, words]);
        self.spec.tables.push(table);
        self.spec.audited = Some((person, self.spec.tables.len() - 1));
    }

    /// Tables that travel one way, and references to them.
    fn ways(&mut self, person: usize) {
        // What the database does to a row where it only arrives stays there: no actions.
        let (tag, key, mut of) = (self.tag(), self.key(), self.refers("of", person, false));
        if let Role::Refers(reference) = &mut of.role {
            reference.on_delete = "";
        }
        let mut table = self.table("report", key, Identity::Assigned, vec![tag, of]);
        table.direction = "up";
        let report = self.add(table);
        let (tag, key) = (self.tag(), self.key());
        let mut table = self.table("rule", key, Identity::Assigned, vec![tag]);
        table.direction = "down";
        let rule = self.add(table);
        let (tag, key) = (self.tag(), self.key());
        let (to, under) = (self.refers("report", report, false), self.refers("rule", rule, false));
        let table = self.table("reply", key, Identity::Assigned, vec![tag, to, under]);
        self.add(table);
    }
}
