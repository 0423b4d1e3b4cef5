//! Whether databases say the same, by SQL of the comparison's own: keys are followed to what they mean, by the
//! application's catalogue.

use rusqlite::{Connection, Result};

use super::catalogue::{Catalogue, Refers};
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
pub fn differences(databases: &[(&str, &Connection)]) -> Result<Vec<String>> {
    let catalogue = Catalogue::read(databases[0].1)?;
    let mut told: Vec<Table> = SHARED.iter().map(|shared| table(&catalogue, shared)).collect();
    // What they refer to and do not share is the same in every copy.
    let mut fixed: Vec<&str> = told.iter().flat_map(|table| &table.undeclared).map(|(_, to)| to.as_str()).collect();
    fixed.retain(|target| !told.iter().any(|table| table.table == *target));
    fixed.sort_unstable();
    fixed.dedup();
    let fixed: Vec<Table> = fixed.into_iter().map(Table::fixed).collect();
    told.extend(fixed);
    meaning::differences(databases, &told)
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
    use std::path::{Path, PathBuf};

    use super::super::{Recording, Replay, packed, unpack};
    use super::*;
    use crate::fleet::temporary_folder;

    /// A copy of the clinic at which all of these worked, one after the other.
    fn worked(packed: &Path, database: &Path, recordings: &[&Recording]) {
        unpack(packed, database);
        for recording in recordings {
            let mut replay = Replay::new((*recording).clone(), database).unwrap();
            let all = 0..recording.operations.len();
            let done = replay.run(database, all.clone()).unwrap();
            assert_eq!((done.operations, done.skipped), (all.len(), 0));
        }
    }

    fn compare(one: &Path, other: &Path) -> Vec<String> {
        let (one, other) = (Connection::open(one).unwrap(), Connection::open(other).unwrap());
        differences(&[("one", &one), ("other", &other)]).unwrap()
    }

    #[test]
    fn keys_mean_nothing_and_everything_else_counts() {
        let Some(packed) = packed("keys_mean_nothing_and_everything_else_counts") else { return };
        let folder = temporary_folder();
        let paths: [PathBuf; 2] = ["one.db", "other.db"].map(|name| folder.path().join(name));
        let [hilltop, riverside] = Recording::apart();
        worked(&packed, &paths[0], &[&hilltop, &riverside]);
        worked(&packed, &paths[1], &[&riverside, &hilltop]);
        let started = std::time::Instant::now();
        assert_eq!(compare(&paths[0], &paths[1]), Vec::<String>::new());
        eprintln!("compare {:?}", started.elapsed());
    }
}
