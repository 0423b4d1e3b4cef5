-- What a database of `synthea.sql` says, with every reference followed to the uuid of its target: one query
-- for each table, one row for each of its rows. See `samples/meaning.sql` for use with the `sqlite3` shell.

-- table organizations
SELECT uuid, name, address, city, state, zip, lat, lon, phone, revenue, utilization
FROM organizations ORDER BY uuid;

-- table providers
SELECT p.uuid, o.uuid AS organization, p.name, p.gender, p.speciality, p.address, p.city, p.state, p.zip, p.lat, p.lon,
       p.utilization
FROM providers AS p
JOIN organizations AS o ON o.id = p.organization_id
ORDER BY p.uuid;

-- table patients
SELECT uuid, birthdate, deathdate, ssn, drivers, passport, prefix, first, last, suffix, maiden, marital, race,
       ethnicity, gender, birthplace, address, city, state, county, zip, lat, lon, healthcare_expenses,
       healthcare_coverage
FROM patients ORDER BY uuid;

-- table encounters
SELECT e.uuid, e.start, e.stop, pa.uuid AS patient, o.uuid AS organization, pr.uuid AS provider, e.payer,
       e.encounterclass, e.code, e.description, e.base_encounter_cost, e.total_claim_cost, e.payer_coverage,
       e.reasoncode, e.reasondescription
FROM encounters AS e
JOIN patients AS pa ON pa.id = e.patient_id
JOIN organizations AS o ON o.id = e.organization_id
LEFT JOIN providers AS pr ON pr.id = e.provider_id
ORDER BY e.uuid;

-- table conditions
SELECT pa.uuid AS patient, e.uuid AS encounter, c.start, c.stop, c.code, c.description
FROM conditions AS c
JOIN patients AS pa ON pa.id = c.patient_id
JOIN encounters AS e ON e.id = c.encounter_id
ORDER BY 1, 2, 3, 4, 5, 6;

-- table observations
SELECT pa.uuid AS patient, e.uuid AS encounter, ob.date, ob.category, ob.code, ob.description, ob.value, ob.units,
       ob.type
FROM observations AS ob
JOIN patients AS pa ON pa.id = ob.patient_id
LEFT JOIN encounters AS e ON e.id = ob.encounter_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- table medications
SELECT pa.uuid AS patient, e.uuid AS encounter, m.start, m.stop, m.payer, m.code, m.description, m.base_cost,
       m.payer_coverage, m.dispenses, m.totalcost, m.reasoncode, m.reasondescription
FROM medications AS m
JOIN patients AS pa ON pa.id = m.patient_id
JOIN encounters AS e ON e.id = m.encounter_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13;
