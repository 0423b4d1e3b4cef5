//! A simulator of whole deployments: real engine, real SQLite files in memory, simulated clocks, sticks and crashes.
//!
//! Everything that happens follows from a seed. The reference is [`model`], which knows only what the applications'
//! tables show. `docs/reliability.md` says what is simulated, what is checked and how to run it.

pub mod account;
pub mod events;
pub mod fault_search;
pub mod kept;
pub mod look;
pub mod mishaps;
pub mod model;
pub mod plan;
pub mod ranges;
pub mod rest;
pub mod run;
pub mod schema;
pub mod stopping;
pub mod table;
pub mod template;
pub mod trace;
pub mod twins;
pub mod work;
pub mod world;
