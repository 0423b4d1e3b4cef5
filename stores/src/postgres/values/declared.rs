//! Declared types, as `format_type` writes them.

/// A declared type, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// Without modifiers and without `[]`: `timestamp without time zone`.
    pub(super) name: String,
    /// What stood in brackets: `10,2` is `[10, 2]`. What is not a number is left out.
    pub(super) modifiers: Vec<i32>,
    /// Whether it is an array.
    pub(super) is_array: bool,
}

/// Takes a declared type apart. Quoted names keep their quotes and what stands between them.
pub(super) fn parse(declared_type: &str) -> Declared {
    let text = declared_type.trim();
    let element = text.strip_suffix("[]");
    let mut name = String::new();
    let mut inner = String::new();
    let (mut quoted, mut in_brackets) = (false, false);
    for character in element.unwrap_or(text).chars() {
        match character {
            '"' if !in_brackets => {
                quoted = !quoted;
                name.push(character);
            }
            '(' if !quoted => in_brackets = true,
            ')' if !quoted => in_brackets = false,
            _ if in_brackets => inner.push(character),
            _ => name.push(character),
        }
    }
    let modifiers = inner.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    Declared { name: name.trim().to_owned(), modifiers, is_array: element.is_some() }
}

/// The type to cast a text to before it is assigned to a column of the declared type. It has no length: a cast to
/// `character varying(3)` cuts without a word, the assignment refuses.
///
/// Money goes by way of `numeric`: its own text form depends on the server's locale.
pub(in crate::postgres) fn cast_type(declared_type: &str) -> String {
    let Declared { name, is_array, .. } = parse(declared_type);
    let name = match name.as_str() {
        // Their bare names mean a length of 1.
        "bit" | "\"bit\"" => "pg_catalog.\"bit\"",
        "character" | "bpchar" => "pg_catalog.bpchar",
        "\"char\"" => "pg_catalog.\"char\"",
        "money" if !is_array => "numeric",
        name if name.starts_with("interval") => "interval",
        name => name,
    };
    format!("{name}{}", if is_array { "[]" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_their_length() {
        for (declared, expected) in [
            ("integer", "integer"),
            ("character varying(30)", "character varying"),
            ("character varying(30)[]", "character varying[]"),
            ("character(36)", "pg_catalog.bpchar"),
            ("character", "pg_catalog.bpchar"),
            ("character(3)[]", "pg_catalog.bpchar[]"),
            ("bpchar", "pg_catalog.bpchar"),
            ("\"char\"", "pg_catalog.\"char\""),
            ("bit(8)", "pg_catalog.\"bit\""),
            ("\"bit\"", "pg_catalog.\"bit\""),
            ("bit(8)[]", "pg_catalog.\"bit\"[]"),
            ("bit varying(5)", "bit varying"),
            ("numeric(10,2)", "numeric"),
            ("timestamp(6) without time zone", "timestamp without time zone"),
            ("time(0) with time zone[]", "time with time zone[]"),
            ("interval day to second(3)", "interval"),
            ("interval year to month", "interval"),
            ("interval(3)[]", "interval[]"),
            ("money", "numeric"),
            ("money[]", "money[]"),
            ("\"My (odd) Enum\"", "\"My (odd) Enum\""),
            ("app.\"My \"\"[]\"\" Enum\"[]", "app.\"My \"\"[]\"\" Enum\"[]"),
            ("public.geometry(Point,4326)", "public.geometry"),
        ] {
            assert_eq!(cast_type(declared), expected, "{declared}");
        }
    }

    #[test]
    fn modifiers_are_read() {
        assert_eq!(parse("numeric(3,-2)").modifiers, [3, -2]);
        assert_eq!(parse("interval second(2)").modifiers, [2]);
        assert_eq!(parse("\"a(3)\"").modifiers, [0; 0]);
    }
}
