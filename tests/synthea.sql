-- Synthea's records as a clinic's application would hold them: integer keys, declared references.
-- Observations, conditions and medications have no name across places.

CREATE TABLE organizations (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    address TEXT,
    city TEXT,
    state TEXT,
    zip TEXT,
    lat REAL,
    lon REAL,
    phone TEXT,
    revenue REAL,
    utilization INTEGER
);

CREATE TABLE providers (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    organization_id INTEGER NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    gender TEXT,
    speciality TEXT,
    address TEXT,
    city TEXT,
    state TEXT,
    zip TEXT,
    lat REAL,
    lon REAL,
    utilization INTEGER
);

CREATE TABLE patients (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    birthdate TEXT NOT NULL,
    deathdate TEXT,
    ssn TEXT,
    drivers TEXT,
    passport TEXT,
    prefix TEXT,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    suffix TEXT,
    maiden TEXT,
    marital TEXT,
    race TEXT,
    ethnicity TEXT,
    gender TEXT,
    birthplace TEXT,
    address TEXT,
    city TEXT,
    state TEXT,
    county TEXT,
    zip TEXT,
    lat REAL,
    lon REAL,
    healthcare_expenses REAL,
    healthcare_coverage REAL
);

CREATE TABLE encounters (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    start TEXT NOT NULL,
    stop TEXT,
    patient_id INTEGER NOT NULL REFERENCES patients (id),
    organization_id INTEGER NOT NULL REFERENCES organizations (id),
    provider_id INTEGER REFERENCES providers (id),
    payer TEXT,
    encounterclass TEXT,
    code TEXT,
    description TEXT,
    base_encounter_cost REAL,
    total_claim_cost REAL,
    payer_coverage REAL,
    reasoncode TEXT,
    reasondescription TEXT
);
CREATE INDEX encounters_by_patient ON encounters (patient_id);

CREATE TABLE conditions (
    id INTEGER PRIMARY KEY,
    start TEXT NOT NULL,
    stop TEXT,
    patient_id INTEGER NOT NULL REFERENCES patients (id),
    encounter_id INTEGER NOT NULL REFERENCES encounters (id),
    code TEXT NOT NULL,
    description TEXT
);

CREATE TABLE observations (
    id INTEGER PRIMARY KEY,
    date TEXT NOT NULL,
    patient_id INTEGER NOT NULL REFERENCES patients (id),
    encounter_id INTEGER REFERENCES encounters (id),
    category TEXT,
    code TEXT NOT NULL,
    description TEXT,
    value TEXT,
    units TEXT,
    type TEXT
);
CREATE INDEX observations_by_patient ON observations (patient_id);

CREATE TABLE medications (
    id INTEGER PRIMARY KEY,
    start TEXT NOT NULL,
    stop TEXT,
    patient_id INTEGER NOT NULL REFERENCES patients (id),
    payer TEXT,
    encounter_id INTEGER NOT NULL REFERENCES encounters (id),
    code TEXT NOT NULL,
    description TEXT,
    base_cost REAL,
    payer_coverage REAL,
    dispenses INTEGER,
    totalcost REAL,
    reasoncode TEXT,
    reasondescription TEXT
);
