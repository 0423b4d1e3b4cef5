//! The application is left alone: what `install` made is gone after `uninstall`, and the schema is what it would be
//! if saddlebag had never been there. A second database, which it never sees, lives through the same to compare.
//!
//! The third schema here is one to be afraid of, so capture is tried on each of its tables too.

use std::path::Path;

use rusqlite::Connection;
use saddlebag_formats::{Epoch, NodeId, Seq, Value, Writer};
use saddlebag_samples as samples;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::record::{Absorbed, Record};
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::store::AbsorbContext;
use saddlebag_stores::tracking::Tracking;
use saddlebag_stores::{Access, Store};
use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan, TestEntropy, temporary_folder};
use saddlebag_tests::meaning::{self, Table};
use saddlebag_tests::synthea::{self, Half};

const NASTY: &str = include_str!("../../nasty.sql");

const WIDE_COLUMNS: usize = 1_200;

/// The tables of `nasty.sql` that are kept in step, and `wide`.
const NASTY_TABLES: [(&str, &str); 10] = [
    ("order", "natural(select)"),
    ("health-post", "assigned"),
    ("Überweisung an 患者 🏥", "uuid(schlüssel)"),
    (r#"5" pipe'; DROP TABLE "order"; --"#, r#"natural(a"b, line no)"#),
    ("codes", "natural(code)"),
    ("counted", "assigned"),
    ("downwards", "assigned"),
    ("strictly", "assigned"),
    ("saddlebags", "natural(colour)"),
    ("wide", "assigned"),
];

const SYNTHEA_TABLES: [(&str, &str); 7] = [
    ("organizations", "uuid(uuid)"),
    ("providers", "uuid(uuid)"),
    ("patients", "uuid(uuid)"),
    ("encounters", "uuid(uuid)"),
    ("conditions", "assigned"),
    ("observations", "assigned"),
    ("medications", "assigned"),
];

const CLINIC_TABLES: [(&str, &str); 9] = [
    ("facility", "natural(code)"),
    ("staff", "uuid(uuid)"),
    ("program", "natural(code)"),
    ("patient", "uuid(uuid)"),
    ("encounter", "uuid(uuid)"),
    ("observation", "assigned"),
    ("condition", "assigned"),
    ("medication", "assigned"),
    ("patient_program", "natural(patient_id, program_id)"),
];

fn nasty() -> String {
    let column = |at: usize| format!(", {} {}", wide_column(at), ["TEXT", "", "INTEGER DEFAULT 5"][at % 3]);
    format!("{NASTY} CREATE TABLE wide (id INTEGER PRIMARY KEY{});", (0..WIDE_COLUMNS).map(column).collect::<String>())
}

fn wide_column(at: usize) -> String {
    quote(&format!("c-ö{at}"))
}

/// `[tables]` as in `saddlebag.toml`. What JSON makes of a name, TOML reads.
fn config(tables: &[(&str, &str)]) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    tables.iter().map(|(table, identity)| format!("[{}]\nidentity = {}\n", quoted(table), quoted(identity))).collect()
}

/// An application's database with saddlebag beside it.
struct Place {
    app: Connection,
    /// Lives through the same, without saddlebag.
    control: Connection,
    store: SqliteStore,
    entropy: TestEntropy,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new(make: impl Fn(&mut Connection)) -> Self {
        let folder = temporary_folder();
        let [app, control] = ["app.db", "control.db"].map(|name| {
            let mut connection = Connection::open(folder.path().join(name)).unwrap();
            connection.pragma_update(None, "foreign_keys", true).unwrap();
            make(&mut connection);
            connection
        });
        let store = SqliteStore::open(&folder.path().join("app.db")).unwrap();
        Self { app, control, store, entropy: TestEntropy(1), _folder: folder }
    }

