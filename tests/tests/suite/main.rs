//! Whole rounds, promises, randomised fleets.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

mod anything;
mod at_work;
mod beside;
mod capture;
mod constraints;
mod districts;
mod every_type;
mod found;
mod gnuhealth;
mod identities;
mod log;
mod odd_names;
mod openmrs;
mod postgres_connect;
mod promise_1;
mod promise_5;
mod promises;
mod proposal;
mod random;
mod review;
mod schema;
mod split;
mod standard_tools;
mod statements;
mod synthea;
mod under_load;
