use super::site::{Site, site};

const SCHEMA: &str =
    "CREATE TABLE visit (id integer, year integer, note text, PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
    CREATE TABLE old PARTITION OF visit FOR VALUES FROM (2000) TO (2020);
    CREATE TABLE new PARTITION OF visit FOR VALUES FROM (2020) TO (2040) PARTITION BY LIST (year);
    CREATE TABLE y2026 PARTITION OF new FOR VALUES IN (2026)";

fn partitioned(test: &str) -> Option<Site> {
    site(test, SCHEMA, "[visit]\nidentity='assigned'")
}

#[test]
fn rows_are_noted_by_whichever_name_they_are_written() {
    let Some(mut site) = partitioned("rows_are_noted_by_whichever_name_they_are_written") else { return };
    assert_eq!(site.after("INSERT INTO visit VALUES (1, 2010, 'a')"), ["visit+1/2010"]);
    assert_eq!(site.after("INSERT INTO y2026 VALUES (2, 2026, 'b')"), ["visit+2/2026"]);
    assert_eq!(site.after("UPDATE new SET note = 'c'"), ["visit 2/2026 note"]);
    let mut application = site.application();
    let mut copy = application.copy_in("COPY old FROM STDIN").unwrap();
    std::io::Write::write_all(&mut copy, b"3\t2011\tx\n").unwrap();
    copy.finish().unwrap();
    assert_eq!(site.take(), ["visit+3/2011"]);
}

#[test]
fn a_row_that_moves_to_another_partition_is_the_same_record() {
    let Some(mut site) = partitioned("a_row_that_moves_to_another_partition_is_the_same_record") else { return };
    site.after("INSERT INTO visit VALUES (1, 2010, 'a'), (2, 2011, 'b'), (3, 2012, 'c')");
    assert_eq!(site.after("UPDATE visit SET year = 2026, note = 'x' WHERE id = 1"), ["visit 1/2010>1/2026 year,note"]);
    let said = site.after("UPDATE visit SET year = 2026 WHERE id > 1");
    assert_eq!(said, ["visit 2/2011>2/2026 year", "visit 3/2012>3/2026 year"]);
    assert_eq!(site.after("UPDATE visit SET id = 7 WHERE id = 3"), ["visit 3/2026>7/2026 id"]);
    let apart = "DELETE FROM visit WHERE id = 7; INSERT INTO visit VALUES (7, 2010, 'c')";
    assert_eq!(site.after(apart), ["visit-7/2026 id=7 year=2026 note=c", "visit+7/2010"]);
    let undone = "BEGIN; SAVEPOINT s; UPDATE visit SET year = 2026 WHERE id = 7; ROLLBACK TO s; \
                  DELETE FROM visit WHERE id = 7; INSERT INTO visit VALUES (7, 2026, 'c'); COMMIT";
    assert_eq!(site.after(undone), ["visit-7/2010 id=7 year=2010 note=c", "visit+7/2026"]);
    let import = "BEGIN; SET LOCAL saddlebag.importing = 'on'; UPDATE visit SET year = 2010; COMMIT";
    assert_eq!(site.after(import), [""; 0]);
}

#[test]
fn truncate_is_noted_on_all_levels() {
    let Some(mut site) = partitioned("truncate_is_noted_on_all_levels") else { return };
    let rows = "INSERT INTO visit VALUES (1, 2010), (2, 2026)";
    site.after(rows);
    assert_eq!(site.after("TRUNCATE visit"), ["visit-1/2010 id=1 year=2010", "visit-2/2026 id=2 year=2026"]);
    site.after(rows);
    assert_eq!(site.after("TRUNCATE y2026"), ["visit-2/2026 id=2 year=2026"]);
    assert_eq!(site.after("TRUNCATE ONLY old"), ["visit-1/2010 id=1 year=2010"]);
}

#[test]
fn a_new_partition_is_like_the_others() {
    let Some(mut site) = partitioned("a_new_partition_is_like_the_others") else { return };
    site.migrate("CREATE TABLE y2027 PARTITION OF new FOR VALUES IN (2027); GRANT ALL ON y2027 TO clinic");
    assert_eq!(site.missing(), ["saddlebag_1_truncate"]);
    site.migrate("SET session_replication_role = replica; INSERT INTO y2027 VALUES (1, 2027)");
    // Nobody has looked at it yet: a TRUNCATE of the whole says so.
    site.give_states("visit");
    site.application().batch_execute("TRUNCATE visit").unwrap();
    assert_eq!(site.take().last().unwrap(), "visit-1/2027");
    assert_eq!(site.missing(), [""; 0]);
    site.after("INSERT INTO visit VALUES (5, 2027)");
    assert_eq!(site.after("TRUNCATE y2027"), ["visit-5/2027 id=5 year=2027"]);
}

#[test]
fn rows_come_and_go_with_their_partitions() {
    let Some(mut site) = partitioned("rows_come_and_go_with_their_partitions") else { return };
    site.after("INSERT INTO visit VALUES (1, 2010), (2, 2026)");
    site.give_states("visit");
    site.migrate(
        "CREATE TABLE y2028 (id integer NOT NULL, year integer NOT NULL, note text, PRIMARY KEY (id, year));
         INSERT INTO y2028 VALUES (8, 2028); ALTER TABLE new ATTACH PARTITION y2028 FOR VALUES IN (2028)",
    );
    assert_eq!(site.take(), ["visit+8/2028"]);
    site.give_states("visit");
    site.migrate("ALTER TABLE visit DETACH PARTITION old; DROP TABLE y2026");
    assert_eq!(site.take(), ["visit-1/2010", "visit-2/2026"]);
    assert_eq!(site.missing(), [""; 0]);
    // It is a table of its own now, and nobody's business.
    site.client.batch("", "DELETE FROM saddlebag.row_1 WHERE k2 < 2028").unwrap();
    assert_eq!(site.after("INSERT INTO old VALUES (9, 2010); DELETE FROM old"), [""; 0]);
    assert_eq!(site.take(), [""; 0]);
}
