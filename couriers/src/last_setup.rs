//! What `setup` last made of each table, so that the next one knows what has changed since.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_stores::tracking::{TrackedTable, Tracking};
use saddlebag_stores::{Store, StoreError};
use serde::{Deserialize, Serialize};

const LAST_SETUP: &str = "last_setup";

/// The tables, as they were then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct LastSetup {
    #[serde(default)]
    tables: BTreeMap<String, SeenTable>,
}

/// One table, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SeenTable {
    identity: String,
    direction: String,
    key: Vec<String>,
    columns: Vec<String>,
    excluded: Vec<String>,
    #[serde(default)]
    references: BTreeMap<String, String>,
}

/// What has changed of a table since the last setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChange {
    /// The table.
    pub table: String,
    /// Columns that are shared now and were not there, or stayed at home.
    pub new_columns: Vec<String>,
    /// Columns that were shared and are not there any more.
    pub gone_columns: Vec<String>,
    /// Columns that were shared and stay at home now.
    pub excluded_columns: Vec<String>,
    /// Why all that was known of its rows is forgotten, and the rows are taken in anew.
    pub taken_in_anew: Option<String>,
}

/// What a column refers to, in the words of `saddlebag.toml`.
pub(crate) fn references(table: &TrackedTable, tracking: &Tracking) -> BTreeMap<String, String> {
    let of = |column: &saddlebag_stores::tracking::TrackedColumn| {
        let target = match column.reference {
            Some(number) => tracking.by_number(number)?.name.clone(),
            None if column.names_its_table => "model,id".to_owned(),
            None => return None,
        };
        Some((column.name.clone(), target))
    };
    table.present().filter_map(of).collect()
}

impl SeenTable {
    fn of(table: &TrackedTable, tracking: &Tracking) -> Self {
        Self {
            identity: table.identity.to_string(),
            direction: table.direction.to_string(),
            key: table.key.iter().map(|part| part.name.clone()).collect(),
            columns: table.present().map(|column| column.name.clone()).collect(),
            excluded: table.excluded.clone(),
            references: references(table, tracking),
        }
    }

    /// Why the uids or the hashes of the rows are not what they were.
    fn why_anew(&self, before: &Self) -> Option<String> {
        if self.identity != before.identity {
            return Some(format!("its identity was `{}` and is `{}`", before.identity, self.identity));
        }
        if self.key != before.key {
            let (old, new) = (before.key.join(", "), self.key.join(", "));
            return Some(format!("its primary key was ({old}) and is ({new})"));
        }
        let shared = self.columns.iter().filter(|column| before.columns.contains(column));
        let target = |table: &Self, column: &String| table.references.get(column).cloned();
        let changed = shared.filter(|column| target(self, column) != target(before, column)).map(|column| {
            let words = |table: &Self| target(table, column).map_or("nothing".to_owned(), |name| format!("`{name}`"));
            format!("its column `{column}` referred to {} and refers to {}", words(before), words(self))
        });
        changed.into_iter().next()
    }
}

impl LastSetup {
    pub(crate) fn of(tracking: &Tracking) -> Self {
        let one = |table: &TrackedTable| (table.name.clone(), SeenTable::of(table, tracking));
        Self { tables: tracking.tables.iter().map(one).collect() }
    }

