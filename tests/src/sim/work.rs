//! What people do at a place: statements of their application, several in a transaction.

use rusqlite::types::Value as Sql;

use super::look::{Look, Row};
use super::plan::randomness;
use super::schema::{PATIENT, STAY, VILLAGE, VISIT};
use crate::fleet::TestEntropy;

/// A statement of the application.
pub type Statement = (String, Vec<Sql>);

/// Somebody at work.
#[derive(Debug)]
pub struct Work<'a> {
    /// What stands in the tables.
    pub look: &'a Look,
    /// The event's randomness.
    pub random: &'a mut TestEntropy,
    /// The seed of the world.
    pub seed: u64,
    /// The event's number, which makes every word another one.
    pub event: usize,
    /// Whether people do what must be held.
    pub is_wild: bool,
    words: usize,
    statements: Vec<Statement>,
}

fn text(text: impl Into<String>) -> Sql {
    Sql::Text(text.into())
}

/// A UUID as applications write it.
fn uuid(random: &mut TestEntropy) -> String {
    let (a, b) = (random.next_u64(), random.next_u64());
    let (high, middle, version) = (a >> 32, a >> 16 & 0xFFFF, a & 0xFFF);
    format!("{high:08x}-{middle:04x}-4{version:03x}-8{:03x}-{:012x}", b >> 48 & 0xFFF, b & 0xFFFF_FFFF_FFFF)
}

impl<'a> Work<'a> {
    /// Somebody who begins.
    pub fn new(look: &'a Look, random: &'a mut TestEntropy, seed: u64, event: usize, is_wild: bool) -> Self {
        Self { look, random, seed, event, is_wild, words: 0, statements: Vec::new() }
    }

    /// One transaction, in words and statements.
    pub fn transaction(mut self) -> (&'static str, Vec<Statement>) {
        let what = match self.random.below(if self.is_wild { 48 } else { 42 }) {
            0..=3 => self.found_village(),
            4..=8 => self.register_patient(),
            9..=11 => self.admit(),
            12..=15 => self.note_visit(),
            16..=24 => self.edit(1),
            25 | 26 => self.edit(3),
            27 => self.edit_and_back(),
            28 => self.edit_often(),
            29 => self.change_nothing(),
            30 | 31 => self.move_visit(),
            32 => self.move_patient(),
            33 => self.follow_visit(),
            34 => self.delete_visit(),
            35 => self.delete_stay(),
            36 => self.delete_patient(),
            37 => self.delete_village(),
            38 => self.enter_again(),
            39 => self.replace_stay(),
            40 => self.replace_patient(),
            41 => self.change_key(),
            42 | 43 => self.correct_village(),
            44 => self.use_code_again(),
            45 | 46 => self.number_patient(),
            _ => self.weigh_heavily(),
        };
        (what, self.statements)
    }

    fn run(&mut self, sql: &str, parameters: Vec<Sql>) {
        self.statements.push((sql.to_owned(), parameters));
    }

    /// A word that nobody has written before; now and then none.
    fn word(&mut self) -> Sql {
        if self.random.below(12) == 0 { Sql::Null } else { self.certain_word() }
    }

    fn certain_word(&mut self) -> Sql {
        self.words += 1;
        text(format!("w{}.{}", self.event, self.words))
    }

    fn is_one_in(&mut self, bound: usize) -> bool {
        self.random.below(bound) == 0
    }