    /// What `saddlebag setup` does.
    fn set_up(&mut self, tables: &[(&str, &str)]) -> Absorbed {
        let config: TablesConfig = toml::from_str(&config(tables)).unwrap();
        let schema = self.store.schema().unwrap();
        self.store.begin(Access::Write).unwrap();
        let known = self.store.installed().unwrap().unwrap_or_default();
        let tracking = Tracking::resolve(&config, &schema, &known).unwrap();
        self.store.install(&tracking).unwrap();
        self.store.commit().unwrap();
        self.store.use_tracking(tracking.clone());
        let mut sum = Absorbed::default();
        for table in tracking.identity_order().unwrap() {
            self.store.begin(Access::Write).unwrap();
            let _rows = self.store.journal_existing(table.number, u64::MAX).unwrap();
            self.store.commit().unwrap();
            let absorbed = self.absorb();
            sum.created += absorbed.created;
            sum.changed += absorbed.changed;
            sum.duplicates += absorbed.duplicates;
        }
        sum
    }

    fn absorb(&mut self) -> Absorbed {
        let writer = Writer { node: NodeId([1; 16]), epoch: Epoch::new(1, 7) };
        self.store.begin(Access::Write).unwrap();
        let absorbed = self.store.absorb(&AbsorbContext::of(writer, &[]), &mut self.entropy).unwrap();
        self.store.commit().unwrap();
        absorbed
    }

    /// What `saddlebag remove` does.
    fn remove(&mut self) {
        self.store.begin(Access::Write).unwrap();
        self.store.uninstall().unwrap();
        self.store.commit().unwrap();
    }

    /// The application does something, in both databases.
    fn both(&mut self, work: impl Fn(&mut Connection)) {
        work(&mut self.app);
        work(&mut self.control);
    }

    fn run(&mut self, sql: &str) {
        self.both(|connection| connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}")));
    }

    fn records(&mut self, table: &str) -> Vec<Record> {
        let table = self.store.tracking().by_name(table).unwrap().clone();
        self.store.begin(Access::Read).unwrap();
        let last = self.store.last_seq().unwrap();
        let records = self.store.feed(&table, Seq(0), last).unwrap();
        self.store.rollback().unwrap();
        records
    }

