//! The kept digests of tables, and what they are sums of.

use std::collections::{BTreeMap, HashMap};

use postgres::Row;
use saddlebag_formats::{Seq, Uid};
use uuid::Uuid;

use super::PostgresStore;
use super::client::Client;
use super::fields::{field, uid, unsigned};
use super::sql::states;
use super::states::{has_tombstones, uuids};
use crate::digest::{Digest, Standing};
use crate::engine::damaged;
use crate::error::StoreError;
use crate::tracking::TrackedTable;

const READING: &str = "reading digests";
const WRITING: &str = "writing digests";
const HASHES: &str = "reading row hashes";

/// Records that are read together.
const PAGE: i64 = 50_000;

/// The hashes of rows named `f` with the columns `hash` and `home`, as [`read_sum`] reads them: the server's own
/// addition does not wrap.
pub(super) const SUM: &str = "COALESCE(sum(f.hash & 4294967295) FILTER (WHERE NOT f.home), 0)::bigint, \
    COALESCE(sum((f.hash >> 32) & 4294967295) FILTER (WHERE NOT f.home), 0)::bigint, \
    count(*) FILTER (WHERE NOT f.home), count(*)";

/// The digest of rows whose [`SUM`] was asked for, and how many rows there were, home or not.
pub(super) fn read_sum(action: &str, row: &Row) -> Result<(Digest, u64), StoreError> {
    let (low, high) = (unsigned(action, row, 0)?, unsigned(action, row, 1)?);
    let sum = low.wrapping_add(high.wrapping_shl(32));
    Ok((Digest { sum, records: unsigned(action, row, 2)? }, unsigned(action, row, 3)?))
}

/// The kept digests, by table number.
pub(super) fn all(client: &mut Client) -> Result<HashMap<u32, Digest>, StoreError> {
    let sql = "SELECT table_number, sum::text, records FROM saddlebag.digest";
    let one = |row: &Row| {
        let (number, sum): (i32, &str) = (field(READING, row, 0)?, field(READING, row, 1)?);
        let sum = sum.parse().map_err(|error| damaged("a digest", error))?;
        Ok((number.cast_unsigned(), Digest { sum, records: unsigned(READING, row, 2)? }))
    };
    client.query(READING, sql, &[])?.iter().map(one).collect()
}

/// Adds what has changed.
pub(super) fn add(client: &mut Client, changed: &BTreeMap<u32, Digest>) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    put(
        client,
        changed.iter(),
        "sum = (d.sum + excluded.sum) % 18446744073709551616, records = d.records + excluded.records",
    )
}

/// Writes digests over those that are kept.
pub(super) fn save(client: &mut Client, digests: &HashMap<u32, Digest>) -> Result<(), StoreError> {
    put(client, digests.iter(), "sum = excluded.sum, records = excluded.records")
}

fn put<'d>(
    client: &mut Client,
    digests: impl Iterator<Item = (&'d u32, &'d Digest)>,
    set: &str,
) -> Result<(), StoreError> {
    let (mut tables, mut sums, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for (table, digest) in digests {
        tables.push(table.cast_signed());
        sums.push(digest.sum.to_string());
        records.push(digest.records.cast_signed());
    }
    let sql = format!(
        "INSERT INTO saddlebag.digest AS d (table_number, sum, records) \
         SELECT u.n, u.s::numeric, u.r FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS u(n, s, r) \
         ON CONFLICT (table_number) DO UPDATE SET {set}"
    );
    client.execute(WRITING, &sql, &[&tables, &sums, &records]).map(drop)
}

/// What is known of these records of a table; those never seen are left out.
pub(super) fn standing(
    store: &mut PostgresStore,
    table: &TrackedTable,
    uids: &[Uid],
) -> Result<HashMap<Uid, Standing>, StoreError> {
    if uids.is_empty() {
        return Ok(HashMap::new());
    }
    store.flush()?;
    let deleted = if has_tombstones(store, table.number)? {
        format!(
            "UNION ALL SELECT t.uid, NULL, t.seq FROM saddlebag.tombstone t \
             WHERE t.table_number = {} AND t.uid = ANY($1)",
            table.number
        )
    } else {
        String::new()
    };
    let sql = format!(
        "SELECT s.uid, s.hash, s.seq FROM {} s WHERE s.uid = ANY($1) AND NOT s.home {deleted}",
        states(table.number)
    );
    let mut found = HashMap::with_capacity(uids.len());
    for row in store.client.query(HASHES, &sql, &[&uuids(uids)])? {
        let (uid, hash, seq) = read(&row)?;
        let standing = match hash {
            Some(hash) => Standing::Live { hash, seq },
            None => Standing::Deleted { seq },
        };
        found.insert(uid, standing);
    }
    Ok(found)
}

/// Gives uid, hash and latest place of every live, shared record of a table, by uid.
pub(super) fn each(
    store: &mut PostgresStore,
    table: &TrackedTable,
    each: &mut dyn FnMut(Uid, u64, Seq),
) -> Result<(), StoreError> {
    store.flush()?;
    let sql = format!(
        "SELECT s.uid, s.hash, s.seq FROM {} s WHERE NOT s.home AND ($1::uuid IS NULL OR s.uid > $1) \
         ORDER BY s.uid LIMIT {PAGE}",
        states(table.number)
    );
    let mut after: Option<Uuid> = None;
    loop {
        let rows = store.client.query(HASHES, &sql, &[&after])?;
        for row in &rows {
            let (uid, hash, seq) = read(row)?;
            each(uid, hash.unwrap_or_default(), seq);
            after = Some(Uuid::from_bytes(uid.0));
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < PAGE) {
            return Ok(());
        }
    }
}

fn read(row: &Row) -> Result<(Uid, Option<u64>, Seq), StoreError> {
    let hash: Option<i64> = field(HASHES, row, 1)?;
    Ok((uid(HASHES, row, 0)?, hash.map(i64::cast_unsigned), Seq(unsigned(HASHES, row, 2)?)))
}
