//! The command line as it is written: verbs, and what all of them take.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    admit, card, cat, check, conflicts, demo, export, held, import, init, inspect, join, log, rejoin, remove, setup,
    status, sync, verify,
};
use crate::exit_code;
use crate::layout::WIDTH;

/// Keep a database in step across places that have no network between them.
#[derive(Debug, Parser)]
#[command(
    name = "saddlebag",
    version,
    term_width = WIDTH,
    after_help = exit_code::HELP,
    after_long_help = exit_code::HELP,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What all verbs take.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all verbs take.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The node's folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SADDLEBAG_NODE",
        hide_env_values = true,
        default_value = "."
    )]
    pub node: PathBuf,
}

impl Global {
    /// Whether a folder was named, on the command line or in the environment.
    pub fn names_a_node(&self) -> bool {
        self.node != Path::new(".")
    }

    /// A command to type next, for this node.
    pub fn command(&self, rest: &str) -> String {
        if self.names_a_node() {
            format!("saddlebag --node {} {rest}", shell_word(&self.node.display().to_string()))
        } else {
            format!("saddlebag {rest}")
        }
    }
}

/// What all verbs take that report something.
#[derive(Debug, Clone, Args)]
pub struct Report {
    /// Print one JSON object on stdout instead of words (docs/cli-json.md)
    #[arg(long)]
    pub json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each verb is documented at its arguments, where its help comes from")]
pub enum Command {
    Init(init::InitArgs),
    Setup(setup::SetupArgs),
    Card(card::CardArgs),
    Join(join::JoinArgs),
    Admit(admit::AdmitArgs),
    Sync(sync::SyncArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Status(status::StatusArgs),
    Conflicts(conflicts::ConflictsArgs),
    Held(held::HeldArgs),
    Check(check::CheckArgs),
    Log(log::LogArgs),
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
    Cat(cat::CatArgs),
    Rejoin(rejoin::RejoinArgs),
    Remove(remove::RemoveArgs),
    Demo(demo::DemoArgs),
}

/// `text` as one word of a shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ',' | '+' | ':' | '@');
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example_and_help_of_80_columns() {
        let mut cli = Cli::command();
        cli.build();
        let names: Vec<_> = cli.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        assert!(names.len() >= 12);
        for name in names {
            let help = cli.find_subcommand_mut(&name).unwrap().render_long_help().to_string();
            assert!(help.contains("Example"), "{name} has no example");
            assert!(help.contains("SADDLEBAG_NODE"), "{name} names no environment variable");
            assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
        }
        let help = cli.render_long_help().to_string();
        assert!(help.contains("130  interrupted"));
        assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
    }

    #[test]
    fn a_command_to_type_names_the_folder() {
        let global = |node: &str| Global { node: node.into() };
        assert_eq!(global(".").command("card"), "saddlebag card");
        assert_eq!(global("/srv/a b").command("card"), "saddlebag --node '/srv/a b' card");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
