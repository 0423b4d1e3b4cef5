use super::super::testing;
use super::*;
use crate::schema::{CatalogueReference, CatalogueTarget};

fn read_of(test: &str, sql: &str) -> Option<Schema> {
    let mut client = testing::application(test, sql)?;
    Some(read(&mut client).unwrap())
}

fn names(schema: &Schema) -> Vec<(&str, Option<&'static str>)> {
    schema.tables.iter().map(|table| (table.name.as_str(), table.unsupported)).collect()
}

fn column(name: &str, declared_type: &str, not_null: bool, default: Option<&str>) -> Column {
    let default = default.map(ToOwned::to_owned);
    Column { name: name.to_owned(), declared_type: declared_type.to_owned(), not_null, default }
}

#[test]
fn the_applications_tables_are_listed() {
    let sql = r#"
        CREATE SCHEMA saddlebag; CREATE TABLE saddlebag.setting (a int PRIMARY KEY);
        CREATE SCHEMA "Ward"; CREATE TABLE "Ward".bed (id int PRIMARY KEY); CREATE SCHEMA "a.b"; CREATE TABLE "a.b".c (a int);
        CREATE TABLE plain (a int); CREATE UNLOGGED TABLE "un-logged" (a int); CREATE TEMPORARY TABLE passing (a int);
        CREATE TABLE "x.y" (a int); CREATE TABLE "Ward"."x.y" (a int);
        CREATE VIEW seen AS SELECT 1 AS a; CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a;
        CREATE FOREIGN DATA WRAPPER none; CREATE SERVER far FOREIGN DATA WRAPPER none; CREATE FOREIGN TABLE there (a int) SERVER far;
        CREATE TABLE visit (id int, year int, PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
        CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (2000) TO (2020);
        CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM (2020) TO (2040) PARTITION BY LIST (year);
        CREATE TABLE visit_2026 PARTITION OF visit_new FOR VALUES IN (2026);
        CREATE TABLE child () INHERITS (plain);
        CREATE TYPE pair AS (a int, b int); CREATE SEQUENCE counter; CREATE INDEX ON plain (a);"#;
    let Some(schema) = read_of("the_applications_tables_are_listed", sql) else { return };
    let expected = [
        ("Ward.bed", None),
        ("Ward.x.y", None),
        ("a.b.c", Some("a table in a schema with a dot in its name")),
        ("child", None),
        ("kept", Some("a materialized view")),
        ("plain", Some("a table that other tables inherit from")),
        ("public.x.y", None),
        ("seen", Some("a view")),
        ("there", Some("a foreign table")),
        ("un-logged", None),
        ("visit", None),
    ];
    assert_eq!(names(&schema), expected);
    assert_eq!(schema.table("visit").unwrap().primary_key, ["id", "year"]);
    assert_eq!(schema.table("child").unwrap().columns, [column("a", "integer", false, None)]);
    assert!(!schema.has_triggers);
}

#[test]
fn tables_are_found_by_the_names_that_they_are_given() {
    let sql = r#"CREATE SCHEMA "Ward"; CREATE TABLE plain (a int); CREATE TABLE "Ward"."x.y" (a int);
        CREATE TABLE "x.y" (a int); CREATE TABLE "say ""a""" (a int);"#;
    let Some(mut client) = testing::application("tables_are_found_by_the_names_that_they_are_given", sql) else {
        return;
    };
    let schema = read(&mut client).unwrap();
    assert_eq!(schema.tables.len(), 4);
    for table in &schema.tables {
        let name = super::super::sql::table_name(&table.name);
        client.query("reading a table", &format!("SELECT a FROM {name}"), &[]).unwrap();
    }
}

#[test]
fn columns_are_as_the_database_sees_them() {
    let sql = "
        CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE DOMAIN code AS varchar(7) DEFAULT 'none'; CREATE DOMAIN strict_code AS code NOT NULL;
        CREATE DOMAIN codes AS code[];
        CREATE TABLE t (
            id integer GENERATED ALWAYS AS IDENTITY, gone int, name character varying(50) NOT NULL DEFAULT 'it''s',
            fixed char(3), amount numeric(10,2) DEFAULT 0, made timestamp(0), felt mood DEFAULT 'good', tags text[],
            of_domain strict_code, own_default code DEFAULT 'some', many codes,
            double_amount numeric GENERATED ALWAYS AS (amount * 2) STORED, flag boolean DEFAULT true NOT NULL);
        ALTER TABLE t DROP COLUMN gone;";
    let Some(schema) = read_of("columns_are_as_the_database_sees_them", sql) else { return };
    let expected = [
        column("id", "integer", true, Some("nextval('public.t_id_seq'::regclass)")),
        column("name", "character varying(50)", true, Some("'it''s'")),
        column("fixed", "character(3)", false, None),
        column("amount", "numeric(10,2)", false, Some("0")),
        column("made", "timestamp(0) without time zone", false, None),
        column("felt", "mood", false, Some("'good'")),
        column("tags", "text[]", false, None),
        column("of_domain", "character varying(7)", true, Some("'none'")),
        column("own_default", "character varying(7)", false, Some("'some'")),
        column("many", "code[]", false, None),
        column("flag", "boolean", true, Some("1")),
    ];
    assert_eq!(schema.table("t").unwrap().columns, expected);
}

#[test]
fn the_text_of_a_default_gives_the_next_key() {
    let sql = r#"CREATE SCHEMA "It's"; CREATE TABLE "It's"."Bed ""1""" (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)"#;
    let Some(mut client) = testing::application("the_text_of_a_default_gives_the_next_key", sql) else { return };
    let schema = read(&mut client).unwrap();
    let default = schema.tables[0].columns[0].default.clone().unwrap();
    let row = client.query_one("counting", &format!("SELECT {default}"), &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[test]
fn the_database_gives_keys_that_it_counts() {
    let sql = "
        CREATE SEQUENCE counter; CREATE DOMAIN number AS int DEFAULT nextval('counter'); CREATE DOMAIN plain_number AS int;
        CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE TABLE by_default (a text, id smallint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);
        CREATE TABLE serial_key (id bigserial PRIMARY KEY); CREATE TABLE of_domain (id number PRIMARY KEY);
        CREATE TABLE domain_identity (id plain_number DEFAULT nextval('counter') PRIMARY KEY);
        CREATE TABLE cast_key (id int DEFAULT (nextval('counter') * 10)::int PRIMARY KEY);
        CREATE TABLE no_default (id int PRIMARY KEY); CREATE TABLE other_default (id int DEFAULT 1 PRIMARY KEY);
        CREATE TABLE text_key (id text DEFAULT 'A' || nextval('counter') PRIMARY KEY);
        CREATE TABLE composite (id serial, b int, PRIMARY KEY (id, b)); CREATE TABLE no_key (id serial UNIQUE);
        CREATE TABLE other_column (id int PRIMARY KEY, number serial);";
    let Some(schema) = read_of("the_database_gives_keys_that_it_counts", sql) else { return };
    let given: Vec<_> = schema.tables.iter().filter(|table| table.key_is_given).map(|table| &table.name).collect();
    assert_eq!(given, ["always", "by_default", "cast_key", "domain_identity", "of_domain", "serial_key"]);
}

#[test]
fn keys_are_in_the_order_of_the_key() {
    let sql = "CREATE TABLE t (a int, b int, c int, d int, e text, PRIMARY KEY (c, a) INCLUDE (e), UNIQUE (d, b), UNIQUE (b));
        CREATE UNIQUE INDEX ON t (e, a) INCLUDE (d); CREATE UNIQUE INDEX ON t (e, a);
        CREATE UNIQUE INDEX ON t (d) WHERE a > 0; CREATE UNIQUE INDEX ON t (lower(e)); CREATE UNIQUE INDEX ON t (c, lower(e));
        CREATE INDEX ON t (e); ALTER TABLE t ADD EXCLUDE (e WITH =);
        CREATE TABLE u (id int PRIMARY KEY, a int CONSTRAINT late UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY);
        CREATE TABLE part (id int, a int, PRIMARY KEY (id), UNIQUE (id, a)) PARTITION BY HASH (id);
        CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE UNIQUE INDEX ON part_0 (a);";
    let Some(schema) = read_of("keys_are_in_the_order_of_the_key", sql) else { return };
    let table = |name: &str| schema.table(name).unwrap();
    assert_eq!(table("t").primary_key, ["c", "a"]);
    let expected: [&[&str]; 3] = [&["b"], &["d", "b"], &["e", "a"]];
    assert_eq!(table("t").unique, expected);
    assert_eq!(table("u").unique, [["a"]]);
    assert_eq!(
        (table("part").primary_key.as_slice(), table("part").unique.as_slice()),
        (&["id".to_owned()][..], &[vec!["id".to_owned(), "a".to_owned()]][..])
    );
    assert_eq!(table("computed").unsupported, Some("a table whose primary key is computed from other columns"));
}

#[test]
fn an_index_that_could_not_be_built_says_nothing() {
    let Some(mut client) = testing::application(
        "an_index_that_could_not_be_built_says_nothing",
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 1);",
    ) else {
        return;
    };
    let built = client.try_execute("indexing", "CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)", &[]).unwrap();
    assert!(built.is_err());
    let left = client.query_one("looking", "SELECT count(*) FROM pg_class WHERE relname = 'broken'", &[]).unwrap();
    assert_eq!(left.get::<_, i64>(0), 1, "PostgreSQL leaves it there");
    assert_eq!(read(&mut client).unwrap().tables[0].unique, Vec::<Vec<String>>::new());
}

#[test]
fn foreign_keys_name_both_ends_in_order() {
    let sql = "CREATE SCHEMA ward; CREATE TABLE ward.bed (room int, place int, code text UNIQUE, PRIMARY KEY (room, place));
        CREATE TABLE visit (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (9);
        CREATE TABLE visit_2 PARTITION OF visit FOR VALUES FROM (9) TO (99);
        CREATE TABLE t (id int PRIMARY KEY, place int, room int, code text REFERENCES ward.bed (code), visit int REFERENCES visit,
            in_part int REFERENCES visit_1, parent int REFERENCES t, late int REFERENCES t DEFERRABLE,
            FOREIGN KEY (room, place) REFERENCES ward.bed);
        CREATE TABLE p (id int, t int REFERENCES t) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (9);";
    let Some(schema) = read_of("foreign_keys_name_both_ends_in_order", sql) else { return };
    let keys = |name: &str| -> Vec<String> {
        let one =
            |key: &ForeignKey| format!("{} -> {} {}", key.columns.join(","), key.table, key.target_columns.join(","));
        schema.table(name).unwrap().foreign_keys.iter().map(one).collect()
    };
    let expected = [
        "room,place -> ward.bed room,place",
        "code -> ward.bed code",
        "visit -> visit id",
        "in_part -> visit id",
        "parent -> t id",
        "late -> t id",
    ];
    assert_eq!(keys("t"), expected);
    assert_eq!(keys("p"), ["t -> t id"]);
    assert_eq!(keys("visit"), Vec::<String>::new());
}

#[test]
fn what_the_database_does_by_itself_is_noticed() {
    let function = "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'";
    let cases = [
        ("nothing", "", false),
        ("our own", "CREATE TRIGGER saddlebag_1_insert AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION act()", false),
        ("a foreign key", "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a ON DELETE CASCADE", false),
        ("a view", "CREATE VIEW v AS SELECT * FROM a", false),
        ("a row trigger", "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION act()", true),
        ("a statement trigger", "CREATE TRIGGER t AFTER TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION act()", true),
        ("a name like ours", "CREATE TRIGGER saddlebags AFTER INSERT ON a EXECUTE FUNCTION act()", true),
        ("a rule", "CREATE RULE r AS ON INSERT TO a DO ALSO INSERT INTO b VALUES (1)", true),
        ("a cascade", "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a ON UPDATE CASCADE", true),
        ("a partition's", "CREATE TRIGGER t AFTER INSERT ON p_1 FOR EACH ROW EXECUTE FUNCTION act()", true),
    ];
    for (what, sql, expected) in cases {
        let sql = format!(
            "{function}; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int);
             CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); {sql}"
        );
        let Some(schema) = read_of("what_the_database_does_by_itself_is_noticed", &sql) else { return };
        assert_eq!(schema.has_triggers, expected, "{what}");
    }
}

#[test]
fn what_an_extension_brought_is_not_the_applications() {
    let Some(mut client) = testing::database("what_an_extension_brought_is_not_the_applications") else { return };
    // Any table can be made part of an extension: the one that is always there will do.
    client
        .batch(
            "making a table",
            "CREATE TABLE brought (a int); CREATE TABLE own (a int); ALTER EXTENSION plpgsql ADD TABLE brought",
        )
        .unwrap();
    assert_eq!(names(&read(&mut client).unwrap()), [("own", None)]);
}

#[test]
fn few_questions_are_asked() {
    let sql: String = (0..300)
        .map(|n| format!("CREATE TABLE t{n} (id serial PRIMARY KEY, a int REFERENCES t{});", n.max(1) - 1))
        .collect();
    let sql = sql.replacen("REFERENCES t0", "", 1);
    let Some(mut client) = testing::application("few_questions_are_asked", &sql) else { return };
    let before = client.sent();
    assert_eq!(read(&mut client).unwrap().tables.len(), 300);
    assert_eq!(client.sent() - before, 5);
}

#[test]
fn gnu_health_is_read_whole() {
    let Some(mut client) = testing::restored("gnu_health_is_read_whole", "gnuhealth/gnuhealth1.dump") else { return };
    let before = client.sent();
    let schema = read(&mut client).unwrap();
    assert_eq!(client.sent() - before, 5);
    assert_eq!(
        counts(&schema),
        Counts { tables: 388, keyed: 387, given: 387, composite: 0, foreign_keys: 883, unique: 112 }
    );
    let without: Vec<_> = schema.tables.iter().filter(|table| table.primary_key.is_empty()).collect();
    assert_eq!(without.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["ir_cache"]);
    assert!(!schema.has_triggers);
    let columns: usize = schema.tables.iter().map(|table| table.columns.len()).sum();
    let asked = client.query_one(
        "counting",
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'",
        &[],
    );
    assert_eq!(i64::try_from(columns).unwrap(), asked.unwrap().get::<_, i64>(0));
    assert!(schema.table("party_party").unwrap().is_unique(&["ref".to_owned()]));
    let catalogue = super::super::catalogue::read(&mut client, &schema).unwrap().unwrap();
    let is_by_name = |target: &CatalogueTarget| matches!(target, CatalogueTarget::ModelId(_));
    assert_eq!(catalogue.references.iter().filter(|reference| is_by_name(&reference.target)).count(), 13);
    let resource = |reference: &&CatalogueReference| reference.table == "ir_note" && reference.column == "resource";
    let resource = catalogue.references.iter().find(resource).unwrap();
    assert_eq!(resource.target, CatalogueTarget::ModelId(vec!["gnuhealth_patient".to_owned()]));
    assert!(catalogue.named.iter().any(|named| named.table == "gnuhealth_specialty" && named.rows > 0));
}

#[test]
fn openmrs_is_read_whole() {
    let Some(mut client) = testing::restored("openmrs_is_read_whole", "openmrs/openmrs1.pg.dump") else { return };
    let schema = read(&mut client).unwrap();
    assert_eq!(
        counts(&schema),
        Counts { tables: 119, keyed: 116, given: 97, composite: 9, foreign_keys: 446, unique: 119 }
    );
    assert!(schema.has_triggers, "eight foreign keys are ON UPDATE CASCADE");
    assert!(schema.table("encounter").unwrap().is_unique(&["uuid".to_owned()]));
}

/// How many tables there are, how many of them have a primary key, one that the database gives, one of several columns;
/// foreign keys and unique sets of columns.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    tables: usize,
    keyed: usize,
    given: usize,
    composite: usize,
    foreign_keys: usize,
    unique: usize,
}

fn counts(schema: &Schema) -> Counts {
    let count = |is: &dyn Fn(&Table) -> bool| schema.tables.iter().filter(|table| is(table)).count();
    Counts {
        tables: schema.tables.len(),
        keyed: count(&|table| !table.primary_key.is_empty()),
        given: count(&|table| table.key_is_given),
        composite: count(&|table| table.primary_key.len() > 1),
        foreign_keys: schema.tables.iter().map(|table| table.foreign_keys.len()).sum(),
        unique: schema.tables.iter().map(|table| table.unique.len()).sum(),
    }
}
