//! `saddlebag demo`: two clinics, a ministry and a stick, played through with the commands themselves.
//!
//! Invariant: every sentence is computed from what happened just before, and what did not happen as promised is
//! said and ends the command with status 1.

mod conflict;
mod deletion;
mod disagreement;
mod ending;
mod finder;
mod first_day;
mod folder;
mod founding;
mod mishaps;
mod narrator;
mod places;
mod rounds;
mod terminal;

use std::path::PathBuf;

use clap::Args;
use saddlebag_samples::SiteError;

use self::narrator::Narrator;
use self::places::Places;
use crate::args::Global;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Show a whole round: two clinics, a ministry and a stick between them.
///
/// Makes three databases with the records of invented patients in a new folder, links them, and takes a stick
/// round, with all that happens to sticks. Says what happens and checks it. The folder is left for looking around.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag demo
  saddlebag demo two-clinics --seed 42")]
pub struct DemoArgs {
    /// Where to do it, a new or empty folder [default: demo, or demo-2, demo-3 …]
    pub folder: Option<PathBuf>,
    /// Which records are invented; keys and ids are new each time
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
}

/// The demo while it is played.
struct Demo<'d, 'c> {
    narrator: Narrator<'d, 'c>,
    places: Places,
    seed: u64,
}

/// Runs it.
pub fn run(_global: &Global, args: &DemoArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let folder = folder::choose(args.folder.as_deref())?;
    let narrator = Narrator::new(console);
    Demo { narrator, places: Places::create(folder)?, seed: args.seed }.play()
}

impl Demo<'_, '_> {
    fn play(mut self) -> Result<Exit, CommandError> {
        self.introduce()?;
        self.found_the_places()?;
        self.work_the_first_day()?;
        self.take_the_stick_round()?;
        self.disagree()?;
        self.delete_an_entry()?;
        self.lose_the_stick()?;
        self.copy_a_bundle()?;
        self.change_a_bundle()?;
        self.look_as_a_finder()?;
        self.end()
    }

    /// A day's own seed.
    fn day(&self, day: u64) -> u64 {
        self.seed.wrapping_add(day)
    }
}

impl From<SiteError> for CommandError {
    fn from(error: SiteError) -> Self {
        Self::failed(error.to_string(), Some("begin again in another folder: `saddlebag demo FOLDER`"))
    }
}
