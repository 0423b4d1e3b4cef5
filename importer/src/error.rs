//! Why a bundle is refused.

use saddlebag_formats::envelope::EnvelopeError;
use saddlebag_formats::payload::PayloadError;
use saddlebag_formats::payload_binding::PayloadBindingError;
use saddlebag_formats::{BundleNumber, Epoch};
use saddlebag_keys::sealing::SealError;
use saddlebag_keys::trust::HeadRefusal;
use saddlebag_stores::StoreError;

/// A bundle that was not applied; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The first three lines cannot be read.
    #[error("this is no bundle that can be read: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The sender, the signature or the receiver is not right.
    #[error(transparent)]
    Head(#[from] HeadRefusal),
    /// The payload is not the one that was signed.
    #[error("the bundle from {from} was changed or cut short on its way: {source}")]
    Payload {
        /// The sender.
        from: String,
        /// What differs.
        source: PayloadBindingError,
    },
    /// The payload was not sealed for this node's key.
    #[error("the bundle from {from} cannot be opened with this node's key: {source}")]
    Sealed {
        /// The sender.
        from: String,
        /// What is wrong.
        source: SealError,
    },
    /// The members cannot be read.
    #[error("the contents of the bundle from {from} cannot be read: {source}")]
    Contents {
        /// The sender.
        from: String,
        /// What is wrong.
        source: PayloadError,
    },
    /// The sealed part belongs to another bundle.
    #[error("the contents of the bundle from {from} belong to another bundle than its header says")]
    OtherContents {
        /// The sender.
        from: String,
    },
    /// The sender's database began another history.
    #[error(
        "the bundle is of another history of {from} (epoch {found}) than the one that is known here (epoch {known})"
    )]
    OtherEpoch {
        /// The sender.
        from: String,
        /// The epoch in the bundle.
        found: Epoch,
        /// The epoch that was applied so far.
        known: Epoch,
    },
    /// Two bundles have one number.
    #[error("{from} has made two different bundles with number {number}: its database was copied or restored")]
    TwoWithOneNumber {
        /// The sender.
        from: String,
        /// The number.
        number: BundleNumber,
    },
    /// The sender acknowledges what this node never made.
    #[error("{from} acknowledges bundle {number} of this node, which this node has not made")]
    NeverMade {
        /// The sender.
        from: String,
        /// The number.
        number: BundleNumber,
    },
    /// The sender has heard of a later history of this node than the one that its database is in.
    #[error("{from} knows a later history of this node (epoch {found}) than the one of its database (epoch {own})")]
    Outlived {
        /// The sender.
        from: String,
        /// The epoch that it knows.
        found: Epoch,
        /// The epoch of this node's database.
        own: Epoch,
    },
    /// The list of nodes inside is not signed by the deployment, or is older.
    #[error("the list of nodes in the bundle from {from} is refused: {reason}")]
    Nodes {
        /// The sender.
        from: String,
        /// Why.
        reason: String,
    },
    /// Nothing is held of a record.
    #[error("nothing is held of the record {uid} of `{table}`")]
    NotHeld {
        /// The table.
        table: String,
        /// The record.
        uid: saddlebag_formats::Uid,
    },
    /// A record that another one is to be the same as is not here.
    #[error("there is no record {uid} in `{table}` that another one could be the same as")]
    NotThere {
        /// The table.
        table: String,
        /// The record.
        uid: saddlebag_formats::Uid,
    },
    /// A satellite does not decide that two records are one.
    #[error("what came from {central} is decided there: a satellite does not make two records one")]
    NotDecidedHere {
        /// The central.
        central: String,
    },
    /// There is no such conflict.
    #[error("there is no conflict with the number {number}")]
    NoConflict {
        /// The number.
        number: u64,
    },
    /// A satellite does not decide conflicts with its central.
    #[error("conflict {number} is with {central}, and is decided there")]
    ConflictOfCentral {
        /// The conflict's number.
        number: u64,
        /// The central.
        central: String,
    },
    /// What was decided cannot be carried out.
    #[error("conflict {number} was not resolved: {reason}")]
    NotResolved {
        /// The conflict's number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of saddlebag's own cannot be read.
    #[error("saddlebag's own record of {what} cannot be read: {reason}")]
    Damaged {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl ImportError {
    /// Whether the bundle is none of this node's business: left alone, and no error.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Head(HeadRefusal::OtherDeployment { .. } | HeadRefusal::OtherReceiver { .. }))
    }

    /// Whether the two ends of the link do not speak of one history any more: a person must look.
    #[must_use]
    pub fn stops_the_link(&self) -> bool {
        matches!(
            self,
            Self::OtherEpoch { .. } | Self::TwoWithOneNumber { .. } | Self::NeverMade { .. } | Self::Outlived { .. }
        )
    }

    /// The later history of this node that the sender knows, if that is what is wrong.
    #[must_use]
    pub fn outlived_by(&self) -> Option<Epoch> {
        match self {
            Self::Outlived { found, .. } => Some(*found),
            _ => None,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Envelope(error) => Some(error.hint()),
            Self::Head(refusal) => refusal.hint(),
            Self::Payload { .. } => {
                Some("nothing was changed; copy the file again, or wait: the sender sends everything again")
            }
            Self::Sealed { .. } => {
                Some("nothing was changed; if this node has new keys, the sender needs its new card")
            }
            Self::Contents { .. } | Self::OtherContents { .. } | Self::Nodes { .. } => {
                Some("nothing was changed; ask the sender which version of saddlebag it runs, and keep the file")
            }
            Self::OtherEpoch { .. } | Self::TwoWithOneNumber { .. } => Some(
                "nothing was changed and this link stands still: at the sender, make sure that its database is the right one \
                 and that no second machine goes on under its name; then run `saddlebag rejoin` there, and sync again",
            ),
            Self::NeverMade { .. } | Self::Outlived { .. } => Some(
                "nothing was changed and this link stands still: this node's database is an older one, or a copy; if it is \
                 the one that is to go on, run `saddlebag rejoin` here, and sync again",
            ),
            Self::NotThere { .. } => Some("name a record that stands in this database, by its uid or its key"),
            Self::NotDecidedHere { .. } => {
                Some("correct one of the two records here, or have the central say that they are one")
            }
            Self::NotHeld { .. } => Some("`saddlebag held` shows what is held"),
            Self::NoConflict { .. } => Some("`saddlebag conflicts --all` lists them, with their numbers"),
            Self::ConflictOfCentral { .. } => Some(
                "ask the people there to run `saddlebag conflicts resolve`; or change the value here: that is an edit",
            ),
            Self::NotResolved { .. } => Some("nothing was changed; `saddlebag conflicts show` has both sides"),
            Self::Store(error) => Some(error.hint()),
            Self::Damaged { .. } => Some("restore the database from a backup, or ask for help"),
        }
    }
}
