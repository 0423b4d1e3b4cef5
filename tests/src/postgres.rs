//! A PostgreSQL of this test process, and databases in it.
//!
//! The server is made when a test first asks for it, listens on a socket of its own alone, and is stopped and deleted
//! when the process ends, however it ends.

// The tests inside `stores` have no other way to it.
#[path = "../../stores/src/postgres/testing/cluster.rs"]
mod cluster;
pub mod tls;

use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::{Client, Config, NoTls};

/// The first version that says how a database is to be copied.
const STRATEGY_SINCE: i32 = 150_000;

/// The server of this process.
pub struct Cluster {
    inner: &'static cluster::Cluster,
    administrator: Mutex<Administrator>,
}

struct Administrator {
    client: Client,
    /// How many databases it has made.
    made: u64,
    /// Behind `CREATE DATABASE`: nothing here outlives the process, so files are copied, in half the time.
    strategy: &'static str,
}

/// A database. It is dropped when this is, whoever is connected.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Cluster {
    /// The server, or none where no PostgreSQL is installed.
    ///
    /// # Panics
    /// When PostgreSQL is installed and does not run.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| cluster::Cluster::of_this_process().ok().map(Self::new)).as_ref()
    }

    fn new(inner: &'static cluster::Cluster) -> Self {
        let mut config = Config::new();
        let mut client =
            config.host_path(inner.socket_folder()).user("postgres").dbname("postgres").connect(NoTls).unwrap();
        let version = client.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap();
        let strategy = if version.get::<_, i32>(0) >= STRATEGY_SINCE { "STRATEGY FILE_COPY" } else { "" };
        Self { inner, administrator: Mutex::new(Administrator { client, made: 0, strategy }) }
    }

    /// An empty database.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self) -> Database {
        self.create("template0")
    }

    /// An empty database whose texts are in this encoding.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn encoded(&self, encoding: &str) -> Database {
        self.create(&format!("template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"))
    }

    /// A database that holds what this one holds now. Nobody may be connected to this one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn copy_of(&self, database: &Database) -> Database {
        self.create(&database.name)
    }

    /// Makes the database of that name once more, with what another one holds now, and says where it is. Nobody may be
    /// connected to the other one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn refill(&self, name: &str, template: &Database) -> String {
        self.with_administrator(|administrator| {
            let create = format!("CREATE DATABASE {name} TEMPLATE {} {}", template.name, administrator.strategy);
            administrator.client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
            administrator.client.batch_execute(&create).unwrap();
        });
        template.url.replace(&format!("/{}", template.name), &format!("/{name}"))
    }

    /// Runs SQL as the server's administrator: for roles, which belong to no database.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn administer(&self, sql: &str) {
        self.with_administrator(|administrator| administrator.client.batch_execute(sql).unwrap());
    }

    fn create(&self, template: &str) -> Database {
        let name = self.with_administrator(|administrator| {
            administrator.made += 1;
            let (name, strategy) =
                (format!("test_{}_{}", std::process::id(), administrator.made), administrator.strategy);
            let create = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
            administrator.client.batch_execute(&create).unwrap();
            name
        });
        let folder = self.inner.socket_folder().display().to_string().replace('/', "%2F");
        let url = format!("postgres://postgres@{folder}/{name}");
        Database { name, url }
    }

    fn with_administrator<T>(&self, work: impl FnOnce(&mut Administrator) -> T) -> T {
        // A test that failed in here has not harmed the connection.
        work(&mut self.administrator.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Database {
    /// Where it is, for the administrator `postgres`, who needs no password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is, for another user, who needs no password either.
    #[must_use]
    pub fn url_of(&self, user: &str) -> String {
        self.url.replacen("postgres@", &format!("{user}@"), 1)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection of the administrator.
    ///
    /// # Panics
    /// When there can be none.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::connect(&self.url, NoTls).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(cluster) = Cluster::shared() else { return };
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // At the end of a process the server may be gone before.
        let _gone = cluster.with_administrator(|administrator| administrator.client.batch_execute(&drop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skip::skipped;

    #[test]
    fn a_database_is_copied_and_goes_with_its_value() {
        let Some(cluster) = Cluster::shared() else { return skipped("postgres::a_database", "no PostgreSQL") };
        let one = cluster.database();
        one.client().batch_execute("CREATE TABLE kept AS SELECT 7 AS n").unwrap();
        let other = cluster.copy_of(&one);
        let mut still_connected = other.client();
        assert_eq!(still_connected.query_one("SELECT n FROM kept", &[]).unwrap().get::<_, i32>(0), 7);
        let (name, mut client) = (other.name().to_owned(), one.client());
        drop(other);
        let left = client.query("SELECT FROM pg_database WHERE datname = $1", &[&name]).unwrap();
        assert!(left.is_empty() && one.url_of("ann").starts_with("postgres://ann@%2F"));
    }
}
