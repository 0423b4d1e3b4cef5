//! Tests that need data which is not in the repository: found, or skipped aloud, never silently.
//!
//! `SADDLEBAG_TEST_DATA` names the folder; else it is `../shared/data` beside the repository. Each skipped
//! test is a line in the file that `SADDLEBAG_SKIPPED` names; with `SADDLEBAG_REQUIRE_DATA=1` it fails.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const BESIDE_THE_REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// The folder of test data, if it is on this machine.
#[must_use]
pub fn test_data() -> Option<PathBuf> {
    let named = std::env::var_os("SADDLEBAG_TEST_DATA").filter(|name| !name.is_empty());
    Some(data_folder(named)).filter(|folder| folder.is_dir())
}

/// A file or folder of the test data that the test named `test` cannot do without; if there is none, the
/// test is reported as skipped and should return.
///
/// # Panics
/// When it is missing and `SADDLEBAG_REQUIRE_DATA` is 1, or the report of skipped tests cannot be written.
#[must_use]
pub fn needs_data(test: &str, what: &str) -> Option<PathBuf> {
    let found = test_data().map(|folder| folder.join(what)).filter(|path| path.exists());
    if found.is_none() {
        skipped(test, &format!("no `{what}` in the folder of test data (SADDLEBAG_TEST_DATA)"));
    }
    found
}

/// Reports that the test named `test` is skipped because of `missing`.
///
/// # Panics
/// When `SADDLEBAG_REQUIRE_DATA` is 1, or the report cannot be written.
pub fn skipped(test: &str, missing: &str) {
    let required = std::env::var_os("SADDLEBAG_REQUIRE_DATA").is_some_and(|value| value == "1");
    let list = std::env::var_os("SADDLEBAG_SKIPPED").filter(|name| !name.is_empty());
    let line = report(test, missing, required);
    // Not by `eprintln!`, which the test harness keeps to itself when the test passes.
    let told = io::stderr().write_all(line.as_bytes());
    let listed = list.map_or(Ok(()), |list| append(Path::new(&list), &line));
    assert!(told.and(listed).is_ok(), "a skipped test must be reported: {line}");
}

fn data_folder(named: Option<OsString>) -> PathBuf {
    named.map_or_else(|| PathBuf::from(BESIDE_THE_REPOSITORY), PathBuf::from)
}

fn report(test: &str, missing: &str, required: bool) -> String {
    assert!(!required, "{test} cannot be skipped, SADDLEBAG_REQUIRE_DATA is 1: {missing}");
    format!("SKIPPED {test}: {missing}\n")
}

/// One write, so that tests at the same time do not mix their lines.
fn append(list: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(list)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_folder_comes_before_the_one_beside_the_repository() {
        assert_eq!(data_folder(Some("elsewhere".into())), Path::new("elsewhere"));
        assert!(data_folder(None).ends_with("shared/data"));
    }

    #[test]
    fn a_skipped_test_is_a_line_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("skipped");
        append(&list, &report("round", "no stick", false)).unwrap();
        append(&list, &report("fleet", "no data", false)).unwrap();
        let lines = std::fs::read_to_string(&list).unwrap();
        assert_eq!(lines, "SKIPPED round: no stick\nSKIPPED fleet: no data\n");
    }

    #[test]
    #[should_panic(expected = "round cannot be skipped")]
    fn required_data_is_not_skipped() {
        let _ = report("round", "no stick", true);
    }
}
