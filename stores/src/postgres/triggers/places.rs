//! Where the triggers stand: the tracked tables and their partitions.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::postgres::client::Client;
use crate::postgres::fields::field;
use crate::postgres::sql::table_name;
use crate::tracking::Tracking;

const READING: &str = "reading the triggers";

/// A tracked table, or a partition of one.
#[derive(Debug)]
pub(super) struct Place {
    /// The number of the tracked table.
    pub(super) number: u32,
    pub(super) oid: u32,
    /// Quoted, with its schema.
    pub(super) name: String,
    /// Whether it is the tracked table itself.
    pub(super) is_root: bool,
    /// Whether the tracked table is partitioned.
    pub(super) of_partitions: bool,
    /// The triggers of ours that stand there, by name.
    pub(super) triggers: BTreeMap<String, Present>,
}

/// A trigger that is there.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) is_always_on: bool,
    pub(super) bits: i16,
    /// With its schema.
    pub(super) function: String,
    /// Each ends with a zero byte.
    pub(super) arguments: Vec<u8>,
    pub(super) has_condition: bool,
}

/// Tables and all below them, `tree (number, root, rel)`, of `$1` and `$2`: numbers and names. A foreign table that is
/// a partition is another server's business.
const TREE: &str = "WITH RECURSIVE tree (number, root, rel) AS (
     SELECT u.number, c.oid, c.oid FROM unnest($1::integer[], $2::text[]) u (number, name)
     JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(u.name)
     UNION ALL
     SELECT tree.number, tree.root, c.oid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.rel
     JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE c.relispartition AND c.relkind IN ('r', 'p'))";

/// The numbers and names of the tracked tables.
fn parameters(tracking: &Tracking) -> (Vec<i32>, Vec<String>) {
    tracking.tables.iter().map(|table| (table.number.cast_signed(), table_name(&table.name))).unzip()
}

/// All places, each tracked table before its partitions. A table that is not there is left out.
pub(super) fn read(client: &mut Client, tracking: &Tracking) -> Result<Vec<Place>, StoreError> {
    let sql = format!(
        "{TREE} SELECT tree.number, c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), tree.root = c.oid,
             r.relkind = 'p', t.tgname::text, t.tgenabled = 'A', t.tgtype, pn.nspname || '.' || p.proname, t.tgargs,
             t.tgqual IS NOT NULL
         FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.rel JOIN pg_catalog.pg_class r ON r.oid = tree.root
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgname LIKE 'saddlebag\\_' || tree.number || '\\_%'
         LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
         ORDER BY tree.number, tree.root <> c.oid, c.oid"
    );
    let (numbers, names) = parameters(tracking);
    let mut places: Vec<Place> = Vec::new();
    for row in client.query(READING, &sql, &[&numbers, &names])? {
        let (number, oid) = (field::<i32>(READING, &row, 0)?.cast_unsigned(), field(READING, &row, 1)?);
        if places.last().is_none_or(|place| (place.number, place.oid) != (number, oid)) {
            let (name, is_root) = (field(READING, &row, 2)?, field(READING, &row, 3)?);
            let of_partitions = field(READING, &row, 4)?;
            places.push(Place { number, oid, name, is_root, of_partitions, triggers: BTreeMap::new() });
        }
        let (Some(place), Some(trigger)) = (places.last_mut(), field(READING, &row, 5)?) else { continue };
        let present = Present {
            is_always_on: field(READING, &row, 6)?,
            bits: field(READING, &row, 7)?,
            function: field(READING, &row, 8)?,
            arguments: field(READING, &row, 9)?,
            has_condition: field(READING, &row, 10)?,
        };
        place.triggers.insert(trigger, present);
    }
    Ok(places)
}

/// What takes away triggers of these tables' that stand elsewhere.
pub(super) fn strays(client: &mut Client, tracking: &Tracking) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "{TREE} SELECT pg_catalog.format('DROP TRIGGER %I ON %I.%I;', t.tgname, n.nspname, c.relname)
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
         JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace AND pn.nspname = 'saddlebag'
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE t.tgparentid = 0 AND NOT EXISTS (SELECT 1 FROM tree
             WHERE tree.rel = t.tgrelid AND t.tgname LIKE 'saddlebag\\_' || tree.number || '\\_%')
         ORDER BY 1"
    );
    let (numbers, names) = parameters(tracking);
    client.query(READING, &sql, &[&numbers, &names])?.iter().map(|row| field(READING, row, 0)).collect()
}
