//! Numbers as text.

use saddlebag_formats::Value;

/// Longest text of which it is asked whether it is the shortest form of a float: those have at most 1 + 309 digits
/// before the point, or a sign, `0.` and 324 + 17 digits after it.
const FLOAT_TEXT_MAX: usize = 400;

/// Whether a text is a decimal number: a sign, digits with or without a point, an exponent. No blanks, no `0x10`, no
/// `1_000`: what they mean depends on the server's version.
pub(super) fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_good = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_is_good
}

/// Whether a text that is a decimal number is zero.
pub(super) fn is_zero(decimal: &str) -> bool {
    let mantissa = decimal.split(['e', 'E']).next().unwrap_or_default();
    !mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// A whole number as text: a sign and digits, within 64 bits.
pub(super) fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { text.parse().ok() } else { None }
}

/// A float as a whole number of 64 bits, where it is exactly one. Minus zero is not: there is none among them.
pub(super) fn whole_real(number: f64) -> Option<i64> {
    // Both bounds are powers of two: floats by themselves.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    let is_minus_zero = number == 0.0 && number.is_sign_negative();
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the bounds")]
    (fits && number.fract() == 0.0 && !is_minus_zero).then_some(number as i64)
}

/// A float as text that says it exactly: the shortest that is read back as the same bits.
pub(super) fn real_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        let plain = format!("{number:?}");
        plain.strip_suffix(".0").map(str::to_owned).unwrap_or(plain)
    }
}

/// A float of 64 bits out of any text form of the database.
pub(super) fn real(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if is_decimal(text) => text.parse().ok(),
        _ => None,
    }
}

/// The value of a `numeric` by its text: an integer where it is a whole number of 64 bits, a float where the float's
/// shortest form is exactly this text, else the text.
pub(super) fn numeric(text: String) -> Value {
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::Integer(number);
    }
    if text.len() <= FLOAT_TEXT_MAX
        && is_decimal(&text)
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
        && number.to_string() == text
    {
        return Value::Real(number);
    }
    Value::Text(text)
}

/// A decimal number without the zeros at the end of its fraction.
pub(super) fn without_zeros(mut text: String) -> String {
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_become_what_sqlite_would_hold() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (given, expected) in [
            ("5", Value::Integer(5)),
            ("-9223372036854775808", Value::Integer(i64::MIN)),
            ("9223372036854775808", text("9223372036854775808")),
            ("9223372036854776000", Value::Real(9_223_372_036_854_775_808.0)),
            ("9223372036854775809", text("9223372036854775809")),
            ("0.5", Value::Real(0.5)),
            ("5.0", text("5.0")),
            ("0.10", text("0.10")),
            ("-0", Value::Real(-0.0)),
            ("NaN", text("NaN")),
            ("-Infinity", text("-Infinity")),
            ("0.1000000000000000055511151231257827", text("0.1000000000000000055511151231257827")),
            ("100000000000000000000", Value::Real(1e20)),
        ] {
            assert_eq!(numeric(given.to_owned()), expected, "{given}");
        }
    }

    #[test]
    fn decimals_are_told_from_what_only_some_servers_take() {
        for good in ["0", "-1", "+1", "1.", ".5", "1.50", "1e3", "1E-3", "-.5e+10"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", " 1", "1 ", "-", ".", "e3", "1e", "0x10", "1_000", "NaN", "inf", "1,5", "--1", "1.2.3"] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }

    #[test]
    fn only_exact_floats_are_whole() {
        assert_eq!(whole_real(3.0), Some(3));
        assert_eq!(whole_real(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        for none in [3.5, 9_223_372_036_854_775_808.0, -0.0, f64::NAN, f64::INFINITY] {
            assert_eq!(whole_real(none), None);
        }
    }
}
