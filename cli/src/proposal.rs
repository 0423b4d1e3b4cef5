//! A proposal for `saddlebag.toml`, made from the application's schema alone.
//!
//! Invariant: what is proposed can be set up as it stands, and merges nothing by guess: records of two places
//! become one only where the schema itself says that they are.

mod identity;
mod references;
mod text;

use std::collections::BTreeMap;

use saddlebag_stores::config::Identity;
use saddlebag_stores::schema::{Schema, Table};
use saddlebag_stores::tracking::COLUMNS_MAX;

pub use references::{Exclusion, Reference};

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// All `[tables.NAME]`, with comments.
    pub text: String,
    /// The tables to be kept in step, in order of name.
    pub tracked: Vec<TrackedProposal>,
    /// Tables that are left out, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What whoever runs `init` should think about.
    pub notes: Vec<String>,
}

/// A table that is proposed to be kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedProposal {
    /// Its name.
    pub name: String,
    /// How its rows get their uid.
    pub identity: Identity,
    /// Why so.
    pub why: String,
    /// What its columns refer to.
    pub references: Vec<Reference>,
    /// Columns that stay at home.
    pub excluded: Vec<Exclusion>,
    /// Unique columns beside the identity: equal values from two places will collide there.
    pub colliding: Vec<Vec<String>>,
}

/// A table that cannot be kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why, as half a sentence.
    pub why: String,
}

/// Proposes tables, identities and references for a schema.
#[must_use]
pub fn propose(schema: &Schema) -> Proposal {
    let left_out = leave_out(schema);
    let mut tracked: Vec<_> = schema
        .tables
        .iter()
        .filter(|table| !left_out.contains_key(table.name.as_str()))
        .map(|table| track(table, schema, &left_out))
        .collect();
    identity::break_circles(&mut tracked, schema);
    let left_out: Vec<_> = left_out.into_iter().map(|(name, why)| LeftOut { name: name.to_owned(), why }).collect();
    let text = text::tables(&tracked, &left_out);
    let notes = text::notes(&tracked, &left_out);
    Proposal { text, tracked, left_out, notes }
}

/// Why each table that cannot be kept in step is left out.
type LeftOuts<'a> = BTreeMap<&'a str, String>;

fn leave_out(schema: &Schema) -> LeftOuts<'_> {
    let mut left_out = LeftOuts::new();
    for table in &schema.tables {
        if let Some(why) = unfit(table) {
            left_out.insert(&table.name, why);
        }
    }
    // A table that needs one that is left out is left out too, and so on.
    loop {
        let next = schema.tables.iter().filter(|table| !left_out.contains_key(table.name.as_str())).find_map(|table| {
            let why = references::exclusions(table, schema, &left_out).err()?;
            Some((table.name.as_str(), why))
        });
        let Some((name, why)) = next else { return left_out };
        left_out.insert(name, why);
    }
}

fn unfit(table: &Table) -> Option<String> {
    if let Some(what) = table.unsupported {
        return Some(format!("it is {what}"));
    }
    if table.primary_key.is_empty() {
        return Some("it has no primary key, so its rows cannot be told apart".to_owned());
    }
    (table.columns.len() > COLUMNS_MAX)
        .then(|| format!("it has {} columns, and at most {COLUMNS_MAX} can be kept in step", table.columns.len()))
}

fn track(table: &Table, schema: &Schema, left_out: &LeftOuts<'_>) -> TrackedProposal {
    // Only tables without such an error come here.
    let excluded = references::exclusions(table, schema, left_out).unwrap_or_default();
    let references = references::references(table, schema, &excluded);
    let choice = identity::choose(&identity::Subject { table, schema, references: &references, excluded: &excluded });
    let colliding = identity::colliding(table, &choice.identity, &excluded);
    let name = table.name.clone();
    TrackedProposal { name, identity: choice.identity, why: choice.why, references, excluded, colliding }
}

#[cfg(test)]
mod tests;
