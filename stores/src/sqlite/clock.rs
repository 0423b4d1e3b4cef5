//! Another clock than the system's behind a connection: for tests and simulations.
//!
//! The triggers and saddlebag's own statements ask SQLite for the present by `julianday('now')`, which a connection may
//! answer by a function of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// The Julian day on which 1970 began.
const UNIX_EPOCH_DAY: f64 = 2_440_587.5;
const DAY_MS: f64 = 86_400_000.0;

/// Has a connection take a clock's time, in milliseconds since 1970, for the present.
///
/// # Errors
/// SQLite's.
pub fn use_clock(connection: &Connection, clock: Arc<AtomicI64>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("julianday", 1, flags, move |_| {
        #[expect(clippy::cast_precision_loss, reason = "times until the year 9999 have 48 bits")]
        let now_ms = clock.load(Ordering::Relaxed) as f64;
        // Half a millisecond more: the day's fraction is rounded, and what is made of it is cut off.
        Ok(UNIX_EPOCH_DAY + (now_ms + 0.5) / DAY_MS)
    })
}
