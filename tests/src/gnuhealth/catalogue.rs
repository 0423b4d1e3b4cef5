//! What refers to what, as the application's own catalogue says.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{App, AppError, Sql};

/// What a column holds that refers to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refers {
    /// The key of a row of this table.
    To(String),
    /// Text that names a model and a key: `gnuhealth.patient,17`.
    ByModel,
    /// The key of a row of a table whose model another column's text begins with: `gnuhealth.lab,name`.
    AsNamedBy(String),
}

/// The references of all tables.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    columns: BTreeMap<String, BTreeMap<String, Refers>>,
}

impl Catalogue {
    /// Reads it from the database.
    ///
    /// # Errors
    /// When the database is none of GNU Health's.
    pub fn read(app: &App) -> Result<Self, AppError> {
        let sql = "SELECT model.model, field.name, field.ttype, field.relation
            FROM ir_model_field AS field JOIN ir_model AS model ON model.id = field.model
            WHERE field.ttype IN ('many2one', 'one2one', 'reference')";
        let mut columns: BTreeMap<String, BTreeMap<String, Refers>> = BTreeMap::new();
        let known = known_columns(app)?;
        for row in app.rows(sql, &[])? {
            let [Sql::Text(model), Sql::Text(column), Sql::Text(kind), relation] = row.as_slice() else {
                panic!("a field is {row:?}")
            };
            let (table, column) = (table_of(model), column.clone());
            let refers = match relation {
                _ if kind == "reference" => Refers::ByModel,
                Sql::Text(relation) => Refers::To(table_of(relation)),
                other => panic!("{table}.{column} refers to {other:?}"),
            };
            // A field without a column is computed.
            if known.contains(&(table.clone(), column.clone())) {
                columns.entry(table).or_default().insert(column, refers);
            }
        }
        let translations = columns.entry("ir_translation".to_owned()).or_default();
        translations.insert("res_id".to_owned(), Refers::AsNamedBy("name".to_owned()));
        Ok(Self { columns })
    }

    /// The columns of a table that refer to records.
    #[must_use]
    pub fn of(&self, table: &str) -> BTreeMap<String, Refers> {
        self.columns.get(table).cloned().unwrap_or_default()
    }

    /// The columns that refer to a table by its key alone, of these tables.
    #[must_use]
    pub fn referring_to(&self, target: &str, among: &BTreeSet<String>) -> Vec<(String, String)> {
        let of = |(table, columns): (&String, &BTreeMap<String, Refers>)| -> Vec<(String, String)> {
            let to_it = columns.iter().filter(|(_, refers)| **refers == Refers::To(target.to_owned()));
            to_it.map(|(column, _)| (table.clone(), column.clone())).collect()
        };
        self.columns.iter().filter(|(table, _)| among.contains(*table)).flat_map(of).collect()
    }
}

/// Tryton's tables are called as its models, with underscores for dots.
pub(super) fn table_of(model: &str) -> String {
    model.replace('.', "_")
}

fn known_columns(app: &App) -> Result<BTreeSet<(String, String)>, AppError> {
    let sql = app.either(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'",
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let name = |value: Sql| crate::app::text(value).unwrap_or_default();
    let rows = app.rows(sql, &[])?.into_iter();
    Ok(rows
        .filter_map(|row| <[Sql; 2]>::try_from(row).ok().map(|[table, column]| (name(table), name(column))))
        .collect())
}
