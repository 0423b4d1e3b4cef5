//! Where a bundle stands in its stream: new, seen before, too early, or of another history.

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::header::{Acknowledgement, BundleHeader};
use saddlebag_formats::limits::SENT_BUNDLES_MAX;
use saddlebag_formats::members::anew::id_prefix;
use saddlebag_formats::members::{Anew, Binding};
use saddlebag_formats::{BundleNumber, Epoch, SentBundle, Seq};
use saddlebag_stores::ledger::{Link, PeerRole, Position};

use crate::error::ImportError;

/// What is to be done with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It says something new; records up to this position were seen before.
    New { applied: Seq },
    /// Its sender's history has begun anew; what lies up to this position is common to that one and the one before.
    Anew { common: Seq },
    /// It belongs to the history that its sender's present one went on from, and did not arrive before that one;
    /// records up to this position were seen before.
    Late { applied: Seq },
    /// It was applied, or a later one was that says all it says.
    Already,
    /// What comes before it is missing.
    Early { applied: Seq },
    /// It was made before its sender heard of this node's new history, and takes for granted what that history lacks. All
    /// that it says comes again.
    Unheard,
}

/// "Known or new is decided by number; `(after, upto]` speaks only of the feed."
pub(crate) fn judge(header: &BundleHeader, binding: &Binding, link: &Link, own: Epoch) -> Result<Arrival, ImportError> {
    if is_unheard(header, binding, link, own) {
        return Ok(Arrival::Unheard);
    }
    let Some(applied) = link.applied else {
        return Ok(if header.after == Seq(0) {
            Arrival::New { applied: Seq(0) }
        } else {
            Arrival::Early { applied: Seq(0) }
        });
    };
    let two = |number| ImportError::TwoWithOneNumber { from: link.name.clone(), number };
    let last = (applied.number, applied.id);
    if header.epoch > applied.epoch {
        return begun_anew(header, binding, link, applied);
    }
    let known = link.history.with_number(header.epoch, header.number).map(|known| known.id);
    let known = known.or_else(|| (last.0 == header.number && applied.epoch == header.epoch).then_some(last.1));
    if known.is_some_and(|known| known != header.id) {
        return Err(two(header.number));
    }
    // Whoever made this number before, and something after it, was put back since.
    let named = link.history.prefix_of(header.epoch, header.number);
    if named.is_some_and(|prefix| prefix != id_prefix(header.id)) {
        return Err(two(header.number));
    }
    if header.epoch < applied.epoch {
        return late(header, binding, link, applied.epoch);
    }
    if header.number <= applied.number && !is_on(Fault::NumberNotCompared) {
        return Ok(Arrival::Already);
    }
    if let Some(number) = other_trail(header, binding, link) {
        return Err(two(number));
    }
    if header.after > applied.upto && !is_on(Fault::AcknowledgedTooEarly) {
        return Ok(Arrival::Early { applied: applied.upto });
    }
    Ok(Arrival::New { applied: applied.upto })
}

/// Whether its sender had applied something that was lost here, and did not know so.
fn is_unheard(header: &BundleHeader, binding: &Binding, link: &Link, own: Epoch) -> bool {
    let Some(ack) = header.ack.filter(|ack| ack.epoch < own) else { return false };
    // It had heard of this node's new history, and went back to where it had not.
    let is_later = || link.applied.is_some_and(|applied| header.epoch > applied.epoch);
    if link.history.anew.is_none() && binding.anew.is_some() && is_later() {
        return false;
    }
    // What was made before the oldest that is remembered was acknowledged once: whoever names only that went back itself.
    let is_earlier = |anew: &Anew| anew.known.first().is_some_and(|(oldest, _)| ack.number < *oldest);
    let knows = |anew: &Anew| is_common(anew, &ack) || (anew.before == ack.epoch && is_earlier(anew));
    !link.history.anew.as_ref().is_some_and(knows)
}

/// Whether what is acknowledged is a bundle of the history before that belongs to the present one as well.
fn is_common(anew: &Anew, ack: &Acknowledgement) -> bool {
    anew.before == ack.epoch && anew.known.contains(&(ack.number, ack.id))
}

/// Refuses what answers a later history of this node: its database was put back, or is a copy of another one that went on.
pub(crate) fn refuse_outlived(header: &BundleHeader, link: &Link, own: Epoch) -> Result<(), ImportError> {
    match header.ack {
        Some(ack) if ack.epoch > own => Err(ImportError::Outlived { from: link.name.clone(), found: ack.epoch, own }),
        _ => Ok(()),
    }
}

