//! Values of every kind into columns of every type: value → column → value.

use saddlebag_formats::Value;

use super::{Column, client};

/// With `¦` between.
const TYPES: &str = "smallint¦integer¦bigint¦oid¦real¦double precision¦numeric¦numeric(6,2)¦numeric(4,0)¦money¦\
    boolean¦bytea¦text¦character varying(5)¦character(5)¦bpchar¦name¦\"char\"¦date¦time¦time(0)¦\
    time with time zone¦timestamp¦timestamp(0)¦timestamp with time zone¦interval¦interval day to second(3)¦uuid¦\
    inet¦cidr¦macaddr¦bit(3)¦bit varying(5)¦json¦jsonb¦xml¦integer[]¦text[]¦date[]¦tstzrange¦point¦tsvector¦\
    \"My (odd) Enum\"¦amount¦label¦days";

/// With `¦` between.
const TEXTS: &str = "¦ ¦a¦ab ¦ab   ¦abcdef¦äöü€😀¦5¦+5¦-5¦007¦ 5 ¦5.0¦5.10¦0.005¦1e3¦1e-400¦1e400¦0x10¦1_000¦NaN¦\
    nan¦Infinity¦-Infinity¦inf¦infinity¦-infinity¦-0¦-0.00¦3.4028236e38¦32768¦9223372036854775808¦true¦TRUE¦f¦\
    yes¦on¦NULL¦null¦\\N¦\\x00¦\\.¦2024-05-06¦02024-05-06¦2024-05-06T10:00:00Z¦2024-05-06 10:00¦\
    2024-05-06 10:00:00.123456789¦2024-05-06 00:00:00¦2024-05-06 10:00:00+05:30¦0044-03-15 BC¦06/05/2024 10:00¦\
    06/05/24¦today¦now¦epoch¦allballs¦10:00¦10:00:00.5¦23:59:59.9999999¦10:00:00+02¦1 day¦1 day ago¦P1DT2H¦\
    1.5 days¦0F8FAD5B-D9CB-469F-A165-70867728950E¦0f8fad5bd9cb469fa16570867728950e¦10.0.0.1¦10.0.0.1/32¦10¦101¦\
    x5¦{1,2}¦{today}¦{06/05/24}¦{\"a\": 1, \"a\": 2}¦<a/>¦[today,)¦{2024-05-06,NULL}¦[2024-05-06,)¦(1,2)¦\
    08002B010203¦it's, \"x\"";

fn values() -> Vec<Value> {
    let integers =
        [0, 1, 2, -1, 5, 10, 101, 99_999, 32_768, 2_147_483_648, 4_294_967_296, (1 << 53) + 1, i64::MIN, i64::MAX];
    let reals = [
        0.0,
        -0.0,
        1.0,
        3.5,
        5.0,
        -7.25,
        0.1,
        0.005,
        1e15,
        1e16,
        1e20,
        1e39,
        1e-50,
        1e300,
        5e-324,
        0.123_456_789_012,
        9_223_372_036_854_775_808.0,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        16_777_217.0,
    ];
    let others = [
        Value::Null,
        Value::Text("a\0b".to_owned()),
        Value::Text("x".repeat(70)),
        Value::Text("7".repeat(500)),
        Value::Blob(vec![]),
        Value::Blob(vec![0; 16]),
        Value::Blob(b"abc".to_vec()),
        Value::RawText(b"caf\xe9".to_vec()),
    ];
    let texts = TEXTS.split('¦').map(|text| Value::Text(text.to_owned()));
    let numbers = integers.into_iter().map(Value::Integer).chain(reals.into_iter().map(Value::Real));
    texts.chain(numbers).chain(others).collect()
}

/// Whatever is not refused is there, and where it is not asked for afterwards, just as it came.
#[test]
fn no_change_is_missed() {
    let Some(mut client) = client("no_change_is_missed") else { return };
    for of in TYPES.split('¦') {
        let mut column = Column::new(client, of);
        let mut stored = 0;
        for value in values() {
            let Ok(text) = column.kind.to_text(&value) else { continue };
            column.client.batch("emptying", "TRUNCATE cast_in, copied").unwrap();
            if column.put(std::slice::from_ref(&text)).is_err() {
                continue;
            }
            stored += 1;
            for table in ["cast_in", "copied"] {
                let read = column.read(table);
                let [(back, _)] = read.as_slice() else { panic!("{of}: {value:?} became {read:?}") };
                assert_eq!(back.is_null(), value.is_null(), "{of}: {value:?} became {back:?}");
                assert!(*back == value || column.kind.may_change(&value), "{of}: {value:?} became {back:?}");
            }
        }
        assert!(stored > 1, "{of} takes nothing");
        client = column.client;
    }
}

/// What could be misread is never stored, in whatever column.
#[test]
fn nothing_is_guessed() {
    let Some(client) = client("nothing_is_guessed") else { return };
    let mut column = Column::new(client, "date");
    for of in ["date", "timestamp", "timestamp with time zone", "date[]", "daterange", "days", "tsrange[]"] {
        column = Column::new(column.client, of);
        for text in ["06/05/2024 10:00", "06/05/24", "today", "now", "epoch", "tomorrow", "20240506", "May 6 2024"] {
            for text in
                [text.to_owned(), format!("{{{text}}}"), format!("[{text},)"), format!("{{\"[\\\"{text}\\\",)\"}}")]
            {
                let refused = column.kind.to_text(&Value::Text(text.clone()));
                assert!(refused.is_err(), "{of}: {text} became {refused:?}");
            }
        }
    }
}
