//! What a proposal is made from: the schema, the application's own catalogue, and what the values themselves say.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_stores::schema::{Catalogue, Column, ColumnEvidence, ColumnQuestion, Schema, Table};
use saddlebag_stores::{Store, StoreError};

/// A database, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Its schema.
    pub schema: Schema,
    /// The application's catalogue.
    pub catalogue: Option<Catalogue>,
    /// Columns that refer to another table by their names, and what their values say.
    pub suspects: Vec<Suspect>,
    /// Unique columns, by table and name, and whether their values come from a counter.
    pub counters: BTreeMap<(String, String), ColumnEvidence>,
}

/// A column that may refer to another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Its table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What it may refer to.
    pub target: String,
    /// How many of its values are keys there.
    pub evidence: ColumnEvidence,
}

impl Survey {
    /// Looks at a database.
    ///
    /// # Errors
    /// The database's.
    pub fn take(store: &mut dyn Store) -> Result<Self, StoreError> {
        let (schema, catalogue) = (store.schema()?, store.catalogue()?);
        let mut survey = Self { schema, catalogue, ..Self::default() };
        let suspected = suspected(&survey);
        let questions: Vec<_> = suspected.iter().map(|(question, _)| question.clone()).collect();
        let evidence = store.evidence(&questions)?;
        survey.suspects = suspected
            .into_iter()
            .zip(evidence)
            .map(|((_, suspect), evidence)| Suspect { evidence, ..suspect })
            .collect();
        let unique: Vec<_> = unique_columns(&survey.schema).collect();
        let ask = |(table, column): &(String, String)| ColumnQuestion::Counter {
            table: table.clone(),
            column: column.clone(),
        };
        let questions: Vec<_> = unique.iter().map(ask).collect();
        survey.counters = unique.into_iter().zip(store.evidence(&questions)?).collect();
        Ok(survey)
    }

    /// Whether the values of a unique column come from a counter.
    pub(super) fn counts(&self, table: &str, column: &str) -> bool {
        self.counters.get(&(table.to_owned(), column.to_owned())).is_some_and(ColumnEvidence::is_clear)
    }

    /// The application's name, if its catalogue was found.
    pub(super) fn application(&self) -> Option<&'static str> {
        self.catalogue.as_ref().map(|catalogue| catalogue.of)
    }
}

/// Columns that are unique alone.
fn unique_columns(schema: &Schema) -> impl Iterator<Item = (String, String)> {
    let all = schema.tables.iter().filter(|table| table.unsupported.is_none()).flat_map(|table| {
        let key = std::iter::once(&table.primary_key).filter(|_| !table.key_is_given);
        let sets = table.unique.iter().chain(key).filter(|columns| columns.len() == 1);
        let shared = sets.filter(|columns| table.column(&columns[0]).is_some());
        shared.map(|columns| (table.name.clone(), columns[0].clone())).collect::<BTreeSet<_>>()
    });
    all.collect::<Vec<_>>().into_iter()
}

/// Columns that nothing declares to be a reference, and that are named as one.
fn suspected(survey: &Survey) -> Vec<(ColumnQuestion, Suspect)> {
    let known = |table: &Table, column: &Column| {
        let declared = table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        let listed = survey.catalogue.iter().flat_map(|catalogue| &catalogue.references);
        declared || listed.into_iter().any(|one| one.table == table.name && one.column == column.name)
    };
    let mut found = Vec::new();
    for table in survey.schema.tables.iter().filter(|table| table.unsupported.is_none()) {
        for column in table.columns.iter().filter(|column| !known(table, column)) {
            let Some(target) = target_by_name(table, column, &survey.schema) else { continue };
            let (table, column) = (table.name.clone(), column.name.clone());
            let (name, key) = (target.name.clone(), target.primary_key[0].clone());
            let question =
                ColumnQuestion::Reference { table: table.clone(), column: column.clone(), target: name.clone(), key };
            found.push((question, Suspect { table, column, target: name, evidence: ColumnEvidence::default() }));
        }
    }
    found
}

