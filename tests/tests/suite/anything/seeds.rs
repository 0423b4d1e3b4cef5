//! What stands in the databases before saddlebag comes.

use std::fmt::Write as _;

use saddlebag_tests::fleet::TestEntropy;

use super::schema::{Identity, Role, Spec, quote};

fn is_reference(role: &Role) -> bool {
    matches!(role, Role::Refers(_))
}

/// SQL that makes a node's first rows. Some records are known to all places, some to one.
pub(crate) fn rows(spec: &Spec, node: usize, random: &mut TestEntropy) -> String {
    let mut sql = String::new();
    for table in &spec.tables {
        let is_simple = table.columns.iter().all(|column| match &column.role {
            Role::Refers(reference) => !reference.required,
            Role::Number | Role::Joint { .. } => false,
            _ => true,
        });
        if !is_simple || table.part == "audit" {
            continue;
        }
        let is_known = table.direction == "match";
        for at in 1..=4_i64 {
            let is_shared = match &table.identity {
                Identity::Copied => at <= 2,
                // Where a part of the identity is null, each place has a record of its own.
                Identity::Natural(columns) => {
                    at <= 2 && columns.iter().all(|at| !is_reference(&table.columns[*at].role))
                }
                Identity::Uuid(_) | Identity::Named => at <= 2,
                Identity::Assigned => false,
            };
            // One in two places has something of its own besides.
            if !(is_shared || random.below(4) == 0 || (is_known && random.below(2) == 0)) {
                continue;
            }
            let own = if is_shared || is_known { String::new() } else { format!("-{node}") };
            let tag = if is_known { format!("known-{at}") } else { format!("{}-seed-{at}{own}", table.part) };
            // Keys differ between places, but in databases that began as copies.
            let is_copy = table.identity == Identity::Copied || (is_known && at == 1);
            let offset = if is_copy { 0 } else { 10 * (i64::try_from(node).unwrap() + 1) };
            let mut columns: Vec<(&str, String)> = Vec::new();
            if !table.key_names().iter().any(|name| table.index(name).is_some()) {
                columns.push((&table.id, (at + offset).to_string()));
            }
            for (index, column) in table.columns.iter().enumerate() {
                let place = if random.below(4) == 0 { node } else { 9 };
                let words = || Some(format!("'seed{place}-{tag}-{index}'"));
                let value = match &column.role {
                    Role::Tag => Some(format!("'{tag}'")),
                    Role::Name { .. } => Some(format!("'K{at}{own}'")),
                    Role::Uuid => {
                        let place = if is_shared { 9 } else { node };
                        Some(format!("'00000000-0000-4000-8000-0000000000{place}{at}'"))
                    }
                    Role::Words { .. } if is_shared && random.below(4) > 0 => words(),
                    _ => None,
                };
                if let Some(value) = value.filter(|_| column.lacking.is_none()) {
                    columns.push((&column.name, value));
                }
            }
            if table.identity == Identity::Copied {
                // Copies are equal in all that they hold.
                columns.retain(|(name, _)| table.index(name).is_none_or(|at| table.columns[at].role == Role::Tag));
            }
            let names: Vec<String> = columns.iter().map(|(name, _)| quote(name)).collect();
            let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
            let (name, names, values) = (quote(&table.name), names.join(", "), values.join(", "));
            let _ = write!(sql, "INSERT INTO {name} ({names}) VALUES ({values});");
            if table.identity == Identity::Named {
                let _ = write!(sql, "INSERT INTO label VALUES ({}, 'L{at}{own}');", at + offset);
            }
        }
    }
    sql
}
