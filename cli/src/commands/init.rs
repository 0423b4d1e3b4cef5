//! `saddlebag init`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use saddlebag_couriers::Node;
use saddlebag_couriers::database_url::DatabaseUrl;
use saddlebag_couriers::founding::{self, Founded, Founding};
use saddlebag_couriers::rights;
use saddlebag_couriers::setup::{self, SetupDone};
use saddlebag_couriers::system::{SystemClock, SystemEntropy};
use saddlebag_formats::NodeName;
use saddlebag_keys::files;
use saddlebag_samples::profiles;
use saddlebag_stores::config::{Direction, ReferenceRule, TableConfig, TablesConfig};
use saddlebag_stores::schema::Schema;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_stores::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::args::{Global, Report};
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;
use crate::progress::Progress;
use crate::proposal::{self, Answers, LeftOut, Proposal, Survey, TrackedProposal};
use crate::toml_text;

const PROFILE_BYTES_MAX: u64 = 1 << 20;

/// Make a node: read the database's schema, propose what to keep in step, make keys.
///
/// Writes saddlebag.toml, the keys and all else of the node into the folder that `--node` names. Then runs
/// `setup`, unless told not to: to look through saddlebag.toml first is wise. In a terminal, asks what only a
/// person can know.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  saddlebag --node /srv/ministry init ministry --central \\
      --database postgres://saddlebag@/health --profile gnuhealth
  saddlebag --node clinic init clinic-07 --database sqlite:clinic.db --no-setup")]
pub struct InitArgs {
    /// What the node is called: 1 to 32 of a-z, 0-9 and hyphens, like `clinic-07`
    pub name: NodeName,
    /// The application's database: `sqlite:PATH`, or `postgres://USER@HOST/DATABASE` and all else that `psql` takes
    #[arg(long, value_name = "URL")]
    pub database: String,
    /// Begin a deployment, with this node as its first central
    #[arg(long)]
    pub central: bool,
    /// Take the tables from a built-in profile (`gnuhealth`, `openmrs`) or a file of `[tables.NAME]` instead of proposing them
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<PathBuf>,
    /// Only write saddlebag.toml and the keys; `saddlebag setup` does the rest
    #[arg(long)]
    pub no_setup: bool,
    /// Ask nothing: take what is proposed
    #[arg(long)]
    pub yes: bool,
    /// How it is reported
    #[command(flatten)]
    pub report: Report,
}

/// `--json`
#[derive(Debug, Serialize)]
struct InitReport<'a> {
    node: &'a str,
    id: String,
    role: &'static str,
    deployment: Option<String>,
    folder: &'a Path,
    database: &'a str,
    tables: Vec<TableReport>,
    left_out: &'a [LeftOut],
    notes: &'a [String],
    setup: Option<&'a SetupDone>,
}

#[derive(Debug, Serialize)]
struct TableReport {
    table: String,
    identity: String,
    direction: Direction,
    /// Pairs: a column, and what it refers to, declared or not.
    references: Vec<(String, String)>,
}

/// What the new node is to keep in step.
struct Tables {
    text: String,
    config: TablesConfig,
    /// What each table refers to, by column.
    references: BTreeMap<String, Vec<(String, String)>>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
}

/// Runs it.
pub fn run(global: &Global, args: &InitArgs, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let url = args.database.parse::<DatabaseUrl>()?.absolute()?;
    let mut store = url.open()?;
    let schema = store.schema()?;
    let tables = match &args.profile {
        Some(file) => from_profile(file)?,
        None => propose(&survey(&mut *store, &schema)?, args, console)?,
    };
    if !args.no_setup || !tables.config.is_empty() {
        refuse_what_does_not_fit(&tables.config, &schema, &url, args)?;
    }
    rights::require(&mut *store, &tables.config.keys().cloned().collect::<Vec<_>>())?;
    drop(store);
    let founding = Founding {
        name: args.name.clone(),
        database_url: url.as_written(),
        central: args.central,
        saddlebag_toml: configuration(&args.name, &url, &tables.text),
    };
    let founded = founding::found(&global.node, &founding, &SystemClock, &mut SystemEntropy)?;
    let setup = if args.no_setup { None } else { Some(set_up(global, console)?) };
    if args.report.json {
        return print_json(args, &founded, &tables, setup.as_ref(), console);
    }
    print_words(global, args, &tables, setup.as_ref(), console)
}

