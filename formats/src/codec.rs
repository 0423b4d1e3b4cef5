//! The byte form of everything that is not text: bincode 2, standard configuration (little endian, varint).
//!
//! Nothing else names `bincode`. Invariant: one value has one byte form. bincode itself takes trailing bytes
//! and over-long integers, and without a limit a nine-byte input can abort the process; here none of them
//! passes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits;

/// Bytes that are not the encoding of what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// More bytes than any member may have.
    #[error("{bytes} bytes are more than the {limit} that may be decoded at once")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many may be.
        limit: usize,
    },
    /// The bytes end too early, or say what cannot be.
    #[error("the bytes cannot be decoded: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// Bytes are left over.
    #[error("{bytes} bytes are left over at the end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The bytes decode, but are not what would have been written.
    #[error("the bytes are not in their one canonical form")]
    NotCanonical,
}

/// bincode counts a varint by its width in memory (8 for a `u64` of one byte), so the largest honest input
/// claims eight times its length.
const CLAIMS_PER_BYTE: usize = 8;
/// Inputs up to this long are decoded under the smaller limit.
const SHORT_BYTES_MAX: usize = 64 << 10;

/// The bytes of `value`.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        // Only a `Serialize` that fails by itself, or a sequence of unknown length, could: our types have neither.
        .expect("plain data can be encoded")
}

/// The value whose bytes these are.
///
/// # Errors
/// If they are too many, end too early, go on, or are not exactly what [`encode`] makes of the value.
///
/// ```
/// use saddlebag_formats::codec::{decode, encode};
/// let bytes = encode(&(7u64, "seven".to_owned()));
/// assert_eq!(decode::<(u64, String)>(&bytes), Ok((7, "seven".to_owned())));
/// assert!(decode::<(u64, String)>(&bytes[1..]).is_err());
/// ```
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let limit = limits::MEMBER_BYTES_MAX;
    if bytes.len() > limit {
        return Err(CodecError::TooLong { bytes: bytes.len(), limit });
    }
    let standard = bincode::config::standard();
    let decoded = if bytes.len() <= SHORT_BYTES_MAX {
        let config = standard.with_limit::<{ SHORT_BYTES_MAX * CLAIMS_PER_BYTE }>();
        bincode::serde::decode_from_slice(bytes, config)
    } else {
        let config = standard.with_limit::<{ limits::MEMBER_BYTES_MAX * CLAIMS_PER_BYTE }>();
        bincode::serde::decode_from_slice(bytes, config)
    };
    let (value, read): (T, usize) = decoded.map_err(|error| CodecError::Malformed { reason: error.to_string() })?;
    if read != bytes.len() {
        return Err(CodecError::Trailing { bytes: bytes.len() - read });
    }
    if encode(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&300u64);
        bytes.push(0);
        assert_eq!(decode::<u64>(&bytes), Err(CodecError::Trailing { bytes: 1 }));
    }

    #[test]
    fn over_long_integers_are_refused() {
        assert_eq!(encode(&7u64), [7]);
        assert_eq!(decode::<u64>(&[251, 7, 0]), Err(CodecError::NotCanonical));
        assert_eq!(decode::<u64>(&[253, 7, 0, 0, 0, 0, 0, 0, 0]), Err(CodecError::NotCanonical));
    }

    #[test]
    fn a_hostile_length_neither_aborts_nor_passes() {
        for length in [u64::MAX, 1 << 62, 1 << 40, 1 << 30, 1 << 20] {
            let bytes = encode(&length);
            assert!(decode::<String>(&bytes).is_err());
            assert!(decode::<Vec<u8>>(&bytes).is_err());
            assert!(decode::<Vec<Vec<u64>>>(&bytes).is_err());
            assert!(decode::<crate::bounded::Bytes>(&bytes).is_err());
        }
    }

    #[test]
    fn one_byte_more_than_a_member_is_refused() {
        let at = vec![0; limits::MEMBER_BYTES_MAX];
        assert!(matches!(decode::<u64>(&at), Err(CodecError::Trailing { .. })));
        let past = vec![0; limits::MEMBER_BYTES_MAX + 1];
        assert!(matches!(decode::<u64>(&past), Err(CodecError::TooLong { .. })));
    }

    #[test]
    fn the_longest_honest_input_is_within_the_limit() {
        let many = vec![1u64; SHORT_BYTES_MAX - 16];
        assert_eq!(decode::<Vec<u64>>(&encode(&many)), Ok(many));
    }
}
