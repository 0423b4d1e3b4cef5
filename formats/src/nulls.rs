//! Which values of a column are null.

use serde::{Deserialize, Serialize};

use crate::bounded::Bytes;
use crate::members::ChangesError;

/// None, or a bit for each value, least significant first, set where it is null; bits past the last are 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NullsV1 {
    None,
    Bits(Bytes),
}

impl NullsV1 {
    pub(crate) fn of(nulls: &[bool]) -> Self {
        if !nulls.contains(&true) {
            return Self::None;
        }
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, null| byte << 1 | u8::from(*null));
        Self::Bits(Bytes(nulls.chunks(8).map(byte).collect()))
    }

    /// For each of `count` values whether it is null.
    pub(crate) fn read(&self, count: usize) -> Result<Vec<bool>, ChangesError> {
        let bits = match self {
            Self::None => return Ok(vec![false; count]),
            Self::Bits(bytes) => &bytes.0,
        };
        let (expected, found) = (count.div_ceil(8), bits.len());
        if expected != found {
            return Err(ChangesError::Count { what: "bytes of nulls", expected, found });
        }
        let nulls: Vec<bool> = (0..count).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
        match Self::of(&nulls) == *self {
            true => Ok(nulls),
            false => Err(ChangesError::Nulls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_in_one_form() {
        for nulls in [vec![], vec![false; 9], vec![true; 8], [vec![false; 8], vec![true]].concat()] {
            assert_eq!(NullsV1::of(&nulls).read(nulls.len()).unwrap(), nulls);
        }
        let bits = |bytes: &[u8]| NullsV1::Bits(Bytes(bytes.to_vec()));
        assert!(bits(&[0b100]).read(3).is_ok());
        assert!(bits(&[0b1000]).read(3).is_err());
        assert!(bits(&[0]).read(3).is_err());
        assert!(bits(&[1, 0]).read(3).is_err());
    }
}
