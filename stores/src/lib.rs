//! The application's database: reading its schema, triggers, absorb, row states, reading and writing rows.
//!
//! All SQL of saddlebag lives here. The rest of the program sees the [`Store`] trait and plain data; every
//! verb that touches rows takes and gives sets of them.

mod absorb;
mod beside;
mod check;
mod columns;
pub mod config;
pub mod contacts;
pub mod difference;
pub mod digest;
mod engine;
pub mod entries;
pub mod error;
pub mod fold;
pub mod ledger;
pub mod lineage;
pub mod log;
mod merged;
mod naming;
pub mod passed_on;
pub mod patience;
mod pieces;
mod place;
pub mod postgres;
pub mod raise;
pub mod rebuilt;
pub mod record;
mod referring;
mod rehash;
pub mod restored;
pub mod schema;
mod soft;
pub mod sqlite;
pub mod store;
mod stored_words;
pub mod told_log;
pub mod tracking;
mod tryton;

pub use error::StoreError;
pub use store::{Access, Store};
