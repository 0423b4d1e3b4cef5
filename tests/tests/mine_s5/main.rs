//! x
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get ends the test")]
mod constraints;
mod every_type;