    /// Saddlebag is there now, then it is not, and nothing shows that it ever was.
    fn assert_removed(&mut self) {
        assert_ne!(schema_text(&self.app), schema_text(&self.control), "there is something to be removed");
        let before = rows(&self.app);
        self.remove();
        assert_eq!(schema_text(&self.app), schema_text(&self.control));
        assert_eq!(rows(&self.app), before, "a row went with it");
        let check: String = self.app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

/// All of the schema in its order, with what the header of the file says of it.
fn schema_text(connection: &Connection) -> String {
    let mut text = String::new();
    for setting in ["user_version", "application_id", "encoding", "journal_mode", "auto_vacuum", "page_size"] {
        let value: rusqlite::types::Value =
            connection.query_row(&format!("PRAGMA {setting}"), [], |row| row.get(0)).unwrap();
        text += &format!("{setting}: {value:?}\n");
    }
    let sql = "SELECT type || ' ' || quote(name) || ' on ' || quote(tbl_name) || ': ' || coalesce(sql, 'by itself')
               FROM sqlite_schema ORDER BY rowid";
    let mut statement = connection.prepare(sql).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.for_each(|line| text += &(line.unwrap() + "\n"));
    text
}

/// Every row of the application's tables.
fn rows(connection: &Connection) -> Vec<String> {
    // Statistics of saddlebag's tables, if the application gathers any, go with the tables.
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'saddlebag\\_%' ESCAPE '\\'
               AND name NOT LIKE 'sqlite_stat%'";
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut lines = Vec::new();
    for name in names.map(Result::unwrap) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {}", quote(&name))).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            lines.push(format!("{name}: {}", values.join(", ")));
        }
    }
    lines
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const NOTHING: Absorbed = Absorbed { created: 0, changed: 0, deleted: 0, duplicates: 0 };
const CREATED: Absorbed = created(1);
const CREATED_TWO: Absorbed = created(2);
const CHANGED: Absorbed = Absorbed { changed: 1, ..NOTHING };
const DELETED: Absorbed = Absorbed { deleted: 1, ..NOTHING };

const fn created(created: u64) -> Absorbed {
    Absorbed { created, ..NOTHING }
}

#[test]
fn a_clinics_schema_is_left_as_it_was() {
    let mut place = Place::new(|connection| {
        samples::create(connection).unwrap();
        samples::reference_data(connection).unwrap();
    });
    assert_eq!(place.set_up(&CLINIC_TABLES), created(8));
    for seed in 1..4 {
        place.both(|connection| assert!(samples::work_day(connection, "Hilltop", seed, 5).unwrap().patients > 0));
        assert!(place.absorb().created > 20);
        place.both(|connection| connection.execute_batch("ANALYZE").unwrap());
    }
    place.assert_removed();
    // It works on without saddlebag, and saddlebag could come back.
    place.both(|connection| assert!(samples::work_day(connection, "Hilltop", 4, 5).unwrap().patients > 0));
    assert!(place.set_up(&CLINIC_TABLES).created > 60);
    place.assert_removed();
}

#[test]
fn syntheas_schema_is_left_as_it_was() {
    let mut place = Place::new(|connection| {
        synthea::load(connection, Path::new("no-such-folder"), Half::Neither).unwrap();
        connection.execute_batch("INSERT INTO organizations (uuid, name) VALUES ('o', 'Hilltop')").unwrap();
        let provider = "INSERT INTO providers (uuid, organization_id, name) VALUES ('p', 1, 'Dr. Who')";
        connection.execute_batch(provider).unwrap();
    });
    assert_eq!(place.set_up(&SYNTHEA_TABLES), created(2));
    for round in 1..4 {
        place.both(|connection| assert!(synthea::work(connection, "Hilltop", 5, round).unwrap().encounters > 0));
        assert!(place.absorb().created > 10);
    }
    // A table is left out from now on, and a migration adds a column.
    place.run("ALTER TABLE patients ADD COLUMN nickname TEXT DEFAULT 'none'");
    let fewer: Vec<_> = SYNTHEA_TABLES.into_iter().filter(|(table, _)| *table != "medications").collect();
    let _found = place.set_up(&fewer);
    place.both(|connection| assert!(synthea::work(connection, "Hilltop", 5, 4).unwrap().medications > 0));
    assert!(place.absorb().created > 10);
    place.assert_removed();
}

#[test]
fn a_schema_to_be_afraid_of_is_left_as_it_was() {
    let nasty = nasty();
    let mut place = Place::new(|connection| connection.execute_batch(&nasty).unwrap());
    assert_eq!(place.set_up(&NASTY_TABLES), NOTHING);
    for (sql, expected) in WORK {
        place.run(sql);
        assert_eq!(place.absorb(), expected, "{sql}");
        assert_eq!(place.absorb(), NOTHING, "nothing is absorbed twice: {sql}");
    }
    place.run(r#"ANALYZE; ALTER TABLE "order" ADD COLUMN "added-ä" TEXT; REINDEX"#);
    let _found = place.set_up(&NASTY_TABLES[..9]);
    place.run(r#"INSERT INTO "order" ("select", "added-ä") VALUES ('later', 'on')"#);
    assert_eq!(place.absorb(), created(1));
    place.assert_removed();
    place.run(r#"UPDATE "order" SET "select" = 'without saddlebag' WHERE "select" = 'later'"#);
}

/// One statement of the application each, and what absorb must find of it.
const WORK: [(&str, Absorbed); 41] = [
    (r#"INSERT INTO "order" ("select") VALUES ('first')"#, CREATED),
    (r#"INSERT INTO "order" ("group", "select", "from") VALUES (2, 'second', 1), (9, 'ninth', 9)"#, CREATED_TWO),
    (r#"INSERT INTO "a-view" ("select") VALUES ('through a view')"#, CREATED),
    (r#"UPDATE "order" SET "where" = 'here' WHERE "group" = 2"#, CHANGED),
    (r#"UPDATE "order" SET "where" = "where", "select" = 'second' WHERE "group" = 2"#, NOTHING),
    (r#"UPDATE "order" SET "where" = 2.0 WHERE "group" = 1"#, CHANGED), // a column without a type keeps 2 and 2.0 apart
    (r#"UPDATE "order" SET "from" = 2 WHERE "group" = 9"#, CHANGED),
    (r#"UPDATE "order" SET "group" = 8 WHERE "group" = 9"#, NOTHING), // the key is this place's own
    (r#"INSERT INTO "health-post" ("it's a ""name""", "", "order") VALUES ('a''b"c', 'empty', 2)"#, CREATED),
    (r#"UPDATE "health-post" SET "" = NULL"#, CHANGED),
    (r#"UPDATE "health-post" SET `back-tick` = x'00ff', "a,b)" = char(127)"#, CHANGED),
    (r#"UPDATE "health-post" SET [square bracket] = 'É'"#, CHANGED),
    (r#"INSERT INTO "Überweisung an 患者 🏥" VALUES (1.5, 'Ä', 'x', 1, 'one')"#, CREATED),
    (
        r#"INSERT INTO "Überweisung an 患者 🏥" VALUES (-0.25, NULL, NULL, NULL, 'zwei'), (9e99, '', '', NULL, 3)"#,
        CREATED_TWO,
    ),
    (r#"UPDATE "Überweisung an 患者 🏥" SET "名前" = 'ä' WHERE "schlüssel" = 'one'"#, CHANGED),
    (r#"UPDATE "Überweisung an 患者 🏥" SET "名前" = 'abc' WHERE "schlüssel" = 'one'"#, CHANGED),
    (r#"UPDATE "Überweisung an 患者 🏥" SET "名前" = 'ABC' WHERE "schlüssel" = 'one'"#, CHANGED), // equal by its collation
    (r#"UPDATE "Überweisung an 患者 🏥" SET "größe" = 2000 WHERE "schlüssel" = 'one'"#, CHANGED),
    (r#"UPDATE "health-post" SET "post-id" = 500"#, NOTHING), // and what refers to it follows by itself
    (r#"DELETE FROM "health-post""#, Absorbed { deleted: 1, changed: 1, ..NOTHING }), // sets null
    (r#"DELETE FROM "Überweisung an 患者 🏥" WHERE "schlüssel" = 'zwei'"#, DELETED),
    (r#"INSERT INTO "5"" pipe'; DROP TABLE ""order""; --" ("a""b", "line no", amount) VALUES (2, 1, 9.5)"#, CREATED),
    (r#"UPDATE "5"" pipe'; DROP TABLE ""order""; --" SET amount = 10"#, CHANGED),
    (r#"UPDATE "5"" pipe'; DROP TABLE ""order""; --" SET "line no" = 7"#, CHANGED),
    (r#"DELETE FROM "5"" pipe'; DROP TABLE ""order""; --""#, DELETED),
    ("INSERT INTO codes VALUES ('a1', 'one'), ('B2', NULL)", CREATED_TWO),
    ("UPDATE codes SET meaning = 1 WHERE code = 'a1'", CHANGED),
    ("UPDATE codes SET code = 'b2' WHERE code = 'B2'", CHANGED),
    ("INSERT INTO counted (id, text, code) VALUES (5, 'five', 'a1'), ('no number', 'six', NULL)", CREATED_TWO),
    ("UPDATE counted SET code = NULL WHERE id = 5", CHANGED),
    ("DELETE FROM counted WHERE id = 'no number'", DELETED),
    ("INSERT INTO downwards (id, text) VALUES (5, 'five'), ('no number', 'six')", CREATED_TWO),
    ("UPDATE downwards SET text = 'fünf' WHERE id = 5", CHANGED),
    ("DELETE FROM downwards WHERE id = 'no number'", DELETED),
    ("INSERT INTO strictly (anything) VALUES ('text'), (1)", CREATED_TWO),
    ("UPDATE strictly SET anything = '1' WHERE anything = 1", CHANGED),
    ("DELETE FROM strictly WHERE id = 1", DELETED),
    ("INSERT INTO saddlebags (colour) VALUES ('brown')", CREATED),
    ("DELETE FROM saddlebags", DELETED),
    (
        "INSERT INTO heap VALUES (1, 2); INSERT INTO notes VALUES ('words'); INSERT INTO audit VALUES ('x', 'y')",
        NOTHING,
    ),
    (r#"DELETE FROM "order" WHERE "select" = 'through a view'"#, DELETED),
];

#[test]
fn in_a_wide_table_only_the_changed_column_gets_a_new_version() {
    let nasty = nasty();
    let mut place = Place::new(|connection| connection.execute_batch(&nasty).unwrap());
    assert_eq!(place.set_up(&NASTY_TABLES), NOTHING);
    place.run("INSERT INTO wide DEFAULT VALUES");
    assert_eq!(place.absorb(), CREATED);
    let columns = place.store.tracking().by_name("wide").unwrap().columns.clone();
    assert_eq!(columns.len(), WIDE_COLUMNS);
    // The first and last of the words in which the journal notes columns, 62 to a word, and some between.
    for at in [0, 61, 62, 123, 124, 700, WIDE_COLUMNS - 1] {
        let before = place.records("wide").remove(0);
        place.run(&format!("UPDATE wide SET {} = 'changed', id = id", wide_column(at)));
        assert_eq!(place.absorb(), CHANGED, "column {at}");
        let after = place.records("wide").remove(0);
        for (place, column) in columns.iter().enumerate() {
            let raised = after.state.of(column.id).version > before.state.of(column.id).version;
            assert_eq!(raised, place == at, "`{}` after a change of column {at}", column.name);
        }
        assert_eq!(after.values[at], Value::Text("changed".to_owned()));
        assert_eq!(after.uid, before.uid);
    }
    place.run("UPDATE wide SET id = id");
    assert_eq!(place.absorb(), NOTHING);
    place.run("DELETE FROM wide");
    assert_eq!(place.absorb(), DELETED);
    place.assert_removed();
}

#[test]
fn records_of_such_tables_travel() {
    let (nasty, tables) = (nasty(), config(&NASTY_TABLES));
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: &tables, seed: 9, engines: SQLITE };
    let mut fleet = Fleet::new(&plan, |_, connection| connection.execute_batch(&nasty).unwrap());
    let compared = [
        Table::named("order", &["select"]),
        Table::new("health-post"),
        Table::new("Überweisung an 患者 🏥"),
        Table::new(r#"5" pipe'; DROP TABLE "order"; --"#),
        Table::new("codes"),
        Table::new("counted"),
        Table::new("downwards"),
        Table::new("strictly"),
        Table::new("saddlebags"),
        Table::new("wide"),
    ];
    let wide = |app: &Connection| {
        let sql = format!("INSERT INTO wide ({}) VALUES ('x')", wide_column(WIDE_COLUMNS - 1));
        app.execute_batch(&sql).unwrap();
    };
    // The ministry has rows of its own, so that keys collide.
    fleet.nodes[0].app.execute_batch(r#"INSERT INTO "order" ("select") VALUES ('theirs'), ('theirs too')"#).unwrap();
    wide(&fleet.nodes[0].app);
    wide(&fleet.nodes[1].app);
    let work: Vec<&str> = WORK.iter().map(|(sql, _)| *sql).filter(|sql| !sql.contains("no number")).collect();
    let (before, after) = work.split_at(2);
    before.iter().for_each(|sql| fleet.nodes[1].app.execute_batch(sql).unwrap());
    for sql in after {
        fleet.nodes[1].app.execute_batch(sql).unwrap();
        fleet.settle();
        let ends = [("ministry", &fleet.nodes[0].app), ("clinic", &fleet.nodes[1].app)];
        let differences = meaning::differences(&ends, &compared).unwrap();
        assert!(differences.is_empty(), "after {sql}: {differences:#?}");
    }
    let count: i64 = fleet.nodes[0].app.query_row("SELECT count(*) FROM wide", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}
