//! Bundles to database: verify, merge, apply, park, quarantine, receipts.
//!
//! A bundle is one transaction: what it changes, what is held of it, what is to be told of it and that it was
//! applied stand together, or nothing of it does.

mod apply;
mod arrival;
mod aside;
mod decide;
mod deletions;
mod error;
mod exchange;
mod holding;
mod import;
mod incoming;
mod logging;
pub mod merge;
mod merged;
mod order;
mod plan;
mod reading;
mod references;
mod tally;
mod turns;
mod writes;

pub use error::ImportError;
pub use import::{Applied, ImportResult, Importer, RECORDS_AT_ONCE};
pub use tally::{TableTally, Tables, Tally, add as add_tables};