/// What the proposal is made of. Who may not read the tables is told all that is missing, not the first of it alone.
fn survey(store: &mut dyn Store, schema: &Schema) -> Result<Survey, CommandError> {
    let survey = Survey::take(store);
    if let Err(StoreError::NoRight { .. }) = survey {
        rights::require(store, &schema.tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>())?;
    }
    Ok(survey?)
}

fn propose(survey: &Survey, args: &InitArgs, console: &mut Console<'_>) -> Result<Tables, CommandError> {
    let mut answers = Answers::new();
    if console.can_ask() && !args.yes && !args.report.json {
        for question in proposal::questions(survey) {
            let answer = console.ask_or(&question.text, question.default)?;
            answers.insert(question.table, answer);
        }
    }
    let Proposal { text, tracked, left_out, notes } = proposal::propose(survey, &answers);
    // The proposal is TOML by its own invariant; were it not, `found` would refuse the file with its line.
    let config = toml::from_str(&text).map(|file: ProfileFile| file.tables).unwrap_or_default();
    let of_table = |table: &TrackedProposal| {
        let one = |reference: &proposal::Reference| (reference.column.clone(), reference.target.to_string());
        (table.name.clone(), table.references.iter().map(one).collect())
    };
    Ok(Tables { text, config, references: tracked.iter().map(of_table).collect(), left_out, notes })
}

/// A file of tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    #[serde(default)]
    tables: TablesConfig,
}

fn from_profile(file: &Path) -> Result<Tables, CommandError> {
    let text = match file.to_str().and_then(profiles::named) {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(&files::read_bounded(file, PROFILE_BYTES_MAX)?).into_owned(),
    };
    let refused = |reason: &str| {
        CommandError::failed(
            format!("the profile `{}` cannot be used: {reason}", file.display()),
            Some("a profile holds sections [tables.NAME] as in saddlebag.toml, and nothing else"),
        )
    };
    let profile: ProfileFile = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        refused(&format!("line {line}: {}", error.message()))
    })?;
    // It comes after [node], so what stands outside of any section would belong to that.
    let whole: Result<Profiled, _> = toml::from_str(&format!("[node]\n{text}"));
    if !whole.is_ok_and(|whole| whole.node.is_empty() && whole.tables == profile.tables) {
        return Err(refused("its tables do not stand in sections of their own"));
    }
    let of_table = |(name, table): (&String, &TableConfig)| {
        let one = |(column, rule): (&String, &ReferenceRule)| (column.clone(), rule.to_string());
        (name.clone(), table.references.iter().map(one).collect())
    };
    let references = profile.tables.iter().map(of_table).collect();
    Ok(Tables { text, config: profile.tables, references, left_out: Vec::new(), notes: Vec::new() })
}

/// A file of tables behind an empty `[node]`.
#[derive(Deserialize)]
struct Profiled {
    node: toml::Table,
    #[serde(default)]
    tables: TablesConfig,
}

/// Better now than when the node has been made.
fn refuse_what_does_not_fit(
    config: &TablesConfig,
    schema: &Schema,
    url: &DatabaseUrl,
    args: &InitArgs,
) -> Result<(), CommandError> {
    if config.is_empty() && args.profile.is_none() {
        return Err(CommandError::failed(
            format!("the database {url} has no table that can be kept in step"),
            Some("let the application make its tables first, or check the path or the name of the database"),
        ));
    }
    Tracking::resolve(config, schema, &Numbering::default())?;
    Ok(())
}

