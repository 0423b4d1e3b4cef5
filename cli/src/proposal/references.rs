//! Which columns refer to other tables, and which references cannot travel.

use saddlebag_stores::schema::{ForeignKey, Schema, Table};

use super::LeftOuts;

/// A column that travels as the uid of the row it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column.
    pub column: String,
    /// The table that it refers to.
    pub target: String,
}

/// A column that stays at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The column.
    pub column: String,
    /// Why, as half a sentence.
    pub why: String,
}

/// The references that travel.
pub(super) fn references(table: &Table, schema: &Schema, excluded: &[Exclusion]) -> Vec<Reference> {
    let is_excluded = |column: &String| excluded.iter().any(|exclusion| exclusion.column == *column);
    let mut references: Vec<Reference> = Vec::new();
    for key in table.foreign_keys.iter().filter(|key| carries_key(key, schema)) {
        if let [column] = key.columns.as_slice()
            && !is_excluded(column)
            && references.iter().all(|known| known.column != *column)
        {
            references.push(Reference { column: column.clone(), target: key.table.clone() });
        }
    }
    references
}

/// The columns that must stay at home so that the table can be kept in step.
///
/// # Errors
/// Why the table cannot be: such a column may not be empty.
pub(super) fn exclusions(table: &Table, schema: &Schema, left_out: &LeftOuts<'_>) -> Result<Vec<Exclusion>, String> {
    let mut excluded: Vec<Exclusion> = Vec::new();
    let (single, composite): (Vec<_>, Vec<_>) = table.foreign_keys.iter().partition(|key| key.columns.len() == 1);
    for key in single {
        let Some(problem) = problem_of_target(&key.table, schema, left_out) else { continue };
        exclude(&mut excluded, table, &key.columns[0], &problem)?;
    }
    for key in composite {
        let problem = problem_of_target(&key.table, schema, left_out).or_else(|| {
            let is_key = carries_key(key, schema);
            is_key.then(|| format!("is part of a reference of several columns to `{}`", key.table))
        });
        let is_settled = key.columns.iter().any(|name| excluded.iter().any(|known| known.column == *name));
        if let Some(problem) = problem.filter(|_| !is_settled) {
            exclude_composite(&mut excluded, table, key, &problem)?;
        }
    }
    Ok(excluded)
}

/// Whether the referring value is the target's key, which means nothing elsewhere.
fn carries_key(key: &ForeignKey, schema: &Schema) -> bool {
    schema.table(&key.table).is_none_or(|target| target.primary_key == key.target_columns)
}

fn problem_of_target(target: &str, schema: &Schema, left_out: &LeftOuts<'_>) -> Option<String> {
    if schema.table(target).is_none() {
        return Some(format!("refers to `{target}`, which the database does not have"));
    }
    left_out.contains_key(target).then(|| format!("refers to `{target}`, which is left out"))
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
