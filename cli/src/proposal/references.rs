//! Which columns refer to other tables, and which references cannot travel.

use std::collections::BTreeMap;

use saddlebag_stores::config::ReferenceRule;
use saddlebag_stores::schema::{CatalogueTarget, ForeignKey, Schema, Table};
use saddlebag_stores::tracking::declared_references;

use super::{LeftOuts, Survey};

/// A column that travels as the uid of the row it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column.
    pub column: String,
    /// What it refers to.
    pub target: ReferenceRule,
    /// How that is known.
    pub source: Source,
}

/// How a reference is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A foreign key declares it.
    Declared,
    /// The application's catalogue has it.
    Catalogue,
    /// The column is named so, and so many values, all that there are, are keys there.
    Values(u64),
}

/// A column that stays at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The column.
    pub column: String,
    /// Why, as half a sentence.
    pub why: String,
}

impl Reference {
    /// The table, unless the values name it.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match &self.target {
            ReferenceRule::Table(table) => Some(table),
            ReferenceRule::ModelId => None,
        }
    }
}

/// References that nothing in the schema declares, of all tables.
pub(super) struct Undeclared {
    by_table: BTreeMap<String, Vec<Reference>>,
}

impl Undeclared {
    pub(super) fn of(survey: &Survey) -> Self {
        let mut all = Self { by_table: BTreeMap::new() };
        for known in survey.catalogue.iter().flat_map(|catalogue| &catalogue.references) {
            let target = match &known.target {
                CatalogueTarget::Table(target) => ReferenceRule::Table(target.clone()),
                CatalogueTarget::ModelId(_) => ReferenceRule::ModelId,
            };
            all.add(&known.table, Reference { column: known.column.clone(), target, source: Source::Catalogue });
        }
        // "Nothing is ever merged by guess": only where every value says so.
        for suspect in survey.suspects.iter().filter(|suspect| suspect.evidence.is_clear()) {
            let target = ReferenceRule::Table(suspect.target.clone());
            let source = Source::Values(suspect.evidence.values);
            all.add(&suspect.table, Reference { column: suspect.column.clone(), target, source });
        }
        all
    }

    fn add(&mut self, table: &str, reference: Reference) {
        self.by_table.entry(table.to_owned()).or_default().push(reference);
    }

    /// Those of a table whose columns no foreign key has.
    fn of_table<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a Reference> {
        let is_declared =
            |reference: &&Reference| !table.foreign_keys.iter().any(|key| key.columns.contains(&reference.column));
        self.by_table.get(&table.name).into_iter().flatten().filter(is_declared)
    }

    /// Whether anybody but the table itself refers to it.
    pub(super) fn is_referred_to(&self, name: &str, schema: &Schema) -> bool {
        schema.tables.iter().filter(|other| other.name != name).any(|other| {
            other.foreign_keys.iter().any(|key| key.table == name)
                || self.of_table(other).any(|reference| reference.table() == Some(name))
        })
    }

    /// Everything that a table refers to, declared or not.
    pub(super) fn all(&self, table: &Table, schema: &Schema) -> Vec<Reference> {
        let mut all: Vec<Reference> = Vec::new();
        let declared = declared_references(table, schema, &[]).into_iter().map(|(column, target)| Reference {
            column,
            target: ReferenceRule::Table(target),
            source: Source::Declared,
        });
        for reference in declared.chain(self.of_table(table).cloned()) {
            if all.iter().all(|known| known.column != reference.column) {
                all.push(reference);
            }
        }
        all
    }

    /// The references that travel.
    pub(super) fn travelling(&self, table: &Table, schema: &Schema, excluded: &[Exclusion]) -> Vec<Reference> {
        let mut all = self.all(table, schema);
        all.retain(|reference| !excluded.iter().any(|exclusion| exclusion.column == reference.column));
        all
    }

