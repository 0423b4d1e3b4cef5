//! Values as the database takes them: text, by the type of the column. What a column cannot hold, or what could be
//! misread there, is refused in words; nothing is guessed, cut, or made null.

use saddlebag_formats::Value;

use super::{Kind, inside, interval, moment, number, single};

/// How much of a value is shown in a refusal, in characters.
const SHOWN_MAX: usize = 60;

/// Why a column cannot hold a value; the value and the type are added to it.
type Outcome = Result<String, String>;

impl Kind {
    /// The text of a value for a column of this kind, to be cast to its [`super::cast_type`]; none for null.
    ///
    /// # Errors
    /// Why the column cannot hold it, in words; the column's name is the caller's to add.
    pub(in crate::postgres) fn to_text(&self, value: &Value) -> Result<Option<String>, String> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::Integer(number) => self.of_integer(*number),
            Value::Real(number) => self.of_real(*number),
            Value::Text(text) => self.of_text(text),
            Value::Blob(bytes) if *self == Kind::Bytes => Ok(hex(bytes)),
            Value::Blob(bytes) => {
                return Err(format!("{} bytes that are no text do not fit {}", bytes.len(), self.name()));
            }
            // As bytes they are what they were.
            Value::RawText(bytes) if *self == Kind::Bytes => Ok(hex(bytes)),
            Value::RawText(bytes) => {
                let shown = shown(&String::from_utf8_lossy(bytes));
                return Err(format!("`{shown}` is not valid UTF-8, which PostgreSQL wants of all text"));
            }
            Value::Reference(uid) | Value::NamedReference(_, uid) => {
                return Err(format!("the reference to {uid} was not turned into a key of this database"));
            }
            Value::Dangling(key) => return Err(format!("it refers to `{}`, which is not there", shown(key))),
        };
        text.map(Some).map_err(|why| match value {
            Value::Integer(number) => format!("{number} does not fit {}: {why}", self.name()),
            Value::Real(number) => format!("{number:?} does not fit {}: {why}", self.name()),
            Value::Text(text) => format!("`{}` does not fit {}: {why}", shown(text), self.name()),
            _ => why,
        })
    }

    fn of_integer(&self, given: i64) -> Outcome {
        match self {
            Kind::Integer { least, most } => within(given, *least, *most),
            Kind::Oid => within(given, 0, u32::MAX.into()),
            Kind::Boolean if !matches!(given, 0 | 1) => Err("only 0 and 1 are clear".to_owned()),
            Kind::Moment { .. } | Kind::Inside(_) | Kind::Interval => {
                Err("whether it counts seconds, days or something else is not known".to_owned())
            }
            Kind::Bytes | Kind::Uuid | Kind::Inet | Kind::Address | Kind::Bits | Kind::OneByte => {
                Err("it is a number".to_owned())
            }
            Kind::Text { most } | Kind::Padded { most } => short_enough(given.to_string(), *most),
            _ => Ok(given.to_string()),
        }
    }

    fn of_real(&self, given: f64) -> Outcome {
        match self {
            Kind::Integer { .. } | Kind::Oid => match number::whole_real(given) {
                Some(whole) => self.of_integer(whole),
                None => Err("it is no whole number of 64 bits".to_owned()),
            },
            Kind::Single if given.is_finite() => single_text(&number::real_text(given)),
            Kind::Double | Kind::Single | Kind::Numeric { .. } => Ok(number::real_text(given)),
            Kind::Json { .. } if given.is_finite() => Ok(number::real_text(given)),
            Kind::Money if given.is_finite() => Ok(given.to_string()),
            Kind::Money | Kind::Json { .. } => Err("it is no finite number".to_owned()),
            Kind::Text { most } | Kind::Padded { most } => short_enough(format!("{given:?}"), *most),
            Kind::Name | Kind::Other => Ok(format!("{given:?}")),
            Kind::Boolean => Err("only 0 and 1 are clear".to_owned()),
            _ => self.of_integer(0).and(Err("it is a number".to_owned())),
        }
    }

    fn of_text(&self, given: &str) -> Outcome {
        if given.contains('\0') && *self != Kind::Bytes {
            return Err("it has a zero byte, which PostgreSQL cannot store in text".to_owned());
        }
        let own = || given.to_owned();
        let only_if = |good: bool, why: &str| if good { Ok(own()) } else { Err(why.to_owned()) };
        match self {
            Kind::Integer { .. } | Kind::Oid => match number::whole(given) {
                Some(whole) => self.of_integer(whole),
                None => Err("it is no whole number of 64 bits".to_owned()),
            },
            Kind::Single | Kind::Double if matches!(given, "NaN" | "Infinity" | "-Infinity") => Ok(own()),
            Kind::Single if number::is_decimal(given) => single_text(given),
            Kind::Double if number::is_decimal(given) => double_text(given),
            Kind::Numeric { .. } if matches!(given, "NaN" | "Infinity" | "-Infinity") => Ok(own()),
            // It takes commas and signs of currencies, but no exponents.
            Kind::Money if given.contains(['e', 'E', '+']) => Err("it is no plain decimal number".to_owned()),
            Kind::Single | Kind::Double | Kind::Numeric { .. } | Kind::Money => {
                only_if(number::is_decimal(given), "it is no decimal number")
            }
            Kind::Boolean => match given.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" => Ok("true".to_owned()),
                "0" | "f" | "false" => Ok("false".to_owned()),
                _ => Err("only `true`, `false`, `t`, `f`, `1` and `0` are clear".to_owned()),
            },
            Kind::Bytes => Ok(hex(given.as_bytes())),
            Kind::Text { most } | Kind::Padded { most } => short_enough(own(), *most),
            Kind::OneByte => only_if(is_one_byte(given), "it takes a single ASCII character"),
            Kind::Moment { of, .. } => {
                moment::to_text(*of, given).map_err(|why| format!("{why}; it takes what is like `{}`", of.example()))
            }
            Kind::Interval => {
                only_if(interval::is_clear(given), "it takes what is like `1 year 2 mons 3 days 04:05:06`")
            }
            Kind::Inside(element) => {
                let good = |token: &str| element.of_text(token).is_ok();
                only_if(inside::all(given, good), "a part of it could be misread")
            }
            Kind::Uuid => only_if(is_uuid(given), "it is no UUID"),
            Kind::Bits => only_if(given.bytes().all(|byte| matches!(byte, b'0' | b'1')), "it takes only 0 and 1"),
            Kind::Name | Kind::Inet | Kind::Address | Kind::Json { .. } | Kind::Other => Ok(own()),
        }
    }

    /// What the column is, for a refusal.
    fn name(&self) -> String {
        let name = match self {
            Kind::Integer { least, .. } if *least == i64::from(i16::MIN) => "a smallint column",
            Kind::Integer { least, .. } if *least == i64::from(i32::MIN) => "an integer column",
            Kind::Integer { .. } => "a bigint column",
            Kind::Oid => "an oid column",
            Kind::Single => "a real column",
            Kind::Double => "a double precision column",
            Kind::Numeric { .. } => "a numeric column",
            Kind::Money => "a money column",
            Kind::Boolean => "a boolean column",
            Kind::Bytes => "a bytea column",
            Kind::Text { most: Some(most) } => return format!("a character varying({most}) column"),
            Kind::Padded { most: Some(most) } => return format!("a character({most}) column"),
            Kind::Text { .. } | Kind::Padded { .. } | Kind::Name => "a text column",
            Kind::OneByte => "a \"char\" column",
            Kind::Moment { of, .. } => of.column(),
            Kind::Inside(_) => "a column of dates or times",
            Kind::Interval => "an interval column",
            Kind::Uuid => "a uuid column",
            Kind::Inet | Kind::Address => "a column of addresses",
            Kind::Bits => "a bit column",
            Kind::Json { keeps_text: true } => "a json column",
            Kind::Json { keeps_text: false } => "a jsonb column",
            Kind::Other => "this column",
        };
        name.to_owned()
    }
}

