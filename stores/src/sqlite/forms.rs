//! What the database makes of a value: SQLite converts by a column's affinity, and the application's triggers do what
//! they like.

use saddlebag_formats::Value;

use super::affinity::{Affinity, affinity};
use super::{SqliteStore, beside};
use crate::error::StoreError;
use crate::ledger::{Beside, BesideWhy};
use crate::record::{Key, RowWrite};
use crate::tracking::{TrackedColumn, TrackedTable};

/// Whether a column may store a value in another form. Says yes too often rather than too seldom: the row is asked.
fn may_change(declared_type: &str, value: &Value) -> bool {
    let looks_like_a_number = |text: &str| text.trim().parse::<f64>().is_ok();
    // SQLite makes null of what is not a number, and 0 of minus zero.
    let is_lost = |number: &f64| number.is_nan() || (*number == 0.0 && number.is_sign_negative());
    match (affinity(declared_type), value) {
        (_, Value::Real(number)) if is_lost(number) => true,
        (Affinity::None, _) | (_, Value::Null | Value::Blob(_)) => false,
        (Affinity::Text, Value::Integer(_) | Value::Real(_)) => true,
        (Affinity::Text, _) => false,
        (_, Value::Text(text)) => looks_like_a_number(text),
        (_, Value::RawText(bytes)) => bytes.iter().any(u8::is_ascii_digit),
        (Affinity::Numeric, Value::Real(number)) => number.fract() == 0.0,
        (Affinity::Real, Value::Integer(_)) => true,
        (Affinity::Numeric, Value::Integer(_)) | (Affinity::Real, Value::Real(_)) => false,
        (_, Value::Reference(_) | Value::Dangling(_) | Value::NamedReference(..)) => false,
    }
}

/// The values just written that the row holds in another form.
pub(super) fn stored(
    store: &SqliteStore,
    table: &TrackedTable,
    row: &RowWrite,
    key: &Key,
) -> Result<Vec<Beside>, StoreError> {
    let is_plain = |column: &TrackedColumn| !column.refers();
    let mut forms = Vec::new();
    for (index, value) in &row.values {
        let column = &table.columns[*index];
        let is_beside = row.beside.iter().any(|beside| beside.column == column.id);
        let asks = store.tracking.has_triggers || may_change(&column.declared_type, value);
        if !is_plain(column) || is_beside || !asks {
            continue;
        }
        if let Some(shown) = beside::local_value(&store.connection, table, &column.name, key)?
            && shown != *value
        {
            let (uid, value) = (row.uid, value.clone());
            forms.push(Beside { uid, column: column.id, value, shown: Some(shown), why: BesideWhy::OtherForm });
        }
    }
    Ok(forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks SQLite itself about every pair.
    #[test]
    fn no_conversion_is_missed() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let texts = [
            "1",
            " 1.0 ",
            "1e3",
            "-7",
            "+5",
            ".5",
            "0x10",
            "abc",
            "06/05/2024 10:00",
            "",
            "9e999",
            "1_0",
            "0.10",
            "NaN",
            "Infinity",
            "inf",
            "9223372036854775808",
            "12345678901234567890.123456789",
            "-0",
            "-0.0",
            "t",
            "5\u{a0}",
        ];
        let integers = [0, 1 << 60, (1 << 53) + 1, i64::MIN, i64::MAX].map(Value::Integer);
        let reals = [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 9e18, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let numbers = integers.into_iter().chain(reals.map(Value::Real));
        let values: Vec<Value> = texts.iter().map(|text| Value::Text((*text).to_owned())).chain(numbers).collect();
        for declared in ["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC", "TIMESTAMP", "VARCHAR(3)", "FLOAT", ""] {
            connection.execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (x {declared})")).unwrap();
            for value in &values {
                connection.execute("DELETE FROM t", []).unwrap();
                connection.execute("INSERT INTO t VALUES (?1)", [super::super::values::Parameter(value)]).unwrap();
                let stored = connection
                    .query_row("SELECT x FROM t", [], |row| row.get_ref(0).map(super::super::values::from_sql))
                    .unwrap();
                assert!(stored == *value || may_change(declared, value), "{value:?} in `{declared}` is {stored:?}");
                assert!(!stored.is_null() || matches!(value, Value::Real(number) if number.is_nan()));
            }
        }
    }
}
