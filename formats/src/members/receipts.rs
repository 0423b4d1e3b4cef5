//! Member `receipts`: what became of changes that did not simply apply.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::Uid;
use crate::limits::RECEIPTS_MAX;

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its table, by its name in the configuration.
    pub table: String,
    /// Its record.
    pub uid: Uid,
    /// Its column, where it is about one.
    pub column: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Kept until a record that it refers to arrives.
    Parked,
    /// Kept because the database refused it.
    Quarantined,
    /// The receiver held another value; both are kept.
    Conflict,
    /// A deletion that was refused: the record is kept.
    DeletionKept,
    /// Formerly held, now applied.
    Settled,
}

impl Outcome {
    /// What `--json` and the log call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Quarantined => "quarantined",
            Self::Conflict => "conflict",
            Self::DeletionKept => "deletion-kept",
            Self::Settled => "settled",
        }
    }
}

/// # Panics
/// If there are more than [`RECEIPTS_MAX`], which `pack` checks.
pub(crate) fn encode(receipts: &[Receipt]) -> Vec<u8> {
    assert!(receipts.len() <= RECEIPTS_MAX, "no bundle carries more receipts");
    codec::encode(&ReceiptsMember::V1(Bounded(receipts.iter().map(ReceiptV1::from).collect())))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Receipt>, CodecError> {
    let ReceiptsMember::V1(receipts) = codec::decode(bytes)?;
    Ok(receipts.0.into_iter().map(Receipt::from).collect())
}

#[derive(Serialize, Deserialize)]
enum ReceiptsMember {
    V1(Bounded<ReceiptV1, RECEIPTS_MAX>),
}

#[derive(Serialize, Deserialize)]
struct ReceiptV1 {
    table: String,
    uid: [u8; 16],
    column: Option<String>,
    outcome: OutcomeV1,
    reason: String,
}

#[derive(Serialize, Deserialize)]
enum OutcomeV1 {
    Parked,
    Quarantined,
    Conflict,
    DeletionKept,
    Settled,
}

impl From<&Receipt> for ReceiptV1 {
    fn from(receipt: &Receipt) -> Self {
        Self {
            table: receipt.table.clone(),
            uid: receipt.uid.0,
            column: receipt.column.clone(),
            outcome: match receipt.outcome {
                Outcome::Parked => OutcomeV1::Parked,
                Outcome::Quarantined => OutcomeV1::Quarantined,
                Outcome::Conflict => OutcomeV1::Conflict,
                Outcome::DeletionKept => OutcomeV1::DeletionKept,
                Outcome::Settled => OutcomeV1::Settled,
            },
            reason: receipt.reason.clone(),
        }
    }
}

impl From<ReceiptV1> for Receipt {
    fn from(wire: ReceiptV1) -> Self {
        Self {
            table: wire.table,
            uid: Uid(wire.uid),
            column: wire.column,
            outcome: match wire.outcome {
                OutcomeV1::Parked => Outcome::Parked,
                OutcomeV1::Quarantined => Outcome::Quarantined,
                OutcomeV1::Conflict => Outcome::Conflict,
                OutcomeV1::DeletionKept => Outcome::DeletionKept,
                OutcomeV1::Settled => Outcome::Settled,
            },
            reason: wire.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back() {
        let outcomes =
            [Outcome::Parked, Outcome::Quarantined, Outcome::Conflict, Outcome::DeletionKept, Outcome::Settled];
        let receipts: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| Receipt {
                table: "patient".into(),
                uid: Uid([7; 16]),
                column: Some("name".into()),
                outcome,
                reason: "a reason".into(),
            })
            .collect();
        assert_eq!(decode(&encode(&receipts)), Ok(receipts));
    }

    #[test]
    fn one_past_the_limit_is_refused() {
        let claim = [codec::encode(&0u32), codec::encode(&(RECEIPTS_MAX as u64 + 1))].concat();
        let error = decode(&claim).unwrap_err().to_string();
        assert!(error.contains("200000 are the most"), "{error}");
    }
}
