//! Orders of drugs and tests, what became of them, and what was handed out.

use super::Work;
use super::encounters::{encounter, obs, provider};

/// The next order number of this database: one row of `global_property`, written for every order.
fn next_number(w: &mut Work<'_>) -> String {
    let sql = "SELECT property_value::int FROM global_property WHERE property = 'order.nextOrderNumberSeed' FOR UPDATE";
    let [seed] = w.keys(sql).try_into().unwrap();
    w.run_sql(&format!(
        "UPDATE global_property SET property_value = '{}', description = description, uuid = uuid,
            datatype = datatype, datatype_config = datatype_config, preferred_handler = preferred_handler,
            handler_config = handler_config, date_changed = date_changed, changed_by = changed_by,
            view_privilege = view_privilege, edit_privilege = edit_privilege, delete_privilege = delete_privilege
        WHERE property = 'order.nextOrderNumberSeed'",
        seed + 1
    ));
    format!("ORD-{seed}")
}

/// An order of some kind. `more` are further columns with their values.
fn order(w: &mut Work<'_>, (patient, encounter): (i32, i32), kind: &str, concept: &str, more: (&str, &str)) -> i32 {
    let number = next_number(w);
    let (now, user, uuid, orderer) = (w.now(), w.user(), w.uuid(), provider(w));
    let (also, and) = more;
    w.insert(
        "orders",
        "order_id",
        &format!(
            "order_type_id, concept_id, orderer, encounter_id, date_activated, creator, date_created, voided, patient_id,
            uuid, urgency, order_number, care_setting{also}"
        ),
        &format!(
            "(SELECT order_type_id FROM order_type WHERE name = '{kind}'), {concept}, {orderer}, {encounter}, {now}, {user},
            {now}, false, {patient}, {uuid}, 'ROUTINE', '{number}',
            (SELECT min(care_setting_id) FROM care_setting){and}"
        ),
    )
}

/// What a drug order says of the drug.
fn dosing(w: &mut Work<'_>, order: i32, drug: i32) {
    let (dose, days) = (w.pick(&["0.5", "1", "2", "1.0::float8 / 3"]), 3 + w.below(20));
    let frequency = w.any("order_frequency_id", "order_frequency", "NOT retired").unwrap();
    let (tablet, unit, oral) = (Work::concept(1513), Work::concept(1072), Work::concept(160_240));
    let text = w.pick(&["NULL", "'after food'", "'à jeun'"]);
    w.run_sql(&format!(
        "INSERT INTO drug_order (order_id, drug_inventory_id, dose, as_needed, dosing_type, quantity, num_refills,
            dosing_instructions, duration, duration_units, quantity_units, route, dose_units, frequency,
            dispense_as_written)
        VALUES ({order}, {drug}, {dose}, false, 'org.openmrs.SimpleDosingInstructions', {days} * 2, 0,
            {text}, {days}, {unit}, {tablet}, {oral}, {tablet}, {frequency}, false)"
    ));
}

pub(super) fn prescribe(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let encounter = encounter(w, patient, "Order");
    for _ in 0..=w.below(2) {
        let drug = w.any("drug_id", "drug", "NOT retired").unwrap();
        let concept = format!("(SELECT concept_id FROM drug WHERE drug_id = {drug})");
        let expires = format!(", 'NEW', {} + interval '20 days'", w.now());
        let more = (", order_action, auto_expire_date", expires.as_str());
        let order = order(w, (patient, encounter), "Drug Order", &concept, more);
        dosing(w, order, drug);
    }
}

pub(super) fn order_test(w: &mut Work<'_>) {
    let Some(patient) = w.patient() else { return };
    let encounter = encounter(w, patient, "Order");
    let concept = Work::concept(w.pick(&["21", "32", "678", "887", "1040", "5497"]).parse().unwrap());
    let order = order(w, (patient, encounter), "Test Order", &concept, (", order_action", ", 'NEW'"));
    let history = w.pick(&["fever", "follow-up", "pâleur"]);
    w.run_sql(&format!("INSERT INTO test_order (order_id, clinical_history) VALUES ({order}, '{history}')"));
}

