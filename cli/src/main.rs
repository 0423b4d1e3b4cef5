//! The command `saddlebag`.

use std::process::ExitCode;

fn main() -> ExitCode {
    saddlebag::run_in_terminal().into()
}
