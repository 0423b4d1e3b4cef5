//! Feed to bundles: choose what a neighbour lacks, encode, seal, keep in the outbox.
//!
//! A bundle covers everything since the last position that the other end acknowledged, and nothing of a record
//! that came over that link and still stands as it came.

mod choose;
mod digests;
mod export;
mod health;
pub mod high_water;
mod make;
mod outbox;
mod parts;

pub use choose::{Unacknowledged, unacknowledged};
pub use export::{ExportError, ExportResult, Exported, Exporter};
pub use health::health;
pub use high_water::{HighWater, HighWaterError};
pub use outbox::{OutboxBundle, OutboxError};
