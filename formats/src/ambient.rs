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

    /// A random UUID (RFC 9562, version 4).
    fn uuid_v4(&mut self) -> [u8; 16] {
        let mut bytes = self.bytes16();
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        bytes
    }
}
