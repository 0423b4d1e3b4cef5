//! A connection to PostgreSQL: statements prepared once, errors told apart, and a count of what was sent.

use std::collections::HashMap;
use std::io::Write as _;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Row, Statement};

use crate::error::StoreError;

/// Parameters of a statement, `$1` first.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Parameters that are being put together.
pub(super) type Given<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// Prepared statements kept at most: a store works on some hundred tables.
const STATEMENTS_MAX: usize = 2_000;

/// A connection.
pub(super) struct Client {
    inner: postgres::Client,
    prepared: HashMap<String, Statement>,
    sent: u64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Client {
    /// Works over an open connection.
    pub(super) fn new(inner: postgres::Client) -> Self {
        Self { inner, prepared: HashMap::new(), sent: 0 }
    }

    /// How many statements were sent so far, preparing not counted.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Forgets prepared statements: tables may have other columns now.
    pub(super) fn forget_prepared(&mut self) {
        self.prepared.clear();
    }

    fn prepare(&mut self, action: &str, sql: &str) -> Result<Statement, StoreError> {
        self.statement(sql).map_err(|error| engine(action, &error))
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= STATEMENTS_MAX {
            self.prepared.clear();
        }
        let statement = self.inner.prepare(sql)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// How many columns a query gives. It is prepared, and not run; a refusal is an answer, as in
    /// [`Client::try_query`].
    pub(super) fn column_count(&mut self, sql: &str) -> Result<usize, postgres::Error> {
        Ok(self.inner.prepare(sql)?.columns().len())
    }

    /// All rows of a query. `action` says what is being done, for the error: "reading the links".
    pub(super) fn query(
        &mut self,
        action: &str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(action, sql)?;
        self.sent += 1;
        self.inner.query(&statement, parameters).map_err(|error| engine(action, &error))
    }

    /// The one row of a query that always gives one.
    pub(super) fn query_one(&mut self, action: &str, sql: &str, parameters: Parameters<'_>) -> Result<Row, StoreError> {
        let row = self.query(action, sql, parameters)?.into_iter().next();
        row.ok_or_else(|| StoreError::Engine { action: action.to_owned(), reason: "no row came back".to_owned() })
    }

    /// The rows of a query, one after the other: however many there are, few are held.
    pub(super) fn query_each(
        &mut self,
        action: &str,
        sql: &str,
        parameters: Parameters<'_>,
        each: &mut dyn FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepare(action, sql)?;
        self.sent += 1;
        let failed = |error: postgres::Error| engine(action, &error);
        let mut rows = self.inner.query_raw(&statement, parameters.iter().copied()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(&row)?;
        }
        Ok(())
    }

    /// Runs a statement and says how many rows it touched.
    pub(super) fn execute(&mut self, action: &str, sql: &str, parameters: Parameters<'_>) -> Result<u64, StoreError> {
        let statement = self.prepare(action, sql)?;
        self.sent += 1;
        self.inner.execute(&statement, parameters).map_err(|error| engine(action, &error))
    }

    /// Runs a statement whose refusal is an answer: the error comes as the database gave it. The transaction is broken
    /// then, up to the last savepoint.
    pub(super) fn try_execute(
        &mut self,
        action: &str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<u64, postgres::Error>, StoreError> {
        let statement = match self.statement(sql) {
            // A column that the database alone may write is refused before there are values.
            Err(error) if error.code() == Some(&SqlState::GENERATED_ALWAYS) => return Ok(Err(error)),
            statement => statement.map_err(|error| engine(action, &error))?,
        };
        self.sent += 1;
        Ok(self.inner.execute(&statement, parameters))
    }

    /// The rows of a statement whose refusal is an answer.
    pub(super) fn try_query(
        &mut self,
        action: &str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<Vec<Row>, postgres::Error>, StoreError> {
        let statement = self.prepare(action, sql)?;
        self.sent += 1;
        Ok(self.inner.query(&statement, parameters))
    }

    /// Runs statements without parameters, in one trip.
    pub(super) fn batch(&mut self, action: &str, sql: &str) -> Result<(), StoreError> {
        self.sent += 1;
        self.inner.batch_execute(sql).map_err(|error| engine(action, &error))
    }

    /// Like [`Self::batch`]; the error comes as the database gave it.
    pub(super) fn try_batch(&mut self, sql: &str) -> Result<(), postgres::Error> {
        self.sent += 1;
        self.inner.batch_execute(sql)
    }

    /// Sends the bytes of a `COPY … FROM STDIN` and says how many rows were taken; the error comes as the database gave
    /// it.
    pub(super) fn copy_in(&mut self, sql: &str, bytes: &[u8]) -> Result<u64, postgres::Error> {
        self.sent += 1;
        let mut writer = self.inner.copy_in(sql)?;
        // Where the server breaks off, `finish` tells why; else what was not taken shows in the count.
        let written = writer.write_all(bytes);
        writer.finish().map(|rows| if written.is_ok() { rows } else { 0 })
    }
}

/// An error of the engine, told apart where that helps.
pub(super) fn engine(action: &str, error: &postgres::Error) -> StoreError {
    let reason = words(error);
    match error.code() {
        Some(
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE,
        ) => StoreError::Concurrent { action: action.to_owned(), reason },
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => StoreError::NoRight { action: action.to_owned(), reason },
        _ => StoreError::Engine { action: action.to_owned(), reason },
    }
}

/// What the database says of an error, with what it adds; but not the whole row: its key is another one at each attempt.
pub(super) fn words(error: &postgres::Error) -> String {
    let Some(told) = error.as_db_error() else { return error.to_string() };
    let shows_row = [SqlState::CHECK_VIOLATION, SqlState::NOT_NULL_VIOLATION].contains(told.code());
    match told.detail().filter(|_| !shows_row) {
        Some(detail) => format!("{} ({detail})", told.message()),
        None => told.message().to_owned(),
    }
}
