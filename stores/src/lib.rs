//! The application's database: reading its schema, triggers, absorb, row states, reading and writing rows.
//!
//! All SQL of saddlebag lives here. The rest of the program sees the [`Store`] trait and plain data; every
//! verb that touches rows takes and gives sets of them.

pub mod config;
pub mod difference;
pub mod error;
pub mod fold;
pub mod ledger;
pub mod raise;
pub mod record;
pub mod restored;
pub mod schema;
pub mod sqlite;
pub mod store;
pub mod tracking;

pub use error::StoreError;
pub use store::{Access, Store};
