//! Who comes: registration and its corrections, families, staff.

use super::Work;

const GIVEN: &[&str] = &["Amina", "Baraka", "Chipo", "Daudi", "Esi", "Faraji", "Imani", "Jengo", "Zoë", "Ñeco"];
const FAMILY: &[&str] = &["Abara", "Banda", "Chirwa", "Dube", "Mwangi", "Ng''ang''a", "Okafor", "Phiri", "Tembo"];
const PLACES: &[&str] = &["Kisima", "Mto wa Mbu", "Ruaha", "Šibenik Road", "Ziwani"];

/// A person with a name.
fn person(w: &mut Work<'_>) -> i32 {
    let (now, user, uuid) = (w.now(), w.user(), w.own_uuid());
    let (gender, days) = (w.pick(&["F", "M"]), w.below(30_000));
    let estimated = w.one_in(4);
    let person = w.insert(
        "person",
        "person_id",
        "gender, birthdate, birthdate_estimated, dead, creator, date_created, voided, uuid, deathdate_estimated",
        &format!("'{gender}', date '2026-01-01' - {days}, {estimated}, false, {user}, {now}, false, {uuid}, false"),
    );
    name(w, person, true);
    person
}

fn name(w: &mut Work<'_>, person: i32, preferred: bool) {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let (given, family) = (w.pick(GIVEN), w.pick(FAMILY));
    w.insert(
        "person_name",
        "person_name_id",
        "preferred, person_id, given_name, family_name, creator, date_created, voided, uuid",
        &format!("{preferred}, {person}, '{given}', '{family}', {user}, {now}, false, {uuid}"),
    );
}

fn address(w: &mut Work<'_>, person: i32) {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let (house, village) = (w.below(90), w.pick(PLACES));
    w.insert(
        "person_address",
        "person_address_id",
        "person_id, preferred, address1, city_village, country, creator, date_created, voided, uuid",
        &format!("{person}, true, 'House {house}', '{village}', 'Kenya', {user}, {now}, false, {uuid}"),
    );
}

fn telephone(w: &mut Work<'_>, person: i32) -> String {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let number = format!("+2547{:08}", w.below(100_000_000));
    w.insert(
        "person_attribute",
        "person_attribute_id",
        "person_id, value, person_attribute_type_id, creator, date_created, voided, uuid",
        &format!(
            "{person}, '{number}', (SELECT person_attribute_type_id FROM person_attribute_type
                WHERE name = 'Telephone Number'), {user}, {now}, false, {uuid}"
        ),
    );
    number
}

fn identifier(w: &mut Work<'_>, patient: i32, kind: &str, text: &str, preferred: bool) {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "patient_identifier",
        "patient_identifier_id",
        "patient_id, identifier, identifier_type, preferred, location_id, creator, date_created, voided, uuid",
        &format!(
            "{patient}, '{text}', (SELECT patient_identifier_type_id FROM patient_identifier_type WHERE name = '{kind}'),
            {preferred}, (SELECT location_id FROM location WHERE name = 'Registration Desk'), {user}, {now}, false, {uuid}"
        ),
    );
}

pub(super) fn register(w: &mut Work<'_>) {
    let patient = person(w);
    address(w, patient);
    if !w.one_in(3) {
        telephone(w, patient);
    }
    let (now, user) = (w.now(), w.user());
    w.run_sql(&format!(
        "INSERT INTO patient (patient_id, creator, date_created, voided, allergy_status)
        VALUES ({patient}, {user}, {now}, false, 'Unknown')"
    ));
    // Each place has a prefix of its own; the number on a national card may be typed in at two places.
    let (place, number) = (w.place, w.below(1_000_000));
    identifier(w, patient, "OpenMRS ID", &format!("C{place}{number:06}"), true);
    if w.one_in(3) {
        let number = w.below(400);
        identifier(w, patient, "National ID", &number.to_string(), false);
    }
}

pub(super) fn correct(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let (days, gender) = (w.below(30_000), format!("'{}'", w.pick(&["F", "M"])));
    let born = format!("date '2026-01-01' - {days}");
    match w.below(3) {
        0 => w.edit("person", "person_id", patient, &[("birthdate", &born), ("birthdate_estimated", "false")]),
        1 => w.edit("person", "person_id", patient, &[("gender", &gender)]),
        // Saved without a change, but for who and when.
        _ => w.edit("person", "person_id", patient, &[]),
    }
}

pub(super) fn rename(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let own = format!("NOT voided AND person_id = {patient}");
    if let Some(old) = w.any("person_name_id", "person_name", &own) {
        w.void("person_name", "person_name_id", old, "mistyped");
    }
    name(w, patient, true);
}

pub(super) fn new_telephone(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let own = format!(
        "NOT voided AND person_id = {patient} AND person_attribute_type_id IN
            (SELECT person_attribute_type_id FROM person_attribute_type WHERE name = 'Telephone Number')"
    );
    let old = w.any("person_attribute_id", "person_attribute", &own);
    let number = telephone(w, patient);
    if let Some(old) = old {
        w.void("person_attribute", "person_attribute_id", old, &format!("New value: {number}"));
    }
}

pub(super) fn new_address(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let own = format!("NOT voided AND person_id = {patient}");
    match w.any("person_address_id", "person_address", &own) {
        Some(old) if w.one_in(2) => {
            let village = format!("'{}'", w.pick(PLACES));
            w.edit("person_address", "person_address_id", old, &[("city_village", &village)]);
        }
        old => {
            if let Some(old) = old {
                w.void("person_address", "person_address_id", old, "moved");
            }
            address(w, patient);
        }
    }
}

