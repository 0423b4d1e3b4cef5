//! What an application says of its own tables where its schema is silent, and what the values themselves say.
//!
//! Tryton's catalogue, `ir_model` and `ir_model_field`, knows more references than its schema declares (trytond,
//! `trytond/ir/model.py`): who wrote a row, and what a text like `party.party,17` names.

use std::collections::{BTreeSet, HashMap};

use postgres::Row;

use super::client::Client;
use super::fields::{field, unsigned};
use super::sql::{quote, table_name};
use crate::error::StoreError;
use crate::schema::{
    Catalogue, CatalogueReference, CatalogueTarget, ColumnEvidence, ColumnQuestion, NamedTable, Schema,
};
use crate::tryton::{DIGITS_MAX, SKIPPED_PER_VALUE, has_catalogue, has_names, named_tables, table_of};

const ACTION: &str = "reading its catalogue";

/// Tryton's catalogue, if this is a database of its.
pub(super) fn read(client: &mut Client, schema: &Schema) -> Result<Option<Catalogue>, StoreError> {
    if !has_catalogue(schema) {
        return Ok(None);
    }
    let references = references(client, schema)?;
    let named = if has_names(schema) { named(client, schema)? } else { Vec::new() };
    Ok(Some(Catalogue { of: "Tryton", references, named }))
}

/// A table and its column.
type Place = (String, String);

fn references(client: &mut Client, schema: &Schema) -> Result<Vec<CatalogueReference>, StoreError> {
    // Since 7.2 a field names its model; before, it holds the model's id.
    let sql = "SELECT m.model::text, f.name::text, COALESCE(f.relation::text, ''), f.ttype::text
        FROM public.ir_model_field f JOIN public.ir_model m ON f.model::text IN (m.id::text, m.model::text)
        WHERE f.ttype IN ('many2one', 'reference') AND m.model IS NOT NULL AND f.name IS NOT NULL";
    let (mut found, mut by_name) = (BTreeSet::new(), BTreeSet::new());
    for row in client.query(ACTION, sql, &[])? {
        let (table, column): (String, String) = (table_of(field(ACTION, &row, 0)?), field(ACTION, &row, 1)?);
        // Most models have fields that are computed, and some no table at all.
        if schema.table(&table).is_none_or(|known| known.column(&column).is_none()) {
            continue;
        }
        let (relation, kind): (&str, &str) = (field(ACTION, &row, 2)?, field(ACTION, &row, 3)?);
        if kind == "reference" {
            by_name.insert((table, column));
        } else if !relation.is_empty() {
            found.insert(CatalogueReference { table, column, target: CatalogueTarget::Table(table_of(relation)) });
        }
    }
    let mut targets = named_targets(client, &by_name)?;
    found.extend(by_name.into_iter().map(|(table, column)| {
        let targets = targets.remove(&(table.clone(), column.clone())).unwrap_or_default();
        CatalogueReference { table, column, target: CatalogueTarget::ModelId(targets) }
    }));
    Ok(found.into_iter().collect())
}

/// The tables that the values of each of these columns name.
fn named_targets(client: &mut Client, places: &BTreeSet<Place>) -> Result<HashMap<Place, Vec<String>>, StoreError> {
    let all: Vec<&Place> = places.iter().collect();
    let select = |(index, (table, column)): (usize, &&Place)| {
        let (table, column) = (table_name(table), quote(column));
        format!(
            "SELECT {index}, split_part(v, ',', 1) FROM (SELECT {column}::text v FROM {table}) t WHERE strpos(v, ',') > 1"
        )
    };
    let selects: Vec<_> = all.iter().enumerate().map(select).collect();
    let mut targets: HashMap<Place, Vec<String>> = HashMap::new();
    if selects.is_empty() {
        return Ok(targets);
    }
    // UNION leaves each pair once.
    let sql = format!("{} ORDER BY 1, 2", selects.join(" UNION "));
    for row in client.query(ACTION, &sql, &[])? {
        let index: i32 = field(ACTION, &row, 0)?;
        let model: &str = field(ACTION, &row, 1)?;
        if let Some(place) = usize::try_from(index).ok().and_then(|index| all.get(index)) {
            targets.entry((*place).clone()).or_default().push(table_of(model));
        }
    }
    targets.values_mut().for_each(|targets| targets.sort());
    Ok(targets)
}

