//! One file per verb. Each turns its arguments into a call of a library, and the outcome into words or JSON.

pub mod admit;
pub mod card;
pub mod cat;
pub mod check;
mod clocks;
pub mod conflicts;
pub mod demo;
pub mod export;
pub mod held;
pub mod import;
pub mod init;
pub mod inspect;
mod introduce;
pub mod join;
mod known_nodes;
pub mod log;
pub mod rejoin;
pub mod remove;
mod round_report;
pub mod setup;
pub mod status;
pub mod sync;
mod takeover;
mod times;
pub mod verify;

use crate::args::{Cli, Command};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Does what the command line says.
pub fn run(cli: Cli, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::run(global, &args, console),
        Command::Setup(args) => setup::run(global, &args, console),
        Command::Card(args) => card::run(global, &args, console),
        Command::Join(args) => join::run(global, &args, console),
        Command::Admit(args) => admit::run(global, &args, console),
        Command::Sync(args) => sync::run(global, &args, console),
        Command::Export(args) => export::run(global, &args, console),
        Command::Import(args) => import::run(global, &args, console),
        Command::Status(args) => status::run(global, &args, console),
        Command::Conflicts(args) => conflicts::run(global, &args, console),
        Command::Held(args) => held::run(global, &args, console),
        Command::Check(args) => check::run(global, &args, console),
        Command::Log(args) => log::run(global, &args, console),
        Command::Inspect(args) => inspect::run(global, &args, console),
        Command::Verify(args) => verify::run(global, &args, console),
        Command::Cat(args) => cat::run(global, &args, console),
        Command::Rejoin(args) => rejoin::run(global, &args, console),
        Command::Remove(args) => remove::run(global, &args, console),
        Command::Demo(args) => demo::run(global, &args, console),
    }
}
