//! Tables that well-known frameworks keep for themselves: sessions, caches, queues, logs, notes of migrations.
//!
//! They are known by their names, which is a guess: so they are only left out, with the reason, for a person to put
//! in.

/// How a name is recognised; letters of ASCII in either case.
#[derive(Debug, Clone, Copy)]
enum Name {
    Is(&'static str),
    Begins(&'static str),
    Ends(&'static str),
}

const MIGRATIONS: &str = "it notes which migrations this database has had";
const SESSIONS: &str = "it holds sessions, which belong to one place";
const CACHE: &str = "it is a cache, which each place fills by itself";
const QUEUE: &str = "it is a queue of work for this place";
const LOG: &str = "it is a log of this place";
const SEARCH: &str = "it is an index for searching, which each place makes by itself";

const KNOWN: &[(Name, &str)] = &[
    (Name::Begins("liquibasechangelog"), MIGRATIONS),
    (Name::Begins("databasechangelog"), MIGRATIONS),
    (Name::Is("schema_migrations"), MIGRATIONS),
    (Name::Is("ar_internal_metadata"), MIGRATIONS),
    (Name::Is("flyway_schema_history"), MIGRATIONS),
    (Name::Is("django_migrations"), MIGRATIONS),
    (Name::Is("alembic_version"), MIGRATIONS),
    (Name::Is("knex_migrations"), MIGRATIONS),
    (Name::Is("knex_migrations_lock"), MIGRATIONS),
    (Name::Is("__efmigrationshistory"), MIGRATIONS),
    (Name::Is("room_master_table"), MIGRATIONS),
    (Name::Is("migrations"), MIGRATIONS),
    (Name::Is("sessions"), SESSIONS),
    (Name::Is("session"), SESSIONS),
    (Name::Ends("_session"), SESSIONS),
    (Name::Ends("_sessions"), SESSIONS),
    (Name::Is("cache"), CACHE),
    (Name::Ends("_cache"), CACHE),
    (Name::Is("cache_locks"), CACHE),
    (Name::Is("shedlock"), QUEUE),
    (Name::Is("outbox_event"), QUEUE),
    (Name::Is("jobs"), QUEUE),
    (Name::Is("failed_jobs"), QUEUE),
    (Name::Is("job_batches"), QUEUE),
    (Name::Ends("_queue"), QUEUE),
    (Name::Begins("qrtz_"), QUEUE),
    (Name::Begins("jobrunr_"), QUEUE),
    (Name::Begins("hl7_in_"), QUEUE),
    (Name::Begins("scheduler_task_"), QUEUE),
    (Name::Begins("celery_"), QUEUE),
    (Name::Is("django_admin_log"), LOG),
    (Name::Is("android_metadata"), LOG),
    (Name::Ends("_audit_log"), LOG),
    (Name::Ends("__history"), "it holds the former states of another table's rows"),
    (Name::Ends("_fts"), SEARCH),
    (Name::Is("concept_word"), SEARCH),
];

/// Tryton's own: all that begins with `ir_`, but what people attach to records.
const TRYTON: &[(Name, &str)] = &[
    (Name::Begins("cron_"), "it says when this place does what"),
    (Name::Ends("_configuration"), "it holds the settings of this place"),
    (Name::Begins("res_user"), "accounts and their rights belong to each place"),
    (Name::Begins("res_group"), "accounts and their rights belong to each place"),
    (Name::Begins("ir_"), "Tryton makes it from its modules, at every place by itself"),
];
const TRYTON_KEPT: [&str; 3] = ["ir_attachment", "ir_note", "ir_avatar"];

impl Name {
    fn fits(self, name: &str) -> bool {
        match self {
            Self::Is(whole) => name == whole,
            Self::Begins(start) => name.starts_with(start),
            Self::Ends(end) => name.ends_with(end),
        }
    }
}

/// Why a table of this name is better left out, as half a sentence. `catalogue` says whose application it is.
pub(super) fn reason(table: &str, catalogue: Option<&str>) -> Option<&'static str> {
    let name = table.to_ascii_lowercase();
    let of = |known: &'static [(Name, &'static str)]| known.iter().find(|(known, _)| known.fits(&name));
    let is_tryton = catalogue == Some("Tryton") && !TRYTON_KEPT.contains(&name.as_str());
    let found = of(KNOWN).or_else(|| is_tryton.then(|| of(TRYTON)).flatten());
    found.map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frameworks_keep_for_themselves_is_known_by_name() {
        for name in
            ["schema_migrations", "LIQUIBASECHANGELOGLOCK", "django_session", "ir_cache", "gnuhealth_federation_queue"]
        {
            assert!(reason(name, None).is_some(), "{name}");
        }
        for name in ["patient", "visit_log", "ir_model", "res_user", "training_session_attendance", "gnuhealth_patient"]
        {
            assert_eq!(reason(name, None), None, "{name}");
        }
    }

    #[test]
    fn trytons_own_tables_are_known_where_its_catalogue_is() {
        assert!(reason("ir_model", Some("Tryton")).is_some());
        assert!(reason("res_user-res_group", Some("Tryton")).is_some());
        assert!(reason("stock_configuration", Some("Tryton")).is_some());
        assert_eq!(reason("ir_attachment", Some("Tryton")), None);
        assert_eq!(reason("party_party", Some("Tryton")), None);
    }
}
