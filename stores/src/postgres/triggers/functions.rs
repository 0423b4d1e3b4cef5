//! The functions of the triggers.
//!
//! Each reads the row in a block that no error leaves: a column which the application has dropped, renamed or given
//! another type must not stop it. What could not be read is noted as "look at the whole table". The row of the journal
//! is written outside of that block, so that it costs no number of a subtransaction.

use std::collections::BTreeMap;

use super::{Event, MAKING, of_row};
use crate::error::StoreError;
use crate::postgres::client::Client;
use crate::postgres::fields::field;
use crate::postgres::install::{BITS, words_of};
use crate::postgres::journal::{NOW, WHOLE_TABLE};
use crate::postgres::sql::{literal, quote};
use crate::postgres::values::Kind;
use crate::tracking::{TrackedColumn, TrackedTable};

/// Columns whose images are compared at once before each is compared by itself.
const TOGETHER: usize = 8;

/// What every function is set to: nothing in it is looked for among what others have made.
const SEARCH_PATH: (&str, &str) = ("search_path", "pg_catalog, pg_temp");

/// All rows or an error, never some.
const ALL_ROWS: (&str, &str) = ("row_security", "off");

/// What the text forms of values depend on, as sessions of saddlebag's own have it.
const TEXT_FORMS: [(&str, &str); 7] = [
    ("DateStyle", "ISO, YMD"),
    ("TimeZone", "UTC"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
];

/// The function of one trigger.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) number: u32,
    event: Event,
    settings: Vec<(&'static str, &'static str)>,
    body: String,
}

impl Function {
    fn name(&self) -> String {
        format!("note_{}_{}", self.number, self.event.name())
    }

    /// The name of its trigger.
    pub(super) fn trigger(&self) -> String {
        self.event.trigger(self.number)
    }

    pub(super) fn create(&self) -> String {
        let set = |(name, value): &(&str, &str)| match *name {
            // A list of names; all others are one value.
            "search_path" => format!(" SET {name} TO {value}"),
            _ => format!(" SET {name} TO {}", literal(value)),
        };
        let settings: String = self.settings.iter().map(set).collect();
        format!(
            "CREATE OR REPLACE FUNCTION saddlebag.{}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER{settings} AS {};",
            self.name(),
            literal(&self.body)
        )
    }
}

/// The functions of a table.
pub(super) fn all(table: &TrackedTable, is_partitioned: bool) -> Vec<Function> {
    let keys: Vec<&str> = table.key.iter().map(|part| part.declared_type.as_str()).collect();
    let olds = table.present().map(|column| column.declared_type.as_str());
    let (of_key, of_old) = (settings(keys.iter().copied()), settings(keys.iter().copied().chain(olds)));
    let of_rows: Vec<_> = of_old.iter().copied().chain([ALL_ROWS]).collect();
    let function = |event: Event, settings: &Vec<(&'static str, &'static str)>, body: String| Function {
        number: table.number,
        event,
        settings: settings.clone(),
        body,
    };
    let mut functions = vec![
        function(Event::Insert, &of_key, insert(table)),
        function(Event::Update, &of_key, update(table)),
        function(Event::Delete, &of_old, delete(table)),
        function(Event::Truncate, &of_rows, truncate(table)),
    ];
    if is_partitioned {
        functions.push(function(Event::Move, &of_key, moving(table)));
    }
    functions
}

/// Each setting costs every call something: those of text forms are there only where one depends on them.
fn settings<'a>(mut types: impl Iterator<Item = &'a str>) -> Vec<(&'static str, &'static str)> {
    let is_plain = |declared: &str| {
        matches!(
            Kind::of(declared),
            Kind::Integer { .. }
                | Kind::Oid
                | Kind::Numeric { .. }
                | Kind::Boolean
                | Kind::Text { .. }
                | Kind::Padded { .. }
                | Kind::Name
                | Kind::Uuid
                | Kind::Json { .. }
        )
    };
    let forms = if types.all(is_plain) { &[][..] } else { &TEXT_FORMS[..] };
    [SEARCH_PATH].iter().chain(forms).copied().collect()
}

