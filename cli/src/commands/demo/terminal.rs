//! Runs a command in this process just as it was typed, and hears both what it says and what `--json` would say.

use std::cell::RefCell;
use std::io::{self, Write};
use std::iter;
use std::rc::Rc;

use serde::Deserialize;

use crate::console::Console;
use crate::exit_code::Exit;

/// Before each line that a command prints.
const MARGIN: &str = "    ";

/// What a command did.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How it ended.
    pub(super) exit: Exit,
    /// What it printed, on stdout and stderr, in this order.
    pub(super) lines: Vec<String>,
    /// The round that it made; empty for other commands.
    pub(super) round: Round,
}

/// The object of `sync --json` (docs/cli-json.md), as far as the story needs it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Round {
    pub(super) bundles: Vec<Bundle>,
}

/// One of its bundles.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Bundle {
    pub(super) file: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) number: Option<u64>,
    pub(super) after: Option<u64>,
    pub(super) upto: Option<u64>,
    pub(super) result: String,
    pub(super) reason: Option<String>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) conflicts: u64,
}

impl Round {
    /// The bundle that was left for `to`.
    pub(super) fn left_for(&self, to: &str) -> Option<&Bundle> {
        self.bundles.iter().find(|bundle| bundle.to == to && bundle.result == "written")
    }

    /// The bundles from `from` with this result.
    pub(super) fn came(&self, from: &str, result: &str) -> Vec<&Bundle> {
        self.bundles.iter().filter(|bundle| bundle.from == from && bundle.result == result).collect()
    }

    /// The conflicts found in it.
    pub(super) fn conflicts(&self) -> u64 {
        self.bundles.iter().map(|bundle| bundle.conflicts).sum()
    }
}

/// Runs `saddlebag` with these arguments.
pub(super) fn type_in(args: &[&str]) -> Outcome {
    let printed = Printed::default();
    let (mut out, mut err) = (printed.clone(), printed.clone());
    let mut console = Console::new(&mut out, &mut err).with_margin(MARGIN);
    let exit = crate::run_in(iter::once("saddlebag").chain(args.iter().copied()), &mut console);
    let report = console.reports.pop();
    let round = report.and_then(|report| serde_json::from_value(report).ok()).unwrap_or_default();
    Outcome { exit, lines: printed.lines(), round }
}

/// One page for stdout and stderr, as in a terminal.
#[derive(Debug, Clone, Default)]
struct Printed(Rc<RefCell<Vec<u8>>>);

impl Printed {
    fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.borrow()).lines().map(str::to_owned).collect()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_heard_as_it_ends() {
        let outcome = type_in(&["--node", "no-such-node", "status"]);
        assert_eq!(outcome.exit, Exit::Failed);
        assert!(outcome.lines[0].starts_with("    error: "), "{outcome:?}");
        assert!(outcome.round.bundles.is_empty());
    }
}
