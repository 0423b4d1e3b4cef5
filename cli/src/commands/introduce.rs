//! Getting to know another node: its card is shown, and a person says whether the fingerprint is right.
//!
//! Invariant: no card is taken whose twelve words nobody has answered for.

use std::path::Path;

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::admission::{Admission, ListedEntries, RefusedEntry, Standing};
use saddlebag_couriers::membership::{self, Introduction};
use saddlebag_couriers::takeover::Takeover;
use saddlebag_formats::limits::CARD_BYTES_MAX;
use saddlebag_keys::{Role, files, fingerprint};
use serde::Serialize;

use crate::args::Report;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;

/// What `join` and `admit` take.
#[derive(Debug, Clone, Args)]
pub struct Consent {
    /// The twelve words that the card's owner sees: the card must have them
    #[arg(long, value_name = "WORDS", conflicts_with = "yes")]
    pub fingerprint: Option<String>,
    /// Take the card without comparing its fingerprint
    #[arg(long)]
    pub yes: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `--json`
#[derive(Debug, Serialize)]
struct LinkReport<'a> {
    node: &'a str,
    peer: &'a str,
    role: &'static str,
    fingerprint: &'a str,
    deployment: Option<String>,
    /// What `setup` has to take over; of `join` alone.
    takeover: Option<&'a Takeover>,
    /// Whether the deployment's list has it; of `admit` alone.
    is_listed: Option<bool>,
}

/// Prints the link that `admit` has made.
pub(super) fn print_admitted_json(
    node: &Node,
    admission: &Admission,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let peer = &admission.introduction;
    let role = if admission.is_district { "district" } else { role(peer.role) };
    let is_listed = Some(admission.standing == Standing::Listed);
    console.json(&LinkReport { role, is_listed, ..LinkReport::of(node, peer) })?;
    Ok(Exit::Done)
}

/// Prints the link that `join` has made, with what is to be taken over from the central.
pub(super) fn print_joined_json(
    node: &Node,
    peer: &Introduction,
    takeover: Option<&Takeover>,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    console.json(&LinkReport { takeover, ..LinkReport::of(node, peer) })?;
    Ok(Exit::Done)
}

impl<'a> LinkReport<'a> {
    fn of(node: &'a Node, peer: &'a Introduction) -> Self {
        Self {
            node: node.config.node.name.as_str(),
            peer: peer.name.as_str(),
            role: role(peer.role),
            fingerprint: &peer.words,
            deployment: node.deployment.as_ref().map(|(key, _)| key.deployment_id().to_string()),
            takeover: None,
            is_listed: None,
        }
    }
}

/// Says what became of nodes that districts have admitted.
pub(super) fn print_entries(entries: &ListedEntries, console: &mut Console<'_>) -> Result<(), CommandError> {
    if !entries.listed.is_empty() {
        console.say(&format!("Listed: {}; the next bundles tell everybody.", entries.listed.join(", ")))?;
    }
    for RefusedEntry { name, reason } in &entries.refused {
        console.note(&format!("{name}, which a district has admitted, was not listed: {reason}"))?;
    }
    Ok(())
}

/// Reads a card, and what it says.
pub(super) fn read(file: &Path) -> Result<(Vec<u8>, Introduction), CommandError> {
    let bytes = files::read_bounded(file, CARD_BYTES_MAX as u64)?;
    let introduction = membership::read_card(&bytes).map_err(|error| CommandError::from(error).about(file))?;
    Ok((bytes, introduction))
}

/// Makes sure that the card is its owner's.
///
/// # Errors
/// If the fingerprint is another one, nobody can be asked, or the answer is no.
pub(super) fn confirm(
    verb: &str,
    introduction: &Introduction,
    consent: &Consent,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    if let Some(words) = &consent.fingerprint {
        return compare(introduction, words);
    }
    if consent.yes {
        return Ok(());
    }
    show(introduction, console)?;
    if !console.can_ask() {
        return Err(CommandError::usage(
            format!("`{verb}` asks whether this fingerprint is right, and there is no terminal to ask on"),
            "compare it with the card's owner, then give it with `--fingerprint \"WORDS\"`; `--yes` takes any",
        ));
    }
    if console.ask("Does the owner of the card see the same twelve words?")? {
        return Ok(());
    }
    Err(CommandError::failed("the card was not taken; nothing was changed", Some("ask its owner for the card again")))
}

