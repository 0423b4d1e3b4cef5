//! What a person wants of conflicts: first a plan that can be shown, then its decisions.

use saddlebag_formats::{Uid, Value};
use saddlebag_importer::{Choice, Take};

pub use saddlebag_importer::Judge;

use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictSide, PeerRole};
use serde::Serialize;

use super::{Loaded, ShownConflict, load, shown, typed, unknown, value};
use crate::after_import::AfterImport;
use crate::error::NodeError;
use crate::node::Node;
use crate::node_names::NodeNames;
use crate::shown::ShownValue;
use crate::transaction::transaction;

/// What is wanted of one conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What stood from the conflict on.
    Stands,
    /// The other side.
    Other,
    /// That the record is there, of a conflict about its deletion.
    Record,
    /// That it is gone, of a conflict about its deletion.
    Deletion,
    /// Another value, as it was typed.
    Value(String),
}

/// Which side is to stand, of all conflicts that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The later one, by the time that counted.
    Newest,
    /// The earlier one.
    Oldest,
    /// What was written at this node.
    Central,
    /// What was written elsewhere, where the other side was written at this node.
    Satellite,
    /// What a node wrote.
    Node(String),
    /// What stood from the conflict on.
    Stands,
    /// The other side.
    Other,
}

/// Which conflicts are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this table.
    pub table: Option<String>,
    /// Of this column.
    pub column: Option<String>,
    /// Of the record with this uid.
    pub record: Option<Uid>,
}

/// What would be decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What would be decided about each.
    pub chosen: Vec<Chosen>,
    /// Open conflicts that fit, and that the rule says nothing about.
    pub skipped: Vec<SkippedConflict>,
}

/// What would be decided about a conflict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// The conflict.
    #[serde(flatten)]
    pub conflict: ShownConflict,
    /// `stands`, `other` or `value`.
    pub take: &'static str,
    /// What would stand; none for a deletion, or the record itself.
    pub value: Option<ShownValue>,
    #[serde(skip)]
    choice: Choice,
}

impl Chosen {
    /// Whether a person should look again: the column was changed since, or somebody has decided already.
    #[must_use]
    pub fn asks_again(&self) -> bool {
        self.conflict.changed_since || !self.conflict.is_open()
    }
}

/// A conflict that a rule says nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedConflict {
    /// Its number.
    pub number: u64,
    /// Why.
    pub reason: String,
}

/// Plans the decision about one conflict, open or not.
///
/// # Errors
/// [`NodeError::UnknownConflict`], [`NodeError::Conflict`]; the database's.
pub fn one(node: &mut Node, number: u64, question: &Question) -> Result<Plan, NodeError> {
    let links = node.links()?;
    with_all(node, |known, show| {
        let find = || known.iter().find(|one| one.number == number);
        let loaded = find().ok_or_else(|| unknown(number, known.len(), &links))?;
        let conflict = &loaded.conflict;
        let refused = |reason: String| NodeError::Conflict { number, reason };
        let take = match (question, conflict.kind) {
            (Question::Stands, _) => Take::Stands,
            (Question::Other, _) => Take::Other,
            (Question::Record | Question::Deletion, ConflictKind::Deletion) => {
                if (*question == Question::Record) == conflict.keeps_record() { Take::Stands } else { Take::Other }
            }
            (Question::Record | Question::Deletion, ConflictKind::Values) => {
                return Err(refused("it is about a value, not about a deletion: take `stands` or `other`".to_owned()));
            }
            (Question::Value(_), ConflictKind::Deletion) => {
                return Err(refused(
                    "it is about a deletion, which has no value: take `record` or `deletion`".to_owned(),
                ));
            }
            (Question::Value(text), ConflictKind::Values) => {
                let like = [&conflict.winner, &conflict.loser].map(|side| side.value.as_deref().map(value).transpose());
                let [winner, loser] = like;
                let like: Vec<Value> = [winner?, loser?].into_iter().flatten().collect();
                Take::Value(typed::parse(text, &like).map_err(refused)?)
            }
        };
        let shown = show(&[loaded])?.into_iter().map(|shown| chosen(loaded, take.clone(), shown));
        Ok(Plan { chosen: shown.collect::<Result<_, _>>()?, skipped: Vec::new() })
    })
}

