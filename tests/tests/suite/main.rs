//! Whole rounds, promises, randomised fleets.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

mod beside;
mod at_work;
mod capture;
mod gnuhealth;
mod identities;
mod promise_1;
mod promises;
mod random;
mod review;
mod schema;
mod standard_tools;
mod synthea;
