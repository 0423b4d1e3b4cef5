//! One value inside a `changes` member, where records are named by their place in its dictionary.

use serde::{Deserialize, Serialize};

use crate::bounded::Bytes;
use crate::budget::Budget;
use crate::ids::Uid;
use crate::members::ChangesError;
use crate::uids::UidIndexes;
use crate::value::Value;

/// A value on the wire. Floats stand by their bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueV1 {
    Null,
    Integer(i64),
    Real([u8; 8]),
    Text(String),
    Blob(Bytes),
    RawText(Bytes),
    Reference(u32),
    Dangling(String),
    NamedReference(String, u32),
}

impl ValueV1 {
    pub(crate) fn of(value: &Value, uids: &UidIndexes) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(*number),
            Value::Real(number) => Self::Real(number.to_bits().to_le_bytes()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Blob(bytes) => Self::Blob(Bytes(bytes.clone())),
            Value::RawText(bytes) => Self::RawText(Bytes(bytes.clone())),
            Value::Reference(uid) => Self::Reference(uids.index(*uid) as u32),
            Value::Dangling(key) => Self::Dangling(key.clone()),
            Value::NamedReference(name, uid) => Self::NamedReference(name.clone(), uids.index(*uid) as u32),
        }
    }

    pub(crate) fn read(&self, uids: &[Uid], budget: &mut Budget) -> Result<Value, ChangesError> {
        budget.take_bytes(self.bytes())?;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(bits) => Value::Real(f64::from_bits(u64::from_le_bytes(*bits))),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Blob(bytes) => Value::Blob(bytes.0.clone()),
            Self::RawText(bytes) => Value::RawText(bytes.0.clone()),
            Self::Reference(index) => Value::Reference(target(*index, uids)?),
            Self::Dangling(key) => Value::Dangling(key.clone()),
            Self::NamedReference(name, index) => Value::NamedReference(name.clone(), target(*index, uids)?),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Dangling(text) | Self::NamedReference(text, _) => text.len(),
            Self::Blob(bytes) | Self::RawText(bytes) => bytes.0.len(),
            Self::Null | Self::Integer(_) | Self::Real(_) | Self::Reference(_) => 0,
        }
    }
}

fn target(index: u32, uids: &[Uid]) -> Result<Uid, ChangesError> {
    let number = i64::from(index);
    uids.get(index as usize).copied().ok_or(ChangesError::Index { what: "references", number })
}
