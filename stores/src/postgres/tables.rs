//! Saddlebag's own tables but the row states, which each tracked table has of its own.

/// Makes what is missing of them, in the schema `saddlebag`, which is there already.
///
/// Text that rows are found or ordered by is compared byte for byte, whatever the database's own order of letters.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS saddlebag.setting (name text COLLATE \"C\" PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag.table_name (number integer PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS saddlebag.column_name (
    table_number integer NOT NULL, id integer NOT NULL, name text COLLATE \"C\" NOT NULL,
    absent boolean NOT NULL DEFAULT false, refers text,
    PRIMARY KEY (table_number, id), UNIQUE (table_number, name));
CREATE TABLE IF NOT EXISTS saddlebag.writer (
    number integer PRIMARY KEY, node uuid NOT NULL, epoch bigint NOT NULL, UNIQUE (node, epoch));
CREATE TABLE IF NOT EXISTS saddlebag.tombstone (
    table_number integer NOT NULL, uid uuid NOT NULL, seq bigint NOT NULL,
    deletion bytea NOT NULL, state bytea NOT NULL, old bytea NOT NULL, same_as uuid, key bytea,
    PRIMARY KEY (table_number, uid));
CREATE INDEX IF NOT EXISTS tombstone_key ON saddlebag.tombstone (table_number, key);
CREATE INDEX IF NOT EXISTS tombstone_same_as ON saddlebag.tombstone (same_as) WHERE same_as IS NOT NULL;
CREATE INDEX IF NOT EXISTS tombstone_seq ON saddlebag.tombstone (seq);
CREATE TABLE IF NOT EXISTS saddlebag.link (
    id bigint PRIMARY KEY, peer uuid NOT NULL UNIQUE, name text NOT NULL, role text NOT NULL, card bytea NOT NULL,
    sent_epoch bigint, sent_number bigint, sent_id uuid, sent_upto bigint,
    acknowledged_epoch bigint, acknowledged_number bigint, acknowledged_id uuid, acknowledged_upto bigint,
    applied_epoch bigint, applied_number bigint, applied_id uuid, applied_upto bigint,
    owes_acknowledgement boolean NOT NULL, nodes_known bigint NOT NULL, last_contact bigint, health bytea,
    unacknowledged bytea NOT NULL, history bytea NOT NULL, comparison bytea NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag.different (
    link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL, how text NOT NULL,
    found bigint NOT NULL, wanted boolean NOT NULL, PRIMARY KEY (link, table_name, uid));
CREATE TABLE IF NOT EXISTS saddlebag.digest (
    table_number integer PRIMARY KEY, sum numeric(20) NOT NULL, records bigint NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag.held (
    link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL, kind text NOT NULL,
    reason text NOT NULL, change bytea NOT NULL, known bytea NOT NULL, since bigint NOT NULL, told text,
    PRIMARY KEY (link, table_name, uid));
CREATE TABLE IF NOT EXISTS saddlebag.dropped (
    id bigint PRIMARY KEY, link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL,
    reason text NOT NULL, held_because text NOT NULL, change bytea NOT NULL, at bigint NOT NULL);
CREATE TABLE IF NOT EXISTS saddlebag.beside (
    table_number integer NOT NULL, uid uuid NOT NULL, column_id integer NOT NULL, value bytea NOT NULL, shown bytea,
    why text NOT NULL, target uuid, PRIMARY KEY (table_number, uid, column_id));
CREATE INDEX IF NOT EXISTS beside_target ON saddlebag.beside (target) WHERE target IS NOT NULL;
CREATE TABLE IF NOT EXISTS saddlebag.conflict (
    id bigint PRIMARY KEY, link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL,
    column_name text COLLATE \"C\", kind text NOT NULL, rule text NOT NULL, found bigint NOT NULL,
    winner_value bytea, winner_time bigint NOT NULL, winner_writer integer NOT NULL, winner_effective bigint,
    loser_value bytea, loser_time bigint NOT NULL, loser_writer integer NOT NULL, loser_effective bigint,
    clock_doubted boolean NOT NULL);
CREATE INDEX IF NOT EXISTS conflict_record ON saddlebag.conflict (uid);
CREATE TABLE IF NOT EXISTS saddlebag.decision (
    id bigint PRIMARY KEY, conflict bigint NOT NULL, taken text NOT NULL, value bytea, time bigint NOT NULL,
    writer integer NOT NULL, decided_by text NOT NULL, because text, at bigint NOT NULL);
CREATE INDEX IF NOT EXISTS decision_conflict ON saddlebag.decision (conflict);
CREATE TABLE IF NOT EXISTS saddlebag.receipt (
    link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL,
    column_name text COLLATE \"C\" NOT NULL, outcome text NOT NULL, reason text NOT NULL, carried bigint,
    PRIMARY KEY (link, table_name, uid, column_name));
CREATE TABLE IF NOT EXISTS saddlebag.received_receipt (
    link bigint NOT NULL, table_name text COLLATE \"C\" NOT NULL, uid uuid NOT NULL,
    column_name text COLLATE \"C\" NOT NULL, outcome text NOT NULL, reason text NOT NULL, at bigint NOT NULL,
    PRIMARY KEY (link, table_name, uid, column_name));
CREATE TABLE IF NOT EXISTS saddlebag.log (
    number bigint PRIMARY KEY, at bigint NOT NULL, kind text NOT NULL, who text NOT NULL, peer text, table_name text,
    uid uuid, column_name text, what text NOT NULL, why text NOT NULL, hash bytea NOT NULL);
CREATE INDEX IF NOT EXISTS log_record ON saddlebag.log (uid) WHERE uid IS NOT NULL;
CREATE INDEX IF NOT EXISTS log_refused ON saddlebag.log (what) WHERE kind = 'refused';
CREATE TABLE IF NOT EXISTS saddlebag.journal (
    id pg_lsn NOT NULL DEFAULT pg_catalog.pg_current_wal_insert_lsn(),
    table_number integer NOT NULL, op smallint NOT NULL, at bigint NOT NULL,
    key text[], before text[], changed bigint[], old text[]);
";
