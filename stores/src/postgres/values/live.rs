//! The same against a server: what a column of each type holds comes out, and goes back as what it was.

mod given;
mod literals;
mod random;
mod text_server;

use postgres::types::ToSql;
use saddlebag_formats::Value;

use super::{Kind, cast_type, copy_text};
use crate::postgres::client::Client;
use crate::postgres::testing;

/// As `connect/session.rs` sets them.
const SETTINGS: &str = "SET DateStyle TO 'ISO, YMD'; SET TimeZone TO 'UTC'; SET IntervalStyle TO 'postgres'; \
    SET extra_float_digits TO 1; SET bytea_output TO 'hex'; SET lc_monetary TO 'C'; SET xmloption TO 'content'";

/// Types that the tests make.
const OWN_TYPES: &str = "CREATE TYPE \"My (odd) Enum\" AS ENUM ('a', 'A', 'it''s, \"x\"', ' b ', 'ä\\{}'); \
    CREATE TYPE pair AS (a integer, b text); CREATE DOMAIN amount AS numeric(10, 2) CHECK (VALUE > -1000); \
    CREATE DOMAIN label AS character varying(8); CREATE DOMAIN days AS date[]";

/// Three tables of one column of a type: what the application wrote, what went in by a cast, and what by `COPY`.
struct Column {
    client: Client,
    kind: Kind,
    cast: String,
}

fn client(test: &str) -> Option<Client> {
    let mut client = testing::database(test)?;
    client.batch("setting up", SETTINGS).unwrap();
    client.batch("making types", OWN_TYPES).unwrap();
    Some(client)
}

impl Column {
    fn new(mut client: Client, of: &str) -> Self {
        let make = |name: &str| format!("DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (at serial, x {of});");
        client.batch("making tables", &["written", "cast_in", "copied"].map(make).concat()).unwrap();
        client.forget_prepared();
        let sql = "SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), \
                   CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END) FROM pg_attribute a \
                   JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'written'::regclass AND a.attname = 'x'";
        let declared: String = client.query_one("reading a type", sql, &[]).unwrap().get(0);
        Self { client, kind: Kind::of(&declared), cast: cast_type(&declared) }
    }

    /// What the application writes, as literals.
    fn write(&mut self, literals: &[String]) {
        let rows: Vec<String> = literals.iter().map(|text| format!("('{}')", text.replace('\'', "''"))).collect();
        let sql = format!("INSERT INTO written (x) VALUES {}", rows.join(", "));
        self.client.batch("writing as the application", &sql).unwrap();
    }

    /// The values of a table, and their text forms.
    fn read(&mut self, table: &str) -> Vec<(Value, Option<String>)> {
        let (native, text) = (self.kind.select("t.x"), self.kind.select_text("t.x"));
        let sql = format!("SELECT {native}, {text} FROM {table} t ORDER BY at");
        let rows = self.client.query("reading", &sql, &[]).unwrap();
        rows.iter().map(|row| (self.kind.read(row, 0).unwrap(), row.get(1))).collect()
    }

    /// Puts texts into the two other tables; whether both took them. Refusals are of all or none.
    fn put(&mut self, texts: &[Option<String>]) -> Result<(), String> {
        let sql = format!("INSERT INTO cast_in (x) SELECT u.x::{} FROM unnest($1::text[]) AS u(x)", self.cast);
        let parameters: [&(dyn ToSql + Sync); 1] = [&texts];
        let by_cast = self.client.try_execute("casting", &sql, &parameters).unwrap();
        let mut bytes = Vec::new();
        for text in texts {
            copy_text(&mut bytes, text.as_deref());
            bytes.push(b'\n');
        }
        let by_copy = self.client.copy_in("COPY copied (x) FROM STDIN", &bytes);
        match (by_cast, by_copy) {
            (Ok(_), Ok(_)) => Ok(()),
            (Err(error), Err(_)) => Err(crate::postgres::client::words(&error)),
            (by_cast, by_copy) => panic!("cast: {by_cast:?}; copy: {by_copy:?}; {texts:?}"),
        }
    }

    /// The rows, byte for byte, that are not what the application wrote.
    fn differences(&mut self) -> i64 {
        let sql = "SELECT count(*) FROM written w FULL JOIN cast_in a USING (at) FULL JOIN copied b USING (at) \
                   WHERE NOT record_image_eq(row(w.x), row(a.x)) OR NOT record_image_eq(row(w.x), row(b.x))";
        self.client.query_one("comparing", sql, &[]).unwrap().get(0)
    }

    /// Reads all that the application wrote, writes it again and compares.
    fn there_and_back(&mut self, of: &str) {
        let read = self.read("written");
        for (value, text) in &read {
            let of_text = text.clone().map_or(Value::Null, |text| self.kind.from_text(text));
            assert_eq!(*value, of_text, "{of}: read natively, and by its text {text:?}");
        }
        let mut by_value = std::collections::HashMap::new();
        for (value, text) in &read {
            let other = by_value.insert(value.clone(), text.clone());
            assert!(other.as_ref().is_none_or(|other| other == text), "{of}: {other:?} and {text:?} are {value:?}");
        }
        let to_text = |(value, _): &(Value, Option<String>)| {
            self.kind.to_text(value).unwrap_or_else(|why| panic!("{of}: {value:?} was read and is refused: {why}"))
        };
        let texts: Vec<Option<String>> = read.iter().map(to_text).collect();
        self.put(&texts).unwrap_or_else(|why| panic!("{of}: {texts:?}: {why}"));
        assert_eq!(self.differences(), 0, "{of}: {texts:?}");
        assert_eq!(self.read("cast_in"), read, "{of}");
    }
}
