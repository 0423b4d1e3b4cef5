//! Values and versions as they are shown: to programs exactly, to people in words.
//!
//! Invariant: two values that differ never have the same JSON form, and each can be read back from it bit for bit.

use std::fmt;

use saddlebag_formats::version::UNKNOWN_WRITER;
use saddlebag_formats::{Value, Version, utc};
use serde::Serialize;

use crate::node_names::NodeNames;

/// Bytes of a value that people are shown.
const BYTES_SHOWN_MAX: usize = 16;

/// A value in its JSON form (`docs/cli-json.md`, "Values").
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ShownValue {
    /// SQL NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A finite binary floating point number.
    Real(f64),
    /// One that is not finite, which JSON has no number for.
    NotFinite {
        /// `inf`, `-inf` or `nan`.
        real: &'static str,
        /// Its bits (IEEE 754 binary64), as 16 hexadecimal digits.
        bits: String,
    },
    /// Text.
    Text(String),
    /// Bytes.
    Bytes {
        /// As hexadecimal digits.
        hex: String,
    },
    /// Text that is not UTF-8.
    RawText {
        /// Its bytes, as hexadecimal digits.
        raw_text: String,
    },
    /// The record that a text points to that names its table as well.
    NamedReference {
        /// The text before the comma.
        model: String,
        /// The record.
        uid: String,
    },
    /// The record that a foreign key points to.
    Reference {
        /// The record.
        uid: String,
    },
    /// A reference to a row that does not exist where it was written.
    Dangling {
        /// The key there.
        dangling: String,
    },
}

impl From<&Value> for ShownValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(*number),
            Value::Real(number) if number.is_finite() => Self::Real(*number),
            Value::Real(number) => {
                Self::NotFinite { real: not_finite(*number), bits: format!("{:016x}", number.to_bits()) }
            }
            Value::Text(text) => Self::Text(text.clone()),
            Value::Blob(bytes) => Self::Bytes { hex: hex(bytes) },
            Value::RawText(bytes) => Self::RawText { raw_text: hex(bytes) },
            Value::Reference(uid) => Self::Reference { uid: uid.to_string() },
            Value::NamedReference(model, uid) => Self::NamedReference { model: model.clone(), uid: uid.to_string() },
            Value::Dangling(key) => Self::Dangling { dangling: key.clone() },
        }
    }
}

fn not_finite(number: f64) -> &'static str {
    match number {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For people: text as it is, everything else so that it is not taken for text.
impl fmt::Display for ShownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("(null)"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::NotFinite { real, .. } => f.write_str(real),
            Self::Text(text) if text.is_empty() => f.write_str("(empty)"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes { hex } => write_bytes(f, "bytes", hex),
            Self::RawText { raw_text } => write_bytes(f, "bytes of text", raw_text),
            Self::NamedReference { model, uid } => write!(f, "{model}: record {uid}"),
            Self::Reference { uid } => write!(f, "record {uid}"),
            Self::Dangling { dangling } => write!(f, "(row {dangling} of the sender, which does not exist there)"),
        }
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, what: &str, hex: &str) -> fmt::Result {
    let (count, shown) = (hex.len() / 2, hex.len().min(2 * BYTES_SHOWN_MAX));
    let more = if shown < hex.len() { "…" } else { "" };
    write!(f, "({count} {what}: {}{more})", &hex[..shown])
}

/// When and where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownVersion {
    /// When, by the writer's clock; none if `setup` found the value.
    pub time: Option<String>,
    /// The same in milliseconds since 1970; 0 if `setup` found the value.
    pub time_ms: i64,
    /// The writer's name, or its id where that is not known here; `found by setup` for what stood there before.
    pub writer: String,
    /// The writer's id.
    pub writer_id: String,
    /// The history of the writer's database.
    pub epoch: String,
}

/// Who wrote what stood in the database before saddlebag came.
const FOUND_BY_SETUP: &str = "found by setup";

impl ShownVersion {
    pub(crate) fn of(version: Version, names: &NodeNames) -> Self {
        Self {
            time: (!version.is_found()).then(|| utc::format(version.time)),
            time_ms: version.time.0.max(0),
            writer: if version.writer == UNKNOWN_WRITER {
                FOUND_BY_SETUP.to_owned()
            } else {
                names.name(version.writer.node)
            },
            writer_id: version.writer.node.to_string(),
            epoch: version.writer.epoch.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::Uid;

    use super::*;

    #[test]
    fn people_tell_nothing_from_text() {
        let words = |value: Value| ShownValue::from(&value).to_string();
        assert_eq!(words(Value::Null), "(null)");
        assert_eq!(words(Value::Text(String::new())), "(empty)");
        assert_eq!(words(Value::Real(1.0)), "1.0");
        assert_eq!(words(Value::Integer(1)), "1");
        assert_eq!(words(Value::Blob(vec![0, 255])), "(2 bytes: 00ff)");
        assert!(words(Value::Blob(vec![1; 100])).contains("(100 bytes: 0101"));
        assert_eq!(words(Value::Reference(Uid([0; 16]))), "record 00000000-0000-0000-0000-000000000000");
    }
}
