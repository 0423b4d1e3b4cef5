//! A server that takes any bytes for text.

use saddlebag_formats::Value;

use super::super::Kind;
use crate::postgres::client::Client;
use crate::postgres::testing;

#[test]
fn text_of_a_server_without_encoding_survives() {
    let Some(mut config) = testing::config("text_of_a_server_without_encoding_survives") else { return };
    let name = format!("{}_ascii", config.get_dbname().unwrap());
    let sql = format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
    testing::connect(&config).batch("making a database", &sql).unwrap();
    config.dbname(&name);
    let mut client: Client = testing::connect(&config);
    client.batch("taking bytes as they are", "SET client_encoding TO 'SQL_ASCII'").unwrap();
    let sql = "CREATE TABLE t (a text, b character varying(9), c character(6), d text[]); \
               INSERT INTO t VALUES (E'caf\\351 ', E'caf\\351', E'caf\\351', ARRAY[E'caf\\351'])";
    client.batch("writing as the application", sql).unwrap();
    let kinds = ["text", "character varying(9)", "character(6)", "text[]"].map(Kind::of);
    let columns: Vec<String> = kinds.iter().zip(["a", "b", "c", "d"]).map(|(kind, name)| kind.select(name)).collect();
    let row = client.query_one("reading", &format!("SELECT {} FROM t", columns.join(", ")), &[]).unwrap();
    let read: Vec<Value> = kinds.iter().enumerate().map(|(at, kind)| kind.read(&row, at).unwrap()).collect();
    let expected = [b"caf\xe9 ".as_slice(), b"caf\xe9", b"caf\xe9", b"{caf\xe9}"];
    assert_eq!(read, expected.map(|bytes| Value::RawText(bytes.to_vec())));
}
