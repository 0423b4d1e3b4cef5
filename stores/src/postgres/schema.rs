//! Reads the application's schema, in a few questions about all of it.

mod default;

use std::collections::{HashMap, HashSet};

use super::client::Client;
use super::fields::field;
use crate::error::StoreError;
use crate::schema::{Column, ForeignKey, Schema, Table};

const ACTION: &str = "reading its schema";

/// Namespaces of the application, alias `n`.
const APPLICATIONS: &str = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'saddlebag')";

/// Where `postgres` keeps a table or type: its number in the catalogues.
type Oid = u32;

pub(super) fn read(client: &mut Client) -> Result<Schema, StoreError> {
    let mut tables = Tables::read(client)?;
    tables.read_columns(client)?;
    tables.read_unique(client)?;
    tables.read_foreign_keys(client)?;
    let has_triggers = has_triggers(client)?;
    let mut tables: Vec<Table> = tables.all.into_iter().map(finished).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Schema { tables, has_triggers })
}

/// A table while it is being read.
struct Reading {
    table: Table,
    /// Integer columns for which the database counts.
    counted: HashSet<String>,
    /// Columns that the database computes.
    generated: HashSet<String>,
}

/// The tables while they are being read.
struct Tables {
    all: Vec<Reading>,
    by_oid: HashMap<Oid, usize>,
    /// Of those whose rows can be kept in step.
    oids: Vec<Oid>,
}

impl Tables {
    /// Partitions belong to their parent, and what an extension brought to the extension.
    fn read(client: &mut Client) -> Result<Self, StoreError> {
        let sql = format!(
            "SELECT c.oid, n.nspname::text, c.relname::text,
                 CASE WHEN c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
                     THEN 'inherited' ELSE c.relkind::text END
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition
                 AND {APPLICATIONS} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
        );
        let mut tables = Self { all: Vec::new(), by_oid: HashMap::new(), oids: Vec::new() };
        for row in client.query(ACTION, &sql, &[])? {
            let oid: Oid = field(ACTION, &row, 0)?;
            let (schema, name): (&str, &str) = (field(ACTION, &row, 1)?, field(ACTION, &row, 2)?);
            let unsupported = unsupported(field(ACTION, &row, 3)?, schema);
            if unsupported.is_none() {
                tables.oids.push(oid);
            }
            tables.by_oid.insert(oid, tables.all.len());
            let table = Table {
                name: full_name(schema, name),
                columns: Vec::new(),
                primary_key: Vec::new(),
                foreign_keys: Vec::new(),
                unique: Vec::new(),
                key_is_given: false,
                unsupported,
            };
            tables.all.push(Reading { table, counted: HashSet::new(), generated: HashSet::new() });
        }
        Ok(tables)
    }

    fn at(&mut self, oid: Oid) -> Option<&mut Reading> {
        self.by_oid.get(&oid).and_then(|index| self.all.get_mut(*index))
    }

    /// A domain is its base type here, whatever lies between; the first default from the column inwards counts, and one
    /// NOT NULL is enough.
    fn read_columns(&mut self, client: &mut Client) -> Result<(), StoreError> {
        let sql = "WITH RECURSIVE domain (outer_type, type, typmod, not_null) AS (
                 SELECT oid, typbasetype, typtypmod, typnotnull FROM pg_catalog.pg_type WHERE typtype = 'd'
                 UNION ALL
                 SELECT d.outer_type, t.typbasetype, t.typtypmod, d.not_null OR t.typnotnull
                 FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.type WHERE t.typtype = 'd'),
             base AS (
                 SELECT d.* FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.type WHERE t.typtype <> 'd')
             SELECT a.attrelid, a.attname::text, a.attgenerated <> '',
                 pg_catalog.format_type(COALESCE(b.type, a.atttypid), COALESCE(b.typmod, a.atttypmod)),
                 a.attnotnull OR COALESCE(b.not_null, false),
                 COALESCE(
                     'nextval(' || quote_literal(quote_ident(sn.nspname) || '.' || quote_ident(s.relname)) || '::regclass)',
                     pg_catalog.pg_get_expr(e.adbin, e.adrelid), pg_catalog.pg_get_expr(o.typdefaultbin, 0)),
                 COALESCE(b.type, a.atttypid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
             FROM pg_catalog.pg_attribute a
             LEFT JOIN base b ON b.outer_type = a.atttypid
             LEFT JOIN pg_catalog.pg_type o ON o.oid = b.outer_type
             LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
             LEFT JOIN pg_catalog.pg_depend d ON a.attidentity <> '' AND d.deptype = 'i'
                 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = a.attrelid
                 AND d.refobjsubid = a.attnum AND d.classid = 'pg_catalog.pg_class'::regclass
             LEFT JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
             LEFT JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
             WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attrelid, a.attnum";
        for row in client.query(ACTION, sql, &[&self.oids])? {
            let Some(reading) = self.at(field(ACTION, &row, 0)?) else { continue };
            let name: String = field(ACTION, &row, 1)?;
            if field(ACTION, &row, 2)? {
                reading.generated.insert(name);
                continue;
            }
            let default: Option<String> = field(ACTION, &row, 5)?;
            if field(ACTION, &row, 6)? && default.as_ref().is_some_and(|default| default.contains("nextval(")) {
                reading.counted.insert(name.clone());
            }
            let (declared_type, not_null): (String, bool) = (field(ACTION, &row, 3)?, field(ACTION, &row, 4)?);
            let default = default.and_then(|default| default::plain(&default, &declared_type));
            reading.table.columns.push(Column { name, declared_type, not_null, default });
        }
        Ok(())
    }

