//! Work that is done again because the application's writers got in its way.

use std::thread;
use std::time::Duration;

use crate::error::StoreError;

/// The pauses before the second try and each later one, in which nothing is locked. A row that the application holds
/// through all of them was locked for more than a second.
const PAUSES_MS: [u64; 4] = [50, 150, 300, 600];

/// Tries that are made, with growing pauses.
#[derive(Debug, Default)]
pub struct Patience {
    failed: usize,
}

impl Patience {
    /// Whether the next try is not the last.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.failed < PAUSES_MS.len()
    }

    /// Whether work that ended with `error` should be done again; waits a little then.
    #[must_use]
    pub fn tries_again(&mut self, error: &StoreError) -> bool {
        let pause = PAUSES_MS.get(self.failed).filter(|_| matches!(error, StoreError::Concurrent { .. }));
        let Some(pause) = pause else { return false };
        self.failed += 1;
        thread::sleep(Duration::from_millis(*pause));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_an_end() {
        let concurrent = StoreError::Concurrent { action: "writing rows".to_owned(), reason: "updated".to_owned() };
        let mut patience = Patience::default();
        for _ in PAUSES_MS {
            assert!(!patience.tries_again(&StoreError::NotSetUp), "other errors are none of its business");
            assert!(patience.is_left() && patience.tries_again(&concurrent));
        }
        assert!(!patience.is_left() && !patience.tries_again(&concurrent));
    }
}
