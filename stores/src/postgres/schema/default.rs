//! Defaults as the server writes them down, and as everything else here knows them.

use saddlebag_formats::Value;

use crate::postgres::values::Kind;

/// A default that is a constant, as a plain literal: `'new'::character varying` is `'new'`, `true` is `1`. One that is
/// computed stays as it is; null is none.
pub(super) fn plain(expression: &str, declared_type: &str) -> Option<String> {
    let Some(constant) = constant(expression) else { return Some(expression.to_owned()) };
    let Constant::Text(text) = constant else { return None };
    Some(match Kind::of(declared_type).from_text(text) {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        _ => expression.to_owned(),
    })
}

#[derive(Debug, PartialEq)]
enum Constant {
    Null,
    Text(String),
}

/// The constant that an expression of `pg_get_expr` is, if it is one: a literal with or without a cast, in brackets or
/// not.
fn constant(expression: &str) -> Option<Constant> {
    let expression = expression.trim();
    if let Some(quoted) = expression.strip_prefix('\'') {
        let (text, rest) = quoted_text(quoted)?;
        return is_cast(rest).then_some(Constant::Text(text));
    }
    if let Some(inside) = expression.strip_prefix('(') {
        let (inside, rest) = inside.rsplit_once(')')?;
        return if is_cast(rest) { constant(inside) } else { None };
    }
    let end = expression.find("::").unwrap_or(expression.len());
    let (word, rest) = expression.split_at(end);
    let is_number = word.parse::<f64>().is_ok() && word.ends_with(|last: char| last.is_ascii_digit());
    match word {
        _ if !is_cast(rest) => None,
        "NULL" => Some(Constant::Null),
        "true" | "false" => Some(Constant::Text(word.to_owned())),
        _ if is_number => Some(Constant::Text(word.to_owned())),
        _ => None,
    }
}

/// The text up to the quote that ends it, and what follows.
fn quoted_text(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'')?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return Some((text, after)),
        }
    }
}

/// Whether nothing follows, or casts alone.
fn is_cast(rest: &str) -> bool {
    let is_type = |letter: char| letter.is_alphanumeric() || " _.,()[]\"".contains(letter);
    rest.is_empty()
        || rest.strip_prefix("::").is_some_and(|types| types.split("::").all(|one| one.chars().all(is_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_told_from_what_is_computed() {
        for (expression, declared_type, expected) in [
            ("'new'::text", "text", Some("'new'")),
            ("'it''s'::character varying", "character varying(9)", Some("'it''s'")),
            ("NULL::character varying", "character varying", None),
            ("true", "boolean", Some("1")),
            ("0", "integer", Some("0")),
            ("'-1'::integer", "integer", Some("-1")),
            ("(-1)", "integer", Some("-1")),
            ("'-1.5'::numeric", "numeric(9,2)", Some("-1.5")),
            ("0.00", "numeric(9,2)", Some("0")),
            ("(0)::double precision", "double precision", Some("0.0")),
            ("'2020-01-01'::date", "date", Some("'2020-01-01'")),
            ("now()", "timestamp", Some("now()")),
            ("('a'::text || 'b'::text)", "text", Some("('a'::text || 'b'::text)")),
            ("(1 + 2)", "integer", Some("(1 + 2)")),
            ("nextval('public.a_seq'::regclass)", "integer", Some("nextval('public.a_seq'::regclass)")),
            ("CURRENT_TIMESTAMP", "timestamp", Some("CURRENT_TIMESTAMP")),
        ] {
            assert_eq!(plain(expression, declared_type).as_deref(), expected, "{expression}");
        }
    }
}
