//! Fields of the rows that come back, and the numbers of `formats`, which have no sign, as PostgreSQL's, which have.

use postgres::Row;
use postgres::types::FromSql;
use saddlebag_formats::{LinkId, Uid};
use uuid::Uuid;

use super::client::engine;
use crate::error::StoreError;

/// The columns of a set of rows, for `unnest`.
macro_rules! each {
    ($rows:expr, $field:expr) => {
        $rows.iter().map($field).collect::<Vec<_>>()
    };
}
pub(super) use each;

/// A field by its position. `action` as in [`super::client::Client::query`].
pub(super) fn field<'a, T: FromSql<'a>>(action: &str, row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| engine(action, &error))
}

/// A number that never is negative.
pub(super) fn unsigned(action: &str, row: &Row, index: usize) -> Result<u64, StoreError> {
    Ok(field::<i64>(action, row, index)?.cast_unsigned())
}

/// The number of a link.
pub(super) fn link_id(action: &str, row: &Row, index: usize) -> Result<LinkId, StoreError> {
    let number: i64 = field(action, row, index)?;
    let number = u32::try_from(number).map_err(|error| StoreError::Damaged {
        what: "a link".to_owned(),
        reason: format!("its number is {number}: {error}"),
    })?;
    Ok(LinkId(number))
}

/// The uid of a record.
pub(super) fn uid(action: &str, row: &Row, index: usize) -> Result<Uid, StoreError> {
    Ok(Uid(field::<Uuid>(action, row, index)?.into_bytes()))
}
