//! A row of whole numbers, in the shortest of a few forms.
//!
//! The reader always knows how many there must be, so a form may leave that out. Invariant: a row never
//! yields another count than was asked for; of several forms only the one that is written is read; and
//! differences wrap, so that any number can follow any other.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec;
use crate::limits::RECORDS_PER_MEMBER_MAX;
use crate::members::ChangesError;

/// At most `MAX` numbers, unless they follow from less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum IntegersV1<const MAX: usize = RECORDS_PER_MEMBER_MAX> {
    /// All equal; none at all is written as equal to 0.
    Same(i64),
    /// The first, and what is added each time.
    Steps(i64, i64),
    /// As they are.
    Plain(Bounded<i64, MAX>),
    /// Each as its difference to the one before; the first to 0.
    Deltas(Bounded<i64, MAX>),
}

impl<const MAX: usize> IntegersV1<MAX> {
    /// The shortest form of `numbers`.
    pub(crate) fn of(numbers: &[i64]) -> Self {
        let first = numbers.first().copied().unwrap_or(0);
        let deltas = deltas(numbers);
        let step = deltas.get(1).copied().unwrap_or(0);
        if deltas.iter().skip(1).all(|delta| *delta == step) {
            return if step == 0 { Self::Same(first) } else { Self::Steps(first, step) };
        }
        let plain = Self::Plain(Bounded(numbers.to_vec()));
        let deltas = Self::Deltas(Bounded(deltas));
        if codec::encode(&deltas).len() < codec::encode(&plain).len() { deltas } else { plain }
    }

    /// The `count` numbers.
    pub(crate) fn read(&self, count: usize, what: &'static str) -> Result<Vec<i64>, ChangesError> {
        let numbers = match self {
            Self::Same(number) => vec![*number; count],
            Self::Steps(first, step) => {
                std::iter::successors(Some(*first), |number| Some(number.wrapping_add(*step))).take(count).collect()
            }
            Self::Plain(numbers) => numbers.0.clone(),
            Self::Deltas(deltas) => sums(&deltas.0),
        };
        if numbers.len() != count {
            return Err(ChangesError::Count { what, expected: count, found: numbers.len() });
        }
        match Self::of(&numbers) == *self {
            true => Ok(numbers),
            false => Err(ChangesError::NotShortest { what }),
        }
    }

    /// The `count` numbers, each an index below `below`.
    pub(crate) fn read_indexes(
        &self,
        count: usize,
        below: usize,
        what: &'static str,
    ) -> Result<Vec<usize>, ChangesError> {
        let index = |number| {
            let index = usize::try_from(number).ok().filter(|index| *index < below);
            index.ok_or(ChangesError::Index { what, number })
        };
        self.read(count, what)?.into_iter().map(index).collect()
    }
}

fn deltas(numbers: &[i64]) -> Vec<i64> {
    let before = std::iter::once(&0).chain(numbers);
    numbers.iter().zip(before).map(|(number, before)| number.wrapping_sub(*before)).collect()
}

fn sums(deltas: &[i64]) -> Vec<i64> {
    let mut number = 0i64;
    deltas
        .iter()
        .map(|delta| {
            number = number.wrapping_add(*delta);
            number
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{decode, encode};

    fn of(numbers: &[i64]) -> IntegersV1 {
        IntegersV1::of(numbers)
    }

    #[test]
    fn the_shortest_form_is_taken() {
        assert_eq!(of(&[]), IntegersV1::Same(0));
        assert_eq!(of(&[7; 100]), IntegersV1::Same(7));
        assert_eq!(of(&[5, 8, 11]), IntegersV1::Steps(5, 3));
        assert!(matches!(of(&[1, 5, 2]), IntegersV1::Plain(_)));
        assert!(matches!(of(&[1_000_000, 1_000_001, 1_000_005]), IntegersV1::Deltas(_)));
    }

    #[test]
    fn another_count_and_an_index_past_the_end_are_refused() {
        assert!(of(&[1, 5, 2]).read(2, "x").is_err());
        assert!(of(&[1, 5, 2]).read(4, "x").is_err());
        assert!(of(&[1, 5, 2]).read_indexes(3, 6, "x").is_ok());
        assert!(of(&[1, 5, 2]).read_indexes(3, 5, "x").is_err());
        assert!(of(&[-1]).read_indexes(1, 5, "x").is_err());
    }

    #[test]
    fn another_form_of_the_same_numbers_is_refused() {
        for form in [
            IntegersV1::<9>::Plain(Bounded(vec![7, 7])),
            IntegersV1::Deltas(Bounded(vec![1, 4, -3])),
            IntegersV1::Steps(7, 0),
        ] {
            let count = if let IntegersV1::Deltas(_) = form { 3 } else { 2 };
            assert!(matches!(form.read(count, "x"), Err(ChangesError::NotShortest { .. })), "{form:?}");
        }
        assert!(IntegersV1::<9>::Same(7).read(0, "x").is_err());
    }

    #[test]
    fn one_past_the_limit_is_refused() {
        let numbers: Vec<i64> = (0..4).map(|n| n * n).collect();
        let bytes = encode(&IntegersV1::<3>::of(&numbers));
        assert!(decode::<IntegersV1<3>>(&bytes).is_err());
        assert!(decode::<IntegersV1<4>>(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<i64>(), 0..50), shift in 0u32..64) {
            let numbers: Vec<i64> = numbers.into_iter().map(|number| number >> shift).collect();
            let read: IntegersV1 = decode(&encode(&of(&numbers))).unwrap();
            prop_assert_eq!(read.read(numbers.len(), "x").unwrap(), numbers);
        }
    }
}
