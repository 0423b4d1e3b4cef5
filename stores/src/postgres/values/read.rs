//! Values as the server sends them.

use std::error::Error;

use postgres::Row;
use postgres::types::{FromSql, Type};
use saddlebag_formats::Value;

use super::{Kind, number, single};
use crate::error::StoreError;

/// One field, by the type that the server names. Text comes as bytes: a server in `SQL_ASCII` sends whatever it was given.
#[derive(Debug, PartialEq)]
pub(super) enum Cell {
    Integer(i64),
    Single(f32),
    Double(f64),
    Boolean(bool),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
}

/// Text, or what a server without an encoding was given for it.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct AnyText(pub(in crate::postgres) Vec<u8>);

impl<'a> FromSql<'a> for AnyText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TEXT
    }
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *of {
            Type::INT2 => Cell::Integer(i16::from_sql(of, raw)?.into()),
            Type::INT4 => Cell::Integer(i32::from_sql(of, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(of, raw)?),
            Type::FLOAT4 => Cell::Single(f32::from_sql(of, raw)?),
            Type::FLOAT8 => Cell::Double(f64::from_sql(of, raw)?),
            Type::BOOL => Cell::Boolean(bool::from_sql(of, raw)?),
            Type::BYTEA => Cell::Bytes(raw.to_vec()),
            _ => Cell::Text(raw.to_vec()),
        })
    }

    fn accepts(of: &Type) -> bool {
        let numbers = [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8];
        let texts = [Type::BOOL, Type::BYTEA, Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME];
        numbers.contains(of) || texts.contains(of)
    }
}

#[expect(clippy::wrong_self_convention, reason = "a value is made from a text; the kind says how")]
impl Kind {
    /// The value of a field that was selected by [`Kind::select`].
    pub(in crate::postgres) fn read(&self, row: &Row, index: usize) -> Result<Value, StoreError> {
        let cell: Option<Cell> = row.try_get(index).map_err(|error| StoreError::Engine {
            action: format!("reading a value of the kind {self:?}"),
            reason: error.to_string(),
        })?;
        Ok(cell.map_or(Value::Null, |cell| self.of_cell(cell)))
    }

    fn of_cell(&self, cell: Cell) -> Value {
        match cell {
            Cell::Integer(number) => Value::Integer(number),
            Cell::Single(number) => Value::Real(single::widen(number)),
            // The database does not tell one from another that is not a number.
            Cell::Double(number) if number.is_nan() => Value::Real(f64::NAN),
            Cell::Double(number) => Value::Real(number),
            Cell::Boolean(truth) => Value::Integer(truth.into()),
            Cell::Bytes(bytes) => Value::Blob(bytes),
            Cell::Text(bytes) => self.from_bytes(bytes),
        }
    }

    /// The value of a text form, as [`Kind::from_text`] gives it; if it is no text, as it may be on a server without an
    /// encoding, its bytes.
    pub(in crate::postgres) fn from_bytes(&self, bytes: Vec<u8>) -> Value {
        match String::from_utf8(bytes) {
            Ok(text) => self.from_text(text),
            Err(error) => Value::RawText(self.without_padding(error.into_bytes())),
        }
    }

    fn without_padding(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if matches!(self, Kind::Padded { .. }) {
            let filled = bytes.iter().rev().take_while(|byte| **byte == b' ').count();
            bytes.truncate(bytes.len() - filled);
        }
        bytes
    }

    /// The value of a column whose text form, by [`Kind::select_text`], is this. Text that this kind of column never
    /// gives stays text.
    pub(in crate::postgres) fn from_text(&self, text: String) -> Value {
        let real = |number: Option<f64>| number.map(Value::Real);
        let value = match self {
            Kind::Integer { .. } | Kind::Oid => number::whole(&text).map(Value::Integer),
            Kind::Single => match number::real(&text) {
                Some(number) if number.is_finite() => real(single::narrow(&text).map(single::widen)),
                other => real(other),
            },
            Kind::Double => real(number::real(&text)),
            Kind::Numeric { scale } => {
                let is_scaled = scale.is_some_and(|scale| scale > 0);
                return number::numeric(if is_scaled { number::without_zeros(text) } else { text });
            }
            Kind::Money => return number::numeric(number::without_zeros(text)),
            Kind::Boolean => match text.as_str() {
                "true" | "t" => Some(Value::Integer(1)),
                "false" | "f" => Some(Value::Integer(0)),
                _ => None,
            },
            Kind::Bytes => text.strip_prefix("\\x").and_then(bytes_of_hex).map(Value::Blob),
            Kind::Padded { .. } => return Value::Text(text.trim_end_matches(' ').to_owned()),
            // The cast to text says even of a single host that it is one; the column itself does not.
            Kind::Inet => {
                let host = if text.contains(':') { text.strip_suffix("/128") } else { text.strip_suffix("/32") };
                host.map(|host| Value::Text(host.to_owned()))
            }
            _ => None,
        };
        value.unwrap_or(Value::Text(text))
    }
}

fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(nibble(high)? * 16 + nibble(low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_by_their_kind() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (declared, given, expected) in [
            ("integer", "-7", Value::Integer(-7)),
            ("oid", "4294967295", Value::Integer(4_294_967_295)),
            ("real", "0.1", Value::Real(0.1)),
            ("real", "-Infinity", Value::Real(f64::NEG_INFINITY)),
            ("double precision", "1e+300", Value::Real(1e300)),
            ("double precision", "-0", Value::Real(-0.0)),
            ("numeric(10,2)", "5.00", Value::Integer(5)),
            ("numeric(10,2)", "5.10", Value::Real(5.1)),
            ("numeric(3,-2)", "1500", Value::Integer(1500)),
            ("numeric", "5.00", text("5.00")),
            ("money", "-1000.50", Value::Real(-1000.5)),
            ("boolean", "true", Value::Integer(1)),
            ("boolean", "f", Value::Integer(0)),
            ("bytea", "\\x00fF", Value::Blob(vec![0, 255])),
            ("bytea", "\\x", Value::Blob(vec![])),
            ("character(5)", "ab   ", text("ab")),
            ("character varying(5)", "ab   ", text("ab   ")),
            ("inet", "10.0.0.1/32", text("10.0.0.1")),
            ("inet", "10.0.0.1/24", text("10.0.0.1/24")),
            ("inet", "::1/128", text("::1")),
            ("inet", "::1/32", text("::1/32")),
            ("cidr", "10.0.0.1/32", text("10.0.0.1/32")),
            ("date", "0044-03-15 BC", text("0044-03-15 BC")),
        ] {
            assert_eq!(Kind::of(declared).from_text(given.to_owned()), expected, "{declared} {given}");
        }
    }

    /// `-'NaN'::float8` has other bits, and is equal.
    #[test]
    fn there_is_one_value_that_is_not_a_number() {
        for (declared, cell) in [("real", Cell::Single(-f32::NAN)), ("double precision", Cell::Double(-f64::NAN))] {
            let kind = Kind::of(declared);
            assert_eq!(kind.of_cell(cell), kind.from_text("NaN".to_owned()));
        }
    }

    #[test]
    fn text_that_is_not_utf8_survives() {
        let read = |declared: &str, bytes: &[u8]| Kind::of(declared).of_cell(Cell::Text(bytes.to_vec()));
        assert_eq!(read("text", b"caf\xe9 "), Value::RawText(b"caf\xe9 ".to_vec()));
        assert_eq!(read("character(6)", b"caf\xe9  "), Value::RawText(b"caf\xe9".to_vec()));
    }
}
