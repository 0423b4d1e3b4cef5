//! What an OpenMRS database says, whatever its integer keys: every row by its uuid, every reference by the uuid of what
//! it refers to, read from PostgreSQL's own catalogue and by SQL of this test's own.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

/// References that no constraint declares, as OpenMRS's Java code has them.
pub(super) const UNDECLARED: [(&str, &str, &str, &str); 10] = [
    ("cohort_member", "voided_by", "users", "user_id"),
    ("concept_name_tag", "creator", "users", "user_id"),
    ("concept_name_tag", "voided_by", "users", "user_id"),
    ("concept_set", "concept_id", "concept", "concept_id"),
    ("orders", "concept_id", "concept", "concept_id"),
    ("person_attribute_type", "foreign_key", "concept", "concept_id"),
    ("person_name", "changed_by", "users", "user_id"),
    ("provider_role", "changed_by", "users", "user_id"),
    ("provider_role", "creator", "users", "user_id"),
    ("provider_role", "retired_by", "users", "user_id"),
];

/// What stays at its place.
const SECRET: [&str; 6] = ["password", "salt", "secret_question", "secret_answer", "activation_key", "email"];

const FOREIGN_KEYS: &str =
    "SELECT c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text, b.attname::text
    FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1] WHERE c.contype = 'f'";
const KEYS: &str =
    "SELECT c.conrelid::regclass::text, a.attname::text FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY k (n, i)
    JOIN pg_attribute a ON a.attnum = n WHERE a.attrelid = c.conrelid AND c.contype = 'p' ORDER BY 1, i";
const COLUMNS: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY 1, ordinal_position";

/// What the rows of a table say, by what each of them is called everywhere.
pub(super) type Rows = BTreeMap<String, Vec<Option<String>>>;
/// What a database says, by table.
pub(super) type Said = BTreeMap<String, Rows>;

/// How to read what a database says.
#[derive(Debug)]
pub(super) struct Meaning {
    references: BTreeMap<(String, String), (String, String)>,
    keys: BTreeMap<String, Vec<String>>,
    columns: BTreeMap<String, Vec<String>>,
    tables: BTreeSet<String>,
}

impl Meaning {
    /// Of these tables, by the catalogue of a database.
    pub(super) fn read(client: &mut Client, tables: BTreeSet<String>) -> Self {
        let undeclared = UNDECLARED.map(|(table, column, target, key)| {
            ((table.to_owned(), column.to_owned()), (target.to_owned(), key.to_owned()))
        });
        let declared = client.query(FOREIGN_KEYS, &[]).unwrap();
        let declared = declared.iter().map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3))));
        Self {
            references: declared.chain(undeclared).collect(),
            keys: by_table(client, KEYS),
            columns: by_table(client, COLUMNS),
            tables,
        }
    }

    /// The columns of a table that say something.
    pub(super) fn columns(&self, table: &str) -> Vec<String> {
        // A row's own integer key says nothing; one that is a reference is what the row is called.
        let is_key = |column: &String| self.keys.get(table).is_some_and(|key| key.contains(column));
        let stays = |column: &String| table == "users" && SECRET.contains(&column.as_str());
        self.columns[table].iter().filter(|column| !is_key(column) && !stays(column)).cloned().collect()
    }

    /// All that a database says.
    pub(super) fn of(&self, client: &mut Client) -> Said {
        self.tables.iter().map(|table| (table.clone(), self.rows(client, table))).collect()
    }

    fn rows(&self, client: &mut Client, table: &str) -> Rows {
        let columns = self.columns(table);
        let said = columns.iter().map(|column| format!(", {}", self.value(table, column)));
        let sql = format!("SELECT {}{} FROM {table} a", self.called(table, "a", 0), said.collect::<String>());
        let found = client.query(&sql, &[]).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        let mut rows = Rows::new();
        for row in found {
            let called: String = row.get(0);
            let values = (1..=columns.len()).map(|at| row.get(at)).collect();
            assert_eq!(rows.insert(called.clone(), values), None, "{table} has {called} twice");
        }
        rows
    }

    fn value(&self, table: &str, column: &str) -> String {
        match (table, column) {
            // Where two places gave one name, the newcomer's is shown with its origin.
            ("users", "username" | "system_id") => {
                format!("regexp_replace(a.{column}, ' \\((ministry|hilltop|riverside)\\)$', '')")
            }
            _ => self.part(table, column, "a", 0),
        }
    }

    /// What a row is called everywhere.
    fn called(&self, table: &str, alias: &str, depth: usize) -> String {
        let has_uuid = self.columns[table].iter().any(|column| column == "uuid");
        match table {
            "role" | "privilege" => format!("{alias}.{table}"),
            "concept_stop_word" => format!("concat_ws('|', {alias}.word, {alias}.locale)"),
            _ if has_uuid => format!("coalesce(rtrim({alias}.uuid), '')"),
            _ => {
                let parts: Vec<_> =
                    self.keys[table].iter().map(|column| self.part(table, column, alias, depth)).collect();
                format!("concat_ws('|', {})", parts.join(", "))
            }
        }
    }

    fn part(&self, table: &str, column: &str, alias: &str, depth: usize) -> String {
        match self.references.get(&(table.to_owned(), column.to_owned())) {
            Some((target, key)) => {
                let inner = format!("t{depth}");
                let called = self.called(target, &inner, depth + 1);
                format!(
                    "coalesce((SELECT {called} FROM {target} {inner} WHERE {inner}.{key} = {alias}.{column}),
                        '?' || {alias}.{column})"
                )
            }
            None => format!("{alias}.{column}::text"),
        }
    }
}

fn by_table(client: &mut Client, sql: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in client.query(sql, &[]).unwrap() {
        all.entry(row.get(0)).or_default().push(row.get(1));
    }
    all
}

/// Where two databases do not say the same: some of it, and how much it is.
pub(super) fn differences(meaning: &Meaning, one: &Said, other: &Said) -> (usize, Vec<String>) {
    let mut found = Vec::new();
    for (table, rows) in one {
        let (others, columns) = (&other[table], meaning.columns(table));
        for called in rows.keys().chain(others.keys()).collect::<BTreeSet<_>>() {
            match (rows.get(called), others.get(called)) {
                (Some(here), Some(there)) => found.extend(
                    columns
                        .iter()
                        .zip(here.iter().zip(there))
                        .filter(|(_, (here, there))| here != there)
                        .map(|(column, (here, there))| format!("{table} {called} {column}: {here:?} | {there:?}")),
                ),
                (here, _) => {
                    let only = if here.is_some() { "first" } else { "second" };
                    found.push(format!("{table} {called}: only at the {only}"));
                }
            }
        }
    }
    (found.len(), found.into_iter().take(12).collect())
}
