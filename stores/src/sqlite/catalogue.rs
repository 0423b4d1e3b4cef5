//! What an application says of its own tables where its schema is silent, and what the values themselves say.
//!
//! Tryton's SQLite back end declares no foreign key; its catalogue, `ir_model` and `ir_model_field`, knows them all
//! (trytond, `trytond/ir/model.py`): a table is named as its model, with `_` for each dot.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result, Row};

use super::sql::quote;
use crate::schema::{
    Catalogue, CatalogueReference, CatalogueTarget, ColumnEvidence, ColumnQuestion, NamedTable, Schema,
};
use crate::tryton::{DIGITS_MAX, SKIPPED_PER_VALUE, has_catalogue, has_names, named_tables, table_of};

/// Tryton's catalogue, if this is a database of its.
pub(super) fn read(connection: &Connection, schema: &Schema) -> Result<Option<Catalogue>> {
    if !has_catalogue(schema) {
        return Ok(None);
    }
    let references = references(connection, schema)?;
    let named = if has_names(schema) { named(connection, schema)? } else { Vec::new() };
    Ok(Some(Catalogue { of: "Tryton", references, named }))
}

fn references(connection: &Connection, schema: &Schema) -> Result<Vec<CatalogueReference>> {
    // Since 7.2 a field names its model; before, it holds the model's id.
    let sql = "SELECT m.model, f.name, f.relation, f.ttype FROM ir_model_field f
        JOIN ir_model m ON m.id = f.model OR m.model = f.model
        WHERE f.ttype IN ('many2one', 'reference') AND m.model IS NOT NULL AND f.name IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let text = |row: &Row<'_>, at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
    let rows = statement.query_map([], |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?, text(row, 3)?)))?;
    let mut found = BTreeSet::new();
    for row in rows {
        let (model, column, relation, kind) = row?;
        let table = table_of(&model);
        // Most models have fields that are computed, and some no table at all.
        let Some(known) = schema.table(&table).filter(|known| known.column(&column).is_some()) else { continue };
        let target = match kind.as_str() {
            "reference" => CatalogueTarget::ModelId(named_targets(connection, &known.name, &column)?),
            _ if relation.is_empty() => continue,
            _ => CatalogueTarget::Table(table_of(&relation)),
        };
        found.insert(CatalogueReference { table, column, target });
    }
    Ok(found.into_iter().collect())
}

/// The tables that the values of a column name.
fn named_targets(connection: &Connection, table: &str, column: &str) -> Result<Vec<String>> {
    let column = quote(column);
    let sql = format!(
        "SELECT DISTINCT substr({column}, 1, instr({column}, ',') - 1) FROM {} WHERE instr({column}, ',') > 1 ORDER BY 1",
        quote(table)
    );
    let mut statement = connection.prepare(&sql)?;
    let models = statement.query_map([], |row| row.get::<_, String>(0))?;
    models.map(|model| Ok(table_of(&model?))).collect()
}

fn named(connection: &Connection, schema: &Schema) -> Result<Vec<NamedTable>> {
    let sql = "SELECT model, count(*) FROM ir_model_data
        WHERE model IS NOT NULL AND db_id IS NOT NULL GROUP BY model ORDER BY model";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    Ok(named_tables(schema, rows.collect::<Result<Vec<_>>>()?))
}

