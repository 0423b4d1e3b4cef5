//! Further clinic work on Synthea's records, seeded: what happens at a place between two visits of the courier.
//!
//! It inserts under the next free integer keys, which other places give to other records, and it edits and
//! deletes what other places may edit and delete too.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, params};
use saddlebag_samples::Dice;

/// What one round of work did, counted as it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Patients registered.
    pub patients: usize,
    /// Encounters entered.
    pub encounters: usize,
    /// Observations entered.
    pub observations: usize,
    /// Conditions entered.
    pub conditions: usize,
    /// Medications entered.
    pub medications: usize,
    /// Edits of patients that this site registered.
    pub own_edits: usize,
    /// Edits of patients that any site may edit.
    pub shared_edits: usize,
    /// Edits of organizations, which all places hold.
    pub organization_edits: usize,
    /// Edits of observations.
    pub observation_edits: usize,
    /// Encounters that got another provider.
    pub provider_changes: usize,
    /// Updates that changed nothing.
    pub idle_updates: usize,
    /// Observations deleted.
    pub deletions: usize,
}

/// Works one round at a site. The same site, seed, round and database give the same work; a round is worked
/// once at each site.
///
/// # Errors
/// When the database refuses.
pub fn work(connection: &mut Connection, site: &str, seed: u64, round: u64) -> Result<Work> {
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction()?;
    let dice = Dice::for_site(&format!("{site}, round {round}"), seed);
    let mut place = Place { transaction: &transaction, site, dice, date: format!("2026-{:02}-15", 1 + round % 12) };
    let mut work = Work::default();
    for _ in 0..2 {
        work.patients += place.register()?;
    }
    for _ in 0..6 {
        place.encounter(&mut work)?;
    }
    place.edits(&mut work)?;
    for _ in 0..3 {
        work.deletions += place.on_any("observations", "DELETE FROM observations WHERE id = ?1", None)?;
    }
    transaction.commit()?;
    Ok(work)
}

struct Place<'t> {
    transaction: &'t Transaction<'t>,
    site: &'t str,
    dice: Dice,
    date: String,
}

