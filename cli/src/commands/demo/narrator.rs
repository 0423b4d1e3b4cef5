//! Tells what happens, and remembers what did not happen as promised.

use std::path::PathBuf;

use super::terminal::{Outcome, type_in};
use crate::args::shell_word;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::{self, Exit};
use crate::layout::{WIDTH, columns};

/// Before a command that is typed.
const PROMPT: &str = "  $ ";

/// Before the second line of a command that is typed.
const CONTINUED: &str = "      ";

/// How much of what a command prints is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// All.
    Whole,
    /// The first sentence.
    FirstSentence,
    /// What came, what goes and what was refused.
    News,
}

/// Beginnings of lines that are the same in every quiet round.
const NO_NEWS: [&str; 4] =
    ["there was nothing for", "received no changes from", "took ", "All is written and read back"];

/// Ends of such lines.
const NO_NEWS_ENDS: [&str; 3] = ["lacks nothing", "had been received before: nothing changed", "not acknowledged yet"];

/// What was written last: an empty line parts words from commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Heading,
    Words,
    Command,
}

/// Who tells the story.
pub(super) struct Narrator<'n, 'c> {
    console: &'n mut Console<'c>,
    chapter: u32,
    last: Last,
    unkept: Vec<String>,
}

impl<'n, 'c> Narrator<'n, 'c> {
    pub(super) fn new(console: &'n mut Console<'c>) -> Self {
        Self { console, chapter: 0, last: Last::Heading, unkept: Vec::new() }
    }

    /// Begins the next chapter.
    pub(super) fn chapter(&mut self, title: &str) -> Result<(), CommandError> {
        self.chapter += 1;
        self.last = Last::Heading;
        let heading = format!("{}. {title}", self.chapter);
        self.console.line("")?;
        self.console.line(&heading)?;
        self.console.line(&"-".repeat(columns(&heading)))
    }

    /// Says what happens.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), CommandError> {
        self.goes_on_with(Last::Words)?;
        self.console.say(text)?;
        self.console.flush()
    }

    /// Shows lines as they are.
    pub(super) fn show(&mut self, lines: &[String]) -> Result<(), CommandError> {
        self.goes_on_with(Last::Command)?;
        lines.iter().try_for_each(|line| self.console.line(line))
    }

    fn goes_on_with(&mut self, next: Last) -> Result<(), CommandError> {
        let before = std::mem::replace(&mut self.last, next);
        if before == next || before == Last::Heading { Ok(()) } else { self.console.line("") }
    }

    /// Says that something happened as promised, or that it did not.
    pub(super) fn promise(&mut self, is_kept: bool, kept: &str, unkept: &str) -> Result<(), CommandError> {
        if is_kept { self.tell(kept) } else { self.broken(unkept) }
    }

    /// Says what did not happen as promised.
    pub(super) fn broken(&mut self, unkept: &str) -> Result<(), CommandError> {
        self.unkept.push(unkept.to_owned());
        self.tell(&format!("NOT AS PROMISED: {unkept}"))
    }

    /// What did not happen as promised.
    pub(super) fn unkept(&self) -> &[String] {
        &self.unkept
    }

    /// Types a command, shows what it prints, and checks how it ends.
    pub(super) fn command(&mut self, args: &[&str], ends: Exit, detail: Detail) -> Result<Outcome, CommandError> {
        self.show(&typed_lines(args))?;
        let outcome = type_in(args);
        self.show(&selected(&outcome.lines, detail))?;
        if outcome.exit != Exit::Done {
            self.show(&[format!("    (exit status {})", meaning(outcome.exit))])?;
        }
        if outcome.exit != ends {
            let (command, found, promised) = (args.join(" "), outcome.exit.code(), ends.code());
            self.broken(&format!("`saddlebag {command}` ended with exit status {found}, not {promised}"))?;
        }
        self.console.flush()?;
        Ok(outcome)
    }
}

