//! Payloads and changes as other crates see them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "formats/changes.rs"]
mod changes;
#[path = "formats/hostile.rs"]
mod hostile;
#[path = "formats/records.rs"]
mod records;
#[path = "formats/sizes.rs"]
mod sizes;
