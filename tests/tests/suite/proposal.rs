//! What `init` proposes for a database never seen: GNU Health's own, which declares no foreign key.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use saddlebag::proposal::{Answers, Source, Survey, propose};
use saddlebag_stores::config::{Direction, ReferenceRule, TablesConfig};
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::{gnuhealth, tell};

#[test]
fn gnu_health_gets_a_proposal_from_its_own_catalogue() {
    let Some(packed) = gnuhealth::packed("proposal") else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("clinic.db");
    gnuhealth::unpack(&packed, &database);
    let survey = Survey::take(&mut SqliteStore::open(&database).unwrap()).unwrap();
    let proposal = propose(&survey, &Answers::new());
    let file: BTreeMap<String, TablesConfig> = toml::from_str(&proposal.text).unwrap();
    Tracking::resolve(&file["tables"], &survey.schema, &Numbering::default()).unwrap();

    let all = survey.schema.tables.len();
    assert_eq!(proposal.tracked.len() + proposal.left_out.len(), all, "every table is spoken of");
    let references = || proposal.tracked.iter().flat_map(|table| table.references.iter().map(move |one| (table, one)));
    let matched = proposal.tracked.iter().filter(|table| table.direction == Direction::Match).count();
    tell(&format!(
        "GNU Health: {all} tables; {} in step, {matched} matched, {} left out; {} references, none of them declared",
        proposal.tracked.len() - matched,
        proposal.left_out.len(),
        references().count()
    ));

    // Every reference of Tryton's catalogue, asked for here by a query of our own, is taken, or its column stays at home.
    let connection = Connection::open(&database).unwrap();
    let sql = "SELECT replace(m.model, '.', '_'), f.name, replace(f.relation, '.', '_') FROM ir_model_field f
        JOIN ir_model m ON m.id = f.model JOIN sqlite_schema s ON s.type = 'table' AND s.name = replace(m.model, '.', '_')
        JOIN pragma_table_info(s.name) c ON c.name = f.name WHERE f.ttype = 'many2one'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let catalogue: BTreeSet<(String, String, String)> = rows.map(Result::unwrap).collect();
    assert!(catalogue.len() > 1_000, "{}", catalogue.len());
    let taken: BTreeSet<_> = references()
        .filter_map(|(table, one)| Some((table.name.clone(), one.column.clone(), one.table()?.to_owned())))
        .collect();
    for (table, column, target) in &catalogue {
        let Some(tracked) = proposal.tracked.iter().find(|tracked| tracked.name == *table) else { continue };
        let stays = tracked.direction == Direction::Match || tracked.excluded.iter().any(|one| one.column == *column);
        let is_taken = taken.contains(&(table.clone(), column.clone(), target.clone()));
        assert!(stays || is_taken, "`{table}.{column}` refers to `{target}`");
    }
    let of_catalogue = references().filter(|(_, one)| one.source == Source::Catalogue);
    assert!(of_catalogue.clone().count() > 1_000);
    let by_text: BTreeSet<_> = references()
        .filter(|(_, one)| one.target == ReferenceRule::ModelId)
        .map(|(table, one)| (table.name.as_str(), one.column.as_str()))
        .collect();
    assert!(by_text.contains(&("ir_attachment", "resource")), "{by_text:?}");

    let why = |name: &str| proposal.left_out.iter().find(|left| left.name == name).map(|left| left.why.as_str());
    for noise in ["ir_session", "ir_cache", "ir_queue", "ir_cron", "ir_model", "gnuhealth_federation_queue"] {
        assert!(why(noise).is_some(), "{noise}");
    }
    for kept in ["party_party", "gnuhealth_patient", "gnuhealth_patient_evaluation", "ir_attachment"] {
        assert_eq!(why(kept), None, "{kept}");
    }
    let users = proposal.tracked.iter().find(|table| table.name == "res_user").unwrap();
    assert_eq!(users.direction, Direction::Match, "passwords and rights stay where they are");
}
