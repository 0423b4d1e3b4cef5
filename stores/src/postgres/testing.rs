//! What the tests of this engine work on: fresh databases of a server of their own.

mod cluster;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Config, NoTls};

use super::client::Client;
use super::tables::TABLES;
use cluster::Cluster;

const DATA_BESIDE_THE_REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// How to come to a fresh, empty database. None where no PostgreSQL is installed: then the test named `test` is
/// reported as skipped and should return.
pub(super) fn config(test: &str) -> Option<Config> {
    let cluster = match Cluster::of_this_process() {
        Ok(cluster) => cluster,
        Err(missing) => {
            skipped(test, missing);
            return None;
        }
    };
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let mut config = Config::new();
    config.host_path(cluster.socket_folder()).user("postgres").dbname("postgres");
    connect(&config).batch("making a database", &format!("CREATE DATABASE {name}")).unwrap();
    config.dbname(&name);
    Some(config)
}

/// A new connection.
pub(super) fn connect(config: &Config) -> Client {
    Client::new(config.connect(NoTls).unwrap())
}

/// A connection to a fresh, empty database, as [`config`].
pub(super) fn database(test: &str) -> Option<Client> {
    Some(connect(&config(test)?))
}

/// A connection to a fresh database with what the application made: SQL.
pub(super) fn application(test: &str, sql: &str) -> Option<Client> {
    let mut client = database(test)?;
    client.batch("making the application's tables", sql).unwrap();
    Some(client)
}

/// A connection to a database restored from a dump of the test data, which is found as tests/src/skip.rs says.
pub(super) fn restored(test: &str, dump: &str) -> Option<Client> {
    let named = std::env::var_os("SADDLEBAG_TEST_DATA").filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(DATA_BESIDE_THE_REPOSITORY)).join(dump);
    if !path.exists() {
        skipped(test, &format!("no `{dump}` in the folder of test data (SADDLEBAG_TEST_DATA)"));
        return None;
    }
    let config = config(test)?;
    let Some([postgres::config::Host::Unix(host)]) = config.get_hosts().first_chunk() else { unreachable!("a socket") };
    let mut restore = Command::new("pg_restore");
    restore.args(["--no-owner", "--no-privileges", "--username=postgres", "--host"]).arg(host);
    let done = match restore.arg("--dbname").arg(config.get_dbname().unwrap()).arg(&path).output() {
        Ok(done) => done,
        Err(error) => {
            skipped(test, &format!("pg_restore: {error}"));
            return None;
        }
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(connect(&config))
}

/// A connection to a fresh database with saddlebag's own tables.
pub(super) fn own_tables(test: &str) -> Option<Client> {
    application(test, &format!("CREATE SCHEMA saddlebag; {TABLES}"))
}

/// Reports a test that cannot run here, as tests/src/skip.rs does: aloud, in the list that `SADDLEBAG_SKIPPED` names,
/// or as a failure where `SADDLEBAG_REQUIRE_DATA` is 1.
fn skipped(test: &str, missing: &str) {
    let required = std::env::var_os("SADDLEBAG_REQUIRE_DATA").is_some_and(|value| value == "1");
    assert!(!required, "{test} cannot be skipped, SADDLEBAG_REQUIRE_DATA is 1: {missing}");
    let line = format!("SKIPPED {test}: {missing}\n");
    // Not by `eprintln!`, which the test harness keeps to itself when the test passes.
    io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("SADDLEBAG_SKIPPED").filter(|name| !name.is_empty()) {
        OpenOptions::new().create(true).append(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
    }
}
