//! The proposal as text: the tables of `saddlebag.toml`, and what to think about.

use std::fmt::Write as _;

use saddlebag_stores::config::Identity;

use super::{LeftOut, TrackedProposal};
use crate::layout;
use crate::sanitize::sanitize;
use crate::toml_text;

/// All `[tables.NAME]`, then the tables that are left out.
pub(super) fn tables(tracked: &[TrackedProposal], left_out: &[LeftOut]) -> String {
    let mut text = String::new();
    for proposal in tracked {
        text.push_str(&table(proposal));
        text.push('\n');
    }
    for table in left_out {
        text.push_str(&comment(&format!("Left out: `{}`: {}.", table.name, table.why)));
    }
    text
}

fn table(proposal: &TrackedProposal) -> String {
    let mut text = format!("[tables.{}]\n", toml_text::key(&proposal.name));
    text.push_str(&comment(&format!("{}.", sentence(&proposal.why))));
    let _ = writeln!(text, "identity = {}", toml_text::string(&proposal.identity.to_string()));
    for reference in &proposal.references {
        text.push_str(&comment(&format!("{} -> {}", reference.column, reference.target)));
    }
    for exclusion in &proposal.excluded {
        text.push_str(&comment(&format!("`{}` {}: it stays at home.", exclusion.column, exclusion.why)));
    }
    if !proposal.excluded.is_empty() {
        let names: Vec<_> = proposal.excluded.iter().map(|exclusion| toml_text::string(&exclusion.column)).collect();
        let _ = writeln!(text, "exclude = [{}]", names.join(", "));
    }
    if !proposal.colliding.is_empty() {
        text.push_str(&comment(&collisions(proposal)));
    }
    text
}

fn collisions(proposal: &TrackedProposal) -> String {
    let mut text = format!(
        "Unique as well: {}. Two places that give one value to two records collide there, and the second is \
         quarantined.",
        unique_columns(proposal)
    );
    // Only where the whole record has no other name may unique columns be its name.
    if proposal.identity == Identity::Assigned {
        let candidate = Identity::Natural(proposal.colliding[0].clone()).to_string();
        let _ = write!(
            text,
            " If equal values mean the same record at every place, write {} above.",
            toml_text::string(&candidate)
        );
    }
    text
}

fn unique_columns(proposal: &TrackedProposal) -> String {
    let one = |columns: &Vec<String>| format!("`{}`", columns.join(", "));
    proposal.colliding.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// What whoever runs `init` should think about.
pub(super) fn notes(tracked: &[TrackedProposal], left_out: &[LeftOut]) -> Vec<String> {
    let mut notes: Vec<String> =
        left_out.iter().map(|table| format!("`{}` is left out: {}", table.name, table.why)).collect();
    for proposal in tracked {
        for exclusion in &proposal.excluded {
            let (name, column) = (&proposal.name, &exclusion.column);
            notes.push(format!("`{column}` of `{name}` stays at home: it {}", exclusion.why));
        }
    }
    let collides =
        |proposal: &&TrackedProposal| proposal.identity == Identity::Assigned && !proposal.colliding.is_empty();
    for proposal in tracked.iter().filter(collides) {
        let (name, columns) = (&proposal.name, unique_columns(proposal));
        notes.push(format!("`{name}`: records of two places that are equal in {columns} will collide"));
    }
    notes
}

fn comment(text: &str) -> String {
    layout::wrap(&sanitize(text), "# ", "# ")
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