/// The key of a row in its text form.
fn key(table: &TrackedTable, row: &str) -> String {
    let part = |part: &crate::tracking::KeyColumn| {
        Kind::of(&part.declared_type).select_text(&format!("{row}.{}", quote(&part.name)))
    };
    format!("ARRAY[{}]::text[]", table.key.iter().map(part).collect::<Vec<_>>().join(", "))
}

/// The last values of a row in their text form, at their columns' ids.
fn old_values(table: &TrackedTable, row: &str) -> String {
    let by_id: BTreeMap<u16, &TrackedColumn> = table.present().map(|column| (column.id, column)).collect();
    let last = by_id.keys().next_back().map_or(0, |id| id + 1);
    let value = |id: u16| match by_id.get(&id) {
        Some(column) => Kind::of(&column.declared_type).select_text(&format!("{row}.{}", quote(&column.name))),
        None => "NULL".to_owned(),
    };
    format!("ARRAY[{}]::text[]", (0..last).map(value).collect::<Vec<_>>().join(", "))
}

fn differ(columns: &[&TrackedColumn]) -> String {
    let of = |row| of_row(row, columns.iter().map(|column| column.name.as_str()));
    format!("pg_catalog.record_image_ne(ROW({}), ROW({}))", of("OLD"), of("NEW"))
}

/// The words of changed columns. Values are compared byte for byte: some types know no equality, and to others what is
/// not the same is equal.
fn words(table: &TrackedTable) -> String {
    let mut words: BTreeMap<u16, Vec<&TrackedColumn>> = (0..words_of(table)).map(|word| (word, Vec::new())).collect();
    for column in table.present() {
        words.entry(column.id / BITS).or_default().push(column);
    }
    let bit = |column: &&TrackedColumn| {
        format!("CASE WHEN {} THEN {}::bigint ELSE 0 END", differ(&[column]), 1_u64 << (column.id % BITS))
    };
    let group = |columns: &[&TrackedColumn]| {
        let bits = columns.iter().map(bit).collect::<Vec<_>>().join(" | ");
        format!("CASE WHEN {} THEN {bits} ELSE 0 END", differ(columns))
    };
    let word = |columns: Vec<&TrackedColumn>| {
        let groups: Vec<_> = columns.chunks(TOGETHER).map(group).collect();
        if groups.is_empty() { "0".to_owned() } else { groups.join(" | ") }
    };
    format!("ARRAY[{}]::bigint[]", words.into_values().map(word).collect::<Vec<_>>().join(",\n"))
}

/// A trigger's function: `read` in a block that no error leaves, `write` after it.
fn function(declare: &str, read: &str, otherwise: &str, write: &str) -> String {
    format!("DECLARE\n{declare}\nBEGIN\nBEGIN\n{read}\nEXCEPTION WHEN OTHERS THEN\n{otherwise}\nEND;\n{write}\nEND")
}

fn insert(table: &TrackedTable) -> String {
    function(
        "noted smallint := 1; k text[];",
        &format!("k := {};", key(table, "NEW")),
        &format!("noted := {WHOLE_TABLE};"),
        &format!(
            "INSERT INTO saddlebag.journal (table_number, op, at, key) VALUES ({}, noted, {NOW}, k);\nRETURN NULL;",
            table.number
        ),
    )
}

/// An update that changes neither key nor shared columns is not noted.
fn update(table: &TrackedTable) -> String {
    let nothing: Vec<_> = (0..words_of(table)).map(|_| "0").collect();
    let local_key = table.key.iter().map(|part| part.name.as_str()).filter(|name| table.column_index(name).is_none());
    let names: Vec<&str> = local_key.collect();
    let of = |row| of_row(row, names.iter().copied());
    let same_key = match names.is_empty() {
        true => String::new(),
        false => format!(" AND pg_catalog.record_image_eq(ROW({}), ROW({}))", of("OLD"), of("NEW")),
    };
    function(
        "noted smallint := 2; k text[]; b text[]; m bigint[];",
        &format!(
            "m := {};\nIF m = '{{{}}}'::bigint[]{same_key} THEN RETURN NULL; END IF;\nk := {};\nb := {};",
            words(table),
            nothing.join(","),
            key(table, "NEW"),
            key(table, "OLD")
        ),
        &format!("noted := {WHOLE_TABLE};"),
        &format!(
            "INSERT INTO saddlebag.journal (table_number, op, at, key, before, changed) \
             VALUES ({}, noted, {NOW}, k, b, m);\nRETURN NULL;",
            table.number
        ),
    )
}

