//! `saddlebag card`

use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::membership::{self, OwnCard};
use saddlebag_keys::{Role, files};
use serde::Serialize;

use super::introduce;
use crate::args::{Global, Report, shell_word};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// Write this node's card, by which others get to know it.
///
/// A card is public: it holds the node's name and the public halves of its keys. Whoever takes it compares the
/// twelve words with the node's owner, by telephone for example.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag card
  saddlebag card --out /media/stick/saddlebag/cards/")]
pub struct CardArgs {
    /// Where to write it: a file, a folder, or `-` for stdout [default: NAME.card]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `--json`
#[derive(Debug, Serialize)]
struct CardReport<'a> {
    node: &'a str,
    role: &'static str,
    file: Option<&'a Path>,
    fingerprint: &'a str,
}

/// Runs it.
pub fn run(global: &Global, args: &CardArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    if to_stdout && args.report.json {
        let hint = "write the card into a file, with `--out FILE`";
        return Err(CommandError::usage("`--json` and `--out -` both want stdout", hint));
    }
    let mut node = Node::open_for_setup(&global.node)?;
    let own = membership::card(&mut node)?;
    if to_stdout {
        console.raw(&own.bytes)?;
        return Ok(Exit::Done);
    }
    let file = write(&own, args.out.as_deref())?;
    if args.report.json {
        let (node, role) = (own.card.name.as_str(), introduce::role(own.card.role));
        console.json(&CardReport { node, role, file: Some(&file), fingerprint: &own.words })?;
    } else {
        print(&own, &file, console)?;
    }
    Ok(Exit::Done)
}

fn write(own: &OwnCard, out: Option<&Path>) -> Result<PathBuf, CommandError> {
    let (folder, name) = match out {
        None => (Path::new("."), own.card.file_name()),
        Some(folder) if folder.is_dir() => (folder, own.card.file_name()),
        Some(file) => {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")), name)
        }
    };
    let path = files::publish(folder, &name, &own.bytes)?;
    Ok(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
}

fn print(own: &OwnCard, file: &Path, console: &mut Console<'_>) -> Result<(), CommandError> {
    let (name, role) = (&own.card.name, introduce::role(own.card.role));
    console.say(&format!("`{}` is the card of {name}, a {role}. Its fingerprint:", file.display()))?;
    introduce::print_words(&own.words, console)?;
    let (place, verb) = match own.card.role {
        Role::Central => ("satellite", "join"),
        Role::Satellite => ("central", "admit"),
    };
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    console.say(&format!("Next: take the card to the {place}, and type there:"))?;
    console.line(&format!("  saddlebag {verb} {}", shell_word(&file)))?;
    if own.is_listed_satellite {
        let how = format!("`saddlebag {verb} {} --district`", shell_word(&file));
        console.note(&format!("to have satellites of its own, {name} is admitted with {how}; then both sync"))?;
    }
    Ok(())
}
