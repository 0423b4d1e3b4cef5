//! Whole rounds, promises, randomised fleets.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

mod capture;
mod promises;
mod random;
mod review;
mod schema;
mod standard_tools;
mod synthea;