/// A bundle before this one that its sender made and that is not the one applied here under that number: the database was
/// put back, and places of its feed were given a second time.
fn other_trail(header: &BundleHeader, binding: &Binding, link: &Link) -> Option<BundleNumber> {
    let numbers = (1..header.number.0).rev().map(BundleNumber);
    let other = |(number, prefix): &(BundleNumber, &_)| {
        link.history.prefix_of(header.epoch, *number).is_some_and(|known| known != **prefix)
    };
    numbers.zip(binding.trail.iter().rev()).find(other).map(|(number, _)| number)
}

fn begun_anew(
    header: &BundleHeader,
    binding: &Binding,
    link: &Link,
    applied: Position,
) -> Result<Arrival, ImportError> {
    let Some(anew) = &binding.anew else {
        return Err(ImportError::OtherEpoch { from: link.name.clone(), found: header.epoch, known: applied.epoch });
    };
    // Of bundles that both ends know, the last says how far their histories are one. What the sender knows to be
    // acknowledged is common as well.
    let mut known = link.history.applied.iter().filter(|bundle| bundle.epoch == anew.before).peekable();
    let is_known = anew.before == applied.epoch || known.peek().is_some();
    let furthest = link.history.last_of(anew.before).map_or(Seq(0), |(_, upto)| upto);
    let furthest = if anew.before == applied.epoch { furthest.max(applied.upto) } else { furthest };
    if header.after > furthest || (!is_known && header.after > Seq(0)) {
        return Ok(Arrival::Early { applied: furthest });
    }
    let common = known.filter(|bundle| anew.known.contains(&(bundle.number, bundle.id))).map(|bundle| bundle.upto);
    Ok(Arrival::Anew { common: common.max().unwrap_or(Seq(0)).max(header.after) })
}

/// A bundle of an earlier history: a central takes what it brings as something that its sender has forgotten.
fn late(header: &BundleHeader, binding: &Binding, link: &Link, known: Epoch) -> Result<Arrival, ImportError> {
    let Some((number, upto)) = link.history.last_of(header.epoch) else {
        return Err(ImportError::OtherEpoch { from: link.name.clone(), found: header.epoch, known });
    };
    if header.number <= number {
        return Ok(Arrival::Already);
    }
    if link.role == PeerRole::Central || header.after > upto {
        return Err(ImportError::OtherEpoch { from: link.name.clone(), found: header.epoch, known });
    }
    // Another copy of its sender's database gave the same places of its feed to other records.
    let is_of_a_copy = other_trail(header, binding, link).is_some();
    Ok(Arrival::Late { applied: if is_of_a_copy { header.after } else { upto } })
}