/// What the values of a column say.
pub(super) fn evidence(connection: &Connection, question: &ColumnQuestion) -> Result<ColumnEvidence> {
    let sql = match question {
        ColumnQuestion::Reference { table, column, target, key } => {
            let (table, column, target, key) = (quote(table), quote(column), quote(target), quote(key));
            format!(
                "SELECT count(*), COALESCE(sum(EXISTS (SELECT 1 FROM {target} p WHERE p.{key} = t.{column})), 0)
                 FROM {table} t WHERE t.{column} IS NOT NULL"
            )
        }
        ColumnQuestion::Counter { table, column } => {
            let (table, column) = (quote(table), quote(column));
            format!(
                "SELECT COALESCE(sum(n), 0), COALESCE(sum(CASE WHEN n > 1 AND digits BETWEEN 1 AND {DIGITS_MAX}
                     AND high - low <= {SKIPPED_PER_VALUE} * n THEN n END), 0)
                 FROM (SELECT count(*) n, max(digits) digits,
                     min(CAST(substr(v, length(prefix) + 1) AS INTEGER)) low,
                     max(CAST(substr(v, length(prefix) + 1) AS INTEGER)) high
                   FROM (SELECT v, rtrim(v, '0123456789') prefix, length(v) - length(rtrim(v, '0123456789')) digits
                     FROM (SELECT CAST({column} AS TEXT) v FROM {table} WHERE {column} IS NOT NULL))
                   GROUP BY prefix)"
            )
        }
    };
    connection.query_row(&sql, [], |row| {
        let count = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.cast_unsigned());
        Ok(ColumnEvidence { values: count(0)?, fitting: count(1)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    fn catalogue(connection: &Connection) -> Option<Catalogue> {
        read(connection, &super::super::schema::read(connection).unwrap()).unwrap()
    }

    const TRYTON: &str = "
        CREATE TABLE ir_model (id INTEGER PRIMARY KEY, model VARCHAR);
        CREATE TABLE ir_model_field (id INTEGER PRIMARY KEY, model INTEGER, name VARCHAR, relation VARCHAR, ttype VARCHAR);
        CREATE TABLE ir_model_data (id INTEGER PRIMARY KEY, model VARCHAR, module VARCHAR, fs_id VARCHAR, db_id INTEGER);
        CREATE TABLE party_party (id INTEGER PRIMARY KEY, lang INTEGER, name VARCHAR);
        CREATE TABLE \"party_party-o'ne\" (id INTEGER PRIMARY KEY, party INTEGER, origin VARCHAR);
        INSERT INTO ir_model VALUES (1, 'party.party'), (2, 'party.party-o''ne'), (3, 'party.wizard');
        INSERT INTO ir_model_field (model, name, relation, ttype) VALUES
            (1, 'lang', 'ir.lang', 'many2one'), (1, 'rec_name', NULL, 'char'), (1, 'computed', 'x.y', 'many2one'),
            (2, 'party', 'party.party', 'many2one'), (2, 'origin', NULL, 'reference'), (3, 'party', 'party.party', 'many2one');
        INSERT INTO \"party_party-o'ne\" VALUES (1, 1, 'party.party,1'), (2, 1, NULL), (3, 1, ''), (4, 1, 'sale.line,7');
        INSERT INTO ir_model_data VALUES (1, 'party.party-o''ne', 'health', 'first', 1), (2, 'gone.model', 'm', 'f', 1),
            (3, 'party.party', 'm', 'f', NULL);";

    #[test]
    fn trytons_catalogue_gives_references_and_names() {
        let found = catalogue(&connection(TRYTON)).unwrap();
        let table = |table: &str| CatalogueTarget::Table(table.to_owned());
        let all: Vec<_> = found.references.iter().map(|r| (r.table.as_str(), r.column.as_str(), &r.target)).collect();
        let models = CatalogueTarget::ModelId(vec!["party_party".to_owned(), "sale_line".to_owned()]);
        let expected = [
            ("party_party", "lang", &table("ir_lang")),
            ("party_party-o'ne", "origin", &models),
            ("party_party-o'ne", "party", &table("party_party")),
        ];
        assert_eq!(all, expected);
        let [named] = found.named.as_slice() else { panic!("{:?}", found.named) };
        assert_eq!((named.table.as_str(), named.rows), ("party_party-o'ne", 1));
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        assert_eq!(connection(TRYTON).query_row(&named.query, [], row).unwrap(), (1, "health.first".to_owned()));
    }

    #[test]
    fn a_field_may_name_its_model() {
        let newer = TRYTON.replace("VALUES\n            (1, 'lang'", "VALUES\n            ('party.party', 'lang'");
        assert_ne!(newer, TRYTON);
        assert_eq!(catalogue(&connection(&newer)), catalogue(&connection(TRYTON)));
    }

    #[test]
    fn another_database_has_no_catalogue() {
        assert_eq!(catalogue(&connection("CREATE TABLE ir_model (id INTEGER PRIMARY KEY, model TEXT)")), None);
        assert_eq!(catalogue(&connection("CREATE TABLE ir_model_field (a)")), None);
    }

    #[test]
    fn values_are_keys_or_not() {
        let database = connection(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
             CREATE TABLE c (good INTEGER, bad INTEGER, text TEXT, none INTEGER);
             INSERT INTO c VALUES (1, 1, '1', NULL), (2, 3, '2', NULL), (NULL, 2, NULL, NULL);",
        );
        let asked = |column: &str| {
            let (table, column) = ("c".to_owned(), column.to_owned());
            let question = ColumnQuestion::Reference { table, column, target: "p".to_owned(), key: "id".to_owned() };
            let found = evidence(&database, &question).unwrap();
            (found.values, found.fitting, found.is_clear())
        };
        assert_eq!(
            ["good", "bad", "text", "none"].map(asked),
            [(2, 2, true), (3, 2, false), (2, 2, true), (0, 0, false)]
        );
    }

    #[test]
    fn a_counter_is_told_from_other_numbers() {
        let database = connection(
            "CREATE TABLE t (eval TEXT, plain INTEGER, national TEXT, name TEXT, both TEXT, few TEXT);
             INSERT INTO t VALUES ('EVAL 2026/000001', 17, '1985031200017', 'anna1', '7', 'A1');
             INSERT INTO t VALUES ('EVAL 2026/000003', 18, '1991110300214', 'ben', '8', NULL);
             INSERT INTO t VALUES ('EVAL 2027/000001', 21, '1950010100099', 'carl', 'x', NULL);
             INSERT INTO t VALUES ('EVAL 2027/000002', NULL, '2001123100001', 'dora', 'y', NULL);",
        );
        let asked = |column: &str| {
            let question = ColumnQuestion::Counter { table: "t".to_owned(), column: column.to_owned() };
            let found = evidence(&database, &question).unwrap();
            (found.values, found.fitting)
        };
        let all = ["eval", "plain", "national", "name", "both", "few"].map(asked);
        assert_eq!(all, [(4, 4), (3, 3), (4, 0), (4, 0), (4, 2), (1, 0)]);
    }
}
