//! Questions about rows and records that are not about a single one: who holds a value, what waits for a target, what does
//! not fit.

use std::collections::HashMap;

use saddlebag_formats::{Seq, TimeMs, Uid, Value};

use super::fields::{field, uid};
use super::sql::{key_columns, key_join, quote, states, table_name};
use super::values::{Kind, cast_type};
use super::{PostgresStore, keys};
use crate::engine::Waiting;
use crate::error::StoreError;
use crate::naming;
use crate::record::Key;
use crate::tracking::TrackedTable;

/// The records that hold each of `values`, as this database has them.
pub(super) fn holders(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: usize,
    values: &[Value],
) -> Result<HashMap<Value, Vec<Uid>>, StoreError> {
    let action = "looking for equal values";
    store.flush()?;
    let column = &table.columns[column];
    let kind = Kind::of(&column.declared_type);
    let name = format!("t.{}", quote(&column.name));
    // What the type cannot hold, no row holds.
    let texts: Vec<String> = values.iter().filter_map(|value| kind.to_text(value).ok().flatten()).collect();
    let sql = format!(
        "SELECT {selected}, s.uid FROM unnest($1::text[]) AS u(v) JOIN {table} t ON {name} = u.v::{of} JOIN {states} s ON {join}",
        selected = kind.select(&name),
        table = table_name(&table.name),
        of = cast_type(&column.declared_type),
        states = states(table.number),
        join = key_join(table, "s.", "t."),
    );
    let mut holders: HashMap<Value, Vec<Uid>> = HashMap::new();
    for row in store.client.query(action, &sql, &[&texts])? {
        holders.entry(kind.read(&row, 0)?).or_default().push(uid(action, &row, 1)?);
    }
    Ok(holders)
}

/// The greatest number that follows `prefix` and makes up the rest of the text.
pub(super) fn last_in_series(
    store: &mut PostgresStore,
    table: &TrackedTable,
    column: usize,
    prefix: &str,
) -> Result<Option<u64>, StoreError> {
    let action = "looking for the last number of a series";
    let (name, column) = (table_name(&table.name), quote(&table.columns[column].name));
    let sql = format!(
        "SELECT max(rest::bigint) FROM (SELECT substr({column}::text, length($1::text) + 1) rest FROM {name} \
         WHERE left({column}::text, length($1::text)) = $1::text) r WHERE rest ~ '^[0-9]{{1,18}}$'"
    );
    let last: Option<i64> = field(action, &store.client.query_one(action, &sql, &[&prefix])?, 0)?;
    Ok(last.and_then(|last| u64::try_from(last).ok()))
}

/// References kept beside their records whose targets have changed or come after a place in the feed.
pub(super) fn waiting(store: &mut PostgresStore, after: Seq) -> Result<Vec<Waiting>, StoreError> {
    let action = "looking for targets that have come";
    store.flush()?;
    let any = "SELECT EXISTS (SELECT 1 FROM saddlebag.beside WHERE target IS NOT NULL)";
    if store.tracking.tables.is_empty() || !field(action, &store.client.query_one(action, any, &[])?, 0)? {
        return Ok(Vec::new());
    }
    let of = |table: &TrackedTable| {
        format!(
            "SELECT b.table_number, b.uid, b.column_id FROM {} s JOIN saddlebag.beside b ON b.target = s.uid \
             WHERE s.seq > $1::bigint AND NOT s.home",
            states(table.number)
        )
    };
    let parts: Vec<String> = store.tracking.tables.iter().map(of).collect();
    let rows = store.client.query(action, &parts.join(" UNION ALL "), &[&after.0.cast_signed()])?;
    let one = |row: &postgres::Row| {
        let (table, column): (i32, i32) = (field(action, row, 0)?, field(action, row, 2)?);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        Ok(Waiting { table: table.cast_unsigned(), uid: uid(action, row, 1)?, column })
    };
    rows.iter().map(one).collect()
}

/// What a query of `named(…)` says: keys and names.
pub(super) fn query_names(
    store: &mut PostgresStore,
    table: &TrackedTable,
    query: &str,
) -> Result<HashMap<Value, String>, StoreError> {
    let refused = |reason: String| StoreError::NameQuery { table: table.name.clone(), reason };
    // It may have come from the deployment's central: as a part of a query it may look at the database, and do little
    // else; a function that writes is refused by the read-only transaction of the savepoint.
    let query = query.trim().trim_end_matches(';');
    let action = "asking for the names of rows";
    store.client.batch(action, "SAVEPOINT saddlebag_names; SET LOCAL transaction_read_only = on")?;
    let asked = ask(store, query);
    store.client.batch(action, "ROLLBACK TO SAVEPOINT saddlebag_names; RELEASE SAVEPOINT saddlebag_names")?;
    let kinds = keys::kinds(table);
    let mut names = Vec::new();
    for (key, name) in asked.map_err(refused)? {
        if let (Some(key), Some(name), [kind]) = (key, name, kinds.as_slice()) {
            names.push((kind.from_text(key), Value::Text(name)));
        }
    }
    Ok(naming::names(names))
}

type KeyAndName = (Option<String>, Option<String>);

