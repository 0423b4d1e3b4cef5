//! What saddlebag itself remembers in the application's database: links, held changes, conflicts, receipts.

use saddlebag_formats::history::History;
use saddlebag_formats::limits::SENT_BUNDLES_MAX;
use saddlebag_formats::members::Receipt;
use saddlebag_formats::row_state_bytes::encode_value;
use saddlebag_formats::{
    BundleId, BundleNumber, Comparison, Epoch, LinkId, NodeId, SentBundle, Seq, TimeMs, Uid, Value, Version,
};

/// The setting that holds the deployment's public key, 32 bytes.
pub const DEPLOYMENT_KEY: &str = "deployment_key";
/// The setting that holds the end of the feed when everything held was last tried.
pub const HELD_TRIED: &str = "held_tried";
/// The setting that holds the list of nodes, as the deployment's key signed it.
pub const NODES: &str = "nodes";

/// Which end of a link the other node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRole {
    /// The other node is this one's central.
    Central,
    /// The other node is a satellite of this one.
    Satellite,
}

/// A bundle of a stream, and how far it brought the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch of its sender.
    pub epoch: Epoch,
    /// Its number.
    pub number: BundleNumber,
    /// Its id.
    pub id: BundleId,
    /// The last position of the sender's feed that it covers.
    pub upto: Seq,
}

impl Position {
    /// How much of a stream is known without a bundle that says so: it came with an earlier history.
    #[must_use]
    pub fn carried(epoch: Epoch, upto: Seq) -> Self {
        Self { epoch, number: BundleNumber(0), id: BundleId([0; 16]), upto }
    }
}

/// A link to a neighbour, both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number here.
    pub id: LinkId,
    /// The other node.
    pub peer: NodeId,
    /// Its name.
    pub name: String,
    /// Which end it is.
    pub role: PeerRole,
    /// Its card, as admitted.
    pub card: Vec<u8>,
    /// The last bundle made for it.
    pub sent: Option<Position>,
    /// Of what this node made, the last that the other end applied.
    pub acknowledged: Option<Position>,
    /// The bundles made for it in the epoch of `sent`, by number: the last acknowledged one, where it is of that epoch,
    /// and those made since. The latest [`SENT_BUNDLES_MAX`](saddlebag_formats::limits::SENT_BUNDLES_MAX) of them.
    pub unacknowledged: Vec<SentBundle>,
    /// How the records that both ends share compared.
    pub comparison: Comparison,
    /// Of what the other end made, the last that was applied here.
    pub applied: Option<Position>,
    /// Whether something was applied that the other end has not been told of in a bundle.
    pub owes_acknowledgement: bool,
    /// The number of the list of nodes that the other end said it holds.
    pub nodes_known: u64,
    /// When a bundle of the other end was last taken in, by this node's clock.
    pub last_contact: Option<TimeMs>,
    /// The other end's health as it last told, in its wire form.
    pub health: Option<Vec<u8>>,
    /// What is remembered of both streams.
    pub history: History,
}

impl Link {
    /// A link over which nothing has gone yet; [`crate::Store::add_link`] gives its number.
    #[must_use]
    pub fn new(peer: NodeId, name: &str, role: PeerRole, card: &[u8], nodes_known: u64) -> Self {
        Self {
            id: LinkId(0),
            peer,
            name: name.to_owned(),
            role,
            card: card.to_vec(),
            sent: None,
            acknowledged: None,
            unacknowledged: Vec::new(),
            comparison: Comparison::default(),
            applied: None,
            owes_acknowledgement: false,
            nodes_known,
            last_contact: None,
            health: None,
            history: History::default(),
        }
    }

    /// Notes that a bundle was made in `epoch`, the last so far.
    pub fn note_sent(&mut self, epoch: Epoch, bundle: SentBundle) {
        let SentBundle { number, id, upto, .. } = bundle;
        if self.sent.is_none_or(|sent| sent.epoch != epoch) {
            self.unacknowledged.clear();
        }
        self.sent = Some(Position { epoch, number, id, upto });
        self.unacknowledged.push(bundle);
        let old = self.unacknowledged.len().saturating_sub(SENT_BUNDLES_MAX);
        self.unacknowledged.drain(..old);
    }

    /// How far the other end has applied this node's feed in `epoch`.
    #[must_use]
    pub fn acknowledged_upto(&self, epoch: Epoch) -> Seq {
        self.acknowledged.filter(|position| position.epoch == epoch).map_or(Seq(0), |position| position.upto)
    }

    /// How far this node has applied the other end's feed in `epoch`.
    #[must_use]
    pub fn applied_upto(&self, epoch: Epoch) -> Seq {
        self.applied.filter(|position| position.epoch == epoch).map_or(Seq(0), |position| position.upto)
    }
}

/// Why a change is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldKind {
    /// Until a record that it refers to arrives.
    Parked,
    /// The database refused it.
    Quarantined,
}

/// A change that could not be applied, kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The link that it came over.
    pub link: LinkId,
    /// Its table's name, as the sender named it.
    pub table: String,
    /// The record.
    pub uid: Uid,
    /// Parked or quarantined.
    pub kind: HeldKind,
    /// Why, in words.
    pub reason: String,
    /// The change in its own encoding.
    pub change: Vec<u8>,
    /// How much of this node's feed the sender had applied, by column; in its own encoding.
    pub known: Vec<u8>,
    /// When it was first held.
    pub since: TimeMs,
    /// The reason that its sender was last told; none if it was not told yet.
    pub told: Option<String>,
}

