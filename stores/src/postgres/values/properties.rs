//! What holds for all values, without a server.

use proptest::prelude::*;
use saddlebag_formats::Value;

use super::{Kind, copy_text, moment, number, single};
use crate::postgres::values::moment::MomentType;

/// With `¦` between.
const TYPES: &str = "smallint¦integer¦bigint¦oid¦real¦double precision¦numeric¦numeric(10,2)¦money¦boolean¦\
    bytea¦text¦character varying(5)¦character(5)¦name¦\"char\"¦date¦time without time zone¦time with time zone¦\
    timestamp(3) without time zone¦timestamp with time zone¦interval¦uuid¦inet¦cidr¦bit(3)¦json¦jsonb¦date[]¦\
    tstzrange¦point";

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(|bits| Value::Real(f64::from_bits(bits))),
        any::<String>().prop_map(Value::Text),
        "[-+0-9.:eETZ{}\\[\\(, \"BCPYMDHS]{0,30}".prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Blob),
        any::<Vec<u8>>().prop_map(Value::RawText),
    ]
}

/// The text of a value that came out of a `numeric`: there is one for each value, so no two texts share a value.
fn text_of(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?} came out of a numeric"),
    }
}

fn not_minus_zero(text: &str) -> bool {
    !(text.starts_with('-') && number::is_zero(text))
}

proptest! {
    #[test]
    fn nothing_panics_and_only_null_is_null(value in any_value(), of in proptest::sample::select(TYPES.split('¦').collect::<Vec<_>>())) {
        let kind = Kind::of(of);
        kind.may_change(&value);
        match kind.to_text(&value) {
            Ok(None) => prop_assert_eq!(value, Value::Null),
            Ok(Some(text)) => {
                prop_assert!(!text.contains('\0'));
                kind.from_text(text);
            }
            Err(why) => prop_assert!(!why.is_empty()),
        }
    }

    #[test]
    fn plain_values_come_back(number in any::<i64>(), bits in any::<u64>(), bytes in any::<Vec<u8>>(), text in "[^\0]*") {
        let real = f64::from_bits(bits);
        let real = if real.is_nan() { f64::NAN } else { real };
        for (of, value) in [
            ("bigint", Value::Integer(number)),
            ("numeric", Value::Integer(number)),
            ("double precision", Value::Real(real)),
            ("bytea", Value::Blob(bytes)),
            ("text", Value::Text(text)),
            ("boolean", Value::Integer(number & 1)),
        ] {
            let kind = Kind::of(of);
            prop_assert!(!kind.may_change(&value));
            let text = kind.to_text(&value).unwrap().unwrap();
            // The text form of a boolean has words.
            let text = if of == "boolean" { ["false", "true"][usize::from(text == "1")].to_owned() } else { text };
            prop_assert_eq!(kind.from_text(text), value);
        }
    }

    #[test]
    fn singles_come_back(bits in any::<u32>()) {
        let given = f32::from_bits(bits);
        let wide = single::widen(given);
        prop_assert!(single::is_exact(wide));
        if given.is_finite() {
            prop_assert_eq!(single::narrow(&number::real_text(wide)).map(f32::to_bits), Some(bits));
        }
    }

    #[test]
    fn no_two_numerics_share_a_value(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?".prop_filter("-0", |text| not_minus_zero(text))) {
        let kind = Kind::of("numeric");
        let value = kind.from_text(text.clone());
        prop_assert_eq!(text_of(&value), text);
        prop_assert!(!kind.may_change(&value));
    }

    #[test]
    fn nor_do_those_that_look_like_floats(real in any::<f64>(), scale in 0_usize..20) {
        for text in [real.to_string(), format!("{real:.scale$}")] {
            if !text.starts_with("-0") {
                prop_assert_eq!(text_of(&number::numeric(text.clone())), text);
            }
        }
    }

    #[test]
    fn no_two_numerics_of_one_scale_share_a_value(hundredths in any::<i32>()) {
        let sign = if hundredths < 0 { "-" } else { "" };
        let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
        let value = Kind::of("numeric(12,2)").from_text(format!("{sign}{whole}.{part:02}"));
        let back = match value {
            Value::Integer(number) => number * 100,
            Value::Real(number) => (number * 100.0).round() as i64,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(back, i64::from(hundredths));
        prop_assert!(!Kind::of("numeric(12,2)").may_change(&value));
    }

    #[test]
    fn moments_are_written_once_and_for_all(
        year in 1_i32..300_000, month in 1_u8..13, day in 1_u8..32, bc in any::<bool>(),
        hour in 0_u8..25, minute in 0_u8..60, second in 0_u8..60, micros in 0_u32..1_000_000,
        zone in proptest::sample::select(&["", "Z", "+00", "-03:30", "+05:30:15", "-0100"]), separator in "[ T]",
    ) {
        let bc = if bc { " BC" } else { "" };
        let date = format!("{year:04}-{month:02}-{day:02}");
        let time = format!("{hour:02}:{minute:02}:{second:02}.{micros:06}{zone}");
        for (of, text) in [
            (MomentType::Date, format!("{date}{bc}")),
            (MomentType::Time, time.clone()),
            (MomentType::TimeTz, time.clone()),
            (MomentType::Timestamp, format!("{date}{separator}{time}{bc}")),
            (MomentType::TimestampTz, format!("{date}{separator}{time}{bc}")),
        ] {
            if let Ok(written) = moment::to_text(of, &text) {
                prop_assert_eq!(moment::to_text(of, &written), Ok(written.clone()));
                prop_assert!(moment::is_kept(of, 6, &written) || of == MomentType::TimestampTz);
            }
        }
    }

    #[test]
    fn copied_text_is_one_field(text in "[^\0]*") {
        let mut bytes = Vec::new();
        copy_text(&mut bytes, Some(&text));
        let escaped = String::from_utf8(bytes).unwrap();
        prop_assert!(!escaped.contains(['\t', '\n', '\r']) && escaped != "\\N" && escaped != "\\.");
        let mut back = String::new();
        let mut characters = escaped.chars();
        while let Some(character) = characters.next() {
            back.push(match character {
                '\\' => match characters.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    other => other.unwrap(),
                },
                other => other,
            });
        }
        prop_assert_eq!(back, text);
    }
}
