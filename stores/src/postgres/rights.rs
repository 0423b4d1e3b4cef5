//! The least rights that saddlebag needs, and which of them are missing.
//!
//! Only a table's owner may add triggers that fire always, and take them away again; whoever is a member of the owner's
//! role is the owner. Schema, rows and counters need rights of their own, which an owner usually has.

use std::collections::BTreeMap;

use postgres::Row;

use super::client::Client;
use crate::error::StoreError;

const ACTION: &str = "looking for the rights of this user";

const USER: &str = "
    SELECT quote_ident(current_user), quote_ident(current_database()),
        has_database_privilege(current_database(), 'CREATE'),
        (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace
            WHERE nspname = 'saddlebag' AND NOT pg_has_role(nspowner, 'USAGE')),
        EXISTS (SELECT FROM pg_namespace WHERE nspname = 'saddlebag'),
        (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
        current_setting('server_version_num')::int >= 160000";

/// The tables, and the parts of those that are partitioned.
const TABLES: &str = "
    WITH RECURSIVE part AS (
        SELECT c.oid FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
            JOIN pg_namespace n ON n.nspname = wanted.schema
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
        UNION
        SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
            JOIN pg_class parent ON parent.oid = part.oid AND parent.relkind = 'p')";

const RELATIONS: &str = "
    SELECT format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'),
        quote_ident(owner.rolname), owner.rolsuper, pg_has_role(owner.oid, 'USAGE'), pg_has_role(owner.oid, 'MEMBER'),
        concat_ws(', ',
            CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,
            CASE WHEN NOT has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
            CASE WHEN NOT has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
            CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END),
        c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(owner.oid, 'USAGE'))
    FROM part JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_roles owner ON owner.oid = c.relowner
    ORDER BY n.nspname, c.relname";

/// Counters of the tables' columns: those that belong to a column, and those that a default takes its values from.
const SEQUENCES: &str = "
    SELECT DISTINCT format('%I.%I', n.nspname, s.relname), concat_ws(', ',
            CASE WHEN NOT has_sequence_privilege(s.oid, 'SELECT') THEN 'SELECT' END,
            CASE WHEN NOT has_sequence_privilege(s.oid, 'USAGE') THEN 'USAGE' END,
            CASE WHEN NOT has_sequence_privilege(s.oid, 'UPDATE') THEN 'UPDATE' END)
    FROM part JOIN pg_class c USING (oid), pg_depend d, pg_class s, pg_namespace n
    WHERE pg_has_role(c.relowner, 'USAGE') AND s.relkind = 'S' AND n.oid = s.relnamespace AND (
        (d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = c.oid AND d.deptype IN ('a', 'i'))
        OR (d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
            AND d.objid IN (SELECT a.oid FROM pg_attrdef a WHERE a.adrelid = c.oid)))
    ORDER BY 1";

/// What this user lacks to keep these tables in step: each a sentence with the statement that gives it.
///
/// # Errors
/// The engine's.
pub(super) fn missing(client: &mut Client, tables: &[String]) -> Result<Vec<String>, StoreError> {
    let user = User::read(client)?;
    let mut sentences = user.own_schema();
    let (schemas, names): (Vec<_>, Vec<_>) =
        tables.iter().map(|table| table.split_once('.').unwrap_or(("public", table))).unzip();
    let rows = client.query(ACTION, &format!("{TABLES}{RELATIONS}"), &[&schemas, &names])?;
    let relations = rows.iter().map(Relation::read).collect::<Result<Vec<_>, _>>()?;
    sentences.extend(user.relations(&relations));
    let sequences = client.query(ACTION, &format!("{TABLES}{SEQUENCES}"), &[&schemas, &names])?;
    let sequences = sequences.iter().map(|row| Ok((value(row, 0)?, value(row, 1)?)));
    let sequences = sequences.collect::<Result<Vec<(String, String)>, StoreError>>()?;
    let lacking = sequences.iter().filter(|(_, rights)| !rights.is_empty());
    let lacking = grouped(lacking.map(|(name, rights)| (rights.as_str(), name.as_str())));
    sentences.extend(lacking.iter().map(|(rights, names)| {
        let (list, name) = (names.join(", "), &user.name);
        format!("{rights} on {} is missing, to count keys: GRANT {rights} ON SEQUENCE {list} TO {name}", few(names))
    }));
    Ok(sentences)
}

