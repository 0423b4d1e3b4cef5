//! The triggers that note what the application changes.
//!
//! They fire for each row, so that they are there on every partition and for what logical replication writes, and
//! always, whatever `session_replication_role` says. Nothing in their definitions names a column: the application may
//! alter its tables as if they were not there.

use std::collections::BTreeSet;

use super::client::Client;
use super::journal;
use super::sql::{literal, quote};
use crate::error::StoreError;
use crate::tracking::Tracking;

mod functions;
pub(super) mod partitions;
mod places;
#[cfg(test)]
mod tests;

use functions::Function;
use places::{Place, Present};

const MAKING: &str = "making the triggers";

/// How long the application's writers are waited for, who would queue up behind: a trigger is made while nobody writes.
const LOCK_TIMEOUT: &str = "3s";

/// Changes with what the triggers below are; stands in each as its argument.
const VERSION: &str = "1";

/// Saddlebag's own writes are not noted. What the database does because of them is: cascades, the application's triggers.
const WHEN: &str = "WHEN (pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.>) 0 \
    OR COALESCE(pg_catalog.current_setting('saddlebag.importing', true), '') OPERATOR(pg_catalog.<>) 'on')";

/// What a trigger is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Insert,
    Update,
    Delete,
    Truncate,
    /// An update that may move a row from one partition to another: a deletion and an insertion to all other triggers.
    Move,
}

impl Event {
    const ROWS: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Move => "move",
        }
    }

    /// When it fires.
    fn fires(self) -> &'static str {
        match self {
            Self::Insert => "AFTER INSERT",
            Self::Update => "AFTER UPDATE",
            Self::Delete => "AFTER DELETE",
            Self::Truncate => "BEFORE TRUNCATE",
            Self::Move => "BEFORE UPDATE",
        }
    }

    /// The same as bits of `pg_trigger.tgtype`.
    fn bits(self) -> i16 {
        const ROW: i16 = 1;
        const BEFORE: i16 = 2;
        match self {
            Self::Insert => ROW | 4,
            Self::Delete => ROW | 8,
            Self::Update => ROW | 16,
            Self::Truncate => BEFORE | 32,
            Self::Move => ROW | BEFORE | 16,
        }
    }

    fn trigger(self, number: u32) -> String {
        format!("saddlebag_{number}_{}", self.name())
    }

    fn create(self, number: u32, place: &Place) -> String {
        let (name, fires, event) = (self.trigger(number), self.fires(), self.name());
        let each = if self == Self::Truncate { "STATEMENT" } else { "ROW" };
        let table = &place.name;
        format!(
            "CREATE TRIGGER {name} {fires} ON {table} FOR EACH {each} {WHEN} \
             EXECUTE FUNCTION saddlebag.note_{number}_{event}({}); {}",
            literal(VERSION),
            self.enable(number, place)
        )
    }

    fn enable(self, number: u32, place: &Place) -> String {
        format!("ALTER TABLE {} ENABLE ALWAYS TRIGGER {};", place.name, self.trigger(number))
    }

    fn is_made_as_wanted(self, number: u32, present: &Present) -> bool {
        let function = format!("saddlebag.note_{number}_{}", self.name());
        let version = [VERSION.as_bytes(), &[0]].concat();
        present.function == function
            && present.bits == self.bits()
            && present.arguments == version
            && present.has_condition
    }
}

/// The triggers that a table, or a partition, should have, those that the partitions get from their parent included.
fn wanted(place: &Place) -> Vec<Event> {
    let mut events = Event::ROWS.to_vec();
    if place.of_partitions {
        events.push(Event::Move);
    }
    events.push(Event::Truncate);
    events
}

/// What is to be done about one trigger.
struct Repair {
    number: u32,
    event: Event,
    sql: String,
}

