//! Records that a neighbour has otherwise.

use saddlebag_formats::{LinkId, TimeMs, Uid};
use uuid::Uuid;

use super::client::Client;
use super::fields::{field, uid};
use crate::error::StoreError;
use crate::ledger::DifferentRecord;
use crate::stored_words::{how_name, how_named};

/// Those of a link, by table and uid.
pub(super) fn of(client: &mut Client, link: LinkId) -> Result<Vec<DifferentRecord>, StoreError> {
    let action = "reading what differs";
    let sql = "SELECT table_name, uid, how, found, wanted FROM saddlebag.different WHERE link = $1 \
               ORDER BY table_name, uid";
    let rows = client.query(action, sql, &[&i64::from(link.0)])?;
    let one = |row: &postgres::Row| {
        Ok(DifferentRecord {
            link,
            table: field(action, row, 0)?,
            uid: uid(action, row, 1)?,
            how: how_named(field(action, row, 2)?),
            found: TimeMs(field(action, row, 3)?),
            wanted: field(action, row, 4)?,
        })
    };
    rows.iter().map(one).collect()
}

/// Notes them, over what is known of the same records.
pub(super) fn save(client: &mut Client, records: &[DifferentRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let links: Vec<i64> = records.iter().map(|record| i64::from(record.link.0)).collect();
    let tables: Vec<&str> = records.iter().map(|record| record.table.as_str()).collect();
    let uids: Vec<Uuid> = records.iter().map(|record| Uuid::from_bytes(record.uid.0)).collect();
    let hows: Vec<&str> = records.iter().map(|record| how_name(record.how)).collect();
    let found: Vec<i64> = records.iter().map(|record| record.found.0).collect();
    let wanted: Vec<bool> = records.iter().map(|record| record.wanted).collect();
    let sql = "INSERT INTO saddlebag.different (link, table_name, uid, how, found, wanted) \
               SELECT * FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::boolean[]) \
               ON CONFLICT (link, table_name, uid) \
               DO UPDATE SET how = excluded.how, found = excluded.found, wanted = excluded.wanted";
    client.execute("writing what differs", sql, &[&links, &tables, &uids, &hows, &found, &wanted]).map(drop)
}

/// Forgets them.
pub(super) fn forget(client: &mut Client, link: LinkId, records: &[(String, Uid)]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let tables: Vec<&str> = records.iter().map(|(table, _)| table.as_str()).collect();
    let uids: Vec<Uuid> = records.iter().map(|(_, uid)| Uuid::from_bytes(uid.0)).collect();
    let sql = "DELETE FROM saddlebag.different d USING unnest($2::text[], $3::uuid[]) AS u(t, n) \
               WHERE d.link = $1 AND d.table_name = u.t AND d.uid = u.n";
    client.execute("forgetting what differs", sql, &[&i64::from(link.0), &tables, &uids]).map(drop)
}
