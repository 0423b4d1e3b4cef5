//! What one `changes` member may still unfold to: a few bytes can stand for many values, so these are
//! counted before they are made.

use crate::limits;
use crate::members::ChangesError;

/// What is left.
#[derive(Debug)]
pub(crate) struct Budget {
    records: usize,
    values: usize,
    bytes: usize,
}

impl Budget {
    /// For one member.
    pub(crate) fn member() -> Self {
        Self {
            records: limits::RECORDS_PER_MEMBER_MAX,
            values: limits::VALUES_PER_MEMBER_MAX,
            bytes: limits::VALUE_BYTES_PER_MEMBER_MAX,
        }
    }

    pub(crate) fn take_records(&mut self, count: usize) -> Result<(), ChangesError> {
        take(&mut self.records, count, "records", limits::RECORDS_PER_MEMBER_MAX)
    }

    pub(crate) fn take_values(&mut self, count: usize) -> Result<(), ChangesError> {
        take(&mut self.values, count, "values", limits::VALUES_PER_MEMBER_MAX)
    }

    pub(crate) fn take_bytes(&mut self, count: usize) -> Result<(), ChangesError> {
        take(&mut self.bytes, count, "bytes of values", limits::VALUE_BYTES_PER_MEMBER_MAX)
    }
}

fn take(left: &mut usize, count: usize, what: &'static str, limit: usize) -> Result<(), ChangesError> {
    *left = left.checked_sub(count).ok_or(ChangesError::TooMany { what, limit })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_past_each_limit_is_refused() {
        let mut budget = Budget::member();
        assert!(budget.take_records(limits::RECORDS_PER_MEMBER_MAX).is_ok());
        assert!(budget.take_records(1).is_err());
        assert!(budget.take_values(limits::VALUES_PER_MEMBER_MAX).is_ok());
        assert!(budget.take_values(1).is_err());
        assert!(budget.take_bytes(limits::VALUE_BYTES_PER_MEMBER_MAX).is_ok());
        assert!(budget.take_bytes(1).is_err());
    }
}
