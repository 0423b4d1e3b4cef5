//! Literals of every type: column → value → column.

use super::{Column, client};

/// A type in each line, then literals with `¦` between; a line that begins with 14 is for servers from that version on.
/// Tab, line feed and carriage return are written as their pictures.
const LITERALS: &str = include_str!("literals.txt");

#[test]
fn every_type_goes_there_and_back() {
    let Some(mut client) = client("every_type_goes_there_and_back") else { return };
    let sql = "SELECT current_setting('server_version_num')::integer / 10000";
    let version: i32 = client.query_one("asking its version", sql, &[]).unwrap().get(0);
    for line in LITERALS.lines() {
        let (line, is_known) = match line.strip_prefix("14 ") {
            Some(line) => (line, version >= 14),
            None => (line, true),
        };
        if !is_known {
            continue;
        }
        let (of, literals) = line.split_once(": ").unwrap();
        let literal = |text: &str| text.replace('␉', "\t").replace('␊', "\n").replace('␍', "\r");
        let literals: Vec<String> = literals.split('¦').map(literal).collect();
        let mut column = Column::new(client, of);
        column.write(&literals);
        column.client.batch("writing a null", "INSERT INTO written (x) VALUES (NULL)").unwrap();
        column.there_and_back(of);
        client = column.client;
    }
}
