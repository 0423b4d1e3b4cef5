//! How a stream of bundles goes on: which bundles came before one, and from where a new history began.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::ids::{BundleId, BundleNumber, Epoch, Seq};

/// Bundles of an earlier history that are named.
pub const KNOWN_MAX: usize = 1_000;

/// Bundles before one that are named, the last ones.
pub const TRAIL_MAX: usize = 1_000;

/// A history that began anew: the sender's database was restored from a backup, copied or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anew {
    /// The history that it went on from.
    pub before: Epoch,
    /// Bundles that its sender made for the receiver in that history, from the last that it knows to be acknowledged on:
    /// those of them that the receiver has applied are common to both, up to the last of these.
    pub known: Vec<(BundleNumber, BundleId)>,
}

/// How much of a history that the receiver has left the sender had applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// The history that the receiver went on from.
    pub before: Epoch,
    /// The position of its feed up to which both hold the same of it.
    pub upto: Seq,
}

/// The first four bytes of the id of a bundle: enough to tell that it is another one of the same number.
pub type IdPrefix = [u8; 4];

/// The beginning of a bundle's id.
#[must_use]
pub fn id_prefix(id: BundleId) -> IdPrefix {
    let [a, b, c, d, ..] = id.0;
    [a, b, c, d]
}

#[derive(Serialize, Deserialize)]
pub(crate) struct AnewV1 {
    before: u64,
    known: Bounded<(u64, [u8; 16]), KNOWN_MAX>,
}

pub(crate) type TrailV1 = Bounded<IdPrefix, TRAIL_MAX>;

impl From<&Anew> for AnewV1 {
    fn from(anew: &Anew) -> Self {
        let skipped = anew.known.len().saturating_sub(KNOWN_MAX);
        let known = anew.known.iter().skip(skipped).map(|(number, id)| (number.0, id.0));
        Self { before: anew.before.0, known: Bounded(known.collect()) }
    }
}

impl From<AnewV1> for Anew {
    fn from(wire: AnewV1) -> Self {
        let known = wire.known.0.into_iter().map(|(number, id)| (BundleNumber(number), BundleId(id)));
        Self { before: Epoch(wire.before), known: known.collect() }
    }
}
