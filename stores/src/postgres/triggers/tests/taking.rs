use saddlebag_formats::Value;

use super::site::{Site, site};
use crate::fold::Entry;
use crate::postgres::journal;
use crate::record::Key;

const SCHEMA: &str =
    "CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (k varchar(9), n smallint, x text, PRIMARY KEY (k, n))";

fn two(test: &str) -> Option<Site> {
    site(test, SCHEMA, "[a]\nidentity='assigned'\n[b]\nidentity='assigned'")
}

fn taken(site: &mut Site, limit: u64) -> Vec<usize> {
    let tables = site.tracking.tables.clone();
    let taken = journal::take_tables(&mut site.client, &tables, limit).unwrap();
    tables.iter().map(|table| taken.get(&table.number).map_or(0, Vec::len)).collect()
}

#[test]
fn the_first_entries_of_each_table_are_taken() {
    let Some(mut site) = two("the_first_entries_of_each_table_are_taken") else { return };
    let sql = "INSERT INTO a SELECT generate_series(1, 7); INSERT INTO b SELECT 'x', generate_series(1, 3); DELETE FROM a WHERE id = 1";
    site.application().batch_execute(sql).unwrap();
    assert_eq!(journal::count(&mut site.client).unwrap(), 11);
    assert_eq!(taken(&mut site, 5), [5, 3]);
    assert_eq!(taken(&mut site, 5), [3, 0]);
    assert_eq!(taken(&mut site, 5), [0, 0]);
    assert_eq!(journal::count(&mut site.client).unwrap(), 0);
}

#[test]
fn what_belongs_together_is_taken_together() {
    let sql = "CREATE TABLE v (id integer, y integer, PRIMARY KEY (id, y)) PARTITION BY LIST (y);
        CREATE TABLE v1 PARTITION OF v FOR VALUES IN (1); CREATE TABLE v2 PARTITION OF v FOR VALUES IN (2);
        INSERT INTO v SELECT generate_series(1, 9), 1";
    let Some(mut site) = site("what_belongs_together_is_taken_together", sql, "[v]\nidentity='assigned'") else {
        return;
    };
    site.application().batch_execute("UPDATE v SET y = 2").unwrap();
    assert_eq!(taken(&mut site, 3), [9]);
}

#[test]
fn only_what_was_read_is_deleted() {
    let Some(mut site) = two("only_what_was_read_is_deleted") else { return };
    site.application().batch_execute("INSERT INTO a VALUES (1)").unwrap();
    site.client.batch("", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM saddlebag.journal").unwrap();
    site.application().batch_execute("INSERT INTO a VALUES (2)").unwrap();
    assert_eq!(taken(&mut site, 100), [1, 0]);
    site.client.batch("", "COMMIT").unwrap();
    assert_eq!(site.take(), ["a+2"]);
}

#[test]
fn rows_that_are_there_are_noted_in_the_order_of_their_keys() {
    let Some(mut site) = two("rows_that_are_there_are_noted_in_the_order_of_their_keys") else { return };
    site.application()
        .batch_execute(
            "SET search_path = public; INSERT INTO b VALUES ('ö', 2), ('a', 3), ('a', -1), ('b', 0), ('Ä', 5)",
        )
        .unwrap();
    site.take();
    let table = site.table("b").clone();
    let (mut after, mut pages, mut keys): (Option<Key>, Vec<u64>, Vec<Key>) = (None, Vec::new(), Vec::new());
    loop {
        let (rows, last) = journal::existing(&mut site.client, &table, after.as_ref(), 2).unwrap();
        pages.push(rows);
        let Some(last) = last else { break };
        let taken = journal::take_tables(&mut site.client, std::slice::from_ref(&table), 100).unwrap();
        let entries: Vec<Entry> = taken.into_values().flatten().collect();
        assert!(entries.iter().all(|entry| entry.at.0 == 0));
        keys.extend(journal::keys_of(&entries));
        assert!(keys.contains(&last));
        after = Some(last);
    }
    assert_eq!(pages, [2, 2, 1, 0]);
    assert!(keys.contains(&Key(vec![Value::Text("ö".into()), Value::Integer(2)])));
    site.give_states("b");
    assert_eq!(journal::existing(&mut site.client, &table, None, 100).unwrap(), (0, None));
}

#[test]
fn new_columns_are_noted_where_they_say_something() {
    let Some(mut site) = two("new_columns_are_noted_where_they_say_something") else { return };
    site.after("INSERT INTO b VALUES ('a', 1, 'new'), ('b', 2, NULL)");
    site.give_states("b");
    let table = site.table("b").clone();
    let new: Vec<_> = table.columns.iter().filter(|column| column.name == "x").collect();
    journal::note_first_sight(&mut site.client, &table, &new).unwrap();
    assert_eq!(site.take(), ["b a/1 x"]);
}
