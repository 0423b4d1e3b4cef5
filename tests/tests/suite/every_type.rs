//! A column of every type, between PostgreSQL and PostgreSQL, and between PostgreSQL and SQLite: `docs/values.md`.

mod columns;
mod from_sqlite;
mod large;
mod shown;

use columns::{Column, OWN_TYPES, columns};
use saddlebag_tests::app::{App, Sql, said};
use saddlebag_tests::engines::{Engine, Engines};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan, TestEntropy};
use saddlebag_tests::{on_engines, tell};

/// Rows of a test: more than any column has edges.
const ROWS: usize = 60;

/// How a node on SQLite declares its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    /// As applications do, by the types that they know from elsewhere.
    ByType,
    /// Not at all: SQLite keeps what it is given.
    Not,
}

fn version() -> i64 {
    let lease = saddlebag_tests::leases::Lease::new();
    let app = App::Postgres(Box::new(saddlebag_tests::app::Server::connect(lease.url()).unwrap()));
    app.number("SELECT current_setting('server_version_num')::bigint", &[]).unwrap()
}

fn seed() -> u64 {
    let named = std::env::var("SADDLEBAG_SEED").ok().and_then(|text| text.parse().ok());
    let seed = named.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0) >> 32);
    tell(&format!("every_type: SADDLEBAG_SEED={seed}"));
    seed
}

/// A ministry and two clinics whose table `every` has all columns.
fn fleet(on: Engines, all: &[Column], declared: Declared, seed: u64) -> Fleet {
    let names = &["ministry", "clinic-a", "clinic-b"];
    let plan = FleetPlan { names, tables: "[every]\nidentity = 'assigned'", seed, engines: on };
    Fleet::new(&plan, |_, app| {
        let name = |column: &Column, of: &str| format!("{} {of}", column.name());
        let of = |column: &Column| match (app.engine(), declared) {
            (Engine::Postgres, _) => name(column, column.postgres),
            (Engine::Sqlite, Declared::ByType) => name(column, column.sqlite),
            (Engine::Sqlite, Declared::Not) => name(column, ""),
        };
        let list = all.iter().map(of).collect::<Vec<_>>().join(", ");
        if app.engine() == Engine::Postgres {
            app.execute_batch(OWN_TYPES).unwrap();
        }
        app.execute_batch(&format!("CREATE TABLE every (id INTEGER PRIMARY KEY, n INTEGER, note TEXT, {list})"))
            .unwrap();
    })
}

/// Writes rows with every edge of every column, and random values after them.
fn write(node: &FleetNode, all: &[Column], random: &mut TestEntropy) {
    let names: Vec<String> = all.iter().map(Column::name).collect();
    for row in 0..ROWS {
        let value = |column: &Column| match column.edges().get(row) {
            Some(edge) => edge.clone(),
            None => column.random(random),
        };
        let values: Vec<String> = all.iter().map(value).collect();
        let sql =
            format!("INSERT INTO every (n, note, {}) VALUES ({row}, 'new', {})", names.join(", "), values.join(", "));
        node.run(&sql);
    }
}

/// A column's values as the server itself sends them, byte for byte, by row.
fn sent(node: &FleetNode, column: &Column) -> Vec<Option<String>> {
    let name = column.name();
    let sql = format!("SELECT encode(substring(record_send(row({name})) FROM 9), 'hex') FROM every ORDER BY n");
    node.app.texts(&sql, &[])
}

/// Rows whose column is not as in the table `expected`, with both texts.
fn unexpected(node: &FleetNode, column: &Column) -> Vec<Vec<Sql>> {
    let name = column.name();
    let sql = format!(
        "SELECT n, a.{name}::text, b.{name}::text FROM every a FULL JOIN expected b USING (n) \
         WHERE NOT record_image_eq(row(a.{name}), row(b.{name}))"
    );
    node.app.rows(&sql, &[]).unwrap()
}

fn assert_expected(node: &FleetNode, all: &[Column], when: &str) {
    for column in all {
        let wrong = unexpected(node, column);
        assert!(wrong.is_empty(), "{when}: {}: {wrong:?}", column.postgres);
    }
    assert_eq!(node.count("every"), i64::try_from(ROWS).unwrap());
}

/// Every row gets the values of the next one.
fn rotate(table: &str, all: &[Column]) -> String {
    let set = |column: &Column| {
        let name = column.name();
        format!("{name} = (SELECT {name} FROM before b WHERE b.n = ({table}.n + 1) % {ROWS})")
    };
    let sets: Vec<String> = all.iter().map(set).collect();
    format!(
        "CREATE TEMP TABLE before AS SELECT * FROM {table}; UPDATE {table} SET {}; DROP TABLE before",
        sets.join(", ")
    )
}

