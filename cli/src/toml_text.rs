//! Names and values as TOML, whatever characters they hold.
//!
//! Invariant: what is written here is read back as the same text (TOML 1.0, "Keys" and "String").

use std::fmt::Write as _;

/// `text` as a key: bare where that is allowed, else quoted.
pub(crate) fn key(text: &str) -> String {
    let is_bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_bare { text.to_owned() } else { string(text) }
}

/// `text` as a basic string.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(name in ".*", value in proptest::arbitrary::any::<String>()) {
            let text = format!("[a.{}]\n{} = {}\n", key(&name), key(&value), string(&value));
            let read: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> = toml::from_str(&text).unwrap();
            proptest::prop_assert_eq!(&read["a"][&name][&value], &value);
        }
    }

    #[test]
    fn plain_names_stay_bare() {
        assert_eq!(key("patient-program_2"), "patient-program_2");
        assert_eq!(key("order line"), "\"order line\"");
        assert_eq!(key("a.b\"\n"), "\"a.b\\\"\\u000A\"");
        assert_eq!(key(""), "\"\"");
    }
}
