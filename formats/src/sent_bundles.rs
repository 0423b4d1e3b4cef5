//! The bundles that a node has made for one neighbour and that are not acknowledged yet, as it keeps them with the link.
//!
//! Invariant: by number, each once; at most [`SENT_BUNDLES_MAX`], the latest. It begins with the last bundle that was
//! acknowledged, so that the same acknowledgement, said again, is known.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::{BundleId, BundleNumber, Seq};
use crate::limits::SENT_BUNDLES_MAX;
use crate::members::WholeDigest;

/// What a node remembers of a bundle that it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentBundle {
    /// Its number in the stream.
    pub number: BundleNumber,
    /// Its id.
    pub id: BundleId,
    /// The last position of this node's feed that it covers.
    pub upto: Seq,
    /// The digest of all records shared on the link, in the snapshot that it was made of; none if whoever has applied the
    /// bundle may lack some of them.
    pub digest: Option<WholeDigest>,
}

/// The bytes in which a node keeps them.
#[must_use]
pub fn encode_sent_bundles(bundles: &[SentBundle]) -> Vec<u8> {
    let latest = bundles.len().saturating_sub(SENT_BUNDLES_MAX);
    codec::encode(&SentBundles::V1(Bounded(bundles.iter().skip(latest).map(SentBundleV1::from).collect())))
}

/// The bundles whose bytes these are.
///
/// # Errors
/// [`CodecError`].
pub fn decode_sent_bundles(bytes: &[u8]) -> Result<Vec<SentBundle>, CodecError> {
    let SentBundles::V1(wire) = codec::decode(bytes)?;
    Ok(wire.0.into_iter().map(SentBundle::from).collect())
}

#[derive(Serialize, Deserialize)]
enum SentBundles {
    V1(Bounded<SentBundleV1, SENT_BUNDLES_MAX>),
}

#[derive(Serialize, Deserialize)]
struct SentBundleV1 {
    number: u64,
    id: [u8; 16],
    upto: u64,
    digest: Option<([u8; 8], [u8; 8])>,
}

impl From<&SentBundle> for SentBundleV1 {
    fn from(bundle: &SentBundle) -> Self {
        let digest = bundle.digest.map(|whole| (whole.shape.to_le_bytes(), whole.sum.to_le_bytes()));
        Self { number: bundle.number.0, id: bundle.id.0, upto: bundle.upto.0, digest }
    }
}

impl From<SentBundleV1> for SentBundle {
    fn from(wire: SentBundleV1) -> Self {
        let number = u64::from_le_bytes;
        let digest = wire.digest.map(|(shape, sum)| WholeDigest { shape: number(shape), sum: number(sum) });
        Self { number: BundleNumber(wire.number), id: BundleId(wire.id), upto: Seq(wire.upto), digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(number: u64) -> SentBundle {
        let digest = number.is_multiple_of(2).then_some(WholeDigest { shape: 1 << 63, sum: u64::MAX - number });
        SentBundle { number: BundleNumber(number), id: BundleId([number as u8; 16]), upto: Seq(number * 300), digest }
    }

    #[test]
    fn they_come_back() {
        for count in [0, 1, 2, 300] {
            let bundles: Vec<_> = (0..count).map(bundle).collect();
            assert_eq!(decode_sent_bundles(&encode_sent_bundles(&bundles)), Ok(bundles));
        }
    }

    #[test]
    fn only_the_latest_are_kept() {
        let bundles: Vec<_> = (0..SENT_BUNDLES_MAX as u64 + 7).map(bundle).collect();
        assert_eq!(decode_sent_bundles(&encode_sent_bundles(&bundles)), Ok(bundles[7..].to_vec()));
    }
}