/// A prescription that still runs: its key, patient and drug.
fn running(w: &mut Work<'_>) -> Option<(i32, i32, i32)> {
    let own = w.own_patients();
    let order = w.any(
        "order_id",
        "orders",
        &format!(
            "NOT voided AND date_stopped IS NULL AND order_action IN ('NEW', 'REVISE') AND patient_id IN {own}
            AND order_id IN (SELECT order_id FROM drug_order WHERE drug_inventory_id IS NOT NULL)"
        ),
    )?;
    let one = |w: &mut Work<'_>, sql: String| w.keys(&sql)[0];
    let patient = one(w, format!("SELECT patient_id FROM orders WHERE order_id = {order}"));
    let drug = one(w, format!("SELECT drug_inventory_id FROM drug_order WHERE order_id = {order}"));
    Some((order, patient, drug))
}

/// A new order takes the place of one that still runs, which is stopped.
fn follow(w: &mut Work<'_>, action: &str) {
    let Some((old, patient, drug)) = running(w) else { return };
    let encounter = encounter(w, patient, "Order");
    let now = w.now();
    w.update("orders", "order_id", old, &[("date_stopped", &now)]);
    let concept = format!("(SELECT concept_id FROM orders WHERE order_id = {old})");
    let and = format!(", '{action}', {old}");
    let new = order(w, (patient, encounter), "Drug Order", &concept, (", order_action, previous_order_id", &and));
    dosing(w, new, drug);
}

pub(super) fn revise(w: &mut Work<'_>) {
    follow(w, "REVISE");
}

pub(super) fn discontinue(w: &mut Work<'_>) {
    follow(w, "DISCONTINUE");
}

pub(super) fn report_result(w: &mut Work<'_>) {
    let own = w.own_patients();
    let open = format!(
        "NOT voided AND fulfiller_status IS DISTINCT FROM 'COMPLETED' AND patient_id IN {own}
        AND order_id IN (SELECT order_id FROM test_order)"
    );
    let Some(order) = w.any("order_id", "orders", &open) else { return };
    let patient = w.keys(&format!("SELECT patient_id FROM orders WHERE order_id = {order}"))[0];
    let encounter = encounter(w, patient, "Lab Results");
    let concept = w.keys(&format!("SELECT concept_id FROM orders WHERE order_id = {order}"))[0];
    let numeric = !w.keys(&format!("SELECT 1 FROM concept_numeric WHERE concept_id = {concept}")).is_empty();
    let value = match numeric {
        true => ("value_numeric", format!("{}.5", w.below(300))),
        false => ("value_coded", Work::concept(w.pick(&["664", "703"]).parse().unwrap())),
    };
    let with_order = format!(", {order}");
    obs(w, (patient, encounter), &concept.to_string(), Some(value), (", order_id", &with_order));
    let changes = [("fulfiller_status", "'COMPLETED'"), ("fulfiller_comment", "'done'")];
    w.update("orders", "order_id", order, &changes);
}

pub(super) fn dispense(w: &mut Work<'_>) {
    let Some((order, patient, drug)) = running(w) else { return };
    let encounter = encounter(w, patient, "Order");
    let (now, user, uuid, dispenser) = (w.now(), w.user(), w.uuid(), provider(w));
    let (status, tablet, oral) = (Work::concept(1067), Work::concept(1513), Work::concept(160_240));
    w.insert(
        "medication_dispense",
        "medication_dispense_id",
        "uuid, patient_id, encounter_id, concept, drug_id, location_id, dispenser, drug_order_id, status, quantity,
        quantity_units, dose, dose_units, route, as_needed, date_handed_over, was_substituted, creator, date_created, voided",
        &format!(
            "{uuid}, {patient}, {encounter}, (SELECT concept_id FROM drug WHERE drug_id = {drug}), {drug},
            (SELECT location_id FROM location WHERE name = 'Pharmacy'), {dispenser}, {order}, {status}, 10, {tablet}, 1,
            {tablet}, {oral}, false, {now}, false, {user}, {now}, false"
        ),
    );
}
