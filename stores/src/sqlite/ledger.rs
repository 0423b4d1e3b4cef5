//! Settings and links.

use rusqlite::{Connection, Row, params};
use saddlebag_formats::comparison::Comparison;
use saddlebag_formats::history::History;
use saddlebag_formats::sent_bundles::{decode_sent_bundles, encode_sent_bundles};
use saddlebag_formats::{BundleId, BundleNumber, Epoch, LinkId, NodeId, Seq, TimeMs};

use super::engine;
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Link, PeerRole, Position};

pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let failed = |error| engine("reading a setting", &error);
    let mut statement =
        connection.prepare_cached("SELECT value FROM saddlebag_setting WHERE name = ?1").map_err(failed)?;
    let mut rows = statement.query([name]).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| row.get(0)).transpose().map_err(failed)
}

pub(super) fn set_setting(connection: &Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO saddlebag_setting (name, value) VALUES (?1, ?2)";
    connection.execute(sql, params![name, value]).map_err(|error| engine("writing a setting", &error))?;
    Ok(())
}

const COLUMNS: &str = "id, peer, name, role, card, \
    sent_epoch, sent_number, sent_id, sent_upto, \
    acknowledged_epoch, acknowledged_number, acknowledged_id, acknowledged_upto, \
    applied_epoch, applied_number, applied_id, applied_upto, \
    owes_acknowledgement, nodes_known, last_contact, health, unacknowledged, history, comparison";

pub(super) fn links(connection: &Connection) -> Result<Vec<Link>, StoreError> {
    let failed = |error| engine("reading the links", &error);
    let sql = format!("SELECT {COLUMNS} FROM saddlebag_link ORDER BY id");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut links = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (mut link, sent): (Link, Vec<u8>) = (link(row).map_err(failed)?, row.get(21).map_err(failed)?);
        link.unacknowledged =
            decode_sent_bundles(&sent).map_err(|error| damaged("the bundles made for a neighbour", error))?;
        let comparison: Vec<u8> = row.get(23).map_err(failed)?;
        link.comparison = Comparison::decode(&comparison).map_err(|error| damaged("how records compared", error))?;
        links.push(link);
    }
    Ok(links)
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    let role: String = row.get(3)?;
    Ok(Link {
        id: LinkId(row.get(0)?),
        peer: NodeId(row.get(1)?),
        name: row.get(2)?,
        role: if role == "central" { PeerRole::Central } else { PeerRole::Satellite },
        card: row.get(4)?,
        sent: position(row, 5)?,
        acknowledged: position(row, 9)?,
        unacknowledged: Vec::new(),
        comparison: Comparison::default(),
        applied: position(row, 13)?,
        owes_acknowledgement: row.get(17)?,
        nodes_known: row.get::<_, i64>(18)?.cast_unsigned(),
        last_contact: row.get::<_, Option<i64>>(19)?.map(TimeMs),
        health: row.get(20)?,
        history: history(row, 22)?,
    })
}

fn history(row: &Row<'_>, at: usize) -> rusqlite::Result<History> {
    let damaged = |error| rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Blob, Box::new(error));
    History::decode(&row.get::<_, Vec<u8>>(at)?).map_err(damaged)
}

fn position(row: &Row<'_>, start: usize) -> rusqlite::Result<Option<Position>> {
    let Some(epoch) = row.get::<_, Option<i64>>(start)? else { return Ok(None) };
    Ok(Some(Position {
        epoch: Epoch(epoch.cast_unsigned()),
        number: BundleNumber(row.get::<_, i64>(start + 1)?.cast_unsigned()),
        id: BundleId(row.get(start + 2)?),
        upto: Seq(row.get::<_, i64>(start + 3)?.cast_unsigned()),
    }))
}

pub(super) fn add_link(connection: &Connection, link: &Link) -> Result<LinkId, StoreError> {
    let failed = |error| engine("adding a link", &error);
    let sql = "SELECT COALESCE(max(id), 0) + 1 FROM saddlebag_link";
    let id = LinkId(connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?);
    save_link(connection, &Link { id, ..link.clone() })?;
    Ok(id)
}

pub(super) fn save_link(connection: &Connection, link: &Link) -> Result<(), StoreError> {
    let role = match link.role {
        PeerRole::Central => "central",
        PeerRole::Satellite => "satellite",
    };
    let marks = super::sql::marks(24);
    let sql = format!("INSERT OR REPLACE INTO saddlebag_link ({COLUMNS}) VALUES ({marks})");
    let epoch = |position: Option<Position>| position.map(|position| position.epoch.0.cast_signed());
    let number = |position: Option<Position>| position.map(|position| position.number.0.cast_signed());
    let id = |position: Option<Position>| position.map(|position| position.id.0);
    let upto = |position: Option<Position>| position.map(|position| position.upto.0.cast_signed());
    let (sent, acknowledged, applied) = (link.sent, link.acknowledged, link.applied);
    connection
        .execute(
            &sql,
            params![
                link.id.0,
                link.peer.0,
                link.name,
                role,
                link.card,
                epoch(sent),
                number(sent),
                id(sent),
                upto(sent),
                epoch(acknowledged),
                number(acknowledged),
                id(acknowledged),
                upto(acknowledged),
                epoch(applied),
                number(applied),
                id(applied),
                upto(applied),
                link.owes_acknowledgement,
                link.nodes_known.cast_signed(),
                link.last_contact.map(|time| time.0),
                link.health,
                encode_sent_bundles(&link.unacknowledged),
                link.history.encode(),
                link.comparison.encode(),
            ],
        )
        .map_err(|error| engine("writing a link", &error))?;
    Ok(())
}
