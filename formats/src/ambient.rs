//! Time and randomness come in as arguments: a test and the simulator supply their own.

use crate::ids::TimeMs;

/// The wall clock.
pub trait Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z, as far as this machine knows.
    fn now(&self) -> TimeMs;
}

/// A source of random bytes.
pub trait Entropy {
    /// Fills `bytes` with random bytes.
    fn fill(&mut self, bytes: &mut [u8]);

    /// Sixteen random bytes.
    fn bytes16(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }
}