fn on(fleet: &Fleet, engine: Engine) -> Vec<usize> {
    (0..fleet.nodes.len()).filter(|node| fleet.nodes[*node].app.engine() == engine).collect()
}

fn assert_all_sound(fleet: &mut Fleet) {
    for node in &mut fleet.nodes {
        let (held, conflicts) = (node.held(), node.conflicts());
        assert!(held.is_empty(), "{:?}: {:?}", node.me.name, held.iter().map(|held| &held.reason).collect::<Vec<_>>());
        assert!(conflicts.is_empty(), "{conflicts:?}");
    }
    let versions = fleet.nodes[0].versions();
    for node in 1..fleet.nodes.len() {
        assert_eq!(fleet.nodes[node].versions(), versions);
    }
}

on_engines!(what_servers_send_each_other_is_the_same_to_the_byte: postgres POSTGRES);
fn what_servers_send_each_other_is_the_same_to_the_byte(engines: Engines) {
    let (all, seed) = (columns(version()), seed());
    let mut fleet = fleet(engines, &all, Declared::ByType, seed);
    write(&fleet.nodes[1], &all, &mut TestEntropy(seed));
    fleet.settle();
    let same = |fleet: &Fleet, when: &str| {
        for column in &all {
            let values = sent(&fleet.nodes[1], column);
            assert_eq!(values.len(), ROWS);
            for other in [0, 2] {
                assert_eq!(sent(&fleet.nodes[other], column), values, "{when}: {} at {other}", column.postgres);
            }
        }
    };
    same(&fleet, "new");
    fleet.nodes[2].run(&rotate("every", &all));
    let changed = sent(&fleet.nodes[2], &all[2]);
    fleet.settle();
    same(&fleet, "edited");
    assert_eq!(sent(&fleet.nodes[0], &all[2]), changed);
    for node in &mut fleet.nodes {
        let beside = node.beside("every");
        assert!(beside.is_empty(), "{beside:?}");
    }
    assert_all_sound(&mut fleet);
}

on_engines!(what_sqlite_keeps_undeclared_is_edited_there_and_comes_back_exact: mixed MIXED, mixed_again MIXED_AGAIN);
fn what_sqlite_keeps_undeclared_is_edited_there_and_comes_back_exact(engines: Engines) {
    let (all, seed) = (columns(version()), seed());
    let mut fleet = fleet(engines, &all, Declared::Not, seed);
    let (servers, files) = (on(&fleet, Engine::Postgres), on(&fleet, Engine::Sqlite));
    write(&fleet.nodes[servers[0]], &all, &mut TestEntropy(seed));
    fleet.settle();
    for server in &servers {
        if *server != servers[0] {
            for column in &all {
                assert_eq!(sent(&fleet.nodes[*server], column), sent(&fleet.nodes[servers[0]], column));
            }
        }
        fleet.nodes[*server].run("CREATE TABLE expected AS SELECT * FROM every");
        fleet.nodes[*server].run(&rotate("expected", &all));
        // A float that is not a number is null in SQLite, and so is what the application there makes of it.
        for column in all.iter().filter(|column| ["real", "double precision"].contains(&column.postgres)) {
            let name = column.name();
            fleet.nodes[*server].run(&format!("UPDATE expected SET {name} = NULL WHERE {name} = 'NaN'"));
        }
    }
    fleet.nodes[files[0]].run(&rotate("every", &all));
    fleet.settle();
    servers.iter().for_each(|server| assert_expected(&fleet.nodes[*server], &all, "edited"));
    for file in &files {
        assert_eq!(fleet.nodes[*file].app.rows("SELECT * FROM every ORDER BY n", &[]), {
            fleet.nodes[files[0]].app.rows("SELECT * FROM every ORDER BY n", &[])
        });
    }
    assert_all_sound(&mut fleet);
}

on_engines!(what_sqlite_shows_in_another_form_stays_what_it_was: mixed MIXED, mixed_again MIXED_AGAIN);
fn what_sqlite_shows_in_another_form_stays_what_it_was(engines: Engines) {
    let (all, seed) = (columns(version()), seed());
    let mut fleet = fleet(engines, &all, Declared::ByType, seed);
    let (servers, files) = (on(&fleet, Engine::Postgres), on(&fleet, Engine::Sqlite));
    write(&fleet.nodes[servers[0]], &all, &mut TestEntropy(seed));
    fleet.nodes[servers[0]].run("CREATE TABLE expected AS SELECT * FROM every");
    fleet.settle();
    // The application there edits every row, and one column of each in turn that it gives the value that it sees.
    fleet.nodes[files[0]].run("UPDATE every SET note = 'seen'");
    for column in &all {
        let (name, row) = (column.name(), column.at % ROWS);
        fleet.nodes[files[0]].run(&format!("UPDATE every SET {name} = {name} WHERE n = {row}"));
    }
    fleet.settle();
    assert_expected(&fleet.nodes[servers[0]], &all, "seen elsewhere");
    for server in &servers {
        assert_eq!(fleet.nodes[*server].count("every WHERE note = 'seen'"), i64::try_from(ROWS).unwrap());
        for column in &all {
            assert_eq!(sent(&fleet.nodes[*server], column), sent(&fleet.nodes[servers[0]], column));
        }
    }
    assert_all_sound(&mut fleet);
}