/// What is to be done about the triggers of all tables.
fn repairs(places: &[Place]) -> Vec<Repair> {
    let mut repairs = Vec::new();
    for place in places {
        let number = place.number;
        for event in wanted(place) {
            let is_inherited = !place.is_root && event != Event::Truncate;
            let sql = match place.triggers.get(&event.trigger(number)) {
                Some(present) if is_inherited || event.is_made_as_wanted(number, present) => {
                    if present.is_always_on {
                        continue;
                    }
                    event.enable(number, place)
                }
                Some(_) => {
                    format!("DROP TRIGGER {} ON {}; {}", event.trigger(number), place.name, event.create(number, place))
                }
                // The parent's repair gives it to its partitions.
                None if is_inherited => String::new(),
                None => event.create(number, place),
            };
            repairs.push(Repair { number, event, sql });
        }
    }
    repairs
}

/// Makes the functions that are missing or differ; gives the numbers of their tables.
fn make_functions(client: &mut Client, wanted: &[Function]) -> Result<BTreeSet<u32>, StoreError> {
    let differ: Vec<&Function> = functions::differing(client, wanted)?;
    if !differ.is_empty() {
        let sql: Vec<String> = differ.iter().map(|function| function.create()).collect();
        client.batch(MAKING, &sql.join("\n"))?;
    }
    Ok(differ.iter().map(|function| function.number).collect())
}

/// Makes the functions of some tables anew, so that sessions of the application which have compiled them for a table as it
/// was do so again.
pub(super) fn renew_functions(
    client: &mut Client,
    tracking: &Tracking,
    numbers: &BTreeSet<u32>,
) -> Result<(), StoreError> {
    let functions = functions_of(tracking, &places::read(client, tracking)?);
    let these = functions.iter().filter(|function| numbers.contains(&function.number));
    let sql: Vec<String> = these.map(Function::create).collect();
    if sql.is_empty() { Ok(()) } else { client.batch(MAKING, &sql.join("\n")) }
}

/// The functions of all triggers.
fn functions_of(tracking: &Tracking, places: &[Place]) -> Vec<Function> {
    let partitioned: BTreeSet<u32> =
        places.iter().filter(|place| place.of_partitions).map(|place| place.number).collect();
    tracking.tables.iter().flat_map(|table| functions::all(table, partitioned.contains(&table.number))).collect()
}

/// Makes the triggers that are missing or differ, within the caller's transaction; gives the numbers of tables whose
/// functions were missing or others.
pub(super) fn make_triggers(client: &mut Client, tracking: &Tracking) -> Result<BTreeSet<u32>, StoreError> {
    let wanted = functions_of(tracking, &places::read(client, tracking)?);
    let made = make_functions(client, &wanted)?;
    let before = wait_at_most(client, LOCK_TIMEOUT)?;
    drop_strays(client, tracking)?;
    // What partitions get from their parent is there, but perhaps not always on, after the first turn.
    for _ in 0..2 {
        let repairs = repairs(&places::read(client, tracking)?);
        let sql: Vec<&str> = repairs.iter().map(|repair| repair.sql.as_str()).filter(|sql| !sql.is_empty()).collect();
        if sql.is_empty() {
            break;
        }
        client.batch(MAKING, &sql.join("\n"))?;
    }
    wait_at_most(client, &before)?;
    partitions::remember_new(client, tracking)?;
    Ok(made)
}

/// Takes away triggers of ours that stand elsewhere than they should: on a partition that was detached, on a table that
/// was renamed out of the way. What happens there is not said of the tracked table.
fn drop_strays(client: &mut Client, tracking: &Tracking) -> Result<(), StoreError> {
    let sql: Vec<String> = places::strays(client, tracking)?;
    if sql.is_empty() { Ok(()) } else { client.batch(MAKING, &sql.join("\n")) }
}