fn within(given: i64, least: i64, most: i64) -> Outcome {
    if (least..=most).contains(&given) {
        return Ok(given.to_string());
    }
    Err(format!("it takes {least} to {most}"))
}

fn single_text(decimal: &str) -> Outcome {
    match single::narrow(decimal) {
        Some(_) => Ok(decimal.to_owned()),
        None => Err("it is out of the range of 32-bit floats".to_owned()),
    }
}

fn double_text(decimal: &str) -> Outcome {
    let is_in_range = |number: f64| number.is_finite() && (number != 0.0 || number::is_zero(decimal));
    match decimal.parse() {
        Ok(number) if is_in_range(number) => Ok(decimal.to_owned()),
        _ => Err("it is out of the range of 64-bit floats".to_owned()),
    }
}

/// Blanks beyond the length are cut by the database, as the standard has it; they stay beside the record.
fn short_enough(text: String, most: Option<usize>) -> Outcome {
    let Some(most) = most.filter(|most| text.len() > *most) else { return Ok(text) };
    let characters = text.trim_end_matches(' ').chars().count();
    if characters > most { Err(format!("it has {characters} characters")) } else { Ok(text) }
}

/// None or one ASCII character, or `\ooo`, as the type itself writes other bytes.
fn is_one_byte(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        [byte] => byte.is_ascii(),
        [b'\\', b'2' | b'3', rest @ ..] => rest.len() == 2 && rest.iter().all(|byte| (b'0'..=b'7').contains(byte)),
        _ => false,
    }
}

