//! What a node remembers of the two streams of a link: which bundles of the other end it has applied, from where its own
//! history began anew, and why the link stands still. Kept by nodes, never sent.
//!
//! Invariant: it does not grow with time.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::{BundleId, BundleNumber, Epoch, Seq, TimeMs};
use crate::members::anew::{AnewV1, IdPrefix, id_prefix};
use crate::members::{Anew, Common};

/// Applied bundles that are remembered, the latest ones: enough to notice a sender that went back by so many.
pub const APPLIED_MAX: usize = 64;

/// A bundle of the other end that was applied here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedBundle {
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its number in that epoch.
    pub number: BundleNumber,
    /// Its id.
    pub id: BundleId,
    /// The position of the sender's feed up to which it went.
    pub upto: Seq,
}

/// A bundle of the other end that was made before one that was applied, and was not applied itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedBundle {
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its number in that epoch.
    pub number: BundleNumber,
    /// The beginning of its id.
    pub prefix: IdPrefix,
}

/// A link that stands still until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Since when, by this node's clock.
    pub since: TimeMs,
    /// What was noticed, in words.
    pub why: String,
    /// The later history of this node that the other end knows, if that is why: a new one must come after it.
    pub outlived_by: Option<Epoch>,
}

/// What a node remembers of a link's two streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last bundles that were applied, oldest first.
    pub applied: Vec<AppliedBundle>,
    /// Bundles before an applied one that never came by themselves, since it said all that they say: the latest ones, oldest first.
    pub passed: Vec<PassedBundle>,
    /// This node's own new beginning, until the other end has acknowledged a bundle of it.
    pub anew: Option<Anew>,
    /// How much of this node's feed, in the history before its present one, the other end is known to have had: what it then
    /// had of this node was written upon that. 0 if this node never began anew.
    pub went_on_from: Seq,
    /// Where the other end began anew: how much of its history before was applied here, to be told in the bundles from this
    /// number on until one of them is acknowledged.
    pub common: Option<(Common, BundleNumber)>,
    /// The last history that the other end has left: what it wrote in it may be of two copies of its database.
    pub left: Option<Epoch>,
    /// Why the link stands still, if it does.
    pub stopped: Option<Stopped>,
}

impl History {
    /// Notes an applied bundle.
    pub fn add(&mut self, bundle: AppliedBundle) {
        self.applied.push(bundle);
        let surplus = self.applied.len().saturating_sub(APPLIED_MAX);
        self.applied.drain(..surplus);
    }

    /// Notes the bundles that the applied bundle `number` names as made before it.
    pub fn add_trail(&mut self, epoch: Epoch, number: BundleNumber, trail: &[IdPrefix]) {
        let numbers = (1..number.0).rev().map(BundleNumber);
        let named: Vec<_> = numbers.zip(trail.iter().rev()).take(APPLIED_MAX).collect();
        for (number, prefix) in named.into_iter().rev() {
            if self.prefix_of(epoch, number).is_none() {
                self.passed.push(PassedBundle { epoch, number, prefix: *prefix });
            }
        }
        let surplus = self.passed.len().saturating_sub(APPLIED_MAX);
        self.passed.drain(..surplus);
    }

    /// The beginning of the id of the bundle with this number, if it was applied or an applied one named it.
    #[must_use]
    pub fn prefix_of(&self, epoch: Epoch, number: BundleNumber) -> Option<IdPrefix> {
        let applied = self.with_number(epoch, number).map(|bundle| id_prefix(bundle.id));
        let is_it = |bundle: &&PassedBundle| bundle.epoch == epoch && bundle.number == number;
        applied.or_else(|| self.passed.iter().find(is_it).map(|bundle| bundle.prefix))
    }

    /// The applied bundle with this number.
    #[must_use]
    pub fn with_number(&self, epoch: Epoch, number: BundleNumber) -> Option<&AppliedBundle> {
        self.applied.iter().find(|bundle| bundle.epoch == epoch && bundle.number == number)
    }

    /// The last bundle of a history that was applied, and how far any of it went; none if none of it is remembered.
    #[must_use]
    pub fn last_of(&self, epoch: Epoch) -> Option<(BundleNumber, Seq)> {
        let of_it = || self.applied.iter().filter(|bundle| bundle.epoch == epoch);
        Some((of_it().map(|bundle| bundle.number).max()?, of_it().map(|bundle| bundle.upto).max()?))
    }

    /// The bytes in which a node keeps it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&HistoryMember::V1(HistoryV1::from(self)))
    }

    /// The history whose bytes these are; of no bytes, an empty one.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let HistoryMember::V1(wire) = codec::decode(bytes)?;
        Ok(wire.into())
    }
}

#[derive(Serialize, Deserialize)]
enum HistoryMember {
    V1(HistoryV1),
}

