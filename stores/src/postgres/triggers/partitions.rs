//! Which partitions the tracked tables had when they were last looked at: rows come and go with partitions that are
//! attached, detached or dropped, and no trigger fires.

use std::collections::{BTreeMap, BTreeSet};

use super::places::{self, Place};
use crate::error::StoreError;
use crate::postgres::client::Client;
use crate::postgres::fields::field;
use crate::postgres::ledger;
use crate::tracking::Tracking;

const ACTION: &str = "reading which partitions there are";

/// The setting that lists the partitions of a table.
pub(in crate::postgres) fn setting_name(number: u32) -> String {
    format!("partitions_{number}")
}

/// The partitions of each partitioned table, in order.
fn present(places: &[Place]) -> BTreeMap<u32, Vec<u32>> {
    let mut partitions: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for place in places.iter().filter(|place| place.of_partitions) {
        let of = partitions.entry(place.number).or_default();
        of.extend((!place.is_root).then_some(place.oid));
    }
    partitions
}

/// As they were last looked at, by table number.
pub(super) fn remembered(client: &mut Client) -> Result<BTreeMap<u32, Vec<u32>>, StoreError> {
    let sql = "SELECT name, value FROM saddlebag.setting WHERE name ~ '^partitions_[0-9]+$'";
    let mut remembered = BTreeMap::new();
    for row in client.query(ACTION, sql, &[])? {
        let (name, value): (&str, &[u8]) = (field(ACTION, &row, 0)?, field(ACTION, &row, 1)?);
        let number = name.rsplit('_').next().and_then(|number| number.parse().ok());
        let oids = String::from_utf8_lossy(value).split(' ').filter_map(|oid| oid.parse().ok()).collect();
        remembered.extend(number.map(|number: u32| (number, oids)));
    }
    Ok(remembered)
}

fn remember(client: &mut Client, number: u32, oids: &[u32]) -> Result<(), StoreError> {
    let listed: Vec<String> = oids.iter().map(u32::to_string).collect();
    ledger::set_setting(client, &setting_name(number), listed.join(" ").as_bytes())
}

/// Remembers the partitions of tables of which none are known.
pub(super) fn remember_new(client: &mut Client, tracking: &Tracking) -> Result<(), StoreError> {
    let known = remembered(client)?;
    for (number, oids) in present(&places::read(client, tracking)?) {
        if !known.contains_key(&number) {
            remember(client, number, &oids)?;
        }
    }
    Ok(())
}

/// The tables whose partitions are others than when they were last looked at. They are remembered as they are now: the
/// caller looks at the tables.
pub(in crate::postgres) fn changed(client: &mut Client, tracking: &Tracking) -> Result<BTreeSet<u32>, StoreError> {
    let known = remembered(client)?;
    if known.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut changed = BTreeSet::new();
    for (number, oids) in present(&places::read(client, tracking)?) {
        if known.get(&number).is_some_and(|known| *known != oids) {
            remember(client, number, &oids)?;
            changed.insert(number);
        }
    }
    Ok(changed)
}
