//! Where a meaning is read: the tables and rows of a database of either engine, told in the same words.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use saddlebag_samples::compare::show;

use crate::app::{App, AppError, Row, Server, Sql};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether it is part of the primary key.
    pub is_key: bool,
    /// Whether its type is one of whole numbers.
    pub is_integer: bool,
}

/// A declared foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The table that it refers to.
    pub table: String,
    /// The columns that refer.
    pub from: Vec<String>,
    /// The columns of the other table.
    pub to: Vec<String>,
}

/// A database that can be read.
pub trait Source {
    /// Why it could not be.
    type Error;

    /// The columns of a table, in the order of their declaration.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn columns(&self, table: &str) -> Result<Vec<Column>, Self::Error>;

    /// The foreign keys that a table declares.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn references(&self, table: &str) -> Result<Vec<Declared>, Self::Error>;

    /// These columns of all rows of a table, as texts that differ where values do.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn cells(&self, table: &str, columns: &[String]) -> Result<Vec<Vec<String>>, Self::Error>;
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn select(table: &str, columns: &[String]) -> String {
    let list: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    format!("SELECT {} FROM {}", list.join(", "), quote(table))
}

impl Source for Connection {
    type Error = rusqlite::Error;

    fn columns(&self, table: &str) -> rusqlite::Result<Vec<Column>> {
        let sql = "SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
        let mut statement = self.prepare(sql)?;
        let column = |row: &rusqlite::Row<'_>| {
            let (name, declared, key): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Column { name, is_key: key > 0, is_integer: declared.eq_ignore_ascii_case("INTEGER") })
        };
        statement.query_map([table], column)?.collect()
    }

    fn references(&self, table: &str) -> rusqlite::Result<Vec<Declared>> {
        let sql = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
        let mut statement = self.prepare(sql)?;
        let mut found: BTreeMap<i64, Declared> = BTreeMap::new();
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            let (id, target, from): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let empty = Declared { table: target, from: Vec::new(), to: Vec::new() };
            let reference = found.entry(id).or_insert(empty);
            reference.from.push(from);
            reference.to.extend(row.get::<_, Option<String>>(3)?);
        }
        let mut found: Vec<Declared> = found.into_values().collect();
        for reference in found.iter_mut().filter(|reference| reference.to.is_empty()) {
            // Without columns, a reference is to the primary key.
            let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
            let mut statement = self.prepare(sql)?;
            reference.to = statement.query_map([&reference.table], |row| row.get(0))?.collect::<Result<_, _>>()?;
        }
        Ok(found)
    }

    fn cells(&self, table: &str, columns: &[String]) -> rusqlite::Result<Vec<Vec<String>>> {
        let mut statement = self.prepare(&select(table, columns))?;
        let row = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|index| Ok(show(row.get_ref(index)?))).collect();
        statement.query_map([], row)?.collect()
    }
}

impl Source for Server {
    type Error = AppError;

    fn columns(&self, table: &str) -> Result<Vec<Column>, AppError> {
        let sql = "SELECT a.attname, a.atttypid::regtype::text, coalesce(a.attnum = ANY (i.indkey), false)
            FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
            WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
        let rows = self.query(sql, &[Sql::Text(quote(table))])?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let [Sql::Text(name), Sql::Text(kind), Sql::Integer(key)] = row.as_slice() else { panic!("{row:?}") };
                let is_integer = ["smallint", "integer", "bigint"].contains(&kind.as_str());
                Column { name: name.clone(), is_key: *key == 1, is_integer }
            })
            .collect())
    }

    fn references(&self, table: &str) -> Result<Vec<Declared>, AppError> {
        let sql = "SELECT c.oid::bigint, r.relname, a.attname, b.attname
            FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid
                CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (own, other, place)
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own
                JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other
            WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = to_regclass($1) ORDER BY c.oid, k.place";
        let mut found: BTreeMap<i64, Declared> = BTreeMap::new();
        for row in self.query(sql, &[Sql::Text(quote(table))])? {
            let [Sql::Integer(id), Sql::Text(target), Sql::Text(from), Sql::Text(to)] = row.as_slice() else {
                panic!("{row:?}")
            };
            let empty = Declared { table: target.clone(), from: Vec::new(), to: Vec::new() };
            let reference = found.entry(*id).or_insert(empty);
            reference.from.push(from.clone());
            reference.to.push(to.clone());
        }
        Ok(found.into_values().collect())
    }

    fn cells(&self, table: &str, columns: &[String]) -> Result<Vec<Vec<String>>, AppError> {
        let rows = self.told(table, columns)?;
        Ok(rows.iter().map(|row| row.iter().map(|value| show(ValueRef::from(value))).collect()).collect())
    }
}

/// The columns of a table whose values a connection takes as they are; those of other types it takes as text.
const PLAIN: &str = "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0
    AND atttypid = ANY ('{bool,int2,int4,int8,float4,float8,bytea,numeric,uuid,json,jsonb,text,varchar,bpchar,name}'::regtype[])";

impl Server {
    /// These columns of all rows of a table.
    pub(crate) fn told(&self, table: &str, columns: &[String]) -> Result<Vec<Row>, AppError> {
        let plain = self.query(PLAIN, &[Sql::Text(quote(table))])?;
        let is_plain = |column: &String| plain.iter().any(|row| row[0] == Sql::Text(column.clone()));
        let told = |column: &String| match is_plain(column) {
            true => quote(column),
            false => format!("{}::text", quote(column)),
        };
        let list: Vec<String> = columns.iter().map(told).collect();
        self.query(&format!("SELECT {} FROM {}", list.join(", "), quote(table)), &[])
    }
}

impl Source for App {
    type Error = AppError;

    fn columns(&self, table: &str) -> Result<Vec<Column>, AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.columns(table)?),
            Self::Postgres(server) => server.columns(table),
        }
    }

    fn references(&self, table: &str) -> Result<Vec<Declared>, AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.references(table)?),
            Self::Postgres(server) => server.references(table),
        }
    }

    fn cells(&self, table: &str, columns: &[String]) -> Result<Vec<Vec<String>>, AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.cells(table, columns)?),
            Self::Postgres(server) => server.cells(table, columns),
        }
    }
}
