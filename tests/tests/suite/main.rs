//! Whole rounds, promises, randomised fleets.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

mod anything;
mod at_work;
mod beside;
mod capture;
mod found;
mod gnuhealth;
mod identities;
mod promise_1;
mod promise_5;
mod promises;
mod proposal;
mod random;
mod review;
mod schema;
mod split;
mod standard_tools;
mod synthea;
