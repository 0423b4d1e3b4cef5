use super::site::site;

const TABLES: &str = "[parent]\nidentity='assigned'\n[child]\nidentity='assigned'\n[loose]\nidentity='assigned'";

const SCHEMA: &str = "CREATE TABLE parent (id integer PRIMARY KEY, name text);
    CREATE TABLE child (id integer PRIMARY KEY, parent_id integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE loose (id integer PRIMARY KEY, parent_id integer REFERENCES parent ON DELETE SET NULL ON UPDATE CASCADE);
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE loose SET parent_id = NEW.id WHERE id = 100; RETURN NULL; END $$;
    CREATE TRIGGER stamp AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION stamp();
    INSERT INTO parent VALUES (1, 'Ada'), (2, 'Bo'); INSERT INTO child VALUES (10, 1); INSERT INTO loose VALUES (20, 1), (100, NULL)";

#[test]
fn what_an_import_writes_is_not_noted_but_what_follows_from_it_is() {
    let test = "what_an_import_writes_is_not_noted_but_what_follows_from_it_is";
    let Some(mut site) = site(test, SCHEMA, TABLES) else { return };
    let mut import = |sql: &str| {
        let sql = format!("BEGIN; SET LOCAL saddlebag.importing = 'on'; {sql}; COMMIT");
        site.client.batch("importing", &sql).unwrap();
        site.take()
    };
    assert_eq!(import("UPDATE parent SET name = 'Eve' WHERE id = 2; INSERT INTO child VALUES (11, 2)"), [""; 0]);
    assert_eq!(import("INSERT INTO parent VALUES (3, 'Cy')"), ["loose 100 parent_id"]);
    assert_eq!(import("UPDATE parent SET id = 5 WHERE id = 1"), ["child 10 parent_id", "loose 20 parent_id"]);
}

#[test]
fn cascades_of_an_import_are_noted() {
    let Some(mut site) = site("cascades_of_an_import_are_noted", SCHEMA, TABLES) else { return };
    let sql = "BEGIN; SET LOCAL saddlebag.importing = 'on'; DELETE FROM parent WHERE id = 1; COMMIT";
    site.client.batch("importing", sql).unwrap();
    assert_eq!(site.take(), ["child-10 parent_id=1", "loose 20 parent_id"]);
    // The mark ends with the transaction.
    site.client.batch("working", "DELETE FROM parent WHERE id = 2").unwrap();
    assert_eq!(site.take(), ["parent-2 name=Bo"]);
    let truncate = "BEGIN; SET LOCAL saddlebag.importing = 'on'; TRUNCATE loose; COMMIT";
    site.client.batch("importing", truncate).unwrap();
    assert_eq!(site.take(), [""; 0]);
}
