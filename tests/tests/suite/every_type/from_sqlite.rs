//! What SQLite's applications write into columns of every type, at a ministry on PostgreSQL: taken as it is, shown in
//! another form, or held with the reason.

use std::collections::BTreeMap;

use saddlebag_tests::app::App;
use saddlebag_tests::asking::held_values;
use saddlebag_tests::engines::Engine::{Postgres, Sqlite};
use saddlebag_tests::fleet::{Fleet, FleetPlan};
use saddlebag_tests::leases::needs_postgres;

use super::OWN_TYPES;

#[derive(Debug, Clone, Copy)]
enum Becomes {
    /// Just what it was; its text in PostgreSQL.
    Same(&'static str),
    /// Shown as this text, with the true value beside the record.
    Other(&'static str),
    /// Held; words of the reason.
    Held(&'static str),
}
use Becomes::{Held, Other, Same};

/// PostgreSQL's type, the value in SQLite's SQL, and what becomes of it.
const GIVEN: [(&str, &str, Becomes); 150] = [
    ("smallint", "7", Same("7")),
    ("smallint", "32768", Held("32768 does not fit a smallint column: it takes -32768 to 32767")),
    ("integer", "-2147483648", Same("-2147483648")),
    ("integer", "2147483648", Held("does not fit an integer column")),
    ("integer", "3.0", Other("3")),
    ("integer", "3.5", Held("3.5 does not fit an integer column: it is no whole number")),
    ("integer", "'007'", Other("7")),
    ("integer", "'3.0'", Held("`3.0` does not fit an integer column")),
    ("integer", "' 3'", Held("no whole number")),
    ("integer", "''", Held("`` does not fit an integer column")),
    ("integer", "'seven'", Held("`seven` does not fit an integer column")),
    ("integer", "x'37'", Held("1 bytes that are no text do not fit an integer column")),
    ("bigint", "9223372036854775807", Same("9223372036854775807")),
    ("bigint", "1e18", Other("1000000000000000000")),
    ("bigint", "1e19", Held("no whole number of 64 bits")),
    ("bigint", "1e999", Held("does not fit a bigint column")),
    ("bigint", "'9223372036854775808'", Held("no whole number of 64 bits")),
    ("oid", "4294967295", Same("4294967295")),
    ("oid", "-1", Held("it takes 0 to 4294967295")),
    ("double precision", "0.1", Same("0.1")),
    ("double precision", "-0.0", Same("-0")),
    ("double precision", "1e999", Same("Infinity")),
    ("double precision", "-1e999", Same("-Infinity")),
    ("double precision", "5e-324", Same("5e-324")),
    ("double precision", "5", Other("5")),
    ("double precision", "9007199254740993", Other("9.007199254740992e+15")),
    ("double precision", "'NaN'", Other("NaN")),
    ("double precision", "'Infinity'", Other("Infinity")),
    ("double precision", "'1.50'", Other("1.5")),
    ("double precision", "'1e400'", Held("out of the range of 64-bit floats")),
    ("double precision", "'1e-400'", Held("out of the range of 64-bit floats")),
    ("double precision", "'much'", Held("it is no decimal number")),
    ("double precision", "x'00'", Held("bytes that are no text")),
    ("real", "0.1", Same("0.1")),
    ("real", "0.123456789", Other("0.12345679")),
    ("real", "1e39", Held("out of the range of 32-bit floats")),
    ("real", "1e-50", Held("out of the range of 32-bit floats")),
    ("real", "1e999", Same("Infinity")),
    ("numeric", "5", Same("5")),
    ("numeric", "5.0", Other("5")),
    ("numeric", "0.1", Same("0.1")),
    ("numeric", "'0.10'", Same("0.10")),
    ("numeric", "'5'", Other("5")),
    ("numeric", "'1e3'", Other("1000")),
    ("numeric", "'NaN'", Same("NaN")),
    ("numeric", "'1,5'", Held("`1,5` does not fit a numeric column: it is no decimal number")),
    ("numeric", "'0x10'", Held("no decimal number")),
    ("numeric", "' 5'", Held("no decimal number")),
    ("numeric", "''", Held("no decimal number")),
    ("numeric(6,2)", "5", Same("5.00")),
    ("numeric(6,2)", "1.25", Same("1.25")),
    ("numeric(6,2)", "0.005", Other("0.01")),
    ("numeric(6,2)", "12345", Held("numeric field overflow")),
    ("numeric(6,2)", "1e999", Held("overflow")),
    ("money", "12.5", Same("$12.50")),
    ("money", "0.005", Other("$0.01")),
    ("money", "'$5'", Held("`$5` does not fit a money column")),
    ("money", "'1e3'", Held("it is no plain decimal number")),
    ("money", "1e999", Held("it is no finite number")),
    ("boolean", "1", Same("true")),
    ("boolean", "0", Same("false")),
    ("boolean", "'T'", Other("true")),
    ("boolean", "'false'", Other("false")),
    ("boolean", "2", Held("2 does not fit a boolean column: only 0 and 1 are clear")),
    ("boolean", "1.0", Held("only 0 and 1 are clear")),
    ("boolean", "'yes'", Held("`yes` does not fit a boolean column")),
    ("bytea", "x'00ff'", Same("\\x00ff")),
    ("bytea", "'abc'", Other("\\x616263")),
    ("bytea", "CAST(x'63e9' AS TEXT)", Other("\\x63e9")),
    ("bytea", "5", Held("5 does not fit a bytea column: it is a number")),
    ("text", "'a'", Same("a")),
    ("text", "5", Other("5")),
    ("text", "5.0", Other("5.0")),
    ("text", "'a' || char(0) || 'b'", Held("it has a zero byte, which PostgreSQL cannot store in text")),
    ("text", "CAST(x'636166e9' AS TEXT)", Held("is not valid UTF-8, which PostgreSQL wants of all text")),
    ("text", "x'6162'", Held("2 bytes that are no text do not fit a text column")),
    ("character varying(3)", "'äöü'", Same("äöü")),
    ("character varying(3)", "'ab   '", Other("ab ")),
    ("character varying(3)", "'abcd'", Held("`abcd` does not fit a character varying(3) column: it has 4 characters")),
    ("character varying(3)", "1234", Held("it has 4 characters")),
    ("character(3)", "'ab'", Same("ab")),
    ("character(3)", "'ab '", Other("ab")),
    ("character(3)", "'abcd'", Held("`abcd` does not fit a character(3) column")),
    ("name", "'ab'", Same("ab")),
    (
        "name",
        "'1234567890123456789012345678901234567890123456789012345678901234'",
        Other("123456789012345678901234567890123456789012345678901234567890123"),
    ),
    ("\"char\"", "'a'", Same("a")),
    ("\"char\"", "'ab'", Held("it takes a single ASCII character")),
    ("date", "'2024-05-06'", Same("2024-05-06")),
    ("date", "'0044-03-15 BC'", Same("0044-03-15 BC")),
    ("date", "'2024-05-06 00:00:00'", Other("2024-05-06")),
    ("date", "'2024-05-06 10:00:00'", Held("it has a time of day, which would be lost")),
    ("date", "'06/05/2024'", Held("`06/05/2024` does not fit a date column: it is not in an ISO form")),
    ("date", "'2024-02-30'", Held("there is no such day")),
    ("date", "'today'", Held("not in an ISO form")),
    ("date", "20240506", Held("whether it counts seconds, days or something else is not known")),
    ("date", "'5874898-01-01'", Held("it is out of range")),
    ("timestamp", "'2024-05-06 10:00:00.123456'", Same("2024-05-06 10:00:00.123456")),
    ("timestamp", "'2024-05-06T10:00'", Other("2024-05-06 10:00:00")),
    ("timestamp", "'2024-05-06 10:00:00.1234567'", Other("2024-05-06 10:00:00.123457")),
    ("timestamp", "'06/05/2024 10:00'", Held("`06/05/2024 10:00` does not fit a timestamp column")),
    ("timestamp", "'2024-05-06 10:00:00Z'", Held("it has a time zone, which would be lost")),
    ("timestamp", "1714989600", Held("whether it counts seconds, days")),
    ("timestamp", "2460437.5", Held("whether it counts seconds, days")),
    ("timestamp", "'294277-01-01 00:00:00'", Held("out of range")),
    ("timestamp(0)", "'2024-05-06 10:00:00.5'", Other("2024-05-06 10:00:01")),
    ("timestamp with time zone", "'2024-05-06 10:00:00+00'", Same("2024-05-06 10:00:00+00")),
    ("timestamp with time zone", "'2024-05-06 10:00:00'", Other("2024-05-06 10:00:00+00")),
    ("timestamp with time zone", "'2024-05-06 10:00:00+05:30'", Other("2024-05-06 04:30:00+00")),
    ("timestamp with time zone", "'now'", Held("not in an ISO form")),
    ("time", "'10:00:00'", Same("10:00:00")),
    ("time", "'10:00'", Other("10:00:00")),
    ("time", "'25:00:00'", Held("there is no such time of day")),
    ("time with time zone", "'10:00:00+05:30'", Same("10:00:00+05:30")),
    ("time with time zone", "'10:00:00'", Other("10:00:00+00")),
    ("interval", "'1 day 02:00:00'", Same("1 day 02:00:00")),
    ("interval", "'P1DT2H'", Other("1 day 02:00:00")),
    ("interval", "'1 day ago'", Held("does not fit an interval column")),
    ("interval", "5", Held("whether it counts seconds, days")),
    ("uuid", "'0f8fad5b-d9cb-469f-a165-70867728950e'", Same("0f8fad5b-d9cb-469f-a165-70867728950e")),
    ("uuid", "'0F8FAD5BD9CB469FA16570867728950E'", Other("0f8fad5b-d9cb-469f-a165-70867728950e")),
    ("uuid", "'patient 7'", Held("it is no UUID")),
    ("uuid", "x'0f8fad5bd9cb469fa16570867728950e'", Held("16 bytes that are no text do not fit a uuid column")),
    ("json", "'{\"a\":1.0,  \"a\":2}'", Same("{\"a\":1.0,  \"a\":2}")),
    ("json", "5", Other("5")),
    ("json", "'{a:1}'", Held("invalid input syntax for type json")),
    ("jsonb", "'{\"a\": 1}'", Same("{\"a\": 1}")),
    ("jsonb", "'{\"b\":1,\"a\":2}'", Other("{\"a\": 2, \"b\": 1}")),
    ("jsonb", "'\"\\u0000\"'", Held("unsupported Unicode escape sequence")),
    ("jsonb", "''", Held("invalid input syntax for type json")),
    ("bit(3)", "'101'", Same("101")),
    ("bit(3)", "'1011'", Held("does not match type bit(3)")),
    ("bit(3)", "101", Held("it is a number")),
    ("bit varying(3)", "'1011'", Held("bit string too long")),
    ("inet", "'10.0.0.1'", Same("10.0.0.1/32")),
    ("inet", "'10.0.0.1/32'", Other("10.0.0.1/32")),
    ("inet", "'10.0.0.256'", Held("invalid input syntax for type inet")),
    ("cidr", "'10.0.0.1/24'", Held("invalid cidr value")),
    ("macaddr", "'08002B010203'", Other("08:00:2b:01:02:03")),
    ("mood", "'sad'", Same("sad")),
    ("mood", "'Sad'", Held("invalid input value for enum mood")),
    ("amount", "5.1", Same("5.10")),
    ("amount", "-1000", Held("violates check constraint \"amount_check\"")),
    ("label", "'123456789'", Held("it has 9 characters")),
    ("integer[]", "'{1,2}'", Same("{1,2}")),
    ("integer[]", "'{1, 2}'", Other("{1,2}")),
    ("integer[]", "'[1,2]'", Held("malformed array literal")),
    ("date[]", "'{06/05/2024}'", Held("a part of it could be misread")),
    ("int4range", "'[1,4]'", Other("[1,5)")),
    ("int4range", "'[5,1)'", Held("range lower bound must be less than or equal to range upper bound")),
    ("xml", "'<a>'", Held("invalid XML content")),
];

/// A value that a column of a type takes, in SQLite's SQL.
fn valid(of: &str) -> &'static str {
    match of {
        "smallint" | "integer" | "bigint" | "oid" | "boolean" => "1",
        "double precision" | "real" | "numeric" | "numeric(6,2)" | "money" | "amount" => "0.25",
        "bytea" => "x'00'",
        "date" => "'2024-05-06'",
        "timestamp" => "'2024-05-06 10:00:00'",
        "timestamp with time zone" => "'2024-05-06 10:00:00+00'",
        "time" => "'10:00:00'",
        "interval" => "'1 day'",
        "uuid" => "'00000000-0000-0000-0000-000000000000'",
        "json" | "jsonb" => "'{}'",
        "inet" | "cidr" => "'10.0.0.1/32'",
        "mood" => "'sad'",
        "integer[]" | "date[]" => "'{}'",
        "int4range" => "'empty'",
        "bit(3)" | "bit varying(3)" => "'111'",
        _ => "'x'",
    }
}

/// What stands in one node of SQLite, by row: type and value of the row's own column.
fn stands(app: &App) -> BTreeMap<usize, String> {
    let of = |at: usize| {
        let value = format!("CASE typeof(c{at}) WHEN 'real' THEN printf('%!.20g', c{at}) ELSE hex(c{at}) END");
        let sql = format!("SELECT typeof(c{at}) || ' ' || {value} FROM one WHERE n = {at}");
        app.text(&sql, &[]).map(|text| (at, text))
    };
    (0..GIVEN.len()).filter_map(of).collect()
}

/// What PostgreSQL shows, by row.
fn shows(app: &App) -> BTreeMap<usize, String> {
    let of = |at: usize| {
        let sql = format!("SELECT coalesce(c{at}::text, 'NULL') FROM one WHERE n = {at}");
        app.text(&sql, &[]).map(|text| (at, text))
    };
    (0..GIVEN.len()).filter_map(of).collect()
}

#[test]
fn what_postgresql_cannot_hold_is_held_and_never_null() {
    if !needs_postgres("every_type::from_sqlite::what_postgresql_cannot_hold_is_held_and_never_null") {
        return;
    }
    let (names, tables) = (&["ministry", "clinic-a", "clinic-b"], "[one]\nidentity = 'assigned'");
    let plan = FleetPlan { names, tables, seed: 10, engines: &[Postgres, Sqlite, Sqlite] };
    let mut fleet = Fleet::new(&plan, |_, app| {
        let of = |(at, entry): (usize, &(&str, &str, Becomes))| format!("c{at} {}", app.either("", entry.0));
        let list: Vec<String> = GIVEN.iter().enumerate().map(of).collect();
        app.execute_batch(app.either("", "SET lc_monetary TO 'C'; SET timezone TO 'UTC'")).unwrap();
        app.execute_batch(app.either("", OWN_TYPES)).unwrap();
        app.execute_batch(&format!("CREATE TABLE one (id INTEGER PRIMARY KEY, n INTEGER, {})", list.join(", ")))
            .unwrap();
    });
    for (at, (_, value, _)) in GIVEN.iter().enumerate() {
        fleet.nodes[1].run(&format!("INSERT INTO one (n, c{at}) VALUES ({at}, {value})"));
    }
    fleet.settle();
    let (given, arrived) = (stands(&fleet.nodes[1].app), stands(&fleet.nodes[2].app));
    let shown = shows(&fleet.nodes[0].app);
    let columns = fleet.nodes[0].store.tracking().by_name("one").unwrap().columns.clone();
    let beside: Vec<String> = fleet.nodes[0]
        .beside("one")
        .iter()
        .map(|beside| columns.iter().find(|column| column.id == beside.column).unwrap().name.clone())
        .collect();
    let mut held: BTreeMap<String, String> = BTreeMap::new();
    for one in fleet.nodes[0].held() {
        let n = held_values(&one).into_iter().find(|(name, _)| name == "n").unwrap().1;
        assert!(held.insert(n, one.reason).is_none());
    }
    let mut wrong = Vec::new();
    for (at, (of, value, becomes)) in GIVEN.iter().enumerate() {
        let name = format!("c{at}");
        let (text, is_beside) = (shown.get(&at).map(String::as_str), beside.contains(&name));
        let reason = held.get(&format!("Integer({at})"));
        let is_right = match becomes {
            Same(expected) => text == Some(expected) && !is_beside && reason.is_none(),
            Other(expected) => text == Some(expected) && is_beside && reason.is_none(),
            Held(words) => {
                text.is_none() && reason.is_some_and(|reason| reason.contains(words) && reason.contains(&name))
            }
        };
        if !is_right {
            wrong.push(format!("{of} {value}: {becomes:?}: shown {text:?}, beside {is_beside}, held {reason:?}"));
        }
        // The other clinic has what the first one has, type and all, or nothing of the record yet.
        let is_held = matches!(becomes, Held(_));
        let expected = if is_held { None } else { given.get(&at) };
        if arrived.get(&at) != expected {
            wrong.push(format!("{of} {value}: at the other clinic {:?}, not {expected:?}", arrived.get(&at)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Corrected at home, they are held no more.
    for (at, (of, _, becomes)) in GIVEN.iter().enumerate() {
        if matches!(becomes, Held(_)) {
            fleet.nodes[1].run(&format!("UPDATE one SET c{at} = {} WHERE n = {at}", valid(of)));
        }
    }
    fleet.settle();
    let left: Vec<String> = fleet.nodes[0].held().into_iter().map(|held| held.reason).collect();
    assert!(left.is_empty(), "{left:#?}");
    let shown = shows(&fleet.nodes[0].app);
    assert!(shown.len() == GIVEN.len() && shown.values().all(|text| text != "NULL"));
    assert_eq!(stands(&fleet.nodes[2].app), stands(&fleet.nodes[1].app));
}
