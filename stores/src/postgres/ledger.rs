//! Settings and links.

use postgres::Row;
use saddlebag_formats::codec::CodecError;
use saddlebag_formats::comparison::Comparison;
use saddlebag_formats::history::History;
use saddlebag_formats::sent_bundles::{decode_sent_bundles, encode_sent_bundles};
use saddlebag_formats::{BundleId, BundleNumber, Epoch, LinkId, NodeId, Seq, TimeMs};
use uuid::Uuid;

use super::client::Client;
use super::fields::{field, link_id, unsigned};
use crate::engine::damaged;
use crate::error::StoreError;
use crate::ledger::{Link, PeerRole, Position};

pub(super) fn setting(client: &mut Client, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let action = "reading a setting";
    let rows = client.query(action, "SELECT value FROM saddlebag.setting WHERE name = $1", &[&name])?;
    rows.first().map(|row| field(action, row, 0)).transpose()
}

pub(super) fn set_setting(client: &mut Client, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO saddlebag.setting (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    client.execute("writing a setting", sql, &[&name, &value]).map(drop)
}

const COLUMNS: [&str; 24] = [
    "id",
    "peer",
    "name",
    "role",
    "card",
    "sent_epoch",
    "sent_number",
    "sent_id",
    "sent_upto",
    "acknowledged_epoch",
    "acknowledged_number",
    "acknowledged_id",
    "acknowledged_upto",
    "applied_epoch",
    "applied_number",
    "applied_id",
    "applied_upto",
    "owes_acknowledgement",
    "nodes_known",
    "last_contact",
    "health",
    "unacknowledged",
    "history",
    "comparison",
];

pub(super) fn links(client: &mut Client) -> Result<Vec<Link>, StoreError> {
    let sql = format!("SELECT {} FROM saddlebag.link ORDER BY id", COLUMNS.join(", "));
    let action = "reading the links";
    client.query(action, &sql, &[])?.iter().map(|row| link(action, row)).collect()
}

fn link(action: &str, row: &Row) -> Result<Link, StoreError> {
    let role: &str = field(action, row, 3)?;
    Ok(Link {
        id: link_id(action, row, 0)?,
        peer: NodeId(field::<Uuid>(action, row, 1)?.into_bytes()),
        name: field(action, row, 2)?,
        role: if role == "central" { PeerRole::Central } else { PeerRole::Satellite },
        card: field(action, row, 4)?,
        sent: position(action, row, 5)?,
        acknowledged: position(action, row, 9)?,
        unacknowledged: decode_sent_bundles(field(action, row, 21)?)
            .map_err(|error| damaged("the bundles made for a neighbour", error))?,
        comparison: Comparison::decode(field(action, row, 23)?)
            .map_err(|error| damaged("how records compared", error))?,
        applied: position(action, row, 13)?,
        owes_acknowledgement: field(action, row, 17)?,
        nodes_known: unsigned(action, row, 18)?,
        last_contact: field::<Option<i64>>(action, row, 19)?.map(TimeMs),
        health: field(action, row, 20)?,
        history: history(action, row, 22)?,
    })
}

fn history(action: &str, row: &Row, index: usize) -> Result<History, StoreError> {
    let damaged = |error: CodecError| StoreError::Damaged { what: "a link".to_owned(), reason: error.to_string() };
    History::decode(field(action, row, index)?).map_err(damaged)
}

fn position(action: &str, row: &Row, start: usize) -> Result<Option<Position>, StoreError> {
    let Some(epoch) = field::<Option<i64>>(action, row, start)? else { return Ok(None) };
    Ok(Some(Position {
        epoch: Epoch(epoch.cast_unsigned()),
        number: BundleNumber(unsigned(action, row, start + 1)?),
        id: BundleId(field::<Uuid>(action, row, start + 2)?.into_bytes()),
        upto: Seq(unsigned(action, row, start + 3)?),
    }))
}

pub(super) fn add_link(client: &mut Client, link: &Link) -> Result<LinkId, StoreError> {
    let action = "adding a link";
    let row = client.query_one(action, "SELECT COALESCE(max(id), 0) + 1 FROM saddlebag.link", &[])?;
    let id = link_id(action, &row, 0)?;
    save_link(client, &Link { id, ..link.clone() })?;
    Ok(id)
}

pub(super) fn save_link(client: &mut Client, link: &Link) -> Result<(), StoreError> {
    let role = match link.role {
        PeerRole::Central => "central",
        PeerRole::Satellite => "satellite",
    };
    let marks: Vec<_> = (1..=COLUMNS.len()).map(|mark| format!("${mark}")).collect();
    let set: Vec<_> = COLUMNS[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let sql = format!(
        "INSERT INTO saddlebag.link ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        COLUMNS.join(", "),
        marks.join(", "),
        set.join(", ")
    );
    let epoch = |position: Option<Position>| position.map(|position| position.epoch.0.cast_signed());
    let number = |position: Option<Position>| position.map(|position| position.number.0.cast_signed());
    let id = |position: Option<Position>| position.map(|position| Uuid::from_bytes(position.id.0));
    let upto = |position: Option<Position>| position.map(|position| position.upto.0.cast_signed());
    let (sent, acknowledged, applied) = (link.sent, link.acknowledged, link.applied);
    client
        .execute(
            "writing a link",
            &sql,
            &[
                &i64::from(link.id.0),
                &Uuid::from_bytes(link.peer.0),
                &link.name,
                &role,
                &link.card,
                &epoch(sent),
                &number(sent),
                &id(sent),
                &upto(sent),
                &epoch(acknowledged),
                &number(acknowledged),
                &id(acknowledged),
                &upto(acknowledged),
                &epoch(applied),
                &number(applied),
                &id(applied),
                &upto(applied),
                &link.owes_acknowledgement,
                &link.nodes_known.cast_signed(),
                &link.last_contact.map(|time| time.0),
                &link.health,
                &encode_sent_bundles(&link.unacknowledged),
                &link.history.encode(),
                &link.comparison.encode(),
            ],
        )
        .map(drop)
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::SentBundle;
    use saddlebag_formats::members::WholeDigest;

    use super::super::testing;
    use super::*;

    #[test]
    fn a_setting_is_what_was_written_last() {
        let Some(mut client) = testing::own_tables("a_setting_is_what_was_written_last") else { return };
        assert_eq!(setting(&mut client, "nodes").unwrap(), None);
        for value in [b"first".as_slice(), b"", b"\0\xff\\"] {
            set_setting(&mut client, "nodes", value).unwrap();
            assert_eq!(setting(&mut client, "nodes").unwrap().as_deref(), Some(value));
        }
        assert_eq!(setting(&mut client, "other").unwrap(), None);
    }

    #[test]
    fn a_link_comes_back_as_it_was_written() {
        let Some(mut client) = testing::own_tables("a_link_comes_back_as_it_was_written") else { return };
        let central = Link::new(NodeId([1; 16]), "ministry", PeerRole::Central, b"card", 3);
        let satellite = Link::new(NodeId([2; 16]), "clinic-07", PeerRole::Satellite, b"", u64::MAX);
        assert_eq!(add_link(&mut client, &central).unwrap(), LinkId(1));
        assert_eq!(add_link(&mut client, &satellite).unwrap(), LinkId(2));
        let position = |byte: u8| {
            let (number, upto) = (BundleNumber(u64::from(byte)), Seq(u64::from(byte) << 40));
            Some(Position { epoch: Epoch(u64::MAX - u64::from(byte)), number, id: BundleId([byte; 16]), upto })
        };
        let mut central = Link { id: LinkId(1), ..central };
        let satellite = Link { id: LinkId(2), ..satellite };
        assert_eq!(links(&mut client).unwrap(), [central.clone(), satellite.clone()]);
        (central.sent, central.acknowledged, central.applied) = (position(3), position(4), position(5));
        central.owes_acknowledgement = true;
        central.last_contact = Some(TimeMs(-1));
        central.health = Some(b"well".to_vec());
        let made = |number: u64, digest| {
            let (number, upto) = (BundleNumber(number), Seq(number * 9));
            SentBundle { number, id: BundleId([7; 16]), upto, digest }
        };
        let digest = WholeDigest { shape: 1, sum: u64::MAX };
        central.unacknowledged = vec![made(4, Some(digest)), made(5, None)];
        let Position { epoch, number, id, upto } = position(6).unwrap();
        central.history.add(saddlebag_formats::history::AppliedBundle { epoch, number, id, upto });
        central.comparison.different = Some(TimeMs(7));
        save_link(&mut client, &central).unwrap();
        assert_eq!(links(&mut client).unwrap(), [central, satellite]);
    }

    #[test]
    fn a_peer_has_one_link() {
        let Some(mut client) = testing::own_tables("a_peer_has_one_link") else { return };
        let link = Link::new(NodeId([1; 16]), "ministry", PeerRole::Central, b"card", 3);
        add_link(&mut client, &link).unwrap();
        let error = add_link(&mut client, &link).unwrap_err();
        assert!(matches!(&error, StoreError::Engine { action, .. } if action == "writing a link"), "{error}");
    }
}
