//! SQL text made from names: all of them quoted.

use crate::tracking::TrackedTable;

/// A name as an SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The application's table of this name, as [`crate::schema::Table`] has it: those outside `public` carry their schema
/// before a dot.
pub(super) fn table_name(name: &str) -> String {
    match name.split_once('.') {
        Some((schema, table)) => format!("{}.{}", quote(schema), quote(table)),
        None => format!("public.{}", quote(name)),
    }
}

/// Text as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// The table of row states.
pub(super) fn states(number: u32) -> String {
    format!("saddlebag.row_{number}")
}

/// `prefix1, prefix2, …` for each part of the key.
pub(super) fn key_columns(table: &TrackedTable, prefix: &str) -> String {
    let names: Vec<_> = (1..=table.key.len()).map(|part| format!("{prefix}{part}")).collect();
    names.join(", ")
}

/// `s.k1 = t."id" AND …`
pub(super) fn key_join(table: &TrackedTable, left: &str, right: &str) -> String {
    let equal = |(index, part): (usize, &crate::tracking::KeyColumn)| {
        format!("{left}k{} = {right}{}", index + 1, quote(&part.name))
    };
    table.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}
