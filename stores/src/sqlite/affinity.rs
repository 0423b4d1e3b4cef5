//! To what a column converts the values that it is given.

/// "Determination Of Column Affinity" in SQLite's "Datatypes In SQLite".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    /// INTEGER and NUMERIC store alike.
    Numeric,
    Real,
    /// Values stay as they are given, so that 1 and 1.0 differ.
    None,
}

/// The affinity of a column of this declared type.
pub(super) fn affinity(declared_type: &str) -> Affinity {
    let upper = declared_type.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    if has(&["INT"]) {
        Affinity::Numeric
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if upper.is_empty() || has(&["BLOB"]) || upper == "ANY" {
        Affinity::None
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_are_those_of_the_manual() {
        for (declared, expected) in [
            ("INTEGER", Affinity::Numeric),
            ("CHARINT", Affinity::Numeric),
            ("VARCHAR(255)", Affinity::Text),
            ("BLOB", Affinity::None),
            ("", Affinity::None),
            ("DOUBLE PRECISION", Affinity::Real),
            ("FLOATING POINT", Affinity::Numeric),
            ("DECIMAL(10,5)", Affinity::Numeric),
            ("TIMESTAMP", Affinity::Numeric),
        ] {
            assert_eq!(affinity(declared), expected, "{declared}");
        }
    }
}
