-- A small clinic's application, as somebody might write it at home: integer keys, declared references.

CREATE TABLE facility (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'health post' CHECK (kind IN ('health post', 'clinic', 'hospital', 'office')),
    district TEXT,
    phone TEXT,
    beds INTEGER NOT NULL DEFAULT 0 CHECK (beds >= 0),
    latitude REAL,
    longitude REAL,
    is_open INTEGER NOT NULL DEFAULT 1 CHECK (is_open IN (0, 1))
);

CREATE TABLE staff (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('clinical officer', 'nurse', 'midwife', 'community worker')),
    phone TEXT,
    facility_id INTEGER NOT NULL REFERENCES facility (id),
    supervisor_id INTEGER REFERENCES staff (id),
    hired_on TEXT,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1))
);

CREATE TABLE program (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    purpose TEXT,
    visits_expected INTEGER NOT NULL DEFAULT 4,
    starts_on TEXT,
    ends_on TEXT
);

CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    sex TEXT NOT NULL DEFAULT 'U' CHECK (sex IN ('F', 'M', 'U')),
    birth_date TEXT NOT NULL,
    birth_date_estimated INTEGER NOT NULL DEFAULT 0,
    village TEXT,
    phone TEXT,
    next_of_kin TEXT,
    registered_at_id INTEGER REFERENCES facility (id),
    registered_on TEXT NOT NULL,
    notes TEXT
);
CREATE INDEX patient_by_name ON patient (family_name, given_name);

CREATE TABLE encounter (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    facility_id INTEGER NOT NULL REFERENCES facility (id),
    staff_id INTEGER REFERENCES staff (id),
    kind TEXT NOT NULL DEFAULT 'outpatient',
    reason TEXT,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    notes TEXT,
    CHECK (ended_at IS NULL OR ended_at >= started_at)
);
CREATE INDEX encounter_by_patient ON encounter (patient_id, started_at);

-- What was measured or seen. A correction is a row of its own that points to the one it replaces.
CREATE TABLE observation (
    id INTEGER PRIMARY KEY,
    encounter_id INTEGER NOT NULL REFERENCES encounter (id),
    previous_id INTEGER REFERENCES observation (id),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    value_number REAL,
    value_text TEXT,
    unit TEXT,
    taken_at TEXT NOT NULL,
    taken_by_id INTEGER REFERENCES staff (id),
    status TEXT NOT NULL DEFAULT 'final' CHECK (status IN ('final', 'corrected')),
    CHECK (value_number IS NOT NULL OR value_text IS NOT NULL)
);
CREATE INDEX observation_by_encounter ON observation (encounter_id);

CREATE TABLE condition (
    id INTEGER PRIMARY KEY,
    encounter_id INTEGER NOT NULL REFERENCES encounter (id),
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    severity TEXT NOT NULL DEFAULT 'mild' CHECK (severity IN ('mild', 'moderate', 'severe')),
    certainty TEXT NOT NULL DEFAULT 'presumed' CHECK (certainty IN ('presumed', 'confirmed')),
    onset_on TEXT,
    resolved_on TEXT,
    notes TEXT
);

CREATE TABLE medication (
    id INTEGER PRIMARY KEY,
    encounter_id INTEGER NOT NULL REFERENCES encounter (id),
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    drug TEXT NOT NULL,
    dose REAL NOT NULL CHECK (dose > 0),
    unit TEXT NOT NULL DEFAULT 'mg',
    route TEXT NOT NULL DEFAULT 'by mouth',
    times_a_day INTEGER NOT NULL DEFAULT 1 CHECK (times_a_day > 0),
    days INTEGER NOT NULL CHECK (days > 0),
    started_on TEXT NOT NULL,
    stopped_on TEXT,
    instructions TEXT,
    is_dispensed INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE patient_program (
    id INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    program_id INTEGER NOT NULL REFERENCES program (id),
    enrolled_on TEXT NOT NULL,
    enrolled_by_id INTEGER REFERENCES staff (id),
    left_on TEXT,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'left')),
    UNIQUE (patient_id, program_id)
);
