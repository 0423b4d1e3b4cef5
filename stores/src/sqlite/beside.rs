//! True values that cannot stand in their columns, kept beside the records.

use rusqlite::{Connection, Row, params};
use saddlebag_formats::row_state_bytes::{decode_values, encode_values};
use saddlebag_formats::{Uid, Value};

use super::engine;
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};
use crate::tracking::TrackedTable;

const COLUMNS: &str = "uid, column_id, value, shown, why";

fn failed(error: rusqlite::Error) -> StoreError {
    engine("reading what is kept beside the records", &error)
}

fn one(bytes: &[u8]) -> Option<Value> {
    decode_values(bytes).ok()?.pop().map(|(_, value)| value)
}

pub(super) fn why_name(why: BesideWhy) -> &'static str {
    match why {
        BesideWhy::NoColumn => "no column",
        BesideWhy::NoTarget => "no target",
        BesideWhy::Collides => "collides",
        BesideWhy::OtherForm => "other form",
    }
}

fn why(name: &str) -> BesideWhy {
    match name {
        "no column" => BesideWhy::NoColumn,
        "no target" => BesideWhy::NoTarget,
        "collides" => BesideWhy::Collides,
        _ => BesideWhy::OtherForm,
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Beside> {
    let value: Vec<u8> = row.get(2)?;
    let shown: Option<Vec<u8>> = row.get(3)?;
    Ok(Beside {
        uid: Uid(row.get(0)?),
        column: row.get(1)?,
        value: one(&value).unwrap_or(Value::Null),
        shown: shown.as_deref().and_then(one),
        why: why(&row.get::<_, String>(4)?),
    })
}

/// All of a table, by record and column.
pub(super) fn all(connection: &Connection, table: &TrackedTable) -> Result<Vec<Beside>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saddlebag_beside WHERE table_number = ?1 ORDER BY uid, column_id");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([table.number], read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}
