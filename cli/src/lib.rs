//! The command `saddlebag`: arguments in, words or JSON out. All that it does is done by the libraries.

pub mod args;
pub mod command_error;
pub mod commands;
pub mod console;
pub mod exit_code;
pub mod layout;
mod progress;
pub mod proposal;
pub mod sanitize;
mod side_by_side;
mod table;
mod toml_text;

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal as _, Write};

use clap::Parser as _;

use crate::args::Cli;
use crate::command_error::CommandError;
use crate::console::Console;
pub use crate::exit_code::Exit;

/// Runs one command, the name of the program first in `args`, as `main` does; but nobody is asked, and no
/// progress is shown.
pub fn run<I, T>(args: I, out: &mut dyn Write, err: &mut dyn Write) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    run_in(args, &mut Console::new(out, err))
}

/// As [`run`], with somebody who answers what is asked: one line each.
pub fn run_with_answers<I, T>(args: I, answers: &mut dyn BufRead, out: &mut dyn Write, err: &mut dyn Write) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    run_in(args, &mut Console::new(out, err).with_answers(answers))
}

/// Runs the command of this process in its terminal, if it has one.
pub fn run_in_terminal() -> Exit {
    let (mut out, mut err, mut answers) = (io::stdout(), io::stderr(), io::stdin().lock());
    let somebody_looks_on = err.is_terminal();
    let somebody_answers = somebody_looks_on && io::stdin().is_terminal();
    let mut console = Console::new(&mut out, &mut err);
    console.shows_progress = somebody_looks_on;
    if somebody_answers {
        console = console.with_answers(&mut answers);
    }
    run_in(std::env::args_os(), &mut console)
}

fn run_in<I, T>(args: I, console: &mut Console<'_>) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let done = match Cli::try_parse_from(args) {
        Ok(cli) => commands::run(cli, console),
        Err(message) => print_usage(&message, console),
    };
    match done.and_then(|exit| console.flush().map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => {
            // Where even that cannot be printed, the status still says it.
            let _ = print_error(&error, console);
            error.exit()
        }
    }
}

/// Help and version go to stdout, what is wrong with the command line to stderr.
fn print_usage(message: &clap::Error, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let text = message.render().to_string();
    if message.use_stderr() {
        text.lines().try_for_each(|line| print_usage_line(line, console))?;
        Ok(Exit::Usage)
    } else {
        console.raw(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// Help is laid out already; what is wrong in words is not.
fn print_usage_line(line: &str, console: &mut Console<'_>) -> Result<(), CommandError> {
    if layout::columns(line) <= layout::WIDTH {
        return console.err_line(line);
    }
    console.labelled("", line)
}

fn print_error(error: &CommandError, console: &mut Console<'_>) -> Result<(), CommandError> {
    if error.is_silent() {
        return Ok(());
    }
    console.labelled("error: ", &error.to_string())?;
    error.hint().map_or(Ok(()), |hint| console.labelled("hint: ", hint))
}