impl Place<'_> {
    /// The key of one of the rows that `rows` (what follows FROM) gives.
    fn any(&mut self, rows: &str) -> Result<Option<i64>> {
        let throw = self.dice.throw();
        let mut statement = self.transaction.prepare_cached(&format!("SELECT id FROM {rows} ORDER BY id"))?;
        let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
        Ok((!ids.is_empty()).then(|| *Dice::new(throw).pick(&ids)))
    }

    /// Runs a statement on one of `rows`: ?1 is its key, ?2 the value. Counts the rows it changed.
    fn on_any(&mut self, rows: &str, sql: &str, value: Option<Value>) -> Result<usize> {
        let Some(id) = self.any(rows)? else {
            return Ok(0);
        };
        let mut statement = self.transaction.prepare_cached(sql)?;
        match value {
            Some(value) => statement.execute(params![id, value]),
            None => statement.execute([id]),
        }
    }

    fn register(&mut self) -> Result<usize> {
        let uuid = self.dice.uuid();
        let (given, family) = (self.dice.below(1000), self.dice.below(1000));
        let gender = *self.dice.pick(&["F", "M"]);
        self.transaction.execute(
            "INSERT INTO patients (uuid, birthdate, first, last, gender, address, city, county, healthcare_expenses)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0.0)",
            params![
                uuid,
                format!("{}-06-01", self.dice.between(1930, 2025)),
                format!("Given{given}"),
                format!("Family{family}"),
                gender,
                self.address(),
                self.site,
                self.county(),
            ],
        )
    }

    /// Marks the patients whom this site registered.
    fn county(&self) -> String {
        format!("around {}", self.site)
    }

    fn address(&mut self) -> String {
        format!("{} Long Road", self.dice.below(10_000))
    }

    fn encounter(&mut self, work: &mut Work) -> Result<()> {
        let (patient, provider) = (self.any("patients")?, self.any("providers")?);
        let (Some(patient), Some(provider)) = (patient, provider) else {
            return Ok(());
        };
        let cost = self.amount();
        work.encounters += self.transaction.execute(
            "INSERT INTO encounters (uuid, start, patient_id, organization_id, provider_id, encounterclass, code,
                                     description, base_encounter_cost)
             SELECT ?1, ?2, ?3, organization_id, id, 'ambulatory', '185345009', 'Encounter for symptom', ?5
             FROM providers WHERE id = ?4",
            params![self.dice.uuid(), format!("{}T09:00:00Z", self.date), patient, provider, cost],
        )?;
        let encounter = self.transaction.last_insert_rowid();
        for _ in 0..=self.dice.below(4) {
            work.observations += self.observe(patient, encounter)?;
        }
        if self.dice.chance(60) {
            work.conditions += self.find(patient, encounter)?;
        }
        if self.dice.chance(60) {
            work.medications += self.prescribe(patient, encounter)?;
        }
        Ok(())
    }

    /// An amount in cents, as a floating point number.
    fn amount(&mut self) -> f64 {
        f64::from(u32::try_from(self.dice.below(100_000)).unwrap_or_default()) / 100.0
    }

    fn observe(&mut self, patient: i64, encounter: i64) -> Result<usize> {
        let value = format!("{:.1}", self.amount());
        self.transaction.execute(
            "INSERT INTO observations (date, patient_id, encounter_id, category, code, description, value, units, type)
             VALUES (?1, ?2, ?3, 'vital-signs', '8302-2', 'Body Height', ?4, 'cm', 'numeric')",
            params![format!("{}T09:05:00Z", self.date), patient, encounter, value],
        )
    }

    fn find(&mut self, patient: i64, encounter: i64) -> Result<usize> {
        self.transaction.execute(
            "INSERT INTO conditions (start, patient_id, encounter_id, code, description)
             VALUES (?1, ?2, ?3, '195662009', 'Acute viral pharyngitis (disorder)')",
            params![self.date, patient, encounter],
        )
    }

    fn prescribe(&mut self, patient: i64, encounter: i64) -> Result<usize> {
        let (cost, dispenses) = (self.amount(), self.dice.between(1, 12));
        self.transaction.execute(
            "INSERT INTO medications (start, patient_id, encounter_id, code, description, base_cost, dispenses)
             VALUES (?1, ?2, ?3, '665078', 'Loratadine 5 MG Chewable Tablet', ?4, ?5)",
            params![self.date, patient, encounter, cost, dispenses],
        )
    }

    fn edits(&mut self, work: &mut Work) -> Result<()> {
        let own = format!("patients WHERE county = '{}'", self.county().replace('\'', "''"));
        // The first few by uuid are the same people everywhere, so that two sites often edit the same one.
        let shared = "(SELECT id FROM patients ORDER BY uuid LIMIT 6)";
        for _ in 0..3 {
            let address = self.address();
            work.own_edits += self.set(&own, "patients", "address", address.into())?;
        }
        for column in ["address", "marital", "healthcare_expenses", "address"] {
            let value = self.new_value(column);
            work.shared_edits += self.set(shared, "patients", column, value)?;
        }
        for _ in 0..4 {
            let value = format!("{:.1}", self.amount());
            work.observation_edits += self.set("observations", "observations", "value", value.into())?;
        }
        let organization = "(SELECT id FROM organizations ORDER BY uuid LIMIT 4)";
        let phone = format!("555{:07}", self.dice.below(10_000_000));
        work.organization_edits += self.set(organization, "organizations", "phone", phone.into())?;
        work.provider_changes += self.change_provider()?;
        work.idle_updates += self.on_any("patients", "UPDATE patients SET last = last WHERE id = ?1", None)?;
        Ok(())
    }

    fn new_value(&mut self, column: &str) -> Value {
        match column {
            "marital" => Value::Text((*self.dice.pick(&["M", "S", "D", "W"])).to_owned()),
            "healthcare_expenses" => Value::Real(self.amount()),
            _ => Value::Text(self.address()),
        }
    }

    fn set(&mut self, rows: &str, table: &str, column: &str, value: Value) -> Result<usize> {
        self.on_any(rows, &format!("UPDATE {table} SET {column} = ?2 WHERE id = ?1"), Some(value))
    }

    /// Another provider of the same organization, if it has one, else any.
    fn change_provider(&mut self) -> Result<usize> {
        let Some(encounter) = self.any("encounters")? else {
            return Ok(0);
        };
        let sql = "SELECT p.id FROM providers AS p JOIN encounters AS e ON e.id = ?1
                   WHERE p.id IS NOT e.provider_id
                   ORDER BY p.organization_id <> e.organization_id, p.uuid LIMIT 1";
        let other: Option<i64> = self.transaction.query_row(sql, [encounter], |row| row.get(0)).optional()?;
        let Some(other) = other else { return Ok(0) };
        self.transaction.execute("UPDATE encounters SET provider_id = ?2 WHERE id = ?1", [encounter, other])
    }
}
