//! What lies inside a bundle's payload, one file per member.
//!
//! Invariant: every member begins with the number of its own version (a variant of an enum: one byte), so
//! that one kind of member can change without the others.

mod binding;
pub(crate) mod changes;
mod health;
pub(crate) mod receipts;

pub use binding::Binding;
pub use changes::{ChangesError, decode_change, encode_change};
pub use health::{Health, ToldLog};
pub use receipts::{Outcome, Receipt};