fn delete(table: &TrackedTable) -> String {
    function(
        "noted smallint := 3; k text[]; o text[];",
        &format!("k := {};\no := {};", key(table, "OLD"), old_values(table, "OLD")),
        &format!("noted := {WHOLE_TABLE};"),
        &format!(
            "INSERT INTO saddlebag.journal (table_number, op, at, key, old) \
             VALUES ({}, noted, {NOW}, k, o);\nRETURN NULL;",
            table.number
        ),
    )
}

/// Transactions that see one snapshot; TRUNCATE takes away what came after it too.
const SNAPSHOTS: &str = "ARRAY['repeatable read', 'serializable']";

/// Notes each row as deleted. On a partitioned table it has no rows to note, but new partitions may be without it yet.
fn truncate(table: &TrackedTable) -> String {
    let number = table.number;
    let note = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key, old) \
         SELECT {number}, 3, {NOW}, {}, {} FROM ONLY ",
        key(table, "t"),
        old_values(table, "t")
    );
    let without = format!(
        "SELECT 1 FROM pg_catalog.pg_partition_tree(TG_RELID) p WHERE p.isleaf AND p.relid <> TG_RELID AND NOT EXISTS \
         (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = p.relid AND t.tgenabled = 'A' AND t.tgname = {})",
        literal(&Event::Truncate.trigger(number))
    );
    function(
        "noted smallint := 0;",
        &format!(
            "EXECUTE {} || TG_RELID::pg_catalog.regclass::text || ' AS t';\n\
             IF EXISTS ({without}) OR pg_catalog.current_setting('transaction_isolation') = ANY ({SNAPSHOTS})\n\
             THEN noted := {WHOLE_TABLE}; END IF;",
            literal(&note)
        ),
        &format!("noted := {WHOLE_TABLE};"),
        &format!(
            "IF noted <> 0 THEN INSERT INTO saddlebag.journal (table_number, op, at) \
             VALUES ({number}, noted, {NOW}); END IF;\nRETURN NULL;"
        ),
    )
}

/// Notes that a row may be about to move: its partition is part of its key.
fn moving(table: &TrackedTable) -> String {
    let of = |row| of_row(row, table.key.iter().map(|part| part.name.as_str()));
    function(
        "k text[]; b text[]; m bigint[];",
        &format!(
            "IF pg_catalog.record_image_eq(ROW({}), ROW({})) THEN RETURN NEW; END IF;\nm := {};\nk := {};\nb := {};",
            of("OLD"),
            of("NEW"),
            words(table),
            key(table, "NEW"),
            key(table, "OLD")
        ),
        "RETURN NEW;",
        &format!(
            "INSERT INTO saddlebag.journal (table_number, op, at, key, before, changed) \
             VALUES ({}, 6, {NOW}, k, b, m);\nRETURN NEW;",
            table.number
        ),
    )
}

/// Those of these functions that are not there, or not as they should be.
pub(super) fn differing<'a>(client: &mut Client, wanted: &'a [Function]) -> Result<Vec<&'a Function>, StoreError> {
    let sql = "SELECT p.proname::text, p.prosrc, p.prosecdef, COALESCE(p.proconfig, '{}') FROM pg_catalog.pg_proc p
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'saddlebag'";
    let mut present: BTreeMap<String, (String, bool, Vec<String>)> = BTreeMap::new();
    for row in client.query(MAKING, sql, &[])? {
        let made = (field(MAKING, &row, 1)?, field(MAKING, &row, 2)?, field(MAKING, &row, 3)?);
        present.insert(field(MAKING, &row, 0)?, made);
    }
    let is_as_wanted = |function: &&Function| {
        let settings: Vec<String> = function.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        present
            .get(&function.name())
            .is_some_and(|(body, definer, set)| *body == function.body && *definer && *set == settings)
    };
    Ok(wanted.iter().filter(|function| !is_as_wanted(function)).collect())
}
