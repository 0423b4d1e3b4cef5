//! Nodes, cards and whole rounds over a folder, each with its own database, as the command has them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails; the helpers of tests are not seen as tests")]

mod bad_bundles;
mod cards;
mod districts;
mod held;
mod nodes;
mod rounds;
mod tables;
mod world;
