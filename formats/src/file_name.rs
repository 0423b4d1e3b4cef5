//! What bundles are called on a stick. For people only: the header counts.
//!
//! Invariant: a name made here is a valid file name on FAT, exFAT, NTFS and POSIX.

use crate::ids::{BundleId, BundleNumber, TimeMs};
use crate::node_name::{NodeName, is_windows_device};
use crate::utc;

/// How the name of a bundle ends.
pub const EXTENSION: &str = ".sbag";
/// Longest name that is looked at. The longest made here has about 120 characters.
const NAME_BYTES_MAX: usize = 200;

/// `FROM-to-TO_NUMBER_YYYYMMDDthhmmssz_ID8.sbag`, lower case; the number has at least six digits, so that
/// names sort as bundles follow each other.
///
/// ```
/// use saddlebag_formats::{BundleId, BundleNumber, TimeMs, file_name::file_name};
/// let name = file_name(
///     &"clinic-07".parse()?,
///     &"ministry".parse()?,
///     BundleNumber(17),
///     TimeMs(1_795_256_100_000),
///     BundleId([0xab; 16]),
/// );
/// assert_eq!(name, "clinic-07-to-ministry_000017_20261121t101500z_abababab.sbag");
/// # Ok::<(), saddlebag_formats::node_name::NodeNameError>(())
/// ```
#[must_use]
pub fn file_name(from: &NodeName, to: &NodeName, number: BundleNumber, created: TimeMs, id: BundleId) -> String {
    let time = utc::format_short(created);
    let id = hex::encode(&id.0[..4]);
    format!("{from}-to-{to}_{:06}_{time}_{id}{EXTENSION}", number.0)
}

/// Whether a file of this name is worth opening: it ends in `.sbag` and holds nothing that could trouble a
/// terminal or a file system. A bundle that somebody renamed or a file manager copied (`… (1).sbag`) is one.
#[must_use]
pub fn looks_like_bundle(name: &str) -> bool {
    let Some(stem) = name.len().checked_sub(EXTENSION.len()).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    let (stem, extension) = stem;
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')' | '~');
    let first_safe = stem.starts_with(|c: char| c.is_ascii_alphanumeric());
    let device = stem.split('.').next().is_some_and(is_windows_device);
    extension.eq_ignore_ascii_case(EXTENSION)
        && name.len() <= NAME_BYTES_MAX
        && first_safe
        && !device
        && stem.chars().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_is_one_that_is_looked_at() {
        let name: NodeName = "x".repeat(32).parse().unwrap();
        let longest = file_name(&name, &name, BundleNumber(u64::MAX), TimeMs(i64::MAX), BundleId([0xff; 16]));
        assert!(looks_like_bundle(&longest), "{longest}");
        assert!(longest.len() < 130);
        assert_eq!(longest, longest.to_lowercase());
    }

    #[test]
    fn copies_are_looked_at_and_foreign_files_are_not() {
        for name in ["a.sbag", "a-to-b_000001_20261121t101500z_01020304 (1).sbag", "A-TO-B.SBAG", "AB~1.sbag"] {
            assert!(looks_like_bundle(name), "{name}");
        }
        let long = format!("{}.sbag", "a".repeat(NAME_BYTES_MAX));
        for name in [
            "",
            ".sbag",
            "a.sbag.part",
            "a.txt",
            ".hidden.sbag",
            "a\nb.sbag",
            "a\u{202e}b.sbag",
            "é.sbag",
            "con.sbag",
            "lpt1.x.sbag",
            "../a.sbag",
            "a/b.sbag",
            "a\\b.sbag",
            "a:b.sbag",
            "-a.sbag",
            "sbag",
            long.as_str(),
        ] {
            assert!(!looks_like_bundle(name), "{name:?}");
        }
    }
}
