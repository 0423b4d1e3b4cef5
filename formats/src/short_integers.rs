//! Integers in as few bytes as they need, for the row states in the database: seven bits a byte, least
//! first (LEB128), signed ones in zigzag.
//!
//! Invariant: a number has one form; over-long ones are refused.

/// Appends `number`.
pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends `number`, which may be negative: 0, -1, 1, -2 … become 0, 1, 2, 3 …
pub(crate) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put(bytes, (number << 1 ^ number >> 63) as u64);
}

/// Takes a number from the front of `bytes`; none if there is none in its one form.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte holds the 64th bit alone.
        if place == 9 && bits > 1 {
            return None;
        }
        number |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return (place == 0 || bits != 0).then_some(number);
        }
    }
    None
}

/// Takes a number that may be negative.
pub(crate) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    take(bytes).map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_come_back(number: i64, shift in 0u32..64) {
            let number = number >> shift;
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            put(&mut bytes, number as u64);
            let mut rest = bytes.as_slice();
            proptest::prop_assert_eq!(take_signed(&mut rest), Some(number));
            proptest::prop_assert_eq!(take(&mut rest), Some(number as u64));
            proptest::prop_assert!(rest.is_empty());
        }

        #[test]
        fn what_is_read_is_what_would_be_written(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..12)) {
            let mut rest = bytes.as_slice();
            if let Some(number) = take(&mut rest) {
                let mut again = Vec::new();
                put(&mut again, number);
                proptest::prop_assert_eq!(&bytes[..bytes.len() - rest.len()], again.as_slice());
            }
        }
    }
}
