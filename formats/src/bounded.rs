//! Lists on the wire that know how long they may be, and bytes that are read in one piece.
//!
//! Invariant: a list that claims more than its limit is refused before memory is set aside for it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At most `MAX` items.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Bounded<T, const MAX: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for BoundedVisitor<T, MAX> {
    type Value = Bounded<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let claimed = items.size_hint().unwrap_or(0);
        if claimed > MAX {
            return Err(A::Error::custom(format_args!("a list of {claimed} items, where {MAX} are the most")));
        }
        // No more than a page for a claim: the rest must come.
        let mut list = Vec::with_capacity(claimed.min(4096 / size_of::<T>().max(1)));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Bounded(list))
    }
}

/// Bytes, read in one piece rather than one by one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn one_item_past_the_limit_is_refused() {
        assert!(decode::<Bounded<u8, 3>>(&encode(&vec![1u8, 2, 3])).is_ok());
        assert!(decode::<Bounded<u8, 3>>(&encode(&vec![1u8, 2, 3, 4])).is_err());
    }

    #[test]
    fn bytes_look_like_a_list_of_bytes() {
        let bytes = Bytes(vec![9; 300]);
        assert_eq!(encode(&bytes), encode(&bytes.0));
        assert_eq!(decode(&encode(&bytes)), Ok(bytes));
    }
}
