//! Patients and what was observed of them: plausible values, always the same ones.

use std::path::Path;

use rusqlite::{Connection, params};
use saddlebag_tests::fleet::TestEntropy;

/// One patient for so many rows; the others are observations.
const ROWS_A_PATIENT: u64 = 25;

pub(crate) const SCHEMA: &str = "
CREATE TABLE patient (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, family TEXT NOT NULL, given TEXT NOT NULL, sex TEXT NOT NULL,
    born TEXT NOT NULL, village TEXT, registered TEXT NOT NULL);
CREATE TABLE observation (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, patient_id INTEGER NOT NULL REFERENCES patient (id),
    concept INTEGER NOT NULL, taken TEXT NOT NULL, number REAL, code INTEGER, text TEXT, unit TEXT,
    status TEXT NOT NULL, observer INTEGER NOT NULL, entered TEXT NOT NULL);
CREATE INDEX observation_patient ON observation (patient_id);
";

/// Which columns each table has, in order.
pub(crate) const TABLES: &str = "
[patient]
identity = \"uuid(uuid)\"
[observation]
identity = \"uuid(uuid)\"
";

pub(crate) struct Patient {
    id: i64,
    uuid: String,
    family: &'static str,
    given: &'static str,
    sex: &'static str,
    born: String,
    village: Option<&'static str>,
    registered: String,
}

pub(crate) struct Observation {
    id: i64,
    uuid: String,
    patient: i64,
    concept: i64,
    taken: String,
    number: Option<f64>,
    code: Option<i64>,
    text: Option<&'static str>,
    unit: Option<&'static str>,
    status: &'static str,
    observer: i64,
    entered: String,
}

const FAMILIES: [&str; 12] =
    ["Okello", "Auma", "Njoroge", "Banda", "Phiri", "Mwale", "Tembo", "Moyo", "Sesay", "Kamara", "Conteh", "Jalloh"];
const GIVEN: [&str; 12] =
    ["Grace", "Moses", "Esther", "Peter", "Ruth", "James", "Mary", "David", "Aminata", "Ibrahim", "Fatu", "Samuel"];
const VILLAGES: [&str; 8] = ["Kapiri", "Chikwawa", "Nsanje", "Bo", "Kenema", "Makeni", "Lamwo", "Kitgum"];
const NOTES: [&str; 6] =
    ["comes back in a week", "fever since two days", "referred", "refused", "took all tablets", "see the last visit"];

/// All rows that a run is about.
pub(crate) struct Rows {
    pub(crate) patients: Vec<Patient>,
    pub(crate) observations: Vec<Observation>,
}

fn uuid(random: &mut TestEntropy) -> String {
    let (high, low) = (random.next_u64(), random.next_u64());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | (low >> 48 & 0x3fff), low & 0xffff_ffff_ffff)
}

/// A moment, so many seconds after the beginning of 2026.
fn moment(seconds: u64) -> String {
    let (day, time) = (seconds / 86_400, seconds % 86_400);
    let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
    format!("2026-{month:02}-{day:02} {:02}:{:02}:{:02}", time / 3_600, time / 60 % 60, time % 60)
}

impl Rows {
    /// `rows` rows, both tables together.
    pub(crate) fn new(rows: u64) -> Self {
        let mut random = TestEntropy(20_261_121);
        let patients = (rows / ROWS_A_PATIENT).max(1);
        let mut all = Self { patients: Vec::new(), observations: Vec::new() };
        for id in 1..=patients {
            let (year, month, day) = (1930 + random.below(95), 1 + random.below(12), 1 + random.below(28));
            all.patients.push(Patient {
                id: id.cast_signed(),
                uuid: uuid(&mut random),
                family: FAMILIES[random.below(FAMILIES.len())],
                given: GIVEN[random.below(GIVEN.len())],
                sex: ["F", "M"][random.below(2)],
                born: format!("{year}-{month:02}-{day:02}"),
                village: (random.below(5) > 0).then(|| VILLAGES[random.below(VILLAGES.len())]),
                registered: moment(id * 900),
            });
        }
        let mut seconds = 28_800;
        for id in 1..=rows - patients {
            // Eight observations are made of one patient in one go.
            let visit = id / 8;
            seconds += if id % 8 == 0 { 300 + random.below(900) as u64 } else { random.below(40) as u64 };
            all.observations.push(observation(&mut random, id.cast_signed(), visit, patients, seconds));
        }
        all
    }
}

