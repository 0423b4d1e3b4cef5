//! Which values the database may give back in another form than they were written.

use saddlebag_formats::Value;

use super::{Kind, moment, number, single};

/// Longest text of a `numeric` that is told to come back as it is, without asking the database.
const NUMERIC_TEXT_MAX: usize = 1_000;
/// Bytes of a `name`: NAMEDATALEN, less the end.
const NAME_BYTES: usize = 63;

impl Kind {
    /// Whether a column may store a value in another form. Says yes too often rather than too seldom: the row is asked.
    /// What [`Kind::to_text`] refuses is not stored at all.
    pub(in crate::postgres) fn may_change(&self, value: &Value) -> bool {
        let is_kept = match (self, value) {
            (_, Value::Null) => true,
            (Kind::Integer { .. } | Kind::Oid | Kind::Boolean, Value::Integer(_)) => true,
            (Kind::Double, Value::Real(number)) => !number.is_nan() || number.to_bits() == f64::NAN.to_bits(),
            (Kind::Single, Value::Real(number)) => single::is_exact(*number),
            (Kind::Bytes, Value::Blob(_)) => true,
            (Kind::Numeric { scale }, Value::Integer(_)) => scale.is_none_or(|scale| scale >= 0),
            (Kind::Numeric { scale }, Value::Real(real)) => {
                let plain = if real.is_finite() { real.to_string() } else { return true };
                let fraction = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                let fits = scale.is_none_or(|scale| usize::try_from(scale).is_ok_and(|scale| fraction <= scale));
                fits && *real != 0.0 && number::numeric(plain) == *value
            }
            (Kind::Numeric { scale: None }, Value::Text(text)) => {
                is_plain(text) && number::numeric(text.clone()) == *value
            }
            (Kind::Text { most: None } | Kind::Json { keeps_text: true }, Value::Text(_)) => true,
            // What goes beyond the length and is blank is cut.
            (Kind::Text { .. } | Kind::Padded { .. }, Value::Text(text)) => !text.ends_with(' '),
            (Kind::Name, Value::Text(text)) => text.len() <= NAME_BYTES,
            (Kind::Moment { of, digits }, Value::Text(text)) => moment::is_kept(*of, *digits, text),
            (Kind::Uuid, Value::Text(text)) => text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
            (Kind::Bits, Value::Text(_)) => true,
            _ => false,
        };
        !is_kept
    }
}

/// Whether a decimal number is written as the database writes it.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_no_zero_before = whole == "0" || !whole.starts_with('0');
    let is_minus_zero = text.starts_with('-') && number::is_zero(unsigned);
    digits(whole) && digits(fraction) && has_no_zero_before && !is_minus_zero && text.len() <= NUMERIC_TEXT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_plainly_is_not_asked_for() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (declared, value, expected) in [
            ("integer", Value::Integer(5), false),
            ("integer", Value::Real(5.0), true),
            ("integer", text("5"), true),
            ("real", Value::Real(0.1), false),
            ("real", Value::Real(0.123_456_789), true),
            ("double precision", Value::Integer(5), true),
            ("numeric", Value::Integer(5), false),
            ("numeric", Value::Real(0.1), false),
            ("numeric", Value::Real(5.0), true),
            ("numeric", Value::Real(-0.0), true),
            ("numeric", text("0.10"), false),
            ("numeric", text("00.10"), true),
            ("numeric", text("-0.00"), true),
            ("numeric", text("5"), true),
            ("numeric(10,2)", Value::Real(0.25), false),
            ("numeric(10,2)", Value::Real(0.255), true),
            ("numeric(3,-2)", Value::Integer(5), true),
            ("character(36)", text("ab"), false),
            ("character(36)", text("ab "), true),
            ("text", text("ab "), false),
            ("character varying(3)", text("ab "), true),
            ("timestamp(0) without time zone", text("2024-05-06 10:00:00"), false),
            ("uuid", text("0f8fad5b-d9cb-469f-a165-70867728950e"), false),
            ("uuid", text("0F8FAD5B-D9CB-469F-A165-70867728950E"), true),
            ("jsonb", text("{}"), true),
            ("json", text("{}"), false),
            ("integer[]", text("{1}"), true),
            ("integer", Value::Null, false),
        ] {
            assert_eq!(Kind::of(declared).may_change(&value), expected, "{declared} {value:?}");
        }
    }
}
