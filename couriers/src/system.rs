//! The machine's own clock and randomness, and who works at it: the only place that asks for them.

use std::time::UNIX_EPOCH;

use saddlebag_formats::TimeMs;
use saddlebag_formats::ambient::{Clock, Entropy};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> TimeMs {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
        let now = std::time::SystemTime::now();
        let whole = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        TimeMs(match now.duration_since(UNIX_EPOCH) {
            Ok(since) => whole(since),
            Err(before) => -whole(before.duration()),
        })
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the operating system has no randomness to give: no key may be made from anything less.
    fn fill(&mut self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// The system's user, as the log names who did something by hand.
#[must_use]
pub fn user() -> String {
    whoami::username().unwrap_or_else(|_| "an unknown user".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > TimeMs(1_795_000_000_000));
    }

    #[test]
    fn somebody_works_here() {
        assert!(!user().trim().is_empty());
    }

    #[test]
    fn randomness_differs() {
        assert_ne!(SystemEntropy.bytes16(), SystemEntropy.bytes16());
    }
}