fn named(client: &mut Client, schema: &Schema) -> Result<Vec<NamedTable>, StoreError> {
    let sql = "SELECT model::text, count(*) FROM public.ir_model_data
        WHERE model IS NOT NULL AND db_id IS NOT NULL GROUP BY model ORDER BY model::text COLLATE \"C\"";
    let rows = client.query(ACTION, sql, &[])?;
    let model = |row: &Row| Ok((field(ACTION, row, 0)?, unsigned(ACTION, row, 1)?));
    Ok(named_tables(schema, rows.iter().map(model).collect::<Result<Vec<_>, StoreError>>()?))
}

/// What the values of a column say.
pub(super) fn evidence(client: &mut Client, question: &ColumnQuestion) -> Result<ColumnEvidence, StoreError> {
    let sql = match question {
        // As text, for a reference that no constraint declares need not have the type of the key.
        ColumnQuestion::Reference { table, column, target, key } => {
            let (table, column, target, key) = (table_name(table), quote(column), table_name(target), quote(key));
            format!(
                "SELECT count(*), count(p.key) FROM {table} t
                 LEFT JOIN (SELECT DISTINCT {key}::text AS key FROM {target}) p ON p.key = t.{column}::text
                 WHERE t.{column} IS NOT NULL"
            )
        }
        ColumnQuestion::Counter { table, column } => {
            let (table, column) = (table_name(table), quote(column));
            format!(
                "SELECT COALESCE(sum(n), 0)::bigint, COALESCE(sum(n) FILTER (WHERE n > 1
                     AND digits BETWEEN 1 AND {DIGITS_MAX} AND high - low <= {SKIPPED_PER_VALUE} * n), 0)::bigint
                 FROM (SELECT count(*) AS n, max(digits) AS digits, min(number) AS low, max(number) AS high
                   FROM (SELECT prefix, digits, CASE WHEN digits = 0 THEN 0
                       WHEN digits <= {DIGITS_MAX} THEN right(v, digits)::bigint END AS number
                     FROM (SELECT v, rtrim(v, '0123456789') AS prefix,
                         length(v) - length(rtrim(v, '0123456789')) AS digits
                       FROM (SELECT {column}::text COLLATE \"C\" AS v FROM {table} WHERE {column} IS NOT NULL) a) b) c
                   GROUP BY prefix) d"
            )
        }
    };
    let action = "reading what a column holds";
    let row = client.query_one(action, &sql, &[])?;
    Ok(ColumnEvidence { values: unsigned(action, &row, 0)?, fitting: unsigned(action, &row, 1)? })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const TRYTON: &str = "
        CREATE TABLE ir_model (id serial PRIMARY KEY, model varchar);
        CREATE TABLE ir_model_field (id serial PRIMARY KEY, model int, name varchar, relation varchar, ttype varchar);
        CREATE TABLE ir_model_data (id int PRIMARY KEY, model varchar, module varchar, fs_id varchar, db_id int);
        CREATE TABLE party_party (id int PRIMARY KEY, lang int, name varchar);
        CREATE TABLE \"party_party-o'ne\" (id int PRIMARY KEY, party int, origin varchar, other varchar);
        INSERT INTO ir_model VALUES (1, 'party.party'), (2, 'party.party-o''ne'), (3, 'party.wizard');
        INSERT INTO ir_model_field (model, name, relation, ttype) VALUES
            (1, 'lang', 'ir.lang', 'many2one'), (1, 'rec_name', NULL, 'char'), (1, 'computed', 'x.y', 'many2one'),
            (2, 'party', 'party.party', 'many2one'), (2, 'origin', NULL, 'reference'), (2, 'other', NULL, 'reference'),
            (3, 'party', 'party.party', 'many2one');
        INSERT INTO \"party_party-o'ne\" (id, party, origin) VALUES (1, 1, 'party.party,1'), (2, 1, NULL), (3, 1, ''), (4, 1, 'sale.line,7'),
            (5, 1, ',8'), (6, 1, 'party.party,-1');
        INSERT INTO ir_model_data VALUES (1, 'party.party-o''ne', 'health', 'first', 1), (2, 'gone.model', 'm', 'f', 1),
            (3, 'party.party', 'm', 'f', NULL);";

    fn catalogue(client: &mut Client) -> Option<Catalogue> {
        let schema = super::super::schema::read(client).unwrap();
        read(client, &schema).unwrap()
    }

    #[test]
    fn trytons_catalogue_gives_references_and_names() {
        let test = "trytons_catalogue_gives_references_and_names";
        let Some(mut client) = testing::application(test, TRYTON) else { return };
        let found = catalogue(&mut client).unwrap();
        let table = |table: &str| CatalogueTarget::Table(table.to_owned());
        let all: Vec<_> = found.references.iter().map(|r| (r.table.as_str(), r.column.as_str(), &r.target)).collect();
        let models = CatalogueTarget::ModelId(vec!["party_party".to_owned(), "sale_line".to_owned()]);
        let expected = [
            ("party_party", "lang", &table("ir_lang")),
            ("party_party-o'ne", "origin", &models),
            ("party_party-o'ne", "other", &CatalogueTarget::ModelId(Vec::new())),
            ("party_party-o'ne", "party", &table("party_party")),
        ];
        assert_eq!(all, expected);
        let [named] = found.named.as_slice() else { panic!("{:?}", found.named) };
        assert_eq!((named.table.as_str(), named.rows), ("party_party-o'ne", 1));
        let row = client.query_one("naming", &named.query, &[]).unwrap();
        assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (1, "health.first"));
    }

    #[test]
    fn the_catalogue_is_the_same_on_both_engines() {
        let test = "the_catalogue_is_the_same_on_both_engines";
        let Some(mut client) = testing::application(test, TRYTON) else { return };
        let folder = std::env::temp_dir().join(format!("saddlebag-catalogue-{}", std::process::id()));
        let sqlite = rusqlite::Connection::open(&folder).unwrap();
        sqlite.execute_batch(&TRYTON.replace("serial", "INTEGER")).unwrap();
        let mut store = crate::sqlite::SqliteStore::open(&folder).unwrap();
        let there = crate::Store::catalogue(&mut store).unwrap();
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(catalogue(&mut client), there);
    }

    #[test]
    fn a_field_may_name_its_model() {
        let newer = format!(
            "{TRYTON} ALTER TABLE ir_model_field ALTER model TYPE varchar;
             UPDATE ir_model_field f SET model = m.model FROM ir_model m WHERE m.id::text = f.model;"
        );
        let Some(mut newer) = testing::application("a_field_may_name_its_model", &newer) else { return };
        let Some(mut older) = testing::application("a_field_may_name_its_model", TRYTON) else { return };
        assert!(catalogue(&mut newer).is_some_and(|newer| Some(newer) == catalogue(&mut older)));
    }

    #[test]
    fn another_database_has_no_catalogue() {
        for sql in ["CREATE TABLE ir_model (id int PRIMARY KEY, model text)", "CREATE TABLE ir_model_field (a int)", ""]
        {
            let Some(mut client) = testing::application("another_database_has_no_catalogue", sql) else { return };
            assert_eq!(catalogue(&mut client), None);
        }
    }

    #[test]
    fn values_are_keys_or_not() {
        let sql = "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
             CREATE TABLE c (good int, bad bigint, text text, fixed char(4), none int);
             INSERT INTO c VALUES (1, 1, '1', '1', NULL), (2, 3, '2', '2', NULL), (NULL, 2, NULL, NULL, NULL);";
        let Some(mut client) = testing::application("values_are_keys_or_not", sql) else { return };
        let asked = |column: &str| {
            let (table, column) = ("c".to_owned(), column.to_owned());
            let question = ColumnQuestion::Reference { table, column, target: "p".to_owned(), key: "id".to_owned() };
            let found = evidence(&mut client, &question).unwrap();
            (found.values, found.fitting, found.is_clear())
        };
        assert_eq!(
            ["good", "bad", "text", "fixed", "none"].map(asked),
            [(2, 2, true), (3, 2, false), (2, 2, true), (2, 2, true), (0, 0, false)]
        );
    }

    #[test]
    fn a_counter_is_told_from_other_numbers() {
        let sql = "CREATE TABLE t (eval text, plain int, national text, name text, \"both\" text, few text, long text);
             INSERT INTO t VALUES ('EVAL 2026/000001', 17, '1985031200017', 'anna1', '7', 'A1', 'A123456789012345678901');
             INSERT INTO t VALUES ('EVAL 2026/000003', 18, '1991110300214', 'ben', '8', NULL, 'A1');
             INSERT INTO t VALUES ('EVAL 2027/000001', 21, '1950010100099', 'carl', 'x', NULL, 'A');
             INSERT INTO t VALUES ('EVAL 2027/000002', NULL, '2001123100001', 'dora', 'y', NULL, 'A2');";
        let Some(mut client) = testing::application("a_counter_is_told_from_other_numbers", sql) else { return };
        let asked = |column: &str| {
            let question = ColumnQuestion::Counter { table: "t".to_owned(), column: column.to_owned() };
            let found = evidence(&mut client, &question).unwrap();
            (found.values, found.fitting)
        };
        let all = ["eval", "plain", "national", "name", "both", "few", "long"].map(asked);
        assert_eq!(all, [(4, 4), (3, 3), (4, 0), (4, 0), (4, 2), (1, 0), (4, 0)]);
    }
}
