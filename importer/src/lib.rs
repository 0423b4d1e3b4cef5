//! Bundles to database: verify, merge, apply, park, quarantine, receipts.
//!
//! A bundle is one transaction: what it changes, what is held of it, what is to be told of it and that it was
//! applied stand together, or nothing of it does.

mod anew;
mod apply;
mod arrival;
mod aside;
pub mod clocks;
mod compare;
mod decide;
mod deletions;
mod error;
mod exchange;
mod finer;
mod holding;
mod import;
mod incoming;
mod introductions;
mod logging;
pub mod merge;
mod merged;
mod order;
mod passing_on;
mod plan;
mod reading;
mod references;
mod resolve;
mod tally;
mod told;
mod turns;
mod wanted;
mod writes;

pub use error::ImportError;
pub use import::{Applied, ImportResult, Importer, OtherHistory, RECORDS_AT_ONCE};
pub use resolve::{Choice, Decided, Judge, Resolved, Take};
pub use tally::{TableTally, Tables, Tally, add as add_tables};