pub(super) fn new_identifier(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let number = w.below(400);
    identifier(w, patient, "National ID", &number.to_string(), false);
}

pub(super) fn relate(w: &mut Work<'_>) {
    let (Some(one), Some(other)) = (w.patient(), w.patient()) else { return };
    if one == other {
        return;
    }
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "relationship",
        "relationship_id",
        "person_a, relationship, person_b, start_date, creator, date_created, voided, uuid",
        &format!(
            "{one}, (SELECT min(relationship_type_id) FROM relationship_type), {other}, {now}, {user}, {now}, false, {uuid}"
        ),
    );
}

fn relationship(w: &mut Work<'_>) -> Option<i32> {
    let own = w.own_patients();
    w.any("relationship_id", "relationship", &format!("NOT voided AND person_a IN {own} AND person_b IN {own}"))
}

pub(super) fn end_relationship(w: &mut Work<'_>) {
    let Some(relationship) = relationship(w) else { return };
    let now = w.now();
    w.edit("relationship", "relationship_id", relationship, &[("end_date", &now)]);
}

pub(super) fn purge_relationship(w: &mut Work<'_>) {
    let Some(relationship) = relationship(w) else { return };
    w.run_sql(&format!("DELETE FROM relationship WHERE relationship_id = {relationship}"));
}

/// Everything of the loser is moved, row by row; the loser is voided.
pub(super) fn merge(w: &mut Work<'_>) {
    let (Some(winner), Some(loser)) = (w.patient(), w.patient()) else { return };
    if winner == loser {
        return;
    }
    let winner_id = winner.to_string();
    for (table, key, column) in [
        ("encounter", "encounter_id", "patient_id"),
        ("visit", "visit_id", "patient_id"),
        ("obs", "obs_id", "person_id"),
        ("orders", "order_id", "patient_id"),
        ("patient_program", "patient_program_id", "patient_id"),
        ("encounter_diagnosis", "diagnosis_id", "patient_id"),
        ("conditions", "condition_id", "patient_id"),
        ("medication_dispense", "medication_dispense_id", "patient_id"),
    ] {
        let moved = w.keys(&format!("SELECT {key} FROM {table} WHERE {column} = {loser} ORDER BY uuid"));
        for row in moved {
            w.update(table, key, row, &[(column, &winner_id)]);
        }
    }
    let names = "SELECT given_name FROM person_name WHERE NOT voided";
    let has_name = w.client.query(&format!("{names} AND person_id = {loser}"), &[]).unwrap().len();
    for _ in 0..has_name {
        name(w, winner, false);
    }
    for (table, key) in [("person_name", "person_name_id"), ("patient_identifier", "patient_identifier_id")] {
        let column = if table == "person_name" { "person_id" } else { "patient_id" };
        let left = w.keys(&format!("SELECT {key} FROM {table} WHERE {column} = {loser} AND NOT voided ORDER BY uuid"));
        for row in left {
            w.void(table, key, row, &format!("Merged with patient #{winner}"));
        }
    }
    w.void("patient", "patient_id", loser, &format!("Merged with patient #{winner}"));
    w.void("person", "person_id", loser, &format!("Merged with patient #{winner}"));
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "person_merge_log",
        "person_merge_log_id",
        "winner_person_id, loser_person_id, creator, date_created, merged_data, uuid, voided",
        &format!("{winner}, {loser}, {user}, {now}, '<moved><obs/></moved>', {uuid}, false"),
    );
}

pub(super) fn die(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let (now, cause) = (w.now(), Work::concept(116_128));
    let changes = [("dead", "true"), ("death_date", now.as_str()), ("cause_of_death", cause.as_str())];
    w.edit("person", "person_id", patient, &changes);
}

/// A person who may log in, and is a provider. Gives the user's key.
pub(super) fn user(w: &mut Work<'_>, username: &str) -> i32 {
    let (person, now, creator, uuid) = (person(w), w.now(), w.user(), w.uuid());
    // The next number of this database, with its check digit, unless somebody else has it.
    let next = "(SELECT n || '-' || n * 7 % 10 FROM generate_series((SELECT max(user_id) + 1 FROM users), 9999) n
        WHERE NOT EXISTS (SELECT FROM users WHERE system_id = n || '-' || n * 7 % 10) LIMIT 1)";
    let user = w.insert(
        "users",
        "user_id",
        "system_id, username, password, salt, creator, date_created, person_id, retired, uuid",
        &format!("{next}, '{username}', md5('{username}'), 'salt', {creator}, {now}, {person}, false, {uuid}"),
    );
    let uuid = w.uuid();
    w.insert(
        "provider",
        "provider_id",
        "person_id, identifier, creator, date_created, retired, uuid",
        &format!("{person}, upper('{username}'), {creator}, {now}, false, {uuid}"),
    );
    user
}

pub(super) fn employ(w: &mut Work<'_>) {
    let username = format!("nurse{}", 3 + w.below(12));
    let taken = w.keys(&format!("SELECT 1 FROM users WHERE username = '{username}'"));
    if taken.is_empty() {
        user(w, &username);
    }
}

/// Writes what is nobody else's business.
pub(super) fn log_in(w: &mut Work<'_>) {
    let (user, seconds) = (w.user(), w.seconds);
    w.run_sql(&format!(
        "DELETE FROM user_property WHERE user_id = {user} AND property IN ('lockoutTimestamp', 'lastLoginTimestamp');
        UPDATE user_property SET property_value = '0' WHERE user_id = {user} AND property = 'loginAttempts';
        INSERT INTO user_property (user_id, property, property_value) VALUES ({user}, 'lastLoginTimestamp', '{seconds}')"
    ));
}
