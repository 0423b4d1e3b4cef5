//! The application's own connection to a node's database, on either engine.
//!
//! Tests write SQL once, as SQLite takes it: what PostgreSQL calls otherwise is put in its words (see [`dialect`]). What
//! only one engine has, a test asks of that engine alone, by [`App::engine`].

mod dialect;
mod received;
mod server;
mod through;

use std::ops::{Deref, DerefMut};

use rusqlite::functions::FunctionFlags;
pub use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

pub use self::server::Server;
use crate::engines::Engine;

/// Why the application's database did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AppError {
    /// The engine's own words.
    pub reason: String,
    /// Whether the database refused the data, as it should refuse what breaks its rules.
    pub is_refusal: bool,
}

impl From<rusqlite::Error> for AppError {
    fn from(error: rusqlite::Error) -> Self {
        let is_refusal = error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation);
        Self { reason: error.to_string(), is_refusal }
    }
}

/// What a row holds, by column.
pub type Row = Vec<Sql>;

/// The application's connection.
///
/// It is a [`Connection`] for tests that are of SQLite alone; with PostgreSQL behind it, that use of it ends the test.
#[derive(Debug)]
pub enum App {
    /// To a SQLite file.
    Sqlite(Box<Connection>),
    /// To a PostgreSQL server.
    Postgres(Box<Server>),
}

impl Deref for App {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Sqlite(connection) => connection,
            Self::Postgres(_) => panic!("this part of the test is of SQLite alone"),
        }
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Sqlite(connection) => connection,
            Self::Postgres(_) => panic!("this part of the test is of SQLite alone"),
        }
    }
}

