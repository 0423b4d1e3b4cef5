//! Refusals of single rows within sets: found by halves, each half in a savepoint.

use super::PostgresStore;
use super::client::{engine, words};
use crate::error::StoreError;
use crate::record::{Key, Refusal};

/// Why a row is refused that the application is writing.
const IN_USE: &str = "in use: the application has locked the row or has just written it, or one that it needs";
const NO_MORE_WAITING: &str = "SET LOCAL lock_timeout = 10";

/// What the server does for each row of its own, foreign keys above all, is to be planned once, not for each row.
const MARK: &str = "SAVEPOINT saddlebag_rows; SET LOCAL plan_cache_mode TO auto";
const GIVE_UP: &str = "RELEASE SAVEPOINT saddlebag_rows; SET LOCAL plan_cache_mode TO force_custom_plan";

/// What became of a row.
pub(super) type Outcome = Result<Key, Refusal>;

/// What writes a set of rows.
pub(super) type Try<'a, T> = &'a mut dyn FnMut(&mut PostgresStore, &[T]) -> Result<Attempt, StoreError>;
/// What is told of rows that stand.
pub(super) type Done<'a, T> = &'a mut dyn FnMut(&mut PostgresStore, &[T]) -> Result<(), StoreError>;

/// What became of a statement about a set of rows.
pub(super) enum Attempt {
    /// All rows were written.
    Done,
    /// Not all of them, with the reason: nothing of it may stand.
    Refused(String),
    /// The application has locked one of them, or has written it since our snapshot, or what one of them needs: nothing
    /// of it may stand.
    InUse,
}

/// What a statement's outcome means, when it should have touched `expected` rows.
pub(super) fn attempt(
    action: &str,
    outcome: Result<u64, postgres::Error>,
    expected: usize,
) -> Result<Attempt, StoreError> {
    match outcome {
        Ok(rows) if usize::try_from(rows) == Ok(expected) => Ok(Attempt::Done),
        Ok(_) => Ok(Attempt::Refused("a trigger of the database left the row as it was".to_owned())),
        Err(error) if matches!(engine(action, &error), StoreError::Concurrent { .. }) => Ok(Attempt::InUse),
        Err(error) if is_refusal(&error) => Ok(Attempt::Refused(match copied_column(&error) {
            Some(column) => format!("column `{column}`: {}", words(&error)),
            None => words(&error),
        })),
        Err(error) => Err(engine(action, &error)),
    }
}

/// The column whose value a `COPY` could not read: it stands in what the error says of where it happened.
fn copied_column(error: &postgres::Error) -> Option<&str> {
    let line = error.as_db_error()?.where_()?.lines().find(|line| line.starts_with("COPY "))?;
    let (_, column) = line.split_once(", column ")?;
    Some(column.split_once(": ").map_or(column, |(name, _)| name))
}

/// Whether the database refuses the values of a row, as against failing: data and integrity errors, limits, and whatever
/// the application's own triggers raise (PostgreSQL's manual, appendix A).
pub(super) fn is_refusal(error: &postgres::Error) -> bool {
    let Some(code) = error.code() else { return false };
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "21" | "22" | "23" | "27" | "2F" | "38" | "39" | "44" | "54" | "P0")
        // What it does not do at all, and what it alone may write (GENERATED ALWAYS).
        || matches!(code.code(), "0A000" | "428C9")
}

/// Tries all of `items` together, then halves of them, down to the single ones that are refused; `done` is told of those
/// that stand. Nothing of a refused one stands.
pub(super) fn in_halves<T: Clone>(
    store: &mut PostgresStore,
    items: Vec<T>,
    try_all: Try<'_, T>,
    done: Done<'_, T>,
) -> Result<Vec<(T, Refusal)>, StoreError> {
    let mut refused = Vec::new();
    let mut left = vec![items];
    while let Some(mut some) = left.pop() {
        if some.is_empty() {
            continue;
        }
        store.client.batch("marking a savepoint", MARK)?;
        let (reason, then) = match try_all(store, &some)? {
            Attempt::Done => {
                store.client.batch("giving up a savepoint", GIVE_UP)?;
                done(store, &some)?;
                continue;
            }
            Attempt::Refused(reason) => (reason, ""),
            Attempt::InUse if store.gives_way => {
                let reason = IN_USE.to_owned();
                return Err(StoreError::Concurrent { action: "writing rows".to_owned(), reason });
            }
            // Each of many rows that are locked is not waited for as long as the first.
            Attempt::InUse => (IN_USE.to_owned(), NO_MORE_WAITING),
        };
        let back = format!("ROLLBACK TO SAVEPOINT saddlebag_rows; RELEASE SAVEPOINT saddlebag_rows; {then}");
        store.client.batch("undoing rows", &back)?;
        if some.len() == 1 {
            refused.extend(some.pop().map(|item| (item, Refusal { reason })));
        } else {
            let second = some.split_off(some.len() / 2);
            left.push(second);
            left.push(some);
        }
    }
    Ok(refused)
}
