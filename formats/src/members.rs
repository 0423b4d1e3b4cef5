//! What lies inside a bundle's payload, one file per member.
//!
//! Invariant: every member begins with the number of its own version (a variant of an enum: one byte), so
//! that one kind of member can change without the others.

pub mod anew;
mod binding;
pub(crate) mod changes;
pub(crate) mod digests;
mod entries;
mod health;
pub(crate) mod receipts;

pub use anew::{Anew, Common};
pub use binding::Binding;
pub use changes::{ChangesError, decode_change, encode_change};
pub use digests::{BUCKETS, Digests, FinerDigests, RecordDigests, WholeDigest, bucket};
pub use entries::{Entry, EntryRefusal};
pub(crate) use entries::{EntryRefusalV1, EntryV1};
pub use health::{Health, ToldLog};
pub use receipts::{Outcome, Receipt};
