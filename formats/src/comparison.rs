//! How the records shared with a neighbour compared, as a node keeps it with the link.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::{BundleNumber, TimeMs};
use crate::members::BUCKETS;

/// What came of comparing this node's records with a neighbour's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// When both were last found equal, by this node's clock.
    pub equal: Option<TimeMs>,
    /// Since when they are different; none while they are not known to be.
    pub different: Option<TimeMs>,
    /// Why the last bundle said nothing about it, in words.
    pub undecided: Option<String>,
    /// What the neighbour is still to be told in parts.
    pub tell: Tell,
    /// The bundle that tells it; none as long as none does.
    pub told: Option<BundleNumber>,
}

/// What a neighbour is told of the records in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tell {
    /// Nothing.
    #[default]
    Nothing,
    /// The sums of all buckets.
    Buckets,
    /// The records of these buckets.
    Records(Vec<u8>),
}

impl Comparison {
    /// The bytes in which a node keeps it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let tell = match &self.tell {
            Tell::Nothing => TellV1::Nothing,
            Tell::Buckets => TellV1::Buckets,
            Tell::Records(buckets) => TellV1::Records(Bounded(buckets.clone())),
        };
        codec::encode(&Stored::V1(ComparisonV1 {
            equal: self.equal.map(|time| time.0),
            different: self.different.map(|time| time.0),
            undecided: self.undecided.clone(),
            tell,
            told: self.told.map(|number| number.0),
        }))
    }

    /// The comparison whose bytes these are.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let Stored::V1(wire) = codec::decode(bytes)?;
        let tell = match wire.tell {
            TellV1::Nothing => Tell::Nothing,
            TellV1::Buckets => Tell::Buckets,
            TellV1::Records(buckets) => Tell::Records(buckets.0),
        };
        Ok(Self {
            equal: wire.equal.map(TimeMs),
            different: wire.different.map(TimeMs),
            undecided: wire.undecided,
            tell,
            told: wire.told.map(BundleNumber),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum Stored {
    V1(ComparisonV1),
}

#[derive(Serialize, Deserialize)]
struct ComparisonV1 {
    equal: Option<i64>,
    different: Option<i64>,
    undecided: Option<String>,
    tell: TellV1,
    told: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum TellV1 {
    Nothing,
    Buckets,
    Records(Bounded<u8, BUCKETS>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back() {
        for tell in [Tell::Nothing, Tell::Buckets, Tell::Records(vec![0, 7, 255])] {
            let comparison = Comparison {
                equal: Some(TimeMs(-1)),
                different: Some(TimeMs(1 << 40)),
                undecided: Some("still moving".into()),
                tell,
                told: Some(BundleNumber(300)),
            };
            assert_eq!(Comparison::decode(&comparison.encode()), Ok(comparison));
        }
        assert_eq!(Comparison::decode(&Comparison::default().encode()), Ok(Comparison::default()));
    }
}
