//! Member `digests`: by what the receiver can tell, without a network, whether both ends hold the same; the last one,
//! because it speaks of all records but those that the bundle carries changes of.
//!
//! Invariant: it is there at most once, after all changes. What it says counts for the pair of bundles that the header
//! names: this one, and the one that it acknowledges.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::Uid;
use crate::limits::{DIGEST_RECORDS_MAX, RECORDS_PER_BUNDLE_MAX, TABLES_PER_MEMBER_MAX};

/// Into how many buckets records are told apart, by the last byte of their uid.
pub const BUCKETS: usize = 256;

/// What a sender says of the records that it shares with the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests {
    /// The sum of all; none where it would say nothing.
    pub whole: Option<WholeDigest>,
    /// What is said of them in parts, since both ends differ.
    pub finer: Option<FinerDigests>,
    /// Records that the receiver is asked to send whole, by table.
    pub wanted: Vec<(String, Vec<Uid>)>,
}

/// The sum of the row hashes of all shared, live records but those that the bundle carries changes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeDigest {
    /// Which tables and columns it is about: another shape says that sums cannot be compared.
    pub shape: u64,
    /// The sum, modulo 2^64.
    pub sum: u64,
}

/// The same in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinerDigests {
    /// The sum of each bucket, [`BUCKETS`] of them.
    Buckets(Vec<u64>),
    /// The records themselves.
    Records(RecordDigests),
}

/// Records with their hashes, of some buckets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordDigests {
    /// The buckets of which every record is here, but those that the bundle carries changes of.
    pub buckets: Vec<u8>,
    /// By table: uid and row hash.
    pub tables: Vec<(String, Vec<(Uid, u64)>)>,
}

impl Digests {
    /// Whether there is anything in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The bucket of a record.
#[must_use]
pub fn bucket(uid: Uid) -> u8 {
    uid.0[15]
}

pub(crate) fn encode(digests: &Digests) -> Vec<u8> {
    codec::encode(&DigestsMember::V1(DigestsV1::from(digests)))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Digests, CodecError> {
    let DigestsMember::V1(wire) = codec::decode(bytes)?;
    Ok(wire.into())
}

#[derive(Serialize, Deserialize)]
enum DigestsMember {
    V1(DigestsV1),
}

#[derive(Serialize, Deserialize)]
struct DigestsV1 {
    whole: Option<([u8; 8], [u8; 8])>,
    finer: Option<FinerV1>,
    wanted: Tables<[u8; 16], RECORDS_PER_BUNDLE_MAX>,
}

type Tables<T, const MAX: usize> = Bounded<(String, Bounded<T, MAX>), TABLES_PER_MEMBER_MAX>;

#[derive(Serialize, Deserialize)]
enum FinerV1 {
    Buckets(Bounded<[u8; 8], BUCKETS>),
    Records(Bounded<u8, BUCKETS>, Tables<([u8; 16], [u8; 8]), DIGEST_RECORDS_MAX>),
}

impl From<&Digests> for DigestsV1 {
    fn from(digests: &Digests) -> Self {
        let finer = digests.finer.as_ref().map(|finer| match finer {
            FinerDigests::Buckets(sums) => {
                FinerV1::Buckets(Bounded(sums.iter().map(|sum| sum.to_le_bytes()).collect()))
            }
            FinerDigests::Records(records) => FinerV1::Records(
                Bounded(records.buckets.clone()),
                tables(&records.tables, |(uid, hash)| (uid.0, hash.to_le_bytes())),
            ),
        });
        Self {
            whole: digests.whole.map(|whole| (whole.shape.to_le_bytes(), whole.sum.to_le_bytes())),
            finer,
            wanted: tables(&digests.wanted, |uid| uid.0),
        }
    }
}

fn tables<T, W, const MAX: usize>(of: &[(String, Vec<T>)], wire: impl Fn(&T) -> W) -> Tables<W, MAX> {
    let one = |(name, records): &(String, Vec<T>)| (name.clone(), Bounded(records.iter().map(&wire).collect()));
    Bounded(of.iter().map(one).collect())
}

impl From<DigestsV1> for Digests {
    fn from(wire: DigestsV1) -> Self {
        let whole = wire
            .whole
            .map(|(shape, sum)| WholeDigest { shape: u64::from_le_bytes(shape), sum: u64::from_le_bytes(sum) });
        let finer = wire.finer.map(|finer| match finer {
            FinerV1::Buckets(sums) => FinerDigests::Buckets(sums.0.into_iter().map(u64::from_le_bytes).collect()),
            FinerV1::Records(buckets, tables) => FinerDigests::Records(RecordDigests {
                buckets: buckets.0,
                tables: read(tables, |(uid, hash)| (Uid(uid), u64::from_le_bytes(hash))),
            }),
        });
        Self { whole, finer, wanted: read(wire.wanted, Uid) }
    }
}

fn read<T, W, const MAX: usize>(wire: Tables<W, MAX>, one: impl Fn(W) -> T) -> Vec<(String, Vec<T>)> {
    wire.0.into_iter().map(|(name, records)| (name, records.0.into_iter().map(&one).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back() {
        let (shape, sum) = (u64::MAX, 1 << 63);
        let records = RecordDigests {
            buckets: vec![0, 255],
            tables: vec![("visit".into(), vec![(Uid([3; 16]), u64::MAX), (Uid([4; 16]), 0)])],
        };
        for finer in [None, Some(FinerDigests::Buckets(vec![7; BUCKETS])), Some(FinerDigests::Records(records))] {
            let wanted = vec![("patient".to_owned(), vec![Uid([9; 16])])];
            let digests = Digests { whole: Some(WholeDigest { shape, sum }), finer, wanted };
            assert_eq!(decode(&encode(&digests)), Ok(digests));
        }
        assert!(Digests::default().is_empty());
        assert_eq!(decode(&encode(&Digests::default())), Ok(Digests::default()));
    }

    #[test]
    fn one_bucket_too_many_is_refused() {
        let digests = Digests { finer: Some(FinerDigests::Buckets(vec![0; BUCKETS + 1])), ..Digests::default() };
        assert!(decode(&encode(&digests)).is_err());
    }
}