fn compare(introduction: &Introduction, words: &str) -> Result<(), CommandError> {
    if fingerprint::same_words(words, &introduction.words) {
        return Ok(());
    }
    Err(CommandError::failed(
        format!("the card of {} has another fingerprint; nothing was changed", introduction.name),
        Some("ask its owner for the card and the twelve words again; somebody may have exchanged the card"),
    ))
}

fn show(introduction: &Introduction, console: &mut Console<'_>) -> Result<(), CommandError> {
    let Introduction { name, role: theirs, words, .. } = introduction;
    console.err_line(&format!("This is the card of {name}, a {}. Its fingerprint:", role(*theirs)))?;
    halves(words).iter().try_for_each(|half| console.err_line(&format!("  {half}")))
}

/// Twelve words on two lines.
pub(super) fn print_words(words: &str, console: &mut Console<'_>) -> Result<(), CommandError> {
    halves(words).iter().try_for_each(|half| console.line(&format!("  {half}")))
}

fn halves(words: &str) -> Vec<String> {
    let words: Vec<_> = words.split(' ').collect();
    words.chunks(words.len().div_ceil(2).max(1)).map(|half| half.join(" ")).collect()
}

/// The role as a word.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Central => "central",
        Role::Satellite => "satellite",
    }
}

#[cfg(test)]
mod tests {
    use saddlebag_couriers::system::SystemEntropy;
    use saddlebag_formats::{NodeId, TimeMs};
    use saddlebag_keys::{Card, NodeKeys};

    use super::*;
    use crate::exit_code::Exit;

    fn introduction() -> Introduction {
        let keys = NodeKeys::generate(&mut SystemEntropy);
        let card = Card::satellite("clinic-07".parse().unwrap(), NodeId([7; 16]), &keys, TimeMs(0));
        let words = fingerprint::words(&card);
        Introduction { name: card.name.clone(), role: card.role, words, card }
    }

    /// How it ends, and what was shown.
    fn confirmed(fingerprint: Option<String>, yes: bool, answers: Option<&str>) -> (Exit, String) {
        let introduction = introduction();
        let fingerprint = fingerprint.map(|words| words.replace("RIGHT", &introduction.words));
        let consent = Consent { fingerprint, yes, report: Report { json: false } };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut answers = answers.map(str::as_bytes);
        let mut console = Console::new(&mut out, &mut err);
        if let Some(answers) = &mut answers {
            console = console.with_answers(answers);
        }
        let done = confirm("admit", &introduction, &consent, &mut console);
        (done.map_or_else(|error| error.exit(), |()| Exit::Done), String::from_utf8(err).unwrap())
    }

    #[test]
    fn twelve_words_stand_on_two_lines() {
        assert_eq!(halves("a b c d e f g h i j k l"), ["a b c d e f", "g h i j k l"]);
    }

    #[test]
    fn a_card_is_taken_only_if_somebody_answers_for_it() {
        assert_eq!(confirmed(None, false, Some("y\n")).0, Exit::Done);
        assert_eq!(confirmed(None, false, Some("Yes\n")).0, Exit::Done);
        for no in ["\n", "n\n", "yep\n"] {
            assert_eq!(confirmed(None, false, Some(no)).0, Exit::Failed, "{no:?}");
        }
        assert_eq!(confirmed(None, false, Some("")).0, Exit::Interrupted);
        assert_eq!(confirmed(None, false, None).0, Exit::Usage);
        assert_eq!(confirmed(None, true, None).0, Exit::Done);
    }

    #[test]
    fn the_fingerprint_must_be_the_cards() {
        assert_eq!(confirmed(Some("RIGHT".to_owned()), false, None).0, Exit::Done);
        assert_eq!(confirmed(Some("RIGHT again".to_owned()), false, Some("y\n")).0, Exit::Failed);
        assert_eq!(confirmed(Some(String::new()), false, None).0, Exit::Failed);
    }

    #[test]
    fn who_is_asked_sees_name_role_and_words() {
        let (_, shown) = confirmed(None, false, Some("y\n"));
        assert!(shown.contains("the card of clinic-07, a satellite"), "{shown}");
        assert_eq!(shown.lines().filter(|line| line.starts_with("  ")).flat_map(str::split_whitespace).count(), 12);
    }
}
