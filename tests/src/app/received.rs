//! Values on their way to and from PostgreSQL, of whatever type.

use std::error::Error;

use postgres::types::private::BytesMut;
use postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::Sql;

type Failed = Box<dyn Error + Sync + Send>;

/// A parameter, sent as text: the server says what type it is.
#[derive(Debug)]
pub(super) struct Sent<'v>(pub(super) &'v Sql);

impl ToSql for Sent<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        let text = match self.0 {
            Sql::Null => return Ok(IsNull::Yes),
            Sql::Integer(number) => number.to_string(),
            Sql::Real(number) => format!("{number:?}"),
            Sql::Text(text) => text.clone(),
            Sql::Blob(bytes) => bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
                let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
                text.extend([digit(byte >> 4), digit(byte & 15)]);
                text
            }),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A value that came: as SQLite would hold it. A number without a fixed size comes as its text.
#[derive(Debug)]
pub(super) struct Received(pub(super) Sql);

impl<'a> FromSql<'a> for Received {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        Ok(Self(match *kind {
            Type::BOOL => Sql::Integer(i64::from(bool::from_sql(kind, raw)?)),
            Type::INT2 => Sql::Integer(i64::from(i16::from_sql(kind, raw)?)),
            Type::INT4 => Sql::Integer(i64::from(i32::from_sql(kind, raw)?)),
            Type::INT8 => Sql::Integer(i64::from_sql(kind, raw)?),
            // By its digits: a float of half the size means no more than they say.
            Type::FLOAT4 => Sql::Real(f32::from_sql(kind, raw)?.to_string().parse()?),
            Type::FLOAT8 => Sql::Real(f64::from_sql(kind, raw)?),
            Type::BYTEA => Sql::Blob(raw.to_vec()),
            Type::NUMERIC => Sql::Text(numeric(raw)?),
            Type::UUID => Sql::Text(uuid(raw)),
            Type::JSONB => Sql::Text(str::from_utf8(&raw[1..])?.to_owned()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                Sql::Text(str::from_utf8(raw)?.to_owned())
            }
            _ => return Err(format!("a test asks for {kind} as ::text").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Self(Sql::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A number of any size as SQLite would hold it: whole, or a float where that is exactly the same, or text. Of a column
/// that declares its scale, zeros at the end say nothing.
pub(super) fn number(text: String, has_scale: bool) -> Sql {
    let text = match text.contains('.') && has_scale {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    let as_real = text.parse::<f64>().ok().filter(|number| number.to_string() == text);
    match (text.parse::<i64>(), as_real) {
        (Ok(number), _) => Sql::Integer(number),
        (_, Some(number)) => Sql::Real(number),
        _ => Sql::Text(text),
    }
}

fn uuid(raw: &[u8]) -> String {
    let digits: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// PostgreSQL's `numeric` in its binary form: how many groups of four digits, the place of the first, the sign, how many
/// digits behind the point, and the groups.
fn numeric(raw: &[u8]) -> Result<String, Failed> {
    let words: Vec<u16> = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else {
        return Err("a number is cut off".into());
    };
    if usize::from(*count) != groups.len() {
        return Err("a number is cut off".into());
    }
    match sign {
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => {}
    }
    let weight = i32::from(weight.cast_signed());
    let group = |place: i32| -> u16 {
        usize::try_from(weight - place).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", group(place))).collect();
    whole = whole.trim_start_matches('0').to_owned();
    let mut fraction = String::new();
    let mut place = -1;
    while fraction.len() < usize::from(*scale) {
        fraction += &format!("{:04}", group(place));
        place -= 1;
    }
    fraction.truncate(usize::from(*scale));
    let sign = if *sign == 0x4000 { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { &whole };
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_of_any_size_are_told_as_sqlite_would_hold_them() {
        for (words, expected) in [
            (&[1, 0, 0, 2, 7][..], "7.00"),
            (&[2, 0, 0x4000, 2, 7, 5000], "-7.50"),
            (&[2, 1, 0, 0, 12, 345], "120345"),
            (&[1, 1, 0, 0, 12], "120000"),
            (&[1, 0xFFFF, 0, 4, 12], "0.0012"),
            (&[0, 0, 0, 0], "0"),
        ] {
            assert_eq!(numeric(&raw(words)).unwrap(), expected);
        }
        assert_eq!(number("7.00".into(), true), Sql::Integer(7));
        assert_eq!(number("7.50".into(), true), Sql::Real(7.5));
        assert_eq!(number("7.50".into(), false), Sql::Text("7.50".into()));
    }
}
