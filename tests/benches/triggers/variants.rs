//! The triggers that are compared.

use postgres::Client;

/// One way to note changes.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    None,
    Row,
    Statement,
    /// Ours, with the rights of whoever writes.
    Invoker,
    /// Ours, without settings.
    Unset,
    /// Ours, without the block that catches errors.
    Uncaught,
}

/// None comes first: all are divided by it.
pub(crate) const VARIANTS: [Variant; 6] = [
    Variant { name: "none", kind: Kind::None },
    Variant { name: "ours", kind: Kind::Row },
    Variant { name: "statement", kind: Kind::Statement },
    Variant { name: "no definer", kind: Kind::Invoker },
    Variant { name: "no settings", kind: Kind::Unset },
    Variant { name: "no block", kind: Kind::Uncaught },
];

const COLUMNS: [&str; 12] = [
    "person_id",
    "concept_id",
    "encounter_id",
    "obs_datetime",
    "value_numeric",
    "value_text",
    "value_coded",
    "comments",
    "creator",
    "date_created",
    "voided",
    "uuid",
];

/// All of them, ready to be switched on.
pub(crate) struct Variants {
    number: i32,
    /// The functions of our triggers, as SQL.
    ours: Vec<String>,
}

impl Variants {
    /// Makes what is there beside ours.
    pub(crate) fn make(client: &mut Client) -> Self {
        let sql = "SELECT split_part(tgname, '_', 2)::integer FROM pg_trigger
                   WHERE tgrelid = 'obs'::regclass AND tgname ~ '^saddlebag_.*_insert$'";
        let number: i32 = client.query_one(sql, &[]).unwrap().get(0);
        let function = |event: &str| format!("saddlebag.note_{number}_{event}()");
        let mut ours = Vec::new();
        for event in ["insert", "update"] {
            let row = client.query_one("SELECT pg_get_functiondef($1::text::regprocedure)", &[&function(event)]);
            ours.push(row.unwrap().get(0));
        }
        client.batch_execute(&statement_triggers(number)).unwrap();
        Self { number, ours }
    }

    /// Switches one of them on, and all others off.
    pub(crate) fn choose(&self, client: &mut Client, variant: &Variant) {
        let number = self.number;
        let switch = |on: bool| if on { "ENABLE ALWAYS" } else { "DISABLE" };
        let row = switch(!matches!(variant.kind, Kind::None | Kind::Statement));
        let statement = switch(variant.kind == Kind::Statement);
        let functions: Vec<String> = self.ours.iter().map(|sql| changed(sql, variant.kind)).collect();
        let sql = format!(
            "ALTER TABLE obs {row} TRIGGER saddlebag_{number}_insert, {row} TRIGGER saddlebag_{number}_update,
                 {statement} TRIGGER statement_insert, {statement} TRIGGER statement_update;
             {};",
            functions.join(";")
        );
        client.batch_execute(&sql).unwrap();
    }
}

/// Our function, without what the kind does without.
fn changed(sql: &str, kind: Kind) -> String {
    let changed = match kind {
        Kind::Invoker => sql.replace(" SECURITY DEFINER\n", ""),
        Kind::Unset => sql.lines().filter(|line| !line.starts_with(" SET ")).collect::<Vec<_>>().join("\n"),
        Kind::Uncaught => {
            let (before, rest) = sql.split_once("EXCEPTION WHEN OTHERS").unwrap();
            let (_, after) = rest.split_once("END;\n").unwrap();
            format!("{}{after}", before.replacen("BEGIN\nBEGIN\n", "BEGIN\n", 1))
        }
        Kind::None | Kind::Row | Kind::Statement => return sql.to_owned(),
    };
    assert_ne!(changed, sql, "there was nothing to leave out");
    changed
}

/// The same as ours, once for each statement.
fn statement_triggers(number: i32) -> String {
    let bit = |(at, column): (usize, &&str)| {
        format!("CASE WHEN record_image_ne(ROW(o.{column}), ROW(n.{column})) THEN {} ELSE 0 END", 1_u64 << at)
    };
    let mask = COLUMNS.iter().enumerate().map(bit).collect::<Vec<_>>().join(" | ");
    let at = "pg_catalog.floor(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint";
    let function = |event: &str, sql: String| {
        format!(
            "CREATE FUNCTION saddlebag.statement_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
             SET search_path = pg_catalog, pg_temp AS $f$ BEGIN
             BEGIN {sql}; EXCEPTION WHEN OTHERS THEN
             INSERT INTO saddlebag.journal (table_number, op, at) VALUES ({number}, 9, {at}); END; RETURN NULL; END $f$;"
        )
    };
    let when = "FOR EACH STATEMENT WHEN (pg_trigger_depth() > 0 \
                OR COALESCE(current_setting('saddlebag.importing', true), '') <> 'on')";
    let insert = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key)
         SELECT {number}, 1, {at}, ARRAY[(n.obs_id)::text] FROM new_rows n"
    );
    let update = format!(
        "INSERT INTO saddlebag.journal (table_number, op, at, key, before, changed)
         SELECT {number}, 2, {at}, k, k, ARRAY[m] FROM (SELECT ARRAY[n.obs_id::text] AS k, ({mask})::bigint AS m
             FROM new_rows n JOIN old_rows o USING (obs_id) OFFSET 0) x WHERE m <> 0"
    );
    format!(
        "{} {}
         CREATE TRIGGER statement_insert AFTER INSERT ON obs REFERENCING NEW TABLE AS new_rows {when}
             EXECUTE FUNCTION saddlebag.statement_insert();
         CREATE TRIGGER statement_update AFTER UPDATE ON obs REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows {when}
             EXECUTE FUNCTION saddlebag.statement_update()",
        function("insert", insert),
        function("update", update)
    )
}