/// Hexadecimal digits of either case, with hyphens in their places or without any.
fn is_uuid(text: &str) -> bool {
    let has_hyphens = text.len() == 36;
    let is_good = |(at, byte): (usize, u8)| {
        if has_hyphens && matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    (has_hyphens || text.len() == 32) && text.bytes().enumerate().all(is_good)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn shown(text: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut shown: String = text.chars().take(SHOWN_MAX).map(clean).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_become_the_text_of_their_column() {
        for (declared, value, expected) in [
            ("integer", Value::Integer(-7), "-7"),
            ("integer", Value::Real(3.0), "3"),
            ("integer", text("007"), "7"),
            ("double precision", Value::Real(f64::NEG_INFINITY), "-Infinity"),
            ("double precision", Value::Real(-0.0), "-0"),
            ("double precision", Value::Real(5e-324), "5e-324"),
            ("double precision", Value::Integer(5), "5"),
            ("numeric", text("0.10"), "0.10"),
            ("numeric", Value::Real(0.1), "0.1"),
            ("numeric", Value::Real(f64::NAN), "NaN"),
            ("boolean", Value::Integer(1), "1"),
            ("boolean", text("F"), "false"),
            ("bytea", Value::Blob(vec![0, 255]), "\\x00ff"),
            ("bytea", Value::RawText(vec![0xe9]), "\\xe9"),
            ("bytea", text("a\0"), "\\x6100"),
            ("text", Value::Integer(5), "5"),
            ("text", Value::Real(5.0), "5.0"),
            ("character varying(3)", text("äöü  "), "äöü  "),
            ("\"char\"", text("\\200"), "\\200"),
            ("uuid", text("0F8FAD5BD9CB469FA16570867728950E"), "0F8FAD5BD9CB469FA16570867728950E"),
            ("timestamp(0) without time zone", text("2024-05-06T10:00"), "2024-05-06 10:00:00"),
            ("date[]", text("{2024-05-06,NULL}"), "{2024-05-06,NULL}"),
            ("jsonb", Value::Real(1.5), "1.5"),
        ] {
            let got = Kind::of(declared).to_text(&value);
            assert_eq!(got, Ok(Some(expected.to_owned())), "{declared} {value:?}");
        }
        assert_eq!(Kind::of("integer").to_text(&Value::Null), Ok(None));
    }

    #[test]
    fn what_a_column_cannot_hold_is_refused() {
        for (declared, value) in [
            ("smallint", Value::Integer(32_768)),
            ("integer", Value::Integer(-2_147_483_649)),
            ("integer", Value::Real(3.5)),
            ("bigint", Value::Real(9_223_372_036_854_775_808.0)),
            ("bigint", text("3.0")),
            ("bigint", text(" 3")),
            ("bigint", text("")),
            ("oid", Value::Integer(-1)),
            ("real", Value::Real(1e39)),
            ("real", Value::Real(1e-50)),
            ("double precision", text("1e400")),
            ("double precision", text("1e-400")),
            ("double precision", text("inf")),
            ("numeric", text("1,5")),
            ("numeric", text("0x10")),
            ("money", text("$5")),
            ("money", Value::Real(f64::NAN)),
            ("boolean", Value::Integer(2)),
            ("boolean", Value::Real(1.0)),
            ("boolean", text("yes")),
            ("bytea", Value::Integer(1)),
            ("text", text("a\0b")),
            ("text", Value::RawText(vec![0xe9])),
            ("text", Value::Blob(vec![65])),
            ("character varying(3)", text("abcd")),
            ("character(3)", text("abcd")),
            ("character(3)", Value::Integer(1_000)),
            ("\"char\"", text("ab")),
            ("\"char\"", text("ä")),
            ("timestamp without time zone", text("06/05/2024 10:00")),
            ("timestamp without time zone", Value::Integer(1_714_990_000)),
            ("timestamp without time zone", Value::Real(2_460_437.5)),
            ("date[]", text("{06/05/2024}")),
            ("daterange", text("[today,2024-05-06)")),
            ("tsrange", Value::Real(0.0)),
            ("interval", Value::Real(3_600.0)),
            ("interval", text("5")),
            ("uuid", text("{0f8fad5b-d9cb-469f-a165-70867728950e}")),
            ("uuid", Value::Blob(vec![0; 16])),
            ("bit(8)", text("x1F")),
            ("bit(8)", Value::Integer(1)),
            ("inet", Value::Integer(10)),
            ("cidr", Value::Real(10.0)),
            ("json", Value::Real(f64::INFINITY)),
            ("integer", Value::Dangling("17".to_owned())),
        ] {
            let got = Kind::of(declared).to_text(&value);
            assert!(got.is_err(), "{declared} {value:?} became {got:?}");
        }
    }

    #[test]
    fn refusals_say_what_and_why() {
        let refusal = |declared: &str, value: &Value| Kind::of(declared).to_text(value).unwrap_err();
        assert_eq!(
            refusal("timestamp without time zone", &text("06/05/2024 10:00")),
            "`06/05/2024 10:00` does not fit a timestamp column: it is not in an ISO form, which alone cannot be \
             misread; it takes what is like `2024-05-06 10:00:00`"
        );
        assert_eq!(
            refusal("smallint", &Value::Integer(40_000)),
            "40000 does not fit a smallint column: it takes -32768 to 32767"
        );
        assert_eq!(
            refusal("text", &text("a\0b")),
            "`a b` does not fit a text column: it has a zero byte, which PostgreSQL cannot store in text"
        );
        assert!(refusal("uuid", &text(&"x".repeat(100))).starts_with(&format!("`{}…` does", "x".repeat(60))));
    }
}