fn configuration(name: &NodeName, url: &DatabaseUrl, tables: &str) -> String {
    let (name, url) = (toml_text::string(name.as_str()), toml_text::string(&url.as_written()));
    format!(
        "# Written by `saddlebag init`. After a change here, run `saddlebag setup`.

[node]
name = {name}
database = {url}
# A longer stretch of changes becomes several bundles.
# records_per_bundle = 100000

# Tables that are kept in step; a table without a section here stays at home.
#
#   identity      how a record is known at every place, once and for all:
#                 \"uuid(column)\", \"natural(column, column)\", \"named(QUERY)\",
#                 \"assigned\" or \"copied\"
#   direction     \"both\" (if not said), \"up\" to the central, \"down\" from it,
#                 \"match\": rows stay, and others may refer to them
#   exclude       columns that stay at home: [\"column\"]
#   references    columns that refer to other tables, where no foreign key
#                 declares it: {{ column = \"TABLE\" }}, {{ column = \"model,id\" }}
#   local_unique  unique columns that each place counts by itself: [\"column\"]
#   delete        \"keep\": what one place deleted and another edited is kept
#
# Identity, references and direction belong to the deployment: after `join`,
# `setup` takes over what the central has chosen.
#
# Every place gets all records of a table whose direction is \"both\".

{tables}"
    )
}

fn set_up(global: &Global, console: &Console<'_>) -> Result<SetupDone, CommandError> {
    let mut node = Node::open_for_setup(&global.node)?;
    let mut progress = Progress::begin(console.shows_progress);
    Ok(setup::setup(&mut node, &mut |table, rows| progress.show(&super::setup::taking_in(table, rows)))?)
}

fn role(args: &InitArgs) -> &'static str {
    if args.central { "central" } else { "satellite" }
}

fn print_json(
    args: &InitArgs,
    founded: &Founded,
    tables: &Tables,
    setup: Option<&SetupDone>,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let table = |(name, table): (&String, &TableConfig)| TableReport {
        table: name.clone(),
        identity: table.identity.to_string(),
        direction: table.direction,
        references: tables.references.get(name).cloned().unwrap_or_default(),
    };
    console.json(&InitReport {
        node: args.name.as_str(),
        id: founded.id.to_string(),
        role: role(args),
        deployment: founded.deployment.map(|id| id.to_string()),
        folder: &founded.folder,
        database: &founded.database_url,
        tables: tables.config.iter().map(table).collect(),
        left_out: &tables.left_out,
        notes: &tables.notes,
        setup,
    })?;
    Ok(Exit::Done)
}

fn print_words(
    global: &Global,
    args: &InitArgs,
    tables: &Tables,
    setup: Option<&SetupDone>,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let (node, name) = (global.node.display(), &args.name);
    let what =
        if args.central { "the first central of a new deployment" } else { "a satellite that has not joined yet" };
    console.say(&format!("The folder `{node}` is now the node {name}, {what}."))?;
    let count = layout::count(tables.config.len() as u64, "table", "tables");
    match setup {
        Some(done) => {
            let rows = done.tables.iter().map(|table| table.rows).sum();
            let taken = layout::count(rows, "row that was there has", "rows that were there have");
            let taken = if rows == 0 { "they hold no rows yet".to_owned() } else { format!("{taken} been taken in") };
            console.say(&format!("It keeps {count} in step; {taken}."))?;
        }
        None => console.say(&format!("Its saddlebag.toml proposes to keep {count} in step."))?,
    }
    for note in &tables.notes {
        console.note(note)?;
    }
    if setup.is_some() {
        console.note("every place will get all records of these tables; saddlebag.toml says which, and why so")?;
    }
    console.say("Next:")?;
    for command in next(args) {
        console.line(&format!("  {}", global.command(command)))?;
    }
    Ok(Exit::Done)
}

fn next(args: &InitArgs) -> Vec<&'static str> {
    let setup = args.no_setup.then_some("setup");
    let link: [&str; 2] = if args.central { ["card", "admit SATELLITE.card"] } else { ["join CENTRAL.card", "card"] };
    setup.into_iter().chain(link).collect()
}
