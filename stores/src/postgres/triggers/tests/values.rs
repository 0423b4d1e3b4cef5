use super::site::site;

const ODD: &str = "CREATE EXTENSION IF NOT EXISTS plpgsql;
    CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TYPE mood AS ENUM ('well', 'ill'); CREATE TYPE pair AS (a integer, b text); CREATE DOMAIN code AS json;
    CREATE TABLE odd (id integer PRIMARY KEY, j json, b jsonb, x xml, p point, n numeric, f float8, t text COLLATE any_case, i interval,
        m mood, r int4range, c pair, a text[], d code, h bytea, v bit(3), o char(5))";

/// What is equal to a type and yet another value, and what some types cannot compare at all.
const EDITS: [(&str, &str, &str); 16] = [
    ("j", "'{\"a\":1}'", "'{\"a\": 1}'"),
    ("b", "'1.0'", "'1.00'"),
    ("x", "'<a/>'", "'<a></a>'"),
    ("p", "'(0,0)'", "'(0,-0)'"),
    ("n", "1.0", "1.00"),
    ("f", "0", "'-0'"),
    ("t", "'Ada'", "'ADA'"),
    ("i", "'1 day'", "'24 hours'"),
    ("m", "'well'", "'ill'"),
    ("r", "'[1,5)'", "'[1,6)'"),
    ("c", "(1,'x')", "(1,'y')"),
    ("a", "'{a,NULL}'", "'{a,\"NULL\"}'"),
    ("d", "'[1]'", "'[ 1]'"),
    ("h", "'\\x00'", "'\\x0000'"),
    ("v", "b'101'", "b'100'"),
    ("o", "'a'", "'b'"),
];

#[test]
fn values_are_compared_byte_for_byte() {
    let Some(mut site) = site("values_are_compared_byte_for_byte", ODD, "[odd]\nidentity='assigned'") else { return };
    site.after("INSERT INTO odd (id) VALUES (1)");
    for (column, before, after) in EDITS {
        assert_eq!(site.after(&format!("UPDATE odd SET {column} = {before}")), [format!("odd 1 {column}")]);
        assert_eq!(site.after(&format!("UPDATE odd SET {column} = {before}")), [""; 0], "{column} is as it was");
        assert_eq!(site.after(&format!("UPDATE odd SET {column} = {after}")), [format!("odd 1 {column}")]);
    }
    assert_eq!(site.after("UPDATE odd SET j = NULL, n = NULL"), ["odd 1 j,n"]);
}

#[test]
fn text_forms_do_not_depend_on_the_session() {
    let sql =
        "CREATE TABLE moments (d date, t timestamptz, i interval, f float8, h bytea, note text, PRIMARY KEY (d, t, f))";
    let test = "text_forms_do_not_depend_on_the_session";
    let Some(mut site) = site(test, sql, "[moments]\nidentity='assigned'") else { return };
    let odd = "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'iso_8601'; \
               SET extra_float_digits = -15; SET bytea_output = 'escape';";
    let row = "'2024-06-05', '2024-06-05 10:00:00.123456+00', '1 day 02:03:04', 0.1::float8 + 0.2, '\\x00ff', 'a'";
    let key = "2024-06-05/2024-06-05 10:00:00.123456+00/0.30000000000000004";
    let mut application = site.application();
    application.batch_execute(&format!("INSERT INTO moments VALUES ({row}); {odd}")).unwrap();
    assert_eq!(site.take(), [format!("moments+{key}")]);
    application.batch_execute("UPDATE moments SET note = 'b'").unwrap();
    assert_eq!(site.take(), [format!("moments {key} note")]);
    let style = application.query_one("SELECT current_setting('DateStyle')", &[]).unwrap();
    assert_eq!(style.get::<_, &str>(0), "SQL, DMY", "the session's own stays");
    application.batch_execute("DELETE FROM moments").unwrap();
    let old =
        "d=2024-06-05 t=2024-06-05 10:00:00.123456+00 i=1 day 02:03:04 f=0.30000000000000004 h=Blob([0, 255]) note=b";
    assert_eq!(site.take(), [format!("moments-{key} {old}")]);
}
