//! Floats that are short decimals, as whole numbers: 36.6 and 37.25 are 3660 and 3725 hundredths.
//!
//! Invariant: only floats that come back bit for bit are written so. IEEE 754 division is correctly
//! rounded, so every machine gets the same bits.

/// Powers of ten that are exact, and as many digits as measurements have.
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Whole floats are exact below 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The least number of decimals that all of `numbers` have, and the numbers in units of the last; none if
/// one of them is no short decimal.
pub(crate) fn of(numbers: &[f64]) -> Option<(u8, Vec<i64>)> {
    (0..POWERS.len() as u8).find_map(|decimals| {
        let whole: Option<Vec<i64>> = numbers.iter().map(|number| scaled(*number, decimals)).collect();
        whole.map(|whole| (decimals, whole))
    })
}

/// The float of `whole` units of the last of `decimals`; none if there is no such number of decimals.
pub(crate) fn read(whole: i64, decimals: u8) -> Option<f64> {
    Some(whole as f64 / POWERS.get(usize::from(decimals))?)
}

fn scaled(number: f64, decimals: u8) -> Option<i64> {
    let whole = (number * POWERS[usize::from(decimals)]).round();
    if whole.is_nan() || whole.abs() >= WHOLE_MAX {
        return None;
    }
    let whole = whole as i64;
    let again = read(whole, decimals)?;
    (again.to_bits() == number.to_bits()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_short_and_others_are_not() {
        assert_eq!(of(&[36.6, 37.25, -1.0, 0.0]), Some((2, vec![3660, 3725, -100, 0])));
        for other in [f64::NAN, f64::INFINITY, -0.0, 1.0 / 3.0, 1e300, 5e-324, WHOLE_MAX] {
            assert_eq!(of(&[1.0, other]), None, "{other}");
        }
        assert_eq!(read(1, 10), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_comes_back_bit_for_bit(number: f64, whole in -1_000_000i64..1_000_000, decimals in 0u8..10) {
            for number in [number, read(whole, decimals).unwrap()] {
                if let Some((decimals, whole)) = of(&[number]) {
                    proptest::prop_assert_eq!(read(whole[0], decimals).unwrap().to_bits(), number.to_bits());
                }
            }
        }
    }
}
