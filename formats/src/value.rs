//! One value of one column, exact between engines.

use serde::{Deserialize, Serialize};

use crate::ids::Uid;

/// A value as it travels. New kinds are added at the end: the order is part of the file format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A binary floating point number, compared and carried by its bits (IEEE 754 binary64).
    Real(f64),
    /// Text in UTF-8.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// Text that is not valid UTF-8, byte for byte: SQLite stores it.
    RawText(Vec<u8>),
    /// The record that a foreign key points to.
    Reference(Uid),
    /// A foreign key that points to no record at the sender; its key there, for people to read.
    Dangling(String),
    /// The record that a text points to that names its table as well, like Tryton's `party.party,17`: the text before
    /// the comma, and the record.
    NamedReference(String, Uid),
}

impl Value {
    /// Whether this is SQL NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// How many bytes of text or content it holds: what counts against the limit of a member.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Dangling(text) | Self::NamedReference(text, _) => text.len(),
            Self::Blob(bytes) | Self::RawText(bytes) => bytes.len(),
            Self::Null | Self::Integer(_) | Self::Real(_) | Self::Reference(_) => 0,
        }
    }

    /// The record that it points to, if it is a reference to one.
    #[must_use]
    pub fn target(&self) -> Option<Uid> {
        match self {
            Self::Reference(uid) | Self::NamedReference(_, uid) => Some(*uid),
            _ => None,
        }
    }

    /// The bytes that stand for this value in hashes and in natural identities: a tag, then the content.
    /// No two values share them, and they are the same on every engine.
    pub fn canonical_bytes(&self, into: &mut Vec<u8>) {
        let mut tagged = |tag: u8, content: &[u8]| {
            into.reserve(9 + content.len());
            into.push(tag);
            into.extend_from_slice(&(content.len() as u64).to_le_bytes());
            into.extend_from_slice(content);
        };
        match self {
            Self::Null => tagged(0, &[]),
            Self::Integer(number) => tagged(1, &number.to_le_bytes()),
            Self::Real(number) => tagged(2, &number.to_bits().to_le_bytes()),
            Self::Text(text) => tagged(3, text.as_bytes()),
            Self::Blob(bytes) => tagged(4, bytes),
            Self::RawText(bytes) => tagged(5, bytes),
            Self::Reference(uid) => tagged(6, &uid.0),
            Self::Dangling(key) => tagged(7, key.as_bytes()),
            Self::NamedReference(name, uid) => tagged(8, &[&uid.0, name.as_bytes()].concat()),
        }
    }
}

/// Floats are equal by their bits: what cannot be told apart in the database need not be sent.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) | (Self::Dangling(a), Self::Dangling(b)) => a == b,
            (Self::Blob(a), Self::Blob(b)) | (Self::RawText(a), Self::RawText(b)) => a == b,
            (Self::Reference(a), Self::Reference(b)) => a == b,
            (Self::NamedReference(a, x), Self::NamedReference(b, y)) => (a, x) == (b, y),
            _ => false,
        }
    }
}

impl Eq for Value {}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Without the canonical bytes, which would be put together for every look into a map.
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Integer(number) => number.hash(state),
            Self::Real(number) => number.to_bits().hash(state),
            Self::Text(text) | Self::Dangling(text) => text.hash(state),
            Self::Blob(bytes) | Self::RawText(bytes) => bytes.hash(state),
            Self::Reference(uid) => uid.hash(state),
            Self::NamedReference(name, uid) => (name, uid).hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_compared_by_their_bits() {
        assert_eq!(Value::Real(f64::NAN), Value::Real(f64::NAN));
        assert_ne!(Value::Real(0.0), Value::Real(-0.0));
        assert_ne!(Value::Real(1.0), Value::Integer(1));
    }

    #[test]
    fn canonical_bytes_tell_values_and_their_borders_apart() {
        let bytes = |values: &[Value]| {
            let mut into = Vec::new();
            values.iter().for_each(|value| value.canonical_bytes(&mut into));
            into
        };
        let text = |s: &str| Value::Text(s.to_owned());
        assert_ne!(bytes(&[text("ab"), text("c")]), bytes(&[text("a"), text("bc")]));
        assert_ne!(bytes(&[Value::Null]), bytes(&[text("")]));
        assert_ne!(bytes(&[text("1")]), bytes(&[Value::Integer(1)]));
    }
}
