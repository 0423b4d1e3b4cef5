//! Refusals of single rows within sets: found by halves, each half in a savepoint.

use postgres::error::SqlState;

use super::PostgresStore;
use super::client::{engine, words};
use crate::error::StoreError;
use crate::record::{Key, Refusal};

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
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Ok(Attempt::Refused("in use: the application has locked the row".to_owned()))
        }
        Err(error) if is_refusal(&error) => Ok(Attempt::Refused(words(&error))),
        Err(error) => Err(engine(action, &error)),
    }
}

/// Whether the database refuses the values of a row, as against failing: data and integrity errors, limits, and whatever
/// the application's own triggers raise (PostgreSQL's manual, appendix A).
fn is_refusal(error: &postgres::Error) -> bool {
    let Some(code) = error.code() else { return false };
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "21" | "22" | "23" | "27" | "2F" | "38" | "39" | "44" | "54" | "P0") || code.code() == "0A000"
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
        store.client.batch("marking a savepoint", "SAVEPOINT saddlebag_rows")?;
        match try_all(store, &some)? {
            Attempt::Done => {
                store.client.batch("giving up a savepoint", "RELEASE SAVEPOINT saddlebag_rows")?;
                done(store, &some)?;
            }
            Attempt::Refused(reason) => {
                let back = "ROLLBACK TO SAVEPOINT saddlebag_rows; RELEASE SAVEPOINT saddlebag_rows";
                store.client.batch("undoing rows", back)?;
                if some.len() == 1 {
                    refused.extend(some.pop().map(|item| (item, Refusal { reason })));
                } else {
                    let second = some.split_off(some.len() / 2);
                    left.push(second);
                    left.push(some);
                }
            }
        }
    }
    Ok(refused)
}