fn ask(store: &mut PostgresStore, query: &str) -> Result<Vec<KeyAndName>, String> {
    let words = |error: postgres::Error| super::client::words(&error);
    let columns = store.client.column_count(&format!("SELECT * FROM ({query}\n) q")).map_err(words)?;
    if columns != 2 {
        return Err("it must give two columns, the key of a row and its name".to_owned());
    }
    let sql = format!("SELECT key::text, name::text FROM ({query}\n) q(key, name)");
    let asked = store.client.try_query("asking for the names of rows", &sql, &[]);
    let rows = asked.map_err(|error| error.to_string())?.map_err(words)?;
    let one = |row: &postgres::Row| Ok((row.try_get(0).map_err(words)?, row.try_get(1).map_err(words)?));
    rows.iter().map(one).collect()
}

const COMPARING: &str = "comparing the rows with what is known of them";

/// The keys of rows without a row state.
pub(super) fn unseen_rows(
    store: &mut PostgresStore,
    table: &TrackedTable,
    found: &mut dyn FnMut(Key),
) -> Result<(), StoreError> {
    store.flush()?;
    let sql = format!(
        "SELECT {} FROM {} t WHERE NOT EXISTS (SELECT 1 FROM {} s WHERE {})",
        keys::select_row_key(table, "t."),
        table_name(&table.name),
        states(table.number),
        key_join(table, "s.", "t."),
    );
    store.client.query_each(COMPARING, &sql, &[], &mut |row| {
        found(keys::read(table, row, 0)?);
        Ok(())
    })
}

/// The keys and uids of row states without a row.
pub(super) fn lost_rows(
    store: &mut PostgresStore,
    table: &TrackedTable,
    found: &mut dyn FnMut(Key, Uid),
) -> Result<(), StoreError> {
    store.flush()?;
    let sql = format!(
        "SELECT {}, s.uid FROM {} s WHERE NOT EXISTS (SELECT 1 FROM {} t WHERE {}) ORDER BY {}",
        keys::select_state_key(table, "s."),
        states(table.number),
        table_name(&table.name),
        key_join(table, "s.", "t."),
        key_columns(table, "s.k"),
    );
    store.client.query_each(COMPARING, &sql, &[], &mut |row| {
        found(keys::read(table, row, 0)?, uid(COMPARING, row, table.key.len())?);
        Ok(())
    })
}

/// How many rows a table has.
pub(super) fn count_rows(store: &mut PostgresStore, table: &TrackedTable) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", table_name(&table.name));
    let rows: i64 = field(COMPARING, &store.client.query_one(COMPARING, &sql, &[])?, 0)?;
    Ok(rows.cast_unsigned())
}

/// The time that a trigger would note now.
pub(super) fn now(store: &mut PostgresStore) -> Result<TimeMs, StoreError> {
    let action = "reading the time";
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    Ok(TimeMs(field(action, &store.client.query_one(action, sql, &[])?, 0)?))
}

/// Records with a foreign key, checked only at the end of the transaction, whose target is not here; with the table it
/// refers to.
pub(super) fn unmet_references(store: &mut PostgresStore) -> Result<HashMap<(u32, Uid), String>, StoreError> {
    let action = "checking foreign keys";
    let sql = "SELECT c.conrelid::regclass::text, n.nspname, r.relname, c.confrelid::regclass::text, fr.relname,
        ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(n, o) JOIN pg_attribute a
              ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.o),
        ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k(n, o) JOIN pg_attribute a
              ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.o)
        FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
        JOIN pg_class fr ON fr.oid = c.confrelid
        WHERE c.contype = 'f' AND c.condeferred AND c.conparentid = 0";
    let constraints = store.client.query(action, sql, &[])?;
    let mut unmet = HashMap::new();
    if constraints.is_empty() {
        return Ok(unmet);
    }
    store.flush()?;
    let tracking = std::rc::Rc::clone(&store.tracking);
    for row in &constraints {
        let (child, space, name): (String, String, String) =
            (field(action, row, 0)?, field(action, row, 1)?, field(action, row, 2)?);
        let (parent, parent_name): (String, String) = (field(action, row, 3)?, field(action, row, 4)?);
        let (from, to): (Vec<String>, Vec<String>) = (field(action, row, 5)?, field(action, row, 6)?);
        let name = if space == "public" { name } else { format!("{space}.{name}") };
        let Some(table) = tracking.by_name(&name) else { continue };
        let given: Vec<_> = from.iter().map(|column| format!("t.{} IS NOT NULL", quote(column))).collect();
        let met = from.iter().zip(&to).map(|(from, to)| format!("p.{} = t.{}", quote(to), quote(from)));
        let sql = format!(
            "SELECT s.uid FROM {child} t JOIN {} s ON {} WHERE {} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {})",
            states(table.number),
            key_join(table, "s.", "t."),
            given.join(" AND "),
            met.collect::<Vec<_>>().join(" AND "),
        );
        for row in store.client.query(action, &sql, &[])? {
            unmet.insert((table.number, uid(action, &row, 0)?), parent_name.clone());
        }
    }
    Ok(unmet)
}
