//! The profile against the application's schema: every table has its reason, every reference is known.

use std::collections::BTreeSet;

use postgres::Client;
use saddlebag_stores::Store;
use saddlebag_stores::config::{Direction, Identity, ReferenceRule};
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::postgres::{Cluster, Database};

use super::meaning::UNDECLARED;
use super::world::{dump, profile, profile_text, restore};

fn restored(test: &str) -> Option<(Database, Client)> {
    let dump = dump(test)?;
    let database = Cluster::shared().unwrap().database();
    restore(&dump, database.url());
    let client = database.client();
    Some((database, client))
}

fn strings(client: &mut Client, sql: &str) -> BTreeSet<String> {
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// The tables that the profile says are left out: the first word of each line behind `# Left out:`.
fn left_out() -> BTreeSet<String> {
    let lines = profile_text().lines().skip_while(|line| *line != "# Left out:").skip(1);
    let lines = lines.take_while(|line| line.starts_with('#')).filter_map(|line| line.strip_prefix("#   "));
    lines
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_table_is_kept_in_step_or_left_out_for_a_reason() {
    let Some((database, mut client)) = restored("every_table_is_kept_in_step_or_left_out_for_a_reason") else { return };
    let all = strings(&mut client, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
    let tracked: BTreeSet<String> = profile().into_keys().collect();
    let mut left = left_out();
    assert!(left.remove("outbox_event,"), "tables of later versions are named too");
    assert!(tracked.is_disjoint(&left));
    assert_eq!(tracked.union(&left).cloned().collect::<BTreeSet<_>>(), all);
    let schema = PostgresStore::open(database.url()).unwrap().schema().unwrap();
    let tracking = Tracking::resolve(&profile(), &schema, &Numbering::default()).unwrap();
    assert_eq!(tracking.tables.len(), tracked.len());
    // Every section has its reason before it.
    let lines: Vec<&str> = profile_text().lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("[tables.")) {
        assert!(lines[at - 1].starts_with("# ") && lines[at - 1].len() > 8, "{line} has no reason");
    }
}

#[test]
fn every_reference_that_no_constraint_declares_is_named() {
    let Some((_database, mut client)) = restored("every_reference_that_no_constraint_declares_is_named") else {
        return;
    };
    let suspicious = strings(
        &mut client,
        "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
        WHERE c.table_schema = 'public' AND c.data_type = 'integer' AND c.is_identity = 'NO'
        AND (c.column_name IN ('creator', 'changed_by', 'voided_by', 'retired_by', 'foreign_key')
            OR c.column_name LIKE '%concept_id')
        AND NOT EXISTS (SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f' AND k.conrelid = c.table_name::regclass AND a.attname = c.column_name)",
    );
    let named: BTreeSet<String> = profile()
        .into_iter()
        .flat_map(|(table, config)| config.references.into_keys().map(move |column| format!("{table}.{column}")))
        .collect();
    assert_eq!(suspicious, named);
    for (table, column, target, _) in UNDECLARED {
        assert_eq!(profile()[table].references[column], ReferenceRule::Table(target.to_owned()), "{table}.{column}");
    }
}

#[test]
fn what_a_row_is_known_by_tells_it_apart() {
    let Some((_database, mut client)) = restored("what_a_row_is_known_by_tells_it_apart") else { return };
    for (table, config) in profile() {
        let columns = match &config.identity {
            Identity::Uuid(column) => vec![column.clone()],
            Identity::Natural(columns) => columns.clone(),
            other => panic!("{table}: {other}"),
        };
        let sql = format!("SELECT count(*), count(DISTINCT ({})) FROM {table}", columns.join(", "));
        let row = client.query_one(&sql, &[]).unwrap();
        assert_eq!(row.get::<_, i64>(0), row.get::<_, i64>(1), "{table}: {}", config.identity);
    }
}

#[test]
fn secrets_stay_and_no_clinic_gives_itself_a_right() {
    let profile = profile();
    for secret in ["password", "salt", "secret_question", "secret_answer", "activation_key"] {
        assert!(profile["users"].exclude.iter().any(|column| column == secret), "{secret}");
    }
    for table in ["privilege", "role", "role_privilege", "role_role", "user_role"] {
        assert_eq!(profile[table].direction, Direction::Down, "{table}");
    }
}
