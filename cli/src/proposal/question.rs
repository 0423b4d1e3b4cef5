//! What only a person can know: whether equal codes mean the same thing at every place. A handful at most, each with
//! an answer that is taken where nobody is asked.

use std::collections::BTreeMap;

use saddlebag_stores::config::{Direction, Identity};

use super::identity::{can_be_written, colliding, is_text};
use super::{Survey, TrackedProposal, propose};

/// More than a handful, and nobody thinks about the answers any more.
const QUESTIONS_MAX: usize = 6;

/// What a person has said, by table: whether equal values mean the same record at every place.
pub type Answers = BTreeMap<String, bool>;

/// Something that a person should decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The table that it is about.
    pub table: String,
    /// The question, whose answer is yes or no.
    pub text: String,
    /// What is taken where nobody answers.
    pub default: bool,
}

/// What to ask, the tables first to which most others refer.
#[must_use]
pub fn questions(survey: &Survey) -> Vec<Question> {
    let proposal = propose(survey, &Answers::new());
    let referring = |name: &str| {
        let all = proposal.tracked.iter().flat_map(|table| &table.references);
        all.filter(|reference| reference.table() == Some(name)).count()
    };
    let mut open: Vec<(usize, Question)> = proposal
        .tracked
        .iter()
        .filter_map(|table| {
            let doubt = doubt(table, survey)?;
            let text = format!(
                "`{}.{}` is unique. Do equal values mean the same record at every place?",
                table.name, doubt.column
            );
            Some((referring(&table.name), Question { table: table.name.clone(), text, default: doubt.default }))
        })
        .collect();
    open.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.table.cmp(&other.1.table)));
    open.truncate(QUESTIONS_MAX);
    open.into_iter().map(|(_, question)| question).collect()
}

/// A unique column that may name the rows of its table.
struct Doubt {
    column: String,
    default: bool,
}

/// Reference data with a code is taken to be the same everywhere, unless somebody says no; any other table with a
/// unique text only if somebody says yes.
fn doubt(proposal: &TrackedProposal, survey: &Survey) -> Option<Doubt> {
    if proposal.direction == Direction::Match {
        return None;
    }
    let table = survey.schema.table(&proposal.name)?;
    match &proposal.identity {
        Identity::Natural(columns) => {
            let [one] = columns.as_slice() else { return None };
            let is_key = table.primary_key.contains(one);
            let refers = proposal.references.iter().any(|reference| reference.column == *one);
            (!is_key && !refers).then(|| Doubt { column: one.clone(), default: true })
        }
        Identity::Assigned => {
            let fits = |name: &&String| {
                let column = table.column(name);
                column.is_some_and(|column| column.not_null && is_text(column))
                    && !survey.counts(&proposal.name, name)
                    && !proposal.references.iter().any(|reference| reference.column == **name)
                    && !table.primary_key.contains(*name)
                    && can_be_written(&Identity::Natural(vec![(*name).clone()]))
            };
            let single = proposal.colliding.iter().filter(|columns| columns.len() == 1).map(|columns| &columns[0]);
            single.into_iter().find(fits).map(|column| Doubt { column: column.clone(), default: false })
        }
        _ => None,
    }
}

/// Takes over what a person has said, or notes that nobody was asked.
pub(super) fn apply(proposal: &mut TrackedProposal, survey: &Survey, answers: &Answers) {
    let Some(Doubt { column, default }) = doubt(proposal, survey) else { return };
    match answers.get(&proposal.name) {
        None if default => {
            proposal.unasked = Some(format!(
                "`{}.{column}` is taken to mean the same record at every place, without anybody having been asked",
                proposal.name
            ));
        }
        None => {}
        Some(answer) => {
            let (identity, why) = if *answer {
                let why = format!("equal values of `{column}` mean the same record at every place: so it was answered");
                (Identity::Natural(vec![column]), why)
            } else {
                let why = format!("`{column}` does not mean the same at every place, so it was answered");
                (Identity::Assigned, format!("{why}: saddlebag gives the names"))
            };
            (proposal.identity, proposal.why) = (identity, why);
            if let Some(table) = survey.schema.table(&proposal.name) {
                proposal.colliding = colliding(table, &proposal.identity, &proposal.excluded);
            }
        }
    }
}
