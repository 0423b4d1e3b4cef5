//! The same test over both database engines.
//!
//! A test takes [`Engines`] and is run for each of four deployments by [`on_engines!`](crate::on_engines). Where no
//! PostgreSQL is installed, those that need one are skipped aloud.

use std::ops::{Deref, DerefMut};

use saddlebag_stores::Store;
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::sqlite::SqliteStore;

use crate::sim::stopping::Stopping;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres,
}

/// The engines of a deployment's nodes, the central's first; after the last they begin anew.
pub type Engines = &'static [Engine];

/// Every node on SQLite.
pub const SQLITE: Engines = &[Engine::Sqlite];
/// Every node on PostgreSQL.
pub const POSTGRES: Engines = &[Engine::Postgres];
/// The central and every second satellite on PostgreSQL, the others on SQLite.
pub const MIXED: Engines = &[Engine::Postgres, Engine::Sqlite];
/// The central and every second satellite on SQLite, the others on PostgreSQL.
pub const MIXED_AGAIN: Engines = &[Engine::Sqlite, Engine::Postgres];

/// The engine of the node with an index.
#[must_use]
pub fn engine_of(engines: Engines, node: usize) -> Engine {
    engines[node % engines.len()]
}

/// Whether some node has this engine.
#[must_use]
pub fn any(engines: Engines, engine: Engine) -> bool {
    engines.contains(&engine)
}

/// Makes tests of one function that takes [`Engines`]: `sqlite`, `postgres`, `mixed` and `mixed_again`, in a module of
/// the function's name.
#[macro_export]
macro_rules! on_engines {
    ($test:ident) => {
        $crate::on_engines!($test: sqlite SQLITE, postgres POSTGRES, mixed MIXED, mixed_again MIXED_AGAIN);
    };
    ($test:ident: $($name:ident $engines:ident),+) => {
        mod $test {
            $(
                #[test]
                fn $name() {
                    let test = concat!(module_path!(), "::", stringify!($name));
                    $crate::engines::run(test, $crate::engines::$engines, super::$test);
                }
            )+
        }
    };
}

/// Runs a test over these engines, or reports that it is skipped.
pub fn run(name: &str, engines: Engines, test: fn(Engines)) {
    if !any(engines, Engine::Postgres) || crate::leases::needs_postgres(name) {
        test(engines);
    }
}

/// Saddlebag's own store of a node.
#[derive(Debug)]
pub enum NodeStore {
    /// Over a SQLite file.
    Sqlite(Box<SqliteStore>),
    /// Over a PostgreSQL server.
    Postgres(Box<PostgresStore>),
    /// Over a SQLite file, by a program that ends after a number of calls.
    Stopping(Box<Stopping>),
    /// Its database is just being copied.
    Away,
}

impl Deref for NodeStore {
    type Target = dyn Store;

    fn deref(&self) -> &(dyn Store + 'static) {
        match self {
            Self::Sqlite(store) => store.as_ref(),
            Self::Postgres(store) => store.as_ref(),
            Self::Stopping(store) => store.as_ref(),
            Self::Away => panic!("the database is being copied"),
        }
    }
}

impl DerefMut for NodeStore {
    fn deref_mut(&mut self) -> &mut (dyn Store + 'static) {
        match self {
            Self::Sqlite(store) => store.as_mut(),
            Self::Postgres(store) => store.as_mut(),
            Self::Stopping(store) => store.as_mut(),
            Self::Away => panic!("the database is being copied"),
        }
    }
}
