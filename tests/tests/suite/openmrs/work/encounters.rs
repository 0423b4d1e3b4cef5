//! Visits, encounters, observations, diagnoses.

use super::Work;

/// The visit that is open, or a new one.
fn visit(w: &mut Work<'_>, patient: i32) -> i32 {
    let open = format!("patient_id = {patient} AND NOT voided AND date_stopped IS NULL");
    if let Some(visit) = w.any("visit_id", "visit", &open) {
        return visit;
    }
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "visit",
        "visit_id",
        "patient_id, visit_type_id, date_started, location_id, creator, date_created, voided, uuid",
        &format!(
            "{patient}, (SELECT min(visit_type_id) FROM visit_type), {now},
            (SELECT location_id FROM location WHERE name = 'Amani Health Centre'), {user}, {now}, false, {uuid}"
        ),
    )
}

/// An encounter with its provider, at some location.
pub(super) fn encounter(w: &mut Work<'_>, patient: i32, kind: &str) -> i32 {
    let visit = visit(w, patient);
    let location = w.any("location_id", "location", "NOT retired").unwrap();
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let encounter = w.insert(
        "encounter",
        "encounter_id",
        "encounter_type, patient_id, location_id, encounter_datetime, creator, date_created, voided, visit_id, uuid",
        &format!(
            "(SELECT encounter_type_id FROM encounter_type WHERE name = '{kind}'), {patient}, {location}, {now}, {user},
            {now}, false, {visit}, {uuid}"
        ),
    );
    let (provider, uuid) = (provider(w), w.uuid());
    w.insert(
        "encounter_provider",
        "encounter_provider_id",
        "encounter_id, provider_id, encounter_role_id, creator, date_created, voided, uuid",
        &format!(
            "{encounter}, {provider}, (SELECT min(encounter_role_id) FROM encounter_role), {user}, {now}, false, {uuid}"
        ),
    );
    encounter
}

pub(super) fn provider(w: &mut Work<'_>) -> i32 {
    w.any("provider_id", "provider", "NOT retired").unwrap()
}

/// An observation; `value` is a column and what it holds.
pub(super) fn obs(
    w: &mut Work<'_>,
    (patient, encounter): (i32, i32),
    concept: &str,
    value: Option<(&str, String)>,
    more: (&str, &str),
) -> i32 {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let (column, held) = value.unwrap_or(("value_text", "NULL".to_owned()));
    let (also, and) = more;
    w.insert(
        "obs",
        "obs_id",
        &format!(
            "person_id, concept_id, encounter_id, obs_datetime, location_id, {column}, creator, date_created, voided, uuid,
            status{also}"
        ),
        &format!(
            "{patient}, {concept}, {encounter}, {now}, (SELECT location_id FROM encounter WHERE encounter_id = {encounter}),
            {held}, {user}, {now}, false, {uuid}, 'FINAL'{and}"
        ),
    )
}

/// A number as OpenMRS stores it: binary fractions too.
fn number(w: &mut Work<'_>) -> String {
    match w.below(3) {
        0 => format!("{}.{}", w.below(50), w.below(10)),
        1 => w.below(200).to_string(),
        _ => format!("{}::float8 / 3", w.below(1_000)),
    }
}

pub(super) fn vital_signs(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let encounter = encounter(w, patient, "Vitals");
    let group = obs(w, (patient, encounter), &Work::concept(1114), None, ("", ""));
    for concept in [5085, 5086, 5087, 5088, 5089, 5090, 5092, 5242] {
        if w.one_in(4) {
            continue;
        }
        let value = number(w);
        let in_group = format!(", {group}");
        let made = obs(
            w,
            (patient, encounter),
            &Work::concept(concept),
            Some(("value_numeric", value)),
            (", obs_group_id", &in_group),
        );
        if w.one_in(10) {
            let uuid = w.uuid();
            let values = format!("{made}, 1.1::float8 * 3, 0.1, {uuid}");
            w.insert("obs_reference_range", "obs_reference_range_id", "obs_id, hi_normal, low_normal, uuid", &values);
        }
    }
    // What the ministry has added to the dictionary meanwhile.
    if let Some(newest) = w.any("concept_id", "concept", "version = 'ministry' AND NOT retired") {
        let value = number(w);
        obs(w, (patient, encounter), &newest.to_string(), Some(("value_numeric", value)), ("", ""));
    }
}

pub(super) fn consult(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let encounter = encounter(w, patient, "Visit Note");
    let words = w.pick(&["improving", "no change – see again", "réévaluer", "two lines\nof text", "it''s better"]);
    let text = Some(("value_text", format!("'{words}'")));
    obs(w, (patient, encounter), &Work::concept(162_169), text, ("", ""));
    if w.one_in(3) {
        let days = 7 + w.below(60);
        let date = Some(("value_datetime", format!("{} + interval '{days} days'", w.now())));
        obs(w, (patient, encounter), &Work::concept(5096), date, ("", ""));
    }
    for rank in 1..=1 + w.below(2) {
        let (now, user, uuid) = (w.now(), w.user(), w.uuid());
        let concept = w.pick(&["112141", "114100", "116128", "117399", "121629", "123093"]);
        let certainty = w.pick(&["PROVISIONAL", "CONFIRMED"]);
        let concept = Work::concept(concept.parse().unwrap());
        w.insert(
            "encounter_diagnosis",
            "diagnosis_id",
            "diagnosis_coded, diagnosis_coded_name, encounter_id, patient_id, certainty, dx_rank, uuid, creator,
            date_created, voided",
            &format!(
                "{concept}, (SELECT concept_name_id FROM concept_name n WHERE n.concept_id = {concept} ORDER BY uuid LIMIT 1),
                {encounter}, {patient}, '{certainty}', {rank}, {uuid}, {user}, {now}, false"
            ),
        );
    }
}

