//! Whole rounds, promises, randomised fleets.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

mod anything;
mod at_work;
mod beside;
mod capture;
mod clocks;
mod constraints;
mod digests;
mod districts;
mod epochs;
mod every_type;
mod faults;
mod found;
mod gnuhealth;
mod identities;
mod log;
mod merging;
mod odd_names;
mod openmrs;
mod orders;
mod postgres_connect;
mod promise_1;
mod promise_5;
mod promises;
mod proposal;
mod random;
mod review;
mod schema;
mod simulation;
mod split;
mod standard_tools;
mod statements;
mod synthea;
mod under_load;
