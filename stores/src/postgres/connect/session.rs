//! The settings of a session, the same whatever the server, the database or the user have as defaults.

use postgres::Client;

use super::text::ConnectionText;
use crate::error::StoreError;
use crate::postgres::client::engine;

/// The first version that has all that is used.
const VERSION_LEAST: i32 = 130_000;
const VERSION_LEAST_NAME: &str = "PostgreSQL 13";

/// Names that a server does not know are passed over: the last two came with PostgreSQL 14 and 17.
const SETTINGS: [(&str, &str); 24] = [
    // Values as text, in one form.
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, YMD"),
    ("TimeZone", "UTC"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    // SQL is read as it was written.
    ("standard_conforming_strings", "on"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    // All rows or an error, never some.
    ("row_security", "off"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // An import takes as long as it takes.
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    // Compiling a statement costs more than it saves here.
    ("jit", "off"),
    // Joins are written in the order in which they are to be done: a row, then what it refers to. To look for a better one
    // among twenty tables takes the planner half a second, for each statement.
    ("join_collapse_limit", "1"),
    ("client_min_messages", "warning"),
    ("tcp_keepalives_idle", "60"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

const ACTION: &str = "beginning a session";

/// Looks at the server, and makes the session ours.
pub(super) fn begin(client: &mut Client, text: &ConnectionText) -> Result<(), StoreError> {
    let failed = |error: postgres::Error| engine(ACTION, &error);
    let facts = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                pg_is_in_recovery(), current_setting('session_replication_role')",
            &[],
        )
        .map_err(failed)?;
    let fact = |at: usize| facts.try_get::<_, String>(at).map_err(failed);
    if facts.try_get::<_, i32>(0).map_err(failed)? < VERSION_LEAST {
        return Err(StoreError::OldServer { found: fact(1)?, least: VERSION_LEAST_NAME });
    }
    if facts.try_get(2).map_err(failed)? {
        let reason = "this server is a standby, which only reads".to_owned();
        let hint = "name the primary in `database` in saddlebag.toml";
        return Err(StoreError::Connect { url: text.to_string(), reason, hint });
    }
    // Else neither foreign keys nor the application's triggers would look at what an import writes.
    if fact(3)? != "origin" {
        client.batch_execute("SET session_replication_role = origin").map_err(failed)?;
    }
    let (names, values): (Vec<_>, Vec<_>) = SETTINGS.iter().copied().unzip();
    client
        .query(
            "SELECT set_config(s.name, wanted.value, false) FROM pg_catalog.pg_settings s
                JOIN unnest($1::text[], $2::text[]) AS wanted (name, value) ON lower(s.name) = lower(wanted.name)",
            &[&names, &values],
        )
        .map_err(failed)?;
    // A server without an encoding has taken any bytes for text, and must not look at them when it gives them back.
    //
    // The schemas that the database or the user have as their own stay: bodies of the application's triggers name
    // tables without a schema. What PostgreSQL brings is looked at before them, as it is wherever it is not listed, so
    // that nobody's namesake is taken for it; temporary tables come last.
    client
        .batch_execute(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
                (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY place)
                    FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS known (name, place)
                    WHERE name <> 'saddlebag' AND name NOT LIKE 'pg\\_%'), 'pg_temp'), false);
             SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
                WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
             SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
                WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'",
        )
        .map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::connect;
    use crate::postgres::testing;

    #[test]
    fn a_session_is_the_same_whatever_the_database_has_as_defaults() {
        let Some(config) = testing::config("session::a_session_is_the_same") else { return };
        let name = config.get_dbname().unwrap();
        let mut admin = testing::connect(&config);
        let odd = [
            "DateStyle = 'SQL, DMY'",
            "TimeZone = 'Asia/Kolkata'",
            "IntervalStyle = 'iso_8601'",
            "extra_float_digits = 0",
            "bytea_output = 'escape'",
            "standard_conforming_strings = off",
            "row_security = on",
            "default_transaction_read_only = on",
            "default_transaction_isolation = 'serializable'",
            "statement_timeout = 1000",
            "lock_timeout = 1000",
            "idle_in_transaction_session_timeout = 1000",
            "session_replication_role = 'replica'",
            "synchronous_commit = off",
            "search_path = 'the app', public",
        ];
        let odd: String = odd.iter().map(|setting| format!("ALTER DATABASE {name} SET {setting};")).collect();
        admin.batch("setting defaults", &format!("CREATE SCHEMA \"the app\"; {odd}")).unwrap();
        let [postgres::config::Host::Unix(folder)] = config.get_hosts() else { panic!("a socket") };
        let url = format!("postgres:///{name}?user=postgres&host={}", folder.display());
        let mut client = connect(&url).map_err(|error| error.to_string()).unwrap();
        let shown = "SELECT '2024-03-01 12:00+00'::timestamptz || ' ' || interval '1 day 2:00' || ' ' || 0.1::float8
            || ' ' || '\\x5c'::bytea::text || ' ' || 12.5::numeric::money";
        let shown: String = client.query_one(shown, &[]).unwrap().get(0);
        assert_eq!(shown, "2024-03-01 12:00:00+00 1 day 02:00:00 0.1 \\x5c $12.50");
        for (setting, expected) in [
            ("application_name", "saddlebag"),
            ("client_encoding", "UTF8"),
            ("default_transaction_isolation", "read committed"),
            ("default_transaction_read_only", "off"),
            ("idle_in_transaction_session_timeout", "0"),
            ("lock_timeout", "0"),
            ("row_security", "off"),
            ("search_path", "\"the app\", public, pg_temp"),
            ("session_replication_role", "origin"),
            ("standard_conforming_strings", "on"),
            ("statement_timeout", "0"),
            ("synchronous_commit", "on"),
        ] {
            let found: String = client.query_one("SELECT current_setting($1)", &[&setting]).unwrap().get(0);
            assert_eq!(found, expected, "{setting}");
        }
        // The very first statement writes.
        client.batch_execute("CREATE TABLE written (n int)").unwrap();
    }
}
