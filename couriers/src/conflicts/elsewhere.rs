//! What neighbours told of conflicts about this node's changes.

use saddlebag_formats::{Outcome, Uid};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Store, StoreError};
use serde::Serialize;

use crate::record_names::{RecordName, RecordNames, Wanted};

/// A conflict about a change of this node that a neighbour has decided, as it last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecidedElsewhere {
    /// The neighbour.
    pub by: String,
    /// What became of the change.
    pub outcome: ShownOutcome,
    /// The record.
    #[serde(flatten)]
    pub record: RecordName,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// Which rule decided and whose value stands, in the neighbour's words.
    pub reason: String,
}

/// What became of a change that met another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownOutcome {
    /// Another place had written too: both are kept there.
    Conflict,
    /// A deletion of this node was refused.
    DeletionKept,
}

/// All that was told, oldest first.
pub(super) fn told(store: &mut dyn Store, links: &[Link]) -> Result<Vec<DecidedElsewhere>, StoreError> {
    let mut told: Vec<(String, ShownOutcome, String, Uid, Option<String>, String)> = Vec::new();
    let mut wanted = Wanted::new();
    for stored in store.received_receipts()? {
        let outcome = match stored.receipt.outcome {
            Outcome::Conflict => ShownOutcome::Conflict,
            Outcome::DeletionKept => ShownOutcome::DeletionKept,
            _ => continue,
        };
        let receipt = stored.receipt;
        let by = links.iter().find(|link| link.id == stored.link).map(|link| link.name.clone());
        let by = by.unwrap_or_else(|| stored.link.to_string());
        wanted.entry(receipt.table.clone()).or_default().insert(receipt.uid);
        told.push((by, outcome, receipt.table, receipt.uid, receipt.column, receipt.reason));
    }
    let names = RecordNames::look_up(store, &wanted)?;
    let show =
        |(by, outcome, table, uid, column, reason): (String, ShownOutcome, String, Uid, Option<String>, String)| {
            DecidedElsewhere { by, outcome, record: names.of(&table, uid), column, reason }
        };
    Ok(told.into_iter().map(show).collect())
}
