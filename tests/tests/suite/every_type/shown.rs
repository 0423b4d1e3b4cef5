//! What SQLite holds of PostgreSQL's values: the tables of `docs/values.md`, line by line.

use saddlebag_tests::engines::Engine::{Postgres, Sqlite};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::leases::needs_postgres;

use super::OWN_TYPES;
use super::columns::unwritten;

/// A type of PostgreSQL, a literal, a type of SQLite, and what stands there as SQL writes it; `quote()` of it.
const SHOWN: [(&str, &str, &str, &str); 101] = [
    ("smallint", "-7", "SMALLINT", "-7"),
    ("bigint", "9223372036854775807", "INTEGER", "9223372036854775807"),
    ("bigint", "9007199254740993", "REAL", "9007199254740992.0"),
    ("integer", "5", "TEXT", "'5'"),
    ("integer", "5", "", "5"),
    ("oid", "4294967295", "INTEGER", "4294967295"),
    ("double precision", "0.1", "REAL", "0.1"),
    ("double precision", "5", "DOUBLE", "5.0"),
    ("double precision", "5", "INTEGER", "5"),
    ("double precision", "5", "", "5.0"),
    ("double precision", "0.1", "TEXT", "'0.1'"),
    ("double precision", "-0", "", "0.0"),
    ("double precision", "-0", "DOUBLE", "0.0"),
    ("double precision", "NaN", "DOUBLE", "NULL"),
    ("double precision", "Infinity", "DOUBLE", "Inf"),
    ("real", "0.1", "REAL", "0.1"),
    ("real", "16777216", "", "16777216.0"),
    ("numeric", "5", "NUMERIC", "5"),
    ("numeric", "5.0", "NUMERIC", "5"),
    ("numeric", "5.0", "", "'5.0'"),
    ("numeric", "5.0", "TEXT", "'5.0'"),
    ("numeric", "0.10", "NUMERIC", "0.1"),
    ("numeric", "0.10", "", "'0.10'"),
    ("numeric", "0.1", "", "0.1"),
    ("numeric", "0.1", "NUMERIC", "0.1"),
    ("numeric", "9223372036854775808", "", "'9223372036854775808'"),
    ("numeric", "NaN", "", "'NaN'"),
    ("numeric", "NaN", "NUMERIC", "'NaN'"),
    ("numeric(12,2)", "5.00", "DECIMAL(12,2)", "5"),
    ("numeric(12,2)", "5.10", "DECIMAL(12,2)", "5.1"),
    ("numeric(12,2)", "5.10", "", "5.1"),
    ("numeric(30,10)", "12345678901234567890.1", "", "'12345678901234567890.1'"),
    ("money", "12.50", "DECIMAL(12,2)", "12.5"),
    ("boolean", "true", "BOOLEAN", "1"),
    ("boolean", "false", "BOOLEAN", "0"),
    ("bytea", "\\x00ff", "BLOB", "X'00FF'"),
    ("bytea", "\\x3035", "TEXT", "X'3035'"),
    ("text", "0.10", "TEXT", "'0.10'"),
    ("text", "0.10", "NUMERIC", "0.1"),
    ("text", "ab ", "VARCHAR(5)", "'ab '"),
    ("character varying(9)", "ab  ", "VARCHAR(3)", "'ab  '"),
    ("character(5)", "ab", "CHAR(5)", "'ab'"),
    ("name", "ab", "TEXT", "'ab'"),
    ("\"char\"", "a", "CHAR(1)", "'a'"),
    ("date", "2024-05-06", "DATE", "'2024-05-06'"),
    ("date", "0044-03-15 BC", "DATE", "'0044-03-15 BC'"),
    ("date", "infinity", "DATE", "'infinity'"),
    ("date", "10000-01-01", "DATE", "'10000-01-01'"),
    ("timestamp", "2024-05-06 10:00:00.123456", "DATETIME", "'2024-05-06 10:00:00.123456'"),
    ("timestamp", "2024-05-06", "DATETIME", "'2024-05-06 00:00:00'"),
    ("timestamp with time zone", "2024-05-06 12:00+02", "DATETIME", "'2024-05-06 10:00:00+00'"),
    ("time", "10:00", "TIME", "'10:00:00'"),
    ("time with time zone", "10:00:00+05:30", "TIME", "'10:00:00+05:30'"),
    ("interval", "1 year 2 months -3 days 04:05:06.789", "TEXT", "'1 year 2 mons -3 days +04:05:06.789'"),
    ("interval", "0", "INTERVAL", "'00:00:00'"),
    ("uuid", "0F8FAD5B-D9CB-469F-A165-70867728950E", "CHAR(36)", "'0f8fad5b-d9cb-469f-a165-70867728950e'"),
    ("uuid", "0f8fad5b-d9cb-469f-a165-70867728950e", "UUID", "'0f8fad5b-d9cb-469f-a165-70867728950e'"),
    ("json", "{\"b\": 1,  \"a\":1.0}", "JSON", "'{\"b\": 1,  \"a\":1.0}'"),
    ("json", "5", "JSON", "5"),
    ("json", "5", "TEXT", "'5'"),
    ("jsonb", "{\"b\":1,\"a\":1.0}", "JSON", "'{\"a\": 1.0, \"b\": 1}'"),
    ("jsonb", "null", "JSON", "'null'"),
    ("bit(8)", "00000101", "BIT(8)", "101"),
    ("bit(8)", "00000101", "TEXT", "'00000101'"),
    ("bit varying(5)", "101", "TEXT", "'101'"),
    ("inet", "10.0.0.1", "TEXT", "'10.0.0.1'"),
    ("inet", "10.0.0.1/32", "TEXT", "'10.0.0.1'"),
    ("inet", "10.0.0.1/24", "TEXT", "'10.0.0.1/24'"),
    ("cidr", "10.0.0.0/8", "TEXT", "'10.0.0.0/8'"),
    ("cidr", "10.0.0.1/32", "TEXT", "'10.0.0.1/32'"),
    ("macaddr", "08002B010203", "TEXT", "'08:00:2b:01:02:03'"),
    ("macaddr8", "08:00:2b:01:02:03:04:05", "TEXT", "'08:00:2b:01:02:03:04:05'"),
    ("mood", "so, so", "TEXT", "'so, so'"),
    ("amount", "5.10", "DECIMAL(10,2)", "5.1"),
    ("label", "ab", "VARCHAR(8)", "'ab'"),
    ("integer[]", "{1,NULL,3}", "TEXT", "'{1,NULL,3}'"),
    ("text[]", "{a b,NULL,\"NULL\"}", "TEXT", "'{\"a b\",NULL,\"NULL\"}'"),
    ("date[]", "{2024-05-06,NULL}", "TEXT", "'{2024-05-06,NULL}'"),
    ("pair", "(1,x)", "TEXT", "'(1,x)'"),
    ("int4range", "[1,4]", "TEXT", "'[1,5)'"),
    ("int4range", "empty", "TEXT", "'empty'"),
    ("daterange", "[2024-05-06,2024-05-07]", "TEXT", "'[2024-05-06,2024-05-08)'"),
    ("tstzrange", "[\"2024-05-06 12:00+02\",)", "TEXT", "'[\"2024-05-06 10:00:00+00\",)'"),
    ("point", "(1,2.5)", "TEXT", "'(1,2.5)'"),
    ("line", "{1,2,3}", "TEXT", "'{1,2,3}'"),
    ("lseg", "[(0,0),(1,1)]", "TEXT", "'[(0,0),(1,1)]'"),
    ("box", "(1,1),(0,0)", "TEXT", "'(1,1),(0,0)'"),
    ("path", "((0,0),(1,1))", "TEXT", "'((0,0),(1,1))'"),
    ("polygon", "((0,0),(1,1),(0,2))", "TEXT", "'((0,0),(1,1),(0,2))'"),
    ("circle", "<(0,0),1>", "TEXT", "'<(0,0),1>'"),
    ("tsvector", "b:2 a:1A", "TEXT", "'''a'':1A ''b'':2'"),
    ("tsquery", "a & b", "TEXT", "'''a'' & ''b'''"),
    ("xml", "<a>ä</a>", "TEXT", "'<a>ä</a>'"),
    ("pg_lsn", "16/B374D848", "TEXT", "'16/B374D848'"),
    ("jsonpath", "$.a", "TEXT", "'$.\"a\"'"),
    ("regclass", "pg_class", "TEXT", "'pg_class'"),
    ("text", "'; DROP TABLE t; --", "TEXT", "'''; DROP TABLE t; --'"),
    ("text", "a␉␊␍\\", "TEXT", "'a␉␊␍\\'"),
    ("text", "5", "INTEGER", "5"),
    ("text", " 5", "INTEGER", "5"),
    ("text", "5a", "INTEGER", "'5a'"),
];

