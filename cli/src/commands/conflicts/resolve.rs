//! `conflicts resolve`: a plan, a question where there is something to ask, and the decision.
//!
//! Invariant: what was changed since, or was decided already, is decided only after a person has said so again.

use clap::{Args, ValueEnum};
use saddlebag_couriers::Node;
use saddlebag_couriers::conflicts::{
    self, Chosen, Filter, Judge, Plan, Question, Rule, ShownConflict, ShownConflictKind,
};
use saddlebag_formats::Uid;
use serde::Serialize;

use super::print;
use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;

/// `conflicts resolve`
///
/// Decided at the node where the two sides met. What is chosen is an edit of this node: it goes to every place with the
/// next bundles, and the other value may be brought back at any time. Columns that are merged together are decided together.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag conflicts resolve 3 --take other --because 'asked the patient'
  saddlebag conflicts resolve 3 --value '0555 458 318'
  saddlebag conflicts resolve --rule node=clinic-07 --table patient --dry-run")]
pub struct ResolveArgs {
    /// The number of the conflict
    #[arg(required_unless_present = "rule")]
    pub number: Option<u64>,
    /// Which side stands from now on
    #[arg(long, value_enum, conflicts_with_all = ["value", "rule"], required_unless_present_any = ["value", "rule"])]
    pub take: Option<TakeArg>,
    /// Another value, of the kind that the column holds; NULL for none
    #[arg(long, value_name = "TEXT", conflicts_with = "rule", allow_hyphen_values = true)]
    pub value: Option<String>,
    /// For all open conflicts: newest, oldest, central, satellite, node=NAME, stands or other
    #[arg(long, value_name = "RULE", value_parser = rule, conflicts_with = "number")]
    pub rule: Option<Rule>,
    /// Only those of this table
    #[arg(long, value_name = "TABLE", conflicts_with = "number")]
    pub table: Option<String>,
    /// Only those of this column
    #[arg(long, value_name = "COLUMN", conflicts_with = "number")]
    pub column: Option<String>,
    /// Only those of the record with this uid
    #[arg(long, value_name = "UID", conflicts_with = "number")]
    pub record: Option<Uid>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    /// Who decides; the user of this system if nobody is named
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Only show what would be decided
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// Which side of one conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TakeArg {
    /// What stood from the conflict on
    Stands,
    /// The other side
    Other,
    /// That the record is there
    Record,
    /// That the record is deleted
    Deletion,
}

/// `--json`
#[derive(Debug, Serialize)]
struct Resolved<'a> {
    dry_run: bool,
    #[serde(flatten)]
    plan: &'a Plan,
    resolved: &'a [ShownConflict],
}

fn rule(text: &str) -> Result<Rule, String> {
    Ok(match text {
        "newest" => Rule::Newest,
        "oldest" => Rule::Oldest,
        "central" => Rule::Central,
        "satellite" => Rule::Satellite,
        "stands" => Rule::Stands,
        "other" => Rule::Other,
        _ => match text.strip_prefix("node=") {
            Some(name) if !name.is_empty() => Rule::Node(name.to_owned()),
            _ => return Err("write newest, oldest, central, satellite, node=NAME, stands or other".to_owned()),
        },
    })
}

/// Runs it.
pub(super) fn run(
    global: &Global,
    node: &mut Node,
    args: &ResolveArgs,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let judge = Judge { by: who(args)?, because: args.because.as_deref().map(trimmed).transpose()? };
    let plan = plan(node, args)?;
    let words = !args.report.json;
    if words && (args.rule.is_some() || args.dry_run) {
        print_plan(&plan, console)?;
    }
    if args.dry_run || plan.chosen.is_empty() {
        if !words {
            console.json(&Resolved { dry_run: args.dry_run, plan: &plan, resolved: &[] })?;
        }
        return Ok(if plan.skipped.is_empty() { Exit::Done } else { Exit::Part });
    }
    confirm(&plan, args, console)?;
    let resolved = conflicts::carry_out(node, &plan, &judge)?;
    if words {
        print_resolved(&resolved, console)?;
        if !plan.skipped.is_empty() {
            let left = layout::count(plan.skipped.len() as u64, "conflict is", "conflicts are");
            console.note(&format!("{left} left as it was: `{}`", global.command("conflicts")))?;
        }
    } else {
        console.json(&Resolved { dry_run: false, plan: &plan, resolved: &resolved })?;
    }
    Ok(if plan.skipped.is_empty() { Exit::Done } else { Exit::Part })
}

