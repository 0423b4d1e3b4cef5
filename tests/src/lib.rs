//! What the tests of whole rounds share: real data, seeded work on it, fleets of nodes in one process, and
//! comparisons that use neither saddlebag's code nor its tables.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]

pub mod app;
pub mod asking;
pub mod courier;
pub mod engines;
pub mod fleet;
pub mod gnuhealth;
pub mod leases;
pub mod meaning;
pub mod postgres;
pub mod sim;
pub mod skip;
pub mod synthea;
mod synthea_sheets;
mod synthea_work;

/// Says something aloud, though the test passes: the test runner keeps what `println!` says to itself.
pub fn tell(text: &str) {
    use std::io::Write as _;
    let mut stderr = std::io::stderr().lock();
    let _told = writeln!(stderr, "{text}");
}
