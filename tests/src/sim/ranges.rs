//! Which seeds of a long run are done, in a file by which it goes on after it was stopped.
//!
//! Each line is `done A..B` (A first, B not included) or `seconds N`, the time that they took together.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What a long run has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Seeds, in ranges that rise and do not touch each other.
    ranges: Vec<Range<u64>>,
    /// The seconds that they took.
    pub seconds: u64,
}

impl Done {
    /// Whether a seed was run.
    #[must_use]
    pub fn has(&self, seed: u64) -> bool {
        self.ranges.iter().any(|range| range.contains(&seed))
    }

    /// Takes note of a seed that was run.
    pub fn add(&mut self, seed: u64) {
        if self.has(seed) {
            return;
        }
        self.ranges.push(seed..seed + 1);
        self.ranges.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in self.ranges.drain(..) {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        self.ranges = joined;
    }

    /// How many seeds were run.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// The seeds in words: `0..100, 200..300`.
    #[must_use]
    pub fn seeds(&self) -> String {
        let ranges: Vec<String> = self.ranges.iter().map(|range| format!("{}..{}", range.start, range.end)).collect();
        ranges.join(", ")
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ranges.iter().try_for_each(|range| writeln!(f, "done {}..{}", range.start, range.end))?;
        writeln!(f, "seconds {}", self.seconds)
    }
}

/// A range of seeds: `0..10000`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` is no range of seeds; write it as 0..10000");
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = first.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

impl FromStr for Done {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut done = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("done", range)) => seeds(range)?.for_each(|seed| done.add(seed)),
                Some(("seconds", seconds)) => {
                    done.seconds = seconds.parse().map_err(|_| format!("`{line}` is no number of seconds"))?;
                }
                _ => return Err(format!("`{line}` is no line of a long run's file")),
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_are_read_back() {
        let mut done = Done { seconds: 12, ..Done::default() };
        [5, 3, 4, 9, 4].into_iter().for_each(|seed| done.add(seed));
        assert_eq!((done.seeds().as_str(), done.count()), ("3..6, 9..10", 4));
        assert_eq!(done.to_string().parse::<Done>(), Ok(done));
        assert!("done 5".parse::<Done>().is_err() && seeds("7..7").is_err());
    }
}
