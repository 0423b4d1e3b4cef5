//! SQL text made from names: all of them quoted.

use std::fmt::Write as _;

use crate::tracking::TrackedTable;

/// A name as an SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table of row states.
pub(super) fn states(number: u32) -> String {
    format!("saddlebag_row_{number}")
}

/// The journal of a table.
pub(super) fn journal(number: u32) -> String {
    format!("saddlebag_journal_{number}")
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

/// `t."id" = ?1 AND …`: the key of a row, as parameters from `first` on.
pub(super) fn key_equals(table: &TrackedTable, prefix: &str, first: usize) -> String {
    let equal = |(index, part): (usize, &crate::tracking::KeyColumn)| {
        format!("{prefix}{} = ?{}", quote(&part.name), first + index)
    };
    table.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// `k1 = ?1 AND …`: the key of a row state, as parameters.
pub(super) fn state_key_equals(table: &TrackedTable) -> String {
    let equal: Vec<_> = (1..=table.key.len()).map(|part| format!("k{part} = ?{part}")).collect();
    equal.join(" AND ")
}

/// `?1, ?2, …`
pub(super) fn marks(count: usize) -> String {
    let marks: Vec<_> = (1..=count).map(|index| format!("?{index}")).collect();
    marks.join(", ")
}

/// The columns of a row, alias `t`, references followed by the uid of their target, and the joins they need.
/// A row state that stays at home is no target: nobody else knows its uid.
pub(super) fn row_columns(table: &TrackedTable) -> (String, String) {
    let (mut columns, mut joins) = (String::new(), String::new());
    for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| column.absent.is_none()) {
        let name = quote(&column.name);
        let _ = write!(columns, ", t.{name}");
        if let Some(target) = column.reference {
            let _ = write!(columns, ", r{index}.uid");
            let states = states(target);
            let _ = write!(joins, " LEFT JOIN {states} r{index} ON r{index}.k1 = t.{name} AND r{index}.home = 0");
        }
    }
    (columns, joins)
}

/// Terms joined by an operator as a balanced tree: a chain of 1,000 is deeper than SQLite parses.
pub(super) fn balanced(terms: &[String], operator: &str) -> String {
    match terms {
        [] => "0".to_owned(),
        [one] => one.clone(),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            format!("({} {operator} {})", balanced(left, operator), balanced(right, operator))
        }
    }
}