/// A held change that a person let go, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The link that it came over.
    pub link: LinkId,
    /// Its table's name.
    pub table: String,
    /// The record.
    pub uid: Uid,
    /// Why the person let it go, in words.
    pub reason: String,
    /// Why it had been held.
    pub held_because: String,
    /// The change in its own encoding.
    pub change: Vec<u8>,
    /// When it was let go, by this node's clock.
    pub at: TimeMs,
}

/// A true value that cannot stand in its column here, kept beside the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The record.
    pub uid: Uid,
    /// The column's id in the tracked table.
    pub column: u16,
    /// The value as it came: what is exported, compared and hashed.
    pub value: Value,
    /// What stands in the column instead, a value of this database; none where there is no such column.
    pub shown: Option<Value>,
    /// Why.
    pub why: BesideWhy,
}

/// Why a value stands beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BesideWhy {
    /// The schema here lacks the column.
    NoColumn,
    /// It refers to a record that is not here and never comes by itself.
    NoTarget,
    /// Another record here has the value, which comes from a counter of each database.
    Collides,
    /// The database stored another form of it.
    OtherForm,
}

/// What disagreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// Two places wrote one column without having seen each other's value.
    Values,
    /// One place deleted what another still edits or refers to.
    Deletion,
}

/// What decided which side of a conflict stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConflictRule {
    /// The later one, by effective time.
    Newest,
    /// What stood at the central.
    Central,
    /// What came from a satellite.
    Satellite,
    /// Nobody yet: what stood at the central stands until a person decides.
    Ask,
    /// The record is kept.
    Keep,
    /// The deletion stands.
    Delete,
    /// The sender of a held value replaced it itself.
    Replaced,
    /// Two records turned out to be one, and it keeps what it had.
    SameAs,
}

/// Two values that disagreed, both kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The link over which the second came.
    pub link: LinkId,
    /// The table's name.
    pub table: String,
    /// The record.
    pub uid: Uid,
    /// The column; none for a deletion.
    pub column: Option<String>,
    /// What disagreed.
    pub kind: ConflictKind,
    /// What decided.
    pub rule: ConflictRule,
    /// The value that stands from now on, in its encoding, with its version.
    pub winner: ConflictSide,
    /// The other.
    pub loser: ConflictSide,
    /// When it was found, by this node's clock.
    pub found: TimeMs,
    /// Whether this node's clock was not believed then: nothing was held against times that lie ahead of it.
    pub clock_doubted: bool,
}

impl Conflict {
    /// Whether the record was there when it was decided by rule; of a conflict about values it always was.
    #[must_use]
    pub fn keeps_record(&self) -> bool {
        self.rule != ConflictRule::Delete
    }
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictSide {
    /// The value in the encoding of `formats`; none where the side deleted the record.
    pub value: Option<Vec<u8>>,
    /// When and where it was written.
    pub version: Version,
    /// The time that counted, where its writer's clock was not believed.
    pub effective: Option<TimeMs>,
}

impl ConflictSide {
    /// A value, or the lack of one, with its version.
    #[must_use]
    pub fn of(value: Option<&Value>, version: Version) -> Self {
        Self { value: value.map(encode_value), version, effective: None }
    }

    /// The same with the time that counted, where that is not the version's own.
    #[must_use]
    pub fn at(self, effective: Option<TimeMs>) -> Self {
        Self { effective, ..self }
    }
}

/// What a person chose of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taken {
    /// What stood from the conflict on.
    Stands,
    /// The other side.
    Other,
    /// Another value.
    Value,
}

/// What a person decided about a conflict. It may be decided again: the last counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The conflict's number.
    pub conflict: u64,
    /// What was chosen.
    pub taken: Taken,
    /// The value, in its encoding; none where it is a deletion, or the record itself.
    pub value: Option<Vec<u8>>,
    /// The version under which it stands.
    pub version: Version,
    /// Who decided.
    pub by: String,
    /// Why, in that person's words.
    pub because: Option<String>,
    /// When, by this node's clock.
    pub at: TimeMs,
}

/// A receipt, to be sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The link that it goes or came over.
    pub link: LinkId,
    /// What it says.
    pub receipt: Receipt,
}

/// A record that a neighbour has otherwise, as both were last compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferentRecord {
    /// The link to the neighbour.
    pub link: LinkId,
    /// The table's name.
    pub table: String,
    /// The record.
    pub uid: Uid,
    /// How it differs.
    pub how: DifferentHow,
    /// When it was found, by this node's clock.
    pub found: TimeMs,
    /// Whether the neighbour is asked to send it whole.
    pub wanted: bool,
}

/// How a record differs between two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferentHow {
    /// Both have it, with other values.
    OtherValues,
    /// The neighbour has it and this node does not.
    MissingHere,
    /// This node has it and the neighbour does not.
    MissingThere,
}

/// How much is held and in conflict on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Parked changes.
    pub parked: u64,
    /// Quarantined changes.
    pub quarantined: u64,
    /// Conflicts that no person has decided about.
    pub conflicts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(number: usize) -> SentBundle {
        let number = number as u64;
        SentBundle { number: BundleNumber(number), id: BundleId([1; 16]), upto: Seq(number), digest: None }
    }

    #[test]
    fn the_latest_bundles_of_one_epoch_are_remembered() {
        let mut link = Link::new(NodeId([1; 16]), "clinic-07", PeerRole::Satellite, &[], 0);
        for number in 1..=SENT_BUNDLES_MAX + 1 {
            link.note_sent(Epoch(1), made(number));
        }
        assert_eq!(link.unacknowledged.len(), SENT_BUNDLES_MAX);
        assert_eq!(link.unacknowledged[0], made(2));
        assert_eq!(link.sent.unwrap().number.0 as usize, SENT_BUNDLES_MAX + 1);
        link.note_sent(Epoch(2), made(1));
        assert_eq!(link.unacknowledged, [made(1)]);
    }
}
