//! A value that a person types, of the kind that its column holds.

use saddlebag_formats::{Uid, Value};

/// The word for SQL NULL.
const NULL: &str = "NULL";

/// Reads `text` as a value of the kind of the first of `like` that is not null; as text where all are null.
///
/// # Errors
/// Why it is none, as half a sentence.
pub(super) fn parse(text: &str, like: &[Value]) -> Result<Value, String> {
    if text == NULL {
        return Ok(Value::Null);
    }
    let wanted = |what: &str| format!("`{text}` is no {what}, and the column holds such values; NULL stands for none");
    match like.iter().find(|value| !value.is_null()) {
        None | Some(Value::Text(_) | Value::RawText(_) | Value::Null) => Ok(Value::Text(text.to_owned())),
        Some(Value::Integer(_)) => text.trim().parse().map(Value::Integer).map_err(|_| wanted("whole number")),
        Some(Value::Real(_)) => text.trim().parse().map(Value::Real).map_err(|_| wanted("number")),
        Some(Value::Blob(_)) => bytes(text.trim()).map(Value::Blob).ok_or_else(|| wanted("row of hexadecimal digits")),
        Some(Value::Reference(_) | Value::Dangling(_)) => {
            uid(text).map(Value::Reference).ok_or_else(|| wanted("uid of a record"))
        }
        Some(Value::NamedReference(model, _)) => match text.split_once(',') {
            Some((model, name)) => uid(name).map(|uid| Value::NamedReference(model.trim().to_owned(), uid)),
            None => uid(text).map(|uid| Value::NamedReference(model.clone(), uid)),
        }
        .ok_or_else(|| wanted("uid of a record")),
    }
}

fn uid(text: &str) -> Option<Uid> {
    text.trim().to_ascii_lowercase().parse().ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_of_the_kind_that_stands_there() {
        let uid = "0190f3b0-5c0e-7b39-9a64-e2f031c8d75b";
        let record = uid.parse::<Uid>().unwrap();
        for (text, like, value) in [
            ("7", Value::Integer(1), Value::Integer(7)),
            ("7", Value::Text("x".into()), Value::Text("7".into())),
            ("7", Value::Real(1.5), Value::Real(7.0)),
            ("00ff", Value::Blob(vec![1]), Value::Blob(vec![0, 255])),
            (uid, Value::Reference(Uid([0; 16])), Value::Reference(record)),
            (uid, Value::NamedReference("a.b".into(), Uid([0; 16])), Value::NamedReference("a.b".into(), record)),
            ("NULL", Value::Integer(1), Value::Null),
            ("free", Value::Null, Value::Text("free".into())),
        ] {
            assert_eq!(parse(text, &[Value::Null, like]), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_refused() {
        for (text, like) in [
            ("seven", Value::Integer(1)),
            ("1,5", Value::Real(1.5)),
            ("0f0", Value::Blob(Vec::new())),
            ("xy", Value::Blob(Vec::new())),
            ("\u{e9}", Value::Blob(Vec::new())),
            ("17", Value::Reference(Uid([0; 16]))),
        ] {
            let error = parse(text, &[like]).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
