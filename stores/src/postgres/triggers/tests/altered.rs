use super::site::{Site, site};

const SCHEMA: &str = "CREATE TABLE patient (id integer PRIMARY KEY, name text, age integer);
    INSERT INTO patient VALUES (1, 'Ada', 3), (2, 'Bo', 4)";

fn patients(test: &str) -> Option<Site> {
    let mut site = site(test, SCHEMA, "[patient]\nidentity='assigned'")?;
    site.give_states("patient");
    Some(site)
}

/// The application goes on in a session that has used the triggers before, and in a new one.
fn work_through(site: &mut Site, alter: &str, work: [&str; 3]) -> Vec<String> {
    let mut application = site.application();
    application
        .batch_execute(
            "INSERT INTO patient VALUES (3); UPDATE patient SET age = 9 WHERE id = 3; DELETE FROM patient WHERE id = 3",
        )
        .unwrap();
    site.take();
    site.migrate(alter);
    for sql in work {
        application.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        application.batch_execute("ROLLBACK").unwrap();
    }
    for sql in work {
        site.application().batch_execute(&format!("BEGIN; {sql}; ROLLBACK")).unwrap();
    }
    let row = site.client.query("", "SELECT count(*), count(*) FILTER (WHERE op = 9) FROM saddlebag.journal", &[]);
    let row = &row.unwrap()[0];
    assert!(row.get::<_, i64>(0) > 0, "something was noted");
    vec![format!("{} of {}", row.get::<_, i64>(1), row.get::<_, i64>(0))]
}

#[test]
fn a_dropped_column_breaks_nothing() {
    let Some(mut site) = patients("a_dropped_column_breaks_nothing") else { return };
    let work = [
        "INSERT INTO patient VALUES (5, 'x')",
        "UPDATE patient SET name = 'y' WHERE id = 5",
        "DELETE FROM patient WHERE id = 5",
    ];
    assert_eq!(work_through(&mut site, "ALTER TABLE patient DROP COLUMN age", work), ["2 of 3"]);
    // The whole table is looked at: what is there, and what is not there any more.
    assert_eq!(site.after("DELETE FROM patient WHERE id = 2"), ["patient+5", "patient 1", "patient-2"]);
}

#[test]
fn a_renamed_key_breaks_nothing() {
    let Some(mut site) = patients("a_renamed_key_breaks_nothing") else { return };
    let work =
        ["INSERT INTO patient VALUES (5, 'x')", "UPDATE patient SET name = 'y' WHERE number = 5", "TRUNCATE patient"];
    assert_eq!(work_through(&mut site, "ALTER TABLE patient RENAME COLUMN id TO number", work), ["3 of 3"]);
}

#[test]
fn a_column_of_another_type_breaks_nothing() {
    let Some(mut site) = patients("a_column_of_another_type_breaks_nothing") else { return };
    let alter = "ALTER TABLE patient ALTER COLUMN age TYPE point USING point(age, 0), ALTER COLUMN id TYPE text";
    let work = [
        "INSERT INTO patient VALUES ('5', 'x')",
        "UPDATE patient SET age = point(1, 1) WHERE id = '5'",
        "DELETE FROM patient WHERE id = '5'",
    ];
    work_through(&mut site, alter, work);
}

#[test]
fn a_dropped_key_breaks_nothing() {
    let Some(mut site) = patients("a_dropped_key_breaks_nothing") else { return };
    let work = [
        "INSERT INTO patient VALUES (NULL, 'x')",
        "UPDATE patient SET name = 'y'",
        "DELETE FROM patient WHERE id IS NULL",
    ];
    work_through(&mut site, "ALTER TABLE patient DROP CONSTRAINT patient_pkey, ALTER COLUMN id DROP NOT NULL", work);
    // A row without a key cannot be named.
    assert_eq!(site.take(), ["patient 1 name", "patient 2 name"]);
}

#[test]
fn sessions_learn_of_the_new_type() {
    let Some(mut site) = patients("sessions_learn_of_the_new_type") else { return };
    let mut application = site.application();
    application.batch_execute("UPDATE patient SET age = 5 WHERE id = 1").unwrap();
    site.take();
    site.migrate("ALTER TABLE patient ALTER COLUMN age TYPE numeric");
    application.batch_execute("UPDATE patient SET age = 6 WHERE id = 1").unwrap();
    site.take();
    application.batch_execute("UPDATE patient SET age = 7.5 WHERE id = 1").unwrap();
    assert_eq!(site.take(), ["patient 1 age"]);
}

#[test]
fn a_table_that_is_made_anew_is_found() {
    let Some(mut site) = patients("a_table_that_is_made_anew_is_found") else { return };
    site.migrate(
        "BEGIN; ALTER TABLE patient RENAME TO patient_old; CREATE TABLE patient (id integer PRIMARY KEY, name text, age integer);
         INSERT INTO patient SELECT * FROM patient_old WHERE id > 1; INSERT INTO patient VALUES (7); GRANT ALL ON patient TO clinic; COMMIT",
    );
    assert_eq!(
        site.missing(),
        ["saddlebag_1_delete", "saddlebag_1_insert", "saddlebag_1_truncate", "saddlebag_1_update"]
    );
    assert_eq!(site.take(), ["patient 2", "patient 7", "patient-1"]);
    site.migrate("DELETE FROM patient_old");
    assert_eq!(
        site.after("UPDATE patient SET age = 8 WHERE id = 2").last().unwrap(),
        "patient-1",
        "looked at once more"
    );
    assert_eq!(site.after("UPDATE patient SET age = 9 WHERE id = 2"), ["patient 2 age"]);
}

#[test]
fn migrations_are_not_hindered() {
    let Some(site) = patients("migrations_are_not_hindered") else { return };
    site.migrate(
        "ALTER TABLE patient ADD COLUMN x json DEFAULT '{}'; ALTER TABLE patient ALTER COLUMN name TYPE varchar(30);
         ALTER TABLE patient DROP COLUMN age; ALTER TABLE patient ADD COLUMN age date;
         ALTER TABLE patient DROP COLUMN id; CREATE SCHEMA elsewhere; ALTER TABLE patient SET SCHEMA elsewhere;
         DROP TABLE elsewhere.patient",
    );
}