fn value<'a, T: postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| super::client::engine(ACTION, &error))
}

/// Who is logged in, and where. Names are quoted.
struct User {
    name: String,
    database: String,
    creates_schemas: bool,
    other_owner: Option<String>,
    has_schema: bool,
    sees_all_rows: bool,
    /// From PostgreSQL 16 on, each membership says whether its rights are passed on; before, the member says it.
    memberships_inherit: bool,
}

impl User {
    fn read(client: &mut Client) -> Result<Self, StoreError> {
        let row = client.query_one(ACTION, USER, &[])?;
        Ok(Self {
            name: value(&row, 0)?,
            database: value(&row, 1)?,
            creates_schemas: value(&row, 2)?,
            other_owner: value(&row, 3)?,
            has_schema: value(&row, 4)?,
            sees_all_rows: value(&row, 5)?,
            memberships_inherit: value(&row, 6)?,
        })
    }

    fn own_schema(&self) -> Vec<String> {
        let Self { name, database, .. } = self;
        match &self.other_owner {
            Some(owner) => vec![format!("the schema saddlebag belongs to {owner}: GRANT {owner} TO {name}")],
            None if self.has_schema || self.creates_schemas => Vec::new(),
            None => vec![format!(
                "CREATE on the database is missing, for saddlebag's own tables: GRANT CREATE ON DATABASE {database} TO \
                 {name}"
            )],
        }
    }

    fn relations(&self, relations: &[Relation]) -> Vec<String> {
        let name = &self.name;
        let mut sentences = Vec::new();
        let closed = relations.iter().filter(|relation| !relation.enters_schema);
        for schema in grouped(closed.map(|relation| (relation.schema.as_str(), ""))).keys() {
            sentences
                .push(format!("USAGE on the schema {schema} is missing: GRANT USAGE ON SCHEMA {schema} TO {name}"));
        }
        let others = || relations.iter().filter(|relation| !relation.is_owner);
        let of = |relation: &'_ Relation| relation.name.clone();
        for (owner, names) in grouped(others().filter(|one| !one.of_superuser).map(|one| (one.owner.as_str(), of(one))))
        {
            let is_member = others().any(|one| one.owner == owner && one.is_member);
            let how = match (is_member, self.memberships_inherit) {
                (false, _) => format!("GRANT {owner} TO {name}"),
                (true, true) => format!("GRANT {owner} TO {name} WITH INHERIT TRUE"),
                (true, false) => format!("ALTER ROLE {name} INHERIT"),
            };
            sentences.push(format!("triggers are for the owner of {}: {how}", few(&names)));
        }
        let of_superuser = others().filter(|one| one.of_superuser).map(|one| (one.owner.as_str(), of(one)));
        for (owner, names) in grouped(of_superuser) {
            let all: Vec<_> = names.iter().map(|table| format!("ALTER TABLE {table} OWNER TO {name}")).collect();
            let what = format!("triggers are for the owner of {}, who is the superuser {owner}", few(&names));
            sentences.push(format!("{what}: {}", all.join("; ")));
        }
        let lacking = relations.iter().filter(|one| one.is_owner && !one.lacks.is_empty());
        for (rights, names) in grouped(lacking.map(|one| (one.lacks.as_str(), of(one)))) {
            let list = names.join(", ");
            sentences.push(format!("{rights} on {} is missing: GRANT {rights} ON {list} TO {name}", few(&names)));
        }
        let hidden: Vec<_> = relations.iter().filter(|one| one.hides_rows && !self.sees_all_rows).map(of).collect();
        if !hidden.is_empty() {
            let what = format!("row security hides rows of {}", few(&hidden));
            sentences.push(format!("{what}: ALTER ROLE {name} BYPASSRLS"));
        }
        sentences
    }
}

