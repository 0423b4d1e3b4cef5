//! How the rows of a table get their uid: what the schema itself says, else `assigned`.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_stores::config::Identity;
use saddlebag_stores::schema::{Column, Schema, Table};

use super::{Exclusion, Reference, Survey, TrackedProposal};

/// A table, and what is known of it when its identity is chosen.
pub(super) struct Subject<'a> {
    pub(super) table: &'a Table,
    pub(super) survey: &'a Survey,
    pub(super) references: &'a [Reference],
    pub(super) excluded: &'a [Exclusion],
    /// Whether another table refers to it.
    pub(super) is_referred_to: bool,
}

/// An identity, and why.
pub(super) struct Choice {
    pub(super) identity: Identity,
    pub(super) why: String,
}

const WHY_ASSIGNED: &str = "nothing in the schema names a record across places: saddlebag gives the names";

impl Choice {
    /// Where nothing names the rows.
    pub(super) fn assigned() -> Self {
        Self { identity: Identity::Assigned, why: WHY_ASSIGNED.to_owned() }
    }
}

/// The first that fits.
pub(super) fn choose(subject: &Subject<'_>) -> Choice {
    let options = [Subject::by_uuid, Subject::by_references, Subject::by_key, Subject::by_code, Subject::by_catalogue];
    let found = options.iter().filter_map(|option| option(subject)).find(|choice| can_be_written(&choice.identity));
    found.unwrap_or_else(Choice::assigned)
}

/// The identity that a table has whatever it refers to, if it has one.
pub(super) fn of_itself(table: &Table, survey: &Survey) -> Option<Choice> {
    let subject = Subject { table, survey, references: &[], excluded: &[], is_referred_to: true };
    let refers = |name: &String| table.foreign_keys.iter().any(|key| key.columns.contains(name));
    let choice = choose(&subject);
    let is_plain = match &choice.identity {
        Identity::Assigned | Identity::Copied => false,
        Identity::Named(_) => true,
        Identity::Uuid(column) => !refers(column),
        Identity::Natural(columns) => !columns.iter().any(refers),
    };
    is_plain.then_some(choice)
}

impl Subject<'_> {
    fn by_uuid(&self) -> Option<Choice> {
        let fits =
            |column: &&Column| is_named_as_uuid(&column.name) && is_text(column) && self.travels_as_it_is(&column.name);
        let column = self.table.columns.iter().filter(fits).find(|column| self.is_unique_alone(&column.name))?;
        let why = format!("`{}` is unique, and unique across places by its name", column.name);
        Some(Choice { identity: Identity::Uuid(column.name.clone()), why })
    }

    fn by_references(&self) -> Option<Choice> {
        let is_reference = |name: &String| self.references.iter().any(|reference| reference.column == *name);
        let is_filled = |name: &String| self.table.column(name).is_some_and(|column| column.not_null);
        let key = &self.table.primary_key;
        let columns = if key.iter().all(is_reference) {
            key
        } else {
            let links = |columns: &&Vec<String>| columns.iter().all(|name| is_reference(name) && is_filled(name));
            self.table.unique.iter().filter(links).min_by_key(|columns| columns.len())?
        };
        let ends = if columns.len() == 1 { "the record that it refers to" } else { "the records that it links" };
        Some(Choice { identity: Identity::Natural(columns.clone()), why: format!("a row is known by {ends}") })
    }

    fn by_key(&self) -> Option<Choice> {
        let is_reference = |name: &str| self.references.iter().any(|reference| reference.column == name);
        let names_itself = |name: &String| is_reference(name) || self.table.column(name).is_some_and(is_text);
        let key = &self.table.primary_key;
        // `VISIT-0017` is the seventeenth visit of each place.
        if !self.references.is_empty() && matches!(key.as_slice(), [one] if self.survey.counts(&self.table.name, one)) {
            return None;
        }
        let why = "its key is the same at every place".to_owned();
        key.iter().all(names_itself).then(|| Choice { identity: Identity::Natural(key.clone()), why })
    }

    /// Named by the application itself, at every place by the same names.
    fn by_catalogue(&self) -> Option<Choice> {
        let catalogue = self.survey.catalogue.as_ref()?;
        let named = catalogue.named.iter().find(|named| named.table == self.table.name)?;
        let (of, rows) = (catalogue.of, named.rows);
        let rows = if rows == 1 { "one row".to_owned() } else { format!("{rows} rows") };
        let why =
            format!("{of} itself names {rows} of it, at every place by the same names; saddlebag names the others");
        Some(Choice { identity: Identity::Named(named.query.clone()), why })
    }

    fn by_code(&self) -> Option<Choice> {
        if !self.table.foreign_keys.is_empty() || !self.references.is_empty() || !self.is_referred_to {
            return None;
        }
        let fits = |column: &&Column| {
            is_named_as_code(&column.name)
                && is_text(column)
                && column.not_null
                && self.travels_as_it_is(&column.name)
                && self.is_unique_alone(&column.name)
        };
        let column = self.table.columns.iter().find(fits)?;
        let why = format!(
            "reference data: others refer to it, it refers to none, and `{0}` is unique; if one `{0}` means different \
             things at two places, write \"assigned\"",
            column.name
        );
        Some(Choice { identity: Identity::Natural(vec![column.name.clone()]), why })
    }

    fn is_unique_alone(&self, name: &str) -> bool {
        self.table.is_unique(&[name.to_owned()])
    }

    fn travels_as_it_is(&self, name: &str) -> bool {
        !self.excluded.iter().any(|exclusion| exclusion.column == name)
            && !self.references.iter().any(|reference| reference.column == name)
    }
}

