//! The hash of a row as it was last read or written: what went past the triggers is found by it.
//!
//! Invariant: the same row has the same hash on every node, whatever the order of its columns there, and whether a
//! column that is null exists there at all.

use sha2::{Digest, Sha256};

use crate::ids::Uid;
use crate::value::Value;

/// The first 8 bytes, little endian, of SHA-256 over: the uid (16 bytes), then for each column that is not null, in
/// the order of the bytes of its name: length of the name (u64, little endian), name, and the value's
/// [canonical bytes](Value::canonical_bytes).
pub fn row_hash<'a>(uid: Uid, values: impl Iterator<Item = (&'a str, &'a Value)>) -> u64 {
    let mut columns: Vec<(&str, &Value)> = values.filter(|(_, value)| !value.is_null()).collect();
    columns.sort_by_key(|(name, _)| *name);
    let mut bytes = uid.0.to_vec();
    for (name, value) in columns {
        bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        value.canonical_bytes(&mut bytes);
    }
    let digest = Sha256::digest(&bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(uid: u8, columns: &[(&str, Value)]) -> u64 {
        row_hash(Uid([uid; 16]), columns.iter().map(|(name, value)| (*name, value)))
    }

    #[test]
    fn it_knows_uid_names_and_values_but_not_their_order() {
        let (a, b) = (("a", Value::Integer(1)), ("b", Value::Text("x".into())));
        let known = hash(1, &[a.clone(), b.clone()]);
        assert_eq!(known, hash(1, &[b.clone(), a.clone()]));
        assert_ne!(known, hash(2, &[a.clone(), b.clone()]));
        assert_ne!(known, hash(1, std::slice::from_ref(&a)));
        assert_eq!(known, hash(1, &[a.clone(), ("c", Value::Null), b.clone()]));
        assert_ne!(known, hash(1, &[("a", b.1), ("b", a.1)]));
    }

    #[test]
    fn it_is_what_the_documentation_says() {
        // Computed by hand with Python's hashlib from the description above.
        assert_eq!(hash(1, &[("a", Value::Integer(5))]), EXPECTED);
    }

    const EXPECTED: u64 = u64::from_le_bytes([0x26, 0x1d, 0x5f, 0x10, 0xde, 0x00, 0x21, 0x8b]);
}