    /// What the database remembers; nothing if it never was set up.
    pub(crate) fn read(store: &mut dyn Store) -> Result<Self, StoreError> {
        let Some(bytes) = store.setting(LAST_SETUP)? else { return Ok(Self::default()) };
        let damaged = |reason: String| StoreError::Damaged { what: "the last setup".to_owned(), reason };
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))
    }

    pub(crate) fn write(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        let unwritable = |error: toml::ser::Error| StoreError::Damaged {
            what: "the last setup".to_owned(),
            reason: error.to_string(),
        };
        store.set_setting(LAST_SETUP, toml::to_string(self).map_err(unwritable)?.as_bytes())
    }

    /// Whether a table had such a column then; whether there was such a table, if none is named.
    pub(crate) fn had(&self, table: &str, column: Option<&str>) -> bool {
        self.tables.get(table).is_some_and(|seen| {
            column.is_none_or(|name| {
                seen.columns.iter().chain(&seen.excluded).chain(&seen.key).any(|known| known == name)
            })
        })
    }

    /// What has changed since, table by table; tables that are new or no longer kept in step are no change.
    pub(crate) fn changes(&self, tracking: &Tracking) -> Vec<TableChange> {
        let now = Self::of(tracking);
        let anew = self.taken_in_anew(&now, tracking);
        let mut changes = Vec::new();
        for (name, table) in &now.tables {
            let Some(before) = self.tables.get(name) else { continue };
            let not_in = |all: &[String], other: &[String]| {
                all.iter().filter(|column| !other.contains(column)).cloned().collect::<Vec<_>>()
            };
            let (excluded_columns, gone_columns) =
                not_in(&before.columns, &table.columns).into_iter().partition(|name| table.excluded.contains(name));
            let change = TableChange {
                table: name.clone(),
                new_columns: not_in(&table.columns, &before.columns),
                gone_columns,
                excluded_columns,
                taken_in_anew: anew.get(name).cloned(),
            };
            let is_one = !change.new_columns.is_empty()
                || !change.gone_columns.is_empty()
                || !change.excluded_columns.is_empty()
                || change.taken_in_anew.is_some();
            changes.extend(is_one.then_some(change));
        }
        changes
    }

    /// Tables whose rows have other uids or other hashes than they had: because of themselves, or of what they refer to.
    fn taken_in_anew(&self, now: &Self, tracking: &Tracking) -> BTreeMap<String, String> {
        let mut anew: BTreeMap<String, String> = now
            .tables
            .iter()
            .filter_map(|(name, table)| Some((name.clone(), table.why_anew(self.tables.get(name)?)?)))
            .collect();
        let mut open: BTreeSet<String> = anew.keys().cloned().collect();
        while let Some(name) = open.pop_first() {
            for table in &tracking.tables {
                let refers = references(table, tracking).values().any(|target| *target == name);
                if refers && self.tables.contains_key(&table.name) && !anew.contains_key(&table.name) {
                    anew.insert(table.name.clone(), format!("it refers to `{name}`, which is taken in anew"));
                    open.insert(table.name.clone());
                }
            }
        }
        anew
    }

    /// What has changed, as half a sentence; none where only directions or the like have.
    pub(crate) fn in_words(&self, tracking: &Tracking) -> Option<String> {
        let changes = self.changes(tracking);
        let first = changes.first()?;
        let columns = |what: &str, names: &[String]| {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| format!("{what} {}", quoted.join(", ")))
        };
        let mut words: Vec<String> = first.taken_in_anew.iter().cloned().collect();
        words.extend(columns("new:", &first.new_columns));
        words.extend(columns("gone:", &first.gone_columns));
        words.extend(columns("excluded:", &first.excluded_columns));
        let others = match changes.len() - 1 {
            0 => String::new(),
            1 => " and one other table".to_owned(),
            more => format!(" and {more} other tables"),
        };
        Some(format!("the table `{}` ({}){others}", first.table, words.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use saddlebag_stores::config::TablesConfig;
    use saddlebag_stores::schema::{Column, Schema, Table};
    use saddlebag_stores::tracking::Numbering;

    use super::*;

    fn table(name: &str, columns: &[&str]) -> Table {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            declared_type: if *name == "id" { "INTEGER" } else { "TEXT" }.to_owned(),
            not_null: false,
            default: None,
        };
        Table {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            primary_key: vec!["id".to_owned()],
            foreign_keys: Vec::new(),
            unique: Vec::new(),
            key_is_given: true,
            unsupported: None,
        }
    }

    fn tracking(patient: &[&str], config: &str) -> Tracking {
        let tables =
            vec![table("patient", patient), table("village", &["id", "code"]), table("visit", &["id", "patient"])];
        let config: TablesConfig = toml::from_str(config).unwrap();
        Tracking::resolve(&config, &Schema { tables, has_triggers: false }, &Numbering::default()).unwrap()
    }

    const CONFIG: &str = "[patient]\nidentity = 'assigned'\nreferences = { village = 'village' }
        [village]\nidentity = 'natural(code)'
        [visit]\nidentity = 'assigned'\nreferences = { patient = 'patient' }";
    const PATIENT: [&str; 4] = ["id", "name", "phone", "village"];

    fn changed(patient: &[&str], config: &str) -> Vec<TableChange> {
        LastSetup::of(&tracking(&PATIENT, CONFIG)).changes(&tracking(patient, config))
    }

    #[test]
    fn nothing_changes_by_itself() {
        assert_eq!(changed(&PATIENT, CONFIG), []);
        assert_eq!(LastSetup::default().changes(&tracking(&PATIENT, CONFIG)), [], "all of it is new");
    }

    #[test]
    fn columns_that_came_or_went_are_told() {
        let config = CONFIG.replacen("identity = 'assigned'", "exclude = ['name']\nidentity = 'assigned'", 1);
        let [change] = changed(&["id", "name", "village", "email"], &config).try_into().unwrap();
        assert_eq!((change.table.as_str(), change.taken_in_anew.as_deref()), ("patient", None));
        assert_eq!(change.new_columns, ["email"]);
        assert_eq!(change.gone_columns, ["phone"]);
        assert_eq!(change.excluded_columns, ["name"]);
        let words =
            LastSetup::of(&tracking(&PATIENT, CONFIG)).in_words(&tracking(&["id", "name", "village", "email"], CONFIG));
        assert_eq!(words.unwrap(), "the table `patient` (new: `email`; gone: `phone`)");
    }

    #[test]
    fn another_identity_reaches_all_that_refer_to_it() {
        let anew = |config: &str| {
            let changes = changed(&PATIENT, config);
            changes.into_iter().map(|change| (change.table, change.taken_in_anew.unwrap())).collect::<Vec<_>>()
        };
        let [patient, village, visit] = anew(&CONFIG.replace("natural(code)", "assigned")).try_into().unwrap();
        assert_eq!(village.1, "its identity was `natural(code)` and is `assigned`");
        assert_eq!(patient.1, "it refers to `village`, which is taken in anew");
        assert_eq!(visit.1, "it refers to `patient`, which is taken in anew");
        let [only] = anew(&CONFIG.replace("references = { patient = 'patient' }", "")).try_into().unwrap();
        let words = "its column `patient` referred to `patient` and refers to nothing";
        assert_eq!(only, ("visit".to_owned(), words.to_owned()));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let last = LastSetup::of(&tracking(&PATIENT, CONFIG));
        assert_eq!(toml::from_str::<LastSetup>(&toml::to_string(&last).unwrap()).unwrap(), last);
        assert!(last.had("patient", None) && last.had("patient", Some("phone")) && last.had("patient", Some("id")));
        assert!(!last.had("patient", Some("email")) && !last.had("gone", None));
    }
}