fn is_named_as_uuid(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["uuid", "guid"].iter().any(|word| name == *word || name.ends_with(&format!("_{word}"))) || name == "uid"
}

fn is_named_as_code(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "code" || name.ends_with("_code")
}

/// Whether the column is declared for text: "Determination Of Column Affinity" in SQLite's "Datatypes In SQLite",
/// and `UUID` of other engines.
pub(super) fn is_text(column: &Column) -> bool {
    let upper = column.declared_type.to_ascii_uppercase();
    !upper.contains("INT") && ["CHAR", "CLOB", "TEXT", "UUID", "GUID"].iter().any(|word| upper.contains(word))
}

/// Whether the configuration has a form for it: names that hold commas have none.
pub(super) fn can_be_written(identity: &Identity) -> bool {
    identity.to_string().parse().is_ok_and(|read: Identity| read == *identity)
}

/// Unique columns beside the identity, that travel.
pub(super) fn colliding(table: &Table, identity: &Identity, excluded: &[Exclusion]) -> Vec<Vec<String>> {
    let of_identity: BTreeSet<&String> = match identity {
        Identity::Assigned | Identity::Copied | Identity::Named(_) => BTreeSet::new(),
        Identity::Uuid(column) => [column].into(),
        Identity::Natural(columns) => columns.iter().collect(),
    };
    let stays = |name: &String| excluded.iter().any(|exclusion| exclusion.column == *name);
    // A single integer key is given anew at each place, so it never collides.
    let key_travels = table.primary_key.len() > 1 || table.primary_key.iter().any(|name| !is_integer(table, name));
    let key = key_travels.then_some(&table.primary_key);
    let mut all: Vec<Vec<String>> = key.into_iter().chain(&table.unique).cloned().collect();
    all.retain(|columns| columns.iter().collect::<BTreeSet<_>>() != of_identity && !columns.iter().any(stays));
    all.sort();
    all.dedup();
    all
}

/// Single unique columns whose values come from a counter of each database: two places give one to two records.
pub(super) fn counters(proposal: &TrackedProposal, survey: &Survey) -> Vec<String> {
    let Some(table) = survey.schema.table(&proposal.name) else { return Vec::new() };
    let single = proposal.colliding.iter().filter_map(|columns| match columns.as_slice() {
        [one] => Some(one),
        _ => None,
    });
    let is_plain = |name: &&String| {
        !table.primary_key.contains(*name)
            && !proposal.references.iter().any(|reference| reference.column == **name)
            && !table.foreign_keys.iter().any(|key| key.columns.contains(*name))
            && !refers_to(&survey.schema, &proposal.name, name)
    };
    let counts = |name: &&String| survey.counts(&proposal.name, name) || is_integer(table, name);
    single.filter(is_plain).filter(counts).cloned().collect()
}

/// Whether a foreign key refers to this very column: then its values say which record is meant.
fn refers_to(schema: &Schema, table: &str, column: &str) -> bool {
    let mut keys = schema.tables.iter().flat_map(|table| &table.foreign_keys);
    keys.any(|key| key.table == table && key.target_columns.iter().any(|name| name == column))
}

pub(super) fn is_integer(table: &Table, name: &str) -> bool {
    table.column(name).is_some_and(|column| column.declared_type.to_ascii_uppercase().contains("INT"))
}

/// Identities that need each other cannot be computed: one of each circle becomes `assigned`.
pub(super) fn break_circles(tracked: &mut [TrackedProposal], schema: &Schema) {
    while let Some(at) = in_circle(tracked) {
        let proposal = &mut tracked[at];
        proposal.identity = Identity::Assigned;
        proposal.why = format!("{WHY_ASSIGNED} (its key refers to records whose names would depend on it)");
        if let Some(table) = schema.table(&proposal.name) {
            proposal.colliding = colliding(table, &proposal.identity, &proposal.excluded);
        }
    }
}

/// The first table whose identity depends on itself, over however many others.
fn in_circle(tracked: &[TrackedProposal]) -> Option<usize> {
    let needs: BTreeMap<&str, Vec<&str>> =
        tracked.iter().map(|proposal| (proposal.name.as_str(), identity_targets(proposal))).collect();
    tracked.iter().position(|proposal| {
        let mut seen = BTreeSet::new();
        let mut open = needs[proposal.name.as_str()].clone();
        while let Some(name) = open.pop() {
            if name == proposal.name {
                return true;
            }
            if seen.insert(name) {
                open.extend(needs.get(name).into_iter().flatten());
            }
        }
        false
    })
}

fn identity_targets(proposal: &TrackedProposal) -> Vec<&str> {
    let Identity::Natural(columns) = &proposal.identity else { return Vec::new() };
    let of_identity = proposal.references.iter().filter(|reference| columns.contains(&reference.column));
    of_identity.filter_map(Reference::table).collect()
}