pub(super) fn close_visit(w: &mut Work<'_>) {
    let own = w.own_patients();
    let open = format!("NOT voided AND date_stopped IS NULL AND patient_id IN {own}");
    let Some(visit) = w.any("visit_id", "visit", &open) else { return };
    let now = w.now();
    w.edit("visit", "visit_id", visit, &[("date_stopped", &now)]);
}

/// A new row that names the old one, which is voided.
pub(super) fn correct_obs(w: &mut Work<'_>) {
    let own = w.own_patients();
    let numeric = format!("NOT voided AND value_numeric IS NOT NULL AND person_id IN {own}");
    let Some(old) = w.any("obs_id", "obs", &numeric) else { return };
    let (now, user, uuid, value) = (w.now(), w.user(), w.uuid(), number(w));
    w.run_sql(&format!(
        "INSERT INTO obs (person_id, concept_id, encounter_id, order_id, obs_datetime, location_id, obs_group_id,
            value_numeric, creator, date_created, voided, uuid, previous_version, status)
        SELECT person_id, concept_id, encounter_id, order_id, obs_datetime, location_id, obs_group_id,
            {value}, {user}, {now}, false, {uuid}, obs_id, 'AMENDED' FROM obs WHERE obs_id = {old}"
    ));
    w.void("obs", "obs_id", old, "Amended");
}

/// What belongs to an encounter and is voided with it.
const PARTS: [(&str, &str); 4] = [
    ("obs", "obs_id"),
    ("encounter_provider", "encounter_provider_id"),
    ("encounter_diagnosis", "diagnosis_id"),
    ("orders", "order_id"),
];

pub(super) fn void(w: &mut Work<'_>) {
    let own = w.own_patients();
    let Some(encounter) = w.any("encounter_id", "encounter", &format!("NOT voided AND patient_id IN {own}")) else {
        return;
    };
    w.void("encounter", "encounter_id", encounter, "wrong patient");
    for (table, key) in PARTS {
        let rows =
            w.keys(&format!("SELECT {key} FROM {table} WHERE encounter_id = {encounter} AND NOT voided ORDER BY uuid"));
        for row in rows {
            w.void(table, key, row, "wrong patient");
        }
    }
}

pub(super) fn unvoid(w: &mut Work<'_>) {
    let own = w.own_patients();
    let wrong = "voided AND void_reason = 'wrong patient'";
    let Some(encounter) = w.any("encounter_id", "encounter", &format!("{wrong} AND patient_id IN {own}")) else {
        return;
    };
    let back = [("voided", "false"), ("voided_by", "NULL"), ("date_voided", "NULL"), ("void_reason", "NULL")];
    w.update("encounter", "encounter_id", encounter, &back);
    for (table, key) in PARTS {
        let rows =
            w.keys(&format!("SELECT {key} FROM {table} WHERE encounter_id = {encounter} AND {wrong} ORDER BY uuid"));
        for row in rows {
            w.update(table, key, row, &back);
        }
    }
}

/// Really deleted, as an administrator may: only what nothing refers to.
pub(super) fn purge_obs(w: &mut Work<'_>) {
    let own = w.own_patients();
    let alone = "NOT EXISTS (SELECT FROM obs o WHERE o.obs_group_id = obs.obs_id OR o.previous_version = obs.obs_id)
        AND NOT EXISTS (SELECT FROM obs_reference_range r WHERE r.obs_id = obs.obs_id)
        AND NOT EXISTS (SELECT FROM note n WHERE n.obs_id = obs.obs_id)";
    let voided = format!("voided AND person_id IN {own} AND {alone}");
    let Some(obs) = w.any("obs_id", "obs", &voided) else { return };
    w.run_sql(&format!("DELETE FROM obs WHERE obs_id = {obs}"));
}

pub(super) fn correct_diagnosis(w: &mut Work<'_>) {
    let own = w.own_patients();
    let Some(diagnosis) = w.any("diagnosis_id", "encounter_diagnosis", &format!("NOT voided AND patient_id IN {own}"))
    else {
        return;
    };
    let (certainty, rank) = (format!("'{}'", w.pick(&["PROVISIONAL", "CONFIRMED"])), (1 + w.below(2)).to_string());
    let changes = [("certainty", certainty.as_str()), ("dx_rank", rank.as_str())];
    w.edit("encounter_diagnosis", "diagnosis_id", diagnosis, &changes);
}
