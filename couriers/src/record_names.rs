//! What records are called: by what people know them, beside the uid that only saddlebag knows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use saddlebag_formats::{TableDescription, Uid, Value};
use saddlebag_stores::config::Identity;
use saddlebag_stores::record::{Key, Known};
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};
use serde::Serialize;

use crate::shown::ShownValue;

/// How many references deep an identity is followed: a link table by its two ends, a patient by its person.
const DEPTH_MAX: u32 = 3;

/// A record as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordName {
    /// Its table.
    pub table: String,
    /// Its name at every place.
    pub uid: String,
    /// The values by which it is known at every place; none if saddlebag gave it its uid.
    pub known_as: Option<String>,
    /// Its primary key in this database; none if it is not here.
    pub key: Option<String>,
    /// Whether it is here.
    pub here: Here,
}

/// Whether a record is in this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Here {
    /// It is.
    Live,
    /// It was deleted.
    Deleted,
    /// It never was.
    Absent,
}

impl RecordName {
    /// In few words: `C7 (id 3)`, `id 3`, or the uid.
    #[must_use]
    pub fn words(&self) -> String {
        match (&self.known_as, &self.key) {
            (Some(known_as), Some(key)) => format!("{known_as} ({key})"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => self.uid.clone(),
        }
    }
}

/// Records by table.
pub(crate) type Wanted = BTreeMap<String, BTreeSet<Uid>>;

/// The names of records.
#[derive(Debug, Default)]
pub(crate) struct RecordNames(HashMap<(String, Uid), RecordName>);

impl RecordNames {
    /// Looks records up in this database.
    pub(crate) fn look_up(store: &mut dyn Store, wanted: &Wanted) -> Result<Self, StoreError> {
        look_up(store, wanted, DEPTH_MAX).map(Self)
    }

    /// The name of a record that was looked up.
    pub(crate) fn of(&self, table: &str, uid: Uid) -> RecordName {
        let found = self.0.get(&(table.to_owned(), uid)).cloned();
        found.unwrap_or_else(|| absent(table, uid))
    }

    /// The name of a record as a change of it tells, where it is not here.
    pub(crate) fn of_change(&self, table: &TableDescription, uid: Uid, values: &[(&str, &Value)]) -> RecordName {
        let here = self.of(&table.name, uid);
        if here.known_as.is_some() {
            return here;
        }
        let value = |name: &str| {
            let (_, value) = values.iter().find(|(column, _)| *column == name)?;
            let target = table.columns.iter().find(|column| column.name == name)?.references.as_deref();
            Some((*value, target))
        };
        let known_as = table.identity.parse().ok().and_then(|identity| self.known_as(&identity, uid, value));
        RecordName { known_as, ..here }
    }

    /// The values of an identity in words; none if there are none, or they say no more than the uid.
    fn known_as<'a>(
        &self,
        identity: &Identity,
        uid: Uid,
        value: impl Fn(&str) -> Option<(&'a Value, Option<&'a str>)>,
    ) -> Option<String> {
        let columns = match identity {
            Identity::Uuid(column) => std::slice::from_ref(column),
            Identity::Natural(columns) => columns,
            Identity::Named(_) | Identity::Assigned | Identity::Copied => return None,
        };
        let part = |column: &String| {
            let (value, target) = value(column)?;
            Some(match (value, target) {
                (Value::Reference(uid), Some(target)) => self.of(target, *uid).words(),
                (value, _) => ShownValue::from(value).to_string(),
            })
        };
        let parts: Vec<String> = columns.iter().map(part).collect::<Option<_>>()?;
        let words = parts.join(", ");
        (words != uid.to_string()).then_some(words)
    }
}

fn look_up(
    store: &mut dyn Store,
    wanted: &Wanted,
    depth: u32,
) -> Result<HashMap<(String, Uid), RecordName>, StoreError> {
    let tracking = store.tracking().clone();
    let mut found: Vec<(&TrackedTable, Uid, Known)> = Vec::new();
    let mut targets = Wanted::new();
    for (name, uids) in wanted {
        let Some(table) = tracking.by_name(name) else { continue };
        let uids: Vec<Uid> = uids.iter().copied().collect();
        for (uid, known) in store.records(table, &uids)? {
            for index in table.identity_columns() {
                let column = &table.columns[index];
                let target = column.reference.and_then(|number| tracking.by_number(number));
                if let (Some(Value::Reference(uid)), Some(target)) = (value_of(&known, index, column.id), target) {
                    targets.entry(target.name.clone()).or_default().insert(*uid);
                }
            }
            found.push((table, uid, known));
        }
    }
    let names = match depth {
        0 => RecordNames::default(),
        _ if targets.is_empty() => RecordNames::default(),
        _ => RecordNames(look_up(store, &targets, depth - 1)?),
    };
    let mut all = HashMap::with_capacity(found.len());
    for (table, uid, known) in &found {
        let value = |name: &str| {
            let index = table.column_index(name)?;
            let column = &table.columns[index];
            let target =
                column.reference.and_then(|number| tracking.by_number(number)).map(|table| table.name.as_str());
            Some((value_of(known, index, column.id)?, target))
        };
        let known_as = names.known_as(&table.identity, *uid, value);
        let (key, here) = match known {
            Known::Live(record) => (Some(key_words(table, &record.key)), Here::Live),
            Known::Deleted(_) => (None, Here::Deleted),
        };
        let name = RecordName { table: table.name.clone(), uid: uid.to_string(), known_as, key, here };
        all.insert((table.name.clone(), *uid), name);
    }
    Ok(all)
}

/// A column's value, also of a deleted record.
fn value_of(known: &Known, index: usize, id: u16) -> Option<&Value> {
    match known {
        Known::Live(record) => record.values.get(index),
        Known::Deleted(tombstone) => tombstone.values.iter().find(|(known, _)| *known == id).map(|(_, value)| value),
    }
}

/// `id 3`, `code C7, year 2026`.
pub(crate) fn key_words(table: &TrackedTable, key: &Key) -> String {
    let part = |(part, value): (&saddlebag_stores::tracking::KeyColumn, &Value)| {
        format!("{} {}", part.name, ShownValue::from(value))
    };
    table.key.iter().zip(&key.0).map(part).collect::<Vec<_>>().join(", ")
}

fn absent(table: &str, uid: Uid) -> RecordName {
    RecordName { table: table.to_owned(), uid: uid.to_string(), known_as: None, key: None, here: Here::Absent }
}
