//! A proposal for `saddlebag.toml`, made from the application's schema, its catalogue and its values.
//!
//! Invariant: what is proposed can be set up as it stands, and merges nothing by guess: records of two places
//! become one only where the schema itself says that they are, or a person does.

mod identity;
mod noise;
mod notes;
mod question;
mod references;
mod survey;
mod text;

use std::collections::BTreeMap;

use saddlebag_stores::config::{Direction, Identity};
use saddlebag_stores::schema::Table;
use saddlebag_stores::tracking::COLUMNS_MAX;
use serde::Serialize;

pub use question::{Answers, Question, questions};
pub use references::{Exclusion, Reference, Source};
pub use survey::{Survey, Suspect};

use references::Undeclared;

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// All `[tables.NAME]`, with comments.
    pub text: String,
    /// The tables to be kept in step, or matched, in order of name.
    pub tracked: Vec<TrackedProposal>,
    /// Tables that are left out, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What whoever runs `init` should think about.
    pub notes: Vec<String>,
}

/// A table that is proposed to be kept in step, or matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedProposal {
    /// Its name.
    pub name: String,
    /// How its rows get their uid.
    pub identity: Identity,
    /// Why so.
    pub why: String,
    /// Which way its changes travel: both ways, or not at all.
    pub direction: Direction,
    /// What its columns refer to.
    pub references: Vec<Reference>,
    /// Columns that may refer to another table, where the values leave it open.
    pub suspects: Vec<Suspect>,
    /// Columns that stay at home.
    pub excluded: Vec<Exclusion>,
    /// Unique columns beside the identity: equal values from two places will collide there.
    pub colliding: Vec<Vec<String>>,
    /// Of these, single columns whose values come from a counter of each database.
    pub counters: Vec<String>,
    /// What was decided without asking anybody.
    pub unasked: Option<String>,
}

/// A table that is not kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    #[serde(rename = "table")]
    pub name: String,
    /// Why, as half a sentence.
    pub why: String,
}

/// Why each table that is not kept in step is left out.
type LeftOuts<'a> = BTreeMap<&'a str, String>;

/// Proposes tables, identities and references for a database, as far as `answers` leave it open.
#[must_use]
pub fn propose(survey: &Survey, answers: &Answers) -> Proposal {
    let undeclared = Undeclared::of(survey);
    let choice = choose_tables(survey, &undeclared);
    let mut tracked: Vec<_> = survey
        .schema
        .tables
        .iter()
        .filter(|table| !choice.left_out.contains_key(table.name.as_str()))
        .map(|table| track(table, survey, &undeclared, &choice))
        .collect();
    identity::break_circles(&mut tracked, &survey.schema);
    for proposal in &mut tracked {
        question::apply(proposal, survey, answers);
        proposal.counters = identity::counters(proposal, survey);
    }
    let left_out = choice.left_out.into_iter();
    let left_out: Vec<_> = left_out.map(|(name, why)| LeftOut { name: name.to_owned(), why }).collect();
    let text = text::tables(&tracked, &left_out);
    let notes = notes::notes(&tracked, &left_out);
    Proposal { text, tracked, left_out, notes }
}

/// Which tables are left out, and which are only matched.
struct Choice<'a> {
    left_out: LeftOuts<'a>,
    /// Tables of which nothing travels, but whose rows others refer to: with the reason.
    matched: BTreeMap<&'a str, &'static str>,
}

fn choose_tables<'a>(survey: &'a Survey, undeclared: &Undeclared) -> Choice<'a> {
    let (mut left_out, mut matched) = (LeftOuts::new(), BTreeMap::new());
    for table in &survey.schema.tables {
        let noise = noise::reason(&table.name, survey.application());
        match (unfit(table), noise) {
            (Some(why), _) => drop(left_out.insert(table.name.as_str(), why)),
            (None, Some(why)) if identity::of_itself(table, survey).is_some() => {
                matched.insert(table.name.as_str(), why);
            }
            (None, Some(why)) => drop(left_out.insert(&table.name, why.to_owned())),
            (None, None) => {}
        }
    }
    keep_what_is_referred_to(survey, undeclared, &mut left_out, &mut matched);
    leave_out_what_cannot_be(survey, undeclared, &mut left_out);
    matched.retain(|name, _| !left_out.contains_key(name));
    Choice { left_out, matched }
}

/// A table is matched for the sake of those that are kept in step and refer to it; else it is left out.
fn keep_what_is_referred_to<'a>(
    survey: &'a Survey,
    undeclared: &Undeclared,
    left_out: &mut LeftOuts<'a>,
    matched: &mut BTreeMap<&'a str, &'static str>,
) {
    let mut needed = std::collections::BTreeSet::new();
    for table in &survey.schema.tables {
        if !left_out.contains_key(table.name.as_str()) && !matched.contains_key(table.name.as_str()) {
            let references = undeclared.all(table, &survey.schema);
            needed.extend(references.iter().filter_map(Reference::table).map(str::to_owned));
        }
    }
    matched.retain(|name, why| {
        let is_needed = needed.contains(*name);
        if !is_needed {
            left_out.insert(name, (*why).to_owned());
        }
        is_needed
    });
}

/// A table that needs one that is left out is left out too, and so on.
fn leave_out_what_cannot_be<'a>(survey: &'a Survey, undeclared: &Undeclared, left_out: &mut LeftOuts<'a>) {
    loop {
        let tables = survey.schema.tables.iter().filter(|table| !left_out.contains_key(table.name.as_str()));
        let found: Vec<_> = tables
            .filter_map(|table| {
                Some((table.name.as_str(), undeclared.exclusions(table, &survey.schema, left_out).err()?))
            })
            .collect();
        if found.is_empty() {
            return;
        }
        left_out.extend(found);
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

fn track(table: &Table, survey: &Survey, undeclared: &Undeclared, choice: &Choice<'_>) -> TrackedProposal {
    // Only tables without such an error come here.
    let excluded = undeclared.exclusions(table, &survey.schema, &choice.left_out).unwrap_or_default();
    let matched = choice.matched.get(table.name.as_str());
    let mut references = undeclared.travelling(table, &survey.schema, &excluded);
    let (identity, direction) = match matched {
        Some(why) => {
            // Of a row that is only matched nothing travels.
            references.retain(|reference| reference.source == Source::Declared);
            let identity = identity::of_itself(table, survey).unwrap_or_else(identity::Choice::assigned);
            let why = format!("{why}; others refer to it: a row is found by its name, and nothing of it travels");
            (identity::Choice { why, ..identity }, Direction::Match)
        }
        None => {
            let is_referred_to = undeclared.is_referred_to(&table.name, &survey.schema);
            let subject =
                identity::Subject { table, survey, references: &references, excluded: &excluded, is_referred_to };
            (identity::choose(&subject), Direction::Both)
        }
    };
    let is_open = |suspect: &&Suspect| suspect.table == table.name && !suspect.evidence.is_clear();
    let suspects = survey.suspects.iter().filter(is_open).filter(|_| matched.is_none()).cloned().collect();
    TrackedProposal {
        name: table.name.clone(),
        colliding: identity::colliding(table, &identity.identity, &excluded),
        identity: identity.identity,
        why: identity.why,
        direction,
        references,
        suspects,
        excluded,
        counters: Vec::new(),
        unasked: None,
    }
}

#[cfg(test)]
mod tests;
