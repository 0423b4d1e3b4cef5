//! GNU Health's own databases on both engines, clinic work recorded from its own code, and what they mean.
//!
//! On SQLite it declares no reference; those of the application's catalogue count, and the comparison reads that
//! catalogue itself, not the profile that saddlebag is given.

mod beginning;
mod catalogue;
mod cells;
mod comparison;
mod recording;
mod replay;

use saddlebag_stores::config::TablesConfig;

pub use beginning::{Alone, Beginning, packed, restored, unpack};
pub use catalogue::{Catalogue, Refers};
pub use cells::{Cell, Cells, cells};
pub use comparison::{differences, tables};
pub use recording::{Doing, Operation, RecordedRow, Recording};
pub use replay::{Done, Replay};

/// What `saddlebag init --profile` reads.
pub const PROFILE: &str = include_str!("../../samples/profiles/gnuhealth.toml");

/// The `[tables.NAME]` of a profile without `tables.`, as a fleet takes them.
#[must_use]
pub fn sections(profile: &str) -> String {
    let profile: toml::Table = profile.parse().unwrap();
    toml::to_string(&profile["tables"]).unwrap()
}

/// The profile, read.
#[must_use]
pub fn profile() -> TablesConfig {
    toml::from_str(&sections(PROFILE)).unwrap()
}
