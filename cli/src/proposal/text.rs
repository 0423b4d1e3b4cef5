//! The proposal as text: the tables of `saddlebag.toml`.

use std::fmt::Write as _;

use saddlebag_stores::config::{Direction, Identity};

use super::{LeftOut, Reference, Source, Suspect, TrackedProposal};
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
    if !left_out.is_empty() {
        text.push_str(&comment("To keep one of these in step all the same, add a section [tables.NAME] for it."));
    }
    for table in left_out {
        text.push_str(&comment(&format!("Left out: `{}`: {}.", table.name, table.why)));
    }
    text
}

fn table(proposal: &TrackedProposal) -> String {
    let name = toml_text::key(&proposal.name);
    let mut text = format!("[tables.{name}]\n");
    text.push_str(&comment(&format!("{}.", sentence(&proposal.why))));
    if proposal.unasked.is_some() {
        text.push_str(&comment("Nobody was asked whether that is so."));
    }
    let _ = writeln!(text, "identity = {}", toml_text::string(&proposal.identity.to_string()));
    if proposal.direction == Direction::Match {
        text.push_str("direction = \"match\"\n");
    }
    for reference in proposal.references.iter().filter(|reference| reference.source == Source::Declared) {
        text.push_str(&comment(&format!("{} -> {}", reference.column, reference.target)));
    }
    for suspect in &proposal.suspects {
        text.push_str(&comment(&suspicion(suspect)));
    }
    for exclusion in &proposal.excluded {
        text.push_str(&comment(&format!("`{}` {}: it stays at home.", exclusion.column, exclusion.why)));
    }
    list(&mut text, "exclude", proposal.excluded.iter().map(|exclusion| &exclusion.column));
    collisions(&mut text, proposal);
    // A table of its own, so it comes last.
    references(&mut text, &name, &proposal.references);
    text
}

fn list<'a>(text: &mut String, key: &str, names: impl Iterator<Item = &'a String>) {
    let names: Vec<_> = names.map(|name| toml_text::string(name)).collect();
    if !names.is_empty() {
        let _ = writeln!(text, "{key} = [{}]", names.join(", "));
    }
}

/// References that no constraint declares.
fn references(text: &mut String, table: &str, all: &[Reference]) {
    let undeclared: Vec<_> = all.iter().filter(|reference| reference.source != Source::Declared).collect();
    if undeclared.is_empty() {
        return;
    }
    let _ = writeln!(text, "[tables.{table}.references]");
    if undeclared.iter().any(|reference| reference.source == Source::Catalogue) {
        text.push_str(&comment("As the application's own catalogue says."));
    }
    for reference in undeclared {
        let why = match reference.source {
            Source::Values(1) => "  # by its name; the one value is a key there".to_owned(),
            Source::Values(count) => format!("  # by its name; all {} values are keys there", layout::thousands(count)),
            Source::Declared | Source::Catalogue => String::new(),
        };
        let (column, target) = (toml_text::key(&reference.column), reference.target.to_string());
        let _ = writeln!(text, "{column} = {}{why}", toml_text::string(&target));
    }
}

fn suspicion(suspect: &Suspect) -> String {
    format!(
        "`{}` may refer to `{}` by its name, but {}. If it does: references = {{ {} = {} }}",
        suspect.column,
        suspect.target,
        what_speaks_against(suspect),
        toml_text::key(&suspect.column),
        toml_text::string(&suspect.target)
    )
}

/// Why a column that is named as a reference is not taken for one.
pub(super) fn what_speaks_against(suspect: &Suspect) -> String {
    let evidence = suspect.evidence;
    let missing = evidence.values - evidence.fitting.min(evidence.values);
    match (evidence.values, missing) {
        (0, _) => "there are no values yet that would show it".to_owned(),
        (1, _) => "its one value is no key there".to_owned(),
        (all, missing) => {
            format!("{} of its {} values are no keys there", layout::thousands(missing), layout::thousands(all))
        }
    }
}

fn collisions(text: &mut String, proposal: &TrackedProposal) {
    if !proposal.counters.is_empty() {
        text.push_str(&comment(
            "Unique, and by the look of it numbers that each place counts by itself: where two collide, the \
             newcomer's is shown with its origin.",
        ));
        list(text, "local_unique", proposal.counters.iter());
    }
    if unique_columns(proposal).is_empty() {
        return;
    }
    let mut warning = format!(
        "Unique as well: {}. Two places that give one value to two records collide there, and the second is \
         quarantined.",
        unique_columns(proposal)
    );
    // Only where the whole record has no other name may unique columns be its name.
    if proposal.identity == Identity::Assigned {
        let candidate = open_collisions(proposal).next().cloned().unwrap_or_default();
        let _ = write!(
            warning,
            " If equal values mean the same record at every place, write {} above.",
            toml_text::string(&Identity::Natural(candidate).to_string())
        );
    }
    text.push_str(&comment(&warning));
}

/// Unique columns that are no counters.
fn open_collisions(proposal: &TrackedProposal) -> impl Iterator<Item = &Vec<String>> {
    let counts = |columns: &&Vec<String>| matches!(columns.as_slice(), [one] if proposal.counters.contains(one));
    proposal.colliding.iter().filter(move |columns| !counts(columns))
}

/// Unique columns that are no counters, as words.
pub(super) fn unique_columns(proposal: &TrackedProposal) -> String {
    let one = |columns: &Vec<String>| format!("`{}`", columns.join(", "));
    open_collisions(proposal).map(one).collect::<Vec<_>>().join(" and ")
}

fn comment(text: &str) -> String {
    layout::wrap(&sanitize(text), "# ", "# ")
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
