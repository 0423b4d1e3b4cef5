//! What the ministry keeps for all: the dictionary, places, drugs, roles.

use super::{Work, patients};

/// A new measurement with its names, its normal range, its code elsewhere, and its place in a set.
pub(super) fn new_concept(w: &mut Work<'_>) {
    let (now, user, uuid, number) = (w.now(), w.user(), w.uuid(), w.below(100_000));
    let concept = w.insert(
        "concept",
        "concept_id",
        "retired, datatype_id, class_id, is_set, creator, date_created, version, uuid",
        &format!(
            "false, (SELECT concept_datatype_id FROM concept_datatype WHERE name = 'Numeric'),
            (SELECT concept_class_id FROM concept_class WHERE name = 'Test'), false, {user}, {now}, 'ministry', {uuid}"
        ),
    );
    for (locale, name) in [("en", "Measurement"), ("fr", "Mesure")] {
        let uuid = w.uuid();
        w.insert(
            "concept_name",
            "concept_name_id",
            "concept_id, name, locale, locale_preferred, creator, date_created, concept_name_type, voided, uuid",
            &format!("{concept}, '{name} {number}', '{locale}', true, {user}, {now}, 'FULLY_SPECIFIED', false, {uuid}"),
        );
    }
    w.run_sql(&format!(
        "INSERT INTO concept_numeric (concept_id, hi_normal, low_normal, units, allow_decimal)
        VALUES ({concept}, 9.3, 0.1::float8 * 3, 'mmol/L', true)"
    ));
    let (described, term, mapped, member) = (w.uuid(), w.uuid(), w.uuid(), w.uuid());
    let columns = "concept_id, description, locale, creator, date_created, uuid";
    let values = format!("{concept}, 'As measured', 'en', {user}, {now}, {described}");
    w.insert("concept_description", "concept_description_id", columns, &values);
    let term = w.insert(
        "concept_reference_term",
        "concept_reference_term_id",
        "concept_source_id, code, creator, date_created, retired, uuid",
        &format!(
            "(SELECT min(concept_source_id) FROM concept_reference_source), 'M-{number}', {user}, {now}, false, {term}"
        ),
    );
    let columns = "concept_reference_term_id, concept_map_type_id, creator, date_created, concept_id, uuid";
    let same = "(SELECT concept_map_type_id FROM concept_map_type WHERE name = 'SAME-AS')";
    let values = format!("{term}, {same}, {user}, {now}, {concept}, {mapped}");
    w.insert("concept_reference_map", "concept_map_id", columns, &values);
    let columns = "concept_id, concept_set, sort_weight, creator, date_created, uuid";
    let values = format!("{concept}, {}, {number}, {user}, {now}, {member}", Work::concept(1114));
    w.insert("concept_set", "concept_set_id", columns, &values);
}

pub(super) fn retire_concept(w: &mut Work<'_>) {
    let Some(concept) = w.any("concept_id", "concept", "version = 'ministry' AND NOT retired") else { return };
    let (now, user) = (w.now(), w.user());
    let changes = [
        ("retired", "true"),
        ("retired_by", user.as_str()),
        ("date_retired", now.as_str()),
        ("retire_reason", "'entered twice'"),
    ];
    w.edit("concept", "concept_id", concept, &changes);
}

pub(super) fn new_location(w: &mut Work<'_>) {
    let (now, user, uuid, number) = (w.now(), w.user(), w.uuid(), w.below(1000));
    let parent = w.any("location_id", "location", "NOT retired").unwrap();
    let location = w.insert(
        "location",
        "location_id",
        "name, country, creator, date_created, retired, parent_location, uuid",
        &format!("'Outreach post {number}', 'Kenya', {user}, {now}, false, {parent}, {uuid}"),
    );
    w.run_sql(&format!(
        "INSERT INTO location_tag_map (location_id, location_tag_id)
        SELECT {location}, min(location_tag_id) FROM location_tag"
    ));
}

/// A row of a table of two keys is deleted, and another entered.
pub(super) fn move_tag(w: &mut Work<'_>) {
    let Some(location) = w.any("location_id", "location", "name LIKE 'Outreach%'") else { return };
    let tag = w.any("location_tag_id", "location_tag", "true").unwrap();
    w.run_sql(&format!(
        "DELETE FROM location_tag_map WHERE location_id = {location};
        INSERT INTO location_tag_map (location_id, location_tag_id) VALUES ({location}, {tag})"
    ));
}

pub(super) fn new_drug(w: &mut Work<'_>) {
    let concept = Work::concept(w.pick(&["1643", "70116", "71137", "71160"]).parse().unwrap());
    let (now, user, uuid, strength) = (w.now(), w.user(), w.uuid(), w.below(1000));
    let drug = w.insert(
        "drug",
        "drug_id",
        "concept_id, name, combination, dosage_form, creator, date_created, retired, uuid, strength",
        &format!(
            "{concept}, 'Tablet {strength} mg', false, {}, {user}, {now}, false, {uuid}, '{strength} mg'",
            Work::concept(1513)
        ),
    );
    let (uuid, units) = (w.uuid(), Work::concept(161_553));
    w.run_sql(&format!(
        "INSERT INTO drug_ingredient (drug_id, ingredient_id, uuid, strength, units)
        VALUES ({drug}, {concept}, {uuid}, {strength}, {units})"
    ));
}

/// A role that inherits from another, with a privilege of its own; another role loses one.
pub(super) fn new_role(w: &mut Work<'_>) {
    let (number, role, privilege) = (w.below(10_000), w.uuid(), w.uuid());
    w.run_sql(&format!(
        "INSERT INTO privilege (privilege, description, uuid) VALUES ('See ward {number}', 'Ward', {privilege})
            ON CONFLICT DO NOTHING;
        INSERT INTO role (role, description, uuid) VALUES ('Ward {number}', 'Ward', {role}) ON CONFLICT DO NOTHING;
        INSERT INTO role_privilege (role, privilege) VALUES ('Ward {number}', 'See ward {number}') ON CONFLICT DO NOTHING;
        INSERT INTO role_role (parent_role, child_role) VALUES ('Nurse', 'Ward {number}') ON CONFLICT DO NOTHING;
        DELETE FROM role_privilege WHERE (role, privilege) =
            (SELECT role, privilege FROM role_privilege WHERE role = 'Clerk' ORDER BY privilege LIMIT 1)"
    ));
}

pub(super) fn new_user(w: &mut Work<'_>) {
    let username = format!("visitor{}", w.below(10_000));
    let user = patients::user(w, &username);
    w.run_sql(&format!("INSERT INTO user_role (user_id, role) VALUES ({user}, 'Nurse')"));
}
