//! The clinic's database: its schema (`clinic.sql`) and what is the same in every place.

use rusqlite::{Connection, Result, params};

/// The schema, as SQL.
pub const SCHEMA: &str = include_str!("../clinic.sql");

/// The application's tables, each after those that it refers to.
pub const TABLES: [&str; 9] = [
    "facility",
    "staff",
    "program",
    "patient",
    "encounter",
    "observation",
    "condition",
    "medication",
    "patient_program",
];

type Facility = (&'static str, &'static str, &'static str, u32, f64, f64);

const FACILITIES: [Facility; 4] = [
    ("RIVERSIDE", "Riverside Health Post", "health post", 2, -1.204, 34.118),
    ("HILLTOP", "Hilltop Clinic", "clinic", 6, -1.377, 34.402),
    ("LAKESIDE", "Lakeside Clinic", "clinic", 8, -1.019, 34.233),
    ("DISTRICT", "District Hospital", "hospital", 84, -1.251, 34.307),
];

const PROGRAMS: [(&str, &str, &str, u32); 4] = [
    ("ANC", "Antenatal care", "Safe pregnancy and birth", 8),
    ("EPI", "Child immunisation", "All vaccines by the second birthday", 6),
    ("TB", "Tuberculosis treatment", "Six months of watched treatment", 26),
    ("NUT", "Nutrition", "Food for children under five who lose weight", 12),
];

/// Makes the tables in an empty database, in one transaction.
///
/// # Errors
/// When a table is there already, or the file cannot be written.
pub fn create(connection: &Connection) -> Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.commit()
}

/// Enters the facilities and programs that the ministry handed out to every place.
///
/// # Errors
/// When they are there already.
pub fn reference_data(connection: &Connection) -> Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for (code, name, kind, beds, latitude, longitude) in FACILITIES {
        transaction.execute(
            "INSERT INTO facility (code, name, kind, district, beds, latitude, longitude)
             VALUES (?1, ?2, ?3, 'Three Rivers', ?4, ?5, ?6)",
            params![code, name, kind, beds, latitude, longitude],
        )?;
    }
    for (code, name, purpose, visits) in PROGRAMS {
        transaction.execute(
            "INSERT INTO program (code, name, purpose, visits_expected, starts_on)
             VALUES (?1, ?2, ?3, ?4, '2025-01-01')",
            params![code, name, purpose, visits],
        )?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_table_after_those_it_refers_to() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
        let mut statement = connection.prepare(sql).unwrap();
        let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(tables, TABLES);
        let sql = "SELECT \"table\" FROM pragma_foreign_key_list(?1)";
        for (place, table) in TABLES.iter().enumerate() {
            let mut statement = connection.prepare(sql).unwrap();
            let targets = statement.query_map([table], |row| row.get::<_, String>(0)).unwrap();
            for target in targets.map(Result::unwrap) {
                assert!(TABLES[..=place].contains(&target.as_str()), "{table} refers to {target}");
            }
        }
    }

    #[test]
    fn reference_data_is_entered_once() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        reference_data(&connection).unwrap();
        assert!(reference_data(&connection).is_err());
        let sql = "SELECT (SELECT count(*) FROM facility) + (SELECT count(*) FROM program)";
        assert_eq!(connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 8);
    }
}
