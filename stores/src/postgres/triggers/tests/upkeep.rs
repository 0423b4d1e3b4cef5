use super::site::{Site, site};
use crate::error::StoreError;
use crate::postgres::{install, triggers};

const SCHEMA: &str = "CREATE TABLE a (id integer PRIMARY KEY, x text); CREATE TABLE b (id integer PRIMARY KEY);
    CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER mine AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION mine();
    CREATE TRIGGER saddlebag_own AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION mine()";

fn two(test: &str) -> Option<Site> {
    site(test, SCHEMA, "[a]\nidentity='assigned'\n[b]\nidentity='assigned'")
}

#[test]
fn whatever_is_wrong_with_a_trigger_is_seen_and_put_right() {
    let Some(mut site) = two("whatever_is_wrong_with_a_trigger_is_seen_and_put_right") else { return };
    let all = ["saddlebag_1_delete", "saddlebag_1_insert", "saddlebag_1_truncate", "saddlebag_1_update"];
    let damages: [(&str, &[&str]); 8] = [
        ("DROP TRIGGER saddlebag_1_update ON a", &["saddlebag_1_update"]),
        ("ALTER TABLE a DISABLE TRIGGER saddlebag_1_delete", &["saddlebag_1_delete"]),
        ("ALTER TABLE a ENABLE TRIGGER saddlebag_1_insert", &["saddlebag_1_insert"]),
        ("ALTER TABLE a DISABLE TRIGGER ALL", &all),
        ("DROP FUNCTION saddlebag.note_1_truncate CASCADE", &["saddlebag_1_truncate"]),
        (
            "CREATE OR REPLACE FUNCTION saddlebag.note_1_insert() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            &["saddlebag_1_insert"],
        ),
        ("ALTER FUNCTION saddlebag.note_1_delete() RESET search_path", &["saddlebag_1_delete"]),
        (
            "DROP TRIGGER saddlebag_1_insert ON a;
             CREATE TRIGGER saddlebag_1_insert AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION mine();
             ALTER TABLE a ENABLE ALWAYS TRIGGER saddlebag_1_insert",
            &["saddlebag_1_insert"],
        ),
    ];
    site.after("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
    for (damage, missing) in damages {
        site.migrate(damage);
        assert_eq!(site.missing(), missing, "{damage}");
        assert_eq!(site.take(), ["a 1"], "{damage}: the table is looked at");
        assert_eq!(site.missing(), [""; 0], "{damage}");
        // What was written after that look's snapshot and before the trigger stood.
        assert_eq!(site.take(), ["a 1"], "{damage}: once more, with a later snapshot");
        assert_eq!(site.take(), [""; 0]);
    }
    assert_eq!(site.after("UPDATE a SET x = 'y'"), ["a 1 x"]);
}

#[test]
fn setup_gives_up_where_the_application_holds_a_table() {
    let Some(mut site) = two("setup_gives_up_where_the_application_holds_a_table") else { return };
    site.migrate("DROP TRIGGER saddlebag_2_insert ON b");
    let mut application = site.application();
    application.batch_execute("BEGIN; INSERT INTO b VALUES (5)").unwrap();
    site.client.batch("", "BEGIN; SET LOCAL lock_timeout = '7s'").unwrap();
    let refused = triggers::make_triggers(&mut site.client, &site.tracking).unwrap_err();
    assert!(matches!(refused, StoreError::Concurrent { .. }), "{refused:?}");
    site.client.batch("", "ROLLBACK").unwrap();
    application.batch_execute("COMMIT").unwrap();
    site.client.batch("", "BEGIN; SET LOCAL lock_timeout = '7s'").unwrap();
    triggers::make_triggers(&mut site.client, &site.tracking).unwrap();
    let row = &site.client.query("", "SELECT current_setting('lock_timeout')", &[]).unwrap()[0];
    assert_eq!(row.get::<_, &str>(0), "7s", "as it was");
    site.client.batch("", "COMMIT").unwrap();
}

/// All that there is, but for what is the server's own.
fn everything(site: &mut Site) -> Vec<String> {
    let sql = "SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_'
        UNION ALL SELECT 'trigger ' || tgname || ' ' || tgrelid::regclass || ' ' || tgenabled::text FROM pg_trigger
        UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname <> 'pg_catalog'
        UNION ALL SELECT 'relation ' || c.oid::regclass || c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname !~ '^pg_'
        UNION ALL SELECT 'depends ' || d.objid || d.refobjid || d.deptype::text FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid
            WHERE c.relname IN ('a', 'b') AND d.refclassid = 'pg_class'::regclass ORDER BY 1";
    site.client.query("", sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn nothing_is_left_behind() {
    let Some(mut site) = two("nothing_is_left_behind") else { return };
    install::uninstall(&mut site.client).unwrap();
    let before = everything(&mut site);
    let named: Vec<_> = before.iter().filter(|line| line.contains("saddlebag")).collect();
    assert_eq!(named, ["trigger saddlebag_own a O"], "the application's own, whatever its name");
    site.set_up();
    assert_ne!(everything(&mut site), before);
    site.client.batch("", "BEGIN").unwrap();
    install::uninstall(&mut site.client).unwrap();
    site.client.batch("", "COMMIT").unwrap();
    assert_eq!(everything(&mut site), before);
    install::uninstall(&mut site.client).unwrap();
    assert!(install::installed(&mut site.client).unwrap().is_none());
}

#[test]
fn a_table_is_forgotten() {
    let Some(mut site) = two("a_table_is_forgotten") else { return };
    let known = install::installed(&mut site.client).unwrap().unwrap();
    assert_eq!(known, site.tracking.numbering());
    site.application().batch_execute("INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)").unwrap();
    install::forget_table(&mut site.client, 1).unwrap();
    let known = install::installed(&mut site.client).unwrap().unwrap();
    assert_eq!(known.tables.keys().collect::<Vec<_>>(), ["b"]);
    site.tracking.tables.retain(|table| table.name == "b");
    assert_eq!(site.after("UPDATE a SET x = 'z'"), ["b+2"]);
    assert_eq!(site.missing(), [""; 0]);
    let left = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'note\\_1\\_%'";
    assert_eq!(site.client.query("", left, &[]).unwrap()[0].get::<_, i64>(0), 0);
}

#[test]
fn columns_get_lasting_ids() {
    let Some(mut site) = two("columns_get_lasting_ids") else { return };
    let known = site.table("a").columns.iter().map(|column| column.id).max().unwrap();
    let client = &mut site.client;
    assert_eq!(install::learn_column(client, 1, "later", Some("b")).unwrap(), known + 1);
    assert_eq!(install::learn_column(client, 1, "later", None).unwrap(), known + 1);
    assert_eq!(install::learn_column(client, 1, "other", Some("b")).unwrap(), known + 2);
    let absent = install::installed(client).unwrap().unwrap().absent;
    assert_eq!(absent, [(("a".into(), "later".into()), None), (("a".into(), "other".into()), Some("b".into()))].into());
    install::note_present(client, 1, known + 2).unwrap();
    assert_eq!(install::installed(client).unwrap().unwrap().absent.len(), 1);
}