/// Takes the acknowledgement in a new bundle, which never goes back; gives the number up to which this node's
/// bundles have arrived, if it says that. What lies before the acknowledged bundle need not be remembered any more. What
/// was said of an earlier history of this node says nothing of the present one.
pub(crate) fn acknowledge(
    header: &BundleHeader,
    link: &mut Link,
    own: Epoch,
) -> Result<Option<BundleNumber>, ImportError> {
    let Some(ack) = header.ack else { return Ok(None) };
    if ack.epoch < own {
        // A bundle of the history before that belongs to this one as well: it was made upon what that brought.
        if link.history.anew.as_ref().is_some_and(|anew| is_common(anew, &ack))
            && ack.upto > link.acknowledged_upto(own)
        {
            link.acknowledged = Some(Position::carried(own, ack.upto));
        }
        return Ok(None);
    }
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
    link.history.anew = None;
    link.history.common = link.history.common.filter(|(_, from)| *from > ack.number);
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
    use saddlebag_formats::header::KeyId;
    use saddlebag_formats::history::AppliedBundle;
    use saddlebag_formats::members::Common;
    use saddlebag_formats::payload_binding::PayloadBinding;
    use saddlebag_formats::{BundleId, DeploymentId, NodeId, TimeMs};
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

    fn judged(header: &BundleHeader, link: &Link) -> Result<Arrival, ImportError> {
        judge(header, &Binding::of(header, 0, None), link, EPOCH)
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
        assert_eq!(judged(&header(3, 3, 0, 30), &link).unwrap(), Arrival::Already);
        assert_eq!(judged(&header(2, 9, 0, 20), &link).unwrap(), Arrival::Already);
        assert_eq!(judged(&header(4, 4, 0, 30), &link).unwrap(), Arrival::New { applied: Seq(30) });
        assert_eq!(judged(&header(5, 5, 31, 40), &link).unwrap(), Arrival::Early { applied: Seq(30) });
        assert_eq!(
            judged(&header(1, 1, 5, 9), &super::tests::link(None, None)).unwrap(),
            Arrival::Early { applied: Seq(0) }
        );
    }

    #[test]
    fn a_cloned_or_restored_sender_is_noticed() {
        let link = link(position(3, 3, 30), None);
        assert!(matches!(judged(&header(3, 7, 0, 30), &link), Err(ImportError::TwoWithOneNumber { .. })));
        let other = BundleHeader { epoch: Epoch(2), ..header(4, 4, 0, 30) };
        assert!(matches!(judged(&other, &link), Err(ImportError::OtherEpoch { .. })));
    }

    /// A link over which bundles 1 to 3 were applied.
    fn with_history() -> Link {
        let mut link = link(position(3, 3, 30), None);
        for number in 1..=3_u8 {
            let (epoch, id) = (EPOCH, BundleId([number; 16]));
            let (number, upto) = (BundleNumber(u64::from(number)), Seq(u64::from(number) * 10));
            link.history.add(AppliedBundle { epoch, number, id, upto });
        }
        link
    }

    #[test]
    fn a_sender_that_went_back_further_is_noticed_by_what_it_made_since() {
        let link = with_history();
        assert!(matches!(judged(&header(2, 9, 10, 20), &link), Err(ImportError::TwoWithOneNumber { .. })));
        let later = header(5, 5, 10, 50);
        let trail = |prefixes: &[u8]| Binding {
            trail: prefixes.iter().map(|byte| [*byte; 4]).collect(),
            ..Binding::of(&later, 0, None)
        };
        assert_eq!(judge(&later, &trail(&[2, 3, 4]), &link, EPOCH).unwrap(), Arrival::New { applied: Seq(30) });
        for other in [&[9, 3, 4], &[2, 9, 4]] {
            let error = judge(&later, &trail(other), &link, EPOCH).unwrap_err();
            assert!(matches!(error, ImportError::TwoWithOneNumber { .. }), "{error}");
        }
    }

    #[test]
    fn a_sender_that_went_back_to_a_number_that_was_passed_over_is_noticed() {
        let mut link = with_history();
        link.history.add(AppliedBundle { epoch: EPOCH, number: BundleNumber(6), id: BundleId([6; 16]), upto: Seq(60) });
        link.history.add_trail(EPOCH, BundleNumber(6), &[[4; 4], [5; 4]]);
        link.applied = position(6, 6, 60);
        assert_eq!(judged(&header(5, 5, 30, 50), &link).unwrap(), Arrival::Already, "an earlier one that came later");
        assert!(matches!(judged(&header(5, 9, 30, 50), &link), Err(ImportError::TwoWithOneNumber { .. })));
        let later = header(7, 7, 30, 70);
        let trail = |prefixes: &[u8]| Binding {
            trail: prefixes.iter().map(|byte| [*byte; 4]).collect(),
            ..Binding::of(&later, 0, None)
        };
        assert_eq!(judge(&later, &trail(&[4, 5, 6]), &link, EPOCH).unwrap(), Arrival::New { applied: Seq(60) });
        assert!(matches!(judge(&later, &trail(&[9, 5, 6]), &link, EPOCH), Err(ImportError::TwoWithOneNumber { .. })));
    }

    #[test]
    fn histories_are_one_up_to_the_last_bundle_that_both_know() {
        let link = with_history();
        let anew = |after: u64, known: &[(u64, u8)]| {
            let header = BundleHeader { epoch: Epoch(2), ..header(1, 7, after, 40) };
            let known = known.iter().map(|(number, id)| (BundleNumber(*number), BundleId([*id; 16]))).collect();
            let binding = Binding { anew: Some(Anew { before: EPOCH, known }), ..Binding::of(&header, 0, None) };
            judge(&header, &binding, &link, EPOCH).unwrap()
        };
        assert_eq!(anew(10, &[(1, 1), (2, 2), (3, 9)]), Arrival::Anew { common: Seq(20) });
        assert_eq!(anew(10, &[]), Arrival::Anew { common: Seq(10) });
        assert_eq!(anew(0, &[(3, 3)]), Arrival::Anew { common: Seq(30) });
        assert_eq!(anew(30, &[]), Arrival::Anew { common: Seq(30) });
        assert_eq!(anew(31, &[]), Arrival::Early { applied: Seq(30) });
    }

    #[test]
    fn of_a_history_that_was_never_heard_of_nothing_is_common() {
        let link = with_history();
        let anew = |after: u64| {
            let header = BundleHeader { epoch: Epoch(3), ..header(1, 7, after, 40) };
            let known = vec![(BundleNumber(3), BundleId([3; 16]))];
            let binding = Binding { anew: Some(Anew { before: Epoch(2), known }), ..Binding::of(&header, 0, None) };
            judge(&header, &binding, &link, EPOCH).unwrap()
        };
        assert_eq!(anew(0), Arrival::Anew { common: Seq(0) });
        assert_eq!(anew(1), Arrival::Early { applied: Seq(0) });
    }

    #[test]
    fn what_was_made_before_its_sender_heard_of_a_new_history_comes_again() {
        let mut link = with_history();
        let (own, next) = (Epoch(2), header(4, 4, 30, 40));
        let acknowledging = |number: u64, id: u8| {
            let ack =
                Acknowledgement { epoch: EPOCH, number: BundleNumber(number), id: BundleId([id; 16]), upto: Seq(9) };
            BundleHeader { ack: Some(ack), ..next.clone() }
        };
        let judged =
            |header: &BundleHeader, link: &Link| judge(header, &Binding::of(header, 0, None), link, own).unwrap();
        link.history.anew = Some(Anew { before: EPOCH, known: vec![(BundleNumber(1), BundleId([1; 16]))] });
        assert_eq!(judged(&acknowledging(1, 1), &link), Arrival::New { applied: Seq(30) }, "nothing was lost");
        assert_eq!(judged(&acknowledging(2, 2), &link), Arrival::Unheard);
        assert_eq!(judged(&next, &link), Arrival::New { applied: Seq(30) });
        link.history.anew = Some(Anew { before: EPOCH, known: vec![(BundleNumber(2), BundleId([2; 16]))] });
        assert_eq!(judged(&acknowledging(1, 1), &link), Arrival::New { applied: Seq(30) }, "it went back itself");
    }

    #[test]
    fn what_was_acknowledged_of_a_history_before_counts_as_far_as_it_is_common() {
        let known = vec![(BundleNumber(1), BundleId([1; 16]))];
        let acknowledged = |number: u64, id: u8| {
            let mut link = with_history();
            link.history.anew = Some(Anew { before: EPOCH, known: known.clone() });
            let ack =
                Acknowledgement { epoch: EPOCH, number: BundleNumber(number), id: BundleId([id; 16]), upto: Seq(9) };
            let header = BundleHeader { ack: Some(ack), ..header(4, 4, 30, 40) };
            assert_eq!(acknowledge(&header, &mut link, Epoch(2)).unwrap(), None);
            assert!(link.history.anew.is_some(), "it has not heard of the new one");
            link.acknowledged_upto(Epoch(2))
        };
        assert_eq!([acknowledged(1, 1), acknowledged(2, 2), acknowledged(1, 7)], [Seq(9), Seq(0), Seq(0)]);
    }

    #[test]
    fn who_went_back_to_where_it_had_not_heard_of_a_new_history_is_listened_to() {
        let mut link = with_history();
        let anew = Anew { before: EPOCH, known: Vec::new() };
        let ack = Acknowledgement { epoch: EPOCH, number: BundleNumber(9), id: BundleId([9; 16]), upto: Seq(9) };
        let went_back = BundleHeader { epoch: Epoch(2), ack: Some(ack), ..header(1, 8, 0, 40) };
        let binding = Binding { anew: Some(anew.clone()), ..Binding::of(&went_back, 0, None) };
        let own = Epoch(2);
        assert_eq!(judge(&went_back, &binding, &link, own).unwrap(), Arrival::Anew { common: Seq(0) });
        let before = BundleHeader { epoch: EPOCH, ..went_back.clone() };
        assert_eq!(judge(&before, &binding, &link, own).unwrap(), Arrival::Unheard, "it is of a history before");
        link.history.anew = Some(anew);
        assert_eq!(judge(&went_back, &binding, &link, own).unwrap(), Arrival::Unheard, "it never heard of it");
    }

    #[test]
    fn what_a_history_before_still_brings_is_taken_by_a_central_alone() {
        let mut link = with_history();
        let (epoch, number, id, upto) = (Epoch(2), BundleNumber(1), BundleId([7; 16]), Seq(40));
        link.applied = Some(Position { epoch, number, id, upto });
        link.history.add(AppliedBundle { epoch, number, id, upto });
        assert_eq!(judged(&header(4, 4, 20, 50), &link).unwrap(), Arrival::Late { applied: Seq(30) });
        let of_a_copy = Binding { trail: vec![[9; 4]], ..Binding::of(&header(4, 4, 20, 50), 0, None) };
        let late = judge(&header(4, 4, 20, 50), &of_a_copy, &link, EPOCH).unwrap();
        assert_eq!(late, Arrival::Late { applied: Seq(20) }, "its places in the feed are others'");
        assert_eq!(judged(&header(3, 3, 20, 30), &link).unwrap(), Arrival::Already);
        assert!(judged(&header(3, 8, 20, 30), &link).is_err());
        assert!(judged(&header(5, 5, 31, 50), &link).is_err(), "what lies in between is missing");
        link.role = PeerRole::Central;
        assert!(matches!(judged(&header(4, 4, 20, 50), &link), Err(ImportError::OtherEpoch { .. })));
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
            assert!(matches!(acknowledge(&forged, &mut link, EPOCH), Err(ImportError::NeverMade { .. })));
        }
        let mut of_another_epoch = ack(5, 5, 50);
        of_another_epoch.ack.as_mut().unwrap().epoch = Epoch(2);
        assert!(matches!(acknowledge(&of_another_epoch, &mut link, EPOCH), Err(ImportError::NeverMade { .. })));
        assert_eq!((link.clone(), remembered(&link)), (made(), vec![3, 4, 5]));
        assert_eq!(acknowledge(&ack(5, 5, 50), &mut link, EPOCH).unwrap(), Some(BundleNumber(5)));
        assert_eq!((link.acknowledged, remembered(&link)), (position(5, 5, 50), vec![5]));
    }

    #[test]
    fn how_far_histories_are_one_is_said_until_it_is_acknowledged() {
        let said_after = |number: u64| {
            let mut link = made();
            let common = Common { before: EPOCH, upto: Seq(7) };
            link.history.common = Some((common, BundleNumber(4)));
            acknowledge(&ack(number, number as u8, number * 10), &mut link, EPOCH).unwrap();
            link.history.common.is_some()
        };
        assert_eq!([said_after(3), said_after(4), said_after(5)], [true, false, false]);
    }

    #[test]
    fn what_answers_a_later_history_of_this_node_is_refused() {
        let link = made();
        let of = |epoch| Acknowledgement { epoch, number: BundleNumber(3), id: BundleId([3; 16]), upto: Seq(30) };
        let answers = |epoch| BundleHeader { ack: Some(of(epoch)), ..header(1, 1, 0, 0) };
        let refused = |header: &BundleHeader| refuse_outlived(header, &link, Epoch(2));
        assert!(matches!(
            refused(&answers(Epoch(3))),
            Err(ImportError::Outlived { found: Epoch(3), own: Epoch(2), .. })
        ));
        for header in [answers(Epoch(2)), answers(Epoch(1)), header(1, 1, 0, 0)] {
            refused(&header).unwrap();
        }
    }

    #[test]
    fn an_acknowledgement_never_goes_back() {
        let mut link = made();
        assert_eq!(acknowledge(&ack(4, 4, 40), &mut link, EPOCH).unwrap(), Some(BundleNumber(4)));
        assert_eq!(acknowledge(&ack(3, 3, 30), &mut link, EPOCH).unwrap(), None);
        assert_eq!(acknowledge(&ack(2, 9, 99), &mut link, EPOCH).unwrap(), None);
        assert_eq!(acknowledge(&ack(4, 4, 40), &mut link, EPOCH).unwrap(), Some(BundleNumber(4)));
        assert_eq!((link.acknowledged, remembered(&link)), (position(4, 4, 40), vec![4, 5]));
    }

    #[test]
    fn a_bundle_may_be_acknowledged_with_what_one_before_it_brought() {
        let mut link = made();
        let made_again = SentBundle { number: BundleNumber(6), id: BundleId([6; 16]), upto: Seq(35), digest: None };
        link.note_sent(EPOCH, made_again);
        for upto in [34, 36, 45, 60] {
            assert!(matches!(acknowledge(&ack(6, 6, upto), &mut link, EPOCH), Err(ImportError::NeverMade { .. })));
        }
        for _ in 0..2 {
            assert_eq!(acknowledge(&ack(6, 6, 50), &mut link, EPOCH).unwrap(), Some(BundleNumber(6)));
            assert_eq!((link.acknowledged, remembered(&link)), (position(6, 6, 50), vec![6]));
        }
    }

    #[test]
    fn a_number_that_no_bundle_was_made_with_was_never_made() {
        let mut link = made();
        link.unacknowledged.remove(1);
        assert!(matches!(acknowledge(&ack(4, 4, 40), &mut link, EPOCH), Err(ImportError::NeverMade { .. })));
    }
}