#[derive(Serialize, Deserialize)]
struct HistoryV1 {
    applied: Bounded<(u64, u64, [u8; 16], u64), APPLIED_MAX>,
    passed: Bounded<(u64, u64, IdPrefix), APPLIED_MAX>,
    anew: Option<AnewV1>,
    went_on_from: u64,
    common: Option<(u64, u64, u64)>,
    left: Option<u64>,
    stopped: Option<(i64, String, Option<u64>)>,
}

impl From<&History> for HistoryV1 {
    fn from(history: &History) -> Self {
        let applied = history.applied.iter().map(|one| (one.epoch.0, one.number.0, one.id.0, one.upto.0));
        Self {
            applied: Bounded(applied.collect()),
            passed: Bounded(history.passed.iter().map(|one| (one.epoch.0, one.number.0, one.prefix)).collect()),
            anew: history.anew.as_ref().map(AnewV1::from),
            went_on_from: history.went_on_from.0,
            common: history.common.map(|(common, from)| (common.before.0, common.upto.0, from.0)),
            left: history.left.map(|epoch| epoch.0),
            stopped: history
                .stopped
                .as_ref()
                .map(|stopped| (stopped.since.0, stopped.why.clone(), stopped.outlived_by.map(|epoch| epoch.0))),
        }
    }
}

impl From<HistoryV1> for History {
    fn from(wire: HistoryV1) -> Self {
        let applied = wire.applied.0.into_iter().map(|(epoch, number, id, upto)| AppliedBundle {
            epoch: Epoch(epoch),
            number: BundleNumber(number),
            id: BundleId(id),
            upto: Seq(upto),
        });
        let passed = wire.passed.0.into_iter().map(|(epoch, number, prefix)| PassedBundle {
            epoch: Epoch(epoch),
            number: BundleNumber(number),
            prefix,
        });
        Self {
            applied: applied.collect(),
            passed: passed.collect(),
            anew: wire.anew.map(Anew::from),
            went_on_from: Seq(wire.went_on_from),
            common: wire
                .common
                .map(|(before, upto, from)| (Common { before: Epoch(before), upto: Seq(upto) }, BundleNumber(from))),
            left: wire.left.map(Epoch),
            stopped: wire.stopped.map(|(since, why, outlived_by)| Stopped {
                since: TimeMs(since),
                why,
                outlived_by: outlived_by.map(Epoch),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(number: u64) -> AppliedBundle {
        AppliedBundle {
            epoch: Epoch(3),
            number: BundleNumber(number),
            id: BundleId([u8::try_from(number % 251).unwrap(); 16]),
            upto: Seq(10 * number),
        }
    }

    #[test]
    fn it_comes_back() {
        let mut history = History::default();
        assert_eq!(History::decode(&[]), Ok(History::default()));
        (1..5).for_each(|number| history.add(bundle(number)));
        history.anew = Some(Anew { before: Epoch(2), known: vec![(BundleNumber(7), BundleId([9; 16]))] });
        history.common = Some((Common { before: Epoch(1), upto: Seq(30) }, BundleNumber(5)));
        history.left = Some(Epoch(2));
        history.went_on_from = Seq(17);
        history.add_trail(Epoch(3), BundleNumber(7), &[[4; 4], [5; 4], [6; 4]]);
        let passed: Vec<_> = history.passed.iter().map(|one| (one.number.0, one.prefix)).collect();
        assert_eq!(passed, [(5, [5; 4]), (6, [6; 4])], "4 was applied");
        assert_eq!(history.prefix_of(Epoch(3), BundleNumber(6)), Some([6; 4]));
        assert_eq!(history.prefix_of(Epoch(3), BundleNumber(2)), Some([2; 4]));
        assert_eq!(history.prefix_of(Epoch(4), BundleNumber(2)), None);
        history.stopped =
            Some(Stopped { since: TimeMs(5), why: "it was copied".to_owned(), outlived_by: Some(Epoch(7)) });
        assert_eq!(History::decode(&history.encode()), Ok(history.clone()));
        assert_eq!(history.last_of(Epoch(3)), Some((BundleNumber(4), Seq(40))));
        assert_eq!(history.last_of(Epoch(4)), None);
        assert_eq!(history.with_number(Epoch(3), BundleNumber(2)), Some(&bundle(2)));
    }

    #[test]
    fn it_does_not_grow() {
        let mut history = History::default();
        (1..1_000).for_each(|number| history.add(bundle(number)));
        (1..100).for_each(|number| history.add_trail(Epoch(5), BundleNumber(2 * number), &[[1; 4]]));
        assert_eq!((history.applied.len(), history.passed.len()), (APPLIED_MAX, APPLIED_MAX));
        assert_eq!(history.applied.last(), Some(&bundle(999)));
    }
}