on_engines!(generated_and_identity_columns_are_left_to_each_database: postgres POSTGRES, mixed MIXED, mixed_again MIXED_AGAIN);
fn generated_and_identity_columns_are_left_to_each_database(engines: Engines) {
    let tables = "[bill]\nidentity = 'assigned'\n[line]\nidentity = 'assigned'";
    let plan = FleetPlan { names: &["ministry", "clinic-a", "clinic-b"], tables, seed: 3, engines };
    let mut fleet = Fleet::new(&plan, |_, app| {
        let postgres = "CREATE TABLE bill (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer,
                price numeric(10,2), vat numeric(10,2) GENERATED ALWAYS AS (price * 0.25) STORED);
             CREATE TABLE line (id serial PRIMARY KEY, bill bigint NOT NULL REFERENCES bill, number integer GENERATED ALWAYS AS IDENTITY,
                text varchar(20), upper text GENERATED ALWAYS AS (upper(text)) STORED)";
        let sqlite = "CREATE TABLE bill (id INTEGER PRIMARY KEY, n INTEGER, price DECIMAL(10,2),
                vat DECIMAL(10,2) GENERATED ALWAYS AS (price * 0.25) STORED);
             CREATE TABLE line (id INTEGER PRIMARY KEY, bill INTEGER NOT NULL REFERENCES bill, number INTEGER,
                text VARCHAR(20), upper TEXT GENERATED ALWAYS AS (upper(text)) VIRTUAL)";
        match app.engine() {
            Engine::Postgres => app.execute_batch(postgres).unwrap(),
            Engine::Sqlite => app.execute_batch(sqlite).unwrap(),
        }
    });
    for (node, n) in [(0, 10), (1, 20), (2, 30)] {
        let app = &fleet.nodes[node].app;
        for at in 0..3 {
            let id = Sql::Integer(n + at);
            app.write("INSERT INTO bill (n, price) VALUES (?1, 2.00)", std::slice::from_ref(&id)).unwrap();
            let number =
                format!("INSERT INTO line (bill, text, number) SELECT id, 'ab', {} FROM bill WHERE n = ?1", n + at);
            let line = app.either(&number, "INSERT INTO line (bill, text) SELECT id, 'ab' FROM bill WHERE n = ?1");
            app.write(line, &[id]).unwrap();
        }
    }
    fleet.settle();
    // What the clinic corrects is computed anew wherever it arrives.
    fleet.nodes[1].run("UPDATE bill SET price = 4 WHERE n < 20; UPDATE line SET text = 'cd' WHERE text = 'ab'");
    fleet.settle();
    for node in &fleet.nodes {
        let sql = "SELECT string_agg(n || ':' || CAST(vat * 100 AS INTEGER) || upper, ' ' ORDER BY n) FROM bill \
                   JOIN line ON line.bill = bill.id";
        let expected = "10:100CD 11:100CD 12:100CD 20:50CD 21:50CD 22:50CD 30:50CD 31:50CD 32:50CD";
        assert_eq!(node.app.text(sql, &[]).as_deref(), Some(expected));
        // The application goes on with keys that nobody has.
        node.app.write("INSERT INTO bill (n) VALUES (99)", &[]).unwrap();
        let sqlite = "INSERT INTO line (bill, text, number) SELECT id, ?1, id FROM bill WHERE n = 99";
        let line = node.app.either(sqlite, "INSERT INTO line (bill, text) SELECT id, ?1 FROM bill WHERE n = 99");
        node.app.write(line, &[said("new")]).unwrap();
    }
    fleet.settle();
    for node in &mut fleet.nodes {
        assert_eq!((node.count("bill"), node.count("line")), (12, 12));
        assert!(node.held().is_empty() && node.app.faults().is_empty());
    }
    // What PostgreSQL alone may write, nobody changes from elsewhere.
    if fleet.nodes[1].app.engine() == Engine::Sqlite {
        fleet.nodes[1].run("UPDATE line SET number = 5000 WHERE text = 'new' AND id = (SELECT max(id) FROM line)");
        fleet.settle();
        let held = fleet.nodes[0].held();
        let reason = "column \"number\" can only be updated to DEFAULT (Column \"number\" is an identity column defined as \
                      GENERATED ALWAYS.)";
        assert!(
            held.len() == 1 && held[0].reason == reason,
            "{:?}",
            held.iter().map(|held| &held.reason).collect::<Vec<_>>()
        );
    }
}