/// A table, or a part of one. Names are quoted.
struct Relation {
    name: String,
    schema: String,
    enters_schema: bool,
    owner: String,
    of_superuser: bool,
    is_owner: bool,
    /// Of the owner's role, though its rights may not be passed on.
    is_member: bool,
    lacks: String,
    hides_rows: bool,
}

impl Relation {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: value(row, 0)?,
            schema: value(row, 1)?,
            enters_schema: value(row, 2)?,
            owner: value(row, 3)?,
            of_superuser: value(row, 4)?,
            is_owner: value(row, 5)?,
            is_member: value(row, 6)?,
            lacks: value(row, 7)?,
            hides_rows: value(row, 8)?,
        })
    }
}

fn grouped<'a, T>(pairs: impl Iterator<Item = (&'a str, T)>) -> BTreeMap<&'a str, Vec<T>> {
    let mut groups: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (group, one) in pairs {
        groups.entry(group).or_default().push(one);
    }
    groups
}

/// Some of the names and how many more: there may be hundreds.
fn few(names: &[impl AsRef<str> + std::fmt::Display]) -> String {
    match names {
        [one] => one.to_string(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sql::table_name;
    use super::super::testing;
    use super::*;

    /// What is missing for a role, as `{prefix}_sb`, on tables of `{prefix}_app`, and whether what it says helps.
    fn sentences(test: &str, sql: &str, tables: &[&str]) -> Option<Vec<Vec<String>>> {
        let mut config = testing::config(test)?;
        let mut admin = testing::connect(&config);
        let database = config.get_dbname().unwrap().to_owned();
        let roles = format!("CREATE ROLE {database}_app; CREATE ROLE {database}_sb LOGIN;");
        admin.batch("making roles", &format!("{roles}{}", sql.replace('@', &database))).unwrap();
        let tables: Vec<_> = tables.iter().map(|table| (*table).to_owned()).collect();
        config.user(&format!("{database}_sb"));
        let mut rounds = Vec::new();
        loop {
            let found = missing(&mut testing::connect(&config), &tables).unwrap();
            let done = found.is_empty();
            for sentence in &found {
                let (_, statement) = sentence.split_once(": ").unwrap();
                admin.batch("giving a right", statement).unwrap();
            }
            rounds.push(found.iter().map(|sentence| sentence.replace(&database, "@")).collect());
            assert!(rounds.len() < 5, "what is said does not help: {rounds:?}");
            if done {
                break;
            }
        }
        // What was found to be enough is enough.
        let mut client = testing::connect(&config);
        // `IF NOT EXISTS` asks for the right to make one all the same.
        let own = "DO $$ BEGIN IF to_regnamespace('saddlebag') IS NULL THEN CREATE SCHEMA saddlebag; END IF; END $$";
        client.batch("a schema", own).unwrap();
        let function = "CREATE FUNCTION saddlebag.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'";
        client.batch("a function", function).unwrap();
        for table in tables.iter().map(|table| table_name(table)) {
            let trigger = format!(
                "CREATE TRIGGER saddlebag_x AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION saddlebag.note();
                 ALTER TABLE {table} ENABLE ALWAYS TRIGGER saddlebag_x; INSERT INTO {table} DEFAULT VALUES;
                 UPDATE {table} SET n = n; DELETE FROM {table}"
            );
            client.batch("a trigger", &trigger).unwrap();
        }
        client.batch("taking away", "DROP SCHEMA saddlebag CASCADE").unwrap();
        Some(rounds)
    }

    #[test]
    fn the_owner_of_tables_and_database_lacks_nothing() {
        let sql = "ALTER DATABASE @ OWNER TO @_sb; SET ROLE @_sb; CREATE SCHEMA s; CREATE TABLE s.p (id serial, n int);
            CREATE TABLE s.q (id serial, n int) PARTITION BY RANGE (id);
            CREATE TABLE s.q1 PARTITION OF s.q DEFAULT; RESET ROLE";
        let Some(rounds) = sentences("rights::the_owner", sql, &["s.p", "s.q"]) else { return };
        assert_eq!(rounds, [Vec::<String>::new()]);
    }

    #[test]
    fn a_role_of_its_own_is_told_what_it_lacks() {
        let sql = "CREATE SCHEMA s AUTHORIZATION @_app; CREATE TABLE s.p (id serial, n int);
            ALTER TABLE s.p OWNER TO @_app; CREATE SEQUENCE s.free; ALTER SEQUENCE s.free OWNER TO postgres;
            CREATE TABLE s.\"Q\" (id int DEFAULT nextval('s.free'), n int); ALTER TABLE s.\"Q\" OWNER TO @_app";
        let Some(rounds) = sentences("rights::a_role_of_its_own", sql, &["s.p", "s.Q"]) else { return };
        let [first, second, last] = rounds.as_slice() else { panic!("{rounds:?}") };
        assert_eq!(
            first.as_slice(),
            [
                "CREATE on the database is missing, for saddlebag's own tables: GRANT CREATE ON DATABASE @ TO @_sb",
                "USAGE on the schema s is missing: GRANT USAGE ON SCHEMA s TO @_sb",
                "triggers are for the owner of s.\"Q\" and s.p: GRANT @_app TO @_sb",
            ]
        );
        let counters = "SELECT, USAGE, UPDATE on s.free is missing, to count keys: GRANT SELECT, USAGE, UPDATE ON \
                        SEQUENCE s.free TO @_sb";
        assert_eq!((second.as_slice(), last.len()), ([counters.to_owned()].as_slice(), 0));
    }

    #[test]
    fn odd_rights_are_told_too() {
        let sql =
            "ALTER DATABASE @ OWNER TO @_sb; CREATE TABLE a (n int); CREATE TABLE b (n int); CREATE TABLE c (n int);
            CREATE TABLE d (n int); ALTER TABLE b OWNER TO @_app; GRANT @_app TO @_sb; ALTER ROLE @_sb NOINHERIT;
            ALTER TABLE c OWNER TO @_sb; REVOKE INSERT, DELETE ON c FROM @_sb; ALTER TABLE d OWNER TO @_sb;
            ALTER TABLE d ENABLE ROW LEVEL SECURITY; ALTER TABLE d FORCE ROW LEVEL SECURITY";
        let Some(rounds) = sentences("rights::odd", sql, &["a", "b", "c", "d"]) else { return };
        // PostgreSQL 16 has it by membership.
        let inherit = rounds[0][0].as_str();
        let ways = ["ALTER ROLE @_sb INHERIT", "GRANT @_app TO @_sb WITH INHERIT TRUE"];
        assert!(
            ways.iter().any(|way| inherit == format!("triggers are for the owner of public.b: {way}")),
            "{inherit}"
        );
        assert_eq!(
            rounds[0].as_slice(),
            [
                inherit,
                "triggers are for the owner of public.a, who is the superuser postgres: ALTER TABLE public.a OWNER TO @_sb",
                "INSERT, DELETE on public.c is missing: GRANT INSERT, DELETE ON public.c TO @_sb",
                "row security hides rows of public.d: ALTER ROLE @_sb BYPASSRLS",
            ]
        );
    }

    #[test]
    fn a_schema_of_another_role_is_told() {
        let sql = "CREATE SCHEMA saddlebag AUTHORIZATION @_app";
        let Some(rounds) = sentences("rights::a_schema_of_another_role", sql, &[]) else { return };
        assert_eq!(rounds[0].as_slice(), ["the schema saddlebag belongs to @_app: GRANT @_app TO @_sb"]);
    }
}