    /// Some row of a table: half of all work is on one, so that it meets.
    fn some(&mut self, table: usize) -> Option<&'a Row> {
        let rows = &self.look.tables[table];
        if rows.is_empty() {
            return None;
        }
        let hot = self.random.below(2) == 0;
        let at = self.random.below(rows.len());
        Some(if hot { &rows[0] } else { &rows[at] })
    }

    fn key_of(&mut self, table: usize) -> Sql {
        match self.some(table) {
            Some(row) => Sql::Integer(row.key),
            None => Sql::Null,
        }
    }

    /// A UUID that other places may come upon too.
    fn shared_uuid(&mut self) -> String {
        uuid(&mut randomness(self.seed, 1_000 + self.random.below(3) as u64))
    }

    fn found_village(&mut self) -> &'static str {
        let code = if self.is_one_in(3) { self.certain_word() } else { text(format!("V{}", self.random.below(4))) };
        let title = self.word();
        if self.is_one_in(2) {
            self.run("INSERT INTO village (code, title) VALUES (?1, ?2)", vec![code, title]);
        } else {
            let district = self.word();
            self.run("INSERT INTO village (code, title, district) VALUES (?1, ?2, ?3)", vec![code, title, district]);
        }
        "found a village"
    }

    fn register_patient(&mut self) -> &'static str {
        let uuid = if self.is_one_in(6) { self.shared_uuid() } else { uuid(self.random) };
        let village = if self.is_one_in(4) { Sql::Null } else { self.key_of(VILLAGE) };
        let (name, phone) = (self.word(), self.word());
        let values = vec![text(uuid), name, phone, village];
        self.run("INSERT INTO patient (uuid, name, phone, village_id) VALUES (?1, ?2, ?3, ?4)", values);
        "register a patient"
    }

    fn admit(&mut self) -> &'static str {
        let (patient, day) = (self.key_of(PATIENT), text(format!("day-{}", self.random.below(3))));
        let (ward, bed) = (self.word(), self.word());
        self.run(
            "INSERT INTO stay (patient_id, day, ward, bed) VALUES (?1, ?2, ?3, ?4)",
            vec![patient, day, ward, bed],
        );
        "admit a patient"
    }

    fn note_visit(&mut self) -> &'static str {
        for _ in 0..=self.random.below(3) {
            let (tag, patient) = (self.certain_word(), self.key_of(PATIENT));
            let previous = if self.is_one_in(3) { self.key_of(VISIT) } else { Sql::Null };
            let (note, weight) = (self.word(), self.word());
            let sql = "INSERT INTO visit (tag, note, weight, patient_id, previous_id) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.run(sql, vec![tag, note, weight, patient, previous]);
        }
        "note visits"
    }

    /// A table, its row, and the columns in it that hold words.
    fn something(&mut self) -> Option<(&'static str, i64, &'static [&'static str])> {
        let (table, name, columns): (_, _, &[&str]) = match self.random.below(8) {
            0 | 1 => (VILLAGE, "village", &["title", "district"]),
            2..=4 => (PATIENT, "patient", &["name", "phone"]),
            5 => (STAY, "stay", &["ward", "bed"]),
            _ => (VISIT, "visit", &["note", "weight"]),
        };
        Some((name, self.some(table)?.key, columns))
    }

    fn set(&mut self, (table, key): (&str, i64), column: &str, value: Sql) {
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE id = ?2");
        self.run(&sql, vec![value, Sql::Integer(key)]);
    }

    fn edit(&mut self, times: usize) -> &'static str {
        for _ in 0..times {
            let Some((table, key, columns)) = self.something() else { continue };
            if self.is_one_in(3) {
                let sql = format!("UPDATE {table} SET {} = ?1, {} = ?2 WHERE id = ?3", columns[0], columns[1]);
                let values = vec![self.word(), self.word(), Sql::Integer(key)];
                self.run(&sql, values);
            } else {
                let (column, value) = (columns[self.random.below(2)], self.word());
                self.set((table, key), column, value);
            }
        }
        "edit"
    }

    fn edit_and_back(&mut self) -> &'static str {
        if let Some(row) = self.some(PATIENT) {
            let word = self.certain_word();
            self.set(("patient", row.key), "name", word);
            let before = row.values[0].clone().map_or(Sql::Null, Sql::Text);
            self.set(("patient", row.key), "name", before);
        }
        "edit, and back"
    }

    fn edit_often(&mut self) -> &'static str {
        if let Some((table, key, columns)) = self.something() {
            for _ in 0..6 {
                let word = self.word();
                self.set((table, key), columns[0], word);
            }
        }
        "edit often"
    }

    fn change_nothing(&mut self) -> &'static str {
        let key = self.key_of(PATIENT);
        self.run("UPDATE patient SET name = name, phone = phone WHERE id = ?1", vec![key]);
        "change nothing"
    }

    fn move_visit(&mut self) -> &'static str {
        let values = vec![self.key_of(PATIENT), self.key_of(VISIT)];
        self.run("UPDATE visit SET patient_id = ?1 WHERE id = ?2", values);
        "move a visit"
    }

    fn move_patient(&mut self) -> &'static str {
        let values = vec![self.key_of(VILLAGE), self.key_of(PATIENT)];
        self.run("UPDATE patient SET village_id = ?1 WHERE id = ?2", values);
        "move a patient"
    }

    fn follow_visit(&mut self) -> &'static str {
        let values = vec![self.key_of(VISIT), self.key_of(VISIT)];
        self.run("UPDATE visit SET previous_id = ?1 WHERE id = ?2", values);
        "let a visit follow another"
    }

    fn delete_visit(&mut self) -> &'static str {
        let key = self.key_of(VISIT);
        self.run("UPDATE visit SET previous_id = NULL WHERE previous_id = ?1", vec![key.clone()]);
        self.run("DELETE FROM visit WHERE id = ?1", vec![key]);
        "delete a visit"
    }

    fn delete_stay(&mut self) -> &'static str {
        let key = self.key_of(STAY);
        self.run("DELETE FROM stay WHERE id = ?1", vec![key]);
        "delete a stay"
    }

    fn delete_patient(&mut self) -> &'static str {
        let key = self.key_of(PATIENT);
        if self.is_one_in(2) {
            self.run(
                "UPDATE visit SET previous_id = NULL WHERE previous_id IN (SELECT id FROM visit WHERE patient_id = ?1)",
                vec![key.clone()],
            );
            self.run("DELETE FROM visit WHERE patient_id = ?1", vec![key.clone()]);
            self.run("DELETE FROM stay WHERE patient_id = ?1", vec![key.clone()]);
        }
        self.run("DELETE FROM patient WHERE id = ?1", vec![key]);
        "delete a patient"
    }

    fn delete_village(&mut self) -> &'static str {
        let key = self.key_of(VILLAGE);
        self.run("UPDATE patient SET village_id = NULL WHERE village_id = ?1", vec![key.clone()]);
        self.run("DELETE FROM village WHERE id = ?1", vec![key]);
        "delete a village"
    }

    /// Deleted and entered again under the same identity, in one transaction.
    fn enter_again(&mut self) -> &'static str {
        let Some(row) = self.some(VILLAGE) else { return "enter a village again" };
        let (key, code) = (Sql::Integer(row.key), text(row.name.clone()));
        self.run("UPDATE patient SET village_id = NULL WHERE village_id = ?1", vec![key.clone()]);
        self.run("DELETE FROM village WHERE id = ?1", vec![key]);
        let title = self.word();
        self.run("INSERT INTO village (code, title) VALUES (?1, ?2)", vec![code, title]);
        "enter a village again"
    }

    fn replace_stay(&mut self) -> &'static str {
        let (patient, day) = (self.key_of(PATIENT), text(format!("day-{}", self.random.below(3))));
        let ward = self.word();
        self.run("INSERT OR REPLACE INTO stay (patient_id, day, ward) VALUES (?1, ?2, ?3)", vec![patient, day, ward]);
        "replace a stay"
    }

    fn replace_patient(&mut self) -> &'static str {
        let Some(row) = self.some(PATIENT) else { return "replace a patient" };
        let (uuid, name) = (text(row.name.clone()), self.word());
        self.run("INSERT OR REPLACE INTO patient (uuid, name) VALUES (?1, ?2)", vec![uuid, name]);
        "replace a patient"
    }

    /// The local key of a row changes; nobody elsewhere may notice.
    fn change_key(&mut self) -> &'static str {
        let key = self.key_of(STAY);
        self.run("UPDATE stay SET id = (SELECT max(id) FROM stay) + 7 WHERE id = ?1", vec![key]);
        "change a key"
    }

    fn correct_village(&mut self) -> &'static str {
        let key = self.key_of(VILLAGE);
        let code = if self.is_one_in(4) { text(format!("V{}", self.random.below(4))) } else { self.certain_word() };
        self.run("UPDATE village SET code = ?1 WHERE id = ?2", vec![code, key]);
        "correct a village's code"
    }

    fn use_code_again(&mut self) -> &'static str {
        let Some(row) = self.some(VILLAGE) else { return "use a code again" };
        let (new, title) = (self.certain_word(), self.word());
        self.set(("village", row.key), "code", new);
        self.run("INSERT INTO village (code, title) VALUES (?1, ?2)", vec![text(row.name.clone()), title]);
        "use a code again"
    }

    fn number_patient(&mut self) -> &'static str {
        let number = text(format!("N{}", self.random.below(4)));
        let key = self.key_of(PATIENT);
        self.run("UPDATE patient SET number = ?1 WHERE id = ?2", vec![number, key]);
        "number a patient"
    }

    fn weigh_heavily(&mut self) -> &'static str {
        if let (Some(row), Sql::Text(word)) = (self.some(VISIT), self.certain_word()) {
            self.set(("visit", row.key), "weight", text(format!("{word} heavy")));
        }
        "weigh heavily"
    }
}
