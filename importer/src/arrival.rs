//! Where a bundle stands in its stream: new, seen before, or too early.

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::{BundleNumber, Seq};
use saddlebag_stores::ledger::{Link, Position};

use crate::error::ImportError;

/// What is to be done with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It says something new; records up to this position were seen before.
    New { applied: Seq },
    /// It was applied, or a later one was that says all it says.
    Already,
    /// What comes before it is missing.
    Early { applied: Seq },
}

/// "Known or new is decided by number; `(after, upto]` speaks only of the feed."
pub(crate) fn judge(header: &BundleHeader, link: &Link) -> Result<Arrival, ImportError> {
    let from = || link.name.clone();
    let Some(applied) = link.applied else {
        return Ok(if header.after == Seq(0) {
            Arrival::New { applied: Seq(0) }
        } else {
            Arrival::Early { applied: Seq(0) }
        });
    };
    if applied.epoch != header.epoch {
        return Err(ImportError::OtherEpoch { from: from(), found: header.epoch, known: applied.epoch });
    }
    if header.number == applied.number && header.id != applied.id {
        return Err(ImportError::TwoWithOneNumber { from: from(), number: header.number });
    }
    if header.number <= applied.number {
        return Ok(Arrival::Already);
    }
    if header.after > applied.upto {
        return Ok(Arrival::Early { applied: applied.upto });
    }
    Ok(Arrival::New { applied: applied.upto })
}

/// Takes the acknowledgement in a new bundle, which never goes back; gives the number up to which this node's
/// bundles have arrived.
pub(crate) fn acknowledge(header: &BundleHeader, link: &mut Link) -> Result<Option<BundleNumber>, ImportError> {
    let Some(ack) = header.ack else { return Ok(None) };
    let never_made = || ImportError::NeverMade { from: link.name.clone(), number: ack.number };
    let sent = link.sent.ok_or_else(never_made)?;
    let is_last = ack.number == sent.number;
    let is_beyond = ack.number > sent.number || ack.upto > sent.upto;
    if ack.epoch != sent.epoch || is_beyond || (is_last && (ack.id, ack.upto) != (sent.id, sent.upto)) {
        return Err(never_made());
    }
    let known = link.acknowledged.filter(|known| known.epoch == ack.epoch);
    if known.is_none_or(|known| ack.number > known.number) {
        link.acknowledged = Some(Position { epoch: ack.epoch, number: ack.number, id: ack.id, upto: ack.upto });
    }
    Ok(Some(ack.number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::header::{Acknowledgement, KeyId};
    use saddlebag_formats::payload_binding::PayloadBinding;
    use saddlebag_formats::{BundleId, DeploymentId, Epoch, NodeId, TimeMs};
    use saddlebag_stores::ledger::PeerRole;

    const EPOCH: Epoch = Epoch(1);

    fn header(number: u64, id: u8, after: u64, upto: u64) -> BundleHeader {
        BundleHeader {
            deployment: DeploymentId([0; 16]),
            id: BundleId([id; 16]),
            from: NodeId([1; 16]),
            key: KeyId([0; 8]),
            to: NodeId([2; 16]),
            epoch: EPOCH,
            number: BundleNumber(number),
            after: Seq(after),
            upto: Seq(upto),
            ack: None,
            created: TimeMs(0),
            payload: PayloadBinding::of(&[]),
        }
    }

    fn position(number: u64, id: u8, upto: u64) -> Option<Position> {
        Some(Position { epoch: EPOCH, number: BundleNumber(number), id: BundleId([id; 16]), upto: Seq(upto) })
    }

    fn link(applied: Option<Position>, sent: Option<Position>) -> Link {
        let new = Link::new(NodeId([1; 16]), "clinic-07", PeerRole::Satellite, &[], 0);
        Link { applied, sent, ..new }
    }

    #[test]
    fn known_or_new_is_decided_by_number() {
        let link = link(position(3, 3, 30), None);
        assert_eq!(judge(&header(3, 3, 0, 30), &link).unwrap(), Arrival::Already);
        assert_eq!(judge(&header(2, 9, 0, 20), &link).unwrap(), Arrival::Already);
        assert_eq!(judge(&header(4, 4, 0, 30), &link).unwrap(), Arrival::New { applied: Seq(30) });
        assert_eq!(judge(&header(5, 5, 31, 40), &link).unwrap(), Arrival::Early { applied: Seq(30) });
        assert_eq!(
            judge(&header(1, 1, 5, 9), &super::tests::link(None, None)).unwrap(),
            Arrival::Early { applied: Seq(0) }
        );
    }

    #[test]
    fn a_cloned_or_restored_sender_is_noticed() {
        let link = link(position(3, 3, 30), None);
        assert!(matches!(judge(&header(3, 7, 0, 30), &link), Err(ImportError::TwoWithOneNumber { .. })));
        let other = BundleHeader { epoch: Epoch(2), ..header(4, 4, 0, 30) };
        assert!(matches!(judge(&other, &link), Err(ImportError::OtherEpoch { .. })));
    }

    #[test]
    fn an_acknowledgement_names_what_was_made_and_never_goes_back() {
        let mut link = link(None, position(5, 5, 50));
        let ack = |number: u64, id: u8, upto: u64| {
            let ack =
                Acknowledgement { epoch: EPOCH, number: BundleNumber(number), id: BundleId([id; 16]), upto: Seq(upto) };
            BundleHeader { ack: Some(ack), ..header(1, 1, 0, 0) }
        };
        for forged in [ack(6, 6, 60), ack(5, 6, 50), ack(5, 5, 51)] {
            assert!(matches!(acknowledge(&forged, &mut link), Err(ImportError::NeverMade { .. })));
        }
        acknowledge(&ack(4, 4, 40), &mut link).unwrap();
        acknowledge(&ack(2, 2, 20), &mut link).unwrap();
        assert_eq!(link.acknowledged, position(4, 4, 40));
    }
}
