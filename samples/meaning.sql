-- What a clinic's database says, without the integer keys that differ between places: every reference
-- is followed to what it means. Two databases that say the same give the same rows, line for line:
--
--     sqlite3 one.db < meaning.sql > one.txt; sqlite3 two.db < meaning.sql > two.txt; diff one.txt two.txt
--
-- Each query follows a line "-- table NAME" and gives one row for each row of that table.

-- table facility
SELECT code, name, kind, district, phone, beds, latitude, longitude, is_open
FROM facility ORDER BY code;

-- table staff
SELECT staff.uuid, staff.name, staff.role, staff.phone, facility.code AS facility, boss.uuid AS supervisor,
       staff.hired_on, staff.is_active
FROM staff
JOIN facility ON facility.id = staff.facility_id
LEFT JOIN staff AS boss ON boss.id = staff.supervisor_id
ORDER BY staff.uuid;

-- table program
SELECT code, name, purpose, visits_expected, starts_on, ends_on
FROM program ORDER BY code;

-- table patient
SELECT patient.uuid, given_name, family_name, sex, birth_date, birth_date_estimated, village, patient.phone,
       next_of_kin, facility.code AS registered_at, registered_on, notes
FROM patient
LEFT JOIN facility ON facility.id = patient.registered_at_id
ORDER BY patient.uuid;

-- table encounter
SELECT encounter.uuid, patient.uuid AS patient, facility.code AS facility, staff.uuid AS staff, encounter.kind,
       reason, started_at, ended_at, status, encounter.notes
FROM encounter
JOIN patient ON patient.id = encounter.patient_id
JOIN facility ON facility.id = encounter.facility_id
LEFT JOIN staff ON staff.id = encounter.staff_id
ORDER BY encounter.uuid;

-- table observation
SELECT encounter.uuid AS encounter, patient.uuid AS patient, o.code, o.name, o.value_number, o.value_text, o.unit,
       o.taken_at, staff.uuid AS taken_by, o.status,
       was_at.uuid AS previous_encounter, was.code AS previous_code, was.taken_at AS previous_taken_at,
       was.value_number AS previous_number, was.value_text AS previous_text
FROM observation AS o
JOIN encounter ON encounter.id = o.encounter_id
JOIN patient ON patient.id = encounter.patient_id
LEFT JOIN staff ON staff.id = o.taken_by_id
LEFT JOIN observation AS was ON was.id = o.previous_id
LEFT JOIN encounter AS was_at ON was_at.id = was.encounter_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15;

-- table condition
SELECT encounter.uuid AS encounter, patient.uuid AS patient, code, name, severity, certainty, onset_on, resolved_on,
       condition.notes
FROM condition
JOIN encounter ON encounter.id = condition.encounter_id
JOIN patient ON patient.id = condition.patient_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- table medication
SELECT encounter.uuid AS encounter, patient.uuid AS patient, drug, dose, unit, route, times_a_day, days, started_on,
       stopped_on, instructions, is_dispensed
FROM medication
JOIN encounter ON encounter.id = medication.encounter_id
JOIN patient ON patient.id = medication.patient_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;

-- table patient_program
SELECT patient.uuid AS patient, program.code AS program, enrolled_on, staff.uuid AS enrolled_by, left_on, status
FROM patient_program
JOIN patient ON patient.id = patient_program.patient_id
JOIN program ON program.id = patient_program.program_id
LEFT JOIN staff ON staff.id = patient_program.enrolled_by_id
ORDER BY 1, 2;
