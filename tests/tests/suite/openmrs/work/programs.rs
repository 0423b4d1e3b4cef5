//! What lasts: conditions, allergies, programs, cohorts, notes.

use super::Work;

fn condition(w: &mut Work<'_>, patient: i32, concept: &str, previous: &str, status: &str) {
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "conditions",
        "condition_id",
        "previous_version, condition_coded, clinical_status, verification_status, onset_date, date_created, voided, uuid,
        creator, patient_id",
        &format!(
            "{previous}, {concept}, '{status}', 'CONFIRMED', {now}, {now}, false, {uuid}, {user}, {patient}"
        ),
    );
}

pub(super) fn new_condition(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let concept = Work::concept(w.pick(&["117399", "119481", "121375", "138405"]).parse().unwrap());
    condition(w, patient, &concept, "NULL", "ACTIVE");
}

/// A new row that names the old one, which is voided.
pub(super) fn change_condition(w: &mut Work<'_>) {
    let own = w.own_patients();
    let Some(old) = w.any("condition_id", "conditions", &format!("NOT voided AND patient_id IN {own}")) else { return };
    let patient = w.keys(&format!("SELECT patient_id FROM conditions WHERE condition_id = {old}"))[0];
    let concept = format!("(SELECT condition_coded FROM conditions WHERE condition_id = {old})");
    let status = w.pick(&["ACTIVE", "INACTIVE", "HISTORY_OF"]);
    condition(w, patient, &concept, &old.to_string(), status);
    w.void("conditions", "condition_id", old, "Amended");
}

fn reaction(w: &mut Work<'_>, allergy: i32) {
    let (concept, uuid) = (Work::concept(w.pick(&["512", "139084"]).parse().unwrap()), w.uuid());
    let columns = "allergy_id, reaction_concept_id, uuid";
    w.insert("allergy_reaction", "allergy_reaction_id", columns, &format!("{allergy}, {concept}, {uuid}"));
}

pub(super) fn new_allergy(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let severity = Work::concept(w.pick(&["1498", "1499", "1500"]).parse().unwrap());
    let (now, user, uuid, allergen) = (w.now(), w.user(), w.uuid(), Work::concept(162_298));
    let allergy = w.insert(
        "allergy",
        "allergy_id",
        "patient_id, severity_concept_id, coded_allergen, allergen_type, comments, creator, date_created, voided, uuid",
        &format!("{patient}, {severity}, {allergen}, 'DRUG', 'as told', {user}, {now}, false, {uuid}"),
    );
    for _ in 0..w.below(3) {
        reaction(w, allergy);
    }
    w.edit("patient", "patient_id", patient, &[("allergy_status", "'See list'")]);
}

/// Reactions that are taken off are really deleted.
pub(super) fn change_allergy(w: &mut Work<'_>) {
    let own = w.own_patients();
    let Some(allergy) = w.any("allergy_id", "allergy", &format!("NOT voided AND patient_id IN {own}")) else { return };
    let gone = w.any("allergy_reaction_id", "allergy_reaction", &format!("allergy_id = {allergy}"));
    if let Some(gone) = gone {
        w.run_sql(&format!("DELETE FROM allergy_reaction WHERE allergy_reaction_id = {gone}"));
    }
    if w.one_in(2) {
        reaction(w, allergy);
    }
    let severity = Work::concept(w.pick(&["1498", "1499", "1500"]).parse().unwrap());
    w.edit("allergy", "allergy_id", allergy, &[("severity_concept_id", &severity)]);
}

fn state(w: &mut Work<'_>, enrolment: i32) {
    let state = w.any("program_workflow_state_id", "program_workflow_state", "NOT retired").unwrap();
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "patient_state",
        "patient_state_id",
        "patient_program_id, state, start_date, creator, date_created, voided, uuid",
        &format!("{enrolment}, {state}, {now}::date, {user}, {now}, false, {uuid}"),
    );
}

pub(super) fn enrol(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    let enrolment = w.insert(
        "patient_program",
        "patient_program_id",
        "patient_id, program_id, date_enrolled, location_id, creator, date_created, voided, uuid",
        &format!(
            "{patient}, (SELECT min(program_id) FROM program), {now},
            (SELECT location_id FROM location WHERE name = 'Amani Health Centre'), {user}, {now}, false, {uuid}"
        ),
    );
    state(w, enrolment);
}

fn enrolment(w: &mut Work<'_>) -> Option<i32> {
    let own = w.own_patients();
    let running = format!("NOT voided AND date_completed IS NULL AND patient_id IN {own}");
    w.any("patient_program_id", "patient_program", &running)
}

fn end_states(w: &mut Work<'_>, enrolment: i32) {
    let now = format!("{}::date", w.now());
    let open = w.keys(&format!(
        "SELECT patient_state_id FROM patient_state WHERE patient_program_id = {enrolment} AND end_date IS NULL ORDER BY uuid"
    ));
    for state in open {
        w.edit("patient_state", "patient_state_id", state, &[("end_date", &now)]);
    }
}

pub(super) fn next_state(w: &mut Work<'_>) {
    let Some(enrolment) = enrolment(w) else { return };
    end_states(w, enrolment);
    state(w, enrolment);
    // Hibernate writes the parent as well.
    w.edit("patient_program", "patient_program_id", enrolment, &[]);
}

pub(super) fn complete(w: &mut Work<'_>) {
    let Some(enrolment) = enrolment(w) else { return };
    end_states(w, enrolment);
    let (now, outcome) = (w.now(), Work::concept(160_034));
    let changes = [("date_completed", now.as_str()), ("outcome_concept_id", outcome.as_str())];
    w.edit("patient_program", "patient_program_id", enrolment, &changes);
}

/// A patient is put on a list, or taken off it.
pub(super) fn cohort(w: &mut Work<'_>) {
    let (now, user, own) = (w.now(), w.user(), w.own());
    let Some(cohort) = w.any("cohort_id", "cohort", &format!("NOT voided AND {own}")) else {
        let uuid = w.own_uuid();
        let values = format!("'To be visited', {user}, {now}, false, {uuid}");
        w.insert("cohort", "cohort_id", "name, creator, date_created, voided, uuid", &values);
        return;
    };
    let member = format!("cohort_id = {cohort} AND end_date IS NULL AND NOT voided");
    match w.any("cohort_member_id", "cohort_member", &member) {
        Some(member) if w.one_in(2) => w.update("cohort_member", "cohort_member_id", member, &[("end_date", &now)]),
        Some(member) if w.one_in(3) => w.void("cohort_member", "cohort_member_id", member, "moved away"),
        _ => {
            let Some(patient) = w.patient() else { return };
            let uuid = w.uuid();
            w.insert(
                "cohort_member",
                "cohort_member_id",
                "cohort_id, patient_id, start_date, creator, date_created, voided, uuid",
                &format!("{cohort}, {patient}, {now}, {user}, {now}, false, {uuid}"),
            );
        }
    }
}

/// A note, perhaps an answer to one. The application gives its key: the table has no counter.
pub(super) fn note(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let before = w.any("note_id", "note", &format!("patient_id = {patient}"));
    let before = before.map_or("NULL".to_owned(), |note| note.to_string());
    let (now, user, uuid) = (w.now(), w.user(), w.uuid());
    w.insert(
        "note",
        "note_id",
        "note_id, patient_id, text, parent, creator, date_created, uuid",
        &format!(
            "(SELECT coalesce(max(note_id), 0) + 1 FROM note), {patient}, 'asked to come again', {before}, {user}, {now},
            {uuid}"
        ),
    );
}