/// An exit status, as `--help` explains it.
fn meaning(exit: Exit) -> String {
    let code = exit.code().to_string();
    let explained = exit_code::HELP.lines().find_map(|line| line.trim().strip_prefix(&code)).unwrap_or_default();
    format!("{code}: {}", explained.trim())
}

/// The command as a person types it, in lines of 80 columns; an option stays with its value.
fn typed_lines(args: &[&str]) -> Vec<String> {
    let mut lines = vec![format!("{PROMPT}saddlebag")];
    let is_option = |at: usize| args.get(at).is_some_and(|arg| arg.starts_with("--"));
    for (at, arg) in args.iter().enumerate() {
        let Some(line) = lines.last_mut() else { break };
        let word = shell_word(arg);
        let value = args.get(at + 1).filter(|_| is_option(at) && !is_option(at + 1));
        let columns_together = columns(&word) + value.map_or(0, |value| 1 + columns(&shell_word(value)));
        // A space and a backslash must have room behind it.
        if columns(line) + 1 + columns_together + 2 > WIDTH {
            line.push_str(" \\");
            lines.push(format!("{CONTINUED}{word}"));
        } else {
            line.push(' ');
            line.push_str(&word);
        }
    }
    lines
}

fn selected(lines: &[String], detail: Detail) -> Vec<String> {
    match detail {
        Detail::Whole => lines.to_vec(),
        Detail::FirstSentence => {
            let end = lines.iter().position(|line| line.ends_with(['.', ':'])).map_or(lines.len(), |at| at + 1);
            let rest = (end < lines.len()).then(|| "    …".to_owned());
            lines[..end].iter().cloned().chain(rest).collect()
        }
        Detail::News => lines.iter().filter(|line| is_news(line.trim())).cloned().collect(),
    }
}

fn is_news(line: &str) -> bool {
    !NO_NEWS.iter().any(|begin| line.starts_with(begin)) && !NO_NEWS_ENDS.iter().any(|end| line.ends_with(end))
}

/// A path as it is typed.
pub(super) fn as_typed(path: PathBuf) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let database = format!("sqlite:{}", "d".repeat(40));
        let lines = typed_lines(&["--node", "demo/riverside", "init", "riverside", "--database", &database]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  $ saddlebag --node demo/riverside") && lines[0].ends_with(" \\"));
        assert!(lines.iter().all(|line| columns(line) <= WIDTH));
        assert!(lines[1].starts_with("      --database sqlite:d"), "{lines:?}");
        assert_eq!(typed_lines(&["card"]), ["  $ saddlebag card"]);
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let lines = ["    A sentence of", "    two lines.", "    Another."].map(str::to_owned);
        let shown = selected(&lines, Detail::FirstSentence);
        assert_eq!(shown, ["    A sentence of", "    two lines.", "    …"]);
        assert_eq!(selected(&lines[..2], Detail::FirstSentence), lines[..2]);
        assert_eq!(meaning(Exit::Part), "4: done in part: something is held or in conflict");
    }

    #[test]
    fn a_quiet_line_is_no_news() {
        let quiet = ["riverside lacks nothing", "took 1 bundle away that nobody needs any more"];
        assert!(!quiet.into_iter().any(is_news));
        assert!(is_news("received 3 changes from riverside (bundle 2)") && is_news("refused bundle 3 from hilltop: x"));
    }

    #[test]
    fn what_was_not_kept_is_said_and_remembered() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err);
        let mut narrator = Narrator::new(&mut console);
        narrator.promise(true, "all is well", "all is lost").unwrap();
        narrator.promise(false, "it came", "it did not come").unwrap();
        narrator.command(&["no-such-verb"], Exit::Done, Detail::FirstSentence).unwrap();
        assert_eq!(narrator.unkept().len(), 2);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("all is well\nNOT AS PROMISED: it did not come\n\n  $ saddlebag no-such-verb\n"));
        assert!(text.contains("ended with exit status 2, not 0"));
    }
}