/// Makes the triggers that are missing or differ, within the caller's transaction, and looks at the tables that were
/// without: "a migration that rebuilds a table loses them".
///
/// What was written after this transaction's snapshot and before its triggers were there is neither seen nor noted: the
/// next absorb looks again.
pub(super) fn restore_triggers(client: &mut Client, tracking: &Tracking) -> Result<(), StoreError> {
    let before = places::read(client, tracking)?;
    let known = partitions::remembered(client)?;
    // A new partition has no trigger for TRUNCATE yet, and nothing else is wrong with it.
    let is_new = |number: u32, place: &Place| {
        let listed = |oids: &Vec<u32>| oids.contains(&place.oid);
        !place.is_root && place.number == number && known.get(&number).is_some_and(|oids| !listed(oids))
    };
    let mut without = BTreeSet::new();
    for place in &before {
        let repairs = repairs(std::slice::from_ref(place));
        let matters = |repair: &Repair| repair.event != Event::Truncate || !is_new(repair.number, place);
        without.extend(repairs.iter().filter(|repair| matters(repair)).map(|repair| repair.number));
    }
    without.extend(make_triggers(client, tracking)?);
    for table in tracking.tables.iter().filter(|table| without.contains(&table.number)) {
        journal::recheck(client, table)?;
        journal::look_again_at(client, table.number)?;
    }
    Ok(())
}

/// The triggers that are not there, not always on, or not as they should be, by name.
pub(super) fn missing_triggers(client: &mut Client, tracking: &Tracking) -> Result<Vec<String>, StoreError> {
    let places = places::read(client, tracking)?;
    let wanted = functions_of(tracking, &places);
    let mut missing: BTreeSet<String> =
        repairs(&places).iter().map(|repair| repair.event.trigger(repair.number)).collect();
    missing.extend(functions::differing(client, &wanted)?.iter().map(|function| function.trigger()));
    // A table that is not there has none.
    for table in tracking.tables.iter().filter(|table| !places.iter().any(|place| place.number == table.number)) {
        missing.extend(Event::ROWS.iter().map(|event| event.trigger(table.number)));
    }
    Ok(missing.into_iter().collect())
}

/// The tables without some of the triggers of rows, which the application has built anew.
pub(super) fn tables_without(client: &mut Client, tracking: &Tracking) -> Result<Vec<u32>, StoreError> {
    let places = places::read(client, tracking)?;
    let lacks = |place: &&Place| {
        place.is_root && Event::ROWS.iter().any(|event| !place.triggers.contains_key(&event.trigger(place.number)))
    };
    Ok(places.iter().filter(lacks).map(|place| place.number).collect())
}

/// Drops the triggers of a table, wherever they stand, and their functions.
pub(super) fn drop_triggers(client: &mut Client, number: u32) -> Result<(), StoreError> {
    drop_where(client, &format!("p.proname ~ '^note_{number}_[a-z]+$'"))
}

/// Drops all triggers of saddlebag's, and their functions.
pub(super) fn drop_all(client: &mut Client) -> Result<(), StoreError> {
    drop_where(client, "true")
}

fn drop_where(client: &mut Client, condition: &str) -> Result<(), StoreError> {
    const ACTION: &str = "taking away the triggers";
    let ours = format!(
        "p.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'saddlebag') \
                        AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AND {condition}"
    );
    let triggers = format!(
        "SELECT pg_catalog.format('DROP TRIGGER %I ON %I.%I;', t.tgname, n.nspname, c.relname)
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE t.tgparentid = 0 AND {ours}"
    );
    let functions = format!(
        "SELECT pg_catalog.format('DROP FUNCTION saddlebag.%I();', p.proname) FROM pg_catalog.pg_proc p WHERE {ours}"
    );
    let mut sql: Vec<String> = Vec::new();
    for query in [triggers, functions] {
        for row in client.query(ACTION, &query, &[])? {
            sql.push(super::fields::field(ACTION, &row, 0)?);
        }
    }
    let before = wait_at_most(client, LOCK_TIMEOUT)?;
    client.batch(ACTION, &sql.join("\n"))?;
    wait_at_most(client, &before).map(drop)
}

/// Sets how long locks are waited for in this transaction, and gives what it was set to.
fn wait_at_most(client: &mut Client, timeout: &str) -> Result<String, StoreError> {
    let sql = "SELECT pg_catalog.current_setting('lock_timeout'), pg_catalog.set_config('lock_timeout', $1, true)";
    let row = client.query_one(MAKING, sql, &[&timeout])?;
    super::fields::field(MAKING, &row, 0)
}

/// `NEW."a", NEW."b"`: these columns of a row.
fn of_row<'a>(row: &str, names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("{row}.{}", quote(name))).collect::<Vec<_>>().join(", ")
}