#[test]
fn sqlite_shows_what_the_table_of_values_says() {
    if !needs_postgres("every_type::shown::sqlite_shows_what_the_table_of_values_says") {
        return;
    }
    let tables = "[one]\nidentity = 'assigned'";
    let plan = FleetPlan { names: &["ministry", "clinic-a"], tables, seed: 9, engines: &[Postgres, Sqlite] };
    let mut fleet = Fleet::new(&plan, |_, app| {
        let of = |(at, entry): (usize, &(&str, &str, &str, &str))| format!("c{at} {}", app.either(entry.2, entry.0));
        let list: Vec<String> = SHOWN.iter().enumerate().map(of).collect();
        app.execute_batch(app.either("", OWN_TYPES)).unwrap();
        app.execute_batch(&format!("CREATE TABLE one (id INTEGER PRIMARY KEY, {})", list.join(", "))).unwrap();
    });
    let names: Vec<String> = (0..SHOWN.len()).map(|at| format!("c{at}")).collect();
    let literals: Vec<String> =
        SHOWN.iter().map(|entry| format!("'{}'", unwritten(entry.1).replace('\'', "''"))).collect();
    fleet.nodes[0].run(&format!("INSERT INTO one ({}) VALUES ({})", names.join(", "), literals.join(", ")));
    fleet.nodes[0].run("CREATE TABLE before AS SELECT * FROM one");
    fleet.settle();
    let mut wrong = Vec::new();
    for (name, (of, literal, declared, expected)) in names.iter().zip(&SHOWN) {
        let shown = fleet.nodes[1]
            .app
            .text(&format!("SELECT CASE WHEN {name} IN (9e999) THEN 'Inf' ELSE quote({name}) END FROM one"), &[]);
        if shown.as_deref() != Some(unwritten(expected).as_str()) {
            wrong.push(format!("{of} {literal} in {declared:?} is {shown:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What is shown otherwise there is still what it was.
    fleet.nodes[1].run("UPDATE one SET c0 = c0 + 1");
    fleet.settle();
    let name = |(at, _): (usize, &String)| format!("a.c{at}");
    let all = names.iter().enumerate().skip(1).map(name).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT count(*) FROM one a, before b WHERE record_image_eq(row({all}), row({}))",
        all.replace("a.", "b.")
    );
    assert_eq!(fleet.nodes[0].app.number(&sql, &[]), Some(1));
    assert_eq!(fleet.nodes[0].app.number("SELECT c0 FROM one", &[]), Some(-6));
}