/// The table that a column names, if it names just one: `patient_id`, `id_patient`, `patientId`, `referring_doctor_id`,
/// `parent_id`, or the name of a key that no other table has.
fn target_by_name<'a>(table: &'a Table, column: &Column, schema: &'a Schema) -> Option<&'a Table> {
    if table.primary_key == [column.name.as_str()] {
        return None;
    }
    let fits = |target: &&Table| has_integer_key(target) && target.unsupported.is_none();
    let name = column.name.to_ascii_lowercase();
    let by_key = |target: &&Table| target.primary_key[0].eq_ignore_ascii_case(&name);
    let stem = stem(&column.name)?;
    if !may_hold_a_key(column, stem.is_marked) {
        return None;
    }
    if stem.is_marked && stem.text == "parent" && fits(&table) {
        return Some(table);
    }
    let candidates: Vec<&Table> = schema.tables.iter().filter(fits).collect();
    let only = |matches: &dyn Fn(&str) -> bool| {
        let mut named = candidates.iter().filter(|target| matches(&target.name.to_ascii_lowercase()));
        let first = named.next()?;
        named.next().is_none().then_some(*first)
    };
    let text = stem.text.as_str();
    let keyed: Vec<_> = candidates.iter().filter(|target| name != "id" && by_key(target)).collect();
    only(&|target| target == text)
        .or_else(|| only(&|target| plurals(text).contains(&target.to_owned())))
        .or(if let [one] = keyed.as_slice() { Some(**one) } else { None })
        .or_else(|| only(&|target| stem.is_marked && target.ends_with(&format!("_{text}"))))
        .or_else(|| only(&|target| stem.is_marked && text.ends_with(&format!("_{target}"))))
}

/// A column's name without what marks it as a reference.
struct Stem {
    text: String,
    /// Whether something marked it.
    is_marked: bool,
}

fn stem(name: &str) -> Option<Stem> {
    let lower = name.to_ascii_lowercase();
    let marked = ["_id", "_fk"].iter().find_map(|end| lower.strip_suffix(end));
    let marked = marked.or_else(|| ["id_", "fk_"].iter().find_map(|start| lower.strip_prefix(start)));
    let camel = name.strip_suffix("Id").or_else(|| name.strip_suffix("ID")).map(str::to_ascii_lowercase);
    let text = marked.map(str::to_owned).or(camel);
    let is_marked = text.is_some();
    let text = text.unwrap_or(lower);
    (!text.is_empty() && text != "id").then_some(Stem { text, is_marked })
}

fn plurals(text: &str) -> [String; 3] {
    let ies = text.strip_suffix('y').map_or_else(|| text.to_owned(), |start| format!("{start}ies"));
    [format!("{text}s"), format!("{text}es"), ies]
}

fn is_integer(column: &Column) -> bool {
    column.declared_type.to_ascii_uppercase().contains("INT")
}

/// Only integer keys mean other records elsewhere; text means the same, and travels as it is.
fn has_integer_key(table: &Table) -> bool {
    matches!(table.primary_key.as_slice(), [key] if table.column(key).is_some_and(is_integer))
}

fn may_hold_a_key(column: &Column, is_marked: bool) -> bool {
    let upper = column.declared_type.to_ascii_uppercase();
    is_integer(column) || (is_marked && (upper.is_empty() || upper.contains("CHAR") || upper.contains("TEXT")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{schema, table};
    use super::*;

    #[test]
    fn a_column_names_the_table_that_it_refers_to() {
        let tables = vec![
            table("patient", &["id INTEGER", "parent_id INTEGER", "name TEXT"], &["id"], &[], &[]),
            table("countries", &["CountryNo INTEGER", "x TEXT"], &["CountryNo"], &[], &[]),
            table("med_doctor", &["id INTEGER"], &["id"], &[], &[]),
            table("code", &["code TEXT"], &["code"], &[], &[]),
            table("a_twin", &["id INTEGER"], &["id"], &[], &[]),
            table("b_twin", &["id INTEGER"], &["id"], &[], &[]),
        ];
        let visit = [
            "id INTEGER",
            "patient_id INTEGER",
            "id_patient INT",
            "patientId INTEGER",
            "patient INTEGER",
            "patient_fk TEXT",
            "referring_patient_id INTEGER",
            "country_id INTEGER",
            "CountryNo INTEGER",
            "doctor_id INTEGER",
            "code_id INTEGER",
            "twin_id INTEGER",
            "doctor INTEGER",
            "patient_name TEXT",
            "patient_weight REAL",
            "other_id INTEGER",
        ];
        let visit = table("visit", &visit, &["id"], &[], &[]);
        let schema = schema(tables.into_iter().chain([visit]).collect());
        let named = |table: &str, column: &str| {
            let table = schema.table(table).unwrap();
            target_by_name(table, table.column(column).unwrap(), &schema).map(|target| target.name.clone())
        };
        for column in ["patient_id", "id_patient", "patientId", "patient", "patient_fk", "referring_patient_id"] {
            assert_eq!(named("visit", column).as_deref(), Some("patient"), "{column}");
        }
        assert_eq!(named("visit", "country_id").as_deref(), Some("countries"));
        assert_eq!(named("visit", "CountryNo").as_deref(), Some("countries"));
        assert_eq!(named("visit", "doctor_id").as_deref(), Some("med_doctor"));
        assert_eq!(named("patient", "parent_id").as_deref(), Some("patient"));
        for column in ["id", "code_id", "twin_id", "doctor", "patient_name", "patient_weight", "other_id"] {
            assert_eq!(named("visit", column), None, "{column}");
        }
    }
}
