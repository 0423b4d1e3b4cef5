//! Clinic work in SQL as OpenMRS writes it: whole rows updated, voided instead of deleted, corrected by a row that names
//! the one before, order numbers from one row of `global_property`. Invented patients, by seed.
//!
//! Rows are picked by uuid, so that the same seed does the same work on the same contents, whatever their keys.

mod encounters;
mod orders;
mod patients;
mod programs;
mod reference;

use std::collections::{BTreeMap, HashMap};

use postgres::Client;
use saddlebag_formats::ambient::Entropy as _;
use saddlebag_tests::fleet::TestEntropy;

/// Who is a patient.
const PATIENTS: &str = "(SELECT patient_id FROM patient WHERE NOT voided)";

/// What somebody at a place does.
type Task = fn(&mut Work<'_>);

/// Work at a clinic, and how often each is drawn.
const AT_A_CLINIC: &[(&str, u32, Task)] = &[
    ("register a patient", 10, patients::register),
    ("correct a person", 6, patients::correct),
    ("correct a name", 4, patients::rename),
    ("new telephone number", 5, patients::new_telephone),
    ("another address", 3, patients::new_address),
    ("another identifier", 3, patients::new_identifier),
    ("relate two persons", 4, patients::relate),
    ("end a relationship", 2, patients::end_relationship),
    ("purge a relationship", 3, patients::purge_relationship),
    ("merge two patients", 2, patients::merge),
    ("death", 1, patients::die),
    ("new staff", 1, patients::employ),
    ("log in", 4, patients::log_in),
    ("vital signs", 14, encounters::vital_signs),
    ("consultation", 12, encounters::consult),
    ("close a visit", 6, encounters::close_visit),
    ("correct an observation", 8, encounters::correct_obs),
    ("void an encounter", 3, encounters::void),
    ("unvoid an encounter", 2, encounters::unvoid),
    ("purge an observation", 1, encounters::purge_obs),
    ("correct a diagnosis", 3, encounters::correct_diagnosis),
    ("prescribe", 12, orders::prescribe),
    ("order a test", 8, orders::order_test),
    ("revise an order", 5, orders::revise),
    ("discontinue an order", 4, orders::discontinue),
    ("laboratory result", 6, orders::report_result),
    ("dispense", 6, orders::dispense),
    ("condition", 5, programs::new_condition),
    ("condition changes", 4, programs::change_condition),
    ("allergy", 4, programs::new_allergy),
    ("allergy changes", 3, programs::change_allergy),
    ("enrol", 4, programs::enrol),
    ("next state", 4, programs::next_state),
    ("complete a program", 2, programs::complete),
    ("cohort", 2, programs::cohort),
    ("note", 2, programs::note),
];

/// Work at the ministry: reference data, and corrections of what came.
const AT_THE_MINISTRY: &[(&str, u32, Task)] = &[
    ("new concept", 4, reference::new_concept),
    ("retire a concept", 1, reference::retire_concept),
    ("new location", 3, reference::new_location),
    ("move a tag", 2, reference::move_tag),
    ("new drug", 2, reference::new_drug),
    ("new role", 2, reference::new_role),
    ("new user", 1, reference::new_user),
    ("correct a person", 4, patients::correct),
    ("correct a diagnosis", 2, encounters::correct_diagnosis),
    ("log in", 2, patients::log_in),
];

/// Somebody at work on one database.
pub(super) struct Work<'a> {
    pub(super) client: &'a mut Client,
    /// Which place it is: 0 for the ministry.
    pub(super) place: usize,
    /// Of how many places that share the patients among them, by their uuids; 0: all treat all of them.
    pub(super) places: usize,
    dice: TestEntropy,
    /// Seconds since the beginning of March 2026.
    seconds: u64,
    columns: HashMap<String, Vec<String>>,
    /// How often what was done.
    pub(super) done: BTreeMap<&'static str, usize>,
}

impl<'a> Work<'a> {
    /// Somebody at a place, who draws from this seed and begins in hour `hour`.
    pub(super) fn new(client: &'a mut Client, (place, places): (usize, usize), seed: u64, hour: u64) -> Self {
        Self {
            client,
            place,
            places,
            dice: TestEntropy(seed),
            seconds: hour * 3600,
            columns: HashMap::new(),
            done: BTreeMap::new(),
        }
    }