fn trimmed(why: &str) -> Result<String, CommandError> {
    match why.trim() {
        "" => Err(CommandError::usage("`--because` is empty", "say why, or leave it out")),
        why => Ok(why.to_owned()),
    }
}

/// Who decides: as named, or the user of this system.
fn who(args: &ResolveArgs) -> Result<String, CommandError> {
    match args.by.as_deref().map(str::trim) {
        Some("") => Err(CommandError::usage("`--by` is empty", "name whoever decides, or leave it out")),
        Some(name) => Ok(name.to_owned()),
        None => Ok(whoami::username().unwrap_or_else(|_| "somebody unknown".to_owned())),
    }
}

fn plan(node: &mut Node, args: &ResolveArgs) -> Result<Plan, CommandError> {
    if let Some(rule) = &args.rule {
        let filter = Filter { table: args.table.clone(), column: args.column.clone(), record: args.record };
        return Ok(conflicts::plan(node, rule, &filter)?);
    }
    let question = match (&args.value, args.take) {
        (Some(text), _) => Question::Value(text.clone()),
        (None, Some(TakeArg::Other)) => Question::Other,
        (None, Some(TakeArg::Record)) => Question::Record,
        (None, Some(TakeArg::Deletion)) => Question::Deletion,
        (None, Some(TakeArg::Stands) | None) => Question::Stands,
    };
    Ok(conflicts::one(node, args.number.unwrap_or_default(), &question)?)
}

/// What would stand.
fn wanted(chosen: &Chosen) -> String {
    match &chosen.value {
        Some(value) => value.to_string(),
        None => print::value(&chosen.conflict, chosen.take == "stands"),
    }
}

fn print_plan(plan: &Plan, console: &mut Console<'_>) -> Result<(), CommandError> {
    if plan.chosen.is_empty() && plan.skipped.is_empty() {
        return console.say("No open conflict fits.");
    }
    for chosen in &plan.chosen {
        let (number, about) = (chosen.conflict.number, print::about(&chosen.conflict));
        let since = if chosen.asks_again() { format!("; {}", why_again(chosen)) } else { String::new() };
        console.say(&format!("{number}: {about}: {} stands{since}.", wanted(chosen)))?;
    }
    for skipped in &plan.skipped {
        console.say(&format!("{}: left as it is: {}.", skipped.number, skipped.reason))?;
    }
    Ok(())
}

/// Why a person should look again, as half a sentence.
fn why_again(chosen: &Chosen) -> String {
    let conflict = &chosen.conflict;
    let now = match (&conflict.now, conflict.kind) {
        (Some(now), _) => format!("now it holds {now}"),
        (None, ShownConflictKind::Values) => "the record is not here any more".to_owned(),
        (None, ShownConflictKind::Deletion) => "the record went, or came back".to_owned(),
    };
    match (conflict.changed_since, conflict.decisions.last()) {
        (true, _) => format!("it was changed since: {now}"),
        (false, Some(last)) => format!("{} has decided about it already: {now}", last.by),
        (false, None) => now,
    }
}

fn confirm(plan: &Plan, args: &ResolveArgs, console: &mut Console<'_>) -> Result<(), CommandError> {
    let again: Vec<&Chosen> = plan.chosen.iter().filter(|chosen| chosen.asks_again()).collect();
    if args.yes || (args.rule.is_none() && again.is_empty()) {
        return Ok(());
    }
    let question = match (again.as_slice(), plan.chosen.as_slice()) {
        ([one], [_]) => format!("{}: {}. Shall {} stand?", print::about(&one.conflict), why_again(one), wanted(one)),
        ([], all) => format!("Decide {} so?", layout::count(all.len() as u64, "conflict", "conflicts")),
        (again, all) => {
            let count = layout::count(all.len() as u64, "conflict", "conflicts");
            format!("{} of them changed since, or decided already. Decide {count} so?", again.len())
        }
    };
    if !console.can_ask() || args.report.json {
        return Err(CommandError::usage(
            format!("`conflicts resolve` asks here, and there is nobody to ask: {question}"),
            "look with `--dry-run`, then say `--yes`",
        ));
    }
    if console.ask(&question)? {
        return Ok(());
    }
    Err(CommandError::failed("nothing was decided; nothing was changed", None))
}

fn print_resolved(resolved: &[ShownConflict], console: &mut Console<'_>) -> Result<(), CommandError> {
    for conflict in resolved {
        let what = conflict.decisions.last().map(|last| print::decided(conflict, last)).unwrap_or_default();
        console.say(&format!("Conflict {}, {}. {what}", conflict.number, print::about(conflict)))?;
    }
    console.say("The others hear of it in the next round.")
}
