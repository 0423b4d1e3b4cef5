//! GNU Health's own SQLite database, clinic work recorded from its own code, and what both mean.
//!
//! The database declares no reference; those of the application's catalogue count, and the comparison reads that
//! catalogue itself, not the profile that saddlebag is given.

mod catalogue;
mod cells;
mod comparison;
mod recording;
mod replay;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use saddlebag_stores::config::TablesConfig;

pub use catalogue::{Catalogue, Refers};
pub use cells::{Cell, Cells, cells};
pub use comparison::{differences, tables};
pub use recording::{Doing, Operation, RecordedRow, Recording};
pub use replay::{Done, Replay};

use crate::skip::needs_data;

/// What `saddlebag init --profile` reads.
pub const PROFILE: &str = include_str!("../../samples/profiles/gnuhealth.toml");

/// The packed database of a clinic, if it is on this machine; else the test named `test` is skipped.
#[must_use]
pub fn packed(test: &str) -> Option<PathBuf> {
    needs_data(test, "gnuhealth/clinic.sqlite.zst")
}

/// Unpacks a database.
pub fn unpack(packed: &Path, database: &Path) {
    let mut file = File::create(database).unwrap();
    zstd::stream::copy_decode(File::open(packed).unwrap(), &mut file).unwrap();
}

/// Unpacks a database behind a connection that has not read its empty file yet.
pub fn unpack_behind(packed: &Path, connection: &Connection) {
    unpack(packed, Path::new(connection.path().unwrap()));
}

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