fn observation(random: &mut TestEntropy, id: i64, visit: u64, patients: u64, seconds: u64) -> Observation {
    let kind = random.below(6);
    let tenths = |random: &mut TestEntropy, from: usize, width: usize| Some((from + random.below(width)) as f64 / 10.0);
    let number = match kind {
        0 => tenths(random, 355, 50),
        1 => tenths(random, 300, 600),
        2 => Some((50 + random.below(90)) as f64),
        3 => Some((80 + random.below(100)) as f64),
        _ => None,
    };
    Observation {
        id,
        uuid: uuid(random),
        patient: (visit.wrapping_mul(7_919) % patients + 1).cast_signed(),
        concept: [5_088, 5_089, 5_087, 5_085, 1_284, 160_632][kind],
        taken: moment(seconds),
        number,
        code: (kind == 4).then(|| 116_000 + random.below(60) as i64),
        text: (kind == 5).then(|| NOTES[random.below(NOTES.len())]),
        unit: ["Cel", "kg", "/min", "mm[Hg]"].get(kind).copied(),
        status: if random.below(50) == 0 { "amended" } else { "final" },
        observer: (visit % 9 + 1).cast_signed(),
        entered: moment(seconds + random.below(120) as u64),
    }
}

/// An empty database of the application, as it makes it.
pub(crate) fn create(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(SCHEMA).unwrap();
}

/// A connection with the settings of saddlebag's own.
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection
}

/// Puts all rows into an empty database as fast as SQLite takes them: one transaction, prepared statements.
pub(crate) fn insert(connection: &mut Connection, rows: &Rows) {
    let transaction = connection.transaction().unwrap();
    {
        let sql = "INSERT INTO patient VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut statement = transaction.prepare(sql).unwrap();
        for p in &rows.patients {
            let row = params![p.id, p.uuid, p.family, p.given, p.sex, p.born, p.village, p.registered];
            statement.execute(row).unwrap();
        }
        let sql = "INSERT INTO observation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let mut statement = transaction.prepare(sql).unwrap();
        for o in &rows.observations {
            let row = params![
                o.id, o.uuid, o.patient, o.concept, o.taken, o.number, o.code, o.text, o.unit, o.status, o.observer,
                o.entered
            ];
            statement.execute(row).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Changes one value of every row, by its key.
pub(crate) fn update(connection: &mut Connection, rows: &Rows) {
    let transaction = connection.transaction().unwrap();
    {
        let mut statement = transaction.prepare("UPDATE patient SET village = ?2 WHERE id = ?1").unwrap();
        for p in &rows.patients {
            statement.execute(params![p.id, VILLAGES[p.uuid.len() % VILLAGES.len()].to_owned() + " II"]).unwrap();
        }
        let mut statement = transaction.prepare("UPDATE observation SET number = ?2 WHERE id = ?1").unwrap();
        for o in &rows.observations {
            statement.execute(params![o.id, o.number.unwrap_or(0.0) + 1.5]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Reads every column of every row; gives the number of rows, and of bytes of text so that nothing is left out.
pub(crate) fn scan(connection: &Connection) -> (u64, u64) {
    let (mut count, mut bytes) = (0, 0);
    for table in ["patient", "observation"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            count += 1;
            for column in 0..columns {
                bytes += match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => text.len() as u64,
                    rusqlite::types::ValueRef::Null => 0,
                    _ => 8,
                };
            }
        }
    }
    (count, bytes)
}
