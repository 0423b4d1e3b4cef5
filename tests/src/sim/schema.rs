//! The application of the simulated places: villages, patients, stays and visits, with every kind of identity.

/// The application's tables.
pub const SCHEMA: &str = "
CREATE TABLE village (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, title TEXT, district TEXT DEFAULT 'none');
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, number TEXT UNIQUE,
    village_id INTEGER REFERENCES village (id));
CREATE TABLE stay (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patient (id), day TEXT NOT NULL,
    ward TEXT, bed TEXT, UNIQUE (patient_id, day));
CREATE TABLE visit (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT, weight TEXT,
    patient_id INTEGER NOT NULL REFERENCES patient (id), previous_id INTEGER REFERENCES visit (id));
CREATE INDEX visit_patient ON visit (patient_id);
CREATE INDEX visit_previous ON visit (previous_id);
CREATE INDEX patient_village ON patient (village_id);
";

/// What a strict place refuses, beside: another schema, as it is in the world.
pub const LAX_WEIGHT: &str = "weight TEXT,";
/// See [`LAX_WEIGHT`].
pub const STRICT_WEIGHT: &str = "weight TEXT CHECK (weight NOT LIKE '%heavy'),";

/// What saddlebag keeps in step.
pub const TRACKED: &str = "
[village]
identity = 'natural(code)'
[patient]
identity = 'uuid(uuid)'
[stay]
identity = 'natural(patient_id, day)'
[visit]
identity = 'assigned'
";

/// What the model makes of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Every value that begins with `w` is written once in the world: what became of it can be told.
    Words,
    /// It refers to a patient, whose UUID is told with the record's name.
    Patient,
    /// Only compared.
    No,
}

/// A column as people read it.
#[derive(Debug)]
pub struct Column {
    /// Its name in what people are told.
    pub name: &'static str,
    /// What stands in it, in SQL over the row `t`; a reference as the name of what it points to.
    pub shown: &'static str,
    /// What the model makes of it.
    pub follow: Follow,
}

/// A table as people read it.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What names a record in the world, in SQL over the row `t`.
    pub named: &'static str,
    /// Whether a record has that name for ever, and no other one has it.
    pub is_lasting: bool,
    /// Its columns.
    pub columns: &'static [Column],
}

const fn column(name: &'static str, shown: &'static str, follow: Follow) -> Column {
    Column { name, shown, follow }
}

/// Which table is which, in [`TABLES`].
pub const VILLAGE: usize = 0;
/// See [`VILLAGE`].
pub const PATIENT: usize = 1;
/// See [`VILLAGE`].
pub const STAY: usize = 2;
/// See [`VILLAGE`].
pub const VISIT: usize = 3;

const PATIENT_UUID: &str = "(SELECT uuid FROM patient p WHERE p.id = t.patient_id)";

/// All tables, parents first.
pub const TABLES: [Table; 4] = [
    Table {
        name: "village",
        named: "t.code",
        is_lasting: false,
        columns: &[
            column("code", "t.code", Follow::Words),
            column("title", "t.title", Follow::Words),
            column("district", "t.district", Follow::Words),
        ],
    },
    Table {
        name: "patient",
        named: "t.uuid",
        is_lasting: true,
        columns: &[
            column("name", "t.name", Follow::Words),
            column("phone", "t.phone", Follow::Words),
            column("number", "t.number", Follow::No),
            column("village_id", "(SELECT code FROM village v WHERE v.id = t.village_id)", Follow::No),
        ],
    },
    Table {
        name: "stay",
        named: "(SELECT uuid FROM patient p WHERE p.id = t.patient_id) || '/' || t.day",
        is_lasting: true,
        columns: &[column("ward", "t.ward", Follow::Words), column("bed", "t.bed", Follow::Words)],
    },
    Table {
        name: "visit",
        named: "t.tag",
        is_lasting: true,
        columns: &[
            column("note", "t.note", Follow::Words),
            column("weight", "t.weight", Follow::Words),
            column("patient_id", PATIENT_UUID, Follow::Patient),
            column("previous_id", "(SELECT tag FROM visit v WHERE v.id = t.previous_id)", Follow::No),
        ],
    },
];
