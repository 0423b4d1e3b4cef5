//! Databases of the PostgreSQL server that the tests share, each lent to one node at a time and emptied in between.

use std::sync::{Mutex, PoisonError};

use crate::app::Server;
use crate::postgres::{Cluster, Database};
use crate::skip::skipped;

/// Databases that nobody uses.
static FREE: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// Ends what still works on the database, and takes everything out of it.
const EMPTY: &str = "DROP SCHEMA IF EXISTS saddlebag CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public";
const OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Whether there is a PostgreSQL; if not, the test is reported as skipped and should return.
#[must_use]
pub fn needs_postgres(test: &str) -> bool {
    let is_here = Cluster::shared().is_some();
    if !is_here {
        skipped(test, "no PostgreSQL is installed (its `initdb` is neither in PATH nor where systems put it)");
    }
    is_here
}

/// A database of one node. It goes back when the node does.
#[derive(Debug)]
pub struct Lease {
    database: Option<Database>,
    /// Whether nobody else can use it after this.
    is_special: bool,
}

impl Lease {
    /// An empty database.
    #[must_use]
    pub fn new() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let database = free.unwrap_or_else(|| Cluster::shared().unwrap().database());
        let lease = Self { database: Some(database), is_special: false };
        let server = Server::connect(lease.url()).unwrap();
        server.batch(OTHERS).unwrap();
        server.batch(EMPTY).unwrap();
        lease
    }

    /// A database that holds what this one holds now. Nobody may be connected to this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Cluster::shared().unwrap().copy_of(self.database.as_ref().unwrap());
        Self { database: Some(copy), is_special: self.is_special }
    }

    /// An empty database whose texts are in this encoding, as PostgreSQL calls it.
    #[must_use]
    pub fn encoded(encoding: &str) -> Self {
        Self { database: Some(Cluster::shared().unwrap().encoded(encoding)), is_special: true }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.database.as_ref().unwrap().url()
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_special {
            return;
        }
        FREE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.database.take());
    }
}
