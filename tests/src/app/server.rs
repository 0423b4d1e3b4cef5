//! A connection to PostgreSQL, as an application has one.

use std::cell::RefCell;
use std::collections::HashMap;

use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, NoTls, Statement};

use super::received::{Received, Sent, number};
use super::{AppError, Row, Sql};

/// Moves every sequence of an identity column behind the greatest key that is there.
const ADVANCE: &str = "DO $$ DECLARE c record; greatest bigint; last bigint; BEGIN
    FOR c IN SELECT a.attrelid::regclass AS of, a.attname AS name,
            pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) AS sequence
        FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
        WHERE (a.attidentity <> '' OR a.atthasdef) AND t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'
            AND pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) IS NOT NULL LOOP
        EXECUTE format('SELECT max(%I) FROM %s', c.name, c.of) INTO greatest;
        EXECUTE format('SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM %s', c.sequence) INTO last;
        IF greatest > last THEN PERFORM setval(c.sequence, greatest); END IF;
    END LOOP; END $$";

/// Foreign keys, each with a query that counts the rows that it does not hold for.
const REFERENCES: &str = "
    SELECT c.conname::text, format('SELECT count(*) FROM %s AS a WHERE %s AND NOT EXISTS (SELECT FROM %s AS b WHERE %s)',
        c.conrelid::regclass,
        (SELECT string_agg(format('a.%I IS NOT NULL', x.attname), ' AND ') FROM unnest(c.conkey) AS k (n)
            JOIN pg_attribute x ON x.attrelid = c.conrelid AND x.attnum = k.n),
        c.confrelid::regclass,
        (SELECT string_agg(format('a.%I = b.%I', x.attname, y.attname), ' AND ')
            FROM unnest(c.conkey, c.confkey) AS k (n, m)
            JOIN pg_attribute x ON x.attrelid = c.conrelid AND x.attnum = k.n
            JOIN pg_attribute y ON y.attrelid = c.confrelid AND y.attnum = k.m))
    FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace";

/// All tables, with their schemas.
const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE c.relkind = 'r' AND n.nspname IN ('public', 'saddlebag')";

/// A connection.
pub struct Server {
    client: RefCell<Client>,
    prepared: RefCell<HashMap<String, Statement>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Connects to a database.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn connect(url: &str) -> Result<Self, AppError> {
        let mut client = Client::connect(url, NoTls).map_err(|error| failed(&error))?;
        client.batch_execute("SET client_min_messages = warning").map_err(|error| failed(&error))?;
        Ok(Self { client: RefCell::new(client), prepared: RefCell::default() })
    }

    /// Runs statements in PostgreSQL's own words.
    ///
    /// # Errors
    /// The database's.
    pub fn batch(&self, sql: &str) -> Result<(), AppError> {
        self.client.borrow_mut().batch_execute(sql).map_err(|error| failed(&error))?;
        if ["CREATE ", "ALTER ", "DROP "].iter().any(|word| sql.contains(word)) {
            self.forget_prepared();
        }
        if sql.contains("INSERT INTO ") {
            self.advance()?;
        }
        Ok(())
    }

    /// Moves sequences behind the keys that are there.
    pub(super) fn advance(&self) -> Result<(), AppError> {
        self.client.borrow_mut().batch_execute(ADVANCE).map_err(|error| failed(&error))
    }

    fn prepare(&self, sql: &str) -> Result<Statement, AppError> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.borrow_mut().prepare(sql).map_err(|error| failed(&error))?;
        self.prepared.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn forget_prepared(&self) {
        self.prepared.borrow_mut().clear();
    }

    pub(crate) fn write(&self, sql: &str, parameters: &[Sql]) -> Result<usize, AppError> {
        let statement = self.prepare(sql)?;
        let sent: Vec<Sent<'_>> = parameters.iter().map(Sent).collect();
        let sent: Vec<&(dyn ToSql + Sync)> = sent.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.borrow_mut().execute(&statement, &sent).map_err(|error| failed(&error))?;
        Ok(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    pub(crate) fn query(&self, sql: &str, parameters: &[Sql]) -> Result<Vec<Row>, AppError> {
        let statement = self.prepare(sql)?;
        let sent: Vec<Sent<'_>> = parameters.iter().map(Sent).collect();
        let sent: Vec<&(dyn ToSql + Sync)> = sent.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.borrow_mut().query(&statement, &sent).map_err(|error| failed(&error))?;
        let value = |row: &postgres::Row, at: usize| {
            let Received(value) = row.try_get(at).map_err(|error| failed(&error))?;
            let column = &statement.columns()[at];
            Ok(match value {
                Sql::Text(text) if *column.type_() == Type::NUMERIC => number(text, column.type_modifier() >= 4),
                value => value,
            })
        };
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect()).collect()
    }

    /// One line for each row of each table, saddlebag's as well.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in self.query(TABLES, &[]).unwrap() {
            let [Sql::Text(table)] = row.as_slice() else { panic!("{row:?}") };
            let rows = self.query(&format!("SELECT t::text FROM {table} AS t"), &[]).unwrap();
            lines.extend(rows.iter().map(|row| format!("{table}: {row:?}")));
        }
        lines.sort();
        lines
    }

    pub(super) fn broken_references(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for constraint in self.query(REFERENCES, &[]).unwrap() {
            let [Sql::Text(name), Sql::Text(sql)] = constraint.as_slice() else { panic!("{constraint:?}") };
            if self.query(sql, &[]).unwrap()[0][0] != Sql::Integer(0) {
                broken.push(name.clone());
            }
        }
        broken
    }
}

/// The server's own words, and whether they refuse the data: integrity constraints, values that do not fit, and what
/// the application's own triggers raise.
fn failed(error: &postgres::Error) -> AppError {
    let code = error.code().map_or("", SqlState::code);
    let is_refusal = ["23", "22", "P0"].iter().any(|class| code.starts_with(class));
    let reason = match error.as_db_error() {
        None => error.to_string(),
        Some(told) => match told.detail() {
            Some(detail) => format!("{} ({detail})", told.message()),
            None => told.message().to_owned(),
        },
    };
    AppError { reason, is_refusal }
}
