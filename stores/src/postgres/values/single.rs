//! Floats of 32 bits. They travel as the 64-bit float of their shortest decimal form: 0.1 stays 0.1, as people wrote
//! it, and is the same 32 bits again when it comes back.

/// As it travels. All that are not a number are one.
pub(super) fn widen(number: f32) -> f64 {
    if number.is_nan() {
        return f64::NAN;
    }
    // The shortest form of an f32 is always a number.
    format!("{number:?}").parse().unwrap_or_else(|_| f64::from(number))
}

/// The 32 bits that stand for a decimal text, or that the database would make of it; none where it refuses: too large,
/// or so small that nothing would be left.
pub(super) fn narrow(decimal: &str) -> Option<f32> {
    let single: f32 = decimal.parse().ok()?;
    (single.is_finite() && (single != 0.0 || super::number::is_zero(decimal))).then_some(single)
}

/// Whether a float is one that [`widen`] gives, so that it comes back as it was.
pub(super) fn is_exact(number: f64) -> bool {
    if !number.is_finite() {
        return !number.is_nan() || number.to_bits() == f64::NAN.to_bits();
    }
    narrow(&super::number::real_text(number)).is_some_and(|single| widen(single).to_bits() == number.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_is_kept() {
        assert_eq!(widen(0.1), 0.1);
        assert_eq!(widen(f32::MAX), 3.402_823_5e38);
        assert!(is_exact(0.1) && is_exact(-0.0) && is_exact(1e-45) && is_exact(f64::INFINITY) && is_exact(f64::NAN));
        assert!(!is_exact(0.123_456_789_012) && !is_exact(1e39) && !is_exact(1e-50));
        assert_eq!(narrow("1e-50"), None);
        assert_eq!(narrow("0e-50"), Some(0.0));
    }
}
