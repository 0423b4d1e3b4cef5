//! How the signed header binds the payload: by exact size and SHA-256.
//!
//! Invariant: bytes pass only if they are those that were bound, nothing missing and nothing appended.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The size and hash of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadBinding {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

/// A payload that is not the one that the header names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadBindingError {
    /// The file ends too early.
    #[error("the payload ends after {found} of {size} bytes")]
    Short {
        /// How many are there.
        found: u64,
        /// How many must be.
        size: u64,
    },
    /// The file goes on.
    #[error("the payload goes on after its {size} bytes")]
    Long {
        /// How many must be.
        size: u64,
    },
    /// Right size, other bytes.
    #[error("the payload is not the one that was signed: its SHA-256 differs")]
    Changed,
    /// It could not be read.
    #[error("the payload cannot be read")]
    Read(#[from] io::Error),
}

impl PayloadBindingError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Short { .. } => "the file was not copied completely: copy it again",
            Self::Long { .. } | Self::Changed => "the file was changed or damaged on its way: copy it again",
            Self::Read(_) => "look at the medium: it may be damaged, or was pulled out",
        }
    }
}

impl PayloadBinding {
    /// Binds `payload`.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self { size: payload.len() as u64, sha256: Sha256::digest(payload).into() }
    }

    /// Checks that `payload` is the bound one.
    ///
    /// # Errors
    /// If a byte is missing, appended or changed.
    pub fn check(&self, payload: &[u8]) -> Result<(), PayloadBindingError> {
        self.check_reader(&mut &payload[..])
    }

    /// Reads what is left of `reader` and checks it, keeping nothing: a bundle of 1 GiB needs no memory.
    ///
    /// # Errors
    /// As [`PayloadBinding::check`], or if it cannot be read.
    pub fn check_reader(&self, reader: &mut impl Read) -> Result<(), PayloadBindingError> {
        self.each_block(reader, |_| ())
    }

    /// Reads what is left of `reader`, checks it and returns it. No more is read than was bound, and one byte.
    ///
    /// # Errors
    /// As [`PayloadBinding::check_reader`].
    pub fn read(&self, reader: &mut impl Read) -> Result<Vec<u8>, PayloadBindingError> {
        let mut payload = Vec::new();
        self.each_block(reader, |block| payload.extend_from_slice(block))?;
        Ok(payload)
    }

    fn each_block(&self, reader: &mut impl Read, mut block: impl FnMut(&[u8])) -> Result<(), PayloadBindingError> {
        let mut limited = reader.take(self.size.saturating_add(1));
        let (mut found, mut hash, mut buffer) = (0, Sha256::new(), vec![0; 64 << 10]);
        loop {
            let read = match limited.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                break;
            }
            found += read as u64;
            if found > self.size {
                return Err(PayloadBindingError::Long { size: self.size });
            }
            hash.update(&buffer[..read]);
            block(&buffer[..read]);
        }
        if found < self.size {
            return Err(PayloadBindingError::Short { found, size: self.size });
        }
        if <[u8; 32]>::from(hash.finalize()) != self.sha256 {
            return Err(PayloadBindingError::Changed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bound_bytes_pass() {
        let payload = vec![7; 100_000];
        let binding = PayloadBinding::of(&payload);
        assert!(binding.check(&payload).is_ok());
        assert_eq!(binding.read(&mut payload.as_slice()).unwrap(), payload);
        let found = binding.check(&payload[1..]);
        assert!(matches!(found, Err(PayloadBindingError::Short { found: 99_999, size: 100_000 })));
        let longer = [payload.as_slice(), &[0]].concat();
        assert!(matches!(binding.check(&longer), Err(PayloadBindingError::Long { .. })));
        let mut changed = payload;
        changed[50_000] ^= 1;
        assert!(matches!(binding.check(&changed), Err(PayloadBindingError::Changed)));
        assert!(binding.read(&mut changed.as_slice()).is_err());
    }

    #[test]
    fn an_endless_reader_is_left_after_one_byte_too_many() {
        let binding = PayloadBinding::of(b"abc");
        let mut endless = io::repeat(b'a');
        assert!(matches!(binding.read(&mut endless), Err(PayloadBindingError::Long { size: 3 })));
    }
}