    /// An index over a part of the rows, or over what is computed from them, says nothing of columns; one that could not
    /// be built to the end says nothing at all.
    fn read_unique(&mut self, client: &mut Client) -> Result<(), StoreError> {
        let sql = "SELECT i.indrelid, i.indisprimary, ARRAY(
                 SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                 WHERE k.place <= i.indnkeyatts ORDER BY k.place)
             FROM pg_catalog.pg_index i
             WHERE i.indrelid = ANY($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL";
        for row in client.query(ACTION, sql, &[&self.oids])? {
            let Some(reading) = self.at(field(ACTION, &row, 0)?) else { continue };
            let columns: Vec<String> = field(ACTION, &row, 2)?;
            if field(ACTION, &row, 1)? {
                reading.table.primary_key = columns;
            } else {
                reading.table.unique.push(columns);
            }
        }
        Ok(())
    }

    /// A foreign key to a partitioned table has one like it for each partition; one to a partition refers to rows of the
    /// whole.
    fn read_foreign_keys(&mut self, client: &mut Client) -> Result<(), StoreError> {
        let columns = |numbers: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text FROM unnest(f.{numbers}) WITH ORDINALITY k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = f.{table} AND a.attnum = k.number ORDER BY k.place)"
            )
        };
        let sql = format!(
            "SELECT f.conrelid, n.nspname::text, c.relname::text, {}, {}
             FROM pg_catalog.pg_constraint f
             JOIN pg_catalog.pg_class c ON c.oid = COALESCE(pg_catalog.pg_partition_root(f.confrelid)::oid, f.confrelid)
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid = ANY($1)
             ORDER BY f.conrelid, f.conkey, f.conname",
            columns("conkey", "conrelid"),
            columns("confkey", "confrelid")
        );
        for row in client.query(ACTION, &sql, &[&self.oids])? {
            let Some(reading) = self.at(field(ACTION, &row, 0)?) else { continue };
            let table = full_name(field(ACTION, &row, 1)?, field(ACTION, &row, 2)?);
            let (columns, target_columns) = (field(ACTION, &row, 3)?, field(ACTION, &row, 4)?);
            reading.table.foreign_keys.push(ForeignKey { columns, table, target_columns });
        }
        Ok(())
    }
}

/// How a table is named: those outside `public` with their schema before a dot, and so those whose own name has one.
fn full_name(schema: &str, name: &str) -> String {
    if schema == "public" && !name.contains('.') { name.to_owned() } else { format!("{schema}.{name}") }
}

fn unsupported(kind: &str, schema: &str) -> Option<&'static str> {
    match kind {
        "v" => Some("a view"),
        "m" => Some("a materialized view"),
        "f" => Some("a foreign table"),
        "inherited" => Some("a table that other tables inherit from"),
        // The first dot of a name ends the schema.
        _ if schema.contains('.') => Some("a table in a schema with a dot in its name"),
        _ => None,
    }
}

fn finished(reading: Reading) -> Table {
    let Reading { mut table, counted, generated } = reading;
    table.unique.sort();
    table.unique.dedup();
    table.key_is_given = table.primary_key.len() == 1 && table.primary_key.iter().all(|name| counted.contains(name));
    if table.primary_key.iter().any(|name| generated.contains(name)) {
        table.unsupported = Some("a table whose primary key is computed from other columns");
    }
    table
}

/// Whether the database does something by itself when rows are written: triggers and rules of the application, and
/// foreign keys that follow a changed key.
fn has_triggers(client: &mut Client) -> Result<bool, StoreError> {
    let of_application = |column: &str| {
        format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = {column} AND c.relkind IN ('r', 'p') AND {APPLICATIONS})"
        )
    };
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                 WHERE NOT t.tgisinternal AND t.tgname !~ '^saddlebag_' AND {})
             OR EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite r WHERE {})
             OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f
                 WHERE f.contype = 'f' AND f.confupdtype IN ('c', 'n', 'd') AND {})",
        of_application("t.tgrelid"),
        of_application("r.ev_class"),
        of_application("f.conrelid")
    );
    field(ACTION, &client.query_one(ACTION, &sql, &[])?, 0)
}

#[cfg(test)]
mod tests;