    /// The columns that must stay at home so that the table can be kept in step.
    ///
    /// # Errors
    /// Why the table cannot be: such a column may not be empty.
    pub(super) fn exclusions(
        &self,
        table: &Table,
        schema: &Schema,
        left_out: &LeftOuts<'_>,
    ) -> Result<Vec<Exclusion>, String> {
        let mut excluded: Vec<Exclusion> = Vec::new();
        let (single, composite): (Vec<_>, Vec<_>) = table.foreign_keys.iter().partition(|key| key.columns.len() == 1);
        for key in single {
            if let Some(problem) = problem_of_target(&key.table, schema, left_out) {
                exclude(&mut excluded, table, &key.columns[0], &problem)?;
            }
        }
        for key in composite {
            let is_settled = key.columns.iter().any(|name| excluded.iter().any(|known| known.column == *name));
            if let Some(problem) = problem_of_target(&key.table, schema, left_out).filter(|_| !is_settled) {
                exclude_composite(&mut excluded, table, key, &problem)?;
            }
        }
        // What a part of a key refers to in its turn.
        for (column, target) in declared_references(table, schema, &[]) {
            if let Some(problem) = problem_of_target(&target, schema, left_out) {
                exclude(&mut excluded, table, &column, &problem)?;
            }
        }
        exclude_the_rest(&mut excluded, table, schema)?;
        for reference in self.of_table(table) {
            let target = reference.table().unwrap_or_default();
            if let Some(problem) = reference.table().and_then(|_| problem_of_target(target, schema, left_out)) {
                exclude(&mut excluded, table, &reference.column, &problem)?;
            }
        }
        Ok(excluded)
    }
}

/// A foreign key of which one column is excluded says nothing of the others: those that are references by it alone
/// would travel as numbers that mean other records elsewhere.
fn exclude_the_rest(excluded: &mut Vec<Exclusion>, table: &Table, schema: &Schema) -> Result<(), String> {
    let all = declared_references(table, schema, &[]);
    loop {
        let names: Vec<_> = excluded.iter().map(|exclusion| exclusion.column.clone()).collect();
        let still = declared_references(table, schema, &names);
        let is_lost = |(column, _): &&(String, String)| {
            !names.contains(column) && !still.iter().any(|(other, _)| other == column)
        };
        let Some((column, _)) = all.iter().find(is_lost) else { return Ok(()) };
        exclude(excluded, table, column, "belongs to a reference of several columns, of which one stays at home")?;
    }
}

/// Those columns that are no reference of their own; all of them if each is one.
fn exclude_composite(
    excluded: &mut Vec<Exclusion>,
    table: &Table,
    key: &ForeignKey,
    problem: &str,
) -> Result<(), String> {
    let is_single = |name: &String| table.foreign_keys.iter().any(|key| key.columns == [name.as_str()]);
    let can_stay = |name: &&String| may_stay_at_home(table, name);
    let plain: Vec<_> = key.columns.iter().filter(can_stay).filter(|name| !is_single(name)).collect();
    let chosen = if plain.is_empty() { key.columns.iter().filter(can_stay).collect() } else { plain };
    if chosen.is_empty() {
        let columns = key.columns.join("`, `");
        return Err(format!("each of its columns `{columns}` {problem}, and may not be empty"));
    }
    chosen.into_iter().try_for_each(|column| exclude(excluded, table, column, problem))
}

fn problem_of_target(target: &str, schema: &Schema, left_out: &LeftOuts<'_>) -> Option<String> {
    if schema.table(target).is_none() {
        return Some(format!("refers to `{target}`, which the database does not have"));
    }
    left_out.contains_key(target).then(|| format!("refers to `{target}`, which is left out"))
}

fn exclude(excluded: &mut Vec<Exclusion>, table: &Table, column: &str, problem: &str) -> Result<(), String> {
    if excluded.iter().any(|known| known.column == column) {
        return Ok(());
    }
    if !may_stay_at_home(table, column) {
        return Err(format!("its column `{column}` {problem}, and may not be empty"));
    }
    excluded.push(Exclusion { column: column.to_owned(), why: problem.to_owned() });
    Ok(())
}

/// Whether a row can be made elsewhere without this column.
fn may_stay_at_home(table: &Table, name: &str) -> bool {
    !table.primary_key.iter().any(|part| part == name)
        && table.column(name).is_some_and(|column| !column.not_null || column.default.is_some())
}
