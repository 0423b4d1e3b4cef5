use super::*;
use crate::fixtures::keys;

const FIRST_LINE: &str = "saddlebag test 1";

fn text() -> Vec<u8> {
    compose(FIRST_LINE, &[1, 2, 3], &keys(1).signing)
}

#[test]
fn a_text_is_three_lines_and_its_signature_covers_two() {
    let text = text();
    let lines = split(&text, FIRST_LINE, 1000).unwrap();
    assert_eq!(lines.json, "[1,2,3]");
    assert_eq!(lines.signed, b"saddlebag test 1\n[1,2,3]\n");
    assert!(lines.verify(&keys(1).signing.public()).is_ok());
    assert!(lines.verify(&keys(2).signing.public()).is_err());
    assert_eq!(lines.read_json::<Vec<u8>>(), Ok(vec![1, 2, 3]));
}

#[test]
fn the_limit_is_exact() {
    let text = text();
    assert!(split(&text, FIRST_LINE, text.len()).is_ok());
    let (bytes, bytes_max) = (text.len(), text.len() - 1);
    assert_eq!(split(&text, FIRST_LINE, bytes_max).unwrap_err(), TextError::TooLarge { bytes, bytes_max });
}

#[test]
fn every_other_form_is_refused() {
    let text = String::from_utf8(text()).unwrap();
    let signature = text.lines().nth(2).unwrap();
    let refused = [
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}x"),
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        text.replace("test 1", "test 2"),
        text.replace("test 1", "test 10"),
        text.replace(ED25519_PREFIX, "rsa:"),
        text.replace(signature, signature.trim_end_matches('=')),
        text.replace(signature, &format!("{signature} ")),
        String::new(),
        FIRST_LINE.to_owned(),
        format!("{FIRST_LINE}\n[1,2,3]\n"),
    ];
    for other in refused {
        assert!(split(other.as_bytes(), FIRST_LINE, 1000).is_err(), "{other:?}");
    }
}

#[test]
fn what_was_signed_as_one_kind_does_not_pass_for_another() {
    let text = String::from_utf8(text()).unwrap().replace("saddlebag test 1", "saddlebag card 1");
    let lines = split(text.as_bytes(), "saddlebag card 1", 1000).unwrap();
    assert_eq!(lines.verify(&keys(1).signing.public()), Err(SignatureError));
}

#[test]
fn json_has_one_form() {
    for json in ["[1, 2,3]", "[1,2,3] ", "[01,2,3]", "[1,2,3", "[1,2,300]", ""] {
        let lines = Lines { json, signed: b"", signature: [0; 64] };
        assert!(lines.read_json::<Vec<u8>>().is_err(), "{json:?}");
    }
}
