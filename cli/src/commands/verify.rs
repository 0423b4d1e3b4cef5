//! `saddlebag verify`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::{Head, signature_line};
use saddlebag_keys::{HeadRefusal, Peer, verify_head};
use serde::Serialize;

use super::inspect::read_head;
use super::introduce;
use super::known_nodes::KnownNodes;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;

/// Check the signature and the content of a bundle.
///
/// With a node, the sender must be one that the node knows; elsewhere, the card of the sender tells its key.
/// Without either the content is checked, and the status is 1 all the same: nobody knows who signed it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag --node /srv/ministry verify clinic-07-to-ministry_000017.sbag
  saddlebag verify x.sbag --card clinic-07.card")]
pub struct VerifyArgs {
    /// The bundle
    pub file: PathBuf,
    /// Check the signature against this card
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    Good,
    Bad,
    Unchecked,
}

/// `--json`
#[derive(Debug, Serialize)]
struct VerifyReport<'a> {
    file: &'a Path,
    from: Option<String>,
    number: Option<u64>,
    signature: Finding,
    payload: Finding,
    reason: Option<String>,
    hint: Option<String>,
}

/// Runs it.
pub fn run(global: &Global, args: &VerifyArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut report = VerifyReport {
        file: &args.file,
        from: None,
        number: None,
        signature: Finding::Unchecked,
        payload: Finding::Unchecked,
        reason: None,
        hint: None,
    };
    let done = check(global, args, &mut report);
    if let Err(error) = &done {
        report.reason = Some(error.to_string());
        report.hint = error.hint().map(str::to_owned);
    }
    if args.report.json {
        console.json(&report)?;
    } else if let Ok(checked) = &done {
        console.say(&checked.words(&args.file))?;
    }
    done.map(|_| Exit::Done)
}

/// A bundle of which everything holds.
struct Checked {
    header: BundleHeader,
    sender: Peer,
    /// The size of the file: what was checked has nothing after it.
    bytes: u64,
}

/// Signature first, then the payload; nothing is opened or decoded.
fn check(global: &Global, args: &VerifyArgs, report: &mut VerifyReport<'_>) -> Result<Checked, CommandError> {
    let trusted = trusted(global, args)?;
    let (head, mut rest) = read_head(&args.file)?;
    let head_bytes = (head.signed.len() + signature_line(&head.signature).len()) as u64;
    let header = head.header.clone();
    report.number = Some(header.number.0);
    let sender = match trusted {
        Some(trusted) => {
            let sender = trusted.check(head).inspect_err(|error| {
                let unknown = matches!(error, HeadRefusal::UnknownSender { .. } | HeadRefusal::OtherDeployment { .. });
                report.signature = if unknown { Finding::Unchecked } else { Finding::Bad };
            });
            let sender = sender.map_err(|error| CommandError::from(error).about(&args.file))?;
            report.signature = Finding::Good;
            report.from = Some(sender.name.to_string());
            Some(sender)
        }
        None => None,
    };
    check_payload(&header, &mut rest, report).map_err(|error| error.about(&args.file))?;
    let sender = sender.ok_or_else(|| unknown(&args.file))?;
    let bytes = head_bytes + header.payload.size;
    Ok(Checked { header, sender, bytes })
}

/// Whom the signature is checked against.
enum Trusted {
    Card(Box<saddlebag_keys::Card>),
    Nodes(KnownNodes),
}

fn trusted(global: &Global, args: &VerifyArgs) -> Result<Option<Trusted>, CommandError> {
    match &args.card {
        Some(file) => Ok(Some(Trusted::Card(Box::new(introduce::read(file)?.1.card)))),
        None => Ok(KnownNodes::read(global)?.map(Trusted::Nodes)),
    }
}

impl Trusted {
    fn check(&self, head: Head) -> Result<Peer, HeadRefusal> {
        // Who has no deployment of its own cannot tell a strange one: the signature covers it in any case.
        let found = head.header.deployment;
        let (deployment, peers): (_, &dyn Fn(_, _) -> Option<Peer>) = match self {
            Self::Card(card) => {
                let deployment = card.deployment.as_ref().map(|deployment| deployment.key.deployment_id());
                (deployment, &|_, _| Some(Peer::from(&**card)))
            }
            Self::Nodes(known) => (known.deployment, &|id, key| known.peer(id, key)),
        };
        // A courier, who is nobody's receiver.
        let verified = verify_head(head, deployment.unwrap_or(found), None, peers)?;
        Ok(verified.into_parts().1)
    }
}

fn check_payload(
    header: &BundleHeader,
    rest: &mut impl Read,
    report: &mut VerifyReport<'_>,
) -> Result<(), CommandError> {
    let checked = header.payload.check_reader(rest);
    report.payload = if checked.is_ok() { Finding::Good } else { Finding::Bad };
    Ok(checked?)
}

fn unknown(file: &Path) -> CommandError {
    CommandError::failed(
        format!("`{}` is whole, but its sender is unknown here: its signature was not checked", file.display()),
        Some("give the sender's card with `--card FILE`, or the folder of a node that knows it with `--node DIR`"),
    )
}

impl Checked {
    fn words(&self, file: &Path) -> String {
        let (size, file, name, number) =
            (layout::size(self.bytes), file.display(), &self.sender.name, self.header.number);
        format!("`{file}` is whole ({size}), and {name} has signed it: it is bundle {number}.")
    }
}