    /// Does so many things, each in a transaction of its own.
    pub(super) fn run(&mut self, things: usize) {
        let tasks = if self.place == 0 { AT_THE_MINISTRY } else { AT_A_CLINIC };
        let all: u32 = tasks.iter().map(|(_, weight, _)| weight).sum();
        for _ in 0..things {
            let mut drawn = u32::try_from(self.below(all as usize)).unwrap();
            let (name, _, task) = tasks
                .iter()
                .find(|(_, weight, _)| {
                    let is_it = drawn < *weight;
                    drawn = drawn.wrapping_sub(*weight);
                    is_it
                })
                .unwrap();
            self.seconds += 60 + self.below(900) as u64;
            *self.done.entry(name).or_default() += 1;
            self.run_sql("BEGIN");
            task(self);
            self.run_sql("COMMIT");
        }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.dice.below(bound)
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    /// A new random UUID.
    pub(super) fn uuid(&mut self) -> String {
        let mut bytes = self.dice.bytes16();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("'{}-{}-{}-{}-{}'", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// The time as SQL.
    pub(super) fn now(&self) -> String {
        format!("(timestamp '2026-03-01 06:00' + make_interval(secs => {}))", self.seconds)
    }

    /// The key of the concept whose uuid begins with this number.
    pub(super) fn concept(number: u32) -> String {
        format!("(SELECT concept_id FROM concept WHERE uuid = '{:A<36}')", number)
    }

    pub(super) fn run_sql(&mut self, sql: &str) {
        self.client.batch_execute(sql).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// The keys that a query gives.
    pub(super) fn keys(&mut self, sql: &str) -> Vec<i32> {
        let rows = self.client.query(sql, &[]).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// One of the rows that a condition holds for, if there is one.
    pub(super) fn any(&mut self, key: &str, table: &str, condition: &str) -> Option<i32> {
        let all = self.keys(&format!("SELECT {key} FROM {table} WHERE {condition} ORDER BY uuid COLLATE \"C\", 1"));
        (!all.is_empty()).then(|| all[self.below(all.len())])
    }

    /// One of the patients that this place treats, neither voided nor dead.
    pub(super) fn patient(&mut self) -> Option<i32> {
        let own = self.own();
        self.any("person_id", "person", &format!("NOT voided AND NOT dead AND person_id IN {PATIENTS} AND {own}"))
    }

    /// Whether a row of `person` or `cohort` is one that this place works on.
    pub(super) fn own(&self) -> String {
        match self.places {
            0 => "true".to_owned(),
            places => format!("ascii(right(uuid, 1)) % {places} = {}", self.place % places),
        }
    }

    /// The patients that this place treats, as a query.
    pub(super) fn own_patients(&self) -> String {
        format!("(SELECT person_id FROM person WHERE NOT voided AND person_id IN {PATIENTS} AND {})", self.own())
    }

    /// A new uuid of a row that this place works on.
    pub(super) fn own_uuid(&mut self) -> String {
        loop {
            let uuid = self.uuid();
            let last = usize::from(uuid.as_bytes()[uuid.len() - 2]);
            if self.places == 0 || last % self.places == self.place % self.places {
                return uuid;
            }
        }
    }

    /// Enters a row and gives its key.
    pub(super) fn insert(&mut self, table: &str, key: &str, columns: &str, values: &str) -> i32 {
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING {key}");
        let [key] = self.keys(&sql).try_into().unwrap_or_else(|keys| panic!("{keys:?}\n{sql}"));
        key
    }

    /// Changes a row as Hibernate does: every column is written, most with the value that it has.
    pub(super) fn update(&mut self, table: &str, key: &str, id: i32, changes: &[(&str, &str)]) {
        let names = self.columns_of(table);
        let value = |name: &String| {
            let changed = changes.iter().find(|(column, _)| column == name);
            format!("{name} = {}", changed.map_or(name.as_str(), |(_, value)| value))
        };
        assert!(changes.iter().all(|(column, _)| names.iter().any(|name| name == column)), "{table}: {changes:?}");
        let set: Vec<String> = names.iter().filter(|name| *name != key).map(value).collect();
        self.run_sql(&format!("UPDATE {table} SET {} WHERE {key} = {id}", set.join(", ")));
    }

    /// Like [`Work::update`], with who changed it and when, where the table keeps that.
    pub(super) fn edit(&mut self, table: &str, key: &str, id: i32, changes: &[(&str, &str)]) {
        let (now, user) = (self.now(), self.user());
        let mut all = changes.to_vec();
        if self.columns_of(table).iter().any(|name| name == "date_changed") {
            all.extend([("changed_by", user.as_str()), ("date_changed", now.as_str())]);
        }
        self.update(table, key, id, &all);
    }

    /// Voids a row.
    pub(super) fn void(&mut self, table: &str, key: &str, id: i32, reason: &str) {
        let (now, user, reason) = (self.now(), self.user(), format!("'{reason}'"));
        let changes = [("voided", "true"), ("voided_by", &user), ("date_voided", &now), ("void_reason", &reason)];
        self.update(table, key, id, &changes);
    }

    /// Who is at the keyboard: one of the users that were there from the beginning.
    pub(super) fn user(&mut self) -> String {
        let name = self.pick(&["clerk", "nurse1", "nurse2", "doctor1", "doctor2", "lab1", "pharm1"]);
        let user = self.keys(&format!("SELECT user_id FROM users WHERE username = '{name}'"));
        user[0].to_string()
    }

    fn columns_of(&mut self, table: &str) -> Vec<String> {
        if let Some(columns) = self.columns.get(table) {
            return columns.clone();
        }
        let sql = "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0
            AND NOT attisdropped ORDER BY attnum";
        let rows = self.client.query(sql, &[&table]).unwrap();
        let columns: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        self.columns.insert(table.to_owned(), columns.clone());
        columns
    }
}
