//! Where a command's words go: data to `out`, all else to `err`.
//!
//! Invariant: what is written through [`Console::say`], [`Console::note`] and their like has been cleaned; with
//! `--json` nothing but one object reaches `out`.

use std::io::{self, BufRead, Write};

use serde::Serialize;

use crate::command_error::CommandError;
use crate::layout;
use crate::sanitize::sanitize;

/// The streams of a command.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    answers: Option<&'a mut dyn BufRead>,
    /// Whether somebody looks on while long work is done.
    pub shows_progress: bool,
    /// What every line begins with.
    margin: &'static str,
    /// What `--json` would have printed, for who shows words and needs both.
    pub(crate) reports: Vec<serde_json::Value>,
}

impl std::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("shows_progress", &self.shows_progress).finish_non_exhaustive()
    }
}

impl<'a> Console<'a> {
    /// Over these streams; nobody is there to be asked, or to look on.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { out, err, answers: None, shows_progress: false, margin: "", reports: Vec::new() }
    }

    /// The same, with somebody who answers.
    #[must_use]
    pub fn with_answers(self, answers: &'a mut dyn BufRead) -> Self {
        Self { answers: Some(answers), ..self }
    }

    /// The same, with lines that all begin with `margin`.
    #[must_use]
    pub(crate) fn with_margin(self, margin: &'static str) -> Self {
        Self { margin, ..self }
    }

    /// Keeps what `--json` would print, where the words are printed.
    pub(crate) fn keep_report(&mut self, object: &impl Serialize) -> Result<(), CommandError> {
        self.reports.push(serde_json::to_value(object).map_err(io::Error::from)?);
        Ok(())
    }

    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        self.answers.is_some()
    }

    /// A sentence on `out`, in lines of 80 columns.
    pub fn say(&mut self, text: &str) -> Result<(), CommandError> {
        self.say_indented("", text)
    }

    /// A sentence on `out`, whose lines all begin with `indent`.
    pub fn say_indented(&mut self, indent: &str, text: &str) -> Result<(), CommandError> {
        let indent = format!("{}{indent}", self.margin);
        Ok(self.out.write_all(layout::wrap(&sanitize(text), &indent, &indent).as_bytes())?)
    }

    /// A line on `out` that is not broken: a command to type, a row of a table.
    pub fn line(&mut self, text: &str) -> Result<(), CommandError> {
        Ok(writeln!(self.out, "{}{}", self.margin, sanitize(text))?)
    }

    /// Bytes on `out`, as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Writes out what may still wait.
    pub fn flush(&mut self) -> Result<(), CommandError> {
        Ok(self.out.flush()?)
    }

    /// One object on `out`.
    pub fn json(&mut self, object: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(object).map_err(io::Error::from)?;
        Ok(writeln!(self.out, "{text}")?)
    }

    /// One object on `out`, as one line.
    pub fn json_line(&mut self, object: &impl Serialize) -> Result<(), CommandError> {
        serde_json::to_writer(&mut *self.out, object).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// `note: …` on `err`.
    pub fn note(&mut self, text: &str) -> Result<(), CommandError> {
        self.labelled("note: ", text)
    }

    /// A sentence on `err` that begins with `label`.
    pub fn labelled(&mut self, label: &str, text: &str) -> Result<(), CommandError> {
        let (first, rest) = (format!("{}{label}", self.margin), format!("{}{}", self.margin, " ".repeat(label.len())));
        Ok(self.err.write_all(layout::wrap(&sanitize(text), &first, &rest).as_bytes())?)
    }

    /// A line on `err` that is not broken.
    pub fn err_line(&mut self, text: &str) -> Result<(), CommandError> {
        Ok(writeln!(self.err, "{}{}", self.margin, sanitize(text))?)
    }

    /// Asks on `err` and reads yes or no; anything else means no.
    ///
    /// # Errors
    /// If nobody answers: there is nobody, or the input ended.
    pub fn ask(&mut self, question: &str) -> Result<bool, CommandError> {
        Ok(self.asked(question, "y/N")?.unwrap_or(false))
    }

    /// Asks on `err` and reads yes or no; anything else means `default`.
    ///
    /// # Errors
    /// As [`Console::ask`].
    pub fn ask_or(&mut self, question: &str, default: bool) -> Result<bool, CommandError> {
        let choice = if default { "Y/n" } else { "y/N" };
        Ok(self.asked(question, choice)?.unwrap_or(default))
    }

    fn asked(&mut self, question: &str, choice: &str) -> Result<Option<bool>, CommandError> {
        let lines = layout::wrap(&format!("{} [{choice}]", sanitize(question)), self.margin, self.margin);
        write!(self.err, "{} ", lines.trim_end())?;
        self.err.flush()?;
        let mut answer = String::new();
        let answers = self.answers.as_mut().ok_or_else(CommandError::interrupted)?;
        if answers.read_line(&mut answer)? == 0 {
            return Err(CommandError::interrupted());
        }
        Ok(match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Some(true),
            "n" | "no" => Some(false),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_begin_with_the_margin_and_end_before_the_edge() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err).with_margin("    ");
        console.say(&"word ".repeat(40)).unwrap();
        console.line("a line").unwrap();
        console.note(&"word ".repeat(40)).unwrap();
        console.err_line("a line").unwrap();
        for text in [out, err] {
            let text = String::from_utf8(text).unwrap();
            assert!(text.lines().count() > 3);
            assert!(
                text.lines().all(|line| line.starts_with("    ") && layout::columns(line) <= layout::WIDTH),
                "{text}"
            );
        }
    }

    #[test]
    fn who_only_presses_return_takes_the_default() {
        for (typed, by_yes, by_no) in
            [("\n", true, false), ("y\n", true, true), ("No\n", false, false), ("?\n", true, false)]
        {
            for (default, expected) in [(true, by_yes), (false, by_no)] {
                let (mut out, mut err, mut answers) = (Vec::new(), Vec::new(), typed.as_bytes());
                let mut console = Console::new(&mut out, &mut err).with_answers(&mut answers);
                assert_eq!(console.ask_or("Really?", default).unwrap(), expected, "{typed:?}, {default}");
                let shown = String::from_utf8(err).unwrap();
                assert_eq!(shown, if default { "Really? [Y/n] " } else { "Really? [y/N] " });
            }
        }
        let (mut out, mut err, mut answers) = (Vec::new(), Vec::new(), &b""[..]);
        let mut console = Console::new(&mut out, &mut err).with_answers(&mut answers);
        assert_eq!(console.ask_or("Really?", true).unwrap_err().exit(), crate::Exit::Interrupted);
    }

    #[test]
    fn a_kept_report_is_printed_nowhere() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err);
        console.keep_report(&[1, 2]).unwrap();
        assert_eq!(console.reports, [serde_json::json!([1, 2])]);
        assert!(out.is_empty() && err.is_empty());
    }
}
