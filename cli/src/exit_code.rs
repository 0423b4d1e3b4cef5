//! What the command's exit status says (`docs/cli-json.md`, and `--help`).

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done,
    /// Something failed or was refused.
    Failed,
    /// The command line cannot be understood, or lacks something.
    Usage,
    /// Whoever reads the output went away.
    BrokenPipe,
    /// Done in part: something is parked, quarantined or in conflict.
    Part,
    /// Somebody interrupted it. A shell shows the same for a command that Ctrl-C ended.
    Interrupted,
}

/// The lines about exit status in `--help`.
pub const HELP: &str = "Exit status:
    0  done
    1  failed, or something was refused
    2  the command line is wrong
    3  the reader of the output went away
    4  done in part: something is held or in conflict
  130  interrupted";

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::BrokenPipe => 3,
            Self::Part => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_in_the_help() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::BrokenPipe, Exit::Part, Exit::Interrupted];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 130]);
        let number = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<u8>().ok());
        let shown: Vec<_> = HELP.lines().skip(1).filter_map(number).collect();
        assert_eq!(shown, all.map(Exit::code));
    }
}
