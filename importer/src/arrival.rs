//! Where a bundle stands in its stream: new, seen before, or too early.

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::limits::SENT_BUNDLES_MAX;
use saddlebag_formats::{BundleNumber, SentBundle, Seq};
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
    if header.number <= applied.number && !is_on(Fault::NumberNotCompared) {
        return Ok(Arrival::Already);
    }
    if header.after > applied.upto && !is_on(Fault::AcknowledgedTooEarly) {
        return Ok(Arrival::Early { applied: applied.upto });
    }
    Ok(Arrival::New { applied: applied.upto })
}

/// Takes the acknowledgement in a new bundle, which never goes back; gives the number up to which this node's
/// bundles have arrived, if it says that. What lies before the acknowledged bundle need not be remembered any more.
pub(crate) fn acknowledge(header: &BundleHeader, link: &mut Link) -> Result<Option<BundleNumber>, ImportError> {
    let Some(ack) = header.ack else { return Ok(None) };
    let never_made = || ImportError::NeverMade { from: link.name.clone(), number: ack.number };
    let sent = link.sent.ok_or_else(never_made)?;
    if ack.epoch != sent.epoch {
        return Err(never_made());
    }
    // An older one says nothing new, and nothing is remembered by which it could be checked.
    if link.unacknowledged.first().is_some_and(|oldest| ack.number < oldest.number) {
        return Ok(None);
    }
    let at = link.unacknowledged.binary_search_by_key(&ack.number, |made| made.number).map_err(|_| never_made())?;
    if ack.id != link.unacknowledged[at].id || !is_possible(ack.upto, &link.unacknowledged[..=at]) {
        return Err(never_made());
    }
    link.acknowledged = Some(Position { epoch: ack.epoch, number: ack.number, id: ack.id, upto: ack.upto });
    link.unacknowledged.drain(..at);
    // What it is acknowledged with is what the same acknowledgement says again.
    link.unacknowledged[0].upto = ack.upto;
    Ok(Some(ack.number))
}

/// Whether the other end may have applied up to `upto` with the last of these bundles: that far it reaches, or one
/// before it reached farther. A feed that was split before its parts were acknowledged is split again from its start.
fn is_possible(upto: Seq, made: &[SentBundle]) -> bool {
    let Some((last, before)) = made.split_last() else { return false };
    // Which bundles went before the oldest that is remembered, nobody knows any more.
    let is_forgotten = made.len() >= SENT_BUNDLES_MAX;
    upto == last.upto || (upto > last.upto && (is_forgotten || before.iter().any(|made| made.upto == upto)))
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

    /// Bundles with the numbers from 3 to 5, as made.
    fn made() -> Link {
        let mut link = link(None, None);
        for number in 3..=5 {
            let made = SentBundle {
                number: BundleNumber(number),
                id: BundleId([number as u8; 16]),
                upto: Seq(number * 10),
                digest: None,
            };
            link.note_sent(EPOCH, made);
        }
        link
    }

    fn ack(number: u64, id: u8, upto: u64) -> BundleHeader {
        let ack =
            Acknowledgement { epoch: EPOCH, number: BundleNumber(number), id: BundleId([id; 16]), upto: Seq(upto) };
        BundleHeader { ack: Some(ack), ..header(1, 1, 0, 0) }
    }

    fn remembered(link: &Link) -> Vec<u64> {
        link.unacknowledged.iter().map(|made| made.number.0).collect()
    }

    #[test]
    fn an_acknowledgement_names_what_was_made() {
        let mut link = made();
        for forged in
            [ack(6, 6, 60), ack(5, 6, 50), ack(5, 5, 51), ack(4, 5, 40), ack(4, 4, 41), ack(3, 4, 30), ack(4, 4, 50)]
        {
            assert!(matches!(acknowledge(&forged, &mut link), Err(ImportError::NeverMade { .. })));
        }
        let mut of_another_epoch = ack(5, 5, 50);
        of_another_epoch.ack.as_mut().unwrap().epoch = Epoch(2);
        assert!(matches!(acknowledge(&of_another_epoch, &mut link), Err(ImportError::NeverMade { .. })));
        assert_eq!((link.clone(), remembered(&link)), (made(), vec![3, 4, 5]));
        assert_eq!(acknowledge(&ack(5, 5, 50), &mut link).unwrap(), Some(BundleNumber(5)));
        assert_eq!((link.acknowledged, remembered(&link)), (position(5, 5, 50), vec![5]));
    }

    #[test]
    fn an_acknowledgement_never_goes_back() {
        let mut link = made();
        assert_eq!(acknowledge(&ack(4, 4, 40), &mut link).unwrap(), Some(BundleNumber(4)));
        assert_eq!(acknowledge(&ack(3, 3, 30), &mut link).unwrap(), None);
        assert_eq!(acknowledge(&ack(2, 9, 99), &mut link).unwrap(), None);
        assert_eq!(acknowledge(&ack(4, 4, 40), &mut link).unwrap(), Some(BundleNumber(4)));
        assert_eq!((link.acknowledged, remembered(&link)), (position(4, 4, 40), vec![4, 5]));
    }

    #[test]
    fn a_bundle_may_be_acknowledged_with_what_one_before_it_brought() {
        let mut link = made();
        let made_again = SentBundle { number: BundleNumber(6), id: BundleId([6; 16]), upto: Seq(35), digest: None };
        link.note_sent(EPOCH, made_again);
        for upto in [34, 36, 45, 60] {
            assert!(matches!(acknowledge(&ack(6, 6, upto), &mut link), Err(ImportError::NeverMade { .. })));
        }
        for _ in 0..2 {
            assert_eq!(acknowledge(&ack(6, 6, 50), &mut link).unwrap(), Some(BundleNumber(6)));
            assert_eq!((link.acknowledged, remembered(&link)), (position(6, 6, 50), vec![6]));
        }
    }

    #[test]
    fn a_number_that_no_bundle_was_made_with_was_never_made() {
        let mut link = made();
        link.unacknowledged.remove(1);
        assert!(matches!(acknowledge(&ack(4, 4, 40), &mut link), Err(ImportError::NeverMade { .. })));
    }
}
