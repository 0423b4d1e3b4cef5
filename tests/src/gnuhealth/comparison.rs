//! Whether databases say the same, by SQL of the comparison's own: keys are followed to what they mean, by the
//! application's catalogue.

use super::catalogue::{Catalogue, Refers};
use crate::app::{App, AppError};
use crate::meaning::{self, Table};

/// A table that the places share, the columns that are each place's own, and those whose numbers each place counts.
type Shared = (&'static str, &'static [&'static str], &'static [&'static str]);

const ACCOUNTS: &[&str] = &["account_payable", "account_receivable", "customer_tax_rule", "supplier_tax_rule"];

const SHARED: [Shared; 37] = [
    ("party_party", &[], &[]),
    ("party_address", &[], &[]),
    ("party_contact_mechanism", &[], &[]),
    ("party_party_lang", &[], &[]),
    ("party_party_location", &[], &[]),
    ("party_party_account", ACCOUNTS, &[]),
    ("party_party_payment_term", &["customer_payment_term", "supplier_payment_term"], &[]),
    ("gnuhealth_person_name", &[], &[]),
    ("gnuhealth_person_alternative_identification", &[], &[]),
    ("gnuhealth_insurance", &[], &[]),
    ("gnuhealth_patient", &[], &[]),
    ("gnuhealth_healthprofessional", &[], &[]),
    ("gnuhealth_family", &[], &["name"]),
    ("gnuhealth_family_member", &[], &[]),
    ("gnuhealth_du", &[], &[]),
    ("gnuhealth_birth_certificate", &[], &["code"]),
    ("gnuhealth_death_certificate", &[], &["code"]),
    ("gnuhealth_pol", &[], &[]),
    ("gnuhealth_appointment", &["event"], &["name"]),
    ("gnuhealth_patient_evaluation", &[], &["code"]),
    ("gnuhealth_patient_disease", &[], &[]),
    ("gnuhealth_patient_pregnancy", &[], &[]),
    ("gnuhealth_patient_prenatal_evaluation", &[], &[]),
    ("gnuhealth_patient_ambulatory_care", &[], &["name"]),
    ("gnuhealth_ses_assessment", &[], &[]),
    ("gnuhealth_contact_tracing", &[], &[]),
    ("gnuhealth_vaccination", &[], &[]),
    ("gnuhealth_prescription_order", &[], &["prescription_id"]),
    ("gnuhealth_prescription_line", &[], &[]),
    ("gnuhealth_patient_lab_test", &[], &[]),
    ("gnuhealth_lab", &[], &["name"]),
    ("gnuhealth_lab_test_critearea", &[], &[]),
    ("gnuhealth_inpatient_registration", &["event"], &["name"]),
    ("gnuhealth_hospital_bed", &["calendar"], &[]),
    ("ir_attachment", &[], &[]),
    ("ir_note", &[], &[]),
    ("ir_note_read", &[], &[]),
];

/// Tables whose rows have a name of their own.
const NAMED: [(&str, &str); 3] = [("party_party", "code"), ("gnuhealth_pol", "page"), ("gnuhealth_du", "name")];

/// What the places share, with the columns that are each place's own.
#[must_use]
pub fn tables() -> Vec<(String, Vec<String>)> {
    SHARED.iter().map(|(table, own, _)| ((*table).to_owned(), strings(own))).collect()
}

/// One sentence for each row that is not equally often in each of the databases; none if all say the same.
///
/// # Errors
/// When a table cannot be read.
pub fn differences(databases: &[(&str, &App)]) -> Result<Vec<String>, AppError> {
    let catalogue = Catalogue::read(databases[0].1)?;
    meaning::differences(databases, &all(&catalogue))
}

/// What is told: the shared tables, and what they refer to.
fn all(catalogue: &Catalogue) -> Vec<Table> {
    let mut told: Vec<Table> = SHARED.iter().map(|shared| table(catalogue, shared)).collect();
    // What they refer to and do not share is the same in every copy.
    let mut fixed: Vec<&str> = told.iter().flat_map(|table| &table.undeclared).map(|(_, to)| to.as_str()).collect();
    fixed.retain(|target| !told.iter().any(|table| table.table == *target));
    fixed.sort_unstable();
    fixed.dedup();
    let fixed: Vec<Table> = fixed.into_iter().map(Table::fixed).collect();
    told.extend(fixed);
    told
}

fn table(catalogue: &Catalogue, (name, own, counted): &Shared) -> Table {
    let naming = NAMED.iter().filter(|(table, _)| table == name).map(|(_, column)| (*column).to_owned());
    let mut table = Table { name: naming.collect(), ..Table::new(name).without(own) };
    table.qualified = strings(counted);
    for (column, refers) in catalogue.of(name) {
        if own.contains(&column.as_str()) {
            continue;
        }
        match refers {
            Refers::To(target) => table.undeclared.push((column, target)),
            Refers::ByModel => table.by_model.push(column),
            Refers::AsNamedBy(_) => {}
        }
    }
    table
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Alone, Beginning, Recording, Replay};
    use super::*;
    use crate::engines::{Engines, POSTGRES, SQLITE};
    use crate::leases::needs_postgres;

    /// Columns whose numbers each place counts by itself.
    fn counted() -> Vec<(String, String)> {
        let of = |(table, _, columns): &Shared| {
            strings(columns).into_iter().map(|column| ((*table).to_owned(), column)).collect::<Vec<_>>()
        };
        SHARED.iter().flat_map(of).collect()
    }

    /// A copy of the clinic at which all of these worked, one after the other.
    fn worked(beginning: &Beginning, recordings: &[&Recording]) -> Alone {
        let alone = beginning.alone(&counted());
        for recording in recordings {
            let mut replay = Replay::new((*recording).clone(), &alone.app).unwrap();
            let all = 0..recording.operations.len();
            let done = replay.run(&alone.app, all.clone()).unwrap();
            assert_eq!((done.operations, done.skipped), (all.len(), 0));
        }
        alone
    }

    fn keys_mean_nothing(test: &str, engines: Engines) {
        let Some(beginning) = Beginning::of(test, engines) else { return };
        let [hilltop, riverside] = beginning.apart();
        let (one, other) = (worked(&beginning, &[&hilltop, &riverside]), worked(&beginning, &[&riverside, &hilltop]));
        let found = differences(&[("one", &one.app), ("other", &other.app)]).unwrap();
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn keys_mean_nothing_and_everything_else_counts() {
        keys_mean_nothing("keys_mean_nothing_and_everything_else_counts", SQLITE);
    }

    #[test]
    fn keys_mean_nothing_and_everything_else_counts_on_postgresql() {
        let test = "keys_mean_nothing_and_everything_else_counts_on_postgresql";
        if needs_postgres(test) {
            keys_mean_nothing(test, POSTGRES);
        }
    }

    /// What a sync could do wrong in a table: each must be seen.
    fn wrongs(app: &App, catalogue: &Catalogue, (table, own, _): &Shared) -> Vec<String> {
        let columns = app.texts(&format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'id'"), &[]);
        let columns: Vec<String> = columns.into_iter().flatten().collect();
        let (references, newest) = (catalogue.of(table), format!("id = (SELECT max(id) FROM {table})"));
        let all = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
        let mut wrongs = vec![
            format!("DELETE FROM {table} WHERE {newest}"),
            format!("INSERT INTO {table} ({all}) SELECT {all} FROM {table} WHERE {newest}"),
        ];
        let plain = columns.iter().find(|column| !references.contains_key(*column) && !own.contains(&column.as_str()));
        wrongs.extend(plain.map(|column| format!("UPDATE {table} SET \"{column}\" = 'wrong' WHERE {newest}")));
        let shared = references.into_iter().filter(|(column, _)| !own.contains(&column.as_str()));
        // Users are referred to in every table: one of the others is enough.
        let said = shared.filter(|(column, refers)| *refers != Refers::ByModel && !column.ends_with("_uid"));
        for (column, refers) in said.take(2) {
            let Refers::To(target) = refers else { continue };
            let other = format!("SELECT max(id) FROM {target} WHERE id <> {table}.\"{column}\"");
            let some = format!("SELECT max(id) FROM {table} WHERE ({other}) IS NOT NULL");
            wrongs.push(format!("UPDATE {table} SET \"{column}\" = ({other}) WHERE id = ({some})"));
        }
        wrongs
    }

    #[test]
    fn what_is_lost_twice_or_refers_to_another_is_seen() {
        let test = "what_is_lost_twice_or_refers_to_another_is_seen";
        let Some(beginning) = Beginning::of(test, SQLITE) else { return };
        let Alone { app, .. } = &worked(&beginning, &[&beginning.apart()[0]]);
        let catalogue = Catalogue::read(app).unwrap();
        let tables = all(&catalogue);
        let right = meaning::meaning(app, &tables).unwrap();
        let mut seen = 0;
        for shared in &SHARED {
            for wrong in wrongs(app, &catalogue, shared) {
                app.execute_batch("SAVEPOINT wrong").unwrap();
                let changed = app.write(&wrong, &[]).unwrap();
                if changed > 0 {
                    assert_ne!(meaning::meaning(app, &tables).unwrap()[shared.0], right[shared.0], "{wrong}");
                    seen += 1;
                }
                app.execute_batch("ROLLBACK TO wrong; RELEASE wrong").unwrap();
            }
        }
        assert!(seen > 100, "only {seen} wrongs tried");
    }
}