impl App {
    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// One of two texts: SQL in each engine's own words.
    #[must_use]
    pub fn either<'t>(&self, sqlite: &'t str, postgres: &'t str) -> &'t str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Runs statements. Where keys were given by hand, PostgreSQL's sequences are moved behind them, as its applications
    /// do it themselves.
    ///
    /// # Errors
    /// The database's.
    pub fn execute_batch(&self, sql: &str) -> Result<(), AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(server) => server.batch(&dialect::postgres(sql)),
        }
    }

    /// Runs a statement with parameters, `?1` first, and says how many rows it touched.
    ///
    /// # Errors
    /// The database's.
    pub fn write(&self, sql: &str, parameters: &[Sql]) -> Result<usize, AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(params_from_iter(parameters))?),
            Self::Postgres(server) => server.write(&dialect::postgres(sql), parameters),
        }
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The database's.
    pub fn rows(&self, sql: &str, parameters: &[Sql]) -> Result<Vec<Row>, AppError> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
                Ok(statement.query_map(params_from_iter(parameters), row)?.collect::<Result<_, _>>()?)
            }
            Self::Postgres(server) => server.query(&dialect::postgres(sql), parameters),
        }
    }

    /// The first value of the first row; null if there is none.
    #[must_use]
    pub fn value(&self, sql: &str, parameters: &[Sql]) -> Sql {
        let rows = self.rows(sql, parameters).unwrap_or_else(|error| panic!("{error}: {sql}"));
        rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Sql::Null)
    }

    /// The first value of each row, as text.
    ///
    /// # Panics
    /// When it is neither text nor null.
    #[must_use]
    pub fn texts(&self, sql: &str, parameters: &[Sql]) -> Vec<Option<String>> {
        let rows = self.rows(sql, parameters).unwrap_or_else(|error| panic!("{error}: {sql}"));
        rows.into_iter().map(|row| row.into_iter().next().and_then(text)).collect()
    }

    /// The first value of the first row as text; none if it is null or there is none.
    ///
    /// # Panics
    /// When it is neither text nor null.
    #[must_use]
    pub fn text(&self, sql: &str, parameters: &[Sql]) -> Option<String> {
        text(self.value(sql, parameters))
    }

    /// The first value of the first row as a number; none if it is null or there is none.
    ///
    /// # Panics
    /// When it is neither a whole number nor null.
    #[must_use]
    pub fn number(&self, sql: &str, parameters: &[Sql]) -> Option<i64> {
        number(self.value(sql, parameters))
    }

    /// How many rows of a table there are; `what` may go on with a condition.
    #[must_use]
    pub fn count(&self, what: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {what}"), &[]).unwrap_or(0)
    }

    /// Ends the connection.
    ///
    /// # Errors
    /// The database's.
    pub fn close(self) -> Result<(), AppError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.close().map_err(|(_, error)| error)?),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Sets the clock that saddlebag's triggers see when this connection writes, in milliseconds since 1970. With
    /// PostgreSQL it is that of all connections, and stands still for good.
    pub fn set_clock(&self, at: i64) {
        match self {
            // In the middle of the millisecond: days as floating point numbers are exact to a twentieth.
            Self::Sqlite(connection) => {
                let days = (at as f64 + 0.5) / 86_400_000.0 + 2_440_587.5;
                let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
                connection.create_scalar_function("julianday", 1, flags, move |_| Ok(days)).unwrap();
            }
            // What setup found keeps its 0; the rest is as the trigger's own expression would make it.
            Self::Postgres(server) => server
                .batch(&format!(
                    "CREATE OR REPLACE FUNCTION public.clock_of_the_test() RETURNS trigger LANGUAGE plpgsql AS
                         $$ BEGIN IF NEW.at <> 0 THEN NEW.at := GREATEST(1, {at}); END IF; RETURN NEW; END $$;
                     DROP TRIGGER IF EXISTS clock_of_the_test ON saddlebag.journal;
                     CREATE TRIGGER clock_of_the_test BEFORE INSERT ON saddlebag.journal
                         FOR EACH ROW EXECUTE FUNCTION public.clock_of_the_test();"
                ))
                .unwrap(),
        }
    }

    /// Undoes the transaction that is open, if there still is one.
    pub fn undo(&self) {
        match self {
            Self::Sqlite(connection) if connection.is_autocommit() => {}
            _ => self.execute_batch("ROLLBACK").unwrap(),
        }
    }

    /// Forgets prepared statements: tables may have other columns now.
    pub fn forget_prepared(&self) {
        match self {
            Self::Sqlite(connection) => connection.flush_prepared_statement_cache(),
            Self::Postgres(server) => server.forget_prepared(),
        }
    }

    /// What the database itself finds wrong with its rows and references; nothing if it is sound.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => {
                let mut found = self.texts("PRAGMA integrity_check", &[]);
                found.retain(|text| text.as_deref() != Some("ok"));
                found.extend(self.texts("PRAGMA foreign_key_check", &[]));
                found.into_iter().flatten().collect()
            }
            Self::Postgres(server) => server.broken_references(),
        }
    }
}

/// A text, or none of it.
///
/// # Panics
/// When it is neither text nor null.
#[must_use]
pub fn text(value: Sql) -> Option<String> {
    match value {
        Sql::Null => None,
        Sql::Text(text) => Some(text),
        other => panic!("{other:?} is no text"),
    }
}

/// A whole number, or none.
///
/// # Panics
/// When it is neither a whole number nor null.
#[must_use]
pub fn number(value: Sql) -> Option<i64> {
    match value {
        Sql::Null => None,
        Sql::Integer(number) => Some(number),
        other => panic!("{other:?} is no whole number"),
    }
}

/// A value as SQL writes it: text in quotes, null as `NULL`.
#[must_use]
pub fn quoted(value: &Sql) -> String {
    match value {
        Sql::Null => "NULL".to_owned(),
        Sql::Integer(number) => number.to_string(),
        Sql::Real(number) => format!("{number:?}"),
        Sql::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Sql::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("X'{digits}'")
        }
    }
}

/// A parameter that is text.
#[must_use]
pub fn said(text: &str) -> Sql {
    Sql::Text(text.to_owned())
}
