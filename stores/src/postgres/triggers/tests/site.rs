//! A database with an application whose tables are tracked.

use postgres::{Config, NoTls};

use crate::config::TablesConfig;
use crate::fold::{Entry, Event};
use crate::postgres::client::Client;
use crate::postgres::{install, journal, ledger, schema, testing, triggers};
use crate::record::Key;
use crate::tracking::{Numbering, TrackedTable, Tracking};
use saddlebag_formats::Value;

/// As [`crate::postgres::connect`] has it.
const SESSION: &str = "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'";

pub(super) struct Site {
    pub(super) config: Config,
    /// Saddlebag's own connection.
    pub(super) client: Client,
    pub(super) tracking: Tracking,
}

/// A database with these tables, all of them tracked by `tables`. A role `clinic` may do everything with them and
/// nothing with what is saddlebag's.
pub(super) fn site(test: &str, sql: &str, tables: &str) -> Option<Site> {
    let config = testing::config(test)?;
    let mut client = testing::connect(&config);
    client.batch("making tables", sql).unwrap();
    let role =
        "DO $$ BEGIN CREATE ROLE clinic LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        DO $$ DECLARE n text; BEGIN
            FOR n IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
                EXECUTE format('GRANT ALL ON SCHEMA %1$I TO clinic; GRANT ALL ON ALL TABLES IN SCHEMA %1$I TO clinic;
                    GRANT ALL ON ALL SEQUENCES IN SCHEMA %1$I TO clinic', n);
            END LOOP; END $$;";
    client.batch("making a role", role).unwrap();
    client.batch("setting up a session", SESSION).unwrap();
    let tables: TablesConfig = toml::from_str(tables).unwrap();
    let read = schema::read(&mut client).unwrap();
    let tracking = Tracking::resolve(&tables, &read, &Numbering::default()).unwrap();
    let mut site = Site { config, client, tracking };
    site.set_up();
    Some(site)
}

impl Site {
    /// As `setup` does it.
    pub(super) fn set_up(&mut self) {
        let client = &mut self.client;
        client.batch("beginning", "BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
        install::make_own_tables(client).unwrap();
        for table in &self.tracking.tables {
            install::make_states(client, table).unwrap();
            install::remember_names(client, table).unwrap();
        }
        triggers::make_triggers(client, &self.tracking).unwrap();
        ledger::set_setting(client, "tracking", self.tracking.summary().as_bytes()).unwrap();
        client.batch("committing", "COMMIT").unwrap();
        assert_eq!(self.missing(), [""; 0]);
    }

    /// A connection of the application's.
    pub(super) fn application(&self) -> postgres::Client {
        self.config.clone().user("clinic").connect(NoTls).unwrap()
    }

    /// What the owner of the tables does: migrations.
    pub(super) fn migrate(&self, sql: &str) {
        self.config.connect(NoTls).unwrap().batch_execute(sql).unwrap();
    }

    pub(super) fn missing(&mut self) -> Vec<String> {
        triggers::missing_triggers(&mut self.client, &self.tracking).unwrap()
    }

    pub(super) fn table(&self, name: &str) -> &TrackedTable {
        self.tracking.by_name(name).unwrap()
    }

    /// As every absorb begins, up to what it takes: entries by table, and none of them is left.
    pub(super) fn take(&mut self) -> Vec<String> {
        let client = &mut self.client;
        client.batch("beginning", "BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
        if !triggers::missing_triggers(client, &self.tracking).unwrap().is_empty() {
            triggers::restore_triggers(client, &self.tracking).unwrap();
        }
        journal::look_again(client, &self.tracking).unwrap();
        let taken = journal::take_tables(client, &self.tracking.tables, u64::MAX).unwrap();
        client.batch("committing", "COMMIT").unwrap();
        assert_eq!(journal::count(client).unwrap(), 0);
        let mut said = Vec::new();
        for table in &self.tracking.tables {
            let entries = taken.get(&table.number).map(Vec::as_slice).unwrap_or_default();
            said.extend(entries.iter().map(|entry| say(table, entry)));
        }
        said
    }

    /// What one statement of the application's leads to.
    pub(super) fn after(&mut self, sql: &str) -> Vec<String> {
        self.application().batch_execute(sql).unwrap();
        self.take()
    }

    /// Has a row state for each of these keys, as absorb would have made it.
    pub(super) fn give_states(&mut self, table: &str) {
        let table = self.table(table).clone();
        let keys: Vec<_> = table.key.iter().map(|part| format!("\"{}\"", part.name)).collect();
        let (states, columns) = (crate::postgres::sql::states(table.number), keys.join(", "));
        let named = crate::postgres::sql::key_columns(&table, "k");
        let sql = format!(
            "INSERT INTO {states} ({named}, uid, seq, first_seq, hash, state)
             SELECT {columns}, gen_random_uuid(), 1, 1, 0, '' FROM {} ON CONFLICT DO NOTHING",
            crate::postgres::sql::table_name(&table.name)
        );
        self.client.batch("giving row states", &sql).unwrap();
    }
}

/// `t+1` for an insertion, `t-1 a=x` for a deletion with its last values, `t 1 a` for an update of `a`, `t 1>2 a` where the
/// key changed.
fn say(table: &TrackedTable, entry: &Entry) -> String {
    let name = &table.name;
    let column = |id: &u16| table.columns[table.index_of_id(*id).unwrap()].name.as_str();
    match &entry.event {
        Event::Insert { key } => format!("{name}+{}", parts(key)),
        Event::Delete { key, old } => {
            let old = old.iter().filter(|(_, value)| *value != Value::Null);
            let old = old.map(|(id, value)| format!(" {}={}", column(id), plain(value)));
            format!("{name}-{}{}", parts(key), old.collect::<String>())
        }
        Event::Update { before, after, changed } => {
            let moved = if before == after { String::new() } else { format!("{}>", parts(before)) };
            let changed: Vec<_> = changed.iter().map(column).collect();
            format!("{name} {moved}{} {}", parts(after), changed.join(",")).trim_end().to_owned()
        }
        Event::Covered { .. } => unreachable!("not on this engine"),
    }
}

fn parts(key: &Key) -> String {
    key.0.iter().map(plain).collect::<Vec<_>>().join("/")
}

pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