/// Plans the decisions about all open conflicts that fit and are decided here.
///
/// # Errors
/// The database's.
pub fn plan(node: &mut Node, rule: &Rule, filter: &Filter) -> Result<Plan, NodeError> {
    let (me, links) = (node.id, node.links()?);
    let names = NodeNames::of(node, &links);
    with_all(node, |known, show| {
        let (mut picked, mut skipped) = (Vec::new(), Vec::new());
        for loaded in known.iter().filter(|one| one.decisions.is_empty() && filter.fits(&one.conflict)) {
            let (number, conflict) = (loaded.number, &loaded.conflict);
            let link = links.iter().find(|link| link.id == conflict.link);
            if let Some(link) = link.filter(|link| link.role == PeerRole::Central) {
                let reason = format!("it is with {}, and is decided there", link.name);
                skipped.push(SkippedConflict { number, reason });
                continue;
            }
            let wrote = |side: &ConflictSide| side.version.writer.node;
            let (stands, other) = (wrote(&conflict.winner), wrote(&conflict.loser));
            let counts = |side: &ConflictSide| (side.effective.unwrap_or(side.version.time), side.version);
            let stands_is_newer = counts(&conflict.winner) > counts(&conflict.loser);
            let either = |of_stands: bool, of_other: bool, why: &str| match (of_stands, of_other) {
                (true, false) => Ok(Take::Stands),
                (false, true) => Ok(Take::Other),
                _ => Err(why.to_owned()),
            };
            let take = match rule {
                Rule::Newest => Ok(if stands_is_newer { Take::Stands } else { Take::Other }),
                Rule::Oldest => Ok(if stands_is_newer { Take::Other } else { Take::Stands }),
                Rule::Central => either(stands == me, other == me, "neither side was written at this node alone"),
                Rule::Satellite => either(other == me, stands == me, "neither side was written at this node alone"),
                Rule::Node(name) => {
                    let is = |node| names.name(node) == *name;
                    either(is(stands), is(other), &format!("neither side was written at {name} alone"))
                }
                Rule::Stands => Ok(Take::Stands),
                Rule::Other => Ok(Take::Other),
            };
            match take {
                Ok(take) => picked.push((loaded, take)),
                Err(reason) => skipped.push(SkippedConflict { number, reason }),
            }
        }
        let shown = show(&picked.iter().map(|(loaded, _)| *loaded).collect::<Vec<_>>())?;
        let chosen = picked.into_iter().zip(shown).map(|((loaded, take), shown)| chosen(loaded, take, shown));
        Ok(Plan { chosen: chosen.collect::<Result<_, _>>()?, skipped })
    })
}

impl Filter {
    fn fits(&self, conflict: &Conflict) -> bool {
        self.table.as_ref().is_none_or(|table| *table == conflict.table)
            && self.column.as_ref().is_none_or(|column| Some(column) == conflict.column.as_ref())
            && self.record.is_none_or(|uid| uid == conflict.uid)
    }
}

/// Carries a plan out: all of it, or nothing. Gives the conflicts as they are then, those among them that were decided
/// along with others because their columns are one value.
///
/// # Errors
/// The importer's: then nothing was changed.
pub fn carry_out(node: &mut Node, plan: &Plan, judge: &Judge) -> Result<Vec<ShownConflict>, NodeError> {
    let choices: Vec<Choice> = plan.chosen.iter().map(|chosen| chosen.choice.clone()).collect();
    let mut after = AfterImport::of(node);
    after.begin();
    let done = node.importer()?.resolve_conflicts(&choices, judge);
    if let Ok(decided) = &done {
        after.changed(&decided.tally.tables);
    }
    after.note(node.clock.now());
    let numbers: Vec<u64> = done?.resolved.into_iter().map(|resolved| resolved.number).collect();
    with_all(node, |known, show| {
        let decided: Vec<&Loaded> = known.iter().filter(|one| numbers.contains(&one.number)).collect();
        show(&decided)
    })
}

fn chosen(loaded: &Loaded, take: Take, shown: ShownConflict) -> Result<Chosen, NodeError> {
    let Loaded { number, conflict, .. } = loaded;
    let of = |side: &ConflictSide| side.value.as_deref().map(value).transpose();
    let (word, value) = match &take {
        Take::Stands => ("stands", of(&conflict.winner)?),
        Take::Other => ("other", of(&conflict.loser)?),
        Take::Value(value) => ("value", Some(value.clone())),
    };
    let choice = Choice { number: *number, take };
    Ok(Chosen { conflict: shown, take: word, value: value.as_ref().map(ShownValue::from), choice })
}

/// Reads all conflicts, with a way to show some of them.
fn with_all<T>(
    node: &mut Node,
    work: impl FnOnce(
        &[Loaded],
        &mut dyn FnMut(&[&Loaded]) -> Result<Vec<ShownConflict>, NodeError>,
    ) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    let links = node.links()?;
    let names = NodeNames::of(node, &links);
    transaction(&mut *node.store, Access::Read, |store| {
        let known = load(store)?;
        work(&known, &mut |some| Ok(shown(store, some, &names, &links)?))
    })
}
