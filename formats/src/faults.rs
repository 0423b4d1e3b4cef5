//! Faults on purpose: each breaks one rule of the model in one place, to see whether the simulator notices.
//!
//! Without the feature `faults`, which only the tests turn on, [`is_on`] is a constant `false`, and nothing of this is in
//! the program.

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A change goes to the central without what it was based on.
    BaseDropped,
    /// The base of a change is always the version just before, though the central has never seen that.
    BaseJustBefore,
    /// What lies just after the acknowledged position is not sent.
    AfterTooHigh,
    /// One position more is taken for seen before than was applied.
    UptoTooHigh,
    /// What was sent is taken for acknowledged.
    AcknowledgedWhenSent,
    /// A bundle that must wait for the one before is acknowledged.
    AcknowledgedTooEarly,
    /// A deletion leaves no tombstone.
    TombstoneLost,
    /// A deletion has seen nothing.
    SeenForgotten,
    /// What was edited since is deleted all the same.
    DeletedUnseen,
    /// A satellite is not told that another value stands than its own.
    LoserNotSentBack,
    /// A conflict is decided and not written down.
    ConflictNotRecorded,
    /// An edit keeps the link over which the value before it came, and is withheld from it.
    SourceKept,
    /// A satellite takes what its central sends over what the central has not seen.
    UnacknowledgedOverwritten,
    /// Bundles that were applied before are applied again.
    NumberNotCompared,
    /// What cannot be applied is not kept.
    HeldDropped,
    /// Receipts are never sent.
    ReceiptsDropped,
    /// The last of several journal entries is lost.
    LateEntrySkipped,
    /// A clock that is ahead wins.
    EffectiveTimeIgnored,
    /// A column's default does not give way where two places create a record.
    DefaultInsists,
    /// The older of two values wins.
    OlderWins,
    /// What a failed attempt has written stays.
    SavepointKept,
    /// A part leaves out the records that changed again later.
    HighRecordsSkipped,
    /// A bundle counts as applied before its changes are written.
    AppliedBeforeWritten,
    /// A signature that does not hold is believed.
    SignatureBelieved,
    /// A record that is revived is not sent to those who know that it was deleted.
    RevivalNotSent,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::BaseDropped,
        Self::BaseJustBefore,
        Self::AfterTooHigh,
        Self::UptoTooHigh,
        Self::AcknowledgedWhenSent,
        Self::AcknowledgedTooEarly,
        Self::TombstoneLost,
        Self::SeenForgotten,
        Self::DeletedUnseen,
        Self::LoserNotSentBack,
        Self::ConflictNotRecorded,
        Self::SourceKept,
        Self::UnacknowledgedOverwritten,
        Self::NumberNotCompared,
        Self::HeldDropped,
        Self::ReceiptsDropped,
        Self::LateEntrySkipped,
        Self::EffectiveTimeIgnored,
        Self::DefaultInsists,
        Self::OlderWins,
        Self::SavepointKept,
        Self::HighRecordsSkipped,
        Self::AppliedBeforeWritten,
        Self::SignatureBelieved,
        Self::RevivalNotSent,
    ];
}

#[cfg(feature = "faults")]
mod switched {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static ON: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Whether this thread breaks the rule.
    #[must_use]
    pub fn is_on(fault: Fault) -> bool {
        ON.get() == Some(fault)
    }

    /// Has this thread break one rule, or none, from now on.
    pub fn switch(fault: Option<Fault>) {
        ON.set(fault);
    }
}

#[cfg(feature = "faults")]
pub use switched::{is_on, switch};

/// Whether the rule is broken: it is not.
#[cfg(not(feature = "faults"))]
#[must_use]
pub const fn is_on(_: Fault) -> bool {
    false
}
