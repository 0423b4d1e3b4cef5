//! What happened, in lines: the same for the same seed, byte for byte.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The lines of a run.
#[derive(Debug, Default)]
pub struct Trace {
    /// All of them.
    pub lines: Vec<String>,
}

impl Trace {
    /// Adds a line.
    pub fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The SHA-256 of all lines, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for line in &self.lines {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
        hash.finalize().iter().fold(String::new(), |mut digits, byte| {
            let _written = write!(digits, "{byte:02x}");
            digits
        })
    }

    /// The last lines in which something new happened.
    #[must_use]
    pub fn end(&self, lines: usize) -> Vec<String> {
        let says_nothing = |line: &str| {
            [": Unchanged ", ": Nothing ", ": Already Tally", " ends with "].iter().any(|part| line.contains(part))
        };
        let news: Vec<&String> = self.lines.iter().filter(|line| !says_nothing(line)).collect();
        news[news.len().saturating_sub(lines)..].iter().map(|line| (*line).clone()).collect()
    }
}
